"""Where the names of points go, so that they cover neither points nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# Pixels by which labels are placed; those of a phone, since wider plots only give labels more room.
PLOT_WIDTH, PLOT_HEIGHT, LETTER_WIDTH, LINE_HEIGHT = 300, 330, 7.5, 18


def label_places(
    points: Sequence[tuple[float, float]], labels: Sequence[str], line: Sequence[tuple[float, float]] = ()
) -> list[str]:
    """A plotly text position for each point: labels cover neither points nor each other where it can be helped.

    Nor do they cover a line of upright and level pieces from corner to corner.
    """
    wide = max(x for x, _ in points) * 1.12 or 1.0
    lowest, highest = min(y for _, y in points), max(y for _, y in points)
    tall = (highest - lowest) or 1.0
    centres, corners = (
        [(x / wide * PLOT_WIDTH, (highest - y) / tall * PLOT_HEIGHT) for x, y in of] for of in (points, line)
    )
    taken = [_Box(x - 8, y - 8, x + 8, y + 8) for x, y in centres]
    taken += [_around(*pair) for pair in pairwise(corners)]
    places: list[str] = []
    for (x, y), label in zip(centres, labels, strict=True):
        choices = {place: _label_box(x, y, len(label) * LETTER_WIDTH, place) for place in _PLACES}
        best = min(
            choices,
            key=lambda place: sum(choices[place].shared(box) for box in taken) + choices[place].outside(),
        )
        taken.append(choices[best])
        places.append(best)
    return places


# Right and left first: error bars run above and below.
_PLACES = {
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top right": (1, -1),
    "bottom right": (1, 1),
    "top left": (-1, -1),
    "bottom left": (-1, 1),
    "top center": (0, -1),
    "bottom center": (0, 1),
}


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: _Box) -> float:
        """Area in both."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def outside(self) -> float:
        """Area beyond the plot's left and right ends, where the label would be cut."""
        return (max(0.0, -self.left) + max(0.0, self.right - PLOT_WIDTH)) * (self.bottom - self.top)


def _around(start: tuple[float, float], end: tuple[float, float]) -> _Box:
    (left, right), (top, bottom) = (sorted(ends) for ends in zip(start, end, strict=True))
    return _Box(left - 1, top - 1, right + 1, bottom + 1)


def _label_box(x: float, y: float, width: float, place: str) -> _Box:
    across, down = _PLACES[place]
    middle_x, middle_y = x + across * (width / 2 + 10), y + down * LINE_HEIGHT
    return _Box(middle_x - width / 2, middle_y - LINE_HEIGHT / 2, middle_x + width / 2, middle_y + LINE_HEIGHT / 2)
