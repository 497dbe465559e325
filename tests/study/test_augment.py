import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cropworth.data.build import build_task
from cropworth.data.config import DigitsCluttered
from cropworth.data.task import Split, Task
from cropworth.errors import CropworthError, ManyError
from cropworth.study.augment import Augmentation, build_augmentation
from cropworth.study.plan import Plan, load_plan
from cropworth.study.run import estimate, prepare
from cropworth.study.train import run_trial
from tiny import plan_with

SIDE = 24
SMALL_BOX = torch.tensor([0.25, 0.25, 0.25, 0.25])


class Blank(Task):
    """Images of one bright block each, with their boxes."""

    classes = ("a", "b")
    name = "blocks"
    train_limit = 8

    def __init__(self, dtype: torch.dtype = torch.uint8, channels: int = 3, boxes: bool = True) -> None:
        full = 255 if dtype == torch.uint8 else 1.0
        images = torch.zeros(8, channels, SIDE, SIDE, dtype=dtype)
        images[..., 3:9, 3:9] = full
        known = SMALL_BOX.repeat(8, 1)
        self.test = self.validation = Split(images, torch.arange(8) % 2, known if boxes else None)

    def _training_items(self, order: Any, rng: Any) -> Split:
        return self.test.take(torch.from_numpy(order))


def built(*transforms: dict[str, Any], task: Task | None = None) -> Augmentation:
    return build_augmentation(transforms, task or Blank())


def augmented(augmentation: Augmentation, items: Split, size: int = 8, epoch: int = 0, seed: int = 0) -> Split:
    batches: Iterator[Split] = (items.take(slice(start, start + size)) for start in range(0, len(items), size))
    done = list(augmentation.batches(batches, seed, epoch))
    boxes = None if items.boxes is None else torch.cat([b.boxes for b in done if b.boxes is not None])
    return replace(items, inputs=torch.cat([b.inputs for b in done]), boxes=boxes)


def bright(image: Tensor) -> Tensor:
    """The box around what is not black, in fractions."""
    rows, columns = image[0].float().gt(image.max() / 2).nonzero().unbind(1)
    x1, x2, y1, y2 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    return torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]) / SIDE


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize(
    "transform",
    [
        {"RandomHorizontalFlip": {"p": 0.5}},
        {"RandomVerticalFlip": {}},
        {"RandomAffine": {"degrees": 0, "translate": [0.3, 0.3]}},
        {"RandomAffine": {"degrees": [90, 90], "interpolation": "nearest"}},
        {"RandomCrop": {"size": [SIDE, SIDE], "padding": 6}},
        {"RandomChoice": {"transforms": [{"RandomHorizontalFlip": {"p": 1.0}}, {"RandomVerticalFlip": {"p": 1.0}}]}},
    ],
    ids=lambda one: next(iter(one)),
)
def test_boxes_follow_their_images(transform: dict[str, Any], dtype: torch.dtype) -> None:
    task = Blank(dtype)
    after = augmented(built(transform, task=task), task.test)
    assert after.inputs.dtype == dtype
    assert after.boxes is not None
    assert not torch.equal(after.inputs, task.test.inputs)
    for image, box in zip(after.inputs, after.boxes, strict=True):
        torch.testing.assert_close(box, bright(image), atol=1.01 / SIDE, rtol=0)


def test_a_box_that_left_its_image_is_nan_and_stays_so() -> None:
    away = {"RandomAffine": {"degrees": 0, "translate": [0.0, 0.0], "scale": [4.0, 4.0]}}  # the middle, four times
    after = augmented(built(away, {"RandomRotation": {"degrees": 45}}), Blank().test)
    assert after.boxes is not None
    assert after.boxes.isnan().all()


def test_unknown_boxes_stay_unknown() -> None:
    items = Blank().test
    assert items.boxes is not None
    some = items.boxes.clone()
    some[::2] = torch.nan
    after = augmented(built({"RandomHorizontalFlip": {"p": 1.0}}), replace(items, boxes=some))
    assert after.boxes is not None
    assert after.boxes.isnan().all(1).tolist() == [True, False] * 4
    torch.testing.assert_close(after.boxes[1], torch.tensor([0.75, 0.25, 0.25, 0.25]))
    without = Blank(boxes=False)
    assert augmented(built({"RandomHorizontalFlip": {}}, task=without), without.test).boxes is None


CHAIN = ({"RandomAffine": {"degrees": 20, "scale": [0.8, 1.2]}}, {"ColorJitter": {"brightness": 0.4}})


