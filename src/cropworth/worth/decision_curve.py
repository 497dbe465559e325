"""The clinician's view of two classes: net benefit, over how many false alarms a person would take for one case found.

Whoever treats from a risk of 10 % on says that nine treated for nothing are worth one case treated: at the threshold
probability t a false alarm counts t / (1 - t) of a case. No prices are needed, only a range of thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropworth.errors import CropworthError
from cropworth.worth.interval import Component, TwoWay, interval_around
from cropworth.worth.results import Benefit, DecisionCurve, Interval

Array = NDArray[np.float64]
Probabilities = NDArray[np.float32] | NDArray[np.float64]


def decision_curve(
    labels: ArrayLike,
    baseline: Probabilities,
    candidate: Probabilities,
    thresholds: Sequence[float] | Array,
    prevalence: float | None = None,
) -> DecisionCurve:
    """Compare two models by the net benefit of deciding by them.

    Args:
        labels: (n,), 1 for a positive item, 0 for a negative one.
        baseline: (S seeds, n), probabilities of being positive.
        candidate: the same of the candidate.
        thresholds: (T,), between 0 and 1.
        prevalence: share of positives in deployment; None: the test set's.

    Raises:
        CropworthError: labels other than 0 and 1, or of one class only; shapes that do not fit; probabilities outside
            [0, 1]; thresholds or a prevalence outside (0, 1).
    """
    positive = _checked_labels(labels)
    of_baseline, of_candidate = (_checked_probabilities(p, len(positive)) for p in (baseline, candidate))
    if of_baseline.shape != of_candidate.shape:
        raise CropworthError(
            f"probabilities of shape {of_baseline.shape} and {of_candidate.shape}",
            "the same seeds of baseline and candidate",
            "Pair them by seed.",
        )
    ends = np.asarray(thresholds, dtype=np.float64)
    for name, values in (("thresholds", ends), ("a prevalence", np.array([0.5 if prevalence is None else prevalence]))):
        if values.ndim != 1 or not len(values) or not ((values > 0) & (values < 1)).all():
            raise CropworthError(f"{name} of {values.tolist()}", "numbers between 0 and 1", "Leave 0 and 1 out.")
    share = float(positive.mean()) if prevalence is None else prevalence
    chance = Component(share * (1 - share) / (len(positive) - 1), len(positive) - 1) if prevalence is None else None
    # Items of one class side by side, so that a class is a slice and not a copy.
    order = np.argsort(positive, kind="stable")
    by_class = tuple(p[:, order] for p in (of_baseline, of_candidate))
    negatives = int(len(positive) - positive.sum())
    found = [_at(t, _rates(by_class, negatives, t), share, chance) for t in ends.tolist()]
    return DecisionCurve(
        thresholds=tuple(ends.tolist()),
        prevalence=share,
        treat_all=tuple((share - (1 - share) * ends / (1 - ends)).tolist()),
        baseline=_benefit(found, 0),
        candidate=_benefit(found, 1),
        difference=_benefit(found, 2),
    )


def _benefit(found: list[list[list[Interval]]], which: int) -> Benefit:
    net, standardised, avoided = zip(*(at[which] for at in found), strict=True)
    return Benefit(net, standardised, avoided)


def _rates(by_class: tuple[Probabilities, ...], negatives: int, threshold: float) -> TwoWay:
    """Shares called positive, and their chance: strata negative and positive items, quantities baseline and candidate.

    What `two_way` makes of them, from counts: called positive or not is 1 or 0, so all its sums of squares are numbers
    of items, found in a twentieth of the time.
    """
    # In the probabilities' own precision: 0.7 as a float32 is below 0.7.
    called = np.stack([p >= p.dtype.type(threshold) for p in by_class])  # (2, S, n)
    seeds = called.shape[1]
    strata = [_stratum(called[..., inside]) for inside in (slice(None, negatives), slice(negatives, None))]
    of_seed = np.stack([s[0] for s in strata], axis=1)  # (S, 2 strata, 2 models)
    off = (of_seed - of_seed.mean(axis=0)).reshape(seeds, -1)
    return TwoWay(
        mean=of_seed.mean(axis=0),
        by_seed=off.T @ off / max(1, seeds - 1) / seeds,
        by_item=np.stack([s[1] for s in strata]),
        residual=np.stack([s[2] for s in strata]),
        seeds=seeds,
        items=np.array([negatives, called.shape[2] - negatives]),
    )


def _stratum(called: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Of one class's items (2 models, S, n): shares by seed (S, 2), and covariances (2, 2) by items and residual."""
    _, seeds, items = called.shape
    of_item = called.sum(axis=1, dtype=np.float64)  # (2, n), how many seeds call it positive
    of_seed = np.count_nonzero(called, axis=2).astype(np.float64)  # (2, S)
    both = float(np.count_nonzero(called[0] & called[1]))
    each = of_seed.sum(axis=1)
    everything = np.array([[each[0], both], [both, each[1]]])
    grand = np.outer(each, each) / (seeds * items)
    between_items, between_seeds = of_item @ of_item.T / seeds - grand, of_seed @ of_seed.T / items - grand
    left = everything - grand - between_items - between_seeds
    freedom = max(1, items - 1)
    by_item = between_items / (freedom * seeds * items)
    return of_seed.T / items, by_item, left / (freedom * max(1, seeds - 1) * seeds * items)


