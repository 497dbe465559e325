"""Which pixels of the input an upright crop reads along an axis, and with what weights.

Every place reads a run of pixels that all lie in the frame, so that the loops over pixels know no edge: what the
padding makes of a tap outside is settled in the weights. Places are computed in float64 whatever is cropped, since a
float32 is off by a ten-thousandth of a pixel of a large image.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.memory import BLOCK, LINE, called, inlined, integers, number_size, numbers
from cropworth.crops.kernels.reference import LARGEST_SCALE

PADDINGS = ("zeros", "border", "reflection")
ZEROS, BORDER, REFLECTION = range(3)
FAR = 2.0**40  # pixels; further out every place is alike, and integers hold it
_LARGEST_1D, _LARGEST_2D = LARGEST_SCALE[1], LARGEST_SCALE[2]


class Axis(NamedTuple):
    """The table of one axis of a crop.

    Attributes:
        starts: the first pixel of each place.
        weights: `room` numbers for each place, of which those after the run's length are zero.
        slopes: the derivative of the weights by the place in pixels, where asked for.
        widenings: their derivative by the tent's width, where asked for.
        run: how many pixels in a row each place reads.
        room: see `weights`.
        width: half the tent's width in pixels.
    """

    starts: Any
    weights: Any
    slopes: Any
    widenings: Any
    run: int
    room: int
    width: float


@inlined
def centre(index: int, count: int) -> float:
    """The middle of one of `count` pixels, see `geometry.pixel_centres`."""
    return (2 * index + 1) / count - 1.0


@inlined
def in_pixels(place: float, count: int) -> float:
    """A normalised coordinate in pixels from the first pixel's middle, within what integers hold."""
    return min(max((place + 1.0) * (0.5 * count) - 0.5, -FAR), FAR)


@called
def widest(size: int, longest: int, dims: int) -> float:
    """Half the widest tent, in pixels, along an axis of `size` places; the input's longest side is `longest`."""
    return max(1.0, (_LARGEST_1D if dims == 1 else _LARGEST_2D) * longest / size)


@called
def tap_count(width: float) -> int:
    """How many pixels a tent of this half-width may touch: two where it interpolates linearly."""
    return math.ceil(2.0 * width)


@called
def room_for(run: int, derive: bool) -> int:
    """Numbers kept for a run: whole blocks, which are read at once, or two where no more are read or derived."""
    return 2 if run <= 2 and not derive else (run + BLOCK - 1) // BLOCK * BLOCK


@called
def axis_bytes(size: int, room: int, number: int, derive: bool) -> int:
    """Bytes of a table of `size` places with `room` numbers of so many bytes."""
    return (size * (8 + (3 if derive else 1) * room * number) + LINE - 1) // LINE * LINE


@called
def place_axis(
    data: Any, space: int, size: int, pixels: int, scale: float, shift: float, width: float, padding: int, derive: bool
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
        derive: whether the derivatives are asked for.
    """
    taps = tap_count(width)
    run = min(taps, pixels)
    room = room_for(run, derive)
    bytes_each = size * room * number_size(data)
    weights = numbers(data, space)
    slopes = numbers(data, space + bytes_each)
    widenings = numbers(data, space + 2 * bytes_each)
    starts = integers(space + (3 if derive else 1) * bytes_each)
    for place in range(size):
        at = in_pixels(scale * centre(place, size) + shift, pixels)
        first = math.floor(at - width) + 1
        row = place * room
        for tap in range(room):
            weights[row + tap] = 0
        if derive:
            for tap in range(room):
                slopes[row + tap] = 0
                widenings[row + tap] = 0
        start = _start(first, taps, run, pixels, padding)
        starts[place] = start
        total, tilt, spread = 0.0, 0.0, 0.0
        for tap in range(taps):
            height, slope, widening = _tent(first + tap - at, width)
            total += height
            tilt += slope
            spread += widening
        for tap in range(taps):
            pixel = _pixel_of(first + tap, pixels, padding)
            if pixel < 0:
                continue
            height, slope, widening = _tent(first + tap - at, width)
            spot = row + pixel - start
            weights[spot] += height / total
            if derive:
                slopes[spot] += (slope - height / total * tilt) / total
                widenings[spot] += (widening - height / total * spread) / total
    return Axis(starts, weights, slopes, widenings, run, room, width)


@inlined
def _tent(away: float, width: float) -> tuple[float, float, float]:
    """The height of a tent `away` from its middle, and its derivatives by the middle's place and by the width."""
    height = 1.0 - abs(away) / width
    if height < 0.0:
        return 0.0, 0.0, 0.0
    return height, (1.0 if away > 0.0 else -1.0) / width, abs(away) / (width * width)


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
