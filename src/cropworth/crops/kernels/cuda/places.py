"""Where a crop reads, and with what weights: what the three kernels share.

The crop's pixel in column j and row i reads the input around the place

    u = first_u + x_u j + y_u i,   v = first_v + x_v j + y_v i

in pixels of the input, 0 being the centre of the first; (x_u, x_v) is one step along the crop's rows, (y_u, y_v) one
along its columns. It reads whole pixels from 1 - reach to reach beyond the one that the place is in, along the crop's
own axes, through a tent that falls to zero `width` pixels from the place. Bilinear interpolation is the tent of
width 1 and reach 1.

Places, and all that there is one of for each crop, are float64: 2000 pixels from the first one, a float32 place is off
by 1e-4 pixels. The fraction left when whole pixels are taken off is as exact in float32 as weights need, so everything
behind it is in the type of the sums. That leaves about ten operations in float64 for each place and block of channels:
nothing to an H100, and to a processor with few float64 units about the time in which its memory delivers the pixels.
"""

# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"
# Triton's language is not Python's: what is between the brackets has no type that mypy knows.

from __future__ import annotations

import triton
import triton.language as tl

# No place is further out than this, so that whole pixels fit into 32 bits: theta may be anything finite.
FAR = tl.constexpr(2.0**30)


@triton.jit
def steps(poses, crop, height, width, rows, columns, dims: tl.constexpr):
    """The map from the crop's pixels to places: first_u, x_u, y_u, first_v, x_v, y_v, float64 scalars."""
    theta = poses + crop * dims * (dims + 1)
    zero = tl.full([], 0.0, tl.float64)
    if dims == 1:  # an image one pixel high, of which the crop is one pixel high
        a, b, c = tl.load(theta).to(tl.float64), zero, tl.load(theta + 1).to(tl.float64)
        d, e, f = zero, zero + 1, zero
    else:
        a, b, c = tl.load(theta).to(tl.float64), tl.load(theta + 1).to(tl.float64), tl.load(theta + 2).to(tl.float64)
        d, e, f = (
            tl.load(theta + 3).to(tl.float64),
            tl.load(theta + 4).to(tl.float64),
            tl.load(theta + 5).to(tl.float64),
        )
    across, down = 1 / (zero + columns), 1 / (zero + rows)  # float64 divides slowly
    x_u, y_u = a * width * across, b * width * down
    x_v, y_v = d * height * across, e * height * down
    first_u = ((c + 1) * width - 1 - x_u * (columns - 1) - y_u * (rows - 1)) * 0.5
    first_v = ((f + 1) * height - 1 - x_v * (columns - 1) - y_v * (rows - 1)) * 0.5
    return first_u, x_u, y_u, first_v, x_v, y_v


@triton.jit
def tents(
    x_u,
    x_v,
    y_u,
    y_v,
    height,
    width,
    rows,
    columns,
    scale: tl.constexpr,
    antialias: tl.constexpr,
    type: tl.constexpr,  # noqa: A002
):
    """The tents along the crop's two axes, and whether these are turned away from the input's.

    A tent is (unit_u, unit_v, width, reach, length): the axis's direction, float64, and the length of a step along it.
    """
    turned = (x_v != 0) | (y_u != 0) if antialias else False  # bilinear interpolation has no axes of the crop
    largest = tl.maximum(height, width) * tl.full([], scale, tl.float64)
    along_x = _tent_along(x_u, x_v, largest / columns, antialias, type)
    return along_x, _tent_along(y_u, y_v, largest / rows, antialias, type), turned


@triton.jit
def _tent_along(step_u, step_v, most, antialias: tl.constexpr, type: tl.constexpr):  # noqa: A002
    if antialias:
        length = tl.sqrt(step_u * step_u + step_v * step_v)
        inverse = 1 / tl.where(length > 0, length, 1.0)
        most = tl.where(most > 1, most, 1.0)
        width = tl.where(length > 1, tl.where(length < most, length, most), 1.0)  # 1 of what is not a number
        return step_u * inverse, step_v * inverse, width.to(type), tl.ceil(width).to(tl.int32), length
    else:  # noqa: RET505 - only one branch is compiled
        zero = tl.full([], 0.0, tl.float64)
        return zero, zero, tl.full([], 1.0, type), 1, zero


@triton.jit
def channels_of(program, programs, channels, block_c: tl.constexpr):
    """The channels that a program is to go through, of the programs that share them: the first, and the end."""
    share = tl.cdiv(tl.cdiv(channels, block_c), programs) * block_c
    return program * share, tl.minimum((program + 1) * share, channels)


@triton.jit
def split(place, type: tl.constexpr):  # noqa: A002
    """Places (float64) as the pixel that they are in and the fraction beyond its centre."""
    place = tl.minimum(tl.maximum(place, -FAR), FAR)
    base = tl.floor(place)
    return base.to(tl.int32), (place - base).to(type)


@triton.jit
def phase(u, v, along, type: tl.constexpr):  # noqa: A002
    """How far along an axis of the crop a place is beyond the last tap: the part that taps in step with pixels skip."""
    return split(u * along[0] + v * along[1], type)[1]


@triton.jit
def tent(tap, fraction, width):
    """The height of the tent around a place at a tap, as many pixels beyond the one that the place is in."""
    return tl.maximum(1 - tl.abs(tap - fraction) * (1 / width), 0.0)


@triton.jit
def sum_of_tents(fraction, width):
    """The sum of `tent` over all taps: two arithmetic series, one on each side of the place."""
    return _side(fraction, width) + _side(1 - fraction, width)


@triton.jit
def _side(distance, width):
    count = tl.ceil(width - distance)
    return count * (1 - (distance + (count - 1) / 2) * (1 / width))


@triton.jit
def padded(index, count, padding: tl.constexpr):
    """The pixel that a tap stands for; of the padding ``zeros`` one outside stays outside."""
    if padding == "border":
        index = tl.minimum(tl.maximum(index, 0), count - 1)
    if padding == "reflection":
        index = index % (2 * count)
        index = tl.where(index < 0, index + 2 * count, index)
        index = tl.minimum(index, 2 * count - 1 - index)
    return index


@triton.jit
def pixel(image, row, column, padding: tl.constexpr, type: tl.constexpr):  # noqa: A002
    """The input's pixels (channels, places), zero outside."""
    source, height, width, stride_v, stride_u, live = image
    row, column = padded(row, height, padding), padded(column, width, padding)
    if padding == "zeros":
        live = live & ((row >= 0) & (row < height) & (column >= 0) & (column < width))
    return tl.load(source + (row.to(tl.int64) * stride_v + column.to(tl.int64) * stride_u), mask=live, other=0).to(type)


@triton.jit
def corners(image, base_v, base_u, y, x, padding: tl.constexpr, type: tl.constexpr):  # noqa: A002
    """The four pixels around the places (y, x) beyond the pixels (base_v, base_u), and how far in between."""
    top, left = tl.floor(y), tl.floor(x)
    row, column = base_v + top.to(tl.int32), base_u + left.to(tl.int32)
    return (
        pixel(image, row, column, padding, type),
        pixel(image, row, column + 1, padding, type),
        pixel(image, row + 1, column, padding, type),
        pixel(image, row + 1, column + 1, padding, type),
        y - top,
        x - left,
    )
