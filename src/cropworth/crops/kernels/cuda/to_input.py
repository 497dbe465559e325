"""Backward to the input: every pixel of it gathers from the crops that read it.

Gathered in a fixed order instead of scattered with atomics, the gradient has the same bits in every run, overlapping
crops add up, and what is written is written once, in the type that is asked for. The price is that a pixel must find
who reads it: a window of the crop's pixels, from the inverse of the map to places.
"""

# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from cropworth.crops.kernels.cuda.places import padded, phase, split, steps, sum_of_tents, tent, tents


@triton.jit(do_not_specialize=["crops", "channels", "height", "width", "rows", "columns"])
def to_input_kernel(
    grad,
    poses,
    output,
    crops,
    channels,
    height,
    width,
    rows,
    columns,
    stride_b,
    stride_k,
    stride_c,
    stride_i,
    stride_j,
    dims: tl.constexpr,
    padding: tl.constexpr,
    antialias: tl.constexpr,
    scale: tl.constexpr,
    type: tl.constexpr,  # noqa: A002
    block_c: tl.constexpr,
    block_p: tl.constexpr,
):
    """A program writes `block_c` channels of `block_p` pixels of an item of the input, numbered row by row."""
    blocks = tl.cdiv(height * width, block_p)
    item = (tl.program_id(0) // blocks).to(tl.int64)
    number = tl.program_id(0) % blocks * block_p + tl.arange(0, block_p)[None, :]
    channel = tl.program_id(1) * block_c + tl.arange(0, block_c)[:, None].to(tl.int64)
    live = (number < height * width) & (channel < channels)
    row, column = number // width, number % width

    source = grad + item * stride_b + channel * stride_c
    value = tl.zeros([block_c, block_p], type)
    for k in range(crops):
        first_u, x_u, y_u, first_v, x_v, y_v = steps(poses, item * crops + k, height, width, rows, columns, dims)
        along_x, along_y, turned = tents(x_u, x_v, y_u, y_v, height, width, rows, columns, scale, antialias, type)
        margin_u, margin_v = _margin(along_x, along_y, 0, turned), _margin(along_y, along_x, 1, turned)
        middle_u, half_u = _readers(column, width, first_u, x_u * (columns - 1), y_u * (rows - 1), margin_u, padding)
        middle_v, half_v = _readers(row, height, first_v, x_v * (columns - 1), y_v * (rows - 1), margin_v, padding)
        # The window is the box around the parallelogram that the map turns into these places.
        area = x_u * y_v - x_v * y_u
        inverse = 1 / tl.where(area != 0, area, 1.0)
        far = tl.where(area != 0, 0.0, float("inf"))  # of a crop without area, the window is everything
        middle_u, middle_v = (middle_u - first_u) * inverse, (middle_v - first_v) * inverse
        half_u, half_v = half_u * tl.abs(inverse), half_v * tl.abs(inverse)
        left, right = _window(
            y_v * middle_u - y_u * middle_v, tl.abs(y_v) * half_u + tl.abs(y_u) * half_v + far, columns
        )
        top, bottom = _window(x_u * middle_v - x_v * middle_u, tl.abs(x_v) * half_u + tl.abs(x_u) * half_v + far, rows)
        for down in range(tl.max(bottom - top)):
            i = top + down
            for over in range(tl.max(right - left)):
                j = left + over
                u, v = first_u + x_u * j + y_u * i, first_v + x_v * j + y_v * i
                if turned:
                    weight = _turned(row, column, u, v, along_x, along_y, height, width, padding, type)
                else:
                    weight = _upright(row, column, u, v, along_x, along_y, height, width, padding, antialias, type)
                at = source + i.to(tl.int64) * stride_i + j.to(tl.int64) * stride_j
                value += weight * tl.load(at, mask=live & (i < bottom) & (j < right), other=0).to(type)
        source += stride_k
    to = output + (item * channels + channel) * height * width + number
    tl.store(to, value.to(output.dtype.element_ty), mask=live)


@triton.jit
def _margin(along, other, axis: tl.constexpr, turned):
    """How far from a place, in u (axis 0) or v (axis 1), the pixels may be that it reads."""
    aslant = along[2] * tl.abs(along[axis]) + other[2] * tl.abs(other[axis]) + 1
    return tl.where(turned, aslant, along[2].to(tl.float64))


@triton.jit
def _readers(index, count, first, over, down, margin, padding: tl.constexpr):
    """The places (middle, half a range) that may read the pixels with this index, in one coordinate, float64.

    Padding makes a pixel stand for what lies outside the input, as far as the crop sees, from `low` to `high`.
    """
    low = first + tl.minimum(over, 0.0) + tl.minimum(down, 0.0) - margin
    high = first + tl.maximum(over, 0.0) + tl.maximum(down, 0.0) + margin
    start = index.to(tl.float64)
    end = start
    if padding == "border":
        start = tl.where(index == 0, tl.minimum(low, 0.0), start)
        end = tl.where(index == count - 1, tl.maximum(high, count - 1.0), end)
    if padding == "reflection":  # from the leftmost to the rightmost of its images, of either handedness
        period = 2.0 * count
        image = -1 - start
        left = tl.minimum(
            start + period * tl.ceil((low - start) / period), image + period * tl.ceil((low - image) / period)
        )
        end = tl.maximum(
            start + period * tl.floor((high - start) / period), image + period * tl.floor((high - image) / period)
        )
        start = left
    return (start + end) / 2, (end - start) / 2 + margin


@triton.jit
def _window(middle, half, count):
    """The whole numbers in a range, within [0, count): start, end. Everything, where the range is not a number."""
    start = tl.where(middle - half > 0, tl.ceil(middle - half), 0.0)
    end = tl.where(middle + half < count - 1, tl.floor(middle + half) + 1, count)
    return tl.minimum(start, count).to(tl.int32), tl.maximum(end, 0.0).to(tl.int32)


@triton.jit
def _share(index, base, fraction, width, reach, count, padding: tl.constexpr, type: tl.constexpr):  # noqa: A002
    """How much of a tent's height falls on the pixels with this index."""
    if padding == "zeros":
        share = tent(index - base, fraction, width)
    else:
        share = tl.zeros(fraction.shape, type)
        for tap in range(1 - reach, reach + 1):
            share += tl.where(padded(base + tap, count, padding) == index, tent(tap, fraction, width), 0.0)
    return share


@triton.jit
def _upright(
    row,
    column,
    u,
    v,
    along_x,
    along_y,
    height,
    width,
    padding: tl.constexpr,
    antialias: tl.constexpr,
    type: tl.constexpr,  # noqa: A002
):
    """The weights of pixels in what is read at the places (u, v)."""
    base_u, x = split(u, type)
    base_v, y = split(v, type)
    _, _, width_x, reach_x, _ = along_x
    _, _, width_y, reach_y, _ = along_y
    weight = _share(column, base_u, x, width_x, reach_x, width, padding, type) * _share(
        row, base_v, y, width_y, reach_y, height, padding, type
    )
    if antialias:
        weight /= sum_of_tents(x, width_x) * sum_of_tents(y, width_y)
    return weight


@triton.jit
def _turned(row, column, u, v, along_x, along_y, height, width, padding: tl.constexpr, type: tl.constexpr):  # noqa: A002
    """The same of taps between the pixels, each of which is read bilinearly."""
    base_u, x = split(u, type)
    base_v, y = split(v, type)
    x_u, x_v, width_x, reach_x, _ = along_x
    y_u, y_v, width_y, reach_y, _ = along_y
    phase_x, phase_y = phase(u, v, along_x, type), phase(u, v, along_y, type)
    weight = tl.zeros(x.shape, type)
    for r in range(1 - reach_y, reach_y + 1):
        for s in range(1 - reach_x, reach_x + 1):
            right = x + (s - phase_x) * x_u.to(type) + (r - phase_y) * y_u.to(type)
            down = y + (s - phase_x) * x_v.to(type) + (r - phase_y) * y_v.to(type)
            left, top = tl.floor(right), tl.floor(down)
            read = _share(column, base_u + left.to(tl.int32), right - left, 1.0, 1, width, padding, type) * _share(
                row, base_v + top.to(tl.int32), down - top, 1.0, 1, height, padding, type
            )
            weight += tent(s, phase_x, width_x) * tent(r, phase_y, width_y) * read
    return weight / (sum_of_tents(phase_x, width_x) * sum_of_tents(phase_y, width_y))
