"""The clinician's view of two classes: net benefit, over how many false alarms a person would take for one case found.

Whoever treats from a risk of 10 % on says that nine treated for nothing are worth one case treated: at the threshold
probability t a false alarm counts t / (1 - t) of a case. No prices are needed, only a range of thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropworth.errors import CropworthError
from cropworth.worth.interval import Component, TwoWay, interval_around, two_way_of_strata
from cropworth.worth.results import Benefit, DecisionCurve, Interval

Array = NDArray[np.float64]
Probabilities = NDArray[np.float32] | NDArray[np.float64]


def decision_curve(
    labels: ArrayLike,
    baseline: Probabilities,
    candidate: Probabilities,
    thresholds: Sequence[float] | Array,
    prevalence: float | None = None,
    weights: Array | None = None,
) -> DecisionCurve:
    """Compare two models by the net benefit of deciding by them.

    Args:
        labels: (n,), 1 for a positive item, 0 for a negative one.
        baseline: (S seeds, n), probabilities of being positive.
        candidate: the same of the candidate.
        thresholds: (T,), between 0 and 1.
        prevalence: share of positives in deployment; None: the test set's.
        weights: (n,), above 0, how many items of the deployment each item stands for; None: all alike.

    Raises:
        CropworthError: labels other than 0 and 1, or of one class only; shapes that do not fit; probabilities outside
            [0, 1]; thresholds or a prevalence outside (0, 1); weights that are not above 0.
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
    each = _checked_weights(weights, len(positive))
    share = float(np.average(positive, weights=each)) if prevalence is None else prevalence
    chance = _chance_in_prevalence(positive, each) if prevalence is None else None
    classes = [np.flatnonzero(positive == label) for label in (False, True)]
    both = np.stack((of_baseline, of_candidate))
    apart = [both[..., inside] for inside in classes]
    found = [_at(t, _rates(apart, [each[inside] for inside in classes], t), share, chance) for t in ends.tolist()]
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


def _rates(apart: Sequence[NDArray[Any]], weights: Sequence[Array], threshold: float) -> TwoWay:
    """Shares called positive, and their chance, of probabilities (2 models, S, n_k) of each class's items."""
    # In the probabilities' own precision: 0.7 as a float32 is below 0.7.
    called = [np.greater_equal(p, p.dtype.type(threshold)).astype(np.float64) for p in apart]
    return two_way_of_strata(called, weights, ONE_ITEM)


def _chance_in_prevalence(positive: NDArray[np.bool_], weights: Array) -> Component:
    """Of the items' own share of positives: p (1 - p) / (n - 1) where all weigh the same (Hajek's mean, linearised)."""
    of_item, items = weights / weights.sum(), len(weights)
    off = of_item * (positive - of_item @ positive)
    return Component(float(off @ off) * items / (items - 1), items - 1)


# Half an item that the baseline alone calls positive, half one that the candidate alone does; in both classes.
ONE_ITEM = np.tile(np.eye(2) / 2, (2, 1, 1))
# Of what is called positive: the baseline's, the candidate's, and the candidate's less the baseline's.
CONTRASTS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]])


def _at(threshold: float, rates: TwoWay, prevalence: float, chance: Component | None) -> list[list[Interval]]:
    """Intervals at one threshold: for each of the contrasts, of each of the measures.

    A measure is a sum: its coefficients of (false positive rate, true positive rate, 1) depend on the prevalence p.
    Where that is the test set's own, its chance adds the variance of p times the squared slope in p.
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


def _checked_weights(weights: Array | None, items: int) -> Array:
    found = np.ones(items) if weights is None else weights.astype(np.float64)
    if found.shape != (items,) or not (np.isfinite(found) & (found > 0)).all():
        raise CropworthError(
            f"weights of shape {found.shape}, the smallest {found.min(initial=np.inf)}",
            f"{items} numbers above 0",
            "Leave items of no weight out.",
        )
    return found
