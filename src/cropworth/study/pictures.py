"""Series as small pictures, so that a report can show them and where they were cropped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

HEIGHT, WIDTH = 64, 160
PAPER, INK = 255, 40
# One colour channel each: more curves could not be told apart.
MOST_FEATURES = 3


def curves(series: Tensor, lengths: Tensor | None) -> NDArray[np.uint8]:
    """Draw each item's own steps from edge to edge, every feature between its lowest and highest value.

    Args:
        series: (N, T, F).
        lengths: (N,); None where all steps are the items' own.

    Returns:
        (N, 1 or 3, HEIGHT, WIDTH), uint8: the first feature in dark grey; or the first three, of which each leaves one
        colour out where it runs.
    """
    items, steps, features = series.shape
    shown = min(features, MOST_FEATURES)
    pictures = np.full((items, 3 if shown > 1 else 1, HEIGHT, WIDTH), PAPER, dtype=np.uint8)
    values = series[..., :shown].double().numpy()
    for item in range(items):
        own = values[item, : steps if lengths is None else int(lengths[item])]
        for feature in range(shown):
            pictures[item, feature][_line(own[:, feature])] = INK
    return pictures


def _line(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the line through `values` runs in a picture, every column connected with the one before."""
    places = np.linspace(0, len(values) - 1, WIDTH)
    height = np.interp(places, np.arange(len(values)), values)
    low, high = values.min(), values.max()
    row = (high - height) / max(high - low, np.finfo(np.float64).tiny) * (HEIGHT - 3) + 1
    before = np.concatenate([row[:1], row[:-1]])
    rows = np.arange(HEIGHT)[:, None]
    drawn: NDArray[np.bool_] = (rows >= np.minimum(row, before) - 0.7) & (rows <= np.maximum(row, before) + 0.7)
    return drawn
