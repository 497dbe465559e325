"""What an item of a `torch.utils.data.Dataset` holds, checked: an image, a series or a text, and what is said of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cropworth.data.config import TorchDataset
from cropworth.data.images.decode import of_picture, of_unit_range
from cropworth.data.images.fitting import Fit, FourNumbers
from cropworth.data.rows import Row
from cropworth.data.tables.cells import number
from cropworth.errors import CropworthError

Kind = Literal["images", "series", "texts"]

KEYS = ("input", "label", "box", "group", "time", "value")
KINDS = "an image of Pillow or (C, H, W), a series (T, F) of floats, or a text (T,) of whole numbers"
MEND = "Mend the dataset."
MOST_WORDS = 2**24  # a model has an embedding of each


@dataclass(frozen=True)
class Held:
    """What an item of a dataset holds.

    Attributes:
        kind: of its values.
        values: an image (C, side, side), uint8 or float32; a series (T, F), float32; or a text (T,), int64.
        box: (cx, cy, w, h) as fractions of the item; None where there is none, or nothing of it is left.
    """

    kind: Kind
    values: NDArray[Any]
    box: FourNumbers | None = None

    @property
    def content(self) -> str:
        """SHA-256 of its values and their shape."""
        values = np.ascontiguousarray(self.values)
        return hashlib.sha256(f"{values.dtype} {values.shape}".encode() + values.tobytes()).hexdigest()


def dataset_row(given: object, config: TorchDataset, names: Sequence[str], row: Row) -> Row:
    """What an item says; what it holds is a `Held`.

    Args:
        given: (input, label), or a mapping with some of `KEYS`.
        config: how images are fitted, and whether the label is a number.
        names: of the classes in the order of their indices; none where nobody says.
        row: its name, where it stands and its split.

    Raises:
        CropworthError: it is something else, or its input, label or box is not what it should be; the first of them.
    """
    parts = _parts(given, row.where)
    kind, values, fit = _values(parts["input"], config, row.where)
    label = _label(_plain(parts["label"]), config, names, row.where)
    box = None if parts.get("box") is None else _box(parts["box"], fit, row.where)
    group, time, value = (_plain(parts.get(key)) for key in KEYS[3:])
    return replace(row, holds=Held(kind, values, box), label=label, group=group, time=time, value=value)


def _parts(given: object, where: str) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        wrong = [key for key in given if key not in KEYS] or [key for key in KEYS[:2] if key not in given]
        if not wrong:
            return given
        found = f"keys {', '.join(map(str, given))}"
    elif isinstance(given, tuple | list) and len(given) == 2:
        return dict(zip(KEYS, given, strict=False))
    else:
        found = f"a {type(given).__name__}" + (f" of {len(given)}" if isinstance(given, tuple | list) else "")
    raise CropworthError(
        f"{where}: {found}",
        "(input, label), or a mapping with the keys input, label and perhaps " + ", ".join(KEYS[2:]),
        MEND,
    )


def _values(given: object, config: TorchDataset, where: str) -> tuple[Kind, NDArray[Any], Fit | None]:
    """What the input holds, and, of an image, how it was fitted."""
    if isinstance(given, Image.Image):
        try:
            return "images", *_fitted(of_picture(given, config), config)
        except CropworthError as error:
            raise CropworthError(f"{where}: {error.got}", error.expected, error.do) from error
        except Exception as error:  # a lazy image that cannot be read makes Pillow raise anything
            raise CropworthError(f"{where}: an image ({error})", "an image that can be read", MEND) from error
    if not isinstance(given, Tensor | np.ndarray):
        raise CropworthError(f"{where}: an input of type {type(given).__name__}", KINDS, MEND)
    try:
        values = torch.as_tensor(given).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise CropworthError(f"{where}: an input ({error})", KINDS, MEND) from error
    shape, kind = tuple(values.shape), str(values.dtype).removeprefix("torch.")
    if values.numel() and values.ndim == 3 and (values.is_floating_point() or values.dtype == torch.uint8):
        return "images", *_fitted(_pixels(values, config, where), config)
    if values.ndim == 2 and values.is_floating_point():
        return "series", values.float().numpy(), None
    if values.ndim == 1 and not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool):
        return "texts", _words(values.long().numpy(), where), None
    raise CropworthError(f"{where}: an input of {kind} and shape {shape}", KINDS, MEND)


def _pixels(values: Tensor, config: TorchDataset, where: str) -> Tensor:
    """(C, H, W) as the plan wants them: its channels, and uint8 or float32."""
    if values.is_floating_point():
        low, high = values.min().item(), values.max().item()
        if not 0 <= low <= high <= 1:  # also for NaN
            raise CropworthError(
                f"{where}: an image of floats from {low:g} to {high:g}",
                "floats from 0 to 1, or uint8",
                "Leave normalisation to the plan's backbone.normalise, not to the dataset.",
            )
    if len(values) not in (1, 3):
        raise CropworthError(f"{where}: an image of shape {tuple(values.shape)}", "(1, H, W) or (3, H, W)", MEND)
    shades = values.float() if values.is_floating_point() else values.float() / 255
    return of_unit_range((shades[0] if len(shades) == 1 else shades.permute(1, 2, 0)).numpy(), config)


def _fitted(pixels: Tensor, config: TorchDataset) -> tuple[NDArray[Any], Fit]:
    fit = Fit(config.fit, config.image_size, (pixels.shape[2], pixels.shape[1]))
    return fit.image(pixels).numpy(), fit


def _words(numbers: NDArray[np.int64], where: str) -> NDArray[np.int64]:
    """Numbers of words, without the zeros at the end, with which texts are filled up to one length."""
    low, high = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    if low < 0 or high >= MOST_WORDS:
        raise CropworthError(
            f"{where}: numbers of words from {low} to {high}", f"1 to {MOST_WORDS - 1:,}, and 0 after the end", MEND
        )
    return np.trim_zeros(numbers, "b")


def _label(label: object, config: TorchDataset, names: Sequence[str], where: str) -> str | float:
    """The name of a class, its index where it has no name, or the number to predict."""
    if config.target == "number":
        found = None if isinstance(label, str) else number(label)
        if found is not None and math.isfinite(found):
            return found
        expected = "a finite number, as data.target is number"
    else:
        if isinstance(label, int) and 0 <= label < (len(names) or math.inf):
            return names[label] if names else str(int(label))
        if isinstance(label, str) and label.strip() and (label in names or not names):
            return label
        expected = f"an index below {len(names)} or one of {', '.join(names)}" if names else "an index or a name"
    said = repr(label) if isinstance(label, int | float | str) else f"a {type(label).__name__}"
    raise CropworthError(f"{where}: the label {said}", expected, MEND)


def _box(given: object, fit: Fit | None, where: str) -> FourNumbers | None:
    """Fractions of the given image -> those of the fitted one."""
    if fit is None:
        raise CropworthError(f"{where}: a box of what is no image", "boxes of images only", "Leave it out.")
    expected = "(cx, cy, w, h) as fractions of the image, with an area and inside it"
    try:
        cx, cy, w, h = map(float, given)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise CropworthError(f"{where}: the box {given!r}", expected, MEND) from None
    # Also false for NaN. A thousandth may be lost in rounding.
    inside = w > 0 and h > 0 and all(c - s / 2 >= -0.001 and c + s / 2 <= 1.001 for c, s in ((cx, w), (cy, h)))
    if not inside:
        raise CropworthError(f"{where}: the box ({cx:g}, {cy:g}, {w:g}, {h:g})", expected, MEND)
    width, height = fit.size
    return fit.to_item(((cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height))


def _plain(given: object) -> Any:
    """The number in an array or tensor of one."""
    return given.item() if isinstance(given, Tensor | np.ndarray | np.generic) and given.ndim == 0 else given
