"""Transforms that bend: crops of an image along a thin-plate spline, and of a sequence along a warp in time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from cropworth.crops.geometry import control_points, spline_basis, theta_to_boxes, upright
from cropworth.crops.transforms import Affine, Bounded, limited
from cropworth.errors import CropworthError

# Of the distance between control points. A quadrilateral between four of them cannot fold if each is displaced by less
# than a quarter along each axis: its area is then more than (1 - 1/2)**2 - (1/2)**2 = 0. A plate overshoots a little.
LARGEST_BEND = 0.2


class ThinPlateSpline(Affine):
    """A bent crop of an image: an affine crop whose k x k control points are displaced (Jaderberg et al. 2015, 4.1).

    Raw is that of `Affine` and then (dx, dy) for each control point, row by row: 6 + 2 k * k numbers. A displacement
    is in the crop's own coordinates and stays below a fifth of the distance between control points along each axis,
    so that the crop does not fold. The pose is (B, 2, 3 + k * k), see `geometry`.

    Args:
        k: control points along each side, at least 2.
        start: the starting box.
        bounds: `smallest`, `largest`, `inside`, `turn` and `shear`, as in `Affine`.

    Raises:
        CropworthError: the start does not lie between the bounds, or there are too few control points.
    """

    solve: Tensor

    def __init__(self, k: int = 4, start: Sequence[float] | None = None, **bounds: float) -> None:
        if k < 2:
            raise CropworthError(f"k = {k}", "at least 2 control points along each side", "Choose 2 to 6.")
        super().__init__(start, others=2 * k * k, **bounds)
        self.k = k
        points = control_points(k, torch.zeros((), dtype=torch.float64))  # (k * k, 2)
        basis = spline_basis(points, k)  # (k * k, 3 + k * k)
        # The weights must be orthogonal to 1, x and y, else the plate would bend without end far away.
        side = torch.cat([basis.new_zeros(3, 3), basis[:, :3].T], dim=1)
        inverse = torch.linalg.inv(torch.cat([basis, side]))
        self.register_buffer("solve", inverse[:, : k * k].T.float().contiguous())  # (k * k, 3 + k * k)

    def pose(self, raw: Tensor) -> Tensor:
        """Raw (B, 6 + 2 k * k) -> pose (B, 2, 3 + k * k)."""
        theta = super().pose(raw)  # (B, 2, 3)
        most = LARGEST_BEND * 2 / (self.k - 1)
        bend = limited(raw[:, 6:], most).reshape(-1, self.k * self.k, 2)
        moved = bend.transpose(-1, -2) @ self.solve.to(bend.dtype)  # (B, 2, 3 + k * k): the displacement's spline
        bent = theta[..., :2] @ moved
        return torch.cat([bent[..., :3] + theta, bent[..., 3:]], dim=-1)


class Warp(Bounded):
    """A crop of a sequence in which time runs faster here and slower there, but never back (Lohit et al. 2019, 3.1).

    Raw is that of `Zoom` and then one number for each of the `pieces` of even length that the crop has: the larger, the
    more of the cropped time this piece takes. Their softmax is each one's share (temporal transformer networks,
    equation 3, for pieces instead of steps). The pose is (B, 1, 1 + pieces), see `geometry`.

    Args:
        pieces: at least 2.
        start: the starting span (centre, length); None is the whole input.
        smallest: least length of the crop, as a fraction of the input.
        largest: greatest length.
        inside: least share of the crop that stays in the frame.
        rate: how many times faster or slower than another one a piece may at most run.

    Raises:
        CropworthError: the start does not lie between the bounds, or there are too few pieces.
    """

    def __init__(
        self,
        pieces: int = 4,
        start: Sequence[float] | None = None,
        smallest: float = 0.1,
        largest: float = 1.5,
        inside: float = 0.5,
        rate: float = 4.0,
    ) -> None:
        if pieces < 2 or rate <= 1:
            raise CropworthError(
                f"pieces = {pieces}, rate = {rate}", "at least 2 pieces, and a rate above 1", "Choose 2 to 16 pieces."
            )
        super().__init__(start, smallest, largest, inside, dims=1, scales=1, others=pieces)
        self.rate = rate

    def pose(self, raw: Tensor) -> Tensor:
        """Raw (B, 2 + pieces) -> pose (B, 1, 1 + pieces)."""
        centre, size = self.upright(raw)
        uneven = raw[:, 2:]
        share = torch.softmax(limited(uneven, math.log(self.rate) / 2), dim=-1)
        pace = share * uneven.shape[1]  # (B, pieces), how fast time runs in each; 1 everywhere is even
        bends = pace.diff(dim=-1) / 2
        knots = control_points(uneven.shape[1] - 1, raw, dims=1).squeeze(-1)
        slope = (pace[:, :1] + pace[:, -1:]) / 2
        begin = slope - 1 - (bends * (1 + knots)).sum(-1, keepdim=True)  # so that -1 stays where it is, and 1 with it
        zoom = self.placed(torch.diag_embed(size), centre)  # (B, 1, 2)
        scale, shift = zoom[:, 0, :1], zoom[:, 0, 1:]
        return torch.cat([scale * slope, scale * begin + shift, scale * bends], dim=-1).unsqueeze(1)

    def saturation(self, pose: Tensor) -> Tensor:
        """See `Bounded`: of the crop as a whole."""
        centre, size = theta_to_boxes(pose).chunk(2, dim=-1)
        return super().saturation(upright(size, 2 * centre - 1))
