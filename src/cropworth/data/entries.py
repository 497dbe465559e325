"""What a reader of images finds before any image is opened: one entry each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cropworth.data.bad_items import BadItems
from cropworth.data.boxes import Box
from cropworth.errors import CropworthError


@dataclass(frozen=True)
class Entry:
    """One image of a user's own data, as its folder or table has it.

    Attributes:
        name: its path inside the folder of images with ``/``, or what else its data call it.
        where: the file and row that speak of it, for messages.
        source: the file, or the bytes of one.
        label: name of its class, or the number to predict.
        split: ``train``, ``val`` or ``test``; None where the data do not say.
        group: what it has in common with others that must be in the same split; None where the data do not say.
        time: a number that grows with its time; None where the data do not say.
        value: what depends on it; None where the data do not say.
        box: of its object in pixels of the stored image, after its rotation; None where the data do not say.
    """

    name: str
    where: str
    source: Path | bytes
    label: str | float
    split: str | None = None
    group: str | None = None
    time: float | None = None
    value: float | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Listing:
    """All images of a user's own data, none of them opened yet.

    Attributes:
        name: for people.
        entries: one each.
        root: the folder that files must lie in, links followed; None where there is no such folder.
        classes: names in the order of the labels, where the data say it; None for those of the entries, sorted.
        boxed: whether the data speak of boxes at all.
        warnings: what a reader of the results must know of images that are not among them, a sentence each.
    """

    name: str
    entries: tuple[Entry, ...]
    root: Path | None
    classes: tuple[str, ...] | None = None
    boxed: bool = False
    warnings: tuple[str, ...] = ()


def there(entries: Iterable[Entry], bad: BadItems) -> list[Entry]:
    """The entries whose file is there, once each.

    Args:
        entries: as a table has them; a file may be named by several.
        bad: meets the others: all entries of a file with two labels, and all but the first of one that is listed twice.
    """
    of_file: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        of_file[entry.name].append(entry)
    kept = []
    for name, (first, *others) in of_file.items():
        if isinstance(first.source, Path) and not first.source.is_file():
            got = f"{first.where}: {first.source}, which is no file"
            bad.meet("images that are not there", CropworthError(got, "an image", "Mend the path, or its folder."))
            continue
        differing = [entry for entry in others if entry.label != first.label]
        if differing:
            got = f"{differing[0].where}: the label {differing[0].label!r} of {name}, after {first.label!r}"
            problem = CropworthError(f"{got} in {first.where}", "one label for one file", "Keep the right one.")
            bad.meet("files with two labels", problem)
            continue
        for entry in others:
            got = f"{entry.where}: {name} again, after {first.where}"
            bad.meet("files that are listed twice", CropworthError(got, "each file once", "Remove one of them."))
        kept.append(first)
    return kept
