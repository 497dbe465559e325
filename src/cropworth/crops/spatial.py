"""`SpatialTransformer`: localizer + transform + sampler, in one module."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cropworth.crops.sampling import sample
from cropworth.crops.transforms import Transform
from cropworth.errors import CropworthError


class SpatialTransformer(nn.Module):
    """A learned crop: looks at a small copy of the input, crops the full-resolution input.

    Put it in front of a classifier that takes `size`; it learns from the classifier's loss alone
    (Jaderberg et al. 2015).

    Args:
        localizer: look (B, C, *look_size) -> raw parameters (B, P).
        transform: raw parameters -> theta (B, 2, 3).
        size: (h, w) of the crop in pixels.
        look_size: (h, w) of the small copy that the localizer sees; None shows it the input itself.
        padding: what lies outside the input, see `sample`.

    Raises:
        CropworthError: from the transform, where the localizer gives another number of parameters.
    """

    def __init__(
        self,
        localizer: nn.Module,
        transform: Transform,
        size: Sequence[int],
        *,
        look_size: Sequence[int] | None = None,
        padding: str = "zeros",
    ) -> None:
        super().__init__()
        self.localizer = localizer
        self.transform = transform
        self.size = tuple(size)
        self.look_size = None if look_size is None else tuple(look_size)
        self.padding = padding

    def locate(self, images: Tensor) -> Tensor:
        """Where to crop: images (B, C, H, W) -> theta (B, 2, 3), in float32 also under autocast.

        Raises:
            CropworthError: the images have another rank.
        """
        if images.ndim != 4:
            raise CropworthError(f"images of shape {tuple(images.shape)}", "(B, C, H, W)", "Add the batch dimension.")
        raw = self.localizer(shrink(images, self.look_size))
        with torch.autocast(images.device.type, enabled=False):
            theta: Tensor = self.transform(raw.float() if raw.dtype != torch.float64 else raw)
        return theta

    def crop(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) -> crops (B, C, *size) and where they were taken, theta (B, 2, 3)."""
        theta = self.locate(images)
        return sample(images, theta, self.size, padding=self.padding), theta

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> crops (B, C, *size)."""
        return self.crop(images)[0]


def shrink(images: Tensor, size: Sequence[int] | None) -> Tensor:
    """A smaller copy (B, C, *size) by averaging areas, which does not alias; the images themselves for None."""
    if size is None or tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(images, size=tuple(size), mode="area")
