"""The crops under study: a batch -> what was cropped, and where. Images and sequences take the same way."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.penalties import scale_prior
from cropworth.crops.proposals import ProposalGuidedTransformer
from cropworth.crops.sampling import sample
from cropworth.crops.sequence import read_steps, resampled
from cropworth.crops.spatial import Cropper, shrink
from cropworth.crops.training import consistency, jitter
from cropworth.errors import CropworthError
from cropworth.padded import encode
from cropworth.study.plan import Crop

Size = tuple[int, ...]


class LocatedCrop(nn.Module):
    """Base: images (B, C, H, W), or sequences (B, T, F) with their lengths -> what was cropped, and where."""

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Crop a batch.

        Args:
            values: (B, C, H, W) or (B, T, F).
            lengths: (B,) of sequences; None for images.
            boxes: (B, 2 d), the true ones; None where unknown.

        Returns:
            Crops (B, C, h, w) or (B, t, F), and theta (B, d, d + 1) or None.
        """
        raise NotImplementedError

    def penalty(self, values: Tensor, lengths: Tensor | None, theta: Tensor, boxes: Tensor | None) -> Tensor:
        """What training adds to the loss for crops of `values` at `theta`: ()."""
        return values.new_zeros(())


class LearnedCrop(LocatedCrop):
    """A learned crop, which does not look at the boxes.

    Args:
        cropper: of images, or of sequences.
        settings: of the plan.
        encoder: of sequences, where it is its states that are looked at, see `SequenceTransformer`.
    """

    def __init__(self, cropper: Cropper, settings: Crop, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.cropper = cropper
        self.settings = settings
        self.encoder = encoder

    def sources(self, values: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is looked at, and what is cropped."""
        if self.encoder is None:
            return values, values
        states = encode(self.encoder, values, lengths)
        return states, states if self.settings.crops == "states" else values

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `LocatedCrop`."""
        looked_at, cropped = self.sources(values, lengths)
        theta = self.cropper.locate(looked_at, **_of(lengths))
        return self.read(cropped, lengths, theta), theta

    def locate(self, values: Tensor, lengths: Tensor | None) -> Tensor:
        """Where it crops a batch: theta (B, rows, columns)."""
        return self.cropper.locate(self.sources(values, lengths)[0], **_of(lengths))

    def candidates(self, values: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """A batch -> crops of K candidates (B, K, ...) and the logarithms of their weights (B, K)."""
        looked_at, cropped = self.sources(values, lengths)
        theta, log_weights = self.cropper.candidates(looked_at, self.settings.candidates, **_of(lengths))
        return self.read(cropped, lengths, theta), log_weights

    def read(self, values: Tensor, lengths: Tensor | None, theta: Tensor) -> Tensor:
        """The crops at poses (B, rows, columns) or (B, K, rows, columns), a little beside them in training."""
        beside = _beside(theta, self.settings.jitter if self.training else 0.0)
        return self.cropper.read(values, beside, **_of(lengths))

    def penalty(self, values: Tensor, lengths: Tensor | None, theta: Tensor, boxes: Tensor | None) -> Tensor:
        """See `LocatedCrop`."""
        settings, total = self.settings, super().penalty(values, lengths, theta, boxes)
        if settings.consistency:
            looked_at, _ = self.sources(values, lengths)
            look = self.cropper.look(looked_at, **_of(lengths))
            total = total + settings.consistency * consistency(self.cropper, look, theta)
        if settings.scale_prior:
            total = total + settings.scale_prior * scale_prior(theta, settings.start_scale)
        if settings.box_losses:
            total = total + settings.box_losses * self._box_losses(values, boxes)
        return total

    def _box_losses(self, images: Tensor, boxes: Tensor | None) -> Tensor:
        if boxes is None:
            raise CropworthError("box_losses, but no true boxes", "a task that knows them", "Set box_losses to 0.")
        assert isinstance(self.cropper, ProposalGuidedTransformer)
        known = [box[~box.isnan().any(-1)] for box in boxes.unsqueeze(1)]
        of_scores, of_boxes = self.cropper.proposal_losses(images, known)
        return of_scores + of_boxes


class SmallCopy(LocatedCrop):
    """The whole input, shrunk."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `LocatedCrop`; the theta is None, since nothing is cropped."""
        if lengths is None:
            return shrink(values, self.size), None
        return resampled(values, lengths, self.size).transpose(1, 2), None


class CentreCrop(LocatedCrop):
    """The pixels in the middle of images, by slicing; the steps in the middle of sequences."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `LocatedCrop`; of a sequence that is shorter, the whole."""
        if lengths is not None:
            share = (self.size[0] / lengths).clamp(max=1)
            theta = boxes_to_theta(torch.stack([torch.full_like(share, 0.5), share], dim=1))
            return read_steps(values, theta, lengths, self.size), theta
        (height, width), (h, w) = values.shape[-2:], self.size
        top, left = (height - h) // 2, (width - w) // 2
        box = [(left + w / 2) / width, (top + h / 2) / height, w / width, h / height]
        theta = boxes_to_theta(values.new_tensor(box)).expand(len(values), -1, -1)
        return values[..., top : top + h, left : left + w], theta


class TrueBoxCrop(LocatedCrop):
    """The true box, resampled to the crop's size."""

    def __init__(self, size: Size, jitter: float) -> None:
        super().__init__()
        self.size = size
        self.jitter = jitter

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `LocatedCrop`.

        Raises:
            CropworthError: an item has no true box.
        """
        if boxes is None or bool(boxes.isnan().any()):
            raise CropworthError(
                "items without a true box", "a task that knows one of each", "Leave the oracle out of the plan."
            )
        theta = boxes_to_theta(boxes)
        beside = _beside(theta, self.jitter if self.training else 0.0)
        if lengths is not None:
            return read_steps(values, beside, lengths, self.size), theta
        return sample(values, beside, self.size), theta


def _of(lengths: Tensor | None) -> dict[str, Any]:
    """The argument that only croppers of sequences take."""
    return {} if lengths is None else {"lengths": lengths}


def _beside(theta: Tensor, amount: float) -> Tensor:
    """With jitter, if any; without, nothing is drawn, and records stay what they were."""
    return jitter(theta, amount) if amount else theta
