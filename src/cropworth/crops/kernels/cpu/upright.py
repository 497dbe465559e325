"""Crops along the input's own axes: separable, so that a crop is two passes over the part of the input it reads.

The first pass mixes whole rows of the input, which processors do many pixels at a time; the second reads the mixed row
at the places of the crop's columns. Linear interpolation is a tent one pixel wide, so that plain and antialiased crops
are one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.access import dots, pick, read, write
from cropworth.crops.kernels.cpu.lanes import COUNT, as_numbers, count_up, sum_of
from cropworth.crops.kernels.cpu.memory import called, doubles, elements, inlined, load, number_size, numbers, shared
from cropworth.crops.kernels.cpu.rows import (
    AHEAD,
    Reading,
    add_scaled,
    ask_for,
    centre,
    copy_row,
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
from cropworth.crops.kernels.cpu.taps import Axis, axis_bytes, place_axis, tap_count, widest
from cropworth.crops.kernels.cpu.tasks import Call, Words


class Tables(NamedTuple):
    """Of one crop: both axes, and how mixed rows are read."""

    rows: Axis
    columns: Axis
    reading: Reading


@shared
def half_width(scale: float, pixels: int, size: int, call: Call) -> float:
    """Half the tent's width in pixels, by `reference`: as many as a pixel of the crop covers, at least one."""
    length = abs(scale) * pixels / size
    most = widest(size, max(call.height, call.width), call.dims)
    return min(length, most) if length > 1.0 else 1.0  # 1 of what is not a number too


def workspace(call: Words, number: int, derive: bool, tall: float, wide: float) -> int:
    """Bytes that a worker needs for crops whose scales are at most `tall` and `wide`."""
    rows = min(tap_count(half_width(tall, call.height, call.crop_height, call)), call.height)
    columns = min(tap_count(half_width(wide, call.width, call.crop_width, call)), call.width)
    axes = axis_bytes(call.crop_height, rows, number, derive) + axis_bytes(call.crop_width, columns, number, derive)
    lines = (3 if derive else 1) * mixed_bytes(call.width, number) + 2 * whole(call.crop_width) * number
    return axes + lines + reading_bytes(call.crop_width)


@called
def tables(data: Any, call: Call, space: int, pose: Any, derive: bool) -> Tables:
    """Tables of a crop in the workspace at `space`."""
    tall = half_width(pose[4], call.height, call.crop_height, call)
    wide = half_width(pose[0], call.width, call.crop_width, call)
    rows = place_axis(data, space, call.crop_height, call.height, pose[4], pose[5], tall, call.padding, False, derive)
    space += axis_bytes(call.crop_height, rows.run, number_size(data), derive)
    near = (COUNT - 1) * abs(pose[0]) * call.width / call.crop_width + 2.0 < 4 * COUNT
    columns = place_axis(data, space, call.crop_width, call.width, pose[0], pose[2], wide, call.padding, near, derive)
    space += axis_bytes(call.crop_width, columns.run, number_size(data), derive)
    return Tables(rows, columns, reading_at(space, columns.starts, columns.run, call.crop_width, call))


class Lines(NamedTuple):
    """Mixed rows: by the weights of rows, and by the weights' slopes and widenings, where asked for."""

    mixed: Any
    sloped: Any
    widened: Any


@called
def mix_rows(lines: Lines, source: Any, at: int, call: Call, rows: Axis, i: int, span: int, derive: bool) -> None:
    """The weighted sums of the run of rows that row i of the crop reads.

    Args:
        lines: see above, (span,) each.
        source: elements.
        at: the first row's first pixel.
        call: the call.
        rows: table of the input's rows.
        i: see above.
        span: number of pixels.
        derive: whether all lines are asked for, or the mixed one.
    """
    down, across, first = call.input_row, call.input_column, i * rows.next_place
    if across == 1:
        for p in range(0, span, COUNT):
            seen = read(source, at + p, span - p)
            mixed = seen * rows.weights[first]
            if derive:
                sloped, widened = seen * rows.slopes[first], seen * rows.widenings[first]
            for tap in range(1, rows.run):
                seen, place = read(source, at + tap * down + p, span - p), first + tap
                mixed += seen * rows.weights[place]
                if derive:
                    sloped += seen * rows.slopes[place]
                    widened += seen * rows.widenings[place]
            write(lines.mixed, p, COUNT, mixed)
            if derive:
                write(lines.sloped, p, COUNT, sloped)
                write(lines.widened, p, COUNT, widened)
        return
    for p in range(span):
        mixed = sloped = widened = load(source, at) * 0
        for tap in range(rows.run):
            seen, place = load(source, at + tap * down + p * across), first + tap
            mixed += seen * rows.weights[place]
            if derive:
                sloped += seen * rows.slopes[place]
                widened += seen * rows.widenings[place]
        lines.mixed[p] = mixed
        if derive:
            lines.sloped[p], lines.widened[p] = sloped, widened


