"""The CPU's kernels, in Numba: compiled when they are first used, and then kept on disk."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numba import cfunc, types
from torch import Tensor

from cropworth.crops.kernels.cpu import linear, tents, upright
from cropworth.crops.kernels.cpu.memory import BFLOAT16, FLOAT16, doubles, take
from cropworth.crops.kernels.cpu.taps import PADDINGS
from cropworth.crops.kernels.cpu.tasks import NEXT_TASK, NEXT_WORKER, Call, read, run
from cropworth.crops.kernels.reference import LARGEST_SCALE

ELEMENTS = {
    torch.float32: types.float32,
    torch.float64: types.float64,
    torch.float16: FLOAT16,
    torch.bfloat16: BFLOAT16,
}


def crop(input: Tensor, poses: Tensor, size: tuple[int, ...], padding: str, antialias: bool) -> Tensor:  # noqa: A002
    """Crops (B, K, C, *size) of input (B, C, ...) at affine poses (B, K, d, d + 1); see `sampling.sample`."""
    result = torch.empty((*poses.shape[:2], input.shape[1], *size), dtype=input.dtype)
    _run("crop", input, poses, result, padding, antialias)
    return result


def to_theta(grad: Tensor, input: Tensor, poses: Tensor, padding: str, antialias: bool) -> Tensor:  # noqa: A002
    """The gradient (B, K, d, d + 1) to the poses, of the gradient (B, K, C, *size) to the crops."""
    sums = _run("to_theta", input, poses, grad, padding, antialias)  # (B * K, parts, 6)
    gradient = (sums.sum(1) if sums.shape[1] > 1 else sums).view(*poses.shape[:2], 2, 3)
    if poses.shape[-2] == 1:
        gradient = gradient[..., :1, ::2]
    return gradient.to(poses.dtype)


def to_input(grad: Tensor, poses: Tensor, shape: Sequence[int], padding: str, antialias: bool) -> Tensor:
    """The gradient to the input, of this shape; only what the crops read is ever touched."""
    # Zeros that the system hands out as they are: memory that no crop read is not even mapped.
    result = torch.from_numpy(np.zeros(tuple(shape), np.float64 if grad.dtype == torch.float64 else np.float32))
    _run("to_input", result, poses, grad, padding, antialias)
    return result.to(grad.dtype)


def _run(name: str, input: Tensor, poses: Tensor, crops: Tensor, padding: str, antialias: bool) -> Tensor:  # noqa: A002
    dims, (batch, count) = poses.shape[-2], poses.shape[:2]
    theta = _as_images(poses)
    height, width = (1, *input.shape[2:])[-2:]
    rows, columns = (1, *crops.shape[3:])[-2:]
    channels = input.shape[1]
    parts = 1
    if name == "to_input":
        units, total = batch, channels
    else:
        units, total = batch * count, rows
    if units:
        work = channels * rows * columns * (count if name == "to_input" else 1)
        parts = max(1, min(-(-TASKS // units), total, work // SMALLEST))
    sums = torch.empty((units, parts, 6), dtype=torch.float64) if name == "to_theta" else None
    call = Call(
        next_task=0,
        next_worker=0,
        tasks=units * parts,
        parts=parts,
        total=total,
        workspace=0,
        workspace_size=max(
            _workspace(name, theta, (height, width), (rows, columns), dims, antialias, crops.dtype),
            tents.workspace(channels, max(4, crops.element_size())),
        ),
        crops=count,
        channels=channels,
        height=height,
        width=width,
        crop_height=rows,
        crop_width=columns,
        dims=dims,
        padding=PADDINGS.index(padding),
        antialias=int(antialias),
        element=crops.element_size(),
        theta=theta.data_ptr(),
        input=input.data_ptr(),
        input_item=input.stride(0),
        input_channel=input.stride(1),
        input_row=input.stride(2) if dims == 2 else 0,
        input_column=input.stride(-1),
        crop=crops.data_ptr(),
        crop_item=crops.stride(0),
        crop_crop=crops.stride(1),
        crop_channel=crops.stride(2),
        crop_row=crops.stride(3) if dims == 2 else 0,
        crop_column=crops.stride(-1),
        sums=sums.data_ptr() if sums is not None else 0,
    )
    if call.tasks:
        run(_compiled(name, crops.dtype), call)
    return sums if sums is not None else crops


TASKS, SMALLEST = 16, 8192


def _workspace(
    name: str,
    theta: Tensor,
    pixels: tuple[int, int],
    places: tuple[int, int],
    dims: int,
    antialias: bool,
    dtype: torch.dtype,
) -> int:
    number = 8 if dtype == torch.float64 else 4
    derive = name == "to_theta"
    lengths = [1.0, 1.0]
    if antialias and len(theta):
        scales = theta.flatten(0, 1).abs().amax(0)
        for axis in range(2):
            most = max(1.0, LARGEST_SCALE[dims] * max(pixels) / places[axis])
            lengths[axis] = min(max(1.0, scales[1 - axis, 1 - axis].item() * pixels[axis] / places[axis]), most)
    runs = [min(math.ceil(2 * length), count) for length, count in zip(lengths, pixels, strict=True)]
    tables = sum(
        (size + 16) * (8 + (3 if derive else 1) * (run + 16) * number) + 64
        for size, run in zip(places, runs, strict=True)
    )
    lines = (3 if derive else 1) * (pixels[1] + 8) * number
    full = sum((size + 16) * (16 + 4 * number) for size in (*places, places[1]))
    lines += 128 * number * 3 + 12 * (places[1] + 16)
    return tables + full + 8 * places[1] + lines + places[1] * (48 + 4 * number) + places[1] * (40 + 8 * number)


def _as_images(poses: Tensor) -> Tensor:
    """Poses (B, K, d, d + 1) as those of images (B, K, 2, 3) in float64; a sequence is an image of one row.

    What is not finite becomes 0: in a compiled graph nobody has looked, and places must be numbers.
    """
    finite = poses.detach().double().nan_to_num(0.0, 0.0, 0.0)
    if poses.shape[-2] == 2:
        return finite.contiguous()
    theta = finite.new_zeros((*poses.shape[:2], 2, 3))
    theta[..., 0, ::2] = finite[..., 0, :]
    return theta


@functools.cache
def _compiled(name: str, dtype: torch.dtype) -> Any:
    signature = types.void(types.CPointer(ELEMENTS[dtype]))
    return cfunc(signature, cache=True, error_model="numpy")(_kernels(_stamp())[name])


@functools.cache
def _stamp() -> int:
    """Of all files of the kernels: Numba's cache looks at the one alone that a kernel begins in."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return int.from_bytes(hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()[:7], "big") + 1


