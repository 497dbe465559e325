"""Is this crop alive? Shares of crops that show nothing, have shrunk to nothing or left the frame."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from cropworth.crops.geometry import box_iou, corners, theta_to_boxes
from cropworth.errors import CropworthError


@dataclass(frozen=True)
class CropHealth:
    """Measures of a batch of crops.

    Attributes:
        blank: share of crops whose pixels are (nearly) all alike although the input's are not.
        tiny: share of crops that cover less than 0.1 % of the input's area.
        outside: share of crops whose box overlaps the frame by less than a quarter of its own area.
        still: True if all crops are (nearly) in the same place, whatever the input.
    """

    blank: float
    tiny: float
    outside: float
    still: bool

    @property
    def problem(self) -> str:
        """What makes the crop useless, in words; empty for a crop that is alive.

        A crop that stands still may be useful (a fixed crop is), so stillness alone is no problem.
        """
        for share, what in (
            (self.blank, "are blank"),
            (self.tiny, "have shrunk to nothing"),
            (self.outside, "lie outside the frame"),
        ):
            if share > 0.5:
                return f"{share:.0%} of the crops {what}"
        return ""

    def as_dict(self) -> dict[str, float]:
        """The measures by name, for a record."""
        return {name: float(value) for name, value in asdict(self).items()}


def blank(images: Tensor, crops: Tensor) -> Tensor:
    """Which crops (B, C, h, w) show one even grey although their images (B, C, H, W), in [0, 1], do not: (B,)."""
    spread = [x.flatten(1).amax(1) - x.flatten(1).amin(1) for x in (crops, images)]
    return (spread[0] < 0.02) & (spread[1] >= 0.02)


def crop_health(theta: Tensor, blanks: Tensor) -> CropHealth:
    """Measure the crops of many images.

    Args:
        theta: (B, 2, 3) poses.
        blanks: (B,) which of the crops are `blank`.

    Raises:
        CropworthError: the batch sizes differ, or are 0.
    """
    if not len(theta) == len(blanks) > 0:
        raise CropworthError(
            f"{len(theta)} poses and {len(blanks)} crops",
            "as many of both, at least one",
            "Give the poses of these crops.",
        )
    area = torch.linalg.det(theta[:, :, :2]).abs()
    return CropHealth(
        blank=_share(blanks),
        tiny=_share(area < 1e-3),
        outside=_share(_inside_share(theta_to_boxes(theta)) < 0.25),
        still=len(theta) > 1 and bool(corners(theta).std(0).max() < 0.01),
    )


def localisation_iou(theta: Tensor, boxes: Tensor) -> Tensor:
    """Overlap of the boxes around crops (B, 2, 3) with true boxes (B, 4) -> (B,)."""
    return box_iou(theta_to_boxes(theta), boxes)


def _inside_share(boxes: Tensor) -> Tensor:
    """Share of each box's area inside the frame: (B, 4) -> (B,)."""
    frame = boxes.new_tensor([0.5, 0.5, 1.0, 1.0]).expand_as(boxes)
    area = boxes[:, 2] * boxes[:, 3]
    # From IoU = I / (area + 1 - I): I = IoU (area + 1) / (1 + IoU).
    iou = box_iou(boxes, frame)
    return iou * (area + 1) / (1 + iou) / area.clamp(min=1e-12)


def _share(condition: Tensor) -> float:
    return condition.float().mean().item()
