from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from cropworth.worth.interval import Component, ErrorRates, half_width, simultaneous
from cropworth.worth.sequential import (
    Decision,
    Standing,
    Terms,
    chance,
    decide,
    error_rates,
    expected_gain,
    nominal_levels,
    schedule,
)

LOOKS = schedule()
SEVERAL = simultaneous(5)
PATHS = 100_000


def test_schedule() -> None:
    assert schedule() == (3, 4, 5, 7, 10, 14, 20)
    assert schedule(12) == (3, 4, 6, 8, 12)
    assert schedule(3) == (3,)
    assert schedule(40)[-3:] == (20, 28, 40)


@given(st.integers(3, 1000))
def test_a_schedule_ascends_from_the_first_look_to_the_last(most: int) -> None:
    looks = schedule(most)
    assert (looks[0], looks[-1]) == (3, most)
    assert list(looks) == sorted(set(looks))
    assert len(looks) <= 2 * np.log2(most)


class Simulated:
    """Many studies whose true difference is 0: the seeds' mean and its variance at every look, and items' chance."""

    def __init__(self, seeds: np.ndarray, rng: np.random.Generator) -> None:
        looks = np.array(LOOKS)
        means = np.cumsum(seeds, axis=1) / np.arange(1, seeds.shape[1] + 1)
        squares = np.cumsum(seeds**2, axis=1) / np.arange(1, seeds.shape[1] + 1)
        self.mean = means[:, looks - 1]
        self.variance = (squares[:, looks - 1] - self.mean**2) / (looks - 1)
        self.items = rng.standard_normal((len(seeds), 1))

    def ever_missed(self, alpha: float, by_items: float = 0.0) -> float:
        """How often some look's interval misses 0, as `half_width` has it, with so much variance by items."""
        rates = [error_rates(LOOKS, look, alpha) for look in LOOKS]
        t = np.array([stats.t.ppf(1 - r.seeds / 2, look - 1) for r, look in zip(rates, LOOKS, strict=True)])
        z = stats.norm.ppf(1 - rates[0].others / 2)
        off = np.abs(self.mean + self.items * sqrt(by_items))
        return float((off > np.sqrt(t**2 * self.variance + z**2 * by_items)).any(axis=1).mean())


@pytest.fixture(scope="module")
def gaussian() -> Simulated:
    rng = np.random.default_rng(1)
    return Simulated(rng.standard_normal((PATHS, LOOKS[-1])), rng)


@pytest.mark.parametrize("alpha", [0.05, SEVERAL])
def test_some_look_misses_as_often_as_it_may(gaussian: Simulated, alpha: float) -> None:
    # Other draws than those that the levels were computed with; four standard errors.
    assert gaussian.ever_missed(alpha) == pytest.approx(alpha, abs=4 * sqrt(alpha / PATHS))


@pytest.mark.parametrize("alpha", [0.05, SEVERAL])
@pytest.mark.parametrize("by_items", [0.005, 0.05, 0.25, 0.5, 0.75, 1.5, 10.0])
def test_it_misses_no_more_often_where_items_differ_too(gaussian: Simulated, alpha: float, by_items: float) -> None:
    """From a tenth of the variance of 20 seeds, 1 / 20, to 200 times."""
    assert gaussian.ever_missed(alpha, by_items) <= alpha + 3 * sqrt(alpha / PATHS)


def test_heavy_tails_and_skewed_seeds() -> None:
    """Heavy tails miss less. Skew misses more, as it does with a single t interval of 3 seeds (1.3 times, here 1.5)."""
    rng = np.random.default_rng(2)
    heavy = Simulated(rng.standard_t(5, (PATHS, LOOKS[-1])), rng)
    skewed = Simulated(rng.gamma(4, 1, (PATHS, LOOKS[-1])) - 4, rng)  # skewness 1
    assert heavy.ever_missed(0.05) <= 0.05
    assert 0.05 < skewed.ever_missed(0.05) <= 1.6 * 0.05


def test_looking_without_spending_misses_too_often(gaussian: Simulated) -> None:
    """What the levels are for: seven looks at 5 % each."""
    t = stats.t.ppf(0.975, np.array(LOOKS) - 1)
    ever = (np.abs(gaussian.mean) > t * np.sqrt(gaussian.variance)).any(axis=1).mean()
    assert ever > 0.12


