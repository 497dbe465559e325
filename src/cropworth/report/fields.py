"""The fields in which a reader of the page sets other prices: what each is called, holds and allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cropworth.worth.economics import VALUE_MODELS, Economics
from cropworth.worth.prices import AMOUNT, CHANGE, RATE, SHARE, SIGNED, Bounds, Range

# Labels and units; {} is the currency.
WORDS = {
    "predictions_per_year": ("Predictions", "a year"),
    "cost_per_error": ("Cost of an error", "{}"),
    "stake": ("Stake", "{}"),
    "unit_costs.under": ("Predicted too small", "{} a unit"),
    "unit_costs.over": ("Predicted too large", "{} a unit"),
    "compute_price_per_hour": ("Compute price", "{} an hour"),
    "engineering.once": ("Engineering, once", "{}"),
    "engineering.per_year": ("Engineering, each year", "{} a year"),
    "discount_rate": ("Discount rate", "% a year"),
    "horizon_years": ("Horizon", "years"),
    "growth": ("Growth of predictions", "% a year"),
    "compute_price_change": ("Change of the compute price", "% a year"),
    "utilisation": ("Utilisation", "%"),
    "energy_price_per_kwh": ("Energy price", "{} a kWh"),
    "carbon_kg_per_kwh": ("Carbon", "kg a kWh"),
    "carbon_price_per_tonne": ("Carbon price", "{} a tonne"),
    "retrainings_per_year": ("Retrainings", "a year"),
    "watts": ("Power of the machine", "W"),
    "reject_cost": ("Cost of a referral", "{}"),
    "margin": ("Margin", "{}"),
}
BEFORE_ERRORS = ("predictions_per_year",)
AFTER_ERRORS = ("compute_price_per_hour", "engineering.once", "engineering.per_year", "discount_rate", "horizon_years")
OTHERS = tuple(WORDS)[tuple(WORDS).index("growth") :]
BOUNDS = {
    "discount_rate": RATE, "growth": CHANGE, "compute_price_change": CHANGE, "horizon_years": Bounds(1, 100),
}  # fmt: skip
# Sliders of what does not span magnitudes, in the field's unit: from, to, step.
LINEAR = {
    "discount_rate": (0.0, 30.0, 0.5), "growth": (-50.0, 100.0, 1.0), "compute_price_change": (-50.0, 50.0, 1.0),
    "utilisation": (1.0, 100.0, 1.0), "horizon_years": (1.0, 10.0, 1.0),
}  # fmt: skip
PERCENT = {"discount_rate", "growth", "compute_price_change"}
# In the middle of a slider whose price is 0, which has no tenth and no tenfold.
TYPICAL = {"predictions_per_year": 1e6, "engineering.once": 1e4, "engineering.per_year": 1e4, "watts": 100.0}
MATRICES = ("cost_matrix", "value_matrix")
FEW = 6  # error prices that stand among the other fields; more of them get a part of their own
LOCKED = (
    "Which decision costs least, and so which threshold is best, follows from this price: the study would have to be "
    "retuned. cropworth appraise DIR --set does so."
)


@dataclass(frozen=True)
class Field:
    """One price, as the page lets a reader set it.

    Attributes:
        path: of the price; see `Economics.prices`.
        keys: the way to it in the economics.
        label: what it is called.
        unit: what stands behind the number.
        hint: more words on it; may be empty.
        price: what the study used; a guess as a mapping of low, mode and high.
        times: whether the field holds what the price is multiplied by: of a guess, or of a matrix as a whole.
        percent: whether the price is told as a percentage.
        whole: whether only whole numbers are allowed.
        least: smallest number allowed, of the price or of what multiplies it.
        most: largest number allowed.
        allowed: what the field accepts, in words.
        linear: from, to and step of a slider in the field's unit; None for a slider by magnitudes.
        middle: in the middle of a slider by magnitudes.
        locked: why it cannot be set in the page; empty where it can.
    """

    path: str
    keys: tuple[str | int, ...]
    label: str
    unit: str
    hint: str
    price: float | dict[str, float]
    times: bool
    percent: bool
    whole: bool
    least: float
    most: float
    allowed: str
    linear: tuple[float, float, float] | None
    middle: float
    locked: str

    @property
    def guess(self) -> str:
        """Range of a price that is a guess, in words; empty of others."""
        if not isinstance(self.price, dict):
            return ""
        low, mode, high = (f"{100 * end if self.percent else end:,.12g}" for end in self.price.values())
        return f"{low} to {high}, likeliest {mode}"


@dataclass(frozen=True)
class Fields:
    """All fields of a page.

    Attributes:
        main: those that every study has, and its error prices where they are few.
        errors: error prices, where they are many.
        others: further prices that the study sets.
    """

    main: tuple[Field, ...]
    errors: tuple[Field, ...]
    others: tuple[Field, ...]

    @property
    def every(self) -> tuple[Field, ...]:
        """All of them, in the page's order."""
        return (*self.main, *self.errors, *self.others)


def price_fields(economics: Economics, prices: Mapping[str, Any], classes: Sequence[str]) -> Fields:
    """The fields for a study's prices.

    Args:
        economics: of the study.
        prices: what the page appraises by, by path: numbers, or guesses as mappings of low, mode and high.
        classes: of the study, in their order.
    """

    def made(paths: Sequence[str]) -> tuple[Field, ...]:
        return tuple(_field(path, economics, prices[path], classes) for path in paths if path in prices)

    errors = made([path for path in prices if _prices_errors(path, economics)])
    few = errors if len(errors) <= FEW else ()
    told = [path for path in OTHERS if path in economics.model_fields_set]
    return Fields(
        main=(*made(BEFORE_ERRORS), *few, *made(AFTER_ERRORS)),
        errors=() if few else errors,
        others=made(told),
    )


