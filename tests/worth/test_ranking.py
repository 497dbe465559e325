import numpy as np
import pandas as pd
import pytest
from heormodel.cea import icer_table
from hypothesis import given
from hypothesis import strategies as st

from cropworth.errors import CropworthError
from cropworth.worth.ranking import dominated, ranking

small = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=8, unique=True)


def test_dominance_by_hand() -> None:
    # b costs as much as c and brings less. d (cost 2, value 5) lies below the line from c (1, 4) to e (4, 10), which
    # is at 6 there. e is the dearest and brings the most.
    found = dominated(np.array([0, 3, 4, 5, 10]), np.array([0, 1, 1, 2, 4]), ["a", "b", "c", "d", "e"])
    assert found.by_one == {"b": "c"}
    assert found.by_two == {"d": ("c", "e")}


def test_who_dominates_is_not_dominated_itself() -> None:
    found = dominated(np.array([1, 2, 3, 3]), np.array([4, 3, 2, 1]), ["worst", "middle", "good", "best"])
    assert found.by_one == {"worst": "best", "middle": "best", "good": "best"}


def test_equals_and_points_on_the_line_are_not_dominated() -> None:
    found = dominated(np.array([1.0, 1.0]), np.array([2.0, 2.0]), ["a", "b"])
    assert found.by_one == found.by_two == {}
    on_the_line = np.array([0.1, 0.2, 0.3, 0.7])
    assert dominated(on_the_line * 3, on_the_line / 7, ["a", "b", "c", "d"]).by_two == {}
    below = dominated(np.array([0.0, 1, 1, 10]), np.array([0.0, 5, 5, 10]), ["a", "b", "c", "d"])
    assert below.by_two == {"b": ("a", "d"), "c": ("a", "d")}  # equals fall together


@given(small)
def test_dominance_against_heormodel(points: list[tuple[int, int]]) -> None:
    names = [f"v{i}" for i in range(len(points))]
    costs, values = np.array(points, dtype=float).T
    status = icer_table(pd.DataFrame({"cost": costs, "effect": values}, index=names))["status"]
    found = dominated(values, costs, names)
    assert set(found.by_one) == set(status.index[status == "D"])
    # heormodel calls a variant on the line undominated too: both ask for a rising ratio, strictly.
    assert set(found.by_two) == set(status.index[status == "ED"])


@given(small, st.floats(0.1, 10), st.floats(0.1, 10))
def test_units_do_not_matter(points: list[tuple[int, int]], unit: float, other: float) -> None:
    names = [f"v{i}" for i in range(len(points))]
    costs, values = np.array(points, dtype=float).T
    assert dominated(values * unit, costs * other, names) == dominated(values, costs, names)


@pytest.mark.parametrize(
    ("values", "costs", "names"), [([1, 2], [1], ["a", "b"]), ([1, np.nan], [1, 2], ["a", "b"]), ([1], [1], [])]
)
def test_bad_variants(values: list[float], costs: list[float], names: list[str]) -> None:
    with pytest.raises(CropworthError, match="expected a finite value and cost of each"):
        dominated(np.array(values), np.array(costs), names)


def test_ranking_by_hand() -> None:
    # Four draws: a wins two, b one, and in the last they tie. Ranks of a: 1, 1, 2, 1.5; c is always last.
    draws = np.array([[3.0, 2, 0], [3, 2, 0], [1, 2, 0], [2, 2, 0]])
    found = ranking(np.array([2.25, 2.0, 0.0]), draws)
    assert found.probability_best == pytest.approx([2.5 / 4, 1.5 / 4, 0])
    assert found.expected_rank == pytest.approx([5.5 / 4, 6.5 / 4, 3])


def test_the_set_of_two_is_the_one_sided_interval_of_their_difference() -> None:
    rng = np.random.default_rng(0)
    for difference, both in ((1.60, True), (1.69, False)):  # around 1.645 standard errors
        estimates = np.array([difference, 0.0])
        draws = estimates + rng.normal(0, np.sqrt(0.5), (200_000, 2))  # so the difference has a standard error of 1
        assert ranking(estimates, draws).may_be_best.tolist() == [True, both]


@pytest.mark.parametrize("shared", [0.0, 3.0])
def test_the_set_keeps_the_best_95_times_in_a_hundred(shared: float) -> None:
    """All are equally good: the hardest case, so the first is missed 5 % of the time. Shared noise does not matter."""
    rng, repeats, variants = np.random.default_rng(1), 500, 6
    noise = rng.normal(size=(1000, variants)) + shared * rng.normal(size=(1000, 1))
    kept = 0
    for _ in range(repeats):
        estimates = rng.normal(size=variants) + shared * rng.normal()
        kept += ranking(estimates, estimates + noise).may_be_best[0]
    # 500 repeats of 95 % lie within 92.4 % and 97.6 % 99 times in a hundred.
    assert 0.924 <= kept / repeats <= 0.976


def test_variants_without_noise_between_them() -> None:
    common = np.arange(100.0)[:, None]  # so that the differences are exact
    exact = np.array([1.0, 2.0, 2.0])
    found = ranking(exact, exact + common)
    assert found.may_be_best.tolist() == [False, True, True]
    assert found.probability_best == pytest.approx([0, 0.5, 0.5])
    assert ranking(np.array([1.0]), 1 + common).may_be_best.tolist() == [True]


@given(st.integers(0, 100), st.floats(-100, 100), st.floats(0.1, 100))
def test_currency_and_a_common_sum_do_not_matter(seed: int, more: float, factor: float) -> None:
    rng = np.random.default_rng(seed)
    estimates, noise = rng.normal(size=4), rng.normal(size=(50, 4))
    one, other = (ranking(e, e + n) for e, n in ((estimates, noise), (factor * estimates + more, factor * noise)))
    assert one.probability_best == pytest.approx(other.probability_best)
    assert one.probability_best.sum() == pytest.approx(1)
    assert one.expected_rank.sum() == pytest.approx(10)  # 1 + 2 + 3 + 4
    assert one.may_be_best[estimates.argmax()]


def test_bad_draws() -> None:
    with pytest.raises(CropworthError, match=r"estimates of shape \(2,\) and draws of shape \(5, 3\)"):
        ranking(np.zeros(2), np.zeros((5, 3)))
