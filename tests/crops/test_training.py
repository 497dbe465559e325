import pytest
import torch
from torch import nn

from cropworth import HeatmapLocalizer, MultiCrop, SpatialTransformer, Zoom, boxes_to_theta, theta_to_boxes
from cropworth.crops.training import auxiliary_crops, consistency, jitter, marginal_loss, parameter_groups, set_reach
from cropworth.errors import CropworthError
from cropworth.models.small import SmallConvNet


class Model(nn.Module):
    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.backbone = SmallConvNet(1, 3, width=2)
        features = self.backbone.features if shared else None
        localizer = HeatmapLocalizer(1, 3, width=8, features=features)
        self.crop = SpatialTransformer(localizer, Zoom((0.5, 0.5, 0.5, 0.5)), (16, 16), look_size=(16, 16))


@pytest.mark.parametrize("shared", [True, False])
def test_a_localizer_has_its_own_learning_rate_but_for_what_it_shares(shared: bool) -> None:
    model = Model(shared)
    rest, own = parameter_groups(model, 0.1, 0.5)
    assert (rest["lr"], own["lr"]) == (0.1, 0.05)
    assert {id(p) for p in rest["params"]} == {id(p) for p in model.backbone.parameters()}
    together = [id(p) for group in (rest, own) for p in group["params"]]
    assert sorted(together) == sorted(id(p) for p in model.parameters())


def test_a_cropper_itself_and_a_model_without_one() -> None:
    rest, own = parameter_groups(Model(False).crop, 0.1)
    assert rest["params"] == []
    assert len(own["params"]) > 0
    assert len(parameter_groups(SmallConvNet(1, 2), 0.1)) == 1


def test_auxiliary_crops_lie_inside_the_frame_and_follow_their_generator() -> None:
    images = torch.zeros(200, 1, 8, 8)
    draws = [auxiliary_crops(images, "random", (0.2, 0.6), torch.Generator().manual_seed(3)) for _ in range(2)]
    torch.testing.assert_close(*draws)
    centre, size = theta_to_boxes(draws[0]).chunk(2, dim=1)
    assert ((size >= 0.2) & (size <= 0.6)).all()
    assert (centre - size / 2 >= -1e-6).all()
    assert (centre + size / 2 <= 1 + 1e-6).all()
    assert size.std() > 0.05
    whole = auxiliary_crops(images, "full")
    torch.testing.assert_close(whole, torch.eye(2, 3).expand(200, -1, -1))


def test_reach_is_set_everywhere() -> None:
    model = nn.Sequential(Model(False).crop, Model(True).crop)
    set_reach(model, 5.0)
    assert [m.sampling["reach"] for m in model] == [5.0, 5.0]


@pytest.mark.parametrize("lead", [(400,), (100, 4)])
def test_jitter_stays_near_the_crop(lead: tuple[int, ...]) -> None:
    boxes = torch.tensor([0.4, 0.6, 0.2, 0.3]).expand(*lead, 4)
    found = theta_to_boxes(jitter(boxes_to_theta(boxes), 0.2, torch.Generator().manual_seed(0))).flatten(0, -2)
    shift, zoom = (found[:, :2] - boxes[..., :2].flatten(0, -2)) / torch.tensor([0.1, 0.15]), found[:, 2:]
    assert 0.19 < shift.abs().amax() <= 0.2 + 1e-5  # halves of the crop
    torch.testing.assert_close(zoom[:, 1], zoom[:, 0] * 1.5)
    logs = (zoom[:, 0] / 0.2).log()
    assert 0.19 < logs.abs().amax() <= 0.2 + 1e-5
    assert shift.mean().abs() < 0.03 > logs.mean().abs()


def test_jitter_of_any_pose_has_its_gradient() -> None:
    for pose in (torch.tensor([[[0.5, 0.1]]]), torch.eye(3, 4).unsqueeze(0), torch.eye(3).unsqueeze(0)):
        pose.requires_grad_()
        moved = jitter(pose, 0.1, torch.Generator().manual_seed(0))
        assert moved.shape == pose.shape
        moved.sum().backward()
        assert pose.grad is not None
        assert pose.grad.abs().sum() > 0
        torch.testing.assert_close(jitter(pose, 0.0), pose)
    with pytest.raises(CropworthError, match="spline"):
        jitter(torch.zeros(1, 2, 3 + 9))
    with pytest.raises(CropworthError, match=r"amount = 1\.0"):
        jitter(torch.eye(2, 3), 1.0)


