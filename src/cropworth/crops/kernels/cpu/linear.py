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
    permute,
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
    prefetch,
    shared,
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
    lines = 2 * number * whole(crop_width) if derive else 0
    turned = 2 * turned_bytes(crop_width, number, derive)
    if height == 1:
        return lines + turned
    sides = side_bytes(crop_height, number, derive) + side_bytes(crop_width, number, derive)
    upright = (2 if derive else 1) * mixed_bytes(width, number) + sides + reading_bytes(crop_width)
    return lines + max(turned, upright)


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
        reading_at(space, columns.pixels, min(2, call.width), call.crop_width, call),
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


@inlined
def reads_rows(call: Call, pose: Any) -> bool:
    """Whether rows of the input are mixed: of an upright crop, unless its places are few and far apart."""
    few = call.crop_width <= COUNT and abs(pose[0]) * call.width > 2 * COUNT - 3  # see Reading.narrow
    return is_upright(pose) and call.height > 1 and not few


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
def ask_ahead(source: Any, plane: int, i: int, last: int, more: bool, rows: Side, call: Call, reading: Reading) -> None:
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
    for channel in range(call.channels):
        plane, out = channel * call.input_channel, channel * call.crop_channel
        for i in range(first, last):
            ask_ahead(pixels, plane, i, last, channel + 1 < call.channels, rows, call, reading)
            at = plane + rows.pixels[i] * call.input_row + reading.left * call.input_column
            row = mix(mixed, pixels, at, call, rows.first[i], rows.second[i], reading)
            for j in range(0, call.crop_width, COUNT):
                left, right = neighbours(row, reading, j)
                value = left * read(columns.first, j, COUNT) + right * read(columns.second, j, COUNT)
                write(result, out + i * call.crop_row + j, call.crop_width - j, value)


class Turned(NamedTuple):
    """Tables of one row of a turned crop: where the four pixels of each place begin, and both sides."""

    starts: Any
    x: Side
    y: Side


@shared
def turned_bytes(count: int, number: int, derive: bool) -> int:
    """Bytes of the tables of one row."""
    return 8 * whole(count) + 2 * side_bytes(count, number, derive)


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


@inlined
def move_on(here: Turned, ahead: Turned, call: Call, pose: Any, i: int, first: int, last: int, derive: bool) -> Any:
    """The tables of row i and of the row after it, out of those of the row before."""
    if i == first:
        place_row(here, call, pose, i, call.input_row, call.input_column, derive)
    else:
        here, ahead = ahead, here
    if i + 1 < last:
        place_row(ahead, call, pose, i + 1, call.input_row, call.input_column, derive)
    return here, ahead


@inlined
def places_in_line(call: Call, pose: Any) -> int:
    """How many places of a turned crop's row lie in one cache line of the input, at least one and at most COUNT."""
    across = abs(pose[0]) * call.width / (call.crop_width * pixels_in_line(call))
    down = abs(pose[3]) * call.height / call.crop_width
    return max(1, int(1.0 / max(across, down, 1.0 / COUNT)))


@inlined
def ask_for_places(source: Any, at: int, places: Turned, call: Call, step: int) -> None:
    """Ask for what every so manyth place of a row reads."""
    for j in range(0, call.crop_width, step):
        prefetch(source, at + places.starts[j])
        if call.dims == 2:
            prefetch(source, at + places.starts[j] + call.input_row)


@called
def _crop_turned(data: Any, call: Call, space: int, pose: Any, pixels: Any, result: Any, first: int, last: int) -> None:
    here = turned_at(data, space, call.crop_width, False)
    ahead = turned_at(data, space + turned_bytes(call.crop_width, number_size(data), False), call.crop_width, False)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    step = places_in_line(call, pose)
    for i in range(first, last):
        here, ahead = move_on(here, ahead, call, pose, i, first, last, False)
        for channel in range(call.channels):
            at, out = channel * call.input_channel, channel * call.crop_channel + i * call.crop_row
            if i + 1 < last:
                ask_for_places(pixels, at, ahead, call, step)
            if i == first and channel + 1 < call.channels:
                ask_for_places(pixels, at + call.input_channel, here, call, step)
            for j in range(0, call.crop_width, COUNT):
                starts = read(here.starts, j, COUNT)
                left, other = read(here.x.first, j, COUNT), read(here.x.second, j, COUNT)
                one, two = gather_pair(pixels, at, starts, right)
                value = one * left + two * other
                if call.dims == 2:
                    one, two = gather_pair(pixels, at + down, starts, right)
                    low = one * left + two * other
                    value = value * read(here.y.first, j, COUNT) + low * read(here.y.second, j, COUNT)
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
    if reads_rows(call, pose):
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
    step = call.crop_column
    moments = no_moments()
    for channel in range(call.channels):
        plane = channel * call.input_channel
        for i in range(first, last):
            ask_ahead(pixels, plane, i, last, channel + 1 < call.channels, rows, call, reading)
            at = plane + rows.pixels[i] * call.input_row + reading.left * call.input_column
            row = mix(mixed, pixels, at, call, rows.first[i], rows.second[i], reading)
            slope = mix(sloped, pixels, at, call, rows.first_slope[i], rows.second_slope[i], reading)
            out = channel * call.crop_channel + i * call.crop_row
            copy_row(given, out, step, line, call.crop_width)
            x_plain = x_by_x = y_plain = y_by_x = as_numbers(mixed, count_up(0.0)) * 0.0
            for j in range(0, call.crop_width, COUNT):
                left, right = neighbours(row, reading, j)
                by_x = left * read(columns.first_slope, j, COUNT) + right * read(columns.second_slope, j, COUNT)
                left, right = neighbours(slope, reading, j)
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
    space += 2 * number_size(data) * whole(call.crop_width)
    here = turned_at(data, space, call.crop_width, True)
    ahead = turned_at(data, space + turned_bytes(call.crop_width, number_size(data), True), call.crop_width, True)
    place_middles(middles, call.crop_width)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    moments = no_moments()
    step = places_in_line(call, pose)
    for i in range(first, last):
        here, ahead = move_on(here, ahead, call, pose, i, first, last, True)
        x_plain = x_by_x = y_plain = y_by_x = as_numbers(line, count_up(0.0)) * 0.0
        for channel in range(call.channels):
            at = channel * call.input_channel
            if i + 1 < last:
                ask_for_places(pixels, at, ahead, call, step)
            if i == first and channel + 1 < call.channels:
                ask_for_places(pixels, at + call.input_channel, here, call, step)
            out = channel * call.crop_channel + i * call.crop_row
            copy_row(given, out, call.crop_column, line, call.crop_width)
            for j in range(0, call.crop_width, COUNT):
                starts = read(here.starts, j, COUNT)
                one, two = gather_pair(pixels, at, starts, right)
                x = read(middles, j, COUNT)
                weight = read_row(given, out, call.crop_column, line, j, call.crop_width)
                if call.dims == 2:
                    three, four = gather_pair(pixels, at + down, starts, right)
                    left, other = read(here.x.first, j, COUNT), read(here.x.second, j, COUNT)
                    by_y = (one * left + two * other) * read(here.y.first_slope, j, COUNT)
                    by_y += (three * left + four * other) * read(here.y.second_slope, j, COUNT)
                    by_y = by_y * weight
                    y_plain, y_by_x = y_plain + by_y, y_by_x + x * by_y
                    top, bottom = read(here.y.first, j, COUNT), read(here.y.second, j, COUNT)
                    one, two = one * top + three * bottom, two * top + four * bottom
                by_x = one * read(here.x.first_slope, j, COUNT) + two * read(here.x.second_slope, j, COUNT)
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
