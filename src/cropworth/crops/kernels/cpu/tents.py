"""Antialiased crops of turned poses: a weighted mean of taps along the crop's own axes, each read as a place is.

The directions and the widths of the tents are those of the whole crop. What changes from place to place is how the taps
lie about it, since they are in step with the input's pixels.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.access import gather_pair, read, write
from cropworth.crops.kernels.cpu.lanes import (
    COUNT,
    as_doubles,
    as_integers,
    as_numbers,
    choose,
    count_up,
    floored,
    sum_of,
)
from cropworth.crops.kernels.cpu.memory import called, doubles, elements, inlined, load, longs, number_size, numbers
from cropworth.crops.kernels.cpu.pairs import Pair, pair_at, slopes
from cropworth.crops.kernels.cpu.rows import (
    centre,
    centres,
    copy_row,
    held,
    in_pixels,
    no_moments,
    read_row,
    to_half_widths,
    with_row,
    write_moments,
)
from cropworth.crops.kernels.cpu.taps import tap_count, widest
from cropworth.crops.kernels.cpu.tasks import Call, Words


def workspace(call: Words, number: int) -> int:
    """Bytes that a worker needs, in numbers of so many bytes."""
    return max(call.channels, 8) * COUNT * number


class Tent(NamedTuple):
    """What a crop is averaged with along one of its axes.

    Attributes:
        x: the axis's direction, a unit vector in pixels of the input; zero of a crop without extent.
        y: see above.
        length: what one pixel of the crop covers along the axis, in pixels of the input.
        width: half the tent's width, the length within its bounds.
        taps: how many steps of one pixel a tent may touch.
    """

    x: float
    y: float
    length: float
    width: float
    taps: int


class Tents(NamedTuple):
    """The tents along the x axis of a crop and along its y axis."""

    along: Tent
    across: Tent


class Taps(NamedTuple):
    """Lanes of places: how the taps along one axis lie about them.

    Attributes:
        first: how far the first tap lies from the place, in pixels along the axis; the others follow pixel by pixel.
        scale: 1 / the sum of the tent's heights at all taps.
        tilt: the derivative of that sum by `first`, times the scale.
        spread: its derivative by the tent's width, times the scale.
    """

    first: Any
    scale: Any
    tilt: Any
    spread: Any


class Block(NamedTuple):
    """Lanes of places in pixels of the input, and the taps about them."""

    x: Any
    y: Any
    along: Taps
    across: Taps


class Tap(NamedTuple):
    """Lanes of places: a tap's place along an axis, its weight, and the derivatives of that by place and width."""

    place: Any
    weight: Any
    slope: Any
    widening: Any


@called
def tent(across_x: float, across_y: float, most: float) -> Tent:
    """The tent along an axis of which one pixel of the crop covers (across_x, across_y)."""
    length = math.hypot(across_x, across_y)
    scale = 1.0 / length if length > 0.0 else 0.0
    width = min(length, most) if length > 1.0 else 1.0  # 1 of a NaN too
    return Tent(across_x * scale, across_y * scale, length, width, tap_count(width))


@called
def tents(call: Call, pose: Any) -> Tents:
    """The tents of a crop."""
    longest = max(call.height, call.width)
    wide, tall = call.width / call.crop_width, call.height / call.crop_width
    along = tent(pose[0] * wide, pose[3] * tall, widest(call.crop_width, longest, 2))
    wide, tall = call.width / call.crop_height, call.height / call.crop_height
    return Tents(along, tent(pose[1] * wide, pose[4] * tall, widest(call.crop_height, longest, 2)))


@inlined
def height(away: Any, width: float) -> tuple[Any, Any, Any]:
    """The heights of a tent `away` from its middle, and their derivatives by `away` and by the width."""
    from_middle = choose(away < 0.0, away * -1.0, away)
    inside = from_middle <= width
    slope = choose(away < 0.0, 1.0 / width, choose(away == 0.0, away, -1.0 / width))
    tall = from_middle * (-1.0 / width) + 1.0
    return (
        choose(inside, tall, 0.0),
        choose(inside, slope, 0.0),
        choose(inside, from_middle * (1.0 / (width * width)), 0.0),
    )


