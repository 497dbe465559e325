"""`image_task`: what a reader lists of a user's own images -> a task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropworth.data.bad_items import BadItems
from cropworth.data.config import Coco, Folder, HuggingFace, Images, ImageTable
from cropworth.data.images import pixels
from cropworth.data.images.coco import list_coco
from cropworth.data.images.decode import Decoded
from cropworth.data.images.dicom import HEAD, INSTALL, is_dicom
from cropworth.data.images.entries import Entry, Listing
from cropworth.data.images.fitting import Fit
from cropworth.data.images.folder import list_folder
from cropworth.data.images.hugging_face import list_hugging_face
from cropworth.data.images.image_table import list_table
from cropworth.data.installed import imported
from cropworth.data.signature import SPLIT_NAMES, Numbers, Placed
from cropworth.data.splits import Item, balance, place, refuse_gaps
from cropworth.data.task import Split, Task, numbers_of
from cropworth.errors import CropworthError, ManyError

LISTERS: dict[type, Callable[[Any, BadItems], Listing]] = {
    Folder: list_folder,
    ImageTable: list_table,
    Coco: list_coco,
    HuggingFace: list_hugging_face,
}
"""Readers: the `data:` of a plan, and where bad items are met -> what there is, no image opened."""

UNREADABLE = "images that cannot be read"


class ImageTask(Task):
    """Images that were decoded once, most often into a file of which each epoch takes a batch at a time.

    Args:
        name: for people.
        classes: names in the order of the labels; empty where the labels are numbers to predict.
        splits: the items to train, validate and test on.
        placed: what went where.
        reading: see `Task`.
        warnings: see `Task`, without what `balance` says of the classes.
    """

    def __init__(
        self,
        name: str,
        classes: tuple[str, ...],
        splits: tuple[Split, Split, Split],
        placed: tuple[Placed, ...],
        reading: dict[str, Any],
        warnings: tuple[str, ...],
    ) -> None:
        self.name, self.classes, self.placed, self.reading = name, classes, placed, reading
        self._train, self.validation, self.test = splits
        self.train_limit = len(self._train)
        self.warnings = warnings + balance(classes, self.labels())

    @property
    def numbers(self) -> Numbers | None:
        """What the training labels of a regression are like; no image is looked at."""
        return None if self.classes else numbers_of(self._train.labels)

    def training_batches(self, train_size: int, seed: int, epoch: int, batch_size: int) -> Iterator[Split]:
        """The items of `training_epoch` in batches, each taken when it is its turn.

        Raises:
            CropworthError: `train_size` is more than there is.
        """
        order, rng = self._training_order(train_size, seed, epoch)
        for start in range(0, len(order), batch_size):
            yield self._training_items(order[start : start + batch_size], rng)

    def splits(self) -> dict[str, Split]:
        """The items of each split, by its name, in the order in which they were read; no pixels are taken."""
        return dict(zip(SPLIT_NAMES, (self._train, self.validation, self.test), strict=True))

    def fingerprint(self) -> str:
        """SHA-256 of the classes, of what the files hold and how they are read, and of all that is not pixels."""
        plain = [pixels.VERSION, self.classes, dict(self.reading), [(row.split, row.content) for row in self.placed]]
        digest = hashlib.sha256(json.dumps(plain).encode())
        for items in self.splits().values():
            for part in items.parts()[1:]:
                if part is not None:
                    digest.update(part.numpy().tobytes())
        return digest.hexdigest()

    def _training_items(self, order: NDArray[np.int64], rng: np.random.Generator) -> Split:
        return self._train.take(torch.from_numpy(order))


def image_task(config: Images, cache: Path | None) -> ImageTask:
    """List, place and decode the images that `config` speaks of.

    Bad are files that are missing, empty, or outside the folder of images once links are followed; images that cannot
    be read; boxes outside their image, which are as good as none where `on_bad_item` is ``skip``; and what the reader
    and `cropworth.data.splits.place` call bad.

    Args:
        config: one that `LISTERS` knows.
        cache: folder that keeps decoded pixels, see `cropworth.data.images.pixels.stack`; None keeps them in memory.

    Raises:
        CropworthError: the data cannot be listed or split, there are bad items that are not to be left out, a split or
            a class of training is empty, or DICOM files are there and pydicom is not.
    """
    bad = BadItems(config.on_bad_item)
    listing = LISTERS[type(config)](config, bad)
    entries, contents = _hashed(listing, bad)
    items = [
        Item(e.name, e.where, e.label, content, e.split, e.group, e.time)
        for e, content in zip(entries, contents, strict=True)
    ]
    with _complete(config, entries, bad):
        splits = place(items, config, bad)
    rows = [row for name in SPLIT_NAMES for row, split in enumerate(splits) if split == name]
    found = pixels.stack([entries[row] for row in rows], [contents[row] for row in rows], config, cache)
    for problem in found.problems:
        bad.meet(UNREADABLE, problem)
    readable = [(row, size) for row, size in zip(rows, found.sizes, strict=True) if size is not None]
    boxes = _boxes([(entries[row], size) for row, size in readable], config, bad) if listing.boxed else None
    bad.settle()
    rows = [row for row, _ in readable]
    with _complete(config, entries, bad):
        refuse_gaps([items[row] for row in rows], [str(splits[row]) for row in rows])
    classes, labels = _labels(listing, [entries[row] for row in rows])
    values = None if all(e.value is None for e in entries) else torch.tensor([entries[row].value for row in rows])
    everything = Split(found.pixels, labels, boxes, values=values)
    went = tuple(Placed(items[row].name, str(splits[row]), items[row].group or "", contents[row]) for row in rows)
    parts = _parts(everything, went)
    return ImageTask(listing.name, classes, parts, went, reading(config), listing.warnings + bad.warnings)


def reading(config: Images) -> dict[str, Any]:
    """How a stored image becomes an item, see `Task.reading`."""
    return {"kind": "images"} | {key: getattr(config, key) for key in ("image_size", "fit", "channels", "bits")}


@contextmanager
def _complete(config: Images, entries: Sequence[Entry], bad: BadItems) -> Iterator[None]:
    """Add to an error what else is wrong with the data, or what was left out of them before too little was left."""
    try:
        yield
    except CropworthError as error:
        problems = list(error.problems)
        if config.on_bad_item == "fail":
            found = zip(entries, pixels.attempts(entries, config), strict=True)
            problems += filter(None, (_problem(entry, result) for entry, result in found))
        else:
            problems += [
                CropworthError(said.rstrip("."), "items that can be used", "Mend them.") for said in bad.warnings
            ]
        raise ManyError(problems) from None


def _problem(entry: Entry, result: Decoded | CropworthError) -> CropworthError | None:
    if isinstance(result, CropworthError):
        return result
    return None if entry.box is None else entry.box.outside(result.size)


def _hashed(listing: Listing, bad: BadItems) -> tuple[list[Entry], list[str]]:
    """The entries whose files can be opened, and SHA-256 of each."""
    root = None if listing.root is None else listing.root.resolve()
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda entry: _content(entry, root), listing.entries))
    entries, contents = [], []
    for entry, result in zip(listing.entries, results, strict=True):
        if isinstance(result, CropworthError):
            bad.meet(UNREADABLE, result)
        else:
            entries.append(entry)
            contents.append(result)
    return entries, contents


def _content(entry: Entry, root: Path | None) -> str | CropworthError:
    """SHA-256 of an entry's file, or why there is none."""
    called = f"{entry.where}: the image {entry.name}"
    if isinstance(entry.source, bytes):
        content, path = entry.source, None
    else:
        path = entry.source
        outside = root is not None and not path.resolve().is_relative_to(root)
        if outside:
            return CropworthError(f"{called} (it lies in {path.resolve()})", f"a file in {root}", "Copy it there.")
        try:
            content = path.read_bytes()
        except OSError as error:
            return CropworthError(f"{called} ({error.strerror})", "a file that can be read", "Check the path.")
    if not content:
        return CropworthError(f"{called} (an empty file)", "an image", "Copy it again, or remove it.")
    if is_dicom(content[:HEAD], path):
        imported("pydicom", INSTALL)  # one clear error, not one for each file
    return hashlib.sha256(content).hexdigest()


