"""Antialiased crops of turned and sheared poses by the CPU's kernels, against the definition in plain torch."""

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from cropworth.crops.kernels import cpu, operators, reference
from cropworth.crops.sampling import PADDINGS

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
KINDS = ("any", "turned", "sheared", "mirrored", "shrunk", "enlarged", "outside", "nearly upright")


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def poisoned() -> Iterator[None]:
    """What torch allocates without a value is NaN."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def poses_of(kind: str, batch: int, count: int, seed: int) -> Tensor:
    """Poses (B, K, 2, 3) away from kinks: no tap lies on a pixel's middle, no tent is as wide as its bound."""
    poses = drawn(batch, count, 2, 3, seed=seed)
    angle = math.pi * drawn(batch, count, seed=seed + 1)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=-1).view(batch, count, 2, 2)
    size = 0.2 + 0.5 * drawn(batch, count, 1, 2, seed=seed + 2).abs()
    if kind in ("turned", "mirrored"):
        poses[..., :2] = turn * size
    if kind == "mirrored":
        poses[..., 0] *= -1
    if kind == "sheared":
        poses[..., 1, 0] = 0
    if kind == "nearly upright":
        poses[..., :2] = torch.diag_embed(size[..., 0, :]) + 1e-4 * poses[..., :2]
    poses[..., :2] *= {"shrunk": 4.0, "enlarged": 0.05}.get(kind, 1.0)
    poses[..., 2] *= 8.0 if kind == "outside" else 1.0
    return poses


def strided(images: Tensor, strides: str) -> Tensor:
    """The same numbers, otherwise in memory."""
    if strides == "channels last":
        return images.contiguous(memory_format=torch.channels_last)
    if strides == "every second":
        return images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)[:, :, ::2, ::2]
    return images


def by_kernels(images: Tensor, poses: Tensor, weight: Tensor, padding: str) -> tuple[Tensor, Tensor, Tensor]:
    size = (weight.shape[3], weight.shape[4])
    return (
        cpu.crop(images, poses, size, padding, True),
        cpu.to_input(weight, poses, images.shape, padding, True),
        cpu.to_theta(weight, images, poses, padding, True),
    )


def by_definition(images: Tensor, poses: Tensor, weight: Tensor, padding: str) -> tuple[Tensor, Tensor, Tensor]:
    """In float64."""
    images, poses = images.double().requires_grad_(), poses.double().requires_grad_()
    crop = reference.sample(images, poses, (weight.shape[3], weight.shape[4]), "bilinear", padding, True)
    to_input, to_theta = torch.autograd.grad((crop * weight.double()).sum(), (images, poses))
    return crop.detach(), to_input, to_theta


@given(
    batch=st.integers(1, 3),
    count=st.integers(1, 3),
    channels=st.integers(1, 4),
    shape=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    size=st.tuples(st.integers(1, 7), st.integers(1, 19)),
    kind=st.sampled_from(KINDS),
    padding=st.sampled_from(PADDINGS),
    strides=st.sampled_from(["plain", "channels last", "every second"]),
    dtype=st.sampled_from(list(TOLERANCE)),
    seed=st.integers(0, 1000),
)
def test_equal_the_definition_in_value_and_both_gradients(
    batch: int,
    count: int,
    channels: int,
    shape: tuple[int, int],
    size: tuple[int, int],
    kind: str,
    padding: str,
    strides: str,
    dtype: torch.dtype,
    seed: int,
) -> None:
    images = strided(drawn(batch, channels, *shape, seed=seed).to(dtype), strides)
    poses = poses_of(kind, batch, count, seed + 1).to(dtype)
    weight = drawn(batch, count, channels, *size, seed=seed + 4).to(dtype)
    for found, expected in zip(
        by_kernels(images, poses, weight, padding), by_definition(images, poses, weight, padding), strict=True
    ):
        assert found.dtype == dtype
        most = max(1.0, expected.abs().max().item())
        torch.testing.assert_close(found.double(), expected, atol=TOLERANCE[dtype] * most, rtol=0)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("scale", [0.3, 1.13])  # one axis enlarged; both shrunk