@inlined
def taps_about(tent: Tent, x: Any, y: Any) -> Taps:
    """How the taps along an axis lie about lanes of places."""
    # How far along the axis a place lies from the first pixel's middle: taps are in step with the pixels.
    phase = x * tent.x + y * tent.y
    phase = phase - floored(phase)
    first = floored(phase - tent.width) + 1.0 - phase
    total = tilt = spread = first * 0.0
    for step in range(tent.taps):
        tall, slope, widening = height(first + float(step), tent.width)
        total, tilt, spread = total + tall, tilt + slope, spread + widening
    return Taps(first, 1.0 / total, tilt / total, spread / total)


@inlined
def tap_at(tent: Tent, taps: Taps, step: int) -> Tap:
    """The tap so many steps after the first."""
    place = taps.first + float(step)
    tall, slope, widening = height(place, tent.width)
    weight = tall * taps.scale
    return Tap(place, weight, slope * taps.scale - weight * taps.tilt, widening * taps.scale - weight * taps.spread)


@inlined
def block_at(call: Call, pose: Any, tents: Tents, i: int, j: int) -> Block:
    """The places of the crop's row i from its column j on."""
    middle, y = centres(j, call.crop_width), centre(i, call.crop_height)
    column = held(in_pixels(middle * pose[0] + (pose[1] * y + pose[2]), call.width))
    row = held(in_pixels(middle * pose[3] + (pose[4] * y + pose[5]), call.height))
    return Block(column, row, taps_about(tents.along, column, row), taps_about(tents.across, column, row))


@inlined
def pairs_at(call: Call, tents: Tents, block: Block, along: Tap, across: Tap) -> tuple[Pair, Pair]:
    """The pixels that a tap reads, along both axes of the input."""
    x = block.x + along.place * tents.along.x + across.place * tents.across.x
    y = block.y + along.place * tents.along.y + across.place * tents.across.y
    return pair_at(x, call.width, call.padding), pair_at(y, call.height, call.padding)


