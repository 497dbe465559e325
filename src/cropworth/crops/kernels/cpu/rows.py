"""What all kernels do with rows: of the input, of a crop, and of its gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

from cropworth.crops.kernels.cpu.access import read, write
from cropworth.crops.kernels.cpu.lanes import COUNT, as_doubles, as_numbers, choose, count_up, sum_of
from cropworth.crops.kernels.cpu.memory import LINE, called, inlined, integers, load, longs, prefetch, shared
from cropworth.crops.kernels.cpu.tasks import Call

AHEAD = 2  # rows of a crop between asking for what one reads and reading it
TOGETHER = 8  # rows of a crop whose sums are added up in their own type, and then in float64
FAR = 2.0**40  # pixels; further out every place is alike, and integers hold it
ROUNDING = 1e-6  # pixels; more than two ways to calculate a place in or near the frame differ by


@shared
def whole(count: int) -> int:
    """A number of places or pixels as whole lanes."""
    return (count + COUNT - 1) // COUNT * COUNT


@inlined
def centre(index: int, count: int) -> float:
    """The middle of one of `count` pixels, see `geometry.pixel_centres`."""
    return (2 * index + 1) / count - 1.0


@inlined
def centres(index: int, count: int) -> Any:
    """Lanes of normalised middles of pixels from `index` on; after the last of `count` the last again."""
    places = count_up(float(index))
    return (choose(places <= count - 1.0, places, count - 1.0) * 2.0 + 1.0) / float(count) - 1.0


@inlined
def in_pixels(at: Any, pixels: int) -> Any:
    """A normalised coordinate, or lanes of them, in pixels from the first of so many pixels' middle."""
    return (at + 1.0) * (0.5 * pixels) - 0.5


@inlined
def lie_inside(first: float, last: float, reach: float, pixels: int) -> bool:
    """Whether pixels on both sides of all places between two, as far as `reach`, lie in the frame, and the next one."""
    low, high = min(first, last), max(first, last)
    return low - reach >= ROUNDING and high + reach <= pixels - 1.0 - ROUNDING


@inlined
def held(at: Any) -> Any:
    """Lanes of places within what integers hold; NaN, which compares as false, becomes one too."""
    return choose(at >= -FAR, choose(at <= FAR, at, FAR), -FAR)


@inlined
def is_upright(pose: Any) -> bool:
    """Whether a crop's axes are the input's."""
    return pose[1] == 0.0 and pose[3] == 0.0


