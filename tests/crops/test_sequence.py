"""Crops of sequences: the same crops with a dimension less, and padding that never decides anything."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import cropworth as cw
from cropworth.crops.sequence import resampled
from cropworth.errors import CropworthError
from cropworth.padded import encode, own_steps


def a_localizer(features: int, outputs: int) -> nn.Module:
    """A heatmap in float64 whose head says something, so that every part of the pose depends on the look."""
    localizer = cw.HeatmapLocalizer(features, outputs, width=4, dims=1)
    nn.init.normal_(localizer.head.weight, std=0.3)
    return localizer.double()


def a_cropper(features: int = 3, size: int = 6, warped: bool = False, **sampling: object) -> cw.TemporalTransformer:
    transform: cw.Transform = cw.Warp(3, start=(0.5, 0.5)) if warped else cw.Zoom(start=(0.5, 0.5), dims=1)
    localizer = a_localizer(features, transform.parameters_needed)
    return cw.TemporalTransformer(localizer, transform.double(), size, look_size=20, **sampling)  # type: ignore[arg-type]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The crop itself


def test_a_crop_reads_between_the_steps() -> None:
    series = noise(1, 10, 2)
    crop = a_cropper(2, size=5)
    pose = torch.tensor([[[0.4, 0.1]]], dtype=torch.float64)
    # Step i of 10 stands at (2 i + 1) / 10 - 1, place j of 5 in the crop at 0.4 u_j + 0.1.
    steps, places = (2 * np.arange(10) + 1) / 10 - 1, 0.4 * ((2 * np.arange(5) + 1) / 5 - 1) + 0.1
    expected = np.stack([np.interp(places, steps, series[0, :, f].numpy()) for f in range(2)], axis=1)
    np.testing.assert_allclose(crop.read(series, pose)[0].numpy(), expected, atol=1e-12)


def test_a_crop_of_a_sequence_is_that_of_an_image_of_one_row() -> None:
    series, size = noise(2, 40, 3), 8
    pose = torch.tensor([[[0.3, 0.2]], [[0.9, -0.1]]], dtype=torch.float64)
    theta = torch.zeros(2, 2, 3, dtype=torch.float64)
    theta[:, 0, 0], theta[:, 0, 2], theta[:, 1, 1] = pose[:, 0, 0], pose[:, 0, 1], 1.0
    as_image = cw.sample(series.transpose(1, 2).unsqueeze(2), theta, (1, size), antialias=True)
    crop = a_cropper(3, size, antialias=True).read(series, pose)
    torch.testing.assert_close(crop, as_image.squeeze(2).transpose(1, 2))


def test_an_item_is_cropped_as_if_it_were_alone() -> None:
    series, lengths, crop = noise(3, 30, 3), torch.tensor([30, 11, 20]), a_cropper().eval()
    together, pose = crop.crop(series, lengths)
    for item, length in enumerate(lengths.tolist()):
        alone, its_pose = crop.crop(series[item : item + 1, :length])
        torch.testing.assert_close(its_pose[0], pose[item])
        torch.testing.assert_close(alone[0], together[item])


def test_several_places_of_an_item() -> None:
    series, lengths, crop = noise(2, 30, 3), torch.tensor([30, 12]), a_cropper()
    poses, log_weights = crop.candidates(series, 2, lengths)
    several = crop.read(series, poses, lengths)
    assert several.shape == (2, 2, 6, 3)
    assert log_weights.exp().sum(1).tolist() == pytest.approx([1, 1])
    for k in range(2):
        torch.testing.assert_close(several[:, k], crop.read(series, poses[:, k], lengths))


# Padding never leaks


def encoders() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "gru, both ways": nn.GRU(3, 4, batch_first=True, bidirectional=True).double(),
        "lstm": nn.LSTM(3, 8, num_layers=2, batch_first=True).double(),
        "convolutions": Convolutions().double(),
    }


class Convolutions(nn.Module):
    """Two layers that look ahead, with a bias: the second one sees what the first makes of the padding."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv1d(8, 8, 5, padding=2))

    def forward(self, series: Tensor) -> Tensor:
        states: Tensor = self.layers(series.transpose(1, 2))
        return states.transpose(1, 2)


