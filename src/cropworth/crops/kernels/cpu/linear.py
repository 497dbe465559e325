"""Crops of any affine pose by linear interpolation: each place reads two pixels along each axis of the input.

An upright crop is two passes: whole rows of the input are mixed in pairs, and the mixed row is read at the crop's
columns. A turned one reads the four pixels of each place where they lie.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.lanes import (
    COUNT,
    as_numbers,
    count_up,
    gather_pair,
    pick,
    read,
    write,
)
from cropworth.crops.kernels.cpu.memory import (
    called,
    doubles,
    elements,
    load,
    longs,
    number_size,
    numbers,
)
from cropworth.crops.kernels.cpu.pairs import Side, lies_inside, side_at, side_bytes, weigh
from cropworth.crops.kernels.cpu.rows import (
    AHEAD,
    Reading,
    add_scaled,
    ask_for,
    centre,
    centres,
    copy_row,
    is_upright,
    mixed_bytes,
    no_moments,
    pixels_in_line,
    place_middles,
    read_row,
    reading_at,
    reading_bytes,
    to_half_widths,
    whole,
    with_row,
    worth_asking,
    write_moments,
)
from cropworth.crops.kernels.cpu.tasks import Call


@functools.lru_cache
def workspace(height: int, width: int, crop_height: int, crop_width: int, number: int, derive: bool) -> int:
    """Bytes that a worker needs for an input of this size, in numbers of so many bytes."""
    sides = side_bytes(crop_height, number, derive) + 2 * side_bytes(crop_width, number, derive)
    lines = whole(crop_width) * (8 + (2 * number if derive else 0))
    if height > 1:
        lines += (2 if derive else 1) * mixed_bytes(width, number)
    return sides + lines + reading_bytes(crop_width)


class Upright(NamedTuple):
    """Tables of an upright crop: of the input's rows and columns, and of how mixed rows are read."""

    rows: Side
    columns: Side
    reading: Reading


@called
def upright(data: Any, call: Call, space: int, pose: Any, derive: bool) -> Upright:
    """Tables of an upright crop in the workspace at `space`."""
    rows = side_at(data, space, call.crop_height)
    space += side_bytes(call.crop_height, number_size(data), derive)
    columns = side_at(data, space, call.crop_width)
    space += side_bytes(call.crop_width, number_size(data), derive)
    end = centre(0, call.crop_height) * pose[4]
    inside = lies_inside(pose[5] - end, pose[5] + end, call.height)
    for i in range(0, call.crop_height, COUNT):
        weigh(rows, i, centres(i, call.crop_height) * pose[4] + pose[5], call.height, call.padding, inside, derive)
    end = centre(0, call.crop_width) * pose[0]
    inside = lies_inside(pose[2] - end, pose[2] + end, call.width)
    for j in range(0, call.crop_width, COUNT):
        weigh(columns, j, centres(j, call.crop_width) * pose[0] + pose[2], call.width, call.padding, inside, derive)
    return Upright(
        rows,
        columns,
        reading_at(space, columns.pixels, min(2, call.width), call.crop_width, call.input_row % COUNT == 0),
    )


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
    if is_upright(pose) and call.height > 1 and call.crop_width > COUNT:
        _crop_upright(data, call, space, pose, pixels, result, first, last)
    else:
        _crop_turned(data, call, space, pose, pixels, result, first, last)


