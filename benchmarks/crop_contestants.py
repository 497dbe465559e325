"""One crop as each library takes it: what benchmarks/crop_op.py measures, and what it is compared with.

All of them get the same images and the same places, each in its own terms (a theta, boxes, matrices), which are worked
out beforehand. OpenCV and Pillow get the images in their own layout, also beforehand: OpenCV (H, W, C) in float32,
Pillow one image a channel in its mode F, and both loop over the images, as one does with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from crop_cases import BOTH, FORWARD, PASSES, Case, edges, flat, pixel_matrices
from crop_summary import COMPILED, OURS, OURS_SMOOTH, TORCH, TORCH_REPEATED
from PIL import Image
from torch import Tensor
from torchvision.ops import roi_align

from cropworth.crops.geometry import pixel_centres
from cropworth.crops.kernels import reference
from cropworth.crops.sampling import sample

COMPARED = 8  # crops of a case


@dataclass(frozen=True)
class Ready:
    """A crop with all that it needs, in its library's terms.

    Attributes:
        crop: (images, places) -> the crop.
        images: of which it is taken.
        places: where; what a gradient is taken to.
        theta: the same as a pose (B * K, d, d + 1), of which the crop is compared with the definition.
        as_tensor: its result -> (B * K, C, *size).
        learns_places: whether the places get a gradient.
    """

    crop: Callable[[Any, Any], Any]
    images: Any
    places: Any
    theta: Tensor
    as_tensor: Callable[[Any], Tensor] = lambda found: found
    learns_places: bool = True


@dataclass(frozen=True)
class Contestant:
    """One library's way.

    Attributes:
        name: for readers.
        ready: a case, its images and its theta -> what to call; None where it cannot do the case.
        passes: what it can do; the pass `BOTH` of a crop without a gradient to the place is that to the image alone.
        antialiased: whether it averages where it shrinks.
        tolerance: largest mean difference from the definition, of pixels in [0, 1).
        note: in what it differs.
        inside: pixels at the crop's edges that are not compared.
    """

    name: str
    ready: Callable[[Case, Tensor, Tensor], Ready | None]
    passes: tuple[str, ...] = PASSES
    antialiased: bool = False
    tolerance: float = 1e-4
    note: str = ""
    inside: int = 0

    def difference(self, case: Case, ready: Ready) -> tuple[float, float]:
        """The largest and the mean difference of the first crops from the definition in float64."""
        items = math.ceil(COMPARED / case.crops)
        with torch.no_grad():
            found = ready.as_tensor(ready.crop(ready.images, ready.places))
        found = found.reshape(-1, case.shape[1], *case.size)[: items * case.crops].double().cpu()
        images, poses = case.images()[:items].double(), ready.theta.double().cpu().unflatten(0, (-1, case.crops))
        expected = reference.sample(images, poses[:items], case.size, "bilinear", "zeros", self.antialiased)
        inner: tuple[Any, ...] = (..., *[slice(self.inside, n - self.inside) for n in case.size])
        off = (found - expected.flatten(0, 1))[inner].abs()
        return off.max().item(), off.mean().item()


# cropworth and torch


def ours(antialiased: bool) -> Callable[[Case, Tensor, Tensor], Ready | None]:
    """`sample`; a turned crop only without antialiasing, which is not what the kernels are for."""

    def ready(case: Case, images: Tensor, theta: Tensor) -> Ready | None:
        if antialiased and case.pose == "turned":
            return None

        def crop(images: Tensor, theta: Tensor) -> Tensor:
            return sample(images, theta, case.size, antialias=antialiased)

        return Ready(crop, images, theta, flat(theta))

    return ready


def eager(case: Case, images: Tensor, theta: Tensor) -> Ready:
    """`affine_grid` and `grid_sample`; K crops of an image stand above one another in one grid.

    They come out as (B, K, C, h, w) in memory, as a network wants them.
    """
    if case.dims == 1:
        return eager_sequence(case, images, theta)

    def crop(images: Tensor, theta: Tensor) -> Tensor:
        count = case.shape[0] * case.crops
        grid = F.affine_grid(flat(theta), [count, case.shape[1], *case.size], align_corners=False)
        grid = grid.reshape(case.shape[0], case.crops * case.size[0], case.size[1], 2)
        found = F.grid_sample(images, grid, align_corners=False)
        if case.crops == 1:
            return found
        return found.reshape(*found.shape[:2], case.crops, *case.size).transpose(1, 2).contiguous()

    return Ready(crop, images, theta, flat(theta))


def eager_sequence(case: Case, images: Tensor, theta: Tensor) -> Ready:
    """A sequence is an image of one row; its grid is written out, since `affine_grid` of one row does not compile."""
    centres = pixel_centres(case.size[0], theta)

    def crop(images: Tensor, theta: Tensor) -> Tensor:
        along = theta[..., 0] * centres + theta[..., 1]  # (B, t)
        grid = torch.stack([along, torch.zeros_like(along)], dim=-1).unsqueeze(1)
        return F.grid_sample(images.unsqueeze(2), grid, align_corners=False).squeeze(2)

    return Ready(crop, images, theta, theta)


def eager_repeated(case: Case, images: Tensor, theta: Tensor) -> Ready | None:
    """The same, with each image copied for each of its crops."""
    if case.crops == 1:
        return None

    def crop(images: Tensor, theta: Tensor) -> Tensor:
        repeated = images.repeat_interleave(case.crops, 0)
        grid = F.affine_grid(theta.flatten(0, 1), [len(repeated), case.shape[1], *case.size], align_corners=False)
        return F.grid_sample(repeated, grid, align_corners=False)

    return Ready(crop, images, theta, flat(theta))


def compiled(case: Case, images: Tensor, theta: Tensor) -> Ready:
    """`eager`, compiled for these very shapes; the call before the first that is timed compiles it."""
    torch.compiler.reset()  # else the compiler takes another case for the same function with other shapes
    found = eager(case, images, theta)
    return replace(found, crop=torch.compile(found.crop, fullgraph=True, dynamic=False))


# Others that know gradients


def kornia_crop_and_resize(case: Case, images: Tensor, theta: Tensor) -> Ready | None:
    """Its boxes are given by the centres of the crop's first and last pixels, which `align_corners=True` means."""
    if case.dims == 1:
        return None
    from kornia.geometry.transform import crop_and_resize

    h, w = case.size
    corners = theta.new_tensor([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]]).double()
    pixels = pixel_matrices(case, flat(theta))
    boxes = corners @ pixels[..., :2].transpose(1, 2) + pixels[:, None, :, 2]  # (N, 4, 2)

    def crop(images: Tensor, boxes: Tensor) -> Tensor:
        found: Tensor = crop_and_resize(images.repeat_interleave(case.crops, 0), boxes, (h, w), align_corners=True)
        return found

    return Ready(crop, images, boxes.float(), flat(theta))


