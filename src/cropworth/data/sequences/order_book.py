"""The task `order-book`: an exchange's order events, such as those that ob-analytics ships.

ob-analytics is under the GPL: cropworth reads its data file where a user installed it, and runs nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropworth.data.bad_items import OnBad
from cropworth.data.config import OrderBook
from cropworth.data.installed import shipped
from cropworth.data.sequences.book import ACTIONS, SIDES, Replay, replay
from cropworth.data.sequences.market import MarketSeries, market_task
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.data.tables.table import Table, read_table

INSTALL = "pip install --no-deps ob-analytics"
FILE = "_sample_data/orders.csv.gz"
ORDERS: dict[str, Callable[[str], float]] = {
    "id": float,
    "timestamp": float,
    "price": float,
    "volume": float,
    "action": {name: float(code) for code, name in enumerate(ACTIONS)}.__getitem__,
    "direction": {name: float(code) for code, name in enumerate(SIDES)}.__getitem__,
}
TRADES: dict[str, Callable[[str], float]] = {
    "timestamp": float,
    "amount": float,
    "side": {"buy": 1.0, "sell": -1.0}.__getitem__,
}
MS = 1000


def order_book_task(config: OrderBook) -> SequenceTask:
    """The last seconds of order events -> the direction of the mid price, and what a trade at the quotes would bring.

    Events count from when they were received (`timestamp`, in milliseconds), not from when the exchange dates them. The
    file that ob-analytics 0.1.0 ships holds 314,057 events and 284 trades of BTC/USD at Bitstamp, half an hour of
    2026-05-02: no result from it says anything of another day. Bids and asks cross in 33 of its 1,798 states, one a
    second; they would in 1,647 were two orders of its snapshot kept whose deletions it lacks (see `Book.quotes`).

    Raises:
        CropworthError: a file is not there, lacks a column, or has bad rows or too few.
    """
    path = config.orders or shipped("ob_analytics", FILE, INSTALL)
    orders = read_orders(path, config.on_bad_item)
    trades = read_table(path.parent / "trades.csv", TRADES, config.on_bad_item).in_order("timestamp", strictly=False)
    start, end = orders["timestamp"][0], orders["timestamp"][-1]
    edges = np.arange(start, end, config.step_s * MS)
    found = replay(orders, edges)
    task = market_task(
        "order-book",
        MarketSeries(
            step_features(found, orders, trades, edges),
            found.bid,
            found.ask,
            lambda step: f"{path}, {step * config.step_s} s after its start",
        ),
        config,
        window=config.seconds // config.step_s,
        horizon=config.horizon_s // config.step_s,
        every=config.every_s // config.step_s,
    )
    minutes = (end - start) / MS / 60
    claim = f"one market over {minutes:.0f} minutes: no claim beyond them"
    task.warnings = (*orders.warnings, *trades.warnings, claim, *task.warnings)
    return task


def read_orders(path: Path, on_bad_item: OnBad) -> Table:
    """Order events as they became known: id, timestamp (ms), price, volume, and the codes of action and direction.

    The first row's time is that of a snapshot. While one is fetched events already arrive, which the file holds after
    it, with earlier times of their own: they are known when the snapshot is.

    Raises:
        CropworthError: see `read_table`; or a price or volume is below 0, or a row out of order.
    """
    orders = read_table(path, ORDERS, on_bad_item)
    orders = orders.without(orders["price"] < 0, "a price below 0", "prices of at least 0")
    orders = orders.without(orders["volume"] < 0, "a volume below 0", "volumes of at least 0")
    times = orders["timestamp"]
    known = replace(orders, columns={**orders.columns, "timestamp": np.maximum(times, times[0])})
    return known.in_order("timestamp", strictly=False)


def step_features(book: Replay, orders: Table, trades: Table, edges: NDArray[np.float64]) -> NDArray[np.float32]:
    """What each step brought, (S, 14); step s ends at edges[s], and events of that very time are in it.

    0: log return of the mid price (0 for the first step). 1: spread over mid. 2, 3: volume of bids less that of asks,
    over their sum, at the best price and at the 5 best. 4 to 7: orders created, bids and asks, then deleted. 8 to 11:
    their volumes. 12: volume that trades bought less what they sold. 13: number of trades. 4 to 13 are given as
    sign(x) log(1 + |x|).
    """
    mid = (book.bid + book.ask) / 2
    log_mid = np.log(mid)
    state = [np.diff(log_mid, prepend=log_mid[0]), (book.ask - book.bid) / mid]
    state += [_imbalance(*volumes) for volumes in (book.best, book.deep)]
    kinds = [
        (orders["action"] == ACTIONS.index(action)) & (orders["direction"] == side)
        for action in ("created", "deleted")
        for side in range(len(SIDES))
    ]
    times = orders["timestamp"]
    flows = [_sums(times[kind], np.ones(int(kind.sum())), edges) for kind in kinds]
    flows += [_sums(times[kind], orders["volume"][kind], edges) for kind in kinds]
    signed = trades["side"] * trades["amount"]
    flows += [_sums(trades["timestamp"], what, edges) for what in (signed, np.ones(len(signed)))]
    squeezed = [np.sign(flow) * np.log1p(np.abs(flow)) for flow in flows]
    return np.stack([*state, *squeezed], 1).astype(np.float32)


def _imbalance(bids: NDArray[np.float64], asks: NDArray[np.float64]) -> NDArray[np.float64]:
    total = bids + asks
    return (bids - asks) / np.where(total > 0, total, 1)


def _sums(times: NDArray[np.float64], values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of the values in each step, (S,); a step holds the times up to its edge and after the edge before."""
    totals = np.zeros(len(edges) + 1)
    np.add.at(totals, np.searchsorted(edges, times, side="left"), values)
    return totals[:-1]
