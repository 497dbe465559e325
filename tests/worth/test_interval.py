import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from cropworth.worth.interval import (
    DIFFERS,
    Component,
    half_width,
    interval_around,
    median_component,
    simultaneous,
    two_way,
    two_way_interval,
)
from cropworth.worth.results import Interval


def simulated(rng: np.random.Generator, seeds: int, items: int, by_seed: float, by_item: float) -> np.ndarray:
    """Differences of mean 0 with seed effects, item effects and a residual of 1."""
    return rng.normal(0, by_seed, (seeds, 1)) + rng.normal(0, by_item, (1, items)) + rng.normal(0, 1, (seeds, items))


def multibootstrap(differences: np.ndarray, draws: int, seed: int) -> Interval:
    """The mean's 95 % percentile interval by resampling seeds and items (Sellam et al. 2022, section 3).

    A cross-check of `two_way_interval` that assumes no normality, but needs more seeds than most studies have.

    Args:
        differences: (S seeds, n items), paired.
        draws: resamples.
        seed: of the resampling.
    """
    seeds, items = differences.shape
    rng = np.random.default_rng(seed)
    seed_weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds  # (draws, S)
    item_weights = rng.multinomial(items, np.full(items, 1 / items), draws) / items  # (draws, n)
    means = np.einsum("ds,sn,dn->d", seed_weights, differences, item_weights, optimize=True)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(differences.mean()), float(low), float(high))


def test_by_hand() -> None:
    # Seed means 2, 4 and 3 (variance 1, so 1/3 by seeds). Item means 2 and 4. What is left of each cell (its seed's and
    # its item's mean taken off, the mean added) is +-1, +-1 and 0: a residual variance of 4 / (2 x 1) = 2.
    differences = np.array([[0.0, 4.0], [4.0, 4.0], [2.0, 4.0]])
    found = two_way(differences[..., None])
    assert found.mean.tolist() == [[3.0]]
    assert found.by_seed.tolist() == [[pytest.approx(1 / 3)]]
    assert found.residual.tolist() == [[[pytest.approx(2 / 6)]]]
    # The items' means vary by 2, their mean by 2 / 2 = 1, of which 1/3 is the residual's.
    components = found.components([[1.0]])
    assert components is not None
    by_seed, by_item = components
    assert (by_seed.variance, by_seed.df) == (pytest.approx(1 / 3), 2)
    assert (by_item.variance, by_item.df) == (pytest.approx(1 - 1 / 3), 1)
    reach = np.sqrt(stats.t.ppf(0.975, 2) ** 2 / 3 + stats.t.ppf(0.975, 1) ** 2 * 2 / 3)
    interval = two_way_interval(differences)
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((3, 3 - reach, 3 + reach))


def test_mean_squares_are_those_of_statsmodels() -> None:
    """Against the two-way analysis of variance of another package."""
    differences = simulated(np.random.default_rng(5), 4, 12, 0.5, 0.8)
    seed, item = np.indices(differences.shape)
    frame = pd.DataFrame({"y": differences.ravel(), "seed": seed.ravel(), "item": item.ravel()})
    table = anova_lm(ols("y ~ C(seed) + C(item)", frame).fit())
    squares = table["sum_sq"] / table["df"] / differences.size
    found = two_way(differences[..., None])
    assert found.by_seed[0, 0] == pytest.approx(squares["C(seed)"])
    assert found.by_item[0, 0, 0] == pytest.approx(squares["C(item)"])
    assert found.residual[0, 0, 0] == pytest.approx(squares["Residual"])


def test_strata_are_summed_with_their_frequencies() -> None:
    """Against each stratum by itself: a frequency multiplies its mean, and by its square its variance."""
    rng = np.random.default_rng(6)
    differences, strata = simulated(rng, 4, 30, 0.4, 0.8), np.repeat([0, 1], [10, 20])
    both = two_way(differences[..., None], strata, 2)
    apart = [two_way(differences[:, strata == k, None]) for k in (0, 1)]
    assert float(both.estimate([[0.9], [0.1]])) == pytest.approx(
        0.9 * float(apart[0].mean[0, 0]) + 0.1 * float(apart[1].mean[0, 0])
    )
    _, (items, _) = both.variances([[0.9], [0.1]])
    by_hand = sum(
        f**2 * float(one.by_item[0, 0, 0] - one.residual[0, 0, 0]) for f, one in zip((0.9, 0.1), apart, strict=True)
    )
    assert float(items) == pytest.approx(by_hand)


