"""Crops of any affine pose by bilinear interpolation: each place reads four pixels, wherever it lies."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.memory import (
    called,
    doubles,
    elements,
    inlined,
    load,
    longs,
    number_size,
    numbers,
    store,
)
from cropworth.crops.kernels.cpu.moments import add_moments, clear, write_moments
from cropworth.crops.kernels.cpu.taps import REFLECTION, ZEROS, centre, in_pixels
from cropworth.crops.kernels.cpu.tasks import Call


class Side(NamedTuple):
    """Along one axis of the input, for each place of a row of a crop: two neighbouring pixels' weights and slopes.

    Attributes:
        at: the place in pixels.
        turn: its derivative by the place before padding.
        weights: of both pixels, one after the other.
        slopes: their derivatives by the place.
    """

    at: Any
    turn: Any
    first: Any
    second: Any
    first_slope: Any
    second_slope: Any


class Places(NamedTuple):
    """Of one row of a crop: where the four pixels of each place begin, and their weights by axis."""

    starts: Any
    x: Side
    y: Side


@inlined
def places_bytes(count: int, number: int) -> int:
    """Bytes of the places of a row."""
    return count * (8 + 2 * (16 + 4 * number))


@called
def room_for_side(data: Any, space: int, count: int) -> Side:
    """Room for one axis in the workspace at `space`."""
    step, numbers_at = count * number_size(data), space + 16 * count
    return Side(
        doubles(space),
        doubles(space + 8 * count),
        numbers(data, numbers_at),
        numbers(data, numbers_at + step),
        numbers(data, numbers_at + 2 * step),
        numbers(data, numbers_at + 3 * step),
    )


@called
def room_for_places(data: Any, space: int, count: int) -> Places:
    """Room for the places of a row in the workspace at `space`."""
    x = room_for_side(data, space + 8 * count, count)
    y = room_for_side(data, space + (24 + 4 * number_size(data)) * count, count)
    return Places(longs(space), x, y)


@called
def fold(side: Side, count: int, pixels: int, padding: int) -> None:
    """Move the places of a row to where no other padding than zeros is needed."""
    for j in range(count):
        at = side.at[j]
        if padding == REFLECTION:
            from_edge = abs(at + 0.5)
            if at < -0.5:
                side.turn[j] = -side.turn[j]
            turns = math.floor(from_edge / pixels)
            at = from_edge - turns * pixels - 0.5
            if int(turns) % 2 == 1:
                at = pixels - 1.0 - at
                side.turn[j] = -side.turn[j]
        if at <= 0.0 or at >= pixels - 1.0:
            side.turn[j] = 0.0
        side.at[j] = min(max(at, 0.0), pixels - 1.0)


@called
def weigh(side: Side, starts: Any, step: int, count: int, pixels: int) -> None:
    """Weights of each place's two pixels, and to `starts` what the first of them adds, `step` for each pixel."""
    last = max(pixels - 2.0, 0.0)
    other = 1.0 if pixels > 1 else 0.0  # an input of one pixel has no second
    for j in range(count):
        at, turn = side.at[j], side.turn[j]
        below = math.floor(at)
        pixel = min(max(below, 0.0), last)
        starts[j] += int(pixel) * step
        side.first[j] = max(0.0, 1.0 - abs(pixel - at))
        side.second[j] = other * max(0.0, 1.0 - abs(pixel + 1.0 - at))
        side.first_slope[j] = turn * ((1.0 if pixel == below + 1.0 else 0.0) - (1.0 if pixel == below else 0.0))
        side.second_slope[j] = (
            other * turn * ((1.0 if pixel == below else 0.0) - (1.0 if pixel == below - 1.0 else 0.0))
        )


@called
def place_row(there: Places, call: Call, pose: Any, i: int, row_step: int, column_step: int) -> None:
    """Find the places of row i of a crop; the steps are those of the input."""
    y, count = centre(i, call.crop_height), call.crop_width
    for j in range(count):
        x = centre(j, count)
        there.starts[j] = 0
        there.x.at[j] = in_pixels(pose[0] * x + pose[1] * y + pose[2], call.width)
        there.y.at[j] = in_pixels(pose[3] * x + pose[4] * y + pose[5], call.height)
        there.x.turn[j] = 1.0
        there.y.turn[j] = 1.0
    if call.padding != ZEROS:
        fold(there.x, count, call.width, call.padding)
        fold(there.y, count, call.height, call.padding)
    weigh(there.x, there.starts, column_step, count, call.width)
    weigh(there.y, there.starts, row_step, count, call.height)


