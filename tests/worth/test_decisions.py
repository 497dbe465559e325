import re
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV

from cropworth.errors import CropworthError
from cropworth.worth.decisions import NEVER, LeastExpectedCost, Rule, Thresholds, bayes_thresholds, choose_rule

Array = NDArray[np.float64]
COSTS = np.array([[0.0, 1.0], [5.0, 0.0]])


def pairs(second: object) -> Array:
    """(n,) probabilities of the second class -> (n, 2)."""
    p = np.asarray(second, dtype=np.float64)
    return np.stack((1 - p, p), axis=1)


def cost_of(rule: Rule, p: Array, y: Array, costs: Array, weights: Array, reject: float | None = None) -> float:
    """In all; a person is one more decision, of the same cost for every class."""
    table = costs if reject is None else np.column_stack((costs, np.full(len(costs), reject)))
    return float((weights[y] * table[y, rule.decide(p)]).sum())


class Given(ClassifierMixin, BaseEstimator):
    """A model whose input is its answer."""

    def fit(self, x: Array, y: Array) -> "Given":
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: Array) -> Array:
        return x

    def predict(self, x: Array) -> NDArray[np.int64]:
        return x.argmax(axis=1)


money = st.integers(-5, 20).map(float)


@st.composite
def two_classes(draw: st.DrawFn) -> tuple[Array, Array, Array, Array]:
    """Items with ties, both classes among them, any sensible costs, and weights."""
    p = np.array(draw(st.lists(st.integers(0, 6), min_size=2, max_size=12))) / 6
    y = np.array([0, 1, *draw(st.lists(st.integers(0, 1), min_size=len(p) - 2, max_size=len(p) - 2))])
    costs = np.array(draw(st.lists(money, min_size=4, max_size=4))).reshape(2, 2)
    if costs[0, 0] > costs[0, 1] and costs[1, 1] > costs[1, 0]:
        costs = costs[:, ::-1]
    return pairs(p), y, costs, np.array(draw(st.tuples(st.integers(1, 4), st.integers(0, 4))), dtype=np.float64)


def test_a_threshold_by_hand() -> None:
    # Of p = 0.1, 0.3, 0.6, 0.8 the second and the last are of the second class; a miss costs 5, a false alarm 1.
    # Threshold up to 0.1: 2 false alarms, 2. In (0.1, 0.3]: 1. In (0.3, 0.6]: 5 + 1. In (0.6, 0.8]: 5. Above: 10.
    # Calibrated, the threshold would be 1 / (1 + 5) = 0.167, which lies in (0.1, 0.3].
    rule = choose_rule(pairs([0.6, 0.1, 0.8, 0.3]), [0, 0, 1, 1], COSTS)
    assert rule == Thresholds(pytest.approx(1 / 6), pytest.approx(1 / 6))
    # At equal costs 1/2 would be right. Below 0.1: 2; (0.1, 0.3]: 1; (0.3, 0.6]: 2; (0.6, 0.8]: 1; above: 2. The gap
    # nearest to 1/2 is (0.6, 0.8], 0.1 away, and its middle 0.7.
    rule = choose_rule(pairs([0.6, 0.1, 0.8, 0.3]), [0, 0, 1, 1], [[0, 1], [1, 0]])
    assert rule == Thresholds(pytest.approx(0.7), pytest.approx(0.7))


def test_two_thresholds_by_hand() -> None:
    # p = 0.1 (first), 0.4 (second), 0.5 (first), 0.9 (second); an error costs 4, a person 1: refer two, for 2.
    rule = choose_rule(pairs([0.1, 0.4, 0.5, 0.9]), [0, 1, 0, 1], [[0, 4], [4, 0]], reject_cost=1)
    # Calibrated: the first class below 1/4, the second from 3/4 on; both lie in their gaps.
    assert rule == Thresholds(0.25, 0.75)
    np.testing.assert_array_equal(rule.decide(pairs([0.2, 0.25, 0.74, 0.75])), [0, 2, 2, 1])
    # At 3 a person is dearer than the one error, of 4, that one threshold makes: 2 x 3 > 4.
    assert choose_rule(pairs([0.1, 0.4, 0.5, 0.9]), [0, 1, 0, 1], [[0, 4], [4, 0]], reject_cost=3).low >= 0.5


