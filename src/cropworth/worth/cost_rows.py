"""The rows of a file of costs: what training took, and what one item's inference takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from cropworth.config import nearest
from cropworth.data.tables.columns import ColumnFile, whole
from cropworth.errors import CropworthError
from cropworth.study.record import Latency

REQUIRED = ("variant", "seed", "train_s", "latency_s")
OPTIONAL = ("train_size", "energy_j", "memory_bytes", "flops")
ABOVE_0 = ("latency_s",)


class Trial(NamedTuple):
    """One variant trained once; `train_size` is 0 where it is not said."""

    variant: str
    seed: int
    train_size: int

    def __str__(self) -> str:
        size = f", train_size {self.train_size}" if self.train_size else ""
        return f"{self.variant}, seed {self.seed}{size}"


@dataclass(frozen=True)
class Cost:
    """What one trial cost; None is unknown.

    Attributes:
        train_s: seconds of the machine that `compute_price_per_hour` pays for.
        latency_s: seconds of the same machine for one item's inference.
        energy_j: joules of one item's inference.
        memory_bytes: most memory resident during inference.
        flops: floating-point operations of one item's inference.
    """

    train_s: float | None
    latency_s: float | None
    energy_j: float | None
    memory_bytes: float | None
    flops: float | None


def read_costs(path: Path, trials: Sequence[Trial]) -> tuple[dict[Trial, Cost], tuple[str, ...]]:
    """Costs of those trials that the file has, and what a reader must know.

    Args:
        path: CSV or parquet.
        trials: those that have predictions.

    Raises:
        CropworthError: the file cannot be read or lacks a column; a row is of another trial, a second one of the same,
            or holds something else than numbers that can be.
    """
    file = ColumnFile(path)
    missing = [name for name in REQUIRED if name not in file.names]
    if {trial.train_size for trial in trials} != {trials[0].train_size} and "train_size" not in file.names:
        missing.append("train_size")
    unknown = [name for name in file.names if name not in (*REQUIRED, *OPTIONAL)]
    if missing:
        raise CropworthError(
            f"{path} without the column {missing[0]}",
            f"the columns {', '.join(REQUIRED)} (and train_size, where the predictions are of several)",
            nearest(missing[0], unknown) if unknown else "Add it; leave cells empty that are not known.",
        )
    words, _ = file.read(())
    costs: dict[Trial, Cost] = {}
    for row in range(len(words["variant"].codes)):
        cells = {name: column[row].strip() for name, column in words.items()}
        trial = _trial(file, row, cells, trials)
        if trial in costs:
            raise CropworthError(f"{file.where(row)}: {trial} a second time", "one row for each", "Remove one.")
        costs[trial] = Cost(*(_cost(file, row, name, cells.get(name, "")) for name in Cost.__dataclass_fields__))
    ignored = f"Columns of {path.name} that are not read: {', '.join(unknown)}."
    return costs, (ignored,) if unknown else ()


def latency_of(costs: Mapping[Trial, Cost], baseline: str) -> Latency | None:
    """Inference times paired by seed, of the largest training-set size; None where they are of fewer than two variants.

    Only seeds count that all timed variants have; variants that share none of them with the baseline are left out.
    """
    size = max((trial.train_size for trial in costs), default=0)
    timed: dict[str, dict[int, float]] = {}
    for trial, cost in sorted(costs.items()):
        if trial.train_size == size and cost.latency_s is not None:
            timed.setdefault(trial.variant, {})[trial.seed] = cost.latency_s
    shared = set(timed.get(baseline, ()))
    paired = []
    for name in sorted(timed, key=lambda name: (name != baseline, name)):
        if shared & timed[name].keys():
            shared &= timed[name].keys()
            paired.append(name)
    if len(paired) < 2:
        return None
    return Latency(
        batch_size=1,
        threads=1,
        seconds_per_item={name: tuple(timed[name][seed] for seed in sorted(shared)) for name in paired},
        memory_bytes={name: round(most) for name, most in _by_variant(costs, "memory_bytes", max)},
        energy_j_per_item=dict(_by_variant(costs, "energy_j", fmean)),
    )


def _by_variant(
    costs: Mapping[Trial, Cost], name: str, summary: Callable[[list[float]], float]
) -> Iterable[tuple[str, float]]:
    for variant in dict.fromkeys(trial.variant for trial in sorted(costs)):
        found = [getattr(cost, name) for trial, cost in sorted(costs.items()) if trial.variant == variant]
        if known := [value for value in found if value is not None]:
            yield variant, summary(known)


def _trial(file: ColumnFile, row: int, cells: Mapping[str, str], trials: Sequence[Trial]) -> Trial:
    seed, size = whole(cells["seed"]), whole(cells.get("train_size", "0"))
    if seed is None or size is None:
        name = "seed" if seed is None else "train_size"
        raise CropworthError(f"{file.where(row)}: {name} {cells[name]!r}", "a whole number", "Mend the row.")
    # Where the predictions are of one size only, the file of costs need not say it.
    trial = Trial(cells["variant"], seed, size if "train_size" in cells else trials[0].train_size)
    if trial in trials:
        return trial
    variants = sorted({known.variant for known in trials})
    if trial.variant not in variants:
        raise CropworthError(
            f"{file.where(row)}: the variant {trial.variant!r}",
            "variants that have predictions",
            nearest(trial.variant, variants),
        )
    of_variant = [known for known in trials if known.variant == trial.variant]
    raise CropworthError(
        f"{file.where(row)}: {trial}, which has no predictions",
        f"seeds that have: {', '.join(map(str, sorted({known.seed for known in of_variant})))}",
        "Mend or remove the row.",
    )


def _cost(file: ColumnFile, row: int, name: str, cell: str) -> float | None:
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or value < 0 or (value == 0 and name in ABOVE_0):
        expected = "a number above 0" if name in ABOVE_0 else "a number, 0 or more"
        raise CropworthError(
            f"{file.where(row)}: {name} {cell!r}", expected, "Mend it, or leave the cell empty if it is not known."
        )
    return value
