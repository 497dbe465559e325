"""Linear interpolation along one axis: the two neighbouring pixels that each place reads, and their weights.

Both lie in the frame: what the padding makes of a tap outside is settled in the weights.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.access import write
from cropworth.crops.kernels.cpu.lanes import COUNT, as_integers, as_numbers, choose, floored
from cropworth.crops.kernels.cpu.memory import called, inlined, number_size, numbers, shared
from cropworth.crops.kernels.cpu.rows import held, in_pixels, lie_inside, whole
from cropworth.crops.kernels.cpu.taps import REFLECTION, ZEROS


class Side(NamedTuple):
    """Along one axis of the input, for each place: the weights of two neighbouring pixels, and the weights' slopes."""

    first: Any
    second: Any
    first_slope: Any
    second_slope: Any


@shared
def side_bytes(count: int, number: int, derive: bool) -> int:
    """Bytes of a side's tables, with the slopes or without."""
    return whole(count) * (4 if derive else 2) * number


@called
def side_at(data: Any, space: int, count: int) -> Side:
    """A side's tables in the workspace at `space`."""
    step = whole(count) * number_size(data)
    return Side(
        numbers(data, space),
        numbers(data, space + step),
        numbers(data, space + 2 * step),
        numbers(data, space + 3 * step),
    )


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
def pairs_inside(first: float, last: float, pixels: int) -> bool:
    """Whether pairs of pixels between two normalised coordinates all lie in the frame."""
    return lie_inside(in_pixels(first, pixels), in_pixels(last, pixels), 0.0, pixels)


@inlined
def weigh(side: Side, place: int, at: Any, pixels: int, padding: int, inside: bool, derive: bool) -> Any:
    """Fill the tables of the places from `place` on, and return lanes of the first pixel that each reads.

    Args:
        side: its tables.
        place: see above.
        at: where the places are, lanes of normalised coordinates.
        pixels: along the axis.
        padding: an index of PADDINGS.
        inside: whether all pairs of pixels are known to lie in the frame, which spares most of the work.
        derive: whether the slopes are asked for.
    """
    at = in_pixels(at, pixels)
    if inside:
        below = floored(at)
        away = as_numbers(side.first, at - below)
        write(side.first, place, COUNT, away * -1.0 + 1.0)
        write(side.second, place, COUNT, away)
        if derive:
            write(side.first_slope, place, COUNT, away * 0.0 - 1.0)
            write(side.second_slope, place, COUNT, away * 0.0 + 1.0)
        return as_integers(below)
    pair = pair_at(at, pixels, padding)
    write(side.first, place, COUNT, as_numbers(side.first, pair.first))
    write(side.second, place, COUNT, as_numbers(side.first, pair.second))
    if derive:
        first_slope, second_slope = slopes(pair, pixels)
        write(side.first_slope, place, COUNT, as_numbers(side.first, first_slope))
        write(side.second_slope, place, COUNT, as_numbers(side.first, second_slope))
    return as_integers(pair.pixel)
