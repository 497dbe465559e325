"""Which pixels of the input an upright crop reads along an axis, and with what weights.

Every place reads a run of pixels that all lie in the frame, so that the loops over pixels know no edge: what the
padding makes of a tap outside is settled in the weights. Places are computed in float64 whatever is cropped, since a
float32 is off by a ten-thousandth of a pixel of a large image.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.access import write
from cropworth.crops.kernels.cpu.lanes import COUNT, as_integers, as_numbers, choose, count_up, floored, lane
from cropworth.crops.kernels.cpu.memory import LINE, called, inlined, longs, number_size, numbers, shared
from cropworth.crops.kernels.cpu.rows import centres, held, in_pixels, lie_inside, whole
from cropworth.crops.kernels.reference import LARGEST_SCALE

PADDINGS = ("zeros", "border", "reflection")
ZEROS, BORDER, REFLECTION = range(3)
_LARGEST_1D, _LARGEST_2D = LARGEST_SCALE[1], LARGEST_SCALE[2]


class Axis(NamedTuple):
    """The table of one axis of a crop.

    Attributes:
        starts: the first pixel of each place.
        weights: of place p's pixel t at p * next_place + t * next_tap.
        slopes: the derivative of the weights by the place in pixels, where asked for.
        widenings: their derivative by the tent's width, where asked for.
        run: how many pixels in a row each place reads.
        next_place: see `weights`.
        next_tap: see `weights`.
        width: half the tent's width in pixels.
    """

    starts: Any
    weights: Any
    slopes: Any
    widenings: Any
    run: int
    next_place: int
    next_tap: int
    width: float


@shared
def widest(size: int, longest: int, dims: int) -> float:
    """Half the widest tent, in pixels, along an axis of `size` places; the input's longest side is `longest`."""
    return max(1.0, (_LARGEST_1D if dims == 1 else _LARGEST_2D) * longest / size)


@shared
def tap_count(width: float) -> int:
    """How many pixels a tent of this half-width may touch: two where it interpolates linearly."""
    return math.ceil(2.0 * width)


@shared
def axis_bytes(size: int, run: int, number: int, derive: bool) -> int:
    """Bytes of a table of `size` places with runs of so many numbers of so many bytes."""
    return (whole(size) * (8 + (3 if derive else 1) * whole(run) * number) + LINE - 1) // LINE * LINE


@called
def place_axis(
    data: Any,
    space: int,
    size: int,
    pixels: int,
    scale: float,
    shift: float,
    width: float,
    padding: int,
    by_tap: bool,
    derive: bool,
) -> Axis:
    """Make the table of one axis in the workspace at `space`.

    Args:
        data: a pointer of the elements' type.
        space: an address, followed by `axis_bytes`.
        size: places along the crop's axis.
        pixels: along the input's axis.
        scale: of the pose.
        shift: of the pose.
        width: half the tent's width in pixels.
        padding: an index of PADDINGS.
        by_tap: whether the first pixels' weights of all places stand side by side, then the second's, and so on, or
            all weights of a place, as whole lanes.
        derive: whether the derivatives are asked for.
    """
    taps = tap_count(width)
    run = min(taps, pixels)
    next_place, next_tap = (1, whole(size)) if by_tap else (whole(run), 1)
    one = whole(size) * whole(run) * number_size(data)
    weights = numbers(data, space)
    slopes, widenings = numbers(data, space + one), numbers(data, space + 2 * one)
    starts = longs(space + (3 if derive else 1) * one)
    axis = Axis(starts, weights, slopes, widenings, run, next_place, next_tap, width)
    for block in range(0, size, COUNT):
        at = held(in_pixels(centres(block, size) * scale + shift, pixels))
        last = min(block + COUNT, size)
        inside = by_tap and lie_inside(lane(at, 0), lane(at, last - 1 - block), width, pixels)
        if inside:
            _place_by_tap(axis, block, tents_at(axis, at), derive)
        for place in range(last if inside else block, last):
            middle = lane(at, place - block)
            if not by_tap and lie_inside(middle, middle, width, pixels):
                _place_run(axis, place, tents_at(axis, middle), derive)
            else:
                _place_at_edge(axis, place, middle, pixels, padding, derive)
    for place in range(size, whole(size)):  # read with the places before them, and not used
        starts[place] = starts[size - 1]
        for tap in range(run if by_tap else whole(run)):
            weights[place * next_place + tap * next_tap] = 0
            if derive:
                slopes[place * next_place + tap * next_tap] = 0
                widenings[place * next_place + tap * next_tap] = 0
    return axis


class Tents(NamedTuple):
    """Lanes of places, or one, in float64: the tent about each, whose taps follow pixel by pixel.

    Attributes:
        first: the first tap's pixel.
        away: how far that is from the middle, at most 0.
        left: how many taps lie up to the middle.
        taps: how many there are, with those after it.
        part: 1 / the sum of their heights.
        tilt: the derivative of that sum by the middle's place.
        spread: and by the tent's width.
    """

    first: Any
    away: Any
    left: Any
    taps: Any
    part: Any
    tilt: Any
    spread: Any