def test_gradcheck_of_the_operator(padding: str, scale: float) -> None:
    images = drawn(1, 2, 7, 6, seed=3).requires_grad_()
    poses = scale * torch.tensor([[[[0.737, -0.411, 0.133], [0.529, 0.619, -0.057]]]], dtype=torch.float64)
    assert gradcheck(lambda i, p: operators.crop(i, p, (3, 4), padding, True), (images, poses.requires_grad_()))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.usefixtures("poisoned")
def test_every_element_is_written(padding: str) -> None:
    images, weight = drawn(2, 3, 20, 30, seed=5), drawn(2, 2, 3, 9, 21, seed=6)
    for result in by_kernels(images, poses_of("outside", 2, 2, seed=7), weight, padding):
        assert result.isfinite().all()


@pytest.mark.usefixtures("threads")
def test_the_number_of_threads_changes_no_bit() -> None:
    images, weight = drawn(2, 3, 50, 70, seed=8).float(), drawn(2, 2, 3, 96, 97, seed=9).float()
    poses = poses_of("turned", 2, 2, seed=10).float()
    torch.set_num_threads(1)
    alone = by_kernels(images, poses, weight, "zeros")
    for count in (2, 3):
        torch.set_num_threads(count)
        for found, expected in zip(by_kernels(images, poses, weight, "zeros"), alone, strict=True):
            assert torch.equal(found, expected)


def test_halves_are_calculated_in_float32() -> None:
    images, poses = drawn(1, 2, 30, 40, seed=11).bfloat16(), poses_of("turned", 1, 2, seed=12).float()
    half, full = (cpu.crop(seen, poses, (5, 18), "border", True) for seen in (images, images.float()))
    assert torch.equal(half, full.bfloat16())


def test_a_gradient_that_is_expanded_is_read_as_it_is() -> None:
    images, poses = drawn(1, 2, 13, 14, seed=14), poses_of("turned", 1, 2, seed=15)
    ones = torch.ones(1, 1, 1, 1, 1, dtype=torch.float64).expand(1, 2, 2, 4, 20)
    found, expected = (by_kernels(images, poses, weight, "zeros") for weight in (ones, ones.contiguous()))
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_hair_from_upright_is_upright(padding: str) -> None:
    images = drawn(1, 2, 40, 33, seed=16)
    upright = torch.tensor([[[[0.81, 0.0, 0.13], [0.0, -0.67, -0.27]]]], dtype=torch.float64)
    hair = 1e-11 * torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    turned, expected = (cpu.crop(images, poses, (6, 7), padding, True) for poses in (upright + hair, upright))
    torch.testing.assert_close(turned, expected, atol=1e-8, rtol=0)


def test_a_crop_without_extent_has_a_value_and_a_finite_gradient() -> None:
    images, weight = drawn(1, 2, 9, 8, seed=17), drawn(1, 1, 2, 3, 4, seed=18)
    poses = torch.tensor([[[[0.0, 0.51, 0.13], [0.0, 0.37, 0.21]]]], dtype=torch.float64)  # a line
    crop, _, to_theta = by_kernels(images, poses, weight, "zeros")
    torch.testing.assert_close(crop, by_definition(images, poses, weight, "zeros")[0])
    assert to_theta.isfinite().all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e308])
@pytest.mark.parametrize("padding", PADDINGS)
def test_a_pose_beyond_numbers_disturbs_no_other(bad: float, padding: str) -> None:
    """In a compiled graph the kernels see poses that are not finite: they must read some pixel of the input."""
    images, weight = drawn(2, 2, 9, 8, seed=19), drawn(2, 1, 2, 3, 4, seed=20)
    poses = poses_of("turned", 2, 1, seed=21)
    poses[0, 0] = torch.tensor([[bad, -bad, 0.1], [0.2, bad, bad]])
    for found, expected in zip(
        by_kernels(images, poses, weight, padding),
        by_kernels(images[1:], poses[1:], weight[1:], padding),
        strict=True,
    ):
        assert torch.equal(found[1:], expected)
