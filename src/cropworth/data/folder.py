"""Your own images: one folder for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2
from torchvision.tv_tensors import BoundingBoxes

from cropworth.data.bad_items import BadItems
from cropworth.data.boxes import Box, read_boxes
from cropworth.data.coco_json import OF_NO_IMAGE
from cropworth.data.config import Folder
from cropworth.data.task import SPLITS, Split, Task, share_of_each
from cropworth.errors import CropworthError


class FolderTask(Task):
    """Images of `config.folder`, read once, resized to one size and held in memory as uint8.

    With `train`, `val` and `test` folders those are the splits; what is missing of `val` and `test` is split off the
    rest, class by class, by `split_seed`.

    Boxes, where a file of them is given, follow the images' resizing; an image without one has a box of NaN, and so
    has one whose object the central square leaves out. Where `on_bad_item` is ``skip``, an image that cannot be read is
    left out, a bad box is as good as none, and `warnings` counts them.

    Raises:
        CropworthError: no such folder, no classes in it, too few images of a class; and unless they are left out, all
            images that cannot be read and all boxes without an area, outside their image or of none.
    """

    def __init__(self, config: Folder) -> None:
        self.config = config
        self.name = config.folder.name
        if not config.folder.is_dir():
            raise CropworthError(
                f"data.folder = {config.folder}, which is no folder",
                "a folder with one folder of images for each class",
                "Check the path; a relative one starts at the plan's own folder.",
            )
        if (config.folder / "train").is_dir():
            self.classes, pool = self._list(config.folder / "train")
            given = {name: self._listed(name) for name in ("val", "test")}
        else:
            self.classes, pool = self._list(config.folder)
            given = {"val": None, "test": None}
        bad = BadItems(config.on_bad_item)
        boxes = {} if config.boxes is None else read_boxes(config.folder / config.boxes, bad)
        listed = [*pool, *(item for items in given.values() for item in items or [])]
        self._boxes = self._known(boxes, {self._name(path) for path, _ in listed}, bad)
        rng = np.random.default_rng([config.split_seed, SPLITS])
        test, pool = _split_off(given["test"], pool, config.test_share, rng)
        validation, pool = _split_off(given["val"], pool, config.validation_share, rng)
        self.test, self.validation, self._train = (self._read(items, bad) for items in (test, validation, pool))
        bad.settle()
        self.warnings = bad.warnings
        if not all(map(len, (self.test, self.validation, self._train))):
            raise CropworthError(
                f"no image left in one of train, validation and test. {' '.join(self.warnings)}",
                "images that can be read in each",
                "Mend the files.",
            )
        self.train_limit = len(self._train)

    def _training_items(self, order: NDArray[np.int64], rng: np.random.Generator) -> Split:
        return self._train.take(torch.from_numpy(order))

    def _list(self, folder: Path) -> tuple[tuple[str, ...], list[tuple[Path, int]]]:
        try:
            found = ImageFolder(str(folder))
        except FileNotFoundError as error:
            raise CropworthError(
                f"data.folder = {folder} ({error})",
                "a folder of images for each class",
                "Add images or remove empty folders.",
            ) from None
        return tuple(found.classes), [(Path(path), label) for path, label in found.samples]

    def _listed(self, name: str) -> list[tuple[Path, int]] | None:
        """Items of the split folder `name`, with the training folder's labels; None where there is no such folder."""
        if not (self.config.folder / name).is_dir():
            return None
        classes, items = self._list(self.config.folder / name)
        unknown = sorted(set(classes) - set(self.classes))
        if unknown:
            raise CropworthError(
                f"the class {unknown[0]!r} in {name}, which is not in train",
                f"classes of {self.classes}",
                "Add it to train.",
            )
        return [(path, self.classes.index(classes[label])) for path, label in items]

    def _name(self, path: Path) -> str:
        """How a file of boxes calls an image."""
        return path.relative_to(self.config.folder).as_posix()

    def _known(self, boxes: dict[str, Box], images: set[str], bad: BadItems) -> dict[str, Box]:
        """The boxes of images that are there."""
        for name, box in boxes.items():
            if name not in images:
                got = f"{box.where}: a box of {name}"
                bad.meet(OF_NO_IMAGE, CropworthError(got, f"an image of {self.config.folder}", "Mend its path."))
        return {name: box for name, box in boxes.items() if name in images}

    def _read(self, items: list[tuple[Path, int]], bad: BadItems) -> Split:
        side = self.config.image_size
        fit = v2.Compose([v2.ToImage(), v2.Resize(side, antialias=True), v2.CenterCrop(side)])
        images = torch.empty((len(items), self.config.channels, side, side), dtype=torch.uint8)
        boxes = torch.full((len(items), 4), torch.nan)
        labels: list[int] = []
        for path, label in items:
            try:
                stored = self._opened(path)
            except CropworthError as error:
                bad.meet("images that cannot be read", error)
                continue
            images[len(labels)] = fit(stored)
            box = self._boxes.get(self._name(path))
            outside = box and box.outside(stored.size)
            if outside:
                bad.meet("boxes outside their image", outside)
            elif box:
                boxes[len(labels)] = _fitted(box, stored.size, fit) / side
            labels.append(label)
        kept = slice(len(labels))
        return Split(images[kept], torch.tensor(labels, dtype=torch.int64), boxes[kept] if self._boxes else None)

    def _opened(self, path: Path) -> Image.Image:
        try:
            with Image.open(path) as picture:
                return picture.convert("L" if self.config.channels == 1 else "RGB")
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise CropworthError(
                f"the image {path} ({error})", "an image that can be read", "Mend or remove the file."
            ) from error


def _fitted(box: Box, size: tuple[int, int], fit: v2.Transform) -> Tensor:
    """The box (cx, cy, w, h) in pixels after `fit`; NaN if nothing of it is left."""
    found = BoundingBoxes(
        [[box.left, box.top, box.width, box.height]], format="XYWH", canvas_size=(size[1], size[0]), dtype=torch.float32
    )
    left, top, width, height = fit(found)[0]
    fitted = torch.stack([left + width / 2, top + height / 2, width, height])
    return fitted if width > 0 and height > 0 else torch.full_like(fitted, torch.nan)


def _split_off(
    given: list[tuple[Path, int]] | None, pool: list[tuple[Path, int]], share: float, rng: np.random.Generator
) -> tuple[list[tuple[Path, int]], list[tuple[Path, int]]]:
    """The given items and the pool, or, where none are given, a share of each class of the pool and the rest."""
    if given is not None:
        return given, pool
    labels = np.array([label for _, label in pool])
    taken = share_of_each(labels, share, rng)
    for of_class in taken:
        count = int((labels == labels[of_class[0]]).sum())
        if len(of_class) >= count:
            raise CropworthError(
                f"{count} images in the folder {pool[of_class[0]][0].parent}",
                "at least one for each of train, validation and test",
                "Add images of this class.",
            )
    chosen = set(np.concatenate(taken).tolist())
    return [pool[i] for i in sorted(chosen)], [item for i, item in enumerate(pool) if i not in chosen]
