"""A small convolutional classifier for images of any size."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

from cropworth.errors import CropworthError

POOLS: dict[str, Callable[[], nn.Module]] = {
    "grid": lambda: nn.AdaptiveAvgPool2d(4),
    "max": lambda: nn.AdaptiveMaxPool2d(1),
}


class SmallConvNet(nn.Module):
    """Four 3x3 convolutions with batch normalisation, pooled by 2 between them, and a linear layer.

    Args:
        channels: channels of the input.
        classes: number of logits.
        width: channels of the first convolution; the next have 2, 4 and 4 times as many.
        pool: what the linear layer sees: ``grid``, the last features averaged on a 4 x 4 grid, so that it knows what
            is where; or ``max``, each feature's maximum wherever it is, so that it does not care.

    Raises:
        CropworthError: the pool is unknown.
    """

    def __init__(self, channels: int, classes: int, width: int = 16, pool: str = "grid") -> None:
        super().__init__()
        if pool not in POOLS:
            raise CropworthError(f"pool = {pool!r}", f"one of {', '.join(POOLS)}", "Choose one of them.")
        widths = [channels, width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
        self.features = nn.Sequential(*layers[:-1])
        self.pool = POOLS[pool]()
        self.head = nn.Linear(widths[-1] * (16 if pool == "grid" else 1), classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, classes)."""
        logits: Tensor = self.head(self.pool(self.features(images)).flatten(1))
        return logits
