"""`read_predictions`: what models that are trained already predicted -> a `Study`, to be appraised like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropworth.data.tables.columns import Words
from cropworth.errors import CropworthError
from cropworth.study.ledger import file_sha256
from cropworth.study.record import Kind, Record, Study
from cropworth.worth.cost_rows import Cost, Trial, latency_of, read_costs
from cropworth.worth.prediction_rows import Rows, read_rows

NOTHING_KNOWN = Cost(None, None, None, None, None)


@dataclass(frozen=True)
class Aligned:
    """Rows in the order of trials and items, those items only that every trial has.

    Attributes:
        trials: (T,), places in the list of trials.
        items: (n,), codes of the items, ascending.
        rows: (T, n), where each trial's prediction of each item stands among the rows.
    """

    trials: NDArray[np.int64]
    items: NDArray[np.int64]
    rows: NDArray[np.int64]


def read_predictions(
    predictions: Path | str,
    costs: Path | str | None = None,
    baseline: str = "baseline",
    *,
    numbers: bool | None = None,
    name: str | None = None,
) -> Study:
    """A study of models that were trained elsewhere, from what they predicted for the same test items.

    The predictions are a CSV file (UTF-8, may be packed: ``.csv.gz``) or a parquet file with a row for each variant,
    seed and item, in any order, and the columns ``variant, seed, item, y_true`` and either ``y_pred`` or one
    ``p_<class>`` a class. Optional: ``weight`` (how many items of the deployment the item stands for), ``value`` (what
    depends on it), ``split`` (``test`` or ``validation``, whose rows are for choosing thresholds), ``train_size``. Any
    other column that is alike in all rows of an item is in `Study.columns`.

    Where there is only ``y_pred``, the records' probabilities are 1 for the class that was predicted and 0 for the
    others: they say nothing of how sure the model was. Classes are in the order of the ``p_`` columns, else sorted.

    The costs are a file with the columns ``variant, seed, train_s, latency_s`` and optional ``energy_j, memory_bytes,
    flops, train_size``; energy, memory and operations are those of one item's inference. Empty cells are unknown.

    Args:
        predictions: the file of predictions.
        costs: the file of costs; without one training and inference cost nothing, and a warning says so.
        baseline: the variant that the others are compared with.
        numbers: whether ``y_true`` and ``y_pred`` are numbers to predict, not names of classes. By default they are
            where all of them are numbers and at least one is not whole: 0, 1 and 2 are classes, 0.5 is none.
        name: of the study; by default that of the file.

    Returns:
        The study. Its warnings name what is unavailable or left out: items that not every trial has, costs that are
        not known. Seeds that only one of two variants has are for `Appraisal.gaps` to name.

    Raises:
        CropworthError: a file cannot be read, is empty or lacks a column; a cell is empty or not what it should be;
            two rows of one variant, seed and item, or rows that differ in what must be alike for an item; probabilities
            that do not add to 1; an unknown baseline, or nothing to compare with it; no items in common; costs of
            trials without predictions. It names the first such line.
    """
    path = Path(predictions)
    rows = read_rows(path, numbers)
    _check_variants(rows, baseline)
    _check_alike(rows)
    trials, of = _trials(rows)
    test = _aligned(rows, trials, of, ~rows.validation)
    found = [trials[place] for place in test.trials]
    if not test.items.size:
        raise CropworthError(
            f"{path} without one test item that every variant and seed predicted",
            "predictions of the same test items",
            "Predict the same items with every model, or remove models that predicted others.",
        )
    if "weight" in rows.numbers and not rows.numbers["weight"][test.rows[0]].any():
        raise CropworthError(f"{path} with no weight above 0", "items that stand for something", "Mend the weights.")
    known, ignored = ({}, ()) if costs is None else read_costs(Path(costs), found)
    columns, unlike = _columns(rows, test)
    return Study(
        name=name or study_name(path),
        baseline=baseline,
        kinds=_kinds(found, baseline),
        classes=rows.classes,
        economics={},
        plan={},
        records=_records(rows, trials, of, test, known),
        missing=0,
        latency=latency_of(known, baseline),
        warnings=(
            *rows.warnings,
            *_left_out(rows, trials, of, test),
            *_unknown_costs(found, known, baseline, given=costs is not None),
            *ignored,
            *unlike,
        ),
        columns=columns,
        files_sha256={file.name: file_sha256(file) for file in (path, *([Path(costs)] if costs is not None else []))},
    )


def study_name(path: Path) -> str:
    """What a study of this file is called: the file's name without its endings."""
    return Path(path.name.removesuffix(".gz")).stem