# Of what is called positive: the baseline's, the candidate's, and the candidate's less the baseline's.
CONTRASTS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]])


def _at(threshold: float, rates: TwoWay, prevalence: float, chance: Component | None) -> list[list[Interval]]:
    """Intervals at one threshold: for each of the contrasts, of each of the measures.

    A measure is a sum: its coefficients of (false positive rate, true positive rate, 1) depend on the prevalence p.
    Where that is the test set's own it adds the variance p (1 - p) / (n - 1) times the squared slope in p.
    """
    p, odds = prevalence, threshold / (1 - threshold)
    measures = np.array(
        [[-(1 - p) * odds, p, 0], [-(1 - p) / p * odds, 1, 0], [-(1 - p), p / odds, (1 - p) - p / odds]]
    )
    slopes = np.array([[odds, 1, 0], [odds / p**2, 0, 0], [1, 1 / odds, -1 - 1 / odds]])
    return [
        [_interval(rates, contrast, measure, slope, chance) for measure, slope in zip(measures, slopes, strict=True)]
        for contrast in CONTRASTS
    ]


def _interval(rates: TwoWay, contrast: Array, measure: Array, slope: Array, chance: Component | None) -> Interval:
    values = np.append(rates.mean @ contrast, contrast.sum())  # what the measure is a sum of
    components = rates.components(np.outer(measure[:2], contrast))
    if components is not None and chance is not None:
        return interval_around(float(measure @ values), (*components, chance.scaled(float(slope @ values))))
    return interval_around(float(measure @ values), components)


def _checked_labels(labels: ArrayLike) -> NDArray[np.bool_]:
    found = np.asarray(labels)
    if found.ndim != 1 or not np.array_equal(np.unique(found), [0, 1]):
        raise CropworthError(
            f"labels {np.array2string(found, threshold=6)}",
            "zeros and ones, and some of each",
            "Give 1 for each positive item.",
        )
    return found.astype(np.bool_)


def _checked_probabilities(probabilities: Probabilities, items: int) -> Probabilities:
    found = probabilities if probabilities.dtype == np.float32 else probabilities.astype(np.float64)
    if found.ndim != 2 or found.shape[1] != items or not len(found) or not ((found >= 0) & (found <= 1)).all():
        raise CropworthError(
            f"probabilities of shape {found.shape} from {found.min(initial=np.inf)} to {found.max(initial=-np.inf)}",
            f"(seeds, {items}) numbers from 0 to 1",
            "Give the probability of being positive, one row a seed.",
        )
    return found
