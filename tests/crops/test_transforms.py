import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator
from torch import Tensor
from torch.autograd import gradcheck

from cropworth.crops.geometry import compose, control_points, corners, map_points, theta_to_boxes
from cropworth.crops.splines import ThinPlateSpline
from cropworth.crops.transforms import (
    Affine,
    Bounded,
    Projective,
    Similarity,
    Transform,
    UnboundedAffine,
    Zoom,
    limited,
)
from cropworth.errors import CropworthError

START = (0.3, 0.6, 0.2, 0.4)
BOUNDED: list[Bounded] = [
    Zoom(),
    Zoom(START),
    Zoom(START, scales=2),
    Zoom(dims=1),
    Zoom((0.7, 0.2), dims=1),
    Zoom((0.4, 0.5, 0.6, 0.3, 0.3, 0.5), dims=3),
    Zoom((0.4, 0.5, 0.6, 0.3, 0.3, 0.5), dims=3, scales=3),
    Similarity(START),
    Similarity(START, aspect=1.5),
    Affine(START),
    Projective(START),
    ThinPlateSpline(3, START),
]
EVERY: list[Transform] = [*BOUNDED, UnboundedAffine(), UnboundedAffine(dims=1), UnboundedAffine(dims=3)]
FLAT = [t for t in BOUNDED if t.dims == 2]

numbers = st.floats(-1e4, 1e4)


