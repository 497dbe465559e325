"""Crops along the input's own axes: separable, so that a crop is two passes over the part of the input it reads.

The first pass mixes whole rows of the input, which processors do many pixels at a time; the second reads the mixed row
at the places of the crop's columns. Linear interpolation is a tent one pixel wide, so that plain and antialiased crops
are one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.lanes import COUNT, as_numbers, count_up, dots, pick, read, sum_of, write
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
from cropworth.crops.kernels.cpu.tasks import Call


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


def workspace(call: Call, number: int, derive: bool, tall: float, wide: float) -> int:
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


@called
def mix_rows(
    mixed: Any, source: Any, at: int, down: int, across: int, weights: Any, place: int, run: int, span: int
) -> None:
    """The weighted sum of a run of rows: into mixed, (span,).

    Args:
        mixed: see above.
        source: elements.
        at: the first row's first pixel.
        down: steps from row to row.
        across: steps from pixel to pixel.
        weights: of rows, the first at `place`.
        place: see above.
        run: number of rows.
        span: number of pixels.
    """
    if across == 1:
        for i in range(0, span, COUNT):
            total = read(source, at + i, span - i) * weights[place]
            for tap in range(1, run):
                total += read(source, at + tap * down + i, span - i) * weights[place + tap]
            write(mixed, i, COUNT, total)
        return
    for i in range(whole(span)):
        mixed[i] = 0
    for tap in range(run):
        for i in range(span):
            mixed[i] += weights[place + tap] * load(source, at + tap * down + i * across)


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
            mix_rows(
                mixed, pixels, at, call.input_row, call.input_column, rows.weights, i * rows.next_place, rows.run, span
            )
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
    left, span, step = reading.left, reading.span, columns.next_tap
    for one in (mixed, sloped, widened):
        clear(one, span)
    pixels, given, sums = elements(data, source), elements(data, target), doubles(result)
    line, asking = pixels_in_line(call), worth_asking(call, span)
    down, across = call.input_row, call.input_column
    zero = as_numbers(mixed, count_up(0.0)) * 0.0
    wider = taller = zero
    moments = no_moments()
    for channel in range(call.channels):
        plane = channel * call.input_channel
        for i in range(first, last):
            x_plain = x_by_x = y_plain = y_by_x = zero
            place, at = i * rows.next_place, plane + rows.starts[i] * down + left * across
            if asking and i + AHEAD < last:
                low, high = fresh(rows, i + AHEAD, first)
                ask_for(pixels, plane + low * down, call, line, left, span, high - low)
            mix_rows(mixed, pixels, at, down, across, rows.weights, place, rows.run, span)
            mix_rows(sloped, pixels, at, down, across, rows.slopes, place, rows.run, span)
            mix_rows(widened, pixels, at, down, across, rows.widenings, place, rows.run, span)
            out = channel * call.crop_channel + i * call.crop_row
            copy_row(given, out, call.crop_column, given_row, call.crop_width)
            if columns.next_place == 1:
                for j in range(0, call.crop_width, COUNT):
                    offsets, base = read(reading.offsets, j, COUNT), reading.bases[j // COUNT]
                    by_x = by_y = by_width = by_height = zero
                    for tap in range(columns.run):
                        spot = j + tap * step
                        heights, seen = read(columns.weights, spot, COUNT), pick_tap(mixed, base, offsets, tap, reading)
                        by_x += seen * read(columns.slopes, spot, COUNT)
                        by_width += seen * read(columns.widenings, spot, COUNT)
                        by_y += pick_tap(sloped, base, offsets, tap, reading) * heights
                        by_height += pick_tap(widened, base, offsets, tap, reading) * heights
                    x = read(middles, j, COUNT)
                    weight = read_row(given, out, call.crop_column, given_row, j, call.crop_width)
                    by_x, by_y = by_x * weight, by_y * weight
                    x_plain, y_plain = x_plain + by_x, y_plain + by_y
                    x_by_x, y_by_x = x_by_x + by_x * x, y_by_x + by_y * x
                    wider, taller = wider + by_width * weight, taller + by_height * weight
            else:
                for j in range(call.crop_width):
                    weight, x = load(given, out + j * call.crop_column), centre(j, call.crop_width)
                    start = columns.starts[j] - left
                    for tap in range(0, whole(columns.run), COUNT):
                        spot, seen = j * columns.next_place + tap, read(mixed, start + tap, COUNT)
                        heights = read(columns.weights, spot, COUNT)
                        by_x = seen * read(columns.slopes, spot, COUNT) * weight
                        by_y = read(sloped, start + tap, COUNT) * heights * weight
                        x_plain, y_plain = x_plain + by_x, y_plain + by_y
                        x_by_x, y_by_x = x_by_x + by_x * x, y_by_x + by_y * x
                        wider += seen * read(columns.widenings, spot, COUNT) * weight
                        taller += read(widened, start + tap, COUNT) * heights * weight
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
