"""From the derivatives by the places of a crop's pixels to the gradient of its pose."""

from __future__ import annotations

from typing import Any

from cropworth.crops.kernels.cpu.memory import called
from cropworth.crops.kernels.cpu.taps import centre
from cropworth.crops.kernels.cpu.tasks import Call


@called
def clear(numbers: Any, first: int, last: int) -> None:
    """Set numbers first to before last to zero."""
    for i in range(first, last):
        numbers[i] = 0


@called
def add_moments(sums: Any, by_x: Any, by_y: Any, y: float, count: int) -> None:
    """Add one row of a crop, at `y`, to its four sums for each column: of by_x, y by_x, by_y, y by_y."""
    for j in range(count):
        sums[j] += by_x[j]
        sums[count + j] += y * by_x[j]
        sums[2 * count + j] += by_y[j]
        sums[3 * count + j] += y * by_y[j]


@called
def write_moments(gradient: Any, sums: Any, call: Call) -> None:
    """Write the gradient of [[a, b, c], [d, e, f]] that the sums of all rows make.

    Where x' = a x + b y + c is a place's coordinate, in half-widths of the input, its derivatives by a, b and c are x,
    y and 1.
    """
    count = call.crop_width
    for axis in range(2):
        half = 0.5 * (call.height if axis else call.width)
        plain, by_row = 2 * axis * count, (2 * axis + 1) * count
        for entry in range(3):
            gradient[3 * axis + entry] = 0.0
        for j in range(count):
            gradient[3 * axis] += half * centre(j, count) * sums[plain + j]
            gradient[3 * axis + 1] += half * sums[by_row + j]
            gradient[3 * axis + 2] += half * sums[plain + j]
