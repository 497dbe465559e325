"""Decisions of a market: what was known, where the price then went, and what a trade would have brought."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropworth.data.config import Market
from cropworth.data.sequences.sequence_task import SequenceItem, SequenceTask

DIRECTIONS = ("down", "flat", "up")


@dataclass(frozen=True)
class Quotes:
    """Prices that a decision deals with: the best ones now, and those at the horizon."""

    bid: float
    ask: float
    later_bid: float
    later_ask: float


@dataclass(frozen=True)
class MarketSeries:
    """A market in steps of even length.

    Attributes:
        features: (S, F), float32; row s holds what became known within step s and nothing later.
        bid: (S,), the best price to sell at when step s ends; NaN where there is none.
        ask: (S,), the best price to buy at.
        where: what messages call step s.
    """

    features: NDArray[np.float32]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    where: Callable[[int], str]


def value_fn(y_true: int, prediction: int, row: Quotes, fee: float) -> float:
    """What acting on a prediction brings, as a fraction of the amount traded.

    Up buys at the ask now and sells at the bid later, down sells first and buys back, flat does not trade.

    Args:
        y_true: the direction that came, an index into `DIRECTIONS`; the quotes say all that counts of it.
        prediction: the direction that was acted on.
        row: the quotes now and at the horizon.
        fee: fraction of the amount, charged for each of the two trades.
    """
    if DIRECTIONS[prediction] == "up":
        ratio = row.later_bid / row.ask
        return ratio - 1 - fee * (1 + ratio)
    if DIRECTIONS[prediction] == "down":
        ratio = row.later_ask / row.bid
        return 1 - ratio - fee * (1 + ratio)
    return 0.0


def direction(row: Quotes, threshold: float) -> int:
    """Where the mid price goes, an index into `DIRECTIONS`; flat up to a change by the fraction `threshold`."""
    change = (row.later_bid + row.later_ask) / (row.bid + row.ask) - 1
    return 1 + int(change > threshold) - int(change < -threshold)


def split_by_time(
    steps: int, window: int, horizon: int, every: int, validation_share: float, test_share: float
) -> tuple[range, range, range]:
    """The steps at whose ends decisions are made, for training, validation and test.

    Time is cut in three, and a decision belongs to a part only if all that it sees, from the quotes before its window
    on, and the quotes at its horizon lie inside. So two decisions of different splits are further apart than a window
    and a horizon.

    Args:
        steps: how many there are.
        window: steps that a decision sees, its own the last.
        horizon: steps from a decision to the quotes that its label is of.
        every: steps from one decision to the next.
        validation_share: of the steps.
        test_share: of the steps, the last.
    """
    first, second = round(steps * (1 - validation_share - test_share)), round(steps * (1 - test_share))
    parts = ((0, first), (first, second), (second, steps))
    train, validation, test = (range(start + window, end - horizon, every) for start, end in parts)
    return train, validation, test


def market_task(
    name: str, series: MarketSeries, config: Market, *, window: int, horizon: int, every: int
) -> SequenceTask:
    """Windows of a market with the direction that followed, and what each decision would have brought.

    `window`, `horizon` and `every` are in steps, see `split_by_time`.

    Raises:
        CropworthError: too few steps for a decision in each split, or a window that something is missing in.
    """

    def item(step: int) -> SequenceItem:
        later = step + horizon
        row = Quotes(*(float(side[at]) for at in (step, later) for side in (series.bid, series.ask)))
        known = np.isfinite((row.bid, row.ask, row.later_bid, row.later_ask)).all()
        label = direction(row, config.threshold)
        return SequenceItem(
            series.features[step - window + 1 : step + 1],
            label if known else float("nan"),
            series.where(step),
            payoffs=tuple(value_fn(label, prediction, row, config.fee) for prediction in range(len(DIRECTIONS))),
        )

    splits = split_by_time(len(series.features), window, horizon, every, config.validation_share, config.test_share)
    train, validation, test = ([item(step) for step in split] for split in splits)
    task = SequenceTask(
        name,
        DIRECTIONS,
        train,
        validation,
        test,
        on_bad_item=config.on_bad_item,
        standardise=config.standardise,
    )
    if every < horizon:
        shared = f"decisions every {every} steps, labels {horizon} ahead: neighbours share what comes"
        task.warnings += (f"{shared}, and intervals that take them for independent are too narrow",)
    return task
