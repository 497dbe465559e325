"""Your own images: one folder for each class."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from cropworth.data.bad_items import BadItems
from cropworth.data.config import Folder
from cropworth.data.images.boxes import Box, read_boxes
from cropworth.data.images.coco_json import OF_NO_IMAGE
from cropworth.data.images.decode import image_suffixes
from cropworth.data.images.dicom import HEAD, is_dicom
from cropworth.data.images.entries import Entry, Listing
from cropworth.data.signature import SPLIT_NAMES
from cropworth.errors import CropworthError


def list_folder(config: Folder, bad: BadItems) -> Listing:
    """The images of `config.folder`: the files in the folder of a class, or below it.

    With a `train` folder, that and `val` and `test` are the splits. Files are known as images by their suffix, DICOM
    files also by what is in them; all others, and names that begin with a dot, are passed over.

    Args:
        config: the folder, and what else lies in it.
        bad: meets images whose path has no group although there is a `group_pattern`, and bad boxes.

    Raises:
        CropworthError: no such folder, no classes in it, or one without images; the boxes cannot be read.
    """
    root = config.folder
    if not root.is_dir():
        raise CropworthError(
            f"data.folder = {root}, which is no folder",
            "a folder with one folder of images for each class",
            "Check the path; a relative one starts at the plan's own folder.",
        )
    split_folders = [name for name in SPLIT_NAMES if (root / name).is_dir()] if (root / "train").is_dir() else [None]
    found = [
        (file.relative_to(root).as_posix(), file, label, split)
        for split in split_folders
        for label, file in _labelled(root / (split or ""))
    ]
    boxes = {} if config.boxes is None else _boxes(root, config.boxes, {name for name, *_ in found}, bad)
    entries = []
    for name, file, label, split in found:
        group = _group(config, name, bad)
        if group is not None or config.group_pattern is None:
            entries.append(Entry(name, str(root), file, label, split, group, box=boxes.get(name)))
    return Listing(root.name, tuple(entries), root, boxed=config.boxes is not None)


def _labelled(folder: Path) -> Iterator[tuple[str, Path]]:
    """The class and path of each image, in the order of their paths."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not classes:
        raise CropworthError(
            f"data.folder = {folder} without folders", "a folder of images for each class", "Add them."
        )
    for of_class in classes:
        images = [path for path in _files(of_class) if _is_image(path)]
        if not images:
            raise CropworthError(
                f"data.folder = {folder} (no image in {of_class.name})",
                "a folder of images for each class",
                "Add images or remove empty folders.",
            )
        for path in images:
            yield of_class.name, path


def _files(folder: Path) -> Iterator[Path]:
    """All files in and below a folder; links to folders are followed, but none is entered twice."""
    entered = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        entered.add(Path(here).resolve())
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (Path(here) / name).resolve() not in entered
        )
        yield from (Path(here) / name for name in sorted(files) if not name.startswith("."))


def _is_image(path: Path) -> bool:
    if path.suffix.lower() in image_suffixes():
        return True
    try:
        with path.open("rb") as stream:
            return is_dicom(stream.read(HEAD), path)
    except OSError:
        return False


def _group(config: Folder, name: str, bad: BadItems) -> str | None:
    if config.group_pattern is None:
        return None
    found = re.search(config.group_pattern, name)
    if found is None or not found[1]:
        got = f"{config.folder}: {name}, in which {config.group_pattern!r} finds no group"
        problem = CropworthError(got, "a group in each image's path", "Change data.group_pattern, or rename the file.")
        bad.meet("images without a group", problem)
        return None
    return found[1]


def _boxes(root: Path, file: Path, images: set[str], bad: BadItems) -> dict[str, Box]:
    """The boxes of images that are there."""
    boxes = read_boxes(root / file, bad)
    for name, box in boxes.items():
        if name not in images:
            got = f"{box.where}: a box of {name}"
            bad.meet(OF_NO_IMAGE, CropworthError(got, f"an image of {root}", "Mend its path."))
    return {name: box for name, box in boxes.items() if name in images}
