import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import box_convert

from cropworth import (
    AttentionPool,
    CropworthError,
    HeatmapLocalizer,
    ProposalGuidedTransformer,
    ProposalNetwork,
    Zoom,
    box_iou,
    boxes_to_theta,
    compose,
    marginal_loss,
    on_each,
    refine_theta,
    sample,
    theta_to_boxes,
)

OWN = torch.tensor([[0.5, 0.5, 0.2, 0.2]])


def network(**settings: float) -> ProposalNetwork:
    torch.manual_seed(0)
    made = ProposalNetwork(4, (6.0, 12.0), **settings)  # type: ignore[arg-type]
    nn.init.normal_(made.head.bbox_pred.weight, std=0.2)
    nn.init.normal_(made.head.cls_logits.weight, std=0.5)
    nn.init.zeros_(made.head.cls_logits.bias)  # as if they had learned that there is something
    return made


def transformer(**settings: float) -> ProposalGuidedTransformer:
    features = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU())
    localizer = HeatmapLocalizer(4, 3, width=4, features=nn.Identity())
    zoom = Zoom((0.5, 0.5, 0.4, 0.4))
    return ProposalGuidedTransformer(features, localizer, zoom, network(**settings), (10, 12), look_size=(24, 24))


def features(items: int = 3) -> Tensor:
    return torch.rand(items, 4, 12, 16, generator=torch.Generator().manual_seed(1))


def test_proposals_are_those_of_torchvision() -> None:
    made = network(overlap=0.4, least_score=0.3, keep=6).eval()
    boxes, scores = made.propose(features(), (24, 32))
    look = ImageList(torch.zeros(3, 1, 24, 32), [(24, 32)] * 3)
    theirs, _ = RegionProposalNetwork.forward(made, look, {"0": features()})
    for ours, score, expected in zip(boxes, scores, theirs, strict=True):
        there = score > -math.inf
        assert there.sum() == len(expected) > 1
        pixels = box_convert(ours[there], "cxcywh", "xyxy") * torch.tensor([32, 24, 32, 24])
        torch.testing.assert_close(pixels, expected, atol=1e-4, rtol=1e-4)
        assert (score.diff() <= 0).all()


def test_losses_are_those_of_torchvision() -> None:
    made, boxes = network(), [torch.tensor([[0.3, 0.4, 0.3, 0.4], [0.7, 0.6, 0.2, 0.3]]), torch.zeros(0, 4), OWN]
    pixels = [box_convert(found, "cxcywh", "xyxy") * torch.tensor([32, 24, 32, 24]) for found in boxes]
    look = ImageList(torch.zeros(3, 1, 24, 32), [(24, 32)] * 3)
    torch.manual_seed(0)  # which anchors are sampled
    ours = made.losses(features(), (24, 32), boxes)
    torch.manual_seed(0)
    _, theirs = RegionProposalNetwork.forward(made, look, {"0": features()}, [{"boxes": found} for found in pixels])
    torch.testing.assert_close(ours, (theirs["loss_objectness"], theirs["loss_rpn_box_reg"]))


def test_proposals_start_where_there_is_something() -> None:
    torch.manual_seed(0)
    seen = torch.zeros(1, 8, 16, 16)
    seen[..., 4, 11] = 2.0
    boxes, scores = ProposalNetwork(8, (6.0,)).propose(seen, (32, 32))
    torch.testing.assert_close(boxes[0, 0, :2], torch.tensor([11.0, 4.0]) / 16, atol=0.03, rtol=0)
    assert scores[0, 0] > scores[0, -1] + 3


@given(
    proposals=st.lists(
        st.tuples(*[st.floats(0.2, 0.8)] * 2, *[st.floats(0.05, 0.4)] * 2, st.floats(-6, 6)), min_size=0, max_size=5
    )
)
def test_the_refined_box_lies_among_the_others(proposals: list[tuple[float, ...]]) -> None:
    found = torch.tensor(proposals, dtype=torch.float64).view(1, -1, 5)
    boxes, scores = found[..., :4], found[..., 4]
    refined = theta_to_boxes(refine_theta(boxes_to_theta(OWN.double()), boxes, scores))
    every = torch.cat([OWN.double().unsqueeze(0), boxes], dim=1)[0]
    assert ((refined[0] >= every.amin(0) - 1e-9) & (refined[0] <= every.amax(0) + 1e-9)).all()


