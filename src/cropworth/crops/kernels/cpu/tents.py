"""Antialiased crops of any affine pose: a weighted mean of taps along the crop's own axes, each read bilinearly.

Each tap of the places of a row is itself a row of places, which `turned` knows how to read. The directions and the
tents' widths are those of the whole crop; only the phase, how the taps lie about a place, changes from place to place.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.memory import called, doubles, elements, load, number_size, numbers, store
from cropworth.crops.kernels.cpu.moments import add_moments, clear, write_moments
from cropworth.crops.kernels.cpu.taps import ZEROS, centre, in_pixels, tap_count, widest
from cropworth.crops.kernels.cpu.tasks import Call
from cropworth.crops.kernels.cpu.turned import Places, fold, places_bytes, room_for_places, weigh


class Tent(NamedTuple):
    """Along one axis of a crop: its direction and width, and for each place of a row how its taps lie.

    Attributes:
        x: the axis's direction, a unit vector in pixels of the input; zero of a crop without extent.
        y: see above.
        length: what one step of the crop along the axis covers, in pixels.
        width: half the tent's width in pixels, the length within its bounds.
        taps: how many pixels in a row a tent may touch.
        first: how far along the direction the first tap is from the place, in pixels; the others follow pixel by pixel.
        total: the sum of the taps' heights.
        tilt: its derivative by `first`.
        spread: its derivative by the width.
    """

    x: float
    y: float
    length: float
    width: float
    taps: int
    first: Any
    total: Any
    tilt: Any
    spread: Any


class Row(NamedTuple):
    """One row of a crop: its places in pixels of the input, and the tents along the crop's x and y axis."""

    x: Any
    y: Any
    along: Tent
    down: Tent


class Derivatives(NamedTuple):
    """By what the taps of a row hang on, of the crop's sum of products with its gradient, in float64.

    Attributes:
        x: for each place, by the x of its taps, all moved alike.
        y: by their y.
        along: by how far they are moved along x.
        down: by how far they are moved along y.
        of_tents: of the whole crop, by direction and width of the tent along x (x, y, width) and of that along y.
    """

    x: Any
    y: Any
    along: Any
    down: Any
    of_tents: Any


class Corners(NamedTuple):
    """For each place of a row the four pixels that it reads, times the crop's gradient, summed over the channels."""

    top_left: Any
    top_right: Any
    bottom_left: Any
    bottom_right: Any


ROW, DERIVATIVES, MOMENTS = 10, 4, 4  # float64 for each place of a row
OF_TENTS = 6  # float64 for a crop


def workspace(channels: int, count: int, number: int) -> int:
    """Bytes that a worker needs for crops of so many channels and columns, in numbers of so many bytes."""
    mean, corners = channels * number, 4 * number + 8 * (DERIVATIVES + MOMENTS)
    places = int(places_bytes.py_func(count, number))
    return places + count * (8 * ROW + max(mean, corners)) + 8 * OF_TENTS


@called
def tent(space: int, count: int, across_x: float, across_y: float, most: float) -> Tent:
    """The tent along an axis of which one step is (across_x, across_y); room for its places is at `space`."""
    length = math.hypot(across_x, across_y)
    width = min(max(length, 1.0), most)
    scale = 1.0 / length if length > 0.0 else 0.0
    return Tent(
        across_x * scale,
        across_y * scale,
        length,
        width,
        tap_count(width),
        doubles(space),
        doubles(space + 8 * count),
        doubles(space + 16 * count),
        doubles(space + 24 * count),
    )


@called
def room_for_row(call: Call, space: int, pose: Any) -> Row:
    """Room for a row of the crop of this pose in the workspace at `space`."""
    count, longest = call.crop_width, max(call.height, call.width)
    wide, tall = call.width / call.crop_width, call.height / call.crop_width
    along = tent(space + 16 * count, count, pose[0] * wide, pose[3] * tall, widest(call.crop_width, longest, 2))
    wide, tall = call.width / call.crop_height, call.height / call.crop_height
    down = tent(space + 48 * count, count, pose[1] * wide, pose[4] * tall, widest(call.crop_height, longest, 2))
    return Row(doubles(space), doubles(space + 8 * count), along, down)


