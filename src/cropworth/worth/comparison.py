"""Two studies side by side: what each variant measured and was worth then and now, and what of that is chance.

Both are appraised under the same prices, so that what differs was measured and not priced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropworth.study.record import Record, Study
from cropworth.worth.interval import two_way_interval
from cropworth.worth.results import Appraisal, Candidate, Interval, Row

NO_INTERVAL = Interval(None, None, None)


@dataclass(frozen=True)
class Side:
    """One variant in one of the two studies, at its largest training-set size.

    Attributes:
        row: what was measured of it.
        error: how much a prediction is wrong, its 95 % interval over seeds and test items: the share of wrong ones, or
            of a regression the mean absolute error.
        candidate: what it is worth against that study's baseline; None for the baseline itself.
    """

    row: Row
    error: Interval
    candidate: Candidate | None


@dataclass(frozen=True)
class Change:
    """One variant in two studies.

    Attributes:
        name: the variant's.
        before: in the first study; None where it has none.
        after: in the second study; None where it has none.
        error: how much more a prediction is wrong now, with its 95 % interval; paired by seed and item where both
            studies have the same test items.
        npv: how much more it is worth now, with its 95 % interval, each study's chance taken as its own.
    """

    name: str
    before: Side | None
    after: Side | None
    error: Interval
    npv: Interval

    @property
    def other_verdict(self) -> bool:
        """Whether both studies judged it, and not alike."""
        verdicts = [side.candidate.verdict for side in (self.before, self.after) if side and side.candidate]
        return len(set(verdicts)) == 2


@dataclass(frozen=True)
class Difference:
    """Something that was not the same in both studies.

    Attributes:
        what: a key of the plan, or of the environment.
        before: in the first study.
        after: in the second.
    """

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """Two studies side by side.

    Attributes:
        before: what the first is worth.
        after: what the second is worth, under the same prices.
        changes: of every variant, in the second study's order, those of the first alone last.
        differences: of plans, data and environments.
        same_items: whether both have the same test items, so that they can be paired.
    """

    before: Appraisal
    after: Appraisal
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]
    same_items: bool


def compare(before: tuple[Study, Appraisal], after: tuple[Study, Appraisal]) -> Comparison:
    """Set two studies side by side, each with its appraisal under the same prices."""
    paired = _same_items(before[0], after[0])
    names = dict.fromkeys((*after[0].kinds, *before[0].kinds))
    return Comparison(
        before=before[1],
        after=after[1],
        changes=tuple(_change(name, before, after, paired) for name in names),
        differences=tuple(_differences(before[0], after[0])),
        same_items=paired,
    )


def _same_items(before: Study, after: Study) -> bool:
    return (
        before.data_sha256 == after.data_sha256
        and before.plan.get("data") == after.plan.get("data")
        and np.array_equal(before.records[0].labels, after.records[0].labels)
    )


def _change(name: str, before: tuple[Study, Appraisal], after: tuple[Study, Appraisal], paired: bool) -> Change:
    old, new = _side(name, *before), _side(name, *after)
    if old is None or new is None:
        return Change(name, old, new, NO_INTERVAL, NO_INTERVAL)
    same_size = before[1].largest.train_size == after[1].largest.train_size
    pairs = _pairs(_working(name, *before), _working(name, *after)) if paired and same_size else None
    error = _apart(old.error, new.error) if pairs is None else pairs
    worth = NO_INTERVAL
    if old.candidate is not None and new.candidate is not None:
        worth = _apart(old.candidate.npv, new.candidate.npv)
    return Change(name, old, new, error, worth)


def _side(name: str, study: Study, appraisal: Appraisal) -> Side | None:
    row = next((row for row in appraisal.largest.rows if row.name == name), None)
    if row is None:
        return None
    records = _working(name, study, appraisal)
    error = _mean(records, [_wrong(record) for record in records]) if records else NO_INTERVAL
    candidate = next((one for one in appraisal.largest.candidates if one.name == name), None)
    return Side(row, error, candidate)


def _working(name: str, study: Study, appraisal: Appraisal) -> list[Record]:
    found = study.of(name, appraisal.largest.train_size)
    return [record for record in found if record.predictions is not None]


def _pairs(before: list[Record], after: list[Record]) -> Interval | None:
    """How much more wrong a prediction is now, by seed and item; None where no seed is in both."""
    then = {record.seed: record for record in before}
    both = [(then[record.seed], record) for record in after if record.seed in then]
    return _mean(after, [_wrong(new) - _wrong(old) for old, new in both]) if both else None


def _mean(records: list[Record], wrong: list[NDArray[np.float64]]) -> Interval:
    """Over seeds and items of (n,) a seed; right and wrong differ by 1, for numbers no such unit is known."""
    weights, unit = records[0].weights, 0.0 if records[0].numbers is not None else 1.0
    return two_way_interval(np.stack(wrong), None if weights is None else weights.astype(np.float64), unit)


def _wrong(record: Record) -> NDArray[np.float64]:
    assert record.wrong is not None
    return record.wrong


def _apart(before: Interval, after: Interval) -> Interval:
    """The difference of two independent estimates: half-widths add in squares (Howe 1974, JASA 69, 789-794)."""
    if before.estimate is None or after.estimate is None:
        return NO_INTERVAL
    change = after.estimate - before.estimate
    if before.low is None or after.low is None or before.high is None or after.high is None:
        return Interval(change, None, None)
    low = hypot(after.estimate - after.low, before.high - before.estimate)
    high = hypot(after.high - after.estimate, before.estimate - before.low)
    return Interval(change, change - low, change + high)


def _differences(before: Study, after: Study) -> Iterator[Difference]:
    told = [{**_flat(study.plan), **_environment(study)} for study in (before, after)]
    for key in dict.fromkeys((*told[0], *told[1])):
        old, new = (side.get(key, "not given") for side in told)
        if old != new:
            yield Difference(key, old, new)


def _environment(study: Study) -> dict[str, str]:
    """What the trials ran on; of a study from files, nothing."""
    found: dict[str, dict[str, None]] = {"data hash": {study.data_sha256: None}} if study.data_sha256 else {}
    for record in study.records:
        for key, value in record.environment.items():
            found.setdefault(key, {})[str(value)] = None
    return {key: ", ".join(values) for key, values in found.items()}


def _flat(values: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """The leaves of a plan by their paths."""
    found: dict[str, str] = {}
    for key, value in values.items():
        inner = f"{path}{key}"
        found |= _flat(value, f"{inner}.") if isinstance(value, Mapping) and value else {inner: str(value)}
    return found
