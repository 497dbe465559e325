"""Is this crop alive? Shares of crops that show nothing, have shrunk to nothing, are at a bound or have left."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from cropworth.crops.geometry import box_iou, corners, dimensions, theta_to_boxes
from cropworth.crops.transforms import Transform
from cropworth.errors import CropworthError

# A crop whose values span less than this, of an input in [0, 1], shows one even grey.
EVEN = 0.02
# Nearer to a bound than this, a crop hardly moves any more.
AT_BOUND = 0.98
# Crops whose corners scatter less than this, in sides of a crop, show the same place of every input.
STILL = 0.05


@dataclass(frozen=True)
class CropHealth:
    """Measures of a batch of crops.

    Attributes:
        blank: share of crops whose pixels are (nearly) all alike, although the input's are not where that is known.
        tiny: share of crops that cover less than 0.1 % of the input's area (or length, or volume).
        outside: share of crops whose box overlaps the frame by less than a quarter of its own area.
        saturated: share of crops within 2 % of a bound of their transform; 0 where the transform is not given.
        flipped: share of crops that show the input mirrored.
        still: True if all crops are (nearly) in the same place, whatever the input: their corners scatter by less than
            a twentieth of a crop's side (standard deviation).
        identity: True if that place is the whole input, as at the start of many trainings.
    """

    blank: float
    tiny: float
    outside: float
    saturated: float
    flipped: float
    still: bool
    identity: bool

    @property
    def problem(self) -> str:
        """What makes the crop useless, in words; empty for a crop that is alive.

        A crop that stands still may be useful (a fixed crop is), and so may one at a bound: neither is a problem.
        """
        return next((f"{share:.0%} of the crops {what}" for share, what, _ in self._dead()), "")

    @property
    def recommendation(self) -> str:
        """What to try, in words; empty for a crop that needs nothing."""
        for _, _, advice in self._dead():
            return advice
        if self.identity:
            return (
                "The crop never left the whole input: start smaller, raise the localizer's learning rate, "
                "or use a HeatmapLocalizer."
            )
        if self.still:
            return (
                "The crop is the same for every input: a fixed crop would cost less, or the localizer did not learn; "
                "try a HeatmapLocalizer."
            )
        if self.saturated > 0.5:
            return (
                "Most crops are at a bound of the transform: widen `smallest`, `largest` or `inside`, "
                "or change the crop's size."
            )
        if self.flipped > 0.5:
            return "Most crops are mirrored: use a bounded transform, which cannot flip."
        return ""

    def _dead(self) -> list[tuple[float, str, str]]:
        """What is wrong with most of the crops, causes first, since a crop that left shows nothing either."""
        bounded = "Use a bounded transform, "
        known = [
            (self.tiny, "have shrunk to nothing", bounded + "or raise its `smallest`; scale_prior holds the scale."),
            (self.outside, "lie outside the frame", bounded + "raise its `inside`, or add out_of_frame to the loss."),
            (
                self.blank,
                "are blank",
                "The localizer looks where nothing is: lower its learning rate, or train with auxiliary_crops.",
            ),
        ]
        return [entry for entry in known if entry[0] > 0.5]

    def as_dict(self) -> dict[str, float]:
        """The measures by name, for a record."""
        return {name: float(value) for name, value in asdict(self).items()}


def blank(crops: Tensor, inputs: Tensor | None = None) -> Tensor:
    """Which crops (B, C, ...), of inputs (B, C, ...) in [0, 1], show one even grey although the inputs do not: (B,)."""
    even = _span(crops) < EVEN
    return even if inputs is None else even & (_span(inputs) >= EVEN)


def crop_health(poses: Tensor, crops: Tensor, transform: Transform | None = None) -> CropHealth:
    """Measure the crops of many inputs.

    Args:
        poses: (B, rows, columns), or (B, K, rows, columns) of K crops each.
        crops: what they show, (B, C, ...) or (B, K, C, ...) in [0, 1]; or, where they were too many to keep, which of
            them were `blank`, (B,) or (B, K), bool.
        transform: the poses' own, to tell which of them are at its bounds.

    Raises:
        CropworthError: the numbers of poses and crops differ or are 0, or a pose is not finite.
    """
    dims, leading = dimensions(poses), poses.shape[:-2]
    if crops.shape[: len(leading)] != leading or poses.numel() == 0:
        raise CropworthError(
            f"poses {tuple(poses.shape)} and crops {tuple(crops.shape)}",
            "as many of both, at least one",
            "Give the poses of these crops.",
        )
    poses, crops = poses.detach().flatten(0, -3), crops.detach().flatten(0, len(leading) - 1)
    if not bool(poses.isfinite().all()):
        raise CropworthError(f"poses {tuple(poses.shape)} that are not finite", "finite numbers", "Look at the loss.")
    boxes, places = theta_to_boxes(poses), corners(poses)
    area = poses[:, :dims, :dims].det()  # of a crop over the input's, negative where it is mirrored
    side = 2 * boxes[:, dims:].mean()
    still = len(poses) > 1 and bool(places.std(0).max() < STILL * side)
    whole = bool((boxes - boxes.new_tensor([0.5] * dims + [1.0] * dims)).abs().max() < 0.01)
    return CropHealth(
        blank=_share(crops if crops.dtype == torch.bool else blank(crops)),
        tiny=_share(area.abs() < 1e-3),
        outside=_share(_inside_share(boxes) < 0.25),
        saturated=0.0 if transform is None else _share(transform.saturation(poses) > AT_BOUND),
        flipped=_share(area < 0),
        still=still,
        identity=still and whole,
    )


def localisation_iou(poses: Tensor, boxes: Tensor) -> Tensor:
    """Overlap of the boxes around crops (B, rows, columns) with true boxes (B, 2 d) -> (B,)."""
    return box_iou(theta_to_boxes(poses), boxes)


def centre_error(poses: Tensor, boxes: Tensor) -> Tensor:
    """Distance from crops' centres to those of true boxes, as a fraction of the input: (B, ...), (B, 2 d) -> (B,)."""
    (found, _), (true, _) = theta_to_boxes(poses).chunk(2, dim=-1), boxes.chunk(2, dim=-1)
    return (found - true).square().sum(-1).sqrt()


def _span(values: Tensor) -> Tensor:
    flat = values.flatten(1)
    return flat.amax(1) - flat.amin(1)


def _inside_share(boxes: Tensor) -> Tensor:
    """Share of each box inside the frame: (B, 2 d) -> (B,)."""
    centre, size = boxes.chunk(2, dim=-1)
    inside = (centre + size / 2).clamp(max=1) - (centre - size / 2).clamp(min=0)
    return (inside.clamp(min=0) / size.clamp(min=1e-12)).prod(-1)


def _share(condition: Tensor) -> float:
    return condition.float().mean().item()