@called
def height(away: float, width: float) -> tuple[float, float, float]:
    """The height of a tent `away` from its middle, and its derivatives by `away` and by the width."""
    from_middle = abs(away)
    if from_middle > width:
        return 0.0, 0.0, 0.0
    slope = 0.0 if away == 0.0 else (-1.0 if away > 0.0 else 1.0) / width
    return 1.0 - from_middle / width, slope, from_middle / (width * width)


@called
def share(tent: Tent, j: int, away: float) -> tuple[float, float, float]:
    """The weight of a tap `away` from place j of a row, and its derivatives by `first` and by the tent's width."""
    tall, slope, widening = height(away, tent.width)
    weight = tall / tent.total[j]
    return weight, (slope - weight * tent.tilt[j]) / tent.total[j], (widening - weight * tent.spread[j]) / tent.total[j]


@called
def place_taps(tent: Tent, row: Row, count: int) -> None:
    """Find how the taps along one axis lie about the places of a row."""
    for j in range(count):
        # How far along the direction the place is from the first pixel's middle: taps are in step with the pixels.
        phase = row.x[j] * tent.x + row.y[j] * tent.y
        phase -= math.floor(phase)
        first = math.floor(phase - tent.width) + 1.0 - phase
        total, tilt, spread = 0.0, 0.0, 0.0
        for tap in range(tent.taps):
            tall, slope, widening = height(first + tap, tent.width)
            total += tall
            tilt += slope
            spread += widening
        tent.first[j], tent.total[j], tent.tilt[j], tent.spread[j] = first, total, tilt, spread


@called
def place_row(row: Row, call: Call, pose: Any, i: int) -> None:
    """Find the places of row i of a crop, and their taps along both axes."""
    y, count = centre(i, call.crop_height), call.crop_width
    for j in range(count):
        x = centre(j, count)
        row.x[j] = in_pixels(pose[0] * x + pose[1] * y + pose[2], call.width)
        row.y[j] = in_pixels(pose[3] * x + pose[4] * y + pose[5], call.height)
    place_taps(row.along, row, count)
    place_taps(row.down, row, count)


@called
def find_tap(there: Places, row: Row, call: Call, tap: int, other: int, row_step: int, column_step: int) -> None:
    """Find what one tap along x and one along y of all places of a row read; the steps are those of the input."""
    count = call.crop_width
    for j in range(count):
        along, down = row.along.first[j] + tap, row.down.first[j] + other
        there.starts[j] = 0
        there.x.at[j] = row.x[j] + along * row.along.x + down * row.down.x
        there.y.at[j] = row.y[j] + along * row.along.y + down * row.down.y
        there.x.turn[j] = 1.0
        there.y.turn[j] = 1.0
    if call.padding != ZEROS:
        fold(there.x, count, call.width, call.padding)
        fold(there.y, count, call.height, call.padding)
    weigh(there.x, there.starts, column_step, count, call.width)
    weigh(there.y, there.starts, row_step, count, call.height)


@called
def weigh_tap(there: Places, row: Row, tap: int, other: int, count: int) -> None:
    """Multiply the weights of the pixels that a tap reads by the tap's own."""
    for j in range(count):
        along, _, _ = height(row.along.first[j] + tap, row.along.width)
        down, _, _ = height(row.down.first[j] + other, row.down.width)
        weight = along * down / (row.along.total[j] * row.down.total[j])
        there.y.first[j] *= weight
        there.y.second[j] *= weight


@called
def crop(data: Any, call: Call, space: int, theta: int, source: int, target: int, first: int, last: int) -> None:
    """Rows first to before last of one crop in all channels; see `upright.crop`."""
    count, pose = call.crop_width, doubles(theta)
    row = room_for_row(call, space, pose)
    space += 8 * ROW * count
    there = room_for_places(data, space, count)
    mean = numbers(data, space + places_bytes(count, number_size(data)))
    pixels, result = elements(data, source), elements(data, target)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    for i in range(first, last):
        place_row(row, call, pose, i)
        clear(mean, 0, call.channels * count)
        for other in range(row.down.taps):
            for tap in range(row.along.taps):
                find_tap(there, row, call, tap, other, call.input_row, call.input_column)
                weigh_tap(there, row, tap, other, count)
                for channel in range(call.channels):
                    plane, out = channel * call.input_channel, channel * count
                    for j in range(count):
                        at = plane + there.starts[j]
                        top = there.x.first[j] * load(pixels, at) + there.x.second[j] * load(pixels, at + right)
                        at += down
                        bottom = there.x.first[j] * load(pixels, at) + there.x.second[j] * load(pixels, at + right)
                        mean[out + j] += there.y.first[j] * top + there.y.second[j] * bottom
        for channel in range(call.channels):
            out = channel * call.crop_channel + i * call.crop_row
            for j in range(count):
                store(result, out + j * call.crop_column, mean[channel * count + j])


