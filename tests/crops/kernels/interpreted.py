"""The Triton kernels on the CPU, in Triton's interpreter; `test_cuda` runs this file where TRITON_INTERPRET is set."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from triton.runtime import interpreter

from cropworth.crops.kernels import cuda, reference
from cropworth.crops.sampling import PADDINGS
from kernel_cases import LAYOUTS, STORED, Case, draw_case

original = interpreter._patch_lang_tensor


def patched(tensor: object, scope: object) -> None:
    """Triton 3.6 takes an array of one number for a number, which numpy 2.4 refuses (triton-lang/triton#9171)."""
    original(tensor, scope)
    scope.set_attr(tensor, "__index__", lambda self: self.handle.data.item())


@pytest.fixture(autouse=True, scope="module")
def new_numpy_and_poison() -> Iterator[None]:
    """What torch allocates is filled with NaN: an element that no kernel writes shows in every test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreter, "_patch_lang_tensor", patched)
        torch.use_deterministic_algorithms(True)
        assert torch.empty(3).isnan().all()
        yield
        torch.use_deterministic_algorithms(False)


SEEDS = st.integers(0, 10**6)
DTYPES = st.sampled_from(list(STORED))
SIDES = st.tuples(st.integers(1, 7), st.integers(1, 7))


@settings(max_examples=16)
@given(
    seed=SEEDS,
    batch=st.integers(1, 2),
    crops=st.integers(1, 3),
    channels=st.integers(1, 6),
    shape=SIDES,
    size=SIDES,
    turned=st.booleans(),
    padding=st.sampled_from(PADDINGS),
    dtype=DTYPES,
    layout=st.sampled_from(list(LAYOUTS)),
)
def test_bilinear_crops(**drawn: object) -> None:
    draw_case(**drawn).check(cuda)


@settings(max_examples=10)
@given(
    seed=SEEDS,
    crops=st.integers(1, 2),
    channels=st.integers(1, 6),
    shape=SIDES,
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.sampled_from(PADDINGS),
    dtype=DTYPES,
    layout=st.sampled_from(list(LAYOUTS)),
)
def test_upright_antialiased_crops(**drawn: object) -> None:
    draw_case(turned=False, antialias=True, **drawn).check(cuda)


@settings(max_examples=10)
@given(
    seed=SEEDS,
    crops=st.integers(1, 2),
    channels=st.integers(1, 5),
    shape=st.tuples(st.just(1), st.integers(1, 12)),
    size=st.tuples(st.just(1), st.integers(1, 5)),
    padding=st.sampled_from(PADDINGS),
    antialias=st.booleans(),
    dtype=DTYPES,
    layout=st.sampled_from(list(LAYOUTS)),
)
def test_crops_of_sequences(**drawn: object) -> None:
    draw_case(dims=1, **drawn).check(cuda)


@pytest.mark.parametrize(("seed", "padding"), list(enumerate(PADDINGS)))
def test_turned_antialiased_crops(seed: int, padding: str) -> None:
    draw_case(seed, crops=1, shape=(4, 5), size=(3, 2), padding=padding, antialias=True, dtype=torch.float64).check(
        cuda
    )


def test_blocks_and_shares_of_channels_meet() -> None:
    """More pixels and channels than a program takes."""
    draw_case(0, crops=1, channels=9, shape=(20, 30), size=(23, 25)).check(cuda)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of infinities; a GPU has no words for them
@pytest.mark.parametrize("padding", PADDINGS)
def test_a_theta_may_be_anything_finite(padding: str) -> None:
    ramp = torch.arange(12.0).view(1, 1, 3, 4)
    far = torch.tensor([[[[0.0, 0.0, 1e30], [0.0, 0.0, 1e30]]], [[[1e30, -1e30, 0.0], [0.0, 0.0, -1e30]]]])
    case = Case(ramp.expand(2, 1, 3, 4), far, torch.ones(2, 1, 1, 2, 2), padding, antialias=False)
    crop, to_input, to_theta = case.run(cuda)
    assert crop.isfinite().all()
    assert to_theta.isfinite().all()
    torch.testing.assert_close(to_input.sum().item(), 0.0 if padding == "zeros" else 8.0)
    if padding != "reflection":
        assert crop[0].eq(11 if padding == "border" else 0).all()
        assert to_theta[0].eq(0).all()


@pytest.mark.parametrize("antialias", [False, True])
def test_a_crop_without_area(antialias: bool) -> None:
    """Its window on the input has no inverse."""
    torch.manual_seed(0)
    flat = torch.tensor([[[[0.0, 0.0, 0.13], [0.0, 0.61, 0.07]], [[0.3, 0.2, 0.11], [0.6, 0.4, 0.05]]]])
    poses = flat[:, :1] if antialias else flat
    case = Case(torch.randn(1, 2, 5, 6), poses, torch.randn(1, poses.shape[1], 2, 3, 4), "zeros", antialias)
    for found, expected in zip(case.run(cuda)[:2], case.expected()[:2], strict=True):
        torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


def test_places_far_from_the_first_pixel_are_exact() -> None:
    """Where a float32 place would be off by 1e-3 pixels, and a crop of noise by as much."""
    torch.manual_seed(0)
    noise = torch.randn(1, 1, 20_000)
    pose = torch.tensor([[[[0.0003, 0.97123]]]])
    found = cuda.crop(noise, pose, (9,), "zeros", False)
    expected = reference.sample(noise.double(), pose.double(), (9,), "bilinear", "zeros", False)
    torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=0)


def test_crops_on_top_of_each_other_add_up() -> None:
    one = draw_case(3, crops=1)
    several = Case(one.input, one.poses.expand(1, 3, 2, 3), one.grad.expand(1, 3, 2, 3, 4), "zeros", antialias=False)
    torch.testing.assert_close(several.run(cuda)[1], 3 * one.run(cuda)[1])


@pytest.mark.parametrize(("batch", "crops"), [(0, 2), (2, 0)])
def test_nothing_to_do(batch: int, crops: int) -> None:
    case = Case(
        torch.rand(batch, 2, 5, 6), torch.rand(batch, crops, 2, 3), torch.rand(batch, crops, 2, 3, 4), "zeros", False
    )
    crop, to_input, to_theta = case.run(cuda)
    assert (crop.shape, to_theta.shape) == (case.grad.shape, case.poses.shape)
    torch.testing.assert_close(to_input, torch.zeros(batch, 2, 5, 6))
