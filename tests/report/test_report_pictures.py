from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cropworth.report import pictures
from factories import make_record, make_study
from report.appraisals import noisy_study


def decoded(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize(
    ("theta", "points"),
    [
        ([[1, 0, 0], [0, 1, 0]], "0.0000,0.0000 1.0000,0.0000 1.0000,1.0000 0.0000,1.0000"),
        # Half the width around x = 0.25 of the picture, the upper half of its height.
        ([[0.5, 0, -0.5], [0, 0.5, -0.5]], "0.0000,0.0000 0.5000,0.0000 0.5000,0.5000 0.0000,0.5000"),
        # A quarter turn: the crop's right is the picture's down.
        ([[0, -1, 0], [1, 0, 0]], "1.0000,0.0000 1.0000,1.0000 0.0000,1.0000 0.0000,0.0000"),
    ],
    ids=["identity is the whole picture", "upper left quarter", "quarter turn"],
)
def test_outline(theta: list[list[float]], points: str) -> None:
    assert pictures.outline(np.array(theta, dtype=np.float32)) == points


@pytest.mark.parametrize("channels", [1, 3])
def test_data_uri_keeps_small_pictures_as_they_are(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (channels, 6, 4), dtype=np.uint8)
    expected = pixels[0] if channels == 1 else pixels.transpose(1, 2, 0)
    np.testing.assert_array_equal(decoded(pictures.data_uri(pixels, 32)), expected)


def test_data_uri_shrinks_to_the_side_and_keeps_the_shape() -> None:
    assert decoded(pictures.data_uri(np.zeros((1, 80, 40), dtype=np.uint8), 20)).shape == (20, 10)


def test_galleries_come_from_the_first_seed_with_pictures_at_that_size() -> None:
    records = [
        make_record(),
        make_record("zoom", seed=0, status="diverged", with_crop=True),
        make_record("zoom", seed=1, wrong=[2], with_crop=True),
        make_record("zoom", seed=2, with_crop=True),
        make_record("zoom", seed=0, train_size=50, with_crop=True),
    ]
    album = pictures.make_album(make_study(records), 100)
    assert album is not None
    (gallery,) = album.galleries
    assert (gallery.variant, gallery.kind, gallery.seed, len(gallery.examples)) == ("zoom", "crop", 1, 12)
    assert [example.right for example in gallery.examples] == [i != 2 for i in range(12)]
    assert (gallery.examples[2].truth, gallery.examples[2].predicted) == ("2", "0")


def test_pictures_that_variants_share_are_embedded_once() -> None:
    records = [make_record(name, with_crop=True) for name in ("zoom", "affine")]
    album = pictures.make_album(make_study(records), 100)
    assert album is not None
    assert len(album.pictures) == 12
    assert [len(gallery.examples) for gallery in album.galleries] == [12, 12]


def test_no_crops_no_album() -> None:
    assert pictures.make_album(make_study([make_record()]), 100) is None


def test_noisy_colour_pictures_are_shrunk_to_the_budget() -> None:
    album = pictures.make_album(noisy_study(variants=3), 100)
    assert album is not None
    crops = [example.crop for gallery in album.galleries for example in gallery.examples]
    assert sum(map(len, (*album.pictures, *crops))) <= pictures.BUDGET_BYTES
    assert decoded(album.pictures[0]).shape[0] < 160


def test_the_outline_of_a_crop_in_time() -> None:
    # The middle half, a quarter further on; its picture is as high as the whole.
    assert pictures.outline(np.float32([[0.5, 0.25]])) == "0.3750,0.0000 0.8750,0.0000 0.8750,1.0000 0.3750,1.0000"
    # A warp around one knot in the middle that runs at 3/2 and then at 1/2 of its mean pace ends where it ends.
    slope, bend = (1.5 + 0.5) / 2, (0.5 - 1.5) / 2
    warped = np.float32([[0.5 * slope, 0.25 + 0.5 * (slope - 1 - bend), 0.5 * bend]])
    assert pictures.outline(warped) == pictures.outline(np.float32([[0.5, 0.25]]))
