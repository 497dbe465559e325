from math import inf

import numpy as np
import pandas as pd
import pytest
from heormodel import Outcomes
from heormodel.voi import evpi as their_evpi
from heormodel.voi import evppi as their_evppi
from heormodel.voi import evsi_regression
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from cropworth.errors import CropworthError
from cropworth.worth.information import (
    Source,
    _natural_spline,
    advice,
    best_further,
    evpi,
    evppi,
    evsi,
    next_measurement,
    unit_loss,
)
from cropworth.worth.interval import Component


def simulated(draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Effects and costs of three candidates against the baseline, (N, 3)."""
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 1, (draws, 1))
    return rng.normal([0.5, 1.0, -0.5], 1, (draws, 3)) + shared, rng.gamma(2, [20, 40, 5], (draws, 3))


def outcomes(effects: np.ndarray, costs: np.ndarray) -> Outcomes:
    """The same for heormodel, whose baseline is a column of zeros."""
    names = ["baseline", "a", "b", "c"][: effects.shape[1] + 1]
    index = pd.RangeIndex(len(effects), name="iteration")
    wide = [pd.DataFrame(np.column_stack([np.zeros(len(x)), x]), columns=names, index=index) for x in (costs, effects)]
    return Outcomes.from_wide(*wide)


def test_evpi_by_hand() -> None:
    # Adopting brings 1 on average. Knowing the draw, the losses of -3 and -1 are avoided: (4 + 4) / 4 - 1 = 1.
    assert evpi(np.array([4.0, -3, 4, -1])) == 1
    # Two candidates: the best of 0 and both are 4, 2, 4, 0 (10 / 4); the best mean is 1. So 1.5.
    assert evpi(np.array([[4.0, -3], [-3, 2], [4, 1], [-1, 0]])) == 1.5


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.1, 100))
def test_where_the_sign_is_known_there_is_nothing_to_learn(npvs: list[float], factor: float) -> None:
    gains = np.array(npvs)
    assert evpi(gains) == pytest.approx(0, abs=1e-9)
    assert evpi(-gains) == 0
    mixed = np.concatenate([gains, -gains[:1]])
    assert evpi(factor * mixed) == pytest.approx(factor * evpi(mixed), abs=1e-9)


@pytest.mark.parametrize("price", [0.0, 20.0, 60.0])
def test_evpi_and_evppi_against_heormodel(price: float) -> None:
    effects, costs = simulated(4000)
    npvs = price * effects - costs
    assert evpi(npvs) == pytest.approx(their_evpi(outcomes(effects, costs), price))
    inputs = pd.DataFrame({"cost": costs[:, 1]}, index=pd.RangeIndex(4000, name="iteration"))
    theirs = their_evppi(outcomes(effects, costs), inputs, "cost", price)
    assert evppi(npvs, costs[:, 1]) == pytest.approx(theirs, abs=0.3)  # other splines; the NPVs spread by 40 to 100


@pytest.mark.parametrize(("mean", "slope", "noise"), [(0.5, 1.0, 2.0), (-2.0, 3.0, 1.0), (0.0, -1.0, 0.0)])
def test_evppi_of_a_linear_normal_model(mean: float, slope: float, noise: float) -> None:
    """NPV = mean + slope x + noise: knowing x leaves a normal mean of that slope, so the unit normal loss."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=20_000)
    x = (x - x.mean()) / x.std()
    expected = abs(slope) * unit_loss(abs(mean / slope), inf)
    assert evppi(mean + slope * x + noise * rng.normal(size=len(x)), x) == pytest.approx(expected, abs=0.03)


def test_evppi_where_the_worth_is_not_linear_and_where_there_is_none() -> None:
    rng = np.random.default_rng(2)
    x, noise = rng.uniform(-1, 1, 20_000), rng.normal(size=20_000)
    # E max(0, 3 x^2 - 1) of a uniform x: the integral from 3^-1/2 to 1 is (1 - 1) - (3^-3/2 - 3^-1/2) = 0.3849
    assert evppi(3 * x**2 - 1 + noise, x) == pytest.approx(3**-0.5 - 3**-1.5, abs=0.02)
    assert evppi(noise, x) < 0.02
    assert evppi(noise, np.ones(20_000)) == 0
    # Two values only, and heavy tails
    assert evppi(np.sign(x) + 0.2 + noise, np.sign(x)) == pytest.approx(1.2 / 2 - 0.2, abs=0.03)
    heavy = rng.standard_t(3, 20_000)
    assert evppi(heavy + 1 + noise, heavy) == pytest.approx(evpi(heavy + 1), abs=0.02)


def test_the_regression_is_straight_beyond_its_outer_knots() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=5000)
    far = np.array([10.0, 11.0, 12.0, -10.0, -11.0, -12.0])
    basis = _natural_spline(np.concatenate([x, far]))[-6:]
    for three in (basis[:3], basis[3:]):
        assert three[2] - three[1] == pytest.approx(three[1] - three[0], abs=1e-8)


