"""The model under study: a crop, and the backbone behind it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cropworth.crops.spatial import SpatialTransformer, on_each
from cropworth.crops.training import marginal_loss
from cropworth.crops.transforms import Transform
from cropworth.data.task import Split
from cropworth.study.located import LearnedCrop, LocatedCrop


@dataclass(frozen=True)
class View:
    """A batch as the backbone sees it.

    Attributes:
        values: what may be cropped: images (B, C, H, W), or sequences (B, T, F), of texts the embedded words.
        seen: (B, C, h, w) or (B, t, F).
        lengths: of `seen`, (B,); None where all steps are the items' own, and for images.
        theta: where it was cropped, (B, d, d + 1); None where it was not.
    """

    values: Tensor
    seen: Tensor
    lengths: Tensor | None
    theta: Tensor | None


@dataclass(frozen=True)
class Numbers:
    """What the labels of a regression are like, so that the network predicts numbers around 0.

    Attributes:
        mean: of the training labels.
        deviation: their standard deviation, above 0.
    """

    mean: float
    deviation: float


class Classifier(nn.Module):
    """A crop and the backbone behind it; it predicts a class, or a number where `numbers` says what those are like.

    Args:
        backbone: images (B, C, h, w), or sequences (B, t, F) and lengths (B,) where they differ -> logits (B, classes).
        crop: None shows the backbone the whole input.
        words: embeds the words of texts, (B, T) -> (B, T, F).
        numbers: of a regression, whose backbone has a single logit.
    """

    def __init__(
        self,
        backbone: nn.Module,
        crop: LocatedCrop | None = None,
        words: nn.Embedding | None = None,
        numbers: Numbers | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.crop, self.words, self.numbers = backbone, crop, words, numbers

    @property
    def transform(self) -> Transform | None:
        """What bounds the crop, where it is a single learned one."""
        cropper = self.crop.cropper if isinstance(self.crop, LearnedCrop) else None
        return cropper.transform if isinstance(cropper, SpatialTransformer) else None

    def view(self, items: Split) -> View:
        """A batch of items, their inputs ready to compute with -> what the backbone sees of it."""
        values = self._values(items)
        if self.crop is None:
            return View(values, values, items.lengths, None)
        seen, theta = self.crop(values, items.lengths, items.boxes)
        return View(values, seen, None, theta)

    def answer(self, view: View) -> Tensor:
        """Logits (B, classes) of what the backbone sees."""
        lengths = () if view.lengths is None else (view.lengths,)
        logits: Tensor = self.backbone(view.seen, *lengths)
        return logits

    def loss(self, items: Split) -> Tensor:
        """What training minimises: the mean cross-entropy or squared error, and the crop's penalties."""
        if isinstance(self.crop, LearnedCrop) and self.crop.settings.candidates > 1:
            values = self._values(items)
            crops, log_weights = self.crop.candidates(values, items.lengths)
            loss = marginal_loss(on_each(self.backbone, crops), log_weights, items.labels)
            # The penalties judge the pose in the middle of all candidates, so that they pull these together.
            theta = self.crop.locate(values, items.lengths)
            return loss + self.crop.penalty(values, items.lengths, theta, items.boxes)
        view = self.view(items)
        loss = self.error(self.answer(view), items.labels)
        if self.crop is None or view.theta is None:
            return loss
        return loss + self.crop.penalty(view.values, items.lengths, view.theta, items.boxes)

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
        return self.answer(self.view(items))

    def _values(self, items: Split) -> Tensor:
        values = items.inputs if self.words is None else self.words(items.inputs)
        assert isinstance(values, torch.Tensor)
        return values