def test_one_place_for_both_thresholds_by_hand() -> None:
    # p = 0.1 (first), 0.3, 0.4 and 0.9 (second) are told apart without a person. The low threshold is 1/4 as above; 3/4
    # is not in that gap, and its middle, 0.2, would be a high threshold below the low one.
    rule = choose_rule(pairs([0.1, 0.3, 0.4, 0.9]), [0, 1, 1, 1], [[0, 4], [4, 0]], reject_cost=1)
    assert rule == Thresholds(0.25, 0.25)


def test_costs_that_are_equal_but_for_rounding_by_hand() -> None:
    # Below 0.5: three false alarms of 0.1, which a float adds to more than 0.3. In (0.8, 0.95]: one miss of 0.3.
    p = pairs([0.5, 0.6, 0.7, 0.8, 0.95])
    assert choose_rule(p, [1, 0, 0, 0, 1], [[0, 0.1], [0.3, 0]]) == Thresholds(pytest.approx(0.25), pytest.approx(0.25))


@given(two_classes())
def test_no_threshold_costs_less(case: tuple[Array, Array, Array, Array]) -> None:
    p, y, costs, weights = case
    every = [Thresholds(t, t) for t in (*np.unique(p[:, 1]), NEVER)]
    found = cost_of(choose_rule(p, y, costs, weights), p, y, costs, weights)
    assert found == min(cost_of(rule, p, y, costs, weights) for rule in every)


@given(two_classes(), st.integers(0, 12))
def test_no_two_thresholds_cost_less(case: tuple[Array, Array, Array, Array], reject: int) -> None:
    p, y, costs, weights = case
    every = [Thresholds(*ends) for ends in combinations_with_replacement((*np.unique(p[:, 1]), NEVER), 2)]
    rule = choose_rule(p, y, costs, weights, reject)
    assert isinstance(rule, Thresholds)
    assert rule.low <= rule.high
    found = cost_of(rule, p, y, costs, weights, reject)
    assert found == min(cost_of(other, p, y, costs, weights, reject) for other in every)
    assert found <= cost_of(choose_rule(p, y, costs, weights), p, y, costs, weights)
    assert found <= reject * weights[y].sum()


@given(two_classes(), st.sampled_from([0.25, 3.0, 1e6]), money, money)
def test_what_changes_no_threshold(
    case: tuple[Array, Array, Array, Array], factor: float, extra_0: float, extra_1: float
) -> None:
    p, y, costs, weights = case
    rule = choose_rule(p, y, costs, weights)
    assert choose_rule(p, y, costs * factor, weights).decide(p).tolist() == rule.decide(p).tolist()
    assert choose_rule(p, y, costs, weights * factor).decide(p).tolist() == rule.decide(p).tolist()
    by_true_class = costs + np.array([[extra_0], [extra_1]])
    assert choose_rule(p, y, by_true_class, weights) == rule
    assert choose_rule(np.repeat(p, 3, axis=0), np.repeat(y, 3), costs, weights) == rule


@given(two_classes())
def test_a_weight_counts_as_so_many_items(case: tuple[Array, Array, Array, Array]) -> None:
    p, y, costs, weights = case
    weights = weights + 1
    times = weights[y].astype(int)
    repeated = choose_rule(np.repeat(p, times, axis=0), np.repeat(y, times), costs)
    weighted = choose_rule(p, y, costs, weights)
    assert cost_of(repeated, p, y, costs, weights) == cost_of(weighted, p, y, costs, weights)


