"""The CPU's kernels, in Numba: compiled when they are first used, and then kept on disk.

Where the loops are: `linear_upright` and `linear_turned` interpolate, `upright` averages along the input's axes and
`tents` along a turned crop's.
`compiled` makes programs of them that threads run, `tasks` runs these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cropworth.crops.kernels.cpu import linear, tents, upright
from cropworth.crops.kernels.cpu.compiled import compiled
from cropworth.crops.kernels.cpu.taps import PADDINGS
from cropworth.crops.kernels.cpu.tasks import Words, run

# A call is cut into about as many pieces, but not into smaller ones, in numbers of a crop. How many processors there
# are has no part in it, so that the same numbers are added up in the same order everywhere.
PIECES, SMALLEST = 16, 8192


def crop(input: Tensor, poses: Tensor, size: tuple[int, ...], padding: str, antialias: bool) -> Tensor:  # noqa: A002
    """Crops of the input by linear interpolation, or averaged where they shrink it; see `sampling.sample`.

    Args:
        input: (B, C, T) or (B, C, H, W), of any strides; float16, bfloat16, float32 or float64.
        poses: affine, (B, K, d, d + 1).
        size: the crop's size in pixels, (t,) or (h, w).
        padding: ``zeros``, ``border`` or ``reflection``.
        antialias: average what is shrunk.

    Returns:
        (B, K, C, *size), of input's type; the sums behind it are float32, of a float64 input float64.
    """
    result = torch.empty((*poses.shape[:2], input.shape[1], *size), dtype=input.dtype)
    _run("crop", input, poses, result, padding, antialias)
    return result


def to_theta(grad: Tensor, input: Tensor, poses: Tensor, padding: str, antialias: bool) -> Tensor:  # noqa: A002
    """The gradient to the poses of `crop`: grad (B, K, C, *size), of any strides -> (B, K, d, d + 1), poses' type."""
    sums = _run("to_theta", input, poses, grad, padding, antialias)  # (B * K, parts, 6)
    gradient = (sums.sum(1) if sums.shape[1] > 1 else sums).view(*poses.shape[:2], 2, 3)
    if poses.shape[-2] == 1:
        gradient = gradient[..., :1, ::2]
    return gradient.to(poses.dtype)


def to_input(grad: Tensor, poses: Tensor, shape: Sequence[int], padding: str, antialias: bool) -> Tensor:
    """The gradient to the input of `crop`, of this shape: grad (B, K, C, *size), of any strides -> grad's type.

    Only what the crops read is touched; of a half, whose sums are float32, all of it is, when it is rounded.
    """
    # Zeros that the system hands out as they are: memory that no crop read is not even mapped.
    result = torch.from_numpy(np.zeros(tuple(shape), np.float64 if grad.dtype == torch.float64 else np.float32))
    _run("to_input", result, poses, grad, padding, antialias)
    return result.to(grad.dtype)


def _run(name: str, input: Tensor, poses: Tensor, crops: Tensor, padding: str, antialias: bool) -> Tensor:  # noqa: A002
    """Run a kernel; of `to_theta` the sums of each crop and each of its parts, (B * K, parts, 6) in float64."""
    theta, count, channels = _as_images(poses), poses.shape[1], input.shape[1]
    to_input = name == "to_input"
    # A sequence is an image of one row.
    height, width = (1, *input.shape[2:])[-2:]
    rows, columns = (1, *crops.shape[3:])[-2:]
    input_strides, crop_strides = input.stride(), crops.stride()
    units, total = (len(input), channels) if to_input else (len(input) * count, rows)
    work = channels * rows * columns * (count if to_input else 1)
    parts = max(1, min(-(-PIECES // max(1, units)), total, work // SMALLEST))
    number, derive = (8 if crops.dtype == torch.float64 else 4), name == "to_theta"
    sums = torch.empty((units, parts, 6), dtype=torch.float64) if derive else theta
    call = Words(
        tasks=units * parts,
        parts=parts,
        total=total,
        workspace_size=linear.workspace(poses.shape[-2], height, width, rows, columns, number, derive),
        crops=count,
        channels=channels,
        height=height,
        width=width,
        crop_height=rows,
        crop_width=columns,
        dims=poses.shape[-2],
        padding=PADDINGS.index(padding),
        antialias=int(antialias),
        element=crops.element_size(),
        theta=theta.data_ptr(),
        input=input.data_ptr(),
        input_item=input_strides[0],
        input_channel=input_strides[1],
        input_row=input_strides[2] if height > 1 else 0,
        input_column=input_strides[-1],
        crop=crops.data_ptr(),
        crop_item=crop_strides[0],
        crop_crop=crop_strides[1],
        crop_channel=crop_strides[2],
        crop_row=crop_strides[3] if rows > 1 else 0,
        crop_column=crop_strides[-1],
        sums=sums.data_ptr(),
    )
    if not theta.numel():
        return sums
    if antialias:
        scales = theta.flatten(0, 1).nan_to_num(0.0).abs().amax(0)  # (2, 3)
        upright_needs = upright.workspace(call, number, derive, scales[1, 1].item(), scales[0, 0].item())
        call.workspace_size = max(upright_needs, tents.workspace(call, number))
    run(compiled(name, crops.dtype, antialias), call)
    return sums


def _as_images(poses: Tensor) -> Tensor:
    """Poses (B, K, d, d + 1) as those of images (B, K, 2, 3) in float64; a sequence is an image of one row."""
    if poses.shape[-2] == 2:
        return poses.detach().to(torch.float64).contiguous()
    theta = torch.zeros((*poses.shape[:2], 2, 3), dtype=torch.float64)
    theta[..., 0, ::2] = poses.detach()[..., 0, :]
    return theta
