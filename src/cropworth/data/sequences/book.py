"""An order book rebuilt from its events: what could be bought and sold, and for how much, at given times."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from heapq import nlargest, nsmallest
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cropworth.data.tables.table import Table

ACTIONS = ("created", "changed", "deleted")
SIDES = ("bid", "ask")
BID, ASK = range(2)
EVENT = ("timestamp", "id", "price", "volume", "action", "direction")
DELETED = ACTIONS.index("deleted")
DEPTH = 5
# An order that another one has crossed for so long, in milliseconds, is gone: in a market it would have been filled.
CROSSED_MS = 1000


@dataclass(frozen=True)
class Replay:
    """The book at S times.

    Attributes:
        bid: (S,), highest price that a bid offers; NaN where one side is empty. Where bids and asks cross, a state in
            which nobody could trade, both quotes are the last ones that did not.
        ask: (S,), lowest price that an ask offers.
        best: (2, S), volume of bids and of asks at the best price.
        deep: (2, S), volume at the `DEPTH` best prices.
        crossed: how many of the states were crossed.
        stale: how many orders were taken out because others had crossed them, see `Book.quotes`.
    """

    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    best: NDArray[np.float64]
    deep: NDArray[np.float64]
    crossed: int
    stale: int


@dataclass
class Book:
    """Orders that rest, by side and price.

    Attributes:
        levels: of each side, price -> order -> (when it got there, its volume).
        orders: order -> (side, price).
        gone: orders that were deleted, of which a later event is late news.
    """

    levels: tuple[defaultdict[float, dict[float, tuple[float, float]]], ...] = field(
        default_factory=lambda: (defaultdict(dict), defaultdict(dict))
    )
    orders: dict[float, tuple[int, float]] = field(default_factory=dict)
    gone: set[float] = field(default_factory=set)
    stale: int = 0

    def apply(self, time: float, order: float, price: float, volume: float, action: float, side: float) -> None:
        """One event: the order now rests at this price with this volume, or is deleted."""
        if order in self.orders:
            self._remove(order)
        if action == DELETED:
            self.gone.add(order)
        elif order not in self.gone:
            self.orders[order] = int(side), price
            self.levels[int(side)][price][order] = time, volume

    def quotes(self, now: float) -> tuple[float, float] | None:
        """Best bid and best ask; None where a side is empty.

        A snapshot may hold orders whose deletion nobody announced. Once a later order has rested on the wrong side of
        such an order for longer than `CROSSED_MS` the older one is taken out: only what is known by `now` decides.
        """
        bids, asks = self.levels
        while bids and asks:
            bid, ask = max(bids), min(asks)
            levels = bids[bid], asks[ask]
            (_, older), (since, _) = sorted(min((time, order) for order, (time, _) in at.items()) for at in levels)
            if bid < ask or now - since <= CROSSED_MS:
                return bid, ask
            self._remove(older)
            self.stale += 1
        return None

    def volumes(self, count: int) -> tuple[float, float]:
        """Volume of the bids and of the asks at the best `count` prices."""
        bids, asks = self.levels
        best = (nlargest(count, bids), bids), (nsmallest(count, asks), asks)
        bid, ask = (sum(volume for price in prices for _, volume in side[price].values()) for prices, side in best)
        return bid, ask

    def _remove(self, order: float) -> None:
        side, price = self.orders.pop(order)
        level = self.levels[side][price]
        del level[order]
        if not level:
            del self.levels[side][price]


def replay(events: Table, edges: NDArray[np.float64]) -> Replay:
    """The book at each of the times `edges`, after all events up to and at that time.

    Args:
        events: the columns id, timestamp, price, volume, action and direction (indices into `ACTIONS` and `SIDES`), in
            the order of their times.
        edges: (S,), rising.
    """
    book = Book()
    rows = zip(*(events[name].tolist() for name in EVENT), strict=True)
    counts = np.diff(np.searchsorted(events["timestamp"], edges, side="right"), prepend=0).tolist()
    quotes = np.full((2, len(edges)), np.nan)
    volumes = np.zeros((2, 2, len(edges)))
    crossed = 0
    for step, (now, count) in enumerate(zip(edges.tolist(), counts, strict=True)):
        for event in islice(rows, count):
            book.apply(*event)
        found = book.quotes(now)
        if found is not None and found[0] >= found[1]:
            crossed += 1
            found = tuple(quotes[:, step - 1]) if step else None
        if found is not None:
            quotes[:, step] = found
        volumes[:, :, step] = book.volumes(1), book.volumes(DEPTH)
    return Replay(quotes[BID], quotes[ASK], volumes[0], volumes[1], crossed, book.stale)
