"""Localizer + transform + sampler in one module: `SpatialTransformer`, and what composes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cropworth.crops.geometry import compose
from cropworth.crops.sampling import sample
from cropworth.crops.transforms import Transform
from cropworth.errors import CropworthError


class Sampling(TypedDict, total=False):
    """How a crop's pixels are read, see `sample`."""

    mode: str
    padding: str
    antialias: bool
    reach: float


class Reader(nn.Module):
    """Base of every module that reads crops where its localizer says.

    Args:
        localizer: what it looks at -> raw parameters (B, P).
        size: (h, w) of a crop in pixels.
        look_size: (h, w) of the small copy that is looked at; None looks at the input itself.
        sampling: `mode`, `padding`, `antialias` and `reach`, as in `sample`; the reach is for training alone.
    """

    def __init__(
        self,
        localizer: nn.Module,
        size: Sequence[int],
        look_size: Sequence[int] | None,
        sampling: Sampling,
    ) -> None:
        super().__init__()
        self.localizer = localizer
        self.size = tuple(size)
        self.look_size = None if look_size is None else tuple(look_size)
        self.sampling = sampling

    def look(self, images: Tensor) -> Tensor:
        """The small copy: images (B, C, H, W) -> (B, C, *look_size).

        Raises:
            CropworthError: the images have another rank.
        """
        if images.ndim != 4:
            raise CropworthError(f"images of shape {tuple(images.shape)}", "(B, C, H, W)", "Add the batch dimension.")
        return shrink(images, self.look_size)

    def find(self, look: Tensor) -> Tensor:
        """Where to crop, by the look alone: (B, C, *look_size) -> a pose, see `locate`."""
        return self.locate(look)

    def locate(self, images: Tensor) -> Tensor:
        """Where to crop: images (B, C, H, W) -> a pose (B, rows, columns), or (B, K, rows, columns) for K crops.

        In float32 also under autocast.

        Raises:
            CropworthError: the images have another rank, or the localizer gives another number of parameters.
        """
        raise NotImplementedError

    def read(self, images: Tensor, pose: Tensor) -> Tensor:
        """The pixels at a pose: images (B, C, H, W) -> (B, C, *size), or (B, K, C, *size)."""
        sampling = self.sampling.copy()
        if not self.training:
            sampling["reach"] = 1.0
        return sample(images, pose, self.size, **sampling)


