"""What a reader of images finds before any image is opened: one entry each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cropworth.data.images.boxes import Box


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
