"""The records' own numbers, trial by trial: what the report's numbers are means, medians and differences of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from statistics import fmean
from typing import Any, Literal, NamedTuple, get_args

from cropworth.report import text
from cropworth.report.tables import Column, Table
from cropworth.study.record import Record, Status, Study
from cropworth.worth.costs import machine_seconds
from cropworth.worth.words import MISSING, number

MOST_TRIALS = 200  # rows of the table; more trials are put together by variant and training-set size
DIGITS = 5  # significant: what is measured is not known better
STATUSES: tuple[Status, ...] = get_args(Status)


class Own(NamedTuple):
    """A number that each record has.

    Attributes:
        title: of its column.
        unit: a share of 1, or a number.
        of: the number; None where it is not known.
    """

    title: str
    unit: Literal["share", "number"]
    of: Callable[[Record], float | None]


OWN = {
    "accuracy": Own("accuracy", "share", lambda r: r.accuracy),
    "mean_error": Own("mean error", "number", lambda r: r.mean_error),
    "training_s": Own("training seconds, wall", "number", lambda r: r.training_wall_s),
    "training_cpu_s": Own("training seconds, CPU", "number", lambda r: r.training_cpu_s),
    "machine_s": Own("machine seconds", "number", machine_seconds),
    "training_energy_j": Own("joules", "number", lambda r: r.training_energy_j),
    "waiting_share": Own("waiting for data", "share", lambda r: r.waiting_share),
    "started_at": Own("started, seconds after the first", "number", lambda r: r.started_at),
    "peak_memory_bytes": Own("peak memory, bytes", "number", lambda r: r.peak_memory_bytes),
    "median_iou": Own("median IoU", "number", lambda r: r.median_iou),
    "flops_per_item": Own("FLOPs per item", "number", lambda r: r.flops_per_item),
    "parameters": Own("parameters", "number", lambda r: r.parameters),
}
WHOLE = {"started_at", "peak_memory_bytes", "flops_per_item", "parameters"}
TOLD = ("accuracy", "mean_error", "training_s", "training_cpu_s")


def trials_in_columns(study: Study) -> dict[str, Any]:
    """A list for each column, all as long as there are trials; what repeats is a place in a list of its own.

    A thousand trials so take a third of what a list of objects would.
    """
    records, variants, known = _in_order(study), list(study.kinds), _known(study)
    return {
        "variants": variants,
        "statuses": list(STATUSES),
        "own": {key: {"title": OWN[key].title, "unit": OWN[key].unit} for key in known},
        "trial": [r.trial for r in records],
        "variant": [variants.index(r.variant) for r in records],
        "train_size": [r.train_size for r in records],
        "seed": [r.seed for r in records],
        "status": [STATUSES.index(r.status) for r in records],
        **{key: [_own(r, key) for r in records] for key in known},
        **({"started_at": _after_the_first(records)} if "started_at" in known else {}),
    }


def rounds_of_timing(study: Study) -> dict[str, list[float]]:
    """Seconds an item, by variant, of each round in turn; empty where nothing was timed."""
    times = {} if study.latency is None else study.latency.seconds_per_item
    return {name: [_short(seconds) for seconds in rounds] for name, rounds in times.items()}


def trials_table(study: Study) -> Table:
    """Every trial with its own numbers; of very many, each variant at each training-set size."""
    apart = len(study.records) <= MOST_TRIALS
    told = [key for key in TOLD if key in _known(study)]
    return Table(
        caption=f"{len(study.records):,} trials" + ("" if apart else ", by variant and training-set size, in means"),
        columns=(
            Column("variant", "words"),
            Column("training items", key="record@train_size"),
            Column("seed", key="record@seed") if apart else Column("trials", key="record@trials"),
            Column("outcome", "words"),
            *(Column(OWN[key].title, key=f"record@{key}") for key in told),
            *([Column("trial", "words")] if apart else []),
        ),
        rows=tuple(
            (
                found[0].variant,
                f"{found[0].train_size:,}" if found[0].train_size else MISSING,
                str(found[0].seed) if apart else f"{len(found):,}",
                _outcomes(found),
                *(_mean(found, key) for key in told),
                *([found[0].trial] if apart else []),
            )
            for found in _groups(study, apart)
        ),
        static=True,
    )


def _groups(study: Study, apart: bool) -> list[list[Record]]:
    groups: dict[tuple[str, int, int | None], list[Record]] = {}
    for r in _in_order(study):
        groups.setdefault((r.variant, r.train_size, r.seed if apart else None), []).append(r)
    return list(groups.values())


def _in_order(study: Study) -> list[Record]:
    """Large training sets first, as those are what the verdict is of."""
    places = list(study.kinds)
    return sorted(study.records, key=lambda r: (-r.train_size, places.index(r.variant), r.seed))


def _known(study: Study) -> list[str]:
    """What the records have; in files, 0 is what nobody measured."""
    found = {key: [_own(r, key) for r in study.records] for key in OWN}
    return [key for key, own in found.items() if any(v is not None and (v or not study.from_files) for v in own)]


def _own(record: Record, key: str) -> float | None:
    value = OWN[key].of(record)
    if value is None or not isfinite(value):
        return None
    return round(value) if key in WHOLE else _short(value)


def _after_the_first(records: Sequence[Record]) -> list[int]:
    first = min(r.started_at for r in records)
    return [round(r.started_at - first) for r in records]


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _mean(records: Sequence[Record], key: str) -> str:
    found = [value for r in records if (value := _own(r, key)) is not None]
    if not found:
        return MISSING
    return text.percent(fmean(found)) if OWN[key].unit == "share" else number(fmean(found))


def _outcomes(records: Sequence[Record]) -> str:
    counts = {status: sum(r.status == status for r in records) for status in STATUSES}
    told = {status: count for status, count in counts.items() if count}
    return next(iter(told)) if len(records) == 1 else ", ".join(f"{count:,} {status}" for status, count in told.items())
