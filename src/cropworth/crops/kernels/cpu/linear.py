"""Crops of any affine pose by linear interpolation: each place reads two pixels along each axis of the input.

An upright crop is two passes: whole rows of the input are mixed in pairs, and the mixed row is read at the crop's columns.
A turned one reads the four pixels of each place where they lie.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.lanes import (
    COUNT,
    as_integers,
    as_numbers,
    choose,
    count_up,
    floored,
    gather,
    pick,
    read,
    sum_of,
    write,
)
from cropworth.crops.kernels.cpu.memory import (
    LINE,
    called,
    doubles,
    elements,
    inlined,
    integers,
    load,
    longs,
    number_size,
    numbers,
    prefetch,
)
from cropworth.crops.kernels.cpu.taps import FAR, REFLECTION, ZEROS, centre
from cropworth.crops.kernels.cpu.tasks import Call

AHEAD = 2  # rows of a crop between asking for what one reads and reading it


class Side(NamedTuple):
    """Along one axis of the input, for each place: the first of two neighbouring pixels, their weights and slopes."""

    pixels: Any
    first: Any
    second: Any
    first_slope: Any
    second_slope: Any


@inlined
def whole(count: int) -> int:
    """A number of places as whole lanes."""
    return (count + COUNT - 1) // COUNT * COUNT


@inlined
def side_bytes(count: int, number: int) -> int:
    """Bytes of a side's tables."""
    return whole(count) * (8 + 4 * number)


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
def centres(index: int, count: int) -> Any:
    """Lanes of normalised middles of pixels from `index` on; after the last of `count` the last again."""
    places = count_up(float(index))
    return (choose(places <= count - 1.0, places, count - 1.0) * 2.0 + 1.0) / float(count) - 1.0


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
    """Lanes of places along one axis of the input: what a `Side` has tables of, the pixels as whole float64."""

    pixels: Any
    first: Any
    second: Any
    first_slope: Any
    second_slope: Any


@inlined
def pair(at: Any, pixels: int, padding: int) -> Any:
    """The pixels that are read at lanes of places in pixels, with their weights and slopes."""
    at, turn = in_frame(at, pixels, padding)
    below = floored(at)
    last = max(pixels - 2.0, 0.0)
    pixel = choose(below <= 0.0, 0.0, choose(below >= last, last, below))
    away = at - pixel
    # A pixel weighs 1 less its distance. Where one of the two taps lies outside, the pair is the two pixels at the edge.
    first = choose(away < 0.0, away + 1.0, away * -1.0 + 1.0)
    second = choose(away < 1.0, away, away * -1.0 + 2.0)
    first_slope = choose(away < 0.0, choose(away >= -1.0, turn, 0.0), choose(away < 1.0, turn * -1.0, 0.0))
    second_slope = choose(away < 1.0, choose(away >= 0.0, turn, 0.0), choose(away < 2.0, turn * -1.0, 0.0))
    if pixels == 1:
        second, second_slope = second * 0.0, second_slope * 0.0
    return Pair(pixel, choose(first >= 0.0, first, 0.0), choose(second >= 0.0, second, 0.0), first_slope, second_slope)


@inlined
def weigh(side: Side, place: int, at: Any, pixels: int, padding: int) -> None:
    """Fill the tables of the places from `place` on, which are at these lanes of normalised coordinates."""
    read_there = pair((at + 1.0) * (0.5 * pixels) - 0.5, pixels, padding)
    write(side.pixels, place, COUNT, as_integers(read_there.pixels))
    write(side.first, place, COUNT, as_numbers(side.first, read_there.first))
    write(side.second, place, COUNT, as_numbers(side.first, read_there.second))
    write(side.first_slope, place, COUNT, as_numbers(side.first, read_there.first_slope))
    write(side.second_slope, place, COUNT, as_numbers(side.first, read_there.second_slope))


class Upright(NamedTuple):
    """Tables of an upright crop.

    Attributes:
        rows: of the input's rows.
        columns: of its columns.
        bases: for each COUNT of the crop's columns, the first pixel that they read, counted from `left`.
        offsets: of each column's first pixel from that.
        left: the first column of the input that is read.
        span: how many are.
        near: whether each COUNT of columns reads 2 COUNT pixels at most.
    """

    rows: Side
    columns: Side
    bases: Any
    offsets: Any
    left: int
    span: int
    near: bool


