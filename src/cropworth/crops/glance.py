"""`GlanceAndCrop`: read the small copy first, and crops at full resolution only where that was not enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cropworth.crops.spatial import Reader, Sampling, on_each, several_placed
from cropworth.crops.transforms import Transform
from cropworth.errors import CropworthError


class GlanceAndCrop(Reader):
    """A classifier in stages: a glance at a small copy of the whole input, then one crop after the other.

    The glance's features say both what it may be and where to look; each crop is read by the backbone at full
    resolution, and its logits are added to those before. An item stops at the first stage whose highest probability
    reaches `threshold` (Wang et al. 2020, glance and focus networks; Huang et al. 2018, section 4).

    Args:
        features: look (B, C, *look_size) -> features (B, F, h', w').
        head: features -> logits (B, classes).
        localizer: features -> raw parameters of all transforms after one another, such as
            ``HeatmapLocalizer(F, P, width=F, crops=K, features=nn.Identity())``.
        transforms: one for each crop.
        backbone: crop (B, C, *size) -> logits (B, classes).
        size: (h, w) of a crop in pixels.
        look_size: (h, w) of the small copy in pixels.
        threshold: stop at this probability; above 1 every item goes through all stages. See `calibrate`.
        sampling: `mode`, `padding`, `antialias` and `reach`, as in `sample`.
    """

    def __init__(
        self,
        features: nn.Module,
        head: nn.Module,
        localizer: nn.Module,
        transforms: Sequence[Transform],
        backbone: nn.Module,
        size: Sequence[int],
        look_size: Sequence[int],
        threshold: float = 2.0,
        **sampling: Unpack[Sampling],
    ) -> None:
        super().__init__(localizer, size, look_size, sampling)
        self.features, self.head, self.backbone = features, head, backbone
        self.transforms: Sequence[Transform] = nn.ModuleList(transforms)  # type: ignore[assignment]
        self.threshold = threshold

    def locate(self, images: Tensor) -> Tensor:
        """See `Reader`: poses (B, K, rows, columns)."""
        return self._glance(images)[1]

    def stages(self, images: Tensor) -> Tensor:
        """The logits after each stage, none left out: images (B, C, H, W) -> (B, 1 + K, classes).

        What to train on: the mean of `stage_loss` trains every exit.
        """
        logits, poses = self._glance(images)
        evidence = on_each(self.backbone, self.read(images, poses))  # (B, K, classes)
        return torch.cat([logits.unsqueeze(1), evidence], dim=1).cumsum(1)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, classes): of the last stage in training, else with early stops."""
        if self.training:
            return self.stages(images)[:, -1]
        return self.stop_early(images)[0]

    def stop_early(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) -> logits (B, classes), and how many crops each item took (B,)."""
        logits, poses = self._glance(images)
        taken = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        going = torch.arange(len(images), device=images.device)
        for k in range(len(self.transforms)):
            going = going[logits[going].softmax(-1).amax(-1) < self.threshold]
            if len(going) == 0:
                break
            crops = self.read(images[going], poses[going, k])
            logits = logits.index_add(0, going, self.backbone(crops).to(logits.dtype))
            taken[going] += 1
        return logits, taken

    def _glance(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(self.look(images))
        return self.head(features), several_placed(self.transforms, self.localizer(features))


def stage_loss(stages: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the stages: (B, S, classes) and labels (B,) -> ()."""
    return F.cross_entropy(stages.flatten(0, 1), labels.repeat_interleave(stages.shape[1]))


def calibrate(stages: Tensor, labels: Tensor, tolerance: float = 0.0) -> float:
    """The lowest threshold that keeps the accuracy of going through all stages, on validation data.

    Args:
        stages: (N, S, classes), `GlanceAndCrop.stages` of validation items.
        labels: (N,).
        tolerance: accuracy that may be given up, such as 0.005.

    Returns:
        A threshold to set; it was chosen on these items, so measure it on others.

    Raises:
        CropworthError: there are no items, or other numbers of labels.
    """
    if stages.ndim != 3 or not len(stages) == len(labels) > 0:
        raise CropworthError(
            f"stages {tuple(stages.shape)} and {len(labels)} labels", "(N, S, classes) and N labels", "Give both."
        )
    confidence, answer = stages.softmax(-1).max(-1)  # (N, S) each
    right = answer == labels.unsqueeze(1)
    wanted = right[:, -1].double().mean().item() - tolerance
    last = torch.full_like(confidence[:, -1:], torch.inf)
    for threshold in [i / 200 for i in range(200)]:
        stop = (torch.cat([confidence[:, :-1], last], dim=1) >= threshold).int().argmax(1)  # the first that reaches it
        if right.gather(1, stop.unsqueeze(1)).double().mean().item() >= wanted:
            return threshold
    return 2.0