def _check_variants(rows: Rows, baseline: str) -> None:
    names = rows.variant.names
    if baseline not in names:
        raise CropworthError(
            f"the baseline {baseline!r}",
            f"a variant of {rows.file.path}: {', '.join(names)}",
            "Say which of them is the baseline: --baseline NAME, or baseline=NAME.",
        )
    if len(names) < 2:
        raise CropworthError(
            f"{rows.file.path} with the variant {baseline!r} only",
            "another variant to compare with it",
            "Add the predictions of another model.",
        )


def _places(rows: Rows) -> NDArray[np.int64]:
    """(N,) a number for each item; validation may number its items like the test does."""
    return rows.item.codes + len(rows.item.names) * rows.validation


def _unlike(rows: Rows, values: NDArray[Any]) -> NDArray[np.int64]:
    """Rows whose value is not that of the first row of the same item."""
    places = _places(rows)
    first = np.empty(2 * len(rows.item.names), dtype=values.dtype)
    first[places[::-1]] = values[::-1]  # of several values for one place the last one stays
    return np.flatnonzero(values != first[places])


def _check_alike(rows: Rows) -> None:
    for name, values in {"y_true": rows.truth, **rows.numbers}.items():
        unlike = _unlike(rows, values)
        if unlike.size:
            row = int(unlike[0])
            first = int(np.flatnonzero(_places(rows) == _places(rows)[row])[0])
            here, there = (_shown(rows, name, values[i]) for i in (row, first))
            raise CropworthError(
                f"{rows.file.where(row)}: {name} {here} of the item {rows.item[row]!r}",
                f"{there}, as in {rows.file.where(first).rpartition(', ')[2]}",
                "An item is the same whoever predicts it: mend the rows, or give different items different names.",
            )


def _shown(rows: Rows, name: str, value: Any) -> str:
    return repr(rows.classes[value]) if name == "y_true" and rows.classes else f"{value:g}"


def _trials(rows: Rows) -> tuple[list[Trial], NDArray[np.int64]]:
    """The different trials, sorted, and the place of each row's among them: (N,)."""
    seeds, seed = np.unique(rows.seed, return_inverse=True)
    sizes, size = np.unique(rows.train_size, return_inverse=True)
    shape = (len(rows.variant.names), len(seeds), len(sizes))
    keys, of = np.unique(np.ravel_multi_index((rows.variant.codes, seed, size), shape), return_inverse=True)
    found = zip(*np.unravel_index(keys, shape), strict=True)
    return [Trial(rows.variant.names[v], int(seeds[s]), int(sizes[z])) for v, s, z in found], of


