"""Upright crops by linear interpolation: rows of the input are mixed in pairs, and read at the crop's columns.

A mixed row that two registers hold stays in them. `linear` decides which crops come here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.access import permute, pick, read, write
from cropworth.crops.kernels.cpu.lanes import COUNT, as_numbers, count_up
from cropworth.crops.kernels.cpu.memory import called, inlined, load, longs, number_size, numbers, shared
from cropworth.crops.kernels.cpu.pairs import Side, pairs_inside, side_at, side_bytes, weigh
from cropworth.crops.kernels.cpu.rows import (
    AHEAD,
    TOGETHER,
    Moments,
    Reading,
    add_scaled,
    ask_for,
    centre,
    centres,
    copy_row,
    mixed_bytes,
    no_moments,
    pixels_in_line,
    place_middles,
    read_row,
    reading_at,
    reading_bytes,
    whole,
    with_sums,
    worth_asking,
    write_moments,
)
from cropworth.crops.kernels.cpu.tasks import Call


def workspace(width: int, crop_height: int, crop_width: int, number: int, derive: bool) -> int:
    """Bytes that a worker needs, see `linear.workspace`."""
    tables = axis_bytes(crop_height, number, derive) + axis_bytes(crop_width, number, derive)
    lines = (2 if derive else 1) * mixed_bytes(width, number) + (2 * number * whole(crop_width) if derive else 0)
    return tables + lines + reading_bytes(crop_width)


@shared
def axis_bytes(count: int, number: int, derive: bool) -> int:
    """Bytes of the tables of an axis of an upright crop."""
    return 8 * whole(count) + side_bytes(count, number, derive)


class Axis(NamedTuple):
    """Along one axis of an upright crop, for each place: the first of the two pixels that it reads, and its weights."""

    pixels: Any
    weights: Side


class Upright(NamedTuple):
    """Tables of an upright crop: of the input's rows and columns, and of how mixed rows are read."""

    rows: Axis
    columns: Axis
    reading: Reading


@called
def axis_at(
    data: Any, space: int, count: int, pixels: int, scale: float, shift: float, padding: int, derive: bool
) -> Axis:
    """The tables of an axis with `count` places, by its part of the pose, in the workspace at `space`."""
    axis = Axis(longs(space), side_at(data, space + 8 * whole(count), count))
    end = centre(0, count) * scale
    inside = pairs_inside(shift - end, shift + end, pixels)
    for i in range(0, count, COUNT):
        at = centres(i, count) * scale + shift
        write(axis.pixels, i, COUNT, weigh(axis.weights, i, at, pixels, padding, inside, derive))
    return axis


@called
def upright(data: Any, call: Call, space: int, pose: Any, derive: bool) -> Upright:
    """Tables of an upright crop in the workspace at `space`."""
    rows = axis_at(data, space, call.crop_height, call.height, pose[4], pose[5], call.padding, derive)
    space += axis_bytes(call.crop_height, number_size(data), derive)
    columns = axis_at(data, space, call.crop_width, call.width, pose[0], pose[2], call.padding, derive)
    space += axis_bytes(call.crop_width, number_size(data), derive)
    return Upright(rows, columns, reading_at(space, columns.pixels, min(2, call.width), call.crop_width, call))


@called
def mix_pair(mixed: Any, source: Any, at: int, down: int, across: int, first: float, second: float, span: int) -> None:
    """Mix two rows of `span` pixels, the first of which begins at source[at]; the steps are `down` and `across`."""
    if across == 1:
        for i in range(0, span, COUNT):
            rest = span - i
            write(mixed, i, rest, read(source, at + i, rest) * first + read(source, at + down + i, rest) * second)
        return
    for i in range(span):
        mixed[i] = first * load(source, at + i * across) + second * load(source, at + down + i * across)


class Mixed(NamedTuple):
    """A mixed row of pixels: in two registers where they hold it, else in memory."""

    low: Any
    high: Any
    memory: Any


@inlined
def mix(memory: Any, source: Any, at: int, call: Call, first: float, second: float, reading: Reading) -> Mixed:
    """Mix two rows of the input, the first of which begins at source[at]."""
    down, across, span = call.input_row, call.input_column, reading.span
    if reading.narrow:
        below, rest = at + down, span - COUNT
        low = read(source, at, span) * first + read(source, below, span) * second
        high = read(source, at + COUNT, rest) * first + read(source, below + COUNT, rest) * second
    else:
        mix_pair(memory, source, at, down, across, first, second, span)
        low = high = as_numbers(memory, count_up(0.0))
    return Mixed(low, high, memory)