@called
def crop(data: Any, call: Call, space: int, theta: int, source: int, target: int, first: int, last: int) -> None:
    """Rows first to before last of one crop, in all channels; see `linear.crop`."""
    pixels, result, pose, mean = elements(data, source), elements(data, target), doubles(theta), numbers(data, space)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    known = tents(call, pose)
    for i in range(first, last):
        for j in range(0, call.crop_width, COUNT):
            block = block_at(call, pose, known, i, j)
            for at in range(call.channels * COUNT):
                mean[at] = 0
            for tap in range(known.along.taps * known.across.taps):
                along = tap_at(known.along, block.along, tap % known.along.taps)
                across = tap_at(known.across, block.across, tap // known.along.taps)
                x, y = pairs_at(call, known, block, along, across)
                starts = as_integers(y.pixel) * call.input_row + as_integers(x.pixel) * call.input_column
                left, other = as_numbers(mean, x.first * along.weight), as_numbers(mean, x.second * along.weight)
                upper, lower = as_numbers(mean, y.first * across.weight), as_numbers(mean, y.second * across.weight)
                for channel in range(call.channels):
                    at, line = channel * call.input_channel, channel * COUNT
                    one, two = gather_pair(pixels, at, starts, right)
                    three, four = gather_pair(pixels, at + down, starts, right)
                    seen = (one * left + two * other) * upper + (three * left + four * other) * lower
                    write(mean, line, COUNT, read(mean, line, COUNT) + seen)
            for channel in range(call.channels):
                out = channel * call.crop_channel + i * call.crop_row + j
                write(result, out, call.crop_width - j, read(mean, channel * COUNT, COUNT))


@called
def to_input(data: Any, call: Call, space: int, theta: int, source: int, result: int, first: int, last: int) -> None:
    """Add the gradient of one crop's channels first to before last to those of its item; see `linear.to_input`."""
    given, target, pose = elements(data, source), numbers(data, result), doubles(theta)
    starts, weights = longs(space), numbers(data, space + 8 * COUNT)
    below = call.width if call.height > 1 else 0
    right = 1 if call.width > 1 else 0
    known = tents(call, pose)
    for i in range(call.crop_height):
        for j in range(0, call.crop_width, COUNT):
            block = block_at(call, pose, known, i, j)
            for tap in range(known.along.taps * known.across.taps):
                along = tap_at(known.along, block.along, tap % known.along.taps)
                across = tap_at(known.across, block.across, tap // known.along.taps)
                x, y = pairs_at(call, known, block, along, across)
                write(starts, 0, COUNT, as_integers(y.pixel) * call.width + as_integers(x.pixel))
                weight = along.weight * across.weight
                upper, lower = y.first * weight, y.second * weight
                write(weights, 0, COUNT, as_numbers(weights, upper * x.first))
                write(weights, COUNT, COUNT, as_numbers(weights, upper * x.second))
                write(weights, 2 * COUNT, COUNT, as_numbers(weights, lower * x.first))
                write(weights, 3 * COUNT, COUNT, as_numbers(weights, lower * x.second))
                for channel in range(first, last):
                    plane = channel * call.height * call.width
                    out = channel * call.crop_channel + i * call.crop_row + j * call.crop_column
                    for lane in range(min(COUNT, call.crop_width - j)):
                        at, value = plane + starts[lane], load(given, out + lane * call.crop_column)
                        target[at] += weights[lane] * value
                        target[at + right] += weights[COUNT + lane] * value
                        target[at + below] += weights[2 * COUNT + lane] * value
                        target[at + below + right] += weights[3 * COUNT + lane] * value


class Corners(NamedTuple):
    """Lanes of places: the four pixels that are read, times the crop's gradient, summed over the channels."""

    top_left: Any
    top_right: Any
    bottom_left: Any
    bottom_right: Any


@inlined
def corners_at(pixels: Any, given: Any, starts: Any, call: Call) -> Corners:
    """The corners of the places whose first pixels are `starts`; `given` has COUNT gradients for each channel."""
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    top_left = top_right = bottom_left = bottom_right = read(given, 0, COUNT) * 0.0
    for channel in range(call.channels):
        at, weight = channel * call.input_channel, read(given, channel * COUNT, COUNT)
        one, two = gather_pair(pixels, at, starts, right)
        three, four = gather_pair(pixels, at + down, starts, right)
        top_left, top_right = top_left + weight * one, top_right + weight * two
        bottom_left, bottom_right = bottom_left + weight * three, bottom_right + weight * four
    return Corners(as_doubles(top_left), as_doubles(top_right), as_doubles(bottom_left), as_doubles(bottom_right))


class Derivatives(NamedTuple):
    """By what taps hang on: their places, and the directions and widths of the tents along and across."""

    x: Any
    y: Any
    along_x: Any
    along_y: Any
    along_width: Any
    across_x: Any
    across_y: Any
    across_width: Any


@inlined
def derive(
    call: Call, corners: Corners, tents: Tents, block: Block, along: Tap, across: Tap, x: Pair, y: Pair
) -> Derivatives:
    """The derivatives of a tap's share in the sum of the crop times its gradient; x and y are `pairs_at`."""
    (left_slope, right_slope), (top_slope, bottom_slope) = slopes(x, call.width), slopes(y, call.height)
    top = corners.top_left * x.first + corners.top_right * x.second
    bottom = corners.bottom_left * x.first + corners.bottom_right * x.second
    left = corners.top_left * y.first + corners.bottom_left * y.second
    right = corners.top_right * y.first + corners.bottom_right * y.second
    value = top * y.first + bottom * y.second
    weight = along.weight * across.weight
    by_x = (left * left_slope + right * right_slope) * weight
    by_y = (top * top_slope + bottom * bottom_slope) * weight
    # By how far all taps move along an axis. They are in step with the pixels: by as much as the place moves along it,
    # they stay behind, and what that is depends on the axis's direction.
    moved_along = along.slope * across.weight * value + by_x * tents.along.x + by_y * tents.along.y
    moved_across = along.weight * across.slope * value + by_x * tents.across.x + by_y * tents.across.y
    return Derivatives(
        by_x - moved_along * tents.along.x - moved_across * tents.across.x,
        by_y - moved_along * tents.along.y - moved_across * tents.across.y,
        by_x * along.place - moved_along * block.x,
        by_y * along.place - moved_along * block.y,
        along.widening * across.weight * value,
        by_x * across.place - moved_across * block.x,
        by_y * across.place - moved_across * block.y,
        along.weight * across.widening * value,
    )


@inlined
def add_tent(sums: Any, entry: int, tent: Tent, by_x: Any, by_y: Any, by_width: Any, size: int) -> None:
    """Add what the direction and the width of a tent make of the column of the gradient that they hang on.

    What a pixel of the crop covers, (theta[0, entry] W, theta[1, entry] H) / size, is length times direction. The sums
    are in half-widths of the input.
    """
    if tent.length > 0.0:
        x, y = sum_of(by_x), sum_of(by_y)
        longer = x * tent.x + y * tent.y  # of which a unit vector takes no notice
        widening = sum_of(by_width) if tent.length == tent.width else 0.0
        sums[entry] += ((x - longer * tent.x) / tent.length + widening * tent.x) * 2.0 / size
        sums[3 + entry] += ((y - longer * tent.y) / tent.length + widening * tent.y) * 2.0 / size


@called
def to_theta(
    data: Any, call: Call, space: int, theta: int, source: int, target: int, result: int, first: int, last: int
) -> None:
    """What rows first to before last of one crop add to the gradient of its pose; see `linear.to_theta`."""
    pixels, given, pose, sums = elements(data, source), elements(data, target), doubles(theta), doubles(result)
    line, step = numbers(data, space), COUNT * number_size(data)
    known = tents(call, pose)
    zero = count_up(0.0) * 0.0
    along_x = along_y = along_width = across_x = across_y = across_width = zero
    moments = no_moments()
    for i in range(first, last):
        x_plain = x_by_x = y_plain = y_by_x = zero
        for j in range(0, call.crop_width, COUNT):
            left = min(COUNT, call.crop_width - j)
            for channel in range(call.channels):
                at = channel * call.crop_channel + i * call.crop_row + j * call.crop_column
                there = numbers(data, space + channel * step)
                copy_row(given, at, call.crop_column, there, left)
                write(there, 0, COUNT, read_row(given, at, call.crop_column, there, 0, left))
            middle, block = centres(j, call.crop_width), block_at(call, pose, known, i, j)
            for tap in range(known.along.taps * known.across.taps):
                along = tap_at(known.along, block.along, tap % known.along.taps)
                across = tap_at(known.across, block.across, tap // known.along.taps)
                x, y = pairs_at(call, known, block, along, across)
                starts = as_integers(y.pixel) * call.input_row + as_integers(x.pixel) * call.input_column
                by = derive(call, corners_at(pixels, line, starts, call), known, block, along, across, x, y)
                x_plain, y_plain = x_plain + by.x, y_plain + by.y
                x_by_x, y_by_x = x_by_x + by.x * middle, y_by_x + by.y * middle
                along_x, along_y, along_width = along_x + by.along_x, along_y + by.along_y, along_width + by.along_width
                across_x, across_y = across_x + by.across_x, across_y + by.across_y
                across_width += by.across_width
        moments = with_row(moments, centre(i, call.crop_height), x_plain, x_by_x, y_plain, y_by_x)
    write_moments(sums, moments)
    add_tent(sums, 0, known.along, along_x, along_y, along_width, call.crop_width)
    add_tent(sums, 1, known.across, across_x, across_y, across_width, call.crop_height)
    to_half_widths(sums, call)
