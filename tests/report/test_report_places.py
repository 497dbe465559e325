from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path as Polygon

from cropworth.report.heatmap import heatmap
from cropworth.report.places import CELLS, PLACES, corners, coverage, in_words
from factories import make_record


def poses(count: int) -> np.ndarray:
    """Turned, mirrored, sheared ones, some of them outside."""
    return np.random.default_rng(0).normal(0, 0.5, (count, 2, 3)).astype(np.float32)


@pytest.mark.parametrize(("ratio", "shape"), [(1.0, (32, 32)), (0.5, (16, 32)), (2.0, (32, 16)), (1e-3, (1, 32))])
def test_coverage_is_the_share_of_polygons_that_hold_each_cells_middle(ratio: float, shape: tuple[int, int]) -> None:
    theta = poses(40)
    found = coverage(theta, ratio)
    y, x = (np.mgrid[: shape[0], : shape[1]] + 0.5) / np.array(shape)[:, None, None]
    points = np.column_stack([x.ravel(), y.ravel()])
    inside = [Polygon(polygon).contains_points(points) for polygon in corners(theta)]
    np.testing.assert_allclose(found, np.mean(inside, axis=0).reshape(shape), atol=1e-12)


def test_coverage_of_many_is_the_mean_of_its_parts() -> None:
    theta = poses(2500)
    parts = np.mean([coverage(theta[i * 500 : (i + 1) * 500]) for i in range(5)], axis=0)
    np.testing.assert_allclose(coverage(theta), parts, atol=1e-12)


def test_a_crop_without_an_area_covers_nothing() -> None:
    assert coverage(np.float32([[[0, 0, 0], [0, 0, 0]], [[1, 1, 0], [1, 1, 0]]])).max() == 0
    assert coverage(np.float32([[[1, 0, 0], [0, 1, 0]]])).min() == 1


def test_coverage_of_a_series() -> None:
    found = coverage(np.float32([[[0.5, 0]], [[-0.25, 0.75]]]))  # 25 % to 75 %; 75 % to 100 %, backwards
    assert found.shape == (PLACES,)
    np.testing.assert_array_equal(found, np.repeat([0.0, 0.5], [25, 75]))


@pytest.mark.parametrize(
    ("theta", "words"),
    [
        ([[1, 0, 0], [0, 1, 0]], "in the middle, 100 % as wide and 100 % as high"),
        ([[0.3, 0, -0.7], [0, 0.2, -0.6]], "in the upper left, 30 % as wide and 20 % as high"),
        ([[0.3, 0, 0.7], [0, 0.2, 0]], "on the right, 30 % as wide and 20 % as high"),
        ([[0.1, 0, 0], [0, 0.1, 1]], "at the bottom, 10 % as wide and 10 % as high"),
        ([[0.1, 0, 0], [0, 0.1, 1.2]], "outside the frame, 10 % as wide and 10 % as high"),
        ([[0.4, -0.2]], "from 20 % to 60 %"),
    ],
)
def test_where_a_crop_lies_in_words(theta: list[list[float]], words: str) -> None:
    assert in_words(np.float32(theta)) == words


def test_a_heatmap_is_of_all_seeds() -> None:
    records = [make_record("zoom", seed, with_crop=True) for seed in range(3)]
    records[0].theta[:] = np.float32([[0.2, 0, 0.8], [0, 0.2, 0.8]])  # type: ignore[index]
    found = heatmap(records, 1.0)
    assert found is not None
    assert found.most == "67 %"
    assert found.words.startswith("The place that most crops cover, in the middle, is in 67 % of them. 71 % of")
    assert found.image.startswith("data:image/png;base64,")
    assert found.area == ""
    assert heatmap([make_record(), make_record("zoom", status="diverged", with_crop=True)], 1.0) is None


def test_a_heatmap_of_a_series_is_a_curve() -> None:
    record = make_record("zoom", with_crop=True, items=2)
    object.__setattr__(record, "theta", np.float32([[[0.5, 0]], [[0.25, 0]]]))
    found = heatmap([record], 1.0)
    assert found is not None
    assert (found.image, found.most) == ("", "100 %")
    assert found.words == (
        "The place that most crops cover, at 50 % of the length, is in 100 % of them. "
        "50 % of the input is in fewer than 5 % of them."
    )
    assert found.area.startswith("M0 1L0 1.000L0.005 1.000")
    assert found.area.count("L") == PLACES + 3
    assert CELLS < PLACES
