"""Batches of sequences that were filled up to one length: what the rooms agree on about them.

A batch is (B, T, F) with the items' own `lengths` (B,), or None where all T steps are the item's. What stands after an
item's own steps never decides anything.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from cropworth.errors import CropworthError


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

    An `nn.RNN`, `nn.GRU` or `nn.LSTM` runs over the packed batch. Any other module (B, T, F) -> (B, T, H) is called
    once for each length that occurs, on the items of that length, since it may look ahead: like lengths are fast.

    Raises:
        CropworthError: a recurrent encoder does not take the batch first, the encoder gives something else than one
            state a step, or see `own_steps`.
    """
    own_steps(series, lengths)
    if isinstance(encoder, nn.RNNBase) and not encoder.batch_first:
        raise CropworthError(f"a {type(encoder).__name__} that takes time first", "batch_first=True", "Set it.")
    if lengths is None:
        return _states(encoder, series)
    if isinstance(encoder, nn.RNNBase):
        packed = pack_padded_sequence(series, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states: Tensor = pad_packed_sequence(encoder(packed)[0], batch_first=True, total_length=series.shape[1])[0]
        return states
    found: list[Tensor] = []
    order: list[Tensor] = []
    for length in sorted(set(lengths.tolist())):
        items = (lengths == length).nonzero().squeeze(1)
        states = _states(encoder, series[items, :length])
        found.append(nn.functional.pad(states, (0, 0, 0, series.shape[1] - length)))
        order.append(items)
    return torch.cat(found)[torch.cat(order).argsort()]


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
