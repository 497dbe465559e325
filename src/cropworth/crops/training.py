"""What helps a crop to learn: its own learning rate, views that do not depend on it, and a gradient that sees far."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from cropworth.crops.geometry import boxes_to_theta, compose, dimensions, theta_to_boxes, upright
from cropworth.crops.sampling import sample
from cropworth.crops.spatial import Reader
from cropworth.errors import CropworthError

# How far `consistency` changes a picture: the logarithm of the zoom, and the shift in normalised coordinates.
LARGEST_ZOOM, LARGEST_SHIFT = 0.5, 0.2


def parameter_groups(model: nn.Module, lr: float, localizer: float = 0.3) -> list[dict[str, Any]]:
    """Groups for an optimizer in which the localizers learn more slowly (or faster) than the rest.

    A localizer that runs ahead of its classifier leaves the object before the classifier knows it. Parameters that a
    localizer shares with the rest of the model, such as the classifier's first layers, stay with the rest.

    Args:
        model: any module with learned crops in it.
        lr: learning rate of all that is no localizer.
        localizer: learning rate of the localizers, as a multiple of `lr`.

    Returns:
        Two groups, ``{"params": [...], "lr": ...}``, the localizers' last; only the first if there are none.
    """
    names = [name for name, m in model.named_modules(remove_duplicate=False) if isinstance(m, Reader)]
    inside = tuple(f"{name}.localizer.".removeprefix(".") for name in names)
    shared = {id(p) for name, p in model.named_parameters(remove_duplicate=False) if not name.startswith(inside)}
    rest = [p for p in model.parameters() if id(p) in shared]
    own = [p for p in model.parameters() if id(p) not in shared]
    return [{"params": rest, "lr": lr}] + ([{"params": own, "lr": lr * localizer}] if own else [])


def auxiliary_crops(
    images: Tensor,
    kind: Literal["random", "full"],
    scale: tuple[float, float] = (0.2, 1.0),
    generator: torch.Generator | None = None,
) -> Tensor:
    """Poses for a second pass of the classifier that does not depend on the localizer (AdaFocusV2, Wang et al. 2022).

    Add the classifier's loss on ``sample(images, poses, size)`` to the loss on the learned crops: the classifier
    then learns also while the localizer still looks past the object.

    Args:
        images: (B, C, H, W), of which only B, type and device are used.
        kind: ``full`` takes the whole input, ``random`` upright boxes of random place and scale inside it.
        scale: least and greatest scale of a random box, as fractions of the input.
        generator: of the random boxes.

    Returns:
        theta (B, 2, 3).

    Raises:
        CropworthError: the scales are not 0 < low <= high <= 1, or the kind is unknown.
    """
    low, high = scale
    if not 0 < low <= high <= 1 or kind not in ("random", "full"):
        raise CropworthError(
            f"kind = {kind!r}, scale = {scale}",
            "'random' or 'full', and 0 < low <= high <= 1",
            "Choose one, with scales in this order.",
        )
    wide = torch.promote_types(images.dtype, torch.float32)
    if kind == "full":
        return torch.eye(2, 3, dtype=wide, device=images.device).expand(len(images), -1, -1)
    size, x, y = torch.rand(3, len(images), generator=generator, dtype=wide).to(images.device)
    size = low + (high - low) * size
    centre = size / 2 + torch.stack([x, y]) * (1 - size)  # (2, B)
    return boxes_to_theta(torch.stack([centre[0], centre[1], size, size], dim=1))


def jitter(pose: Tensor, amount: float = 0.1, generator: torch.Generator | None = None) -> Tensor:
    """The poses, each a little beside and a little larger or smaller: where to read the crops in training.

    The classifier then learns to read a crop that is not quite in place, as those of a localizer are, and sees more
    than one crop of each object. Give penalties the pose itself. Detectors train on boxes moved like this.

    Args:
        pose: affine or projective (..., rows, columns).
        amount: up to which the logarithm of the zoom goes, and the shift along each axis in halves of the crop.
        generator: of the random changes.

    Returns:
        Poses of the same shape, with the gradient to the given ones.

    Raises:
        CropworthError: the amount is not in [0, 1), or the pose is a spline.
    """
    if not 0 <= amount < 1:
        raise CropworthError(f"amount = {amount}", "0 <= amount < 1", "Try 0.1.")
    d = dimensions(pose)
    draw = torch.rand(*pose.shape[:-2], 1 + d, generator=generator, dtype=pose.dtype).to(pose.device)
    change = amount * (2 * draw - 1)
    zoom = change[..., :1].exp().expand_as(change[..., 1:])
    return compose(pose, upright(zoom, change[..., 1:]))


def set_reach(model: nn.Module, reach: float) -> None:
    """Set how far the gradient of every learned crop in `model` sees, in pixels; see `sample`.

    Call it before each epoch with numbers that fall to 1, such as ``max(1, 8 * (1 - 2 * epoch / epochs))``.
    """
    for module in model.modules():
        if isinstance(module, Reader):
            module.sampling["reach"] = reach


def marginal_loss(logits: Tensor, log_weights: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of a crop that may lie in one of K places: -log sum_k weight_k p_k(label), the mean over items.

    Take the places from `SpatialTransformer.candidates`. Where the label is read better in a place that weighs less,
    the gradient moves weight there. Through the heatmap's centre of mass alone, a place of hardly any weight has hardly
    any gradient, so that a localizer does not learn from the objects that it misses (Ba et al. 2015, multiple object
    recognition with visual attention, section 3: the sum over places, here exact for the likeliest ones).

    Args:
        logits: (B, K, classes), the classifier's for the crop in each place.
        log_weights: (B, K), the logarithms of weights that sum to 1.
        labels: (B,).

    Returns:
        A scalar.

    Raises:
        CropworthError: the sizes do not match.
    """
    if logits.ndim != 3 or logits.shape[:2] != log_weights.shape or logits.shape[:1] != labels.shape:
        raise CropworthError(
            f"logits {tuple(logits.shape)}, log_weights {tuple(log_weights.shape)} and labels {tuple(labels.shape)}",
            "(B, K, classes), (B, K) and (B,)",
            "Run the classifier on every candidate, by on_each.",
        )
    chosen = labels.view(-1, 1, 1).expand(-1, logits.shape[1], 1)
    of_label = logits.log_softmax(-1).gather(-1, chosen).squeeze(-1)  # (B, K)
    return -torch.logsumexp(log_weights + of_label, dim=-1).mean()


