import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck
from torchvision.ops import box_convert, roi_align
from torchvision.transforms import v2

from cropworth.crops.geometry import boxes_to_theta, map_points
from cropworth.crops.sampling import PADDINGS, blur, sample
from cropworth.crops.splines import ThinPlateSpline
from cropworth.crops.transforms import Projective, Zoom
from cropworth.errors import CropworthError

# Upright, turned and straddling the frame; away from pixel centres, where bilinear sampling has a kink.
POSES = torch.tensor(
    [
        [[0.513, 0.0, 0.171], [0.0, 0.471, -0.093]],
        [[0.437, -0.211, 0.133], [0.229, 0.419, 0.257]],
        [[0.917, 0.0, 0.713], [0.0, 1.131, -0.617]],
    ],
    dtype=torch.float64,
)


def by_hand(image: Tensor, theta: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear sampling of one image (C, H, W) with zeros outside, pixel by pixel, from the definition."""
    channels, height, width = image.shape
    crop = torch.zeros(channels, *size, dtype=image.dtype)
    for row in range(size[0]):
        for column in range(size[1]):
            point = torch.tensor([(2 * column + 1) / size[1] - 1, (2 * row + 1) / size[0] - 1, 1.0], dtype=image.dtype)
            x, y = theta @ point
            u, v = ((x + 1) * width - 1) / 2, ((y + 1) * height - 1) / 2
            for i in range(height):
                for j in range(width):
                    weight = max(0.0, 1 - abs(u - j)) * max(0.0, 1 - abs(v - i))
                    crop[:, row, column] += weight * image[:, i, j]
    return crop


@pytest.mark.parametrize("pose", range(len(POSES)))
def test_equals_the_definition(pose: int) -> None:
    image = torch.rand(2, 5, 7, dtype=torch.float64)
    crop = sample(image[None], POSES[pose, None], (4, 3))
    torch.testing.assert_close(crop[0], by_hand(image, POSES[pose], (4, 3)))


@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 3),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    padding=st.sampled_from(PADDINGS),
    seed=st.integers(0, 1000),
)
def test_equals_torch_in_value_and_both_gradients(
    batch: int, channels: int, shape: tuple[int, int], size: tuple[int, int], padding: str, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(batch, channels, *shape, generator=generator, requires_grad=True)
    theta = torch.randn(batch, 2, 3, generator=generator, requires_grad=True)
    grid = F.affine_grid(theta, [batch, channels, *size], align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode=padding, align_corners=False)
    weight = torch.rand(expected.shape, generator=generator)
    found = sample(images, theta, size, padding=padding)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    gradients = [torch.autograd.grad((crop * weight).sum(), (images, theta)) for crop in (found, expected)]
    for ours, torchs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, torchs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("pose", range(len(POSES)))
def test_gradcheck_to_image_and_theta(pose: int, padding: str) -> None:
    images = torch.rand(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    theta = POSES[pose, None].clone().requires_grad_()
    assert gradcheck(lambda i, t: sample(i, t, (3, 4), padding=padding), (images, theta))


def test_gradcheck_to_a_box() -> None:
    images = torch.rand(1, 1, 6, 6, dtype=torch.float64)
    box = torch.tensor([[0.43, 0.61, 0.37, 0.53]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda b: sample(images, boxes_to_theta(b), (3, 3)), box)


def test_a_crop_of_whole_pixels_is_a_slice() -> None:
    images = torch.rand(2, 3, 8, 10)
    box = torch.tensor([[0.4, 0.5, 0.4, 0.5]]).expand(2, -1)  # columns 2 to 6, rows 2 to 6
    torch.testing.assert_close(sample(images, boxes_to_theta(box), (4, 4)), images[:, :, 2:6, 2:6])


def test_a_shrunk_frame_equals_torchvisions_plain_bilinear_resize() -> None:
    images = torch.rand(1, 1, 8, 8)
    resized = v2.functional.resize(images, [5, 5], antialias=False)
    torch.testing.assert_close(sample(images, torch.eye(2, 3)[None], (5, 5)), resized)


def test_a_sequence_is_sampled_like_numpys_interpolation() -> None:
    steps = torch.rand(1, 1, 9, dtype=torch.float64)
    theta = torch.tensor([[[0.31, 0.17]]], dtype=torch.float64)
    centres = (2 * torch.arange(6, dtype=torch.float64) + 1) / 6 - 1
    at = (theta[0, 0, 0] * centres + theta[0, 0, 1] + 1) * 9 / 2 - 0.5
    expected = np.interp(at.numpy(), np.arange(9), steps[0, 0].numpy())
    np.testing.assert_allclose(sample(steps, theta, (6,))[0, 0].numpy(), expected)
    assert gradcheck(lambda t: sample(steps, t, (4,)), theta.clone().requires_grad_())


def test_half_precision_images_keep_float32_places() -> None:
    images = torch.rand(1, 1, 64, 64)
    theta = POSES[:1].float()
    half = sample(images.bfloat16(), theta, (16, 16))
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), sample(images, theta, (16, 16)), atol=0.01, rtol=0)


def test_an_empty_batch_and_a_strided_one() -> None:
    assert sample(torch.zeros(0, 3, 8, 8), torch.zeros(0, 2, 3), (4, 4)).shape == (0, 3, 4, 4)
    images, theta = torch.rand(1, 8, 6, 3).permute(0, 3, 1, 2), POSES[:1].float()
    torch.testing.assert_close(sample(images, theta, (4, 4)), sample(images.contiguous(), theta, (4, 4)))


def curved(kind: str) -> Tensor:
    """Poses of one kind that straddle the frame: (2, rows, columns), float64."""
    transform = {"projective": Projective, "spline": ThinPlateSpline}[kind]().double()
    generator = torch.Generator().manual_seed(1)
    return transform(0.6 * torch.randn(2, transform.parameters_needed, dtype=torch.float64, generator=generator))


@pytest.mark.parametrize("kind", ["projective", "spline"])
@pytest.mark.parametrize("antialias", [False, True])
def test_gradcheck_to_image_and_curved_pose(kind: str, antialias: bool) -> None:
    images = torch.rand(2, 1, 6, 5, dtype=torch.float64, requires_grad=True)
    pose = curved(kind).requires_grad_()
    assert gradcheck(lambda i, p: sample(i, p, (3, 3), antialias=antialias), (images, pose))


@pytest.mark.parametrize("kind", ["projective", "spline"])
def test_a_curved_crop_reads_what_its_point_map_says(kind: str) -> None:
    """On an input that is linear in x and y, bilinear sampling is exact: the crop is the mapped coordinates."""
    centres = (2 * torch.arange(40, dtype=torch.float64) + 1) / 40 - 1
    images = torch.stack(torch.meshgrid(centres, centres, indexing="xy"))[None].expand(2, -1, -1, -1)
    pose = 0.5 * curved(kind)  # well inside; of a homography, all coordinates alike
    pose = curved(kind) if kind == "projective" else pose
    rows, columns = torch.meshgrid(*[(2 * torch.arange(5, dtype=torch.float64) + 1) / 5 - 1] * 2, indexing="ij")
    points = map_points(pose, torch.stack([columns, rows], dim=-1).flatten(0, 1))
    crop = sample(images, pose, (5, 5), padding="border")
    torch.testing.assert_close(crop.flatten(2).transpose(1, 2), points.clamp(centres[0], centres[-1]))


@pytest.mark.parametrize("mode", ["bicubic", "nearest"])
@given(seed=st.integers(0, 1000), padding=st.sampled_from(PADDINGS))
def test_other_modes_equal_torchs(mode: str, seed: int, padding: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(2, 3, 7, 9, dtype=torch.float64, generator=generator)
    theta = torch.randn(2, 2, 3, dtype=torch.float64, generator=generator)
    grid = F.affine_grid(theta, [2, 3, 4, 5], align_corners=False)
    expected = F.grid_sample(images, grid, mode=mode, padding_mode=padding, align_corners=False)
    torch.testing.assert_close(sample(images, theta, (4, 5), mode=mode, padding=padding), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("padding", PADDINGS)
def test_gradcheck_of_bicubic(padding: str) -> None:
    images = torch.rand(1, 1, 6, 5, dtype=torch.float64, requires_grad=True)
    theta = POSES[1:2].clone().requires_grad_()
    assert gradcheck(lambda i, t: sample(i, t, (3, 3), mode="bicubic", padding=padding), (images, theta))


def test_nearest_has_no_gradient_to_theta() -> None:
    theta = POSES[:1].clone().requires_grad_()
    images = torch.rand(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    to_image, to_theta = torch.autograd.grad(sample(images, theta, (3, 3), mode="nearest").sum(), (images, theta))
    assert to_image.abs().sum() > 0
    assert to_theta.abs().sum() == 0


@given(
    batch=st.integers(1, 3),
    crops=st.integers(1, 4),
    padding=st.sampled_from(PADDINGS),
    antialias=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_several_crops_equal_one_after_the_other_in_value_and_gradients(
    batch: int, crops: int, padding: str, antialias: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(batch, 2, 9, 8, dtype=torch.float64, generator=generator, requires_grad=True)
    theta = torch.randn(batch, crops, 2, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    together = sample(images, theta, (4, 3), padding=padding, antialias=antialias)
    one_by_one = [sample(images, theta[:, k], (4, 3), padding=padding, antialias=antialias) for k in range(crops)]
    apart = torch.stack(one_by_one, dim=1)
    assert together.shape == (batch, crops, 2, 4, 3)
    torch.testing.assert_close(together, apart)
    weight = torch.rand(apart.shape, dtype=torch.float64, generator=generator)
    for ours, expected in zip(
        torch.autograd.grad((together * weight).sum(), (images, theta)),
        torch.autograd.grad((apart * weight).sum(), (images, theta)),
        strict=True,
    ):
        torch.testing.assert_close(ours, expected)


def test_several_crops_equal_torchvisions_roi_align_where_it_does_the_same() -> None:
    """One bilinear reading in each bin's middle: `aligned` with sampling_ratio 1. It has no gradient to the boxes."""
    images = torch.rand(2, 3, 20, 30)
    boxes = torch.tensor([[[0.4, 0.5, 0.3, 0.4], [0.6, 0.4, 0.5, 0.5]], [[0.5, 0.5, 0.2, 0.2], [0.3, 0.6, 0.4, 0.3]]])
    pixels = [box_convert(b, "cxcywh", "xyxy") * torch.tensor([30.0, 20, 30, 20]) for b in boxes]
    expected = roi_align(images, pixels, (5, 4), sampling_ratio=1, aligned=True).view(2, 2, 3, 5, 4)
    torch.testing.assert_close(sample(images, boxes_to_theta(boxes), (5, 4)), expected, atol=1e-5, rtol=0)


@given(
    shape=st.tuples(st.integers(20, 40), st.integers(20, 40)),
    shrink=st.floats(1.0, 5.0),
    place=st.tuples(st.floats(0.45, 0.55), st.floats(0.45, 0.55)),
    seed=st.integers(0, 100),
)
def test_an_antialiased_upright_crop_equals_torchs_resize_of_the_slice(
    shape: tuple[int, int], shrink: float, place: tuple[float, float], seed: int
) -> None:
    height, width = shape
    images = torch.rand(1, 2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    # A slice of whole pixels: what lies around it is seen by our tent and not by resize, so its rim is left out.
    h, w = int(0.8 * height), int(0.8 * width)
    top, left = int(place[0] * (height - h)), int(place[1] * (width - w))
    size = (max(1, round(h / shrink)), max(1, round(w / shrink)))
    box = torch.tensor([[(left + w / 2) / width, (top + h / 2) / height, w / width, h / height]], dtype=torch.float64)
    crop = sample(images, boxes_to_theta(box), size, antialias=True)
    part = images[..., top : top + h, left : left + w]
    expected = F.interpolate(part, size=size, mode="bilinear", antialias=True)
    inner = (..., slice(1, size[0] - 1), slice(1, size[1] - 1))
    torch.testing.assert_close(crop[inner], expected[inner], atol=1e-9, rtol=0)


def test_antialiasing_turns_with_the_crop() -> None:
    images = torch.rand(1, 1, 24, 24, dtype=torch.float64)
    upright = torch.tensor([[[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]], dtype=torch.float64)
    quarter = torch.tensor([[[0.0, 0.5, 0.0], [-0.5, 0.0, 0.0]]], dtype=torch.float64)
    flipped = upright * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    crop = sample(images, upright, (4, 4), antialias=True)
    torch.testing.assert_close(sample(images, quarter, (4, 4), antialias=True), crop.rot90(-1, (2, 3)))
    torch.testing.assert_close(sample(images, flipped, (4, 4), antialias=True), crop.flip(3))


def test_antialiasing_leaves_a_crop_that_enlarges_alone() -> None:
    images = torch.rand(2, 1, 12, 12, dtype=torch.float64)
    theta = boxes_to_theta(torch.tensor([[0.5, 0.4, 0.5, 0.3], [0.1, 0.9, 0.6, 0.6]], dtype=torch.float64))
    torch.testing.assert_close(sample(images, theta, (12, 12), antialias=True), sample(images, theta, (12, 12)))


def test_antialiasing_removes_what_a_small_picture_cannot_show() -> None:
    stripes = torch.zeros(1, 1, 32, 32)
    stripes[..., ::2] = 1.0
    theta = torch.tensor([[[0.9, 0.1, 0.0], [-0.1, 0.9, 0.0]]])
    aliased, smooth = (sample(stripes, theta, (8, 8), antialias=flag)[..., 2:-2, 2:-2] for flag in (False, True))
    assert aliased.std() > 0.15
    assert smooth.std() < 0.02
    assert smooth.mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("antialias", [False, True])
def test_gradcheck_in_every_dimension(dims: int, antialias: bool) -> None:
    zoom = Zoom(dims=dims, scales=dims).double()
    # To the raw parameters: turning an upright crop moves the taps off the pixels' centres, where reading has a kink.
    raw = torch.linspace(-0.31, 0.43, zoom.parameters_needed, dtype=torch.float64)[None].requires_grad_()
    images = torch.rand(1, 1, *[5, 4, 3][:dims], dtype=torch.float64, requires_grad=True)
    size = [3, 2, 2][:dims]
    assert gradcheck(lambda i, r: sample(i, zoom(r), size, antialias=antialias), (images, raw), fast_mode=dims == 3)


def test_a_volume_crop_is_a_slice_where_box_and_voxels_align() -> None:
    volumes = torch.rand(2, 1, 4, 6, 8)
    # Depth 1 to 3, rows 2 to 6, columns 4 to 8; boxes name x, then y, then z.
    box = torch.tensor([[0.75, 4 / 6, 0.5, 0.5, 4 / 6, 0.5]]).expand(2, -1)
    torch.testing.assert_close(sample(volumes, boxes_to_theta(box), (2, 4, 4)), volumes[:, :, 1:3, 2:6, 4:8])


def test_reach_lets_the_gradient_see_an_object_beside_the_crop() -> None:
    images = torch.zeros(1, 1, 32, 32)
    images[..., 12:20, 26:30] = 1.0
    gradients = []
    for reach in (1.0, 8.0):
        theta = boxes_to_theta(torch.tensor([[0.5, 0.5, 0.5, 0.5]])).requires_grad_()  # its right edge at column 24
        sample(images, theta, (16, 16), reach=reach).sum().backward()
        assert theta.grad is not None
        gradients.append(theta.grad[0, 0, 2].item())
    assert gradients[0] == 0
    assert gradients[1] > 0  # more brightness to the right


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_blur_keeps_the_sum_and_reach_1_changes_nothing(dims: int) -> None:
    images = torch.zeros(1, 2, *[15] * dims, dtype=torch.float64)
    images[(0, 0, *[7] * dims)] = 1.0
    blurred = blur(images, 3.5)
    assert blurred.sum().item() == pytest.approx(1.0)
    assert blurred[0, 1].abs().sum() == 0
    assert blurred[(0, 0, *[4] * dims)] > 0
    assert blurred[(0, 0, *[3] * dims)] == 0
    torch.testing.assert_close(blur(images, 1.0), images)
    probe = torch.rand(1, 1, *[5] * dims, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda i: blur(i, 2.5), probe)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_theta_that_is_not_finite_never_passes(bad: float) -> None:
    theta = torch.eye(2, 3).repeat(3, 1, 1)
    theta[1, 0, 2] = bad
    with pytest.raises(CropworthError, match=r"theta of shape \(3, 2, 3\) with 1 of 3 items not finite"):
        sample(torch.rand(3, 1, 8, 8), theta, (4, 4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "cubic"}, "mode = 'cubic'"),
        ({"mode": "nearest", "antialias": True}, "'nearest' with antialias"),
        ({"reach": 0.5}, "reach = 0.5"),
    ],
)
def test_options_that_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        sample(torch.rand(1, 1, 8, 8), torch.eye(2, 3)[None], (4, 4), **options)


@pytest.mark.parametrize(
    ("images", "theta", "size", "padding", "message"),
    [
        ((2, 1, 8, 8), (3, 2, 3), (4, 4), "zeros", r"input \(2, 1, 8, 8\) and theta \(3, 2, 3\)"),
        ((2, 8, 8), (2, 2, 3), (4, 4), "zeros", r"input \(2, 8, 8\)"),
        ((2, 1, 8, 8), (2, 3, 5), (4, 4), "zeros", r"theta of shape \(2, 3, 5\)"),
        ((2, 1, 0, 8), (2, 2, 3), (4, 4), "zeros", r"input \(2, 1, 0, 8\)"),
        ((2, 1, 8, 8), (1, 2, 2, 3), (4, 4), "zeros", r"theta \(1, 2, 2, 3\)"),
        ((2, 1, 8, 8), (2, 2, 3), (4, 0), "zeros", r"size = \(4, 0\)"),
        ((2, 1, 8, 8), (2, 2, 3), (4,), "zeros", r"2 sizes"),
        ((2, 1, 8, 8), (2, 2, 3), (4, 4), "wrap", "padding = 'wrap'"),
    ],
)
def test_what_is_refused(
    images: tuple[int, ...], theta: tuple[int, ...], size: tuple[int, ...], padding: str, message: str
) -> None:
    with pytest.raises(CropworthError, match=message):
        sample(torch.zeros(images), torch.zeros(theta), size, padding=padding)
