"""What a reader may write for each price, in plain words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from cropworth.worth.economics import Economics
from cropworth.worth.prices import AMOUNTS, CHANGES, RATES, SHARES, SIGNED, Range

MATRICES = ("cost_matrix", "value_matrix")
FIELDS = {
    "predictions_per_year": ("volume", "Predictions"),
    "growth": ("volume", "Growth of predictions"),
    "cost_per_error": ("errors", "Cost of an error"),
    "cost_matrix": ("errors", "All costs of errors"),
    "value_matrix": ("errors", "All values of predictions"),
    "stake": ("errors", "Stake"),
    "reject_cost": ("errors", "Cost of a referral"),
    "unit_costs.under": ("errors", "Predicted too small"),
    "unit_costs.over": ("errors", "Predicted too large"),
    "compute_price_per_hour": ("compute", "Compute price"),
    "compute_price_change": ("compute", "Change of the compute price"),
    "utilisation": ("compute", "Utilisation"),
    "retrainings_per_year": ("compute", "Retrainings"),
    "engineering.once": ("engineering", "Engineering, once"),
    "engineering.per_year": ("engineering", "Engineering, each year"),
    "discount_rate": ("time", "Discount rate"),
    "horizon_years": ("time", "Horizon"),
    "watts": ("energy", "Power of the machine"),
    "energy_price_per_kwh": ("energy", "Energy price"),
    "carbon_kg_per_kwh": ("energy", "Carbon"),
    "carbon_price_per_tonne": ("energy", "Carbon price"),
    "price_per_label": ("other", "Label"),
    "margin": ("other", "Margin"),
}
BOUNDS = {
    "growth": CHANGES,
    "compute_price_change": CHANGES,
    "discount_rate": RATES,
    "utilisation": (1e-6, 1.0),  # of machines that never predict nobody can pay by the prediction
    "horizon_years": (1, 100),
}
LOCKED = (
    "The decisions are tuned to this price (decision: least-cost); `cropworth appraise --set` tunes them to another."
)


def price_fields(
    economics: Economics, used: Collection[str], classes: Sequence[str], energy: Collection[str]
) -> list[dict[str, Any]]:
    """Every price of `Economics.prices`, and each entry of a matrix that is a quantity by itself, in that order.

    Each is a dict of path, value, given (whether the file of prices says it), least, most, share (whether it is a part
    of a whole), group, label, locked (why it cannot be moved, or None), multiple (path of what multiplies it while it
    is a number, or None) and shown (whether to offer it).

    Args:
        economics: the prices.
        used: paths of the prices that multiply what predictions lose, and of a share.
        classes: the study's.
        energy: where the candidates' joules come from, as far as they are known.
    """
    prices: dict[str, float | Range] = {}
    multiples: dict[str, str] = {}
    for path, price in economics.prices().items():
        prices.setdefault(path, price)
        if path in MATRICES:
            own = {entry: value for entry, _, _, value in economics.entries(path) if entry in used}
            multiples |= dict.fromkeys(own, path)
            prices |= own
    tuned = economics.decision == "least-cost" and bool(classes)
    return [
        _field(path, price, economics, classes, locked=tuned and path in used)
        | {"multiple": multiples.get(path), "shown": _shown(path, used, energy)}
        for path, price in prices.items()
    ]


def term_fields(economics: Economics) -> list[dict[str, Any]]:
    """What is no price and yet may be moved: the horizon and the margin."""
    return [
        _field(path, getattr(economics, path), economics, (), locked=False) | {"multiple": None, "shown": True}
        for path in ("horizon_years", "margin")
    ]


def _field(
    path: str, price: float | Range, economics: Economics, classes: Sequence[str], locked: bool
) -> dict[str, Any]:
    group, label = FIELDS.get(path, ("errors", ""))
    least, most = _bounds(path, economics)
    return {
        "path": path,
        "value": price.model_dump() if isinstance(price, Range) else price,
        "given": _given(path, economics),
        "least": least,
        "most": most,
        "share": path in economics.shares,
        "group": group,
        "label": label or _label(path, economics, classes),
        "locked": LOCKED if locked else None,
    }


def _given(path: str, economics: Economics) -> bool:
    part, _, key = path.partition(".")
    inside = economics.engineering.model_fields_set if part == "engineering" else {key}
    return part in economics.model_fields_set and key in inside


def _bounds(path: str, economics: Economics) -> tuple[float, float]:
    if path in BOUNDS:
        return BOUNDS[path]
    if path in economics.shares:
        return SHARES
    return SIGNED if path.startswith("value_matrix.") else AMOUNTS


def _label(path: str, economics: Economics, classes: Sequence[str]) -> str:
    """Of an entry of a matrix `3 taken for 8`; of a ready value model's price, its key in words."""
    part, _, key = path.partition(".")
    if part not in MATRICES:
        name = (key or path).replace("_", " ")
        return name[:1].upper() + name[1:]
    keys = next((true, decided) for entry, true, decided, _ in economics.entries(part) if entry == path)
    true, decided = (classes[key] if isinstance(key, int) else key for key in keys)
    return f"{true} recognised" if true == decided else f"{true} taken for {decided}"


def _shown(path: str, used: Collection[str], energy: Collection[str]) -> bool:
    """Whether moving it may change anything that the page can compute again."""
    if path == "watts":
        return "estimated" in energy
    group = FIELDS.get(path, ("errors", ""))[0]
    if group == "errors":
        return path in used and path != "value_fn"
    return bool(energy) if group == "energy" else path != "price_per_label"
