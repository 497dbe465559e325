"""`StandIn`: made-up items of a plan's shape, on which its variants are tried where its data cannot be read."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from cropworth.data.config import DigitCanvas, Images, Text
from cropworth.data.task import Split, Task
from cropworth.study.plan import Constant, Plan

ITEMS = 8
FEWEST_STEPS, VOCABULARY = 64, 100


class StandIn(Task):
    """Noise, of the size that the plan's images have, or of sequences no crop of the plan is too long for."""

    def __init__(self, plan: Plan) -> None:
        self.name = "made-up items"
        answers = [variant.answer for variant in plan.variants.values() if isinstance(variant, Constant)]
        self.classes = tuple(sorted({*answers, "one", "another"}))
        self.train_limit = max(ITEMS, plan.training.batch_size)
        self._data = plan.data
        self._steps = max(FEWEST_STEPS, *(getattr(variant, "size", 0) for variant in plan.variants.values()))
        if isinstance(plan.data, Text) and plan.data.embedder is None:
            self.vocabulary = VOCABULARY
        self.validation = self.test = self._made(ITEMS, 0)

    def _training_items(self, order: NDArray[np.int64], rng: np.random.Generator) -> Split:
        return self._made(len(order), 1)

    def _made(self, count: int, seed: int) -> Split:
        draw = torch.Generator().manual_seed(seed)
        labels = torch.arange(count) % len(self.classes)
        if isinstance(self._data, Images | DigitCanvas):
            side, channels = (
                (self._data.image_size, self._data.channels)
                if isinstance(self._data, Images)
                else (self._data.canvas, 1)
            )
            images = torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=draw)
            return Split(images, labels, torch.tensor([0.5, 0.5, 0.5, 0.5]).repeat(count, 1))
        lengths = torch.full((count,), self._steps)
        boxes = torch.tensor([0.5, 0.5]).repeat(count, 1)
        if self.vocabulary:
            words = torch.randint(1, VOCABULARY, (count, self._steps), generator=draw)
            return Split(words, labels, boxes, lengths)
        return Split(torch.randn(count, self._steps, 1, generator=draw), labels, boxes, lengths)
