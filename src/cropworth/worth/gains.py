"""From predictions to what they gain: quantities that prices multiply, per seed and test item.

Of each prediction a few quantities are lost (errors of each kind, a person's time, a payoff missed). Prices multiply
them, class frequencies weigh the classes; both may then change without a look at the predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import mul

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cropworth.errors import CropworthError
from cropworth.functions import load_function
from cropworth.study.record import Record, Study
from cropworth.worth.decisions import Rule, choose_rule
from cropworth.worth.economics import Economics
from cropworth.worth.interval import TwoWay, two_way
from cropworth.worth.prices import mean
from cropworth.worth.value import Priced, TradingSignal

Array = NDArray[np.float64]
Prices = Mapping[str, ArrayLike]
FEW = 30  # test items of a class; with fewer, rare and dear errors are seen too seldom (docs/results/calibration.md)


@dataclass(frozen=True)
class Strata:
    """Classes whose frequencies in the deployment are known, and so need not be the test set's.

    Attributes:
        of_item: (n,), each test item's stratum; below 0 for a class that does not occur in the deployment.
        names: what each stratum is, for messages.
        shares: prices -> (..., K), how often each occurs.
        priced: whether a price decides that, and so may be varied like the others.
    """

    of_item: NDArray[np.int64]
    names: tuple[str, ...]
    shares: Callable[[Prices], Array]
    priced: bool = False


class Pricing:
    """What of a study's predictions is priced.

    Args:
        study: at least one record.
        economics: the prices.
        apart: whether each entry of a matrix is a quantity by itself; see `Economics.priced`.

    Raises:
        CropworthError: the prices do not fit the study's classes, items or records.
    """

    def __init__(self, study: Study, economics: Economics, apart: bool = False) -> None:
        self.economics, self.classes, self.columns = economics, study.classes, study.columns
        self.first = study.records[0]
        economics.check_classes(study.classes)
        self.priced: list[Priced] = economics.priced(study.classes, apart) if study.classes else []
        self.strata = _strata(economics, study.classes, self.first.labels)
        self.value_fn = None if economics.value_fn is None else load_function(economics.value_fn, "value_fn")
        if isinstance(economics.value, TradingSignal) and self.first.values is None:
            raise CropworthError(
                "economics.value: trading-signal, of test items without a value each",
                "what a long position returns, item by item",
                "Give the items a value, or price the data's own payoffs by economics.stake.",
            )
        self.paths: list[tuple[str, ...]] = self._paths()

    @cached_property
    def means(self) -> dict[str, float]:
        """The prices that an estimate is made with, by path."""
        return {path: mean(price) for path, price in self.economics.prices().items()}

    def _paths(self) -> list[tuple[str, ...]]:
        if self.value_fn is not None:
            return [("value_fn",)]
        if not self.classes:
            return [("unit_costs.under",), ("unit_costs.over",)] if self.economics.unit_costs else [("cost_per_error",)]
        with_payoffs = [("stake",)] if self.first.payoffs is not None else []
        with_reject = [("reject_cost",)] if self.economics.reject_cost is not None else []
        return [*(priced.paths for priced in self.priced), *with_payoffs, *with_reject]

    @property
    def scarce(self) -> tuple[str, ...]:
        """Classes that have a frequency and few test items, a sentence each."""
        if len(self.strata.names) < 2:
            return ()
        sizes = [int((self.strata.of_item == stratum).sum()) for stratum in range(len(self.strata.names))]
        return tuple(
            f"Only {size} test items of {name}: what they do not show, no interval knows. Test on {FEW} or more."
            for name, size in zip(self.strata.names, sizes, strict=True)
            if size < FEW
        )

    @cached_property
    def unit(self) -> Array:
        """(K, P, P), mean product of what the quantities change by where an item is read wrong instead of right.

        Over the items of each stratum and their wrong classes; see `two_way`. Payoffs, referrals, numbers and functions
        have no such unit: 0.
        """
        strata, quantities = len(self.strata.names), len(self.paths)
        unit = np.zeros((strata, quantities, quantities))
        if self.value_fn is not None or not self.priced:
            return unit
        lost = np.stack([priced.lost for priced in self.priced], axis=-1)  # (C, C, P)
        change = lost - lost[np.arange(len(lost)), np.arange(len(lost))][:, None]
        of_class = np.einsum("yjp,yjq->ypq", change, change) / max(1, len(lost) - 1)
        of_value = np.array([priced.of_value for priced in self.priced], dtype=np.int64)
        values = np.ones(len(self.first.labels)) if self.first.values is None else self.first.values.astype(np.float64)
        powers = of_value[:, None] + of_value  # how often an item's value stands in the product of two quantities
        for stratum in range(strata):
            inside = self.strata.of_item == stratum
            sums = [np.bincount(self.first.labels[inside], values[inside] ** power, len(lost)) for power in range(3)]
            part = np.einsum("pqy,ypq->pq", np.stack(sums)[powers], of_class) / inside.sum()
            unit[stratum, : len(self.priced), : len(self.priced)] = part
        return unit

    def lost(self, record: Record) -> Array:
        """What each prediction loses of each quantity: (n, P), at prices of 1."""
        if record.numbers is not None and self.value_fn is None:
            over = record.numbers.astype(np.float64) - record.labels
            parts = [np.maximum(-over, 0), np.maximum(over, 0)] if self.economics.unit_costs else [np.abs(over)]
            return np.stack(parts, axis=-1)
        decided = self.decide(record)
        if self.value_fn is not None:
            return -self._earned(record, decided)[:, None]
        referred = decided == len(self.classes)
        chosen = np.where(referred, 0, decided)
        columns = []
        for priced in self.priced:
            lost = np.where(referred, 0.0, priced.lost[record.labels, chosen])
            columns.append(lost * record.values if priced.of_value and record.values is not None else lost)
        if record.payoffs is not None:
            columns.append(np.where(referred, 0.0, -record.payoffs[np.arange(len(chosen)), chosen].astype(np.float64)))
        if self.economics.reject_cost is not None:
            columns.append(referred.astype(np.float64))
        return np.stack(columns, axis=-1)

    def decide(self, record: Record) -> NDArray[np.int64]:
        """(n,) the class that is decided for, or the number of classes where a person is asked."""
        if record.numbers is not None or self.economics.decision == "likeliest":
            assert record.predictions is not None
            return record.predictions  # type: ignore[return-value]
        assert record.probabilities is not None
        return self.rule(record).decide(record.probabilities)

    def rule(self, record: Record) -> Rule:
        """How `least-cost` decides after this training: tuned on the record's own validation items."""
        if record.validation_probabilities is None or record.validation_labels is None:
            raise CropworthError(
                f"decision: least-cost, and no probabilities of validation items in {record.trial}",
                "records with them, so that thresholds need not be chosen on test items",
                "Train again with this version, give rows with the split validation, or use decision: likeliest.",
            )
        costs = sum((_product(p.paths, self.means) * p.lost for p in self.priced), np.zeros((len(self.classes),) * 2))
        labels = record.validation_labels
        return choose_rule(
            record.validation_probabilities,
            labels,
            costs,
            weights=self._deployment_weights(labels, self.means),
            reject_cost=self.means.get("reject_cost"),
        )

    def _deployment_weights(self, labels: NDArray[np.int64], prices: Prices) -> Array:
        """(C,), each class's frequency in the deployment over its share of these items."""
        count = len(self.classes)
        strata = _strata(self.economics, self.classes, labels)
        shares = strata.shares(prices)
        sizes = np.bincount(strata.of_item[strata.of_item >= 0], minlength=len(strata.names))
        weights = np.zeros(count)
        for label in range(count):
            own = strata.of_item[labels == label]
            if len(own) and own[0] >= 0:
                weights[label] = shares[own[0]] * len(labels) / sizes[own[0]]
        return weights

    def _earned(self, record: Record, decided: NDArray[np.int64]) -> Array:
        assert self.value_fn is not None
        names = [*self.classes, "refer"]
        columns = {**self.columns, **{n: v for n in ("value", "weight") if (v := getattr(record, f"{n}s")) is not None}}
        earned = np.empty(len(record.labels))
        for item, (label, prediction) in enumerate(zip(record.labels.tolist(), decided.tolist(), strict=True)):
            row = {name: column[item] for name, column in columns.items()}
            truth, answer = (names[label], names[prediction]) if self.classes else (label, prediction)
            earned[item] = self.value_fn(truth, answer, row)
        if not np.isfinite(earned).all():
            raise CropworthError(
                f"{self.economics.value_fn} giving {earned[~np.isfinite(earned)][0]} for an item",
                "money, a finite number",
                "Mend the function.",
            )
        return earned

    def coefficients(self, prices: Prices) -> Array:
        """What multiplies the means of `summarise`: (..., K, P), of prices (...); K is 1 unless shares are priced."""
        if not self.strata.priced:
            return self.amounts(prices)[..., None, :]
        return np.asarray(self.strata.shares(prices)[..., :, None] * self.amounts(prices)[..., None, :])

    def amounts(self, prices: Prices) -> Array:
        """Money for one of each quantity: (..., P)."""
        return np.stack(np.broadcast_arrays(*(_product(paths, prices) for paths in self.paths)), axis=-1)

    def item_weights(self, prices: Prices) -> Array:
        """(n,) what makes a plain mean over the items the mean over the deployment; 1 on average."""
        of_item, shares = self.strata.of_item, self.strata.shares(prices)
        weights = np.ones(len(of_item)) if self.first.weights is None else self.first.weights.astype(np.float64)
        totals = np.bincount(np.maximum(of_item, 0), np.where(of_item >= 0, weights, 0.0), len(shares))
        return np.where(of_item >= 0, weights * shares[of_item] / totals[of_item], 0.0) * len(of_item)

    def summary(self, baseline: Sequence[Array], candidate: Sequence[Array]) -> TwoWay:
        """What the candidate's predictions gain over the baseline's, both (n, P) a seed."""
        return self.summarise(np.stack(baseline) - np.stack(candidate))

    def summarise(self, gained: Array) -> TwoWay:
        """Means over items, and how they vary, of gains (S seeds, n items, P quantities)."""
        found = self.by_stratum(gained)
        if self.strata.priced:
            return found
        candidates = gained.shape[-1] // len(self.paths)
        return found.merged(self.strata.shares(self.means), np.tile(self.amounts(self.means), candidates))

    def by_stratum(self, gained: Array) -> TwoWay:
        """The same with all strata apart, whether or not their shares may vary."""
        inside = self.strata.of_item >= 0
        weights = None if self.first.weights is None else self.first.weights[inside].astype(np.float64)
        candidates = gained.shape[-1] // len(self.paths)  # one, or several side by side
        unit: Array = np.kron(np.eye(candidates), self.unit).astype(np.float64)
        return two_way(gained[:, inside], self.strata.of_item[inside], len(self.strata.names), weights, unit)