def consistency(reader: Reader, look: Tensor, pose: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """How much the crop fails to follow a known change of the picture: a penalty that needs no boxes.

    Each look is zoomed by up to two thirds and shifted by up to a tenth of its width, and of images flipped at random
    along either axis; a crop that sits on the object moves with it. A crop beside the object, or of a fixed size, does
    not: the classifier alone hardly minds either (equivariance as in Thewlis et al. 2017, unsupervised landmarks).

    Args:
        reader: what locates one crop or K: a `Cropper` or a `GlanceAndCrop`.
        look: ``reader.look(images)``, (B, C, *look_size).
        pose: where it crops them now, ``reader.locate(images)``, with its gradient.
        generator: of the random changes.

    Returns:
        A scalar: the mean distance of the two boxes' centres and log-sizes, in units of the crop's own size.
    """
    d = look.ndim - 2
    draw = torch.rand(1 + 2 * d, len(look), generator=generator, dtype=pose.dtype).to(pose.device)
    zoom = torch.exp(LARGEST_ZOOM * (2 * draw[0] - 1)).unsqueeze(-1)  # (B, 1)
    shift = LARGEST_SHIFT * (2 * draw[1 + d :].T - 1)  # (B, d)
    flip = torch.ones_like(shift)
    if d > 1:  # time has a direction: what a sequence shows backwards is not the same thing
        flip = 1 - 2 * (draw[1 : 1 + d] < 0.5).to(pose.dtype).T  # each -1 or 1
    change = upright(zoom * flip, shift)  # (B, d, d + 1)
    moved = sample(look, change, look.shape[2:])
    several = pose.ndim == 4
    followed = compose(change.unsqueeze(1) if several else change, reader.find(moved))
    (c1, s1), (c2, s2) = theta_to_boxes(pose).chunk(2, dim=-1), theta_to_boxes(followed).chunk(2, dim=-1)
    unit = (s1 * s2).sqrt().detach()
    squared = ((c1 - c2) / unit).square().sum(-1) + (s1 / s2).log().square().mean(-1)
    return (squared + 1e-6).sqrt().mean()
