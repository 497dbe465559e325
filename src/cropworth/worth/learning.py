"""How much data does it take? The learning curve of a crop's gain, and the training-set size from which it pays.

Gains are paired differences of money per prediction, candidate against baseline. A crop's gain can rise with the data
(it has to learn where to look) or fall (a baseline with enough data learns to ignore the clutter), so both are fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cropworth.errors import CropworthError
from cropworth.worth.interval import ALPHA, two_way
from cropworth.worth.results import Answer, Interval, LearningCurve, PowerLaw, Shape
from cropworth.worth.words import number

Array = NDArray[np.float64]

EXPONENTS = np.geomspace(0.05, 2, 150)  # b of a n^-b + c
REACH = 2.0  # times the largest measured size: no answer beyond
FEWEST_SIZES, FEWEST_SEEDS = 3, 3
SHARED_DF = 4  # degrees of freedom that the variance of all sizes together counts for at each
POINTS = 100  # of the band
ROUNDING = 1e-6  # share of the sum of squares that the exponents' grid misses where there is no noise
NOWHERE = Interval(None, None, None)


def learning_curve(
    sizes: Sequence[int],
    differences: Sequence[Array],
    seeds: Sequence[Sequence[int]],
    needed: float,
    seed: int,
    draws: int = 1000,
) -> LearningCurve:
    """Fit a n^-b + c to the gains, by least squares weighted by the seeds' variance, and say where the crop pays.

    The fit is repeated on `draws` sets of gains around those measured (see `_noise`), and their 2.5 % and 97.5 %
    quantiles at each size are the band. The sizes at which the band contains `needed` are the interval of the size
    from which the crop pays: Fieller's way, which also tells when that interval has no end.

    Args:
        sizes: M training-set sizes, at least 3, in any order.
        differences: for each size (S seeds, n items): money gained a prediction. S at least 3, and the same n items
            at every size.
        seeds: for each size the S seeds' names, in the order of its rows; a seed's training sets are nested.
        needed: gain a prediction from which the crop pays (its break-even gain).
        seed: of the draws.
        draws: number of them.

    Raises:
        CropworthError: too few sizes or seeds, sizes twice, other test items, or numbers that are not finite.

    Source: Viering and Loog 2022, The Shape of Learning Curves: a Review, IEEE TPAMI 45, 7799-7819 (the power law, its
    limits); Golub and Pereyra 1973 (separable least squares); Fieller 1954 (the interval).
    """
    _check(sizes, differences, seeds, needed)
    order = np.argsort(sizes)
    measured, arrays = np.asarray(sizes, dtype=np.float64)[order], [differences[i] for i in order]
    gains = np.array([array.mean() for array in arrays])
    noise, variances = _noise(arrays, [seeds[i] for i in order], draws, np.random.default_rng(seed))
    relative = measured / measured[-1]
    fit = _fit(gains[None], relative, variances)
    fits = _fit(gains + noise, relative, variances)
    shape = _shape(gains, noise, fit, relative, variances)
    grid = np.geomspace(measured[0], REACH * measured[-1], POINTS)
    low, high = _ends(fits.at(grid / measured[-1]))
    law = PowerLaw(float(fit.a[0] * measured[-1] ** fit.b[0]), float(fit.b[0]), float(fit.c[0]))
    own = _intervals(gains, *_ends(gains + noise))
    if shape == "power law":
        answer, size, upward = _where_it_pays(law, float((fits.a < 0).mean()), grid, low, high, needed, measured[-1])
    else:
        answer, size, upward = _without_a_curve(gains + noise, needed, measured[-1])
    return LearningCurve(
        fit=law,
        sizes=tuple(grid.tolist()),
        band=_intervals(law.at(grid), low, high),
        measured=own,
        shape=shape,
        answer=answer,
        size=size,
        words=_sentence(shape, answer, size, upward, grid),
    )


def _check(sizes: Sequence[int], differences: Sequence[Array], seeds: Sequence[Sequence[int]], needed: float) -> None:
    shapes = [array.shape for array in differences]
    found = f"training-set sizes {list(sizes)} with differences of shapes {shapes}"
    if len(sizes) != len(shapes) or len(set(sizes)) < max(FEWEST_SIZES, len(sizes)) or min(sizes) <= 0:
        raise CropworthError(
            found,
            f"at least {FEWEST_SIZES} sizes above 0, each once, with one array each",
            "Add sizes to the study: a curve of three numbers needs three points.",
        )
    if any(len(shape) != 2 or shape[0] < FEWEST_SEEDS or shape[1] < 2 for shape in shapes):
        raise CropworthError(
            found, f"(S, n) of at least {FEWEST_SEEDS} seeds and 2 items", "Leave out sizes with fewer seeds."
        )
    if [len(set(names)) for names in seeds] != [count for count, _ in shapes]:
        raise CropworthError(
            f"{found} and seeds {[list(names) for names in seeds]}",
            "each row's seed, each once",
            "Name every row's seed.",
        )
    if len({items for _, items in shapes}) > 1:
        raise CropworthError(found, "the same test items at every size", "Compare records of one study.")
    if not np.isfinite(needed) or not all(np.isfinite(array).all() for array in differences):
        raise CropworthError(
            f"a break-even gain of {needed}, or differences, that are not finite",
            "finite numbers",
            "Leave out trials that diverged.",
        )


def _noise(
    differences: Sequence[Array], names: Sequence[Sequence[int]], draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draws (D, M) of the gains' errors around those measured, and the (M,) variances of the gains by seeds.

    A parametric bootstrap. Seeds: t distributed, as few seeds tell little of their spread; each size's variance is
    moderated by that of all sizes (Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3, 3); one
    part is independent at each size, the other shared, as far as the same seed does well at several sizes.
    Items: the same at every size, so one normal draw with the covariance of the item means over sizes, the residual's
    share taken out of its diagonal, for the seeds' variance holds it already. Resampling seeds and items instead
    counts that share twice, and with 3 seeds its 95 % interval covers 92 %.
    """
    items = differences[0].shape[1]
    seeds = np.array([len(array) for array in differences])
    by_seed = np.array([array.mean(axis=1).var(ddof=1) for array in differences])
    df = seeds - 1
    variances = (df * by_seed + SHARED_DF * np.average(by_seed, weights=df)) / (df + SHARED_DF) / seeds
    covariance = np.cov([array.mean(axis=0) for array in differences]) / items
    residuals = [two_way(array[..., None]).residual[0, 0, 0] for array in differences]
    np.fill_diagonal(covariance, np.maximum(0.0, covariance.diagonal() - residuals))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(0.0, values))
    shape = (draws, len(differences))
    by_items = rng.standard_normal(shape) @ root.T
    shared = _shared_by_seed([array.mean(axis=1) for array in differences], names, np.sqrt(variances * seeds))
    by_seeds = np.sqrt(1 - shared) * rng.standard_t(df + SHARED_DF, shape)
    by_seeds += np.sqrt(shared) * rng.standard_t(df.min() + SHARED_DF, (draws, 1))
    return by_items + np.sqrt(variances) * by_seeds, variances