def _aligned(rows: Rows, trials: Sequence[Trial], of: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Aligned:
    """The chosen rows by trial and item.

    Raises:
        CropworthError: two rows of the same trial and item.
    """
    count = len(rows.item.names)
    index = np.flatnonzero(chosen)
    keys = of[index] * count + rows.item.codes[index]
    order = np.argsort(keys, kind="stable")
    index, keys = index[order], keys[order]
    again = np.flatnonzero(keys[1:] == keys[:-1]) + 1
    if again.size:
        place = again[index[again].argmin()]
        first, second = int(index[place - 1]), int(index[place])
        raise CropworthError(
            f"{rows.file.where(second)}: {trials[of[second]]}, item {rows.item[second]!r} a second time",
            f"one row for each, as {rows.file.where(first).rpartition(', ')[2]} is",
            "Remove one of them, or give different items different names.",
        )
    present = np.unique(of[index])
    common = np.bincount(rows.item.codes[index], minlength=count) == len(present)
    items = np.flatnonzero(common) if len(present) else np.empty(0, dtype=np.int64)
    kept = index[common[rows.item.codes[index]]]
    return Aligned(present, items, kept.reshape(len(present), len(items)))


def _kinds(trials: Sequence[Trial], baseline: str) -> dict[str, Kind]:
    names = sorted({trial.variant for trial in trials})
    return {baseline: "baseline", **{name: "candidate" for name in names if name != baseline}}


def _records(
    rows: Rows, trials: Sequence[Trial], of: NDArray[np.int64], test: Aligned, costs: Mapping[Trial, Cost]
) -> tuple[Record, ...]:
    validation = _aligned(rows, trials, of, rows.validation & bool(rows.classes))
    chosen = dict(zip(validation.trials.tolist(), validation.rows, strict=True)) if validation.items.size else {}
    found = {int(place): trials[place] for place in test.trials}
    # Where the seconds of one variant are not known, those of another would be a cost or a gain that nobody measured.
    comparable = all(costs.get(trial, NOTHING_KNOWN).train_s is not None for trial in found.values())
    per_item = {name: values[test.rows[0]].astype(np.float32) for name, values in rows.numbers.items()}
    records = []
    for (place, trial), at in zip(found.items(), test.rows, strict=True):
        cost = costs.get(trial, NOTHING_KNOWN)
        record = _record(rows, trial, at, cost.train_s or 0.0 if comparable else 0.0, round(cost.flops or 0))
        record = replace(record, weights=per_item.get("weight"), values=per_item.get("value"))
        if place in chosen:
            record = replace(
                record,
                validation_labels=_labels(rows, chosen[place]),
                validation_probabilities=_probabilities(rows, chosen[place]),
            )
        records.append(record)
    return tuple(records)


def _record(rows: Rows, trial: Trial, at: NDArray[np.int64], seconds: float, flops: int) -> Record:
    """Of these rows; what such files do not say is as in a record of nothing measured."""
    return Record(
        trial=str(trial),
        variant=trial.variant,
        train_size=trial.train_size,
        seed=trial.seed,
        status="ok",
        reason="",
        parameters=0,
        flops_per_item=flops,
        training_wall_s=seconds,
        training_cpu_s=seconds,
        threads=1,
        cores=1,
        started_at=nan,
        peak_memory_bytes=None,
        curve=(),
        best_epoch=-1,
        labels=_labels(rows, at),
        probabilities=_probabilities(rows, at) if rows.classes else None,
        numbers=None if rows.classes else rows.predicted[at].astype(np.float32),
        payoffs=None,
        theta=None,
        crop_health={},
        median_iou=None,
        examples=None,
        environment={},
    )


def _labels(rows: Rows, at: NDArray[np.int64]) -> NDArray[Any]:
    """True classes, int64, or true numbers, float32, of these rows."""
    return rows.truth[at] if rows.classes else rows.truth[at].astype(np.float32)


def _probabilities(rows: Rows, at: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, C) of these rows; of a class alone, 1 for it."""
    predicted = rows.predicted[at]
    probabilities: NDArray[np.float32] = (
        predicted if predicted.ndim == 2 else np.eye(len(rows.classes), dtype=np.float32)[predicted]
    )
    return probabilities


def _columns(rows: Rows, test: Aligned) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """The other columns, (n,) each, and which of them say no one thing of an item."""
    columns, unlike = {}, []
    for name, words in rows.further.items():
        if _unlike(rows, words.codes).size:
            unlike.append(name)
        else:
            columns[name] = _values(words)[words.codes[test.rows[0]]]
    if not unlike:
        return columns, ()
    return columns, (f"Columns that differ between rows of one item, and so are not read: {', '.join(unlike)}.",)


def _values(words: Words) -> NDArray[Any]:
    """The words, or as numbers where all of them are."""
    try:
        return np.array([float(word) for word in words.names])
    except ValueError:
        return np.array(words.names)


def _left_out(rows: Rows, trials: Sequence[Trial], of: NDArray[np.int64], test: Aligned) -> tuple[str, ...]:
    """Say which items, and which rows of validation, nothing is made of."""
    said = []
    in_test = ~rows.validation
    present = np.zeros(len(rows.item.names), dtype=np.bool_)
    present[rows.item.codes[in_test]] = True
    total = int(present.sum())
    if total > len(test.items):
        present[test.items] = False
        first = int(np.flatnonzero(present)[0])
        having = of[in_test & (rows.item.codes == first)]
        without = trials[next(place for place in test.trials if place not in having)]
        said.append(
            f"{total - len(test.items):,} of {total:,} test items are left out, since not every variant and seed "
            f"predicted them; the first is {rows.item.names[first]!r}, which {without} did not."
        )
    alone = [str(trials[place]) for place in np.setdiff1d(of, test.trials)]
    if alone:
        said.append(f"Left out, since they predicted no test item: {'; '.join(alone)}.")
    if rows.validation.any() and not rows.classes:
        said.append("Rows of validation are not read: there is no threshold to choose for numbers.")
    return tuple(said)


def _unknown_costs(trials: Sequence[Trial], costs: Mapping[Trial, Cost], baseline: str, given: bool) -> tuple[str, ...]:
    """Say which costs are not known, for what is not known must not pass for free."""
    if not given:
        return ("Costs of training and inference are not known (no file of costs), and are left out of the appraisal.",)
    said = []
    untrained = [trial for trial in trials if costs.get(trial, NOTHING_KNOWN).train_s is None]
    if untrained:
        said.append(f"Training costs are left out, of all variants alike: train_s is not known of {_some(untrained)}.")
    latency = latency_of(costs, baseline)
    timed = latency.seconds_per_item if latency is not None else {}
    untimed = sorted({trial.variant for trial in trials} - timed.keys())
    if untimed:
        said.append(
            f"Costs of inference are left out for {', '.join(untimed)}: latency_s is not known, or of no seed of which "
            f"it is known of {baseline} too."
        )
    return tuple(said)


def _some(trials: Sequence[Trial]) -> str:
    others = f" and {len(trials) - 1:,} more" if len(trials) > 1 else ""
    return f"{trials[0]}{others}"
