import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropworth.errors import CropworthError
from cropworth.worth.decision_curve import ONE_ITEM, Benefit, DecisionCurve, decision_curve
from cropworth.worth.interval import Component, interval_around, two_way, two_way_interval
from cropworth.worth.results import Interval

Array = NDArray[np.float64]
THRESHOLDS = (0.05, 0.1, 0.2, 0.35)


def estimates(intervals: tuple[Interval, ...]) -> list[float]:
    return [i.estimate for i in intervals if i.estimate is not None]


def ends(interval: Interval) -> tuple[float, float, float]:
    assert interval.estimate is not None
    assert interval.low is not None
    assert interval.high is not None
    return interval.estimate, interval.low, interval.high


def of_each(curve: DecisionCurve) -> tuple[Benefit, Benefit, Benefit]:
    return curve.baseline, curve.candidate, curve.difference


@pytest.fixture
def dcurves(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package, without what it imports for survival and pictures only."""
    for name in ("lifelines", "matplotlib", "matplotlib.pyplot", "statsmodels", "statsmodels.api"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    return import_module("dcurves")


def test_by_hand() -> None:
    # Ten items, four positive. At 0.2 a false alarm counts 0.25. The baseline calls items 0 to 5 positive: 3 cases, 3
    # false alarms. The candidate calls 0 to 4 so, all 4 cases among them, and 1 false alarm.
    labels = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0])
    baseline = np.array([[0.9, 0.9, 0.9, 0.3, 0.1, 0.2, 0.2, 0.1, 0.1, 0.1]])
    candidate = np.array([[0.9, 0.9, 0.9, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]])
    own = decision_curve(labels, baseline, candidate, [0.2])
    # 0.3 - 0.3 x 0.25; 0.4 - 0.1 x 0.25. All: 0.4 - 0.6 x 0.25.
    assert [estimates(b.net_benefit) for b in of_each(own)] == [[pytest.approx(x)] for x in (0.225, 0.375, 0.15)]
    assert (own.prevalence, own.treat_all) == (0.4, (pytest.approx(0.25),))
    assert [estimates(b.standardised) for b in of_each(own)] == [[pytest.approx(x / 0.4)] for x in (0.225, 0.375, 0.15)]
    # (0.375 - 0.25) / 0.25 = 0.5: five of the six negatives are spared, and no case is missed.
    assert [estimates(b.interventions_avoided) for b in of_each(own)] == [[pytest.approx(x)] for x in (-0.1, 0.5, 0.6)]
    # At a prevalence of 0.1: 3/4 x 0.1 - 3/6 x 0.9 x 0.25; 0.1 - 1/6 x 0.9 x 0.25.
    rare = decision_curve(labels, baseline, candidate, [0.2], prevalence=0.1)
    assert [estimates(b.net_benefit) for b in of_each(rare)] == [[pytest.approx(x)] for x in (-0.0375, 0.0625, 0.1)]


@pytest.mark.parametrize("prevalence", [None, 0.2])
def test_the_estimates_are_those_of_dcurves(dcurves: ModuleType, prevalence: float | None) -> None:
    assert dcurves.__file__ is not None
    cohort = pd.read_csv(Path(dcurves.__file__).parent / "data" / "df_binary.csv")
    names = ["famhistory", "cancerpredmarker"]
    theirs = dcurves.dca(cohort, "cancer", names, thresholds=THRESHOLDS, prevalence=prevalence).set_index("model")
    baseline, candidate = (cohort[name].to_numpy(dtype=np.float64)[None] for name in names)
    ours = decision_curve(cohort["cancer"].astype(int), baseline, candidate, THRESHOLDS, prevalence)
    assert ours.prevalence == pytest.approx(theirs["prevalence"].iloc[0])
    np.testing.assert_allclose(ours.treat_all, theirs.loc["all", "net_benefit"], atol=1e-12)
    for name, found in zip(names, of_each(ours), strict=False):
        np.testing.assert_allclose(estimates(found.net_benefit), theirs.loc[name, "net_benefit"])
        np.testing.assert_allclose(estimates(found.interventions_avoided), theirs.loc[name, "net_intervention_avoided"])


def simulated(
    rng: np.random.Generator, seeds: int, positives: int, negatives: int, gain: float = 0.3
) -> tuple[NDArray[np.int64], Array, Array]:
    """Labels, and two models whose probabilities have item, seed and model effects; the candidate knows more."""
    labels = np.repeat([1, 0], [positives, negatives])
    item = rng.normal(0, 1, labels.size)

    def model(sharper: float) -> Array:
        of_seed = rng.normal(0, 0.15, (seeds, 1))
        score = (1.2 + sharper) * labels - 1.5 + item + of_seed + rng.normal(0, 0.4, (seeds, labels.size))
        return np.asarray(1 / (1 + np.exp(-score)))

    return labels, model(0.0), model(gain)


def contributions(labels: Array, called: Array, threshold: float) -> Array:
    return called * np.where(labels == 1, 1.0, -threshold / (1 - threshold))


def test_at_a_given_prevalence_the_intervals_are_those_of_every_items_part() -> None:
    labels, baseline, candidate = simulated(np.random.default_rng(0), 4, 60, 90)
    curve = decision_curve(labels, baseline, candidate, [0.3], prevalence=0.1)
    called = np.stack((baseline >= 0.3, candidate >= 0.3), axis=-1).astype(np.float64)
    direct = two_way(called, labels, 2, unit=ONE_ITEM)
    worth = np.array([-0.9 * 0.3 / 0.7, 0.1])
    for found, contrast in zip(of_each(curve), ([1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]), strict=True):
        coefficients = np.outer(worth, contrast)
        expected = interval_around(float(direct.estimate(coefficients)), direct.components(coefficients))
        assert ends(found.net_benefit[0]) == pytest.approx(ends(expected), rel=1e-9)
        assert ends(found.standardised[0]) == pytest.approx([10 * x for x in ends(expected)], rel=1e-9)
    spared = [x / (0.3 / 0.7) for x in ends(curve.difference.net_benefit[0])]
    assert ends(curve.difference.interventions_avoided[0]) == pytest.approx(spared, rel=1e-9)


def test_at_the_test_sets_prevalence_items_and_classes_are_drawn_together() -> None:
    labels, baseline, candidate = simulated(np.random.default_rng(1), 5, 300, 700)
    curve = decision_curve(labels, baseline, candidate, [0.25])
    parts = [contributions(labels, p >= 0.25, 0.25) for p in (baseline, candidate)]
    for found, part in zip(of_each(curve), (*parts, parts[1] - parts[0]), strict=True):
        assert ends(found.net_benefit[0]) == pytest.approx(ends(two_way_interval(part)), abs=2e-4)


def test_ratios_with_the_prevalence_are_as_wide_as_the_bootstrap_says() -> None:
    """All seeds alike, so that items are all the chance there is."""
    rng = np.random.default_rng(2)
    labels, baseline, candidate = simulated(rng, 1, 150, 350, gain=1.0)
    baseline, candidate = (np.repeat(p, 3, axis=0) for p in (baseline, candidate))
    curve = decision_curve(labels, baseline, candidate, [0.25])
    draws = rng.multinomial(500, np.full(500, 1 / 500), 4000) / 500
    share = draws @ labels
    nets = [draws @ contributions(labels, p[0] >= 0.25, 0.25) for p in (baseline, candidate)]
    everyone = share - (1 - share) / 3
    for found, net, against in zip(of_each(curve), (*nets, nets[1] - nets[0]), (everyone, everyone, 0), strict=True):
        for intervals, drawn in ((found.standardised, net / share), (found.interventions_avoided, (net - against) * 3)):
            _, low, high = ends(intervals[0])
            assert (high - low) / 2 == pytest.approx(1.965 * drawn.std(), rel=0.06)


@pytest.mark.parametrize("prevalence", [None, 0.5])
def test_it_covers_the_truth_as_often_as_it_says(prevalence: float | None) -> None:
    """Test sets of 80 positive of 200 drawn items on average, or 80 for certain and a prevalence that is known."""
    rng, repeats, covered = np.random.default_rng(3), 400, 0
    labels, *models = simulated(rng, 3000, 400, 600, gain=0.6)
    rates = [[(p[:, labels == k] >= 0.3).mean() for k in (0, 1)] for p in models]
    share = 0.4 if prevalence is None else prevalence
    benefits = [share * true - (1 - share) * false * 3 / 7 for false, true in rates]
    truth = (benefits[1] - benefits[0]) / share
    for _ in range(repeats):
        positives = int(rng.binomial(200, 0.4)) if prevalence is None else 80
        sample = simulated(rng, 4, positives, 200 - positives, gain=0.6)
        _, low, high = ends(decision_curve(*sample, [0.3], prevalence).difference.standardised[0])
        covered += low <= truth <= high
    # 400 repeats of a true 95 % lie below 92 % once in a hundred times.
    assert covered / repeats >= 0.92


few = st.integers(0, 4).map(lambda k: k / 4)


@st.composite
def small(draw: st.DrawFn) -> tuple[NDArray[np.int64], Array, Array]:
    seeds, items = draw(st.integers(3, 4)), draw(st.integers(4, 8))
    extra = draw(st.lists(st.integers(0, 1), min_size=items - 4, max_size=items - 4))
    rows = st.lists(st.lists(few, min_size=items, max_size=items), min_size=seeds, max_size=seeds)
    return np.array([0, 0, 1, 1, *extra]), np.array(draw(rows)), np.array(draw(rows))


@given(small(), st.none() | st.sampled_from([0.01, 0.5]))
def test_what_holds_of_any_curve(case: tuple[NDArray[np.int64], Array, Array], prevalence: float | None) -> None:
    labels, baseline, candidate = case
    curve = decision_curve(labels, baseline, candidate, (0.1, 0.5, 0.9), prevalence)
    swapped = decision_curve(labels, candidate, baseline, (0.1, 0.5, 0.9), prevalence)
    for there, back in zip(curve.difference.net_benefit, swapped.difference.net_benefit, strict=True):
        estimate, low, high = ends(there)
        assert ends(back) == pytest.approx((-estimate, -high, -low), abs=1e-9)
        assert low <= estimate <= high
    for name in ("net_benefit", "standardised", "interventions_avoided"):
        before, after, gain = (np.array(estimates(getattr(b, name))) for b in of_each(curve))
        np.testing.assert_allclose(after - before, gain, atol=1e-9)
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = decision_curve(labels[order], baseline[:, order], candidate[:, order], (0.1, 0.5, 0.9), prevalence)
    for one, other in zip(curve.candidate.standardised, shuffled.candidate.standardised, strict=True):
        assert ends(one) == pytest.approx(ends(other), abs=1e-9)


@given(small(), st.none() | st.sampled_from([0.01, 0.5]))
def test_a_model_against_itself(case: tuple[NDArray[np.int64], Array, Array], prevalence: float | None) -> None:
    labels, model, _ = case
    for interval in decision_curve(labels, model, model, (0.1, 0.6), prevalence).difference.standardised:
        estimate, low, high = ends(interval)
        assert estimate == pytest.approx(0, abs=1e-7)
        assert low == pytest.approx(-high)  # as far as the next item could move it


def test_a_model_that_knows_all_and_one_that_knows_nothing() -> None:
    labels = np.array([1, 0, 0, 0, 1])
    knows, all_positive = np.repeat(labels[None], 3, axis=0).astype(np.float32), np.ones((3, 5), dtype=np.float32)
    curve = decision_curve(labels, all_positive, knows, (0.2, 0.6))
    assert estimates(curve.baseline.net_benefit) == pytest.approx(curve.treat_all)
    assert estimates(curve.baseline.interventions_avoided) == pytest.approx([0, 0], abs=1e-12)
    assert estimates(curve.candidate.standardised) == pytest.approx([1, 1])
    assert estimates(curve.candidate.interventions_avoided) == pytest.approx([0.6, 0.6])
    # At the prevalence as the threshold, calling all positive brings nothing.
    assert decision_curve(labels, all_positive, knows, [0.4]).treat_all == (pytest.approx(0, abs=1e-12),)


def test_a_prevalence_that_is_known_is_no_chance() -> None:
    labels, baseline, candidate = simulated(np.random.default_rng(4), 3, 40, 60)
    own, known = (decision_curve(labels, baseline, candidate, [0.3], p).candidate.net_benefit[0] for p in (None, 0.4))
    (estimate, low, high), (same, low_known, high_known) = ends(own), ends(known)
    assert estimate == pytest.approx(same)
    assert high - low > high_known - low_known
    # The rest is its own component: 0.24 / 99 times the square of what one more case in all brings.
    calls = candidate >= 0.3
    slope = calls[:, labels == 1].mean() + 3 / 7 * calls[:, labels == 0].mean()
    share = interval_around(0, [Component(0.24 / 99 * slope**2, 99)])
    assert ((high - low) / 2) ** 2 - ((high_known - low_known) / 2) ** 2 == pytest.approx((share.high or 0) ** 2)


@pytest.mark.parametrize("prevalence", [None, 0.1])
def test_weights_by_item(prevalence: float | None) -> None:
    rng = np.random.default_rng(6)
    labels, baseline, candidate = simulated(rng, 4, 30, 50)
    times = rng.integers(1, 4, 80)
    weighted = decision_curve(labels, baseline, candidate, [0.3], prevalence, weights=times * 0.5)
    repeated = decision_curve(*(np.repeat(x, times, axis=-1) for x in (labels, baseline, candidate)), [0.3], prevalence)
    for name in ("net_benefit", "standardised", "interventions_avoided"):
        one, other = ([estimates(getattr(b, name)) for b in of_each(curve)] for curve in (weighted, repeated))
        np.testing.assert_allclose(one, other)
    alike = decision_curve(labels, baseline, candidate, [0.3], prevalence, weights=np.full(80, 7.0)).difference
    plain = decision_curve(labels, baseline, candidate, [0.3], prevalence).difference
    assert ends(alike.standardised[0]) == pytest.approx(ends(plain.standardised[0]), rel=1e-9)


def test_with_weights_the_intervals_are_those_of_every_items_part_too() -> None:
    rng = np.random.default_rng(7)
    labels, baseline, candidate = simulated(rng, 4, 300, 500)
    weights = rng.gamma(2, 1, 800) + 0.1
    parts = [contributions(labels, p >= 0.25, 0.25) for p in (baseline, candidate)]
    curve = decision_curve(labels, baseline, candidate, [0.25], weights=weights)
    # One twentieth of the half-width; without the weights it would be a sixth less.
    for found, part in zip(of_each(curve), (*parts, parts[1] - parts[0]), strict=True):
        assert ends(found.net_benefit[0]) == pytest.approx(ends(two_way_interval(part, weights)), abs=2e-3)


def test_one_seed_gives_no_interval() -> None:
    labels, baseline, candidate = simulated(np.random.default_rng(5), 1, 20, 30)
    found = decision_curve(labels, baseline, candidate, [0.3]).difference.net_benefit[0]
    assert found.estimate is not None
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_probability_equal_to_the_threshold_is_positive(dtype: type) -> None:
    labels, model = np.array([0, 1]), np.array([[0.1, 0.7]], dtype=dtype)
    assert estimates(decision_curve(labels, model, model, [0.7, 0.71]).candidate.net_benefit) == [0.5, 0]


@pytest.mark.parametrize("weights", [np.ones(2), np.array([1.0, 0.0, 1.0]), np.array([1.0, np.nan, 1.0])])
def test_weights_that_are_refused(weights: Array) -> None:
    with pytest.raises(CropworthError, match="expected 3 numbers above 0"):
        decision_curve(LABELS, MODEL, MODEL, [0.5], weights=weights)


LABELS, MODEL = [0, 1, 1], np.array([[0.1, 0.7, 0.2]])


@pytest.mark.parametrize(
    ("labels", "candidate", "thresholds", "prevalence", "message"),
    [
        ([0, 1, 2], MODEL, [0.5], None, r"labels \[0 1 2\]; expected zeros and ones"),
        ([1, 1, 1], MODEL, [0.5], None, "some of each"),
        (LABELS, MODEL[:, :2], [0.5], None, r"shape \(1, 2\).*expected \(seeds, 3\)"),
        (LABELS, MODEL[0], [0.5], None, r"shape \(3,\)"),
        (LABELS, MODEL[:0], [0.5], None, r"shape \(0, 3\)"),
        (LABELS, MODEL + 0.5, [0.5], None, "from 0.6 to 1.2"),
        (LABELS, MODEL * np.nan, [0.5], None, "numbers from 0 to 1"),
        (LABELS, np.repeat(MODEL, 2, axis=0), [0.5], None, "Pair them by seed"),
        (LABELS, MODEL, [0.0, 0.5], None, r"thresholds of \[0.0, 0.5\]"),
        (LABELS, MODEL, [], None, r"thresholds of \[\]"),
        (LABELS, MODEL, [0.5], 1.0, r"a prevalence of \[1.0\]; expected numbers between 0 and 1"),
        (LABELS, MODEL, [0.5], np.nan, "a prevalence of"),
    ],
)
def test_what_is_refused(
    labels: list[int], candidate: Array, thresholds: list[float], prevalence: float | None, message: str
) -> None:
    with pytest.raises(CropworthError, match=message):
        decision_curve(labels, MODEL, candidate, thresholds, prevalence)
