"""Where crops lie, of poses alone: their corners, places in words, and the share of crops that covers each place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cropworth.report.text import percent

# Cells of a heatmap's longer side, places along a series, and the crops that are drawn at once.
CELLS, PLACES, AT_ONCE = 32, 100, 1024


def corners(theta: NDArray[np.float32]) -> NDArray[np.float64]:
    """Where crops' corners lie, as fractions of the whole.

    Args:
        theta: (..., 2, 3) maps points of the crop to points of the picture; -1 and 1 are the picture's edges. Of a
            series, whose picture runs from left to right, (..., 1, 2), or (..., 1, 2 + k) where it is warped around k
            knots.

    Returns:
        (..., 4, 2): x, y, clockwise from the crop's upper left corner.
    """
    square = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], dtype=np.float64)  # x, y, 1
    pose = theta.astype(np.float64)
    if pose.shape[-2] == 2:
        return (square @ pose.swapaxes(-1, -2) + 1) / 2
    knots = np.linspace(-1, 1, pose.shape[-1])[1:-1]
    basis = np.column_stack([square[:, [0, 2]], np.abs(square[:, :1] - knots)])  # time, 1, |time - knot|
    across = basis @ pose.swapaxes(-1, -2)
    return (np.concatenate([across, np.broadcast_to(square[:, 1:2], across.shape)], axis=-1) + 1) / 2


def in_words(theta: NDArray[np.float32]) -> str:
    """Where one crop lies: in the upper left, 45 % as wide and 40 % as high; from 20 % to 60 %."""
    low, high = corners(theta).min(0), corners(theta).max(0)
    if len(theta) == 1:
        return f"from {percent(low[0], 0)} to {percent(high[0], 0)}"
    wide, tall = high - low
    return f"{place(*((low + high) / 2))}, {percent(wide, 0)} as wide and {percent(tall, 0)} as high"


def place(x: float, y: float) -> str:
    """Where a point of the picture lies, in words."""
    if not (0 <= x <= 1 and 0 <= y <= 1):
        return "outside the frame"
    across, down = ("left", "", "right")[int(min(x * 3, 2))], ("upper", "", "lower")[int(min(y * 3, 2))]
    if across and down:
        return f"in the {down} {across}"
    return (
        f"on the {across}" if across else {"upper": "at the top", "lower": "at the bottom"}.get(down, "in the middle")
    )


def coverage(theta: NDArray[np.float32], height_over_width: float = 1.0) -> NDArray[np.float64]:
    """Share of crops that cover each place.

    Args:
        theta: (n, 2, 3), or of series (n, 1, 2 + k), see `corners`.
        height_over_width: of the picture, so that its cells are about square.

    Returns:
        (h, w) of the middles of a picture's cells, or (PLACES,) of a series' places, each in [0, 1].
    """
    if theta.shape[1] == 1:
        ends, middles = corners(theta)[..., 0], _middles(PLACES)
        inside = (ends.min(1)[:, None] <= (middles + 1) / 2) & ((middles + 1) / 2 <= ends.max(1)[:, None])
        return np.asarray(inside.mean(0))
    tall = max(1, round(CELLS * min(1.0, height_over_width)))
    wide = max(1, round(CELLS / max(1.0, height_over_width)))
    count = sum(_covered(theta[start : start + AT_ONCE], tall, wide) for start in range(0, len(theta), AT_ONCE))
    return np.asarray(count, dtype=np.float64) / len(theta)


def _covered(theta: NDArray[np.float32], tall: int, wide: int) -> NDArray[np.int64]:
    """How many crops cover each cell's middle: (n, 2, 3) -> (tall, wide).

    A point p lies in the crop if inverse(A) (p - t) lies in [-1, 1]; multiplied by A's determinant, nothing is divided
    by the 0 of a crop without an area, which then covers nothing.
    """
    (a, b, s), (c, d, t) = theta.transpose(1, 2, 0)[..., None]  # (n, 1) each
    x, y = _middles(wide), _middles(tall)
    area = np.abs(a * d - b * c)[..., None]
    inside = np.abs((d * (x - s))[:, None] - (b * (y - t))[..., None]) <= area  # (n, tall, wide)
    inside &= np.abs((a * (y - t))[..., None] - (c * (x - s))[:, None]) <= area
    inside &= area > 0
    covered: NDArray[np.int64] = inside.sum(0)
    return covered


def _middles(cells: int) -> NDArray[np.float32]:
    return np.linspace(1 / cells - 1, 1 - 1 / cells, cells, dtype=np.float32)
