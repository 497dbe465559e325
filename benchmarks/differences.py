"""Made studies whose true difference is known, for benchmarks/calibration.py.

Each kind draws what candidates gain over one baseline, by seed and test item, and says what that is on average over all
the seeds and items that there might be. What was drawn is summarised by the product's own `two_way`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import sqrt
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cropworth.study.record import Record, Study
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.interval import TwoWay, two_way

Array = NDArray[np.float64]
ONE = np.ones((1, 1))  # coefficients where all items lie in one stratum
CLASSES = ("rare", "common")
DEAR = 100.0
VOLUME = 1e6
NODES, SHARES = np.polynomial.hermite_e.hermegauss(80)


class Drawn(Protocol):
    """A study that was drawn."""

    def summary(self, seeds: int, candidate: int = 0) -> TwoWay:
        """After its first so many seeds."""


class Kind(Protocol):
    """A kind of studies."""

    @property
    def name(self) -> str:
        """Of the row."""

    @property
    def truth(self) -> float:
        """What one prediction gains on average."""

    @property
    def coefficients(self) -> Array:
        """(strata, 1), what multiplies the strata's means."""

    def draw(self, rng: np.random.Generator, seeds: int, items: int, candidates: int = 1) -> Drawn:
        """One study."""


@dataclass(frozen=True)
class Gains:
    """Of each item.

    Attributes:
        gains: (candidates, S, n).
        strata: (n,), 0 or 1; None: all in one.
        right: (candidates + 1, S, n), the answers that these come from, the baseline's first; None without answers.
        at_stake: (n,), what reading an item wrong costs; None without answers.
    """

    gains: Array
    strata: NDArray[np.int64] | None = None
    right: NDArray[np.bool_] | None = None
    at_stake: Array | None = None

    def summary(self, seeds: int, candidate: int = 0) -> TwoWay:
        """After the first so many seeds."""
        count = 1 if self.strata is None else 2
        strata = np.zeros(self.gains.shape[2], dtype=np.int64) if self.strata is None else self.strata
        unit = None
        if self.at_stake is not None:
            unit = (np.bincount(strata, self.at_stake**2, count) / np.bincount(strata, minlength=count))[:, None, None]
        return two_way(self.gains[candidate, :seeds, :, None], self.strata, count, unit=unit)


@dataclass(frozen=True)
class Gaussian:
    """Normal effects of seeds, items and both together, by their shares of the mean's variance, which is 1."""

    name: str
    by_seeds: float
    by_items: float
    residual: float
    truth: float = 0.0
    coefficients = ONE

    def draw(self, rng: np.random.Generator, seeds: int, items: int, candidates: int = 1) -> MeanSquares:
        """One study."""
        return MeanSquares(self, rng, items)


@dataclass(frozen=True)
class MeanSquares:
    """What `two_way` would find, drawn as such: the mean squares of a balanced layout are independent chi-squares."""

    kind: Gaussian
    rng: np.random.Generator
    items: int

    def summary(self, seeds: int, candidate: int = 0) -> TwoWay:
        """Of another study each time."""

        def estimated(variance: float, df: int) -> Array:
            return np.full((1, 1, 1), variance * self.rng.chisquare(df) / df)

        kind = self.kind
        return TwoWay(
            mean=np.full((1, 1), kind.truth + self.rng.standard_normal()),
            by_seed=estimated(kind.by_seeds + kind.residual, seeds - 1)[0],
            by_item=estimated(kind.by_items + kind.residual, self.items - 1),
            residual=estimated(kind.residual, (seeds - 1) * (self.items - 1)),
            seeds=seeds,
            items=np.array([self.items]),
        )


@dataclass(frozen=True)
class HeavyTails:
    """A normal effect of seeds; effects of items and of both together by t with three degrees of freedom."""

    name: str
    by_seeds: float
    truth: float = 0.0
    coefficients = ONE

    def draw(self, rng: np.random.Generator, seeds: int, items: int, candidates: int = 1) -> Gains:
        """One study."""
        of_seed = self.by_seeds * rng.standard_normal((candidates, seeds, 1))
        of_item = rng.standard_t(3, (candidates, 1, items))
        return Gains(self.truth + of_seed + of_item + rng.standard_t(3, (candidates, seeds, items)))


