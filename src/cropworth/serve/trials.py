"""A finished trial without what is large, and its pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from cropworth.errors import CropworthError
from cropworth.report.pictures import data_uri, outline
from cropworth.study.ledger import Ledger
from cropworth.study.record import Epoch, Record, Status
from cropworth.worth.words import number

SHOWN, SIDE = 6, 160  # examples of a trial, and the pixels of a picture's longer side
Part = Literal["whole", "crop"]


@dataclass(frozen=True)
class Example:
    """One test item as a trial saw it.

    Attributes:
        outline: of the crop, see `cropworth.report.pictures.outline`.
        truth: the true class, or number.
        predicted: what the trial made of it.
    """

    outline: str
    truth: str
    predicted: str


@dataclass(frozen=True)
class Trial:
    """What a page shows of a finished trial.

    Attributes:
        name: the trial's folder.
        variant: its name in the plan.
        train_size: training items.
        seed: of the trial.
        status: see `cropworth.study.record.Record`, as `reason`.
        reason: why it is not ok.
        accuracy: on the test items; None for a regression, or where it diverged.
        mean_error: of a regression; else None.
        curve: one an epoch.
        ended_at: when it was written, seconds since 1970.
        size: height and width of the whole pictures.
        examples: the first test items, where there are pictures of them with their crops.
    """

    name: str
    variant: str
    train_size: int
    seed: int
    status: Status
    reason: str
    accuracy: float | None
    mean_error: float | None
    curve: tuple[Epoch, ...]
    ended_at: float
    size: tuple[int, int]
    examples: tuple[Example, ...]


def read_trial(ledger: Ledger, name: str, classes: tuple[str, ...]) -> Trial:
    """A finished trial; read again only where it was written again.

    Args:
        ledger: the study's.
        name: the trial's.
        classes: the names of the labels; none for a regression.

    Raises:
        CropworthError: it is damaged.
    """
    try:
        written = (ledger.trials / name / "record.json").stat().st_mtime
    except OSError:
        written = 0.0
    return _read(ledger.path, name, classes, written)


@lru_cache(maxsize=10_000)
def _read(folder: Path, name: str, classes: tuple[str, ...], written: float) -> Trial:
    record = Ledger(folder).read_record(name)
    pictures = record.examples
    return Trial(
        name=name,
        variant=record.variant,
        train_size=record.train_size,
        seed=record.seed,
        status=record.status,
        reason=record.reason,
        accuracy=record.accuracy,
        mean_error=record.mean_error,
        curve=record.curve,
        ended_at=written,
        size=(1, 1) if pictures is None else (pictures.images.shape[-2], pictures.images.shape[-1]),
        examples=_examples(record, classes),
    )


def _examples(record: Record, classes: tuple[str, ...]) -> tuple[Example, ...]:
    pictures, predictions = record.examples, record.predictions
    if pictures is None or pictures.crops is None or record.theta is None or predictions is None:
        return ()

    def word(label: float) -> str:
        return classes[int(label)] if classes else number(float(label))

    shown = zip(record.theta[:SHOWN], record.labels, predictions, pictures.images, strict=False)
    return tuple(Example(outline(pose), word(label), word(guess)) for pose, label, guess, _ in shown)


def picture(ledger: Ledger, trial: Trial, index: int, part: Part) -> tuple[str, bytes]:
    """One test item, or its crop.

    Args:
        ledger: the study's.
        trial: one with this example.
        index: of the example.
        part: which of the two.

    Returns:
        The picture's media type, and its file.

    Raises:
        CropworthError: the trial has been damaged since.
    """
    pictures = ledger.read_record(trial.name).examples
    if pictures is None or pictures.crops is None:
        raise CropworthError(f"the trial {trial.name} without pictures", "its pictures", "Open the study again.")
    head, _, body = data_uri((pictures.images if part == "whole" else pictures.crops)[index], SIDE).partition(",")
    return head.removeprefix("data:").partition(";")[0], base64.b64decode(body)
