from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from cropworth.report import pictures
from cropworth.report.pictures import ACROSS, DOWN, Excerpt, curves, dashes, excerpt


def decoded(uri: str, kind: str = "png") -> np.ndarray:
    head, data = uri.split(",")
    assert head == f"data:image/{kind};base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize(
    ("theta", "points"),
    [
        ([[1, 0, 0], [0, 1, 0]], "0.000,0.000 1.000,0.000 1.000,1.000 0.000,1.000"),
        # Half the width around x = 0.25 of the picture, the upper half of its height.
        ([[0.5, 0, -0.5], [0, 0.5, -0.5]], "0.000,0.000 0.500,0.000 0.500,0.500 0.000,0.500"),
        # A quarter turn: the crop's right is the picture's down.
        ([[0, -1, 0], [1, 0, 0]], "1.000,0.000 1.000,1.000 0.000,1.000 0.000,0.000"),
    ],
    ids=["identity is the whole picture", "upper left quarter", "quarter turn"],
)
def test_outline(theta: list[list[float]], points: str) -> None:
    assert pictures.outline(np.array(theta, dtype=np.float32)) == points


def test_the_outline_of_a_crop_in_time() -> None:
    # The middle half, a quarter further on; its picture is as high as the whole.
    assert pictures.outline(np.float32([[0.5, 0.25]])) == "0.375,0.000 0.875,0.000 0.875,1.000 0.375,1.000"
    # A warp around one knot in the middle that runs at 3/2 and then at 1/2 of its mean pace ends where it ends.
    slope, bend = (1.5 + 0.5) / 2, (0.5 - 1.5) / 2
    warped = np.float32([[0.5 * slope, 0.25 + 0.5 * (slope - 1 - bend), 0.5 * bend]])
    assert pictures.outline(warped) == pictures.outline(np.float32([[0.5, 0.25]]))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_small_pictures_are_kept_to_the_pixel(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (channels, 6, 4), dtype=np.uint8)
    expected = pixels[0] if channels == 1 else pixels.transpose(1, 2, 0)
    np.testing.assert_array_equal(decoded(pictures.data_uri(pixels, 32)), expected)


def test_large_pictures_are_shrunk_to_the_side_and_keep_their_shape() -> None:
    grey = np.full((1, 80, 40), 90, dtype=np.uint8)
    found = decoded(pictures.data_uri(grey, 20), "jpeg")
    assert found.shape == (20, 10)
    assert abs(int(found.mean()) - 90) <= 1


def points(path: str) -> np.ndarray:
    """Where an SVG path of relative lines goes: (n, 2)."""
    numbers = np.array([float(number) for number in re.findall(r"-?\d+", path)]).reshape(-1, 2)
    return numbers.cumsum(0)


def test_a_curve_goes_through_its_values() -> None:
    whole = np.float32([[0, 5], [4, 5], [2, 5], [1, 5]])
    first, second = curves(whole, 100, whole)
    np.testing.assert_array_equal(points(first)[:, 0], (np.arange(4) + 0.5) / 4 * ACROSS)
    np.testing.assert_array_equal(points(first)[:, 1], [DOWN, 0, DOWN / 2, DOWN * 0.75])
    np.testing.assert_array_equal(points(second)[:, 1], 0)  # a constant has no height


def test_a_crops_curve_has_the_scale_of_the_whole() -> None:
    whole = np.float32([[0], [4], [2]])
    (path,) = curves(whole[2:], 100, whole)
    np.testing.assert_array_equal(points(path), [[ACROSS / 2, DOWN / 2]])


def test_of_a_long_series_the_extremes_are_kept() -> None:
    whole = np.random.default_rng(0).normal(size=(5000, 1)).astype(np.float32)
    (path,) = curves(whole, 40, whole)
    found = points(path)
    assert len(found) <= 40
    assert (found[:, 1].min(), found[:, 1].max()) == (0, DOWN)
    assert (np.diff(found[:, 0]) >= 0).all()


def test_a_dash_for_each_word() -> None:
    assert dashes(4) == "M0 50h99M100 50h99M200 50h99M300 50h99"
    assert dashes(4000).count("M") == 100


WORDS = ["Once", "upon", "a", "time", ",", "it", "rained", "."]


@pytest.mark.parametrize(
    ("theta", "expected"),
    [
        ([[1, 0]], Excerpt("", "Once upon a time, it rained.", "")),
        ([[0.25, 0]], Excerpt("Once upon a", "time,", "it rained.")),
        ([[-0.25, -0.75]], Excerpt("", "Once upon", "a time, it rained.")),
        ([[0.01, 0.0]], Excerpt("Once upon a time", "", ", it rained.")),
        ([[0.2, 3]], Excerpt("Once upon a time, it rained.", "", "")),
    ],
)
def test_an_excerpt_marks_the_words_whose_middle_is_in_the_span(theta: list[list[float]], expected: Excerpt) -> None:
    assert excerpt(WORDS, np.float32(theta)) == expected


def test_an_excerpt_of_a_long_text_leaves_words_out_and_says_so() -> None:
    words = [f"word{i}" for i in range(1000)]
    found = excerpt(words, np.float32([[0.5, 0]]))
    assert found.before.startswith("… word")
    assert found.before.endswith(" word249")
    assert found.after.startswith("word750 ")
    assert found.after.endswith(" …")
    assert " … " in found.marked
    assert found.marked.startswith("word250 ")
    assert found.marked.endswith(" word749")
    assert all(part in words for part in found.marked.split() if part != "…")
    assert len(found.before + found.marked + found.after) < 1100