@dataclass(frozen=True)
class Classifiers:
    """Right and wrong answers of classifiers that are trained again with each seed.

    An answer is right with probability logistic(skill + item + seed), all effects normal. An item is as difficult for
    all models, but for a part of its own for each; a seed is as lucky for all, for it draws the same training items,
    but for a part of its own for each. How often a model is right is then an integral over one normal variable.

    Attributes:
        name: of the row.
        accuracy: of the baseline.
        truth: what a candidate's accuracy is more.
        difficulty: standard deviation of an item's effect, in logits.
        alike: correlation of an item's effect on two models.
        shared_luck: standard deviation of a seed's effect on all models, in logits.
        own_luck: of its effect on one model.
    """

    name: str
    accuracy: float
    truth: float = 0.0
    difficulty: float = 3.0
    alike: float = 0.9
    shared_luck: float = 0.1
    own_luck: float = 0.1
    coefficients = ONE

    def right(self, rng: np.random.Generator, models: int, seeds: int, items: int) -> NDArray[np.bool_]:
        """(models, S, n) which answers are right; the baseline's first."""

        def normal(*shape: int) -> NDArray[np.float32]:
            return rng.standard_normal(shape, dtype=np.float32)

        common = sqrt(self.alike) * self.difficulty * normal(items)
        luck = self.shared_luck * normal(seeds, 1)
        spread = sqrt(self.difficulty**2 + self.shared_luck**2 + self.own_luck**2)
        found = np.empty((models, seeds, items), dtype=np.bool_)
        for model in range(models):
            skill = skill_of(self.accuracy + self.truth * (model > 0), spread)
            item = skill + common + sqrt(1 - self.alike) * self.difficulty * normal(items)
            chance = _logistic(item + luck + self.own_luck * normal(seeds, 1))
            found[model] = rng.random((seeds, items), dtype=np.float32) < chance
        return found

    def draw(self, rng: np.random.Generator, seeds: int, items: int, candidates: int = 1) -> Gains:
        """Gains of 1 where only the candidate is right, of -1 where only the baseline is."""
        right = self.right(rng, candidates + 1, seeds, items)
        as_number = right.view(np.int8)
        return Gains((as_number[1:] - as_number[0]).astype(np.float64), right=right, at_stake=np.ones(items))

    def again(self) -> Classifiers:
        """The candidate is the baseline again, with luck of its own."""
        return replace(self, truth=0.0, alike=1.0)


@lru_cache(maxsize=256)
def skill_of(accuracy: float, spread: float) -> float:
    """The logit at which E[logistic(skill + spread Z)] is the accuracy, Z standard normal."""
    found: Any = brentq(lambda skill: SHARES @ _logistic(skill + spread * NODES) / SHARES.sum() - accuracy, -40, 40)
    return float(found)


@dataclass(frozen=True)
class Amounts:
    """Answers of classifiers, each item worth another amount: lognormal, 1 on average, whatever the answers.

    Attributes:
        name: of the row.
        answers: right and wrong.
        spread: standard deviation of the amount's logarithm.
    """

    name: str
    answers: Classifiers
    spread: float
    coefficients = ONE

    @property
    def truth(self) -> float:
        """As of the answers."""
        return self.answers.truth

    def draw(self, rng: np.random.Generator, seeds: int, items: int, candidates: int = 1) -> Gains:
        """One study."""
        amounts = rng.lognormal(-(self.spread**2) / 2, self.spread, items)
        return Gains(self.answers.draw(rng, seeds, items, candidates).gains * amounts, at_stake=amounts)

    def again(self) -> Amounts:
        """The candidate is the baseline again, with luck of its own."""
        return replace(self, answers=self.answers.again())


