"""A variant of a plan -> the model under study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.localizers import HeatmapLocalizer, Pyramid, RegressionLocalizer
from cropworth.crops.penalties import scale_prior
from cropworth.crops.proposals import ProposalGuidedTransformer, ProposalNetwork
from cropworth.crops.sampling import sample
from cropworth.crops.spatial import Cascade, Cropper, SpatialTransformer, on_each, shrink
from cropworth.crops.training import consistency, jitter, marginal_loss
from cropworth.crops.transforms import Affine, Similarity, Transform, UnboundedAffine, Zoom
from cropworth.data.task import Task
from cropworth.errors import CropworthError
from cropworth.measure.flops import count_flops
from cropworth.models.build import build_backbone, takes
from cropworth.study.plan import Backbone, Centre, Crop, Matched, Oracle, Plan, Small, Variant, Whole

Size = tuple[int, int]

# Sides of the proposals' anchors, in units of the crop's starting scale.
ANCHORS = (0.5, 0.7, 1.0, 1.4, 2.0)


class Classifier(nn.Module):
    """A crop and the backbone behind it.

    Args:
        backbone: images -> logits (B, classes).
        crop: a module with ``locate(images, boxes) -> theta (B, 2, 3)`` and a `size`; None shows it the whole input.
    """

    def __init__(self, backbone: nn.Module, crop: LocatedCrop | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.crop = crop

    def view(self, images: Tensor, boxes: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """What the backbone sees, (B, C, h, w), and where it was cropped, (B, 2, 3), if it was."""
        return (images, None) if self.crop is None else self.crop(images, boxes)

    @property
    def transform(self) -> Transform | None:
        """What bounds the crop, where it is a single learned one."""
        cropper = self.crop.cropper if isinstance(self.crop, LearnedCrop) else None
        return cropper.transform if isinstance(cropper, SpatialTransformer) else None

    def loss(self, images: Tensor, boxes: Tensor | None, labels: Tensor) -> Tensor:
        """What training minimises: the mean cross-entropy, and the crop's penalties."""
        if isinstance(self.crop, LearnedCrop) and self.crop.settings.candidates > 1:
            crops, log_weights = self.crop.candidates(images)
            loss = marginal_loss(on_each(self.backbone, crops), log_weights, labels)
            # The penalties judge the pose in the middle of all candidates, so that they pull these together.
            return loss + self.crop.penalty(images, self.crop.cropper.locate(images), boxes)
        seen, theta = self.view(images, boxes)
        loss = F.cross_entropy(self.backbone(seen), labels)
        return loss if self.crop is None or theta is None else loss + self.crop.penalty(images, theta, boxes)

    def forward(self, images: Tensor, boxes: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W), and true boxes (B, 4) where the variant needs them -> logits (B, classes)."""
        logits: Tensor = self.backbone(self.view(images, boxes)[0])
        return logits


class LocatedCrop(nn.Module):
    """Base of the crops under study: images and true boxes -> what was cropped, and where."""

    def forward(self, images: Tensor, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Images (B, C, H, W), boxes (B, 4) or None -> crops (B, C, h, w) and theta (B, 2, 3) or None."""
        raise NotImplementedError

    def penalty(self, images: Tensor, theta: Tensor, boxes: Tensor | None) -> Tensor:
        """What training adds to the loss for crops of `images` at `theta`, whose true boxes may be known: ()."""
        return images.new_zeros(())


