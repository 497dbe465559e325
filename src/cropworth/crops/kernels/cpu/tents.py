"""Antialiased crops of turned poses: a weighted mean of taps along the crop's own axes, each read as a place is.

The directions and the widths of the tents are those of the whole crop. What changes from place to place is how the taps
lie about it, since they are in step with the input's pixels.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.lanes import (
    COUNT,
    as_doubles,
    as_integers,
    as_numbers,
    choose,
    count_up,
    floored,
    gather,
    read,
    sum_of,
    write,
)
from cropworth.crops.kernels.cpu.linear import add_row, centres, given_at, pair
from cropworth.crops.kernels.cpu.memory import called, doubles, elements, inlined, load, longs, number_size, numbers
from cropworth.crops.kernels.cpu.taps import centre, tap_count, widest
from cropworth.crops.kernels.cpu.tasks import Call


def workspace(channels: int, number: int) -> int:
    """Bytes that a worker needs for crops of so many channels, in numbers of so many bytes."""
    return max(channels, 8) * COUNT * number


class Tent(NamedTuple):
    """What the places of a crop are averaged with along one of its axes.

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


class Taps(NamedTuple):
    """Lanes of places: how the taps along one axis lie about them.

    Attributes:
        first: how far the first tap lies from the place, in pixels along the axis; the others follow pixel by pixel.
        total: the sum of the tent's heights at all taps.
        tilt: its derivative by `first`.
        spread: its derivative by the tent's width.
    """

    first: Any
    total: Any
    tilt: Any
    spread: Any


class Tap(NamedTuple):
    """Lanes of places: a tap's place along an axis, its weight, and the weight's derivatives by `first` and by width."""

    place: Any
    weight: Any
    slope: Any
    widening: Any


@called
def tent(across_x: float, across_y: float, most: float) -> Tent:
    """The tent along an axis of which one pixel of the crop covers (across_x, across_y)."""
    length = math.hypot(across_x, across_y)
    scale = 1.0 / length if length > 0.0 else 0.0
    width = min(max(length, 1.0), most)
    return Tent(across_x * scale, across_y * scale, length, width, tap_count(width))


@called
def tents(call: Call, pose: Any) -> tuple[Tent, Tent]:
    """The tents along the x and the y axis of a crop."""
    longest = max(call.height, call.width)
    wide, tall = call.width / call.crop_width, call.height / call.crop_width
    along = tent(pose[0] * wide, pose[3] * tall, widest(call.crop_width, longest, 2))
    wide, tall = call.width / call.crop_height, call.height / call.crop_height
    return along, tent(pose[1] * wide, pose[4] * tall, widest(call.crop_height, longest, 2))


@inlined
def places(call: Call, pose: Any, i: int, j: int) -> tuple[Any, Any]:
    """Lanes of places in pixels, of the crop's row i from its column j on."""
    x, y = centres(j, call.crop_width), centre(i, call.crop_height)
    column = (x * pose[0] + (pose[1] * y + pose[2]) + 1.0) * (0.5 * call.width) - 0.5
    row = (x * pose[3] + (pose[4] * y + pose[5]) + 1.0) * (0.5 * call.height) - 0.5
    return column, row


@inlined
def height(away: Any, width: float) -> tuple[Any, Any, Any]:
    """The heights of a tent `away` from its middle, and their derivatives by `away` and by the width."""
    from_middle = choose(away < 0.0, away * -1.0, away)
    inside = from_middle <= width
    slope = choose(away < 0.0, 1.0 / width, choose(away == 0.0, away, -1.0 / width))
    tall = from_middle * (-1.0 / width) + 1.0
    return choose(inside, tall, 0.0), choose(inside, slope, 0.0), choose(inside, from_middle / (width * width), 0.0)


@inlined
def taps_about(along: Tent, x: Any, y: Any) -> Taps:
    """How the taps along an axis lie about lanes of places."""
    phase = x * along.x + y * along.y
    phase = phase - floored(phase)
    first = floored(phase - along.width) + 1.0 - phase
    total = tilt = spread = first * 0.0
    for step in range(along.taps):
        tall, slope, widening = height(first + float(step), along.width)
        total, tilt, spread = total + tall, tilt + slope, spread + widening
    return Taps(first, total, tilt, spread)


@inlined
def tap_at(along: Tent, taps: Taps, step: int) -> Tap:
    """The tap this many steps after the first."""
    place = taps.first + float(step)
    tall, slope, widening = height(place, along.width)
    weight = tall / taps.total
    return Tap(
        place, weight, (slope - weight * taps.tilt) / taps.total, (widening - weight * taps.spread) / taps.total
    )