@dataclass(frozen=True)
class RareAndDear:
    """Two classes; missing the rare one costs `DEAR`, a false alarm costs 1.

    Attributes:
        name: of the row.
        prevalence: of the rare class where the model is used.
        in_test: its share of the test items; None: the items are drawn as they come, and the product is not told how
            often each class occurs. Else the test set is drawn class by class, two rare items at the least.
        rare: answers on items of the rare class.
        common: on all others.
    """

    name: str
    prevalence: float
    in_test: float | None
    rare: Classifiers = Classifiers("rare", 0.80, 0.05)
    common: Classifiers = Classifiers("common", 0.95)

    @property
    def truth(self) -> float:
        """In money."""
        return self.prevalence * DEAR * self.rare.truth + (1 - self.prevalence) * self.common.truth

    @property
    def coefficients(self) -> Array:
        """How often each class occurs, the rare one first."""
        return ONE if self.in_test is None else np.array([[self.prevalence], [1 - self.prevalence]])

    def draw(self, rng: np.random.Generator, seeds: int, items: int, candidates: int = 1) -> Gains:
        """One study; the rare items come first."""
        drawn = self.in_test is None
        count = int(rng.binomial(items, self.prevalence)) if drawn else max(2, round((self.in_test or 0) * items))
        rare = self.rare.draw(rng, seeds, count, candidates)
        common = self.common.draw(rng, seeds, items - count, candidates)
        assert rare.right is not None
        assert common.right is not None
        return Gains(
            np.concatenate([DEAR * rare.gains, common.gains], axis=2),
            None if drawn else (np.arange(items) >= count).astype(np.int64),
            np.concatenate([rare.right, common.right], axis=2),
            np.repeat([DEAR, 1.0], [count, items - count]),
        )

    def again(self) -> RareAndDear:
        """The candidate is the baseline again, with luck of its own."""
        return replace(self, rare=self.rare.again(), common=self.common.again())


def as_study(kind: Classifiers | RareAndDear, drawn: Gains) -> tuple[Study, Economics]:
    """What was drawn as records and prices, so that a prediction's gain is the net present value over `VOLUME`."""
    assert drawn.right is not None
    _, seeds, items = drawn.right.shape
    labels = np.zeros(items, dtype=np.int64) if drawn.strata is None else drawn.strata
    records = tuple(
        _record("candidate" if model else "baseline", seed, labels, drawn.right[model, seed])
        for model in range(2)
        for seed in range(seeds)
    )
    prices: dict[str, Any] = {"predictions_per_year": VOLUME, "horizon_years": 1, "cost_per_error": 1.0}
    if isinstance(kind, RareAndDear):
        del prices["cost_per_error"]
        prices["cost_matrix"] = {"rare": {"common": DEAR}, "common": {"rare": 1.0}}
        prices["class_frequencies"] = {"rare": kind.prevalence, "common": 1 - kind.prevalence}
    study = Study(
        name=kind.name, baseline="baseline", kinds={"baseline": "baseline", "candidate": "candidate"}, classes=CLASSES,
        economics=prices, plan={}, records=records, missing=0, latency=None,
    )  # fmt: skip
    return study, read_economics(prices)


def _record(variant: str, seed: int, labels: NDArray[np.int64], right: NDArray[np.bool_]) -> Record:
    answers = np.where(right, labels, 1 - labels)
    return Record(
        trial=f"{variant}-{seed}", variant=variant, train_size=1, seed=seed, status="ok", reason="", parameters=0,
        flops_per_item=0, training_wall_s=1.0, training_cpu_s=1.0, threads=1, cores=1, started_at=0.0,
        peak_memory_bytes=None, curve=(), best_epoch=0, labels=labels,
        probabilities=np.eye(2, dtype=np.float32)[answers], numbers=None, payoffs=None, theta=None, crop_health={},
        median_iou=None, examples=None, environment={},
    )  # fmt: skip


def _logistic(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))
