"""The task `order-book`, and the book behind it, on events written here and on those that ob-analytics ships."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cropworth.config import parse
from cropworth.data.config import OrderBook
from cropworth.data.installed import shipped
from cropworth.data.sequences.book import replay
from cropworth.data.sequences.order_book import FILE, INSTALL, order_book_task, read_orders
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.errors import CropworthError

HEAD = "id,timestamp,exchange_timestamp,price,volume,action,direction"
START = 1_000_000
SMALL = {"seconds": 10, "horizon_s": 5, "every_s": 1, "standardise": False, "threshold": 0.001}

Row = tuple[int, int, float, float, str, str]
"""Order, milliseconds after the start, price, volume, action, side."""


def events(seconds: int = 400, seed: int = 0) -> list[Row]:
    """A book that moves: bids between 90 and 99.9, asks between 100 and 110, at quarters of seconds, five a second."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    live: dict[str, list[int]] = {"bid": [], "ask": []}
    places: dict[int, float] = {}
    for time in [0] * 20 + sorted((250 * rng.integers(1, 4 * seconds, 5 * seconds)).tolist()) + [seconds * 1000]:
        side = "bid" if len(rows) % 2 else "ask"
        if len(live[side]) > 5 and rng.random() < 0.5:
            order = live[side].pop(int(rng.integers(len(live[side]))))
            rows.append((order, time, places[order], 0.5, "deleted", side))
        else:
            order = 1000 * (seed + 1) + len(rows)
            places[order] = round(float(rng.uniform(90, 99.9) if side == "bid" else rng.uniform(100, 110)), 1)
            live[side].append(order)
            rows.append((order, time, places[order], round(float(rng.uniform(0.1, 3)), 2), "created", side))
    return rows


