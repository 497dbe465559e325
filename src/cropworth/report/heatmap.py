"""A variant's heatmap: where its crops fall, over all test items and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropworth.report.pictures import data_uri
from cropworth.report.places import PLACES, coverage, place
from cropworth.report.text import percent
from cropworth.study.record import Record

# One hue whose opacity is the share: light to dark on white paper, dark to light on black.
HUE = (42, 120, 205)
HARDLY = 0.05


@dataclass(frozen=True)
class Heatmap:
    """Where crops fall.

    Attributes:
        image: data URI, (nearly) transparent where no crop falls; empty for a series.
        area: data of an SVG path in a picture of 1 by 1, as high as the share at each time; empty for an image.
        height_over_width: of the picture.
        most: share of crops at the place that most of them cover, in words.
        words: what it shows, for those who do not see it.
    """

    image: str
    area: str
    height_over_width: float
    most: str
    words: str


def heatmap(records: Sequence[Record], height_over_width: float) -> Heatmap | None:
    """Of all test items' crops of these trials; None where they have none."""
    poses = [record.theta for record in records if record.theta is not None]
    if not poses:
        return None
    share = coverage(np.concatenate(poses), height_over_width)
    top = float(share.max())
    where = (np.argwhere(share == share.max()).mean(0) + 0.5) / share.shape  # the middle of all such places
    scaled = share / (top or 1)
    hardly = f"{percent(float((share < HARDLY).mean()), 0)} of the input is in fewer than {percent(HARDLY, 0)} of them."
    at = f"at {percent(where[0], 0)} of the length" if share.ndim == 1 else place(*where[::-1])
    words = f"The place that most crops cover, {at}, is in {percent(top, 0)} of them. {hardly}"
    if share.ndim == 1:
        return Heatmap("", _area(scaled), 0.25, percent(top, 0), words)
    return Heatmap(_image(scaled), "", height_over_width, percent(top, 0), words)


def _image(share: NDArray[np.float64]) -> str:
    hue = np.broadcast_to(np.array(HUE, dtype=np.uint8)[:, None, None], (3, *share.shape))
    opacity = (share * 255).round().astype(np.uint8)
    return data_uri(np.concatenate([hue, opacity[None]]), max(share.shape))


def _area(share: NDArray[np.float64]) -> str:
    tops = "".join(f"L{(i + 0.5) / PLACES:.3f} {1 - height:.3f}" for i, height in enumerate(share))
    return f"M0 1L0 {1 - share[0]:.3f}{tops}L1 {1 - share[-1]:.3f}L1 1Z"
