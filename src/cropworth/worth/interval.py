"""Intervals of a mean difference with two sources of chance: which seeds, and which test items.

A study's numbers would differ with other seeds and with other test items. An interval over seeds alone treats the test
set as all there is; one over items alone treats these few trainings so. Both are too short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from cropworth.worth.results import Interval

ALPHA = 0.05
DIFFERS = 1 / 3  # share of the trainings; with 1, intervals for rare classes held the truth in 99 to 100 % of cases
FEWEST_SEEDS = 3  # for a verdict: from two, a t interval is ten times as wide as its standard error
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Component:
    """One independent source of chance in an estimate.

    Attributes:
        variance: of the estimate, by this source alone.
        df: degrees of freedom of that variance; infinite where it is known.
    """

    variance: float
    df: float

    def scaled(self, factor: float) -> Component:
        """The component of `factor` times the estimate."""
        return Component(self.variance * factor**2, self.df)


@dataclass(frozen=True)
class ErrorRates:
    """Two-sided error rates of the t quantiles in an interval.

    Attributes:
        seeds: of the component by seeds.
        others: of all other components.
    """

    seeds: float = ALPHA
    others: float = ALPHA


ALONE = ErrorRates()


@dataclass(frozen=True)
class TwoWay:
    """Means of paired differences over S seeds and n items, and how they vary by chance.

    Every sum with coefficients has its own variance, so that one summary serves any prices and class frequencies.
    The items lie in K strata (classes whose frequencies are given; else one), and of each item P quantities are known.

    Attributes:
        mean: (K, P).
        by_seed: (K P, K P), covariance of the mean by seeds, with S - 1 degrees of freedom. It holds the residual's
            share, s^2(residual) / (S n).
        by_item: (K, P, P), covariance of each stratum's mean by items, with n_k - 1; it holds the residual's as well.
        residual: (K, P, P), the residual's share alone.
        seeds: S.
        items: (K,), n_k; of merged strata one more than their degrees of freedom.

    Source: the random-effects two-way layout without replication, Searle, Casella and McCulloch 1992, section 4.3.
    """

    mean: Array
    by_seed: Array
    by_item: Array
    residual: Array
    seeds: int
    items: Array

    @property
    def known(self) -> bool:
        """Whether there are seeds and items enough to tell how the means vary."""
        return self.seeds > 1 and float(self.items.min()) > 1

    def merged(self, shares: Array, amounts: Array) -> TwoWay:
        """The strata made one, where their shares (K,) are known: a thousand classes then cost no more than one.

        Args:
            shares: how often each occurs.
            amounts: (P,), of which the items' degrees of freedom (Satterthwaite 1946) are taken.
        """
        strata, quantities = self.mean.shape
        by_seed = self.by_seed.reshape(strata, quantities, strata, quantities)
        of_stratum = np.einsum("k,p,kpq,q->k", shares**2, amounts, self.by_item, amounts)
        freedom = _satterthwaite(of_stratum, self.items - 1)
        return TwoWay(
            mean=shares[None] @ self.mean,
            by_seed=np.einsum("k,kplq,l->pq", shares, by_seed, shares, optimize=True),
            by_item=np.einsum("k,kpq->pq", shares**2, self.by_item)[None],
            residual=np.einsum("k,kpq->pq", shares**2, self.residual)[None],
            seeds=self.seeds,
            items=np.array([min(float(freedom) + 1, self.items.sum()) if self.known else self.items.min()]),
        )

    def estimate(self, coefficients: ArrayLike) -> Array:
        """Sum of the means with coefficients (..., K, P) -> (...)."""
        return np.asarray(np.einsum("...kp,kp->...", np.asarray(coefficients, dtype=np.float64), self.mean))

    def variances(
        self, coefficients: ArrayLike, alpha: float = ALPHA
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Variance and degrees of freedom (...) of `estimate`, by seeds and then by items, for an error rate of alpha.

        The items' part is what they vary without the residual, which the seeds' part holds already. Where the seeds
        agree more than the residual alone lets them, by luck, half of the residual's variance stands in: else three
        seeds that happen to agree to the digit would give an interval without width.
        """
        a = np.asarray(coefficients, dtype=np.float64)
        flat = a.reshape(*a.shape[:-2], -1)
        seed = np.einsum("...i,ij,...j->...", flat, self.by_seed, flat)
        of_stratum = np.einsum("...kp,kpq,...kq->...k", a, self.by_item, a)
        residual = np.einsum("...kp,kpq,...kq->...", a, self.residual, a)
        total, item_df = of_stratum.sum(-1), _satterthwaite(of_stratum, self.items - 1)
        df = float(self.seeds - 1)
        agree = _t(df, alpha) ** 2 * seed < _t(inf, alpha) ** 2 * residual / 2
        by_seed = np.where(agree, residual / 2, seed), np.where(agree, inf, df)
        return by_seed, (np.maximum(total - residual, 0.0), item_df)

    def components(self, coefficients: ArrayLike, alpha: float = ALPHA) -> tuple[Component, Component] | None:
        """The chance by seeds and by items in `estimate` of coefficients (K, P); None where it is not known."""
        if not self.known:
            return None
        (seed, seed_df), (item, item_df) = self.variances(coefficients, alpha)
        return Component(float(seed), float(seed_df)), Component(float(item), float(item_df))


