"""What a task is: classes, and items to train, validate and test on."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropworth.data.signature import SPLIT_NAMES, Numbers, Placed, Signature
from cropworth.errors import CropworthError

# Streams of random numbers that must never meet: a task's splits, the choice of training items, the epochs, their
# augmentation.
SPLITS, CHOICE, EPOCH, AUGMENT = 1, 2, 3, 4


def share_of_each(labels: NDArray[np.int64], share: float, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Draw a share of the items of each label, at least one: an array of indices for each, labels ascending."""
    of_each = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return [indices[: max(1, round(share * len(indices)))] for indices in of_each]


@dataclass(frozen=True)
class Split:
    """Some items of a task.

    Attributes:
        inputs: images (N, C, H, W), uint8, or float32 in [0, 1] where more than 8 bits are kept; series (N, T, F),
            float32; or texts (N, T), int64, numbers of words. Series and texts that are shorter are filled with zeros
            at the end.
        labels: (N,), int64, indices into the task's classes; or float32, the numbers to predict.
        boxes: (N, 2 d), float32, what to look at: (cx, cy, w, h) as fractions of the image, or (centre, length) as
            fractions of the item's own length; NaN for an item without one, None where unknown throughout.
        lengths: (N,), int64, steps of series and texts; None for images.
        payoffs: (N, C), float32, what each decision would bring for the item, in units that the plan prices; None
            where only right and wrong count.
        values: (N,), float32, what depends on each item, finite and not below 0, in units that the plan prices; None
            where the same depends on each.
    """

    inputs: Tensor
    labels: Tensor
    boxes: Tensor | None = None
    lengths: Tensor | None = None
    payoffs: Tensor | None = None
    values: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor | slice) -> Split:
        """The items at `index`."""
        return Split(*(None if part is None else part[index] for part in self.parts()))  # type: ignore[arg-type]

    def parts(self) -> tuple[Tensor | None, ...]:
        """All attributes, in their order."""
        return self.inputs, self.labels, self.boxes, self.lengths, self.payoffs, self.values


def numbers_of(labels: Tensor) -> Numbers:
    """What numbers to predict, (N,), are like."""
    return Numbers(labels.double().mean().item(), max(labels.double().std().item(), torch.finfo(torch.float32).tiny))


class Task(ABC):
    """Items with labels, read or drawn once and held in memory.

    Attributes:
        name: for people.
        classes: names, in the order of the labels; empty where the labels are numbers to predict (regression).
        train_limit: how many training items there are at most.
        validation: for early stopping and every choice; fixed.
        test: for the record alone; fixed.
        vocabulary: how many numbers of words there are, in a text; 0 for everything else.
        warnings: what a reader of the results must know of the data, a sentence each.
        placed: of a user's own data, what went where: training items, then those of validation and of the test, each
            in the order of their split.
        said: of texts, what each step of each test item says; empty for everything else.
        reading: how an input becomes an item, as plain data for JSON, so that it can be done again without the data.
    """

    name: str
    classes: tuple[str, ...]
    train_limit: int
    validation: Split
    test: Split
    vocabulary: int = 0
    warnings: tuple[str, ...] = ()
    placed: tuple[Placed, ...] = ()
    said: tuple[tuple[str, ...], ...] = ()
    reading: Mapping[str, Any] = MappingProxyType({})

    @property
    def is_sequence(self) -> bool:
        """Whether the items are series or texts, not images."""
        return self.test.lengths is not None

    @property
    def numbers(self) -> Numbers | None:
        """What the training labels of a regression are like; None for classes."""
        return None if self.classes else numbers_of(self.training_epoch(self.train_limit, seed=0, epoch=0).labels)

    def signature(self) -> Signature:
        """All that a model must know of the task, without its items."""
        return Signature(
            self.classes, self.channels, self.size, self.is_sequence, self.vocabulary, self.numbers, dict(self.reading)
        )

    @property
    def channels(self) -> int:
        """C of images, F of series; of texts, whose words a model has yet to embed, 0."""
        shape = self.test.inputs.shape
        return 0 if self.vocabulary else shape[2] if self.is_sequence else shape[1]

    @property
    def size(self) -> tuple[int, ...]:
        """(H, W) of images, (T,) of the longest series or text."""
        inputs = self.test.inputs
        return (inputs.shape[1],) if self.is_sequence else tuple(inputs.shape[2:])

    def training_epoch(self, train_size: int, seed: int, epoch: int) -> Split:
        """The items of one epoch, in a random order; the same for the same arguments.

        Args:
            train_size: how many of the training items may be used; which ones depends on `seed` alone.
            seed: the trial's seed.
            epoch: counted from 0.

        Raises:
            CropworthError: `train_size` is more than there is.
        """
        order, rng = self._training_order(train_size, seed, epoch)
        return self._training_items(order, rng)

    def training_batches(self, train_size: int, seed: int, epoch: int, batch_size: int) -> Iterator[Split]:
        """The items of `training_epoch` in batches; the last one may be smaller.

        Raises:
            CropworthError: `train_size` is more than there is.
        """
        items = self.training_epoch(train_size, seed, epoch)
        for start in range(0, len(items), batch_size):
            yield items.take(slice(start, start + batch_size))

    def _training_order(self, train_size: int, seed: int, epoch: int) -> tuple[NDArray[np.int64], np.random.Generator]:
        """Which training items an epoch has, in its order, and its own generator."""
        self.check_train_size(train_size)
        chosen = np.random.default_rng([seed, CHOICE]).permutation(self.train_limit)[:train_size]
        rng = np.random.default_rng([seed, EPOCH, epoch])
        return rng.permutation(chosen), rng

    def splits(self) -> dict[str, Split]:
        """All items of each split, by its name; those for training as seed 0 first sees them."""
        items = self.training_epoch(self.train_limit, seed=0, epoch=0), self.validation, self.test
        return dict(zip(SPLIT_NAMES, items, strict=True))

    def labels(self) -> dict[str, NDArray[Any]]:
        """The labels (N,) of each split, by its name."""
        return {name: items.labels.numpy() for name, items in self.splits().items()}

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
            for part in items.parts():
                if part is not None:
                    digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @abstractmethod
    def _training_items(self, order: NDArray[np.int64], rng: np.random.Generator) -> Split:
        """The training items of these numbers (below `train_limit`), in this order; `rng` is this epoch's alone."""
