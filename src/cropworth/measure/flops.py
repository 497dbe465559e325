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

    As torch counts them: matrix products (the sampler's grid is one), convolutions and attention; and what torch
    counts as 0, the sampler and the LSTM of a processor. Pooling, normalisation and activations count as 0.
    """
    known = {
        torch.ops.aten.grid_sampler_2d: sampler_flops,
        torch.ops.aten.grid_sampler_2d_backward: _backward,
        torch.ops.aten.mkldnn_rnn_layer: lstm_flops,
        torch.ops.aten.mkldnn_rnn_layer_backward: _lstm_backward,
    }
    with FlopCounterMode(display=False, custom_mapping=known) as counter:
        call()
    return int(counter.get_total_flops())


def sampler_flops(input_shape: Sequence[int], grid_shape: Sequence[int], *_: Any, **__: Any) -> int:
    """Bilinear `grid_sample` of input (B, C, H, W) on grid (B, h, w, 2)."""
    pixels = math.prod(grid_shape[:-1])
    return pixels * (FLOPS_PER_PIXEL + FLOPS_PER_PIXEL_AND_CHANNEL * input_shape[1])


def lstm_flops(
    series_shape: Sequence[int], of_input: Sequence[int], of_state: Sequence[int], *_: Any, **__: Any
) -> int:
    """The matrix products of one layer and direction: series (T, B, F), weights (4 H, F) and (4 H, H)."""
    steps, items = series_shape[:2]
    return 2 * steps * items * (math.prod(of_input) + math.prod(of_state))


def _lstm_backward(
    series_shape: Sequence[int], of_input: Sequence[int], of_state: Sequence[int], *_: Any, **__: Any
) -> int:
    return 2 * lstm_flops(series_shape, of_input, of_state)  # products for the inputs' and for the weights' gradient


def _backward(_: Sequence[int], input_shape: Sequence[int], grid_shape: Sequence[int], *__: Any, **___: Any) -> int:
    # The gradient to the image spreads each value over four pixels, the one to the grid reads four: twice the work.
    return 2 * sampler_flops(input_shape, grid_shape)