@called
def crop(data: Any, call: Call, space: int, theta: int, source: int, target: int, first: int, last: int) -> None:
    """Rows first to before last of one crop, in all channels; see `linear.crop`."""
    pixels, result, pose, mean = elements(data, source), elements(data, target), doubles(theta), numbers(data, space)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    along, across = tents(call, pose)
    for i in range(first, last):
        for j in range(0, call.crop_width, COUNT):
            x, y = places(call, pose, i, j)
            columns, rows = taps_about(along, x, y), taps_about(across, x, y)
            for at in range(call.channels * COUNT):
                mean[at] = 0
            for row in range(across.taps):
                vertical = tap_at(across, rows, row)
                for column in range(along.taps):
                    horizontal = tap_at(along, columns, column)
                    weight = horizontal.weight * vertical.weight
                    u = pair(x + horizontal.place * along.x + vertical.place * across.x, call.width, call.padding)
                    v = pair(y + horizontal.place * along.y + vertical.place * across.y, call.height, call.padding)
                    starts = as_integers(v.pixels) * call.input_row + as_integers(u.pixels) * call.input_column
                    left, other = as_numbers(mean, u.first), as_numbers(mean, u.second)
                    high, low = as_numbers(mean, v.first * weight), as_numbers(mean, v.second * weight)
                    for channel in range(call.channels):
                        at = channel * call.input_channel
                        top = gather(pixels, at, starts) * left + gather(pixels, at + right, starts) * other
                        at += down
                        bottom = gather(pixels, at, starts) * left + gather(pixels, at + right, starts) * other
                        line = channel * COUNT
                        write(mean, line, COUNT, read(mean, line, COUNT) + top * high + bottom * low)
            for channel in range(call.channels):
                out = channel * call.crop_channel + i * call.crop_row + j
                write(result, out, call.crop_width - j, read(mean, channel * COUNT, COUNT))


@inlined
def add_tent(gradient: Any, entry: int, along: Tent, by_x: float, by_y: float, by_width: float, pixels: Any) -> None:
    """Add what the direction and the width of a tent make of the gradient of the pose's column that they hang on."""
    if along.length > 0.0:
        # What a pixel covers is length times direction; the direction, a unit vector, only turns.
        longer = by_x * along.x + by_y * along.y
        widening = by_width if along.length == along.width else 0.0
        gradient[entry] += ((by_x - longer * along.x) / along.length + widening * along.x) * pixels[0]
        gradient[3 + entry] += ((by_y - longer * along.y) / along.length + widening * along.y) * pixels[1]