def test_two_looks_against_numerical_integration() -> None:
    """Looks at 3 and 6 seeds, independent of any simulation.

    Given the first three seeds' sum a and sum of squares b, the last three add a Gaussian sum and a chi-squared with 2
    degrees of freedom; t at 6 exceeds a bound where the latter is below a function of the sums.
    """
    alpha = 0.05
    first, second = nominal_levels((3, 6), alpha)
    assert first == pytest.approx(alpha / 2)  # half of the seeds, half of the error rate
    bound1, bound2 = special.stdtrit(2, 1 - first / 2) ** 2, special.stdtrit(5, 1 - second / 2) ** 2

    def outside_at_second(new: float, old: float, within: float) -> float:
        """P(t^2 > bound at 6), over the new chi-squared, given both sums and the old sum of squares within."""
        total = old + new
        most = 5 * total**2 / 6 / bound2 + total**2 / 6 - old**2 / 3 - within - new**2 / 3
        return 1 - np.exp(-most / 2) if most > 0 else 0.0

    grid = np.linspace(-9, 9, 241)
    weights = stats.norm.pdf(grid, scale=sqrt(3))

    def inner(within: float, old: float) -> float:
        return float(integrate.trapezoid([outside_at_second(n, old, within) for n in grid] * weights, grid))

    olds = np.linspace(0, 8, 41)
    of_old = []
    for old in olds:
        least = 2 * old**2 / 3 / bound1  # t^2 at 3 is inside the bound: 2 old^2 / (3 within) < bound
        within = least + np.linspace(0, sqrt(30), 61) ** 2
        density = np.exp(-within / 2) / 2
        of_old.append(integrate.trapezoid([inner(w, old) for w in within] * density, within))
    crossing = 2 * integrate.trapezoid(of_old * stats.norm.pdf(olds, scale=sqrt(3)), olds)
    assert crossing == pytest.approx(alpha / 2, rel=0.02)


def test_levels_are_the_same_each_time_and_one_look_spends_all() -> None:
    nominal_levels.cache_clear()
    once = nominal_levels(LOOKS, 0.05)
    nominal_levels.cache_clear()
    assert nominal_levels(LOOKS, 0.05) == once
    assert nominal_levels((20,), 0.05) == (0.05,)
    assert once[0] == pytest.approx(0.05 * 3 / 20)
    assert all(level < 0.05 for level in once)


def test_error_rates_of_a_candidate() -> None:
    levels = nominal_levels(LOOKS, 0.05)
    assert error_rates((), 7, 0.05) == ErrorRates(0.05, 0.05)
    assert error_rates(LOOKS, 3, 0.05) == ErrorRates(levels[0], pytest.approx(0.04))
    assert error_rates(LOOKS, 6, 0.05).seeds == levels[3]  # between 5 and 7: the rate of 7
    assert error_rates(LOOKS, 30, 0.05).seeds == levels[-1]


def test_each_component_has_its_own_error_rate() -> None:
    components = [Component(2.0, 3), Component(0.5, 99), Component(0.1, 20)]
    t = stats.t.ppf
    by_hand = t(0.995, 3) ** 2 * 2 + t(0.98, 99) ** 2 * 0.5 + t(0.98, 20) ** 2 * 0.1
    assert half_width(components, ErrorRates(0.01, 0.04)) == pytest.approx(sqrt(by_hand))


def standing(name: str = "crop", **changes: object) -> Standing:
    """A crop after 5 seeds that is worth 1,000, give or take 2,000 by seeds and 100 by items."""
    values: dict[str, object] = {
        "kind": "crop", "trials": 5, "hours_per_seed": 0.1, "verdict": "not enough evidence", "estimate": 1000.0,
        "components": (Component(2000.0**2, 4), Component(100.0**2, 999)),
    }  # fmt: skip
    return Standing(name, **{**values, **changes})  # type: ignore[arg-type]


BASELINE = Standing("baseline", "baseline", 5, 0.05)


def decided(*standings: Standing, price: float = 0.1, **changes: object) -> Decision:
    values: dict[str, object] = {"looks": LOOKS, "margin": 0.0, "price_per_hour": price}
    return decide([BASELINE, *standings], Terms(**{**values, **changes}))  # type: ignore[arg-type]


@pytest.mark.parametrize("df", [2, 4, np.inf])
def test_expected_gain_against_numerical_integration(df: float) -> None:
    """Of max(0, what the estimate will be), which is t distributed around what it is now, over what one gets now."""
    spread = 2000 * sqrt(1 - 5 / 7)
    of_crop = standing(components=(Component(2000.0**2, df), Component(100.0**2, 999)))
    density = stats.norm(1000, spread).pdf if np.isinf(df) else stats.t(df, 1000, spread).pdf
    loss = integrate.quad(lambda x: -x * density(x), -np.inf, 0)[0]
    assert expected_gain(of_crop, 7, 0.0) == pytest.approx(loss, rel=1e-6)


