from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck
from torchvision.ops import box_convert
from torchvision.ops import box_iou as torchvision_iou

from cropworth.crops import geometry
from cropworth.crops.splines import ThinPlateSpline
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


def homographies(seed: int) -> Tensor:
    """Near the identity, so that no horizon crosses the crop: (3, 3, 3), float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.eye(3, dtype=torch.float64) + 0.15 * torch.randn(3, 3, 3, dtype=torch.float64, generator=generator)


def splines(seed: int) -> Tensor:
    """Bent affine crops (3, 2, 3 + 9), float64."""
    generator = torch.Generator().manual_seed(seed)
    transform = ThinPlateSpline(3).double()
    return transform(0.5 * torch.randn(3, transform.parameters_needed, dtype=torch.float64, generator=generator))


KINDS = {"projective": homographies, "spline": splines}


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 1000))
def test_point_maps_of_curved_poses_invert(kind: str, seed: int) -> None:
    pose = KINDS[kind](seed)
    points = torch.rand(3, 7, 2, dtype=torch.float64) * 2 - 1
    torch.testing.assert_close(
        geometry.unmap_points(pose, geometry.map_points(pose, points)), points, atol=1e-6, rtol=0
    )


@given(seed=st.integers(0, 1000))
def test_homographies_compose_associatively_also_with_affine_poses(seed: int) -> None:
    a, b, c = homographies(seed), homographies(seed + 1), homographies(seed + 2)[:, :2]
    left = geometry.compose(geometry.compose(a, b), c)
    torch.testing.assert_close(left, geometry.compose(a, geometry.compose(b, c)))
    points = torch.rand(3, 5, 2, dtype=torch.float64)
    inner = geometry.map_points(b, geometry.map_points(c, points))
    torch.testing.assert_close(geometry.map_points(left, points), geometry.map_points(a, inner))


@given(seed=st.integers(0, 1000))
def test_an_affine_crop_of_a_bent_one(seed: int) -> None:
    outer, inner = homographies(seed)[:, :2], splines(seed)
    points = torch.rand(3, 5, 2, dtype=torch.float64) * 2 - 1
    expected = geometry.map_points(outer, geometry.map_points(inner, points))
    torch.testing.assert_close(geometry.map_points(geometry.compose(outer, inner), points), expected)


def test_a_homography_by_hand() -> None:
    # The right half of the picture plane comes nearer: at x = 1 everything is divided by 1.5.
    pose = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.0, 1.0]])
    points = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [0.0, 0.5]])
    expected = torch.tensor([[1 / 1.5, 1 / 1.5], [-2.0, 2.0], [0.0, 0.5]])
    torch.testing.assert_close(geometry.map_points(pose, points), expected)


def test_a_box_in_the_crop_is_drawn_on_the_original_and_back() -> None:
    theta = geometry.boxes_to_theta(torch.tensor([[0.6, 0.4, 0.4, 0.2]]))
    in_crop = torch.tensor([[[0.25, 0.5, 0.5, 1.0], [0.5, 0.5, 1.0, 1.0]]])  # its left half, and all of it
    expected = torch.tensor([[[0.5, 0.4, 0.2, 0.2], [0.6, 0.4, 0.4, 0.2]]])
    torch.testing.assert_close(geometry.map_boxes(theta, in_crop), expected)
    torch.testing.assert_close(geometry.unmap_boxes(theta, expected), in_crop)
    for pose in (homographies(0)[:1], splines(0)[:1]):
        there = geometry.map_boxes(pose, in_crop.double())
        torch.testing.assert_close(there[:, 1], geometry.theta_to_boxes(pose))


def test_a_volume_has_boxes_too() -> None:
    box = torch.tensor([[0.4, 0.5, 0.6, 0.2, 0.3, 0.5]])
    theta = geometry.boxes_to_theta(box)
    assert theta.shape == (1, 3, 4)
    torch.testing.assert_close(geometry.theta_to_boxes(theta), box)
    assert geometry.corners(theta).shape == (1, 8, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_curved_poses_and_points(kind: str) -> None:
    pose = KINDS[kind](0).requires_grad_()
    points = (torch.rand(3, 4, 2, dtype=torch.float64) * 1.8 - 0.9).requires_grad_()
    assert gradcheck(geometry.map_points, (pose, points))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: geometry.theta_to_boxes(torch.zeros(3, 2)), r"theta of shape \(3, 2\).*\(\.\.\., 2, 3\)"),
        (lambda: geometry.dimensions(torch.zeros(1, 2, 6)), r"theta of shape \(1, 2, 6\)"),
        (lambda: geometry.boxes_to_theta(torch.zeros(2, 3)), r"boxes of shape \(2, 3\)"),
        (lambda: geometry.boxes_to_theta(torch.tensor([[32.0, 32.0, 8.0, 8.0]])), r"numbers from 8 to 32.*fractions"),
        (lambda: geometry.boxes_to_theta(torch.tensor([0.5, 0.5, -0.1, 0.2])), r"numbers from -0\.1"),
        (lambda: geometry.boxes_to_theta(torch.tensor([0.5, 0.5, float("nan"), 0.2])), r"numbers from nan"),
        (lambda: geometry.invert(torch.zeros(1, 2, 3)), "without area"),
        (lambda: geometry.invert(splines(0)), "unmap_points"),
        (lambda: geometry.compose(splines(0), splines(0)), "Put the spline last"),
        (lambda: geometry.compose(homographies(0), splines(0)), "Put the spline last"),
    ],
)
def test_what_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        call()
