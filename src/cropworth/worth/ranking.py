"""Several variants at once: which are dominated, which may be the best, and how sure each interval must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cropworth.errors import CropworthError
from cropworth.worth.interval import ALPHA

Array = NDArray[np.float64]
Point = tuple[float, float]  # cost, value
ROUNDING = 1e-9  # a mix that is better by less, as a share of the values' and costs' range, is not better


@dataclass(frozen=True)
class Dominance:
    """Which variants nobody should choose, whatever a unit of value is worth.

    Attributes:
        by_one: dominated variant -> the variant that has no less value at no more cost, and is better in one.
        by_two: variant dominated by a mix of two others (extended dominance) -> those two, the cheaper first.
    """

    by_one: dict[str, str]
    by_two: dict[str, tuple[str, str]]


def dominated(values: Array, costs: Array, names: Sequence[str]) -> Dominance:
    """Dominated variants, and those below the line between two others in the plane of cost and value.

    Two variants with the same value and cost do not dominate each other. A mix of two means to run one for some of
    the items and the other for the rest.

    Args:
        values: (V,) the more the better, in any unit.
        costs: (V,) in any unit.
        names: V of them.

    Raises:
        CropworthError: values, costs and names of different number, or some that are not finite.

    Source: Cantor 1994, Medical Decision Making 14, 259-265; the line: the upper hull of Andrew 1979.
    """
    values, costs = np.asarray(values, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    if not values.shape == costs.shape == (len(names),) or not np.isfinite([values, costs]).all():
        raise CropworthError(
            f"values {values.tolist()} and costs {costs.tolist()} of {len(names)} variants",
            "a finite value and cost of each",
            "Leave out variants that could not be appraised.",
        )
    # better[i, j]: i dominates j
    better = (values[:, None] >= values) & (costs[:, None] <= costs)
    better &= (values[:, None] > values) | (costs[:, None] < costs)
    by_one: dict[str, str] = {}
    for j, name in enumerate(names):
        # Of those that dominate it, the one with most value, then least cost: nothing dominates that one.
        of_j = [i for i in range(len(names)) if better[i, j]]
        if of_j:
            by_one[name] = names[max(of_j, key=lambda i: (values[i], -costs[i]))]
    left = {
        name: (cost, value)
        for name, cost, value in zip(names, costs.tolist(), values.tolist(), strict=True)
        if name not in by_one
    }
    return Dominance(by_one, _below_the_line(left, ROUNDING * float(np.ptp(values) * np.ptp(costs))))


def _below_the_line(left: dict[str, Point], tolerance: float) -> dict[str, tuple[str, str]]:
    """Extended dominance among variants none of which dominates another: the dearer, the more value."""
    name_of = {point: name for name, point in reversed(left.items())}  # of equals the first
    hull: list[Point] = []
    for point in sorted(name_of):
        while len(hull) > 1 and _below(hull[-2], hull[-1], point) > tolerance:
            hull.pop()
        hull.append(point)
    found = {}
    for name, point in left.items():
        if point not in hull:
            dearer = next(position for position, other in enumerate(hull) if other > point)
            found[name] = (name_of[hull[dearer - 1]], name_of[hull[dearer]])
    return found


def _below(cheaper: Point, point: Point, dearer: Point) -> float:
    """Above 0 where `point` lies below the line between the two others: the cross product."""
    (c0, v0), (c1, v1), (c2, v2) = cheaper, point, dearer
    return (v2 - v0) * (c1 - c0) - (v1 - v0) * (c2 - c0)


@dataclass(frozen=True)
class Ranking:
    """Which variant may be the best.

    Attributes:
        probability_best: (K,) share of draws in which each is the best; ties share.
        expected_rank: (K,) mean rank over draws, 1 the best; ties share.
        may_be_best: (K,) True in a set that contains the best variant 95 % of the time.
    """

    probability_best: Array
    expected_rank: Array
    may_be_best: NDArray[np.bool_]


def ranking(estimates: Array, draws: Array) -> Ranking:
    """How likely each variant is the best, and the 95 % set of those that may be.

    The set is that of multiple comparisons with the best: variant i leaves it where some other is better by more
    than q_i standard errors, q_i the 95 % quantile of the largest of i's K - 1 standardised differences in the joint
    draws. The best variant leaves it at most 5 % of the time, whichever it is and however many there are; and the
    draws carry the correlations (the same test items, the same baseline, the same prices) and the few seeds' t tails.

    Args:
        estimates: (K,) of the NPV; the baseline may be one of them, with 0.
        draws: (N, K) joint draws of the same around the estimates.

    Raises:
        CropworthError: estimates and draws of different number, or fewer than 2 draws.

    Source: Hsu 1984, Annals of Statistics 12, 1136-1144; Gupta 1965, Technometrics 7, 225-245.
    """
    estimates, draws = np.asarray(estimates, dtype=np.float64), np.asarray(draws, dtype=np.float64)
    if draws.ndim != 2 or len(draws) < 2 or draws.shape[1:] != estimates.shape or not estimates.size:
        raise CropworthError(
            f"estimates of shape {estimates.shape} and draws of shape {draws.shape}",
            "K estimates and (N, K) draws",
            "Pass one column of draws for each variant.",
        )
    best = draws == draws.max(axis=1, keepdims=True)
    shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    ranks = stats.rankdata(-draws, axis=1).mean(axis=0)
    may = np.array([_may_be_best(i, estimates, draws) for i in range(len(estimates))])
    return Ranking(shares, ranks, may)


def _may_be_best(i: int, estimates: Array, draws: Array) -> bool:
    ahead = np.delete(estimates[i] - estimates, i)  # (K - 1,)
    noise = np.delete(draws[:, i, None] - draws, i, axis=1) - ahead  # (N, K - 1)
    error = noise.std(axis=0)
    uncertain = error > 0
    if (ahead[~uncertain] < 0).any():
        return False
    if not uncertain.any():
        return True
    reach = np.quantile((noise[:, uncertain] / error[uncertain]).max(axis=1), 1 - ALPHA)
    return bool((ahead[uncertain] / error[uncertain] >= -reach).all())
