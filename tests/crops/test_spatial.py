import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import gradcheck

from cropworth import (
    AttentionPool,
    Cascade,
    CropworthError,
    HeatmapLocalizer,
    MultiCrop,
    RegressionLocalizer,
    SpatialTransformer,
    UnboundedAffine,
    Zoom,
    compose,
    on_each,
    sample,
    theta_to_boxes,
)
from cropworth.crops.spatial import shrink


def transformer(kind: str, channels: int = 1, look: int = 24) -> SpatialTransformer:
    if kind == "heatmap":
        zoom = Zoom((0.5, 0.5, 0.5, 0.5))
        return SpatialTransformer(HeatmapLocalizer(channels, 3), zoom, (10, 12), look_size=(look, look))
    affine = UnboundedAffine()
    localizer = RegressionLocalizer(channels, (look, look), affine.parameters_needed)
    return SpatialTransformer(localizer, affine, (10, 12), look_size=(look, look))


KINDS = ["heatmap", "regression"]


def test_training_starts_from_the_starting_pose() -> None:
    images = torch.rand(3, 1, 40, 50)
    module = transformer("regression")
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
    assert not still


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck_to_the_images(kind: str) -> None:
    torch.manual_seed(0)
    module = transformer(kind, look=20).double().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.05)
    images = torch.rand(1, 1, 20, 20, dtype=torch.float64, requires_grad=True)
    assert gradcheck(module.locate, images, atol=1e-6)


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


def test_a_small_crop_of_a_bright_square_is_found_by_reach() -> None:
    module = transformer("heatmap")
    module.sampling["reach"] = 4.0
    images = torch.rand(2, 1, 40, 40)
    assert not torch.equal(module.train()(images), sample(images, module.locate(images), (10, 12)))
    pose = module.eval().locate(images)
    torch.testing.assert_close(module(images), sample(images, pose, (10, 12)))  # in use nothing is blurred


def cascade(steps: int = 2, shared: bool = False) -> Cascade:
    localizers = [HeatmapLocalizer(1, 3) for _ in range(steps)]
    transforms = [Zoom((0.5, 0.5, 0.6, 0.6)), *(Zoom((0.5, 0.5, 0.8, 0.8)) for _ in range(steps - 1))]
    return Cascade(localizers[:1] * steps if shared else localizers, transforms, (10, 12), look_size=(16, 16))


def test_a_cascade_composes_its_steps_and_reads_the_original() -> None:
    torch.manual_seed(0)
    module, images = cascade().eval(), torch.rand(2, 1, 40, 50)
    first, second = module.path(images)
    torch.testing.assert_close(first, module.transforms[0](module.localizer[0](shrink(images, (16, 16)))))
    look = sample(images, first, (16, 16), antialias=True)
    torch.testing.assert_close(second, compose(first, module.transforms[1](module.localizer[1](look))))
    torch.testing.assert_close(module(images), sample(images, second, (10, 12)))
    assert (theta_to_boxes(second)[:, 2] < theta_to_boxes(first)[:, 2]).all()


def test_a_recurrent_cascade_has_one_localizer() -> None:
    assert sum(p.numel() for p in cascade(3, shared=True).parameters()) == sum(
        p.numel() for p in cascade(1).parameters()
    )


def test_a_cascade_learns_in_every_step() -> None:
    torch.manual_seed(0)
    module = cascade()
    (module(torch.rand(4, 1, 40, 40)) * torch.rand(10, 12)).sum().backward()
    for localizer in module.localizer:
        assert localizer.heatmap.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("shared", [True, False])
def test_several_crops_start_where_their_transforms_say(shared: bool) -> None:
    starts = [(0.3, 0.5, 0.4, 0.4), (0.7, 0.5, 0.4, 0.4)]
    transforms = [Zoom(start) for start in starts]
    localizer = HeatmapLocalizer(1, 3, crops=2) if shared else [HeatmapLocalizer(1, 3) for _ in starts]
    module = MultiCrop(localizer, transforms, (8, 8), look_size=(16, 16)).eval()
    crops, poses = module.crop(torch.zeros(2, 1, 40, 40))  # nothing to see: an even heatmap
    assert crops.shape == (2, 2, 1, 8, 8)
    torch.testing.assert_close(theta_to_boxes(poses), torch.tensor([starts] * 2), atol=1e-6, rtol=0)


def test_networks_on_each_crop_and_attention() -> None:
    crops = torch.rand(2, 3, 1, 8, 8)
    features = on_each(nn.Flatten(), crops)
    torch.testing.assert_close(features, crops.flatten(2))
    pool = AttentionPool(64)
    torch.testing.assert_close(pool(features), features.mean(1))
    nn.init.constant_(pool.score.weight, 10.0)
    heaviest = features.sum(-1).argmax(1)
    torch.testing.assert_close(pool(features), features[range(2), heaviest], atol=0.3, rtol=0)


def test_candidates_are_poses_of_the_transform() -> None:
    torch.manual_seed(0)
    module, images = transformer("heatmap"), torch.rand(3, 1, 40, 50)
    nn.init.normal_(module.localizer.head.weight)
    raw, log_weights = module.localizer.candidates(module.look(images), 2)
    poses, found = module.candidates(images, 2)
    torch.testing.assert_close(poses, torch.stack([module.transform(raw[:, k]) for k in range(2)], dim=1))
    torch.testing.assert_close(found, log_weights)
    crops = module.read(images, poses)  # (B, K, C, h, w)
    torch.testing.assert_close(crops[:, 1], sample(images, poses[:, 1], (10, 12)))
    assert module.candidates(images[:0], 2)[0].shape == (0, 2, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert {found.dtype for found in module.candidates(images, 2)} == {torch.float32}
    with pytest.raises(CropworthError, match="a RegressionLocalizer"):
        transformer("regression").candidates(images, 2)


@pytest.mark.parametrize("wrong", [2, 4])
def test_a_localizer_with_the_wrong_number_of_parameters(wrong: int) -> None:
    class Wrong(nn.Module):
        def forward(self, look: torch.Tensor) -> torch.Tensor:
            return look.new_zeros(len(look), wrong)

    images = torch.zeros(2, 1, 32, 32)
    with pytest.raises(CropworthError, match=rf"\(2, {wrong}\).*\(B, 3\) for Zoom"):
        SpatialTransformer(Wrong(), Zoom(), (8, 8))(images)
    with pytest.raises(CropworthError, match=rf"\(2, {wrong}\).*\(B, 6\): 3 \+ 3 for 2 crops"):
        MultiCrop(Wrong(), [Zoom(), Zoom()], (8, 8))(images)


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match=r"images of shape \(1, 8, 8\)"):
        transformer("heatmap")(torch.zeros(1, 8, 8))
    with pytest.raises(CropworthError, match="1 localizers and 2 transforms"):
        Cascade([HeatmapLocalizer(1, 3)], [Zoom(), Zoom()], (8, 8), look_size=(16, 16))
    with pytest.raises(CropworthError, match="1 localizers for 2 transforms"):
        MultiCrop([HeatmapLocalizer(1, 3)], [Zoom(), Zoom()], (8, 8))
    with pytest.raises(CropworthError, match=r"a look of shape \(1, 1, 30, 30\).*\(B, 1, 24, 24\)"):
        transformer("regression").localizer(torch.zeros(1, 1, 30, 30))
