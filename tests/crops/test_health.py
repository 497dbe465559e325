import pytest
import torch

from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.health import blank, crop_health, localisation_iou
from cropworth.errors import CropworthError


def health(boxes: list[list[float]], blanks: list[bool] | None = None):
    theta = boxes_to_theta(torch.tensor(boxes))
    return crop_health(theta, torch.tensor(blanks or [False] * len(boxes)))


def test_living_crops() -> None:
    found = health([[0.3, 0.3, 0.4, 0.4], [0.7, 0.6, 0.4, 0.4]])
    assert found.problem == ""
    assert found.as_dict() == {"blank": 0.0, "tiny": 0.0, "outside": 0.0, "still": 0.0}


def test_dead_crops() -> None:
    assert "outside" in health([[1.8, 0.5, 0.4, 0.4], [2.0, 0.5, 0.4, 0.4]]).problem
    assert "shrunk to nothing" in health([[0.5, 0.5, 0.02, 0.02], [0.4, 0.5, 0.03, 0.03]]).problem
    assert health([[0.3, 0.3, 0.4, 0.4]] * 3, [True, True, False]).problem == "67% of the crops are blank"


def test_a_crop_that_stands_still_is_told_but_no_problem() -> None:
    found = health([[0.5, 0.5, 0.5, 0.5]] * 4)
    assert found.still
    assert found.problem == ""


def test_half_outside() -> None:
    # Half of each box lies in the frame: not "outside", which begins below a quarter.
    assert health([[0.0, 0.5, 0.4, 0.4]]).outside == 0.0
    # A fifth of it: from 0.1 left of the frame's left edge.
    assert health([[-0.12, 0.5, 0.4, 0.4]]).outside == 1.0


def test_blank_means_even_while_the_image_is_not() -> None:
    images = torch.zeros(3, 1, 8, 8)
    images[:2, :, :4] = 1.0
    crops = torch.stack([images[0, :, :4, :4], images[1, :, 2:6, 2:6], images[2, :, :4, :4]])
    assert blank(images, crops).tolist() == [True, False, False]


def test_iou_of_poses() -> None:
    boxes = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.25, 0.5, 0.5, 0.5]])
    theta = boxes_to_theta(torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]]))
    torch.testing.assert_close(localisation_iou(theta, boxes), torch.tensor([1.0, 1 / 3]))


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match="0 poses"):
        crop_health(torch.zeros(0, 2, 3), torch.zeros(0))
