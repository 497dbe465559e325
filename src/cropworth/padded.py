"""Batches of sequences that were filled up to one length: what the rooms agree on about them.

A batch is (B, T, F) with the items' own `lengths` (B,), or None where all T steps are the item's. What stands after an
item's own steps never decides anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cropworth.errors import CropworthError

RUNS: dict[str, Callable[..., Any]] = {
    "LSTM": torch.lstm,
    "GRU": torch.gru,
    "RNN_TANH": torch.rnn_tanh,
    "RNN_RELU": torch.rnn_relu,
}


def own_steps(series: Tensor, lengths: Tensor | None) -> Tensor:
    """Which steps are the items' own, bool (B, T).

    Raises:
        CropworthError: the series has another rank, or a length is not between 1 and T.
    """
    if series.ndim != 3:
        raise CropworthError(f"a series of shape {tuple(series.shape)}", "(B, T, F)", "Add what is missing.")
    items, steps = series.shape[:2]
    if lengths is None:
        return torch.ones(items, steps, dtype=torch.bool, device=series.device)
    if lengths.shape != (items,) or lengths.is_floating_point():
        raise CropworthError(
            f"lengths of shape {tuple(lengths.shape)} and type {lengths.dtype}",
            f"({items},), whole numbers",
            "Give each item of the batch its number of steps.",
        )
    wrong = (lengths < 1) | (lengths > steps)
    if not torch.compiler.is_compiling() and bool(wrong.any()):
        item = int(wrong.int().argmax())
        raise CropworthError(
            f"a length of {int(lengths[item])} for item {item} of {steps} steps", f"1 to {steps}", "Look at the data."
        )
    return torch.arange(steps, device=series.device) < lengths.unsqueeze(1)


def encode(encoder: nn.Module, series: Tensor, lengths: Tensor | None) -> Tensor:
    """Run an encoder over each item's own steps: (B, T, F) -> (B, T, H), zeros after an item's end.

    An `nn.RNN`, `nn.GRU` or `nn.LSTM` runs over the whole batch at once. Any other module (B, T, F) -> (B, T, H) is
    called once for each length that occurs, on the items of that length, since it may look ahead: like lengths are
    fast.

    Raises:
        CropworthError: a recurrent encoder does not take the batch first, the encoder gives something else than one
            state a step, or see `own_steps`.
    """
    own = own_steps(series, lengths)
    if isinstance(encoder, nn.RNNBase) and not encoder.batch_first:
        raise CropworthError(f"a {type(encoder).__name__} that takes time first", "batch_first=True", "Set it.")
    if lengths is None:
        return _states(encoder, series)
    if isinstance(encoder, nn.RNNBase):
        after = ~own.unsqueeze(-1)
        return _recurrent(encoder, series.masked_fill(after, 0), lengths).masked_fill(after, 0)
    found: list[Tensor] = []
    order: list[Tensor] = []
    for length in sorted(set(lengths.tolist())):
        items = (lengths == length).nonzero().squeeze(1)
        states = _states(encoder, series[items, :length])
        found.append(nn.functional.pad(states, (0, 0, 0, series.shape[1] - length)))
        order.append(items)
    return torch.cat(found)[torch.cat(order).argsort()]


def _recurrent(encoder: nn.RNNBase, series: Tensor, lengths: Tensor) -> Tensor:
    """What the encoder makes of the packed batch, but for the steps after each item's end, which are anything.

    Torch's own packing takes 10 to 35 times as long on a processor. Forwards, no padding comes before an item's steps;
    backwards, each item is turned round within its own steps.
    """
    directions = 2 if encoder.bidirectional else 1
    steps = torch.arange(series.shape[1], device=series.device)
    ends = lengths.unsqueeze(1)
    turned = torch.where(steps < ends, ends - 1 - steps, steps).unsqueeze(-1)  # (B, T, 1)

    def turn(values: Tensor) -> Tensor:
        return values.gather(1, turned.expand_as(values))

    states = series
    for layer in range(encoder.num_layers):
        if layer:
            states = nn.functional.dropout(states, encoder.dropout, encoder.training)
        each = []
        for direction in range(directions):
            weights = encoder.all_weights[layer * directions + direction]
            start = series.new_zeros(1, series.shape[0], encoder.hidden_size)
            first = start[..., : encoder.proj_size or None]  # of an LSTM whose states are projected
            begin = (first, start) if encoder.mode == "LSTM" else start
            seen = turn(states) if direction else states
            ran = RUNS[encoder.mode](seen, begin, weights, encoder.bias, 1, 0.0, encoder.training, False, True)[0]
            each.append(turn(ran) if direction else ran)
        states = torch.cat(each, dim=-1)
    return states


def _states(encoder: nn.Module, series: Tensor) -> Tensor:
    result = encoder(series)
    states = result[0] if isinstance(encoder, nn.RNNBase) else result
    if not isinstance(states, Tensor) or states.ndim != 3 or states.shape[:2] != series.shape[:2]:
        shape = tuple(states.shape) if isinstance(states, Tensor) else type(states).__name__
        raise CropworthError(
            f"{shape} from the encoder for a series of {tuple(series.shape)}",
            f"({', '.join(map(str, series.shape[:2]))}, H), one state a step",
            "Pad its convolutions, or return the states alone.",
        )
    return states
