import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropworth.worth.money import (
    break_even,
    payback_years,
    present_value,
    return_on_investment,
    yearly,
)

RATES, AMOUNTS = st.floats(0, 1), st.floats(-1e6, 1e6)


@given(RATES, st.lists(AMOUNTS, min_size=1, max_size=12))
def test_the_present_value_is_numpy_financials(rate: float, flows: list[float]) -> None:
    """Against another package, whose first flow falls now."""
    assert float(present_value(rate, flows)) == pytest.approx(npf.npv(rate, [0.0, *flows]), rel=1e-9, abs=1e-6)


@given(st.floats(0.001, 1), st.integers(1, 30))
def test_the_annuity_is_numpy_financials_and_the_closed_form(rate: float, years: int) -> None:
    assert float(present_value(rate, yearly(0.0, years))) == pytest.approx(-npf.pv(rate, years, 1.0), rel=1e-9)
    assert float(present_value(rate, yearly(0.0, years))) == pytest.approx((1 - (1 + rate) ** -years) / rate, rel=1e-9)


def test_growth_by_hand() -> None:
    # 100, 110, 121 at the ends of three years, at 10 %: each is worth 100 / 1.1 today.
    assert yearly(0.1, 3).tolist() == pytest.approx([1.0, 1.1, 1.21])
    assert 100 * float(present_value(0.1, yearly(0.1, 3))) == pytest.approx(3 * 100 / 1.1)
    assert float(present_value(0.0, yearly(0.0, 4))) == 4


def test_many_rates_at_once() -> None:
    rates = np.array([0.0, 0.05, 0.1])
    one_by_one = [float(present_value(rate, [1.0, 2.0])) for rate in rates]
    assert present_value(rates, [1.0, 2.0]).tolist() == pytest.approx(one_by_one)


@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0, 0.5), st.integers(1, 20))
def test_payback_is_when_the_flows_have_earned_the_investment(
    investment: float, flow: float, rate: float, years: int
) -> None:
    flows = [flow] * years
    found = payback_years(investment, flows, rate)
    worth = float(present_value(rate, flows)) - investment
    if found is None:
        assert worth <= 1e-6 * investment
        return
    assert worth >= -1e-6 * investment
    whole = int(found)
    earned = sum(flow / (1 + rate) ** year for year in range(1, whole + 1))
    if whole < years:
        earned += (found - whole) * flow / (1 + rate) ** (whole + 1)
    assert earned == pytest.approx(investment)


def test_payback_without_discount_by_hand() -> None:
    # 100 now, 40 a year: 80 after two years, and half of the third year's 40.
    assert payback_years(100, [40.0] * 5, 0.0) == pytest.approx(2.5)
    # 10, then 20, then 40, growing: 30 after two years, and 20 of the third year's 40.
    assert payback_years(50, [10.0, 20.0, 40.0], 0.0) == pytest.approx(2.5)
    assert payback_years(100, [40.0] * 2, 0.0) is None
    assert payback_years(-5, [1.0], 0.0) == 0
    assert payback_years(0, [1.0, -1.0], 0.0) is None


def test_break_even_by_hand() -> None:
    # 3 gained by each, 12 to begin with.
    assert break_even(lambda amount: 3 * amount - 12) == 4
    assert break_even(lambda amount: 3 * amount + 12) == 0
    assert break_even(lambda amount: -3 * amount + 12) is None  # pays below an amount, not above one
    assert break_even(lambda amount: -3 * amount - 12) is None
    assert break_even(lambda _: 0.0) == 0
    assert break_even(lambda _: -1.0) is None


def test_a_return_needs_costs() -> None:
    assert return_on_investment(150, 100) == 0.5
    assert return_on_investment(150, 0) is None
    assert return_on_investment(150, -20) is None
