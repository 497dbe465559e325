"""What is looked at, as HTML holds it: pixels -> data URIs, series -> curves, poses -> outlines, words -> excerpts."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropworth.report.places import corners

EXACT = 64  # pictures up to this side are kept to the pixel, where they need not shrink
QUALITY = 80  # of the others
# Units of a curve's path in a picture of 1 by 1: whole numbers take half the room of fractions.
ACROSS, DOWN = 400, 100
# Letters of a text around what is marked, and of that itself.
AROUND, MARKED = 160, 700


def outline(theta: NDArray[np.float32]) -> str:
    """Where a crop lies on its picture.

    Args:
        theta: maps points of the crop to points of the picture, see `corners`.

    Returns:
        The points of an SVG polygon, clockwise from the crop's upper left corner, in a picture of 1 by 1.
    """
    return " ".join(f"{x:.3f},{y:.3f}" for x, y in corners(theta))


def data_uri(pixels: NDArray[np.uint8], side: int) -> str:
    """A picture (C, H, W), grey, RGB or with opacity, its longer side at most `side` pixels.

    Small pictures are PNG, to the pixel. Large ones are JPEG: a fifth of the bytes, and written ten times as fast as
    WebP, which would save a third of those.
    """
    picture = Image.fromarray(pixels.transpose(1, 2, 0) if len(pixels) in (3, 4) else pixels[0])
    kind = "png" if max(picture.size) <= min(side, EXACT) else "jpeg"
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, kind, optimize=True, quality=QUALITY)
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode("ascii")


def curves(series: NDArray[np.float32], points: int, whole: NDArray[np.float32]) -> tuple[str, ...]:
    """The data of an SVG path for each feature, in a picture of `ACROSS` by `DOWN`.

    Args:
        series: (T, F), each step in the middle of its T-th of the width.
        points: of each path at most; of more steps the lowest and highest of neighbours are kept.
        whole: (T', F), whose lowest and highest value are the picture's edges.
    """
    low, high = whole.min(0), whole.max(0)
    share = (high - series) / np.maximum(high - low, np.finfo(np.float32).tiny)  # from the top
    return tuple(_path(share[:, feature], points) for feature in range(series.shape[1]))


def dashes(steps: int) -> str:
    """The data of an SVG path with a dash for each step of a text, in a picture of `ACROSS` by `DOWN`."""
    edges = np.linspace(0, ACROSS, min(steps, ACROSS // 4) + 1)
    return "".join(f"M{start:.0f} {DOWN // 2}h{end - start - 1:.0f}" for start, end in pairwise(edges))


@dataclass(frozen=True)
class Excerpt:
    """A text with a span of it marked.

    Attributes:
        before: the end of what stands before it.
        marked: the span; empty where it holds no word.
        after: the beginning of what stands after it.
    """

    before: str
    marked: str
    after: str


def excerpt(words: Sequence[str], theta: NDArray[np.float32]) -> Excerpt:
    """The words whose middle lies in the span, and some around them.

    Args:
        words: of a text, one for each step.
        theta: of a crop of it, see `corners`.
    """
    ends = corners(theta)[:, 0]
    middles = (np.arange(len(words)) + 0.5) / len(words)
    first, last = np.searchsorted(middles, [ends.min(), ends.max()])
    before, marked, after = (_joined(part) for part in (words[:first], words[first:last], words[last:]))
    if len(before) > AROUND:
        before = "… " + before[-AROUND:].partition(" ")[2]
    if len(marked) > MARKED:
        marked = f"{marked[: MARKED // 2].rpartition(' ')[0]} … {marked[-MARKED // 2 :].partition(' ')[2]}"
    if len(after) > AROUND:
        after = after[:AROUND].rpartition(" ")[0] + " …"
    return Excerpt(before, marked, after)


def _joined(words: Sequence[str]) -> str:
    return re.sub(r" ([,.;:!?%)\]])", r"\1", " ".join(word for word in words if word))


def _path(share: NDArray[np.float32], points: int) -> str:
    places = (np.arange(len(share)) + 0.5) / len(share)
    if len(share) > points:
        kept = np.sort(
            [i for part in np.array_split(np.arange(len(share)), points // 2) for i in _extremes(share, part)]
        )
        places, share = places[kept], share[kept]
    x, y = (places * ACROSS).round().astype(int), (share * DOWN).round().astype(int)
    steps = "".join(f"l{across} {down}" for across, down in zip(np.diff(x), np.diff(y), strict=True))
    return f"M{x[0]} {y[0]}{steps}".replace(" -", "-")


def _extremes(share: NDArray[np.float32], part: NDArray[np.int64]) -> set[int]:
    return {int(part[share[part].argmin()]), int(part[share[part].argmax()])}