class Cropper(Reader):
    """Base of the learned crops: crops at full resolution where `locate` says; see `Reader`."""

    def candidates(self, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The places between which the localizer wavers, to be trained on by `marginal_loss`.

        Args:
            images: (B, C, H, W).
            count: K, how many.

        Returns:
            Poses (B, K, rows, columns), and the logarithm of each one's weight (B, K), the most likely first.

        Raises:
            CropworthError: there are no candidates, or not so many.
        """
        raise CropworthError(f"a {type(self).__name__}", "a crop with candidates", "Use a SpatialTransformer.")

    def crop(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) -> crops (B, C, *size), or (B, K, C, *size), and the pose where they were taken."""
        pose = self.locate(images)
        return self.read(images, pose), pose

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> crops (B, C, *size), or (B, K, C, *size)."""
        return self.crop(images)[0]


class SpatialTransformer(Cropper):
    """A learned crop: looks at a small copy of the input, crops the full-resolution input.

    Put it in front of a classifier that takes `size`; it learns from the classifier's loss alone
    (Jaderberg et al. 2015).

    Args:
        localizer: look (B, C, *look_size) -> raw parameters (B, P); any module with this signature.
        transform: raw parameters -> pose.
        size: (h, w) of the crop in pixels.
        look_size: (h, w) of the small copy that the localizer sees; None shows it the input itself.
        sampling: `mode`, `padding`, `antialias` and `reach`, as in `sample`.
    """

    def __init__(
        self,
        localizer: nn.Module,
        transform: Transform,
        size: Sequence[int],
        *,
        look_size: Sequence[int] | None = None,
        **sampling: Unpack[Sampling],
    ) -> None:
        super().__init__(localizer, size, look_size, sampling)
        self.transform = transform

    def locate(self, images: Tensor) -> Tensor:
        """See `Cropper`: a pose (B, rows, columns)."""
        return self.find(self.look(images))

    def find(self, look: Tensor) -> Tensor:
        """See `Reader`."""
        return placed(self.transform, self.localizer(look))

    def candidates(self, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """See `Cropper`: the peaks of a `HeatmapLocalizer`."""
        return candidates_placed(self.transform, self.localizer, self.look(images), count)


class Cascade(Cropper):
    """A crop found coarse to fine: each step looks into the crop of the step before, and moves it.

    The poses are composed, so that every look and the crop itself are read from the original pixels, never from a
    crop of a crop (Lin & Lucey 2017, inverse compositional spatial transformers, section 3).

    Args:
        localizers: one for each step; the same module may stand several times, which makes the cascade recurrent.
            Each is look (B, C, *look_size) -> raw parameters. Of a `HeatmapLocalizer`, take ``peak=False`` after the
            first step.
        transforms: one for each step. The first starts where the crop shall start; the others best at the whole of
            what they are shown, the default of every transform. Only the last may be a spline.
        size: (h, w) of the crop in pixels.
        look_size: (h, w) of every look, in pixels.
        sampling: `mode`, `padding`, `antialias` and `reach`, as in `sample`.

    Raises:
        CropworthError: there are no steps, or as many transforms as localizers are not there.
    """

    def __init__(
        self,
        localizers: Sequence[nn.Module],
        transforms: Sequence[Transform],
        size: Sequence[int],
        *,
        look_size: Sequence[int],
        **sampling: Unpack[Sampling],
    ) -> None:
        if not len(localizers) == len(transforms) > 0:
            raise CropworthError(
                f"{len(localizers)} localizers and {len(transforms)} transforms",
                "as many of both, at least one",
                "Give one of each for every step.",
            )
        super().__init__(nn.ModuleList(localizers), size, look_size, sampling)
        self.transforms: Sequence[Transform] = nn.ModuleList(transforms)  # type: ignore[assignment]

    def locate(self, images: Tensor) -> Tensor:
        """See `Cropper`: a pose (B, rows, columns)."""
        return self.path(images)[-1]

    def path(self, images: Tensor) -> list[Tensor]:
        """The pose after each step, the last one being the crop's."""
        assert isinstance(self.localizer, nn.ModuleList)
        assert self.look_size is not None
        poses: list[Tensor] = []
        look = self.look(images)
        for localizer, transform in zip(self.localizer, self.transforms, strict=True):
            if poses:
                padding = self.sampling.get("padding", "zeros")
                look = sample(images, poses[-1], self.look_size, antialias=True, padding=padding)
            step = placed(transform, localizer(look))
            poses.append(compose(poses[-1], step) if poses else step)
        return poses


class MultiCrop(Cropper):
    """K crops of each image, found at once (Jaderberg et al. 2015, section 4.3: the two and four crops of birds).

    Let the transforms start at different places, or the crops will learn alike; `overlap` is a penalty against it.
    Run a network on the crops with `on_each`; join its features by `flatten(1)` or `AttentionPool`.

    Args:
        localizer: one module whose outputs are those of all transforms after one another, such as
            ``HeatmapLocalizer(crops=K)``, or a sequence of K modules, one for each crop.
        transforms: K of them, of one kind of pose.
        size: (h, w) of each crop in pixels.
        look_size: (h, w) of the small copy that the localizer sees; None shows it the input itself.
        sampling: `mode`, `padding`, `antialias` and `reach`, as in `sample`.

    Raises:
        CropworthError: the numbers of localizers and transforms differ.
    """

    def __init__(
        self,
        localizer: nn.Module | Sequence[nn.Module],
        transforms: Sequence[Transform],
        size: Sequence[int],
        *,
        look_size: Sequence[int] | None = None,
        **sampling: Unpack[Sampling],
    ) -> None:
        if not isinstance(localizer, nn.Module):
            if len(localizer) != len(transforms):
                raise CropworthError(
                    f"{len(localizer)} localizers for {len(transforms)} transforms",
                    "one localizer for each transform, or one for all",
                    "Give as many of both.",
                )
            localizer = SideBySide(localizer)
        super().__init__(localizer, size, look_size, sampling)
        self.transforms: Sequence[Transform] = nn.ModuleList(transforms)  # type: ignore[assignment]

    def locate(self, images: Tensor) -> Tensor:
        """See `Cropper`: poses (B, K, rows, columns)."""
        return several_placed(self.transforms, self.localizer(self.look(images)))


class SideBySide(nn.Module):
    """Several localizers on one look, their outputs after one another."""

    def __init__(self, localizers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.localizers = nn.ModuleList(localizers)

    def forward(self, look: Tensor) -> Tensor:
        """Look (B, C, h, w) -> raw (B, sum of P)."""
        return torch.cat([localizer(look) for localizer in self.localizers], dim=1)


class AttentionPool(nn.Module):
    """Features of K crops -> one vector, weighted by a learned score (Ilse et al. 2018, equation 8, without the tanh).

    Starts at the plain mean.

    Args:
        features: F.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.score = nn.Linear(features, 1)
        nn.init.zeros_(self.score.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, K, F) -> (B, F)."""
        weights: Tensor = self.score(features).softmax(1)  # (B, K, 1)
        return (features * weights).sum(1)


def on_each(network: nn.Module, crops: Tensor) -> Tensor:
    """Run a network on K crops of each image: (B, K, C, h, w) -> (B, K, ...)."""
    result: Tensor = network(crops.flatten(0, 1))
    return result.reshape(*crops.shape[:2], *result.shape[1:])


def placed(transform: nn.Module, raw: Tensor) -> Tensor:
    """Raw parameters (B, P) -> pose, in float32 (or float64) whatever autocast says."""
    with torch.autocast(raw.device.type, enabled=False):
        pose: Tensor = transform(raw.float() if raw.dtype != torch.float64 else raw)
    return pose


def candidates_placed(transform: Transform, localizer: nn.Module, look: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Poses (B, K, rows, columns) of a localizer's candidates, and the logarithms of their weights (B, K).

    Raises:
        CropworthError: it has no candidates, or not so many.
    """
    find = getattr(localizer, "candidates", None)
    if find is None:
        raise CropworthError(f"a {type(localizer).__name__}", "a localizer with candidates", "Use a HeatmapLocalizer.")
    raw, log_weights = find(look, count)
    pose = placed(transform, raw.flatten(0, 1))
    return pose.view(*raw.shape[:2], *pose.shape[1:]), log_weights


def several_placed(transforms: Sequence[Transform], raw: Tensor) -> Tensor:
    """Raw parameters (B, sum of P) of several transforms -> poses (B, K, rows, columns).

    Raises:
        CropworthError: there are more or fewer parameters.
    """
    needed = [transform.parameters_needed for transform in transforms]
    if raw.ndim != 2 or raw.shape[1] != sum(needed):
        raise CropworthError(
            f"raw parameters of shape {tuple(raw.shape)}",
            f"(B, {sum(needed)}): {' + '.join(map(str, needed))} for {len(needed)} crops",
            "Give the localizer as many outputs as all transforms need together.",
        )
    parts = torch.split(raw, needed, dim=1)
    return torch.stack([placed(transform, part) for transform, part in zip(transforms, parts, strict=True)], dim=1)


def shrink(images: Tensor, size: Sequence[int] | None) -> Tensor:
    """A smaller copy (B, C, *size) by averaging areas, which does not alias; the images themselves for None."""
    if size is None or tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(images, size=tuple(size), mode="area")
