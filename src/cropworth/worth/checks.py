"""What a reader must know of the records before believing a sum."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from cropworth.errors import CropworthError
from cropworth.study.record import Study
from cropworth.worth.economics import Economics
from cropworth.worth.interval import FEWEST_SEEDS

VERSIONS = ("cropworth", "commit", "torch")


def check_same_items(study: Study) -> None:
    """Refuse trials that cannot be paired.

    Raises:
        CropworthError: on different test items.
    """
    first = study.records[0]
    for record in study.records[1:]:
        if not np.array_equal(record.labels, first.labels):
            raise CropworthError(
                f"trials {first.trial} and {record.trial} with different test items",
                "trials on the same test items",
                "Run the study into a new folder.",
            )


def gaps(study: Study) -> tuple[str, ...]:
    """What is missing, unpaired or of different origin, a sentence each; what is left was appraised."""
    return (*_unpaired(study), *_versions(study))


def not_priced(study: Study, economics: Economics) -> tuple[str, ...]:
    """Prices that were not given and quantities that were not measured, by their path or in words.

    The stake is one of them only where the data say what decisions bring.
    """
    with_payoffs = any(record.payoffs is not None for record in study.records)
    prices = (price for price in economics.not_priced if price != "stake" or with_payoffs)
    return (*prices, *_untimed(study))


def _untimed(study: Study) -> tuple[str, ...]:
    """Variants without inference times: all, or those added after the times were taken."""
    if study.latency is None:
        return ("inference time (not measured)",)
    trained = {record.variant for record in study.records}
    timed = study.latency.seconds_per_item
    return tuple(f"inference time of {n} (not measured)" for n in study.kinds if n in trained and n not in timed)


def _unpaired(study: Study) -> list[str]:
    """Seeds that only a candidate or only the baseline has, and candidates with too few seeds for an interval.

    In a study that was looked at while it grew, the baseline goes on longer than candidates that were clear.
    """
    alone: dict[tuple[str, str, str], list[str]] = {}
    few = []
    for size in study.train_sizes:
        seeds = {n: {r.seed for r in study.of(n, size) if r.predictions is not None} for n in study.kinds}
        where = f" at {size:,} items" if len(study.train_sizes) > 1 else ""
        for name in study.kinds:
            tried = {r.seed for r in study.of(name, size)}
            if name == study.baseline or not tried:
                continue
            both = seeds[name] & seeds[study.baseline]
            for one, other in ((name, study.baseline), (study.baseline, name)):
                left = seeds[one] - seeds[other]
                left = left & tried if study.looks else left
                if left:
                    alone.setdefault((one, where, ", ".join(map(str, sorted(left)))), []).append(other)
            if len(both) < FEWEST_SEEDS:
                few.append(
                    f"{name}{where} has {len(both)} seeds with predictions of both; an interval needs {FEWEST_SEEDS}."
                )
    unpaired = [
        f"Seeds of {one}{where} without a pair of {', '.join(others)}, left out: {listed}."
        for (one, where, listed), others in alone.items()
    ]
    return unpaired + few


def _versions(study: Study) -> list[str]:
    """Trials by different versions of the code, whose differences may be the versions'."""
    kinds = {json.dumps(_version(record.environment)) for record in study.records}
    if len(kinds) < 2:
        return []
    described = sorted(", ".join(f"{k} {v}" for k, v in json.loads(kind).items() if v) for kind in kinds)
    return [f"Trials come from different versions of the code: {'; '.join(described)}."]


def _version(environment: Mapping[str, object]) -> dict[str, object]:
    return {name: environment.get(name) for name in VERSIONS}
