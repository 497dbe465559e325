"""The task `documents`: your own texts from a CSV or parquet file."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator

from cropworth.data.bad_items import BadItems
from cropworth.data.cells import missing
from cropworth.data.config import Documents
from cropworth.data.installed import INSTALL_EXTRA, imported
from cropworth.data.rows import Row, place_rows
from cropworth.data.sequences import FEWEST_STEPS, SequenceTask
from cropworth.data.signature import SPLIT_NAMES
from cropworth.data.splits import balance
from cropworth.data.text import Document, sentences, text_task, words
from cropworth.errors import CropworthError


def documents_task(config: Documents) -> SequenceTask:
    """The documents of a file, each named by the number of its row; the same text is never in two splits.

    Raises:
        CropworthError: the file cannot be read or lacks a column, rows of it are bad, or they cannot be split, see
            `cropworth.data.rows.place_rows`.
    """
    rows = list(_parquet(config) if config.file.suffix == ".parquet" else _csv(config))
    bad = BadItems(config.on_bad_item)
    found = place_rows(
        rows, config, bad, what="documents", target="class", problem_of=problem_of_text, content_of=content_of_text
    )
    classes = tuple(sorted({str(one.label) for one in found}))
    index = {name: number for number, name in enumerate(classes)}
    documents = [
        Document(sentences(one.row.holds), index[str(one.label)], one.row.where, value=one.value, placed=one.placed)
        for one in found
    ]
    train, validation, test = ([d for d in documents if d.placed and d.placed.split == split] for split in SPLIT_NAMES)
    task = text_task(config.file.stem, classes, (train, validation, test), config, config.most_steps)
    task.warnings = (*bad.warnings, *balance(classes, task.labels()), *task.warnings)
    return task


def problem_of_text(row: Row) -> CropworthError | None:
    """What is wrong with the text that a row holds; None for a good one."""
    if not isinstance(row.holds, str):
        kind = "no text" if missing(row.holds) else f"the text {row.holds!r}, a {type(row.holds).__name__}"
        return CropworthError(f"{row.where}: {kind}", "a text", "Mend or remove the row.")
    count = len(words(row.holds))
    if count < FEWEST_STEPS:
        kind = "an empty document" if count == 0 else f"a document of {count} word"
        return CropworthError(f"{row.where}: {kind}", f"at least {FEWEST_STEPS} words", "Mend or remove the row.")
    return None


def content_of_text(row: Row) -> str:
    """SHA-256 of the text; white space of any kind is one blank."""
    return hashlib.sha256(" ".join(row.holds.split()).encode()).hexdigest()


def _csv(config: Documents) -> Iterator[Row]:
    try:
        with config.file.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(config, list(reader.fieldnames or []))
            for number, row in enumerate(reader, start=1):
                where = f"{config.file}, row {number}"
                if None in row:
                    raise CropworthError(
                        f"{where}: more cells than the header has", "a cell a column", "Quote texts that hold commas."
                    )
                yield _row(config, row, number, where)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CropworthError(
            f"{config.file} ({error})", "a CSV file in UTF-8", "Check data.file, or write it as parquet."
        ) from None


def _parquet(config: Documents) -> Iterator[Row]:
    parquet, arrow = imported("pyarrow.parquet", INSTALL_EXTRA), imported("pyarrow", INSTALL_EXTRA)
    try:
        table = parquet.read_table(config.file)
    except (OSError, arrow.ArrowException) as error:
        raise CropworthError(f"{config.file} ({error})", "a parquet file", "Check data.file.") from None
    _check_columns(config, table.column_names)
    wanted = [name for name in (*_needed(config), config.split_column) if name in table.column_names]
    for number, row in enumerate(table.select(wanted).to_pylist(), start=1):
        yield _row(config, row, number, f"{config.file}, row {number}")


def _row(config: Documents, row: dict[str, object], number: int, where: str) -> Row:
    def cell(column: str | None) -> object:
        if column is None or column not in row:
            return None
        return "" if row[column] is None else row[column]

    text, label = row[config.text_column], row[config.label_column]
    split, group, time = cell(config.split_column), cell(config.group_column), cell(config.time_column)
    return Row(str(number), where, text, label, split, group, time, cell(config.value_column))


def _needed(config: Documents) -> dict[str, str]:
    """The columns that must be there, and the keys that name them."""
    keys = ("text_column", "label_column", "group_column", "time_column", "value_column")
    return {getattr(config, key): f"data.{key}" for key in keys if getattr(config, key) is not None}


def _check_columns(config: Documents, found: list[str]) -> None:
    needed = _needed(config)
    missing = [name for name in needed if name not in found]
    if missing:
        raise CropworthError(
            f"{config.file} with the columns {', '.join(found) or 'none'}",
            f"the columns {' and '.join(needed)}",
            f"Add {' and '.join(missing)}, or name yours in {' and '.join(needed[name] for name in missing)}.",
        )