def _shared_by_seed(means: Sequence[Array], names: Sequence[Sequence[int]], spreads: Array) -> float:
    """Correlation of a seed's mean gains at two sizes: one for all pairs of sizes, from 0 to 1."""
    total, df = 0.0, 0
    for one, other in combinations(range(len(means)), 2):
        common, rows, others = np.intersect1d(names[one], names[other], return_indices=True)
        if len(common) > 1 and spreads[one] * spreads[other] > 0:
            covariance = np.cov(means[one][rows], means[other][others])[0, 1]
            total += (len(common) - 1) * covariance / (spreads[one] * spreads[other])
            df += len(common) - 1
    return float(np.clip(total / df, 0.0, 1.0)) if df else 0.0


@dataclass(frozen=True)
class _Fits:
    """Power laws (D,) over sizes relative to the largest, with weighted sums of squares around them and the means."""

    a: Array
    b: Array
    c: Array
    misfit: Array
    spread: Array

    def at(self, relative: Array) -> Array:
        """Gains at relative sizes (G,): (D, G)."""
        gains: Array = self.a[:, None] * relative ** -self.b[:, None] + self.c[:, None]
        return gains


def _fit(gains: Array, relative: Array, variances: Array) -> _Fits:
    """Weighted least squares of each row of gains (D, M): for each exponent a and c are linear, the best exponent wins.

    With centred, normalised regressors u_b the sum of squares is |y|^2 - (u_b . y)^2: one matrix product for all.
    """
    weights = 1 / variances if variances.all() else np.ones_like(variances)
    share, root = weights / weights.sum(), np.sqrt(weights)
    powers = relative ** -EXPONENTS[:, None]  # (B, M)
    centres = powers @ share
    regressors = (powers - centres[:, None]) * root
    lengths = np.linalg.norm(regressors, axis=1)
    means = gains @ share
    centred = (gains - means[:, None]) * root
    projections = centred @ (regressors / lengths[:, None]).T  # (D, B)
    best = np.abs(projections).argmax(axis=1)
    reached = projections[np.arange(len(gains)), best]
    a = reached / lengths[best]
    spread = (centred**2).sum(axis=1)
    return _Fits(a, EXPONENTS[best], means - a * centres[best], np.maximum(0.0, spread - reached**2), spread)


