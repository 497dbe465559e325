"""How well a variant predicts, over its seeds: of classes the accuracy, of a regression the mean error."""

from __future__ import annotations

from dataclasses import dataclass

from cropworth.study.record import Record, Study


@dataclass(frozen=True)
class Measure:
    """What says how well a variant predicts.

    Attributes:
        name: of the measure.
        axis: its name with its unit.
        unit: after a number; may be empty.
        more_is_better: whether a higher number is the better one.
    """

    name: str
    axis: str
    unit: str
    more_is_better: bool


ACCURACY = Measure("test accuracy", "test accuracy (%)", " %", more_is_better=True)
MEAN_ERROR = Measure("mean error", "mean absolute error on the test items", "", more_is_better=False)


def measure_of(study: Study) -> Measure:
    """The measure that the study's records have."""
    return MEAN_ERROR if any(record.numbers is not None for record in study.records) else ACCURACY


def over_seeds(study: Study, variant: str, train_size: int) -> list[float]:
    """One number a trial that predicts: accuracy in percent, or the mean error."""
    found = [_number(record) for record in study.of(variant, train_size)]
    return [value for value in found if value is not None]


def _number(record: Record) -> float | None:
    return record.mean_error if record.accuracy is None else 100 * record.accuracy