def raw_for(transform: Transform, spread: float, seed: int = 0, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(count, transform.parameters_needed, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("transform", EVERY, ids=repr)
def test_raw_zero_is_the_chosen_box(transform: Transform) -> None:
    found = theta_to_boxes(transform(torch.zeros(2, transform.parameters_needed)))
    whole = (0.5,) * transform.dims + (1.0,) * transform.dims
    starts = {4: START, 2: (0.7, 0.2), 6: (0.4, 0.5, 0.6, 0.3, 0.3, 0.5)}
    expected = torch.tensor([whole if bool((found[0, : transform.dims] == 0.5).all()) else starts[found.shape[1]]] * 2)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("transform", EVERY, ids=repr)
@pytest.mark.parametrize("spread", [0.0, 0.5, 3.0])
def test_gradcheck_to_the_raw_parameters(transform: Transform, spread: float) -> None:
    transform = transform.double()
    assert gradcheck(transform, raw_for(transform, spread).requires_grad_())


@pytest.mark.parametrize("transform", BOUNDED, ids=repr)
@given(data=st.data())
def test_a_bounded_crop_can_neither_flip_nor_vanish_nor_leave(transform: Bounded, data: st.DataObject) -> None:
    count = transform.parameters_needed
    raw = torch.tensor([data.draw(st.lists(numbers, min_size=count, max_size=count))], dtype=torch.float64)
    pose = transform.double()(raw)
    assert pose.isfinite().all()
    # A bend or tilt moves pixels about in a crop; the affine part is what the bounds are for.
    if isinstance(transform, Projective):
        tilt = pose[..., 2:, :2]
        assert tilt.abs().sum() < 1  # the horizon stays outside
        pose = torch.cat([pose[..., :2, :2] - pose[..., :2, 2:] * tilt, pose[..., :2, 2:]], dim=-1)
    elif isinstance(transform, ThinPlateSpline):
        pose = Affine.pose(transform, raw)
    matrix = pose[..., :-1]
    assert matrix.det().item() > 0
    sizes = torch.linalg.svdvals(matrix)
    assert sizes.max() < 1.5 * (1.7 if count >= 6 and transform.dims == 2 else 1.6)
    assert sizes.min() > 0.02
    boxes = theta_to_boxes(pose)
    centre, size = boxes.chunk(2, dim=-1)
    inside = (centre + size / 2).clamp(max=1) - (centre - size / 2).clamp(min=0)
    assert (inside >= transform.inside * size.clamp(max=1) - 1e-6).all()


@pytest.mark.parametrize("transform", BOUNDED, ids=repr)
def test_no_gradient_dies_at_a_bound(transform: Bounded) -> None:
    transform = transform.double()
    raw = torch.full((1, transform.parameters_needed), 3.0, dtype=torch.float64, requires_grad=True)
    weights = torch.rand_like(transform(raw))
    (gradient,) = torch.autograd.grad((transform(raw) * weights).sum(), raw)
    assert gradient.isfinite().all()
    assert (gradient != 0).all()


@pytest.mark.parametrize("seed", range(10))
def test_a_spline_does_not_fold(seed: int) -> None:
    spline = ThinPlateSpline(4).double()
    raw = raw_for(spline, 5.0, seed, count=20)
    raw[:, :6] = 0
    places = torch.linspace(-1, 1, 41, dtype=torch.float64)
    grid = torch.cartesian_prod(places, places).flip(-1)
    mapped = map_points(spline(raw), grid).view(20, 41, 41, 2)
    across, down = mapped.diff(dim=2)[:, :-1], mapped.diff(dim=1)[:, :, :-1]
    area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    assert (area > 0).all()


def test_near_the_start_raw_is_a_change_of_log_scale() -> None:
    for transform in (Zoom(START), Zoom(START, scales=2)):
        raw = torch.zeros(1, transform.parameters_needed, dtype=torch.float64)
        raw[:, 2:] = 1e-6
        size = theta_to_boxes(transform.double()(raw))[0, 2:]
        start = theta_to_boxes(transform(torch.zeros_like(raw)))[0, 2:]
        torch.testing.assert_close((size / start).log(), torch.full((2,), 1e-6, dtype=torch.float64), rtol=1e-3, atol=0)


def test_a_similarity_turns_about_its_centre_and_keeps_its_shape_in_pixels() -> None:
    # An input of 300 x 200 pixels, and a crop that is square there.
    transform = Similarity((0.5, 0.5, 0.4, 0.6), aspect=1.5).double()
    for angle in (0.3, 1.2, -2.0):
        points = corners(transform(torch.tensor([[0.0, 0.0, 0.0, angle]], dtype=torch.float64)))[0]
        pixels = points * torch.tensor([150.0, 100.0])
        sides = (pixels - pixels.roll(-1, 0)).norm(dim=-1)
        torch.testing.assert_close(sides, torch.full_like(sides, 120.0), rtol=1e-5, atol=0)
        edge = pixels[1] - pixels[0]
        assert math.atan2(edge[1], edge[0]) == pytest.approx(angle, rel=5e-3)  # near the bound of pi


def test_affine_is_rotation_after_shear_after_scales() -> None:
    raw = torch.tensor([[0.0, 0.0, 0.1, -0.2, 0.4, 0.3]], dtype=torch.float64)
    theta = Affine((0.5, 0.5, 0.5, 0.5)).double()(raw)[0]
    scale = theta_to_boxes(Zoom((0.5, 0.5, 0.5, 0.5), scales=2).double()(raw[:, :4]))[0, 2:]
    turn = torch.tensor([[math.cos(0.4), -math.sin(0.4)], [math.sin(0.4), math.cos(0.4)]], dtype=torch.float64)
    shear = torch.tensor([[1.0, 0.3], [0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(theta[:, :2], turn @ shear @ scale.diag(), atol=1e-4, rtol=0)


def test_projective_is_an_affine_crop_of_a_tilted_plane() -> None:
    transform = Projective(START).double()
    raw = raw_for(transform, 0.3)
    tilted = torch.eye(3, dtype=torch.float64).repeat(3, 1, 1)
    tilted[:, 2, :2] = limited(raw[:, 6:], 0.3)
    torch.testing.assert_close(transform(raw), compose(Affine(START).double()(raw[:, :6]), tilted))


def test_a_spline_equals_scipys_thin_plate_interpolation() -> None:
    """Independent reference: the plate through the displaced control points, by SciPy."""
    spline = ThinPlateSpline(4, START).double()
    raw = raw_for(spline, 0.3, count=1)
    lattice = control_points(4, raw)
    most = 0.2 * 2 / 3
    moved = lattice + limited(raw[0, 6:], most).view(16, 2)
    theta = Affine(START).double()(raw[:, :6])
    places = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    plate = RBFInterpolator(lattice.numpy(), moved.numpy(), kernel="thin_plate_spline", degree=1)
    expected = map_points(theta, torch.from_numpy(plate(places))[None])
    torch.testing.assert_close(map_points(spline(raw), torch.from_numpy(places)[None]), expected, atol=1e-6, rtol=0)


def test_an_unbounded_affine_by_hand() -> None:
    theta = UnboundedAffine()(torch.tensor([[0.1, 0.2, 1.0, 2.0, 3.0, 4.0]]))
    torch.testing.assert_close(theta, torch.tensor([[[2.0, 2.0, 0.1], [3.0, 5.0, 0.2]]]))


@given(st.floats(-1e30, 1e30))
def test_the_smooth_bound(value: float) -> None:
    x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    y = limited(x, 1.2)
    (slope,) = torch.autograd.grad(y, x)
    assert abs(y.item()) <= 1.2 * (1 + 1e-12)
    assert slope >= 0
    if abs(value) < 1e6:
        assert slope > 0
    if abs(value) < 0.9:
        assert y.item() == pytest.approx(value, rel=0.015)


def test_saturation_says_how_near_a_bound_is() -> None:
    zoom = Zoom((0.5, 0.5, math.sqrt(0.15), math.sqrt(0.15)))  # in the middle between 0.1 and 1.5
    raw = torch.tensor([[0.0, 0, 0], [0, 0, 20], [0, 0, -20], [20, 0, 0], [0.5, 0, 0]])
    saturation = zoom.saturation(zoom(raw))
    assert saturation[0] < 0.01
    assert (saturation[1:4] > 0.99).all()
    assert 0.4 < saturation[4] < 0.6
    assert UnboundedAffine().saturation(torch.eye(2, 3)[None]).tolist() == [0.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Zoom()(torch.zeros(2, 4)), r"shape \(2, 4\).*\(B, 3\) for Zoom"),
        (lambda: Projective()(torch.zeros(2, 6)), r"\(B, 8\) for Projective"),
        (lambda: Zoom((0.5, 0.5, 2.0, 2.0)), "start = "),
        (lambda: Zoom((0.5, 0.5, 0.4)), "start = "),
        (lambda: Zoom((1.2, 0.5, 0.4, 0.4)), "50% lies in the frame"),
        (lambda: Zoom(dims=4), "dims = 4"),
        (lambda: Zoom(smallest=0.5, largest=0.2), "smallest = 0.5"),
        (lambda: Zoom(inside=0.0), "inside = 0.0"),
        (lambda: Projective(tilt=0.6), "tilt = 0.6"),
        (lambda: ThinPlateSpline(1), "k = 1"),
    ],
)
def test_what_is_refused(make, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        make()
