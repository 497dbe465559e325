"""What helps a crop to learn: its own learning rate, views that do not depend on it, and a gradient that sees far."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.spatial import Cropper
from cropworth.errors import CropworthError


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
    names = [name for name, m in model.named_modules(remove_duplicate=False) if isinstance(m, Cropper)]
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


def set_reach(model: nn.Module, reach: float) -> None:
    """Set how far the gradient of every learned crop in `model` sees, in pixels; see `sample`.

    Call it before each epoch with numbers that fall to 1, such as ``max(1, 8 * (1 - 2 * epoch / epochs))``.
    """
    for module in model.modules():
        if isinstance(module, Cropper):
            module.sampling["reach"] = reach
