"""How a stored image becomes the square that a model sees, and where a box goes with it: `Fit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

FourNumbers = tuple[float, float, float, float]


@dataclass(frozen=True)
class Fit:
    """One stored image's way into the square.

    Attributes:
        kind: ``crop`` resizes the shorter side and keeps the central square, as torchvision's ``Resize`` and
            ``CenterCrop`` do; ``pad`` resizes the longer side and puts black borders around the whole; ``stretch``
            resizes both.
        side: of the square in pixels.
        size: (width, height) of the stored image in pixels.
    """

    kind: Literal["crop", "pad", "stretch"]
    side: int
    size: tuple[int, int]

    @property
    def scaled(self) -> tuple[int, int]:
        """(width, height) in pixels of the resized image, of which the square is cut, or around which it lies."""
        if self.kind == "stretch":
            return self.side, self.side
        reference = min(self.size) if self.kind == "crop" else max(self.size)
        # Rounded down, as torchvision does; a side of a thin image would vanish.
        width, height = (max(1, self.side * length // reference) for length in self.size)
        return width, height

    @property
    def corner(self) -> tuple[int, int]:
        """(x, y) of the square's upper left corner in the resized image; below 0 where there are borders."""
        width, height = self.scaled
        return round((width - self.side) / 2), round((height - self.side) / 2)

    def image(self, stored: Tensor) -> Tensor:
        """Pixels (C, H, W) of the stored image, or of a reduced version of it -> (C, side, side), of the same kind."""
        (width, height), (left, top) = self.scaled, self.corner
        # What torchvision's `resize` calls, which takes seconds to import in every process that decodes.
        resized = F.interpolate(stored[None], (height, width), mode="bilinear", antialias=True)[0]
        # Negative numbers of pixels to add cut them away.
        right, bottom = self.side - width + left, self.side - height + top
        return F.pad(resized, (-left, right, -top, bottom))

    def to_item(self, box: FourNumbers) -> FourNumbers | None:
        """A box in pixels of the stored image -> what of it lies in the square.

        Args:
            box: (left, top, width, height).

        Returns:
            (cx, cy, w, h) as fractions of the square; None if nothing of it is left.
        """
        spans = []
        for start, length, (scale, offset) in zip(box[:2], box[2:], self._axes, strict=True):
            first, last = ((edge * scale - offset) / self.side for edge in (start, start + length))
            spans.append((max(first, 0.0), min(last, 1.0)))
        (left, right), (top, bottom) = spans
        if left >= right or top >= bottom:
            return None
        return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top

    def to_image(self, box: FourNumbers) -> FourNumbers:
        """The inverse of `to_item`, without cutting anything.

        Args:
            box: (cx, cy, w, h) as fractions of the square.

        Returns:
            (left, top, width, height) in pixels of the stored image.
        """
        spans = []
        for centre, length, (scale, offset) in zip(box[:2], box[2:], self._axes, strict=True):
            spans.append((((centre - length / 2) * self.side + offset) / scale, length * self.side / scale))
        (left, width), (top, height) = spans
        return left, top, width, height

    @property
    def _axes(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """Scale, and where the square starts in the resized image: of x, then of y."""
        (width, height), (left, top) = self.scaled, self.corner
        return (width / self.size[0], left), (height / self.size[1], top)
