"""Boxes of objects from a file: COCO JSON, or CSV with the columns path, x, y, w, h in pixels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cropworth.data.bad_items import BadItems
from cropworth.data.coco_json import read_coco
from cropworth.errors import CropworthError

COLUMNS = ("path", "x", "y", "w", "h")


@dataclass(frozen=True)
class Box:
    """One object in one image, as its file says.

    Attributes:
        left: of its first column, in pixels of the image as it is stored.
        top: of its first row.
        width: in pixels.
        height: in pixels.
        where: file and row, or annotation, for messages.
    """

    left: float
    top: float
    width: float
    height: float
    where: str

    def outside(self, size: tuple[int, int]) -> CropworthError | None:
        """What is wrong with a box that is not inside its image.

        Args:
            size: (width, height) of the image in pixels.

        Returns:
            The problem with file and row; None for a box inside.
        """
        width, height = size
        # Half a pixel may be lost where a file was written from fractions.
        right, bottom = self.left + self.width, self.top + self.height
        if min(self.left, self.top) >= -0.5 and right <= width + 0.5 and bottom <= height + 0.5:
            return None
        return CropworthError(
            f"{self.where}: a box from ({self.left:g}, {self.top:g}) to ({right:g}, {bottom:g})",
            f"one inside the image of {width} x {height} pixels",
            "Mend or remove it; boxes are in pixels of the stored image.",
        )


def read_boxes(path: Path, bad: BadItems) -> dict[str, Box]:
    """Image -> its box.

    Args:
        path: ``.json`` in COCO's format (`images` with `id` and `file_name`, `annotations` with `image_id` and `bbox`),
            else CSV. Images are named relative to the folder of images, with ``/``.
        bad: meets the boxes that have no area, are not numbers, or belong to no image or to one that has a box already.

    Raises:
        CropworthError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CropworthError(f"{path} ({error})", "a file of boxes", "Check data.boxes.") from None
    rows = _coco(path, text, bad) if path.suffix == ".json" else _csv(path, text)
    boxes: dict[str, Box] = {}
    for image, values, where in rows:
        try:
            box = box_of(values, where)
        except CropworthError as error:
            bad.meet("boxes without an area", error)
            continue
        if image in boxes:
            second = CropworthError(
                f"{where}: a second box of {image}, after {boxes[image].where}",
                "one box an image, of the object that the label speaks of",
                "Keep one of them.",
            )
            bad.meet("further boxes of an image that has one", second)
        else:
            boxes[image] = box
    return boxes


def box_of(values: Sequence[Any], where: str) -> Box:
    """A box of what should be its left, top, width and height in pixels.

    Raises:
        CropworthError: they are not four finite numbers, or it has no area.
    """
    try:
        left, top, width, height = map(float, values)
    except (TypeError, ValueError):
        raise CropworthError(f"{where}: {values}", "four numbers: x, y, w, h", "Mend the row.") from None
    # Also false for nan, which no comparison holds for.
    if not (width > 0 and height > 0 and abs(left) + abs(top) + width + height < float("inf")):
        raise CropworthError(
            f"{where}: a box of {width:g} x {height:g} pixels at ({left:g}, {top:g})",
            "finite numbers and an area",
            "Mend or remove it.",
        )
    return Box(left, top, width, height, where)


def _csv(path: Path, text: str) -> Iterator[tuple[str, list[Any], str]]:
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise CropworthError(
            f"{path} with the columns {', '.join(reader.fieldnames or ['none'])}",
            f"the columns {', '.join(COLUMNS)}",
            "Add " + ", ".join(missing) + ".",
        )
    for row in reader:
        yield row["path"], [row[name] for name in COLUMNS[1:]], f"{path}, line {reader.line_num}"


def _coco(path: Path, text: str, bad: BadItems) -> Iterator[tuple[str, list[Any], str]]:
    found = read_coco(path, text, "bbox", bad)
    for annotation in found.annotations:
        yield found.images[annotation.image], annotation.box, annotation.where
