"""`SequenceTask`: sequences of any length -> a task. The readers of the sequence tasks end here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropworth.data.bad_items import OnBad, settled
from cropworth.data.signature import SPLIT_NAMES, Placed
from cropworth.data.task import Split, Task, share_of_each
from cropworth.errors import CropworthError

FEWEST_STEPS = 2
MOST_VALUE = 1e18  # as for prices


class Labelled(Protocol):
    """Whatever has a label: the index of its class, or a number to predict."""

    @property
    def label(self) -> int | float:
        """As `SequenceItem` has it."""


Item = TypeVar("Item", bound=Labelled)


@dataclass(frozen=True)
class SequenceItem:
    """One series or text with its label.

    Attributes:
        values: (T, F), float32, what was measured at each step; or (T,), int64, the numbers of a text's words.
        label: index of its class, or the number to predict.
        where: the file and row it came from, for messages.
        span: the first step to look at and the one after the last, where known.
        payoffs: what each decision would bring, in the order of the classes, where more counts than right and wrong.
        value: what depends on it, finite and not below 0, where not the same depends on each.
        placed: of a user's own data, where it went.
        said: of a text, what each step says; empty for series.
    """

    values: NDArray[np.float32] | NDArray[np.int64]
    label: int | float
    where: str
    span: tuple[int, int] | None = None
    payoffs: tuple[float, ...] | None = None
    value: float | None = None
    placed: Placed | None = None
    said: tuple[str, ...] = ()


class SequenceTask(Task):
    """Sequences held in memory, filled up with zeros to the length of the longest.

    Args:
        name: for people.
        classes: names in the order of the labels; empty where the labels are numbers to predict.
        train: sequences to train on.
        validation: for every choice.
        test: for the record alone.
        on_bad_item: ``fail`` refuses every sequence with a problem, all at once; ``skip`` leaves them out and says so
            in `warnings`.
        standardise: bring each feature to mean 0 and deviation 1, both taken from the training sequences.
        vocabulary: how many numbers of words there are; 0 for series.
        reading: how to read such sequences from files, see `Task`; where the features are standardised, their mean and
            deviation are added.

    Raises:
        CropworthError: a sequence has fewer than two steps, another number of features, a number that is not finite,
            a span outside itself, or a value that is no number from 0 on; or nothing is left of a split.
    """

    def __init__(
        self,
        name: str,
        classes: tuple[str, ...],
        train: Sequence[SequenceItem],
        validation: Sequence[SequenceItem],
        test: Sequence[SequenceItem],
        *,
        on_bad_item: OnBad = "fail",
        standardise: bool = False,
        vocabulary: int = 0,
        reading: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.name, self.classes, self.vocabulary = name, classes, vocabulary
        shapes = Counter(item.values.shape[1:] for split in (train, validation, test) for item in split)
        features = shapes.most_common(1)[0][0] if shapes else ()  # so that one odd item does not make all others wrong
        parts, problems = [], []
        for split in (train, validation, test):
            found = [problem_of(item, features) for item in split]
            parts.append([item for item, problem in zip(split, found, strict=True) if problem is None])
            problems += [problem for problem in found if problem is not None]
        self.warnings = settled("sequences", problems, on_bad_item)
        for what, part in zip(("train", "validate", "test"), parts, strict=True):
            if not part:
                raise CropworthError(f"no sequence to {what} on in {name}", "at least one", "Look at the data.")
        self.reading = dict(reading)
        if standardise:
            mean, deviation = _moments(parts[0])
            parts = [[_standardised(item, mean, deviation) for item in part] for part in parts]
            if reading:
                self.reading |= {"mean": mean.tolist(), "deviation": deviation.tolist()}
        longest = max(len(item.values) for part in parts for item in part)
        self._train, self.validation, self.test = (padded(part, longest) for part in parts)
        self.train_limit = len(self._train)
        self.placed = tuple(item.placed for part in parts for item in part if item.placed is not None)
        self.said = tuple(item.said for item in parts[2]) if all(item.said for item in parts[2]) else ()

    def splits(self) -> dict[str, Split]:
        """The items of each split, by its name, in the order in which they were read."""
        return dict(zip(SPLIT_NAMES, (self._train, self.validation, self.test), strict=True))

    def _training_items(self, order: NDArray[np.int64], rng: np.random.Generator) -> Split:
        return self._train.take(torch.from_numpy(order))


def problem_of(item: SequenceItem, features: tuple[int, ...]) -> CropworthError | None:
    """What is wrong with a sequence that should have so many features, (F,) or () for a text; None for a good one."""
    steps = len(item.values)
    if steps < FEWEST_STEPS:
        what = "an empty document" if item.values.ndim == 1 and steps == 0 else f"{steps} steps"
        return CropworthError(f"{item.where}: {what}", f"at least {FEWEST_STEPS} steps", "Mend or remove the item.")
    if item.values.shape[1:] != features:
        return CropworthError(
            f"{item.where}: values of shape {item.values.shape}", f"(T, {', '.join(map(str, features))})", "Mend it."
        )
    bad = ~np.isfinite(item.values).reshape(steps, -1).all(1)
    if bad.any():
        return CropworthError(
            f"{item.where}: a number that is not finite in step {int(bad.argmax()) + 1} of {steps}",
            "finite numbers",
            "Fill the gap or remove the item.",
        )
    if not np.isfinite(item.label):
        return CropworthError(f"{item.where}: the label {item.label}", "a finite number", "Mend or remove the item.")
    if item.span is not None and not 0 <= item.span[0] < item.span[1] <= steps:
        return CropworthError(
            f"{item.where}: the span {item.span[0]} to {item.span[1]} of {steps} steps",
            "at least one step, all of them inside",
            "Mend the span.",
        )
    return None if item.value is None else problem_of_value(item.value, item.where)


def problem_of_value(value: float, where: str) -> CropworthError | None:
    """What is wrong with what depends on an item, such as NaN; None for a good one."""
    if 0 <= value <= MOST_VALUE:
        return None
    return CropworthError(f"{where}: the value {value:g}", f"a number from 0 to {MOST_VALUE:g}", "Mend or remove it.")


def padded(items: Sequence[SequenceItem], longest: int) -> Split:
    """Sequences as one split, zeros after the end of each: inputs (N, longest, F) or (N, longest)."""
    first = items[0]
    inputs = np.zeros((len(items), longest, *first.values.shape[1:]), first.values.dtype)
    for row, item in zip(inputs, items, strict=True):
        row[: len(item.values)] = item.values
    kind = torch.int64 if isinstance(first.label, int | np.integer) else torch.float32
    payoffs = None if first.payoffs is None else torch.tensor([item.payoffs for item in items])
    return Split(
        torch.from_numpy(inputs),
        torch.tensor([item.label for item in items], dtype=kind),
        boxes=_boxes(items),
        lengths=torch.tensor([len(item.values) for item in items]),
        payoffs=payoffs,
        values=None if first.value is None else torch.tensor([item.value for item in items], dtype=torch.float32),
    )


def set_aside(items: Sequence[Item], share: float, seed: int) -> tuple[list[Item], list[Item]]:
    """Part a share of each class, at least one item, from the rest: -> (the share, the rest), both in their order."""
    labels = np.array([item.label for item in items])
    classes = labels if labels.dtype.kind == "i" else np.zeros(len(items), dtype=np.int64)  # numbers are of one kind
    taken = {index for part in share_of_each(classes, share, np.random.default_rng(seed)) for index in part.tolist()}
    return [items[i] for i in sorted(taken)], [item for i, item in enumerate(items) if i not in taken]


def _boxes(items: Sequence[SequenceItem]) -> Tensor | None:
    """Spans as (centre, length) in fractions of each sequence's own length, NaN where unknown: (N, 2)."""
    if all(item.span is None for item in items):
        return None
    spans = np.array([item.span or (np.nan, np.nan) for item in items], dtype=np.float64)
    steps = np.array([len(item.values) for item in items])[:, None]
    boxes = np.stack([spans.mean(1), spans[:, 1] - spans[:, 0]], axis=1) / steps
    return torch.from_numpy(boxes.astype(np.float32))


def _moments(items: Iterable[SequenceItem]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and deviation (F,) of each feature over all steps; 1 for one that never changes."""
    every = np.concatenate([item.values for item in items]).astype(np.float64)
    mean, deviation = every.mean(0), every.std(0)
    deviation[deviation == 0] = 1  # such a feature says nothing, and must not become infinite
    return mean, deviation


def _standardised(item: SequenceItem, mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> SequenceItem:
    return replace(item, values=((item.values - mean) / deviation).astype(np.float32))
