"""Triton kernels: crops straight from theta, and both gradients of them, the same bits in every run.

They read their arguments at whatever strides these have, and never wait for a value of theta. What they compute is
what `reference` defines, but for one choice: of an upright antialiased crop, where the definition has a kink in the
entries of theta that turn and shear, their gradient is that of moving the places alone.
"""

# mypy: disable-error-code="import-untyped,no-untyped-call"

from __future__ import annotations

from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from cropworth.crops.kernels.cuda.crop import crop_kernel
from cropworth.crops.kernels.cuda.to_input import to_input_kernel
from cropworth.crops.kernels.cuda.to_theta import to_theta_kernel
from cropworth.crops.kernels.reference import LARGEST_SCALE

# What a program computes at a time, two or four numbers in each of its threads, and as how many channels: weights of
# several taps cost more than what they weigh, and are better shared.
NUMBERS = 512
TOGETHER = 4
# As many programs keep a large GPU busy. Fewer share out their channels.
ENOUGH = 1024


def crop(input: Tensor, poses: Tensor, size: tuple[int, ...], padding: str, antialias: bool) -> Tensor:  # noqa: A002
    """Crops of the input, (linearly in 1-D, else bilinearly) interpolated; see `cropworth.crops.sampling.sample`.

    Args:
        input: (B, C, T) or (B, C, H, W), of any strides; float16, bfloat16, float32 or float64.
        poses: affine, (B, K, d, d + 1).
        size: the crop's size in pixels, (t,) or (h, w).
        padding: ``zeros``, ``border`` or ``reflection``.
        antialias: average what is shrunk.

    Returns:
        (B, K, C, *size), of input's type; the sums behind it are float32, of a float64 input float64.
    """
    output = input.new_empty(*poses.shape[:2], input.shape[1], *size)
    if output.numel():
        image, plane = _planes(input, 2), _planes(output, 3)
        with torch.cuda.device_of(input):
            options = _options(plane, len(size), padding, antialias, together=antialias)
            crop_kernel[_grid(len(input) * poses.shape[1], plane, options)](
                image,
                poses.contiguous(),
                output,
                poses.shape[1],
                *image.shape[1:],
                *plane.shape[3:],
                *image.stride(),
                **options,
            )
    return output


def to_input(grad: Tensor, poses: Tensor, shape: tuple[int, ...], padding: str, antialias: bool) -> Tensor:
    """The gradient to the input of `crop`, of this shape: grad (B, K, C, *size), of any strides -> grad's type."""
    output = grad.new_empty(shape)
    if output.numel():
        image, plane = _planes(output, 2), _planes(grad, 3)
        with torch.cuda.device_of(grad):
            options = _options(image, len(shape) - 2, padding, antialias, together=True)
            blocks = _ratio(image.shape[-2] * image.shape[-1], options["block_p"])
            to_input_kernel[len(output) * blocks, _ratio(image.shape[1], options["block_c"])](
                plane,
                poses.contiguous(),
                output,
                poses.shape[1],
                *image.shape[1:],
                *plane.shape[3:],
                *plane.stride(),
                **options,
            )
    return output


def to_theta(grad: Tensor, input: Tensor, poses: Tensor, padding: str, antialias: bool) -> Tensor:  # noqa: A002
    """The gradient to the poses of `crop`: grad (B, K, C, *size), of any strides -> (B, K, d, d + 1), poses' type."""
    if not poses.numel():
        return torch.empty_like(poses)
    image, plane = _planes(input, 2), _planes(grad, 3)
    with torch.cuda.device_of(input):
        options = _options(plane, input.ndim - 2, padding, antialias, together=antialias)
        crops = len(input) * poses.shape[1]
        blocks, channels = grid = _grid(crops, plane, options)
        wide = torch.float64 if input.dtype == torch.float64 else torch.float32
        sums = input.new_empty(channels, crops, blocks // crops, *poses.shape[2:], dtype=wide)
        to_theta_kernel[grid](
            plane,
            image,
            poses.contiguous(),
            sums,
            poses.shape[1],
            *image.shape[1:],
            *plane.shape[3:],
            *plane.stride(),
            *image.stride(),
            **options,
        )
    return sums.sum((0, 2), dtype=torch.float64).to(poses.dtype).view(poses.shape)


def _planes(tensor: Tensor, leading: int) -> Tensor:
    """A sequence as an image one pixel high, after as many `leading` sizes: (..., T) -> (..., 1, T)."""
    return tensor.unsqueeze(leading) if tensor.ndim == leading + 1 else tensor


def _options(like: Tensor, dims: int, padding: str, antialias: bool, *, together: bool) -> dict[str, Any]:
    """The kernels' constants, for programs that go through planes (..., C, h, w) like these."""
    block_c = min(TOGETHER, _power_of_two(like.shape[-3])) if together else 1
    return {
        "dims": dims,
        "padding": padding,
        "antialias": antialias,
        "scale": LARGEST_SCALE[dims],
        "type": tl.float64 if like.dtype == torch.float64 else tl.float32,
        "block_c": block_c,
        "block_p": min(NUMBERS // block_c, _power_of_two(like.shape[-2] * like.shape[-1])),
        "enable_fp_fusion": True,
    }


def _grid(planes: int, like: Tensor, options: dict[str, Any]) -> tuple[int, int]:
    """How many programs it takes: for blocks of the pixels of `planes` planes, and for a share of the channels."""
    programs = planes * _ratio(like.shape[-2] * like.shape[-1], options["block_p"])
    return programs, min(_ratio(ENOUGH, programs), _ratio(like.shape[-3], options["block_c"]))


def _ratio(number: int, by: int) -> int:
    return -(-number // by)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
