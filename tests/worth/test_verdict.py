import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropworth.worth.interval import Component, half_width
from cropworth.worth.results import Interval, Verdict
from cropworth.worth.verdict import judge, seeds_needed


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


def test_the_seeds_needed_are_the_fewest_that_settle_it() -> None:
    by_seed, others = Component(4.0, 3), [Component(0.01, 1999)]
    needed = seeds_needed(1.5, 4, by_seed, others, margin=0.0)
    assert needed is not None

    def settled(seeds: int) -> bool:
        return half_width([Component(4.0 * 4 / seeds, seeds - 1), *others]) < 1.5

    assert settled(needed)
    assert not settled(needed - 1)
    # Spread over one seed fewer than needed, the same variance of a seed asks for that one more seed.
    one_short = Component(4.0 * 4 / (needed - 1), needed - 2)
    assert seeds_needed(1.5, needed - 1, one_short, others, margin=0.0) == needed


def test_more_seeds_never_widen_the_interval_and_the_fewest_are_found() -> None:
    # Three rounds of timing that outweigh the rest.
    by_seed, others, seeds = Component(10.0, 2), [Component(1.0, 2)], 3
    reaches = [half_width([Component(10.0 * 3 / s, s - 1), *others]) for s in range(4, 1001)]
    assert reaches == sorted(reaches, reverse=True)
    estimate = (reaches[20] + reaches[21]) / 2
    assert seeds_needed(estimate, seeds, by_seed, others, margin=0.0) == 4 + 21


def test_where_items_are_too_few_no_seeds_would_do() -> None:
    assert seeds_needed(1.0, 4, Component(0.1, 3), [Component(4.0, 99)], margin=0.0) is None
