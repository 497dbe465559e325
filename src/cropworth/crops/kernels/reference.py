"""Sampling in plain torch: the definition that every other kernel is held to."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def sample(input: Tensor, theta: Tensor, size: tuple[int, ...], padding: str) -> Tensor:  # noqa: A002
    """Bilinear sampling, see `cropworth.crops.sampling.sample`.

    A sequence is an image one pixel high: its pose is lifted to two dimensions, so that 1-D and 2-D share a path.
    """
    if theta.shape[-2] == 1:
        return sample(input.unsqueeze(2), _lift(theta), (1, *size), padding).squeeze(2)
    if input.shape[0] == 0:  # which affine_grid refuses
        return input.new_zeros(0, input.shape[1], *size)
    grid = F.affine_grid(theta, [input.shape[0], 1, *size], align_corners=False)  # (B, h, w, 2)
    # In the wider of both types: places rounded to half precision would be off by whole pixels of a large image.
    wide = torch.promote_types(input.dtype, grid.dtype)
    crop = F.grid_sample(input.to(wide), grid.to(wide), padding_mode=padding, align_corners=False)
    return crop.to(input.dtype)


def _lift(theta: Tensor) -> Tensor:
    """(B, 1, 2) -> (B, 2, 3): the same map in x, the identity in y."""
    scale, shift = theta.unbind(-1)  # (B, 1) each
    zero, one = torch.zeros_like(scale), torch.ones_like(scale)
    return torch.stack([torch.cat([scale, zero, shift], 1), torch.cat([zero, one, zero], 1)], dim=1)
