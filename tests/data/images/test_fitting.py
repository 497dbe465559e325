import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2
from torchvision.tv_tensors import BoundingBoxes

from cropworth.data.images.fitting import Fit

SIZES = st.tuples(st.integers(1, 90), st.integers(1, 90))
KINDS = st.sampled_from(["crop", "pad", "stretch"])


@given(SIZES, st.integers(8, 40), st.sampled_from([torch.uint8, torch.float32]))
def test_crop_is_torchvisions_resize_and_centre_crop(size: tuple[int, int], side: int, dtype: torch.dtype) -> None:
    stored = (torch.rand(3, size[1], size[0], generator=torch.Generator().manual_seed(0)) * 255).to(dtype)
    expected = v2.Compose([v2.Resize(side, antialias=True), v2.CenterCrop(side)])(stored)
    assert torch.equal(Fit("crop", side, size).image(stored), expected)


@given(SIZES, st.integers(8, 40), st.data())
def test_boxes_go_where_torchvision_puts_them(size: tuple[int, int], side: int, data: st.DataObject) -> None:
    left, top = (data.draw(st.integers(0, length - 1)) for length in size)
    width, height = (data.draw(st.integers(1, length - at)) for length, at in zip(size, (left, top), strict=True))
    stored = BoundingBoxes(
        [[left, top, width, height]], format="XYWH", canvas_size=(size[1], size[0]), dtype=torch.float32
    )
    x, y, w, h = v2.Compose([v2.Resize(side, antialias=True), v2.CenterCrop(side)])(stored)[0].tolist()
    found = Fit("crop", side, size).to_item((left, top, width, height))
    if found is None:
        assert min(w, h) < 1e-4
    else:
        assert found == pytest.approx(((x + w / 2) / side, (y + h / 2) / side, w / side, h / side), abs=1e-4)


@given(KINDS, SIZES, st.integers(8, 40), st.tuples(*[st.floats(0.01, 1)] * 2), st.tuples(*[st.floats(0, 1)] * 2))
def test_to_image_is_the_inverse_of_to_item(
    kind: str, size: tuple[int, int], side: int, extent: tuple[float, float], place: tuple[float, float]
) -> None:
    fit = Fit(kind, side, size)  # type: ignore[arg-type]
    centre = [length / 2 + at * (1 - length) for length, at in zip(extent, place, strict=True)]
    inside = (centre[0], centre[1], extent[0], extent[1])
    assert fit.to_item(fit.to_image(inside)) == pytest.approx(inside, abs=1e-9)


@given(SIZES, st.integers(8, 40), st.tuples(*[st.floats(0, 50)] * 2), st.tuples(*[st.floats(1, 40)] * 2))
def test_pad_and_stretch_lose_nothing_of_a_box(
    size: tuple[int, int], side: int, corner: tuple[float, float], extent: tuple[float, float]
) -> None:
    box = tuple(part * length / 100 for part, length in zip((*corner, *extent), (*size, *size), strict=True))
    for kind in ("pad", "stretch"):
        fit = Fit(kind, side, size)  # type: ignore[arg-type]
        item = fit.to_item(box)  # type: ignore[arg-type]
        assert item is not None
        assert fit.to_image(item) == pytest.approx(box, abs=1e-9)


@pytest.mark.parametrize("kind", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(60, 40), (40, 60), (41, 41), (7, 5)])
def test_pixels_and_boxes_go_together(kind: str, size: tuple[int, int]) -> None:
    width, height = size
    box = (width // 3, height // 3, width // 2, height // 2)
    stored = torch.zeros(1, height, width)
    stored[:, box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = 1
    fit = Fit(kind, 64, size)  # type: ignore[arg-type]
    pixels = fit.image(stored)
    assert pixels.shape == (1, 64, 64)
    item = fit.to_item(box)
    assert item is not None
    assert pixels.mean().item() == pytest.approx(item[2] * item[3], abs=0.02)
    axis = (torch.arange(64) + 0.5) / 64
    assert (pixels.sum((0, 1)) @ axis / pixels.sum()).item() == pytest.approx(item[0], abs=0.01)
    assert (pixels.sum((0, 2)) @ axis / pixels.sum()).item() == pytest.approx(item[1], abs=0.01)


def test_pad_puts_the_whole_image_between_black_borders() -> None:
    pixels = Fit("pad", 30, (60, 40)).image(torch.full((3, 40, 60), 9, dtype=torch.uint8))
    assert (pixels[:, 5:25] == 9).all()
    assert pixels.sum() == 9 * 3 * 20 * 30


def test_a_box_of_which_nothing_is_left() -> None:
    assert Fit("crop", 20, (60, 40)).to_item((0, 0, 5, 5)) is None
    assert Fit("pad", 20, (60, 40)).to_item((0, 0, 5, 5)) is not None


def test_a_thin_image_keeps_a_row_of_pixels() -> None:
    assert Fit("pad", 16, (1000, 1)).scaled == (16, 1)
