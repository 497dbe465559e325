"""Input normalisation, in front of a backbone and behind the crop."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cropworth.errors import CropworthError

# Of the three channels of ImageNet's pixels, as torchvision, timm and transformers have them.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Normalise(nn.Module):
    """Pixels in [0, 1] -> (pixels - mean) / deviation.

    The numbers are no part of the state_dict: a plan states them, and weights do not depend on where they come from.

    Args:
        mean: of each channel, or a single one for all.
        deviation: as many.
        channels: C.

    Raises:
        CropworthError: there are neither as many as channels, nor one.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], channels: int) -> None:
        super().__init__()
        if not len(mean) == len(deviation) or len(mean) not in (1, channels):
            raise CropworthError(
                f"normalise with {len(mean)} means and {len(deviation)} deviations for {channels} channels",
                f"as many of both as channels ({channels}), or one",
                "State them, such as normalise: {mean: [0.449], deviation: [0.226]}.",
            )
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return (images - self.mean) / self.deviation
