"""The task `documents`: your own texts from a CSV or parquet file."""

from __future__ import annotations

import hashlib

from cropworth.data.bad_items import BadItems
from cropworth.data.config import Documents
from cropworth.data.rows import Row, place_rows
from cropworth.data.sequences.sequence_task import FEWEST_STEPS, SequenceTask
from cropworth.data.signature import SPLIT_NAMES
from cropworth.data.splits import balance
from cropworth.data.tables.cells import missing
from cropworth.data.tables.table_rows import needed_columns, read_rows, row_of
from cropworth.data.texts.text import Document, sentences, text_task, words
from cropworth.errors import CropworthError


def documents_task(config: Documents) -> SequenceTask:
    """The documents of a file, each named by the number of its row; the same text is never in two splits.

    Raises:
        CropworthError: the file cannot be read or lacks a column, rows of it are bad, or they cannot be split, see
            `cropworth.data.rows.place_rows`.
    """
    needed = {config.text_column: "data.text_column"} | needed_columns(config)
    rows = [
        row_of(cells, config, str(number), where, cells[config.text_column])
        for number, (where, cells) in enumerate(read_rows(config.file, needed, [config.split_column]), start=1)
    ]
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
    task.reading = {**task.reading, "text_column": config.text_column}
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
