"""A recurrent classifier (or regressor) for sequences of any length."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from cropworth.errors import CropworthError
from cropworth.padded import encode, own_steps

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}
POOLS = ("last", "mean", "max", "attention")


class RecurrentNet(nn.Module):
    """An encoder that gives a state for each step, a pool over the states, and a linear layer.

    Args:
        channels: F, features of a step.
        classes: number of logits.
        width: numbers in a state, of each direction: H is twice as many where the encoder runs both ways.
        encoder: ``lstm`` or ``gru``, which run both ways, or ``convolutions`` of 7, 5 and 3 steps, which see 13
            (Wang et al. 2017, time series classification from scratch, section III-B, where the first has 8).
        pool: what the linear layer sees of the states: the ``last`` one of either direction, their ``mean`` or
            ``max``, or a mean weighted by learned ``attention`` (Ilse et al. 2018, equation 8, without the tanh).

    Raises:
        CropworthError: the encoder or the pool is unknown.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        width: int = 16,
        encoder: Literal["lstm", "gru", "convolutions"] = "lstm",
        pool: Literal["last", "mean", "max", "attention"] = "mean",
    ) -> None:
        super().__init__()
        if encoder not in (*CELLS, "convolutions"):
            raise CropworthError(f"encoder = {encoder!r}", "'gru', 'lstm' or 'convolutions'", "Choose one of them.")
        if encoder == "convolutions":
            self.encoder: nn.Module = TimeConvolutions(channels, width)
            self.read_out = ReadOut(width, classes, pool)
        else:
            self.encoder = CELLS[encoder](channels, width, batch_first=True, bidirectional=True)
            self.read_out = ReadOut(2 * width, classes, pool)

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Series (B, T, F) and lengths (B,) -> logits (B, classes); padding after an item's end decides nothing."""
        answer: Tensor = self.read_out(encode(self.encoder, series, lengths), lengths)
        return answer


class TimeConvolutions(nn.Module):
    """Three convolutions over time with batch normalisation.

    Args:
        channels: F.
        width: H.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, kernel in ((channels, 7), (width, 5), (width, 3)):
            layers += [
                nn.Conv1d(before, width, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, series: Tensor) -> Tensor:
        """(B, T, F) -> (B, T, H)."""
        states: Tensor = self.layers(series.transpose(1, 2))
        return states.transpose(1, 2)


class ReadOut(nn.Module):
    """States -> one vector -> logits.

    Args:
        width: H.
        classes: number of logits.
        pool: see `RecurrentNet`.
    """

    def __init__(self, width: int, classes: int, pool: str) -> None:
        super().__init__()
        if pool not in POOLS:
            raise CropworthError(f"pool = {pool!r}", f"one of {', '.join(POOLS)}", "Choose one of them.")
        self.pool = pool
        self.score = nn.Linear(width, 1) if pool == "attention" else None
        self.head = nn.Linear(width, classes)

    def forward(self, states: Tensor, lengths: Tensor | None = None) -> Tensor:
        """States (B, T, H) and lengths (B,) -> logits (B, classes)."""
        logits: Tensor = self.head(self._pooled(states, own_steps(states, lengths)))
        return logits

    def _pooled(self, states: Tensor, own: Tensor) -> Tensor:
        """(B, T, H) -> (B, H), of the items' own steps (B, T)."""
        if self.pool == "max":
            return states.masked_fill(~own.unsqueeze(-1), -torch.inf).amax(1)
        if self.pool == "last":
            forwards, backwards = states.chunk(2, dim=-1)
            end = (own.sum(1) - 1).view(-1, 1, 1).expand(-1, 1, forwards.shape[-1])
            return torch.cat([forwards.gather(1, end).squeeze(1), backwards[:, 0]], dim=-1)
        scores = torch.zeros_like(states[..., 0]) if self.score is None else self.score(states).squeeze(-1)
        weights = scores.masked_fill(~own, -torch.inf).softmax(1)  # (B, T)
        return (weights.unsqueeze(-1) * states).sum(1)
