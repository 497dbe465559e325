"""Training curves so far, as points of plain SVG lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cropworth.serve.studies import Standing
from cropworth.study.record import Epoch

WIDTH, HEIGHT = 1000, 260  # the page stretches the width; a unit of height is a pixel
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
MOST_TICKS = 6
SEEDS = 8  # finished trials drawn of a variant; those that run are drawn in any case


@dataclass(frozen=True)
class Line:
    """One trial.

    Attributes:
        variant: its place in the plan.
        points: of an SVG polyline.
        end: of the last point.
        live: whether the trial runs now.
    """

    variant: int
    points: str
    end: tuple[float, float]
    live: bool


@dataclass(frozen=True)
class Chart:
    """The trials of one training-set size.

    Attributes:
        train_size: training items.
        epochs: at the right end.
        ticks: of the vertical axis: where, and in percent.
        lines: one a trial.
        left_out: finished trials that are not drawn.
    """

    train_size: int
    epochs: int
    ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    left_out: int


def charts(study: Standing) -> tuple[Chart, ...]:
    """Validation accuracy after each epoch, a chart for each training-set size, the largest first."""
    sizes = {trial.train_size for trial in study.trials} | {live.about["train_size"] for live in study.live}
    made = (_chart(study, size) for size in sorted(sizes, reverse=True))
    return tuple(chart for chart in made if chart is not None)


def _chart(study: Standing, train_size: int) -> Chart | None:
    curves: list[tuple[str, Sequence[Epoch], bool]] = []
    left_out = 0
    for name in study.kinds:
        done = [t for t in study.trials if (t.variant, t.train_size) == (name, train_size) and t.curve]
        left_out += max(0, len(done) - SEEDS)
        curves += [(name, t.curve, False) for t in sorted(done, key=lambda t: t.seed)[:SEEDS]]
        live = [one for one in study.live if (one.about["name"], one.about["train_size"]) == (name, train_size)]
        curves += [(name, one.curve, True) for one in live if one.curve]
    values = [e.validation_accuracy for _, curve, _ in curves for e in curve if math.isfinite(e.validation_accuracy)]
    if not values:
        return None
    planned = [one.about["epochs"] for one in study.live if one.about["train_size"] == train_size]
    epochs = max(*(len(curve) for _, curve, _ in curves), *planned, 2)
    low, high, ticks = _axis(values)
    order = list(study.kinds)
    lines = [
        Line(order.index(name), points, end, live)
        for name, curve, live in curves
        for points, end in _points(curve, epochs, low, high)
    ]
    return Chart(train_size, epochs, ticks, tuple(lines), left_out)


def _points(curve: Iterable[Epoch], epochs: int, low: float, high: float) -> Iterable[tuple[str, tuple[float, float]]]:
    """The points of a curve, and its last; nothing where no epoch has a finite number."""
    places = [
        (WIDTH * index / (epochs - 1), _height(epoch.validation_accuracy, low, high))
        for index, epoch in enumerate(curve)
        if math.isfinite(epoch.validation_accuracy)
    ]
    if places:
        yield " ".join(f"{x:.1f},{y}" for x, y in places), places[-1]


def _axis(values: Sequence[float]) -> tuple[float, float, tuple[tuple[float, str], ...]]:
    """The lowest and the highest number of an axis on which all values lie, and its ticks."""
    # What is far below zero, as the variance explained in a first epoch may be, would flatten all that matters.
    lowest, highest = max(min(values), -1.0), max(*values, -1.0)
    step = next((s for s in STEPS if (highest - lowest) / s <= MOST_TICKS - 2), STEPS[-1])
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    if first == last:
        first, last = first - 1, last + 1
    low, high = first * step, last * step
    ticks = tuple((_height(i * step, low, high), f"{100 * i * step:.0f} %") for i in range(first, last + 1))
    return low, high, ticks


def _height(value: float, low: float, high: float) -> float:
    return round(HEIGHT * (high - max(value, low)) / (high - low), 1)
