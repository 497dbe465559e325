"""Look -> raw parameters: the small networks that decide where to crop.

A localizer is any module that maps a look (B, C, *look_size) to raw parameters (B, P) for a transform. The last
layers start at zero, so that training starts around the transform's starting pose; users of spatial transformers
report blank crops from the first step without that (kevinzakka/spatial-transformer-network#10).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cropworth.crops.geometry import pixel_centres
from cropworth.errors import CropworthError

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
POOLS: tuple[Callable[..., Tensor], ...] = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)

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
        look_size: (h, w) of the look, or (t,), at least 20 each.
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
        dims = len(self.look) - 1
        convolution, pool = CONVOLUTIONS[dims - 1], (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[dims - 1]
        self.features = nn.Sequential(
            convolution(channels, 8, 7),
            pool(2),
            nn.ReLU(),
            convolution(8, 10, 5),
            pool(2),
            nn.ReLU(),
            nn.Flatten(),
        )
        places = math.prod(((side - 6) // 2 - 4) // 2 for side in look_size)
        self.hidden = nn.Linear(10 * places, hidden)
        self.head = zero_initialised(nn.Linear(hidden, outputs))

    def forward(self, look: Tensor) -> Tensor:
        """Look (B, C, *look_size) -> raw (B, P).

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
        outputs: P, the transform's `parameters_needed`, of which the first d are the shift: (x, y) of images.
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
        dims: d, 1 for sequences, 2 for images, 3 for volumes.

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
        dims: int = 2,
    ) -> None:
        super().__init__()
        if dims not in (1, 2, 3) or outputs < (dims + 1 if scale == "spread" else dims):
            raise CropworthError(
                f"outputs = {outputs} with scale = {scale!r} and dims = {dims}",
                "a shift along each of 1 to 3 dimensions, and a scale if it is the spread",
                "Use a transform of as many dims.",
            )
        if features is None:
            features = nn.Sequential(
                *_convolution(channels, width, 5, stride=2, dims=dims),
                *_convolution(width, width, 3, dims=dims),
                *_convolution(width, width, 3, dilation=2, dims=dims),
            )
        self.features = features
        self.outputs, self.crops, self.scale, self.detach, self.peak = outputs, crops, scale, detach, peak
        self.dims = dims
        self.heatmap = CONVOLUTIONS[dims - 1](width, crops, 1, bias=False)
        nn.init.constant_(self.heatmap.weight, ACTIVITY / width)
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(sharpness)))
        self.head = zero_initialised(nn.Linear(width, outputs - dims))

    def forward(self, look: Tensor) -> Tensor:
        """Look (B, C, *look_size) -> raw (B, K * P)."""
        features, logits = self._heatmap(look)
        weights = torch.softmax(logits.flatten(2), dim=-1).view_as(logits)
        if self.peak and not self.training:
            weights = around_peak(weights)
        return self._raw(features, weights).flatten(1)

    def candidates(self, look: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The highest peaks of the heatmap, each as if it were the only one; see `marginal_loss`.

        Args:
            look: (B, C, *look_size).
            count: K, how many.

        Returns:
            Raw parameters (B, K, P), and the logarithm of each peak's weight (B, K); the weights of an item sum to 1.

        Raises:
            CropworthError: there are several heatmaps, or not enough places for so many peaks.
        """
        features, logits = self._heatmap(look)
        places, window = math.prod(logits.shape[2:]), (2 * PEAK + 1) ** self.dims
        if self.crops != 1 or count < 1 or places <= window * (count - 1):
            raise CropworthError(
                f"{count} candidates of {self.crops} heatmaps of {' x '.join(map(str, logits.shape[2:]))}",
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
        """Features (B, width, ...) and logits (B, K, ...) of the same size."""
        features = self.features(look)
        if self.detach:
            features = features.detach()
        return features, self.log_sharpness.exp() * self.heatmap(features)

    def _raw(self, features: Tensor, weights: Tensor) -> Tensor:
        """Raw parameters (B, K, P) under heatmaps (B, K, ...) that sum to 1."""
        centre = centre_of_mass(weights)  # (B, K, d)
        attended = weights.flatten(2) @ features.flatten(2).transpose(1, 2)  # (B, K, width)
        rest = self.head(attended)  # (B, K, P - d)
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
        dims: 1 for sequences, 2 for images, 3 for volumes.
    """

    def __init__(self, channels: int, width: int = 16, dims: int = 2) -> None:
        super().__init__()
        self.fine = nn.Sequential(*_convolution(channels, width, 5, stride=2, dims=dims))
        self.middle = nn.Sequential(*_convolution(width, 2 * width, 3, stride=2, dims=dims))
        self.coarse = nn.Sequential(
            *_convolution(2 * width, 2 * width, 3, stride=2, dims=dims),
            *_convolution(2 * width, 2 * width, 3, dims=dims),
        )
        self.join_middle = nn.Sequential(*_convolution(2 * width, 2 * width, 3, dims=dims))
        self.to_fine = CONVOLUTIONS[dims - 1](2 * width, width, 1)
        self.join_fine = nn.Sequential(*_convolution(width, width, 3, dims=dims))

    def forward(self, look: Tensor) -> Tensor:
        """Look (B, C, h, w) -> (B, width, h / 2, w / 2), rounded up."""
        fine = self.fine(look)
        middle = self.middle(fine)
        middle = self.join_middle(middle + _enlarged(self.coarse(middle), middle))
        features: Tensor = self.join_fine(fine + _enlarged(self.to_fine(middle), fine))
        return features


def around_peak(weights: Tensor) -> Tensor:
    """Heatmaps (B, K, ...) that sum to 1, cut down to the surroundings of their peak, and made to sum to 1.

    A heatmap of whose weight the peak does not hold a quarter, or twice its share of the places, has no peak and stays
    as it is.
    """
    near = near_peak(weights)
    space = tuple(range(2, weights.ndim))
    places = math.prod(weights.shape[2:])
    least = max(LEAST_PEAK, 2 * (2 * PEAK + 1) ** len(space) / places)
    holds = (weights * near).sum(space, keepdim=True) >= least
    kept: Tensor = weights * (near | ~holds)
    return kept / kept.sum(space, keepdim=True)


def near_peak(weights: Tensor) -> Tensor:
    """Whether a place of a heatmap (B, K, ...) is one of the 5, 5 x 5 or ... that together weigh most: bool."""
    dims = weights.ndim - 2
    mass: Tensor = POOLS[dims - 1](weights, 2 * PEAK + 1, stride=1, padding=PEAK)  # with zeros around
    place = mass.flatten(2).argmax(-1)  # (B, K)
    near = torch.ones_like(weights, dtype=torch.bool)
    for axis in reversed(range(dims)):
        count = weights.shape[2 + axis]
        steps = torch.arange(count, device=weights.device) - (place % count).unsqueeze(-1)  # (B, K, count)
        shape = [count if other == axis else 1 for other in range(dims)]
        near = near & (steps.abs() <= PEAK).view(*place.shape, *shape)
        place = place // count
    return near


def centre_of_mass(weights: Tensor) -> Tensor:
    """Expected coordinates under `weights` (B, K, ...) that sum to 1 -> (B, K, d), x first, normalised."""
    along = [(share * pixel_centres(share.shape[-1], weights)).sum(-1) for share in _marginals(weights)]
    return torch.stack(along, dim=-1)


def spread(weights: Tensor, centre: Tensor) -> Tensor:
    """Standard deviation of a place under `weights` (B, K, ...), the mean of all axes' variances: (B, K)."""
    variances = [
        (share * (pixel_centres(share.shape[-1], weights) - centre[..., axis : axis + 1]).square()).sum(-1)
        for axis, share in enumerate(_marginals(weights))
    ]
    # No heatmap is narrower than a thousandth of the input; it keeps the logarithm's gradient finite.
    return (torch.stack(variances).mean(0) + 1e-6).sqrt()


def _marginals(weights: Tensor) -> list[Tensor]:
    """Heatmaps (B, K, ...) summed over all axes but one, for x first: (B, K, count) each."""
    found = []
    for axis in reversed(range(2, weights.ndim)):
        others = tuple(other for other in range(2, weights.ndim) if other != axis)
        found.append(weights.sum(others) if others else weights)
    return found


def _convolution(
    channels: int, width: int, side: int, stride: int = 1, dilation: int = 1, dims: int = 2
) -> list[nn.Module]:
    """A convolution that keeps the size but for its stride, normalised over the batch and rectified."""
    padding = dilation * (side // 2)
    layer = CONVOLUTIONS[dims - 1]
    convolution = layer(channels, width, side, stride=stride, padding=padding, dilation=dilation, bias=False)
    return [convolution, NORMS[dims - 1](width), nn.ReLU(inplace=True)]


def _enlarged(features: Tensor, like: Tensor) -> Tensor:
    """Features (B, F, ...) at the size of others (B, F, ...)."""
    return F.interpolate(features, size=like.shape[2:], mode="nearest")


def zero_initialised(layer: Layer) -> Layer:
    """Set the layer's weight and bias to zero, in place, and return it."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
