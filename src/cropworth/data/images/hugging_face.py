"""The task `hugging-face`: your own images as the library `datasets` keeps them, read with pyarrow alone.

What `Dataset.save_to_disk` and `to_parquet` write are Arrow tables, with the features as JSON in the metadata of each;
so the library itself, which would look for the network and a cache, is not needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cropworth.data.bad_items import BadItems
from cropworth.data.config import HuggingFace
from cropworth.data.images.entries import Entry, Listing
from cropworth.data.installed import imported
from cropworth.data.rows import Row, checked
from cropworth.data.tables.table_rows import Cells, check_columns, needed_columns, row_of
from cropworth.errors import CropworthError

UNUSABLE = "rows that cannot be used"
INSTALL = "pip install 'cropworth[hf]'"
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "dev", "val"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""What `datasets` takes as the name of a split (its `SPLIT_KEYWORDS`) -> ours."""


@dataclass(frozen=True)
class _Shard:
    file: Path
    split: str | None


def list_hugging_face(config: HuggingFace, bad: BadItems) -> Listing:
    """The images of a saved dataset or of parquet files, none of them decoded.

    The split of a row is what `split_column` says where the plan sets it; else that of its folder or file, such as
    ``data/train-00000-of-00001.parquet``; else what a column `split` says. The classes are the names of a `ClassLabel`
    that an image has, in their order.

    Args:
        config: the folder and its columns.
        bad: meets rows whose cells cannot be used.

    Raises:
        CropworthError: there is no such dataset, a file of it cannot be read or lacks a column, the split of a file is
            none of train, validation and test, or files do not agree on the classes.
    """
    root = config.folder if config.folder.is_dir() else config.folder.parent
    needed = {config.image_column: "data.image_column"} | needed_columns(config)
    set_column = config.split_column in needed
    rows: list[Row] = []
    named: dict[Path, tuple[str, ...] | None] = {}
    for shard in _shards(config.folder):
        table = _table(shard.file, config, needed)
        named[shard.file] = names = _class_names(table, config.label_column) if config.target == "class" else None
        for number, cells in enumerate(_rows(table), start=1):
            if shard.split is not None and not set_column:
                cells[config.split_column] = shard.split
            name = f"{shard.file.relative_to(root).as_posix()}/{number}"
            try:
                rows.append(_row(cells, config, names, name, f"{shard.file}, row {number}"))
            except CropworthError as problem:
                bad.meet(UNUSABLE, problem)
    if not rows:
        bad.refuse([CropworthError(f"{config.folder} without a row", "at least one", "Look at the data.")])
    good = checked(rows, bad, what=UNUSABLE, target=config.target, problem_of=_problem)
    entries = tuple(
        Entry(one.row.name, one.row.where, source, one.label, one.split, one.group, one.time, one.value)
        for one in good
        if (source := _source(one.row.holds, root)) is not None
    )
    classes, used = _agreed(named), {entry.label for entry in entries}
    if classes is not None:
        classes = tuple(name for name in classes if name in used)
    return Listing(config.folder.stem, entries, root, classes)


def _row(cells: Cells, config: HuggingFace, names: tuple[str, ...] | None, name: str, where: str) -> Row:
    """A row with the name of its class, and our name of its split."""
    label, split = cells[config.label_column], cells.get(config.split_column)
    if names is not None and isinstance(label, int):
        if not 0 <= label < len(names):
            expected = f"0 to {len(names) - 1}, as there are {len(names)} names"
            raise CropworthError(f"{where}: the label {label}", expected, "Mend or remove the row.")
        cells[config.label_column] = names[label]
    if isinstance(split, str):
        cells[config.split_column] = SPLITS.get(split, split)
    return row_of(cells, config, name, where, cells[config.image_column])


def _problem(row: Row) -> CropworthError | None:
    if _source(row.holds, Path()) is None:
        return CropworthError(f"{row.where}: no image", "the bytes or the path of a file", "Mend or remove the row.")
    return None


def _source(cell: object, root: Path) -> Path | bytes | None:
    """The file in a cell: bytes, the path of one, or both, of which the bytes count; None where there is none."""
    content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, cell)
    if isinstance(content, bytes) and content:
        return content
    return root / path if isinstance(path, str) and path else None