def test_it_costs_what_scikit_learn_finds() -> None:
    rng = np.random.default_rng(0)
    p = pairs(rng.beta(1, 2, 300))
    y = (rng.random(300) < p[:, 1] ** 1.5).astype(int)

    def saved(labels: NDArray[np.int64], decisions: NDArray[np.int64]) -> float:
        return -float(COSTS[labels, decisions].sum())

    tuned = TunedThresholdClassifierCV(
        FrozenEstimator(Given().fit(p, y)), scoring=make_scorer(saved), cv="prefit", refit=False,
        response_method="predict_proba", thresholds=np.unique(p[:, 1]),
    ).fit(p, y)  # fmt: skip
    assert cost_of(choose_rule(p, y, COSTS), p, y, COSTS, np.ones(2)) == pytest.approx(-tuned.best_score_)


@given(
    st.lists(st.floats(0, 20), min_size=4, max_size=4),
    st.tuples(st.floats(0.1, 5), st.floats(0.1, 5)),
    st.none() | st.floats(0, 10),
)
def test_calibrated_thresholds_are_where_the_least_expected_cost_changes(
    gaps: list[float], weights: tuple[float, float], reject: float | None
) -> None:
    # Being right costs less than being wrong, and than asking: the rule has the shape that the thresholds assume.
    right, asked = min(gaps[:2]), np.inf if reject is None else min(gaps[:2]) + reject
    costs = np.array([[right, right + gaps[2]], [right + gaps[3], right]])
    low, high = bayes_thresholds(costs, np.array(weights), None if reject is None else asked)
    p = np.linspace(0, 1, 201)
    share = p * weights[1] / (p * weights[1] + (1 - p) * weights[0])
    expected = np.column_stack((pairs(share) @ costs, np.full(len(p), asked)))
    decided = expected[np.arange(len(p)), Thresholds(low, high).decide(pairs(p))]
    np.testing.assert_allclose(decided, expected.min(axis=1), atol=1e-9)


def test_two_classes_with_known_posteriors() -> None:
    """The probabilities are bent; the thresholds, in terms of the true posteriors, are the Bayes rule's."""
    rng = np.random.default_rng(1)
    posterior = rng.random(200_000)
    y = (rng.random(200_000) < posterior).astype(int)
    weights = np.array([1.5, 0.5])
    rule = choose_rule(pairs(posterior**3), y, COSTS, weights, reject_cost=0.4)
    assert isinstance(rule, Thresholds)
    # By hand: 1.5 x 0.4 / (1.5 x 0.4 + 0.5 x 4.6) = 0.207, and 1.5 x 0.6 / (1.5 x 0.6 + 0.5 x 0.4) = 0.818.
    assert (rule.low ** (1 / 3), rule.high ** (1 / 3)) == pytest.approx((0.6 / 2.9, 0.9 / 1.1), abs=0.02)


def tempered(posterior: Array, temperature: float) -> Array:
    power = posterior ** (1 / temperature)
    return power / power.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def three_classes() -> tuple[Array, Array]:
    """True posteriors, and labels drawn from them."""
    rng = np.random.default_rng(2)
    posterior = rng.dirichlet((1.0, 0.7, 0.5), 20_000).clip(1e-4)
    posterior /= posterior.sum(axis=1, keepdims=True)
    return posterior, (rng.random((20_000, 1)) > posterior.cumsum(axis=1)).sum(axis=1).clip(max=2)


def test_the_temperature_is_scikit_learns(three_classes: tuple[Array, Array]) -> None:
    posterior, y = three_classes
    sure = tempered(posterior, 0.4)
    rule = choose_rule(sure, y, np.ones((3, 3)))
    assert isinstance(rule, LeastExpectedCost)
    assert rule.temperature == pytest.approx(2.5, rel=0.03)
    theirs = CalibratedClassifierCV(FrozenEstimator(Given().fit(sure, y)), method="temperature", ensemble=False)
    expected = theirs.fit(sure, y).predict_proba(sure[:50])
    np.testing.assert_allclose(tempered(sure[:50], rule.temperature), expected, atol=1e-3)


