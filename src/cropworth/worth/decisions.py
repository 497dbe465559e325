"""From probabilities to decisions where errors cost differently: thresholds, least expected cost, asking a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from cropworth.errors import CropworthError
from cropworth.worth.words import number

Array = NDArray[np.float64]

NEVER = 2.0
"""A threshold that no probability reaches."""
# A float32 tells 1 from no more than this much less: what is below it is not known better than that.
FLOOR = float(np.finfo(np.float32).eps)
# Beyond these, probabilities are as good as certain, or say nothing; and no power of `FLOOR` leaves a float's range.
TEMPERATURES = (0.05, 20.0)
# Probabilities that were written with three digits do not add to 1 more closely.
MOST_OFF = 0.005
# Of sums of money over the items: differences below it are rounding.
ROUNDING = 1e-10


@dataclass(frozen=True)
class Thresholds:
    """The rule of two classes: compare the probability of the second with one threshold, or with two.

    Attributes:
        low: below it the first class is decided.
        high: from it on the second is; `NEVER` where none is enough. What lies between is referred to a person:
            nothing, where `low` equals `high`.
    """

    low: float
    high: float

    def decide(self, probabilities: ArrayLike) -> NDArray[np.int64]:
        """Probabilities (n, 2) -> decisions (n,): 0, 1, or 2 for a person.

        Raises:
            CropworthError: probabilities of another shape, not finite, or that do not add to 1.
        """
        second = checked_probabilities(probabilities, 2)[:, 1]
        return np.where(second >= self.high, 1, np.where(second < self.low, 0, 2)).astype(np.int64)

    def describe(self, classes: Sequence[str]) -> str:
        """The rule in one sentence, for the names of the two classes."""
        first, second = classes
        if self.low == self.high:
            if self.high == NEVER:
                return f"Always decide {first}."
            if self.high == 0:
                return f"Always decide {second}."
            return f"Decide {second} where its probability is {number(self.high)} or more, else {first}."
        answers = [f"{first} where it is below {number(self.low)}"] if self.low > 0 else []
        answers += [f"{second} where it is {number(self.high)} or more"] if self.high < NEVER else []
        if not answers:
            return "Refer everything to a person."
        return f"By the probability of {second}, decide {' and '.join(answers)}; refer the rest to a person."


@dataclass(frozen=True)
class LeastExpectedCost:
    """The rule of more classes: the decision whose expected cost is least.

    Attributes:
        temperature: by which the logarithms of the probabilities are divided; above 1 where they are too sure.
        weights: (C,), deployment frequency of each class over its share of the items that the model was made for.
        costs: (C, C), true class by decision, in money.
        reject_cost: of referring an item to a person, in money; None where nobody can be asked.
    """

    temperature: float
    weights: tuple[float, ...]
    costs: tuple[tuple[float, ...], ...]
    reject_cost: float | None

    def decide(self, probabilities: ArrayLike) -> NDArray[np.int64]:
        """Probabilities (n, C) -> decisions (n,): a class, or C for a person; the first of those that cost the same.

        The probabilities are tempered (Guo et al. 2017), brought to the deployment's class frequencies (Saerens,
        Latinne and Decaestecker 2002, equation 2.4; Elkan 2001, section 3), and weighed with the costs (Elkan 2001,
        equation 1). An item is referred where every decision is expected to cost more than a person (Chow 1970).

        Raises:
            CropworthError: probabilities of another shape, not finite, or that do not add to 1.
        """
        given = np.maximum(checked_probabilities(probabilities, len(self.weights)), FLOOR)
        likely = (given / given.max(axis=1, keepdims=True)) ** (1 / self.temperature) * np.array(self.weights)
        expected = likely @ np.array(self.costs)  # (n, C), times the sum of `likely`
        decisions: NDArray[np.int64] = expected.argmin(axis=1)
        if self.reject_cost is not None:
            decisions[expected.min(axis=1) > self.reject_cost * likely.sum(axis=1)] = len(self.weights)
        return decisions

    def describe(self, classes: Sequence[str]) -> str:
        """The rule in one sentence, for the names of the classes."""
        asked = (
            ""
            if self.reject_cost is None
            else f", or refer to a person where each would cost over {number(self.reject_cost)}"
        )
        return (
            f"Decide for the one of {len(classes)} classes that is expected to cost least{asked}; "
            f"the probabilities are tempered by {number(self.temperature)}."
        )


Rule = Thresholds | LeastExpectedCost


def choose_rule(
    validation_probabilities: ArrayLike,
    validation_labels: ArrayLike,
    costs: ArrayLike,
    weights: ArrayLike | None = None,
    reject_cost: float | None = None,
) -> Rule:
    """Choose how to decide, on validation items: on test items the choice would flatter itself.

    Two classes: the thresholds at which the validation items, weighted, cost least in all. They need no calibrated
    probabilities. Of thresholds that cost the same the one is taken that would be right if the probabilities were
    calibrated (Elkan 2001, equation 2), or else the middle of the gap between probabilities that is nearest to it.
    More classes: a temperature by maximum likelihood (Guo et al. 2017), and then the decision of least expected cost.

    Args:
        validation_probabilities: (m, C).
        validation_labels: (m,), true classes, 0 to C - 1.
        costs: (C, C), true class by decision, in money; gains are below 0.
        weights: (C,), deployment frequency of each class over its share of the validation items; None: all 1.
        reject_cost: money for referring an item to a person; None where nobody can be asked.

    Raises:
        CropworthError: no items; shapes that do not fit; probabilities or costs that are not finite, or probabilities
            that do not add to 1; a label or weight out of range; a reject cost below 0; of two classes one without an
            item, or both dearer when read right than when read wrong.
    """
    probabilities = checked_probabilities(validation_probabilities)
    count = probabilities.shape[1]
    labels = _checked_labels(validation_labels, len(probabilities), count)
    prices = _checked_costs(costs, count)
    frequencies = _checked_weights(weights, count)
    if reject_cost is not None and not 0 <= reject_cost < np.inf:
        raise CropworthError(
            f"a reject cost of {reject_cost}", "a number, 0 or more", "Give what a person costs for one item."
        )
    if count == 2:
        return _thresholds(probabilities[:, 1], labels, prices, frequencies, reject_cost)
    return LeastExpectedCost(
        temperature=_temperature(probabilities, labels),
        weights=tuple(frequencies.tolist()),
        costs=tuple(tuple(row) for row in prices.tolist()),
        reject_cost=reject_cost,
    )


def bayes_thresholds(costs: Array, weights: Array, reject_cost: float | None = None) -> tuple[float, float]:
    """The thresholds (low, high) that are right for two classes where the probabilities are calibrated.

    Without a person both are w0 (C01 - C00) / (w0 (C01 - C00) + w1 (C10 - C11)), costs by true class and decision
    (Elkan 2001, equation 2). With one they are where the first class stops to be cheaper than asking, and the second
    starts to be (Chow 1970); the same as without where no probability makes asking the cheapest.

    Args:
        costs: (2, 2), true class by decision.
        weights: (2,), by which the classes are more frequent in deployment.
        reject_cost: of asking a person.
    """
    alone = _crossing(weights * (costs[:, 0] - costs[:, 1]))
    if reject_cost is None:
        return alone, alone
    low, high = _crossing(weights * (costs[:, 0] - reject_cost)), _crossing(weights * (reject_cost - costs[:, 1]))
    return (low, high) if low <= high else (alone, alone)


def _crossing(at: Array) -> float:
    """The probability p from which (1 - p) at[0] + p at[1] >= 0, `at` (2,); 1/2 where it always is 0."""
    if not at.any():
        return 0.5
    if at[0] < 0 < at[1]:
        return float(at[0] / (at[0] - at[1]))
    return 0.0 if at.sum() >= 0 else NEVER


def _thresholds(
    second: Array, labels: NDArray[np.int64], costs: Array, weights: Array, reject_cost: float | None
) -> Thresholds:
    """The thresholds of least cost on the items; `second` (m,), probabilities of the second class."""
    if len(np.unique(labels)) < 2:
        raise CropworthError(
            f"{len(labels)} validation items, all of class {labels[0]}",
            "validation items of both classes",
            "Give more validation items, or decide for the likeliest class.",
        )
    if (np.diag(costs) > np.diag(costs[:, ::-1])).all():
        raise CropworthError(
            f"costs {costs.tolist()}, by true class and decision, where both classes cost more read right than wrong",
            "at least one class that costs no more where it is read right",
            "Turn the signs round: costs are above 0, gains below.",
        )
    order = np.argsort(second)
    ends = np.concatenate(([-1.0], second[order], [NEVER]))
    kept = ends[:-1] < ends[1:]  # of the m + 1 places where the sorted items can be cut, those not within a tie
    gaps = ends[:-1][kept], ends[1:][kept]
    each = weights[labels[order]]
    as_first, as_second = (each * costs[labels[order], decision] for decision in (0, 1))
    low_target, high_target = bayes_thresholds(costs, weights, reject_cost)
    if reject_cost is None:
        cost = _below(as_first - as_second)[kept]
        place = _cheapest(cost, ROUNDING * (abs(as_first) + abs(as_second)).sum(), *gaps, high_target)
        threshold = _within(gaps[0][place], gaps[1][place], high_target)
        return Thresholds(threshold, threshold)
    asked = each * reject_cost
    rounding = ROUNDING * (abs(as_first) + abs(as_second) + asked).sum()
    first, rest = _below(as_first - asked)[kept], -_below(as_second - asked)[kept]
    # The cost is a sum of one part for each threshold, so for every high one the best low one is a running minimum.
    high_place = _cheapest(np.minimum.accumulate(first) + rest, rounding, *gaps, high_target)
    upto = slice(high_place + 1)
    low_place = _cheapest(first[upto], rounding, gaps[0][upto], gaps[1][upto], low_target)
    low, high = (
        _within(gaps[0][place], gaps[1][place], target)
        for place, target in ((low_place, low_target), (high_place, high_target))
    )
    return Thresholds(low, max(low, high))


def _below(values: Array) -> Array:
    """Sums of the first 0, 1, ... m of (m,) values: (m + 1,)."""
    return np.concatenate(([0.0], np.cumsum(values)))


def _cheapest(cost: Array, rounding: float, below: Array, above: Array, target: float) -> int:
    """The place of least cost (K,), of several the one whose gap (below, above] is nearest to the target."""
    tied = np.flatnonzero(cost <= cost.min() + rounding)
    away = np.maximum(np.maximum(below[tied] - target, target - above[tied]), 0.0)
    return int(tied[away.argmin()])


def _within(below: float, above: float, target: float) -> float:
    """The target if it lies in (below, above], else the middle of what of that are probabilities."""
    if below < target <= above:
        return float(target)
    middle = (max(below, 0.0) + min(above, 1.0)) / 2
    return float(middle if below < middle else above)


def _temperature(probabilities: Array, labels: NDArray[np.int64]) -> float:
    """The temperature of largest likelihood (Guo et al. 2017, section 4.2), with one item of every class mixed in.

    Without that item (as Platt 1999, section 2.2) a model that reads all of a few validation items right would be
    taken to be always right, and costs would no longer matter.
    """
    logs = np.log(np.maximum(probabilities, FLOOR))
    logs -= logs.max(axis=1, keepdims=True)
    mixed = 1 / (len(logs) + 1)
    aim = (1 - mixed) * logs[np.arange(len(logs)), labels].mean() + mixed * logs.mean()

    def slope(log_inverse: float) -> float:
        likely = np.exp(np.exp(log_inverse) * logs)
        return float((np.einsum("mc,mc->m", likely, logs) / likely.sum(axis=1)).mean() - aim)

    # The log-loss is convex in 1 / temperature: its slope rises, and is 0 once at most.
    low, high = -np.log(TEMPERATURES[1]), -np.log(TEMPERATURES[0])
    if slope(low) >= 0:
        return TEMPERATURES[1]
    if slope(high) <= 0:
        return TEMPERATURES[0]
    return float(np.exp(-optimize.brentq(slope, low, high, xtol=1e-9)))


def checked_probabilities(probabilities: ArrayLike, classes: int | None = None) -> Array:
    """Probabilities (n, C) as float64.

    Raises:
        CropworthError: another shape, fewer than two classes, no items, or rows that are not probabilities.
    """
    found = np.asarray(probabilities, dtype=np.float64)
    fits = found.ndim == 2 and found.shape[1] == (classes or found.shape[1]) and found.shape[1] >= 2
    if not fits or len(found) == 0:
        raise CropworthError(
            f"probabilities of shape {found.shape}",
            f"(items, {classes or 'classes'}), one item and two classes at least",
            "Give one row an item and one column a class.",
        )
    wrong = ~((found >= 0).all(axis=1) & (abs(found.sum(axis=1) - 1) <= MOST_OFF))
    if wrong.any():
        row = int(wrong.argmax())
        raise CropworthError(
            f"probabilities {np.array2string(found[row], precision=4, threshold=6)} in row {row}",
            "numbers from 0 to 1 that add to 1",
            "Give probabilities (after the softmax), and leave out the items of models that diverged.",
        )
    return found


def _checked_labels(labels: ArrayLike, items: int, classes: int) -> NDArray[np.int64]:
    found = np.asarray(labels)
    if found.shape != (items,) or not np.isin(found, np.arange(classes)).all():
        raise CropworthError(
            f"validation labels {np.array2string(found, threshold=6)}",
            f"{items} whole numbers from 0 to {classes - 1}",
            "Give the true class of each validation item.",
        )
    return found.astype(np.int64)


def _checked_costs(costs: ArrayLike, classes: int) -> Array:
    found = np.asarray(costs, dtype=np.float64)
    if found.shape != (classes, classes) or not np.isfinite(found).all():
        raise CropworthError(
            f"costs {found.tolist()}", f"{classes} rows of {classes} numbers", "Give one row a true class."
        )
    return found


def _checked_weights(weights: ArrayLike | None, classes: int) -> Array:
    found = np.ones(classes) if weights is None else np.asarray(weights, dtype=np.float64)
    if found.shape != (classes,) or not (np.isfinite(found).all() and found.min() >= 0 < found.max()):
        raise CropworthError(
            f"weights {found.tolist()}", f"{classes} numbers, none below 0 and one above", "Give one a class."
        )
    return found
