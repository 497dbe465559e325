"""The distorted digits of Jaderberg et al. 2015, table 1 and appendix, made with cropworth's own `sample` and poses.

A pose maps a point of the distorted picture to a point of the source, so each is the inverse of what happens to the
source, but for the spline: there a control point of the picture shows what the source has at the shifted one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cropworth.crops.geometry import compose, corners, invert
from cropworth.crops.sampling import sample
from cropworth.crops.splines import ThinPlateSpline
from cropworth.crops.transforms import rotation

SOURCE, TRANSLATED, CLUTTERED = 28, 42, 60  # sides in pixels
PIXEL = 2 / SOURCE  # in normalised coordinates of the source
CONTROL = 4  # control points along each side
PATCHES, PATCH = 6, 6  # pieces of clutter, and their side in pixels
MARGIN = 4  # around the ink of MNIST's digits, in pixels

CORNERS = corners(torch.eye(2, 3))  # (4, 2), in drawing order


@dataclass(frozen=True)
class Distortion:
    """One column of the table.

    Attributes:
        side: of the distorted picture in pixels.
        draw: sources (B, 1, 28, 28) and a generator -> distorted pictures (B, 1, side, side).
    """

    side: int
    draw: Callable[[Tensor, torch.Generator], Tensor]


def leave(images: Tensor, rng: torch.Generator) -> Tensor:
    """The source as it is, centred and upright: a crop has nothing to find."""
    return images


def rotate(images: Tensor, rng: torch.Generator) -> Tensor:
    """R: turned by up to 90 degrees either way."""
    count = len(images)
    turn = uniform(count, -math.pi / 2, math.pi / 2, rng)
    return sample(images, placed(turn, torch.ones(count), torch.zeros(count, 2)), (SOURCE, SOURCE))


def rotate_translate_scale(images: Tensor, rng: torch.Generator) -> Tensor:
    """RTS: turned by up to 45 degrees, scaled, and moved to where the scaled source, were it upright, fits."""
    count = len(images)
    turn = uniform(count, -math.pi / 4, math.pi / 4, rng)
    share = uniform(count, 0.7, 1.2, rng) * SOURCE / TRANSLATED
    shift = uniform(2 * count, -1, 1, rng).view(count, 2) * (1 - share).unsqueeze(-1)
    return sample(images, placed(turn, share, shift), (TRANSLATED, TRANSLATED))


def project(images: Tensor, rng: torch.Generator) -> Tensor:
    """P: scaled, and each corner shifted along x and y by a Gaussian of 5 pixels."""
    return sample(images, homography(quadrilaterals(len(images), rng)), (SOURCE, SOURCE))


def bend(images: Tensor, rng: torch.Generator) -> Tensor:
    """E: scaled, and each of 4 x 4 control points shifted along x and y by a Gaussian of 1.5 pixels."""
    count = len(images)
    zoom = placed(torch.zeros(count), uniform(count, 0.75, 1, rng), torch.zeros(count, 2))
    shifts = 1.5 * PIXEL * torch.randn(count, CONTROL * CONTROL, 2, generator=rng)
    return sample(images, compose(zoom, spline(shifts)), (SOURCE, SOURCE))


def clutter(images: Tensor, rng: torch.Generator) -> Tensor:
    """C: anywhere on the canvas, among six patches cut out of the inked middle of other sources of the batch."""
    count = len(images)
    canvases = torch.zeros(count, CLUTTERED, CLUTTERED)
    for _ in range(PATCHES):
        # A single source has to give its own patches.
        others = (torch.arange(count) + torch.randint(1, max(count, 2), (count,), generator=rng)) % count
        _, y, x = windows(count, PATCH, SOURCE, MARGIN, rng)
        lay(canvases, images[others.view(-1, 1, 1), 0, y, x], rng)
    lay(canvases, images.squeeze(1), rng)
    return canvases.unsqueeze(1)


DISTORTIONS = {
    "plain": Distortion(SOURCE, leave),
    "R": Distortion(SOURCE, rotate),
    "RTS": Distortion(TRANSLATED, rotate_translate_scale),
    "P": Distortion(SOURCE, project),
    "E": Distortion(SOURCE, bend),
    "C": Distortion(CLUTTERED, clutter),
}


def placed(turn: Tensor, share: Tensor, shift: Tensor) -> Tensor:
    """The pose (B, 2, 3) of a canvas that shows its source turned, scaled and moved.

    Args:
        turn: (B,) in radians, clockwise.
        share: (B,) of the source's side in the canvas's.
        shift: (B, 2) of the source's middle, in normalised coordinates of the canvas.
    """
    return invert(torch.cat([rotation(turn) * share.view(-1, 1, 1), shift.unsqueeze(-1)], dim=-1))


def homography(quads: Tensor) -> Tensor:
    """The pose (B, 3, 3) of a picture that shows its source's corners, in drawing order, at `quads` (B, 4, 2).

    Solved from the source to the picture, where the last of the nine numbers cannot be zero, and inverted.
    """
    (x, y), (u, v) = CORNERS.expand_as(quads).unbind(-1), quads.unbind(-1)  # (B, 4) each
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    # u = (a x + b y + c) / (g x + h y + 1) and v = (d x + e y + f) / (g x + h y + 1)
    across = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], dim=-1)
    down = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], dim=-1)
    numbers = torch.linalg.solve(torch.cat([across, down], dim=1), torch.cat([u, v], dim=1))  # (B, 8)
    return invert(torch.cat([numbers, one[:, :1]], dim=-1).view(-1, 3, 3))


def quadrilaterals(count: int, rng: torch.Generator) -> Tensor:
    """Where P puts the source's corners: (B, 4, 2). One that is not convex, as no camera sees it, is drawn anew."""
    quads = torch.zeros(count, 4, 2)
    while (folded := ~convex(quads)).any():
        again = int(folded.sum())
        scale = uniform(again, 0.75, 1, rng).view(-1, 1, 1)
        quads[folded] = scale * CORNERS + 5 * PIXEL * torch.randn(again, 4, 2, generator=rng)
    return quads


def convex(quads: Tensor) -> Tensor:
    """Whether each quadrilateral (B, 4, 2) turns the same way, clockwise, at all its corners: (B,)."""
    edges = quads.roll(-1, 1) - quads
    after = edges.roll(-1, 1)
    return (edges[..., 0] * after[..., 1] > edges[..., 1] * after[..., 0]).all(1)


def spline(shifts: Tensor) -> Tensor:
    """The pose (B, 2, 3 + 16) that maps each control point to itself plus its shift (B, 16, 2)."""
    bent = shifts.transpose(-1, -2) @ ThinPlateSpline(CONTROL).solve
    return torch.cat([bent[..., :3] + torch.eye(2, 3), bent[..., 3:]], dim=-1)


def lay(canvases: Tensor, patches: Tensor, rng: torch.Generator) -> None:
    """Lay patches (B, p, p) anywhere on canvases (B, S, S), in place, the brighter pixel winning."""
    there = windows(len(canvases), patches.shape[-1], canvases.shape[-1], 0, rng)
    canvases[there] = torch.maximum(canvases[there], patches)


def windows(count: int, side: int, canvas: int, margin: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Indices (item, y, x) of squares anywhere within the canvas but for its margin; they broadcast to (B, p, p)."""
    y, x = torch.randint(margin, canvas - margin - side + 1, (2, count, 1, 1), generator=rng)
    reach = torch.arange(side)
    return torch.arange(count).view(-1, 1, 1), y + reach.view(-1, 1), x + reach


def uniform(count: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """Random numbers (count,) between low and high."""
    return low + (high - low) * torch.rand(count, generator=rng)