def two_way(
    values: Array,
    strata: NDArray[np.int64] | None = None,
    count: int = 1,
    weights: Array | None = None,
    unit: Array | None = None,
) -> TwoWay:
    """Summarise values (S seeds, n items, P quantities).

    Where two models rarely differ, few items tell how much: of two items that both happen to read right, none. So one
    item more on which they differ, half of it each way, is added to each stratum's variance by items (and leaves its
    mean), as Agresti and Min 2005, Statistics in Medicine 24, 729-740, do for matched proportions. Ours differs in a
    third of the trainings, for hardly any item does in all.

    Args:
        values: of each seed and item.
        strata: (n,), each item's stratum, 0 to `count` - 1; every stratum has an item. None: all in one.
        count: K.
        weights: (n,), above 0, of each item within its stratum (Hajek's mean, linearised); None: all alike.
        unit: (K, P, P), mean product of what the quantities change by where the models differ; None: not known.
    """
    weights = np.ones(values.shape[1]) if weights is None else weights
    inside = [slice(None)] if strata is None else [np.flatnonzero(strata == stratum) for stratum in range(count)]
    own = [np.ascontiguousarray(np.moveaxis(values[:, of_stratum], 2, 0)) for of_stratum in inside]
    return two_way_of_strata(own, [weights[of_stratum] for of_stratum in inside], unit)


def two_way_of_strata(values: Sequence[Array], weights: Sequence[Array], unit: Array | None = None) -> TwoWay:
    """`two_way` of items that already are apart, for those who have them so.

    Args:
        values: of each stratum (P quantities, S seeds, n_k items).
        weights: of each stratum (n_k,).
        unit: see `two_way`.
    """
    seeds = values[0].shape[1]
    parts = [_stratum(*of_stratum) for of_stratum in zip(values, weights, strict=True)]
    by_seed = np.stack([part[0].T for part in parts], axis=1)  # (S, K, P)
    means = by_seed.reshape(seeds, -1)
    off = means - means.mean(axis=0)
    items = np.array([float(len(w)) for w in weights])
    one_more = 0.0 if unit is None else DIFFERS**2 * unit / np.maximum(items * (items - 1), 1.0)[:, None, None]
    return TwoWay(
        mean=by_seed.mean(axis=0),
        by_seed=off.T @ off / max(1, seeds - 1) / seeds,
        by_item=np.stack([part[1] for part in parts]) + one_more,
        residual=np.stack([part[2] for part in parts]),
        seeds=seeds,
        items=items,
    )


