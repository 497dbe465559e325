"""Columns of a long CSV or parquet file, read a block of rows at a time: a million rows take seconds.

Words are numbered as they are met, so that no list of a million words is ever held, and no cell passes through Python
code of ours.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cropworth.data.installed import INSTALL_EXTRA, imported
from cropworth.data.tables.table import opened
from cropworth.errors import CropworthError

BLOCK = 500  # rows; few enough to stay in the processor's cache: twice as fast as 20,000


@dataclass(frozen=True)
class Words:
    """A column of words.

    Attributes:
        names: the different words, in an order that does not depend on that of the rows.
        codes: (N,), int64, the place of each row's word in `names`.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]

    def renamed(self, clean: Callable[[str], str], order: Callable[[str], object] | None = None) -> Words:
        """Each word cleaned; what is alike then is one word.

        Args:
            clean: what makes a name of a word.
            order: key by which names are sorted; by default the name.
        """
        cleaned = list(map(clean, self.names))
        names = sorted(set(cleaned), key=order)  # type: ignore[arg-type]
        return self._in(names, cleaned)

    def among(self, names: Sequence[str]) -> Words:
        """The same words as places in `names`, which has them all."""
        return self._in(names, self.names)

    def _in(self, names: Sequence[str], words: Iterable[str]) -> Words:
        places = {name: place for place, name in enumerate(names)}
        return Words(tuple(names), np.array([places[word] for word in words], dtype=np.int64)[self.codes])

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]


class ColumnFile:
    """A CSV file, packed by gzip where its name ends in ``.gz``, or a parquet file, with a name for each column.

    Args:
        path: the file.

    Raises:
        CropworthError: it cannot be read, is empty, or names a column twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parquet = path.suffix == ".parquet"
        self.names = tuple(self._parquet_names() if self._parquet else next(self._csv_rows(), ()))
        if not self.names:
            raise CropworthError(f"{path}, an empty file", "a line of column names, then rows", "Check the file.")
        twice = next((name for i, name in enumerate(self.names) if name in self.names[:i]), None)
        if twice is not None:
            raise CropworthError(f"{path} with two columns {twice!r}", "columns of different names", "Rename one.")

    def where(self, row: int) -> str:
        """The file and the line (of parquet, the row) of a row, counted from 0, for messages."""
        if self._parquet:
            return f"{self.path}, row {row + 1}"
        with opened(self.path) as stream:
            lines = csv.reader(stream, skipinitialspace=True)
            filled = (lines.line_num for cells in lines if cells)
            return f"{self.path}, line {next(islice(filled, row + 1, None))}"

    def read(self, numbers: Iterable[str]) -> tuple[dict[str, Words], dict[str, NDArray[np.float64]]]:
        """All columns, those named in `numbers` as numbers and the others as words.

        Raises:
            CropworthError: the file cannot be read or has no rows, a row has another number of cells, or a cell
                of `numbers` holds none that is finite.
        """
        met = {name: _Numbering() for name in self.names if name not in set(numbers)}
        codes: dict[str, list[NDArray[np.int64]]] = {name: [] for name in met}
        values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in self.names if name not in met}
        rows = 0
        for block in self._parquet_blocks() if self._parquet else self._csv_blocks():
            for name, cells in zip(self.names, block, strict=True):
                if name in met:
                    codes[name].append(np.fromiter(map(met[name].__getitem__, cells), np.int64, len(cells)))
                else:
                    values[name].append(self._numbers(name, cells, rows))
            rows += len(block[0])
        if not rows:
            raise CropworthError(f"{self.path} without a row", "at least one", "Check the file.")
        words = {name: Words(tuple(met[name]), np.concatenate(parts)) for name, parts in codes.items()}
        return words, {name: np.concatenate(parts) for name, parts in values.items()}

    def _numbers(self, name: str, cells: Sequence[str], rows_before: int) -> NDArray[np.float64]:
        try:
            found = np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            found = np.array([_number(cell) for cell in cells])
        if not np.isfinite(found).all():
            bad = int(np.flatnonzero(~np.isfinite(found))[0])
            raise CropworthError(
                f"{self.where(rows_before + bad)}: {name} {cells[bad]!r}", "a number", "Mend or remove the row."
            )
        return found

    def _csv_rows(self) -> Iterator[list[str]]:
        """The cells of every line that is not blank; the first line names the columns."""
        try:
            with opened(self.path) as stream:
                lines = csv.reader(stream, skipinitialspace=True, strict=True)
                yield [name.strip() for name in next(lines, [])]
                yield from filter(None, lines)
        except UnicodeDecodeError:
            raise CropworthError(f"{self.path}, not UTF-8 text", "a CSV file in UTF-8", "Save it as UTF-8.") from None
        except (OSError, EOFError, csv.Error) as error:
            raise CropworthError(
                f"{self.path} ({error})", "a readable CSV file", "Check the path and the file."
            ) from None

    def _csv_blocks(self) -> Iterator[list[Sequence[str]]]:
        rows, before = self._csv_rows(), 0
        next(rows)
        while block := list(islice(rows, BLOCK)):
            if set(map(len, block)) != {len(self.names)}:
                bad = next(i for i, cells in enumerate(block) if len(cells) != len(self.names))
                raise CropworthError(
                    f"{self.where(before + bad)}: {len(block[bad])} cells",
                    f"{len(self.names)}, one a column",
                    "Quote cells that hold commas.",
                )
            yield list(zip(*block, strict=True))
            before += len(block)

    def _parquet_names(self) -> list[str]:
        parquet, arrow = imported("pyarrow.parquet", INSTALL_EXTRA), imported("pyarrow", INSTALL_EXTRA)
        try:
            return list(parquet.ParquetFile(self.path).schema_arrow.names)
        except (OSError, arrow.ArrowException) as error:
            raise CropworthError(f"{self.path} ({error})", "a parquet file", "Check the path and the file.") from None

    def _parquet_blocks(self) -> Iterator[list[Sequence[str]]]:
        for batch in imported("pyarrow.parquet", INSTALL_EXTRA).ParquetFile(self.path).iter_batches(BLOCK):
            yield [list(map(_text, column.to_pylist())) for column in batch.columns]


class _Numbering(dict[str, int]):
    """word -> its number, new words being numbered as they are asked for."""

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self)
        return number


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _text(cell: object) -> str:
    """A parquet cell as a CSV file would have it."""
    return "" if cell is None or cell != cell else str(cell)


def whole(text: str) -> int | None:
    """The whole number that a text is, 3.0 too, as tables write those of a column with gaps; None for other texts."""
    with suppress(ValueError):
        return int(text)
    number = _number(text)
    return int(number) if isfinite(number) and number == int(number) else None
