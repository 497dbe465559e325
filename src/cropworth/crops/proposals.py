"""Crops guided by a region proposal network: it proposes boxes with scores, and the crop's pose moves to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import box_convert, clip_boxes_to_image, nms

from cropworth.crops.geometry import box_iou, theta_to_boxes
from cropworth.crops.localizers import ACTIVITY
from cropworth.crops.spatial import Cropper, Sampling, candidates_placed, placed
from cropworth.crops.transforms import Transform
from cropworth.errors import CropworthError

# An overlap counts at least this much, so that a proposal away from the pose can still win by odds of 20 to 1.
LEAST_OVERLAP = 0.05
# Scores start so low that the pose stays where it is until proposals have learned something. Where they move it from
# the start, the classifier finds little to read: on scenes of digits without true boxes (one trial each, validation) it
# read 62 % with -4.6, and 84 % with this.
START_SCORE = -7.0
# Anchors of an item that its losses are taken over, at most half of them on an object. One object has but a few: among
# torchvision's 256, or 64, the boxes' loss is hardly anything, and the boxes take several times as long to fit.
SAMPLED = 16


class ProposalNetwork(RegionProposalNetwork):  # type: ignore[misc]
    """Features -> boxes with scores: the region proposal network of Ren et al. 2015, section 3.1, torchvision's.

    Head, anchors, box coding, suppression, the assignment of anchors to true boxes and the losses are taken over. Only
    the gradient differs: here it flows into boxes and scores, so that a loss on the crop trains them without any true
    box. The head has no convolution of its own: give it features that see the whole object, such as a `Pyramid`'s.

    Args:
        channels: of the features.
        sides: of the square anchors, in pixels of the look.
        ratios: heights over widths of the anchors.
        before: proposals with the highest scores, of each item, that enter the suppression.
        keep: N, proposals that are kept of each item.
        overlap: of two proposals that overlap by more (IoU), the one with the lower score is suppressed.
        least_score: proposals of a lower probability are suppressed too, and then learn from true boxes alone.
        sharpness: the scores start, far below even odds, as the features' mean activity times this, see
            `HeatmapLocalizer`.
    """

    def __init__(
        self,
        channels: int,
        sides: Sequence[float],
        *,
        ratios: Sequence[float] = (1.0,),
        before: int = 32,
        keep: int = 8,
        overlap: float = 0.5,
        least_score: float = 0.0,
        sharpness: float = 10.0,
    ) -> None:
        anchors = AnchorGenerator((tuple(sides),), (tuple(ratios),))
        # Without a convolution of its own, which took a tenth of a guided crop's time and found no more of the objects.
        head = RPNHead(channels, anchors.num_anchors_per_location()[0], conv_depth=0)
        super().__init__(
            anchors,
            head,
            fg_iou_thresh=0.6,
            bg_iou_thresh=0.3,
            batch_size_per_image=SAMPLED,
            positive_fraction=0.5,
            pre_nms_top_n={"training": before, "testing": before},
            post_nms_top_n={"training": keep, "testing": keep},
            nms_thresh=overlap,
            score_thresh=least_score,
        )
        nn.init.constant_(head.cls_logits.weight, ACTIVITY * sharpness / channels)
        nn.init.constant_(head.cls_logits.bias, START_SCORE)

    def propose(self, features: Tensor, look_size: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The proposals of each item, the highest score first.

        Args:
            features: (B, F, h', w').
            look_size: (h, w) of the look that they were computed from.

        Returns:
            Boxes (B, N, 4), fractions of the look, and scores (B, N), the logits of their probabilities; where an item
            has fewer proposals, the last scores are -inf. N is `keep`, or less if there are not so many anchors.
        """
        scores, deltas, anchors = self._predict(features, look_size)
        items, (height, width) = features.shape[0], look_size
        wide = torch.promote_types(deltas.dtype, torch.float32)
        scores, order = scores.to(wide).topk(min(self.pre_nms_top_n(), scores.shape[1]), dim=1)
        deltas = _chosen(deltas.to(wide), order)  # only what stays is decoded
        boxes = self.box_coder.decode_single(deltas.flatten(0, 1), anchors[order].flatten(0, 1)).view_as(deltas)
        boxes = clip_boxes_to_image(boxes, (height, width))
        corner, size = boxes[..., :2], boxes[..., 2:] - boxes[..., :2]
        # One suppression for all items, each moved to a place of its own: one for each would take longer than all else.
        item = torch.arange(items, device=boxes.device).repeat_interleave(boxes.shape[1])
        apart = boxes.detach().double().flatten(0, 1) + (item * (2 * max(height, width))).unsqueeze(-1)
        kept = nms(apart, scores.detach().double().flatten(), self.nms_thresh)
        suppressed = torch.ones_like(item, dtype=torch.bool).index_fill(0, kept, False).view_as(scores)
        suppressed = suppressed | (scores.sigmoid() < self.score_thresh) | (size.amin(-1) < 1)
        scores = scores.masked_fill(suppressed, -math.inf)
        scores, order = scores.topk(min(self.post_nms_top_n(), scores.shape[1]), dim=1)
        unit = boxes.new_tensor([width, height])
        fractions = torch.cat([(corner + size / 2) / unit, size / unit], dim=-1)
        return _chosen(fractions, order), scores

    def losses(self, features: Tensor, look_size: Sequence[int], boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """What to add to the loss where true boxes are known: of the scores, and of the boxes.

        Args:
            features: (B, F, h', w').
            look_size: (h, w) of the look that they were computed from.
            boxes: of each item, (n, 4), fractions of the look; n may be 0.
        """
        scores, deltas, anchors = self._predict(features, look_size)
        unit = deltas.new_tensor([look_size[1], look_size[0]]).repeat(2)
        targets = [{"boxes": box_convert(found, "cxcywh", "xyxy") * unit} for found in boxes]
        every = [anchors] * len(features)
        labels, matched = self.assign_targets_to_anchors(every, targets)
        of_scores, of_boxes = self.compute_loss(
            scores.flatten(), deltas.flatten(0, 1), labels, self.box_coder.encode(matched, every)
        )
        return of_scores, of_boxes

    def _predict(self, features: Tensor, look_size: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (B, M), deltas (B, M, 4) and the anchors (M, 4), in pixels of the look."""
        size = (look_size[0], look_size[1])
        (scores,), (deltas,) = self.head([features])  # (B, A, h', w'), (B, 4 A, h', w')
        (anchors,) = self.anchor_generator(ImageList(features.new_empty(1, 1, *size), [size]), [features])
        items, count, height, width = scores.shape
        deltas = deltas.view(items, count, 4, height, width).permute(0, 3, 4, 1, 2)
        return scores.permute(0, 2, 3, 1).reshape(items, len(anchors)), deltas.reshape(items, len(anchors), 4), anchors


class ProposalGuidedTransformer(Cropper):
    """A learned crop that moves to what a region proposal network finds (the article's second system).

    In training the crop lies at the mean of localizer and proposals, so that the classifier's loss trains both; better,
    train on `candidates` by `marginal_loss`, and add the `proposal_losses` where true boxes are known. In use it takes
    the likeliest one. See `refine_theta` for the weights, and `several` for more than one crop of each image.

    Args:
        features: look (B, C, *look_size) -> features (B, F, h', w'), which localizer and proposals share.
        localizer: features -> raw parameters (B, P), such as
            ``HeatmapLocalizer(F, P, width=F, features=nn.Identity())``, whose peaks are the candidates.
        transform: raw parameters -> an affine pose.
        proposals: features -> boxes and scores.
        size: (h, w) of the crop in pixels.
        look_size: (h, w) of the small copy that is looked at, a multiple of the features' size.
        sampling: `mode`, `padding`, `antialias` and `reach`, as in `sample`.
    """

    def __init__(
        self,
        features: nn.Module,
        localizer: nn.Module,
        transform: Transform,
        proposals: ProposalNetwork,
        size: Sequence[int],
        *,
        look_size: Sequence[int],
        **sampling: Unpack[Sampling],
    ) -> None:
        super().__init__(localizer, size, look_size, sampling)
        self.features, self.transform, self.proposals = features, transform, proposals

    def locate(self, images: Tensor) -> Tensor:
        """See `Cropper`: theta (B, 2, 3)."""
        return refine_theta(*self.propose(images), hard=not self.training)

    def propose(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images (B, C, H, W) -> the unrefined theta (B, 2, 3), proposals (B, N, 4) and their scores (B, N)."""
        look = self.look(images)
        features = self.features(look)
        theta = placed(self.transform, self.localizer(features))
        return (theta, *self.proposals.propose(features, look.shape[-2:]))

    def candidates(self, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """See `Cropper`: the localizer's candidates, each refined by the proposals."""
        look = self.look(images)
        features = self.features(look)
        thetas, log_weights = candidates_placed(self.transform, self.localizer, features, count)
        found = self.proposals.propose(features, look.shape[-2:])
        proposals, scores = (each.repeat_interleave(count, dim=0) for each in found)
        refined = refine_theta(thetas.flatten(0, 1), proposals, scores, hard=not self.training)
        return refined.view_as(thetas), log_weights

    def several(self, images: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """K crops of each image: at the proposals that weigh most, among which is the localizer's own box.

        Classify them together, their features pooled (`AttentionPool`) or their answers weighted (`marginal_loss`), or
        each for itself as a detector does; `on_each` runs the network on them.

        Args:
            images: (B, C, H, W).
            count: K, at most one more than the proposals that are kept.

        Returns:
            Poses (B, K, 2, 3), and the logarithms of their weights (B, K), the greatest first; the weights of an item
            sum to 1. Where there are fewer proposals, the rest are the localizer's pose with a weight of 0.

        Raises:
            CropworthError: there are not so many.
        """
        theta, proposals, scores = self.propose(images)
        boxes, log_weights = _candidates(theta, proposals, scores)
        if not 1 <= count <= boxes.shape[1]:
            raise CropworthError(f"{count} crops", f"1 to {boxes.shape[1]}", "Let the proposal network keep more.")
        log_weights, places = log_weights.topk(count, dim=1)
        poses = _moved(theta.unsqueeze(1).expand(-1, count, -1, -1), _chosen(boxes, places))
        return poses, log_weights.log_softmax(1)

    def proposal_losses(self, images: Tensor, boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """See `ProposalNetwork.losses`: images (B, C, H, W) and their true boxes, (n, 4) each -> two scalars."""
        look = self.look(images)
        return self.proposals.losses(self.features(look), look.shape[-2:], boxes)


def refine_theta(theta: Tensor, proposals: Tensor, scores: Tensor, *, hard: bool = False) -> Tensor:
    """Move poses to proposals: to the mean of all, weighted by score and overlap, or to the one that weighs most.

    A proposal's weight is its probability's odds times its overlap (IoU) with the pose's own box, which counts at least
    0.05. The pose itself stands among them with even odds: it stays where it is if there is no proposal, or none that
    is likelier than not.

    Args:
        theta: affine poses (B, d, d + 1).
        proposals: boxes (B, N, 2 d), fractions of the input; N may be 0.
        scores: logits (B, N); -inf where there is no proposal.
        hard: move to the proposal of the highest weight instead of the mean, which may lie between two objects.

    Returns:
        theta (B, d, d + 1), turned and sheared as before, with gradients to all three.

    Raises:
        CropworthError: the sizes do not match.
    """
    boxes, log_weights = _candidates(theta, proposals, scores)
    if hard:
        return _moved(theta, _chosen(boxes, log_weights.argmax(1, keepdim=True)).squeeze(1))
    centre, size = boxes.chunk(2, dim=-1)
    weights = log_weights.softmax(1).unsqueeze(-1)  # (B, 1 + N, 1)
    # The mean of log-sizes: a box twice as large and one half as large leave the pose's size as it is.
    return _moved(theta, torch.cat([(weights * centre).sum(1), (weights * size.log()).sum(1).exp()], dim=-1))


def _candidates(theta: Tensor, proposals: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """The pose's own box and the proposals (B, 1 + N, 2 d), and the logarithms of their weights (B, 1 + N)."""
    own = theta_to_boxes(theta).unsqueeze(1)
    if proposals.shape[:-1] != scores.shape or proposals.shape[::2] != own.shape[::2]:
        raise CropworthError(
            f"theta {tuple(theta.shape)}, proposals {tuple(proposals.shape)} and scores {tuple(scores.shape)}",
            f"proposals ({len(theta)}, N, {own.shape[-1]}) and scores ({len(theta)}, N)",
            "Give each pose its proposals, as boxes of as many dimensions.",
        )
    # A proposal that is not there has a box as well, and no share in the mean; its gradient must not be 0 * nan.
    there = scores > -math.inf
    proposals = torch.where(there.unsqueeze(-1), proposals, own)
    overlap = box_iou(own, proposals).clamp(min=LEAST_OVERLAP).log()
    return torch.cat([own, proposals], dim=1), torch.cat([torch.zeros_like(own[..., 0]), scores + overlap], dim=1)


def _chosen(boxes: Tensor, places: Tensor) -> Tensor:
    """Of boxes (B, M, 2 d) those at `places` (B, N) -> (B, N, 2 d)."""
    return boxes.gather(1, places.unsqueeze(-1).expand(-1, -1, boxes.shape[-1]))


def _moved(theta: Tensor, boxes: Tensor) -> Tensor:
    """The pose of the same turn and shear whose box is another: theta (..., d, d + 1), boxes (..., 2 d)."""
    d = theta.shape[-2]
    scale = boxes[..., d:] / theta_to_boxes(theta)[..., d:]
    return torch.cat([theta[..., :-1] * scale.unsqueeze(-1), (2 * boxes[..., :d] - 1).unsqueeze(-1)], dim=-1)
