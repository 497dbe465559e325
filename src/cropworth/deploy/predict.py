"""`predict_files`: files -> a row of labels, probabilities and the crop's box for each. As CSV: `as_csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cropworth.data.bad_items import BadItems, OnBad
from cropworth.data.task import Split
from cropworth.deploy.inputs import Input, listed, read, reader_of
from cropworth.deploy.load import Predictor
from cropworth.errors import CropworthError
from cropworth.study.train import ready


@dataclass(frozen=True)
class Prediction:
    """What the model says of one item.

    Attributes:
        name: see `Input`.
        answer: probabilities, one a class, or a single number.
        box: of the crop, see `Input.stored`; None where the variant does not crop.
    """

    name: str
    answer: tuple[float, ...]
    box: tuple[float, ...] | None


@dataclass(frozen=True)
class Predictions:
    """What the model says of all items.

    Attributes:
        classes: names, in the order of the probabilities; empty where a number is predicted.
        is_sequence: whether a box is of steps, not of pixels.
        rows: one an item.
        warnings: how many files were left out.
    """

    classes: tuple[str, ...]
    is_sequence: bool
    rows: tuple[Prediction, ...]
    warnings: tuple[str, ...] = ()


def predict_files(
    model: Predictor, files: Sequence[Path], batch_size: int = 64, on_bad_item: OnBad = "fail"
) -> Predictions:
    """Predict what stands in files, read as the study read its own.

    Args:
        model: see `load`.
        files: and folders, of which every file that can be one is read.
        batch_size: items at a time.
        on_bad_item: ``skip`` leaves out the files that cannot be read, and counts them.

    Raises:
        CropworthError: the study's items did not come from files, files cannot be read, all of them at once, or none
            is left.
    """
    reader = reader_of(model.signature.reading)
    bad = BadItems(on_bad_item)
    inputs = read(listed(files, reader.suffixes), reader, bad)
    rows: list[Prediction] = []
    while batch := list(islice(inputs, batch_size)):
        rows += _predicted(model, batch)
    bad.settle()
    if not rows:
        raise CropworthError(f"nothing to predict. {' '.join(bad.warnings)}", "at least one file", "Mend the files.")
    return Predictions(model.classes, model.signature.is_sequence, tuple(rows), bad.warnings)


def as_csv(predictions: Predictions) -> str:
    """A row an item: file, label and the probability of each class, or the number; then the crop's box.

    The box is x, y, w, h in pixels of the stored image, or start and end in steps of the sequence; its cells are empty
    where the variant does not crop.
    """
    classes, place = predictions.classes, ("start", "end") if predictions.is_sequence else ("x", "y", "w", "h")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", *(("label", *(f"p_{name}" for name in classes)) if classes else ("number",)), *place])
    for row in predictions.rows:
        label = [classes[max(range(len(classes)), key=row.answer.__getitem__)]] if classes else []
        box = [f"{edge:.2f}" for edge in row.box] if row.box is not None else [""] * len(place)
        rows.writerow([row.name, *label, *(f"{number:.8g}" for number in row.answer), *box])
    return text.getvalue()


def _predicted(model: Predictor, inputs: Sequence[Input]) -> Iterator[Prediction]:
    items = ready(_together(inputs))
    with torch.inference_mode():
        answers, boxes = model.predict(items.inputs, items.lengths)
    rows = answers.reshape(len(inputs), -1).tolist()
    places = [None] * len(inputs) if boxes is None else [tuple(box) for box in boxes.tolist()]
    for one, answer, box in zip(inputs, rows, places, strict=True):
        yield Prediction(one.name, tuple(answer), None if box is None else one.stored(box))


def _together(inputs: Sequence[Input]) -> Split:
    values: list[Tensor] = [one.values for one in inputs]
    labels = torch.zeros(len(inputs))
    if values[0].ndim == 3:
        return Split(torch.stack(values), labels)
    return Split(pad_sequence(values, batch_first=True), labels, lengths=torch.tensor([len(own) for own in values]))