@called
def room_for_derivatives(space: int, count: int) -> Derivatives:
    """Derivatives of all zero, in the workspace at `space`."""
    clear(doubles(space), 0, OF_TENTS + DERIVATIVES * count)
    start, step = space + 8 * OF_TENTS, 8 * count
    return Derivatives(
        doubles(start), doubles(start + step), doubles(start + 2 * step), doubles(start + 3 * step), doubles(space)
    )


@called
def room_for_corners(data: Any, space: int, count: int) -> Corners:
    """Room for the corners of a row in the workspace at `space`."""
    step = count * number_size(data)
    return Corners(
        numbers(data, space), numbers(data, space + step), numbers(data, space + 2 * step), numbers(data, space + 3 * step)
    )


@called
def add_corners(corners: Corners, there: Places, pixels: Any, given: Any, call: Call, plane: int, out: int) -> None:
    """Add one channel, which begins at `plane`, and whose row of the crop's gradient begins at `out`."""
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    for j in range(call.crop_width):
        weight = load(given, out + j * call.crop_column)
        at = plane + there.starts[j]
        corners.top_left[j] += weight * load(pixels, at)
        corners.top_right[j] += weight * load(pixels, at + right)
        at += down
        corners.bottom_left[j] += weight * load(pixels, at)
        corners.bottom_right[j] += weight * load(pixels, at + right)


@called
def add_tap(by: Derivatives, corners: Corners, there: Places, row: Row, tap: int, other: int, count: int) -> None:
    """Add what one tap along x and one along y of all places of a row make of the derivatives."""
    for j in range(count):
        x, y = there.x, there.y
        top = x.first[j] * corners.top_left[j] + x.second[j] * corners.top_right[j]
        bottom = x.first[j] * corners.bottom_left[j] + x.second[j] * corners.bottom_right[j]
        left = y.first[j] * corners.top_left[j] + y.second[j] * corners.bottom_left[j]
        right = y.first[j] * corners.top_right[j] + y.second[j] * corners.bottom_right[j]
        value = y.first[j] * top + y.second[j] * bottom
        along, down = row.along.first[j] + tap, row.down.first[j] + other
        along_weight, along_slope, along_widening = share(row.along, j, along)
        down_weight, down_slope, down_widening = share(row.down, j, down)
        weight = along_weight * down_weight
        by_x = weight * (x.first_slope[j] * left + x.second_slope[j] * right)
        by_y = weight * (y.first_slope[j] * top + y.second_slope[j] * bottom)
        by.x[j] += by_x
        by.y[j] += by_y
        by.along[j] += along_slope * down_weight * value + row.along.x * by_x + row.along.y * by_y
        by.down[j] += along_weight * down_slope * value + row.down.x * by_x + row.down.y * by_y
        by.of_tents[0] += along * by_x
        by.of_tents[1] += along * by_y
        by.of_tents[2] += along_widening * down_weight * value
        by.of_tents[3] += down * by_x
        by.of_tents[4] += down * by_y
        by.of_tents[5] += along_weight * down_widening * value


@called
def by_places(by: Derivatives, row: Row, count: int) -> None:
    """Make the derivatives by a row's places of those by its taps, which follow the places in step with the pixels.

    A tap lies `first` + a whole number from its place along a direction, and `first` falls by what the place's phase
    rises: by the scalar product of place and direction.
    """
    for j in range(count):
        by.x[j] -= by.along[j] * row.along.x + by.down[j] * row.down.x
        by.y[j] -= by.along[j] * row.along.y + by.down[j] * row.down.y
        by.of_tents[0] -= by.along[j] * row.x[j]
        by.of_tents[1] -= by.along[j] * row.y[j]
        by.of_tents[3] -= by.down[j] * row.x[j]
        by.of_tents[4] -= by.down[j] * row.y[j]