def test_merged_strata_are_the_strata_at_their_shares() -> None:
    rng = np.random.default_rng(9)
    values = np.stack([simulated(rng, 4, 30, 0.4, 0.8), simulated(rng, 4, 30, 0.4, 0.8)], axis=-1)
    apart = two_way(values, np.repeat([0, 1], [10, 20]), 2)
    shares, amounts = np.array([0.9, 0.1]), np.array([2.0, -3.0])
    one = apart.merged(shares, amounts)
    assert float(one.estimate([amounts])) == pytest.approx(float(apart.estimate(shares[:, None] * amounts)))
    for ours, theirs in zip(one.variances([amounts]), apart.variances(shares[:, None] * amounts), strict=True):
        assert [float(part) for part in ours] == pytest.approx([float(part) for part in theirs])
    lonely = two_way(values, np.repeat([0, 1], [1, 29]), 2)
    assert not lonely.known
    assert not lonely.merged(shares, amounts).known


def test_a_whole_weight_is_as_good_as_repeating_the_item() -> None:
    differences = simulated(np.random.default_rng(7), 3, 5, 0.4, 0.8)
    weighted = two_way(differences[..., None], weights=np.array([1.0, 2.0, 1.0, 3.0, 1.0]))
    repeated = two_way(np.repeat(differences, [1, 2, 1, 3, 1], axis=1)[..., None])
    assert weighted.mean[0, 0] == pytest.approx(repeated.mean[0, 0])
    assert weighted.by_seed[0, 0] == pytest.approx(repeated.by_seed[0, 0])
    assert two_way(differences[..., None], weights=np.full(5, 7.0)).by_item == pytest.approx(
        two_way(differences[..., None]).by_item
    )


def test_quantities_are_summed_with_their_prices() -> None:
    rng = np.random.default_rng(8)
    both = np.stack([simulated(rng, 4, 20, 0.4, 0.8), simulated(rng, 4, 20, 0.4, 0.8)], axis=-1)
    summed = two_way((both @ [2.0, -3.0])[..., None])
    together = two_way(both)
    for ours, theirs in zip(together.variances([[2.0, -3.0]]), summed.variances([[1.0]]), strict=True):
        assert ours == (pytest.approx(float(theirs[0])), pytest.approx(float(theirs[1])))


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


@pytest.mark.parametrize("seeds", [3, 6])
@pytest.mark.parametrize(("by_seed", "by_item"), [(0.0, 0.0), (0.3, 0.0), (0.0, 1.0), (0.2, 0.5), (1.0, 0.2)])
def test_it_covers_the_truth_as_often_as_it_says(seeds: int, by_seed: float, by_item: float) -> None:
    rng, repeats = np.random.default_rng(1), 1500
    covered = 0
    for _ in range(repeats):
        found = two_way_interval(simulated(rng, seeds, 60, by_seed, by_item))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0 <= found.high
    # 1,500 repeats of a true 95 % lie below 93.6 % once in a hundred times.
    assert 0.936 <= covered / repeats <= 0.985


def test_simultaneous_intervals_hold_together() -> None:
    """Of independent intervals all hold with a probability that is the product of their own."""
    assert simultaneous(1) == pytest.approx(0.05)
    assert (1 - simultaneous(4)) ** 4 == pytest.approx(0.95)


def test_it_agrees_with_the_multibootstrap_where_there_are_many_seeds() -> None:
    differences = simulated(np.random.default_rng(2), 60, 400, 0.3, 0.6) + 0.2
    ours, theirs = two_way_interval(differences), multibootstrap(differences, 4000, seed=0)
    assert ours.estimate == pytest.approx(theirs.estimate)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_few_seeds_or_no_spread() -> None:
    assert two_way_interval(np.ones((1, 5))) == Interval(1.0, None, None)
    assert two_way_interval(np.ones((3, 1))) == Interval(1.0, None, None)
    assert two_way_interval(np.full((3, 5), 0.25)) == Interval(0.25, 0.25, 0.25)
    assert interval_around(2.0, None) == Interval(2.0, None, None)


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (3, 1), (20, 8)])
def test_one_item_more_is_agresti_and_mins_interval(better: int, worse: int) -> None:
    """Their variance of a difference of matched proportions: half an item is added to each cell of the table."""
    items = 200
    differences = np.tile(np.repeat([1.0, -1.0, 0.0], [better, worse, items - better - worse]), (3, 1))
    p12, p21 = (better + 0.5) / (items + 2), (worse + 0.5) / (items + 2)
    theirs = (p12 + p21 - (p12 - p21) ** 2) / (items + 2)
    whole = np.full((1, 1, 1), 1 / DIFFERS**2)  # an item that differs in all trainings
    components = two_way(differences[..., None], unit=whole).components([[1.0]])
    assert components is not None
    assert sum(component.variance for component in components) == pytest.approx(theirs, rel=0.03)


def test_seeds_that_agree_by_luck_leave_a_width() -> None:
    """Every seed is right on as many items as the others, on other items each: the mean does not vary by seed."""
    found = two_way_interval(np.eye(3, 12))
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1 / 12 < found.high


@given(st.floats(0.01, 100), st.integers(0, 1000))
def test_money_scales_the_interval(factor: float, seed: int) -> None:
    differences = simulated(np.random.default_rng(seed), 3, 8, 0.5, 0.5)
    components = two_way(differences[..., None]).components([[1.0]])
    assert components is not None
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
