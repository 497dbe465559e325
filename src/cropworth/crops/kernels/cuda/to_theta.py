"""Backward to theta: every block of a crop's pixels writes what it adds, to be summed in a fixed order."""

# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from cropworth.crops.kernels.cuda.places import channels_of, corners, phase, pixel, split, steps, tents


@triton.jit(do_not_specialize=["crops", "channels", "height", "width", "rows", "columns"])
def to_theta_kernel(
    grad,
    input,  # noqa: A002
    poses,
    output,
    crops,
    channels,
    height,
    width,
    rows,
    columns,
    grad_b,
    grad_k,
    grad_c,
    grad_i,
    grad_j,
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
    """A program reads `block_p` pixels of a crop, goes through the channels by `block_c`, and writes sums."""
    blocks = tl.cdiv(rows * columns, block_p)
    crop = (tl.program_id(0) // blocks).to(tl.int64)
    number = tl.program_id(0) % blocks * block_p + tl.arange(0, block_p)[None, :]
    i, j = number // columns, number % columns

    first_u, x_u, y_u, first_v, x_v, y_v = steps(poses, crop, height, width, rows, columns, dims)
    along_x, along_y, turned = tents(x_u, x_v, y_u, y_v, height, width, rows, columns, scale, antialias, type)
    u, v = first_u + x_u * j + y_u * i, first_v + x_v * j + y_v * i
    source = input + crop // crops * stride_b
    at = grad + crop // crops * grad_b + crop % crops * grad_k + (i.to(tl.int64) * grad_i + j.to(tl.int64) * grad_j)
    zero = tl.zeros([1, block_p], type)
    to_u, to_v, to_width_x, to_width_y, to_x_u, to_x_v, to_y_u, to_y_v = zero, zero, zero, zero, zero, zero, zero, zero
    first, end = channels_of(tl.program_id(1), tl.num_programs(1), channels, block_c)
    for start in range(first, end, block_c):
        channel = start + tl.arange(0, block_c)[:, None].to(tl.int64)
        live = (number < rows * columns) & (channel < channels)
        image = (source + channel * stride_c, height, width, stride_v, stride_u, live)
        wanted = tl.load(at + channel * grad_c, mask=live, other=0).to(type)
        if turned:
            more_u, more_v, more_width_x, more_width_y, more_x_u, more_x_v, more_y_u, more_y_v = _turned(
                image, wanted, u, v, along_x, along_y, padding, type
            )
            to_x_u, to_x_v = to_x_u + more_x_u, to_x_v + more_x_v
            to_y_u, to_y_v = to_y_u + more_y_u, to_y_v + more_y_v
        else:
            more_u, more_v, more_width_x, more_width_y = _upright(
                image, wanted, u, v, along_x, along_y, padding, antialias, type
            )
        to_u, to_v = to_u + more_u, to_v + more_v
        to_width_x, to_width_y = to_width_x + more_width_x, to_width_y + more_width_y

    x, y = ((2 * j + 1).to(type) / columns - 1) / 2, ((2 * i + 1).to(type) / rows - 1) / 2
    step_x_u, step_x_v = _to_step(along_x, to_x_u, to_x_v, to_width_x, height, width, columns, scale, antialias, type)
    step_y_u, step_y_v = _to_step(along_y, to_y_u, to_y_v, to_width_y, height, width, rows, scale, antialias, type)
    program = tl.program_id(1).to(tl.int64) * tl.num_programs(0) + tl.program_id(0)
    sums = output + program * dims * (dims + 1)
    tl.store(sums, (tl.sum(to_u * x) + step_x_u / columns) * width)
    if dims == 1:
        tl.store(sums + 1, tl.sum(to_u) / 2 * width)
    else:
        tl.store(sums + 1, (tl.sum(to_u * y) + step_y_u / rows) * width)
        tl.store(sums + 2, tl.sum(to_u) / 2 * width)
        tl.store(sums + 3, (tl.sum(to_v * x) + step_x_v / columns) * height)
        tl.store(sums + 4, (tl.sum(to_v * y) + step_y_v / rows) * height)
        tl.store(sums + 5, tl.sum(to_v) / 2 * height)


@triton.jit
def _to_step(
    along,
    to_u,
    to_v,
    to_width,
    height,
    width,
    count,
    scale: tl.constexpr,
    antialias: tl.constexpr,
    type: tl.constexpr,  # noqa: A002
):
    """From a tent's direction and width to the step along its axis, summed over the places."""
    if antialias:
        unit_u, unit_v, _, _, length = along
        across = tl.where(length > 0, 1 / tl.where(length > 0, length, 1.0), 0.0).to(type)
        most = tl.maximum(height, width) * tl.full([], scale, tl.float64) / count
        widens = (length >= 1) & (length <= tl.where(most > 1, most, 1.0))
        unit_u, unit_v = unit_u.to(type), unit_v.to(type)
        to_u, to_v, to_width = tl.sum(to_u), tl.sum(to_v), tl.where(widens, tl.sum(to_width), 0.0)
        onward = to_u * unit_u + to_v * unit_v
        return (
            (to_u - onward * unit_u) * across + to_width * unit_u,
            (to_v - onward * unit_v) * across + to_width * unit_v,
        )
    else:  # noqa: RET505 - only one branch is compiled
        return 0.0, 0.0


@triton.jit
def _changes(tap, fraction, width):
    """A tent's height, and how it changes as the place moves on and as the tent widens.

    Where it has a kink, the change is the one to the right, as in torch's own sampling.
    """
    distance = tl.abs(tap - fraction) / width
    ahead = tap > 0
    under = tl.where(ahead, distance <= 1, distance < 1)
    slope = tl.where(under, tl.where(ahead, 1 / width, -1 / width), 0.0)
    return tl.maximum(1 - distance, 0.0), slope, tl.where(under, distance / width, 0.0)


@triton.jit
def _sums(fraction, width, reach):
    """The sums over all taps of what `_changes` says."""
    height, slope, growth = fraction * 0, fraction * 0, fraction * 0
    for tap in range(1 - reach, reach + 1):
        height_of_one, slope_of_one, growth_of_one = _changes(tap, fraction, width)
        height += height_of_one
        slope += slope_of_one
        growth += growth_of_one
    return height, slope, growth


@triton.jit
def _normalised(value, moving, widening, sums, other):
    """Derivatives of a mean weighted by tents from those of its numerator, the other axis's sum being `other`."""
    height, slope, growth = sums
    mean = value / height
    return (moving - mean * slope) / (height * other), (widening - mean * growth) / (height * other)


@triton.jit
def _upright(
    image,
    wanted,
    u,
    v,
    along_x,
    along_y,
    padding: tl.constexpr,
    antialias: tl.constexpr,
    type: tl.constexpr,  # noqa: A002
):
    """Gradients to the places (u, v) and to the widths of both tents, summed over the channels: (1, places) each."""
    base_u, x = split(u, type)
    base_v, y = split(v, type)
    _, _, width_x, reach_x, _ = along_x
    _, _, width_y, reach_y, _ = along_y
    value = tl.zeros(wanted.shape, type)
    over, down, widening_x, widening_y = value, value, value, value
    for r in tl.range(1 - reach_y, reach_y + 1, loop_unroll_factor=1 if antialias else 2):
        line = tl.zeros(wanted.shape, type)
        line_over, line_widening = line, line
        for s in tl.range(1 - reach_x, reach_x + 1, loop_unroll_factor=1 if antialias else 2):
            read = pixel(image, base_v + r, base_u + s, padding, type)
            height, slope, growth = _changes(s, x, width_x)
            line += height * read
            line_over += slope * read
            line_widening += growth * read
        height, slope, growth = _changes(r, y, width_y)
        value += height * line
        over += height * line_over
        down += slope * line
        widening_x += height * line_widening
        widening_y += growth * line
    over, down = _channels(wanted * over), _channels(wanted * down)
    if antialias:
        value = _channels(wanted * value)
        sums_x, sums_y = _sums(x, width_x, reach_x), _sums(y, width_y, reach_y)
        over, widening_x = _normalised(value, over, _channels(wanted * widening_x), sums_x, sums_y[0])
        down, widening_y = _normalised(value, down, _channels(wanted * widening_y), sums_y, sums_x[0])
        return over, down, widening_x, widening_y
    else:  # noqa: RET505 - only one branch is compiled
        return over, down, over * 0, over * 0


@triton.jit
def _channels(value):
    return tl.sum(value, 0)[None, :]


@triton.jit
def _turned(image, wanted, u, v, along_x, along_y, padding: tl.constexpr, type: tl.constexpr):  # noqa: A002
    """The same, and to the directions (x_u, x_v) and (y_u, y_v) of the crop's axes.

    A tap at p along the one axis and q along the other reads the input at place + p x + q y. As the place moves on,
    all p fall back by as much as it moves along x, so that the taps stay in step with the pixels.
    """
    base_u, x = split(u, type)
    base_v, y = split(v, type)
    x_u, x_v, width_x, reach_x, _ = along_x
    y_u, y_v, width_y, reach_y, _ = along_y
    phase_x, phase_y = phase(u, v, along_x, type), phase(u, v, along_y, type)
    x_u, x_v, y_u, y_v = x_u.to(type), x_v.to(type), y_u.to(type), y_v.to(type)
    value = tl.zeros(wanted.shape, type)
    over, down, widening_x, widening_y = value, value, value, value  # through the weights
    by_u, by_v, p_by_u, p_by_v, q_by_u, q_by_v = value, value, value, value, value, value  # through what is read
    for r in range(1 - reach_y, reach_y + 1):
        height_y, slope_y, growth_y = _changes(r, phase_y, width_y)
        q = r - phase_y
        for s in range(1 - reach_x, reach_x + 1):
            height_x, slope_x, growth_x = _changes(s, phase_x, width_x)
            p = s - phase_x
            nw, ne, sw, se, south, east = corners(
                image, base_v, base_u, y + p * x_v + q * y_v, x + p * x_u + q * y_u, padding, type
            )
            north_row, south_row = nw + (ne - nw) * east, sw + (se - sw) * east
            read = north_row + (south_row - north_row) * south
            value += height_x * height_y * read
            over += slope_x * height_y * read
            down += height_x * slope_y * read
            widening_x += growth_x * height_y * read
            widening_y += height_x * growth_y * read
            along_u = height_x * height_y * ((ne - nw) * (1 - south) + (se - sw) * south)
            along_v = height_x * height_y * (south_row - north_row)
            by_u += along_u
            by_v += along_v
            p_by_u += p * along_u
            p_by_v += p * along_v
            q_by_u += q * along_u
            q_by_v += q * along_v
    sums_x, sums_y = _sums(phase_x, width_x, reach_x), _sums(phase_y, width_y, reach_y)
    value = _channels(wanted * value)
    over, widening_x = _normalised(value, _channels(wanted * over), _channels(wanted * widening_x), sums_x, sums_y[0])
    down, widening_y = _normalised(value, _channels(wanted * down), _channels(wanted * widening_y), sums_y, sums_x[0])
    wanted = wanted / (sums_x[0] * sums_y[0])
    by_u, by_v = _channels(wanted * by_u), _channels(wanted * by_v)
    # What a phase of the taps adds: it moves the tent's weights on, and the taps back along the axis.
    to_phase_x, to_phase_y = over - by_u * x_u - by_v * x_v, down - by_u * y_u - by_v * y_v
    u, v = u.to(type), v.to(type)
    return (
        by_u + to_phase_x * x_u + to_phase_y * y_u,
        by_v + to_phase_x * x_v + to_phase_y * y_v,
        widening_x,
        widening_y,
        _channels(wanted * p_by_u) + to_phase_x * u,
        _channels(wanted * p_by_v) + to_phase_x * v,
        _channels(wanted * q_by_u) + to_phase_y * u,
        _channels(wanted * q_by_v) + to_phase_y * v,
    )
