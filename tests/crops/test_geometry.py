import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck
from torchvision.ops import box_convert
from torchvision.ops import box_iou as torchvision_iou

from cropworth.crops import geometry
from cropworth.errors import CropworthError

shares = st.floats(0.05, 0.95)


@st.composite
def poses(draw: st.DrawFn, dims: int = 2) -> Tensor:
    """Invertible poses that may turn, shear and straddle the frame (3, d, d + 1), float64."""
    seed = draw(st.integers(0, 10_000))
    generator = torch.Generator().manual_seed(seed)
    theta = torch.randn(3, dims, dims + 1, dtype=torch.float64, generator=generator)
    theta[..., :-1] += 3 * torch.eye(dims, dtype=torch.float64)  # away from singular
    return theta


@given(st.lists(st.tuples(shares, shares, shares, shares), min_size=1, max_size=4))
def test_box_and_pose_are_two_words_for_one_thing(boxes: list[tuple[float, ...]]) -> None:
    given_boxes = torch.tensor(boxes, dtype=torch.float64)
    torch.testing.assert_close(geometry.theta_to_boxes(geometry.boxes_to_theta(given_boxes)), given_boxes)


def test_a_box_by_hand() -> None:
    # The right half of the frame: x runs over [0, 1], y over [-1, 1].
    theta = geometry.boxes_to_theta(torch.tensor([0.75, 0.5, 0.5, 1.0]))
    torch.testing.assert_close(theta, torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]))
    found = geometry.corners(theta)
    torch.testing.assert_close(found, torch.tensor([[0.0, -1.0], [1.0, -1.0], [1.0, 1.0], [0.0, 1.0]]))


def test_a_span_by_hand() -> None:
    # The last quarter of a sequence.
    theta = geometry.boxes_to_theta(torch.tensor([0.875, 0.25]))
    torch.testing.assert_close(theta, torch.tensor([[0.25, 0.75]]))
    torch.testing.assert_close(geometry.corners(theta), torch.tensor([[0.5], [1.0]]))


def test_the_box_of_a_turned_crop_is_the_box_of_its_corners() -> None:
    angle = torch.tensor(0.3)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    theta = torch.cat([0.5 * turn, torch.tensor([[0.1], [-0.2]])], dim=1)
    corners = geometry.corners(theta)
    low, high = (corners.amin(0) + 1) / 2, (corners.amax(0) + 1) / 2
    torch.testing.assert_close(geometry.theta_to_boxes(theta), torch.cat([(low + high) / 2, high - low]))


@pytest.mark.parametrize("dims", [1, 2])
@given(data=st.data())
def test_point_maps_invert(dims: int, data: st.DataObject) -> None:
    theta = data.draw(poses(dims))
    points = torch.rand(3, 5, dims, dtype=torch.float64) * 2 - 1
    there = geometry.map_points(theta, points)
    torch.testing.assert_close(geometry.map_points(geometry.invert(theta), there), points, atol=1e-9, rtol=0)


@pytest.mark.parametrize("dims", [1, 2])
@given(data=st.data())
def test_composition_is_map_after_map_and_associative(dims: int, data: st.DataObject) -> None:
    a, b, c = (data.draw(poses(dims)) for _ in range(3))
    points = torch.rand(3, 5, dims, dtype=torch.float64)
    composed = geometry.map_points(geometry.compose(a, b), points)
    torch.testing.assert_close(composed, geometry.map_points(a, geometry.map_points(b, points)))
    left, right = geometry.compose(geometry.compose(a, b), c), geometry.compose(a, geometry.compose(b, c))
    torch.testing.assert_close(left, right)


@given(st.integers(0, 1000))
def test_iou_equals_torchvisions(seed: int) -> None:
    boxes = torch.rand(2, 8, 4, generator=torch.Generator().manual_seed(seed)) * 0.9 + 0.05
    first, second = (box_convert(b, "cxcywh", "xyxy") for b in boxes)
    torch.testing.assert_close(geometry.box_iou(boxes[0], boxes[1]), torchvision_iou(first, second).diagonal())


def test_gradients_reach_boxes_and_poses() -> None:
    boxes = torch.tensor([[0.4, 0.6, 0.3, 0.5]], dtype=torch.float64, requires_grad=True)
    other = torch.tensor([[0.5, 0.5, 0.4, 0.4]], dtype=torch.float64)
    assert gradcheck(geometry.boxes_to_theta, boxes)
    assert gradcheck(lambda b: geometry.box_iou(b, other), boxes)
    theta = geometry.boxes_to_theta(boxes.detach()).requires_grad_()
    assert gradcheck(geometry.theta_to_boxes, theta)
    assert gradcheck(geometry.invert, theta)


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match=r"theta of shape \(3, 2\).*\(\.\.\., 2, 3\)"):
        geometry.theta_to_boxes(torch.zeros(3, 2))
    with pytest.raises(CropworthError, match=r"boxes of shape \(2, 3\)"):
        geometry.boxes_to_theta(torch.zeros(2, 3))
    with pytest.raises(CropworthError, match="without area"):
        geometry.invert(torch.zeros(1, 2, 3))