@inlined
def clear(mixed: Any, span: int) -> None:
    """Set what is read after a mixed row and not used to zero: it is multiplied by weights that are."""
    for i in range(span, whole(span) + 2 * COUNT):
        mixed[i] = 0


@inlined
def fresh(rows: Axis, place: int, first: int) -> tuple[int, int]:
    """The rows of the input, from the one to before the other, that a place reads and the place before does not."""
    low, high = rows.starts[place], rows.starts[place] + rows.run
    if place > first:
        before = rows.starts[place - 1]
        if low >= before:
            low = max(low, before + rows.run)
        else:
            high = min(high, before)
    return low, high


@called
def crop(data: Any, call: Call, space: int, theta: int, source: int, target: int, first: int, last: int) -> None:
    """Rows first to before last of one crop, in all channels; see `linear.crop`."""
    mixed, pose = numbers(data, space), doubles(theta)
    lines = Lines(mixed, mixed, mixed)
    rows, columns, reading = tables(data, call, space + mixed_bytes(call.width, number_size(data)), pose, False)
    left, span = reading.left, reading.span
    clear(mixed, span)
    pixels, result = elements(data, source), elements(data, target)
    line, asking = pixels_in_line(call), worth_asking(call, span)
    blocks, step = whole(columns.run) // COUNT, columns.next_tap
    for channel in range(call.channels):
        plane, out = channel * call.input_channel, channel * call.crop_channel
        for i in range(first, last):
            if asking and i + AHEAD < last:
                low, high = fresh(rows, i + AHEAD, first)
                ask_for(pixels, plane + low * call.input_row, call, line, left, span, high - low)
            at = plane + rows.starts[i] * call.input_row + left * call.input_column
            mix_rows(lines, pixels, at, call, rows, i, span, False)
            for j in range(0, call.crop_width, COUNT):
                if columns.next_place == 1:
                    offsets, base = read(reading.offsets, j, COUNT), reading.bases[j // COUNT]
                    value = pick(mixed, base, offsets, reading.registers) * read(columns.weights, j, COUNT)
                    for tap in range(1, columns.run):
                        seen = pick_tap(mixed, base, offsets, tap, reading)
                        value += seen * read(columns.weights, j + tap * step, COUNT)
                else:
                    value = dots(mixed, left, columns.starts, j, columns.weights, blocks)
                write(result, out + i * call.crop_row + j, call.crop_width - j, value)


@inlined
def pick_tap(mixed: Any, base: int, offsets: Any, tap: int, reading: Reading) -> Any:
    """Lanes of a mixed row, so many pixels after where runs begin; without reading it again where it is held."""
    if reading.shared:
        return pick(mixed, base, offsets + tap, reading.registers)
    return pick(mixed, base + tap, offsets, reading.registers)


@called
def by_place(one: Any, first: Any, other: Any, second: Any, columns: Axis, reading: Reading, j: int) -> Any:
    """What `weighted` returns, of tables that are kept by place."""
    left, starts, blocks = reading.left, columns.starts, columns.next_place // COUNT
    return dots(one, left, starts, j, first, blocks), dots(other, left, starts, j, second, blocks)


@inlined
def weighted(one: Any, first: Any, other: Any, second: Any, columns: Axis, reading: Reading, j: int) -> Any:
    """Lanes of weighted sums, for the crop's columns from j on: of a mixed row by one table, of another by another."""
    if columns.next_place != 1:
        return by_place(one, first, other, second, columns, reading, j)
    offsets, base = read(reading.offsets, j, COUNT), reading.bases[j // COUNT]
    total = rest = read(one, 0, COUNT) * 0.0
    for tap in range(columns.run):
        spot = j + tap * columns.next_tap
        total += pick_tap(one, base, offsets, tap, reading) * read(first, spot, COUNT)
        rest += pick_tap(other, base, offsets, tap, reading) * read(second, spot, COUNT)
    return total, rest


@called
def to_theta(
    data: Any, call: Call, space: int, theta: int, source: int, target: int, result: int, first: int, last: int
) -> None:
    """What rows first to before last of one crop add to the gradient of its pose; see `linear.to_theta`."""
    size, pose = number_size(data), doubles(theta)
    room = mixed_bytes(call.width, size)
    mixed, sloped, widened = numbers(data, space), numbers(data, space + room), numbers(data, space + 2 * room)
    given_row, middles = (
        numbers(data, space + 3 * room),
        numbers(data, space + 3 * room + size * whole(call.crop_width)),
    )
    place_middles(middles, call.crop_width)
    rows, columns, reading = tables(data, call, space + 3 * room + 2 * size * whole(call.crop_width), pose, True)
    left, span = reading.left, reading.span
    for one in (mixed, sloped, widened):
        clear(one, span)
    pixels, given, sums = elements(data, source), elements(data, target), doubles(result)
    line, asking = pixels_in_line(call), worth_asking(call, span)
    lines = Lines(mixed, sloped, widened)
    zero = as_numbers(mixed, count_up(0.0)) * 0.0
    wider = taller = zero
    moments = no_moments()
    for channel in range(call.channels):
        plane = channel * call.input_channel
        for i in range(first, last):
            x_plain = x_by_x = y_plain = y_by_x = zero
            at = plane + rows.starts[i] * call.input_row + left * call.input_column
            if asking and i + AHEAD < last:
                low, high = fresh(rows, i + AHEAD, first)
                ask_for(pixels, plane + low * call.input_row, call, line, left, span, high - low)
            if call.dims == 2:
                mix_rows(lines, pixels, at, call, rows, i, span, True)
            else:
                mix_rows(lines, pixels, at, call, rows, i, span, False)
            out = channel * call.crop_channel + i * call.crop_row
            copy_row(given, out, call.crop_column, given_row, call.crop_width)
            for j in range(0, call.crop_width, COUNT):
                x = read(middles, j, COUNT)
                weight = read_row(given, out, call.crop_column, given_row, j, call.crop_width)
                along, width = weighted(mixed, columns.slopes, mixed, columns.widenings, columns, reading, j)
                along = along * weight
                x_plain, x_by_x, wider = x_plain + along, x_by_x + along * x, wider + width * weight
                if call.dims == 2:
                    along, width = weighted(sloped, columns.weights, widened, columns.weights, columns, reading, j)
                    along = along * weight
                    y_plain, y_by_x, taller = y_plain + along, y_by_x + along * x, taller + width * weight
            moments = with_row(moments, centre(i, call.crop_height), x_plain, x_by_x, y_plain, y_by_x)
    write_moments(sums, moments)
    to_half_widths(sums, call)
    sums[0] += sum_of(wider) * widening(pose[0], columns.width, call.width, call.crop_width)
    sums[4] += sum_of(taller) * widening(pose[4], rows.width, call.height, call.crop_height)


@inlined
def widening(scale: float, width: float, pixels: int, size: int) -> float:
    """The derivative of a tent's width by the scale: zero where it is held at its narrowest or widest."""
    length = scale * pixels / size
    if abs(length) != width:
        return 0.0
    return (1.0 if length > 0.0 else -1.0) * pixels / size


@called
def to_input(data: Any, call: Call, space: int, theta: int, source: int, result: int, first: int, last: int) -> None:
    """Add the gradient of one crop's channels first to before last to those of its item; see `linear.to_input`."""
    mixed, pose = numbers(data, space), doubles(theta)
    rows, columns, reading = tables(data, call, space + mixed_bytes(call.width, number_size(data)), pose, False)
    left, span = reading.left, reading.span
    given, target = elements(data, source), numbers(data, result)
    for channel in range(first, last):
        for i in range(call.crop_height):
            for p in range(span):
                mixed[p] = 0
            at = channel * call.crop_channel + i * call.crop_row
            for j in range(call.crop_width):
                weight = load(given, at + j * call.crop_column)
                start = columns.starts[j] - left
                for tap in range(columns.run):
                    mixed[start + tap] += weight * columns.weights[j * columns.next_place + tap * columns.next_tap]
            at = (channel * call.height + rows.starts[i]) * call.width + left
            for tap in range(rows.run):
                add_scaled(target, at + tap * call.width, mixed, rows.weights[i * rows.next_place + tap], span)