def trades(seconds: int = 400, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    times = sorted((250 * rng.integers(1, 4 * seconds, seconds)).tolist())
    amounts = rng.uniform(0, 2, seconds)
    sides = ("buy", "sell")
    return [f"{START + t},{a:.3f},{sides[t // 250 % 2]}" for t, a in zip(times, amounts, strict=True)]


def write(folder: Path, rows: list[Row], fills: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [
        f"{order},{START + time},{time},{price},{volume},{what},{side}"
        for order, time, price, volume, what, side in rows
    ]
    (folder / "orders.csv").write_text("\n".join([HEAD, *lines]))
    (folder / "trades.csv").write_text("\n".join(["timestamp,amount,side", *fills]))
    return folder / "orders.csv"


def read(path: Path, **settings: object) -> SequenceTask:
    return order_book_task(parse(OrderBook, {"task": "order-book", "orders": str(path), **SMALL, **settings}))


def naive(rows: list[Row], until: int) -> tuple[float, float, NDArray[np.float64]]:
    """Best bid, best ask, and both sides' volume at the best price and at the five best, from the start again."""
    orders: dict[int, tuple[str, float, float]] = {}
    for order, time, price, volume, action, side in rows:
        if time <= until:
            orders.pop(order, None)
            if action != "deleted":
                orders[order] = side, price, volume
    bids, asks = ([(p, v) for s, p, v in orders.values() if s == side] for side in ("bid", "ask"))
    best = sorted({p for p, _ in bids}, reverse=True)[:5], sorted({p for p, _ in asks})[:5]
    deep = [
        [sum(v for p, v in side if p in prices[:n]) for side, prices in zip((bids, asks), best, strict=True)]
        for n in (1, 5)
    ]
    return best[0][0], best[1][0], np.array(deep)


def test_the_book_is_that_of_all_events_so_far(tmp_path: Path) -> None:
    rows = events(60)
    order, _, price, _, _, side = max(rows[:70], key=lambda row: (row[4] == "created", row[1]))
    rows[70:70] = [(order, rows[69][1], price, 0.01, "changed", side)]
    edges = np.arange(0, 60_000, 1000)
    found = replay(read_orders(write(tmp_path, rows, []), "fail"), START + edges.astype(float))
    for step, until in enumerate(edges.tolist()):
        bid, ask, volumes = naive(rows, until)
        assert (found.bid[step], found.ask[step]) == (bid, ask)
        np.testing.assert_allclose([found.best[:, step], found.deep[:, step]], volumes)
    assert (found.crossed, found.stale) == (0, 0)


def test_a_late_creation_of_a_deleted_order_is_no_news(tmp_path: Path) -> None:
    rows: list[Row] = [(1, 0, 99, 1, "created", "bid"), (2, 0, 101, 1, "created", "ask")]
    rows += [(3, 100, 100, 1, "deleted", "bid"), (3, 200, 100, 1, "created", "bid")]
    found = replay(read_orders(write(tmp_path, rows, []), "fail"), np.array([START + 1000.0]))
    assert (found.bid[0], found.ask[0]) == (99, 101)


def test_crossed_quotes_are_not_used_and_a_stale_order_is_taken_out(tmp_path: Path) -> None:
    rows: list[Row] = [
        (1, 0, 99, 1, "created", "bid"),
        (2, 0, 101, 1, "created", "ask"),
        (3, 0, 105, 1, "created", "ask"),
    ]
    rows += [(4, 1500, 102, 1, "created", "bid")]  # crosses order 2, whose deletion never came
    table = read_orders(write(tmp_path, rows, []), "fail")
    found = replay(table, START + np.array([1000.0, 2000.0, 3000.0]))
    assert list(zip(found.bid, found.ask, strict=True)) == [(99, 101), (99, 101), (102, 105)]
    assert (found.crossed, found.stale) == (1, 1)


def test_an_empty_side_has_no_quotes(tmp_path: Path) -> None:
    rows: list[Row] = [
        (1, 0, 99, 1, "created", "bid"),
        (2, 0, 101, 1, "created", "ask"),
        (2, 1500, 101, 1, "deleted", "ask"),
    ]
    found = replay(read_orders(write(tmp_path, rows, []), "fail"), START + np.array([1000.0, 2000.0]))
    assert (found.bid[0], found.ask[0]) == (99, 101)
    assert np.isnan([found.bid[1], found.ask[1]]).all()


def test_features_are_those_of_the_seconds_before(tmp_path: Path) -> None:
    rows, fills = events(), trades()
    task = read(write(tmp_path, rows, fills))
    # 400 steps: the first test decision is in step 280 + 10, and its window begins with step 281.
    window = task.test.inputs[0].numpy()
    assert window.shape == (10, 14)
    for at, seen in enumerate(window):
        until = (281 + at) * 1000
        bid, ask, volumes = naive(rows, until)
        before = naive(rows, until - 1000)
        assert seen[0] == pytest.approx(np.log((bid + ask) / (before[0] + before[1])), abs=1e-6)
        assert seen[1] == pytest.approx((ask - bid) / ((ask + bid) / 2), rel=1e-5)
        np.testing.assert_allclose(seen[2:4], (volumes[:, 0] - volumes[:, 1]) / volumes.sum(1), rtol=1e-5, atol=1e-6)
        now = [row for row in rows if until - 1000 < row[1] <= until]
        kinds = [[row[3] for row in now if row[4:] == (a, s)] for a in ("created", "deleted") for s in ("bid", "ask")]
        np.testing.assert_allclose(seen[4:8], np.log1p([len(kind) for kind in kinds]), rtol=1e-5)
        np.testing.assert_allclose(seen[8:12], np.log1p([sum(kind) for kind in kinds]), rtol=1e-5)
        done = [line.split(",") for line in fills if until - 1000 < int(line.split(",")[0]) - START <= until]
        signed = sum(float(amount) * (1 if side == "buy" else -1) for _, amount, side in done)
        assert seen[12] == pytest.approx(np.sign(signed) * np.log1p(abs(signed)), abs=1e-5)
        assert seen[13] == pytest.approx(np.log1p(len(done)))


def test_nothing_of_the_future_is_seen(tmp_path: Path) -> None:
    """Other events after a time change no feature of a decision by then; other events before it do."""
    rows, fills, now = events(), trades(), 300_000
    # Order numbers of the other events are their own; the time of the last event stays, and with it the splits.
    other = [row for row in events(seed=1) if row[1] > now and row[4] == "created"]
    better: Row = (7, now + 1, 99.95, 1, "created", "bid")
    later = [row for row in rows if row[1] <= now] + [better, *other]
    later_fills = [line for line in fills if int(line.split(",")[0]) <= START + now]
    before, after = read(write(tmp_path / "a", rows, fills)), read(write(tmp_path / "b", later, later_fills))
    # Decisions of the test are made from second 290 on, one a second: the first eleven are made by `now`.
    assert torch.equal(before.test.inputs[:11], after.test.inputs[:11])
    assert torch.equal(before.validation.inputs, after.validation.inputs)
    assert all(
        not torch.equal(one, other) for one, other in zip(before.test.inputs[11:], after.test.inputs[11:], strict=True)
    )
    assert not torch.equal(before.test.payoffs[6:11], after.test.payoffs[6:11])  # type: ignore[index]

    early = [row for row in rows if not (289_000 < row[1] <= 290_000)]
    changed = read(write(tmp_path / "c", early, fills))
    assert not torch.equal(before.test.inputs[0, -1], changed.test.inputs[0, -1])
    assert torch.equal(before.test.inputs[0, :-1], changed.test.inputs[0, :-1])


def test_no_split_sees_what_another_is_asked_for(tmp_path: Path) -> None:
    """Each event of the boundary's neighbourhood touches one split alone."""
    rows, fills = events(), trades()
    base = read(write(tmp_path / "base", rows, fills))
    for number, second in enumerate(range(190, 212, 3)):
        other = [(o, t, p, v + 1, a, s) if t // 1000 == second else (o, t, p, v, a, s) for o, t, p, v, a, s in rows]
        again = read(write(tmp_path / f"{number}", other, fills))
        train = [task.training_epoch(task.train_limit, 0, 0) for task in (base, again)]
        in_train = not torch.equal(train[0].inputs[..., 8:], train[1].inputs[..., 8:])
        in_validation = not torch.equal(base.validation.inputs[..., 8:], again.validation.inputs[..., 8:])
        # Time is cut at second 200: training decides until 194 and asks until 199, validation sees from 201 on.
        assert in_train == (second < 194), second
        assert in_validation == (second >= 200), second


def test_orders_that_arrive_while_the_snapshot_is_fetched_are_known_with_it(tmp_path: Path) -> None:
    rows = events()
    early: list[Row] = [(7, -800, 99.95, 1, "created", "bid"), (7, -100, 99.95, 1, "deleted", "bid")]
    with_early = read(write(tmp_path / "a", rows[:20] + early + rows[20:], trades()))
    without = read(write(tmp_path / "b", rows, trades()))
    assert torch.equal(with_early.test.inputs, without.test.inputs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {200: (9, 0, 99.0, 1.0, "created", "bid")},
            r"orders\.csv, line 202: a timestamp that is not after those above",
        ),
        (
            {200: (9, -1, 99.0, 1.0, "created", "bid")},
            r"orders\.csv, line 202: a timestamp that is not after those above",
        ),
        ({200: (9, 0, -1.0, 1.0, "created", "bid")}, r"orders\.csv, line 202: a price below 0"),
        ({200: (9, 0, 99.0, -1.0, "created", "bid")}, r"orders\.csv, line 202: a volume below 0"),
        ({200: (9, 0, float("nan"), 1.0, "created", "bid")}, r"orders\.csv, line 202: price is missing"),
        ({200: (9, 0, 99.0, 1.0, "cancelled", "bid")}, r"orders\.csv, line 202: action is missing or not what"),
    ],
)
def test_a_bad_event_is_named_or_left_out(tmp_path: Path, change: dict[int, Row], message: str) -> None:
    rows = events()
    for at, row in change.items():
        rows[at] = row
    path = write(tmp_path, rows, trades())
    with pytest.raises(CropworthError, match=message):
        read(path)
    assert read(path, on_bad_item="skip").warnings[0].startswith("Left out of the data: rows, ")


def test_trades_are_needed_and_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, events(), trades()[::-1])
    with pytest.raises(CropworthError, match=r"trades\.csv, line 3: a timestamp"):
        read(path)
    (tmp_path / "trades.csv").unlink()
    with pytest.raises(CropworthError, match=r"trades\.csv"):
        read(path)


