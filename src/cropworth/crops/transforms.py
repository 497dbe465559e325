"""Raw parameters -> pose: what kinds of crop may be learned.

Each transform is a module with `parameters_needed` raw numbers. Raw zero is the starting pose, so that a localizer
whose last layer starts at zero starts there. The first d raw numbers shift the crop's centre, in normalised
coordinates, whatever the transform; all others are near the start a change of the logarithm of a scale, an angle in
radians, or a displacement. Every number may be anything: the bounds are smooth and their gradient never dies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cropworth.errors import CropworthError


class Transform(nn.Module):
    """Base: raw parameters (B, parameters_needed) -> pose, see `geometry`.

    Args:
        dims: 1 for sequences, 2 for images, 3 for volumes.
        parameters_needed: P, how many raw numbers.
    """

    def __init__(self, dims: int, parameters_needed: int) -> None:
        super().__init__()
        self.dims = dims
        self.parameters_needed = parameters_needed

    def forward(self, raw: Tensor) -> Tensor:
        """Raw (B, parameters_needed) -> pose (B, rows, columns).

        Raises:
            CropworthError: `raw` has another shape.
        """
        if raw.ndim != 2 or raw.shape[1] != self.parameters_needed:
            raise CropworthError(
                f"raw parameters of shape {tuple(raw.shape)}",
                f"(B, {self.parameters_needed}) for {type(self).__name__}",
                "Give the localizer transform.parameters_needed outputs.",
            )
        return self.pose(raw)

    def pose(self, raw: Tensor) -> Tensor:
        """`forward` without its check; what a subclass defines."""
        raise NotImplementedError

    def saturation(self, pose: Tensor) -> Tensor:
        """How close each crop is to a bound of its transform, from 0 to 1: (B, rows, columns) -> (B,)."""
        return pose.new_zeros(len(pose))


class Bounded(Transform):
    """Base of the crops that can neither flip, nor vanish, nor leave the frame.

    Their scales stay between `smallest` and `largest` by a sigmoid in the logarithm of the scale, and along each
    axis at least the share `inside` of the crop's box (or of the frame, for a larger box) stays in the frame.

    Args:
        start: the starting box (cx, cy, w, h), (centre, length) or (cx, cy, cz, w, h, d), fractions of the input;
            None is the whole input.
        smallest: least scale, as a fraction of the input.
        largest: largest scale.
        inside: least share of the crop along each axis that stays in the frame, between 0 and 1.
        dims: 1 for sequences, 2 for images, 3 for volumes.
        scales: how many independent scales: 1, or `dims`.
        others: further raw numbers.

    Raises:
        CropworthError: the start does not lie between the bounds.
    """

    def __init__(
        self,
        start: Sequence[float] | None,
        smallest: float,
        largest: float,
        inside: float,
        dims: int,
        scales: int,
        others: int = 0,
    ) -> None:
        super().__init__(dims, dims + scales + others)
        if dims not in (1, 2, 3) or scales not in (1, dims):
            raise CropworthError(
                f"dims = {dims} with {scales} scales",
                "1 (sequences), 2 (images) or 3 (volumes), and 1 scale or one for each",
                "Choose one of them.",
            )
        start = tuple(start) if start is not None else (0.5,) * dims + (1.0,) * dims
        if not (0 < smallest < largest and 0 < inside < 1):
            raise CropworthError(
                f"smallest = {smallest}, largest = {largest}, inside = {inside}",
                "0 < smallest < largest, and inside between 0 and 1",
                "Choose bounds in this order.",
            )
        if len(start) != 2 * dims or not all(smallest < size < largest for size in start[dims:]):
            raise CropworthError(
                f"start = {start}",
                f"{2 * dims} numbers, the last {dims} of them sizes between {smallest} and {largest}",
                "Choose a starting box inside the bounds.",
            )
        self.scales, self.smallest, self.largest, self.inside = scales, smallest, largest, inside
        sizes = torch.tensor(start[dims:], dtype=torch.float64)
        scale = sizes if scales == dims else sizes.log().mean(0, keepdim=True).exp()  # one scale keeps the shape
        share = (scale / smallest).log() / math.log(largest / smallest)
        limit = self._limit(sizes)
        centre = 2 * torch.tensor(start[:dims], dtype=torch.float64) - 1
        if bool((centre.abs() >= limit).any()):
            raise CropworthError(
                f"start = {start}", f"a box of which {inside:.0%} lies in the frame", "Move the start or lower inside."
            )
        self.centre: Tensor
        self.aspect: Tensor
        self.logit: Tensor
        # Raw zero must give the start itself, so that it is kept as what the bounds map to it.
        self.register_buffer("centre", (centre / (1 - (centre / limit).pow(8)).pow(1 / 8)).float())
        self.register_buffer("aspect", (sizes / scale).float())
        self.register_buffer("logit", share.logit().float())

    def upright(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Raw (B, at least dims + scales) -> shift before its bound (B, d) and sizes (B, d)."""
        shift, stretch = raw[:, : self.dims], raw[:, self.dims : self.dims + self.scales]
        span = math.log(self.largest / self.smallest)
        share = self.logit.sigmoid()
        # The slope at the start is divided out: there raw is a change of the logarithm.
        share = torch.sigmoid(self.logit + stretch / (span * share * (1 - share)))
        scale = self.smallest * torch.exp(span * share)
        return self.centre + shift, scale * self.aspect

    def placed(self, matrix: Tensor, centre: Tensor) -> Tensor:
        """The affine pose of a crop whose centre is kept in reach: (B, d, d) and (B, d) -> (B, d, d + 1)."""
        centre = limited(centre, self._limit(matrix.abs().sum(-1)))
        return torch.cat([matrix, centre.unsqueeze(-1)], dim=-1)

    def saturation(self, pose: Tensor) -> Tensor:
        """See `Transform`: how near scales and centre are to their bounds; of a bent crop, its affine part's."""
        matrix, shift = pose.detach()[:, : self.dims].tensor_split([self.dims, self.dims + 1], dim=-1)[:2]
        size = matrix.norm(dim=-2)  # (B, d): the columns
        scale = size.log().mean(-1, keepdim=True) if self.scales == 1 else size.log()
        share = (scale - math.log(self.smallest)) / math.log(self.largest / self.smallest)
        off_centre = shift.squeeze(-1).abs() / self._limit(matrix.abs().sum(-1))
        return torch.maximum((2 * share - 1).abs().amax(-1), off_centre.amax(-1)).clamp(0, 1)

    def _limit(self, half: Tensor) -> Tensor:
        """How far the centre of a box of half size (..., d) may be from the middle: (..., d)."""
        return 1 + half - 2 * self.inside * half.clamp(max=1)


