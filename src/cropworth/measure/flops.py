"""Floating-point operations by torch's own counter, with the formula it lacks: the sampler's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

# Bilinear sampling of one output pixel: its coordinates to pixels (2 multiply-adds), the four weights (2 subtractions
# from one, 4 products) ...
FLOPS_PER_PIXEL = 10
# ... and four multiply-adds in each channel.
FLOPS_PER_PIXEL_AND_CHANNEL = 8


def count_flops(call: Callable[[], object]) -> int:
    """Operations of one call; a multiply-add counts 2.

    As torch counts them: matrix products (the sampler's grid is one), convolutions and attention; and the sampler,
    which torch counts as 0. Pooling, normalisation and activations count as 0.
    """
    sampler = {
        torch.ops.aten.grid_sampler_2d: sampler_flops,
        torch.ops.aten.grid_sampler_2d_backward: _backward,
    }
    with FlopCounterMode(display=False, custom_mapping=sampler) as counter:
        call()
    return int(counter.get_total_flops())


def sampler_flops(input_shape: Sequence[int], grid_shape: Sequence[int], *_: Any, **__: Any) -> int:
    """Bilinear `grid_sample` of input (B, C, H, W) on grid (B, h, w, 2)."""
    pixels = math.prod(grid_shape[:-1])
    return pixels * (FLOPS_PER_PIXEL + FLOPS_PER_PIXEL_AND_CHANNEL * input_shape[1])


def _backward(_: Sequence[int], input_shape: Sequence[int], grid_shape: Sequence[int], *__: Any, **___: Any) -> int:
    # The gradient to the image spreads each value over four pixels, the one to the grid reads four: twice the work.
    return 2 * sampler_flops(input_shape, grid_shape)
