import pytest
import torch
from torch.autograd import gradcheck

from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.penalties import out_of_frame, overlap, scale_prior, temporal_smoothness
from cropworth.crops.splines import ThinPlateSpline
from cropworth.errors import CropworthError


def poses(*boxes: list[float]) -> torch.Tensor:
    return boxes_to_theta(torch.tensor(boxes, dtype=torch.float64))


def test_the_share_outside_the_frame() -> None:
    # Inside; half its width beyond the left edge; a quarter of it beyond two edges.
    given = poses([0.5, 0.5, 0.4, 0.4], [0.0, 0.5, 0.4, 0.4], [0.9, 0.9, 0.4, 0.4])
    assert [out_of_frame(given[i : i + 1]).item() for i in range(3)] == pytest.approx([0.0, 0.5, 0.5])
    assert out_of_frame(given).item() == pytest.approx(1 / 3)


def test_a_crop_far_outside_is_pulled_back() -> None:
    theta = poses([0.5, 0.5, 0.2, 0.2])
    theta[0, 0, 2] = 3.0
    theta.requires_grad_()
    out_of_frame(theta).backward()
    assert theta.grad is not None
    assert theta.grad[0, 0, 2] > 0  # descending moves it left


def test_the_scale_prior() -> None:
    assert scale_prior(poses([0.5, 0.5, 0.3, 0.3]), 0.3).item() == pytest.approx(0.0, abs=1e-12)
    doubled, halved = (scale_prior(poses([0.5, 0.5, s, s]), 0.3).item() for s in (0.6, 0.15))
    assert doubled == pytest.approx(halved)
    assert scale_prior(poses([0.5, 0.5, 0.6, 0.15]), 0.3).item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("scale", [0.0, -0.5, 28.0, float("nan")])
def test_a_scale_in_pixels_is_refused(scale: float) -> None:
    with pytest.raises(CropworthError, match=r"scale = .*; expected a fraction of the input"):
        scale_prior(poses([0.5, 0.5, 0.3, 0.3]), scale)


def test_smoothness_of_a_still_and_a_moving_crop() -> None:
    still = poses([0.5, 0.5, 0.4, 0.4]).repeat(1, 3, 1, 1)
    assert temporal_smoothness(still).item() == 0
    moving = still.clone()
    moving[:, 1, 0, 2] += 0.1  # there and back: two steps of 0.1 in x, for all corners
    assert temporal_smoothness(moving).item() == pytest.approx(0.01)


def test_overlap_of_several_crops() -> None:
    apart = poses([0.2, 0.5, 0.2, 0.2], [0.8, 0.5, 0.2, 0.2])[None]
    same = poses([0.2, 0.5, 0.2, 0.2], [0.2, 0.5, 0.2, 0.2])[None]
    half = poses([0.4, 0.5, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2])[None]
    found = [overlap(p).item() for p in (apart, same, half)]
    assert found == pytest.approx([0.0, 1.0, 1 / 3])


def test_gradchecks() -> None:
    theta = poses([0.1, 0.4, 0.5, 0.3], [0.5, 0.45, 0.4, 0.5], [0.9, 0.5, 0.3, 0.35]).requires_grad_()
    assert gradcheck(out_of_frame, theta)
    assert gradcheck(lambda t: scale_prior(t, 0.3), theta)
    assert gradcheck(lambda t: temporal_smoothness(t[None]), theta)
    assert gradcheck(lambda t: overlap(t[None]), theta)


def test_curved_poses_have_penalties_too() -> None:
    spline = ThinPlateSpline(3)
    pose = spline(torch.rand(4, spline.parameters_needed)).view(2, 2, 2, 12)
    for penalty in (out_of_frame, overlap, temporal_smoothness, lambda p: scale_prior(p, 0.5)):
        assert penalty(pose).isfinite()


def test_what_is_refused() -> None:
    one = poses([0.5, 0.5, 0.4, 0.4])
    for penalty, what in ((temporal_smoothness, "B, T"), (overlap, "B, K")):
        for wrong in (one, one[None]):
            with pytest.raises(CropworthError, match=what):
                penalty(wrong)
