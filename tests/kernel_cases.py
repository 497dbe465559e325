"""Calls of kernels, and how far their answers are from the definition's, in float64."""

import math
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from cropworth.crops.geometry import map_points, pixel_centres
from cropworth.crops.kernels import reference

# Of values and gradients, against the largest: the sums' rounding, or that of the type they are stored in.
SUMS = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 1e-5, torch.bfloat16: 1e-5}
STORED = SUMS | {torch.float16: 1e-3, torch.bfloat16: 8e-3}


@dataclass(frozen=True)
class Case:
    input: Tensor
    poses: Tensor
    grad: Tensor
    padding: str
    antialias: bool

    @property
    def size(self) -> tuple[int, ...]:
        return tuple(self.grad.shape[3:])

    def run(self, kernels: ModuleType) -> tuple[Tensor, Tensor, Tensor]:
        """The crop, and the gradients to the input and to the poses."""
        return (
            kernels.crop(self.input, self.poses, self.size, self.padding, self.antialias),
            kernels.to_input(self.grad, self.poses, tuple(self.input.shape), self.padding, self.antialias),
            kernels.to_theta(self.grad, self.input, self.poses, self.padding, self.antialias),
        )

    def expected(self) -> tuple[Tensor, Tensor, Tensor]:
        leaves = [t.double().detach().clone().requires_grad_() for t in (self.input, self.poses)]
        crop = reference.sample(*leaves, self.size, "bilinear", self.padding, self.antialias)
        to_input, to_theta = torch.autograd.grad(crop, leaves, self.grad.double())
        return crop.detach(), to_input, to_theta

    def check(self, kernels: ModuleType) -> None:
        wanted = [self.input.dtype, self.grad.dtype, self.poses.dtype]
        for found, expected, dtype in zip(self.run(kernels), self.expected(), wanted, strict=True):
            assert found.shape == expected.shape
            assert found.dtype == dtype
            # The gradient to theta is a sum that no rounding of the input's type enters.
            allowed = max((SUMS if dtype == self.poses.dtype else STORED)[self.input.dtype], STORED[dtype])
            if found.shape == self.poses.shape and self.antialias:
                found, expected = (t.masked_fill(self._kinked(), 0) for t in (found, expected))
            # What is drawn is about 1; where all of a gradient cancels, all that is left is rounding.
            assert (found.double() - expected).abs().max() <= allowed * expected.abs().max().clamp(min=0.01)

    def _kinked(self) -> Tensor:
        """The entries of an upright antialiased crop's theta where the definition has a kink: they turn and shear."""
        matrix = self.poses[..., :-1]
        aside = ~torch.eye(matrix.shape[-1], dtype=torch.bool, device=matrix.device)
        upright = (matrix * aside == 0).all((-2, -1), keepdim=True)
        return torch.cat([upright & aside, torch.zeros_like(self.poses[..., -1:], dtype=torch.bool)], -1)


def draw_case(
    seed: int,
    *,
    dims: int = 2,
    batch: int = 1,
    crops: int = 2,
    channels: int = 2,
    shape: tuple[int, int] = (5, 6),
    size: tuple[int, int] = (3, 4),
    turned: bool = True,
    padding: str = "zeros",
    antialias: bool = False,
    dtype: torch.dtype = torch.float32,
    layout: str = "contiguous",
) -> Case:
    """A case at random, no tap of which is within 1e-4 pixels of a kink."""
    generator = torch.Generator().manual_seed(seed)
    sides, size = shape[2 - dims :], size[2 - dims :]
    poses = torch.stack([_pose(generator, dims, turned, antialias, sides, size) for _ in range(batch * crops)])
    inputs = torch.randn(batch, channels, *sides, generator=generator, dtype=torch.float64).to(dtype)
    grad = torch.randn(batch, crops, channels, *size, generator=generator, dtype=torch.float64).to(dtype)
    inputs, grad = LAYOUTS[layout](inputs), LAYOUTS[layout](grad)
    kept = torch.float64 if dtype == torch.float64 else torch.float32
    return Case(inputs, poses.view(batch, crops, dims, dims + 1).to(kept), grad, padding, antialias)


# Every kind of stride: as allocated, the last size first, every second pixel, one for all.
LAYOUTS = {
    "contiguous": lambda t: t,
    "last": lambda t: t.movedim(-1, 0).contiguous().movedim(0, -1),
    "stepped": lambda t: t.repeat_interleave(2, -1)[..., ::2],
    "expanded": lambda t: t[:1, :1].expand(t.shape),
}


def _pose(
    generator: torch.Generator, dims: int, turned: bool, antialias: bool, sides: tuple[int, ...], size: tuple[int, ...]
) -> Tensor:
    while True:
        pose = torch.randn(dims, dims + 1, generator=generator) * 0.7
        if not turned:
            pose[:, :-1] *= torch.eye(dims)
        if _kinkless(pose.double(), antialias, sides, size):
            return pose


def _kinkless(pose: Tensor, antialias: bool, sides: tuple[int, ...], size: tuple[int, ...]) -> bool:
    centres = torch.cartesian_prod(*[pixel_centres(n, pose) for n in size]).view(-1, len(size)).flip(-1)
    half = torch.tensor(sides[::-1], dtype=pose.dtype) / 2
    places = (map_points(pose, centres) + 1) * half - 0.5  # (N, d)
    kinks = [places]
    if antialias:
        steps = pose[:, :-1] * half.unsqueeze(-1) * 2 / torch.tensor(size[::-1])  # columns: pixels in one of the crop
        most = [max(1.0, reference.LARGEST_SCALE[len(size)] * max(sides) / n) for n in size[::-1]]
        lengths = steps.norm(dim=0)
        if min(abs(x - k) for x, m in zip(lengths.tolist(), most, strict=True) for k in (0, 1, m)) < 1e-3:
            return False
        widths = lengths.clamp(min=1).minimum(torch.tensor(most))
        phases = places @ (steps / lengths)
        kinks += [phases, phases - widths, phases + widths]
        if (pose[:, :-1] * (1 - torch.eye(len(size)))).any():
            taps = [torch.arange(1 - math.ceil(w), math.ceil(w) + 1) - (p - p.floor()).unsqueeze(-1)
                    for w, p in zip(widths.tolist(), phases.unbind(-1), strict=True)]  # fmt: skip
            x, y = ((t.unsqueeze(-1) * s) for t, s in zip(taps, (steps / lengths).unbind(-1), strict=True))
            kinks.append(places[:, None, None] + x.unsqueeze(1) + y.unsqueeze(2))
    return all(bool(((k - k.round()).abs() > 1e-4).all()) for k in kinks)
