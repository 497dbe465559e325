"""What a task is: classes, and items to train, validate and test on."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cropworth.errors import CropworthError

# Streams of random numbers that must never meet: a task's splits, the choice of training items, the epochs.
SPLITS, CHOICE, EPOCH = 1, 2, 3


@dataclass(frozen=True)
class Split:
    """Some items of a task.

    Attributes:
        images: (N, C, H, W), uint8.
        labels: (N,), int64, indices into the task's classes.
        boxes: (N, 4), float32, the object's true box (cx, cy, w, h) as fractions; None where unknown.
    """

    images: Tensor
    labels: Tensor
    boxes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor | slice) -> Split:
        """The items at `index`."""
        return Split(self.images[index], self.labels[index], None if self.boxes is None else self.boxes[index])


class Task(ABC):
    """A classification task, read or drawn once and held in memory.

    Attributes:
        name: for people.
        classes: names, in the order of the labels.
        train_limit: how many training items there are at most.
        validation: for early stopping and every choice; fixed.
        test: for the record alone; fixed.
        warnings: what a reader of the results must know of the data, a sentence each.
    """

    name: str
    classes: tuple[str, ...]
    train_limit: int
    validation: Split
    test: Split
    warnings: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """C of the images."""
        return self.test.images.shape[1]

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W) of the images."""
        height, width = self.test.images.shape[-2:]
        return height, width

    def training_epoch(self, train_size: int, seed: int, epoch: int) -> Split:
        """The items of one epoch, in a random order; the same for the same arguments.

        Args:
            train_size: how many of the training items may be used; which ones depends on `seed` alone.
            seed: the trial's seed.
            epoch: counted from 0.

        Raises:
            CropworthError: `train_size` is more than there is.
        """
        self.check_train_size(train_size)
        chosen = np.random.default_rng([seed, CHOICE]).permutation(self.train_limit)[:train_size]
        rng = np.random.default_rng([seed, EPOCH, epoch])
        return self._training_items(rng.permutation(chosen), rng)

    def check_train_size(self, train_size: int) -> None:
        """Refuse a training-set size that the data does not have.

        Raises:
            CropworthError: with both sizes.
        """
        if not 1 <= train_size <= self.train_limit:
            raise CropworthError(
                f"a training-set size of {train_size:,} for {self.name}",
                f"1 to {self.train_limit:,}, the training items there are",
                "Lower study.train_sizes or add data.",
            )

    def fingerprint(self) -> str:
        """SHA-256 of the classes and of all items: fixed ones, and training ones as seed 0 first sees them."""
        digest = hashlib.sha256("\n".join(self.classes).encode())
        for items in (self.validation, self.test, self.training_epoch(self.train_limit, seed=0, epoch=0)):
            for part in (items.images, items.labels, items.boxes):
                if part is not None:
                    digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @abstractmethod
    def _training_items(self, order: NDArray[np.int64], rng: np.random.Generator) -> Split:
        """The training items of these numbers (below `train_limit`), in this order; `rng` is this epoch's alone."""
