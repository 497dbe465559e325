"""Crops of sequences: `TemporalTransformer`, and `SequenceTransformer` behind a recurrent network.

Sequences are (B, T, F). A crop of one is the crop of an image with one dimension less: the same localizers, transforms,
sampler, penalties and health work on it, with a pose (B, 1, 2). Only what a filled-up batch needs is added here: the
look shows an item's own steps alone, poses are in coordinates of those, and outside of them is the sampler's padding.
"""

from __future__ import annotations

from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from cropworth.crops.geometry import compose, upright
from cropworth.crops.sampling import blur, sample
from cropworth.crops.spatial import Sampling, SpatialTransformer, candidates_placed
from cropworth.crops.transforms import Transform
from cropworth.errors import CropworthError
from cropworth.padded import encode, own_steps


class TemporalTransformer(SpatialTransformer):
    """A learned crop in time: looks at a short copy of the sequence, crops the sequence itself.

    Args:
        localizer: look (B, F, look_size) -> raw parameters (B, P), such as ``HeatmapLocalizer(F, P, dims=1)``.
        transform: raw parameters -> pose: ``Zoom(dims=1)`` or ``Warp()``.
        size: steps of the crop.
        look_size: steps of the short copy that the localizer sees.
        sampling: `mode`, `padding`, `antialias` and `reach`, as in `sample`; the padding is ``zeros`` or ``border``.

    Raises:
        CropworthError: another padding; a reflection would have to end where each item does.
    """

    def __init__(
        self,
        localizer: nn.Module,
        transform: Transform,
        size: int,
        *,
        look_size: int = 64,
        **sampling: Unpack[Sampling],
    ) -> None:
        if sampling.get("padding", "zeros") == "reflection":
            raise CropworthError("padding = 'reflection' of sequences", "'zeros' or 'border'", "Choose one of them.")
        super().__init__(localizer, transform, (size,), look_size=(look_size,), **sampling)

    def look(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The short copy: (B, T, F) and lengths (B,) -> (B, F, look_size), of each item's own steps.

        Raises:
            CropworthError: see `own_steps`.
        """
        assert self.look_size is not None
        return resampled(series, lengths, self.look_size)

    def locate(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Where to crop: (B, T, F) and lengths (B,) -> pose (B, 1, columns) in coordinates of each item's own steps."""
        return self.find(self.look(series, lengths))

    def candidates(self, series: Tensor, count: int, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See `Cropper`: poses (B, K, 1, columns) and the logarithms of their weights (B, K)."""
        return candidates_placed(self.transform, self.localizer, self.look(series, lengths), count)

    def read(self, series: Tensor, pose: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The steps at a pose: (B, T, F) -> (B, size, F); at K poses of each item, (B, K, size, F)."""
        sampling = self.sampling.copy()
        if not self.training:
            sampling["reach"] = 1.0
        return read_steps(series, pose, lengths, self.size, **sampling)

    def crop(self, series: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, F) and lengths (B,) -> the crop (B, size, F), and its pose (B, 1, columns)."""
        pose = self.locate(series, lengths)
        return self.read(series, pose, lengths), pose

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, F) and lengths (B,) -> the crop (B, size, F)."""
        return self.crop(series, lengths)[0]


class SequenceTransformer(nn.Module):
    """A crop behind a recurrent network: it runs over the sequence, and its states say where to crop.

    The third system of the article this project started from. Unlike a look at the input, a state may know what came
    before it, and, of a network that runs in both directions, what comes after.

    Args:
        encoder: an `nn.RNN`, `nn.GRU` or `nn.LSTM` with ``batch_first=True``, or any module (B, T, F) -> (B, T, H).
        cropper: of sequences with H features, which it looks at; see `of` for what it crops.
        head: crop (B, size, H or F) -> the answer.
        of: what is cropped, the encoder's ``states`` or its ``input``.

    Raises:
        CropworthError: there is nothing else to crop.
    """

    def __init__(
        self,
        encoder: nn.Module,
        cropper: TemporalTransformer,
        head: nn.Module,
        *,
        of: Literal["states", "input"] = "states",
    ) -> None:
        super().__init__()
        if of not in ("states", "input"):
            raise CropworthError(f"of = {of!r}", "'states' or 'input'", "Choose one of them.")
        self.encoder, self.cropper, self.head, self.of = encoder, cropper, head, of

    def states(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What the localizer looks at: (B, T, F) and lengths (B,) -> (B, T, H)."""
        return encode(self.encoder, series, lengths)

    def crop(self, series: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, F) and lengths (B,) -> the crop (B, size, H or F), and its pose (B, 1, columns)."""
        states = self.states(series, lengths)
        pose = self.cropper.locate(states, lengths)
        return self.cropper.read(states if self.of == "states" else series, pose, lengths), pose

    def forward(self, series: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, F) and lengths (B,) -> the head's answer."""
        answer: Tensor = self.head(self.crop(series, lengths)[0])
        return answer


def read_steps(
    series: Tensor, pose: Tensor, lengths: Tensor | None, size: tuple[int, ...], **sampling: Unpack[Sampling]
) -> Tensor:
    """`sample` of each item's own steps.

    Args:
        series: (B, T, F).
        pose: (B, 1, columns) or (B, K, 1, columns), in coordinates of each item's own steps.
        lengths: (B,), or None where all steps are the items' own.
        size: (t,), steps of the crop.
        sampling: as in `sample`.

    Returns:
        (B, t, F) or (B, K, t, F).

    Raises:
        CropworthError: see `own_steps` and `sample`.
    """
    reach, padding = sampling.pop("reach", 1.0), sampling.get("padding", "zeros")
    values = _filled(series, lengths, padding)
    if reach > 1:  # not left to `sample`, since what is spread beyond an item's end has to be taken back
        values = _filled(blur(values, reach, padding).transpose(1, 2), lengths, padding)
    frame = _frame(series, lengths, pose)
    in_batch = compose(frame if pose.ndim == 3 else frame.unsqueeze(1), pose)
    return sample(values, in_batch, size, **sampling).transpose(-1, -2)


def resampled(series: Tensor, lengths: Tensor | None, size: tuple[int, ...]) -> Tensor:
    """Each item's own steps, brought to `size` steps without aliasing: (B, T, F) -> (B, F, *size).

    Raises:
        CropworthError: see `own_steps`.
    """
    whole = _frame(series, lengths, series)
    return sample(_filled(series, lengths, "border"), whole, size, antialias=True, padding="border")


def _frame(series: Tensor, lengths: Tensor | None, like: Tensor) -> Tensor:
    """The pose that crops each item's own steps out of the batch: (B, 1, 2)."""
    items, steps = series.shape[:2]
    wide = torch.promote_types(like.dtype, torch.float32)
    share = torch.ones(items, dtype=wide, device=series.device) if lengths is None else lengths.to(wide) / steps
    return upright(share.unsqueeze(1), share.unsqueeze(1) - 1)


def _filled(series: Tensor, lengths: Tensor | None, padding: str) -> Tensor:
    """The channels first, and after each item's end what the padding says: (B, T, F) -> (B, F, T)."""
    own = own_steps(series, lengths)
    if lengths is not None and padding == "border":
        steps = torch.arange(series.shape[1], device=series.device).minimum(lengths.unsqueeze(1) - 1)  # (B, T)
        series = series.gather(1, steps.unsqueeze(-1).expand_as(series))
    elif lengths is not None:
        series = series.masked_fill(~own.unsqueeze(-1), 0)
    return series.transpose(1, 2)