def test_times_that_are_no_whole_steps_are_refused() -> None:
    with pytest.raises(CropworthError, match="must be multiples of step_s"):
        parse(OrderBook, {"task": "order-book", "step_s": 7})


@pytest.fixture(scope="module")
def real() -> Path:
    return shipped("ob_analytics", FILE, INSTALL)


def test_the_half_hour_that_ob_analytics_ships(real: Path) -> None:
    task = order_book_task(parse(OrderBook, {"task": "order-book"}))
    assert (task.train_limit, len(task.validation), len(task.test)) == (162, 54, 90)
    assert (task.size, task.channels) == ((60,), 14)
    assert task.warnings[0] == "one market over 30 minutes: no claim beyond them"
    assert task.test.payoffs is not None
    # Twice the fee of 0.1 % is more than half a minute's moves bring: nobody could trade on them.
    assert float(task.test.payoffs.mean(0)[0]) == pytest.approx(-0.002, abs=2e-4)


def test_real_bids_are_below_asks_nearly_always_and_near_the_trades(real: Path) -> None:
    orders = read_orders(real, "fail")
    assert len(orders.lines) == 314_057
    edges = np.arange(orders["timestamp"][0], orders["timestamp"][-1], 1000)
    found = replay(orders, edges)
    # Two orders of the snapshot, whose deletions nobody announced, would cross 1,647 states; without them 33 are.
    assert (len(edges), found.crossed, found.stale) == (1798, 33, 2)
    assert (found.bid < found.ask).all()
    assert float(np.median(found.ask - found.bid)) == 1
    with (real.parent / "trades.csv").open() as stream:
        rows = [(float(row["timestamp"]), float(row["price"])) for row in csv.DictReader(stream)]
    step = np.searchsorted(edges, [time for time, _ in rows])
    near = np.abs((found.bid + found.ask)[step] / 2 - [price for _, price in rows])
    assert float(np.quantile(near, 0.95)) < 20