def models() -> dict[str, nn.Module]:
    crops = {
        f"crop, {padding}, reach {reach:g}{', warped' if warped else ''}": a_cropper(
            padding=padding, reach=reach, warped=warped, antialias=warped
        )
        for padding in ("zeros", "border")
        for reach in (1.0, 3.0)
        for warped in (False, True)
    }
    behind = {
        f"{name}, crop of the {of}": cw.SequenceTransformer(encoder, a_cropper(8), nn.Flatten(), of=of)  # type: ignore[arg-type]
        for name, encoder in encoders().items()
        for of in ("states", "input")
    }
    return {**crops, **behind}


@pytest.mark.parametrize("name", models())
@pytest.mark.parametrize("training", [True, False])
@settings(max_examples=15, deadline=None)
@given(more=st.integers(1, 25), what=st.sampled_from([0.0, 7.0, math.nan, math.inf]), seed=st.integers(0, 99))
def test_more_padding_changes_nothing(name: str, training: bool, more: int, what: float, seed: int) -> None:
    model = models()[name].train(training)
    series, lengths = noise(3, 24, 3, seed=seed), torch.tensor([24, 5, 13])
    expected = model(series, lengths)
    for item, length in enumerate(lengths):
        series[item, length:] = what
    longer = torch.cat([series, torch.full((3, more, 3), what, dtype=series.dtype)], dim=1)
    torch.testing.assert_close(model(longer, lengths), expected)


@pytest.mark.parametrize("name", models())
def test_no_gradient_reaches_the_padding(name: str) -> None:
    series, lengths = noise(3, 24, 3).requires_grad_(), torch.tensor([24, 5, 13])
    models()[name](series, lengths).square().sum().backward()
    assert series.grad is not None
    own = own_steps(series, lengths)
    assert bool((series.grad[~own] == 0).all())
    assert bool((series.grad[own].abs().sum(-1) > 0).any())


def test_an_encoder_runs_over_each_item_as_if_it_were_alone() -> None:
    series, lengths = noise(4, 9, 3), torch.tensor([4, 9, 4, 1])
    for encoder in encoders().values():
        states = encode(encoder, series, lengths)
        for item, length in enumerate(lengths.tolist()):
            alone = encode(encoder, series[item : item + 1, :length], None)[0]
            torch.testing.assert_close(states[item, :length], alone)
            assert bool((states[item, length:] == 0).all())


@pytest.mark.parametrize(
    "encoder",
    [
        nn.RNN(3, 4, batch_first=True, nonlinearity="relu"),
        nn.RNN(3, 4, batch_first=True, bidirectional=True, bias=False),
        nn.GRU(3, 4, num_layers=2, batch_first=True, bidirectional=True),
        nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True, dropout=0.5),
        nn.LSTM(3, 4, batch_first=True, bidirectional=True, proj_size=2),
    ],
    ids=repr,
)
def test_a_recurrent_encoder_is_torchs_on_a_packed_batch(encoder: nn.RNNBase) -> None:
    encoder = encoder.double()
    series, lengths = noise(4, 9, 3), torch.tensor([4, 9, 1, 6])
    packed = nn.utils.rnn.pack_padded_sequence(series, lengths, batch_first=True, enforce_sorted=False)
    expected = nn.utils.rnn.pad_packed_sequence(encoder.eval()(packed)[0], batch_first=True)[0]
    torch.testing.assert_close(encode(encoder, series, lengths), expected)
    if encoder.dropout:
        torch.manual_seed(0)
        dropped = encode(encoder.train(), series, lengths)
        assert not torch.allclose(dropped, expected)


# Gradients


@pytest.mark.parametrize("warped", [False, True])
def test_gradients_of_series_and_parameters(warped: bool) -> None:
    crop = a_cropper(2, size=4, warped=warped).train()
    lengths = torch.tensor([9, 6])

    def read(series: Tensor, raw: Tensor) -> Tensor:
        return crop.read(series, crop.transform(raw), lengths)

    raw = 0.3 * noise(2, crop.transform.parameters_needed, seed=1)
    assert torch.autograd.gradcheck(read, (noise(2, 9, 2).requires_grad_(), raw.requires_grad_()))


