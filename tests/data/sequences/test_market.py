"""What decisions see, where prices go, and what trades bring."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cropworth.data.config import Market
from cropworth.data.sequences.market import (
    DIRECTIONS,
    MarketSeries,
    Quotes,
    direction,
    market_task,
    split_by_time,
    value_fn,
)
from cropworth.errors import CropworthError

DOWN, FLAT, UP = range(3)
PRICE = st.floats(1, 1000)


def series(steps: int, seed: int = 0) -> MarketSeries:
    rng = np.random.default_rng(seed)
    mid = 100 * np.exp(rng.normal(0, 0.01, steps).cumsum())
    features = rng.normal(size=(steps, 3)).astype(np.float32)
    features[:, 0] = np.arange(steps)
    return MarketSeries(features, mid - 0.5, mid + 0.5, lambda step: f"step {step}")


def test_a_trade_pays_the_spread_and_two_fees() -> None:
    still = Quotes(99, 101, 99, 101)
    assert value_fn(FLAT, UP, still, 0) == pytest.approx(99 / 101 - 1)
    assert value_fn(FLAT, DOWN, still, 0) == pytest.approx(1 - 101 / 99)
    assert value_fn(UP, FLAT, Quotes(99, 101, 150, 152), 0.01) == 0
    # 1 unit of money buys 1/101, which sells for 150/101, less 1 % of both sums.
    assert value_fn(UP, UP, Quotes(99, 101, 150, 152), 0.01) == pytest.approx(150 / 101 * 0.99 - 1.01)
    # 1/99 sold for 1, bought back for 50/99.
    assert value_fn(DOWN, DOWN, Quotes(99, 101, 48, 50), 0.01) == pytest.approx(0.99 - 50 / 99 * 1.01)


@given(PRICE, PRICE, st.floats(0, 0.1), st.floats(0, 0.05))
def test_no_market_pays_for_both_directions_at_once(now: float, later: float, spread: float, fee: float) -> None:
    row = Quotes(now, now * (1 + spread), later, later * (1 + spread))
    up, down = value_fn(UP, UP, row, fee), value_fn(UP, DOWN, row, fee)
    dearer = value_fn(UP, UP, row, fee + 0.01), value_fn(UP, DOWN, row, fee + 0.01)
    assert dearer[0] < up
    assert dearer[1] < down
    assert min(up, down) <= 1e-12


def test_the_direction_is_that_of_the_mid_price_beyond_the_threshold() -> None:
    assert [direction(Quotes(99, 101, 99 + d, 101 + d), 0.01) for d in (-2, -0.9, 0, 0.9, 2)] == [0, 1, 1, 1, 2]
    assert direction(Quotes(99, 101, 98, 102), 0) == FLAT
    assert DIRECTIONS == ("down", "flat", "up")


@given(st.integers(30, 400), st.integers(2, 20), st.integers(1, 20), st.integers(1, 9))
def test_splits_follow_one_another_with_a_gap(steps: int, window: int, horizon: int, every: int) -> None:
    splits = split_by_time(steps, window, horizon, every, 0.2, 0.3)
    touched = [
        {at for step in split for at in (*range(step - window, step + 1), *range(step, step + horizon + 1))}
        for split in splits
    ]
    for seen in touched:
        assert seen <= set(range(steps))
    for earlier, later in ((0, 1), (1, 2), (0, 2)):
        if splits[earlier] and splits[later]:
            assert max(touched[earlier]) < min(touched[later])
            assert splits[later][0] - splits[earlier][-1] > window + horizon


def test_the_shares_of_time_are_kept() -> None:
    train, validation, test = split_by_time(1000, 10, 5, 1, 0.2, 0.3)
    assert (train, validation, test) == (range(10, 495), range(510, 695), range(710, 995))


def test_windows_labels_and_payoffs_belong_together() -> None:
    market = series(300)
    config = Market(threshold=0.01, fee=0.002, standardise=False)
    task = market_task("made", market, config, window=8, horizon=5, every=5)
    assert task.classes == DIRECTIONS
    for split in (task.training_epoch(task.train_limit, 0, 0), task.validation, task.test):
        assert split.payoffs is not None
        for inputs, label, payoffs in zip(split.inputs, split.labels, split.payoffs, strict=True):
            step = int(inputs[-1, 0])
            np.testing.assert_array_equal(inputs, market.features[step - 7 : step + 1])
            mid = (market.bid + market.ask) / 2
            change = mid[step + 5] / mid[step] - 1
            assert int(label) == (UP if change > 0.01 else DOWN if change < -0.01 else FLAT)
            bought = market.bid[step + 5] * (1 - 0.002) / market.ask[step] - 1.002
            sold = 0.998 - market.ask[step + 5] * 1.002 / market.bid[step]
            np.testing.assert_allclose(payoffs, [sold, 0, bought], rtol=1e-5)
    assert task.warnings == ()


def test_decisions_that_share_what_comes_are_said_to() -> None:
    task = market_task("made", series(300), Market(threshold=0, fee=0), window=8, horizon=5, every=2)
    (warning,) = task.warnings
    assert warning.startswith("decisions every 2 steps, labels 5 ahead: neighbours share what comes")


def test_steps_without_a_price_are_bad_items() -> None:
    market = series(300)
    market.bid[40] = np.nan
    with pytest.raises(CropworthError, match=r"got step 35: the label nan.*\ngot step 40: the label nan"):
        market_task("made", market, Market(threshold=0, fee=0), window=5, horizon=5, every=5)
    config = Market(threshold=0, fee=0, on_bad_item="skip")
    task = market_task("made", market, config, window=5, horizon=5, every=5)
    assert task.warnings == ("Left out of the data: sequences, 2; the first is step 35: the label nan.",)
    assert torch.isfinite(task.training_epoch(task.train_limit, 0, 0).payoffs).all()  # type: ignore[arg-type]


def test_too_little_time_is_refused() -> None:
    with pytest.raises(CropworthError, match="no sequence to validate on in made"):
        market_task("made", series(60), Market(threshold=0, fee=0), window=8, horizon=5, every=1)