@called
def add_tent(gradient: Any, column: int, tent: Tent, by_x: float, by_y: float, by_width: float, call: Call) -> None:
    """Add to one column of the pose's gradient what direction and width of the tent along that axis make of it."""
    if tent.length == 0.0:  # a crop without extent, which has no direction
        return
    size = call.crop_height if column else call.crop_width
    # A step along the axis is its length times its direction; the direction is a unit vector and only turns.
    turned = by_x * tent.x + by_y * tent.y
    longer = by_width if tent.length == tent.width else 0.0
    gradient[column] += ((by_x - turned * tent.x) / tent.length + longer * tent.x) * call.width / size
    gradient[3 + column] += ((by_y - turned * tent.y) / tent.length + longer * tent.y) * call.height / size


@called
def to_theta(
    data: Any, call: Call, space: int, theta: int, source: int, target: int, result: int, first: int, last: int
) -> None:
    """What rows first to before last of one crop add to the gradient of its pose; see `upright.to_theta`."""
    count, pose = call.crop_width, doubles(theta)
    row = room_for_row(call, space, pose)
    space += 8 * ROW * count
    by = room_for_derivatives(space, count)
    space += 8 * (OF_TENTS + DERIVATIVES * count)
    sums = doubles(space)
    clear(sums, 0, MOMENTS * count)
    space += 8 * MOMENTS * count
    there = room_for_places(data, space, count)
    space += places_bytes(count, number_size(data))
    corners, products = room_for_corners(data, space, count), numbers(data, space)
    pixels, given, gradient = elements(data, source), elements(data, target), doubles(result)
    for i in range(first, last):
        place_row(row, call, pose, i)
        clear(by.x, 0, DERIVATIVES * count)
        for other in range(row.down.taps):
            for tap in range(row.along.taps):
                find_tap(there, row, call, tap, other, call.input_row, call.input_column)
                clear(products, 0, 4 * count)
                for channel in range(call.channels):
                    plane, out = channel * call.input_channel, channel * call.crop_channel + i * call.crop_row
                    add_corners(corners, there, pixels, given, call, plane, out)
                add_tap(by, corners, there, row, tap, other, count)
        by_places(by, row, count)
        add_moments(sums, by.x, by.y, centre(i, call.crop_height), count)
    write_moments(gradient, sums, call)
    add_tent(gradient, 0, row.along, by.of_tents[0], by.of_tents[1], by.of_tents[2], call)
    add_tent(gradient, 1, row.down, by.of_tents[3], by.of_tents[4], by.of_tents[5], call)


@called
def to_input(data: Any, call: Call, space: int, theta: int, source: int, result: int, first: int, last: int) -> None:
    """Add the gradient of one crop's channels first to before last to those of its item; see `upright.to_input`."""
    count, pose = call.crop_width, doubles(theta)
    row = room_for_row(call, space, pose)
    there = room_for_places(data, space + 8 * ROW * count, count)
    given, target = elements(data, source), numbers(data, result)
    below = call.width if call.height > 1 else 0
    right = 1 if call.width > 1 else 0
    for i in range(call.crop_height):
        place_row(row, call, pose, i)
        for other in range(row.down.taps):
            for tap in range(row.along.taps):
                find_tap(there, row, call, tap, other, call.width, 1)
                weigh_tap(there, row, tap, other, count)
                for channel in range(first, last):
                    plane, out = channel * call.height * call.width, channel * call.crop_channel + i * call.crop_row
                    for j in range(count):
                        at = plane + there.starts[j]
                        weight = load(given, out + j * call.crop_column)
                        top, bottom = weight * there.y.first[j], weight * there.y.second[j]
                        target[at] += top * there.x.first[j]
                        target[at + right] += top * there.x.second[j]
                        target[at + below] += bottom * there.x.first[j]
                        target[at + below + right] += bottom * there.x.second[j]
