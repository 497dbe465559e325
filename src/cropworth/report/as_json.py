"""Reports and comparisons as JSON; their schemas are docs/report.schema.json and docs/comparison.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cropworth
from cropworth.report.document import Document
from cropworth.study.record import Record, Status, Study
from cropworth.worth.as_json import lists, to_json
from cropworth.worth.comparison import Change, Comparison, Difference
from cropworth.worth.economics import Economics
from cropworth.worth.results import Appraisal


@dataclass(frozen=True)
class TrialRow:
    """What one trial measured, without its items.

    Attributes:
        trial: the hash of its configuration, and the name of its folder.
        variant: the variant's name in the plan.
        train_size: training items used.
        seed: the trial's seed.
        status: ok; collapsed, a crop that shows nothing useful; diverged, no finite loss.
        reason: why the status is not ok; else empty.
        accuracy: share of the test items read right; null for a regression, or where the trial diverged.
        mean_error: mean absolute error of a regression; else null.
        training_wall_s: seconds of training; 0 where not known.
        training_cpu_s: processor seconds of the same.
    """

    trial: str
    variant: str
    train_size: int
    seed: int
    status: Status
    reason: str
    accuracy: float | None
    mean_error: float | None
    training_wall_s: float
    training_cpu_s: float


@dataclass(frozen=True)
class Whole:
    """What `cropworth report --format json` prints.

    Attributes:
        cropworth: the version that wrote it.
        document: the report's words and tables, in reading order.
        appraisal: what the study is worth, as `cropworth appraise --json` prints it.
        prices: the economics it was appraised under, resolved.
        trials: of the study, in the plan's order.
    """

    cropworth: str
    document: Document
    appraisal: dict[str, Any]
    prices: dict[str, Any]
    trials: Sequence[TrialRow]


def report_as_json(document: Document, study: Study, appraisal: Appraisal, economics: Economics) -> dict[str, Any]:
    """Plain data; null where something is undefined, never NaN."""
    whole = Whole(
        cropworth=cropworth.__version__,
        document=document,
        appraisal=to_json(appraisal),
        prices=economics.model_dump(mode="json"),
        trials=tuple(map(_trial, study.records)),
    )
    return lists(asdict(whole))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Compared:
    """What `cropworth compare --format json` prints.

    Attributes:
        cropworth: the version that wrote it.
        document: the comparison's words and tables, in reading order.
        before: what the first study is worth, as `cropworth appraise --json` prints it.
        after: what the second study is worth, under the same prices.
        changes: of every variant.
        differences: of plans, data and environments.
        same_items: whether both have the same test items, so that they were paired.
    """

    cropworth: str
    document: Document
    before: dict[str, Any]
    after: dict[str, Any]
    changes: Sequence[Change]
    differences: Sequence[Difference]
    same_items: bool


def comparison_as_json(document: Document, found: Comparison) -> dict[str, Any]:
    """Plain data; null where something is undefined, never NaN."""
    whole = Compared(
        cropworth=cropworth.__version__,
        document=document,
        before=to_json(found.before),
        after=to_json(found.after),
        changes=found.changes,
        differences=found.differences,
        same_items=found.same_items,
    )
    return lists(asdict(whole))  # type: ignore[no-any-return]


def _trial(record: Record) -> TrialRow:
    return TrialRow(
        trial=record.trial,
        variant=record.variant,
        train_size=record.train_size,
        seed=record.seed,
        status=record.status,
        reason=record.reason,
        accuracy=record.accuracy,
        mean_error=record.mean_error,
        training_wall_s=record.training_wall_s,
        training_cpu_s=record.training_cpu_s,
    )
