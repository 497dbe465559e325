"""Look -> raw parameters: the small networks that decide where to crop.

A localizer is a module that maps a look (B, C, *look_size) to raw parameters (B, P) for a transform. Its last layer
starts at zero, so training starts from the transform's starting pose; users of spatial transformers report blank
crops from the first step without that (kevinzakka/spatial-transformer-network#10).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from cropworth.crops.geometry import pixel_centres
from cropworth.errors import CropworthError

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


class RegressionLocalizer(nn.Module):
    """Convolutions and two fully connected layers that regress the pose from the flattened features.

    The localization network of the common tutorials and of the article this project started from: 7x7 and 5x5
    convolutions with pooling (8 and 10 channels), 32 hidden units.

    Args:
        channels: channels of the look.
        look_size: (h, w) of the look, at least 20 each.
        outputs: P, the transform's `parameters_needed`.
        hidden: units of the hidden layer.

    Raises:
        CropworthError: the look is too small for its convolutions.
    """

    def __init__(self, channels: int, look_size: Sequence[int], outputs: int, hidden: int = 32) -> None:
        super().__init__()
        if min(look_size) < 20:
            raise CropworthError(f"look_size = {tuple(look_size)}", "at least 20 pixels each way", "Enlarge the look.")
        self.features = nn.Sequential(
            nn.Conv2d(channels, 8, 7),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(8, 10, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
        )
        height, width = (((side - 6) // 2 - 4) // 2 for side in look_size)
        self.hidden = nn.Linear(10 * height * width, hidden)
        self.head = zero_initialised(nn.Linear(hidden, outputs))

    def forward(self, look: Tensor) -> Tensor:
        """Look (B, C, h, w) -> raw (B, P)."""
        raw: Tensor = self.head(torch.relu(self.hidden(self.features(look))))
        return raw


class HeatmapLocalizer(nn.Module):
    """A convolutional heatmap whose centre of mass is where to look, with a head for the rest of the pose.

    The heatmap's spatial soft-argmax (Levine et al. 2016, section 5.1; Nibali et al. 2018) gives the shift; the
    features under the heatmap give the other parameters through a head that starts at zero. Convolutions see every
    place alike, so what is learned about an object in one place holds in all others, which a regression from
    flattened features has to learn place by place.

    Args:
        channels: channels of the look.
        outputs: P, the transform's `parameters_needed`, at least 3; the first two are the shift (x, y).
        width: channels of the features.
        sharpness: inverse temperature of the softmax. With 1 the gradient is spread so thin over hundreds of places
            that the heatmap stays flat for most of the training.

    Raises:
        CropworthError: fewer than 3 outputs.
    """

    def __init__(self, channels: int, outputs: int, width: int = 16, sharpness: float = 10.0) -> None:
        super().__init__()
        if outputs < 3:
            raise CropworthError(
                f"outputs = {outputs}",
                "at least 3: a shift in x and y, and more",
                "Use a transform for images.",
            )
        self.sharpness = sharpness
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 5, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.heatmap = zero_initialised(nn.Conv2d(width, 1, 1))
        self.head = zero_initialised(nn.Linear(width, outputs - 2))

    def forward(self, look: Tensor) -> Tensor:
        """Look (B, C, h, w) -> raw (B, P)."""
        features = self.features(look)  # (B, width, h', w')
        logits = self.sharpness * self.heatmap(features).flatten(1)
        weights = logits.softmax(1).view_as(features[:, :1])  # (B, 1, h', w')
        attended = (features * weights).sum((2, 3))  # (B, width)
        return torch.cat([centre_of_mass(weights.squeeze(1)), self.head(attended)], dim=1)


def centre_of_mass(weights: Tensor) -> Tensor:
    """Expected coordinates under `weights` (B, h, w) that sum to 1 -> (B, 2) as (x, y), normalised."""
    height, width = weights.shape[-2:]
    x = (weights.sum(1) * pixel_centres(width, weights)).sum(1)
    y = (weights.sum(2) * pixel_centres(height, weights)).sum(1)
    return torch.stack([x, y], dim=1)


def zero_initialised(layer: Layer) -> Layer:
    """Set the layer's weight and bias to zero, in place, and return it."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
