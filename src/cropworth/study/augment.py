"""Augmentation of training images: transforms of torchvision.transforms.v2 that a plan names."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from cropworth.config import nearest
from cropworth.data.task import AUGMENT, Split, Task
from cropworth.errors import CropworthError, ManyError

# A transform that may change an image's size does so in one of these with near certainty.
PROBES = 8

TRANSFORMS: dict[str, type[v2.Transform]] = {
    name: one
    for name, one in vars(v2).items()
    if inspect.isclass(one) and issubclass(one, v2.Transform) and one is not v2.Transform
}
KEEPING = "a transform that takes one image, with its box if there is one, and gives one of the same size and type"
# What a plan's reader may well try, and where it belongs.
ELSEWHERE = {
    "CutMix": "It mixes items and their labels; leave it out.",
    "MixUp": "It mixes items and their labels; leave it out.",
    "Normalize": "Name the means and deviations in backbone.normalise: they are needed outside training too.",
}


@dataclass(frozen=True)
class Named:
    """A transform and its name in the plan."""

    name: str
    apply: v2.Transform


class Augmentation:
    """Transforms of images and their boxes, one after another, each item with its own draw.

    Args:
        transforms: in their order.
    """

    def __init__(self, transforms: Sequence[Named]) -> None:
        self.transforms = tuple(transforms)

    def batches(self, drawn: Iterator[Split], seed: int, epoch: int) -> Iterator[Split]:
        """The batches of one epoch, augmented.

        What an item becomes depends on the seed, the epoch and the item's place in it, not on the batch's size. A box
        follows its image and is cut at the image's edge; one that has left the image becomes NaN.

        Raises:
            CropworthError: a transform changes the images' size or type.
        """
        place = 0
        for items in drawn:
            with _alone():
                augmented = self._batch(items, seed, epoch, place)
            yield augmented
            place += len(items)

    def _batch(self, items: Split, seed: int, epoch: int, first: int) -> Split:
        inputs, boxes = [], []
        for index, image in enumerate(items.inputs):
            draw = np.random.SeedSequence([seed, AUGMENT, epoch, first + index]).generate_state(1, np.uint64)
            torch.default_generator.manual_seed(int(draw[0]))  # torch.manual_seed would seed graphics cards too
            box = None if items.boxes is None else items.boxes[index]
            for transform in self.transforms:
                image, box = _applied(transform, image, box)
            inputs.append(image)
            boxes.append(box)
        known = None if items.boxes is None else torch.stack([box for box in boxes if box is not None])
        return replace(items, inputs=torch.stack(inputs), boxes=known)


def build_augmentation(settings: Sequence[Mapping[str, Mapping[str, Any]]], task: Task) -> Augmentation:
    """Build the plan's transforms and try each on an image like the task's.

    Args:
        settings: `training.augment`: one {name: {argument: value}} for each transform.
        task: whose images they shall take.

    Raises:
        CropworthError: the task is of sequences, a transform is unknown, cannot be built, or does not give an image
            like the one it takes; all that is wrong at once.
    """
    if task.is_sequence:
        raise CropworthError(
            f"training.augment for the sequences of {task.name}", "images", "Leave training.augment out."
        )
    built: list[Named] = []
    problems: list[CropworthError] = []
    for index, named in enumerate(settings):
        try:
            built.append(_build(named, f"training.augment[{index}]", lambda one: _try(one, task)))
        except CropworthError as error:
            problems += error.problems
    if problems:
        raise problems[0] if len(problems) == 1 else ManyError(problems)
    return Augmentation(built)


def _build(named: object, where: str, check: Callable[[Named], None]) -> Named:
    """One transform, and those in it, each of which is checked."""
    if not isinstance(named, Mapping) or len(named) != 1:
        raise CropworthError(f"{where} = {named!r}", "one {name: {argument: value}}", "Give each transform an entry.")
    ((name, arguments),) = named.items()
    if name not in TRANSFORMS:
        got = f"{where}: the unknown transform {name!r}"
        raise CropworthError(got, "one of torchvision.transforms.v2", nearest(str(name), [*TRANSFORMS]))
    where, made = f"{where}.{name}", TRANSFORMS[name]
    if name in ELSEWHERE:
        raise CropworthError(where, KEEPING, ELSEWHERE[name])
    given = {} if arguments is None else arguments
    if not isinstance(given, Mapping):
        raise CropworthError(f"{where} = {given!r}", "{argument: value}", "Name each argument.")
    parameters = inspect.signature(made).parameters
    for argument in given:
        if argument not in parameters:
            raise CropworthError(
                f"the unknown argument {where}.{argument}", "one that it takes", nearest(str(argument), [*parameters])
            )
    transform = Named(where, _call(made, parameters, dict(given), where, check))
    check(transform)
    return transform


def _call(
    made: Callable[..., v2.Transform],
    parameters: Mapping[str, inspect.Parameter],
    given: dict[str, Any],
    where: str,
    check: Callable[[Named], None],
) -> v2.Transform:
    if "transforms" in parameters:  # of RandomApply, RandomChoice, RandomOrder and Compose: in the same notation
        inner = given.get("transforms")
        if not isinstance(inner, Sequence) or isinstance(inner, str) or not inner:
            raise CropworthError(
                f"{where}.transforms = {inner!r}", "a list of {name: {argument: value}}", "Name what it shall apply."
            )
        given["transforms"] = [
            _build(one, f"{where}.transforms[{index}]", check).apply for index, one in enumerate(inner)
        ]
    try:
        return made(**{key: _as_default(value, parameters[key].default) for key, value in given.items()})
    except Exception as error:
        raise CropworthError(f"{where}({given}): {_said(error)}", "arguments that it takes", "Mend them.") from None


def _as_default(value: object, default: object) -> object:
    """Words become the members of the enumeration that the default is of, and lists tuples."""
    if isinstance(default, Enum) and isinstance(value, str):
        return type(default)(value)
    return tuple(_as_default(one, None) for one in value) if isinstance(value, list) and _plain(value) else value


def _plain(values: list[object]) -> bool:
    return not any(isinstance(value, v2.Transform) for value in values)


def _try(transform: Named, task: Task) -> None:
    """Refuse a transform that does not give back an image and a box, certain to act where its `p` says how likely."""
    sure = copy.copy(transform.apply)
    if isinstance(getattr(sure, "p", None), float):
        sure.p = 1.0
    height, width = task.size
    like = task.test.inputs
    box = None if task.test.boxes is None else torch.tensor([0.5, 0.5, 0.5, 0.5])
    with _alone():
        for probe in range(PROBES):
            torch.default_generator.manual_seed(probe)
            shape = (task.channels, height, width)
            image = torch.rand(shape) if like.is_floating_point() else torch.randint(256, shape, dtype=like.dtype)
            _applied(Named(transform.name, sure), image, box)


@contextmanager
def _alone() -> Iterator[None]:
    """The global generator stays as it is, and torchvision does not warn of what is meant here."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"RandomErasing\(\) is currently passing through")  # boxes, rightly
        warnings.filterwarnings("ignore", "The image decoding and encoding capabilities of TorchVision are deprecated")
        yield