def _prices_errors(path: str, economics: Economics) -> bool:
    """Whether it says what predictions bring or lose, under the value model in use."""
    root = path.partition(".")[0]
    if root == "stake":
        return "stake" in economics.model_fields_set
    if root == "cost_per_error":
        others = [name for name in VALUE_MODELS if name != root and getattr(economics, name) is not None]
        return not others and (root in economics.model_fields_set or economics.error_price == root)
    return root in ("value", "unit_costs", *MATRICES) and getattr(economics, root) is not None


def _field(path: str, economics: Economics, price: Any, classes: Sequence[str]) -> Field:
    keys = _keys(path, economics)
    guess = price if isinstance(_given(economics, keys), Range) else None
    number = price["mode"] if isinstance(price, dict) and guess is None else price
    times = guess is not None or path in MATRICES
    percent = path in economics.shares or path in PERCENT
    bounds = _bounds(path, keys, economics)
    least, most = (0.0, _most_times(guess, bounds)) if times else (bounds.least, bounds.most)
    if path == "utilisation":
        least = math.ulp(0.0)  # machines that never predict cannot be paid for by the prediction
    label, unit = _words(path, keys, economics, classes)
    return Field(
        path=path,
        keys=keys,
        label=label,
        unit=unit,
        hint=_hint(path, economics),
        price=number,
        times=times,
        percent=percent,
        whole=path == "horizon_years",
        least=least,
        most=most,
        allowed=_allowed(path, least, most, percent and not times),
        linear=None if times or path not in LINEAR else _reaching(LINEAR[path], number * (100 if percent else 1)),
        middle=1.0 if times else number or TYPICAL.get(path, 1.0),
        locked=LOCKED if economics.decision == "least-cost" and _sets_threshold(path, economics) else "",
    )


def _keys(path: str, economics: Economics) -> tuple[str | int, ...]:
    """The way to a price; names of classes may hold dots."""
    root, _, rest = path.partition(".")
    if not rest or root not in MATRICES:
        return (root, rest) if rest else (root,)
    matrix = getattr(economics, root)
    rows = matrix.items() if isinstance(matrix, dict) else enumerate(matrix)
    return next(
        (root, true, decided)
        for true, row in rows
        for decided in (row if isinstance(row, dict) else range(len(row)))
        if f"{true}.{decided}" == rest
    )


def _given(economics: Economics, keys: Sequence[str | int]) -> Any:
    """What the economics say there."""
    found: Any = economics
    for key in keys:
        found = getattr(found, str(key)) if hasattr(type(found), "model_fields") else found[key]
    return found


def _words(path: str, keys: tuple[str | int, ...], economics: Economics, classes: Sequence[str]) -> tuple[str, str]:
    """Label and unit."""
    if path in WORDS:
        label, unit = WORDS[path]
        return label, unit.format(economics.currency)
    if path in MATRICES:
        return "All costs of errors" if path == "cost_matrix" else "All values of predictions", ""
    if keys[0] in MATRICES:
        true, decided = (classes[key] if isinstance(key, int) else key for key in keys[1:])
        return f"{true}, taken for {decided}" if true != decided else f"{true}, recognised", economics.currency
    name = str(keys[-1]).replace("_", " ")
    return name[:1].upper() + name[1:], "%" if path in economics.shares else economics.currency


def _bounds(path: str, keys: tuple[str | int, ...], economics: Economics) -> Bounds:
    if path in economics.shares:
        return SHARE
    return SIGNED if keys[0] == "value_matrix" else BOUNDS.get(path, AMOUNT)


def _most_times(guess: Mapping[str, float] | None, bounds: Bounds) -> float:
    """What a price may be multiplied by at most and stay allowed."""
    if guess is None:
        return 1e6
    ends = [bounds.most / guess["high"]] if guess["high"] > 0 else []
    ends += [bounds.least / guess["low"]] if guess["low"] < 0 else []
    return min([*ends, 1e6])


def _allowed(path: str, least: float, most: float, percent: bool) -> str:
    factor = 100 if percent else 1
    if path == "horizon_years":
        return f"a whole number from {least:g} to {most:g}"
    if path == "utilisation":
        return f"a number above 0, and up to {factor * most:,.12g}"
    if least == 0 and most == AMOUNT.most:
        return "a number from 0"
    return f"a number from {factor * least:,.12g} to {factor * most:,.12g}"


def _reaching(slider: tuple[float, float, float], number: float) -> tuple[float, float, float]:
    """The slider, made longer where the study's number lies outside it."""
    start, end, step = slider
    return min(start, number), max(end, number), step


def _sets_threshold(path: str, economics: Economics) -> bool:
    return path == "reject_cost" or _prices_errors(path, economics)


def _hint(path: str, economics: Economics) -> str:
    """The first sentence of what the economics' documentation says of a price that has no common name."""
    root, _, rest = path.partition(".")
    model = economics.value if root == "value" else economics if path in OTHERS else None
    said = type(model).model_fields[rest or root].description if model is not None else None
    return (said or "").replace("\n", " ").replace("`", "")