def test_an_items_draw_depends_on_seed_epoch_and_place_alone() -> None:
    items, augmentation = Blank().test, built(*CHAIN)
    first = augmented(augmentation, items).inputs
    for size in (1, 3):
        assert torch.equal(augmented(augmentation, items, size).inputs, first)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    assert torch.equal(augmented(augmentation, items).inputs, first)
    torch.set_num_threads(threads)
    assert not torch.equal(augmented(augmentation, items, seed=1).inputs, first)
    assert not torch.equal(augmented(augmentation, items, epoch=1).inputs, first)
    assert len({image.numpy().tobytes() for image in first}) == len(first)  # each item has its own


def test_what_else_is_known_of_the_items_stays() -> None:
    values = torch.arange(8.0)
    (after,) = built(*CHAIN).batches(iter([replace(Blank().test, values=values)]), 0, 0)
    assert after.labels.tolist() == [0, 1] * 4
    assert after.values is values


DRAWING: list[dict[str, Any]] = [
    {"AugMix": {}}, {"AutoAugment": {"policy": "cifar10", "interpolation": "bilinear"}}, {"RandAugment": {}},
    {"TrivialAugmentWide": {}}, {"ElasticTransform": {"alpha": [20.0, 20.0], "sigma": 3.0}}, {"GaussianNoise": {}},
    {"RandomErasing": {"p": 1.0, "scale": [0.1, 0.2]}}, {"RandomPerspective": {"p": 1.0}},
    {"RandomPhotometricDistort": {}}, {"RandomResizedCrop": {"size": SIDE, "antialias": True}},
    {"GaussianBlur": {"kernel_size": [3, 3], "sigma": [0.1, 2.0]}},
    {"RandomOrder": {"transforms": list(CHAIN)}}, {"RandomApply": {"transforms": [CHAIN[1]], "p": 0.5}},
]  # fmt: skip
WITHOUT_BOXES = {"AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide"}


@pytest.mark.parametrize("transform", DRAWING, ids=lambda one: next(iter(one)))
@pytest.mark.parametrize("task", [Blank(), Blank(torch.float32), Blank(channels=1)], ids=["rgb", "16 bits", "grey"])
def test_transforms_repeat_and_leave_every_global_generator_alone(transform: dict[str, Any], task: Task) -> None:
    if next(iter(transform)) in WITHOUT_BOXES:
        task = Blank(task.test.inputs.dtype, task.channels, boxes=False)
    torch.manual_seed(5)
    before = global_states()
    first = augmented(built(transform, task=task), task.test)
    assert global_states() == before
    torch.manual_seed(6)
    second = augmented(built(transform, task=task), task.test)
    assert torch.equal(first.inputs, second.inputs)
    assert not torch.equal(first.inputs, task.test.inputs)


