"""Any image that people have -> the square of pixels that a model sees: `decode`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from cropworth.data.config import Images
from cropworth.data.images.dicom import HEAD, SUFFIXES, is_dicom, read_dicom
from cropworth.data.images.fitting import Fit
from cropworth.errors import CropworthError

# Not all that Pillow knows: EPS and WMF run other programs.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG2000", "TGA", "ICO", "PCX", "SGI", "DDS")
JPEG_MAGIC = b"\xff\xd8\xff"
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's own grey
ORIENTATION = 0x0112


@cache
def image_suffixes() -> tuple[str, ...]:
    """Suffixes, in lower case, of the files that can be read."""
    Image.init()
    known = (suffix for suffix, name in Image.EXTENSION.items() if name in FORMATS)
    return *known, *sorted(SUFFIXES)


@dataclass(frozen=True)
class Decoded:
    """An image as an item.

    Attributes:
        pixels: (C, side, side), uint8, or float32 in [0, 1] where more than 8 bits are kept.
        size: (width, height) of the stored image in pixels, after the rotation that its EXIF data ask for.
    """

    pixels: Tensor
    size: tuple[int, int]


def decode(source: Path | bytes, settings: Images, name: str | None = None) -> Decoded:
    """Read one image. What is inside decides how, not the suffix; of several frames the first is read.

    Transparent parts are black. An image of 16 bits spans 0 to 65535, whether 8 or 16 are kept; one of floating-point
    numbers spans 0 to 1. A JPEG beyond Pillow's limit of pixels is read at a half, a quarter or an eighth of its size.

    Args:
        source: a file, or the bytes of one.
        settings: the square's side, how an image becomes square, its channels and bits.
        name: what messages call it; the file's path if not given.

    Raises:
        CropworthError: it cannot be read, for whatever reason.
    """
    called = name or ("an image" if isinstance(source, bytes) else f"the image {source}")
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
        with warnings.catch_warnings():
            # Among thousands of files many have something to warn of; what counts is whether they can be read.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decoded(content, None if isinstance(source, bytes) else source, settings)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise CropworthError(
            f"{called} ({error})",
            f"at most {Image.MAX_IMAGE_PIXELS:,} pixels, Pillow's limit (JPEGs that are not progressive may have more)",
            "Shrink it or cut it into tiles.",
        ) from None
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise CropworthError(
            f"{called} (no image)", f"one of {known} or DICOM", "Convert or remove the file."
        ) from None
    except CropworthError as error:
        raise CropworthError(f"{called} ({error.got})", error.expected, error.do) from None
    except Exception as error:  # a damaged file makes a library raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CropworthError(
            f"{called} ({reason})", "an image that can be read", "Mend, convert or remove the file."
        ) from error


def _decoded(content: bytes, path: Path | None, settings: Images) -> Decoded:
    if not content:
        raise CropworthError("an empty file", "an image that can be read", "Copy it again, or remove it.")
    if is_dicom(content[:HEAD], path):
        seen = read_dicom(content)
        pixels, size = of_unit_range(seen, settings), (seen.shape[1], seen.shape[0])
    else:
        picture, size = _opened(content)
        with picture:
            pixels = of_picture(picture, settings)
            if picture.getexif().get(ORIENTATION, 1) >= 5:
                size = size[1], size[0]
    fit = Fit(settings.fit, settings.image_size, (pixels.shape[2], pixels.shape[1]))
    width, height = fit.scaled
    if width * height > _most_pixels():
        raise Image.DecompressionBombError(f"{size[0]} x {size[1]} pixels, which would become {width} x {height}")
    square = fit.image(pixels)
    # A mean of ones may come out a little above one.
    return Decoded(square.clamp(0, 1) if settings.bits == 16 else square, size)


def _opened(content: bytes) -> tuple[ImageFile, tuple[int, int]]:
    """A picture, reduced where it must be, and the (width, height) of the whole."""
    try:
        picture: ImageFile = Image.open(BytesIO(content), formats=FORMATS)
        size = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        if not content.startswith(JPEG_MAGIC):
            raise
        picture = JpegImageFile(BytesIO(content))
        if picture.info.get("progressive"):  # which is held in memory as a whole, however much it is reduced
            raise
        size = width, height = picture.size
        part = next(part for part in (2, 4, 8) if part == 8 or width * height <= _most_pixels() * part**2)
        picture.draft(picture.mode, (width // part, height // part))
    return picture, size


def _most_pixels() -> float:
    """Pillow's limit, which a program may change or remove."""
    return Image.MAX_IMAGE_PIXELS or np.inf


def of_picture(picture: Image.Image, settings: Images) -> Tensor:
    """All pixels of an image of Pillow, as it is turned by its EXIF data: (C, H, W), uint8 or float32.

    Raises:
        CropworthError: more bits are to be kept than can be, or numbers are outside their range.
    """
    kept = picture.mode.startswith(("I", "F"))
    if settings.bits == 16 and not kept and ";16" in str(getattr(picture, "tile", "")):
        raise CropworthError(
            f"16 bits in each of several channels, {picture.mode}",
            "16 bits in grey images only",
            "Save it as grey, or set data.bits to 8.",
        )
    turned = ImageOps.exif_transpose(picture)
    if kept:
        return of_unit_range(_deep(turned), settings)
    shown = turned.convert("RGBA") if turned.has_transparency_data else turned
    if shown.mode == "RGBA":
        shown = Image.alpha_composite(Image.new("RGBA", shown.size, (0, 0, 0, 255)), shown)
    shown = shown.convert("L" if settings.channels == 1 else "RGB")
    pixels = torch.from_numpy(np.atleast_3d(np.array(shown))).permute(2, 0, 1).contiguous()
    return pixels.float() / 255 if settings.bits == 16 else pixels


def _deep(picture: Image.Image) -> NDArray[np.float32]:
    """Grey values of more than 8 bits, (H, W), in [0, 1]."""
    values = np.asarray(picture)
    most, kind = (1.0, "floating-point") if picture.mode == "F" else (65535.0, "whole")
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= most:  # also for NaN
        raise CropworthError(
            f"{kind} numbers from {low:g} to {high:g}", f"{kind} numbers from 0 to {most:g}", "Rescale the image."
        )
    return (values / most).astype(np.float32)


def of_unit_range(seen: NDArray[np.float32], settings: Images) -> Tensor:
    """(H, W) or (H, W, 3) in [0, 1] -> (C, H, W), uint8 or float32."""
    if seen.ndim == 3 and settings.channels == 1:
        seen = seen @ np.array(LUMA, dtype=np.float32)
    planes = torch.from_numpy(np.atleast_3d(seen)).permute(2, 0, 1).expand(settings.channels, -1, -1)
    return planes.contiguous() if settings.bits == 16 else (planes * 255).round().to(torch.uint8)
