"""Sampling in plain torch: the definition that every other kernel is held to."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cropworth.crops.geometry import kind_of, map_points, pixel_centres

# How much larger than the whole input a crop may be and still be antialiased without compromise, by dimensions: one
# that is warped in time may run several times faster in a part of it.
LARGEST_SCALE = {1: 6.0, 2: 1.5, 3: 1.5}


def sample(
    input: Tensor,  # noqa: A002
    poses: Tensor,
    size: tuple[int, ...],
    mode: str,
    padding: str,
    antialias: bool,
) -> Tensor:
    """Crops (B, K, C, *size) of input (B, C, ...) at poses (B, K, rows, columns), see `cropworth.crops.sampling`."""
    # In the wider of both types: places rounded to half precision would be off by whole pixels of a large image.
    wide = torch.promote_types(input.dtype, poses.dtype)
    seen, poses = input.to(wide), poses.to(wide)
    if antialias:
        crop = _antialiased(seen, poses, size, padding)
    else:
        crop = _read(seen, map_points(poses, _grid(size, poses)), size, mode, padding)
    return crop.to(input.dtype)


def _grid(size: tuple[int, ...], like: Tensor) -> Tensor:
    """Centres of the crop's pixels, the last dimension running fastest: (N, d) with x first."""
    axes = [pixel_centres(count, like) for count in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1).flatten(0, -2)


def _read(input: Tensor, points: Tensor, size: tuple[int, ...], mode: str, padding: str) -> Tensor:  # noqa: A002
    """Read the input (B, C, ...) at points (B, K, N, d), N the product of `size` -> (B, K, C, *size).

    The K crops stand above one another in a single grid, so that nothing is copied. A sequence is an image one pixel
    high.
    """
    batch, crops, _, dims = points.shape
    grid = points.reshape(batch, crops * size[0], *size[1:], dims)
    if dims == 1:
        grid = torch.stack([grid, torch.zeros_like(grid)], dim=-1).transpose(1, 2)  # (B, 1, K * t, 2)
        input = input.unsqueeze(2)  # noqa: A001
    read = F.grid_sample(input, grid.view_as(grid), mode=mode, padding_mode=padding, align_corners=False)
    return read.reshape(batch, input.shape[1], crops, *size).transpose(1, 2)


def _antialiased(input: Tensor, poses: Tensor, size: tuple[int, ...], padding: str) -> Tensor:  # noqa: A002
    """Bilinear sampling through a tent that covers what a pixel of the crop covers in the input.

    The tent runs along the crop's own axes, one pixel of the input from tap to tap. The taps are in step with the
    pixels: where an axis of the crop lies along one of the input, every tap falls on a pixel's centre and the result
    is the plain weighted mean of pixels, as in torch's antialiased resize. Elsewhere a tap is read bilinearly.
    """
    grid = _grid(size, poses)  # (N, d)
    pixels = poses.new_tensor(input.shape[:1:-1]).unsqueeze(-1) / 2  # pixels in a normalised unit, x first: (d, 1)
    # The N places run along the last dimension, since arithmetic over a last dimension of d is many times slower.
    centre = map_points(poses, grid).transpose(-1, -2)  # (B, K, d, N)
    points = centre.unsqueeze(-2)  # (B, K, d, taps, N), with more taps after each axis
    weights = torch.ones_like(points[:, :, 0])  # (B, K, taps, N)
    sites = grid[:1] if kind_of(poses) == "affine" else grid  # where the scale is taken: an affine pose has but one
    for axis, count in enumerate(size[::-1]):
        half = torch.zeros_like(grid[0])
        half[axis] = 1 / count
        across = map_points(poses, sites + half) - map_points(poses, sites - half)  # one pixel of the crop
        across = across.transpose(-1, -2) * pixels  # (B, K, d, N or 1), in pixels of the input
        length = across.norm(dim=-2, keepdim=True)
        direction = across / length.clamp(min=torch.finfo(length.dtype).tiny)
        most = max(1.0, LARGEST_SCALE[len(size)] * max(input.shape[2:]) / count)
        width = length.clamp(1.0, most)
        known = not torch.compiler.is_compiling() and len(width) > 0
        reach = math.ceil(width.max().item() if known else most)
        steps = torch.arange(1 - reach, reach + 1, dtype=poses.dtype, device=poses.device).unsqueeze(-1)
        # How far along the direction the centre is, in pixels from the first pixel's centre: (B, K, 1, N).
        phase = (((centre + 1) * pixels - 0.5) * direction).sum(-2, keepdim=True)
        places = steps - (phase - phase.detach().floor())  # (B, K, taps, N), in pixels from the centre
        heights = (1 - places.abs() / width).clamp(min=0)
        heights = heights / heights.sum(-2, keepdim=True)
        moves = places.unsqueeze(2) * (direction / pixels).unsqueeze(-2)  # (B, K, d, taps, N)
        points = (points.unsqueeze(-2) + moves.unsqueeze(-3)).flatten(-3, -2)
        weights = (weights.unsqueeze(-2) * heights.unsqueeze(-3)).flatten(-3, -2)
    taps = weights.shape[2]
    read = _read(input, points.permute(0, 1, 3, 4, 2).flatten(2, 3), (taps * size[0], *size[1:]), "bilinear", padding)
    read = read.reshape(*read.shape[:3], taps, *size)
    return (read * weights.reshape(*weights.shape[:2], 1, taps, *size)).sum(3)
