"""`sample`: the one door to every sampler and kernel."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cropworth.crops import geometry
from cropworth.crops.kernels import reference
from cropworth.errors import CropworthError

PADDINGS = ("zeros", "border", "reflection")


def sample(input: Tensor, theta: Tensor, size: Sequence[int], *, padding: str = "zeros") -> Tensor:  # noqa: A002
    """Resample `input` on the grid that `theta` spans (Jaderberg et al. 2015, section 3.3), bilinearly.

    Differentiable in `input` and `theta`. The coordinates are computed in theta's type; under autocast a
    float32 theta keeps a half-precision input's crop in its place.

    Args:
        input: (B, C, H, W) images or (B, C, T) sequences.
        theta: (B, 2, 3) or (B, 1, 2), output to input, see `geometry`.
        size: the crop's size in pixels, (h, w) or (t,).
        padding: what lies outside the input: ``zeros``, ``border`` or ``reflection``.

    Returns:
        (B, C, h, w) or (B, C, t), of the input's type.

    Raises:
        CropworthError: the shapes do not belong together, or the padding is unknown.
    """
    dims = geometry.dimensions(theta)
    if theta.ndim != 3 or input.ndim != dims + 2 or theta.shape[0] != input.shape[0]:
        raise CropworthError(
            f"input {tuple(input.shape)} and theta {tuple(theta.shape)}",
            "(B, C, H, W) with (B, 2, 3), or (B, C, T) with (B, 1, 2), of one batch size",
            "Give one theta for each item.",
        )
    if len(size) != dims or min(size) < 1:
        raise CropworthError(
            f"size = {tuple(size)}", f"{dims} sizes of at least 1 pixel", "Give the crop's size in pixels."
        )
    if padding not in PADDINGS:
        raise CropworthError(f"padding = {padding!r}", f"one of {PADDINGS}", "Choose one of them.")
    return reference.sample(input, theta, tuple(size), padding)
