"""The task `image-table`: your own images by a CSV or parquet file with a row for each."""

from __future__ import annotations

import os
from pathlib import Path

from cropworth.data.bad_items import BadItems
from cropworth.data.boxes import Box, box_of
from cropworth.data.config import ImageTable
from cropworth.data.entries import Entry, Listing
from cropworth.data.rows import MEND, missing, needed_columns, read_rows, told
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
    entries, boxed = [], False
    for where, row in read_rows(config.file, needed, (config.split_column, *config.box_columns)):
        boxed = all(column in row for column in config.box_columns)
        try:
            path = _path(row[config.path_column], where)
            said = told(row, config, where)
        except CropworthError as problem:
            bad.meet("rows that cannot be used", problem)
            continue
        box = _box([row[column] for column in config.box_columns], where, bad) if boxed else None
        name = Path(os.path.relpath(folder / path, folder)).as_posix()
        entries.append(
            Entry(name, where, folder / path, said.label, said.split, said.group, said.time, said.value, box)
        )
    return Listing(config.file.stem, tuple(entries), folder, boxed=boxed)


def _path(cell: object, where: str) -> str:
    if missing(cell):
        raise CropworthError(f"{where}: no path", "the file of an image", MEND)
    return str(cell)


def _box(cells: list[object], where: str, bad: BadItems) -> Box | None:
    if all(map(missing, cells)):
        return None
    try:
        return box_of(cells, where)
    except CropworthError as problem:
        bad.meet("boxes without an area", problem)
        return None