def test_the_mean_is_weighted_by_odds_and_overlap() -> None:
    boxes = torch.tensor([[[0.5, 0.5, 0.4, 0.4], [0.9, 0.9, 0.1, 0.1]]])
    scores = torch.tensor([[math.log(4.0), math.log(10.0)]])
    # Weights: 1 of the pose itself; 4 * IoU of 0.04 / 0.16; 10 * the least overlap of 0.05.
    weights = torch.tensor([1.0, 1.0, 0.5]) / 2.5
    refined = theta_to_boxes(refine_theta(boxes_to_theta(OWN), boxes, scores))[0]
    assert refined[0].item() == pytest.approx((weights * torch.tensor([0.5, 0.5, 0.9])).sum().item())
    logs = torch.tensor([0.2, 0.4, 0.1]).log()
    assert refined[2].item() == pytest.approx((weights * logs).sum().exp().item())
    scores[0, 0] += 0.1
    hard = refine_theta(boxes_to_theta(OWN), boxes, scores, hard=True)
    torch.testing.assert_close(hard, boxes_to_theta(boxes[:, 0]))


@pytest.mark.parametrize("hard", [True, False])
def test_without_proposals_theta_stays(hard: bool) -> None:
    theta = compose(boxes_to_theta(OWN), torch.tensor([[[0.8, -0.6, 0.1], [0.6, 0.8, -0.2]]]))
    for proposals, scores in [
        (torch.zeros(1, 0, 4), torch.zeros(1, 0)),
        (torch.rand(1, 3, 4), torch.full((1, 3), -math.inf)),
        (torch.zeros(1, 3, 4), torch.full((1, 3), -math.inf)),
    ]:
        proposals.requires_grad_(), theta.requires_grad_()
        refined = refine_theta(theta, proposals, scores, hard=hard)
        torch.testing.assert_close(refined, theta)
        gradients = torch.autograd.grad(refined.sum(), [theta, proposals])
        assert all(gradient.isfinite().all() for gradient in gradients)


def test_a_turned_crop_stays_turned() -> None:
    turn = torch.tensor([[[0.8, -0.6, 0.0], [0.6, 0.8, 0.0]]])
    theta = compose(boxes_to_theta(OWN), turn)
    box = torch.tensor([[[0.3, 0.6, 0.14, 0.28]]])
    refined = refine_theta(theta, box, torch.tensor([[50.0]]))
    torch.testing.assert_close(theta_to_boxes(refined), box[0])
    scale = torch.tensor([0.14, 0.28]) / theta_to_boxes(theta)[0, 2:]
    torch.testing.assert_close(refined[0, :, :2], theta[0, :, :2] * scale.unsqueeze(1))


def test_a_span_moves_like_a_box() -> None:
    theta = boxes_to_theta(torch.tensor([[0.5, 0.2]]))
    refined = refine_theta(theta, torch.tensor([[[0.4, 0.3]]]), torch.tensor([[60.0]]))
    torch.testing.assert_close(theta_to_boxes(refined), torch.tensor([[0.4, 0.3]]))