def _applied(transform: Named, image: Tensor, box: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """One image (C, H, W) and its box (4,), in fractions of the image, through one transform."""
    height, width = image.shape[1:]
    known = box is not None and bool(box.isfinite().all())
    sides = torch.tensor([width, height, width, height], dtype=torch.float32)
    sample: list[Any] = [tv_tensors.Image(image)]
    if box is not None and known:
        where = {"format": "CXCYWH", "canvas_size": (height, width), "clamping_mode": "hard"}
        sample.append(tv_tensors.BoundingBoxes((box * sides).unsqueeze(0), **where))
    try:
        given = transform.apply(*sample)
    except Exception as error:
        what = f"{transform.name} of an image {tuple(image.shape)}, {image.dtype}: {_said(error)}"
        raise CropworthError(what, KEEPING, "Leave it out, or change its arguments.") from None
    parts: Any = given if known else (given,)
    _check_like(transform.name, sample, parts)
    seen: Tensor = parts[0].as_subclass(Tensor)
    if box is None or not known:
        return seen, box
    corners = v2.functional.clamp_bounding_boxes(parts[1]).as_subclass(Tensor)[0] / sides
    left = not bool((corners[2:] > 0).all())
    return seen, torch.full_like(box, torch.nan) if left else corners


def _check_like(name: str, sample: Sequence[Any], parts: object) -> None:
    if not isinstance(parts, tuple) or len(parts) != len(sample) or not all(map(isinstance, parts, map(type, sample))):
        kinds = ", ".join(type(part).__name__ for part in parts) if isinstance(parts, tuple | list) else type(parts)
        raise CropworthError(f"{name} that gives {kinds}", KEEPING, "Leave it out.")
    for before, after in zip(sample, parts, strict=True):
        if (before.shape, before.dtype) != (after.shape, after.dtype):
            got = f"{name} that makes {_described(after)} of {_described(before)}"
            raise CropworthError(got, KEEPING, "Leave it out, or change its arguments.")


def _described(values: Tensor) -> str:
    return f"{tuple(values.shape)} {str(values.dtype).removeprefix('torch.')}"


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
