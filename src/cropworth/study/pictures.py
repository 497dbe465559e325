"""Images and series as small pictures, so that one can see them and where they were cropped."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropworth.crops.spatial import shrink

LARGEST = 128
HEIGHT, WIDTH = 64, 160
PAPER = 255
# Blue, vermilion and green that are told apart without red or green too (Okabe and Ito 2008), darkened for thin lines.
INKS = ((0, 90, 160), (190, 75, 0), (0, 120, 90))
FEATURES = len(INKS)  # more curves could not be told apart


def shrunk(images: Tensor) -> NDArray[np.uint8]:
    """Images (N, C, H, W) in [0, 1] as bytes, their longer side at most `LARGEST`: they are only looked at."""
    height, width = images.shape[-2:]
    scale = min(1.0, LARGEST / max(height, width))
    small = shrink(images, (max(1, round(height * scale)), max(1, round(width * scale))))
    pixels: NDArray[np.uint8] = (small * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return pixels


def curves(series: Tensor, lengths: Tensor | None) -> NDArray[np.uint8]:
    """Draw each item's own steps from edge to edge, every feature between its lowest and highest value.

    Args:
        series: (N, T, F).
        lengths: (N,); None where all steps are the items' own.

    Returns:
        (N, 3, HEIGHT, WIDTH), uint8: at most `FEATURES` features.
    """
    items, steps, features = series.shape
    shown = min(features, FEATURES)
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