@called
def crop(data: Any, call: Call, space: int, theta: int, source: int, target: int, first: int, last: int) -> None:
    """Rows first to before last of one crop in all channels; see `upright.crop`."""
    there = room_for_places(data, space, call.crop_width)
    pixels, result, pose = elements(data, source), elements(data, target), doubles(theta)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    for i in range(first, last):
        place_row(there, call, pose, i, call.input_row, call.input_column)
        for channel in range(call.channels):
            plane = channel * call.input_channel
            out = channel * call.crop_channel + i * call.crop_row
            for j in range(call.crop_width):
                at = plane + there.starts[j]
                top = there.x.first[j] * load(pixels, at) + there.x.second[j] * load(pixels, at + right)
                at += down
                bottom = there.x.first[j] * load(pixels, at) + there.x.second[j] * load(pixels, at + right)
                store(result, out + j * call.crop_column, there.y.first[j] * top + there.y.second[j] * bottom)


@called
def to_theta(
    data: Any, call: Call, space: int, theta: int, source: int, target: int, result: int, first: int, last: int
) -> None:
    """What rows first to before last of one crop add to the gradient of its pose; see `upright.to_theta`."""
    there = room_for_places(data, space, call.crop_width)
    space += places_bytes(call.crop_width, number_size(data))
    across, size = call.crop_width, number_size(data)
    by_x, by_y = numbers(data, space), numbers(data, space + across * size)
    sums = doubles(space + 2 * across * size)
    clear(sums, 0, 4 * across)
    pixels, given, pose = elements(data, source), elements(data, target), doubles(theta)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    for i in range(first, last):
        place_row(there, call, pose, i, call.input_row, call.input_column)
        clear(by_x, 0, 2 * across)
        for channel in range(call.channels):
            plane = channel * call.input_channel
            out = channel * call.crop_channel + i * call.crop_row
            for j in range(across):
                at = plane + there.starts[j]
                weight = load(given, out + j * call.crop_column)
                first_left, first_right = load(pixels, at), load(pixels, at + right)
                at += down
                second_left, second_right = load(pixels, at), load(pixels, at + right)
                left = there.y.first[j] * first_left + there.y.second[j] * second_left
                other = there.y.first[j] * first_right + there.y.second[j] * second_right
                by_x[j] += weight * (there.x.first_slope[j] * left + there.x.second_slope[j] * other)
                top = there.x.first[j] * first_left + there.x.second[j] * first_right
                bottom = there.x.first[j] * second_left + there.x.second[j] * second_right
                by_y[j] += weight * (there.y.first_slope[j] * top + there.y.second_slope[j] * bottom)
        add_moments(sums, by_x, by_y, centre(i, call.crop_height), across)
    write_moments(doubles(result), sums, call)


@called
def to_input(data: Any, call: Call, space: int, theta: int, source: int, result: int, first: int, last: int) -> None:
    """Add the gradient of one crop's channels first to before last to those of its item; see `upright.to_input`."""
    there = room_for_places(data, space, call.crop_width)
    given, target, pose = elements(data, source), numbers(data, result), doubles(theta)
    down = call.width if call.height > 1 else 0
    right = 1 if call.width > 1 else 0
    for i in range(call.crop_height):
        place_row(there, call, pose, i, call.width, 1)
        for channel in range(first, last):
            plane = channel * call.height * call.width
            out = channel * call.crop_channel + i * call.crop_row
            for j in range(call.crop_width):
                at = plane + there.starts[j]
                weight = load(given, out + j * call.crop_column)
                top, bottom = weight * there.y.first[j], weight * there.y.second[j]
                target[at] += top * there.x.first[j]
                target[at + right] += top * there.x.second[j]
                target[at + down] += bottom * there.x.first[j]
                target[at + down + right] += bottom * there.x.second[j]