def test_the_chance_of_a_clear_verdict_against_simulation() -> None:
    rates, rng = error_rates(LOOKS, 20, 0.05), np.random.default_rng(0)
    of_crop = standing(estimate=2500.0, components=(Component(1000.0**2, 4), Component(400.0**2, 999)))
    later = 2500 + 1000 * sqrt(1 - 5 / 20) * rng.standard_t(4, 200_000)
    half = half_width([Component(1000.0**2 / 4, 19), Component(400.0**2, 999)], rates)
    assert chance(of_crop, 20, rates, 0.0) == pytest.approx((np.abs(later) > half).mean(), abs=0.004)


def test_an_open_crop_goes_on_to_the_next_look_and_the_baseline_with_it() -> None:
    found = decided(standing(), standing("other", trials=3))
    assert found.goes_on == {"crop": 7, "other": 4, "baseline": 7}
    assert found.stopped == {}
    # Two more seeds of the crop, one of the other, two of the baseline.
    assert found.hours == pytest.approx(2 * 0.1 + 0.1 + 2 * 0.05)
    assert found.cost == pytest.approx(0.1 * found.hours)
    assert found.gains["crop"] == expected_gain(standing(), 7, 0.0)


@pytest.mark.parametrize("verdict", ["adopt", "don't", "equivalent"])
def test_a_clear_verdict_stops(verdict: str) -> None:
    found = decided(standing(verdict=verdict))
    assert (found.goes_on, found.stopped, found.hours) == ({}, {"crop": "clear"}, 0.0)


def test_the_other_reasons_to_stop() -> None:
    items = (Component(1.0, 4), Component(2000.0**2, 50))  # only more test items would help
    assert decided(standing(components=items)).stopped == {"crop": "unlikely to become clear"}
    assert decided(standing(), price=1e7).stopped == {"crop": "not worth a further round"}
    assert decided(standing(trials=20)).stopped == {"crop": "last look"}
    assert decided(standing(estimate=None, components=None)).stopped == {"crop": "no seed works"}
    assert decided(standing(), hours_left=0.2).stopped == {"crop": "out of budget"}
    assert decided(standing(), hours_left=0.4).goes_on == {"crop": 7, "baseline": 7}


def test_a_crop_that_cannot_overtake_one_to_adopt_is_not_worth_a_round() -> None:
    best = standing("best", verdict="adopt", estimate=1e6)
    assert decided(standing(), best).stopped == {"crop": "not worth a further round", "best": "clear"}
    may_be_best = standing(estimate=9e5, components=(Component(3e5**2, 4), Component(100.0, 999)))
    assert decided(may_be_best, best).goes_on == {"crop": 7, "baseline": 7}


def test_controls_follow_the_crops_and_an_oracle_stays() -> None:
    control, oracle = standing("control", kind="control"), standing("oracle", kind="oracle", verdict=None)
    with_open = decided(standing(), control, oracle)
    assert with_open.goes_on == {"crop": 7, "control": 7, "baseline": 7}
    assert with_open.stopped == {"oracle": "an oracle"}
    with_clear = decided(standing(verdict="adopt"), control, oracle)
    assert with_clear.goes_on == {}
    assert with_clear.stopped == {"crop": "clear", "control": "no crop goes on", "oracle": "an oracle"}
    far_ahead = standing(estimate=60_000.0, components=(Component(50_000.0**2, 4), Component(100.0**2, 999)))
    assert decided(far_ahead, control).stopped["control"] == "behind the best crop"
    assert decided(control).goes_on == {"control": 7, "baseline": 7}  # no crop in the study


def test_with_too_few_working_seeds_for_an_interval_it_goes_on() -> None:
    assert decided(standing(components=None)).goes_on == {"crop": 7, "baseline": 7}


@given(st.floats(0.01, 1e6))
def test_another_currency_decides_the_same(factor: float) -> None:
    def scaled(s: Standing) -> Standing:
        assert s.estimate is not None
        assert s.components is not None
        return standing(s.name, estimate=s.estimate * factor, components=tuple(c.scaled(factor) for c in s.components))

    crops = [standing("one"), standing("two", estimate=4500.0), standing("three", estimate=-10.0)]
    one, other = decided(*crops, price=400.0), decided(*map(scaled, crops), price=400.0 * factor)
    assert (one.goes_on, one.stopped) == (other.goes_on, other.stopped)
