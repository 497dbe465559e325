import pytest
import torch

from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.health import CropHealth, blank, centre_error, crop_health, localisation_iou
from cropworth.crops.splines import ThinPlateSpline
from cropworth.crops.transforms import Zoom
from cropworth.errors import CropworthError


def at(*places: tuple[float, float, float]) -> torch.Tensor:
    """Upright square crops by centre and side in fractions of the input, wherever that is: (B, 2, 3)."""
    return torch.tensor([[[s, 0.0, 2 * x - 1], [0.0, s, 2 * y - 1]] for x, y, s in places])


def health(*places: tuple[float, float, float], blanks: list[bool] | None = None) -> CropHealth:
    return crop_health(at(*places), torch.tensor(blanks or [False] * len(places)))


def test_living_crops() -> None:
    found = health((0.3, 0.3, 0.4), (0.7, 0.6, 0.4))
    assert found.problem == found.recommendation == ""
    assert set(found.as_dict()) == {"blank", "tiny", "outside", "saturated", "flipped", "still", "identity"}
    assert not any(found.as_dict().values())


@pytest.mark.parametrize(
    ("found", "problem", "advice"),
    [
        (health((1.8, 0.5, 0.4), (2.0, 0.5, 0.4)), "lie outside", "out_of_frame"),
        (health((0.5, 0.5, 0.02), (0.4, 0.5, 0.03)), "shrunk to nothing", "scale_prior"),
        (health((0.3, 0.3, 0.4), (0.7, 0.3, 0.4), blanks=[True, True]), "100% of the crops are blank", "auxiliary"),
    ],
)
def test_dead_crops_and_what_to_do(found: CropHealth, problem: str, advice: str) -> None:
    assert problem in found.problem
    assert advice in found.recommendation


def test_a_crop_that_stands_still_is_told_but_no_problem() -> None:
    still, whole = health(*[(0.4, 0.5, 0.5)] * 4), health(*[(0.5, 0.5, 1.0)] * 4)
    assert still.problem == whole.problem == ""
    assert (still.still, still.identity, whole.still, whole.identity) == (True, False, True, True)
    assert "a fixed crop would cost less" in still.recommendation
    assert "never left the whole input" in whole.recommendation


def test_crops_at_a_bound() -> None:
    zoom = Zoom((0.5, 0.5, 0.5, 0.5), smallest=0.2)
    poses = zoom(torch.tensor([[0.1, 0.0, -30.0], [-0.2, 0.1, -30.0], [0.3, 0.2, 0.0]]))
    found = crop_health(poses, torch.zeros(3, dtype=torch.bool), zoom)
    assert found.saturated == pytest.approx(2 / 3)
    assert found.problem == ""
    assert "at a bound" in found.recommendation


def test_mirrored_crops() -> None:
    poses = at((0.3, 0.3, 0.4), (0.7, 0.6, 0.4), (0.6, 0.2, 0.3))
    poses[:2, 0, 0] *= -1
    found = crop_health(poses, torch.zeros(3, dtype=torch.bool))
    assert found.flipped == pytest.approx(2 / 3)
    assert found.problem == ""
    assert "mirrored" in found.recommendation


def test_a_crop_that_trembles_in_one_place_stands_still() -> None:
    # Measured in its own sides: a hundredth of the input is little to a large crop and much to a small one.
    assert health((0.49, 0.5, 0.5), (0.51, 0.5, 0.5), (0.5, 0.5, 0.5)).still
    assert not health((0.49, 0.5, 0.1), (0.51, 0.5, 0.1), (0.5, 0.5, 0.1)).still


def test_the_cause_is_told_before_what_follows_from_it() -> None:
    found = health((1.8, 0.5, 0.4), (2.0, 0.5, 0.4), blanks=[True, True])
    assert found.blank == found.outside == 1.0
    assert "outside" in found.problem
    assert "inside" in found.recommendation


def test_half_outside() -> None:
    # Half of each box lies in the frame: not "outside", which begins below a quarter.
    assert health((0.0, 0.5, 0.4)).outside == 0.0
    # A fifth of it: from 0.12 left of the frame's left edge.
    assert health((-0.12, 0.5, 0.4)).outside == 1.0


def test_blank_means_even_while_the_image_is_not() -> None:
    images = torch.zeros(3, 1, 8, 8)
    images[:2, :, :4] = 1.0
    crops = torch.stack([images[0, :, :4, :4], images[1, :, 2:6, 2:6], images[2, :, :4, :4]])
    assert blank(crops, images).tolist() == [True, False, False]
    assert blank(crops).tolist() == [True, False, True]
    assert crop_health(at(*[(0.3, 0.3, 0.4)] * 3), crops).blank == pytest.approx(2 / 3)


def test_several_crops_and_bent_ones() -> None:
    spline = ThinPlateSpline(3)
    raw = torch.linspace(-0.3, 0.3, 6 * spline.parameters_needed).view(6, -1)
    poses = spline(raw).view(3, 2, 2, 12)
    assert crop_health(poses, torch.linspace(0, 1, 96).view(3, 2, 1, 4, 4), spline).problem == ""


def test_localisation() -> None:
    boxes = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.25, 0.5, 0.5, 0.5]])
    theta = boxes_to_theta(torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]]))
    torch.testing.assert_close(localisation_iou(theta, boxes), torch.tensor([1.0, 1 / 3]))
    torch.testing.assert_close(centre_error(theta, boxes), torch.tensor([0.0, 0.25]))


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match=r"poses \(0, 2, 3\)"):
        crop_health(torch.zeros(0, 2, 3), torch.zeros(0))
    with pytest.raises(CropworthError, match=r"poses \(2, 2, 3\) and crops \(3, 1, 4, 4\)"):
        crop_health(torch.zeros(2, 2, 3), torch.zeros(3, 1, 4, 4))
    with pytest.raises(CropworthError, match="not finite"):
        crop_health(torch.full((2, 2, 3), torch.nan), torch.zeros(2))