@inlined
def neighbours(mixed: Mixed, reading: Reading, j: int) -> tuple[Any, Any]:
    """Both pixels that the columns from j on read."""
    places, base = read(reading.offsets, j, COUNT), reading.bases[j // COUNT]
    if reading.narrow:
        places = places + base
        return permute(mixed.low, mixed.high, places), permute(mixed.low, mixed.high, places + 1)
    held = reading.registers
    return pick(mixed.memory, base, places, held), pick(mixed.memory, base, places + 1, held)


@inlined
def ask_ahead(source: Any, plane: int, i: int, last: int, more: bool, rows: Axis, call: Call, reading: Reading) -> None:
    """Ask for the input's rows that are read some time after those for row i of the crop."""
    line = pixels_in_line(call)
    if reading.narrow:  # a crop of few rows: this row in the next channel, if there is one more
        if more:
            at = plane + call.input_channel + rows.pixels[i] * call.input_row
            ask_for(source, at, call, line, reading.left, reading.span, 2)
    elif i + AHEAD < last and worth_asking(call, reading.span):
        at = plane + rows.pixels[i + AHEAD] * call.input_row
        ask_for(source, at, call, line, reading.left, reading.span, 2)


@called
def crop(data: Any, call: Call, space: int, pose: Any, pixels: Any, result: Any, first: int, last: int) -> None:
    """Rows first to before last of one crop, in all channels."""
    mixed = numbers(data, space)
    known = upright(data, call, space + mixed_bytes(call.width, number_size(data)), pose, False)
    rows, columns, reading = known.rows, known.columns, known.reading
    for channel in range(call.channels):
        plane, out = channel * call.input_channel, channel * call.crop_channel
        for i in range(first, last):
            ask_ahead(pixels, plane, i, last, channel + 1 < call.channels, rows, call, reading)
            at = plane + rows.pixels[i] * call.input_row + reading.left * call.input_column
            row = mix(mixed, pixels, at, call, rows.weights.first[i], rows.weights.second[i], reading)
            for j in range(0, call.crop_width, COUNT):
                left, right = neighbours(row, reading, j)
                value = left * read(columns.weights.first, j, COUNT) + right * read(columns.weights.second, j, COUNT)
                write(result, out + i * call.crop_row + j, call.crop_width - j, value)


@called
def to_theta(
    data: Any, call: Call, space: int, pose: Any, pixels: Any, given: Any, sums: Any, first: int, last: int
) -> None:
    """The sums of what rows first to before last of one crop add to the gradient of its pose."""
    size = number_size(data)
    mixed, sloped = numbers(data, space), numbers(data, space + mixed_bytes(call.width, size))
    space += 2 * mixed_bytes(call.width, size)
    line, middles = numbers(data, space), numbers(data, space + size * whole(call.crop_width))
    known = upright(data, call, space + 2 * size * whole(call.crop_width), pose, True)
    rows, weights, reading = known.rows, known.columns.weights, known.reading
    place_middles(middles, call.crop_width)
    step = call.crop_column
    moments = no_moments()
    for channel in range(call.channels):
        plane = channel * call.input_channel
        for few in range(first, last, TOGETHER):
            x_by_x = x_by_y = x_plain = y_by_x = y_by_y = y_plain = as_numbers(mixed, count_up(0.0)) * 0.0
            for i in range(few, min(few + TOGETHER, last)):
                ask_ahead(pixels, plane, i, last, channel + 1 < call.channels, rows, call, reading)
                at = plane + rows.pixels[i] * call.input_row + reading.left * call.input_column
                row = mix(mixed, pixels, at, call, rows.weights.first[i], rows.weights.second[i], reading)
                slope = mix(
                    sloped, pixels, at, call, rows.weights.first_slope[i], rows.weights.second_slope[i], reading
                )
                out, y = channel * call.crop_channel + i * call.crop_row, centre(i, call.crop_height)
                copy_row(given, out, step, line, call.crop_width)
                for j in range(0, call.crop_width, COUNT):
                    left, right = neighbours(row, reading, j)
                    by_x = left * read(weights.first_slope, j, COUNT) + right * read(weights.second_slope, j, COUNT)
                    left, right = neighbours(slope, reading, j)
                    by_y = left * read(weights.first, j, COUNT) + right * read(weights.second, j, COUNT)
                    x, weight = read(middles, j, COUNT), read_row(given, out, step, line, j, call.crop_width)
                    by_x, by_y = weight * by_x, weight * by_y
                    x_plain, x_by_x, x_by_y = x_plain + by_x, x_by_x + by_x * x, x_by_y + by_x * y
                    y_plain, y_by_x, y_by_y = y_plain + by_y, y_by_x + by_y * x, y_by_y + by_y * y
            moments = with_sums(moments, Moments(x_by_x, x_by_y, x_plain, y_by_x, y_by_y, y_plain))
    write_moments(sums, moments)


@called
def to_input(data: Any, call: Call, space: int, pose: Any, given: Any, target: Any, first: int, last: int) -> None:
    """Add the gradient of one crop's channels first to before last to those of its item."""
    mixed = numbers(data, space)
    known = upright(data, call, space + mixed_bytes(call.width, number_size(data)), pose, False)
    rows, columns, reading = known.rows, known.columns, known.reading
    for channel in range(first, last):
        for i in range(call.crop_height):
            for p in range(reading.span):
                mixed[p] = 0
            at = channel * call.crop_channel + i * call.crop_row
            for j in range(call.crop_width):
                weight, p = load(given, at + j * call.crop_column), columns.pixels[j] - reading.left
                mixed[p] += weight * columns.weights.first[j]
                mixed[p + 1] += weight * columns.weights.second[j]
            at = (channel * call.height + rows.pixels[i]) * call.width + reading.left
            add_scaled(target, at, mixed, rows.weights.first[i], reading.span)
            add_scaled(target, at + call.width, mixed, rows.weights.second[i], reading.span)
