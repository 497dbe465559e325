"""What it is worth to know more: of everything (EVPI), of one price (EVPPI), by a few more measurements (EVSI).

All values are for one decision, to adopt or not to, by whoever takes the alternative with the largest expected net
present value (NPV). Not to adopt is always an alternative, with an NPV of 0 or of the threshold given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cropworth.errors import CropworthError
from cropworth.worth.interval import Component
from cropworth.worth.results import Measurement
from cropworth.worth.words import money

Array = NDArray[np.float64]
SourceKind = Literal["seeds", "test items", "timing rounds"]

KNOTS = (0.05, 0.275, 0.5, 0.725, 0.95)  # Harrell 2015, Regression Modeling Strategies, table 2.3
ROUNDING = 1e-12  # of the largest NPV: less is no difference of two means
COUNTS = 10_000  # at most so many sizes of a further sample are tried
QUANTILES = (np.arange(500) + 0.5) / 500  # at which a second or third source is averaged

QUESTIONS = {
    "cost_per_error": "what an error costs",
    "cost_matrix": "what each kind of error costs",
    "value_matrix": "what each decision brings",
    "predictions_per_year": "how many predictions a year there will be",
    "growth": "how fast the volume will grow",
    "class_frequencies": "how often each class will occur",
    "reject_cost": "what it costs to refer an item to a person",
    "stake": "how much each decision stakes",
    "compute_price_per_hour": "what an hour of compute costs",
    "utilisation": "how busy the machines will be",
    "energy_price_per_kwh": "what energy costs",
    "engineering": "what the engineering will cost",
}


def evpi(npvs: Array) -> float:
    """Expected value of perfect information: E[max_k NPV_k] - max_k E[NPV_k], with the baseline's 0 among the k.

    What it would be worth to know everything before deciding, so the most that any further measurement can be worth.

    Args:
        npvs: (N,) or (N draws, K alternatives), money against the baseline.

    Raises:
        CropworthError: no draws, or some that are not finite.

    Source: Raiffa and Schlaifer 1961, Applied Statistical Decision Theory, chapter 4.
    """
    alternatives = _with_baseline(_finite(npvs, "draws of the NPV"))
    value = float(alternatives.max(axis=-1).mean() - alternatives.mean(axis=0).max())
    return value if value > ROUNDING * float(np.abs(alternatives).max()) else 0.0


def evppi(npvs: Array, inputs: Array) -> float:
    """Expected value of knowing one uncertain input: the EVPI of the NPVs' means given that input.

    The means are a regression of the NPV on a natural cubic spline of the input with 5 knots: five numbers from
    thousands of draws, and straight beyond the outer knots, so heavy tails bend nothing. Noise makes the value of an
    input of no worth a little too large, by 0.01 of the NPV's standard deviation at most with 2,000 draws and 0.004
    with 10,000 (simulated).

    Args:
        npvs: (N,) or (N draws, K alternatives), money against the baseline.
        inputs: (N,) the input's value in each draw.

    Raises:
        CropworthError: draws of different number, or some that are not finite.

    Source: Strong, Oakley and Brennan 2014, Medical Decision Making 34, 311-326; the spline: Hastie, Tibshirani and
    Friedman 2009, The Elements of Statistical Learning, equations 5.4 and 5.5.
    """
    npvs, inputs = _finite(npvs, "draws of the NPV"), _finite(inputs, "draws of the input")
    if inputs.shape != npvs.shape[:1]:
        raise CropworthError(
            f"inputs of shape {inputs.shape} and NPVs of shape {npvs.shape}", "one input a draw", "Pass the same draws."
        )
    basis = _natural_spline(inputs)
    means: Array = basis @ np.linalg.lstsq(basis, npvs, rcond=None)[0]
    return evpi(means)


def _natural_spline(inputs: Array) -> Array:
    """(N,) -> (N, up to 5) basis functions; fewer where quantiles coincide."""
    spread = float(inputs.std())
    if spread == 0:
        return np.ones((len(inputs), 1))
    x = (inputs - inputs.mean()) / spread
    knots = np.unique(np.quantile(x, KNOTS))
    cubes = np.maximum(0, x[:, None] - knots) ** 3  # (N, knots)
    tails = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([np.ones_like(x), x, tails[:, :-1] - tails[:, -1:]])


def unit_loss(z: Array | float, df: float) -> Array:
    """E[max(0, T - z)] of a t variable T: (df + z^2) / (df - 1) f(z) - z (1 - F(z)); of a normal one at df = inf.

    Args:
        z: any shape.
        df: degrees of freedom, above 1: with fewer the mean is infinite.

    Source: Raiffa and Schlaifer 1961, chapter 11; of a normal variable it is phi(z) - z Phi(-z), chapter 5.
    """
    z = np.asarray(z, dtype=np.float64)
    spread = (df + z**2) / (df - 1) if np.isfinite(df) else 1.0
    loss: Array = spread * stats.t.pdf(z, df) - z * stats.t.sf(z, df)
    return np.maximum(0.0, loss)


def evsi(estimate: float, before: Sequence[Component], after: Sequence[float], threshold: float = 0.0) -> float:
    """Expected value of a further sample before it is measured: s times the unit loss at |estimate - threshold| / s.

    s = sqrt(variance now - variance then) is the spread of the estimate that we shall have then, whose distribution is
    exactly t, with the degrees of freedom that the source's variance has now: so the value counts that the variance
    itself is an estimate. Where several sources are sampled further, their t variables add up, and the mean over all
    but the one with the fewest degrees of freedom is taken at its quantiles. With flat priors, and normal errors.

    Args:
        estimate: of the NPV, now.
        before: the sources of chance in it, now.
        after: the variance of each then, in the same order.
        threshold: adopt above it.

    Raises:
        CropworthError: lists of different length, a variance that grows, or two seeds only.

    Source: Raiffa and Schlaifer 1961, chapters 5 and 11; Claxton 1999, Journal of Health Economics 18, 341-364.
    """
    pairs = list(zip(before, after, strict=False))
    if len(before) != len(after) or any(not 0 <= then <= now.variance for now, then in pairs):
        raise CropworthError(
            f"variances {[now.variance for now in before]} now and {list(after)} then",
            "as many then as now, each between 0 and what it is now",
            "A further sample of a source makes its variance smaller: v * n / (n + m).",
        )
    resolved = sorted((now.df, now.variance - then) for now, then in pairs if now.variance > then)
    if not resolved:
        return 0.0
    (df, variance), *others = resolved
    shift = np.zeros(1)
    for other_df, other in others:
        shift = (shift[:, None] + np.sqrt(other) * stats.t.ppf(QUANTILES, other_df)).ravel()
    return float(_value(abs(estimate - threshold) - shift, np.asarray(variance), df).mean())


def _value(distance: Array | float, resolved: Array, df: float) -> Array:
    """EVSI at a distance from the threshold where the variance `resolved`, above 0, will be resolved: their shape."""
    if df <= 1:
        raise CropworthError(
            "a variance from two seeds (or items, or rounds)",
            "one from at least three",
            "From two, the expected value of a third is infinite. Measure a third first.",
        )
    scale = np.sqrt(resolved)
    value: Array = scale * unit_loss(distance / scale, df)
    return value


@dataclass(frozen=True)
class Further:
    """A further sample of one source of chance.

    Attributes:
        count: of more seeds, items or rounds; 0 where none is worth its cost.
        value: expected (EVSI), in money.
        cost: in money.
    """

    count: int
    value: float
    cost: float


def best_further(
    estimate: float, piece: Component, have: int, unit_cost: float, most: int, threshold: float = 0.0
) -> Further:
    """How many more seeds (or test items, or timing rounds) have the largest EVSI - cost, of 0 to `most`.

    All counts up to 1,000 are tried, and above that every 0.2 %: the difference need not have one maximum only.
    Items also average the part of the seeds' variance that is noise between a seed and an item. That is left out, so
    the value of more items is never overstated by it.

    Args:
        estimate: of the NPV, now.
        piece: the variance of the estimate by this source, now; it falls as have / (have + more).
        have: seeds, items or rounds now.
        unit_cost: of one more, in money.
        most: that could be had.
        threshold: adopt above it.

    Raises:
        CropworthError: a cost below 0, nothing to have, or two seeds only.

    Source: expected net benefit of sampling, e.g. Conti and Claxton 2009, Medical Decision Making 29, 643-660.
    """
    if unit_cost < 0 or have < 1 or most < 1:
        raise CropworthError(
            f"a cost of {unit_cost} for each of at most {most} more, beside {have}",
            "a cost of 0 or more, and counts of 1 or more",
            "Check the price and the limit.",
        )
    if piece.variance == 0:
        return Further(0, 0.0, 0.0)
    counts = np.unique(np.geomspace(1, most, COUNTS).round().astype(np.int64))
    values = _value(abs(estimate - threshold), piece.variance * counts / (have + counts), piece.df)
    best = int((values - unit_cost * counts).argmax())
    count, value, cost = int(counts[best]), float(values[best]), float(unit_cost * counts[best])
    return Further(count, value, cost) if value > cost else Further(0, 0.0, 0.0)


@dataclass(frozen=True)
class Source:
    """A source of chance that can be measured further.

    Attributes:
        kind: of what there is more to be had.
        piece: the variance of the NPV by it, now.
        have: of them, now.
        unit_cost: of one more, in money; None where it is not priced.
        most: that could be had.
    """

    kind: SourceKind
    piece: Component
    have: int
    unit_cost: float | None
    most: int


def advice(options: Sequence[Measurement]) -> str:
    """What to measure next, one sentence: the best option, or that none is worth more than it costs."""
    if options and options[0].net >= 0.01:  # a cent
        return options[0].words
    return "Nothing more is worth measuring before the decision."


def next_measurement(
    estimate: float, sources: Sequence[Source], prices: Mapping[str, float], currency: str, threshold: float = 0.0
) -> tuple[Measurement, ...]:
    """Rank what could be measured or asked next by its expected value less its cost.

    Where one more has no price, as many again stand for what could be measured.

    A price's value is that of knowing it exactly, and asking is taken as free; a sample's is what it will tell. So
    prices are ranked by the most they can be worth.

    Args:
        estimate: of the NPV, now.
        sources: that can be measured further, each alone.
        prices: name in the economics -> `evppi` of it.
        currency: of all money.
        threshold: adopt above it.

    Raises:
        CropworthError: as `best_further`.
    """
    sampled = [_sample_option(estimate, source, currency, threshold) for source in sources]
    asked = [_price_option(name, value, currency) for name, value in prices.items()]
    return tuple(sorted([*sampled, *asked], key=lambda option: option.net, reverse=True))


def _sample_option(estimate: float, source: Source, currency: str, threshold: float) -> Measurement:
    if source.unit_cost is None:
        again = evsi(estimate, [source.piece], [source.piece.variance / 2], threshold)
        words = f"As many {source.kind} again: on average worth {_worth(again, currency)}, their cost not priced."
        return Measurement(source.kind, source.have, again, None, words)
    found = best_further(estimate, source.piece, source.have, source.unit_cost, source.most, threshold)
    if found.count == 0:
        words = f"More {source.kind} are not worth their cost."
    else:
        verb = {"seeds": "Train", "test items": "Label", "timing rounds": "Run"}[source.kind]
        things = source.kind if found.count > 1 else source.kind.removesuffix("s")
        worth, cost = _worth(found.value, currency), _worth(found.cost, currency)
        words = f"{verb} {found.count:,} more {things}: on average worth {worth}, for {cost}."
    return Measurement(source.kind, found.count, found.value, found.cost, words)


def _worth(amount: float, currency: str) -> str:
    return f"less than {currency} 0.01" if 0 < amount < 0.01 else money(amount, currency)


def _price_option(name: str, value: float, currency: str) -> Measurement:
    question = QUESTIONS.get(name, f"for {name}")
    worth = (
        f"knowing it is worth up to {_worth(value, currency)}" if value > 0 else "no answer would change the decision"
    )
    return Measurement(name, None, value, None, f"Ask {question}: {worth}.")


def _finite(values: Array, name: str) -> Array:
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise CropworthError(
            f"{values.size:,} {name}, {int((~np.isfinite(values)).sum()):,} of them not finite",
            "at least one, all finite",
            "Check the prices and the records that they were drawn from.",
        )
    return values


def _with_baseline(values: Array) -> Array:
    """(N,) or (N, K) against the baseline -> (N, K + 1) with the baseline's 0 first."""
    columns = values.reshape(len(values), -1)
    return np.column_stack([np.zeros(len(columns)), columns])