@pytest.mark.parametrize("df", [2, 5.5, 40, inf])
@pytest.mark.parametrize("z", [0.0, 0.7, 3.0])
def test_the_unit_loss_is_an_integral(df: float, z: float) -> None:
    expected, _ = integrate.quad(lambda x: (x - z) * stats.t.pdf(x, df), z, inf)
    assert unit_loss(z, df) == pytest.approx(expected, rel=1e-5)


def test_evsi_by_hand() -> None:
    # Seeds' variance 4 becomes 1: s^2 = 3. At an estimate of the threshold itself the unit normal loss is phi(0).
    now, then = [Component(4.0, inf), Component(2.0, inf)], [1.0, 2.0]
    assert evsi(10.0, now, then, threshold=10.0) == pytest.approx(np.sqrt(3) * 0.398942)
    # One standard deviation away it is 0.0833155, e.g. Raiffa and Schlaifer's table II.
    assert evsi(10 + np.sqrt(3), now, then, threshold=10.0) == pytest.approx(np.sqrt(3) * 0.0833155)
    assert evsi(1.0, now, [4.0, 2.0]) == 0


def test_evsi_is_what_more_seeds_bring_in_a_simulation() -> None:
    """Four seeds are known, and mean and spread are unknown under flat priors: draw the world, add six, decide."""
    rng, worlds, seeds, more = np.random.default_rng(3), 400_000, 4, 6
    estimate, spread = 0.8, 2.0
    sigma = spread * np.sqrt((seeds - 1) / rng.chisquare(seeds - 1, worlds))
    truth = rng.normal(estimate, sigma / np.sqrt(seeds))
    then = (seeds * estimate + more * rng.normal(truth, sigma / np.sqrt(more))) / (seeds + more)
    gain = np.where(then > 0, truth, 0).mean() - truth.mean()  # decided then, against adopting now
    piece = Component(spread**2 / seeds, seeds - 1)
    expected = evsi(estimate, [piece], [piece.variance * seeds / (seeds + more)])
    assert expected == pytest.approx(gain, abs=0.01)
    # A formula for known spreads would be wrong by more than that.
    assert abs(evsi(estimate, [Component(piece.variance, inf)], [piece.variance * 0.4]) - gain) > 0.02


@pytest.mark.parametrize("estimate", [0.0, -1.0, 3.0])
def test_evsi_of_seeds_items_and_rounds_together(estimate: float) -> None:
    """Against draws of the estimate that we shall have."""
    now, then = [Component(1.0, 3), Component(1.0, 1999), Component(0.5, 29)], [0.4, 0.5, 0.25]
    rng, draws = np.random.default_rng(5), 1_000_000
    later = estimate + sum(
        np.sqrt(c.variance - v) * rng.standard_t(c.df, draws) for c, v in zip(now, then, strict=True)
    )
    assert evsi(estimate, now, then) == pytest.approx(evpi(later - later.mean() + estimate), abs=0.005)


def test_evsi_against_heormodel() -> None:
    """Theirs regresses the NPV on simulated results of the further sample; the variance is known to both."""
    rng, draws = np.random.default_rng(6), 50_000
    truth = rng.normal(0.5, 1, draws)
    results = truth + rng.normal(0, np.sqrt(2 / 3), draws)  # then the variance is 1 / (1 + 3 / 2) = 0.4
    index = pd.RangeIndex(draws, name="iteration")
    theirs = evsi_regression(outcomes(truth[:, None], np.zeros((draws, 1))), pd.DataFrame({"x": results}, index), 1.0)
    assert evsi(0.5, [Component(1.0, inf)], [0.4]) == pytest.approx(theirs, abs=0.01)


@given(st.floats(-50, 50), st.floats(0.1, 100), st.integers(2, 50), st.floats(0, 1), st.floats(0.1, 10))
def test_evsi_lies_between_nothing_and_everything(
    estimate: float, variance: float, df: int, share: float, factor: float
) -> None:
    now = [Component(variance, df)]
    value, more, everything = (evsi(estimate, now, [variance * part]) for part in (share, share / 2, 0.0))
    assert 0 <= value <= more + 1e-9 <= everything + 2e-9
    assert evsi(-estimate, now, [variance * share]) == pytest.approx(value)
    scaled = evsi(factor * estimate, [now[0].scaled(factor)], [variance * share * factor**2])
    assert scaled == pytest.approx(factor * value, abs=1e-9)


def test_to_learn_everything_is_the_evpi() -> None:
    draws = 1.5 + 2 * np.random.default_rng(4).standard_t(6, 400_000)
    assert evsi(1.5, [Component(4.0, 6)], [0.0]) == pytest.approx(evpi(draws), abs=0.01)