@called
def _crop_upright(
    data: Any, call: Call, space: int, pose: Any, pixels: Any, result: Any, first: int, last: int
) -> None:
    mixed = numbers(data, space)
    known = upright(data, call, space + mixed_bytes(call.width, number_size(data)), pose, False)
    rows, columns, reading = known.rows, known.columns, known.reading
    down = call.input_row
    line, asking = pixels_in_line(call), worth_asking(call, reading.span)
    for channel in range(call.channels):
        plane, out = channel * call.input_channel, channel * call.crop_channel
        for i in range(first, last):
            if asking and i + AHEAD < last:
                ask_for(
                    pixels, plane + rows.pixels[i + AHEAD] * call.input_row, call, line, reading.left, reading.span, 2
                )
            at = plane + rows.pixels[i] * call.input_row + reading.left * call.input_column
            mix_pair(mixed, pixels, at, down, call.input_column, rows.first[i], rows.second[i], reading.span)
            for j in range(0, call.crop_width, COUNT):
                offsets, base = read(reading.offsets, j, COUNT), reading.bases[j // COUNT]
                left = pick(mixed, base, offsets, reading.registers)
                right = pick(mixed, base, offsets + 1, reading.registers)
                value = left * read(columns.first, j, COUNT) + right * read(columns.second, j, COUNT)
                write(result, out + i * call.crop_row + j, call.crop_width - j, value)


class Turned(NamedTuple):
    """Tables of one row of a turned crop: where the four pixels of each place begin, and both sides."""

    starts: Any
    x: Side
    y: Side


@called
def turned_at(data: Any, space: int, count: int, derive: bool) -> Turned:
    """Tables in the workspace at `space`."""
    x = space + 8 * whole(count)
    return Turned(
        longs(space), side_at(data, x, count), side_at(data, x + side_bytes(count, number_size(data), derive), count)
    )


@called
def place_row(there: Turned, call: Call, pose: Any, i: int, row_step: int, column_step: int, derive: bool) -> None:
    """Fill the tables of row i of a crop; the steps are those of the input."""
    y, end = centre(i, call.crop_height), centre(0, call.crop_width)
    u, v = pose[1] * y + pose[2], pose[4] * y + pose[5]  # of the row's middle
    across, down = pose[0] * end, pose[3] * end
    in_x = lies_inside(u - across, u + across, call.width)
    in_y = lies_inside(v - down, v + down, call.height)
    for j in range(0, call.crop_width, COUNT):
        x = centres(j, call.crop_width)
        weigh(there.x, j, x * pose[0] + u, call.width, call.padding, in_x, derive)
        weigh(there.y, j, x * pose[3] + v, call.height, call.padding, in_y, derive)
        rows, columns = read(there.y.pixels, j, COUNT), read(there.x.pixels, j, COUNT)
        write(there.starts, j, COUNT, rows * row_step + columns * column_step)


@called
def _crop_turned(data: Any, call: Call, space: int, pose: Any, pixels: Any, result: Any, first: int, last: int) -> None:
    there = turned_at(data, space, call.crop_width, False)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    for i in range(first, last):
        place_row(there, call, pose, i, call.input_row, call.input_column, False)
        for channel in range(call.channels):
            at, out = channel * call.input_channel, channel * call.crop_channel + i * call.crop_row
            for j in range(0, call.crop_width, COUNT):
                starts = read(there.starts, j, COUNT)
                left, other = read(there.x.first, j, COUNT), read(there.x.second, j, COUNT)
                one, two = gather_pair(pixels, at, starts, right)
                value = one * left + two * other
                if call.dims == 2:
                    one, two = gather_pair(pixels, at + down, starts, right)
                    low = one * left + two * other
                    value = value * read(there.y.first, j, COUNT) + low * read(there.y.second, j, COUNT)
                write(result, out + j, call.crop_width - j, value)


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
    if is_upright(pose) and call.height > 1 and call.crop_width > COUNT:
        _to_theta_upright(data, call, space, pose, pixels, given, sums, first, last)
    else:
        _to_theta_turned(data, call, space, pose, pixels, given, sums, first, last)
    to_half_widths(sums, call)


@called
def _to_theta_upright(
    data: Any, call: Call, space: int, pose: Any, pixels: Any, given: Any, sums: Any, first: int, last: int
) -> None:
    size = number_size(data)
    mixed, sloped = numbers(data, space), numbers(data, space + mixed_bytes(call.width, size))
    space += 2 * mixed_bytes(call.width, size)
    line, middles = numbers(data, space), numbers(data, space + size * whole(call.crop_width))
    known = upright(data, call, space + 2 * size * whole(call.crop_width), pose, True)
    rows, columns, reading = known.rows, known.columns, known.reading
    place_middles(middles, call.crop_width)
    down, across, step, held = call.input_row, call.input_column, call.crop_column, reading.registers
    ahead, asking = pixels_in_line(call), worth_asking(call, reading.span)
    moments = no_moments()
    for channel in range(call.channels):
        plane = channel * call.input_channel
        for i in range(first, last):
            if asking and i + AHEAD < last:
                ask_for(pixels, plane + rows.pixels[i + AHEAD] * down, call, ahead, reading.left, reading.span, 2)
            at = plane + rows.pixels[i] * down + reading.left * across
            mix_pair(mixed, pixels, at, down, across, rows.first[i], rows.second[i], reading.span)
            mix_pair(sloped, pixels, at, down, across, rows.first_slope[i], rows.second_slope[i], reading.span)
            out = channel * call.crop_channel + i * call.crop_row
            copy_row(given, out, step, line, call.crop_width)
            x_plain = x_by_x = y_plain = y_by_x = as_numbers(mixed, count_up(0.0)) * 0.0
            for j in range(0, call.crop_width, COUNT):
                offsets, base = read(reading.offsets, j, COUNT), reading.bases[j // COUNT]
                left, right = pick(mixed, base, offsets, held), pick(mixed, base, offsets + 1, held)
                by_x = left * read(columns.first_slope, j, COUNT) + right * read(columns.second_slope, j, COUNT)
                left, right = pick(sloped, base, offsets, held), pick(sloped, base, offsets + 1, held)
                by_y = left * read(columns.first, j, COUNT) + right * read(columns.second, j, COUNT)
                x, weight = read(middles, j, COUNT), read_row(given, out, step, line, j, call.crop_width)
                by_x, by_y = weight * by_x, weight * by_y
                x_plain, y_plain = x_plain + by_x, y_plain + by_y
                x_by_x, y_by_x = x_by_x + x * by_x, y_by_x + x * by_y
            moments = with_row(moments, centre(i, call.crop_height), x_plain, x_by_x, y_plain, y_by_x)
    write_moments(sums, moments)


@called
def _to_theta_turned(
    data: Any, call: Call, space: int, pose: Any, pixels: Any, given: Any, sums: Any, first: int, last: int
) -> None:
    line = numbers(data, space)
    middles = numbers(data, space + number_size(data) * whole(call.crop_width))
    there = turned_at(data, space + 2 * number_size(data) * whole(call.crop_width), call.crop_width, True)
    place_middles(middles, call.crop_width)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    moments = no_moments()
    for i in range(first, last):
        place_row(there, call, pose, i, call.input_row, call.input_column, True)
        x_plain = x_by_x = y_plain = y_by_x = as_numbers(line, count_up(0.0)) * 0.0
        for channel in range(call.channels):
            at = channel * call.input_channel
            out = channel * call.crop_channel + i * call.crop_row
            copy_row(given, out, call.crop_column, line, call.crop_width)
            for j in range(0, call.crop_width, COUNT):
                starts = read(there.starts, j, COUNT)
                one, two = gather_pair(pixels, at, starts, right)
                x = read(middles, j, COUNT)
                weight = read_row(given, out, call.crop_column, line, j, call.crop_width)
                if call.dims == 2:
                    three, four = gather_pair(pixels, at + down, starts, right)
                    left, other = read(there.x.first, j, COUNT), read(there.x.second, j, COUNT)
                    by_y = (one * left + two * other) * read(there.y.first_slope, j, COUNT)
                    by_y += (three * left + four * other) * read(there.y.second_slope, j, COUNT)
                    by_y = by_y * weight
                    y_plain, y_by_x = y_plain + by_y, y_by_x + x * by_y
                    top, bottom = read(there.y.first, j, COUNT), read(there.y.second, j, COUNT)
                    one, two = one * top + three * bottom, two * top + four * bottom
                by_x = one * read(there.x.first_slope, j, COUNT) + two * read(there.x.second_slope, j, COUNT)
                by_x = by_x * weight
                x_plain, x_by_x = x_plain + by_x, x_by_x + x * by_x
        moments = with_row(moments, centre(i, call.crop_height), x_plain, x_by_x, y_plain, y_by_x)
    write_moments(sums, moments)


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
        _to_input_upright(data, call, space, pose, given, target, first, last)
    else:
        _to_input_turned(data, call, space, pose, given, target, first, last)


@called
def _to_input_upright(
    data: Any, call: Call, space: int, pose: Any, given: Any, target: Any, first: int, last: int
) -> None:
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
                mixed[p] += weight * columns.first[j]
                mixed[p + 1] += weight * columns.second[j]
            at = (channel * call.height + rows.pixels[i]) * call.width + reading.left
            add_scaled(target, at, mixed, rows.first[i], reading.span)
            add_scaled(target, at + call.width, mixed, rows.second[i], reading.span)


@called
def _to_input_turned(
    data: Any, call: Call, space: int, pose: Any, given: Any, target: Any, first: int, last: int
) -> None:
    there = turned_at(data, space, call.crop_width, False)
    down = call.width if call.height > 1 else 0
    right = 1 if call.width > 1 else 0
    for i in range(call.crop_height):
        place_row(there, call, pose, i, call.width, 1, False)
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
