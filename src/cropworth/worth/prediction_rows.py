"""The rows of a file of predictions, checked one by one; `predictions` makes a study of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropworth.config import nearest
from cropworth.data.tables.columns import ColumnFile, Words, whole
from cropworth.errors import CropworthError

REQUIRED = ("variant", "seed", "item", "y_true")
KNOWN = (*REQUIRED, "y_pred", "weight", "value", "split", "train_size")
SPLITS = ("test", "validation")
MOST_CLASSES = 1000
SUM_TOLERANCE = 0.01  # rounded to two decimals, three probabilities of a third add to 0.99


@dataclass(frozen=True)
class Rows:
    """N predictions, each of an item by a variant trained with a seed.

    Attributes:
        file: where they come from.
        variant: its name.
        seed: (N,), int64.
        train_size: (N,), int64, training items; 0 where the file does not say.
        item: its name.
        validation: (N,), whether the item is one of validation; else it is one of the test.
        classes: their names; empty where numbers are predicted.
        truth: (N,), int64, places in `classes`; or float64, numbers.
        predicted: (N,), as `truth`; or (N, C), float32, probabilities.
        numbers: ``weight`` and ``value``, (N,), where the file has them.
        further: whatever other columns the file has.
        warnings: what a reader must know.
    """

    file: ColumnFile
    variant: Words
    seed: NDArray[np.int64]
    train_size: NDArray[np.int64]
    item: Words
    validation: NDArray[np.bool_]
    classes: tuple[str, ...]
    truth: NDArray[Any]
    predicted: NDArray[Any]
    numbers: dict[str, NDArray[np.float64]]
    further: dict[str, Words]
    warnings: tuple[str, ...]


def read_rows(path: Path, numbers: bool | None) -> Rows:
    """Read the file and check every row by itself.

    Args:
        path: see `read_predictions`.
        numbers: see `read_predictions`.

    Raises:
        CropworthError: see `read_predictions`.
    """
    file = ColumnFile(path)
    columns = _probability_columns(file)
    words, values = file.read([*columns.values(), *(name for name in ("weight", "value") if name in file.names)])
    words = {name: column.renamed(str.strip) for name, column in words.items()}
    for name in set(KNOWN) & set(words):
        _refuse(file, name, words[name], [found == "" for found in words[name].names], "a value in every row")
    negative = values.get("weight", np.empty(0)) < 0
    if negative.any():
        raise CropworthError(
            f"{file.where(_first(negative))}: the weight {values['weight'][_first(negative)]:g}",
            "0 or more",
            "Mend the row.",
        )
    if columns:
        classes, truth, predicted, warnings = _probabilities(file, columns, words, values)
    else:
        classes, truth, predicted = _predictions(file, words, numbers)
        warnings = ()
    return Rows(
        file=file,
        variant=words["variant"],
        seed=_integers(file, "seed", words["seed"]),
        train_size=_integers(file, "train_size", words["train_size"])
        if "train_size" in words
        else np.zeros(len(truth), dtype=np.int64),
        item=words["item"],
        validation=_validation(file, words["split"]) if "split" in words else np.zeros(len(truth), dtype=np.bool_),
        classes=classes,
        truth=truth,
        predicted=predicted,
        numbers={name: values[name] for name in ("weight", "value") if name in values},
        further={name: column for name, column in words.items() if name not in KNOWN},
        warnings=warnings,
    )


def _probability_columns(file: ColumnFile) -> dict[str, str]:
    """Class -> its column, in the file's order, which is then that of the classes; empty where `y_pred` decides.

    Raises:
        CropworthError: a column is missing.
    """
    columns = {_class_name(name.removeprefix("p_")): name for name in file.names if name.startswith("p_")}
    missing = [name for name in REQUIRED if name not in file.names]
    if not missing and not columns and "y_pred" not in file.names:
        missing = ["y_pred"]
    if missing:
        unknown = [name for name in file.names if name not in KNOWN]
        raise CropworthError(
            f"{file.path} without the column {missing[0]}",
            f"the columns {', '.join(REQUIRED)}, and y_pred or one p_<class> a class, with commas between them",
            nearest(missing[0], unknown) if unknown else "Add it.",
        )
    return columns


def _predictions(
    file: ColumnFile, words: dict[str, Words], numbers: bool | None
) -> tuple[tuple[str, ...], NDArray[Any], NDArray[Any]]:
    """Classes, truth and predictions of a file with `y_pred`."""
    truth, predicted = words["y_true"], words["y_pred"]
    if numbers is None:
        numbers = _are_numbers([*truth.names, *predicted.names])
    if numbers:
        return (), _decimals(file, "y_true", truth), _decimals(file, "y_pred", predicted)
    truth, predicted = (column.renamed(_class_name) for column in (truth, predicted))
    classes = sorted({*truth.names, *predicted.names}, key=_natural)
    if len(classes) > MOST_CLASSES:
        raise CropworthError(
            f"{file.path} with {len(classes):,} different values of y_true and y_pred",
            f"at most {MOST_CLASSES:,} classes",
            "Say so if they are numbers to predict: --numbers, or numbers=True.",
        )
    return tuple(classes), truth.among(classes).codes, predicted.among(classes).codes


def _probabilities(
    file: ColumnFile, columns: dict[str, str], words: dict[str, Words], values: dict[str, NDArray[np.float64]]
) -> tuple[tuple[str, ...], NDArray[Any], NDArray[Any], tuple[str, ...]]:
    """Classes, truth, probabilities and warnings of a file with a column a class."""
    classes = tuple(columns)
    truth = words["y_true"].renamed(_class_name)
    expected = f"a class with a column of probabilities: {', '.join(classes)}"
    _refuse(file, "y_true", truth, [name not in columns for name in truth.names], expected)
    table = np.column_stack([values[column] for column in columns.values()])  # (N, C)
    total = table.sum(axis=1)
    bad = (np.abs(total - 1) > SUM_TOLERANCE) | (table < 0).any(axis=1)
    if bad.any():
        shown = ", ".join(f"{p:.6g}" for p in table[_first(bad)][:10])
        raise CropworthError(
            f"{file.where(_first(bad))}: probabilities that add to {total[_first(bad)]:.4g} ({shown})",
            f"one of 0 or more for each class, that add to 1 (within {SUM_TOLERANCE})",
            "Give each class a column p_<class>; mend the row.",
        )
    codes = truth.among(classes).codes
    return classes, codes, table.astype(np.float32), _other_decisions(words, classes, table)


def _other_decisions(words: dict[str, Words], classes: Sequence[str], table: NDArray[np.float64]) -> tuple[str, ...]:
    """Say where `y_pred`, which is not used beside probabilities, is another class than the likeliest."""
    if "y_pred" not in words:
        return ()
    predicted = words["y_pred"].renamed(_class_name)
    likeliest = np.array(classes)[table.argmax(axis=1)]
    other = int((np.array(predicted.names)[predicted.codes] != likeliest).sum())
    if not other:
        return ()
    said = (
        f"it is not the likeliest class in {other:,} of {len(table):,} rows. Leave the p_ columns out to appraise it."
    )
    return (f"y_pred is not used, since there are probabilities; {said}",)


def _validation(file: ColumnFile, split: Words) -> NDArray[np.bool_]:
    _refuse(file, "split", split, [name not in SPLITS for name in split.names], " or ".join(SPLITS))
    return np.array([name == "validation" for name in split.names])[split.codes]


def _integers(file: ColumnFile, name: str, column: Words) -> NDArray[np.int64]:
    found = [whole(word) for word in column.names]
    _refuse(file, name, column, [number is None or number < 0 for number in found], "a whole number, 0 or more")
    return np.array(found, dtype=np.int64)[column.codes]


def _decimals(file: ColumnFile, name: str, column: Words) -> NDArray[np.float64]:
    found = [_decimal(word) for word in column.names]
    _refuse(file, name, column, [number is None for number in found], "a number, as in the other rows")
    return np.array(found, dtype=np.float64)[column.codes]


def _refuse(file: ColumnFile, name: str, column: Words, bad: Sequence[bool], expected: str) -> None:
    """Name the first row whose word is bad; `bad` has one for each of the column's names."""
    rows = np.array(bad, dtype=np.bool_)[column.codes]
    if rows.any():
        first = _first(rows)
        raise CropworthError(f"{file.where(first)}: {name} {column[first]!r}", expected, "Mend or remove the row.")


def _are_numbers(names: Sequence[str]) -> bool:
    """Whether values are numbers to predict: all are numbers, and not all of them whole, as those of classes are."""
    return all(_decimal(name) is not None for name in names) and any(whole(name) is None for name in names)


def _decimal(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _class_name(text: str) -> str:
    """1.0 is the class 1, as tables write whole numbers of a column with gaps."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text)


def _natural(name: str) -> tuple[bool, int, str]:
    """Numbers by their size, before names."""
    number = whole(name)
    return number is None, number or 0, name


def _first(rows: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(rows)[0])
