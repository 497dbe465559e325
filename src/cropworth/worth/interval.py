"""Intervals of a mean difference with two sources of chance: which seeds, and which test items.

A study's numbers would differ with other seeds and with other test items. An interval over seeds alone treats the test
set as all there is; one over items alone treats these few trainings so. Both are too short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from cropworth.worth.results import Interval

LEVEL = 0.95


@dataclass(frozen=True)
class Component:
    """One independent source of chance in an estimate.

    Attributes:
        variance: of the estimate, by this source alone.
        df: degrees of freedom of that variance.
    """

    variance: float
    df: float

    def scaled(self, factor: float) -> Component:
        """The component of `factor` times the estimate."""
        return Component(self.variance * factor**2, self.df)


def two_way_components(differences: NDArray[np.float64]) -> tuple[Component, Component]:
    """Variance of the mean of paired differences (S seeds, n items), by seeds and by items.

    s^2(seed means) / S with S - 1 degrees of freedom, and s^2(item means) / n with n - 1. Each contains the residual's
    share, s^2(residual) / (S n), so their sum counts it twice: the interval errs on the wide side.

    Source: the random-effects two-way layout without replication, e.g. Searle, Casella and McCulloch 1992, section 4.3.
    """
    seeds, items = differences.shape
    by_seed = differences.mean(axis=1).var(ddof=1) / seeds
    by_item = differences.mean(axis=0).var(ddof=1) / items
    return Component(float(by_seed), seeds - 1), Component(float(by_item), items - 1)


def half_width(components: Sequence[Component]) -> float:
    """Half of the two-sided 95 % t interval, with Satterthwaite's degrees of freedom.

    df = (sum v)^2 / sum(v^2 / df) (Satterthwaite 1946; Welch 1947).
    """
    variance = sum(c.variance for c in components)
    if variance == 0:
        return 0.0
    spread = sum(c.variance**2 / c.df for c in components)
    df = variance**2 / spread if spread > 0 else inf
    # The t quantile without the checks of scipy.stats, for `seeds_needed` asks for a thousand of them.
    return float(special.stdtrit(df, (1 + LEVEL) / 2)) * sqrt(variance)


def interval_around(estimate: float, components: Sequence[Component] | None) -> Interval:
    """The two-sided 95 % interval; without components (one seed, one item) its ends are unknown."""
    if components is None:
        return Interval(estimate, None, None)
    reach = half_width(components)
    return Interval(estimate, estimate - reach, estimate + reach)


def two_way_interval(differences: NDArray[np.float64]) -> Interval:
    """Mean of paired differences (S seeds, n items) with its 95 % interval."""
    components = two_way_components(differences) if min(differences.shape) > 1 else None
    return interval_around(float(differences.mean()), components)


def median_component(values: NDArray[np.float64]) -> Component:
    """Variance of the median of (n,) independent values: their outliers do not widen it.

    From two order statistics (McKean and Schrader 1984, Communications in Statistics B 13, 751-773).
    """
    count = len(values)
    z = stats.norm.ppf(0.995)
    rank = max(1, round((count + 1) / 2 - z * sqrt(count / 4)))
    ordered = np.sort(values)
    return Component(float((ordered[count - rank] - ordered[rank - 1]) / (2 * z)) ** 2, count - 1)


def multibootstrap(differences: NDArray[np.float64], draws: int, seed: int) -> Interval:
    """The mean's 95 % percentile interval by resampling seeds and items (Sellam et al. 2022, section 3).

    A cross-check of `two_way_interval` that assumes no normality, but needs more seeds than most studies have.

    Args:
        differences: (S seeds, n items), paired.
        draws: resamples.
        seed: of the resampling.
    """
    seeds, items = differences.shape
    rng = np.random.default_rng(seed)
    seed_weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds  # (draws, S)
    item_weights = rng.multinomial(items, np.full(items, 1 / items), draws) / items  # (draws, n)
    means = np.einsum("ds,sn,dn->d", seed_weights, differences, item_weights, optimize=True)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(differences.mean()), float(low), float(high))
