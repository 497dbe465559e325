"""The kernels as operators of torch, so that its compiler, exporter, profiler and counters see them.

``cropworth::crop`` is differentiable, by ``cropworth::crop_to_input`` and ``cropworth::crop_to_theta``. Autocast leaves
all three alone: a crop is of its input's type, and poses are never rounded.
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils.flop_counter import register_flop_formula

from cropworth.crops.kernels.reference import LARGEST_SCALE

_library = torch.library.Library("cropworth", "DEF")
for _schema in (
    "crop(Tensor input, Tensor poses, SymInt[] size, str padding, bool antialias) -> Tensor",
    "crop_to_input(Tensor grad, Tensor poses, SymInt[] shape, str padding, bool antialias) -> Tensor",
    "crop_to_theta(Tensor grad, Tensor input, Tensor poses, str padding, bool antialias) -> Tensor",
):
    _library.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))
    for _autocast in ("AutocastCPU", "AutocastCUDA"):
        _library.impl(_schema[: _schema.index("(")], torch.library.fallthrough_kernel, _autocast)


def crop(input: Tensor, poses: Tensor, size: tuple[int, ...], padding: str, antialias: bool) -> Tensor:  # noqa: A002
    """Linear crops (B, K, C, *size) of input (B, C, ...) at affine poses (B, K, d, d + 1); see `sampling.sample`."""
    cropped: Tensor = torch.ops.cropworth.crop.default(input, poses, size, padding, antialias)
    return cropped


@functools.cache
def _kernels(device: str) -> ModuleType:
    """The module of a device's kernels; imported when one is first run, since compilers are large."""
    return importlib.import_module(f"cropworth.crops.kernels.{device}")


def _register(name: str, device: str) -> None:
    def run(*args: Any) -> Tensor:
        result: Tensor = getattr(_kernels(device), name.removeprefix("crop_"))(*args)
        return result

    _library.impl(name, run, device.upper())


for _name in ("crop", "crop_to_input", "crop_to_theta"):
    for _device in ("cpu", "cuda"):
        _register(_name, _device)


@torch.library.register_fake("cropworth::crop", lib=_library)
def _crop_fake(input: Tensor, poses: Tensor, size: list[int], padding: str, antialias: bool) -> Tensor:  # noqa: A002
    return input.new_empty((*poses.shape[:2], input.shape[1], *size))


@torch.library.register_fake("cropworth::crop_to_input", lib=_library)
def _to_input_fake(grad: Tensor, poses: Tensor, shape: list[int], padding: str, antialias: bool) -> Tensor:
    return grad.new_empty(shape)


@torch.library.register_fake("cropworth::crop_to_theta", lib=_library)
def _to_theta_fake(grad: Tensor, input: Tensor, poses: Tensor, padding: str, antialias: bool) -> Tensor:  # noqa: A002
    return torch.empty_like(poses, memory_format=torch.contiguous_format)


class _Crop(torch.autograd.Function):
    """The crop with its gradients; `torch.library.register_autograd` would make the same, half as slow again."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,  # noqa: A002
        poses: Tensor,
        size: tuple[int, ...],
        padding: str,
        antialias: bool,
    ) -> Tensor:
        # The gradient to the input asks for its shape alone, and a large input need not be kept for that.
        ctx.save_for_backward(input if ctx.needs_input_grad[1] else None, poses)
        ctx.shape, ctx.padding, ctx.antialias = input.shape, padding, antialias
        with torch._C._AutoDispatchBelowAutograd():
            return crop(input, poses, size, padding, antialias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        seen, poses = ctx.saved_tensors
        to_input = to_theta = None
        if ctx.needs_input_grad[0]:
            to_input = torch.ops.cropworth.crop_to_input.default(grad, poses, ctx.shape, ctx.padding, ctx.antialias)
        if ctx.needs_input_grad[1]:
            to_theta = torch.ops.cropworth.crop_to_theta.default(grad, seen, poses, ctx.padding, ctx.antialias)
        return to_input, to_theta, None, None, None


def _differentiable(input: Tensor, poses: Tensor, *options: Any) -> Tensor:  # noqa: A002
    if torch.is_grad_enabled() and (input.requires_grad or poses.requires_grad):
        result: Tensor = _Crop.apply(input, poses, *options)
        return result
    with torch._C._AutoDispatchBelowAutograd():
        return crop(input, poses, *options)


_library.impl("crop", _differentiable, "Autograd")


# Of one pixel of a crop: its place in pixels of the input (two multiply-adds) and four weights; and in each channel a
# multiply-add for each pixel that is read.
FLOPS_PER_PIXEL = 10


def flops(shape: Sequence[int], poses: Tensor, size: Sequence[int], antialias: bool) -> int:
    """Operations of crops as they are defined; a tent counts as wide as it is, or as it may be where theta is unknown.

    Args:
        shape: of the input, (B, C, ...).
        poses: (B, K, d, d + 1).
        size: of the crop.
        antialias: see `sampling.sample`.
    """
    read = torch.full(poses.shape[:2], 2.0 ** len(size), dtype=torch.float64)  # pixels for one of a crop: (B, K)
    if antialias:
        pixels = torch.tensor(shape[:1:-1], dtype=torch.float64)  # x first
        for axis, count in enumerate(size[::-1]):
            most = max(1.0, LARGEST_SCALE[len(size)] * max(shape[2:]) / count)
            if isinstance(poses, FakeTensor):
                read *= most
            else:
                length = (poses[..., axis].cpu().double() * pixels / count).norm(dim=-1)  # (B, K)
                read *= length.clamp(1.0, most)
    return math.prod(size) * round(FLOPS_PER_PIXEL * read.numel() + 2 * shape[1] * read.sum().item())


@register_flop_formula(torch.ops.cropworth.crop, get_raw=True)
def _crop_flops(input: Tensor, poses: Tensor, size: list[int], _: str, antialias: bool, **__: Any) -> int:  # noqa: A002
    return flops(input.shape, poses, size, antialias)


@register_flop_formula(torch.ops.cropworth.crop_to_input, get_raw=True)
def _to_input_flops(grad: Tensor, poses: Tensor, shape: list[int], _: str, antialias: bool, **__: Any) -> int:
    return flops(shape, poses, grad.shape[3:], antialias)


@register_flop_formula(torch.ops.cropworth.crop_to_theta, get_raw=True)
def _to_theta_flops(
    grad: Tensor,
    input: Tensor,  # noqa: A002
    poses: Tensor,
    _: str,
    antialias: bool,
    **__: Any,
) -> int:
    return flops(input.shape, poses, grad.shape[3:], antialias)
