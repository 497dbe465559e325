import hashlib
from importlib import resources

import numpy as np
import pytest
import torch

from cropworth.config import parse
from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.sampling import sample
from cropworth.data.build import build_task
from cropworth.data.config import DigitsCluttered, DigitsScene
from cropworth.data.images import digits
from cropworth.data.images.cluttered import ClutteredDigits, DigitScenes
from cropworth.errors import CropworthError


def task(**settings: object) -> ClutteredDigits:
    return ClutteredDigits(parse(DigitsCluttered, {"task": "digits-cluttered", **settings}))


@pytest.fixture(scope="module")
def standard() -> ClutteredDigits:
    return task()


def test_the_digits_are_the_published_ones() -> None:
    images, labels = digits.load_digits()
    assert images.shape == (10_000, 28, 28)
    assert np.bincount(labels).tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert len(np.unique(images.reshape(10_000, -1), axis=0)) == 10_000
    packed = resources.files("cropworth.data").joinpath("assets", digits.FILE).read_bytes()
    assert hashlib.sha256(packed).hexdigest() == digits.SHA256
    assert len(packed) < 2_000_000


def test_a_damaged_file_is_refused() -> None:
    packed = resources.files("cropworth.data").joinpath("assets", digits.FILE).read_bytes()
    with pytest.raises(CropworthError, match="install cropworth again"):
        digits.unpack(packed[:-1] + bytes([packed[-1] ^ 1]))


def test_shapes_and_sizes(standard: ClutteredDigits) -> None:
    assert standard.size == (64, 64)
    assert standard.channels == 1
    assert (len(standard.test), len(standard.validation), standard.train_limit) == (4000, 1000, 5000)
    assert standard.test.inputs.dtype == torch.uint8
    assert sorted(set(standard.test.labels.tolist())) == list(range(10))


def test_without_clutter_the_true_box_holds_the_digit_and_nothing_else_is_there() -> None:
    clean = task(clutter=0)
    items = clean.training_epoch(200, seed=3, epoch=0)
    crops = sample(items.inputs.float(), boxes_to_theta(items.boxes), (28, 28))
    originals, labels = digits.load_digits()
    known = {image.tobytes(): label for image, label in zip(originals, labels, strict=True)}
    found = [known.get(crop.round().byte().numpy().tobytes()) for crop in crops[:, 0]]
    assert found == items.labels.tolist()
    assert items.inputs.float().sum((1, 2, 3)).tolist() == pytest.approx(crops.sum((1, 2, 3)).tolist(), rel=1e-4)


def test_the_digit_stands_whole_above_the_clutter(standard: ClutteredDigits) -> None:
    crops = sample(standard.test.inputs[:50].float(), boxes_to_theta(standard.test.boxes[:50]), (28, 28))
    originals, labels = digits.load_digits()
    for crop, label in zip(crops[:, 0], standard.test.labels, strict=False):
        covered = (torch.from_numpy(originals[labels == int(label)]).float() <= crop + 0.5).flatten(1).all(1)
        assert covered.any()  # one digit of this class shows everywhere: brighter pixels win, none is hidden


def test_clutter_adds_pieces_of_at_most_their_size() -> None:
    clean, messy = task(clutter=0), task(clutter=9, clutter_size=5)
    before, after = (t.test.inputs.gt(0).sum().item() / len(t.test) for t in (clean, messy))
    assert 0 < after - before <= 9 * 25


def test_fixed_splits_are_fixed_and_epochs_are_fresh(standard: ClutteredDigits) -> None:
    again = task()
    assert torch.equal(again.test.inputs, standard.test.inputs)
    first, same, later = (standard.training_epoch(64, 1, epoch) for epoch in (0, 0, 1))
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, later.inputs)
    assert sorted(first.labels.tolist()) == sorted(later.labels.tolist())  # the same digits on new canvases
    assert not torch.equal(first.inputs, standard.training_epoch(64, 2, 0).inputs)