def kornia_warp_affine(case: Case, images: Tensor, theta: Tensor) -> Ready | None:
    """Its matrices lead from the input to the crop, in pixels."""
    if case.dims == 1:
        return None
    from kornia.geometry.transform import warp_affine

    last = theta.new_tensor([[[0, 0, 1]]]).double().expand(flat(theta).shape[0], 1, 3)
    there = torch.linalg.inv(torch.cat([pixel_matrices(case, flat(theta)), last], 1))[:, :2]

    def crop(images: Tensor, matrices: Tensor) -> Tensor:
        found: Tensor = warp_affine(images.repeat_interleave(case.crops, 0), matrices, case.size, align_corners=True)
        return found

    return Ready(crop, images, there.float(), flat(theta))


def torchvision_roi_align(sampling_ratio: int) -> Callable[[Case, Tensor, Tensor], Ready | None]:
    """One reading a pixel, or (-1) as many as the crop shrinks; it has no gradient to the boxes."""

    def ready(case: Case, images: Tensor, theta: Tensor) -> Ready | None:
        if case.dims == 1 or case.pose == "turned":
            return None
        boxes = edges(case, flat(theta)).float()
        item = torch.arange(len(boxes), device=boxes.device)[:, None] // case.crops

        def crop(images: Tensor, rois: Tensor) -> Tensor:
            found: Tensor = roi_align(images, rois, case.size, sampling_ratio=sampling_ratio, aligned=True)
            return found

        return Ready(crop, images, torch.cat([item, boxes], 1), flat(theta), learns_places=False)

    return ready


# Without gradients


def hwc(images: Tensor) -> list[np.ndarray]:
    """Images (B, C, H, W) as OpenCV has them."""
    return [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in images]


def from_hwc(case: Case) -> Callable[[list[np.ndarray]], Tensor]:
    """And back: (N, C, h, w)."""
    return lambda found: torch.from_numpy(np.stack(found)).view(-1, *case.size, case.shape[1]).permute(0, 3, 1, 2)


