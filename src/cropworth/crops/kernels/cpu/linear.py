"""Crops of any affine pose by linear interpolation: each place reads two pixels along each axis of the input.

An upright crop is two passes: whole rows of the input are mixed in pairs, and the mixed row is read at the crop's
columns. A turned one reads the four pixels of each place where they lie.
"""

from __future__ import annotations

import functools
from typing import Any

from cropworth.crops.kernels.cpu import linear_turned, linear_upright
from cropworth.crops.kernels.cpu.lanes import COUNT
from cropworth.crops.kernels.cpu.memory import called, doubles, elements, inlined, numbers
from cropworth.crops.kernels.cpu.rows import is_upright, to_half_widths
from cropworth.crops.kernels.cpu.tasks import Call


@functools.lru_cache
def workspace(dims: int, height: int, width: int, crop_height: int, crop_width: int, number: int, derive: bool) -> int:
    """Bytes that a worker needs for an input of this size, in numbers of so many bytes."""
    turned = linear_turned.workspace(dims, crop_height, crop_width, number, derive)
    if height == 1:
        return turned
    return max(turned, linear_upright.workspace(width, crop_height, crop_width, number, derive))


@inlined
def reads_rows(call: Call, pose: Any) -> bool:
    """Whether rows of the input are mixed: of an upright crop, unless its places are few and far apart."""
    few = call.crop_width <= COUNT and abs(pose[0]) * call.width > 2 * COUNT - 3  # see Reading.narrow
    return is_upright(pose) and call.height > 1 and not few


@called
def crop(data: Any, call: Call, space: int, theta: int, source: int, target: int, first: int, last: int) -> None:
    """Rows first to before last of one crop, in all channels.

    Args:
        data: the call's words, a pointer of the elements' type.
        call: the same, read.
        space: address of the workspace.
        theta: address of the crop's pose.
        source: address of the item.
        target: address of the crop.
        first: see above.
        last: see above.
    """
    pixels, result, pose = elements(data, source), elements(data, target), doubles(theta)
    if reads_rows(call, pose):
        linear_upright.crop(data, call, space, pose, pixels, result, first, last)
    else:
        linear_turned.crop(data, call, space, pose, pixels, result, first, last)


@called
def to_theta(
    data: Any, call: Call, space: int, theta: int, source: int, target: int, result: int, first: int, last: int
) -> None:
    """What rows first to before last of one crop, in all channels, add to the gradient of its pose.

    Args:
        data: as in `crop`.
        call: as in `crop`.
        space: as in `crop`.
        theta: as in `crop`.
        source: as in `crop`.
        target: address of the crop's gradient.
        result: address of six float64.
        first: as in `crop`.
        last: as in `crop`.
    """
    pixels, given, pose, sums = elements(data, source), elements(data, target), doubles(theta), doubles(result)
    if reads_rows(call, pose):
        linear_upright.to_theta(data, call, space, pose, pixels, given, sums, first, last)
    else:
        linear_turned.to_theta(data, call, space, pose, pixels, given, sums, first, last)
    to_half_widths(sums, call)


@called
def to_input(data: Any, call: Call, space: int, theta: int, source: int, result: int, first: int, last: int) -> None:
    """Add the gradient of one crop's channels first to before last to those of its item.

    Args:
        data: as in `crop`.
        call: as in `crop`.
        space: as in `crop`.
        theta: as in `crop`.
        source: address of the crop's gradient.
        result: address of the item's gradient, of numbers.
        first: see above.
        last: see above.
    """
    given, target, pose = elements(data, source), numbers(data, result), doubles(theta)
    if is_upright(pose) and call.height > 1:
        linear_upright.to_input(data, call, space, pose, given, target, first, last)
    else:
        linear_turned.to_input(data, call, space, pose, given, target, first, last)
