"""The crops under study: a batch -> what was cropped, and where. Images and sequences take the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.penalties import scale_prior
from cropworth.crops.sampling import sample
from cropworth.crops.sequence import read_steps, resampled
from cropworth.crops.spatial import Cropper, shrink
from cropworth.crops.training import consistency, jitter
from cropworth.errors import CropworthError
from cropworth.padded import encode
from cropworth.study.plan import Crop

Size = tuple[int, ...]


@dataclass(frozen=True)
class Located:
    """Crops of a batch.

    Attributes:
        seen: (B, C, h, w) or (B, t, F); K of each item, (B, K, ...), where `log_weights` says what they weigh.
        theta: where it was cropped, (B, d, d + 1); None where nothing was, or where nobody asked.
        looked_at: what a localizer saw, so that penalties need not compute it again; None where there is none.
        log_weights: of K candidates, (B, K).
    """

    seen: Tensor
    theta: Tensor | None
    looked_at: Tensor | None = None
    log_weights: Tensor | None = None


class LocatedCrop(nn.Module):
    """Base: images (B, C, H, W), or sequences (B, T, F) with their lengths -> what was cropped, and where."""

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> Located:
        """Crop a batch.

        Args:
            values: (B, C, H, W) or (B, T, F).
            lengths: (B,) of sequences; None for images.
            boxes: (B, 2 d), the true ones; None where unknown.
        """
        raise NotImplementedError


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

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> Located:
        """See `LocatedCrop`."""
        looked_at, cropped = self._sources(values, lengths)
        theta = self.cropper.locate(looked_at, **_of(lengths))
        return Located(self.read(cropped, lengths, theta), theta, looked_at)

    def locate(self, values: Tensor, lengths: Tensor | None) -> Tensor:
        """Where it crops a batch: (B, d, d + 1)."""
        return self.cropper.locate(self._sources(values, lengths)[0], **_of(lengths))

    def candidates(self, values: Tensor, lengths: Tensor | None) -> Located:
        """The likeliest places of each item, as many as the settings say.

        The theta, for the penalties, is the pose in the middle of all of them, so that they are pulled together.
        """
        looked_at, cropped = self._sources(values, lengths)
        theta, log_weights = self.cropper.candidates(looked_at, self.settings.candidates, **_of(lengths))
        seen = self.read(cropped, lengths, theta)
        middle = self.cropper.locate(looked_at, **_of(lengths)) if self._penalised else None
        return Located(seen, middle, looked_at, log_weights)

    def penalty(self, located: Located, lengths: Tensor | None, boxes: Tensor | None) -> Tensor:
        """What training adds to the loss for these crops, whose true boxes may be known: ()."""
        settings, looked_at, theta = self.settings, located.looked_at, located.theta
        total = located.seen.new_zeros(())
        if not self._penalised:
            return total
        assert looked_at is not None
        assert theta is not None
        if settings.consistency:
            look = self.cropper.look(looked_at, **_of(lengths))
            total = total + settings.consistency * consistency(self.cropper, look, theta)
        if settings.scale_prior:
            total = total + settings.scale_prior * scale_prior(theta, settings.start_scale)
        if settings.box_losses:
            total = total + settings.box_losses * self._box_losses(looked_at, boxes)
        return total

    @property
    def _penalised(self) -> bool:
        return any((self.settings.consistency, self.settings.scale_prior, self.settings.box_losses))

    def _sources(self, values: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is looked at, and what is cropped."""
        if self.encoder is None:
            return values, values
        states = encode(self.encoder, values, lengths)
        return states, states if self.settings.crops == "states" else values

    def read(self, values: Tensor, lengths: Tensor | None, theta: Tensor) -> Tensor:
        """The crops at poses (B, rows, columns) or (B, K, rows, columns), a little beside them in training."""
        beside = _beside(theta, self.settings.jitter if self.training else 0.0)
        return self.cropper.read(values, beside, **_of(lengths))

    def _box_losses(self, images: Tensor, boxes: Tensor | None) -> Tensor:
        if boxes is None:
            raise CropworthError("box_losses, but no true boxes", "a task that knows them", "Set box_losses to 0.")
        from cropworth.crops.proposals import ProposalGuidedTransformer  # it loads torchvision

        assert isinstance(self.cropper, ProposalGuidedTransformer)
        known = [box[~box.isnan().any(-1)] for box in boxes.unsqueeze(1)]
        of_scores, of_boxes = self.cropper.proposal_losses(images, known)
        return of_scores + of_boxes


class SmallCopy(LocatedCrop):
    """The whole input, shrunk."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> Located:
        """See `LocatedCrop`; the theta is None, since nothing is cropped."""
        if lengths is None:
            return Located(shrink(values, self.size), None)
        return Located(resampled(values, lengths, self.size).transpose(1, 2), None)


class CentreCrop(LocatedCrop):
    """The pixels in the middle of images, by slicing; the steps in the middle of sequences."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> Located:
        """See `LocatedCrop`; of a sequence that is shorter, the whole."""
        if lengths is not None:
            share = (self.size[0] / lengths).clamp(max=1)
            theta = boxes_to_theta(torch.stack([torch.full_like(share, 0.5), share], dim=1))
            return Located(read_steps(values, theta, lengths, self.size), theta)
        (height, width), (h, w) = values.shape[-2:], self.size
        top, left = (height - h) // 2, (width - w) // 2
        box = [(left + w / 2) / width, (top + h / 2) / height, w / width, h / height]
        theta = boxes_to_theta(values.new_tensor(box)).expand(values.shape[0], -1, -1)
        return Located(values[..., top : top + h, left : left + w], theta)


class TrueBoxCrop(LocatedCrop):
    """The true box, resampled to the crop's size."""

    def __init__(self, size: Size, jitter: float) -> None:
        super().__init__()
        self.size = size
        self.jitter = jitter

    def forward(self, values: Tensor, lengths: Tensor | None, boxes: Tensor | None) -> Located:
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
            return Located(read_steps(values, beside, lengths, self.size), theta)
        return Located(sample(values, beside, self.size), theta)


def _of(lengths: Tensor | None) -> dict[str, Any]:
    """The argument that only croppers of sequences take."""
    return {} if lengths is None else {"lengths": lengths}


def _beside(theta: Tensor, amount: float) -> Tensor:
    """With jitter, if any; without, nothing is drawn, and records stay what they were."""
    return jitter(theta, amount) if amount else theta
