"""THE coordinate convention, and everything that moves between boxes, poses and points.

Coordinates are normalised: x to the right, y down, and [-1, 1] are the *edges* of the first and last pixel, so
that the centre of pixel i of n lies at (2 i + 1) / n - 1 (torch calls this ``align_corners=False``).

A pose maps a point of the crop to a point of the input. Its last two sizes say what kind it is; any number of
sizes may stand before them:

- affine, `theta` (..., d, d + 1): ``input = A @ crop + t`` with ``theta = [A | t]`` (Jaderberg et al. 2015,
  equation 1). d is 1 for sequences (time), 2 for images (x, y), 3 for volumes (x, y, z).
- projective (..., 3, 3): a homography of homogeneous points (x, y, 1).
- spline: an affine part and the weights of a radial basis around control points. Of an image (..., 2, 3 + k * k), a
  thin-plate spline: r^2 log r^2 around a lattice of k x k points that spans the crop from corner to corner (Bookstein
  1989). Of a sequence (..., 1, 2 + k), a piecewise-linear warp: |r| around the k points that part it into k + 1 even
  pieces.

A box (..., 2 d) is a crop's centre and then its size, as fractions of the input: (cx, cy, w, h) in [0, 1] for
images, (centre, length) for sequences. Boxes are axis-aligned; a pose may also turn, shear and bend.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from cropworth.errors import CropworthError

Kind = Literal["affine", "projective", "spline"]

# Newton's method on a map that is nearly affine doubles its digits with every step.
NEWTON_STEPS = 12


def kind_of(pose: Tensor) -> Kind:
    """What kind of pose this is, by its last two sizes.

    Raises:
        CropworthError: it is none.
    """
    rows, columns = pose.shape[-2:] if pose.ndim >= 2 else (0, 0)
    if rows in (1, 2, 3) and columns == rows + 1:
        return "affine"
    if rows == columns == 3:
        return "projective"
    if (rows == 1 and columns > 2) or (rows == 2 and columns > 3 and math.isqrt(columns - 3) ** 2 == columns - 3):
        return "spline"
    raise CropworthError(
        f"theta of shape {tuple(pose.shape)}",
        "(..., 2, 3) for images, (..., 1, 2) for sequences, (..., 3, 4) for volumes, (..., 3, 3) for a "
        "homography, (..., 2, 3 + k * k) for a thin-plate spline or (..., 1, 2 + k) for a warp in time",
        "Build it with boxes_to_theta or a transform.",
    )


def dimensions(pose: Tensor) -> int:
    """The number d of space (or time) dimensions that the pose is for.

    Raises:
        CropworthError: its last two sizes are those of no pose.
    """
    return 2 if kind_of(pose) == "projective" else pose.shape[-2]


def boxes_to_theta(boxes: Tensor) -> Tensor:
    """The pose that crops each box: boxes (..., 2 d) -> theta (..., d, d + 1).

    The crop's edges -1 and 1 fall on the box's edges; gradients flow to the boxes.

    Raises:
        CropworthError: the last size is not 2, 4 or 6, or a number is outside [0, 1].
    """
    if boxes.ndim < 1 or boxes.shape[-1] not in (2, 4, 6):
        raise CropworthError(
            f"boxes of shape {tuple(boxes.shape)}",
            "(..., 4) as (cx, cy, w, h), (..., 2) as (centre, length), or (..., 6) for volumes",
            "Give boxes as fractions of the input.",
        )
    if not torch.compiler.is_compiling() and not bool(((boxes >= -1e-6) & (boxes <= 1 + 1e-6)).all()):
        low, high = boxes.min().item(), boxes.max().item()
        raise CropworthError(
            f"boxes of shape {tuple(boxes.shape)} with numbers from {low:.4g} to {high:.4g}",
            "centres and sizes as fractions of the input, in [0, 1]",
            "Divide pixels by the input's width and height.",
        )
    centre, size = boxes.chunk(2, dim=-1)  # (..., d) each
    return upright(size, 2 * centre - 1)


def upright(scale: Tensor, shift: Tensor) -> Tensor:
    """The pose without turn or shear: scales (..., d), negative where mirrored, and shifts (..., d) of each axis."""
    return torch.cat([torch.diag_embed(scale), shift.unsqueeze(-1)], dim=-1)


def theta_to_boxes(pose: Tensor) -> Tensor:
    """The smallest box around each crop's corners: a pose of any kind -> boxes (..., 2 d).

    Inverse of `boxes_to_theta` for affine poses without rotation or shear. Half the width of a turned crop's box
    is the sum of the absolute entries of A's row.
    """
    if kind_of(pose) == "affine":
        matrix, shift = pose[..., :-1], pose[..., -1]
        return torch.cat([(shift + 1) / 2, matrix.abs().sum(-1)], dim=-1)
    return _box_around(corners(pose))


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The pose of a crop of a crop: `inner` is taken from what `outer` takes from the input.

    Sampling the input once with the result equals, but for resampling loss, sampling with `outer` and then
    sampling that with `inner` (Lin & Lucey 2017, section 3). The result is affine if both are, a spline if the
    inner pose is one, else projective.

    Raises:
        CropworthError: a spline would have to be bent again, which is no spline on the crop's lattice.
    """
    kinds = kind_of(outer), kind_of(inner)
    if kinds == ("affine", "affine") or kinds == ("affine", "spline"):
        columns = _product(outer[..., :-1], inner)
        last = torch.zeros_like(inner[..., :1, :])
        last[..., outer.shape[-1] - 1] = 1  # the column of the shift
        return columns + outer[..., -1:] * last
    if "spline" in kinds:
        raise CropworthError(
            f"a {kinds[1]} crop of a {kinds[0]} crop", "a spline inside an affine crop", "Put the spline last."
        )
    return _product(_homography(outer), _homography(inner))


