"""Crops along the input's own axes: separable, so that a crop is two passes over the part of the input it reads.

The first pass mixes whole rows of the input, which processors do many pixels at a time; the second reads the mixed row
at the places of the crop's columns. Linear interpolation is a tent one pixel wide, so that plain and antialiased crops
are one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.memory import (
    BLOCK,
    LINE,
    called,
    dot,
    doubles,
    elements,
    inlined,
    load,
    number_size,
    numbers,
    prefetch,
    store,
)
from cropworth.crops.kernels.cpu.moments import add_moments, clear, write_moments
from cropworth.crops.kernels.cpu.taps import Axis, axis_bytes, centre, place_axis, widest
from cropworth.crops.kernels.cpu.tasks import Call

AHEAD = 2  # rows of a crop between asking for what one reads and reading it


class Tables(NamedTuple):
    """Of one crop: both axes, the columns of the input that it reads, and the workspace that is left."""

    rows: Axis
    columns: Axis
    left: int
    span: int


@called
def tables(data: Any, call: Call, space: int, theta: int, derive: bool) -> Tables:
    """Tables of the crop whose pose is at the address `theta`, made in the workspace at `space`."""
    pose = doubles(theta)
    tall, wide = 1.0, 1.0
    if call.antialias:
        longest = max(call.height, call.width)
        tall = abs(pose[4]) * call.height / call.crop_height
        wide = abs(pose[0]) * call.width / call.crop_width
        tall = min(max(tall, 1.0), widest(call.crop_height, longest, call.dims))
        wide = min(max(wide, 1.0), widest(call.crop_width, longest, call.dims))
    rows = place_axis(data, space, call.crop_height, call.height, pose[4], pose[5], tall, call.padding, derive)
    space += axis_bytes(call.crop_height, rows.room, number_size(data), derive)
    columns = place_axis(data, space, call.crop_width, call.width, pose[0], pose[2], wide, call.padding, derive)
    left, right = call.width, 0
    for place in range(call.crop_width):
        left = min(left, columns.starts[place])
        right = max(right, columns.starts[place] + columns.run)
    return Tables(rows, columns, left, right - left)


@called
def mix_rows(
    mixed: Any, source: Any, at: int, down: int, across: int, weights: Any, place: int, run: int, count: int
) -> None:
    """The weighted sum of a run of rows: into mixed, (count,).

    Args:
        mixed: see above.
        source: elements.
        at: the first row's first pixel.
        down: steps from row to row.
        across: steps from pixel to pixel.
        weights: of rows, the first at `place`.
        place: see above.
        run: number of rows.
        count: number of pixels.
    """
    if across != 1:
        for i in range(count):
            total = weights[place] * load(source, at + i * across)
            for tap in range(1, run):
                total += weights[place + tap] * load(source, at + tap * down + i * across)
            mixed[i] = total
        return
    first = weights[place]
    if run == 1:
        for i in range(count):
            mixed[i] = first * load(source, at + i)
        return
    second, there = weights[place + 1], at + down
    for i in range(count):
        mixed[i] = first * load(source, at + i) + second * load(source, there + i)
    # Two rows at once, so that what was mixed is read and written half as often; the last one alone.
    for tap in range(2, run - 1, 2):
        first, second = weights[place + tap], weights[place + tap + 1]
        here = at + tap * down
        there = here + down
        for i in range(count):
            mixed[i] += first * load(source, here + i) + second * load(source, there + i)
    if run % 2 == 1:
        first, here = weights[place + run - 1], at + (run - 1) * down
        for i in range(count):
            mixed[i] += first * load(source, here + i)


@called
def read_columns(result: Any, at: int, across: int, mixed: Any, left: int, columns: Axis, count: int) -> None:
    """Read a mixed row at the crop's columns, its first pixel being the input's column `left`: into result[at ...]."""
    starts, weights = columns.starts, columns.weights
    if columns.room == 2:
        for j in range(count):
            i = starts[j] - left
            store(result, at + j * across, weights[2 * j] * mixed[i] + weights[2 * j + 1] * mixed[i + 1])
        return
    blocks = columns.room // BLOCK
    for j in range(count):
        store(result, at + j * across, dot(mixed, starts[j] - left, weights, j * columns.room, blocks))


@called
def ask_for(source: Any, plane: int, call: Call, rows: Axis, place: int, known: bool, left: int, count: int) -> None:
    """Ask for the rows of the input that a place reads, without those of the place before it where these are known."""
    low, high = rows.starts[place], rows.starts[place] + rows.run
    if known:
        before = rows.starts[place - 1]
        if low >= before:
            low = max(low, before + rows.run)
        else:
            high = min(high, before)
    line = max(1, LINE // (call.element * max(1, abs(call.input_column))))
    for row in range(low, high):
        at = plane + row * call.input_row + left * call.input_column
        for i in range(0, count, line):
            prefetch(source, at + i * call.input_column)


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
    mixed = numbers(data, space)
    space += (call.width + BLOCK) * number_size(data)
    rows, columns, left, span = tables(data, call, space, theta, False)
    clear(mixed, span, span + BLOCK)
    pixels, result = elements(data, source), elements(data, target)
    for channel in range(call.channels):
        plane, out = channel * call.input_channel, channel * call.crop_channel
        for i in range(first, last):
            if i + AHEAD < last:
                ask_for(pixels, plane, call, rows, i + AHEAD, True, left, span)
            elif channel + 1 < call.channels:
                place = min(first + i + AHEAD - last, last - 1)
                ask_for(pixels, plane + call.input_channel, call, rows, place, place > first, left, span)
            at = plane + rows.starts[i] * call.input_row + left * call.input_column
            mix_rows(mixed, pixels, at, call.input_row, call.input_column, rows.weights, i * rows.room, rows.run, span)
            read_columns(result, out + i * call.crop_row, call.crop_column, mixed, left, columns, call.crop_width)


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
        first: see above.
        last: see above.
    """
    across, size, width = call.crop_width, number_size(data), (call.width + BLOCK) * number_size(data)
    mixed, sloped, widened = numbers(data, space), numbers(data, space + width), numbers(data, space + 2 * width)
    space += 3 * width
    by_x, by_y = numbers(data, space), numbers(data, space + across * size)
    by_width, by_height = numbers(data, space + 2 * across * size), numbers(data, space + 3 * across * size)
    space += 4 * across * size
    sums = doubles(space)
    space += 48 * across
    rows, columns, left, span = tables(data, call, space, theta, True)
    clear(sums, 0, 6 * across)
    clear(mixed, span, span + BLOCK)
    clear(sloped, span, span + BLOCK)
    clear(widened, span, span + BLOCK)
    pixels, given = elements(data, source), elements(data, target)
    blocks = columns.room // BLOCK
    pose = doubles(theta)
    for i in range(first, last):
        clear(by_x, 0, 4 * across)
        place = i * rows.room
        for channel in range(call.channels):
            plane = channel * call.input_channel
            if channel + 1 < call.channels:
                ask_for(pixels, plane + call.input_channel, call, rows, i, False, left, span)
            elif i + 1 < last:
                ask_for(pixels, 0, call, rows, i + 1, False, left, span)
            at = plane + rows.starts[i] * call.input_row + left * call.input_column
            mix_rows(mixed, pixels, at, call.input_row, call.input_column, rows.weights, place, rows.run, span)
            mix_rows(sloped, pixels, at, call.input_row, call.input_column, rows.slopes, place, rows.run, span)
            mix_rows(widened, pixels, at, call.input_row, call.input_column, rows.widenings, place, rows.run, span)
            at = channel * call.crop_channel + i * call.crop_row
            for j in range(across):
                weight = load(given, at + j * call.crop_column)
                start, there = columns.starts[j] - left, j * columns.room
                by_x[j] += weight * dot(mixed, start, columns.slopes, there, blocks)
                by_y[j] += weight * dot(sloped, start, columns.weights, there, blocks)
                by_width[j] += weight * dot(mixed, start, columns.widenings, there, blocks)
                by_height[j] += weight * dot(widened, start, columns.weights, there, blocks)
        add_moments(sums, by_x, by_y, centre(i, call.crop_height), across)
        for j in range(across):
            sums[4 * across + j] += by_width[j]
            sums[5 * across + j] += by_height[j]
    gradient = doubles(result)
    write_moments(gradient, sums, call)
    for j in range(across):
        gradient[0] += sums[4 * across + j] * widening(pose[0], columns.width, call.width, across)
        gradient[4] += sums[5 * across + j] * widening(pose[4], rows.width, call.height, call.crop_height)


@inlined
def widening(scale: float, width: float, pixels: int, size: int) -> float:
    """The derivative of a tent's width by the scale: zero where it is held at its narrowest or widest."""
    length = scale * pixels / size
    if abs(length) != width:
        return 0.0
    return (1.0 if length > 0.0 else -1.0) * pixels / size


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
    mixed = numbers(data, space)
    space += (call.width + BLOCK) * number_size(data)
    rows, columns, left, span = tables(data, call, space, theta, False)
    given, target = elements(data, source), numbers(data, result)
    for channel in range(first, last):
        for i in range(call.crop_height):
            clear(mixed, 0, span)
            at = channel * call.crop_channel + i * call.crop_row
            for j in range(call.crop_width):
                weight = load(given, at + j * call.crop_column)
                start = columns.starts[j] - left
                for tap in range(columns.run):
                    mixed[start + tap] += weight * columns.weights[j * columns.room + tap]
            at = (channel * call.height + rows.starts[i]) * call.width + left
            for tap in range(rows.run):
                weight = rows.weights[i * rows.room + tap]
                for p in range(span):
                    target[at + p] += weight * mixed[p]
                at += call.width
