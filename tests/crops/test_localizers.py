import math

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from cropworth.crops.localizers import (
    EVEN_SPREAD,
    HeatmapLocalizer,
    Pyramid,
    RegressionLocalizer,
    around_peak,
    centre_of_mass,
    spread,
)
from cropworth.errors import CropworthError
from cropworth.models.small import SmallConvNet


def shaken(module: nn.Module) -> nn.Module:
    """With small random weights everywhere, for a gradient check away from zero."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.05)
    return module.double().eval()


@pytest.mark.parametrize(
    "localizer",
    [
        HeatmapLocalizer(2, 4, width=3),
        HeatmapLocalizer(2, 3, width=3, crops=2),
        HeatmapLocalizer(2, 4, width=3, scale="spread"),
        HeatmapLocalizer(2, 5, width=2, features=nn.Identity()),
        HeatmapLocalizer(2, 3, width=2, features=Pyramid(2, width=2)),
        RegressionLocalizer(2, (20, 20), 4, hidden=5),
    ],
    ids=["heatmap", "two crops", "spread", "given features", "pyramid", "regression"],
)
def test_gradcheck_to_the_look_and_the_parameters(localizer: nn.Module) -> None:
    localizer = shaken(localizer)
    look = torch.rand(2, 2, 20, 20, dtype=torch.float64, requires_grad=True)
    assert gradcheck(localizer, look, fast_mode=True)
    names = [name for name, _ in localizer.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in localizer.parameters()]

    def call(*parameters: Tensor) -> Tensor:
        return torch.func.functional_call(localizer, dict(zip(names, parameters, strict=True)), look.detach())

    assert gradcheck(call, values, fast_mode=True)


def test_an_even_look_leaves_the_start_alone() -> None:
    raw = HeatmapLocalizer(1, 6).eval()(torch.zeros(2, 1, 32, 32))
    torch.testing.assert_close(raw, torch.zeros(2, 6), atol=1e-6, rtol=0)


def test_it_begins_where_there_is_something_to_see() -> None:
    torch.manual_seed(0)
    localizer = HeatmapLocalizer(1, 3)
    looks = torch.zeros(8, 1, 32, 32)
    looks[:4, :, 4:10, 4:10] = 1.0  # top left
    looks[4:, :, 22:28, 22:28] = 1.0
    raw = localizer(looks)
    assert (raw[:4, :2] < -0.05).all()
    assert (raw[4:, :2] > 0.05).all()
    torch.testing.assert_close(raw[:, 2], torch.zeros(8), atol=1e-6, rtol=0)  # the scale's head starts at zero


def test_the_soft_argmax_of_one_bright_place_is_that_place() -> None:
    weights = torch.zeros(1, 1, 4, 8)
    weights[0, 0, 3, 1] = 1.0
    # Pixel (row 3, column 1) of 4 x 8: x = (2 * 1 + 1) / 8 - 1, y = (2 * 3 + 1) / 4 - 1.
    centre = centre_of_mass(weights)
    torch.testing.assert_close(centre, torch.tensor([[[-0.625, 0.75]]]))
    assert spread(weights, centre).item() == pytest.approx(1e-3)


def test_of_two_candidates_the_higher_one_is_taken() -> None:
    weights = torch.full((1, 2, 12, 12), 1e-4)
    weights[0, 0, 3, 3], weights[0, 0, 9, 8] = 0.4, 0.6
    weights[0, 1] = 1.0
    weights = weights / weights.sum((2, 3), keepdim=True)
    found = around_peak(weights)
    torch.testing.assert_close(found.sum((2, 3)), torch.ones(1, 2))
    places = (2 * torch.tensor([8.0, 9.0]) + 1) / 12 - 1
    torch.testing.assert_close(centre_of_mass(found)[0, 0], places, atol=3e-3, rtol=0)
    torch.testing.assert_close(found[0, 1], weights[0, 1])  # no peak at all: left as it is


def test_the_peak_is_for_use_and_the_mean_for_training() -> None:
    torch.manual_seed(0)
    localizer = HeatmapLocalizer(1, 3, features=nn.Identity(), width=1, sharpness=20.0)
    nn.init.constant_(localizer.heatmap.weight, 1.0)
    look = torch.zeros(1, 1, 16, 16)
    look[..., 4, 4], look[..., 11, 11] = 1.0, 1.01
    trained, used = localizer.train()(look)[0, :2], localizer.eval()(look)[0, :2]
    assert trained.abs().max() < 0.1
    torch.testing.assert_close(used, torch.full((2,), (2 * 11 + 1) / 16 - 1), atol=0.01, rtol=0)
    localizer.peak = False
    torch.testing.assert_close(localizer(look)[0, :2], trained)


def two_places(sharpness: float = 2.0) -> tuple[HeatmapLocalizer, torch.Tensor]:
    """A localizer whose heatmap is the look itself, and a look with a higher and a lower bright place."""
    localizer = HeatmapLocalizer(1, 3, features=nn.Identity(), width=1, sharpness=sharpness)
    nn.init.constant_(localizer.heatmap.weight, 1.0)
    look = torch.zeros(1, 1, 16, 16)
    look[..., 4, 4], look[..., 11, 11] = 6.0, 5.0
    return localizer, look


def test_candidates_are_the_peaks_and_their_weights() -> None:
    localizer, look = two_places()
    raw, log_weights = localizer.candidates(look, 2)
    places = torch.tensor([[4.0, 4.0], [11.0, 11.0]])  # of pixels: centres at (2 i + 1) / 16 - 1
    torch.testing.assert_close(raw[0, :, :2], (2 * places + 1) / 16 - 1, atol=0.01, rtol=0)
    weights = (2.0 * look).flatten().softmax(0).view(16, 16)
    expected = torch.stack([weights[2:7, 2:7].sum(), weights[9:14, 9:14].sum()])
    torch.testing.assert_close(log_weights[0].exp(), expected / expected.sum())


def test_the_first_candidate_is_the_crop_in_use() -> None:
    localizer, look = two_places()
    torch.manual_seed(0)
    looks = look + torch.rand(5, 1, 16, 16)
    torch.testing.assert_close(localizer.candidates(looks, 3)[0][:, 0], localizer.eval()(looks))


def test_a_candidate_of_hardly_any_weight_keeps_place_and_gradient() -> None:
    localizer, look = two_places(sharpness=200.0)  # the lower peak weighs e^-200
    look.requires_grad_()
    raw, log_weights = localizer.candidates(look, 2)
    assert log_weights[0, 1].item() == pytest.approx(-200, rel=1e-3)
    torch.testing.assert_close(raw[0, 1, :2], torch.full((2,), (2 * 11 + 1) / 16 - 1))
    log_weights[0, 1].backward()
    assert look.grad is not None
    assert look.grad[0, 0, 11, 11] > 100


def test_gradcheck_of_the_candidates() -> None:
    torch.manual_seed(0)
    localizer = HeatmapLocalizer(1, 3, width=3, features=nn.Conv2d(1, 3, 3), sharpness=3.0).double()
    look = torch.rand(2, 1, 12, 12, dtype=torch.float64, requires_grad=True)
    parameters = tuple(localizer.parameters())
    assert torch.autograd.gradcheck(lambda look, *_: localizer.candidates(look, 2), (look, *parameters))


def test_no_candidates_of_no_looks() -> None:
    raw, log_weights = HeatmapLocalizer(1, 3).candidates(torch.zeros(0, 1, 32, 32), 2)
    assert (raw.shape, log_weights.shape) == ((0, 2, 3), (0, 2))


@pytest.mark.parametrize(("crops", "side", "count"), [(2, 32, 2), (1, 32, 0), (1, 10, 2)])
def test_candidates_that_there_cannot_be(crops: int, side: int, count: int) -> None:
    with pytest.raises(CropworthError, match=f"{count} candidates of {crops} heatmaps"):
        HeatmapLocalizer(1, 3, crops=crops).candidates(torch.zeros(1, 1, side, side), count)


def test_the_spread_of_an_even_heatmap() -> None:
    weights = torch.full((1, 1, 64, 64), 1 / 64**2)
    assert spread(weights, torch.zeros(1, 1, 2)).item() == pytest.approx(EVEN_SPREAD, rel=1e-3)


def test_a_narrow_heatmap_zooms_in() -> None:
    torch.manual_seed(0)
    localizer = HeatmapLocalizer(1, 3, scale="spread").eval()
    look = torch.zeros(1, 1, 32, 32)
    assert localizer(look)[0, 2].abs() < 1e-2
    look[..., 12:18, 12:18] = 1.0
    nn.init.constant_(localizer.heatmap.weight, 1.0)
    assert localizer(look)[0, 2] < math.log(0.8)


def test_a_heatmap_follows_a_moved_object() -> None:
    """Move the object by whole cells of the heatmap: the centre moves by as much."""
    torch.manual_seed(0)
    localizer = HeatmapLocalizer(1, 3).eval()
    nn.init.constant_(localizer.heatmap.weight, 1.0)
    image = torch.zeros(1, 1, 32, 32)
    image[..., 10:14, 8:12] = 1.0
    moved = image.roll((4, 8), dims=(2, 3))
    (before,), (after,) = localizer(image), localizer(moved)
    # The flat rest of the heatmap pulls both towards the middle, alike in direction.
    assert (after[0] - before[0]).item() == pytest.approx(2 * (after[1] - before[1]).item(), rel=0.1)
    assert after[1] > before[1]


def test_the_temperature_is_learned() -> None:
    torch.manual_seed(0)
    localizer = HeatmapLocalizer(1, 3, sharpness=7.0)
    assert localizer.log_sharpness.exp().item() == pytest.approx(7.0)
    localizer(torch.rand(2, 1, 32, 32))[:, :2].sum().backward()
    assert localizer.log_sharpness.grad != 0


@pytest.mark.parametrize("detach", [True, False])
def test_the_backbones_own_features(detach: bool) -> None:
    backbone = SmallConvNet(1, 10, width=4)
    localizer = HeatmapLocalizer(1, 3, width=16, features=backbone.features, detach=detach)
    localizer(torch.rand(4, 1, 32, 32))[:, 0].square().sum().backward()
    gradient = backbone.features[0].weight.grad
    assert (gradient is None) == detach
    assert localizer.heatmap.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("made", "seen"), [(HeatmapLocalizer(1, 3).features, 17), (Pyramid(1), 40)])
def test_how_far_features_see(made: nn.Module, seen: int) -> None:
    """The pixels that move the features in the middle span as many columns as the documentation says."""
    for parameter in made.parameters():
        nn.init.ones_(parameter)  # nothing cancels, nothing is cut off by a ReLU
    look = torch.rand(1, 1, 96, 96, requires_grad=True)
    features = made.eval()(look)
    assert features.shape == (1, 16, 48, 48)
    features[..., 24, 24].sum().backward()
    columns = look.grad[0, 0].ne(0).any(0).nonzero().flatten()
    assert seen <= columns[-1] - columns[0] + 1 <= seen + 4  # what is enlarged sees a little more or less, by its place


def test_a_pyramid_of_any_size() -> None:
    assert Pyramid(3, width=4)(torch.rand(2, 3, 37, 30)).shape == (2, 4, 19, 15)
    assert Pyramid(3, width=4).eval()(torch.rand(0, 3, 32, 32)).shape == (0, 4, 16, 16)


def test_two_heatmaps_two_places() -> None:
    torch.manual_seed(0)
    one, both = HeatmapLocalizer(1, 4).eval(), HeatmapLocalizer(1, 4, crops=2).eval()
    both.load_state_dict({**one.state_dict(), "heatmap.weight": one.heatmap.weight.repeat(2, 1, 1, 1)})
    look = torch.rand(3, 1, 32, 32)
    torch.testing.assert_close(both(look), one(look).repeat(1, 2))


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match="look_size = "):
        RegressionLocalizer(1, (16, 32), 3)
    with pytest.raises(CropworthError, match="outputs = 1"):
        HeatmapLocalizer(1, 1)
    with pytest.raises(CropworthError, match="outputs = 2 with scale = 'spread'"):
        HeatmapLocalizer(1, 2, scale="spread")
