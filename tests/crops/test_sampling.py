import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck
from torchvision.transforms import v2

from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.sampling import PADDINGS, sample
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


@pytest.mark.parametrize(
    ("images", "theta", "size", "padding", "message"),
    [
        ((2, 1, 8, 8), (3, 2, 3), (4, 4), "zeros", r"input \(2, 1, 8, 8\) and theta \(3, 2, 3\)"),
        ((2, 8, 8), (2, 2, 3), (4, 4), "zeros", r"input \(2, 8, 8\)"),
        ((2, 1, 8, 8), (2, 3, 3), (4, 4), "zeros", r"theta of shape \(2, 3, 3\)"),
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
