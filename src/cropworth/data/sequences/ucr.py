"""The task `ucr`: sets of the UCR and UEA archives that aeon ships, and the accuracies published for them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropworth.data.config import ArchiveSet, Ucr
from cropworth.data.installed import imported, shipped
from cropworth.data.sequences.sequence_task import SequenceItem, SequenceTask, set_aside
from cropworth.errors import CropworthError

INSTALL = "pip install 'cropworth[sequences]'"
SETS = "datasets/data"
RESULTS = "testing/example_results_files/classification/accuracy"
RESULT_ENDING = "_accuracy.csv"


@dataclass(frozen=True)
class TsFile:
    """One file in the archives' ``.ts`` format.

    Attributes:
        path: where it lies.
        series: (T, F) each, float32.
        targets: (N,), names of classes, or numbers to predict where the file has no classes.
        classes: names in the order of the file's head; empty where there are numbers to predict.
    """

    path: Path
    series: list[NDArray[np.float32]]
    targets: NDArray[Any]
    classes: tuple[str, ...]

    def items(self, classes: tuple[str, ...]) -> list[SequenceItem]:
        """The series, each with the index of its class, or with the number to predict where there are no classes.

        Raises:
            CropworthError: a class is not among them.
        """
        found = []
        for number, (values, target) in enumerate(zip(self.series, self.targets, strict=True), 1):
            where = f"{self.path}, series {number}"
            if classes and target not in classes:
                raise CropworthError(
                    f"{where}: the class {target!s}", f"one of {', '.join(classes)}", "Mend its label."
                )
            found.append(SequenceItem(values, classes.index(target) if classes else float(target), where))
        return found


def ucr_task(config: Ucr) -> SequenceTask:
    """A set with classes; nothing is ever downloaded.

    Sources: Dau et al. 2019, The UCR time series archive; Bagnall et al. 2018, The UEA multivariate archive.

    Raises:
        CropworthError: aeon is not installed, does not ship the set, or a file or series of it cannot be read.
    """
    known = shipped_sets()
    if config.name not in known:
        raise CropworthError(
            f"data.name = {config.name!r}, a set that aeon does not ship",
            f"one of {', '.join(known)}",
            "Choose one of them; nothing is downloaded.",
        )
    return archive_task(config.name, config)


def archive_task(name: str, config: ArchiveSet) -> SequenceTask:
    """A shipped set with its test split, and its training series less a share for validation.

    Raises:
        CropworthError: aeon is not installed, or a file or series of it cannot be read.
    """
    folder = shipped("aeon", f"{SETS}/{name}", INSTALL)
    train, test = (read_ts(folder / f"{name}_{split}.ts") for split in ("TRAIN", "TEST"))
    validation, rest = set_aside(train.items(train.classes), config.validation_share, config.split_seed)
    return SequenceTask(
        name,
        train.classes,
        rest,
        validation,
        test.items(train.classes),
        on_bad_item=config.on_bad_item,
        standardise=config.standardise,
    )


def shipped_sets() -> list[str]:
    """Names of the sets with classes that the installed aeon ships."""
    folders = shipped("aeon", SETS, INSTALL).iterdir()
    return sorted(f.name for f in folders if _has_classes(f / f"{f.name}_TRAIN.ts"))


def published_accuracies(name: str) -> dict[str, float]:
    """Classifier -> the accuracy published for it on the archive's own split of a set.

    They are the first of the 30 resamples in the files ``NAME_accuracy.csv`` that aeon 1.6.0 ships in
    ``aeon/testing/example_results_files``: FreshPRINCE, HC2, InceptionTime and WEASEL-2.0, taken there from
    timeseriesclassification.com. Empty for a set that they do not list.

    Raises:
        CropworthError: aeon is not installed.
    """
    found = {}
    for path in sorted(shipped("aeon", RESULTS, INSTALL).glob(f"*{RESULT_ENDING}")):
        with path.open(newline="", encoding="utf-8") as stream:
            rows = {row[0]: row[1] for row in csv.reader(stream)}
        if name in rows:
            found[path.name.removesuffix(RESULT_ENDING)] = float(rows[name])
    return found


def read_ts(path: Path) -> TsFile:
    """Read a ``.ts`` file by aeon's loader.

    Raises:
        CropworthError: it is missing, empty or not in the format, or a label is not among the classes of its head.
    """
    load = imported("aeon.datasets", INSTALL).load_from_ts_file
    try:
        cases, targets, head = load(str(path), return_meta_data=True)
        series = [np.asarray(case, dtype=np.float32).T for case in cases]
    except (OSError, ValueError, IndexError) as error:
        raise CropworthError(f"{path} ({error})", "a readable .ts file", "Mend or restore the file.") from None
    if not len(series) == len(targets) > 0:
        raise CropworthError(f"{path} with {len(series)} series and {len(targets)} labels", "a label each", "Mend it.")
    return TsFile(path, series, targets, tuple(head["class_values"]))


def _has_classes(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8") as stream:
        return any(line.lower().startswith("@classlabel true") for line in stream if line.startswith("@"))
