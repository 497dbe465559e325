"""What a task is: classes, and items to train, validate and test on."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from cropworth.errors import CropworthError


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


class Task(ABC):
    """A classification task, read or drawn once and held in memory.

    Attributes:
        name: for people.
        classes: names, in the order of the labels.
        train_limit: how many training items there are at most.
        validation: for early stopping and every choice; fixed.
        test: for the record alone; fixed.
    """

    name: str
    classes: tuple[str, ...]
    train_limit: int
    validation: Split
    test: Split

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
        return self._draw_epoch(train_size, seed, epoch)

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
        for items in (self.validation, self.test, self._draw_epoch(self.train_limit, seed=0, epoch=0)):
            for part in (items.images, items.labels, items.boxes):
                if part is not None:
                    digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @abstractmethod
    def _draw_epoch(self, train_size: int, seed: int, epoch: int) -> Split: ...
