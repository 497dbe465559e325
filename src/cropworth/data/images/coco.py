"""The task `coco`: your own images by COCO JSON (Lin et al. 2014), one category an image."""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path

from cropworth.data.bad_items import BadItems
from cropworth.data.config import Coco
from cropworth.data.images.boxes import Box, box_of
from cropworth.data.images.coco_json import Annotation, CocoFile, read_coco
from cropworth.data.images.entries import Entry, Listing
from cropworth.errors import CropworthError


def list_coco(config: Coco, bad: BadItems) -> Listing:
    """The images of a file of COCO JSON, none of them opened.

    An image's label is the category of its annotations, crowds among them; its box is the least that holds all their
    boxes, and it has none unless each of them has one. The classes are the categories of these images, in the order of
    their ids. Images without annotations are left out, and `Listing.warnings` counts them: COCO does not tell those
    that show nothing from those that nobody has looked at.

    Args:
        config: the file, and the folder in which its file names start.
        bad: meets images of several categories, annotations of no image or no category, and boxes that are no four
            numbers with an area.

    Raises:
        CropworthError: the file cannot be read, or two of its categories have the same name.
    """
    folder = config.file.parent if config.folder is None else config.folder
    try:
        text = config.file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CropworthError(f"{config.file} ({error})", "a file of COCO JSON", "Check data.file.") from None
    found = read_coco(config.file, text, "category_id", bad)
    of_image = _annotations(found, bad)
    entries = []
    for image, shown in of_image.items():
        path = found.images[image]
        try:
            label = _label(shown, found.categories, path)
        except CropworthError as problem:
            bad.meet("images with two labels", problem)
            continue
        name = Path(os.path.relpath(folder / path, folder)).as_posix()
        entries.append(Entry(name, shown[0].where, folder / path, label, box=_box(shown, bad)))
    boxed = any(annotation.box is not None for annotation in found.annotations)
    classes = _classes(config.file, found, {entry.label for entry in entries})
    return Listing(config.file.stem, tuple(entries), folder, classes, boxed, _left_out(config.file, found))


def _annotations(found: CocoFile, bad: BadItems) -> dict[Hashable, list[Annotation]]:
    """Image -> its annotations with a category, in the order of the images."""
    of_image: dict[Hashable, list[Annotation]] = {image: [] for image in found.images}
    for annotation in found.annotations:
        if annotation.category in found.categories:
            of_image[annotation.image].append(annotation)
        else:
            got = f"{annotation.where} of category_id {annotation.category}"
            bad.meet("annotations of no category", CropworthError(got, "an id of a category", "Mend the file."))
    return {image: shown for image, shown in of_image.items() if shown}


def _label(annotations: list[Annotation], categories: dict[Hashable, str], path: str) -> str:
    first = annotations[0]
    for other in annotations[1:]:
        if other.category != first.category:
            raise CropworthError(
                f"{other.where}: two labels of {path}, {categories[other.category]!r} after "
                f"{categories[first.category]!r} in {first.where}",
                "objects of one category in one image",
                "Cut the image into several, or keep the category that the label should be.",
            )
    return categories[first.category]


def _box(annotations: list[Annotation], bad: BadItems) -> Box | None:
    """The least box that holds the boxes of all annotations; None unless each has one."""
    boxes = []
    for annotation in annotations:
        # Some files, such as those of camera traps, say what is in an image and not where.
        if annotation.box is None:
            continue
        try:
            boxes.append(box_of(annotation.box, annotation.where))
        except CropworthError as problem:
            bad.meet("boxes without an area", problem)
    if len(boxes) < len(annotations):
        return None
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right, bottom = max(box.left + box.width for box in boxes), max(box.top + box.height for box in boxes)
    return Box(left, top, right - left, bottom - top, boxes[0].where)


def _classes(path: Path, found: CocoFile, labels: set[str | float]) -> tuple[str, ...]:
    annotated = {annotation.category for annotation in found.annotations}
    classes = tuple(name for key, name in found.categories.items() if key in annotated and name in labels)
    if len(set(classes)) < len(classes):
        twice = next(name for name in classes if classes.count(name) > 1)
        raise CropworthError(f"{path} with two categories {twice!r}", "a name for each", "Rename one of them.")
    return classes


def _left_out(path: Path, found: CocoFile) -> tuple[str, ...]:
    """How many images have no annotation; nothing where each has one."""
    seen = {annotation.image for annotation in found.annotations}
    bare = [name for image, name in found.images.items() if image not in seen]
    if not bare:
        return ()
    return (f"Left out of the data: images without annotations in {path.name}, {len(bare):,}; the first is {bare[0]}.",)
