"""Drawing whole units: near the share of each stratum, and nearer than scikit-learn's folds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropworth.data.drawing import binned, drawn, joined

Ints = NDArray[np.int64]


def test_ties_are_followed_on() -> None:
    ties = [("a", 1), ("b", 1), ("b", None), ("c", None), ("d", 2), (None, None), (None, 2), (1, None)]
    assert joined(ties).tolist() == [0, 0, 0, 1, 2, 3, 2, 4]


@given(ties=st.lists(st.tuples(st.integers(0, 8), st.none() | st.integers(0, 8)), max_size=20))
def test_units_are_the_parts_of_the_graph_of_ties(ties: list[tuple[int, int | None]]) -> None:
    sparse, graphs = pytest.importorskip("scipy.sparse"), pytest.importorskip("scipy.sparse.csgraph")
    tied = [[a[0] == b[0] or (a[1] is not None and a[1] == b[1]) for b in ties] for a in ties]
    expected = graphs.connected_components(sparse.csr_matrix(np.array(tied).reshape(len(ties), -1)))[1] if ties else []
    units = joined(ties)
    pairs = {(unit, part) for unit, part in zip(units.tolist(), list(expected), strict=True)}
    assert len(pairs) == len(set(units.tolist())) == len({part for _, part in pairs})


def test_bins_hold_about_as_many_each() -> None:
    numbers = np.random.default_rng(0).lognormal(0, 3, 400)
    bins = binned(numbers)
    assert np.bincount(bins).tolist() == [40] * 10
    assert (np.diff(bins[np.argsort(numbers)]) >= 0).all()
    assert binned(np.ones(100)).tolist() == [0] * 100
    assert set(binned(np.arange(39.0)).tolist()) == {0}


@given(
    labels=st.lists(st.integers(0, 3), min_size=4, max_size=60),
    share=st.floats(0.02, 0.9),
    seed=st.integers(0, 9),
    left=st.integers(1, 2),
)
def test_single_items_are_drawn_to_the_nearest_count(labels: list[int], share: float, seed: int, left: int) -> None:
    strata = np.unique(labels, return_inverse=True)[1]
    chosen = drawn(strata, np.arange(len(strata)), share, np.random.default_rng(seed), left)
    for stratum, count in enumerate(np.bincount(strata)):
        wanted = np.clip(share * count, min(1, max(0, count - left)), max(0, count - left))
        assert abs(chosen[strata == stratum].sum() - wanted) <= 0.5 + 1e-9


def random_groups(rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Items in groups of unequal sizes, each with a taste for some classes: labels and groups."""
    count, classes = rng.integers(12, 60), rng.integers(2, 6)
    groups = np.repeat(np.arange(count), rng.geometric(0.15, count))
    taste = rng.dirichlet(np.full(classes, rng.choice([0.3, 1, 5])), count)
    labels = np.array([rng.choice(classes, p=taste[group]) for group in groups])
    return np.unique(labels, return_inverse=True)[1], groups


def imbalance(labels: Ints, chosen: NDArray[np.bool_], share: float) -> float:
    counts = np.bincount(labels)
    return float(np.abs(np.bincount(labels[chosen], minlength=len(counts)) / counts - share).mean())


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_no_worse_than_stratified_group_folds() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    ours, theirs, sizes = [], [], []
    for seed in range(40):
        labels, groups = random_groups(np.random.default_rng(seed))
        chosen = drawn(labels, groups, 0.25, np.random.default_rng(seed), left=1)
        folds = selection.StratifiedGroupKFold(4, shuffle=True, random_state=seed).split(labels, labels, groups)
        fold = np.isin(np.arange(len(labels)), next(folds)[1])
        ours.append(imbalance(labels, chosen, 0.25))
        theirs.append(imbalance(labels, fold, 0.25))
        sizes.append(np.bincount(groups)[np.unique(groups[chosen])].mean() / np.bincount(groups).mean())
    assert np.mean(ours) < 0.5 * np.mean(theirs)
    assert np.mean(ours) < 0.02
    assert 0.9 < np.mean(sizes) < 1.1  # neither the large groups nor the small ones
