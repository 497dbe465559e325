"""The task `series`: your own series from a CSV or parquet file, `.npz` or `.ts`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from cropworth.data.bad_items import BadItems
from cropworth.data.config import SeriesFile
from cropworth.data.rows import Row, place_rows
from cropworth.data.sequences.sequence_task import SequenceItem, SequenceTask, problem_of
from cropworth.data.sequences.series_files import Read, read_series
from cropworth.data.signature import SPLIT_NAMES
from cropworth.data.splits import balance
from cropworth.errors import CropworthError


def series_task(config: SeriesFile) -> SequenceTask:
    """The series of a file, and of a second one for the test where that is given.

    Raises:
        CropworthError: a file cannot be read, lacks a column or an array, or has other features than the other; series
            are bad, or they cannot be split, see `cropworth.data.rows.place_rows`.
    """
    bad = BadItems(config.on_bad_item)
    read = _both(config, bad)
    found = place_rows(
        read.rows,
        config,
        bad,
        what="series",
        target=config.target,
        problem_of=_problem_of(read.rows),
        content_of=_content_of,
    )
    classes = () if config.target == "number" else tuple(sorted({str(one.label) for one in found}))
    index = {name: number for number, name in enumerate(classes)}
    items = [
        SequenceItem(
            one.row.holds,
            index[str(one.label)] if classes else float(one.label),
            one.row.where,
            value=one.value,
            placed=one.placed,
        )
        for one in found
    ]
    train, validation, test = ([i for i in items if i.placed and i.placed.split == split] for split in SPLIT_NAMES)
    task = SequenceTask(
        config.file.name.partition(".")[0],
        classes,
        train,
        validation,
        test,
        standardise=config.standardise,
        reading={"kind": "series", "features": list(read.features), "item_column": config.item_column},
    )
    unread = f"Columns that were not read, since not all of their cells are numbers: {', '.join(read.unread)}."
    task.warnings = (*bad.warnings, *((unread,) if read.unread else ()), *balance(classes, task.labels()))
    return task


def _both(config: SeriesFile, bad: BadItems) -> Read:
    read = read_series(config.file, config, bad)
    if config.test_file is not None:
        tested = read_series(config.test_file, config, bad)
        if tested.features != read.features:
            raise CropworthError(
                f"{config.test_file} with the features {_said(tested)}",
                f"those of {config.file}, {_said(read)}",
                "Mend the files, or set data.features.",
            )
        prefix = "" if read.named else "test/"
        rows = [replace(row, name=prefix + row.name, split="test") for row in tested.rows]
        read = replace(read, rows=[*read.rows, *rows])
    if any(row.label is None for row in read.rows):
        raise CropworthError(
            f"{config.file} without labels",
            f"the column {config.label_column!r}, or in an .npz the array labels",
            "Add it, or name the column in data.label_column.",
        )
    return read


def _said(read: Read) -> str:
    return ", ".join(map(str, read.features))


def _problem_of(rows: list[Row]) -> Callable[[Row], CropworthError | None]:
    """What finds a series with too few steps, a gap, or another number of features than most have."""
    shapes = Counter(row.holds.shape[1:] for row in rows)
    features = shapes.most_common(1)[0][0] if shapes else ()
    return lambda row: problem_of(SequenceItem(row.holds, 0, row.where), features)


def _content_of(row: Row) -> str:
    return hashlib.sha256(repr(row.holds.shape).encode() + row.holds.tobytes()).hexdigest()
