"""Pairs of a candidate's and the baseline's records, and what their predictions lose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropworth.study.record import Kind, Record, Study
from cropworth.worth.gains import Pricing
from cropworth.worth.interval import ErrorRates, TwoWay, simultaneous
from cropworth.worth.sequential import error_rates

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """Two variants' records at one training-set size.

    Attributes:
        name: the candidate's.
        kind: the candidate's.
        baseline: all records of the baseline, failed ones included.
        candidate: all records of the candidate.
        both: records with predictions of both, by seed: the baseline's and the candidate's.
        alpha: error rate of the verdict, over all looks at the study.
        rates: error rates of the interval by which the verdict is reached.
    """

    name: str
    kind: Kind
    baseline: tuple[Record, ...]
    candidate: tuple[Record, ...]
    both: tuple[tuple[Record, Record], ...]
    alpha: float
    rates: ErrorRates

    @property
    def deployable(self) -> bool:
        """False of an oracle, which needs the true box."""
        return self.kind != "oracle"

    @property
    def weights(self) -> Array | None:
        """(n,) see `Record.weights`."""
        weights = self.both[0][0].weights
        return None if weights is None else weights.astype(np.float64)

    @property
    def worse(self) -> Array:
        """(S, n) how much more wrong the candidate's predictions are than the baseline's."""
        return np.stack([after.wrong - before.wrong for before, after in self.both])  # type: ignore[operator]


class Losses:
    """What the predictions of a record lose, computed once: the baseline's are asked for with every candidate.

    Args:
        pricing: of the study.
    """

    def __init__(self, pricing: Pricing) -> None:
        self.pricing = pricing
        self._known: dict[str, Array] = {}

    def of(self, record: Record) -> Array:
        """(n, P), see `Pricing.lost`."""
        if record.trial not in self._known:
            self._known[record.trial] = self.pricing.lost(record)
        return self._known[record.trial]

    def gains(self, pair: Paired) -> TwoWay:
        """What the candidate's predictions gain, of a pair with at least one seed of both."""
        before, after = zip(*pair.both, strict=True)
        return self.pricing.summary([self.of(record) for record in before], [self.of(record) for record in after])


def judged_sizes(study: Study) -> list[int]:
    """Training-set sizes at which the baseline has predictions to compare with, ascending."""
    return [s for s in study.train_sizes if any(r.predictions is not None for r in study.of(study.baseline, s))]


def pair_up(study: Study, size: int, name: str) -> Paired:
    """Pair the records of variant `name` with the baseline's, at one training-set size.

    The interval's error rates allow for all variants of the same kind, and for every look at the study.
    """
    baseline, candidate = study.of(study.baseline, size), study.of(name, size)
    of_baseline, of_candidate = (
        {r.seed: r for r in records if r.predictions is not None} for records in (baseline, candidate)
    )
    both = tuple((of_baseline[seed], of_candidate[seed]) for seed in sorted(of_baseline.keys() & of_candidate.keys()))
    family = [other for other, kind in study.kinds.items() if kind == study.kinds[name] and study.of(other, size)]
    alpha = simultaneous(len(family))
    rates = error_rates(study.looks, len(candidate), alpha)
    return Paired(name, study.kinds[name], baseline, candidate, both, alpha, rates)