def _shape(gains: Array, noise: Array, fit: _Fits, relative: Array, variances: Array) -> Shape:
    """Ill-behaved curves are called so, each test at 5 %.

    Turning back: some pair of sizes rises and some pair falls, by more than 95 % of the noise's largest pair does.
    Misfit: the fit's sum of squares against that of fits to the fitted law with noise.
    """
    first, second = np.triu_indices(len(gains), 1)
    rises, chance = gains[second] - gains[first], noise[:, second] - noise[:, first]
    error = chance.std(axis=0)
    error[error == 0] = np.finfo(np.float64).tiny
    limit = error * np.quantile(np.abs(chance / error).max(axis=1), 1 - ALPHA)
    if (rises > limit).any() and (rises < -limit).any():
        return "turns back"
    misfit = float(fit.misfit[0])
    by_chance = _fit(fit.at(relative) + noise, relative, variances).misfit
    missed = misfit > ROUNDING * fit.spread[0] and (by_chance >= misfit).mean() < ALPHA
    return "no power law" if missed else "power law"


def _ends(values: Array) -> tuple[Array, Array]:
    """Of (D, G) draws the ends (G,) of the 95 % intervals."""
    low, high = np.quantile(values, [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    return low, high


def _intervals(estimates: Array, low: Array, high: Array) -> tuple[Interval, ...]:
    return tuple(Interval(*ends) for ends in zip(estimates.tolist(), low.tolist(), high.tolist(), strict=True))


def _where_it_pays(
    law: PowerLaw, rising: float, grid: Array, low: Array, high: Array, needed: float, largest: float
) -> tuple[Answer, Interval, bool]:
    """The answer by the band [low, high] (G,) over the sizes `grid`, and whether the gain rises.

    `rising` is the share of draws that rise.
    """
    pays, loses, upward = low > needed, high < needed, rising > 0.5
    if pays[grid <= largest].all() and not loses.any():
        return "at every measured size", NOWHERE, upward
    if loses.all():
        return "never within reach", NOWHERE, upward
    if min(rising, 1 - rising) > ALPHA / 2 and not loses[grid <= largest].all():
        return "cannot be told", NOWHERE, upward
    upper, lower = (high - needed, low - needed) if upward else (needed - low, needed - high)
    start, end = _first_above_zero(grid, upper), _first_above_zero(grid, lower)
    start = None if start == grid[0] else start
    base = (needed - law.c) / law.a
    estimate = base ** (-1 / law.b) if base > 0 else np.inf
    if not grid[0] <= estimate <= grid[-1] or (start is None and end is None):
        return "cannot be told", Interval(None, start, end), upward
    return "from" if upward else "up to", Interval(float(estimate), start, end), upward


def _without_a_curve(draws: Array, needed: float, largest: float) -> tuple[Answer, Interval, bool]:
    """What the measured sizes say by themselves, from draws (D, M) of their gains."""
    low, high = _ends(draws)
    if (low > needed).all():
        return "at every measured size", NOWHERE, True
    return "cannot be told", Interval(None, largest, None) if (high < needed).all() else NOWHERE, True


def _first_above_zero(grid: Array, line: Array) -> float | None:
    """The size at which `line` first rises above 0, between grid points on a logarithmic scale; None where nowhere."""
    above = line > 0
    if not above.any():
        return None
    k = int(above.argmax())
    if k == 0:
        return float(grid[0])
    part = -line[k - 1] / (line[k] - line[k - 1])
    return float(grid[k - 1] * (grid[k] / grid[k - 1]) ** part)


REMARKS: dict[Shape, str] = {
    "power law": "",
    "turns back": "the gain rises and falls with the training-set size by more than chance",
    "no power law": "the gains follow no power law of the training-set size",
}


def _sentence(shape: Shape, answer: Answer, size: Interval, upward: bool, grid: Array) -> str:
    smallest, reach = number(float(grid[0])), number(float(grid[-1]))
    low, high = (None if end is None else number(end) for end in (size.low, size.high))
    if answer == "at every measured size":
        known = ["The crop pays at every measured training-set size", *filter(None, [REMARKS[shape]])]
        return f"{'; '.join(known)}."
    if answer == "never within reach":
        return f"The crop pays at no training-set size up to {reach}, twice the largest measured."
    if answer == "cannot be told":
        below, above = ("does not pay", "pays") if upward else ("pays", "does not pay")
        known = ["How much training data makes the crop pay cannot be told", *filter(None, [REMARKS[shape]])]
        known += [f"it {below} below {low}"] if low else []
        known += [f"it {above} from {high} on"] if high else []
        return f"{'; '.join(known)}."
    ends = f"{low or f'{smallest} or fewer'} to {high or f'more than {reach}'}"
    where = "from about {} training items on" if answer == "from" else "up to about {} training items"
    return f"The crop pays {where.format(number(size.estimate))} (95 % interval {ends})."