def _product(paths: Sequence[str], prices: Prices) -> Array:
    return np.asarray(reduce(mul, (np.asarray(prices[path], dtype=np.float64) for path in paths)))


def _strata(economics: Economics, classes: Sequence[str], labels: NDArray[np.int64] | NDArray[np.float32]) -> Strata:
    """How the items are to be weighed.

    Raises:
        CropworthError: a class occurs in the deployment, but there is no item of it.
    """
    everywhere = Strata(np.zeros(len(labels), dtype=np.int64), ("all",), lambda _: np.ones(1))
    finding = economics.finding
    if not classes:
        return everywhere
    if finding is not None:
        path = f"value.{finding.share_by}"
        of_item = np.where(labels == list(classes).index(finding.wanted), 0, 1)
        found = Strata(of_item, (finding.wanted, "all others"), lambda prices: _two_shares(prices[path]), priced=True)
    elif economics.class_frequencies is not None:
        names = tuple(name for name in classes if economics.class_frequencies.get(name, 0) > 0)
        of_class = np.array([names.index(name) if name in names else -1 for name in classes])
        fixed = np.array([economics.class_frequencies[name] for name in names])
        found = Strata(of_class[labels], names, lambda _: fixed)
    else:
        return everywhere
    for stratum, name in enumerate(found.names):
        if not (found.of_item == stratum).any():
            raise CropworthError(
                f"a frequency in the deployment for {name!r}, of which there is no item",
                "at least one test item, and where thresholds are tuned one validation item, of each class",
                "Add items, or leave the class out of the frequencies.",
            )
    return found


def _two_shares(share: ArrayLike) -> Array:
    return np.stack([np.asarray(share, dtype=np.float64), 1 - np.asarray(share, dtype=np.float64)], axis=-1)
