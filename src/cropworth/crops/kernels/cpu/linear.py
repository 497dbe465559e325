"""Crops of any affine pose by linear interpolation: each place reads two pixels along each axis of the input.

An upright crop is two passes: whole rows of the input are mixed in pairs, and the mixed row is read at the crop's
columns. A turned one reads the four pixels of each place where they lie.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.lanes import (
    COUNT,
    as_integers,
    as_numbers,
    choose,
    count_up,
    floored,
    gather_pair,
    pick,
    read,
    write,
)
from cropworth.crops.kernels.cpu.memory import (
    called,
    doubles,
    elements,
    inlined,
    load,
    longs,
    number_size,
    numbers,
    shared,
)
from cropworth.crops.kernels.cpu.rows import (
    AHEAD,
    FAR,
    ROUNDING,
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
    to_half_widths,
    whole,
    with_row,
    worth_asking,
    write_moments,
)
from cropworth.crops.kernels.cpu.taps import REFLECTION, ZEROS
from cropworth.crops.kernels.cpu.tasks import Call


class Side(NamedTuple):
    """Along one axis of the input, for each place: the first of two neighbouring pixels, their weights and slopes."""

    pixels: Any
    first: Any
    second: Any
    first_slope: Any
    second_slope: Any


@shared
def side_bytes(count: int, number: int, derive: bool) -> int:
    """Bytes of a side's tables, with the slopes or without."""
    return whole(count) * (8 + (4 if derive else 2) * number)


@called
def side_at(data: Any, space: int, count: int) -> Side:
    """A side's tables in the workspace at `space`."""
    step, weights = whole(count) * number_size(data), space + 8 * whole(count)
    return Side(
        longs(space),
        numbers(data, weights),
        numbers(data, weights + step),
        numbers(data, weights + 2 * step),
        numbers(data, weights + 3 * step),
    )


@inlined
def held(at: Any) -> Any:
    """Lanes of places within what integers hold; NaN, which compares as false, becomes one too."""
    return choose(at >= -FAR, choose(at <= FAR, at, FAR), -FAR)


@inlined
def in_frame(at: Any, pixels: int, padding: int) -> tuple[Any, Any]:
    """Lanes of places in pixels, moved to where no other padding than zeros is needed, and the derivatives of that."""
    at = held(at)
    turn = at * 0.0 + 1.0
    if padding == REFLECTION:
        turn = choose(at < -0.5, -1.0, turn)
        away = choose(at < -0.5, at * -1.0 - 0.5, at + 0.5)  # from the frame's first edge
        turns = floored(away / float(pixels))
        at = away - turns * float(pixels) - 0.5
        odd = turns - floored(turns * 0.5) * 2.0 == 1.0
        at = choose(odd, at * -1.0 + (pixels - 1.0), at)
        turn = choose(odd, turn * -1.0, turn)
    if padding != ZEROS:
        turn = choose(at <= 0.0, 0.0, choose(at >= pixels - 1.0, 0.0, turn))
        at = choose(at <= 0.0, 0.0, choose(at >= pixels - 1.0, pixels - 1.0, at))
    return at, turn


class Pair(NamedTuple):
    """Lanes of places along one axis of the input: what is read there, in float64.

    Attributes:
        pixel: the first of two neighbouring pixels.
        first: its weight.
        second: the other's.
        away: how far the place is from the first pixel.
        turn: the derivative of that by the place before it was moved to the frame.
    """

    pixel: Any
    first: Any
    second: Any
    away: Any
    turn: Any


@inlined
def pair_at(at: Any, pixels: int, padding: int) -> Pair:
    """What is read at lanes of places in pixels."""
    at, turn = in_frame(at, pixels, padding)
    below = floored(at)
    last = max(pixels - 2.0, 0.0)
    pixel = choose(below <= 0.0, 0.0, choose(below >= last, last, below))
    away = at - pixel
    # A pixel weighs 1 less its distance. If one of the two taps lies outside, the pair is the two pixels at the edge.
    first = choose(away < 0.0, away + 1.0, away * -1.0 + 1.0)
    second = choose(away < 1.0, away, away * -1.0 + 2.0)
    if pixels == 1:
        second = second * 0.0
    return Pair(pixel, choose(first >= 0.0, first, 0.0), choose(second >= 0.0, second, 0.0), away, turn)


@inlined
def slopes(pair: Pair, pixels: int) -> tuple[Any, Any]:
    """The derivatives of a pair's weights by the place."""
    away, turn = pair.away, pair.turn
    first = choose(away < 0.0, choose(away >= -1.0, turn, 0.0), choose(away < 1.0, turn * -1.0, 0.0))
    second = choose(away < 1.0, choose(away >= 0.0, turn, 0.0), choose(away < 2.0, turn * -1.0, 0.0))
    if pixels == 1:
        second = second * 0.0
    return first, second


@inlined
def lies_inside(first: float, last: float, pixels: int) -> bool:
    """Whether pairs of pixels between two normalised coordinates all lie in the frame."""
    low, high = min(first, last), max(first, last)
    return (low + 1.0) * (0.5 * pixels) - 0.5 >= ROUNDING and (high + 1.0) * (0.5 * pixels) + 0.5 <= pixels - ROUNDING


@inlined
def weigh(side: Side, place: int, at: Any, pixels: int, padding: int, inside: bool, derive: bool) -> None:
    """Fill the tables of the places from `place` on, which are at these lanes of normalised coordinates.

    Args:
        side: its tables.
        place: see above.
        at: see above.
        pixels: along the axis.
        padding: an index of PADDINGS.
        inside: whether all pairs of pixels are known to lie in the frame, which spares most of the work.
        derive: whether the slopes are asked for.
    """
    at = (at + 1.0) * (0.5 * pixels) - 0.5
    if inside:
        below = floored(at)
        away = as_numbers(side.first, at - below)
        write(side.pixels, place, COUNT, as_integers(below))
        write(side.first, place, COUNT, away * -1.0 + 1.0)
        write(side.second, place, COUNT, away)
        if derive:
            write(side.first_slope, place, COUNT, away * 0.0 - 1.0)
            write(side.second_slope, place, COUNT, away * 0.0 + 1.0)
        return
    pair = pair_at(at, pixels, padding)
    write(side.pixels, place, COUNT, as_integers(pair.pixel))
    write(side.first, place, COUNT, as_numbers(side.first, pair.first))
    write(side.second, place, COUNT, as_numbers(side.first, pair.second))
    if derive:
        first_slope, second_slope = slopes(pair, pixels)
        write(side.first_slope, place, COUNT, as_numbers(side.first, first_slope))
        write(side.second_slope, place, COUNT, as_numbers(side.first, second_slope))


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
    if pose[1] == 0.0 and pose[3] == 0.0 and call.height > 1 and call.crop_width > COUNT:
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
    if pose[1] == 0.0 and pose[3] == 0.0 and call.height > 1 and call.crop_width > COUNT:
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
    if pose[1] == 0.0 and pose[3] == 0.0 and call.height > 1:
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
