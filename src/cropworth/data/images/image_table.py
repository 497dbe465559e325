"""The task `image-table`: your own images by a CSV or parquet file with a row for each."""

from __future__ import annotations

import os
from pathlib import Path

from cropworth.data.bad_items import BadItems
from cropworth.data.config import ImageTable
from cropworth.data.images.boxes import Box, box_of
from cropworth.data.images.entries import Entry, Listing
from cropworth.data.rows import Row, checked
from cropworth.data.tables.cells import missing
from cropworth.data.tables.table_rows import needed_columns, read_rows, row_of
from cropworth.errors import CropworthError


def list_table(config: ImageTable, bad: BadItems) -> Listing:
    """The images of a table, none of them opened.

    Four empty cells where the box should be are an image without one. A box that cannot be used is as good as none.

    Args:
        config: the table, its columns and the folder in which its paths start.
        bad: meets rows whose cells cannot be used, and boxes that are no four numbers with an area.

    Raises:
        CropworthError: the table cannot be read, lacks a column, or has no row.
    """
    folder = config.file.parent if config.folder is None else config.folder
    needed = {config.path_column: "data.path_column"} | needed_columns(config)
    if config.box_columns != ImageTable.model_fields["box_columns"].default:
        needed |= dict.fromkeys(config.box_columns, "data.box_columns")
    rows, boxes, boxed = [], {}, False
    for where, cells in read_rows(config.file, needed, (config.split_column, *config.box_columns)):
        path = cells[config.path_column]
        name = "" if missing(path) else Path(os.path.relpath(folder / str(path), folder)).as_posix()
        rows.append(row_of(cells, config, name, where, path))
        boxed = all(column in cells for column in config.box_columns)
        boxes[where] = [cells[column] for column in config.box_columns] if boxed else []
    good = checked(rows, bad, what="rows that cannot be used", target=config.target, problem_of=_problem)
    entries = []
    for one in good:
        name, where, path = one.row.name, one.row.where, folder / str(one.row.holds)
        box = _box(boxes[where], where, bad)
        entries.append(Entry(name, where, path, one.label, one.split, one.group, one.time, one.value, box))
    return Listing(config.file.stem, tuple(entries), folder, boxed=boxed)


def _problem(row: Row) -> CropworthError | None:
    if missing(row.holds):
        return CropworthError(f"{row.where}: no path", "the file of an image", "Mend or remove the row.")
    return None


def _box(cells: list[object], where: str, bad: BadItems) -> Box | None:
    if all(map(missing, cells)):
        return None
    try:
        return box_of(cells, where)
    except CropworthError as problem:
        bad.meet("boxes without an area", problem)
        return None
