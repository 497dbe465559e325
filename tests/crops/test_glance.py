import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cropworth import GlanceAndCrop, HeatmapLocalizer, Zoom, calibrate, consistency, sample, stage_loss
from cropworth.errors import CropworthError
from cropworth.models.small import SmallConvNet


def glance(threshold: float = 2.0) -> GlanceAndCrop:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    localizer = HeatmapLocalizer(4, 3, width=4, crops=2, features=nn.Identity())
    zooms = [Zoom((0.4, 0.5, 0.3, 0.3)), Zoom((0.6, 0.5, 0.3, 0.3))]
    backbone = SmallConvNet(1, 3, width=2)
    return GlanceAndCrop(features, head, localizer, zooms, backbone, (16, 16), (16, 16), threshold).eval()


def test_without_a_threshold_every_item_goes_through_all_stages() -> None:
    images = torch.rand(5, 1, 40, 40)
    module = glance()
    stages = module.stages(images)
    assert stages.shape == (5, 3, 3)
    logits, taken = module.stop_early(images)
    torch.testing.assert_close(logits, stages[:, -1])
    assert taken.tolist() == [2] * 5
    torch.testing.assert_close(module(images), stages[:, -1])


def test_an_item_stops_at_the_first_stage_that_is_sure() -> None:
    images = torch.rand(40, 1, 40, 40)
    module = glance()
    stages = module.stages(images)
    confidence = stages.softmax(-1).amax(-1)
    module.threshold = confidence[:, :2].median().item()
    logits, taken = module.stop_early(images)
    assert len(set(taken.tolist())) > 1
    for i in range(40):
        sure = [k for k in range(2) if confidence[i, k] >= module.threshold]
        assert taken[i] == (sure[0] if sure else 2)
        torch.testing.assert_close(logits[i], stages[i, taken[i]])


def test_an_empty_batch() -> None:
    assert glance()(torch.rand(0, 1, 40, 40)).shape == (0, 3)


def test_every_part_learns_from_the_stages() -> None:
    module = glance().train()
    stage_loss(module.stages(torch.rand(8, 1, 40, 40)), torch.arange(8) % 3).backward()
    for part in (module.features, module.head, module.localizer, module.backbone):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


def test_it_says_where_it_crops_and_takes_penalties() -> None:
    module, images = glance(), torch.rand(4, 1, 40, 40)
    poses = module.locate(images)
    assert poses.shape == (4, 2, 2, 3)
    evidence = module.backbone(sample(images, poses[:, 0], (16, 16)))
    stages = module.stages(images)
    torch.testing.assert_close(stages[:, 1] - stages[:, 0], evidence)
    consistency(module, module.look(images), poses).backward()
    assert module.localizer.heatmap.weight.grad.abs().sum() > 0


def test_the_loss_is_the_mean_over_the_stages() -> None:
    stages, labels = torch.randn(6, 3, 4), torch.randint(0, 4, (6,))
    expected = sum(F.cross_entropy(stages[:, s], labels) for s in range(3)) / 3
    torch.testing.assert_close(stage_loss(stages, labels), expected)


def staged(*rights: tuple[float, bool]) -> Tensor:
    """Logits of two classes, the true one being 0: for each stage its confidence, and whether it is right."""
    rows = []
    for confidence, right in rights:
        logit = torch.tensor(confidence / (1 - confidence)).log().item()
        rows.append([logit, 0.0] if right else [0.0, logit])
    return torch.tensor(rows)


def test_the_threshold_keeps_the_accuracy_of_all_stages() -> None:
    # The glance is right when it is sure (0.9), wrong when it is not (0.6); the crop mends that.
    stages = torch.stack([staged((0.9, True), (0.95, True))] * 6 + [staged((0.6, False), (0.8, True))] * 4)
    labels = torch.zeros(10, dtype=torch.int64)
    threshold = calibrate(stages, labels)
    stops = stages[:, 0].softmax(-1).amax(-1) >= threshold
    assert stops.tolist() == [True] * 6 + [False] * 4
    assert calibrate(stages, labels, tolerance=0.5) <= 0.6
    never = torch.stack([staged((0.99, False), (0.6, True))] * 5)
    assert calibrate(never, labels[:5]) > 0.985


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match="and 0 labels"):
        calibrate(torch.zeros(0, 2, 3), torch.zeros(0))