class Zoom(Bounded):
    """An upright crop: a free centre and one scale, or one for each axis (Jaderberg et al. 2015, equation 2).

    Raw is (shift, log-scale): d + 1 numbers, or 2 d with `scales` = d. theta is (B, d, d + 1).

    Args:
        start: the starting box; its shape is kept where there is one scale. None is the whole input.
        smallest: least scale, as a fraction of the input.
        largest: largest scale.
        inside: least share of the crop along each axis that stays in the frame.
        scales: 1, or one for each axis.
        dims: 1 for sequences, 2 for images, 3 for volumes.

    Raises:
        CropworthError: the start does not lie between the bounds.
    """

    def __init__(
        self,
        start: Sequence[float] | None = None,
        smallest: float = 0.1,
        largest: float = 1.5,
        inside: float = 0.5,
        scales: int = 1,
        dims: int = 2,
    ) -> None:
        super().__init__(start, smallest, largest, inside, dims, scales)

    def pose(self, raw: Tensor) -> Tensor:
        """Raw (B, P) -> theta (B, d, d + 1)."""
        centre, size = self.upright(raw)
        return self.placed(torch.diag_embed(size), centre)


class Similarity(Bounded):
    """A turned crop of an image: a free centre, one scale and an angle (Jaderberg et al. 2015, section 3.2).

    Raw is (shift, log-scale, angle): 4 numbers. The angle in radians, clockwise in the picture, stays within
    +-`turn`. theta is (B, 2, 3).

    Args:
        start: the starting box; its shape is kept.
        smallest: least scale, as a fraction of the input.
        largest: largest scale.
        inside: least share of the crop along each axis that stays in the frame.
        turn: largest angle in radians.
        aspect: width / height of the input in pixels; a crop of an input that is not square would else be sheared
            as it turns, since coordinates are normalised.

    Raises:
        CropworthError: the start does not lie between the bounds.
    """

    def __init__(
        self,
        start: Sequence[float] | None = None,
        smallest: float = 0.1,
        largest: float = 1.5,
        inside: float = 0.5,
        turn: float = math.pi,
        aspect: float = 1.0,
    ) -> None:
        super().__init__(start, smallest, largest, inside, dims=2, scales=1, others=1)
        self.turn, self.input_aspect = turn, aspect

    def pose(self, raw: Tensor) -> Tensor:
        """Raw (B, 4) -> theta (B, 2, 3)."""
        centre, size = self.upright(raw)
        to_pixels = raw.new_tensor([self.input_aspect, 1.0])
        turned = rotation(limited(raw[:, 3], self.turn)) * to_pixels / to_pixels.unsqueeze(-1)
        return self.placed(turned * size.unsqueeze(-2), centre)


