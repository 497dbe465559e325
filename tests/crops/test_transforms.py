import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from cropworth.crops.geometry import boxes_to_theta, theta_to_boxes
from cropworth.crops.transforms import Affine, Transform, Zoom, limited
from cropworth.errors import CropworthError

EVERY = [Zoom(), Zoom((0.3, 0.6, 0.4, 0.4)), Zoom(dims=1), Zoom((0.7, 0.2), dims=1), Affine(), Affine(dims=1)]


@pytest.mark.parametrize("transform", EVERY, ids=repr)
def test_raw_zero_is_the_starting_pose(transform: Transform) -> None:
    theta = transform(torch.zeros(2, transform.parameters_needed))
    assert theta.shape == (2, transform.dims, transform.dims + 1)
    torch.testing.assert_close(theta[0], theta[1])


def test_the_starting_box_is_the_one_chosen() -> None:
    box = torch.tensor([[0.3, 0.6, 0.4, 0.4]])
    # The centre passes a smooth bound, which moves it by little here.
    theta = Zoom(tuple(box[0].tolist()))(torch.zeros(1, 3))
    torch.testing.assert_close(theta, boxes_to_theta(box), atol=2e-3, rtol=0)


@pytest.mark.parametrize("transform", EVERY, ids=repr)
def test_gradcheck(transform: Transform) -> None:
    transform = transform.double()
    raw = torch.randn(3, transform.parameters_needed, dtype=torch.float64).mul(0.7).requires_grad_()
    assert gradcheck(transform, raw)


@given(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3))
def test_a_zoom_can_neither_flip_nor_vanish_nor_leave_the_frame(raw: list[float]) -> None:
    box = theta_to_boxes(Zoom(smallest=0.1, largest=1.5)(torch.tensor([raw])))[0]
    assert 0.0999 <= box[2] <= 1.5001
    assert box[2] == box[3]
    assert (2 * box[:2] - 1).abs().max() <= 1.2001


def test_near_the_start_raw_is_a_change_of_log_scale() -> None:
    zoom = Zoom((0.5, 0.5, 0.5, 0.5)).double()
    theta = zoom(torch.tensor([[0.0, 0.0, 1e-6]], dtype=torch.float64))
    assert math.log(theta[0, 0, 0].item() / 0.5) == pytest.approx(1e-6, rel=1e-3)


def test_affine_by_hand() -> None:
    theta = Affine()(torch.tensor([[0.1, 0.2, 1.0, 2.0, 3.0, 4.0]]))
    torch.testing.assert_close(theta, torch.tensor([[[2.0, 2.0, 0.1], [3.0, 5.0, 0.2]]]))


@given(st.floats(-50, 50))
def test_the_smooth_bound(value: float) -> None:
    x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    y = limited(x, 1.2)
    (slope,) = torch.autograd.grad(y, x)
    assert abs(y.item()) <= 1.2
    assert slope > 0
    if abs(value) < 0.6:
        assert y.item() == pytest.approx(value, rel=0.02)


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match=r"shape \(2, 4\).*\(B, 3\) for Zoom"):
        Zoom()(torch.zeros(2, 4))
    with pytest.raises(CropworthError, match="start = "):
        Zoom((0.5, 0.5, 0.4, 0.6))
    with pytest.raises(CropworthError, match="start = "):
        Zoom((0.5, 0.5, 2.0, 2.0))
    with pytest.raises(CropworthError, match="dims = 3"):
        Affine(dims=3)
