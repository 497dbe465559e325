"""`Economics`: the prices of a plan, and nothing that a price is not said in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from cropworth.config import Config, parse, parse_scalar
from cropworth.errors import CropworthError

# Variances multiply two of these and square the product twice; larger ones would leave the range of a float.
MOST = 1e18

Money = Annotated[float, Field(ge=0, le=MOST)]


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
    Annotated[dict[str, dict[str, Money]], Tag("<names>")] | Annotated[list[list[Money]], Tag("<rows>")],
    Discriminator(_matrix_kind),
]


class Engineering(Config):
    """What people cost who build and keep the candidate. Every candidate is charged the same."""

    once: Money = 0.0
    per_year: Money = 0.0


class Economics(Config):
    """Prices and volumes. Money is in `currency`; what is not given counts as 0 and is listed as not priced."""

    note: str = ""
    """Where the prices come from."""
    currency: str = Field(default="EUR", min_length=1)
    horizon_years: int = Field(default=3, ge=1, le=100)
    """Years over which money is counted."""
    discount_rate: float = Field(default=0.0, ge=0, lt=10)
    """A year; 0.08 is 8 %."""
    predictions_per_year: float = Field(default=0.0, ge=0, le=MOST)
    cost_per_error: Money = 0.0
    """Of any wrong prediction; of a regression, of each unit by which the number is wrong."""
    cost_matrix: Annotated[CostMatrix | None, BeforeValidator(_names_as_text)] = None
    """Of each prediction, instead of `cost_per_error`: by true class and then predicted class, by name (what is left
    out costs 0) or as rows in the order of the classes."""
    stake: Money = 0.0
    """Money in each decision, where the data say what decisions bring: their payoffs are shares of it."""
    compute_price_per_hour: Money = 0.0
    """Of the machine that the study ran on."""
    retrainings_per_year: float = Field(default=0.0, ge=0, le=MOST)
    engineering: Engineering = Engineering()
    margin: Money = 0.0
    """Net present value below which nobody would bother."""

    @model_validator(mode="after")
    def _one_price_of_errors(self) -> Self:
        if self.cost_matrix is not None and "cost_per_error" in self.model_fields_set:
            raise ValueError("both cost_per_error and cost_matrix; give one of them")
        return self

    @property
    def not_priced(self) -> tuple[str, ...]:
        """Prices that were not given, by their path."""
        given = set(self.model_fields_set)
        if self.cost_matrix is not None or "stake" in given:
            given.add("cost_per_error")
        prices = ("predictions_per_year", "cost_per_error", "stake", "compute_price_per_hour", "retrainings_per_year")
        absent = [name for name in prices if name not in given]
        return (
            *absent,
            *(f"engineering.{n}" for n in ("once", "per_year") if n not in self.engineering.model_fields_set),
        )

    def check_classes(self, classes: Sequence[str]) -> None:
        """Refuse a cost matrix for other classes.

        Raises:
            CropworthError: an unknown class, or another number of rows or columns.
        """
        self.cost_table(classes)

    def cost_table(self, classes: Sequence[str]) -> NDArray[np.float64]:
        """Cost of every prediction: (C, C), true class by predicted class.

        Raises:
            CropworthError: the cost matrix is for other classes.
        """
        count = len(classes)
        if self.cost_matrix is None:
            return self.cost_per_error * (1.0 - np.eye(count))
        if isinstance(self.cost_matrix, list):
            if len(self.cost_matrix) != count or any(len(row) != count for row in self.cost_matrix):
                raise CropworthError(
                    f"economics.cost_matrix with rows of {[len(row) for row in self.cost_matrix]}",
                    f"{count} rows of {count} costs, in the order {', '.join(classes)}",
                    "Mend it, or give costs by class name.",
                )
            return np.array(self.cost_matrix, dtype=np.float64)
        table = np.zeros((count, count))
        for true, row in self.cost_matrix.items():
            for predicted, cost in row.items():
                unknown = [name for name in (true, predicted) if name not in classes]
                if unknown:
                    raise CropworthError(
                        f"economics.cost_matrix for the class {unknown[0]!r}",
                        f"classes of the study: {', '.join(classes)}",
                        "Use the study's class names.",
                    )
                table[classes.index(true), classes.index(predicted)] = cost
        return table


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