def test_the_answer_trains_encoder_and_localizer() -> None:
    for of in ("states", "input"):
        model = cw.SequenceTransformer(
            encoders()["gru, both ways"],
            a_cropper(8),
            nn.Flatten(),
            of=of,  # type: ignore[arg-type]
        )
        model(noise(3, 24, 3), torch.tensor([24, 5, 13])).square().sum().backward()
        assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())
        groups = cw.parameter_groups(model, 1.0)
        assert len(groups) == 2
        assert {id(p) for p in groups[1]["params"]} == {id(p) for p in model.cropper.localizer.parameters()}


def test_it_learns_to_find_what_tells_the_classes_apart() -> None:
    """A rise and a fall among others of half the height; a crop of 12 of 96 steps must find the tall one."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)

    def draw(count: int) -> tuple[Tensor, Tensor, Tensor]:
        series = 0.1 * torch.randn(count, 96, 1, generator=generator)
        places = torch.stack([torch.randperm(7, generator=generator)[:3] for _ in range(count)]) * 12 + 10
        signs = 1 - 2 * (torch.rand(count, 3, generator=generator) < 0.5).float()
        ramp = torch.linspace(-1, 1, 8)
        for item in range(count):
            for k, height in enumerate((2.0, 1.0, 1.0)):
                series[item, places[item, k] : places[item, k] + 8, 0] += height * signs[item, k] * ramp
        return series, (signs[:, 0] > 0).long(), (places[:, 0] + 4) / 96

    localizer = cw.HeatmapLocalizer(1, 2, dims=1)
    crop = cw.TemporalTransformer(localizer, cw.Zoom(start=(0.5, 0.2), dims=1), 12, look_size=96)
    head = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam([*crop.parameters(), *head.parameters()], 0.01)
    for _ in range(150):
        series, labels, _ = draw(64)
        poses, log_weights = crop.candidates(series, 2)
        loss = cw.marginal_loss(cw.on_each(head, crop.read(series, poses)), log_weights, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    series, labels, centres = draw(200)
    crop.eval()
    cropped, pose = crop.crop(series)
    found = (cw.theta_to_boxes(pose)[:, 0] - centres).abs() < 6 / 96
    assert found.float().mean() > 0.9
    assert (head(cropped).argmax(1) == labels).float().mean() > 0.9


# The rest of the library works on them


def test_penalties_and_health_of_a_crop_in_time() -> None:
    series, crop = noise(4, 30, 3), a_cropper()
    crops, pose = crop.crop(series)
    total = (
        cw.out_of_frame(pose)
        + cw.scale_prior(pose, 0.5)
        + cw.consistency(crop, crop.look(series), pose, torch.Generator().manual_seed(0))
    )
    total.backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in crop.localizer.parameters())
    health = cw.crop_health(pose, crops, crop.transform)
    assert (health.blank, health.tiny, health.outside, health.flipped) == (0, 0, 0, 0)
    assert cw.localisation_iou(pose, cw.theta_to_boxes(pose)).tolist() == pytest.approx([1] * 4)


def test_consistency_of_a_crop_that_follows_is_nothing() -> None:
    """A localizer that says where the mass of its look is, with a fixed size, follows a shift but not a zoom."""

    class Middle(nn.Module):
        def forward(self, look: Tensor) -> Tensor:
            weights = look / look.sum(-1, keepdim=True)
            places = (2 * torch.arange(look.shape[-1]) + 1) / look.shape[-1] - 1
            return torch.cat([(weights * places).sum(-1), torch.zeros(len(look), 1)], dim=1)

    series = torch.zeros(50, 400, 1)
    series[:, 190:210] = 1
    crop = cw.TemporalTransformer(Middle(), cw.Zoom(start=(0.5, 0.12), dims=1), 8, look_size=400)
    look = crop.look(series)
    follows = cw.consistency(crop, look, crop.find(look), torch.Generator().manual_seed(0))
    still = cw.consistency(crop, torch.ones_like(look), crop.find(look), torch.Generator().manual_seed(0))
    assert follows < 0.35 < still  # the size's mean |log zoom| is 1/4


def test_the_look_is_not_aliased() -> None:
    """200 steps that change sign at every step are 0 on average, whichever tenth of them a plain resize would take."""
    series = torch.ones(1, 200, 1)
    series[:, ::2] = -1
    look = resampled(series, None, (20,))
    assert look[..., 1:-1].abs().max() < 1e-5


# The warp


def test_a_warp_is_piecewise_linear_between_its_knots() -> None:
    warp = cw.Warp(4, start=(0.5, 0.6)).double()
    pose = warp(noise(1, 6))
    knots = torch.linspace(-1, 1, 5, dtype=torch.float64)
    reached = cw.map_points(pose, knots.view(1, -1, 1))[0, :, 0]
    places = torch.linspace(-1, 1, 41, dtype=torch.float64)
    found = cw.map_points(pose, places.view(1, -1, 1))[0, :, 0]
    np.testing.assert_allclose(found.numpy(), np.interp(places, knots, reached.numpy()), atol=1e-12)


@given(st.lists(st.floats(-1e4, 1e4), min_size=7, max_size=7))
def test_a_warp_runs_forward_and_fills_its_span(numbers: list[float]) -> None:
    warp, raw = cw.Warp(5, rate=4.0).double(), torch.tensor([numbers], dtype=torch.float64)
    pose = warp(raw)
    places = torch.linspace(-1, 1, 51, dtype=torch.float64).view(1, -1, 1)
    step = cw.map_points(pose, places).diff(dim=1)
    assert float(step.min()) > 0
    assert float(step.max() / step.min()) <= 4 * (1 + 1e-6)
    zoom = cw.Zoom(dims=1).double()(raw[:, :2])
    torch.testing.assert_close(cw.theta_to_boxes(pose), cw.theta_to_boxes(zoom))
    torch.testing.assert_close(cw.unmap_points(pose, cw.map_points(pose, 1.5 * places)), 1.5 * places)


def test_a_warp_that_starts_does_not_warp() -> None:
    pose = cw.Warp(4, start=(0.4, 0.5)).double()(torch.zeros(1, 6, dtype=torch.float64))
    torch.testing.assert_close(pose, torch.tensor([[[0.5, -0.2, 0, 0, 0]]], dtype=torch.float64), atol=1e-6, rtol=0)
    assert cw.Warp().saturation(cw.Warp()(torch.full((1, 6), 1e3))) > 0.99


def test_a_warp_inside_a_zoom() -> None:
    outer, warp = torch.tensor([[[0.5, 0.3]]], dtype=torch.float64), cw.Warp(3).double()(noise(1, 5))
    places = torch.linspace(-1, 1, 11, dtype=torch.float64).view(1, -1, 1)
    torch.testing.assert_close(
        cw.map_points(cw.compose(outer, warp), places), cw.map_points(outer, cw.map_points(warp, places))
    )


# Bad input


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([10, 11]), "a length of 11 for item 1 of 10 steps"),
        (torch.tensor([0, 3]), "a length of 0 for item 0 of 10 steps"),
        (torch.tensor([3]), r"lengths of shape \(1,\)"),
        (torch.tensor([3.0, 4.0]), "float32"),
    ],
)
def test_lengths_that_cannot_be(lengths: Tensor, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        a_cropper()(noise(2, 10, 3), lengths)
    with pytest.raises(CropworthError, match=message):
        encode(nn.GRU(3, 4, batch_first=True).double(), noise(2, 10, 3), lengths)


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match=r"\(2, 10\)"):
        a_cropper()(noise(2, 10))
    with pytest.raises(CropworthError, match="reflection"):
        a_cropper(padding="reflection")
    with pytest.raises(CropworthError, match="time first"):
        encode(nn.GRU(3, 4).double(), noise(2, 10, 3), None)
    with pytest.raises(CropworthError, match="one state a step"):
        encode(nn.Flatten(), noise(2, 10, 3), None)
    with pytest.raises(CropworthError, match="of = 'both'"):
        cw.SequenceTransformer(nn.Identity(), a_cropper(), nn.Flatten(), of="both")  # type: ignore[arg-type]
    with pytest.raises(CropworthError, match="at least 2 pieces"):
        cw.Warp(1)


def test_a_single_step_is_a_sequence_too() -> None:
    crop = a_cropper(padding="border").eval()
    series = noise(2, 1, 3)
    torch.testing.assert_close(crop(series), series.expand(-1, 6, -1))