class LearnedCrop(LocatedCrop):
    """A learned crop, which does not look at the boxes."""

    def __init__(self, cropper: Cropper, settings: Crop) -> None:
        super().__init__()
        self.cropper = cropper
        self.settings = settings

    def penalty(self, images: Tensor, theta: Tensor, boxes: Tensor | None) -> Tensor:
        """See `LocatedCrop`."""
        settings, total = self.settings, super().penalty(images, theta, boxes)
        if settings.consistency:
            total = total + settings.consistency * consistency(self.cropper, images, theta)
        if settings.scale_prior:
            total = total + settings.scale_prior * scale_prior(theta, settings.start_scale)
        if settings.box_losses:
            total = total + settings.box_losses * self._box_losses(images, boxes)
        return total

    def _box_losses(self, images: Tensor, boxes: Tensor | None) -> Tensor:
        if boxes is None:
            raise CropworthError("box_losses, but no true boxes", "a task that knows them", "Set box_losses to 0.")
        assert isinstance(self.cropper, ProposalGuidedTransformer)
        known = [box[~box.isnan().any(-1)] for box in boxes.unsqueeze(1)]
        of_scores, of_boxes = self.cropper.proposal_losses(images, known)
        return of_scores + of_boxes

    def forward(self, images: Tensor, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `LocatedCrop`."""
        theta = self.cropper.locate(images)
        return self._read(images, theta), theta

    def candidates(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) -> crops of K candidates (B, K, C, h, w) and the logarithms of their weights (B, K)."""
        theta, log_weights = self.cropper.candidates(images, self.settings.candidates)
        return self._read(images, theta), log_weights

    def _read(self, images: Tensor, theta: Tensor) -> Tensor:
        return self.cropper.read(images, _beside(theta, self.settings.jitter if self.training else 0.0))


class SmallCopy(LocatedCrop):
    """The whole input, shrunk."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `LocatedCrop`; the theta is None, since nothing is cropped."""
        return shrink(images, self.size), None


class CentreCrop(LocatedCrop):
    """The pixels in the middle, by slicing."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `LocatedCrop`."""
        (height, width), (h, w) = images.shape[-2:], self.size
        top, left = (height - h) // 2, (width - w) // 2
        box = [(left + w / 2) / width, (top + h / 2) / height, w / width, h / height]
        theta = boxes_to_theta(images.new_tensor(box)).expand(len(images), -1, -1)
        return images[..., top : top + h, left : left + w], theta


class TrueBoxCrop(LocatedCrop):
    """The true box, resampled to the crop's size."""

    def __init__(self, size: Size, jitter: float) -> None:
        super().__init__()
        self.size = size
        self.jitter = jitter

    def forward(self, images: Tensor, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `LocatedCrop`.

        Raises:
            CropworthError: an image has no true box.
        """
        if boxes is None or bool(boxes.isnan().any()):
            raise CropworthError(
                "images without a true box", "a task that knows one of each", "Leave the oracle out of the plan."
            )
        theta = boxes_to_theta(boxes)
        return sample(images, _beside(theta, self.jitter if self.training else 0.0), self.size), theta


def _beside(theta: Tensor, amount: float) -> Tensor:
    """With jitter, if any; without, nothing is drawn, and records stay what they were."""
    return jitter(theta, amount) if amount else theta


def build_variant(plan: Plan, name: str, task: Task, seed: int, folder: Path | None = None) -> Classifier:
    """Build an untrained variant; its starting weights follow from `seed` alone.

    Args:
        plan: the study.
        name: the variant's name in it.
        task: gives the numbers of channels and classes, and the image size.
        seed: of the starting weights.
        folder: the plan's own, where a user's module may lie.

    Raises:
        CropworthError: the parts do not fit together.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        variant = plan.variants[name]
        backbone = plan.backbone
        if isinstance(variant, Whole) and variant.backbone is not None:
            backbone = variant.backbone
        elif isinstance(variant, Matched):
            backbone = _narrowed(plan, variant, task, folder)
        network = build_backbone(backbone.name, task.channels, len(task.classes), backbone.arguments, folder)
        model = Classifier(network, _crop(variant, task))
    if any(is_lazy(parameter) for parameter in model.parameters()):  # it has no layout yet
        return model
    # With the channels last, a processor's convolutions take half the time in use and two thirds in training.
    return model.to(memory_format=torch.channels_last)


def item_flops(model: Classifier, task: Task) -> int:
    """Floating-point operations of one item's inference.

    Raises:
        CropworthError: the backbone does not take what the crop gives it.
    """
    images = torch.zeros(1, task.channels, *task.image_size)
    boxes = torch.tensor([[0.5, 0.5, 0.5, 0.5]])
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return count_flops(lambda: model(images, boxes))
    except RuntimeError as error:
        raise CropworthError(
            f"an image of {tuple(images.shape[1:])} that the model cannot take ({error})",
            "a size that the backbone accepts",
            "Change data, the crop's size or the backbone.",
        ) from error
    finally:
        model.train(training)


def _crop(variant: Variant, task: Task) -> LocatedCrop | None:
    if not isinstance(variant, Small | Centre | Oracle | Crop):
        return None
    size = (variant.size, variant.size)
    if isinstance(variant, Crop):
        return LearnedCrop(_cropper(variant, task.channels), variant)
    if isinstance(variant, Centre) and variant.size > min(task.image_size):
        raise CropworthError(
            f"a centre crop of {variant.size} pixels from {task.image_size}",
            "a smaller crop",
            "Lower its size.",
        )
    if isinstance(variant, Oracle):
        return TrueBoxCrop(size, variant.jitter)
    return SmallCopy(size) if isinstance(variant, Small) else CentreCrop(size)


def _cropper(variant: Crop, channels: int) -> Cropper:
    size, look, scale = (variant.size, variant.size), _look(variant), variant.start_scale
    transforms = [_transform(variant.transform, (0.5, 0.5, scale, scale))]
    if variant.localizer == "proposals":
        return _guided(variant, channels, transforms[0])
    transforms += [_transform(variant.transform, None) for _ in range(variant.steps - 1)]
    localizers = [
        _localizer(variant, channels, transform.parameters_needed, first=transform is transforms[0])
        for transform in transforms
    ]
    if variant.steps > 1:
        return Cascade(localizers, transforms, size, look_size=look, antialias=variant.antialias)
    return SpatialTransformer(localizers[0], transforms[0], size, look_size=look, antialias=variant.antialias)


def _guided(variant: Crop, channels: int, transform: Transform) -> ProposalGuidedTransformer:
    """A heatmap and a proposal network on the features that a heatmap would have of its own."""
    outputs = transform.parameters_needed
    own = _heatmap(variant, channels, outputs)
    width = own.heatmap.in_channels
    localizer = HeatmapLocalizer(width, outputs, width=width, features=nn.Identity())
    sides = [anchor * variant.start_scale * variant.look_size for anchor in ANCHORS]
    return ProposalGuidedTransformer(
        own.features,
        localizer,
        transform,
        ProposalNetwork(width, sides),
        (variant.size, variant.size),
        look_size=_look(variant),
        antialias=variant.antialias,
    )


def _look(variant: Crop) -> Size:
    return variant.look_size, variant.look_size


def _transform(name: str, start: tuple[float, ...] | None) -> Transform:
    if name == "unbounded-affine":
        return UnboundedAffine()
    bounded = {"zoom": Zoom, "similarity": Similarity, "affine": Affine}
    return cast("Callable[[Any], Transform]", bounded[name])(start)


def _localizer(variant: Crop, channels: int, outputs: int, first: bool) -> nn.Module:
    if variant.localizer == "heatmap":
        return _heatmap(variant, channels, outputs, peak=first)
    return RegressionLocalizer(channels, _look(variant), outputs)


def _heatmap(variant: Crop, channels: int, outputs: int, peak: bool = True) -> HeatmapLocalizer:
    features = Pyramid(channels) if variant.features == "pyramid" else None
    return HeatmapLocalizer(channels, outputs, features=features, peak=peak)


def _narrowed(plan: Plan, variant: Matched, task: Task, folder: Path | None) -> Backbone:
    """The backbone at the width whose FLOPs on the whole input come nearest to the crop variant's."""
    if not takes(plan.backbone.name, "width"):
        raise CropworthError(
            f"the control 'matched' with the backbone {plan.backbone.name!r}",
            "a backbone with a width",
            "Leave the control out, or use the control 'small'.",
        )

    def at(width: int) -> Backbone:
        arguments: dict[str, Any] = {**plan.backbone.arguments, "width": width}
        return Backbone(name=plan.backbone.name, arguments=arguments)

    def flops(width: int) -> int:
        return item_flops(
            Classifier(
                build_backbone(plan.backbone.name, task.channels, len(task.classes), at(width).arguments, folder)
            ),
            task,
        )

    target = item_flops(build_variant(plan, variant.to, task, 0, folder), task)
    width = 1
    while flops(width + 1) <= target:
        width += 1
    return at(width if target - flops(width) <= flops(width + 1) - target else width + 1)
