"""Raw parameters -> pose: what kinds of crop may be learned.

Each transform is a module with `parameters_needed` raw numbers. Raw zero is the starting pose, so that a localizer
whose last layer starts at zero starts there.
The first d raw numbers shift the crop's centre, in normalised coordinates, whatever the transform.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cropworth.errors import CropworthError


class Transform(nn.Module):
    """Base: raw parameters (B, parameters_needed) -> theta (B, d, d + 1).

    Args:
        dims: 2 for images, 1 for sequences.
    """

    parameters_needed: int

    def __init__(self, dims: int = 2) -> None:
        super().__init__()
        if dims not in (1, 2):
            raise CropworthError(f"dims = {dims}", "1 (sequences) or 2 (images)", "Choose one of them.")
        self.dims = dims

    def forward(self, raw: Tensor) -> Tensor:
        """Raw (B, parameters_needed) -> theta (B, d, d + 1).

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


class Zoom(Transform):
    """An upright crop with a free centre and one scale: theta = [s I | c] (Jaderberg et al. 2015, equation 2).

    Raw is (shift, log-scale): d + 1 numbers. The scale stays between `smallest` and `largest` (a sigmoid in the
    logarithm of the scale, so the gradient never dies at a bound), hence a crop can neither flip nor vanish.
    The centre stays inside +-1.2 (`limited`): part of the crop stays in the frame.

    Args:
        start: the starting box (cx, cy, w, h) with equal w and h, or (centre, length); fractions of the input.
        smallest: least scale, as a fraction of the input.
        largest: largest scale.
        dims: 2 for images, 1 for sequences.

    Raises:
        CropworthError: the start is not a square box between the bounds.
    """

    centre: Tensor

    def __init__(
        self,
        start: Sequence[float] | None = None,
        smallest: float = 0.1,
        largest: float = 1.5,
        dims: int = 2,
    ) -> None:
        super().__init__(dims)
        self.parameters_needed = dims + 1
        start = tuple(start) if start is not None else (0.5,) * dims + (1.0,) * dims
        scale = start[-1] if len(start) == 2 * dims else math.nan
        if not (smallest < scale < largest) or any(size != scale for size in start[dims:]):
            raise CropworthError(
                f"start = {start}",
                f"{2 * dims} numbers, the size square and between {smallest} and {largest}",
                "Choose a starting box inside the bounds.",
            )
        self.low, self.span = math.log(smallest), math.log(largest / smallest)
        share = (math.log(scale) - self.low) / self.span
        self.bias = math.log(share / (1 - share))
        self.register_buffer("centre", 2 * torch.tensor(start[:dims]) - 1)
        # Slope of log(scale) at the start, divided out so that raw is a change of log-scale near the start.
        self.gain = self.span * share * (1 - share)

    def pose(self, raw: Tensor) -> Tensor:
        """Raw (B, d + 1) -> theta (B, d, d + 1)."""
        shift, stretch = raw[:, :-1], raw[:, -1]
        scale = torch.exp(self.low + self.span * torch.sigmoid(self.bias + stretch / self.gain))  # (B,)
        matrix = torch.diag_embed(scale.unsqueeze(-1).expand(-1, self.dims))  # (B, d, d)
        centre = limited(self.centre + shift, 1.2)
        return torch.cat([matrix, centre.unsqueeze(-1)], dim=-1)


class Affine(Transform):
    """Any affine crop, unbounded, as in the original paper and the common tutorials: theta = start + raw.

    Raw is (shift, matrix row by row): d + d * d numbers (Jaderberg et al. 2015, equation 1). Nothing keeps such a
    crop from flipping, vanishing or leaving the frame; `crop_health` says when it does.

    Args:
        dims: 2 for images, 1 for sequences.
    """

    def __init__(self, dims: int = 2) -> None:
        super().__init__(dims)
        self.parameters_needed = dims + dims * dims

    def pose(self, raw: Tensor) -> Tensor:
        """Raw (B, d + d * d) -> theta (B, d, d + 1)."""
        shift, matrix = raw[:, : self.dims], raw[:, self.dims :].reshape(-1, self.dims, self.dims)
        identity = torch.eye(self.dims, dtype=raw.dtype, device=raw.device)
        return torch.cat([identity + matrix, shift.unsqueeze(-1)], dim=-1)


def limited(value: Tensor, limit: float) -> Tensor:
    """Keep `value` inside +-limit, smoothly: nearly the identity well inside, and never a zero gradient.

    value / (1 + (value / limit)**4)**(1/4): off by less than 2 % below half the limit, where tanh is off by 8 %.
    """
    return value / (1 + (value / limit).pow(4)).pow(0.25)
