"""Series as small pictures, so that a report can show them and where they were cropped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

HEIGHT, WIDTH = 64, 160
PAPER = 255
# Blue, vermilion and green that are told apart without red or green too (Okabe and Ito 2008), darkened for thin lines.
INKS = ((0, 90, 160), (190, 75, 0), (0, 120, 90))


def curves(series: Tensor, lengths: Tensor | None) -> NDArray[np.uint8]:
    """Draw each item's own steps from edge to edge, every feature between its lowest and highest value.

    Args:
        series: (N, T, F).
        lengths: (N,); None where all steps are the items' own.

    Returns:
        (N, 3, HEIGHT, WIDTH), uint8: at most three features, more curves could not be told apart.
    """
    items, steps, features = series.shape
    shown = min(features, len(INKS))
    pictures = np.full((items, HEIGHT, WIDTH, 3), PAPER, dtype=np.uint8)
    values = series[..., :shown].double().numpy()
    for item in range(items):
        own = values[item, : steps if lengths is None else int(lengths[item])]
        for feature in range(shown):
            pictures[item][_line(own[:, feature])] = INKS[feature]
    return pictures.transpose(0, 3, 1, 2)


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
