"""Tables of your own with a row for each item, CSV or parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cropworth.data.config import Columns, Documents
from cropworth.data.installed import INSTALL_EXTRA, imported
from cropworth.data.rows import Row
from cropworth.errors import CropworthError

Cells = dict[str, object]


def read_rows(path: Path, needed: Mapping[str, str], optional: Iterable[str] = ()) -> Iterator[tuple[str, Cells]]:
    """The rows of `data.file`, in their order, nothing in them checked: -> (file and row, column -> cell).

    Args:
        path: parquet if it ends in ``.parquet``, else CSV with a header. A cell of CSV is a text, or None where its row
            ends before it.
        needed: columns that must be there -> the key of the plan that names each.
        optional: columns that may be there.

    Raises:
        CropworthError: the file cannot be read, lacks a column or has one twice, or has no row.
    """
    rows = _parquet(path, needed, optional) if path.suffix == ".parquet" else _csv(path, needed)
    number = 0
    for number, row in enumerate(rows, start=1):
        where = f"{path}, row {number}"
        if None in row:
            raise CropworthError(
                f"{where}: more cells than the header has", "a cell a column", "Quote texts that hold commas."
            )
        yield where, row
    if number == 0:
        raise CropworthError(f"{path} without a row", "at least one", "Look at the file.")


def check_columns(path: Path, needed: Mapping[str, str], found: list[str]) -> None:
    """Refuse a table that lacks columns, or has one of them twice.

    Args:
        path: of the table, for messages.
        needed: columns that must be there -> the key of the plan that names each.
        found: the columns that are there.

    Raises:
        CropworthError: with all that are lacking, and the keys to set.
    """
    lacking = [name for name in needed if name not in found]
    if lacking:
        raise CropworthError(
            f"{path} with the columns {', '.join(found) or 'none'}",
            f"the columns {' and '.join(needed)}",
            f"Add {' and '.join(lacking)}, or name yours in {' and '.join(needed[name] for name in lacking)}.",
        )
    twice = [name for name in needed if found.count(name) > 1]
    if twice:
        raise CropworthError(f"{path} with two columns {twice[0]}", "one of each name", "Rename one of them.")


def needed_columns(config: Columns | Documents) -> dict[str, str]:
    """The columns that a table must have, and the keys that name them: the label's, and those that the plan sets."""
    needed = {config.label_column: "data.label_column"}
    for key in ("split_column", "group_column", "time_column", "value_column"):
        name = getattr(config, key)
        # A plan that was written out in full names the default too.
        if name != type(config).model_fields[key].default:
            needed[name] = f"data.{key}"
    return needed


def row_of(cells: Cells, config: Columns | Documents, name: str, where: str, holds: object) -> Row:
    """What the cells of a row say of its item.

    Args:
        cells: column -> cell.
        config: which columns to read.
        name: what the item is called.
        where: file and row, for messages.
        holds: what the item is.
    """

    def cell(column: str | None) -> object:
        if column is None or column not in cells:
            return None
        # Where there is such a column, an empty cell is a mistake.
        return "" if cells[column] is None else cells[column]

    split, group, time = cell(config.split_column), cell(config.group_column), cell(config.time_column)
    return Row(name, where, holds, cells[config.label_column], split, group, time, cell(config.value_column))


def _csv(path: Path, needed: Mapping[str, str]) -> Iterator[Cells]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            check_columns(path, needed, list(reader.fieldnames or []))
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CropworthError(
            f"{path} ({error})", "a CSV file in UTF-8", "Check data.file, or write it as parquet."
        ) from None


def _parquet(path: Path, needed: Mapping[str, str], optional: Iterable[str]) -> Iterator[Cells]:
    parquet, arrow = imported("pyarrow.parquet", INSTALL_EXTRA), imported("pyarrow", INSTALL_EXTRA)
    try:
        table = parquet.read_table(path)
    except (OSError, arrow.ArrowException) as error:
        raise CropworthError(f"{path} ({error})", "a parquet file", "Check data.file.") from None
    check_columns(path, needed, table.column_names)
    wanted = [column for column in dict.fromkeys((*needed, *optional)) if column in table.column_names]
    yield from table.select(wanted).to_pylist()