def opencv_warp(case: Case, images: Tensor, theta: Tensor) -> Ready | None:
    """`warpAffine` from crop to input."""
    if case.dims == 1:
        return None
    import cv2

    flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, case.size[::-1]

    def crop(images: list[np.ndarray], matrices: list[np.ndarray]) -> list[np.ndarray]:
        return [cv2.warpAffine(images[n // case.crops], m, size, flags=flags) for n, m in enumerate(matrices)]

    return Ready(crop, hwc(images), list(pixel_matrices(case, flat(theta)).numpy()), flat(theta), from_hwc(case))


def opencv_resize(case: Case, images: Tensor, theta: Tensor) -> Ready | None:
    """`resize` of a slice, whose edges are whole pixels."""
    if case.dims == 1 or case.pose == "turned":
        return None
    import cv2

    size, boxes = case.size[::-1], edges(case, flat(theta)).round().int()

    def crop(images: list[np.ndarray], slices: list[tuple[int, slice, slice]]) -> list[np.ndarray]:
        return [
            cv2.resize(images[n][rows, columns], size, interpolation=cv2.INTER_LINEAR) for n, rows, columns in slices
        ]

    slices = [(n // case.crops, slice(y0, y1), slice(x0, x1)) for n, (x0, y0, x1, y1) in enumerate(boxes.tolist())]
    low, high = boxes.double().chunk(2, dim=1)
    sizes = torch.tensor(case.shape[:1:-1])
    sliced = torch.cat([torch.diag_embed((high - low) / sizes), ((high + low) / sizes - 1).unsqueeze(-1)], dim=-1)
    return Ready(crop, hwc(images), slices, sliced, from_hwc(case))


def pillow_resize(case: Case, images: Tensor, theta: Tensor) -> Ready | None:
    """`resize` with a box, which averages where it shrinks."""
    if case.dims == 1 or case.pose == "turned":
        return None
    (height, width), channels = case.size, case.shape[1]
    planes = [[Image.fromarray(plane.numpy()) for plane in image] for image in images]  # float32 is mode F

    def crop(images: list[list[Image.Image]], boxes: list[Any]) -> list[Image.Image]:
        linear = Image.Resampling.BILINEAR
        return [
            plane.resize((width, height), linear, box)
            for n, box in enumerate(boxes)
            for plane in images[n // case.crops]
        ]

    def as_tensor(found: list[Image.Image]) -> Tensor:
        return torch.from_numpy(np.stack([np.asarray(plane) for plane in found])).view(-1, channels, *case.size)

    return Ready(crop, planes, [tuple(box) for box in edges(case, flat(theta)).tolist()], flat(theta), as_tensor)


def contestants(device: str = "cpu") -> list[Contestant]:
    """All that are installed, and on a GPU those that run there."""
    found = [
        Contestant(OURS, ours(False)),
        Contestant(OURS_SMOOTH, ours(True), antialiased=True),
        Contestant(TORCH, eager),
        Contestant(TORCH_REPEATED, eager_repeated),
        Contestant(COMPILED, compiled),
        Contestant("torchvision roi_align", torchvision_roi_align(1), (FORWARD, BOTH), note="no gradient to the box"),
        Contestant(
            "torchvision roi_align, adaptive", torchvision_roi_align(-1), (FORWARD, BOTH), True, tolerance=0.05,
            note="another antialiasing, plain means of whole numbers of readings; no gradient to the box",
        ),
    ]  # fmt: skip
    if find_spec("kornia"):
        found += [
            Contestant("kornia crop_and_resize", kornia_crop_and_resize, tolerance=3e-4, note="places less exact"),
            Contestant("kornia warp_affine", kornia_warp_affine, tolerance=3e-4, note="places less exact"),
        ]
    if device == "cpu":
        found.append(
            Contestant(
                "Pillow resize", pillow_resize, (FORWARD,), True, inside=1,
                note="one thread; at the input's edges a mean of what is inside; compared but for the outermost pixels",
            )
        )  # fmt: skip
    if device == "cpu" and find_spec("cv2"):
        found += [
            Contestant(
                "OpenCV warpAffine", opencv_warp, (FORWARD,), tolerance=0.01,
                note="with more than four channels, places rounded to 1/32 of a pixel",
            ),
            Contestant(
                "OpenCV resize", opencv_resize, (FORWARD,), tolerance=1e-4, inside=2,
                note="its box rounded to whole pixels, beyond which it does not see; compared at that box, but for the "
                "two outermost pixels",
            ),
        ]  # fmt: skip
    return found
