"""How stored images are, from a sample of them, and what of a plan follows from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image, UnidentifiedImageError

from cropworth.data.bad_items import BadItems
from cropworth.data.config import Images
from cropworth.data.images.decode import FORMATS, decode
from cropworth.data.images.dicom import HEAD, is_dicom
from cropworth.data.images.entries import Entry
from cropworth.data.images.image_task import LISTERS
from cropworth.errors import CropworthError
from cropworth.study.plan_text import Said

SAMPLE = 100
# Beyond this an image is too far from a square to cut its sides off unasked.
NEARLY_SQUARE = 1.1
LARGEST, LARGEST_OF_SMALL_OBJECTS, SMALL_OBJECT = 256, 512, 0.2


@dataclass(frozen=True)
class Looked:
    """What was seen of a sample of images.

    Attributes:
        sizes: (width, height) of each in pixels.
        grey: whether all are.
        deep: whether one of them has more than 8 bits a channel.
        shares: longer side of the object's box, as a fraction of its image's, where there is one.
    """

    sizes: tuple[tuple[int, int], ...]
    grey: bool
    deep: bool
    shares: tuple[float, ...]

    def keys(self) -> dict[str, Said]:
        """How these become items: keys of a plan's `data:`."""
        square = all(max(size) <= NEARLY_SQUARE * min(size) for size in self.sizes)
        wide, high = (median(sides) for sides in zip(*self.sizes, strict=True))
        small = bool(self.shares) and median(self.shares) < SMALL_OBJECT
        most = LARGEST_OF_SMALL_OBJECTS if small else LARGEST
        stored = int(median(min(size) if square else max(size) for size in self.sizes))
        side = max(8, min(most, stored) // 8 * 8)
        why = f"pixels; the median image has {wide:g} x {high:g}"
        why += f", more than {most} would take long" if stored > most else ""
        fits = "cuts at most a little off, the images are nearly square" if square else "cuts nothing off"
        keys = {"image_size": Said(side, why), "fit": Said("crop" if square else "pad", fits)}
        keys["channels"] = Said(1, "all images seen are grey") if self.grey else Said(3, "there are colours")
        if self.deep:
            keys["bits"] = Said(16, "there are images of more than 8 bits a channel; 8 takes a quarter of the memory")
        return keys


def look(config: Images) -> Looked:
    """Look at images spread over all that the data list; the bad ones among them are passed over.

    Raises:
        CropworthError: the data cannot be listed, or none of these images can be read.
    """
    entries = LISTERS[type(config)](config, BadItems("skip")).entries
    return look_at(entries[:: max(1, len(entries) // SAMPLE)])


def look_at(entries: Sequence[Entry]) -> Looked:
    """The same of these images.

    Raises:
        CropworthError: none of them can be read.
    """
    settings = Images(image_size=32, fit="stretch")
    sizes, shares, grey, deep = [], [], True, False
    problem = CropworthError("no images", "some", "Look at the data.")
    for entry in entries:
        try:
            seen = decode(entry.source, settings, f"{entry.where}: the image {entry.name}")
        except CropworthError as error:
            problem = error
            continue
        sizes.append(seen.size)
        grey = grey and bool((seen.pixels == seen.pixels[:1]).all())
        deep = deep or _deep(entry.source)
        if entry.box is not None:
            shares.append(max(entry.box.width, entry.box.height) / max(seen.size))
    if not sizes:
        raise problem
    return Looked(tuple(sizes), grey, deep and grey, tuple(shares))


def _deep(source: Path | bytes) -> bool:
    """Whether an image that can be read has more than 8 bits a channel."""
    from io import BytesIO

    content = source if isinstance(source, bytes) else source.read_bytes()
    if is_dicom(content[:HEAD], source if isinstance(source, Path) else None):
        return True
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            return picture.mode.startswith(("I", "F"))
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False