def test_no_source_digit_is_in_two_splits() -> None:
    """Without clutter each canvas shows exactly its source digit, so the sources can be read off the canvases."""
    clean = task(clutter=0)

    def sources(items: object) -> set[bytes]:
        crops = sample(items.inputs.float(), boxes_to_theta(items.boxes), (28, 28))  # type: ignore[attr-defined]
        return {crop.round().byte().numpy().tobytes() for crop in crops}

    splits = [sources(s) for s in (clean.training_epoch(5000, 0, 0), clean.validation, clean.test)]
    assert [len(s) for s in splits] == [5000, 1000, 4000]
    assert len(set.union(*splits)) == 10_000


def test_clutter_comes_from_the_same_splits_digits() -> None:
    """With one training digit a piece of clutter can only be of that digit."""
    alone = task(clutter=4)
    canvas = alone.training_epoch(1, seed=0, epoch=0).inputs[0, 0]
    own = set(np.unique(digits.load_digits()[0][_source_of(alone)]).tolist())
    assert set(canvas.unique().tolist()) <= own


def _source_of(alone: ClutteredDigits) -> int:
    clean = task(clutter=0)
    items = clean.training_epoch(1, seed=0, epoch=0)
    crop = sample(items.inputs.float(), boxes_to_theta(items.boxes), (28, 28))[0, 0].round().byte().numpy()
    return int(np.flatnonzero((digits.load_digits()[0] == crop).all((1, 2)))[0])


def test_scales() -> None:
    scaled = task(digit_scale=[0.5, 1.5], canvas=96)
    sides = scaled.test.boxes[:, 2] * 96
    assert sides.min().item() == pytest.approx(14, abs=0.01)
    assert sides.max().item() == pytest.approx(42, abs=0.01)
    reach = scaled.test.boxes[:, 2:] / 2
    assert (scaled.test.boxes[:, :2] - reach).min() >= -1e-6
    assert (scaled.test.boxes[:, :2] + reach).max() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"canvas": 20}, "canvas = 20"),
        ({"clutter": -1}, "clutter = -1"),
        ({"digit_scale": [1, 3]}, "must fit the canvas"),
        ({"digit_scale": [2, 1]}, "low <= high"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        task(**settings)


@pytest.mark.parametrize("size", [0, 5001])
def test_a_training_set_that_the_data_does_not_have(standard: ClutteredDigits, size: int) -> None:
    with pytest.raises(CropworthError, match=rf"training-set size of {size:,}.*1 to 5,000"):
        standard.training_epoch(size, 0, 0)


def test_a_task_by_its_configuration() -> None:
    assert isinstance(build_task(parse(DigitsCluttered, {"task": "digits-cluttered"})), ClutteredDigits)
    assert isinstance(build_task(parse(DigitsScene, {"task": "digits-scene"})), DigitScenes)


def scene(**settings: object) -> DigitScenes:
    return DigitScenes(parse(DigitsScene, {"task": "digits-scene", "clutter": 0, **settings}))


def test_the_digit_to_read_stands_in_a_frame() -> None:
    items = scene(digit_scale=[1.0, 1.0]).training_epoch(60, seed=0, epoch=0)
    crops = sample(items.inputs.float(), boxes_to_theta(items.boxes), (28, 28))[:, 0].round()
    assert (crops[:, [0, -1], :] == 255).all()
    assert (crops[:, :, [0, -1]] == 255).all()
    originals, labels = digits.load_digits()
    for crop, label in zip(crops, items.labels, strict=True):
        covered = (torch.from_numpy(originals[labels == int(label)]).float() <= crop).flatten(1).all(1)
        assert covered.any()


def test_a_scene_has_other_digits_of_all_sizes() -> None:
    alone, crowd = scene(others=0), scene(others=4)
    ink = [(t.test.inputs > 100).float().mean().item() for t in (alone, crowd)]
    assert ink[1] > 2 * ink[0]
    sides = crowd.test.boxes[:, 2] * 128
    assert (sides.min().item(), sides.max().item()) == pytest.approx((14, 56), abs=0.01)


def test_the_other_digits_are_of_the_same_split() -> None:
    alone = scene(others=3, digit_scale=[1.0, 1.0])
    clean = scene(others=0, digit_scale=[1.0, 1.0])
    canvas, own = (t.training_epoch(1, seed=0, epoch=0).inputs for t in (alone, clean))
    assert set(canvas.unique().tolist()) <= set(own.unique().tolist())