@called
def to_theta(
    data: Any, call: Call, space: int, theta: int, source: int, target: int, result: int, first: int, last: int
) -> None:
    """What rows first to before last of one crop add to the gradient of its pose; see `linear.to_theta`."""
    pixels, given, pose, sums = elements(data, source), elements(data, target), doubles(theta), doubles(result)
    line, step = numbers(data, space), COUNT * number_size(data)
    down = call.input_row if call.height > 1 else 0
    right = call.input_column if call.width > 1 else 0
    along, across = tents(call, pose)
    for entry in range(6):
        sums[entry] = 0.0
    zero = count_up(0.0) * 0.0
    along_x = along_y = along_width = across_x = across_y = across_width = zero
    for i in range(first, last):
        x_plain = x_by_x = y_plain = y_by_x = zero
        for j in range(0, call.crop_width, COUNT):
            for channel in range(call.channels):
                at = channel * call.crop_channel + i * call.crop_row + j * call.crop_column
                there = numbers(data, space + channel * step)
                given_at(given, at, call.crop_column, there, min(COUNT, call.crop_width - j))
            middle, (x, y) = centres(j, call.crop_width), places(call, pose, i, j)
            columns, rows = taps_about(along, x, y), taps_about(across, x, y)
            for row in range(across.taps):
                vertical = tap_at(across, rows, row)
                for column in range(along.taps):
                    horizontal = tap_at(along, columns, column)
                    u = pair(x + horizontal.place * along.x + vertical.place * across.x, call.width, call.padding)
                    v = pair(y + horizontal.place * along.y + vertical.place * across.y, call.height, call.padding)
                    starts = as_integers(v.pixels) * call.input_row + as_integers(u.pixels) * call.input_column
                    # The four pixels that are read times the crop's gradient, summed over the channels.
                    corner = as_numbers(line, zero)
                    other = low = far = corner
                    for channel in range(call.channels):
                        at, weight = channel * call.input_channel, read(line, channel * COUNT, COUNT)
                        corner, other = (
                            corner + weight * gather(pixels, at, starts),
                            other + weight * gather(pixels, at + right, starts),
                        )
                        low, far = (
                            low + weight * gather(pixels, at + down, starts),
                            far + weight * gather(pixels, at + down + right, starts),
                        )
                    upper = as_doubles(corner) * u.first + as_doubles(other) * u.second
                    lower = as_doubles(low) * u.first + as_doubles(far) * u.second
                    value = upper * v.first + lower * v.second
                    by_y = upper * v.first_slope + lower * v.second_slope
                    upper = as_doubles(corner) * u.first_slope + as_doubles(other) * u.second_slope
                    lower = as_doubles(low) * u.first_slope + as_doubles(far) * u.second_slope
                    by_x = upper * v.first + lower * v.second
                    weight = horizontal.weight * vertical.weight
                    by_x, by_y = by_x * weight, by_y * weight
                    # By how far the taps are moved along each axis. They are in step with the pixels: they stay
                    # where they are when the place moves.
                    moved_along = horizontal.slope * vertical.weight * value + by_x * along.x + by_y * along.y
                    moved_across = horizontal.weight * vertical.slope * value + by_x * across.x + by_y * across.y
                    along_x += by_x * horizontal.place - moved_along * x
                    along_y += by_y * horizontal.place - moved_along * y
                    across_x += by_x * vertical.place - moved_across * x
                    across_y += by_y * vertical.place - moved_across * y
                    along_width += horizontal.widening * vertical.weight * value
                    across_width += horizontal.weight * vertical.widening * value
                    by_x = by_x - moved_along * along.x - moved_across * across.x
                    by_y = by_y - moved_along * along.y - moved_across * across.y
                    x_plain, y_plain = x_plain + by_x, y_plain + by_y
                    x_by_x, y_by_x = x_by_x + by_x * middle, y_by_x + by_y * middle
        add_row(sums, centre(i, call.crop_height), x_plain, x_by_x, y_plain, y_by_x)
    for entry in range(6):
        sums[entry] *= 0.5 * (call.width if entry < 3 else call.height)
    pixel = call.width / call.crop_width, call.height / call.crop_width
    add_tent(sums, 0, along, sum_of(along_x), sum_of(along_y), sum_of(along_width), pixel)
    pixel = call.width / call.crop_height, call.height / call.crop_height
    add_tent(sums, 1, across, sum_of(across_x), sum_of(across_y), sum_of(across_width), pixel)


@called
def to_input(data: Any, call: Call, space: int, theta: int, source: int, result: int, first: int, last: int) -> None:
    """Add the gradient of one crop's channels first to before last to those of its item; see `linear.to_input`."""
    given, target, pose = elements(data, source), numbers(data, result), doubles(theta)
    starts = longs(space)
    weights = numbers(data, space + 8 * COUNT)
    below = call.width if call.height > 1 else 0
    right = 1 if call.width > 1 else 0
    along, across = tents(call, pose)
    for i in range(call.crop_height):
        for j in range(0, call.crop_width, COUNT):
            x, y = places(call, pose, i, j)
            columns, rows = taps_about(along, x, y), taps_about(across, x, y)
            for row in range(across.taps):
                vertical = tap_at(across, rows, row)
                for column in range(along.taps):
                    horizontal = tap_at(along, columns, column)
                    weight = horizontal.weight * vertical.weight
                    u = pair(x + horizontal.place * along.x + vertical.place * across.x, call.width, call.padding)
                    v = pair(y + horizontal.place * along.y + vertical.place * across.y, call.height, call.padding)
                    write(starts, 0, COUNT, as_integers(v.pixels) * call.width + as_integers(u.pixels))
                    high, low = v.first * weight, v.second * weight
                    write(weights, 0, COUNT, as_numbers(weights, high * u.first))
                    write(weights, COUNT, COUNT, as_numbers(weights, high * u.second))
                    write(weights, 2 * COUNT, COUNT, as_numbers(weights, low * u.first))
                    write(weights, 3 * COUNT, COUNT, as_numbers(weights, low * u.second))
                    for channel in range(first, last):
                        plane = channel * call.height * call.width
                        out = channel * call.crop_channel + i * call.crop_row + j * call.crop_column
                        for lane in range(min(COUNT, call.crop_width - j)):
                            at, value = plane + starts[lane], load(given, out + lane * call.crop_column)
                            target[at] += weights[lane] * value
                            target[at + right] += weights[COUNT + lane] * value
                            target[at + below] += weights[2 * COUNT + lane] * value
                            target[at + below + right] += weights[3 * COUNT + lane] * value
