"""Which crops benchmarks/crop_op.py takes of what, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cropworth.crops.transforms import rotation

FORWARD, THETA, BOTH = "forward", "forward + backward (theta)", "forward + backward (theta, image)"
PASSES = (FORWARD, THETA, BOTH)
LEAST_SIDE, MOST_SIDE, MARGIN, MOST_ANGLE = 0.3, 0.8, 0.03, math.pi / 6


@dataclass(frozen=True)
class Case:
    """What is cropped from what.

    Attributes:
        shape: of the input, (B, C, H, W) or (B, C, T).
        size: of a crop.
        pose: ``zoom`` (upright, each side 0.3 to 0.8 of the input's, anywhere inside it), ``turned`` (such a crop by up
            to 30 degrees) or ``whole`` (the whole input).
        crops: K, of each item.
    """

    shape: tuple[int, ...]
    size: tuple[int, ...]
    pose: str
    crops: int = 1

    def __str__(self) -> str:
        several = f"{self.crops} crops of " if self.crops > 1 else ""
        return f"{several}{' x '.join(map(str, self.shape))} -> {self.size[-1]}, {self.pose}"

    @property
    def dims(self) -> int:
        """1 of a sequence, 2 of an image."""
        return len(self.size)

    def images(self, seed: int = 0) -> Tensor:
        """Noise in [0, 1), of which no pixel is like its neighbour: the hardest that one can compare on."""
        return torch.rand(self.shape, generator=torch.Generator().manual_seed(seed))

    def theta(self, seed: int = 0) -> Tensor:
        """Where to crop: (B, d, d + 1), or (B, K, d, d + 1) of several."""
        count, generator = self.shape[0] * self.crops, torch.Generator().manual_seed(seed)
        if self.pose == "whole":
            matrix, shift = torch.eye(self.dims).expand(count, -1, -1), torch.zeros(count, self.dims)
        else:
            side, place, angle = (torch.rand(count, n, generator=generator) for n in (self.dims, self.dims, 1))
            side = LEAST_SIDE + (MOST_SIDE - LEAST_SIDE) * side
            shift = (2 * place - 1) * (1 - side - MARGIN)  # MARGIN keeps the pixels that are read off the edges
            matrix = torch.diag_embed(side)
            if self.pose == "turned":
                matrix = rotation((2 * angle[:, 0] - 1) * MOST_ANGLE) @ matrix
        theta = torch.cat([matrix, shift.unsqueeze(-1)], dim=-1)
        return theta if self.crops == 1 else theta.unflatten(0, (self.shape[0], self.crops))

    def moved(self, passed: str, antialiased: bool = False) -> int:
        """Bytes that a crop must move at least: pixels read, the crop written; what its gradients read and write.

        Not antialiased, at most two rows of the input are read for each of the crop's, but all of a row: what lies
        between two pixels comes with them in a line of the cache. Of a turned crop this is approximate.
        """
        theta = self.theta()
        span = theta[..., :-1].norm(dim=-2).reshape(-1, self.dims) * torch.tensor(self.shape[:1:-1])  # in pixels
        if not antialiased and self.dims == 2:
            span[:, 1] = span[:, 1].clamp(max=2 * self.size[0])
        read = int(self.shape[1] * span.prod(-1).sum())
        crop = self.shape[0] * self.crops * self.shape[1] * math.prod(self.size)
        gradient_of_images = math.prod(self.shape)
        return 4 * {
            FORWARD: read + crop,
            THETA: 2 * (read + crop),
            BOTH: 2 * (read + crop) + gradient_of_images,
        }[passed]  # fmt: skip


def flat(theta: Tensor) -> Tensor:
    """Poses of all crops (B * K, d, d + 1)."""
    return theta.reshape(-1, *theta.shape[-2:])


def pixel_matrices(case: Case, theta: Tensor) -> Tensor:
    """Poses (N, 2, 3) -> the same from pixels of the crop to pixels of the input, centres at whole numbers: float64."""
    sizes, count = theta.new_tensor(case.shape[:1:-1]).double(), theta.new_tensor(case.size[::-1]).double()
    matrix, shift = theta[..., :-1].double(), theta[..., -1].double()
    first = (matrix @ (1 / count - 1) + shift + 1) * sizes / 2 - 0.5  # where the crop's first pixel is
    return torch.cat([matrix * sizes[:, None] / count, first.unsqueeze(-1)], dim=-1)


def edges(case: Case, theta: Tensor) -> Tensor:
    """Upright poses (N, 2, 3) -> the crop's edges in pixels from the input's: (N, 4) as x0, y0, x1, y1, float64."""
    sizes = theta.new_tensor(case.shape[:1:-1]).double()
    half, middle = theta[..., :-1].diagonal(dim1=-2, dim2=-1).double(), theta[..., -1].double()
    return torch.cat([(middle - half + 1) * sizes / 2, (middle + half + 1) * sizes / 2], dim=-1)
