"""Triton kernels: crops straight from theta, and both gradients of them, the same bits in every run.

They read their arguments at whatever strides these have, and never wait for a value of theta. What they compute is
what `reference` defines, but for one choice: of an upright antialiased crop, where the definition has a kink in the
entries of theta that turn and shear, their gradient is that of moving the places alone.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from cropworth.crops.kernels.cuda.crop import crop_kernel
from cropworth.crops.kernels.cuda.to_input import to_input_kernel
from cropworth.crops.kernels.cuda.to_theta import to_theta_kernel
from cropworth.crops.kernels.reference import LARGEST_SCALE

# What a program computes: four numbers in each of 128 threads. Places and weights serve all its channels at once.
NUMBERS = 512
CHANNELS = 4


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
            options = _options(input, padding, antialias)
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
            options = _options(output, padding, antialias)
            to_input_kernel[_grid(len(output), image, options)](
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
        options = _options(input, padding, antialias)
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
    """Sequences as images one pixel high: (..., T) -> (..., 1, T), after as many `leading` sizes; images as they are."""
    return tensor.unsqueeze(leading) if tensor.ndim == leading + 1 else tensor


def _options(image: Tensor, padding: str, antialias: bool) -> dict[str, Any]:
    dims = image.ndim - 2
    block_c = min(CHANNELS, 1 << (image.shape[1] - 1).bit_length())
    return {
        "dims": dims,
        "padding": padding,
        "antialias": antialias,
        "scale": LARGEST_SCALE[dims],
        "type": tl.float64 if image.dtype == torch.float64 else tl.float32,
        "block_c": block_c,
        "block_p": NUMBERS // block_c,
        "enable_fp_fusion": True,
    }


def _grid(planes: int, like: Tensor, options: dict[str, Any]) -> tuple[int, int]:
    """The programs that it takes for a number of planes (..., C, h, w) like these: blocks of pixels, and of channels."""
    pixels = like.shape[-2] * like.shape[-1]
    return planes * -(-pixels // options["block_p"]), -(-like.shape[-3] // options["block_c"])
