"""Turned crops by linear interpolation: each place reads the four pixels about it where they lie.

Rows of a crop are placed in bands. While one band is read, what the next will read is asked for, since places that do
not follow the input's rows are ones that a processor cannot foresee. A sequence is an image of one row. `linear`
decides which crops come here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.access import gather_pair, read, write
from cropworth.crops.kernels.cpu.lanes import COUNT, as_numbers, count_up
from cropworth.crops.kernels.cpu.memory import (
    called,
    doubles,
    inlined,
    load,
    longs,
    number_size,
    numbers,
    prefetch,
    shared,
)
from cropworth.crops.kernels.cpu.pairs import Side, pairs_inside, side_at, side_bytes, weigh
from cropworth.crops.kernels.cpu.rows import (
    Moments,
    centre,
    copy_row,
    no_moments,
    pixels_in_line,
    place_middles,
    read_row,
    whole,
    with_sums,
    write_moments,
)
from cropworth.crops.kernels.cpu.tasks import Call


def workspace(dims: int, crop_height: int, crop_width: int, number: int, derive: bool) -> int:
    """Bytes that a worker needs, see `linear.workspace`."""
    line = number * whole(crop_width) if derive else 0
    bands = min(2, -(-crop_height // rows_at_once(crop_width)))
    return line + 8 * whole(crop_width) + bands * band_bytes(crop_width, dims, number, derive)


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
        in_x = pairs_inside(u - across, u + across, call.width)
        in_y = pairs_inside(v - down, v + down, call.height)
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
def crop(data: Any, call: Call, space: int, pose: Any, pixels: Any, result: Any, first: int, last: int) -> None:
    """Rows first to before last of one crop, in all channels."""
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
    data: Any, call: Call, space: int, pose: Any, pixels: Any, given: Any, sums: Any, first: int, last: int
) -> None:
    """The sums of what rows first to before last of one crop add to the gradient of its pose."""
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
def to_input(data: Any, call: Call, space: int, pose: Any, given: Any, target: Any, first: int, last: int) -> None:
    """Add the gradient of one crop's channels first to before last to those of its item."""
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