@called
def upright(data: Any, call: Call, space: int, pose: Any) -> Upright:
    """Tables of an upright crop in the workspace at `space`."""
    rows = side_at(data, space, call.crop_height)
    space += side_bytes(call.crop_height, number_size(data))
    columns = side_at(data, space, call.crop_width)
    space += side_bytes(call.crop_width, number_size(data))
    bases = longs(space)
    offsets = integers(space + whole(call.crop_width) // COUNT * 8)
    for i in range(0, call.crop_height, COUNT):
        weigh(rows, i, centres(i, call.crop_height) * pose[4] + pose[5], call.height, call.padding)
    for j in range(0, call.crop_width, COUNT):
        weigh(columns, j, centres(j, call.crop_width) * pose[0] + pose[2], call.width, call.padding)
    left, right = call.width, 0
    for j in range(call.crop_width):
        left = min(left, columns.pixels[j])
        right = max(right, columns.pixels[j] + 2)
    near = True
    for j in range(0, whole(call.crop_width), COUNT):
        low, high = columns.pixels[j], columns.pixels[j]
        for lane in range(COUNT):
            low, high = min(low, columns.pixels[j + lane]), max(high, columns.pixels[j + lane])
        bases[j // COUNT] = low - left
        near = near and high - low + 2 <= 2 * COUNT
        for lane in range(COUNT):
            offsets[j + lane] = columns.pixels[j + lane] - low
    return Upright(rows, columns, bases, offsets, left, min(right, call.width) - left, near)


@called
def mix_pair(
    mixed: Any, source: Any, at: int, down: int, across: int, first: float, second: float, span: int
) -> None:
    """Mix two rows of `span` pixels, the first of which begins at source[at]; the steps are `down` and `across`."""
    if across == 1:
        for i in range(0, span, COUNT):
            rest = span - i
            write(mixed, i, rest, read(source, at + i, rest) * first + read(source, at + down + i, rest) * second)
        return
    for i in range(span):
        mixed[i] = first * load(source, at + i * across) + second * load(source, at + down + i * across)


@inlined
def picked(mixed: Any, base: int, offsets: Any, near: bool) -> Any:
    """Lanes of a mixed row."""
    return pick(mixed, base, offsets) if near else gather(mixed, base, offsets)


@called
def ask_for(source: Any, at: int, call: Call, left: int, span: int, rows: int) -> None:
    """Ask for the columns that a crop reads of `rows` rows of the input, the first at source[at]."""
    line = max(1, LINE // (call.element * max(1, abs(call.input_column))))
    for row in range(rows):
        here = at + row * call.input_row + left * call.input_column
        for i in range(0, span, line):
            prefetch(source, here + i * call.input_column)


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
    if pose[1] == 0.0 and pose[3] == 0.0:
        _crop_upright(data, call, space, pose, pixels, result, first, last)
    else:
        _crop_turned(data, call, space, pose, pixels, result, first, last)


@called
def _crop_upright(
    data: Any, call: Call, space: int, pose: Any, pixels: Any, result: Any, first: int, last: int
) -> None:
    mixed = numbers(data, space)
    known = upright(data, call, space + mixed_bytes(call.width, number_size(data)), pose)
    rows, columns = known.rows, known.columns
    down = call.input_row if call.height > 1 else 0
    pair = 2 if call.height > 1 else 1
    for channel in range(call.channels):
        plane, out = channel * call.input_channel, channel * call.crop_channel
        for i in range(first, last):
            if i + AHEAD < last:
                ask_for(pixels, plane + rows.pixels[i + AHEAD] * call.input_row, call, known.left, known.span, pair)
            at = plane + rows.pixels[i] * call.input_row + known.left * call.input_column
            mix_pair(mixed, pixels, at, down, call.input_column, rows.first[i], rows.second[i], known.span)
            for j in range(0, call.crop_width, COUNT):
                offsets = read(known.offsets, j, COUNT)
                base = known.bases[j // COUNT]
                left = picked(mixed, base, offsets, known.near)
                right = picked(mixed, base + 1, offsets, known.near)
                value = left * read(columns.first, j, COUNT) + right * read(columns.second, j, COUNT)
                write(result, out + i * call.crop_row + j, call.crop_width - j, value)


@inlined
def mixed_bytes(width: int, number: int) -> int:
    """Bytes of a mixed row, with room after it for lanes that are read and not used."""
    return (whole(width) + 3 * COUNT) * number


class Turned(NamedTuple):
    """Tables of one row of a turned crop: where the four pixels of each place begin, and both sides."""

    starts: Any
    x: Side
    y: Side


@called
def turned_at(data: Any, space: int, count: int) -> Turned:
    """Tables in the workspace at `space`."""
    x = space + 8 * whole(count)
    return Turned(longs(space), side_at(data, x, count), side_at(data, x + side_bytes(count, number_size(data)), count))


@called
def place_row(there: Turned, call: Call, pose: Any, i: int, row_step: int, column_step: int) -> None:
    """Fill the tables of row i of a crop; the steps are those of the input."""
    y = centre(i, call.crop_height)
    for j in range(0, call.crop_width, COUNT):
        x = centres(j, call.crop_width)
        weigh(there.x, j, x * pose[0] + (pose[1] * y + pose[2]), call.width, call.padding)
        weigh(there.y, j, x * pose[3] + (pose[4] * y + pose[5]), call.height, call.padding)
        rows, columns = read(there.y.pixels, j, COUNT), read(there.x.pixels, j, COUNT)
        write(there.starts, j, COUNT, rows * row_step + columns * column_step)


@called
def _crop_turned(
    data: Any, call: Call, space: int, pose: Any, pixels: Any, result: Any, first: int, last: int
) -> None:
    there = turned_at(data, space, call.crop_width)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    for i in range(first, last):
        place_row(there, call, pose, i, call.input_row, call.input_column)
        for channel in range(call.channels):
            at, out = channel * call.input_channel, channel * call.crop_channel + i * call.crop_row
            for j in range(0, call.crop_width, COUNT):
                starts = read(there.starts, j, COUNT)
                left, other = read(there.x.first, j, COUNT), read(there.x.second, j, COUNT)
                top = gather(pixels, at, starts) * left + gather(pixels, at + right, starts) * other
                bottom = gather(pixels, at + down, starts) * left + gather(pixels, at + down + right, starts) * other
                value = top * read(there.y.first, j, COUNT) + bottom * read(there.y.second, j, COUNT)
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
    for entry in range(6):
        sums[entry] = 0.0
    if pose[1] == 0.0 and pose[3] == 0.0:
        _to_theta_upright(data, call, space, pose, pixels, given, sums, first, last)
    else:
        _to_theta_turned(data, call, space, pose, pixels, given, sums, first, last)
    for entry in range(6):
        sums[entry] *= 0.5 * (call.width if entry < 3 else call.height)


@inlined
def given_at(given: Any, at: int, step: int, line: Any, count: int) -> None:
    """Copy a row of the crop's gradient."""
    if step == 1:
        for j in range(0, count, COUNT):
            write(line, j, COUNT, read(given, at + j, count - j))
    else:
        for j in range(count, whole(count)):
            line[j] = 0
        for j in range(count):
            line[j] = load(given, at + j * step)


@inlined
def add_row(sums: Any, y: float, x_plain: Any, x_by_x: Any, y_plain: Any, y_by_x: Any) -> None:
    """Add a row at `y` to the six moments: the sums of a place's derivatives times x, y and 1, first along x, then y."""
    plain = sum_of(x_plain)
    sums[0] += sum_of(x_by_x)
    sums[1] += y * plain
    sums[2] += plain
    plain = sum_of(y_plain)
    sums[3] += sum_of(y_by_x)
    sums[4] += y * plain
    sums[5] += plain


@called
def _to_theta_upright(
    data: Any, call: Call, space: int, pose: Any, pixels: Any, given: Any, sums: Any, first: int, last: int
) -> None:
    size = number_size(data)
    mixed, sloped = numbers(data, space), numbers(data, space + mixed_bytes(call.width, size))
    space += 2 * mixed_bytes(call.width, size)
    line = numbers(data, space)
    known = upright(data, call, space + size * whole(call.crop_width), pose)
    rows, columns = known.rows, known.columns
    down = call.input_row if call.height > 1 else 0
    for i in range(first, last):
        x_plain = x_by_x = y_plain = y_by_x = as_numbers(mixed, count_up(0.0)) * 0.0
        for channel in range(call.channels):
            at = channel * call.input_channel + rows.pixels[i] * call.input_row
            if channel + 1 < call.channels:
                ask_for(pixels, at + call.input_channel, call, known.left, known.span, 2)
            elif i + 1 < last:
                ask_for(pixels, rows.pixels[i + 1] * call.input_row, call, known.left, known.span, 2)
            at += known.left * call.input_column
            mix_pair(mixed, pixels, at, down, call.input_column, rows.first[i], rows.second[i], known.span)
            mix_pair(sloped, pixels, at, down, call.input_column, rows.first_slope[i], rows.second_slope[i], known.span)
            given_at(given, channel * call.crop_channel + i * call.crop_row, call.crop_column, line, call.crop_width)
            for j in range(0, call.crop_width, COUNT):
                offsets, base = read(known.offsets, j, COUNT), known.bases[j // COUNT]
                left, right = picked(mixed, base, offsets, known.near), picked(mixed, base + 1, offsets, known.near)
                by_x = left * read(columns.first_slope, j, COUNT) + right * read(columns.second_slope, j, COUNT)
                left, right = picked(sloped, base, offsets, known.near), picked(sloped, base + 1, offsets, known.near)
                by_y = left * read(columns.first, j, COUNT) + right * read(columns.second, j, COUNT)
                x, weight = as_numbers(mixed, centres(j, call.crop_width)), read(line, j, COUNT)
                by_x, by_y = weight * by_x, weight * by_y
                x_plain, y_plain = x_plain + by_x, y_plain + by_y
                x_by_x, y_by_x = x_by_x + x * by_x, y_by_x + x * by_y
        add_row(sums, centre(i, call.crop_height), x_plain, x_by_x, y_plain, y_by_x)


@called
def _to_theta_turned(
    data: Any, call: Call, space: int, pose: Any, pixels: Any, given: Any, sums: Any, first: int, last: int
) -> None:
    line = numbers(data, space)
    there = turned_at(data, space + number_size(data) * whole(call.crop_width), call.crop_width)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    for i in range(first, last):
        place_row(there, call, pose, i, call.input_row, call.input_column)
        x_plain = x_by_x = y_plain = y_by_x = as_numbers(line, count_up(0.0)) * 0.0
        for channel in range(call.channels):
            at = channel * call.input_channel
            given_at(given, channel * call.crop_channel + i * call.crop_row, call.crop_column, line, call.crop_width)
            for j in range(0, call.crop_width, COUNT):
                starts = read(there.starts, j, COUNT)
                top_left, top_right = gather(pixels, at, starts), gather(pixels, at + right, starts)
                low_left, low_right = gather(pixels, at + down, starts), gather(pixels, at + down + right, starts)
                top, bottom = read(there.y.first, j, COUNT), read(there.y.second, j, COUNT)
                by_x = (top_left * top + low_left * bottom) * read(there.x.first_slope, j, COUNT)
                by_x += (top_right * top + low_right * bottom) * read(there.x.second_slope, j, COUNT)
                left, other = read(there.x.first, j, COUNT), read(there.x.second, j, COUNT)
                by_y = (top_left * left + top_right * other) * read(there.y.first_slope, j, COUNT)
                by_y += (low_left * left + low_right * other) * read(there.y.second_slope, j, COUNT)
                x, weight = as_numbers(line, centres(j, call.crop_width)), read(line, j, COUNT)
                by_x, by_y = weight * by_x, weight * by_y
                x_plain, y_plain = x_plain + by_x, y_plain + by_y
                x_by_x, y_by_x = x_by_x + x * by_x, y_by_x + x * by_y
        add_row(sums, centre(i, call.crop_height), x_plain, x_by_x, y_plain, y_by_x)


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
    there = turned_at(data, space, call.crop_width)
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