def test_more_classes_with_known_posteriors_and_other_frequencies(three_classes: tuple[Array, Array]) -> None:
    posterior, y = three_classes
    costs = np.array([[0.0, 1.0, 8.0], [2.0, -0.5, 4.0], [6.0, 3.0, 0.0]])
    weights, reject = np.array([0.5, 1.0, 3.0]), 0.9
    rule = choose_rule(tempered(posterior, 0.4), y, costs, weights, reject)
    there = posterior * weights / (posterior * weights).sum(axis=1, keepdims=True)
    expected = np.column_stack((there @ costs, np.full(len(y), reject)))
    decided = rule.decide(tempered(posterior, 0.4))
    assert set(decided.tolist()) == {0, 1, 2, 3}
    assert (decided == expected.argmin(axis=1)).mean() > 0.98
    regret = expected[np.arange(len(y)), decided] - expected.min(axis=1)
    assert regret.mean() < 2e-4


def test_at_equal_costs_the_likeliest_class_is_decided(three_classes: tuple[Array, Array]) -> None:
    posterior, y = three_classes
    rule = choose_rule(
        posterior[:2000] ** 2 / (posterior[:2000] ** 2).sum(axis=1, keepdims=True), y[:2000], 1 - np.eye(3)
    )
    np.testing.assert_array_equal(rule.decide(posterior), posterior.argmax(axis=1))


@given(st.lists(money, min_size=9, max_size=9), st.sampled_from([0.5, 4.0]), st.lists(money, min_size=3, max_size=3))
def test_what_changes_no_decision_of_more_classes(entries: list[float], factor: float, extra: list[float]) -> None:
    rng = np.random.default_rng(3)
    p, y, costs = rng.dirichlet(np.ones(3), 40), rng.integers(0, 3, 40), np.array(entries).reshape(3, 3)
    decided = choose_rule(p, y, costs).decide(p)
    # Exactly equal costs leave the choice to rounding; any decision of least expected cost will do.
    rule = choose_rule(p, y, costs * factor + np.array(extra)[:, None])
    assert isinstance(rule, LeastExpectedCost)
    expected = tempered(p, rule.temperature) @ costs
    items = np.arange(40)
    np.testing.assert_allclose(expected[items, rule.decide(p)], expected[items, decided], atol=1e-9)
    np.testing.assert_allclose(expected[items, decided], expected.min(axis=1), atol=1e-9)


def test_a_few_items_all_read_right_do_not_make_a_model_certain() -> None:
    y = np.arange(30) % 3
    p = np.where(np.eye(3)[y] == 1, 0.98, 0.01)
    costs = np.array([[0, 1, 1], [1, 0, 1], [1000.0, 1, 0]])
    rule = choose_rule(p, y, costs)
    assert isinstance(rule, LeastExpectedCost)
    assert 0.5 < rule.temperature < 2
    # One item in a hundred is of the last class, which costs 1000 when read as the first: nobody decides for the first.
    assert rule.decide([[0.98, 0.01, 0.01]]).tolist() == [1]


def test_temperatures_have_ends() -> None:
    p = np.tile([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], (3, 1))
    rule = choose_rule(p, np.repeat([0, 1, 2], 3), 1 - np.eye(3))
    assert isinstance(rule, LeastExpectedCost)
    assert rule.temperature == 20
    # And the other end: always right, hardly surer than chance.
    y = np.arange(3000) % 3
    rule = choose_rule(np.where(np.eye(3)[y] == 1, 0.34, 0.33), y, 1 - np.eye(3))
    assert isinstance(rule, LeastExpectedCost)
    assert rule.temperature == 0.05


