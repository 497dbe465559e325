import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import gradcheck

from cropworth import Affine, CropworthError, HeatmapLocalizer, RegressionLocalizer, SpatialTransformer, Zoom, sample
from cropworth.crops.localizers import centre_of_mass
from cropworth.crops.spatial import shrink


def transformer(kind: str, channels: int = 1, look: int = 24) -> SpatialTransformer:
    if kind == "heatmap":
        zoom = Zoom((0.5, 0.5, 0.5, 0.5))
        return SpatialTransformer(HeatmapLocalizer(channels, 3), zoom, (10, 12), look_size=(look, look))
    affine = Affine()
    localizer = RegressionLocalizer(channels, (look, look), affine.parameters_needed)
    return SpatialTransformer(localizer, affine, (10, 12), look_size=(look, look))


KINDS = ["heatmap", "regression"]


@pytest.mark.parametrize("kind", KINDS)
def test_training_starts_from_the_starting_pose(kind: str) -> None:
    images = torch.rand(3, 1, 40, 50)
    module = transformer(kind)
    start = module.transform(torch.zeros(1, module.transform.parameters_needed)).expand(3, -1, -1)
    torch.testing.assert_close(module.locate(images), start)
    torch.testing.assert_close(module(images), sample(images, start, (10, 12)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 3, 24, 24), (2, 3, 33, 57), (1, 3, 200, 100)])
def test_any_size_and_channels(kind: str, shape: tuple[int, ...]) -> None:
    assert transformer(kind, channels=3)(torch.rand(shape)).shape == (shape[0], 3, 10, 12)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_learns(kind: str) -> None:
    torch.manual_seed(0)
    module = transformer(kind)
    # The first step moves the zero head only; the second reaches what is below it.
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-4)
    images = torch.rand(4, 1, 40, 40)
    for _ in range(2):
        optimizer.zero_grad()
        (module(images) * torch.rand(10, 12)).sum().backward()
        optimizer.step()
    still = [name for name, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A uniform heatmap is unmoved by a constant.
    assert set(still) <= {"localizer.heatmap.bias"}


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck_to_the_images(kind: str) -> None:
    torch.manual_seed(0)
    module = transformer(kind, look=20).double().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.05)
    images = torch.rand(1, 1, 20, 20, dtype=torch.float64, requires_grad=True)
    assert gradcheck(module.locate, images, atol=1e-6)


def test_the_soft_argmax_of_one_bright_place_is_that_place() -> None:
    weights = torch.zeros(1, 4, 8)
    weights[0, 3, 1] = 1.0
    # Pixel (row 3, column 1) of 4 x 8: x = (2 * 1 + 1) / 8 - 1, y = (2 * 3 + 1) / 4 - 1.
    torch.testing.assert_close(centre_of_mass(weights), torch.tensor([[-0.625, 0.75]]))


def test_a_heatmap_follows_a_moved_object() -> None:
    """Move the object by whole cells of the heatmap: the centre moves by as much."""
    torch.manual_seed(0)
    localizer = HeatmapLocalizer(1, 3).eval()
    nn.init.normal_(localizer.heatmap.weight, std=1.0)
    image = torch.zeros(1, 1, 32, 32)
    image[..., 10:14, 8:12] = 1.0
    moved = image.roll((4, 8), dims=(2, 3))
    (before,), (after,) = localizer(image), localizer(moved)
    # The flat rest of the heatmap pulls both towards the middle, alike in direction.
    assert (after[0] - before[0]).item() == pytest.approx(2 * (after[1] - before[1]).item(), rel=0.1)
    assert after[1] > before[1]


def test_it_finds_a_bright_square_from_the_loss_of_the_crop_alone() -> None:
    """Learning: the crop's brightness is rewarded, and the crop comes to lie on the bright square."""
    torch.manual_seed(0)
    module = transformer("heatmap", look=16)
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    places = torch.randint(0, 24, (2, 64), generator=torch.Generator().manual_seed(0))
    images = torch.zeros(64, 1, 32, 32)
    for image, x, y in zip(images, *places, strict=True):
        image[0, y : y + 8, x : x + 8] = 1.0
    for _ in range(60):
        optimizer.zero_grad()
        (-module(images).mean()).backward()
        optimizer.step()
    centre = (module.eval().locate(images)[:, :, 2] + 1) * 16
    assert ((centre - places.T - 4).norm(dim=1) < 4).float().mean() > 0.9


def test_autocast_keeps_the_pose_in_float32() -> None:
    module = transformer("regression")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert module.locate(torch.rand(2, 1, 40, 40)).dtype == torch.float32


def test_state_dict_and_deepcopy() -> None:
    first, images = transformer("heatmap"), torch.rand(2, 1, 40, 40)
    nn.init.normal_(first.localizer.heatmap.weight)
    second = transformer("heatmap")
    second.load_state_dict(first.state_dict())
    for other in (second, copy.deepcopy(first)):
        torch.testing.assert_close(other.eval()(images), first.eval()(images))


def test_shrinking_averages_areas() -> None:
    images = torch.rand(1, 2, 8, 12)
    torch.testing.assert_close(shrink(images, (4, 6)), F.avg_pool2d(images, 2))
    assert shrink(images, None) is images


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match=r"images of shape \(1, 8, 8\)"):
        transformer("heatmap")(torch.zeros(1, 8, 8))
    with pytest.raises(CropworthError, match="look_size = "):
        RegressionLocalizer(1, (16, 32), 3)
    with pytest.raises(CropworthError, match="outputs = 2"):
        HeatmapLocalizer(1, 2)
    wrong = SpatialTransformer(HeatmapLocalizer(1, 4), Zoom(), (8, 8))
    with pytest.raises(CropworthError, match=r"\(1, 4\).*\(B, 3\)"):
        wrong(torch.zeros(1, 1, 32, 32))