def _labels(listing: Listing, entries: Sequence[Entry]) -> tuple[tuple[str, ...], Tensor]:
    labels = [entry.label for entry in entries]
    if isinstance(labels[0], float):
        return (), torch.tensor(labels, dtype=torch.float32)
    classes = listing.classes or tuple(sorted({str(label) for label in labels}))
    numbers = {name: number for number, name in enumerate(classes)}
    return classes, torch.tensor([numbers[str(label)] for label in labels])


def _boxes(found: Sequence[tuple[Entry, pixels.Size]], config: Images, bad: BadItems) -> Tensor:
    """(N, 4), (cx, cy, w, h) as fractions of each item, NaN where there is none or nothing of it is left."""
    boxes = torch.full((len(found), 4), torch.nan)
    for row, (entry, size) in zip(boxes, found, strict=True):
        if entry.box is None:
            continue
        if outside := entry.box.outside(size):
            bad.meet("boxes outside their image", outside)
        elif fitted := Fit(config.fit, config.image_size, size).to_item(entry.box.corner_and_size):
            row.copy_(torch.tensor(fitted))
    return boxes


def _parts(everything: Split, went: Sequence[Placed]) -> tuple[Split, Split, Split]:
    """The items of each split, which follow one another."""
    ends = np.cumsum([sum(row.split == name for row in went) for name in SPLIT_NAMES])
    train, validation, test = (
        everything.take(slice(int(start), int(end))) for start, end in zip((0, *ends), ends, strict=False)
    )
    return train, validation, test