@inlined
def pixels_in_line(call: Call) -> int:
    """How many pixels of a row of the input lie in a cache line, at least one."""
    return max(1, LINE // (call.element * max(1, abs(call.input_column))))


@inlined
def worth_asking(call: Call, span: int) -> bool:
    """Whether rows of so many pixels are asked for ahead: less than some cache lines come soon enough without."""
    return span * call.element * max(1, abs(call.input_column)) >= LINE


@inlined
def ask_for(source: Any, at: int, call: Call, line: int, left: int, span: int, rows: int) -> None:
    """Ask for `span` columns from `left` on of some rows of the input, the first at source[at]."""
    for row in range(rows):
        here = at + row * call.input_row + left * call.input_column
        for i in range(0, span, line):
            prefetch(source, here + i * call.input_column)


@shared
def mixed_bytes(width: int, number: int) -> int:
    """Bytes of a mixed row, with room after it for lanes that are read and not used."""
    return (whole(width) + 5 * COUNT) * number


class Reading(NamedTuple):
    """Where a crop's columns begin to read a mixed row, whose first pixel is the input's column `left`.

    Attributes:
        bases: for each COUNT of columns, the first pixel that they begin at, counted from `left`.
        offsets: of each column from that.
        registers: how many hold all that the COUNT begin at, see `pick`.
        shared: whether they hold the whole runs as well.
        left: the first column of the input that is read.
        span: how many are.
        narrow: whether two registers hold all that is read of a row of the input.
    """

    bases: Any
    offsets: Any
    registers: int
    shared: bool
    left: int
    span: int
    narrow: bool


@shared
def reading_bytes(count: int) -> int:
    """Bytes of the tables of a reading."""
    return 12 * whole(count)


@called
def reading_at(space: int, starts: Any, run: int, count: int, call: Call) -> Reading:
    """How `count` columns with runs that begin at `starts`, whole lanes of them, are read; made at `space`."""
    bases, offsets = longs(space), integers(space + 8 * whole(count))
    left, right, farthest = starts[0], starts[0], 0
    for j in range(0, count, COUNT):
        low, high = starts[j], starts[j]
        for lane in range(1, COUNT):
            low, high = min(low, starts[j + lane]), max(high, starts[j + lane])
        for lane in range(COUNT):
            offsets[j + lane] = starts[j + lane] - low
        bases[j // COUNT] = low
        left, right, farthest = min(left, low), max(right, high), max(farthest, high - low)
    narrow = call.input_column == 1 and right - left + run <= 2 * COUNT
    if call.input_row % COUNT == 0 and not narrow:  # in lanes that lie in one cache line each
        left = left // COUNT * COUNT
    for block in range(whole(count) // COUNT):
        bases[block] -= left
    needed = farthest + run
    registers = 2 if needed <= 2 * COUNT else (4 if farthest < 4 * COUNT else 0)
    return Reading(bases, offsets, registers, needed <= registers * COUNT, left, right - left + run, narrow)


@called
def place_middles(middles: Any, count: int) -> None:
    """Write the normalised middles of a crop's columns, whole lanes of them."""
    for j in range(0, count, COUNT):
        write(middles, j, COUNT, as_numbers(middles, centres(j, count)))


@inlined
def copy_row(given: Any, at: int, step: int, line: Any, count: int) -> None:
    """Copy a row of the crop's gradient to a line, where its numbers do not stand side by side."""
    if step != 1:
        for j in range(count):
            line[j] = load(given, at + j * step)


@inlined
def read_row(given: Any, at: int, step: int, line: Any, j: int, count: int) -> Any:
    """Lanes of a row of the crop's gradient that `copy_row` has seen; zero after its `count` numbers."""
    return read(given, at + j, count - j) if step == 1 else read(line, j, count - j)


class Moments(NamedTuple):
    """Lanes of sums of places' derivatives, along x and along y: times x, times y, and as they are."""

    x_by_x: Any
    x_by_y: Any
    x_plain: Any
    y_by_x: Any
    y_by_y: Any
    y_plain: Any


@inlined
def no_moments() -> Moments:
    """Sums of nothing, in float64."""
    zero = count_up(0.0) * 0.0
    return Moments(zero, zero, zero, zero, zero, zero)


@inlined
def with_sums(so_far: Moments, more: Moments) -> Moments:
    """The moments with others, lanes of numbers."""
    return Moments(
        so_far.x_by_x + as_doubles(more.x_by_x),
        so_far.x_by_y + as_doubles(more.x_by_y),
        so_far.x_plain + as_doubles(more.x_plain),
        so_far.y_by_x + as_doubles(more.y_by_x),
        so_far.y_by_y + as_doubles(more.y_by_y),
        so_far.y_plain + as_doubles(more.y_plain),
    )


@inlined
def with_row(so_far: Moments, y: float, x_plain: Any, x_by_x: Any, y_plain: Any, y_by_x: Any) -> Moments:
    """The moments with those of a row at `y`."""
    along_x, along_y = as_doubles(x_plain), as_doubles(y_plain)
    return with_sums(so_far, Moments(x_by_x, along_x * y, along_x, y_by_x, along_y * y, along_y))


@inlined
def write_moments(sums: Any, moments: Moments) -> None:
    """Write the six sums, in theta's order."""
    sums[0], sums[1], sums[2] = sum_of(moments.x_by_x), sum_of(moments.x_by_y), sum_of(moments.x_plain)
    sums[3], sums[4], sums[5] = sum_of(moments.y_by_x), sum_of(moments.y_by_y), sum_of(moments.y_plain)


@called
def to_half_widths(sums: Any, call: Call) -> None:
    """Moments of derivatives by places in pixels -> by normalised coordinates, the gradient of theta."""
    for entry in range(6):
        sums[entry] *= 0.5 * (call.width if entry < 3 else call.height)


@called
def add_scaled(target: Any, at: int, mixed: Any, weight: float, span: int) -> None:
    """Add a mixed row times a weight to the numbers from target[at] on."""
    for p in range(0, span, COUNT):
        write(target, at + p, span - p, read(target, at + p, span - p) + read(mixed, p, COUNT) * weight)
