"""The first rows of a table, and what its columns seem to be by their names and cells."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cropworth.data.installed import imported
from cropworth.data.tables.cells import number, times
from cropworth.errors import CropworthError

INSTALL = "pip install 'cropworth[text]'"
LOOKED_AT = 2000
MOST_CLASSES_OF_NUMBERS = 20

# Words in the names of columns. What people call things; datasets' and pandas' examples among them.
WORDS: dict[str, frozenset[str]] = {
    "path": frozenset(["path", "file", "filename", "filepath", "image", "img", "picture", "photo"]),
    "label": frozenset(["label", "labels", "class", "target", "category", "diagnosis", "dx", "y", "species"]),
    "group": frozenset(["group", "patient", "subject", "person", "user", "author"]),
    "time": frozenset(["time", "date", "datetime", "timestamp", "year"]),
    "text": frozenset(["text", "sentence", "document", "review", "comment", "content", "message", "body"]),
    "item": frozenset(["item", "series", "sample", "case", "episode", "recording", "id"]),
    "step": frozenset(["step", "t", "time", "timestamp", "index"]),
}
BOXES = (
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
    ("left", "top", "width", "height"),
    ("box_x", "box_y", "box_w", "box_h"),
    ("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
)


@dataclass(frozen=True)
class Peek:
    """The first rows of a table.

    Attributes:
        path: the file.
        cells: column -> its cells that are not empty.
        rows: how many were looked at.
    """

    path: Path
    cells: dict[str, list[Any]]
    rows: int

    def called(self, what: str) -> Iterator[str]:
        """The columns that have such a word in their name."""
        for column in self.cells:
            split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower()
            if WORDS[what] & set(re.split(r"[^a-z0-9]+", split)):
                yield column

    def label(self, others: set[str]) -> tuple[str, str] | None:
        """The column of labels that is none of the others, and why it; None where there is none."""
        for column in self.called("label"):
            if column not in others and len(self._kinds(column)) >= 2:
                return column, "by its name"
        few = {
            column: len(kinds)
            for column in self.cells.keys() - others
            if 2 <= len(kinds := self._kinds(column)) <= max(2, self.rows // 10) and column != "split"
        }
        if not few:
            return None
        column = min(sorted(few), key=few.__getitem__)
        return column, f"a guess, since it has only {few[column]} values"

    def item(self) -> tuple[str, str] | None:
        """The column that says which item a row is a part of, and why it; None where there is none."""
        for column in self.called("item"):
            if self.repeats(column):
                return column, "by its name, and its values repeat"
        label, steps = self.label(set()), set(self.called("step"))
        if label is None or not steps:
            return None
        of_one_label = {
            column: len(self._kinds(column))
            for column in self.cells.keys() - {label[0], *steps}
            if self.repeats(column) and self._says(column, label[0])
        }
        if not of_one_label:
            return None
        column = max(sorted(of_one_label), key=of_one_label.__getitem__)
        return column, "a guess, since its values repeat, each with a single label"

    def _says(self, column: str, other: str) -> bool:
        """Whether each value of a column comes with a single one of the other."""
        if not len(self.cells[column]) == len(self.cells[other]) == self.rows:
            return False
        return len(set(zip(self.cells[column], self.cells[other], strict=True))) == len(self._kinds(column))

    def target(self, label: str) -> str:
        """``number`` for a column of many numbers, else ``class``."""
        numbers = all(number(cell) is not None for cell in self.cells[label])
        return "number" if numbers and len(self._kinds(label)) > MOST_CLASSES_OF_NUMBERS else "class"

    def group(self, others: set[str]) -> str | None:
        """The column of what several items have in common."""
        found = (c for c in self.called("group") if c not in others and 1 < len(self._kinds(c)) < self.rows)
        return next(found, None)

    def time(self, others: set[str]) -> str | None:
        """The column of times."""
        found = (c for c in self.called("time") if c not in others and len(self._kinds(c)) > 1)
        return next((c for c in found if all(time is not None for time in times(self.cells[c]))), None)

    def box(self) -> tuple[str, ...] | None:
        """The columns of boxes: left, top, width and height."""
        return next((names for names in BOXES if all(self.cells.get(name) for name in names)), None)

    def text(self) -> tuple[str, str] | None:
        """The column of texts, and why it."""
        lengths = {column: self._mean_words(column) for column in self.cells}
        for column in self.called("text"):
            if lengths[column] >= 2:
                return column, "by its name"
        longest = max(lengths, key=lengths.__getitem__, default=None)
        if longest is None or lengths[longest] < 5:
            return None
        return longest, f"a guess, since its cells have {lengths[longest]:.0f} words in the mean"

    def numbers(self, others: set[str]) -> list[str]:
        """The columns of numbers."""
        return [
            c
            for c, cells in self.cells.items()
            if c not in others and cells and all(number(cell) is not None for cell in cells)
        ]

    def repeats(self, column: str) -> bool:
        """Whether each value stands in two rows or more, in the mean."""
        return 2 * len(self._kinds(column)) <= len(self.cells[column])

    def _kinds(self, column: str) -> set[str]:
        return {str(cell) for cell in self.cells[column]}

    def _mean_words(self, column: str) -> float:
        cells = self.cells[column]
        if not cells or not all(isinstance(cell, str) for cell in cells):
            return 0.0
        return sum(len(cell.split()) for cell in cells) / len(cells)


def peek(path: Path) -> Peek:
    """Look at the first rows of a CSV or parquet file.

    Raises:
        CropworthError: it cannot be read.
    """
    rows = list(_parquet(path) if path.suffix == ".parquet" else _csv(path))
    columns = list(rows[0]) if rows else []
    cells = {c: [row[c] for row in rows if row.get(c) not in (None, "")] for c in columns if c}
    return Peek(path, cells, len(rows))


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from itertools.islice(csv.DictReader(stream), LOOKED_AT)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CropworthError(f"{path} ({error})", "a CSV file in UTF-8", "Mend it, or write it as parquet.") from None


def _parquet(path: Path) -> list[dict[str, Any]]:
    parquet, arrow = imported("pyarrow.parquet", INSTALL), imported("pyarrow", INSTALL)
    try:
        batches = parquet.ParquetFile(path).iter_batches(batch_size=LOOKED_AT)
        return next(batches).to_pylist()  # type: ignore[no-any-return]
    except (OSError, StopIteration, arrow.ArrowException) as error:
        raise CropworthError(f"{path} ({error})", "a parquet file with rows", "Write it again.") from None