def _shards(folder: Path) -> list[_Shard]:
    if folder.is_file():
        return [_Shard(folder, None)]
    if (folder / "dataset_dict.json").is_file():
        return [
            _Shard(file, _split_called(str(name), folder))
            for name in _json(folder / "dataset_dict.json", "splits")
            for file in _saved(folder / str(name))
        ]
    if (folder / "state.json").is_file():
        return [_Shard(file, None) for file in _saved(folder)]
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise CropworthError(
            f"data.folder = {folder}, with no dataset in it",
            "a folder made by save_to_disk, a folder of parquet files, or one such file",
            "Check the path; a relative one starts at the plan's own folder.",
        )
    shards = [_Shard(file, _split_of(file, folder)) for file in files]
    silent = [shard.file for shard in shards if shard.split is None]
    if 0 < len(silent) < len(shards):
        raise CropworthError(
            f"{silent[0]}, whose name says no split, beside files whose names do",
            "train, validation or test at the beginning of each name, or of none",
            "Rename or remove it.",
        )
    return shards


def _saved(folder: Path) -> list[Path]:
    """The files of a dataset that `save_to_disk` made, in their order."""
    files = _json(folder / "state.json", "_data_files")
    try:
        return [folder / Path(file["filename"]).name for file in files]
    except (KeyError, TypeError):
        raise _not_saved(folder / "state.json", "no file names") from None


def _json(path: Path, key: str) -> list[Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _not_saved(path, f"{type(error).__name__}: {error}") from None
    if not isinstance(found, list):
        raise _not_saved(path, f"{key} is no list")
    return found


def _not_saved(path: Path, why: str) -> CropworthError:
    return CropworthError(f"{path} ({why})", "what save_to_disk writes", "Save the dataset again.")


def _split_called(name: str, folder: Path) -> str:
    if name not in SPLITS:
        raise CropworthError(
            f"{folder} with the split {name!r}", f"one of {', '.join(SPLITS)}", "Save it without, or with another name."
        )
    return SPLITS[name]


def _split_of(file: Path, folder: Path) -> str | None:
    """What the first word of a file's name says, or else a folder that it lies in."""
    for part in reversed(file.relative_to(folder).with_suffix("").parts):
        first = re.split(r"[^a-z]", part.lower(), maxsplit=1)[0]
        if first in SPLITS:
            return SPLITS[first]
    return None


def _table(file: Path, config: HuggingFace, needed: dict[str, str]) -> Any:
    """The columns of a file that are asked for, as a `pyarrow.Table`."""
    arrow, parquet = imported("pyarrow", INSTALL), imported("pyarrow.parquet", INSTALL)
    try:
        if file.suffix == ".arrow":
            with arrow.memory_map(str(file)) as stream:
                table = arrow.ipc.open_stream(stream).read_all()
        else:
            table = parquet.read_table(file)
    except (OSError, arrow.ArrowException) as error:
        raise CropworthError(
            f"{file} ({error})", "a table that pyarrow can read", "Mend or replace it, or check data.folder."
        ) from None
    check_columns(file, needed, table.column_names)
    kind = table.schema.field(config.image_column).type
    known = arrow.types.is_struct(kind) and {field.name for field in kind} & {"bytes", "path"}
    if not (known or arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind) or arrow.types.is_string(kind)):
        raise CropworthError(
            f"{file} with the column {config.image_column} of {kind}",
            "images as the feature Image keeps them: files, as bytes or by their paths",
            "Name another column in data.image_column, or save the dataset with that feature.",
        )
    wanted = [column for column in dict.fromkeys((*needed, config.split_column)) if column in table.column_names]
    return table.select(wanted)


def _rows(table: Any) -> Iterator[Cells]:
    for batch in table.to_batches():
        yield from batch.to_pylist()


def _class_names(table: Any, column: str) -> tuple[str, ...] | None:
    """The names of the feature `ClassLabel`, where the labels have that."""
    try:
        feature = json.loads((table.schema.metadata or {})[b"huggingface"])["info"]["features"][column]
        return tuple(map(str, feature["names"])) if feature["_type"] == "ClassLabel" else None
    except (ValueError, KeyError, TypeError):
        return None


def _agreed(named: dict[Path, tuple[str, ...] | None]) -> tuple[str, ...] | None:
    (first, classes), *others = named.items()
    for file, names in others:
        if names != classes:
            raise CropworthError(
                f"{file} with the classes {names}, and {first} with {classes}",
                "the same classes in every file",
                "Cast the labels to one ClassLabel, and save the files again.",
            )
    return classes