def test_gradcheck() -> None:
    torch.manual_seed(0)
    theta = (boxes_to_theta(OWN) + 0.05 * torch.rand(2, 2, 3)).double().requires_grad_()
    proposals = (0.3 + 0.3 * torch.rand(2, 4, 4)).double().requires_grad_()
    scores = torch.randn(2, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(refine_theta, (theta, proposals, scores))


def test_the_loss_on_the_crop_trains_the_proposals() -> None:
    module = transformer()
    module(torch.rand(2, 1, 48, 48)).square().sum().backward()
    for layer in (module.proposals.head.bbox_pred, module.proposals.head.cls_logits, module.localizer.heatmap):
        assert layer.weight.grad.abs().sum() > 0


def test_in_use_the_crop_is_the_likeliest_candidate() -> None:
    module, images = transformer().eval(), torch.rand(4, 1, 48, 40)
    nn.init.constant_(module.localizer.log_sharpness, 6.0)  # one clear peak
    poses, log_weights = module.candidates(images, 3)
    assert poses.shape == (4, 3, 2, 3)
    torch.testing.assert_close(log_weights.exp().sum(1), torch.ones(4))
    torch.testing.assert_close(module.locate(images), poses[:, 0])
    torch.testing.assert_close(module(images), sample(images, poses[:, 0], (10, 12)))


def test_candidates_are_the_localizers_refined() -> None:
    module, images = transformer(), torch.rand(4, 1, 48, 40)
    poses, log_weights = module.candidates(images, 2)
    _, proposals, scores = module.propose(images)
    features = module.features(module.look(images))
    raw, expected = module.localizer.candidates(features, 2)
    for k in range(2):
        refined = refine_theta(module.transform(raw[:, k]), proposals, scores)
        torch.testing.assert_close(poses[:, k], refined)
    torch.testing.assert_close(log_weights, expected)


def test_proposals_that_have_not_learned_leave_the_crop_to_the_localizer() -> None:
    torch.manual_seed(0)
    module, images = transformer(), torch.rand(8, 1, 48, 40)
    module.proposals = ProposalNetwork(4, (6.0, 12.0))
    poses, _ = module.candidates(images, 1)
    raw, _ = module.localizer.candidates(module.features(module.look(images)), 1)
    torch.testing.assert_close(poses[:, 0], module.transform(raw[:, 0]), atol=0.05, rtol=0)


def test_several_crops_are_those_that_weigh_most() -> None:
    module, images = transformer().eval(), torch.rand(4, 1, 48, 40)
    poses, log_weights = module.several(images, 5)
    theta, proposals, scores = module.propose(images)
    torch.testing.assert_close(poses[:, 0], refine_theta(theta, proposals, scores, hard=True))
    overlap = box_iou(theta_to_boxes(theta).unsqueeze(1).expand_as(proposals), proposals).clamp(min=0.05)
    every = torch.cat([torch.ones(4, 1), scores.exp() * overlap], dim=1).sort(1, descending=True)[0][:, :5]
    torch.testing.assert_close(log_weights.exp(), every / every.sum(1, keepdim=True))
    boxes = theta_to_boxes(poses)
    assert (boxes.unsqueeze(1) - boxes.unsqueeze(2)).abs().sum(-1).add(torch.eye(5)).min() > 1e-3  # all different


@pytest.mark.parametrize("together", [True, False])
def test_several_crops_together_or_each(together: bool) -> None:
    """Both ways of reading K crops train the proposals' boxes and scores, or the boxes and the classifier."""
    module, images, labels = transformer(), torch.rand(4, 1, 48, 40), torch.tensor([0, 1, 2, 0])
    network, head, pool = nn.Sequential(nn.Flatten(), nn.Linear(120, 6)), nn.Linear(6, 3), AttentionPool(6)
    poses, log_weights = module.several(images, 3)
    features = on_each(network, module.read(images, poses))  # (4, 3, 6)
    if together:
        loss = nn.functional.cross_entropy(head(pool(features)), labels)  # one answer for each image
    else:
        loss = marginal_loss(head(features), log_weights, labels)  # an answer for each crop, and what it weighs
    loss.backward()
    assert module.proposals.head.bbox_pred.weight.grad.abs().sum() > 0
    scored = module.proposals.head.cls_logits.weight.grad
    assert (scored is None or not scored.any()) if together else scored.abs().sum() > 0


def test_all_suppressed() -> None:
    module, images = transformer(least_score=1.1), torch.rand(4, 1, 48, 40)
    theta, _, scores = module.propose(images)
    assert (scores == -math.inf).all()
    for mode in (True, False):
        module.train(mode)
        torch.testing.assert_close(module.locate(images), module.propose(images)[0])
    poses, log_weights = module.several(images, 2)
    torch.testing.assert_close(poses, module.propose(images)[0].unsqueeze(1).expand(-1, 2, -1, -1))
    torch.testing.assert_close(log_weights[:, 0], torch.zeros(4))
    assert theta.isfinite().all()


def test_copies_no_items_and_lower_precision() -> None:
    module = transformer().eval()
    images = torch.rand(2, 1, 48, 40)
    torch.testing.assert_close(copy.deepcopy(module)(images), module(images))
    assert module(images[:0]).shape == (0, 1, 10, 12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert module.locate(images).dtype == torch.float32


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match=r"proposals \(1, 2, 4\) and scores \(1, 3\)"):
        refine_theta(boxes_to_theta(OWN), torch.zeros(1, 2, 4), torch.zeros(1, 3))
    with pytest.raises(CropworthError, match=r"proposals \(1, 2, 2\)"):
        refine_theta(boxes_to_theta(OWN), torch.zeros(1, 2, 2), torch.zeros(1, 2))
    with pytest.raises(CropworthError, match="12 crops"):
        transformer().several(torch.rand(1, 1, 48, 48), 12)