def invert(pose: Tensor) -> Tensor:
    """The pose that maps points of the input to points of the crop; affine or projective, same shape.

    Raises:
        CropworthError: a crop has no area, so it has no inverse, or it is a spline, whose inverse is none.
    """
    kind = kind_of(pose)
    if kind == "spline":
        raise CropworthError("a spline", "an affine or projective pose", "Map points with unmap_points.")
    matrix = pose if kind == "projective" else pose[..., :-1]
    if not torch.compiler.is_compiling() and bool((torch.linalg.det(matrix) == 0).any()):
        raise CropworthError("a theta without area", "an invertible crop", "Look for a collapsed crop.")
    inverse: Tensor = torch.linalg.inv(matrix)
    return inverse if kind == "projective" else torch.cat([inverse, -inverse @ pose[..., -1:]], dim=-1)


def map_points(pose: Tensor, points: Tensor) -> Tensor:
    """Map points of the crop to the input: a pose of any kind, points (..., N, d) -> (..., N, d)."""
    kind = kind_of(pose)
    if kind == "affine":
        return points @ pose[..., :-1].transpose(-1, -2) + pose[..., -1].unsqueeze(-2)
    if kind == "projective":
        mapped = points @ pose[..., :2].transpose(-1, -2) + pose[..., 2].unsqueeze(-2)
        return mapped[..., :2] / mapped[..., 2:]
    return spline_basis(points, _side(pose)) @ pose.transpose(-1, -2)


def unmap_points(pose: Tensor, points: Tensor) -> Tensor:
    """Map points of the input into the crop, the inverse of `map_points`: (..., N, d) -> (..., N, d).

    For a thin-plate spline by Newton's method from its affine part, which converges as long as the crop does not fold;
    for a warp in time exactly, as long as it runs forward.
    """
    if kind_of(pose) != "spline":
        return map_points(invert(pose), points)
    if dimensions(pose) == 1:
        return _unwarped(pose, points)
    found = map_points(invert(pose[..., :3]), points)
    for _ in range(NEWTON_STEPS):
        _, slope = _radial(found, _side(pose))  # (..., N, k * k, 2)
        jacobian = pose[..., None, :, :2] + pose[..., None, :, 3:] @ slope  # (..., N, 2, 2)
        missing = (points - map_points(pose, found)).unsqueeze(-1)
        found = found + torch.linalg.solve(jacobian, missing).squeeze(-1)
    return found


def map_boxes(pose: Tensor, boxes: Tensor) -> Tensor:
    """Boxes in the crop -> the smallest boxes around their corners in the input: (..., N, 2 d) -> the same.

    Draws a detection that was made in the crop on the original.
    """
    return _box_around(map_points(pose.unsqueeze(-3), _box_corners(boxes)))


def unmap_boxes(pose: Tensor, boxes: Tensor) -> Tensor:
    """Boxes in the input -> the smallest boxes around their corners in the crop: (..., N, 2 d) -> the same."""
    return _box_around(unmap_points(pose.unsqueeze(-3), _box_corners(boxes)))


def corners(pose: Tensor) -> Tensor:
    """The crop's corners in the input: a pose of any kind -> (..., 2**d, d); of an image in drawing order."""
    return map_points(pose, _unit_corners(dimensions(pose), pose))


def pixel_centres(count: int, like: Tensor) -> Tensor:
    """Normalised coordinates of the centres of `count` pixels: (count,)."""
    return (2 * torch.arange(count, dtype=like.dtype, device=like.device) + 1) / count - 1


