import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropworth.worth.interval import Component, half_width
from cropworth.worth.results import Interval, Verdict
from cropworth.worth.verdict import POWER, chance_of_clear, judge, seeds_needed


@pytest.mark.parametrize(
    ("low", "high", "margin", "verdict"),
    [
        (1, 5, 0, "adopt"),
        (11, 15, 10, "adopt"),
        (-5, -1, 0, "don't"),
        (-5, 1, 0, "not enough evidence"),
        (0, 5, 0, "not enough evidence"),
        (-5, 5, 10, "equivalent"),
        (1, 5, 10, "equivalent"),
        (5, 15, 10, "not enough evidence"),
        (-25, 5, 10, "don't"),
        (-25, 15, 10, "not enough evidence"),
    ],
)
def test_the_four_verdicts(low: float, high: float, margin: float, verdict: Verdict) -> None:
    assert judge(Interval((low + high) / 2, low, high), margin) == verdict


def test_no_interval_is_no_evidence() -> None:
    assert judge(Interval(1e9, None, None), 0) == "not enough evidence"


@given(st.floats(-100, 100), st.floats(0.1, 50), st.floats(0, 20), st.floats(0.1, 10))
def test_the_currency_does_not_matter(estimate: float, reach: float, margin: float, factor: float) -> None:
    one = Interval(estimate, estimate - reach, estimate + reach)
    other = Interval(factor * estimate, factor * (estimate - reach), factor * (estimate + reach))
    near = min(abs(abs(end) - margin) for end in (one.low or 0.0, one.high or 0.0))
    if near > 1e-6:
        assert judge(one, margin) == judge(other, factor * margin)


@given(st.floats(-100, 100), st.floats(0, 50), st.floats(0.1, 50), st.floats(0, 20))
def test_more_value_never_gives_a_worse_verdict(estimate: float, more: float, reach: float, margin: float) -> None:
    def rank(center: float) -> int:
        verdict = judge(Interval(center, center - reach, center + reach), margin)
        return {"don't": 0, "equivalent": 1, "not enough evidence": 1, "adopt": 2}[verdict]

    assert rank(estimate) <= rank(estimate + more)


def test_the_chance_of_a_clear_verdict_against_simulation() -> None:
    """The estimate then is t distributed around what it is now; the seeds' variance is taken to stay."""
    rng = np.random.default_rng(0)
    components = [Component(1.0, 4), Component(0.2, 500)]
    then = 2.0 + np.sqrt(1 - 5 / 20) * rng.standard_t(4, 200_000)
    reach = half_width([Component(5 / 20, 19), Component(0.2, 500)])
    found = chance_of_clear(2.0, components, 5, 20, margin=0.5)
    assert found == pytest.approx((np.abs(then - 0.5) > reach).mean(), abs=0.005)


def test_the_seeds_needed_are_the_fewest_with_the_power() -> None:
    components = [Component(4.0, 3), Component(0.01, 1999)]
    needed = seeds_needed(3.0, components, 4, margin=0.0)
    assert needed is not None
    assert chance_of_clear(3.0, components, 4, needed, 0.0) >= POWER
    assert all(chance_of_clear(3.0, components, 4, fewer, 0.0) < POWER for fewer in range(5, needed))
    # The smaller the gain, the more seeds it takes.
    assert (seeds_needed(2.0, components, 4, margin=0.0) or 0) > needed


def test_where_items_are_too_few_no_seeds_would_do() -> None:
    assert seeds_needed(1.0, [Component(0.1, 3), Component(4.0, 99)], 4, margin=0.0) is None


def test_without_chance_by_seeds_it_is_clear_or_never() -> None:
    assert seeds_needed(1.0, [Component(0.0, 3), Component(0.01, 99)], 4, margin=0.0) == 5
    assert seeds_needed(0.1, [Component(0.0, 3), Component(0.01, 99)], 4, margin=0.0) is None