@inlined
def tents_at(axis: Axis, at: Any) -> Tents:
    """Tents at lanes of places in pixels, or at one; their sums are those of two arithmetic progressions."""
    width = axis.width
    first = floored(at - width) + 1.0
    away = first - at
    left = floored(away * -1.0) + 1.0
    after = left + away  # how far the first tap on the right is from the middle
    right = floored(after * -1.0 + width) + 1.0
    far = left * (away * -1.0 - (left - 1.0) * 0.5) + right * (after + (right - 1.0) * 0.5)  # all distances
    total = left + right - far * (1.0 / width)
    return Tents(
        first,
        away,
        left,
        left + right,
        1.0 / total,
        (right - left) * (1.0 / width),
        far * (1.0 / (width * width)),
    )


@inlined
def tap_at(tap: Any, away: Any, tents: Tents, width: float) -> tuple[Any, Any, Any]:
    """Lanes of a tap's weight, and its derivatives by the middle's place and the width.

    Args:
        tap: lanes of taps, or one, counted from a tent's first.
        away: how far each is from the middle.
        tents: one for each lane, or one for all.
        width: of all tents.
    """
    before, within = tap < tents.left, tap < tents.taps
    far = choose(before, away * -1.0, away)
    height = far * (-1.0 / width) + 1.0
    weight = choose(height >= 0.0, height, 0.0) * tents.part
    steep = away * 0.0 + 1.0 / width
    slope = choose(before, steep * -1.0, choose(within, steep, 0.0))
    widening = choose(within, far * (1.0 / (width * width)), 0.0)
    return weight, (slope - weight * tents.tilt) * tents.part, (widening - weight * tents.spread) * tents.part


@called
def _place_by_tap(axis: Axis, place: int, tents: Tents, derive: bool) -> None:
    """Fill the table for lanes of places whose taps all lie in the frame."""
    like = axis.weights
    write(axis.starts, place, COUNT, as_integers(tents.first))
    rounded = Tents(
        tents.first,
        as_numbers(like, tents.away),
        as_numbers(like, tents.left),
        as_numbers(like, tents.taps),
        as_numbers(like, tents.part),
        as_numbers(like, tents.tilt),
        as_numbers(like, tents.spread),
    )
    for tap in range(axis.run):
        step = float(tap)
        write_tap(axis, place + tap * axis.next_tap, step, rounded.away + step, rounded, derive)


@called
def _place_run(axis: Axis, place: int, tent: Tents, derive: bool) -> None:
    """Fill the table for one place whose taps all lie in the frame, lanes of taps at a time."""
    axis.starts[place] = int(tent.first)
    for tap in range(0, axis.run, COUNT):
        taps = as_numbers(axis.weights, count_up(0.0)) + float(tap)
        write_tap(axis, place * axis.next_place + tap, taps, taps + tent.away, tent, derive)


@inlined
def write_tap(axis: Axis, spot: int, tap: Any, away: Any, tents: Tents, derive: bool) -> None:
    """Write lanes of the table."""
    weight, slope, widening = tap_at(tap, away, tents, axis.width)
    write(axis.weights, spot, COUNT, weight)
    if derive:
        write(axis.slopes, spot, COUNT, slope)
        write(axis.widenings, spot, COUNT, widening)


@called
def _place_at_edge(axis: Axis, place: int, at: float, pixels: int, padding: int, derive: bool) -> None:
    """Fill the table for one place, wherever it lies."""
    weights, slopes, widenings, width, taps = (
        axis.weights,
        axis.slopes,
        axis.widenings,
        axis.width,
        tap_count(axis.width),
    )
    row = place * axis.next_place
    for tap in range(axis.run if axis.next_place == 1 else axis.next_place):
        weights[row + tap * axis.next_tap] = 0
        if derive:
            slopes[row + tap * axis.next_tap] = 0
            widenings[row + tap * axis.next_tap] = 0
    first = math.floor(at - width) + 1
    start = _start(first, taps, axis.run, pixels, padding)
    axis.starts[place] = start
    total, tilt, spread = 0.0, 0.0, 0.0
    for tap in range(taps):
        away = first + tap - at
        height = 1.0 - abs(away) / width
        if height < 0.0:
            continue
        slope, widening = (1.0 if away > 0.0 else -1.0) / width, abs(away) / (width * width)
        total, tilt, spread = total + height, tilt + slope, spread + widening
        pixel = _pixel_of(first + tap, pixels, padding)
        if pixel >= 0:
            spot = row + (pixel - start) * axis.next_tap
            weights[spot] += height
            if derive:
                slopes[spot] += slope
                widenings[spot] += widening
    part = 1.0 / total
    for tap in range(axis.run):
        spot = row + tap * axis.next_tap
        weights[spot] *= part
        if derive:
            slopes[spot] = (slopes[spot] - weights[spot] * tilt) * part
            widenings[spot] = (widenings[spot] - weights[spot] * spread) * part


@called
def _pixel_of(tap: int, count: int, padding: int) -> int:
    """The pixel that a tap reads, -1 for none."""
    if 0 <= tap < count:
        return tap
    if padding == BORDER:
        return 0 if tap < 0 else count - 1
    if padding == REFLECTION:
        there = tap % (2 * count)
        return there if there < count else 2 * count - 1 - there
    return -1


@called
def _start(first: int, taps: int, run: int, pixels: int, padding: int) -> int:
    """Where a run in the frame begins that holds all pixels which the taps read."""
    if first >= 0 and first + taps <= pixels:
        return first
    start = pixels - run
    for tap in range(taps):
        pixel = _pixel_of(first + tap, pixels, padding)
        if 0 <= pixel < start:
            start = pixel
    return start
