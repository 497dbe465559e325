"""A file of splits: a CSV of the columns item and split, such as a study's own `splits.csv`. Free of torch."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cropworth.data.tables.table import opened
from cropworth.errors import CropworthError

Meet = Callable[[str, CropworthError], None]


@dataclass(frozen=True)
class SplitRow:
    """What a file of splits says of an item.

    Attributes:
        split: as it stands there, nothing checked.
        content: SHA-256 of what the item held when the file was written; empty where that is not known.
        where: the file and line, for messages.
    """

    split: str
    content: str
    where: str


def read_splits(path: Path, meet: Meet) -> dict[str, SplitRow]:
    """The rows by the names of their items.

    Args:
        path: the file.
        meet: called with the kind of a bad row, in the plural, and what is wrong with it.

    Raises:
        CropworthError: it cannot be read, or lacks a column.
    """
    try:
        with opened(path) as stream:
            lines = csv.DictReader(stream, strict=True)
            missing = {"item", "split"} - set(lines.fieldnames or ())
            if missing:
                raise CropworthError(
                    f"{path} without the column {' and '.join(sorted(missing))}",
                    "a CSV of the columns item and split",
                    "Check data.splits.",
                )
            rows: dict[str, SplitRow] = {}
            for line in lines:
                row = SplitRow(line["split"] or "", line.get("sha256") or "", f"{path}, line {lines.line_num}")
                if rows.setdefault(line["item"], row) is not row:
                    again = CropworthError(f"{row.where}: {line['item']} again", "a row for each item", "Remove one.")
                    meet("rows of the file of splits for an item that has one", again)
            return rows
    except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
        raise CropworthError(f"{path} ({error})", "a CSV of items and their splits", "Check data.splits.") from None
