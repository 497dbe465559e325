import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cropworth.worth.interval import (
    Component,
    half_width,
    interval_around,
    median_component,
    multibootstrap,
    two_way_components,
    two_way_interval,
)
from cropworth.worth.results import Interval


def simulated(rng: np.random.Generator, seeds: int, items: int, by_seed: float, by_item: float) -> np.ndarray:
    """Differences of mean 0 with seed effects, item effects and a residual of 1."""
    return rng.normal(0, by_seed, (seeds, 1)) + rng.normal(0, by_item, (1, items)) + rng.normal(0, 1, (seeds, items))


def test_by_hand() -> None:
    # Seed means 2 and 4 (variance 2, so 1 by seeds), item means 2, 3 and 4 (variance 1, so 1/3 by items).
    differences = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])
    by_seed, by_item = two_way_components(differences)
    assert (by_seed.variance, by_seed.df) == (pytest.approx(1.0), 1)
    assert (by_item.variance, by_item.df) == (pytest.approx(1 / 3), 2)
    df = (4 / 3) ** 2 / (1 / 1 + (1 / 9) / 2)
    reach = stats.t.ppf(0.975, df) * np.sqrt(4 / 3)
    found = two_way_interval(differences)
    assert (found.estimate, found.low, found.high) == pytest.approx((3, 3 - reach, 3 + reach))


def test_where_only_seeds_differ_it_is_the_paired_t_interval() -> None:
    """Against scipy's own paired t interval."""
    baseline, candidate = np.array([0.90, 0.91, 0.93, 0.89]), np.array([0.92, 0.95, 0.94, 0.90])
    differences = np.repeat((candidate - baseline)[:, None], 50, axis=1)
    expected = stats.ttest_rel(candidate, baseline).confidence_interval(0.95)
    found = two_way_interval(differences)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_where_only_items_differ_it_is_the_one_sample_t_interval() -> None:
    items = np.random.default_rng(0).normal(0.1, 1, 40)
    expected = stats.ttest_1samp(items, 0).confidence_interval(0.95)
    found = two_way_interval(np.repeat(items[None], 3, axis=0))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("by_seed", "by_item"), [(0.0, 0.0), (0.3, 0.0), (0.0, 1.0), (0.2, 0.5), (1.0, 0.2)])
def test_it_covers_the_truth_as_often_as_it_says_or_more(by_seed: float, by_item: float) -> None:
    rng, repeats = np.random.default_rng(1), 1500
    covered = 0
    for _ in range(repeats):
        found = two_way_interval(simulated(rng, 5, 60, by_seed, by_item))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0 <= found.high
    # 1,500 repeats of a true 95 % lie below 93.6 % once in a hundred times.
    assert covered / repeats >= 0.936
    if max(by_seed, by_item) > 0.3:  # where the residual that counts twice is not all there is
        assert covered / repeats <= 0.995


def test_it_agrees_with_the_multibootstrap_where_there_are_many_seeds() -> None:
    differences = simulated(np.random.default_rng(2), 60, 400, 0.3, 0.6) + 0.2
    ours, theirs = two_way_interval(differences), multibootstrap(differences, 4000, seed=0)
    assert ours.estimate == theirs.estimate
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_the_multibootstrap_is_the_same_for_the_same_seed() -> None:
    differences = simulated(np.random.default_rng(3), 4, 30, 0.3, 0.6)
    assert multibootstrap(differences, 200, seed=1) == multibootstrap(differences, 200, seed=1)
    assert multibootstrap(differences, 200, seed=1) != multibootstrap(differences, 200, seed=2)


def test_one_seed_or_no_spread() -> None:
    assert two_way_interval(np.ones((1, 5))) == Interval(1.0, None, None)
    assert two_way_interval(np.full((3, 5), 0.25)) == Interval(0.25, 0.25, 0.25)
    assert interval_around(2.0, None) == Interval(2.0, None, None)


@given(st.floats(0.01, 100), st.integers(0, 1000))
def test_money_scales_the_interval(factor: float, seed: int) -> None:
    differences = simulated(np.random.default_rng(seed), 3, 8, 0.5, 0.5)
    components = two_way_components(differences)
    assert half_width([c.scaled(factor) for c in components]) == pytest.approx(factor * half_width(components))


def test_the_medians_component_estimates_its_variance() -> None:
    """Against the variance of the medians of many simulated samples; an outlier hardly moves it."""
    rng = np.random.default_rng(4)
    medians = np.median(rng.normal(0, 1, (4000, 41)), axis=1)
    estimates = [median_component(rng.normal(0, 1, 41)).variance for _ in range(2000)]
    assert np.mean(estimates) == pytest.approx(medians.var(), rel=0.25)
    times = rng.normal(1, 0.1, 41)
    late = times.copy()
    late[times.argmax()] = 1000.0
    assert median_component(late) == median_component(times)
    assert median_component(np.array([1.0, 1.0, 1.0])) == Component(0.0, 2)
