"""The arithmetic of money over time. Source of all: Brealey, Myers and Allen, Principles of Corporate Finance, ch. 2-6.

Yearly amounts fall at the end of each year; the investment falls now. Rates are yearly fractions.
"""

from __future__ import annotations


def annuity_factor(rate: float, years: int) -> float:
    """Present value of 1 at the end of each of `years` years: (1 - (1 + r)^-T) / r; T at a rate of 0."""
    return sum((1 + rate) ** -year for year in range(1, years + 1))


def net_present_value(investment: float, cash_flow: float, rate: float, years: int) -> float:
    """-investment + the present value of a yearly `cash_flow`."""
    return -investment + cash_flow * annuity_factor(rate, years)


def return_on_investment(benefits: float, costs: float) -> float | None:
    """(benefits - costs) / costs, both as present values; None where the costs are not above 0: no ratio then."""
    return (benefits - costs) / costs if costs > 0 else None


def payback_years(investment: float, cash_flow: float, rate: float, years: int) -> float | None:
    """Years until the discounted cash flows have earned the investment back; at a rate of 0, the plain payback.

    Within a year the cash flow is taken as even. 0 where there is nothing to earn back, None where the horizon ends
    first.
    """
    if investment <= 0:
        return 0.0 if cash_flow >= 0 else None
    left = investment
    for year in range(1, years + 1):
        flow = cash_flow / (1 + rate) ** year
        if 0 < left <= flow:
            return year - 1 + left / flow
        left -= flow
    return None


def break_even_volume(investment: float, upkeep: float, gain: float, annuity: float) -> float | None:
    """Predictions a year at which the NPV is 0: (I0 + A upkeep) / (gain A).

    Args:
        investment: now.
        upkeep: a year.
        gain: money gained by one prediction, its inference's extra cost taken off.
        annuity: A, the annuity factor.

    Returns:
        0 where the candidate pays at any volume; None where more volume never makes it pay. That includes a candidate
        that is cheaper to keep and loses with each prediction: it pays below a volume, not above one.
    """
    fixed = investment + annuity * upkeep
    if gain > 0:
        return max(0.0, fixed / (gain * annuity))
    return 0.0 if gain == 0 and fixed <= 0 else None
