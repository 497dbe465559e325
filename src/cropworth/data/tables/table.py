"""Tables of numbers from CSV files, in which every bad row is named, or left out and counted."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from cropworth.data.bad_items import OnBad, settled
from cropworth.errors import CropworthError


@dataclass(frozen=True)
class Table:
    """Rows of one file.

    Attributes:
        path: the file.
        columns: name -> (N,), float64, finite.
        lines: (N,), where each row stands in the file, counted from 1.
        on_bad_item: ``fail`` or ``skip``.
        warnings: how many rows were left out, a sentence for each reason.
    """

    path: Path
    columns: dict[str, NDArray[np.float64]]
    lines: NDArray[np.int64]
    on_bad_item: OnBad
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self.columns[name]

    def without(self, bad: NDArray[np.bool_], got: str, expected: str) -> Table:
        """The table less the rows where `bad`.

        Args:
            bad: (N,).
            got: what is wrong with them.
            expected: what would be right.

        Raises:
            CropworthError: there are such rows, and they are not to be skipped; all of them at once.
        """
        problems = [
            CropworthError(f"{self.path}, line {line}: {got}", expected, "Mend or remove the row.")
            for line in self.lines[bad]
        ]
        return replace(
            self,
            columns={name: values[~bad] for name, values in self.columns.items()},
            lines=self.lines[~bad],
            warnings=(*self.warnings, *settled("rows", problems, self.on_bad_item)),
        )

    def in_order(self, name: str, *, strictly: bool) -> Table:
        """The table less the rows that are earlier than one above, or as early where `strictly`.

        Raises:
            CropworthError: see `without`.
        """
        times = self[name]
        latest = np.maximum.accumulate(np.concatenate([[-np.inf], times[:-1]]))
        late = times <= latest if strictly else times < latest
        return self.without(late, f"a {name} that is not after those above", "rows in the order of their times")


def read_table(path: Path, columns: Mapping[str, Callable[[str], float]], on_bad_item: OnBad) -> Table:
    """Read some columns of a CSV file with a head, packed by gzip where its name ends so.

    Args:
        path: the file.
        columns: name -> what makes a number of the text; an error of it makes the row a bad one.
        on_bad_item: ``skip`` leaves bad rows out.

    Raises:
        CropworthError: the file cannot be read, lacks a column or has no rows, or rows are bad.
    """
    try:
        with opened(path) as stream:
            rows = csv.reader(stream)
            head = next(rows, [])
            missing = [name for name in columns if name not in head]
            if missing:
                raise CropworthError(
                    f"{path} with the columns {', '.join(head) or 'none'}",
                    f"the columns {', '.join(columns)}",
                    f"Add {', '.join(missing)}.",
                )
            places = [(head.index(name), number) for name, number in columns.items()]
            numbers = [(rows.line_num, [_number(row, place, number) for place, number in places]) for row in rows]
    except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
        raise CropworthError(f"{path} ({error})", "a readable CSV file", "Check the path and the file.") from None
    values = np.array([found for _, found in numbers], dtype=np.float64).reshape(len(numbers), len(columns))
    named = {name: values[:, index] for index, name in enumerate(columns)}
    table = Table(path, named, np.array([line for line, _ in numbers], dtype=np.int64), on_bad_item)
    for name in columns:
        bad = ~np.isfinite(table[name])
        table = table.without(bad, f"{name} is missing or not what it should be", "a value that can be read")
    if not len(table.lines):
        raise CropworthError(f"{path} without a row that can be read", "at least one", "Look at the file.")
    return table


def opened(path: Path) -> TextIO:
    """A text file in UTF-8, packed by gzip where its name ends so."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _number(row: list[str], place: int, number: Callable[[str], float]) -> float:
    """The number, or NaN where there is none."""
    try:
        return number(row[place])
    except (ValueError, KeyError, IndexError):
        return float("nan")
