"""Files of series: tables with a row for each step, `.npz` or `.ts` -> a `Row` for each series, nothing checked yet."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropworth.data.bad_items import BadItems
from cropworth.data.config import SeriesFile
from cropworth.data.rows import Row
from cropworth.data.sequences.ucr import read_ts
from cropworth.data.tables.cells import missing, number
from cropworth.data.tables.columns import ColumnFile, Words
from cropworth.data.tables.table_rows import check_columns
from cropworth.errors import CropworthError

KINDS = (".csv", ".csv.gz", ".parquet", ".npz", ".ts")
ARRAYS = {"label": "labels", "split": "split", "group": "group", "time": "time", "value": "value"}


@dataclass(frozen=True)
class Read:
    """What a file holds.

    Attributes:
        rows: one for each series; `holds` is (T, F), float32, NaN where there is no number. Their labels are None where
            the file has none.
        features: names of the columns that were measured, or numbers from 0 on.
        named: whether the file names its series, or they are numbered from 1 on.
        unread: columns that hold something else than numbers, and are nothing else that the plan names.
    """

    rows: list[Row]
    features: tuple[str | int, ...]
    named: bool = False
    unread: tuple[str, ...] = ()


def read_series(path: Path, config: SeriesFile, bad: BadItems) -> Read:
    """The series of a file.

    Args:
        path: its kind follows from its ending, see `KINDS`.
        config: the columns of tables, and what labels are.
        bad: meets series whose rows do not agree, and rows of none.

    Raises:
        CropworthError: the file is of another kind, cannot be read, or lacks a column or an array.
    """
    if path.name.endswith((".csv", ".csv.gz", ".parquet")):
        return _table(path, config, bad)
    if path.suffix == ".npz":
        return _arrays(path)
    if path.suffix == ".ts":
        return _archive(path, config)
    raise CropworthError(str(path), f"a name that ends in {', '.join(KINDS)}", "Convert the file, or rename it.")


def _table(path: Path, config: SeriesFile, bad: BadItems) -> Read:
    file = ColumnFile(path)
    keys = {part: f"{part}_column" for part in ARRAYS}
    columns = {part: getattr(config, key) for part, key in keys.items()}
    # The label's and the split's may be missing.
    needed = {
        getattr(config, key): f"data.{key}" for key in ("item_column", "group_column", "time_column", "value_column")
    }
    named = {column: key for column, key in needed.items() if column is not None}
    check_columns(path, named | dict.fromkeys(config.features, "data.features"), list(file.names))
    words, _ = file.read(())
    others = [name for name in file.names if name not in {config.item_column, *columns.values()}]
    features = config.features or tuple(name for name in others if _is_numeric(words[name]))
    if not features:
        raise CropworthError(
            f"{path} without a column of numbers", "at least one besides those of items", "Set data.features."
        )
    values = np.stack([_numbers(words[name]) for name in features], axis=1)
    parts = {part: words[column] for part, column in columns.items() if column in words}
    ids = words[config.item_column]
    by_item = np.split(np.argsort(ids.codes, kind="stable"), np.cumsum(np.bincount(ids.codes))[:-1])
    rows = []
    for name, steps in zip(ids.names, by_item, strict=True):
        where = f"{path}, item {name!r}"
        problem = _problem(name, where, steps, parts)
        if problem is None:
            said = {"label": None} | {part: column[steps[0]] for part, column in parts.items()}
            rows.append(Row(name, where, values[steps], **said))
        else:
            bad.meet("series whose rows do not agree", problem)
    unread = () if config.features else tuple(name for name in others if name not in features)
    return Read(rows, tuple(features), named=True, unread=unread)


def _problem(name: str, where: str, steps: NDArray[np.int64], parts: dict[str, Words]) -> CropworthError | None:
    """What is wrong with the rows of an item; None for good ones. Rows are counted from 1."""
    if missing(name):
        got = f"{where}: {len(steps):,} rows of no item, the first is row {steps[0] + 1}"
        return CropworthError(got, "an item for each row", "Mend or remove them.")
    for part, column in parts.items():
        codes = column.codes[steps]
        if (codes != codes[0]).any():
            other = steps[int((codes != codes[0]).argmax())]
            return CropworthError(
                f"{where}: the {part} {column[steps[0]]!r} in row {steps[0] + 1}, {column[other]!r} in row {other + 1}",
                f"one {part} for all rows of an item",
                "Mend the rows, or name another column.",
            )
    return None


def _is_numeric(column: Words) -> bool:
    filled = [word for word in column.names if not missing(word)]
    return bool(filled) and all(number(word) is not None for word in filled)


def _numbers(column: Words) -> NDArray[np.float32]:
    """The numbers (N,) of a column, NaN where a cell holds none."""
    found = [number(word) for word in column.names]
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is said to be
        return np.array([np.nan if one is None else one for one in found]).astype(np.float32)[column.codes]


def _archive(path: Path, config: SeriesFile) -> Read:
    found = read_ts(path)
    if bool(found.classes) != (config.target == "class"):
        holds = "classes" if found.classes else "numbers to predict"
        raise CropworthError(
            f"{path} with {holds}, and data.target = {config.target!r}", "labels of that kind", "Set data.target."
        )
    rows = [
        Row(str(count), f"{path}, series {count}", values, target.item())
        for count, (values, target) in enumerate(zip(found.series, found.targets, strict=True), 1)
    ]
    return Read(rows, tuple(range(rows[0].holds.shape[1])))


def _arrays(path: Path) -> Read:
    arrays = _loaded(path)
    series = _series(path, arrays)
    cells: dict[str, list[object]] = {}
    for part, key in ARRAYS.items():
        array = arrays.get(key)
        if array is None:
            continue
        if array.shape != (len(series),):
            got = f"{path}: {key} of shape {array.shape} for {len(series)} series"
            raise CropworthError(got, f"({len(series)},), one for each", "Mend the array.")
        cells[part] = (array.astype(str) if array.dtype.kind in "SM" else array).tolist()  # of bytes, of dates
    rows = [
        Row(str(n + 1), f"{path}, series {n + 1}", values, **{"label": None} | {part: cells[part][n] for part in cells})
        for n, values in enumerate(series)
    ]
    return Read(rows, tuple(range(arrays["values"].shape[-1])))


def _loaded(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz`; objects in it are never unpickled."""
    known = ("values", "lengths", *ARRAYS.values())
    try:
        with path.open("rb") as file:  # np.load leaves what it opens itself open where that is damaged
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise CropworthError(f"{path}, a single array", f"arrays named {', '.join(known)}", "Use np.savez.")
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CropworthError(f"{path} ({error})", "an .npz that can be read", "Write it again.") from None
    except CropworthError:
        raise
    except ValueError as error:
        if "pickle" not in str(error):
            raise CropworthError(f"{path} ({error})", "an .npz that can be read", "Write it again.") from None
        raise CropworthError(
            f"{path} with pickled objects, which are never loaded ({error})",
            "arrays of numbers and of texts",
            "Save labels by np.array(labels, dtype=str), series of unequal lengths as all their steps, with lengths.",
        ) from None
    unknown = sorted(set(arrays) - set(known))
    if unknown or "values" not in arrays:
        got = f"{path} with the arrays {', '.join(arrays) or 'none'}"
        raise CropworthError(got, f"values, and none but {', '.join(known)}", "Rename or remove the others.")
    return arrays


