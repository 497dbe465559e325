"""Backward to the input: every pixel of it gathers from the crops that read it.

Gathered in a fixed order instead of scattered with atomics, the gradient has the same bits in every run, overlapping
crops add up, and what is written is written once, in the type that is asked for. The price is that a pixel must find
who reads it: a window of the crop's pixels, from the inverse of the map to places.
"""

# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from cropworth.crops.kernels.cuda.places import FAR, padded, phase, split, steps, sum_of_tents, tent, tents


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
        area = x_u * y_v - x_v * y_u
        inverse = 1 / tl.where(area != 0, area, 1.0)
        far = tl.where(area != 0, 0.0, float("inf"))  # where a crop without area reads, all of it may
        left, right = _window(middle_u, half_u, y_v * inverse, middle_v, half_v, -y_u * inverse, far, columns)
        top, bottom = _window(middle_u, half_u, -x_v * inverse, middle_v, half_v, x_u * inverse, far, rows)
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
    """The places that may read the pixels with this index, in one coordinate: (middle - first, half the range).

    Padding makes a pixel stand for what lies outside the input, as far as the crop sees, from `low` to `high`. This is
    float32, for speed, and the range is wider by more than that may be off.
    """
    low = first + tl.minimum(over, 0.0) + tl.minimum(down, 0.0) - margin
    high = first + tl.maximum(over, 0.0) + tl.maximum(down, 0.0) + margin
    slack = (tl.abs(low) + tl.abs(high) + count) * 2**-20
    low, high, reach = low.to(tl.float32), high.to(tl.float32), (margin + slack).to(tl.float32)
    start = index.to(tl.float32)
    end = start
    if padding == "border":
        start = tl.where(index == 0, tl.minimum(low, 0.0), start)
        end = tl.where(index == count - 1, tl.maximum(high, end), end)
    if padding == "reflection":  # from the leftmost of its images to the rightmost, mirrored ones or not
        period = 2.0 * count
        mirrored = -1 - start
        before = tl.minimum(_image(start, low, period), _image(mirrored, low, period))
        end = -tl.minimum(_image(-start, -high, period), _image(-mirrored, -high, period))
        start = before
    return (start + end) * 0.5 - first.to(tl.float32), (end - start) * 0.5 + reach


@triton.jit
def _image(place, low, period):
    """The first of a place's images, a period apart, that is not below `low`."""
    return place + period * tl.ceil((low - place) / period)


@triton.jit
def _window(middle_u, half_u, by_u, middle_v, half_v, by_v, far, count):
    """The crop's columns, or rows, in the box around the parallelogram of the pixels at these places: start, end.

    These are by_u u + by_v v from the first one. Where that is not a number, it is all of them.
    """
    by_u, by_v = by_u.to(tl.float32), by_v.to(tl.float32)
    middle = middle_u * by_u + middle_v * by_v
    half = half_u * tl.abs(by_u) + half_v * tl.abs(by_v) + far
    start = tl.where(middle - half > 0, tl.minimum(tl.ceil(middle - half), FAR), 0.0).to(tl.int32)
    end = tl.where(middle + half < FAR, tl.maximum(tl.floor(middle + half), -1.0), FAR).to(tl.int32) + 1
    return tl.minimum(start, count), tl.minimum(end, count)


@triton.jit
def _share(index, place, width, reach, count, padding: tl.constexpr, type: tl.constexpr):  # noqa: A002
    """How much of the height of the tent around a place falls on the pixels with this index."""
    if padding == "zeros":
        share = tent(0, (place - index).to(type), width)
    else:
        base, fraction = split(place, type)
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
    _, _, width_x, reach_x, _ = along_x
    _, _, width_y, reach_y, _ = along_y
    weight = _share(column, u, width_x, reach_x, width, padding, type)
    weight *= _share(row, v, width_y, reach_y, height, padding, type)
    if antialias:
        weight /= sum_of_tents(split(u, type)[1], width_x) * sum_of_tents(split(v, type)[1], width_y)
    return weight


@triton.jit
def _turned(row, column, u, v, along_x, along_y, height, width, padding: tl.constexpr, type: tl.constexpr):  # noqa: A002
    """The same of taps between the pixels, each of which is read bilinearly."""
    x_u, x_v, width_x, reach_x, _ = along_x
    y_u, y_v, width_y, reach_y, _ = along_y
    phase_x, phase_y = phase(u, v, along_x, type), phase(u, v, along_y, type)
    weight = tl.zeros(phase_x.shape, type)
    for r in range(1 - reach_y, reach_y + 1):
        for s in range(1 - reach_x, reach_x + 1):
            p, q = s - phase_x, r - phase_y
            read = _share(column, u + p * x_u + q * y_u, 1.0, 1, width, padding, type)
            read *= _share(row, v + p * x_v + q * y_v, 1.0, 1, height, padding, type)
            weight += tent(s, phase_x, width_x) * tent(r, phase_y, width_y) * read
    return weight / (sum_of_tents(phase_x, width_x) * sum_of_tents(phase_y, width_y))
