"""THE coordinate convention, and everything that moves between boxes, poses and points.

Coordinates are normalised: x to the right, y down, and [-1, 1] are the *edges* of the first and last pixel, so
that the centre of pixel i of n lies at (2 i + 1) / n - 1 (torch calls this ``align_corners=False``).

A pose `theta` (..., d, d + 1) maps a point of the crop to a point of the input: ``input = A @ crop + t`` with
``theta = [A | t]`` (Jaderberg et al. 2015, equation 1). d is 2 for images (x, y) and 1 for sequences (time).

A box (..., 2 d) is the crop's centre and then its size, as fractions of the input: (cx, cy, w, h) in [0, 1] for
images, (centre, length) for sequences. Boxes are axis-aligned; a pose may also turn and shear.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cropworth.errors import CropworthError


def dimensions(theta: Tensor) -> int:
    """The number d of space (or time) dimensions of `theta` (..., d, d + 1).

    Raises:
        CropworthError: the last two sizes are not d, d + 1 with d of 1 or 2.
    """
    if theta.ndim < 2 or tuple(theta.shape[-2:]) not in {(1, 2), (2, 3)}:
        raise CropworthError(
            f"theta of shape {tuple(theta.shape)}",
            "(..., 2, 3) for images or (..., 1, 2) for sequences",
            "Build it with boxes_to_theta or a transform.",
        )
    return theta.shape[-2]


def boxes_to_theta(boxes: Tensor) -> Tensor:
    """The pose that crops each box: boxes (..., 2 d) -> theta (..., d, d + 1).

    The crop's edges -1 and 1 fall on the box's edges; gradients flow to the boxes.

    Raises:
        CropworthError: the last size is not 4 (images) or 2 (sequences).
    """
    if boxes.ndim < 1 or boxes.shape[-1] not in (2, 4):
        raise CropworthError(
            f"boxes of shape {tuple(boxes.shape)}",
            "(..., 4) as (cx, cy, w, h), or (..., 2) as (centre, length)",
            "Give boxes as fractions of the input.",
        )
    centre, size = boxes.chunk(2, dim=-1)  # (..., d) each
    return torch.cat([torch.diag_embed(size), (2 * centre - 1).unsqueeze(-1)], dim=-1)


def theta_to_boxes(theta: Tensor) -> Tensor:
    """The smallest box around each crop: theta (..., d, d + 1) -> boxes (..., 2 d).

    Inverse of `boxes_to_theta` for poses without rotation or shear. The box of a turned crop is the box around
    its corners: half its width is the sum of the absolute entries of A's row.
    """
    dimensions(theta)
    matrix, shift = theta[..., :-1], theta[..., -1]
    return torch.cat([(shift + 1) / 2, matrix.abs().sum(-1)], dim=-1)


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The pose of a crop of a crop: `inner` is taken from what `outer` takes from the input.

    Both (..., d, d + 1). Sampling the input once with the result equals, but for resampling loss, sampling with
    `outer` and then sampling that with `inner` (Lin & Lucey 2017, section 3).
    """
    dimensions(outer), dimensions(inner)
    matrix = outer[..., :-1] @ inner[..., :-1]
    shift = outer[..., :-1] @ inner[..., -1:] + outer[..., -1:]
    return torch.cat([matrix, shift], dim=-1)


def invert(theta: Tensor) -> Tensor:
    """The pose that maps points of the input to points of the crop: (..., d, d + 1) -> the same shape.

    Raises:
        CropworthError: a crop has no area, so it has no inverse.
    """
    dimensions(theta)
    if bool((torch.linalg.det(theta[..., :-1]) == 0).any()):
        raise CropworthError("a theta without area", "an invertible crop", "Look for a collapsed crop.")
    matrix = torch.linalg.inv(theta[..., :-1])
    return torch.cat([matrix, -matrix @ theta[..., -1:]], dim=-1)


def map_points(theta: Tensor, points: Tensor) -> Tensor:
    """Map points of the crop to the input: theta (..., d, d + 1), points (..., N, d) -> (..., N, d).

    With ``invert(theta)`` it maps points of the input into the crop.
    """
    dimensions(theta)
    return points @ theta[..., :-1].transpose(-1, -2) + theta[..., -1].unsqueeze(-2)


def corners(theta: Tensor) -> Tensor:
    """The crop's corners in the input, in drawing order: theta (..., d, d + 1) -> (..., 2**d, d)."""
    unit = [[-1.0], [1.0]] if dimensions(theta) == 1 else [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
    return map_points(theta, theta.new_tensor(unit))


def pixel_centres(count: int, like: Tensor) -> Tensor:
    """Normalised coordinates of the centres of `count` pixels: (count,)."""
    return (2 * torch.arange(count, dtype=like.dtype, device=like.device) + 1) / count - 1


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of paired boxes: (..., 2 d) and (..., 2 d) -> (...)."""
    (c1, s1), (c2, s2) = first.chunk(2, dim=-1), second.chunk(2, dim=-1)
    low = torch.maximum(c1 - s1 / 2, c2 - s2 / 2)
    high = torch.minimum(c1 + s1 / 2, c2 + s2 / 2)
    shared = (high - low).clamp(min=0).prod(-1)
    union = s1.prod(-1) + s2.prod(-1) - shared
    return shared / union.clamp(min=torch.finfo(union.dtype).tiny)
