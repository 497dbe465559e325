"""COCO JSON: the images, annotations and categories of a file, for `boxes` and for the task `coco`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cropworth.data.bad_items import BadItems
from cropworth.errors import CropworthError

OF_NO_IMAGE = "boxes of images that are not there"


@dataclass(frozen=True)
class Annotation:
    """One annotation.

    Attributes:
        image: id of its image.
        box: what should be [left, top, width, height] in pixels; None where the file has none.
        category: id of its category; None where the file has none.
        where: the file and the annotation, for messages.
    """

    image: Hashable
    box: Any
    category: Hashable
    where: str


@dataclass(frozen=True)
class CocoFile:
    """What a file of COCO JSON says, nothing checked but its form.

    Attributes:
        images: id -> file name, as the file has it.
        annotations: of these images, in their order.
        categories: id -> name, in the order of the ids.
    """

    images: dict[Hashable, str]
    annotations: tuple[Annotation, ...]
    categories: dict[Hashable, str]


def read_coco(path: Path, text: str, needed: Literal["bbox", "category_id"], bad: BadItems) -> CocoFile:
    """Take a file apart.

    Args:
        path: of the file, for messages.
        text: its content.
        needed: what each annotation must have. Categories are read, and must be there, where that is `category_id`.
        bad: meets annotations of no image.

    Raises:
        CropworthError: it is not COCO JSON, or two images or two categories have the same id.
    """
    try:
        found = json.loads(text)
        images = [(entry["id"], str(entry["file_name"])) for entry in found["images"]]
        listed = found["categories"] if needed == "category_id" else []
        categories = sorted((entry["id"], str(entry["name"])) for entry in listed)
        names, called = dict(images), dict(categories)
        entries = [(entry["image_id"] in names, entry[needed], entry) for entry in found["annotations"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        more = "bbox)" if needed == "bbox" else "category_id) and categories (id, name)"
        raise CropworthError(
            f"{path} ({type(error).__name__}: {error})",
            f"COCO's images (id, file_name) and annotations (image_id, {more}",
            "Export it as COCO JSON, or write a CSV.",
        ) from None
    _refuse_twice(path, "images", images)
    _refuse_twice(path, "categories", categories)
    annotations = []
    for number, (known, _, entry) in enumerate(entries):
        where = f"{path}, annotations[{number}]"
        if known:
            annotations.append(Annotation(entry["image_id"], entry.get("bbox"), entry.get("category_id"), where))
        else:
            got = f"{where} of image_id {entry['image_id']}"
            bad.meet(OF_NO_IMAGE, CropworthError(got, "an id of one of its images", "Mend the file."))
    return CocoFile(names, tuple(annotations), called)


def _refuse_twice(path: Path, what: str, entries: list[tuple[Hashable, str]]) -> None:
    counts = Counter(key for key, _ in entries)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise CropworthError(
            f"{path} with {counts[twice[0]]} {what} of the id {twice[0]}", "one each", "Mend the file."
        )
