"""Tables of your own with a row for each item, CSV or parquet, and what their cells say."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from cropworth.data.config import Columns
from cropworth.data.installed import INSTALL_EXTRA, imported
from cropworth.data.sequences import problem_of_value
from cropworth.data.splits import SPLIT_NAMES
from cropworth.errors import CropworthError

MEND = "Mend or remove the row."

Row = dict[str, object]


def read_rows(path: Path, needed: Mapping[str, str], optional: Iterable[str] = ()) -> Iterator[tuple[str, Row]]:
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


@dataclass(frozen=True)
class Told:
    """What a row says of its item besides what the item is.

    Attributes:
        label: name of its class, or the number to predict.
        split: ``train``, ``val`` or ``test``, or None as for the next ones: the table does not say.
        group: what it has in common with others that must be in the same split.
        time: a number that grows with its time.
        value: what depends on it.
    """

    label: str | float
    split: str | None = None
    group: str | None = None
    time: float | None = None
    value: float | None = None


def needed_columns(config: Columns) -> dict[str, str]:
    """The columns that a table must have, and the keys that name them: the label's, and those that the plan sets."""
    needed = {config.label_column: "data.label_column"}
    for key in ("split_column", "group_column", "time_column", "value_column"):
        name = getattr(config, key)
        # A plan that was written out in full names the default too.
        if name != Columns.model_fields[key].default:
            needed[name] = f"data.{key}"
    return needed


def told(row: Row, config: Columns, where: str) -> Told:
    """What the cells of a row say.

    Args:
        row: column -> cell.
        config: which columns to read, and whether the label is a number.
        where: file and row, for messages.

    Raises:
        CropworthError: a cell is empty or not what it should be; the first such cell.
    """
    split = None
    # Where there is such a column, an empty cell is a mistake.
    if config.split_column in row:
        split = row[config.split_column] or ""
        if split not in SPLIT_NAMES:
            raise CropworthError(f"{where}: the split {split!r}", f"one of {', '.join(SPLIT_NAMES)}", "Mend the row.")
    group, time, value = (
        None if column is None else row[column]
        for column in (config.group_column, config.time_column, config.value_column)
    )
    return Told(
        _label(row[config.label_column], config, where),
        None if split is None else str(split),
        None if config.group_column is None else _group(group, where),
        None if config.time_column is None else _time(time, where),
        None if config.value_column is None else value_in(value, where),
    )


def missing(cell: object) -> bool:
    """Whether a cell is empty, as CSV (an empty text) or parquet (None or NaN) have it."""
    return cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())


def number_in(cell: object) -> float | None:
    """The number in a cell, which CSV has as text; None where there is none."""
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def time_in(cell: object) -> float | None:
    """The time in a cell: a finite number as it stands, or ISO 8601 in seconds since 1970; None where there is none.

    What names no time zone is taken as UTC, so that it means the same on every machine.
    """
    number = number_in(cell)
    if number is not None:
        return number if math.isfinite(number) else None
    if isinstance(cell, str):
        try:
            cell = datetime.fromisoformat(cell.strip())
        except ValueError:
            return None
    if isinstance(cell, date) and not isinstance(cell, datetime):
        cell = datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
    if not isinstance(cell, datetime):
        return None
    return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).timestamp()


def value_in(cell: object, where: str) -> float:
    """What depends on an item, from its cell.

    Raises:
        CropworthError: it is missing, or no number from 0 to `MOST_VALUE`.
    """
    number = number_in(cell)
    if number is None:
        kind = "no value" if missing(cell) else f"the value {cell!r}"
        raise CropworthError(f"{where}: {kind}", "a number", MEND)
    problem = problem_of_value(number, where)
    if problem is not None:
        raise problem
    return number


def _label(cell: object, config: Columns, where: str) -> str | float:
    if config.target == "class":
        if missing(cell):
            raise CropworthError(f"{where}: no label", "the name of a class", MEND)
        return str(cell)
    number = number_in(cell)
    if number is None or not math.isfinite(number):
        kind = "no label" if missing(cell) else f"the label {cell!r}"
        raise CropworthError(f"{where}: {kind}", "a finite number, as data.target is number", MEND)
    return number


def _group(cell: object, where: str) -> str:
    if missing(cell):
        raise CropworthError(f"{where}: no group", "what it has in common with others, or a name of its own", MEND)
    return str(cell)


def _time(cell: object, where: str) -> float:
    time = time_in(cell)
    if time is None:
        kind = "no time" if missing(cell) else f"the time {cell!r}"
        raise CropworthError(f"{where}: {kind}", "a number or ISO 8601, such as 2024-05-31T12:00", MEND)
    return time


def _csv(path: Path, needed: Mapping[str, str]) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            check_columns(path, needed, list(reader.fieldnames or []))
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CropworthError(
            f"{path} ({error})", "a CSV file in UTF-8", "Check data.file, or write it as parquet."
        ) from None


def _parquet(path: Path, needed: Mapping[str, str], optional: Iterable[str]) -> Iterator[Row]:
    parquet, arrow = imported("pyarrow.parquet", INSTALL_EXTRA), imported("pyarrow", INSTALL_EXTRA)
    try:
        table = parquet.read_table(path)
    except (OSError, arrow.ArrowException) as error:
        raise CropworthError(f"{path} ({error})", "a parquet file", "Check data.file.") from None
    check_columns(path, needed, table.column_names)
    wanted = [column for column in dict.fromkeys((*needed, *optional)) if column in table.column_names]
    yield from table.select(wanted).to_pylist()
