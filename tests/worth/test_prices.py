import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cropworth.worth.prices import Range, mean

WIDTHS = st.floats(0.01, 1e6)


@given(st.floats(-1e6, 1e6), WIDTHS, WIDTHS, st.floats(0.001, 0.999))
def test_a_guess_is_scipys_triangular_distribution(low: float, rise: float, fall: float, probability: float) -> None:
    """Against another package."""
    guess = Range(low=low, mode=low + rise, high=low + rise + fall)
    theirs = stats.triang(rise / (rise + fall), loc=low, scale=rise + fall)
    assert float(guess.quantile(probability)) == pytest.approx(theirs.ppf(probability), rel=1e-6, abs=1e-6)
    assert guess.mean == pytest.approx(theirs.mean(), rel=1e-9, abs=1e-6)


def test_the_ends_are_certain() -> None:
    guess = Range(low=1, mode=1, high=3)
    assert guess.quantile([0.0, 1.0]).tolist() == [1.0, 3.0]
    assert Range(low=2, mode=2, high=2).quantile([0.1, 0.9]).tolist() == [2.0, 2.0]
    assert mean(4.0) == 4.0
    assert np.all(np.diff(guess.quantile(np.linspace(0, 1, 50))) > 0)