def _series(path: Path, arrays: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
    """The series (T, F) of `values` (N, T, F), up to their `lengths` (N,) where those are given, or (sum T, F)."""
    values, lengths = arrays["values"], arrays.get("lengths")
    if values.dtype.kind not in "fiub" or values.ndim not in (2, 3) or (values.ndim == 2 and lengths is None):
        raise CropworthError(
            f"{path}: values of shape {values.shape}, {values.dtype}",
            "numbers (N, T, F), or (all steps, F) with lengths (N,)",
            "Add an axis by values[..., None] where there is one feature, or add lengths.",
        )
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if lengths is None:
        return list(values)
    most = values.shape[1] if values.ndim == 3 else len(values)
    good = lengths.ndim == 1 and lengths.dtype.kind in "iu" and bool(((lengths >= 0) & (lengths <= most)).all())
    if not good or (len(lengths) != len(values) if values.ndim == 3 else lengths.sum() != len(values)):
        raise CropworthError(
            f"{path}: lengths of shape {lengths.shape}, {lengths.dtype}, for values of shape {values.shape}",
            "steps of each series (N,), whole numbers that fit the values",
            "Mend lengths.",
        )
    if values.ndim == 3:
        return [series[:steps] for series, steps in zip(values, lengths.tolist(), strict=True)]
    return np.split(values, np.cumsum(lengths)[:-1])