def global_states() -> tuple[object, ...]:
    numbers = np.random.get_state(legacy=False)
    return torch.get_rng_state().tolist(), random.getstate(), str(numbers)


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ({"RandomHorizontalFlop": {}}, r"augment\[0\]: the unknown transform .* mean 'RandomHorizontalFlip'"),
        ({"RandomHorizontalFlip": {"q": 1}}, r"unknown argument training.augment\[0\].RandomHorizontalFlip.q"),
        ({"RandomHorizontalFlip": {"p": 7}}, "RandomHorizontalFlip.*`p` should be a floating point"),
        ({"RandomRotation": {}}, "RandomRotation.*missing 1 required .* 'degrees'"),
        ({"AutoAugment": {"policy": "mnist"}}, "'mnist' is not a valid AutoAugmentPolicy"),
        ({"RandomRotation": {"degrees": 5, "interpolation": "cubical"}}, "cubical"),
        ({"Resize": {"size": 12}}, r"Resize that makes \(3, 12, 12\) uint8 of \(3, 24, 24\) uint8"),
        ({"RandomZoomOut": {"p": 0.01}}, r"RandomZoomOut that makes \(3, \d+, \d+\) uint8 of \(3, 24, 24\)"),
        ({"RandomApply": {"transforms": [{"Resize": {"size": 12}}], "p": 0.01}}, r"transforms\[0\].Resize that makes"),
        ({"RandomApply": {"transforms": [{"Rezise": {"size": 12}}]}}, "mean 'Resize'"),
        ({"RandomApply": {}}, "a list of {name: {argument: value}}"),
        ({"Grayscale": {}}, r"Grayscale that makes \(1, 24, 24\)"),
        ({"FiveCrop": {"size": 24}}, "not supported by FiveCrop"),
        ({"RandAugment": {}}, "type BoundingBoxes are not supported by RandAugment"),
        ({"ToPILImage": {}}, "ToPILImage that gives"),
        ({"MixUp": {}}, "items and their labels"),
        ({"CutMix": {}}, "items and their labels"),
        ({"Normalize": {"mean": [0.5], "std": [0.5]}}, "backbone.normalise"),
        ({"SanitizeBoundingBoxes": {}}, "SanitizeBoundingBoxes"),
        ({"Lambda": {"lambd": "print"}}, "Lambda"),
        ({"RandomHorizontalFlip": {}, "RandomVerticalFlip": {}}, "Give each transform an entry"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_what_is_refused_before_training(transform: dict[str, Any], said: str) -> None:
    with pytest.raises(CropworthError, match=said):
        build_augmentation([transform], Blank())


def test_all_that_is_wrong_at_once() -> None:
    with pytest.raises(ManyError, match=r"(?s)augment\[0\].*augment\[2\]"):
        build_augmentation([{"Resize": {"size": 9}}, {"RandomInvert": {}}, {"Bluhr": {}}], Blank())


def test_jpeg_needs_8_bits() -> None:
    assert built({"JPEG": {"quality": [40, 60]}})
    with pytest.raises(CropworthError, match=r"JPEG of an image \(3, 24, 24\), torch.float32"):
        build_augmentation([{"JPEG": {"quality": 50}}], Blank(torch.float32))


def test_several_images_of_one_are_refused() -> None:
    with pytest.raises(CropworthError, match="FiveCrop that gives tuple"):
        build_augmentation([{"FiveCrop": {"size": 24}}], Blank(boxes=False))


def test_sequences_are_refused() -> None:
    task = Blank()
    task.test = Split(torch.zeros(2, 5, 1), torch.zeros(2), lengths=torch.tensor([5, 5]))
    with pytest.raises(CropworthError, match=r"training\.augment for the sequences"):
        build_augmentation([{"RandomInvert": {}}], task)


class TestTraining:
    @pytest.fixture
    def plan(self, tiny: Path) -> Plan:
        return load_plan(tiny / "plan.yaml")

    def with_augment(self, plan: Plan, *transforms: dict[str, Any]) -> Plan:
        return plan_with(plan, training={"epochs": 2, "batch_size": 8, "augment": list(transforms)})

    def test_a_plan_is_refused_when_it_is_prepared(self, plan: Plan) -> None:
        with pytest.raises(CropworthError, match="Resize that makes"):
            prepare(self.with_augment(plan, {"Resize": {"size": 30}}))

    def test_only_training_sees_it(self, plan: Plan) -> None:
        task = build_task(plan.data)
        plain, _ = run_trial(plan, "crop", 16, 0, task, threads=1)
        same, _ = run_trial(self.with_augment(plan, {"Identity": {}}), "crop", 16, 0, task, threads=1)
        other, _ = run_trial(self.with_augment(plan, {"RandomInvert": {"p": 1.0}}), "crop", 16, 0, task, threads=1)
        assert np.array_equal(plain.probabilities, same.probabilities)  # type: ignore[arg-type]
        assert [e.train_loss for e in plain.curve] == [e.train_loss for e in same.curve]
        assert plain.curve[0].train_loss != other.curve[0].train_loss
        assert plain.examples is not None
        assert other.examples is not None
        assert np.array_equal(plain.examples.images, other.examples.images)
        assert len({plain.trial, same.trial, other.trial}) == 3

    def test_an_oracle_follows_the_boxes(self) -> None:
        data = {"task": "digits-cluttered", "canvas": 32, "clutter": 0}
        task = build_task(DigitsCluttered.model_validate(data))
        turn = {"RandomRotation": {"degrees": [180, 180]}}
        (turned,) = built(turn, task=task).batches(iter([task.validation.take(slice(0, 6))]), 0, 0)
        assert turned.boxes is not None
        assert task.validation.boxes is not None
        expected = task.validation.boxes[:6] * torch.tensor([-1, -1, 1, 1]) + torch.tensor([1.0, 1.0, 0, 0])
        torch.testing.assert_close(turned.boxes, expected, atol=1e-5, rtol=0)
        assert torch.equal(turned.inputs, task.validation.inputs[:6].flip(-1, -2))

    def test_waiting_is_measured_and_expected(self, plan: Plan) -> None:
        task = build_task(plan.data)
        record, _ = run_trial(self.with_augment(plan, *CHAIN), "baseline", 16, 0, task, threads=1)
        assert record.waiting_s is not None
        assert 0 < record.waiting_s < record.training_wall_s
        prepared = prepare(plan)
        without = estimate(prepared, prepared.plan.trials(), 1)
        assert 0 < without.waiting_share < 1
        assert estimate(prepared, [], 1).seconds == 0