class Affine(Bounded):
    """A turned and sheared crop of an image: A = rotation @ shear @ scales (Jaderberg et al. 2015, equation 1).

    Raw is (shift x and y, log-scale x and y, angle, shear): 6 numbers. Any affine map without a flip can be
    reached, as far as the bounds allow: det A > 0 always. theta is (B, 2, 3).

    Args:
        start: the starting box.
        smallest: least scale of either axis, as a fraction of the input.
        largest: largest scale.
        inside: least share of the crop along each axis that stays in the frame.
        turn: largest angle in radians.
        shear: largest shear.

    Raises:
        CropworthError: the start does not lie between the bounds.
    """

    def __init__(
        self,
        start: Sequence[float] | None = None,
        smallest: float = 0.1,
        largest: float = 1.5,
        inside: float = 0.5,
        turn: float = math.pi,
        shear: float = 1.0,
        others: int = 0,
    ) -> None:
        super().__init__(start, smallest, largest, inside, dims=2, scales=2, others=2 + others)
        self.turn, self.shear = turn, shear

    def pose(self, raw: Tensor) -> Tensor:
        """Raw (B, at least 6) -> theta (B, 2, 3)."""
        centre, size = self.upright(raw)
        zero, one = torch.zeros_like(raw[:, 5]), torch.ones_like(raw[:, 5])
        sheared = torch.stack([one, limited(raw[:, 5], self.shear), zero, one], dim=-1).view(-1, 2, 2)
        matrix = rotation(limited(raw[:, 4], self.turn)) @ (sheared * size.unsqueeze(-2))
        return self.placed(matrix, centre)


class Projective(Affine):
    """A crop of an image seen at an angle: a homography (Jaderberg et al. 2015, section 4.1).

    Raw is that of `Affine` and then (tilt x, tilt y): 8 numbers. The pose (B, 3, 3) is the affine part after the
    perspective [[1, 0, 0], [0, 1, 0], [tilt x, tilt y, 1]]; |tilt| <= `tilt` < 1/2 keeps the horizon out of the crop.

    Args:
        start: the starting box.
        tilt: largest tilt about either axis, below 1/2.
        bounds: `smallest`, `largest`, `inside`, `turn` and `shear`, as in `Affine`.

    Raises:
        CropworthError: the start does not lie between the bounds, or the tilt is too large.
    """

    def __init__(self, start: Sequence[float] | None = None, tilt: float = 0.3, **bounds: float) -> None:
        super().__init__(start, others=2, **bounds)
        if not 0 < tilt < 0.5:
            raise CropworthError(f"tilt = {tilt}", "between 0 and 1/2", "A larger tilt lets the horizon into the crop.")
        self.tilt = tilt

    def pose(self, raw: Tensor) -> Tensor:
        """Raw (B, 8) -> pose (B, 3, 3)."""
        upper = super().pose(raw)  # (B, 2, 3)
        tilt = limited(raw[:, 6:], self.tilt)  # (B, 2)
        last = torch.cat([tilt, torch.ones_like(tilt[:, :1])], dim=-1).unsqueeze(-2)  # (B, 1, 3)
        # [A t; 0 1] @ [I 0; tilt 1] = [A + t tilt, t; tilt, 1]
        lower = torch.cat([upper[..., :2] + upper[..., 2:] * last[..., :2], upper[..., 2:]], dim=-1)
        return torch.cat([lower, last], dim=-2)


class UnboundedAffine(Transform):
    """Any affine crop, as in the original paper and the common tutorials: theta = identity + raw.

    Raw is (shift, matrix row by row): d + d * d numbers (Jaderberg et al. 2015, equation 1). Nothing keeps such a
    crop from flipping, vanishing or leaving the frame; `crop_health` says when it does. theta is (B, d, d + 1).

    Args:
        dims: 1 for sequences, 2 for images, 3 for volumes.
    """

    def __init__(self, dims: int = 2) -> None:
        super().__init__(dims, dims + dims * dims)

    def pose(self, raw: Tensor) -> Tensor:
        """Raw (B, d + d * d) -> theta (B, d, d + 1)."""
        shift, matrix = raw[:, : self.dims], raw[:, self.dims :].reshape(-1, self.dims, self.dims)
        identity = torch.eye(self.dims, dtype=raw.dtype, device=raw.device)
        return torch.cat([identity + matrix, shift.unsqueeze(-1)], dim=-1)


def rotation(angle: Tensor) -> Tensor:
    """Rotation matrices, clockwise in the picture since y points down: (B,) -> (B, 2, 2)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], dim=-1).view(-1, 2, 2)


def limited(value: Tensor, limit: Tensor | float) -> Tensor:
    """Keep `value` inside +-limit, smoothly: nearly the identity well inside, and never a zero gradient.

    value / (1 + (value / limit)**8)**(1/8): off by 0.05 % at half the limit and by 2 % at four fifths of it, where
    tanh is off by 8 and 17 %. Computed from the smaller of ratio and 1 / ratio, which cannot overflow.
    """
    most = torch.as_tensor(limit, dtype=value.dtype, device=value.device)
    ratio = (value / most).abs()
    clamped = torch.maximum(torch.minimum(value, most), -most)
    return clamped / (1 + torch.minimum(ratio, 1 / ratio.clamp(min=1)).pow(8)).pow(1 / 8)
