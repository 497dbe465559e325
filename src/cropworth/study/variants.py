"""A variant of a plan -> the model under study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cropworth.crops.localizers import HeatmapLocalizer, Pyramid, RegressionLocalizer
from cropworth.crops.sequence import TemporalTransformer
from cropworth.crops.spatial import Cascade, Cropper, SpatialTransformer
from cropworth.crops.splines import Warp
from cropworth.crops.transforms import Affine, Similarity, Transform, UnboundedAffine, Zoom
from cropworth.data.signature import Shaped
from cropworth.data.task import Split
from cropworth.errors import CropworthError
from cropworth.measure.flops import count_flops
from cropworth.models.build import build_backbone, takes
from cropworth.models.constant import ConstantAnswer
from cropworth.models.normalise import IMAGENET, Normalise
from cropworth.models.weights import freeze, load_weights
from cropworth.padded import encode
from cropworth.study.classifier import Classifier
from cropworth.study.located import CentreCrop, LearnedCrop, LocatedCrop, SmallCopy, TrueBoxCrop
from cropworth.study.plan import Backbone, Centre, Constant, Crop, Matched, Oracle, Plan, Small, Variant, Whole
from cropworth.study.plan import Normalise as NormaliseSettings

if TYPE_CHECKING:  # it loads torchvision
    from cropworth.crops.proposals import ProposalGuidedTransformer

# Sides of the proposals' anchors, in units of the crop's starting scale.
ANCHORS = (0.5, 0.7, 1.0, 1.4, 2.0)
# Numbers that a word of a text is embedded in.
WORD_WIDTH = 32


def build_variant(plan: Plan, name: str, task: Shaped, seed: int, folder: Path | None = None) -> Classifier:
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
        model = _model(variant, backbone, task, folder)
    if any(is_lazy(parameter) for parameter in model.parameters()):  # it has no layout yet
        return model
    # With the channels last, a processor's convolutions take half the time in use and two thirds in training.
    return model if task.is_sequence else model.to(memory_format=torch.channels_last)


def item_flops(model: Classifier, task: Shaped) -> int:
    """Floating-point operations of one item's inference; of sequences, of one of the greatest length.

    Raises:
        CropworthError: the backbone does not take what the crop gives it.
    """
    item = _blank_item(task)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            answers: list[object] = []
            flops = count_flops(lambda: answers.append(model(item)))
        _check_answer(answers[-1], task)
        return flops
    except CropworthError:
        raise
    except Exception as error:  # of anybody's code
        wanted = "a backbone that takes (series, lengths), such as 'recurrent'," if task.is_sequence else "a backbone"
        raise CropworthError(
            f"an item of {tuple(item.inputs.shape[1:])} that the model cannot take ({error})",
            f"{wanted} and a size that it accepts",
            "Change data, the crop's size or the backbone.",
        ) from error
    finally:
        model.train(training)


def _check_answer(logits: object, task: Shaped) -> None:
    wanted = (1, len(task.classes) or 1)
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != wanted:
        raise CropworthError(
            f"{shape} from the backbone for one item", f"logits of shape {wanted}", "Mend the backbone."
        )


def _blank_item(task: Shaped) -> Split:
    """One item of zeros, ready to compute with."""
    if not task.is_sequence:
        return Split(torch.zeros(1, task.channels, *task.size), torch.zeros(1), torch.full((1, 4), 0.5))
    shape, kind = ((1, *task.size), torch.int64) if task.vocabulary else ((1, *task.size, task.channels), torch.float32)
    steps = torch.tensor(task.size)
    return Split(torch.zeros(shape, dtype=kind), torch.zeros(1), torch.full((1, 2), 0.5), lengths=steps)


def _model(variant: Variant, backbone: Backbone, task: Shaped, folder: Path | None) -> Classifier:
    """Embedding, crop and backbone of a variant, whichever of them it has."""
    channels = WORD_WIDTH if task.vocabulary else task.channels

    frozen: tuple[nn.Module, ...] = ()
    notes: tuple[str, ...] = ()

    def network() -> nn.Module:
        nonlocal frozen, notes
        built = build_backbone(backbone.name, channels, len(task.classes) or 1, backbone.arguments, folder)
        if backbone.weights is not None:
            loaded = load_weights(built, backbone.weights)
            notes = loaded.notes
            frozen += freeze(built, loaded) if backbone.frozen else ()
        return built

    if isinstance(variant, Constant):
        if variant.answer not in task.classes:
            raise CropworthError(
                f"the constant answer {variant.answer!r}",
                f"a class: {', '.join(task.classes) or 'there are none, since a number is to be predicted'}",
                "Choose one of them.",
            )
        return Classifier(ConstantAnswer(len(task.classes), task.classes.index(variant.answer)))
    words = nn.Embedding(task.vocabulary, WORD_WIDTH, padding_idx=0) if task.vocabulary else None
    behind, encoder = network(), None
    if isinstance(variant, Crop) and variant.looks_at == "states":
        source = behind if variant.crops == "states" else network()
        encoder, read_out = (getattr(source, part, None) for part in ("encoder", "read_out"))
        if not isinstance(encoder, nn.Module) or not isinstance(read_out, nn.Module):
            raise CropworthError(
                f"the backbone {backbone.name!r}, whose states are to be looked at",
                "a backbone with the modules encoder and read_out",
                "Use the backbone 'recurrent', or look at the input.",
            )
        behind = read_out if variant.crops == "states" else behind
    if backbone.normalise is not None:
        behind = _normalised(behind, backbone.normalise, task)
    return Classifier(behind, _crop(variant, task, channels, encoder), words, task.numbers, frozen, notes)


def _normalised(backbone: nn.Module, settings: Literal["imagenet"] | NormaliseSettings, task: Shaped) -> nn.Module:
    if task.is_sequence:
        raise CropworthError("normalise of sequences", "images", "Use data.standardise, and leave normalise out.")
    mean, deviation = IMAGENET if settings == "imagenet" else (settings.mean, settings.deviation)
    return nn.Sequential(Normalise(mean, deviation, task.channels), backbone)


def _crop(variant: Variant, task: Shaped, channels: int, encoder: nn.Module | None) -> LocatedCrop | None:
    if not isinstance(variant, Small | Centre | Oracle | Crop):
        return None
    size = (variant.size,) * len(task.size)
    if isinstance(variant, Crop):
        if not task.classes and variant.candidates > 1:
            raise CropworthError("several candidates for a regression", "candidates: 1", "They compare classes.")
        return LearnedCrop(_cropper(variant, task, channels, encoder), variant, encoder)
    if isinstance(variant, Centre) and variant.size > min(task.size):
        raise CropworthError(
            f"a centre crop of {variant.size} pixels or steps from {task.size}",
            "a smaller crop",
            "Lower its size.",
        )
    if isinstance(variant, Oracle):
        return TrueBoxCrop(size, variant.jitter)
    return SmallCopy(size) if isinstance(variant, Small) else CentreCrop(size)


def _cropper(variant: Crop, task: Shaped, channels: int, encoder: nn.Module | None) -> Cropper:
    if task.is_sequence:
        return _temporal(variant, channels if encoder is None else _states_of(encoder, channels))
    if variant.looks_at == "states" or variant.transform == "warp":
        raise CropworthError(
            "a crop in time of images", "looks_at: input, and another transform", "Change the variant."
        )
    size, look, scale = (variant.size, variant.size), (variant.look_size, variant.look_size), variant.start_scale
    transforms = [_transform(variant.transform, (0.5, 0.5, scale, scale))]
    if variant.localizer == "proposals":
        return _guided(variant, channels, transforms[0])
    transforms += [_transform(variant.transform, None) for _ in range(variant.steps - 1)]
    localizers = [
        _localizer(variant, channels, look, transform.parameters_needed, first=transform is transforms[0])
        for transform in transforms
    ]
    if variant.steps > 1:
        return Cascade(localizers, transforms, size, look_size=look, antialias=variant.antialias)
    return SpatialTransformer(localizers[0], transforms[0], size, look_size=look, antialias=variant.antialias)


def _temporal(variant: Crop, channels: int) -> TemporalTransformer:
    """A crop of sequences with so many features."""
    start, smallest = (0.5, variant.start_scale), min(0.1, variant.start_scale / 2)
    known: dict[str, Callable[[], Transform]] = {
        "zoom": lambda: Zoom(start, smallest, dims=1),
        "warp": lambda: Warp(start=start, smallest=smallest),
        "unbounded-affine": lambda: UnboundedAffine(dims=1),
    }
    if variant.transform not in known or variant.localizer == "proposals" or variant.steps > 1:
        raise CropworthError(
            f"localizer {variant.localizer}, transform {variant.transform} and steps {variant.steps} of sequences",
            f"heatmap or regression, {', '.join(known)}, and a single step",
            "Change the variant.",
        )
    transform = known[variant.transform]()
    localizer = _localizer(variant, channels, (variant.look_size,), transform.parameters_needed, first=True)
    return TemporalTransformer(
        localizer, transform, variant.size, look_size=variant.look_size, antialias=variant.antialias
    )


def _states_of(encoder: nn.Module, channels: int) -> int:
    """H, the numbers in each of its states."""
    with torch.no_grad():
        return encode(encoder.eval(), torch.zeros(1, 2, channels), None).shape[-1]


def _guided(variant: Crop, channels: int, transform: Transform) -> ProposalGuidedTransformer:
    """A heatmap and a proposal network on the features that a heatmap would have of its own."""
    from cropworth.crops.proposals import ProposalGuidedTransformer, ProposalNetwork

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
        look_size=(variant.look_size, variant.look_size),
        antialias=variant.antialias,
    )


def _transform(name: str, start: tuple[float, ...] | None) -> Transform:
    if name == "unbounded-affine":
        return UnboundedAffine()
    bounded = {"zoom": Zoom, "similarity": Similarity, "affine": Affine}
    return cast("Callable[[Any], Transform]", bounded[name])(start)


def _localizer(variant: Crop, channels: int, look: tuple[int, ...], outputs: int, first: bool) -> nn.Module:
    if variant.localizer == "heatmap":
        return _heatmap(variant, channels, outputs, peak=first, dims=len(look))
    return RegressionLocalizer(channels, look, outputs)


def _heatmap(variant: Crop, channels: int, outputs: int, peak: bool = True, dims: int = 2) -> HeatmapLocalizer:
    features = Pyramid(channels, dims=dims) if variant.features == "pyramid" else None
    return HeatmapLocalizer(channels, outputs, features=features, peak=peak, dims=dims)


def _narrowed(plan: Plan, variant: Matched, task: Shaped, folder: Path | None) -> Backbone:
    """The backbone at the width whose FLOPs on the whole input come nearest to the crop variant's."""
    if not takes(plan.backbone.name, "width"):
        raise CropworthError(
            f"the control 'matched' with the backbone {plan.backbone.name!r}",
            "a backbone with a width",
            "Leave the control out, or use the control 'small'.",
        )
    if plan.backbone.weights is not None:
        raise CropworthError(
            f"the control 'matched' with the weights {plan.backbone.weights}",
            "a backbone that is trained from the start: weights fit a single width",
            "Leave the control out, or use the control 'small'.",
        )

    def at(width: int) -> Backbone:
        return plan.backbone.model_copy(update={"arguments": {**plan.backbone.arguments, "width": width}})

    def flops(width: int) -> int:
        return item_flops(_model(Whole(control="whole"), at(width), task, folder), task)

    target = item_flops(build_variant(plan, variant.to, task, 0, folder), task)
    width = 1
    while flops(width + 1) <= target:
        width += 1
    return at(width if target - flops(width) <= flops(width + 1) - target else width + 1)
