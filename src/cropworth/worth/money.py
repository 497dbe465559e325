"""The arithmetic of money over time. Source of all: Brealey, Myers and Allen, Principles of Corporate Finance, ch. 2-6.

Yearly amounts fall at the end of each year; the investment falls now. Rates are yearly fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
FAR = 1e12
"""An amount so large that what a slope adds to it is not lost in the digits of what does not depend on it."""


def yearly(growth: ArrayLike, years: int) -> Array:
    """What 1 in the first year has become in each: (..., years), (1 + g)^(t - 1)."""
    return np.asarray((1 + np.asarray(growth, dtype=np.float64))[..., None] ** np.arange(years))


def present_value(rate: ArrayLike, flows: ArrayLike) -> Array:
    """Sum of flows (..., T) at the ends of years 1 to T, discounted at `rate` (...): sum of F_t / (1 + r)^t."""
    amounts = np.asarray(flows, dtype=np.float64)
    discount = (1 + np.asarray(rate, dtype=np.float64))[..., None] ** -np.arange(1, amounts.shape[-1] + 1)
    return np.asarray((amounts * discount).sum(-1))


def return_on_investment(benefits: float, costs: float) -> float | None:
    """(benefits - costs) / costs, both as present values; None where the costs are not above 0: no ratio then."""
    return (benefits - costs) / costs if costs > 0 else None


def payback_years(investment: float, flows: Sequence[float], rate: float) -> float | None:
    """Years until the discounted cash flows have earned the investment back; at a rate of 0, the plain payback.

    Within a year the cash flow is taken as even. 0 where there is nothing to earn back, None where the horizon ends
    first.
    """
    if investment <= 0:
        return 0.0 if min(flows) >= 0 else None
    left = investment
    for year, amount in enumerate(flows, start=1):
        flow = amount / (1 + rate) ** year
        if 0 < left <= flow:
            return year - 1 + left / flow
        left -= flow
    return None


def break_even(npv: Callable[[float], float]) -> float | None:
    """The amount, 0 or more, at which a net present value that is linear in it is 0, and above which it pays.

    Returns:
        0 where the candidate pays from nothing on; None where more of it never makes it pay. That includes a candidate
        that pays below an amount, not above one.
    """
    nothing, slope = npv(0.0), (npv(FAR) - npv(0.0)) / FAR
    if slope > 0:
        return max(0.0, -nothing / slope)
    return 0.0 if slope == 0 and nothing >= 0 else None
