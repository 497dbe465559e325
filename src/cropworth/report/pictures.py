"""Example pictures: pixels -> data URIs, poses -> outlines."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropworth.study.record import Kind, Record, Study

SIDES = (160, 128, 96, 64, 48, 32)
BUDGET_BYTES = 800_000  # plotly's script leaves a page of 6 MB about 1.1 MB for everything else


@dataclass(frozen=True)
class Example:
    """One test item as a variant saw it.

    Attributes:
        picture: index of the whole picture in the `Album`.
        crop: data URI of what the backbone saw.
        outline: corners of the crop on the picture, as an SVG polygon's points in a square of side 1.
        truth: name of the true class.
        predicted: name of the predicted class.
    """

    picture: int
    crop: str
    outline: str
    truth: str
    predicted: str

    @property
    def right(self) -> bool:
        """Whether the variant read the item right."""
        return self.predicted == self.truth


@dataclass(frozen=True)
class Gallery:
    """The examples of one variant."""

    variant: str
    kind: Kind
    seed: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Album:
    """All example pictures of a report.

    Attributes:
        pictures: data URIs of whole pictures, each once however many variants show it.
        height_over_width: of the pictures.
        pixelated: whether the pictures are so small that their pixels should show.
        galleries: one for each variant that crops, in the plan's order.
    """

    pictures: tuple[str, ...]
    height_over_width: float
    pixelated: bool
    galleries: tuple[Gallery, ...]


def make_album(study: Study, train_size: int) -> Album | None:
    """The first test items with their crops, for each variant that crops; None where no trial has pictures.

    Pictures are shrunk until all together fit the page's budget.
    """
    chosen = [record for name in study.kinds if (record := _first_with_crops(study, name, train_size)) is not None]
    if not chosen:
        return None
    for side in SIDES:
        album = _album(study, chosen, side)
        crops = (example.crop for gallery in album.galleries for example in gallery.examples)
        if sum(map(len, (*album.pictures, *crops))) <= BUDGET_BYTES:
            break
    return album


def outline(theta: NDArray[np.float32]) -> str:
    """Where a crop lies on its picture.

    Args:
        theta: maps points of the crop to points of the picture; -1 and 1 are the picture's edges. (2, 3); or, of a
            series, whose picture runs from left to right, (1, 2), (1, 2 + k) where it is warped around k knots.

    Returns:
        The points of an SVG polygon, clockwise from the crop's upper left corner, in a picture of 1 by 1.
    """
    corners = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], dtype=np.float64)  # x, y, 1
    pose = theta.astype(np.float64)
    if len(pose) == 1:
        knots = np.linspace(-1, 1, pose.shape[1])[1:-1]
        basis = np.column_stack([corners[:, [0, 2]], np.abs(corners[:, :1] - knots)])  # time, 1, |time - knot|
        mapped = np.column_stack([basis @ pose[0], corners[:, 1]])
    else:
        mapped = corners @ pose.T
    places = (mapped + 1) / 2
    return " ".join(f"{x:.4f},{y:.4f}" for x, y in places)


def data_uri(pixels: NDArray[np.uint8], side: int) -> str:
    """A picture (C, H, W), grey or RGB, as a PNG whose longer side is at most `side` pixels."""
    picture = Image.fromarray(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0])
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _first_with_crops(study: Study, variant: str, train_size: int) -> Record | None:
    records = study.of(variant, train_size)
    return next((r for r in records if r.theta is not None and r.examples and r.examples.crops is not None), None)


def _album(study: Study, records: Iterable[Record], side: int) -> Album:
    pictures: dict[str, int] = {}
    galleries = tuple(_gallery(study, record, side, pictures) for record in records)
    first = next(iter(records)).examples
    assert first is not None
    height, width = first.images.shape[-2:]
    return Album(tuple(pictures), height / width, max(height, width) < 100, galleries)


def _gallery(study: Study, record: Record, side: int, pictures: dict[str, int]) -> Gallery:
    """The examples of one trial; whole pictures not seen before are added to `pictures`."""
    examples, predictions, theta = record.examples, record.predictions, record.theta
    assert examples is not None
    assert examples.crops is not None
    assert predictions is not None
    assert theta is not None
    shown = tuple(
        Example(
            picture=pictures.setdefault(data_uri(whole, side), len(pictures)),
            crop=data_uri(crop, side),
            outline=outline(pose),
            truth=study.classes[label],
            predicted=study.classes[prediction],
        )
        for whole, crop, pose, label, prediction in zip(
            examples.images, examples.crops, theta, record.labels, predictions, strict=False
        )
    )
    return Gallery(record.variant, study.kinds[record.variant], record.seed, shown)
