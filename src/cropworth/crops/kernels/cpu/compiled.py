"""The kernels as machine code, one program for each operation and type of element.

A program takes one piece of work after the other, until none is left; as many threads as there are run it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numba import cfunc, types

from cropworth.crops.kernels.cpu import linear, tents, upright
from cropworth.crops.kernels.cpu.memory import BFLOAT16, FLOAT16, doubles, inlined, take
from cropworth.crops.kernels.cpu.rows import is_upright
from cropworth.crops.kernels.cpu.tasks import NEXT_TASK, NEXT_WORKER, Call, read

ELEMENTS = {
    torch.float32: types.float32,
    torch.float64: types.float64,
    torch.float16: FLOAT16,
    torch.bfloat16: BFLOAT16,
}
POSE, SUMS = 48, 48  # bytes of a pose, and of a gradient to it: six float64


@functools.cache
def compiled(name: str, dtype: torch.dtype, antialias: bool) -> Any:
    """The program for ``crop``, ``to_theta`` or ``to_input`` of tensors of this type, with what it needs alone."""
    program = {"crop": _crop, "to_theta": _to_theta, "to_input": _to_input}[name](_stamp(), antialias)
    return cfunc(types.void(types.CPointer(ELEMENTS[dtype])), cache=True, error_model="numpy")(program)


@functools.cache
def _stamp() -> int:
    """Of the kernels' source files.

    Numba keeps a program until the file that it begins in changes, or what is bound in it, but looks into no other
    file. The stamp, bound in each program, makes it look into all.
    """
    files = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()
    return int.from_bytes(digest[:7], "big") | 1  # not zero


@inlined
def _bounds(call: Call, part: int) -> tuple[int, int]:
    """What a part of a unit goes from and to."""
    return call.total * part // call.parts, call.total * (part + 1) // call.parts


@inlined
def _addresses(call: Call, item: int, k: int) -> tuple[int, int]:
    """Of a crop's pose, and of the crop."""
    theta = call.theta + POSE * (item * call.crops + k)
    return theta, call.crop + call.element * (item * call.crop_item + k * call.crop_crop)


def _crop(stamp: int, antialias: bool) -> Callable[[Any], None]:
    def program(data: Any) -> None:
        call = read(data)
        space = call.workspace + call.workspace_size * take(data, NEXT_WORKER) if stamp else 0
        while True:
            task = take(data, NEXT_TASK)
            if task >= call.tasks:
                break
            item, k = task // call.parts // call.crops, task // call.parts % call.crops
            first, last = _bounds(call, task % call.parts)
            theta, target = _addresses(call, item, k)
            source = call.input + call.element * item * call.input_item
            if not antialias:
                linear.crop(data, call, space, theta, source, target, first, last)
            elif is_upright(doubles(theta)):
                upright.crop(data, call, space, theta, source, target, first, last)
            else:
                tents.crop(data, call, space, theta, source, target, first, last)

    return program


def _to_theta(stamp: int, antialias: bool) -> Callable[[Any], None]:
    def program(data: Any) -> None:
        call = read(data)
        space = call.workspace + call.workspace_size * take(data, NEXT_WORKER) if stamp else 0
        while True:
            task = take(data, NEXT_TASK)
            if task >= call.tasks:
                break
            item, k = task // call.parts // call.crops, task // call.parts % call.crops
            first, last = _bounds(call, task % call.parts)
            theta, target = _addresses(call, item, k)
            source = call.input + call.element * item * call.input_item
            result = call.sums + SUMS * task
            if not antialias:
                linear.to_theta(data, call, space, theta, source, target, result, first, last)
            elif is_upright(doubles(theta)):
                upright.to_theta(data, call, space, theta, source, target, result, first, last)
            else:
                tents.to_theta(data, call, space, theta, source, target, result, first, last)

    return program


def _to_input(stamp: int, antialias: bool) -> Callable[[Any], None]:
    def program(data: Any) -> None:
        call = read(data)
        space = call.workspace + call.workspace_size * take(data, NEXT_WORKER) if stamp else 0
        number = 8 if call.element == 8 else 4
        while True:
            task = take(data, NEXT_TASK)
            if task >= call.tasks:
                break
            item = task // call.parts
            first, last = _bounds(call, task % call.parts)
            result = call.input + number * item * call.input_item
            for k in range(call.crops):
                theta, target = _addresses(call, item, k)
                if not antialias:
                    linear.to_input(data, call, space, theta, target, result, first, last)
                elif is_upright(doubles(theta)):
                    upright.to_input(data, call, space, theta, target, result, first, last)
                else:
                    tents.to_input(data, call, space, theta, target, result, first, last)

    return program
