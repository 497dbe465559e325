"""The model under study: a crop, and the backbone behind it."""

from __future__ import annotations

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from cropworth.crops.spatial import SpatialTransformer, on_each
from cropworth.crops.training import marginal_loss
from cropworth.crops.transforms import Transform
from cropworth.data.signature import Numbers
from cropworth.data.task import Split
from cropworth.study.located import LearnedCrop, Located, LocatedCrop


class Classifier(nn.Module):
    """A crop and the backbone behind it; it predicts a class, or a number where `numbers` says what those are like.

    Args:
        backbone: images (B, C, h, w), or sequences (B, t, F) and lengths (B,) where they differ -> logits (B, classes).
        crop: None shows the backbone the whole input.
        words: embeds the words of texts, (B, T) -> (B, T, F).
        numbers: of a regression, whose backbone has a single logit.
        frozen: parts of the backbone that stay in eval mode while the rest trains.
        notes: a sentence on each thing about the starting weights that a reader of the results must know.
    """

    def __init__(
        self,
        backbone: nn.Module,
        crop: LocatedCrop | None = None,
        words: nn.Embedding | None = None,
        numbers: Numbers | None = None,
        frozen: tuple[nn.Module, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.backbone, self.crop, self.words, self.numbers = backbone, crop, words, numbers
        self.frozen, self.notes = frozen, notes

    def train(self, mode: bool = True) -> Self:
        """As of every module, but for the frozen parts."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    @property
    def transform(self) -> Transform | None:
        """What bounds the crop, where it is a single learned one."""
        cropper = self.crop.cropper if isinstance(self.crop, LearnedCrop) else None
        return cropper.transform if isinstance(cropper, SpatialTransformer) else None

    def values(self, items: Split) -> Tensor:
        """What may be cropped of a batch: images (B, C, H, W), or sequences (B, T, F), of texts the embedded words."""
        values = items.inputs if self.words is None else self.words(items.inputs)
        assert isinstance(values, Tensor)
        return values

    def view(self, items: Split) -> Located:
        """A batch of items, their inputs ready to compute with -> what the backbone sees of it."""
        values = self.values(items)
        return Located(values, None) if self.crop is None else self.crop(values, items.lengths, items.boxes)

    def answer(self, view: Located, lengths: Tensor | None) -> Tensor:
        """Logits (B, classes) of what the backbone sees of items with these lengths."""
        if lengths is None or self.crop is not None:  # all steps of a crop are the item's own
            logits: Tensor = self.backbone(view.seen)
        else:
            logits = self.backbone(view.seen, lengths)
        return logits

    def loss(self, items: Split) -> Tensor:
        """What training minimises: the mean cross-entropy or squared error, and the crop's penalties."""
        if not isinstance(self.crop, LearnedCrop):
            return self.error(self(items), items.labels)
        if self.crop.settings.candidates > 1:
            view = self.crop.candidates(self.values(items), items.lengths)
            assert view.log_weights is not None
            loss = marginal_loss(on_each(self.backbone, view.seen), view.log_weights, items.labels)
        else:
            view = self.view(items)
            loss = self.error(self.answer(view, items.lengths), items.labels)
        return loss + self.crop.penalty(view, items.lengths, items.boxes)

    def error(self, logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """Cross-entropy, or the squared error in units of the labels' variance."""
        if self.numbers is None:
            return F.cross_entropy(logits, labels, reduction=reduction)
        wanted = (labels - self.numbers.mean) / self.numbers.deviation
        return F.mse_loss(logits.squeeze(1), wanted, reduction=reduction)

    def predicted(self, logits: Tensor) -> Tensor:
        """Probabilities (B, classes), or the numbers (B,) of a regression."""
        if self.numbers is None:
            return logits.softmax(1)
        return logits.squeeze(1) * self.numbers.deviation + self.numbers.mean

    def forward(self, items: Split) -> Tensor:
        """A batch of items -> logits (B, classes)."""
        return self.answer(self.view(items), items.lengths)
