"""Money and numbers as people write them."""

from __future__ import annotations

import math

MISSING = "—"


def number(value: float | None, digits: int = 3) -> str:
    """`value` to so many significant digits, with thousands separated and no exponent; whole digits are all kept."""
    if value is None:
        return MISSING
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def humanised(value: float | None) -> str:
    """1_234_567 -> 1.23 million."""
    if value is None:
        return MISSING
    for factor, word in ((1e9, "billion"), (1e6, "million")):
        if abs(value) >= factor:
            return f"{number(value / factor)} {word}"
    return number(value)


def money(amount: float | None, currency: str) -> str:
    """1_234_567 -> EUR 1.23 million."""
    return MISSING if amount is None else f"{currency} {humanised(amount)}"
