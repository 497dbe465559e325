"""`sample`: the one door to every sampler and kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cropworth.crops import geometry
from cropworth.crops.kernels import operators, reference
from cropworth.crops.kernels.choice import Choice, choose
from cropworth.errors import CropworthError, NotFiniteError

MODES = ("bilinear", "bicubic", "nearest")
PADDINGS = ("zeros", "border", "reflection")


def sample(
    input: Tensor,  # noqa: A002
    theta: Tensor,
    size: Sequence[int],
    *,
    mode: str = "bilinear",
    padding: str = "zeros",
    antialias: bool = False,
    reach: float = 1.0,
) -> Tensor:
    """Resample `input` on the grid that `theta` spans (Jaderberg et al. 2015, section 3.3).

    Differentiable in `input` and `theta`, but in the mode ``nearest`` in `input` alone: the gradient to theta is
    zero there. The coordinates are computed in theta's type, also under autocast; a float32 theta keeps a
    half-precision input's crop in its place. K crops of each image are read without copying the image K times.

    Args:
        input: (B, C, H, W) images, (B, C, T) sequences or (B, C, D, H, W) volumes.
        theta: a pose of any kind, (B, rows, columns), or K of them for each item, (B, K, rows, columns); see
            `geometry`.
        size: the crop's size in pixels, (h, w), (t,) or (d, h, w).
        mode: ``bilinear`` (linear in every dimension), ``nearest``, or, of images and sequences, ``bicubic``.
        padding: what lies outside the input: ``zeros``, ``border`` or ``reflection``.
        antialias: where the crop shrinks the input, average it with a tent as wide as the local scale; of an upright
            crop, what torch's antialiased bilinear resize does, away from the input's edges. Costs (2 scale)**d
            readings for each pixel of the crop.
        reach: in training, how many pixels far the gradient to theta sees: the input is blurred by a tent of this
            half-width before it is read. 1 blurs nothing; `set_reach` brings it there.

    Returns:
        (B, C, *size), or (B, K, C, *size) for K crops; of the input's type.

    Raises:
        CropworthError: the shapes do not belong together, or an option is unknown.
        NotFiniteError: theta is not finite. Where waiting for the values would cost (a GPU, a compiled graph), the
            crop of such a theta is NaN throughout instead.
    """
    _check(input, theta, size, mode, padding, antialias, reach)
    several = theta.ndim == 4
    poses = theta if several else theta.unsqueeze(1)
    waiting_costs = theta.is_cuda or torch.compiler.is_compiling()
    if not waiting_costs:
        _check_finite(theta)
    if reach > 1:
        with torch.autocast(input.device.type, enabled=False):
            input = blur(input, reach, padding)  # noqa: A001
    if choose(input, poses, mode).kernel != "torch":
        crop = operators.crop(input, poses, tuple(size), padding, antialias)
    else:
        with torch.autocast(input.device.type, enabled=False):
            crop = reference.sample(input, poses, tuple(size), mode, padding, antialias)
    if waiting_costs:
        finite = theta.isfinite().flatten(1).all(1)  # (B,)
        crop = torch.where(finite.reshape(-1, *[1] * (crop.ndim - 1)), crop, math.nan)
    return crop if several else crop.squeeze(1)


def explain(
    input: Tensor,  # noqa: A002
    theta: Tensor,
    size: Sequence[int],
    *,
    mode: str = "bilinear",
    padding: str = "zeros",
    antialias: bool = False,
    reach: float = 1.0,
) -> Choice:
    """Which kernel `sample` takes for the same arguments, and why; printed, it is a sentence.

    Raises:
        CropworthError: as `sample`, which is not called.
    """
    _check(input, theta, size, mode, padding, antialias, reach)
    return choose(input, theta, mode)


def blur(input: Tensor, reach: float, padding: str = "zeros") -> Tensor:  # noqa: A002
    """Blur every dimension after the first two by a tent of half-width `reach` pixels: (B, C, ...) -> the same.

    Outside the input is zero, or, with the padding ``border``, what its edge is. A reach of 1 changes nothing.
    """
    steps = torch.arange(1 - math.ceil(reach), math.ceil(reach), dtype=torch.float64, device=input.device)
    tent = 1 - steps.abs() / reach
    tent = (tent / tent.sum()).to(input.dtype)
    spread = (F.conv1d, F.conv2d, F.conv3d)[input.ndim - 3]
    result = input.flatten(0, 1).unsqueeze(1)  # (B * C, 1, ...): each channel for itself
    for axis in range(input.ndim - 2):
        shape = [1] * (input.ndim - 2)
        shape[axis] = len(tent)
        around = [n // 2 for n in shape[::-1] for _ in range(2)]  # both sides of each axis, the last axis first
        wider = F.pad(result, around, "replicate" if padding == "border" else "constant")
        result = spread(wider, tent.view(1, 1, *shape))
    return result.view(input.shape)


def _check(
    input: Tensor,  # noqa: A002
    theta: Tensor,
    size: Sequence[int],
    mode: str,
    padding: str,
    antialias: bool,
    reach: float,
) -> None:
    dims = geometry.dimensions(theta)
    _check_shapes(input, theta, size, dims)
    for name, value, known in (("mode", mode, MODES), ("padding", padding, PADDINGS)):
        if value not in known:
            raise CropworthError(f"{name} = {value!r}", f"one of {', '.join(known)}", "Choose one of them.")
    if mode != "bilinear" and (antialias or (mode == "bicubic" and dims == 3)):
        raise CropworthError(
            f"mode = {mode!r} {'with antialias' if antialias else 'of a volume'}", "mode = 'bilinear'", "Use that."
        )
    if not reach >= 1:
        raise CropworthError(f"reach = {reach}", "at least 1 pixel", "1 blurs nothing.")


def _check_finite(theta: Tensor) -> None:
    # A sum is one quick operation; a finite theta whose sum is not is looked at again.
    if math.isfinite(theta.detach().sum().item()):
        return
    finite = theta.isfinite().flatten(1).all(1)  # (B,)
    if not bool(finite.all()):
        raise NotFiniteError(
            f"theta of shape {tuple(theta.shape)} with {int((~finite).sum())} of {len(theta)} items not finite",
            "finite numbers",
            "Lower the localizer's learning rate, clip its gradient, or use a bounded transform.",
        )


def _check_shapes(input: Tensor, theta: Tensor, size: Sequence[int], dims: int) -> None:  # noqa: A002
    if theta.ndim not in (3, 4) or input.ndim != dims + 2 or theta.shape[0] != input.shape[0]:
        raise CropworthError(
            f"input {tuple(input.shape)} and theta {tuple(theta.shape)}",
            "(B, C, H, W) with (B, 2, 3) or (B, K, 2, 3), (B, C, T) with (B, 1, 2), or (B, C, D, H, W) with (B, 3, 4), "
            "of one batch size",
            "Give one theta, or K of them, for each item.",
        )
    if 0 in input.shape[1:]:
        raise CropworthError(f"input {tuple(input.shape)}", "at least 1 channel and 1 pixel", "Look at the data.")
    if len(size) != dims or min(size) < 1:
        raise CropworthError(
            f"size = {tuple(size)}", f"{dims} sizes of at least 1 pixel", "Give the crop's size in pixels."
        )
