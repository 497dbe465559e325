"""Look -> raw parameters: the small networks that decide where to crop.

A localizer is any module that maps a look (B, C, *look_size) to raw parameters (B, P) for a transform. The last
layers start at zero, so that training starts around the transform's starting pose; users of spatial transformers
report blank crops from the first step without that (kevinzakka/spatial-transformer-network#10).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cropworth.crops.geometry import pixel_centres
from cropworth.errors import CropworthError

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)

# The spread of an even heatmap over [-1, 1].
EVEN_SPREAD = 1 / math.sqrt(3)
# How much of the features' mean activity the heatmap starts with. Much less is an even heatmap; with 1 it starts so
# narrow that the crops settle beside the object more often.
ACTIVITY = 0.4
# A peak reaches so many places of the heatmap to each side, and holds at least this share of the weight.
PEAK, LEAST_PEAK = 2, 0.25


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
        self.look = (channels, *look_size)
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
        """Look (B, C, h, w) -> raw (B, P).

        Raises:
            CropworthError: the look has another size than the network was made for.
        """
        if tuple(look.shape[1:]) != self.look:
            raise CropworthError(
                f"a look of shape {tuple(look.shape)}",
                f"(B, {', '.join(map(str, self.look))}), what the localizer was made for",
                "Give the transformer this look_size.",
            )
        raw: Tensor = self.head(torch.relu(self.hidden(self.features(look))))
        return raw


class HeatmapLocalizer(nn.Module):
    """A convolutional heatmap whose centre of mass is where to look, with a head for the rest of the pose.

    The heatmap's spatial soft-argmax (Levine et al. 2016, section 5.1; Nibali et al. 2018) gives the shift; the
    features under the heatmap give the other parameters through a head that starts at zero. Convolutions see every
    place alike, so what is learned about an object in one place holds in all others, which a regression from
    flattened features has to learn place by place. In use (`eval`), only the surroundings of the highest peak count
    unless told otherwise: of two candidates one is taken, while the mean of both would lie on neither.

    The heatmap starts as the features' activity: training begins by looking where there is something to see. From
    an even heatmap, which looks at the middle of every input alike, trainings on canvases of 128 pixels often never
    find the object (docs/gallery.md shows one).

    Args:
        channels: channels of the look.
        outputs: P, the transform's `parameters_needed`, at least 2; the first two are the shift (x, y).
        width: channels of the features.
        crops: K heatmaps, for `MultiCrop`; the outputs are then those of the first crop, of the second, ...
        sharpness: inverse temperature of the softmax at the start; it is learned. With 1 the gradient is spread so
            thin over hundreds of places that the heatmap stays flat for most of the training.
        scale: where the third output, the log-scale, comes from: the ``head``, or the heatmap's ``spread``, which
            zooms in as the heatmap narrows; let the transform then start at the whole input.
        features: what computes the features (B, width, h', w') from the look: None for three convolutions of its own,
            which see 17 pixels of the look; or any module, such as the first layers of the classifier, or nn.Identity
            if the look is features already.
        detach: keep the localizer's gradient out of the features, so that only the classifier shapes them.
        peak: in use, follow the highest peak alone. Choose False where one object fills the look, as in the later
            steps of a `Cascade`: its heatmap lies over the whole object, and no peak of it is the object's middle.

    Raises:
        CropworthError: fewer outputs than a shift and, for the spread, a scale.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        *,
        width: int = 16,
        crops: int = 1,
        sharpness: float = 10.0,
        scale: Literal["head", "spread"] = "head",
        features: nn.Module | None = None,
        detach: bool = False,
        peak: bool = True,
    ) -> None:
        super().__init__()
        if outputs < (3 if scale == "spread" else 2):
            raise CropworthError(
                f"outputs = {outputs} with scale = {scale!r}",
                "a shift in x and y, and a scale if it is the spread",
                "Use a transform for images.",
            )
        if features is None:
            features = nn.Sequential(
                *_convolution(channels, width, 5, stride=2),
                *_convolution(width, width, 3),
                *_convolution(width, width, 3, dilation=2),
            )
        self.features = features
        self.outputs, self.crops, self.scale, self.detach, self.peak = outputs, crops, scale, detach, peak
        self.heatmap = nn.Conv2d(width, crops, 1, bias=False)
        nn.init.constant_(self.heatmap.weight, ACTIVITY / width)
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(sharpness)))
        self.head = zero_initialised(nn.Linear(width, outputs - 2))

    def forward(self, look: Tensor) -> Tensor:
        """Look (B, C, h, w) -> raw (B, K * P)."""
        features, logits = self._heatmap(look)
        weights = torch.softmax(logits.flatten(2), dim=-1).view_as(logits)
        if self.peak and not self.training:
            weights = around_peak(weights)
        return self._raw(features, weights).flatten(1)

    def candidates(self, look: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The highest peaks of the heatmap, each as if it were the only one; see `marginal_loss`.

        Args:
            look: (B, C, h, w).
            count: K, how many.

        Returns:
            Raw parameters (B, K, P), and the logarithm of each peak's weight (B, K); the weights of an item sum to 1.

        Raises:
            CropworthError: there are several heatmaps, or not enough places for so many peaks.
        """
        features, logits = self._heatmap(look)
        (height, width), window = logits.shape[-2:], (2 * PEAK + 1) ** 2
        if self.crops != 1 or count < 1 or height * width <= window * (count - 1):
            raise CropworthError(
                f"{count} candidates of {self.crops} heatmaps of {height} x {width}",
                f"at least one, of a single heatmap, with more than {window} places for each further one",
                "Ask for fewer, or enlarge the look.",
            )
        left = logits.to(torch.promote_types(logits.dtype, torch.float32))  # without the peaks found so far
        peaks, mass = [], []
        for _ in range(count):
            near = near_peak(torch.softmax(left.detach().flatten(2), dim=-1).view_as(left))
            inside = left.masked_fill(~near, -math.inf).flatten(2)
            peaks.append(torch.softmax(inside, dim=-1).view_as(left))
            mass.append(torch.logsumexp(inside, dim=-1))
            left = left.masked_fill(near, -math.inf)
        return self._raw(features, torch.cat(peaks, dim=1)), torch.log_softmax(torch.cat(mass, dim=1), dim=-1)

    def _heatmap(self, look: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, width, h', w') and logits (B, K, h', w')."""
        features = self.features(look)
        if self.detach:
            features = features.detach()
        return features, self.log_sharpness.exp() * self.heatmap(features)

    def _raw(self, features: Tensor, weights: Tensor) -> Tensor:
        """Raw parameters (B, K, P) under heatmaps (B, K, h', w') that sum to 1."""
        centre = centre_of_mass(weights)  # (B, K, 2)
        attended = weights.flatten(2) @ features.flatten(2).transpose(1, 2)  # (B, K, width)
        rest = self.head(attended)  # (B, K, P - 2)
        if self.scale == "spread":
            narrowing = (spread(weights, centre) / EVEN_SPREAD).log().unsqueeze(-1)
            rest = torch.cat([rest[..., :1] + narrowing, rest[..., 1:]], dim=-1)
        return torch.cat([centre, rest], dim=-1)


class Pyramid(nn.Module):
    """Look (B, C, h, w) -> features (B, width, h / 2, w / 2) that see a large object and keep a small one's place.

    Halved thrice, and on the way back up joined to what was seen before (Lin et al. 2017, feature pyramid networks,
    section 3, with the finest level alone as output). A feature sees some 40 pixels of the look, for little more time
    than the three convolutions that a `HeatmapLocalizer` has of its own, which see 17.

    Args:
        channels: C of the look.
        width: channels of the features.
    """

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        self.fine = nn.Sequential(*_convolution(channels, width, 5, stride=2))
        self.middle = nn.Sequential(*_convolution(width, 2 * width, 3, stride=2))
        self.coarse = nn.Sequential(
            *_convolution(2 * width, 2 * width, 3, stride=2), *_convolution(2 * width, 2 * width, 3)
        )
        self.join_middle = nn.Sequential(*_convolution(2 * width, 2 * width, 3))
        self.to_fine = nn.Conv2d(2 * width, width, 1)
        self.join_fine = nn.Sequential(*_convolution(width, width, 3))

    def forward(self, look: Tensor) -> Tensor:
        """Look (B, C, h, w) -> (B, width, h / 2, w / 2), rounded up."""
        fine = self.fine(look)
        middle = self.middle(fine)
        middle = self.join_middle(middle + _enlarged(self.coarse(middle), middle))
        features: Tensor = self.join_fine(fine + _enlarged(self.to_fine(middle), fine))
        return features


def around_peak(weights: Tensor) -> Tensor:
    """Heatmaps (B, K, h, w) that sum to 1, cut down to the surroundings of their peak, and made to sum to 1.

    A heatmap of whose weight the peak does not hold a quarter, or twice its share of the places, has no peak and stays
    as it is.
    """
    near = near_peak(weights)
    height, width = weights.shape[-2:]
    least = max(LEAST_PEAK, 2 * (2 * PEAK + 1) ** 2 / (height * width))
    holds = (weights * near).sum((-2, -1), keepdim=True) >= least
    kept = weights * (near | ~holds)
    return kept / kept.sum((-2, -1), keepdim=True)


def near_peak(weights: Tensor) -> Tensor:
    """Whether a place of a heatmap (..., h, w) is one of the 5 x 5 that together weigh most, bool (..., h, w)."""
    height, width = weights.shape[-2:]
    mass = F.avg_pool2d(weights, 2 * PEAK + 1, stride=1, padding=PEAK)  # with zeros around
    place = mass.flatten(-2).argmax(-1, keepdim=True)  # (..., 1)
    row, column = torch.arange(height, device=weights.device), torch.arange(width, device=weights.device)
    near_row = (row - place // width).abs() <= PEAK  # (..., h)
    near_column = (column - place % width).abs() <= PEAK  # (..., w)
    return near_row.unsqueeze(-1) & near_column.unsqueeze(-2)


def centre_of_mass(weights: Tensor) -> Tensor:
    """Expected coordinates under `weights` (..., h, w) that sum to 1 -> (..., 2) as (x, y), normalised."""
    height, width = weights.shape[-2:]
    x = (weights.sum(-2) * pixel_centres(width, weights)).sum(-1)
    y = (weights.sum(-1) * pixel_centres(height, weights)).sum(-1)
    return torch.stack([x, y], dim=-1)


def spread(weights: Tensor, centre: Tensor) -> Tensor:
    """Standard deviation of a place under `weights` (..., h, w), the mean of x's and y's variance: (...)."""
    height, width = weights.shape[-2:]
    x = weights.sum(-2) * (pixel_centres(width, weights) - centre[..., :1]).square()
    y = weights.sum(-1) * (pixel_centres(height, weights) - centre[..., 1:]).square()
    # No heatmap is narrower than a thousandth of the input; it keeps the logarithm's gradient finite.
    return ((x.sum(-1) + y.sum(-1)) / 2 + 1e-6).sqrt()


def _convolution(channels: int, width: int, side: int, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size but for its stride, normalised over the batch and rectified."""
    padding = dilation * (side // 2)
    convolution = nn.Conv2d(channels, width, side, stride=stride, padding=padding, dilation=dilation, bias=False)
    return [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


def _enlarged(features: Tensor, like: Tensor) -> Tensor:
    """Features (B, F, h, w) at the size of others (B, F, h', w')."""
    return F.interpolate(features, size=like.shape[-2:], mode="nearest")


def zero_initialised(layer: Layer) -> Layer:
    """Set the layer's weight and bias to zero, in place, and return it."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