def _stratum(values: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Of one stratum (P, S, n): means by seed (P, S), and covariances of the mean (P, P) by items and residual."""
    quantities, seeds, items = values.shape
    by_seed = values @ (weights / weights.sum())
    if items < 2:
        return by_seed, np.zeros((quantities, quantities)), np.zeros((quantities, quantities))
    pull = weights * (items / weights.sum())
    of_item, mean = values.mean(axis=1), by_seed.mean(axis=1, keepdims=True)
    off = pull * (of_item - mean)
    left = values - of_item[:, None]
    left -= (by_seed - mean)[..., None]
    left *= pull
    flat = left.reshape(quantities, -1)
    freedom = items * (items - 1)
    return by_seed, off @ off.T / freedom, flat @ flat.T / (freedom * seeds * max(1, seeds - 1))


def half_width(components: Sequence[Component], rates: ErrorRates = ALONE) -> float:
    """Half of the two-sided interval of an estimate with these components: sqrt(sum t^2(df) v).

    Its coverage is at least what the error rates say, whatever the components' shares (Banerjee 1960, Sankhya 22,
    359-376). With Satterthwaite's degrees of freedom in place of the sum it would be 92 % at three seeds instead of 95.

    Args:
        components: the one by seeds first.
        rates: at which each t quantile is taken.
    """
    of_each = (rates.seeds, *[rates.others] * (len(components) - 1))
    return sqrt(sum(_t(c.df, rate) ** 2 * c.variance for c, rate in zip(components, of_each, strict=True)))


def interval_around(estimate: float, components: Sequence[Component] | None, rates: ErrorRates = ALONE) -> Interval:
    """The two-sided interval; without components (too few seeds or items) its ends are unknown."""
    if components is None:
        return Interval(estimate, None, None)
    reach = half_width(components, rates)
    return Interval(estimate, estimate - reach, estimate + reach)


def two_way_interval(differences: Array, weights: Array | None = None, unit: float = 0.0) -> Interval:
    """Mean of paired differences (S seeds, n items) with its 95 % interval.

    Args:
        differences: of each seed and item.
        weights: (n,) of the items; None: all alike.
        unit: what an item on which the two differ changes, 1 for right and wrong; 0 where that is not known.
    """
    found = two_way(differences[..., None], weights=weights, unit=np.full((1, 1, 1), unit**2))
    return interval_around(float(found.mean[0, 0]), found.components([[1.0]]))


def simultaneous(count: int, alpha: float = ALPHA) -> float:
    """The error rate of each of `count` intervals that hold all at once but for `alpha` (Sidak 1967, JASA 62, 626)."""
    return float(1 - (1 - alpha) ** (1 / max(1, count)))


def median_component(values: Array) -> Component:
    """Variance of the median of (n,) independent values: their outliers do not widen it.

    From two order statistics (McKean and Schrader 1984, Communications in Statistics B 13, 751-773).
    """
    count = len(values)
    z = stats.norm.ppf(0.995)
    rank = max(1, round((count + 1) / 2 - z * sqrt(count / 4)))
    ordered = np.sort(values)
    return Component(float((ordered[count - rank] - ordered[rank - 1]) / (2 * z)) ** 2, max(1, count - 1))


def _satterthwaite(variances: Array, freedom: Array) -> Array:
    """Degrees of freedom (...) of sums of variances (..., K) with these of their own (Satterthwaite 1946)."""
    total, spread = variances.sum(-1), (variances**2 / np.maximum(freedom, 1)).sum(-1)
    return np.asarray(np.divide(total**2, spread, out=np.full_like(total, inf), where=spread > 0))


def _t(df: float, alpha: float) -> float:
    # Without the checks of scipy.stats, for `seeds_needed` asks for many of them.
    return float(special.stdtrit(min(df, 1e9), 1 - alpha / 2))
