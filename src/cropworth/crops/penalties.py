"""Terms to add to the training loss, each a mean over the batch that is zero for a crop that does nothing wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from cropworth.crops.geometry import box_iou, corners, kind_of, theta_to_boxes
from cropworth.errors import CropworthError

# A crop may be expected to be larger than the input; one of many times its size is a mistaken unit.
LARGEST_PRIOR = 2.0


def out_of_frame(pose: Tensor) -> Tensor:
    """Mean share of the crops' boxes that lies outside the input: poses (..., rows, columns) -> ().

    Its gradient pulls a crop back from the edges that it crosses, however far it is outside.
    """
    centre, size = theta_to_boxes(pose).chunk(2, dim=-1)
    over = (size / 2 - centre).clamp(min=0) + (centre + size / 2 - 1).clamp(min=0)  # beyond both edges, (..., d)
    return (over / size).sum(-1).mean()


def scale_prior(pose: Tensor, scale: float) -> Tensor:
    """Mean squared logarithm of each crop's scale over the one expected: poses (..., rows, columns) -> ().

    The scale is the geometric mean of the box's sides, as a fraction of the input. Holds off the slow growth and
    shrinkage of crops that the classifier's loss hardly minds.

    Raises:
        CropworthError: the scale is no fraction of the input, but perhaps a number of pixels.
    """
    if not 0 < scale <= LARGEST_PRIOR:
        raise CropworthError(
            f"scale = {scale}",
            f"a fraction of the input, above 0 and at most {LARGEST_PRIOR:g}",
            "Divide the pixels by the input's.",
        )
    size = theta_to_boxes(pose).chunk(2, dim=-1)[1]
    return (size / scale).log().mean(-1).square().mean()


def temporal_smoothness(pose: Tensor) -> Tensor:
    """Mean squared step of the crops' corners from frame to frame: poses (B, T, rows, columns) -> ().

    Raises:
        CropworthError: there are fewer than two frames.
    """
    kind_of(pose)
    if pose.ndim < 4 or pose.shape[-3] < 2:
        raise CropworthError(
            f"poses of shape {tuple(pose.shape)}", "(B, T, rows, columns) with T of at least 2", "Give a pose a frame."
        )
    return corners(pose).diff(dim=-3).square().sum(-1).mean()


def overlap(pose: Tensor) -> Tensor:
    """Mean overlap (IoU of the boxes) of pairs of crops of one item: poses (B, K, rows, columns) -> ().

    Raises:
        CropworthError: there are fewer than two crops of an item.
    """
    kind_of(pose)
    if pose.ndim < 4 or pose.shape[-3] < 2:
        raise CropworthError(
            f"poses of shape {tuple(pose.shape)}", "(B, K, rows, columns) with K of at least 2", "Give several crops."
        )
    boxes = theta_to_boxes(pose)  # (B, K, 2 d)
    first, second = torch.triu_indices(boxes.shape[-2], boxes.shape[-2], offset=1, device=boxes.device)
    return box_iou(boxes[..., first, :], boxes[..., second, :]).mean()
