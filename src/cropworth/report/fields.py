"""The fields in which a reader of the page sets other prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cropworth.worth.economics import Economics
from cropworth.worth.prices import MOST

FIRST = ("predictions_per_year",)
AFTER_ERRORS = ("compute_price_per_hour", "engineering.once", "engineering.per_year", "discount_rate", "horizon_years")
FEW = 6  # error prices that stand among the other fields; more of them get a part of their own
MATRICES = ("cost_matrix", "value_matrix")
RATES = ("discount_rate", "growth", "compute_price_change")
# What stands behind a number; {} is the currency. Prices that are not here are amounts of it.
UNITS = {
    "predictions_per_year": "a year", "compute_price_per_hour": "{} an hour", "engineering.per_year": "{} a year",
    "discount_rate": "% a year", "growth": "% a year", "compute_price_change": "% a year", "utilisation": "%",
    "horizon_years": "years", "retrainings_per_year": "a year", "energy_price_per_kwh": "{} a kWh",
    "carbon_kg_per_kwh": "kg a kWh", "carbon_price_per_tonne": "{} a tonne", "watts": "W",
    "unit_costs.under": "{} a unit", "unit_costs.over": "{} a unit",
}  # fmt: skip
# Sliders of what does not span magnitudes, in the field's unit: from, to, step.
LINEAR = {
    "discount_rate": (0.0, 30.0, 0.5), "growth": (-50.0, 100.0, 1.0), "compute_price_change": (-50.0, 50.0, 1.0),
    "utilisation": (1.0, 100.0, 1.0), "horizon_years": (1.0, 10.0, 1.0),
}  # fmt: skip
# In the middle of a slider whose price is 0, which has no tenth and no tenfold.
TYPICAL = {"predictions_per_year": 1e6, "engineering.once": 1e4, "engineering.per_year": 1e4, "margin": 1e4}
MOST_TIMES = 1e6


@dataclass(frozen=True)
class Field:
    """One price, as the page lets a reader set it.

    Attributes:
        path: of the price; see `Economics.prices`.
        keys: the way to it in the economics.
        label: what it is called.
        unit: what stands behind the number.
        price: what the study used; a guess as a mapping of low, mode and high.
        times: whether the field holds what the price is multiplied by: of a guess, or of a matrix as a whole.
        percent: whether the price is told as a percentage.
        whole: whether only whole numbers are allowed.
        least: smallest number allowed, of the price or of what multiplies it.
        most: largest number allowed.
        linear: from, to and step of a slider in the field's unit; None for a slider by magnitudes.
        middle: in the middle of a slider by magnitudes.
        locked: why it cannot be set in the page; None where it can.
    """

    path: str
    keys: tuple[str | int, ...]
    label: str
    unit: str
    price: float | Mapping[str, float]
    times: bool
    percent: bool
    whole: bool
    least: float
    most: float
    linear: tuple[float, float, float] | None
    middle: float
    locked: str | None

    @property
    def guess(self) -> str:
        """Range of a price that is a guess, in words; empty of others."""
        if not isinstance(self.price, Mapping):
            return ""
        ends = {end: f"{100 * price if self.percent else price:,.12g}" for end, price in self.price.items()}
        unit = f" {self.unit}" if self.unit else ""
        return f"{ends['low']} to {ends['high']}{unit}, likeliest {ends['mode']}"

    @property
    def allowed(self) -> str:
        """What the field accepts, in words."""
        factor = 100 if self.percent and not self.times else 1
        what = "a whole number" if self.whole else "a number"
        if self.most == MOST:
            return f"{what} from 0" if self.least == 0 else what
        return f"{what} from {factor * self.least:,.12g} to {factor * self.most:,.12g}"


@dataclass(frozen=True)
class Fields:
    """All fields of a page.

    Attributes:
        main: those that every study has, and its error prices where they are few.
        errors: error prices, where they are many.
        others: all further prices.
    """

    main: tuple[Field, ...]
    errors: tuple[Field, ...]
    others: tuple[Field, ...]

    @property
    def every(self) -> tuple[Field, ...]:
        """All of them, in the page's order."""
        return (*self.main, *self.errors, *self.others)


def fields_of(economics: Economics, priced: Iterable[Mapping[str, Any]]) -> Fields:
    """The fields for a study's prices.

    Args:
        economics: of the study.
        priced: the prices that the page appraises by, as `what_if` tells them.
    """
    shown = {price["path"]: price for price in priced if price["shown"]}
    errors = [path for path, price in shown.items() if price["group"] == "errors"]
    few, many = (errors, []) if len(errors) <= FEW else ([], errors)
    main = [path for path in (*FIRST, *few, *AFTER_ERRORS) if path in shown]
    others = [path for path in shown if path not in (*main, *many)]
    return Fields(*(tuple(_field(shown[path], economics) for path in part) for part in (main, many, others)))


def _field(price: Mapping[str, Any], economics: Economics) -> Field:
    path, value = price["path"], price["value"]
    guess = value if isinstance(value, dict) else None
    times, percent = guess is not None or path in MATRICES, price["share"] or path in RATES
    least, most = (0.0, _most_times(price)) if times else (price["least"], price["most"])
    return Field(
        path=path,
        keys=_keys(path, economics),
        label=price["label"],
        unit=_unit(path, percent, economics),
        price=value,
        times=times,
        percent=percent,
        whole=path == "horizon_years",
        least=least,
        most=most,
        linear=None if times or path not in LINEAR else _reaching(LINEAR[path], value * (100 if percent else 1)),
        middle=1.0 if times else value or TYPICAL.get(path, 1.0),
        locked=price["locked"],
    )


def _keys(path: str, economics: Economics) -> tuple[str | int, ...]:
    """The way to a price; names of classes may hold dots."""
    root, _, rest = path.partition(".")
    if not rest or root not in MATRICES:
        return (root, rest) if rest else (root,)
    return next((root, true, decided) for entry, true, decided, _ in economics.entries(root) if entry == path)


def _unit(path: str, percent: bool, economics: Economics) -> str:
    if path in MATRICES:
        return ""
    return UNITS.get(path, "%" if percent else "{}").format(economics.currency)


def _most_times(price: Mapping[str, Any]) -> float:
    """What a price may be multiplied by and stay allowed."""
    if not isinstance(price["value"], dict):
        return MOST_TIMES
    low, high = price["value"]["low"], price["value"]["high"]
    ends = [price["most"] / high] if high > 0 else []
    ends += [price["least"] / low] if low < 0 else []
    return float(min([*ends, MOST_TIMES]))


def _reaching(slider: tuple[float, float, float], number: float) -> tuple[float, float, float]:
    """The slider, made longer where the study's number lies outside it."""
    start, end, step = slider
    return min(start, number), max(end, number), step
