"""The task `dataset`: any `torch.utils.data.Dataset` of yours, each item of it read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset

from cropworth.data.bad_items import BadItems
from cropworth.data.config import TorchDataset
from cropworth.data.dataset_items import MEND, dataset_row
from cropworth.data.images.image_task import ImageTask
from cropworth.data.rows import Found, Row, place_rows
from cropworth.data.sequences.sequence_task import SequenceItem, SequenceTask, problem_of
from cropworth.data.signature import SPLIT_NAMES
from cropworth.data.splits import balance
from cropworth.data.task import Split, Task
from cropworth.errors import CropworthError
from cropworth.functions import load_object

UNUSABLE = "items that cannot be used"
MOST_READ = 20  # bad items after which no more are read: what is wrong with all of a dataset need not be said of each


@dataclass(frozen=True)
class _Source:
    """A dataset that was made.

    Attributes:
        dataset: what has a length and can be indexed.
        length: how many items it says there are.
        split: the one it is for; None where its items are to be split.
        called: what messages call it.
    """

    dataset: Any
    length: int
    split: str | None
    called: str


def dataset_task(config: TorchDataset) -> Task:
    """Read every item: images are fitted to `image_size`, series and texts filled up to the length of the longest.

    While the dataset is made and read, torch's random numbers are those of `split_seed`: what it draws is drawn once.
    Bad items are those that it cannot give, of another kind or shape than most, with a label of no class, or with a
    box, time or value that is none.

    Args:
        config: the dataset and its arguments, a set for each split or one to be split.

    Raises:
        CropworthError: there is no such dataset or it cannot be made, has no length, or has bad items that are not to
            be left out; or its items cannot be split, see `cropworth.data.splits.place`.
    """
    bad = BadItems(config.on_bad_item)
    splits: Iterable[str | None] = config.arguments_of or (None,)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.split_seed)
        sources = [_source(config, split) for split in splits]
        names = _names(config, sources)
        rows = [row for source in sources for row in _rows(source, config, names, bad)]
    if not rows:
        bad.refuse([CropworthError(f"{config.dataset} without an item that can be used", "at least one", MEND)])
    found = place_rows(
        rows,
        config,
        bad,
        what=UNUSABLE,
        target=config.target,
        problem_of=_problem_of(rows),
        content_of=lambda row: str(row.holds.content),
    )
    used = {str(one.label) for one in found}
    classes = () if config.target == "number" else tuple(n for n in names or sorted(used, key=_in_order) if n in used)
    parts = [[one for one in found if one.placed.split == split] for split in SPLIT_NAMES]
    if found[0].row.holds.kind == "images":
        return _image_task(config, classes, parts, bad.warnings)
    return _sequence_task(config, classes, parts, bad.warnings)


def _source(config: TorchDataset, split: str | None) -> _Source:
    called = config.dataset if split is None else f"{config.dataset} for {split}"
    further = next((further for name, further in config.arguments_of.items() if name == split), {})
    arguments = config.arguments | further
    found = load_object(config.dataset, "dataset")
    if callable(found) and (isinstance(found, type) or not hasattr(found, "__getitem__")):
        try:
            found = found(**arguments)
        except Exception as error:
            raise CropworthError(
                f"{called}, which raises {type(error).__name__}: {error}, given {arguments}",
                "a dataset",
                "Check data.arguments and data.arguments_of.",
            ) from error
    elif arguments:
        raise CropworthError(
            f"{called}, a {type(found).__name__}, and arguments for it",
            "a class or a function that takes them",
            "Leave data.arguments out, or name another.",
        )
    return _Source(found, _length(found, called), split, called)


def _length(found: Any, called: str) -> int:
    expected = "a dataset with a length and items by their index"
    if isinstance(found, IterableDataset) or not hasattr(found, "__getitem__"):
        raise CropworthError(f"{called}, a {type(found).__name__}", expected, "Write one with __len__ and __getitem__.")
    try:
        length = len(found)
    except Exception as error:
        raise CropworthError(
            f"{called}, whose length raises {type(error).__name__}: {error}", expected, "Write its __len__."
        ) from error
    if not length:
        raise CropworthError(f"{called} of length 0", "at least one item", "Check its arguments.")
    return length


def _names(config: TorchDataset, sources: Sequence[_Source]) -> tuple[str, ...]:
    """The names of the classes in the order of their indices; none where nobody says."""
    if config.target == "number":
        return ()
    if config.classes:
        return config.classes
    (first, names), *others = ((source.called, _own_names(source.dataset)) for source in sources)
    for called, own in others:
        if own != names:
            raise CropworthError(
                f"{called} with the classes {own}, and {first} with {names}", "the same classes", "Set data.classes."
            )
    return names


def _own_names(dataset: Any) -> tuple[str, ...]:
    names = getattr(dataset, "classes", None)
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


def _rows(source: _Source, config: TorchDataset, names: Sequence[str], bad: BadItems) -> Iterator[Row]:
    problems = 0
    for index in range(source.length):
        name = str(index) if source.split is None else f"{source.split}/{index}"
        row = Row(name, f"{source.called}, item {index}", None, None, source.split)
        try:
            yield dataset_row(_given(source, index, row.where), config, names, row)
        except CropworthError as problem:
            bad.meet(UNUSABLE, problem)
            problems += 1
        left = source.length - index - 1
        if problems == MOST_READ and left and config.on_bad_item == "fail":
            got = f"{source.called}: {left:,} items after them, which were not read"
            bad.meet(UNUSABLE, CropworthError(got, "items that can be used", MEND))
            return


def _given(source: _Source, index: int, where: str) -> object:
    try:
        return source.dataset[index]
    except Exception as error:
        raise CropworthError(
            f"{where}, which raises {type(error).__name__}: {error}", f"one of {source.length:,} items", MEND
        ) from error


def _problem_of(rows: Sequence[Row]) -> Callable[[Row], CropworthError | None]:
    """What finds an item that is not of the kind and shape that most are of, or lacks a value that others have."""
    kinds = Counter((row.holds.kind, row.holds.values.shape[1:]) for row in rows)
    (kind, shape), _ = kinds.most_common(1)[0]
    valued = any(row.value is not None for row in rows)

    def problem(row: Row) -> CropworthError | None:
        if row.holds.kind != kind:
            return CropworthError(f"{row.where}: {row.holds.kind}", f"{kind}, as most items are", MEND)
        if valued and row.value is None:
            return CropworthError(f"{row.where}: no value", "a number, as others have one", MEND)
        return None if kind == "images" else problem_of(SequenceItem(row.holds.values, 0, row.where), shape)

    return problem


def _in_order(name: str) -> tuple[bool, int, str]:
    """Indices by their size, before names."""
    return (False, int(name), "") if name.isdecimal() else (True, 0, name)


def _label(one: Found, classes: Sequence[str]) -> int | float:
    return classes.index(str(one.label)) if classes else float(one.label)


def _sequence_task(
    config: TorchDataset, classes: tuple[str, ...], parts: Sequence[Sequence[Found]], warnings: tuple[str, ...]
) -> SequenceTask:
    train, validation, test = (
        [
            SequenceItem(o.row.holds.values, _label(o, classes), o.row.where, value=o.value, placed=o.placed)
            for o in part
        ]
        for part in parts
    )
    texts = [one.row.holds for part in parts for one in part if one.row.holds.kind == "texts"]
    vocabulary = 1 + max((int(text.values.max()) for text in texts), default=-1)
    task = SequenceTask(config.dataset, classes, train, validation, test, vocabulary=vocabulary)
    task.warnings = warnings + balance(classes, task.labels())
    return task


def _image_task(
    config: TorchDataset, classes: tuple[str, ...], parts: Sequence[Sequence[Found]], warnings: tuple[str, ...]
) -> ImageTask:
    boxed = any(one.row.holds.box is not None for part in parts for one in part)
    train, validation, test = (_images(part, classes, boxed=boxed) for part in parts)
    went = tuple(one.placed for part in parts for one in part)
    # How the dataset reads a file is its own affair: `reading` stays empty.
    return ImageTask(config.dataset, classes, (train, validation, test), went, {}, warnings)


def _images(part: Sequence[Found], classes: Sequence[str], *, boxed: bool) -> Split:
    boxes = torch.tensor([one.row.holds.box or (torch.nan,) * 4 for one in part]) if boxed else None
    values = None if part[0].value is None else torch.tensor([one.value for one in part])
    labels = torch.tensor([_label(one, classes) for one in part])
    return Split(torch.from_numpy(np.stack([one.row.holds.values for one in part])), labels, boxes, values=values)
