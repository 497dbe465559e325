"""Boxes of objects from a file: COCO JSON, Pascal VOC's XML, or CSV, in pixels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from cropworth.data.bad_items import BadItems
from cropworth.data.images.coco_json import read_coco
from cropworth.errors import CropworthError

NAMES = ("path", "image_path")
SIZED = ("x", "y", "w", "h")
CORNERS = ("xmin", "ymin", "xmax", "ymax")

Row = tuple[str, list[Any], str]
"""An image; left, top, width and height as they were read; and where."""


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

    @property
    def corner_and_size(self) -> tuple[float, float, float, float]:
        """(left, top, width, height)."""
        return self.left, self.top, self.width, self.height

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

    Images are named relative to the folder of images, with ``/``.

    Args:
        path: ``.json`` in COCO's format (`images` with `id` and `file_name`, `annotations` with `image_id` and `bbox`);
            ``.xml`` in Pascal VOC's, or a folder with such files in it or below, each of which names its image
            (`filename`) relative to where it lies itself; else CSV with the columns path (or image_path) and x, y, w, h
            or xmin, ymin, xmax, ymax. Numbers are edges of pixels, counted from 0, but those of VOC are pixels, counted
            from 1, and the last one is inside.
        bad: meets the boxes that have no area, are not numbers, or belong to no image or to one that has a box already,
            and files of a folder that are not VOC's.

    Raises:
        CropworthError: the file cannot be read.
    """
    boxes: dict[str, Box] = {}
    for image, values, where in _rows(path, bad):
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


def _rows(path: Path, bad: BadItems) -> Iterator[Row]:
    if path.is_dir() or path.suffix == ".xml":
        return _voc(path, bad)
    text = _text(path)
    return _coco(path, text, bad) if path.suffix == ".json" else _csv(path, text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CropworthError(f"{path} ({error})", "a file of boxes", "Check data.boxes.") from None


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


def _csv(path: Path, text: str) -> Iterator[Row]:
    reader = csv.DictReader(text.splitlines())
    found = reader.fieldnames or []
    name = next((column for column in NAMES if column in found), None)
    columns = next((columns for columns in (SIZED, CORNERS) if set(columns) <= set(found)), None)
    if name is None or columns is None:
        raise CropworthError(
            f"{path} with the columns {', '.join(found) or 'none'}",
            f"the columns {NAMES[0]}, {', '.join(SIZED)}; or {NAMES[1]}, {', '.join(CORNERS)}",
            "Add what is missing.",
        )
    for row in reader:
        values = [row[column] for column in columns]
        yield row[name], _from_corners(values) if columns == CORNERS else values, f"{path}, line {reader.line_num}"


def _from_corners(values: Sequence[Any], first: int = 0) -> list[Any]:
    """(left, top, right, bottom), the image starting at `first` -> (left, top, width, height), if all are numbers."""
    try:
        left, top, right, bottom = map(float, values)
    except (TypeError, ValueError):
        return list(values)
    return [left - first, top - first, right - left + first, bottom - top + first]


def _voc(path: Path, bad: BadItems) -> Iterator[Row]:
    files = [path] if path.is_file() else sorted(path.rglob("*.xml"))
    if not files:
        raise CropworthError(f"{path} without a file of XML", "Pascal VOC's XML of the boxes", "Check data.boxes.")
    folder = path if path.is_dir() else path.parent
    for file in files:
        try:
            found = ElementTree.fromstring(_text(file))
            image = (file.parent.relative_to(folder) / _element(found, "filename")).as_posix()
            objects = [[_element(box, edge) for edge in CORNERS] for box in found.iterfind("object/bndbox")]
        except (ElementTree.ParseError, CropworthError) as error:
            problem = CropworthError(f"{file} ({error})", "Pascal VOC's XML (filename, object/bndbox)", "Mend it.")
            bad.meet("files of boxes that cannot be read", problem)
            continue
        for number, values in enumerate(objects):
            yield image, _from_corners(values, first=1), f"{file}, object {number + 1}"


def _element(parent: ElementTree.Element, name: str) -> str:
    text = parent.findtext(name)
    if not text:
        raise CropworthError(f"no {name}", f"one in {parent.tag}", "Add it.")
    return text


def _coco(path: Path, text: str, bad: BadItems) -> Iterator[Row]:
    found = read_coco(path, text, "bbox", bad)
    for annotation in found.annotations:
        yield found.images[annotation.image], annotation.box, annotation.where
