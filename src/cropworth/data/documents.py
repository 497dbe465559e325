"""The task `documents`: texts from a CSV or parquet file. `labelled_task` is also where other rows of texts end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cropworth.data.bad_items import settled
from cropworth.data.config import Documents, LongText
from cropworth.data.rows import missing, number_in, read_rows, value_in
from cropworth.data.sequences import FEWEST_STEPS, SequenceTask, set_aside
from cropworth.data.splits import SPLIT_NAMES
from cropworth.data.text import Document, sentences, text_task, words
from cropworth.errors import CropworthError


@dataclass(frozen=True)
class Row:
    """One document as its file has it, nothing checked yet.

    Attributes:
        text: of the document.
        label: name of its class.
        split: ``train``, ``val`` or ``test``; None where the file does not say.
        where: the file and row, for messages.
        value: what depends on it; None where the file does not say of any.
    """

    text: object
    label: object
    split: object
    where: str
    value: object = None


def documents_task(config: Documents) -> SequenceTask:
    """The documents of a file; splits that it does not name are split off class by class.

    Raises:
        CropworthError: the file cannot be read or lacks a column, or rows of it are bad, see `labelled_task`.
    """
    read = read_rows(config.file, _needed(config), [config.split_column])
    rows = [_row(config, cells, where) for where, cells in read]
    return labelled_task(config.file.stem, rows, config, config.test_share)


def labelled_task(name: str, rows: Sequence[Row], config: LongText, test_share: float) -> SequenceTask:
    """Check rows, split off what no row is named for, and give the words their numbers.

    Args:
        name: for people.
        rows: all of them.
        config: shares, vocabulary or embedder, and what to do with bad rows.
        test_share: share of each class for the test, where no row is of that split.

    Raises:
        CropworthError: rows without words or a label, of an unknown split, or with a value that is no number from 0
            on, all of them at once; fewer than two classes, or one that training never sees.
    """
    found = [_problem(row) for row in rows]
    problems = [problem for problem in found if problem is not None]
    warnings = settled("documents", problems, config.on_bad_item)
    good = [row for row, problem in zip(rows, found, strict=True) if problem is None]
    classes = tuple(sorted({str(row.label) for row in good}))
    if len(classes) < 2:
        raise CropworthError(
            f"documents of {len(classes)} classes in {name}", "two classes or more", "Look at the labels."
        )
    parts: dict[str, list[Document]] = {split: [] for split in SPLIT_NAMES}
    for row in good:
        label, value = classes.index(str(row.label)), None if row.value is None else number_in(row.value)
        document = Document(sentences(str(row.text)), label, row.where, value=value)
        parts[str(row.split or "train")].append(document)
    train, validation, test = parts.values()
    if not test:
        test, train = set_aside(train, test_share, config.split_seed)
    if not validation:
        validation, train = set_aside(train, config.validation_share, config.split_seed)
    _refuse_untrained(classes, train, [*validation, *test])
    task = text_task(name, classes, (train, validation, test), config, config.most_steps)
    task.warnings = warnings + task.warnings
    return task


def _problem(row: Row) -> CropworthError | None:
    if not isinstance(row.text, str):
        kind = "no text" if missing(row.text) else f"the text {row.text!r}, a {type(row.text).__name__}"
        return CropworthError(f"{row.where}: {kind}", "a text", "Mend or remove the row.")
    count = len(words(row.text))
    if count < FEWEST_STEPS:
        kind = "an empty document" if count == 0 else f"a document of {count} word"
        return CropworthError(f"{row.where}: {kind}", f"at least {FEWEST_STEPS} words", "Mend or remove the row.")
    if missing(row.label):
        return CropworthError(f"{row.where}: no label", "the name of a class", "Mend or remove the row.")
    if row.split is not None and row.split not in SPLIT_NAMES:
        return CropworthError(
            f"{row.where}: the split {row.split!r}", f"one of {', '.join(SPLIT_NAMES)}", "Mend the row."
        )
    if row.value is not None:
        try:
            value_in(row.value, row.where)
        except CropworthError as problem:
            return problem
    return None


def _refuse_untrained(classes: tuple[str, ...], train: list[Document], others: list[Document]) -> None:
    unseen = {document.label for document in others} - {document.label for document in train}
    if unseen:
        first = next(document for document in others if document.label in unseen)
        raise CropworthError(
            f"{first.where}: the class {classes[first.label]!r}, of which train has no document",
            "documents of every class in train",
            "Add some, or remove the class.",
        )


def _row(config: Documents, row: dict[str, object], where: str) -> Row:
    # Where there is no such column every row is of the pool; where there is one, an empty cell is a mistake.
    split = row[config.split_column] or "" if config.split_column in row else None
    value = None if config.value_column is None else row[config.value_column]
    if config.value_column is not None and value is None:
        value = ""
    return Row(row[config.text_column], row[config.label_column], split, where, value)


def _needed(config: Documents) -> dict[str, str]:
    """The columns that must be there, and the keys that name them."""
    columns = {config.text_column: "data.text_column", config.label_column: "data.label_column"}
    return columns if config.value_column is None else {**columns, config.value_column: "data.value_column"}
