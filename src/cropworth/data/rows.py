"""What a user's own file says of its items: checked, and placed into splits. Readers of texts and series meet here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from cropworth.data.bad_items import BadItems
from cropworth.data.sequences.sequence_task import problem_of_value
from cropworth.data.signature import Placed
from cropworth.data.splits import Item, Shares, place
from cropworth.data.tables.cells import missing, number, times
from cropworth.errors import CropworthError

Target = Literal["class", "number"]


@dataclass(frozen=True)
class Row:
    """One item as its file has it, nothing checked yet: None where the file does not say, an empty text for a gap.

    Attributes:
        name: what it is called, such as its row's number.
        where: the file and row, for messages.
        holds: its text, or its series (T, F).
        label: name of its class, or the number to predict.
        split: ``train``, ``val`` or ``test``.
        group: what it has in common with others.
        time: a number or ISO 8601.
        value: what depends on it.
    """

    name: str
    where: str
    holds: Any
    label: object
    split: object = None
    group: object = None
    time: object = None
    value: object = None


@dataclass(frozen=True)
class Checked:
    """A good row and what its cells say: None where the file does not.

    Attributes:
        row: as it was.
        label: name of its class, or the number to predict.
        split: which it should be in, unknown ones too.
        group: what it has in common with others.
        time: a number that grows with its time.
        value: what depends on it.
    """

    row: Row
    label: str | float
    split: str | None
    group: str | None
    time: float | None
    value: float | None


@dataclass(frozen=True)
class Found:
    """A good row and its place.

    Attributes:
        row: as it was.
        label: name of its class, or the number to predict.
        value: what depends on it; None where the file does not say.
        placed: where it went.
    """

    row: Row
    label: str | float
    value: float | None
    placed: Placed


def checked(
    rows: Sequence[Row],
    bad: BadItems,
    *,
    what: str,
    target: Target,
    problem_of: Callable[[Row], CropworthError | None],
) -> list[Checked]:
    """The good ones of all rows; the others are met as bad, see `place_rows` for the arguments."""
    good = []
    for row, time in zip(rows, times([row.time for row in rows]), strict=True):
        problem = problem_of(row) or problem_of_row(row, target) or _problem_of_time(row, time)
        if problem is not None:
            bad.meet(what, problem)
            continue
        label = str(row.label) if target == "class" else float(row.label)  # type: ignore[arg-type]
        split, group = (None if cell is None else str(cell) for cell in (row.split, row.group))
        good.append(Checked(row, label, split, group, time, number(row.value)))
    return good


def place_rows(
    rows: Sequence[Row],
    settings: Shares,
    bad: BadItems,
    *,
    what: str,
    target: Target,
    problem_of: Callable[[Row], CropworthError | None],
    content_of: Callable[[Row], str],
) -> list[Found]:
    """Check rows and decide where each goes, see `cropworth.data.splits.place`; those left out are missing.

    Args:
        rows: all of them.
        settings: shares, seed and the file of splits.
        bad: meets bad rows.
        what: rows are of, in the plural, such as "documents".
        target: what labels are.
        problem_of: what is wrong with what a row holds.
        content_of: SHA-256 of what a good row holds.

    Raises:
        CropworthError: bad rows that are not to be left out; fewer than two classes; or see `place`.
    """
    good = checked(rows, bad, what=what, target=target, problem_of=problem_of)
    items = [
        Item(one.row.name, one.row.where, one.label, content_of(one.row), one.split, one.group, one.time)
        for one in good
    ]
    if target == "class" and len(classes := {item.label for item in items}) < 2:
        got = f"{what} of {len(classes)} classes"
        bad.refuse([CropworthError(got, "two classes or more", "Look at the labels.")])
    return [
        Found(one.row, one.label, one.value, Placed(item.name, split, item.group or "", item.content))
        for one, item, split in zip(good, items, place(items, settings, bad), strict=True)
        if split is not None
    ]


def problem_of_row(row: Row, target: Target) -> CropworthError | None:
    """What is wrong with what a row says of its item; None for a good one."""
    if missing(row.label):
        expected = "the name of a class" if target == "class" else "a number to predict"
        return CropworthError(f"{row.where}: no label", expected, "Mend or remove the row.")
    if target == "number" and not _finite(row.label):
        return CropworthError(f"{row.where}: the label {row.label!r}", "a finite number", "Mend or remove the row.")
    if row.group is not None and missing(row.group):
        return CropworthError(f"{row.where}: no group", "a group for each", "Name it, if only by a name of its own.")
    if row.value is None:
        return None
    value = number(row.value)
    if value is not None:
        return problem_of_value(value, row.where)
    kind = "no value" if missing(row.value) else f"the value {row.value!r}"
    return CropworthError(f"{row.where}: {kind}", "a number", "Mend or remove the row.")


def _finite(cell: object) -> bool:
    found = number(cell)
    return found is not None and isfinite(found)


def _problem_of_time(row: Row, time: float | None) -> CropworthError | None:
    if row.time is None or time is not None:
        return None
    kind = "no time" if missing(row.time) else f"the time {row.time!r}"
    return CropworthError(f"{row.where}: {kind}", "a number, or ISO 8601 as the others", "Mend or remove the row.")
