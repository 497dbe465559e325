"""The tasks `digits-cluttered` and `digits-scene`: find the digit among the clutter, then read it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from cropworth.data.config import DIGIT_SIDE, DigitCanvas, DigitsCluttered, DigitsScene
from cropworth.data.images.digits import load_digits
from cropworth.data.task import SPLITS, Split, Task

Images = NDArray[np.uint8]

# The split of the source digits is part of the task's definition, the same for every plan and seed.
SPLIT_SEED, TEST, VALIDATION = 20140624, 4000, 1000


class ClutteredDigits(Task):
    """Real digits on cluttered canvases, with their true boxes.

    Each validation and test digit stands on one fixed canvas. Training canvases are drawn afresh every epoch from
    `train_size` source digits, which also give the clutter: a small training set is small in every respect. No
    source digit is in two of train, validation and test, not even as a piece of clutter.
    """

    def __init__(self, config: DigitsCluttered | DigitsScene) -> None:
        self.config: DigitCanvas = config
        self.name = config.task
        self.classes = tuple("0123456789")
        self.reading = {"kind": "images", "image_size": config.canvas, "fit": "stretch", "channels": 1, "bits": 8}
        digits, labels = load_digits()
        order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
        test, validation, train = np.split(order, [TEST, TEST + VALIDATION])
        self._digits, self._labels, self._train = digits, labels, train
        self.train_limit = len(train)
        self.validation = self._canvases(validation, np.random.default_rng([SPLIT_SEED, SPLITS, 0]))
        self.test = self._canvases(test, np.random.default_rng([SPLIT_SEED, SPLITS, 1]))

    def _training_items(self, order: NDArray[np.int64], rng: np.random.Generator) -> Split:
        return self._canvases(self._train[order], rng)

    def _canvases(self, sources: NDArray[np.int64], rng: np.random.Generator) -> Split:
        digits, side = self._digits[sources], self.config.canvas
        canvases = np.zeros((len(sources), side, side), dtype=np.uint8)
        for _ in range(self.config.clutter):
            _paste(canvases, _pieces(digits, self.config.clutter_size, rng), rng)
        boxes = self._filled(canvases, digits, rng)
        labels = torch.from_numpy(self._labels[sources].astype(np.int64))
        return Split(torch.from_numpy(canvases).unsqueeze(1), labels, torch.from_numpy(boxes))

    def _filled(self, canvases: Images, digits: Images, rng: np.random.Generator) -> NDArray[np.float32]:
        """Lay on each canvas all its digits, in place -> the boxes (n, 4) of those to read."""
        return self._laid(canvases, digits, rng)

    def _laid(
        self, canvases: Images, digits: Images, rng: np.random.Generator, frame: bool = False
    ) -> NDArray[np.float32]:
        """Lay one digit (n, 28, 28) of random scale and place on each canvas, in place -> its boxes (n, 4)."""
        low, high = self.config.digit_scale
        sides = np.rint(DIGIT_SIDE * rng.uniform(low, high, len(digits))).astype(np.int64)
        boxes = np.empty((len(digits), 4), dtype=np.float32)
        for digit_side in np.unique(sides):
            chosen = np.flatnonzero(sides == digit_side)
            part, patches = canvases[chosen], _resized(digits[chosen], int(digit_side))
            corner = _paste(part, _framed(patches) if frame else patches, rng)  # (n, 2) as (y, x)
            canvases[chosen] = part
            boxes[chosen, :2] = (corner[:, ::-1] + digit_side / 2) / self.config.canvas
            boxes[chosen, 2:] = digit_side / self.config.canvas
        return boxes


class DigitScenes(ClutteredDigits):
    """Real digits of all sizes on cluttered canvases; the boxes and labels are those of the framed ones.

    The digits without a frame come, as the clutter does, from the source digits of the same split.
    """

    def __init__(self, config: DigitsScene) -> None:
        self.others = config.others
        super().__init__(config)

    def _filled(self, canvases: Images, digits: Images, rng: np.random.Generator) -> NDArray[np.float32]:
        for _ in range(self.others):
            self._laid(canvases, digits[_others(len(digits), rng)], rng)
        return self._laid(canvases, digits, rng, frame=True)


def _paste(canvases: Images, patches: Images, rng: np.random.Generator) -> NDArray[np.int64]:
    """Lay patches (n, p, p) on canvases (n, S, S), in place, the brighter pixel winning -> corners (n, 2), (y, x)."""
    count, side, size = len(canvases), canvases.shape[1], patches.shape[1]
    corner = rng.integers(0, side - size + 1, (count, 2))
    item, y, x = _window(corner, size)
    canvases[item, y, x] = np.maximum(canvases[item, y, x], patches)
    return corner


def _pieces(digits: Images, size: int, rng: np.random.Generator) -> Images:
    """One square piece for each canvas, cut out of *another* digit's inked middle (n, 28, 28) -> (n, size, size)."""
    count = len(digits)
    donor = _others(count, rng)
    middle = DIGIT_SIDE - 4  # MNIST's digits fill the middle 20 x 20 pixels
    corner = rng.integers(4, middle - size + 1, (count, 2))
    _, y, x = _window(corner, size)
    pieces: Images = digits[donor[:, None, None], y, x]
    return pieces


def _others(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """For each of `count` items another one, unless there is no other."""
    return (np.arange(count) + rng.integers(1, max(count, 2), count)) % count


def _framed(digits: Images) -> Images:
    """Digits (n, s, s) with a white line along all edges, where they have no ink."""
    framed = digits.copy()
    framed[:, [0, -1], :] = framed[:, :, [0, -1]] = 255
    return framed


def _window(corner: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Indices (item, y, x) of size x size windows at corners (n, 2); they broadcast to (n, size, size)."""
    reach = np.arange(size)
    item = np.arange(len(corner))[:, None, None]
    return item, corner[:, 0, None, None] + reach[:, None], corner[:, 1, None, None] + reach


def _resized(digits: Images, side: int) -> Images:
    """Digits (n, 28, 28) -> (n, side, side), antialiased."""
    if side == DIGIT_SIDE:
        return digits
    pixels = torch.from_numpy(digits).unsqueeze(1).float()
    resized = F.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)
    return resized.round().clamp(0, 255).to(torch.uint8).squeeze(1).numpy()