def test_the_marginal_loss_is_the_mixtures_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, weights, labels = torch.randn(6, 3, 4).double(), torch.rand(6, 3).double().softmax(1), torch.arange(6) % 4
    mixed = (weights.unsqueeze(-1) * logits.softmax(-1)).sum(1)
    expected = nn.functional.nll_loss(mixed.log(), labels)
    torch.testing.assert_close(marginal_loss(logits, weights.log(), labels), expected)
    one = marginal_loss(logits[:, :1], torch.zeros(6, 1).double(), labels)
    torch.testing.assert_close(one, nn.functional.cross_entropy(logits[:, 0], labels))


def test_the_marginal_loss_moves_weight_to_where_the_label_is_read() -> None:
    logits = torch.tensor([[[0.0, 5.0], [5.0, 0.0]]])
    scores = torch.tensor([[4.0, -4.0]], requires_grad=True)  # the second place weighs 0.03 %
    marginal_loss(logits, scores.log_softmax(1), torch.tensor([0])).backward()
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad[0, 0], -scores.grad[0, 1])
    # Posterior minus prior of the second place: p(label) is 148 times the first's.
    assert -scores.grad[0, 1].item() == pytest.approx(0.0475 - 0.0003, abs=1e-3)


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 4), (3, 2, 4)])
def test_the_marginal_loss_of_sizes_that_do_not_match(shape: tuple[int, ...]) -> None:
    with pytest.raises(CropworthError, match="logits"):
        marginal_loss(torch.zeros(shape), torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64))


class BrightnessLocalizer(nn.Module):
    """The centre of brightness: follows every change of the picture, but for the scale."""

    def forward(self, look: torch.Tensor) -> torch.Tensor:
        weights = look[:, 0] / look.sum((1, 2, 3)).view(-1, 1, 1)
        places = (2 * torch.arange(look.shape[-1]) + 1) / look.shape[-1] - 1
        x, y = (weights.sum(1) * places).sum(1), (weights.sum(2) * places).sum(1)
        area = (look.sum((1, 2, 3)) / look[0, 0].numel()).log() / 2
        return torch.stack([x, y, area + 2.0], dim=1)


class Beside(BrightnessLocalizer):
    def forward(self, look: torch.Tensor) -> torch.Tensor:
        return super().forward(look) + torch.tensor([0.3, 0.0, 0.0])


def test_consistency_tells_a_crop_on_the_object_from_one_beside_it() -> None:
    images = torch.zeros(16, 1, 64, 64)
    images[:, :, 24:36, 30:42] = 1.0
    found = {}
    for localizer in (BrightnessLocalizer(), Beside()):
        crop = SpatialTransformer(localizer, Zoom((0.5, 0.5, 0.3, 0.3), smallest=0.01, largest=9.0), (16, 16))
        generator = torch.Generator().manual_seed(0)
        found[type(localizer)] = consistency(crop, crop.look(images), crop.locate(images), generator).item()
    assert found[BrightnessLocalizer] < 0.15
    assert found[Beside] > 3 * found[BrightnessLocalizer]


def test_consistency_trains_one_crop_and_several() -> None:
    torch.manual_seed(0)
    images = torch.rand(4, 1, 32, 32)
    zooms = [Zoom((0.4, 0.5, 0.5, 0.5)), Zoom((0.6, 0.5, 0.5, 0.5))]
    for crop in (Model(False).crop, MultiCrop(HeatmapLocalizer(1, 3, crops=2), zooms, (8, 8))):
        loss = consistency(crop, crop.look(images), crop.locate(images))
        loss.backward()
        assert loss > 0
        assert crop.localizer.heatmap.weight.grad.abs().sum() > 0


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match=r"scale = \(0.5, 1.2\)"):
        auxiliary_crops(torch.zeros(1, 1, 8, 8), "random", (0.5, 1.2))
    with pytest.raises(CropworthError, match="kind = 'corner'"):
        auxiliary_crops(torch.zeros(1, 1, 8, 8), "corner")
