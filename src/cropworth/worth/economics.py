"""`Economics`: the prices of a plan, and nothing that a price is not said in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from cropworth.config import Config, nearest, parse, parse_scalar
from cropworth.errors import CropworthError
from cropworth.worth.prices import MOST, Amount, Change, Range, Rate, Share, Signed, mean
from cropworth.worth.value import Finding, Priced, Template, TradingSignal

Array = NDArray[np.float64]


def _names_as_text(matrix: Any) -> Any:
    """YAML reads the class name 7 as a number; class names are text."""
    if not isinstance(matrix, Mapping):
        return matrix
    return {
        str(true): {str(predicted): cost for predicted, cost in row.items()} if isinstance(row, Mapping) else row
        for true, row in matrix.items()
    }


def _matrix_kind(matrix: Any) -> str:
    return "<rows>" if isinstance(matrix, list) else "<names>"


CostMatrix = Annotated[
    Annotated[dict[str, dict[str, Amount]], Tag("<names>")] | Annotated[list[list[Amount]], Tag("<rows>")],
    Discriminator(_matrix_kind),
]
ValueMatrix = Annotated[
    Annotated[dict[str, dict[str, Signed]], Tag("<names>")] | Annotated[list[list[Signed]], Tag("<rows>")],
    Discriminator(_matrix_kind),
]


class Engineering(Config):
    """What people cost who build and keep the candidate. Every candidate is charged the same."""

    once: Amount = 0.0
    per_year: Amount = 0.0


class UnitCosts(Config):
    """Of a regression: what each unit costs by which a number is predicted too small or too large."""

    under: Amount
    over: Amount


class Instance(Config):
    """A kind of machine that predictions may run on."""

    name: str
    memory_gb: float = Field(gt=0)
    """Memory, in units of 10^9 bytes."""
    price_per_hour: Annotated[float, Field(ge=0, le=MOST)]


class Economics(Config):
    """Prices and volumes. Money is in `currency`; what is not given counts as 0 and is listed as not priced.

    A price is a number, or {low, mode, high} where it is a guess.
    """

    note: str = ""
    """Where the prices come from."""
    as_of: date | None = None
    """The day that the prices are of."""
    currency: str = Field(default="EUR", min_length=1)
    horizon_years: int = Field(default=3, ge=1, le=100)
    """Years over which money is counted."""
    discount_rate: Rate = 0.0
    """A year; 0.08 is 8 %."""
    predictions_per_year: Amount = 0.0
    """In the first year."""
    growth: Change = 0.0
    """Of the predictions, a year; 0.1 is 10 % more each year than in the one before."""

    cost_per_error: Amount = 0.0
    """Of any wrong prediction; of a regression, of each unit by which the number is wrong. Where the data give each
    item a value, of each unit of that value."""
    cost_matrix: Annotated[CostMatrix | None, BeforeValidator(_names_as_text)] = None
    """Of each prediction, instead of `cost_per_error`: by true class and then predicted class, by name (what is left
    out costs 0) or as rows in the order of the classes."""
    value_matrix: Annotated[ValueMatrix | None, BeforeValidator(_names_as_text)] = None
    """The same with gains above 0 and losses below."""
    unit_costs: UnitCosts | None = None
    """Of a regression, instead of `cost_per_error`, where too small and too large cost differently."""
    value: Template | None = None
    """A ready value model; `cropworth economics NAME` prints and explains each."""
    value_fn: str | None = None
    """`your_module:function`, called as function(y_true, prediction, row) -> what the prediction earns, in money."""
    stake: Amount = 0.0
    """Money in each decision, where the data say what decisions bring: their payoffs are shares of it."""
    class_frequencies: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    """How often each class occurs where the model is used; by default, as in the test set."""
    decision: Literal["likeliest", "least-cost"] = "likeliest"
    """Which class is decided for: the likeliest, or the one whose expected cost is least, by a threshold (two classes)
    or probabilities (more) that are tuned on validation items."""
    reject_cost: Amount | None = None
    """Of referring an item to a person, which `least-cost` then may."""

    compute_price_per_hour: Amount = 0.0
    """Of the machine that the study ran on."""
    compute_price_change: Change = 0.0
    """A year; -0.2 is 20 % cheaper each year."""
    utilisation: Share = 1.0
    """Share of the paid time in which the machines predict."""
    instances: tuple[Instance, ...] = ()
    """Machines that predictions may run on: each variant takes the cheapest whose memory it fits."""
    watts: Amount | None = None
    """Power of the machine at work, from which energy is estimated where it was not measured."""
    energy_price_per_kwh: Amount = 0.0
    carbon_kg_per_kwh: Amount = 0.0
    carbon_price_per_tonne: Amount = 0.0
    retrainings_per_year: Amount = 0.0
    engineering: Engineering = Engineering()
    price_per_label: Amount | None = None
    """Of one more labelled test item; says whether more of them are worth their price."""
    margin: Annotated[float, Field(ge=0, le=MOST)] = 0.0
    """Net present value below which nobody would bother."""

    @field_validator("class_frequencies", mode="before")
    @classmethod
    def _classes_as_text(cls, frequencies: Any) -> Any:
        return {str(k): v for k, v in frequencies.items()} if isinstance(frequencies, Mapping) else frequencies

    @model_validator(mode="after")
    def _one_value_model(self) -> Self:
        given = [name for name in VALUE_MODELS if getattr(self, name) is not None and name in self.model_fields_set]
        if len(given) > 1:
            raise ValueError(f"both {given[0]} and {given[1]}; give one of them")
        if self.class_frequencies is not None:
            total = sum(self.class_frequencies.values())
            if abs(total - 1) > 1e-6:
                raise ValueError(f"class_frequencies that add to {total:g}; they must add to 1")
            if self.finding is not None:
                raise ValueError(f"both class_frequencies and value.{self.finding.share_by}; give one of them")
        if self.reject_cost is not None and self.decision != "least-cost":
            raise ValueError("a reject_cost without decision: least-cost, which alone may refer to a person")
        if (self.utilisation.low if isinstance(self.utilisation, Range) else self.utilisation) <= 0:
            raise ValueError("a utilisation of 0; machines that never predict cannot be paid for by the prediction")
        by_class = not isinstance(self.value, TradingSignal) and self.value_fn is None and self.unit_costs is None
        if self.decision == "least-cost" and not by_class:
            raise ValueError("decision: least-cost without costs by class; they alone say which decision costs least")
        return self

    @property
    def shares(self) -> frozenset[str]:
        """Paths of prices that are parts of a whole, and so at most 1."""
        names = () if self.value is None else self.value.shares
        return frozenset({"utilisation", *(f"value.{name}" for name in names)})

    @property
    def finding(self) -> Finding | None:
        """The value model, where it is one that looks for a class."""
        return self.value if isinstance(self.value, Finding) else None

    @property
    def not_priced(self) -> tuple[str, ...]:
        """Prices that were not given, by their path."""
        given = set(self.model_fields_set)
        if given & {*VALUE_MODELS, "stake"}:
            given.add("cost_per_error")
        prices = ("predictions_per_year", "cost_per_error", "stake", "compute_price_per_hour", "retrainings_per_year")
        absent = [name for name in prices if name not in given]
        return (
            *absent,
            *(f"engineering.{n}" for n in ("once", "per_year") if n not in self.engineering.model_fields_set),
        )

    def prices(self) -> dict[str, float | Range]:
        """Every price by its path. That of a matrix as a whole is 1, and multiplies all of it that is no guess."""
        found: dict[str, float | Range] = {name: getattr(self, name) for name in PRICES}
        for name in ("watts", "reject_cost", "price_per_label"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        for part in ("engineering", "unit_costs", "value"):
            model = getattr(self, part)
            if model is not None:
                numbers = {n: v for n in type(model).model_fields if isinstance(v := getattr(model, n), float | Range)}
                found |= {f"{part}.{name}": price for name, price in numbers.items()}
        for name in ("cost_matrix", "value_matrix"):
            if getattr(self, name) is not None:
                found |= {name: 1.0} | {
                    path: price for path, _, _, price in self.entries(name) if isinstance(price, Range)
                }
        if self.value_fn is not None:
            found["value_fn"] = 1.0
        return found

    def check_classes(self, classes: Sequence[str]) -> None:
        """Refuse prices for other classes.

        Raises:
            CropworthError: an unknown class, or another number of rows or columns.
        """
        if classes:
            self.priced(classes)
        for name in self.class_frequencies or {}:
            _check_class("class_frequencies", name, classes)

    def priced(self, classes: Sequence[str], apart: bool = False) -> list[Priced]:
        """What is priced of each prediction of one of these classes, but for `stake`, `value_fn` and rejection.

        Args:
            classes: their names.
            apart: whether each entry of a matrix is a quantity by itself, also where it is known.

        Raises:
            CropworthError: the prices are for other classes.
        """
        count = len(classes)
        if self.value is not None:
            return self.value.priced(classes)
        for name, sign in (("cost_matrix", 1.0), ("value_matrix", -1.0)):
            if getattr(self, name) is not None:
                return self._priced_matrix(name, sign, classes, apart)
        return [Priced(("cost_per_error",), 1.0 - np.eye(count), of_value=True)]

    def _priced_matrix(self, name: str, sign: float, classes: Sequence[str], apart: bool) -> list[Priced]:
        """One quantity for all entries that are numbers, and one for each that is a guess, or that is apart."""
        count = len(classes)
        matrix = getattr(self, name)
        if isinstance(matrix, list) and (len(matrix) != count or any(len(row) != count for row in matrix)):
            raise CropworthError(
                f"economics.{name} with rows of {[len(row) for row in matrix]}",
                f"{count} rows of {count} costs, in the order {', '.join(classes)}",
                "Mend it, or give costs by class name.",
            )
        fixed, alone = np.zeros((count, count)), []
        for path, true, decided, price in self.entries(name):
            row, column = (key if isinstance(key, int) else _check_class(name, key, classes) for key in (true, decided))
            if apart and row == column and price == 0:
                continue  # what is right and costs nothing is no quantity
            if apart or isinstance(price, Range):
                one = np.zeros((count, count))
                one[row, column] = sign
                alone.append(Priced((path,), one, of_value=True))
            else:
                fixed[row, column] = sign * price
        return alone if apart else [Priced((name,), fixed, of_value=True), *alone]

    def entries(self, name: str) -> list[tuple[str, str | int, str | int, float | Range]]:
        """Path, true class, decision and price of each entry of a matrix."""
        matrix = getattr(self, name)
        rows = matrix.items() if isinstance(matrix, dict) else enumerate(matrix)
        return [
            (f"{name}.{true}.{decided}", true, decided, price)
            for true, row in rows
            for decided, price in (row.items() if isinstance(row, dict) else enumerate(row))
        ]

    @property
    def error_price(self) -> str:
        """Path of the price of an error that sweeps vary; of a matrix, a multiple of all of it."""
        if self.value is not None:
            return self.value.main_price
        for name in ("cost_matrix", "value_matrix", "value_fn"):
            if getattr(self, name) is not None:
                return name
        if self.unit_costs is not None:
            return "unit_costs.under"
        return "cost_per_error" if "cost_per_error" in self.model_fields_set or not mean(self.stake) else "stake"


VALUE_MODELS = ("cost_per_error", "cost_matrix", "value_matrix", "unit_costs", "value", "value_fn")
PRICES = (
    "discount_rate", "predictions_per_year", "growth", "cost_per_error", "stake", "compute_price_per_hour",
    "compute_price_change", "utilisation", "energy_price_per_kwh", "carbon_kg_per_kwh", "carbon_price_per_tonne",
    "retrainings_per_year",
)  # fmt: skip


def _check_class(key: str, name: str, classes: Sequence[str]) -> int:
    """The index of a class."""
    if name not in classes:
        raise CropworthError(
            f"economics.{key} for the class {name!r}",
            f"classes of the study: {', '.join(classes)}",
            f"Use the study's class names. {nearest(name, list(classes))}",
        )
    return list(classes).index(name)


def read_economics(values: Mapping[str, Any], overrides: Sequence[str] = ()) -> Economics:
    """Check a plan's prices, some of them changed.

    Args:
        values: the plan's ``economics``.
        overrides: such as ``economics.predictions_per_year=5e6``; the value is read as YAML.

    Raises:
        CropworthError: names the path of what is wrong.
    """
    changed: dict[str, Any] = dict(values)
    for override in overrides:
        path, equals, text = override.partition("=")
        root, *keys = path.strip().split(".")
        if not equals or root != "economics" or not keys:
            raise CropworthError(
                f"--set {override}", "a price, such as economics.predictions_per_year=5e6", "Write it like that."
            )
        if keys == ["cost_per_error"]:
            changed.pop("cost_matrix", None)
        if keys == ["cost_matrix"]:
            changed.pop("cost_per_error", None)
        if "cost_matrix" in changed:
            changed["cost_matrix"] = _names_as_text(changed["cost_matrix"])
        _put(changed, keys, parse_scalar(text), override)
    return parse(Economics, changed, "economics")


def _put(values: dict[str, Any], keys: list[str], value: object, override: str) -> None:
    """Set a nested value; the mappings on the way are copied, for they belong to the caller."""
    for depth, key in enumerate(keys[:-1], start=1):
        inner = values.get(key)
        if inner is not None and not isinstance(inner, Mapping):
            path = ".".join(["economics", *keys[:depth]])
            raise CropworthError(
                f"--set {override}, while {path} is {inner!r}", "a mapping of names there", f"Set {path} as a whole."
            )
        values[key] = dict(inner or {})
        values = values[key]
    values[keys[-1]] = value