def control_points(side: int, like: Tensor, dims: int = 2) -> Tensor:
    """The lattice of a thin-plate spline, row by row: (side * side, 2); or the inner knots of a warp: (side, 1)."""
    if dims == 1:
        return torch.linspace(-1, 1, side + 2, dtype=like.dtype, device=like.device)[1:-1].unsqueeze(-1)
    places = torch.linspace(-1, 1, side, dtype=like.dtype, device=like.device)
    return torch.cartesian_prod(places, places).flip(-1)


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of paired boxes: (..., 2 d) and (..., 2 d) -> (...)."""
    (c1, s1), (c2, s2) = first.chunk(2, dim=-1), second.chunk(2, dim=-1)
    low = torch.maximum(c1 - s1 / 2, c2 - s2 / 2)
    high = torch.minimum(c1 + s1 / 2, c2 + s2 / 2)
    shared = (high - low).clamp(min=0).prod(-1)
    union = s1.prod(-1) + s2.prod(-1) - shared
    return shared / union.clamp(min=torch.finfo(union.dtype).tiny)


def spline_basis(points: Tensor, side: int) -> Tensor:
    """What a spline's columns are multiplied by: points (..., N, 2) -> (..., N, 3 + k * k), or (..., N, 1) -> 2 + k.

    It is [x, y, 1, r^2 log r^2 ...], the r being the distances to the `side` x `side` control points (Bookstein 1989,
    equation 1, but for a factor); in time [t, 1, r ...].
    """
    return torch.cat([points, torch.ones_like(points[..., :1]), _radial(points, side)[0]], dim=-1)


def _radial(points: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """The basis (..., N, side**d) at points (..., N, d), and its slope (..., N, side**d, d) there."""
    away = points.unsqueeze(-2) - control_points(side, points, points.shape[-1])
    if points.shape[-1] == 1:
        return away.squeeze(-1).abs(), away.sign()
    squared = away.square().sum(-1)
    log = squared.clamp(min=torch.finfo(squared.dtype).tiny).log()
    return squared * log, 2 * away * (log + 1).unsqueeze(-1)


def _side(spline: Tensor) -> int:
    return spline.shape[-1] - 2 if spline.shape[-2] == 1 else math.isqrt(spline.shape[-1] - 3)


def _unwarped(warp: Tensor, points: Tensor) -> Tensor:
    """Map points (..., N, 1) of the input into a crop that runs forward in time, piece by piece."""
    bends = warp[..., 0, 2:]  # (..., k)
    first = warp[..., 0, :1] - bends.sum(-1, keepdim=True)  # the slope before the first knot
    slopes = torch.cat([first, first + 2 * bends.cumsum(-1)], dim=-1)  # (..., k + 1)
    knots = control_points(_side(warp), warp, dims=1)  # (k, 1)
    reached = map_points(warp, knots).squeeze(-1)  # (..., k)
    piece = (points >= reached.unsqueeze(-2)).sum(-1)  # (..., N)
    start = (piece - 1).clamp(min=0)  # the knot that a piece is counted from; the first piece ends at it
    away = points.squeeze(-1) - reached.gather(-1, start)
    return (knots.squeeze(-1)[start] + away / slopes.gather(-1, piece)).unsqueeze(-1)


def _product(first: Tensor, second: Tensor) -> Tensor:
    """The matrix product, in the poses' own precision whatever autocast says: half of it is off by whole pixels."""
    with torch.autocast(first.device.type, enabled=False):
        return first @ second


def _homography(pose: Tensor) -> Tensor:
    """An affine pose of an image as a projective one; a projective one as it is."""
    if kind_of(pose) == "projective":
        return pose
    last = torch.zeros_like(pose[..., :1, :])
    last[..., -1] = 1
    return torch.cat([pose, last], dim=-2)


def _unit_corners(dims: int, like: Tensor) -> Tensor:
    if dims == 2:  # in drawing order
        return like.new_tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    ends = like.new_tensor([-1.0, 1.0])
    return ends.unsqueeze(-1) if dims == 1 else torch.cartesian_prod(*[ends] * dims)


def _box_corners(boxes: Tensor) -> Tensor:
    """Corners of boxes, in normalised coordinates: (..., 2 d) -> (..., 2**d, d)."""
    centre, size = boxes.chunk(2, dim=-1)
    return (2 * centre - 1).unsqueeze(-2) + size.unsqueeze(-2) * _unit_corners(size.shape[-1], boxes)


def _box_around(points: Tensor) -> Tensor:
    """The smallest box around points: (..., N, d) -> (..., 2 d)."""
    low, high = points.amin(-2), points.amax(-2)
    return torch.cat([(low + high + 2) / 4, (high - low) / 2], dim=-1)