def test_the_best_further_sample_is_the_best_of_all() -> None:
    piece, have, cost = Component(900.0, 4), 5, 0.1
    found = best_further(20.0, piece, have, cost, most=60)
    net = [evsi(20.0, [piece], [900 * have / (have + m)]) - cost * m for m in range(1, 61)]
    assert found.count == 1 + int(np.argmax(net))
    assert 1 < found.count < 60
    assert (found.value - found.cost, found.cost) == (pytest.approx(max(net)), cost * found.count)


def test_the_limits_of_a_further_sample() -> None:
    piece = Component(900.0, 4)
    assert best_further(20.0, piece, 5, 1000.0, most=60).count == 0  # dear
    assert best_further(20.0, piece, 5, 0.0, most=60).count == 60  # free
    assert best_further(20.0, Component(0.0, 4), 5, 0.0, most=60).count == 0  # nothing to learn
    labels = best_further(20.0, Component(900.0, 1999), 2000, 1e-4, most=1_000_000)
    # Of a million counts every 0.2 % is tried; none between them would be better by more than a cent.
    near = np.arange(labels.count - 200, labels.count + 200)
    net = [evsi(20.0, [Component(900.0, 1999)], [900 * 2000 / (2000 + m)]) - 1e-4 * m for m in near]
    assert labels.value - labels.cost == pytest.approx(max(net), abs=0.01)


def test_what_to_measure_next_in_words() -> None:
    sources = [
        Source("seeds", Component(1e6, 4), 5, 10.0, 50),
        Source("test items", Component(1e4, 999), 1000, 5.0, 10_000),
        Source("timing rounds", Component(1e7, 29), 30, 0.01, 1),
    ]
    found = next_measurement(500.0, sources, {"cost_per_error": 12_000.0, "brightness": 1.0, "growth": 0.0}, "EUR")
    assert [option.what for option in found][:2] == ["cost_per_error", "seeds"]
    assert advice(found) == "Ask what an error costs: knowing it is worth up to EUR 12,000."
    words = {option.what: option.words for option in found}
    seeds = next(option for option in found if option.what == "seeds")
    assert seeds.count is not None
    assert words["seeds"].startswith(f"Train {seeds.count} more seeds: on average worth EUR ")
    assert words["seeds"].endswith(f", for EUR {10 * seeds.count:.1f}.")
    assert words["test items"] == "More test items are not worth their cost."
    assert words["timing rounds"].startswith("Run 1 more timing round: on average worth EUR ")
    assert words["brightness"] == "Ask for brightness: knowing it is worth up to EUR 1.00."
    assert words["growth"] == "Ask how fast the volume will grow: no answer would change the decision."
    nets = [option.net for option in found]
    assert nets == sorted(nets, reverse=True)


def test_nothing_to_measure_next() -> None:
    found = next_measurement(1e9, [Source("seeds", Component(1.0, 4), 5, 10.0, 50)], {"growth": 0.0}, "EUR")
    assert advice(found) == "Nothing more is worth measuring before the decision."
    assert advice(()) == "Nothing more is worth measuring before the decision."
    assert next_measurement(1.0, [], {}, "EUR") == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evpi(np.array([])), "0 draws of the NPV, 0 of them not finite"),
        (lambda: evpi(np.array([1.0, np.nan])), "2 draws of the NPV, 1 of them not finite"),
        (lambda: evppi(np.ones(3), np.ones(4)), r"inputs of shape \(4,\) and NPVs of shape \(3,\)"),
        (lambda: evsi(1.0, [Component(1.0, 4)], [2.0]), r"variances \[1.0\] now and \[2.0\] then"),
        (lambda: evsi(1.0, [Component(1.0, 4)], []), r"variances \[1.0\] now and \[\] then"),
        (lambda: evsi(1.0, [Component(1.0, 1)], [0.5]), "a variance from two seeds"),
        (lambda: best_further(1.0, Component(1.0, 1), 2, 1.0, 9), "a variance from two seeds"),
        (lambda: best_further(1.0, Component(1.0, 4), 5, -1.0, 9), "a cost of -1.0 for each of at most 9 more"),
        (lambda: best_further(1.0, Component(1.0, 4), 5, 1.0, 0), "of at most 0 more"),
    ],
)
def test_bad_input(call, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        call()


def test_what_has_no_price_is_told_for_as_many_again() -> None:
    """Twice the items halve their variance: what is resolved is the other half."""
    piece = Component(1e6, 999)
    (found,) = next_measurement(500.0, [Source("test items", piece, 1000, None, 10_000)], {}, "EUR")
    assert (found.count, found.cost) == (1000, None)
    assert found.value == pytest.approx(evsi(500.0, [piece], [5e5]))
    assert found.words.startswith("As many test items again: on average worth EUR ")