def _kernels(stamp: int) -> dict[str, Any]:
    """What threads run: each takes one piece of work after the other."""

    def crop(data: Any) -> None:
        call = read(data)
        space = call.workspace + call.workspace_size * take(data, NEXT_WORKER) * min(stamp, 1)
        while True:
            task = take(data, NEXT_TASK)
            if task >= call.tasks:
                break
            unit, part = task // call.parts, task % call.parts
            first, last = call.total * part // call.parts, call.total * (part + 1) // call.parts
            item, k = unit // call.crops, unit % call.crops
            theta = call.theta + 48 * unit
            source = call.input + call.element * item * call.input_item
            target = call.crop + call.element * (item * call.crop_item + k * call.crop_crop)
            pose = doubles(theta)
            if not call.antialias:
                linear.crop(data, call, space, theta, source, target, first, last)
            elif pose[1] == 0.0 and pose[3] == 0.0:
                upright.crop(data, call, space, theta, source, target, first, last)
            else:
                tents.crop(data, call, space, theta, source, target, first, last)

    def to_theta(data: Any) -> None:
        call = read(data)
        space = call.workspace + call.workspace_size * take(data, NEXT_WORKER) * min(stamp, 1)
        while True:
            task = take(data, NEXT_TASK)
            if task >= call.tasks:
                break
            unit, part = task // call.parts, task % call.parts
            first, last = call.total * part // call.parts, call.total * (part + 1) // call.parts
            item, k = unit // call.crops, unit % call.crops
            theta = call.theta + 48 * unit
            source = call.input + call.element * item * call.input_item
            target = call.crop + call.element * (item * call.crop_item + k * call.crop_crop)
            result = call.sums + 48 * task
            pose = doubles(theta)
            if not call.antialias:
                linear.to_theta(data, call, space, theta, source, target, result, first, last)
            elif pose[1] == 0.0 and pose[3] == 0.0:
                upright.to_theta(data, call, space, theta, source, target, result, first, last)
            else:
                tents.to_theta(data, call, space, theta, source, target, result, first, last)

    def to_input(data: Any) -> None:
        call = read(data)
        space = call.workspace + call.workspace_size * take(data, NEXT_WORKER) * min(stamp, 1)
        number = call.element if call.element == 8 else 4
        while True:
            task = take(data, NEXT_TASK)
            if task >= call.tasks:
                break
            item, part = task // call.parts, task % call.parts
            first, last = call.total * part // call.parts, call.total * (part + 1) // call.parts
            result = call.input + number * item * call.input_item
            for k in range(call.crops):
                theta = call.theta + 48 * (item * call.crops + k)
                target = call.crop + call.element * (item * call.crop_item + k * call.crop_crop)
                pose = doubles(theta)
                if not call.antialias:
                    linear.to_input(data, call, space, theta, target, result, first, last)
                elif pose[1] == 0.0 and pose[3] == 0.0:
                    upright.to_input(data, call, space, theta, target, result, first, last)
                else:
                    tents.to_input(data, call, space, theta, target, result, first, last)

    return {"crop": crop, "to_theta": to_theta, "to_input": to_input}