def test_extremes_of_two_classes() -> None:
    p, y = pairs([0.0, 1.0, 0.0, 1.0]), np.array([0, 0, 1, 1])
    assert choose_rule(p, y, [[0, 1], [100, 0]]).decide(p).tolist() == [1, 1, 1, 1]
    assert choose_rule(p, y, [[0, 100], [1, 0]]).decide(p).tolist() == [0, 0, 0, 0]
    assert choose_rule(p, y, [[0, 100], [100, 0]], reject_cost=0).decide(p).tolist() == [2, 2, 2, 2]
    assert choose_rule(p, y, np.zeros((2, 2))) == Thresholds(0.5, 0.5)
    # Two probabilities with no number between them are still told apart.
    near = pairs([0.5, np.nextafter(0.5, 1)])
    assert choose_rule(near, [0, 1], COSTS).decide(near).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (Thresholds(0.2, 0.2), "Decide ill where its probability is 0.200 or more, else well."),
        (Thresholds(NEVER, NEVER), "Always decide well."),
        (Thresholds(0.0, 0.0), "Always decide ill."),
        (Thresholds(0.0, NEVER), "Refer everything to a person."),
        (
            Thresholds(0.1, 0.4),
            (
                "By the probability of ill, decide well where it is below 0.100 and ill where it is 0.400 or more; "
                "refer the rest to a person."
            ),
        ),
        (
            Thresholds(0.1, NEVER),
            "By the probability of ill, decide well where it is below 0.100; refer the rest to a person.",
        ),
        (
            LeastExpectedCost(1.3, (1.0, 1.0), ((0.0, 1.0), (1.0, 0.0)), 0.25),
            (
                "Decide for the one of 2 classes that is expected to cost least, or refer to a person where each would "
                "cost over 0.250; the probabilities are tempered by 1.30."
            ),
        ),
    ],
)
def test_the_rule_in_words(rule: Rule, sentence: str) -> None:
    assert rule.describe(("well", "ill")) == sentence


GOOD = {"p": [[0.9, 0.1], [0.2, 0.8]], "y": [0, 1], "costs": [[0, 1], [1, 0]], "weights": None, "reject": None}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"p": [[0.9, 0.2], [0.2, 0.8]]},
            "probabilities [0.9 0.2] in row 0; expected numbers from 0 to 1 that add to 1",
        ),
        ({"p": [[0.9, 0.1], [np.nan, 0.8]]}, "probabilities [nan 0.8] in row 1"),
        ({"p": [[0.9, 0.1], [-0.2, 1.2]]}, "in row 1"),
        ({"p": np.empty((0, 2)), "y": []}, "probabilities of shape (0, 2)"),
        ({"p": [0.1, 0.2]}, "probabilities of shape (2,)"),
        ({"p": [[1.0], [1.0]]}, "probabilities of shape (2, 1)"),
        ({"y": [0, 2]}, "validation labels [0 2]; expected 2 whole numbers from 0 to 1"),
        ({"y": [0, 1, 1]}, "validation labels [0 1 1]"),
        ({"y": [0, 0.5]}, "validation labels [0.  0.5]"),
        ({"y": [1, 1]}, "2 validation items, all of class 1; expected validation items of both classes"),
        ({"costs": np.zeros((3, 3))}, "expected 2 rows of 2 numbers"),
        ({"costs": [[0, np.inf], [1, 0]]}, "costs [[0.0, inf], [1.0, 0.0]]"),
        ({"costs": [[1, 0], [0, 1]]}, "Turn the signs round"),
        ({"weights": [1.0]}, "weights [1.0]; expected 2 numbers"),
        ({"weights": [1.0, -1.0]}, "none below 0"),
        ({"weights": [0.0, 0.0]}, "one above"),
        ({"weights": [1.0, np.nan]}, "weights [1.0, nan]"),
        ({"reject": -0.1}, "a reject cost of -0.1; expected a number, 0 or more"),
        ({"reject": np.nan}, "a reject cost of nan"),
    ],
)
def test_what_is_refused(changed: dict[str, object], message: str) -> None:
    case: dict = GOOD | changed
    with pytest.raises(CropworthError, match=re.escape(message)):
        choose_rule(case["p"], case["y"], case["costs"], case["weights"], case["reject"])


def test_a_rule_refuses_probabilities_of_other_classes() -> None:
    with pytest.raises(CropworthError, match=r"expected \(items, 2\)"):
        Thresholds(0.5, 0.5).decide([[0.2, 0.3, 0.5]])
