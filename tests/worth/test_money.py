import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropworth.worth.money import (
    annuity_factor,
    break_even_volume,
    net_present_value,
    payback_years,
    return_on_investment,
)

rates = st.floats(0, 0.5)
amounts = st.floats(-1e6, 1e6)
years = st.integers(1, 20)


def test_an_annuity_from_a_textbooks_table() -> None:
    # Present value of 1 a year for 5 years at 10 %: 3.791; for 3 years at 8 %: 2.577 (Brealey, Myers and Allen).
    assert annuity_factor(0.10, 5) == pytest.approx(3.791, abs=5e-4)
    assert annuity_factor(0.08, 3) == pytest.approx(2.577, abs=5e-4)
    assert annuity_factor(0.0, 7) == 7


@given(st.floats(1e-6, 1), years)
def test_the_annuity_is_its_closed_form(rate: float, horizon: int) -> None:
    assert annuity_factor(rate, horizon) == pytest.approx((1 - (1 + rate) ** -horizon) / rate, rel=1e-6)


def test_a_net_present_value_by_hand() -> None:
    # -1000 + 500 / 1.1 + 500 / 1.21
    assert net_present_value(1000, 500, 0.1, 2) == pytest.approx(-132.2314, abs=1e-4)


@given(amounts, amounts, amounts, rates, years)
def test_it_is_linear_in_the_cash_flow(investment: float, a: float, b: float, rate: float, horizon: int) -> None:
    together = net_present_value(investment, a + b, rate, horizon)
    apart = net_present_value(investment, a, rate, horizon) + net_present_value(0, b, rate, horizon)
    assert together == pytest.approx(apart, rel=1e-9, abs=1e-3)


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.floats(1e-4, 10), rates, years)
def test_the_value_at_the_break_even_volume_is_nothing(
    investment: float, upkeep: float, gain: float, rate: float, horizon: int
) -> None:
    volume = break_even_volume(investment, upkeep, gain, annuity_factor(rate, horizon))
    assert volume is not None
    worth = net_present_value(investment, volume * gain - upkeep, rate, horizon)
    assert worth == pytest.approx(0, abs=1e-6 * (1 + investment + upkeep * horizon))


def test_break_even_where_volume_does_not_decide() -> None:
    assert break_even_volume(100, 10, -1, 2.0) is None
    assert break_even_volume(100, 10, 0, 2.0) is None
    assert break_even_volume(-100, 0, 1, 2.0) == 0.0
    assert break_even_volume(-100, 0, 0, 2.0) == 0.0
    assert break_even_volume(-100, 0, -1, 2.0) is None


def test_paybacks_by_hand() -> None:
    assert payback_years(1000, 400, 0.0, 5) == pytest.approx(2.5)
    # 400 / 1.1 = 363.64 and 330.58 leave 305.79; the third year brings 300.53, the fourth 273.21.
    assert payback_years(1000, 400, 0.1, 5) == pytest.approx(
        3 + (1000 - 363.6364 - 330.5785 - 300.5259) / 273.2054, abs=1e-4
    )
    assert payback_years(1000, 400, 0.1, 3) is None
    assert payback_years(1000, -5, 0.0, 5) is None
    assert payback_years(0, 5, 0.0, 5) == 0.0
    assert payback_years(-10, -5, 0.0, 5) is None


@given(st.floats(1, 1e6), st.floats(1, 1e6), rates, years)
def test_discounting_never_shortens_the_payback(investment: float, flow: float, rate: float, horizon: int) -> None:
    discounted, plain = payback_years(investment, flow, rate, horizon), payback_years(investment, flow, 0.0, horizon)
    if discounted is not None:
        assert plain is not None
        assert plain <= discounted + 1e-9


def test_returns() -> None:
    assert return_on_investment(150, 100) == 0.5
    assert return_on_investment(150, 0) is None
    assert return_on_investment(150, -20) is None
