"""Forward: crops straight from theta, no grid in between."""

# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from cropworth.crops.kernels.cuda.places import (
    channels_of,
    corners,
    phase,
    pixel,
    split,
    steps,
    sum_of_tents,
    tent,
    tents,
)


@triton.jit(do_not_specialize=["crops", "channels", "height", "width", "rows", "columns"])
def crop_kernel(
    input,  # noqa: A002
    poses,
    output,
    crops,
    channels,
    height,
    width,
    rows,
    columns,
    stride_b,
    stride_c,
    stride_v,
    stride_u,
    dims: tl.constexpr,
    padding: tl.constexpr,
    antialias: tl.constexpr,
    scale: tl.constexpr,
    type: tl.constexpr,  # noqa: A002
    block_c: tl.constexpr,
    block_p: tl.constexpr,
):
    """A program writes `block_p` pixels of a crop, numbered row by row, and goes through the channels by `block_c`."""
    blocks = tl.cdiv(rows * columns, block_p)
    crop = (tl.program_id(0) // blocks).to(tl.int64)
    number = tl.program_id(0) % blocks * block_p + tl.arange(0, block_p)[None, :]
    i, j = number // columns, number % columns

    first_u, x_u, y_u, first_v, x_v, y_v = steps(poses, crop, height, width, rows, columns, dims)
    along_x, along_y, turned = tents(x_u, x_v, y_u, y_v, height, width, rows, columns, scale, antialias, type)
    u, v = first_u + x_u * j + y_u * i, first_v + x_v * j + y_v * i
    source = input + crop // crops * stride_b
    first, end = channels_of(tl.program_id(1), tl.num_programs(1), channels, block_c)
    for start in range(first, end, block_c):
        channel = start + tl.arange(0, block_c)[:, None].to(tl.int64)
        live = (number < rows * columns) & (channel < channels)
        image = (source + channel * stride_c, height, width, stride_v, stride_u, live)
        if turned:
            value = _turned(image, u, v, along_x, along_y, padding, type)
        else:
            value = _upright(image, u, v, along_x, along_y, padding, antialias, type)
        to = output + (crop * channels + channel) * rows * columns + number
        tl.store(to, value.to(output.dtype.element_ty), mask=live)


@triton.jit
def _upright(
    image,
    u,
    v,
    along_x,
    along_y,
    padding: tl.constexpr,
    antialias: tl.constexpr,
    type: tl.constexpr,  # noqa: A002
):
    """Every tap is a pixel."""
    base_u, x = split(u, type)
    base_v, y = split(v, type)
    _, _, width_x, reach_x, _ = along_x
    _, _, width_y, reach_y, _ = along_y
    value = tl.zeros(image[5].shape, type)
    for r in tl.range(1 - reach_y, reach_y + 1, loop_unroll_factor=1 if antialias else 2):
        line = tl.zeros(image[5].shape, type)
        for s in tl.range(1 - reach_x, reach_x + 1, loop_unroll_factor=1 if antialias else 2):
            line += tent(s, x, width_x) * pixel(image, base_v + r, base_u + s, padding, type)
        value += tent(r, y, width_y) * line
    if antialias:
        value /= sum_of_tents(x, width_x) * sum_of_tents(y, width_y)
    return value


@triton.jit
def _turned(image, u, v, along_x, along_y, padding: tl.constexpr, type: tl.constexpr):  # noqa: A002
    """Taps lie between the pixels, and are read bilinearly."""
    base_u, x = split(u, type)
    base_v, y = split(v, type)
    phase_x, phase_y = phase(u, v, along_x, type), phase(u, v, along_y, type)
    x_u, x_v, width_x, reach_x, _ = along_x
    y_u, y_v, width_y, reach_y, _ = along_y
    value = tl.zeros(image[5].shape, type)
    for r in range(1 - reach_y, reach_y + 1):
        for s in range(1 - reach_x, reach_x + 1):
            right = x + (s - phase_x) * x_u.to(type) + (r - phase_y) * y_u.to(type)
            down = y + (s - phase_x) * x_v.to(type) + (r - phase_y) * y_v.to(type)
            nw, ne, sw, se, q, p = corners(image, base_v, base_u, down, right, padding, type)
            read = (nw * (1 - p) + ne * p) * (1 - q) + (sw * (1 - p) + se * p) * q
            value += tent(s, phase_x, width_x) * tent(r, phase_y, width_y) * read
    return value / (sum_of_tents(phase_x, width_x) * sum_of_tents(phase_y, width_y))
