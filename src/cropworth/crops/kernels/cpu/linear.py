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
    TOGETHER,
    Moments,
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
    with_sums,
    worth_asking,
    write_moments,
)
from cropworth.crops.kernels.cpu.tasks import Call


@functools.lru_cache
def workspace(dims: int, height: int, width: int, crop_height: int, crop_width: int, number: int, derive: bool) -> int:
    """Bytes that a worker needs for an input of this size, in numbers of so many bytes."""
    line = number * whole(crop_width) if derive else 0
    bands = min(2, -(-crop_height // rows_at_once(crop_width)))
    turned = line + 8 * whole(crop_width) + bands * band_bytes(crop_width, dims, number, derive)
    if height == 1:
        return turned
    upright = axis_bytes(crop_height, number, derive) + axis_bytes(crop_width, number, derive)
    upright += 2 * line + (2 if derive else 1) * mixed_bytes(width, number) + reading_bytes(crop_width)
    return max(turned, upright)


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
    inside = lies_inside(shift - end, shift + end, pixels)
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
            row = mix(mixed, pixels, at, call, rows.weights.first[i], rows.weights.second[i], reading)
            for j in range(0, call.crop_width, COUNT):
                left, right = neighbours(row, reading, j)
                value = left * read(columns.weights.first, j, COUNT) + right * read(columns.weights.second, j, COUNT)
                write(result, out + i * call.crop_row + j, call.crop_width - j, value)


BAND = 48  # places of rows whose tables are kept at once, where the rows are short


@shared
def rows_at_once(width: int) -> int:
    """How many rows of a turned crop are placed together, and read channel by channel."""
    return max(1, BAND // whole(width))


class Turned(NamedTuple):
    """Tables of a band of rows of a turned crop: where the pixels of each place begin, and its sides."""

    starts: Any
    x: Side
    y: Side


@shared
def band_bytes(width: int, dims: int, number: int, derive: bool) -> int:
    """Bytes of the tables of a band."""
    count = rows_at_once(width) * whole(width)
    return 8 * count + dims * side_bytes(count, number, derive)


@called
def turned_at(data: Any, space: int, width: int, derive: bool) -> Turned:
    """Tables in the workspace at `space`; there is no room for the last of them in one dimension."""
    count = rows_at_once(width) * whole(width)
    x = space + 8 * count
    y = x + side_bytes(count, number_size(data), derive)
    return Turned(longs(space), side_at(data, x, count), side_at(data, y, count))


@called
def place_rows(
    there: Turned,
    middles: Any,
    call: Call,
    pose: Any,
    first: int,
    last: int,
    row_step: int,
    column_step: int,
    derive: bool,
) -> None:
    """Fill the tables of rows first to before last of a crop.

    Args:
        there: the tables.
        middles: of the crop's columns, in float64.
        call: the call.
        pose: the crop's.
        first: see above.
        last: see above.
        row_step: of the input.
        column_step: of the input.
        derive: whether slopes are asked for.
    """
    end = centre(0, call.crop_width)
    across, down = pose[0] * end, pose[3] * end
    for i in range(first, last):
        y, row = centre(i, call.crop_height), (i - first) * whole(call.crop_width)
        u, v = pose[1] * y + pose[2], pose[4] * y + pose[5]  # of the row's middle
        in_x = lies_inside(u - across, u + across, call.width)
        in_y = lies_inside(v - down, v + down, call.height)
        for j in range(0, call.crop_width, COUNT):
            x = read(middles, j, COUNT)
            starts = weigh(there.x, row + j, x * pose[0] + u, call.width, call.padding, in_x, derive) * column_step
            if call.dims == 2:
                rows = weigh(there.y, row + j, x * pose[3] + v, call.height, call.padding, in_y, derive)
                starts += rows * row_step
            write(there.starts, row + j, COUNT, starts)


class Bands(NamedTuple):
    """The band of rows that is read, from `first` to before `last`, and the next one, to before `end`."""

    middles: Any
    here: Turned
    ahead: Turned
    first: int
    last: int
    end: int


@inlined
def bands_at(data: Any, space: int, call: Call, pose: Any, first: int, last: int, derive: bool) -> Bands:
    """The first bands of rows first to before last, in the workspace at `space`."""
    middles = doubles(space)
    place_middles(middles, call.crop_width)
    space += 8 * whole(call.crop_width)
    here = turned_at(data, space, call.crop_width, derive)
    ahead = turned_at(
        data, space + band_bytes(call.crop_width, call.dims, number_size(data), derive), call.crop_width, derive
    )
    middle = min(first + rows_at_once(call.crop_width), last)
    place_rows(here, middles, call, pose, first, middle, call.input_row, call.input_column, derive)
    end = min(middle + rows_at_once(call.crop_width), last)
    place_rows(ahead, middles, call, pose, middle, end, call.input_row, call.input_column, derive)
    return Bands(middles, here, ahead, first, middle, end)


@inlined
def move_on(bands: Bands, call: Call, pose: Any, last: int, derive: bool) -> Bands:
    """The bands after the first of these."""
    end = min(bands.end + rows_at_once(call.crop_width), last)
    place_rows(bands.here, bands.middles, call, pose, bands.end, end, call.input_row, call.input_column, derive)
    return Bands(bands.middles, bands.ahead, bands.here, bands.last, bands.end, end)


@inlined
def places_in_line(call: Call, pose: Any) -> int:
    """How many places of a turned crop's row lie in one cache line of the input, at least one and at most COUNT."""
    across = abs(pose[0]) * call.width / (call.crop_width * pixels_in_line(call))
    down = abs(pose[3]) * call.height / call.crop_width
    return max(1, int(1.0 / max(across, down, 1.0 / COUNT)))


@inlined
def ask_for_rows(source: Any, at: int, band: Turned, rows: int, call: Call, step: int) -> None:
    """Ask for what every so manyth place of a band reads."""
    for row in range(rows):
        place = row * whole(call.crop_width)
        for j in range(place, place + call.crop_width, step):
            prefetch(source, at + band.starts[j])
            if call.dims == 2:
                prefetch(source, at + band.starts[j] + call.input_row)


@inlined
def ask_ahead_of(source: Any, bands: Bands, channel: int, first: int, call: Call, step: int) -> None:
    """Ask for the next band in this channel; of the first one for the next channel too, where nothing has yet."""
    at = channel * call.input_channel
    ask_for_rows(source, at, bands.ahead, bands.end - bands.last, call, step)
    if bands.first == first and channel + 1 < call.channels:
        ask_for_rows(source, at + call.input_channel, bands.here, bands.last - bands.first, call, step)


@called
def _crop_turned(data: Any, call: Call, space: int, pose: Any, pixels: Any, result: Any, first: int, last: int) -> None:
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    step = places_in_line(call, pose)
    bands = bands_at(data, space, call, pose, first, last, False)
    while bands.first < last:
        here = bands.here
        for channel in range(call.channels):
            ask_ahead_of(pixels, bands, channel, first, call, step)
            at = channel * call.input_channel
            for i in range(bands.first, bands.last):
                row, out = (i - bands.first) * whole(call.crop_width), channel * call.crop_channel + i * call.crop_row
                for j in range(0, call.crop_width, COUNT):
                    starts = read(here.starts, row + j, COUNT)
                    left, other = read(here.x.first, row + j, COUNT), read(here.x.second, row + j, COUNT)
                    one, two = gather_pair(pixels, at, starts, right)
                    value = one * left + two * other
                    if call.dims == 2:
                        one, two = gather_pair(pixels, at + down, starts, right)
                        low = one * left + two * other
                        value = value * read(here.y.first, row + j, COUNT) + low * read(here.y.second, row + j, COUNT)
                    write(result, out + j, call.crop_width - j, value)
        bands = move_on(bands, call, pose, last, False)


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
def _to_theta_turned(
    data: Any, call: Call, space: int, pose: Any, pixels: Any, given: Any, sums: Any, first: int, last: int
) -> None:
    line = numbers(data, space)
    space += number_size(data) * whole(call.crop_width)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    step = places_in_line(call, pose)
    moments = no_moments()
    bands = bands_at(data, space, call, pose, first, last, True)
    while bands.first < last:
        here = bands.here
        for channel in range(call.channels):
            ask_ahead_of(pixels, bands, channel, first, call, step)
            at = channel * call.input_channel
            x_by_x = x_by_y = x_plain = y_by_x = y_by_y = y_plain = as_numbers(line, count_up(0.0)) * 0.0
            for i in range(bands.first, bands.last):
                row, out = (i - bands.first) * whole(call.crop_width), channel * call.crop_channel + i * call.crop_row
                copy_row(given, out, call.crop_column, line, call.crop_width)
                y = centre(i, call.crop_height)
                for j in range(0, call.crop_width, COUNT):
                    place = row + j
                    starts = read(here.starts, place, COUNT)
                    one, two = gather_pair(pixels, at, starts, right)
                    x = as_numbers(line, read(bands.middles, j, COUNT))
                    weight = read_row(given, out, call.crop_column, line, j, call.crop_width)
                    if call.dims == 2:
                        three, four = gather_pair(pixels, at + down, starts, right)
                        left, other = read(here.x.first, place, COUNT), read(here.x.second, place, COUNT)
                        by_y = (one * left + two * other) * read(here.y.first_slope, place, COUNT)
                        by_y += (three * left + four * other) * read(here.y.second_slope, place, COUNT)
                        by_y = by_y * weight
                        y_plain, y_by_x, y_by_y = y_plain + by_y, y_by_x + by_y * x, y_by_y + by_y * y
                        top, bottom = read(here.y.first, place, COUNT), read(here.y.second, place, COUNT)
                        one, two = one * top + three * bottom, two * top + four * bottom
                    by_x = one * read(here.x.first_slope, place, COUNT) + two * read(here.x.second_slope, place, COUNT)
                    by_x = by_x * weight
                    x_plain, x_by_x, x_by_y = x_plain + by_x, x_by_x + by_x * x, x_by_y + by_x * y
            moments = with_sums(moments, Moments(x_by_x, x_by_y, x_plain, y_by_x, y_by_y, y_plain))
        bands = move_on(bands, call, pose, last, True)
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
                mixed[p] += weight * columns.weights.first[j]
                mixed[p + 1] += weight * columns.weights.second[j]
            at = (channel * call.height + rows.pixels[i]) * call.width + reading.left
            add_scaled(target, at, mixed, rows.weights.first[i], reading.span)
            add_scaled(target, at + call.width, mixed, rows.weights.second[i], reading.span)


@called
def _to_input_turned(
    data: Any, call: Call, space: int, pose: Any, given: Any, target: Any, first: int, last: int
) -> None:
    middles = doubles(space)
    place_middles(middles, call.crop_width)
    there = turned_at(data, space + 8 * whole(call.crop_width), call.crop_width, False)
    down = call.width if call.height > 1 else 0
    right = 1 if call.width > 1 else 0
    for i in range(call.crop_height):
        place_rows(there, middles, call, pose, i, i + 1, call.width, 1, False)
        for channel in range(first, last):
            plane = channel * call.height * call.width
            out = channel * call.crop_channel + i * call.crop_row
            for j in range(call.crop_width):
                at = plane + there.starts[j]
                top = load(given, out + j * call.crop_column)
                if call.dims == 2:
                    bottom = top * there.y.second[j]
                    top *= there.y.first[j]
                    target[at + down] += bottom * there.x.first[j]
                    target[at + down + right] += bottom * there.x.second[j]
                target[at] += top * there.x.first[j]
                target[at + right] += top * there.x.second[j]
