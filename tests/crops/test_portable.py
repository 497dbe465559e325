"""What a crop runs under: graphs, export, lower precision, layouts, copies, no items at all."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from cropworth import (
    Affine,
    Cascade,
    Cropper,
    GlanceAndCrop,
    HeatmapLocalizer,
    MultiCrop,
    Projective,
    RegressionLocalizer,
    Similarity,
    SpatialTransformer,
    TemporalTransformer,
    ThinPlateSpline,
    Transform,
    UnboundedAffine,
    Warp,
    Zoom,
    sample,
)

START = (0.4, 0.6, 0.5, 0.5)
LOOK = (24, 24)


def heatmap(transform: Transform, channels: int, **sampling: object) -> SpatialTransformer:
    localizer = HeatmapLocalizer(channels, transform.parameters_needed, width=4)
    return SpatialTransformer(localizer, transform, (10, 12), look_size=LOOK, **sampling)


def regression(channels: int) -> SpatialTransformer:
    affine = UnboundedAffine()
    localizer = RegressionLocalizer(channels, LOOK, affine.parameters_needed)
    return SpatialTransformer(localizer, affine, (10, 12), look_size=LOOK, padding="border")


def cascade(channels: int) -> Cascade:
    localizers = [HeatmapLocalizer(channels, 3, width=4) for _ in range(2)]
    return Cascade(localizers, [Zoom(START), Zoom()], (10, 12), look_size=LOOK)


def two(channels: int) -> MultiCrop:
    return MultiCrop(HeatmapLocalizer(channels, 3, width=4, crops=2), [Zoom(START), Zoom()], (10, 12), look_size=LOOK)


CROPPERS: dict[str, Callable[[int], Cropper]] = {
    "zoom": lambda c: heatmap(Zoom(START), c),
    "two scales": lambda c: heatmap(Zoom(START, scales=2), c),
    "similarity": lambda c: heatmap(Similarity(START), c, padding="reflection"),
    "affine": lambda c: heatmap(Affine(START), c),
    "projective": lambda c: heatmap(Projective(START), c),
    "spline": lambda c: heatmap(ThinPlateSpline(3, START), c),
    "antialiased": lambda c: heatmap(Zoom(START), c, antialias=True),
    "bicubic": lambda c: heatmap(Affine(START), c, mode="bicubic"),
    "regression": regression,
    "cascade": cascade,
    "two crops": two,
}


def quick(*names: str) -> list[Any]:
    """All croppers; those not named are left to ``pytest -m slow``, since a graph takes seconds to make."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.slow) for name in CROPPERS]


def made(name: str, channels: int = 1) -> Cropper:
    """With weights that move every parameter of the pose a little."""
    torch.manual_seed(0)
    module = CROPPERS[name](channels)
    for key, parameter in module.named_parameters():
        if "head" in key:
            nn.init.normal_(parameter, std=0.1)
    return module


@pytest.fixture(autouse=True)
def fresh_graphs() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def gradients(module: nn.Module, call: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, list[Tensor]]:
    images = images.clone().requires_grad_()
    crops = call(images)
    weight = torch.linspace(-1, 1, crops.numel()).view(crops.shape)
    return crops.detach(), list(torch.autograd.grad((crops * weight).sum(), [images, *module.parameters()]))


def assert_same_graph(module: nn.Module, backend: str) -> None:
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend=backend)
    for shape in [(2, 1, 40, 50), (3, 1, 64, 33), (2, 1, 97, 80)]:
        images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        found, expected = (gradients(module, call, images) for call in (compiled, module))
        torch.testing.assert_close(found[0], expected[0], atol=1e-4, rtol=1e-4)
        for ours, eager in zip(found[1], expected[1], strict=True):
            torch.testing.assert_close(ours, eager, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", quick("projective", "spline", "cascade", "regression"))
def test_one_graph_for_every_size_with_its_backward(name: str) -> None:
    assert_same_graph(made(name).eval(), "aot_eager")


WARP = pytest.param(Warp(3, (0.4, 0.5)), marks=pytest.mark.slow, id="warp")


@pytest.mark.parametrize("transform", [pytest.param(Zoom((0.4, 0.5), dims=1), id="zoom"), WARP])
def test_a_crop_in_time_in_one_graph_with_its_backward(transform: Transform) -> None:
    torch.manual_seed(0)
    localizer = HeatmapLocalizer(3, transform.parameters_needed, width=4, dims=1)
    nn.init.normal_(localizer.head.weight, std=0.1)
    module = TemporalTransformer(localizer, transform, 10, look_size=24, antialias=True).eval()
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    for items, steps in [(2, 40), (3, 65)]:
        series = torch.rand(items, steps, 3, generator=torch.Generator().manual_seed(1))
        lengths = torch.tensor([steps, 17, 30][:items])
        found, expected = (
            gradients(module, lambda values, call=call, own=lengths: call(values, own), series)
            for call in (compiled, module)
        )
        torch.testing.assert_close(found[0], expected[0], atol=1e-4, rtol=1e-4)
        for ours, eager in zip(found[1], expected[1], strict=True):
            torch.testing.assert_close(ours, eager, atol=1e-3, rtol=1e-3)


def test_a_crop_in_time_keeps_its_place_in_lower_precision() -> None:
    torch.manual_seed(0)
    module = TemporalTransformer(HeatmapLocalizer(3, 2, width=4, dims=1), Zoom((0.4, 0.5), dims=1), 10, look_size=24)
    series, lengths = torch.rand(2, 400, 3), torch.tensor([400, 170])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        crop, pose = module.eval().crop(series, lengths)
    assert pose.dtype == torch.float32
    torch.testing.assert_close(crop, module.read(series, pose, lengths))
    half, half_pose = module.bfloat16().crop(series.bfloat16(), lengths)
    assert (half.dtype, half_pose.dtype) == (torch.bfloat16, torch.float32)


def test_candidates_in_one_graph_with_their_backward() -> None:
    module = made("zoom")
    assert isinstance(module, SpatialTransformer)

    def located(images: Tensor) -> Tensor:
        poses, log_weights = module.candidates(images, 2)
        return poses.sum((1, 2, 3)) + log_weights[:, 1]

    compiled = torch.compile(located, fullgraph=True, dynamic=True, backend="aot_eager")
    module.eval()
    for shape in [(2, 1, 40, 50), (3, 1, 64, 33)]:
        images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        found, expected = (gradients(module, call, images) for call in (compiled, located))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_compiled_kernels_for_every_size_with_their_backward() -> None:
    assert_same_graph(made("affine").eval(), "inductor")


def test_a_compiled_crop_of_a_theta_that_is_not_finite_is_nan() -> None:
    compiled = torch.compile(lambda i, t: sample(i, t, (4, 4)), fullgraph=True, dynamic=True, backend="aot_eager")
    theta = torch.eye(2, 3).repeat(3, 1, 1)
    theta[1, 0, 2] = torch.nan
    crops = compiled(torch.rand(3, 1, 8, 8), theta)
    assert crops[1].isnan().all()
    assert crops[[0, 2]].isfinite().all()


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_sampling_in_one_graph_in_every_dimension(dims: int) -> None:
    compiled = torch.compile(
        lambda i, t: sample(i, t, (5,) * dims, antialias=True), fullgraph=True, dynamic=True, backend="aot_eager"
    )
    for side in (8, 9):
        images, theta = torch.rand(2, 1, *[side] * dims), 0.9 * torch.eye(dims, dims + 1).repeat(2, 1, 1)
        torch.testing.assert_close(compiled(images, theta), sample(images, theta, (5,) * dims, antialias=True))


def test_all_stages_of_a_glance_in_one_graph() -> None:
    features = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    localizer = HeatmapLocalizer(4, 3, width=4, crops=2, features=nn.Identity())
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    module = GlanceAndCrop(features, head, localizer, [Zoom(START), Zoom()], backbone, (8, 8), LOOK).eval()
    compiled = torch.compile(module.stages, fullgraph=True, dynamic=True, backend="aot_eager")
    for side in (40, 50):
        images = torch.rand(2, 1, side, side)
        torch.testing.assert_close(compiled(images), module.stages(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", quick("affine", "two crops"))
@pytest.mark.filterwarnings("ignore:The given buffer is not writable:UserWarning")  # torch 2.11's own, of loading
def test_export(name: str) -> None:
    module = made(name).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(module, (torch.rand(2, 1, 40, 50),), dynamic_shapes=({0: batch},))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    images = torch.rand(5, 1, 40, 50)
    torch.testing.assert_close(torch.export.load(file).module()(images), module(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", quick("similarity", "spline", "cascade"))
@pytest.mark.filterwarnings("ignore::DeprecationWarning:onnxscript")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:torch.onnx")
def test_onnx(name: str, tmp_path: Path) -> None:
    module, path = made(name).eval(), tmp_path / "crop.onnx"
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.onnx.export(
        module,
        (torch.rand(2, 1, 40, 50),),
        path,
        dynamo=True,
        opset_version=20,
        input_names=["images"],
        dynamic_shapes=({0: batch},),
        verbose=False,
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = torch.rand(5, 1, 40, 50)
    (found,) = session.run(None, {"images": images.numpy()})
    assert (torch.from_numpy(found) - module(images)).abs().max() < 1e-4


@pytest.mark.parametrize("name", CROPPERS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_keeps_places_in_float32(name: str, dtype: torch.dtype) -> None:
    module, images = made(name).eval(), torch.rand(2, 1, 40, 50)
    with torch.autocast("cpu", dtype=dtype):
        crops, pose = module.crop(images)
    assert pose.dtype == torch.float32
    assert crops.dtype == images.dtype
    expected = sample(images, pose, module.size, **module.sampling)
    torch.testing.assert_close(crops, expected)
    torch.testing.assert_close(pose, module.locate(images), atol=0.1, rtol=0.1)


def test_a_large_half_precision_image_is_read_where_the_pose_says() -> None:
    centres = (2 * torch.arange(2048) + 1) / 2048 - 1
    images = centres.expand(1, 1, 2048, 2048)
    theta = torch.tensor([[[0.01, 0.0, 0.7], [0.0, 0.01, 0.2]]])
    crop = sample(images.bfloat16(), theta, (8, 8))
    assert crop.dtype == torch.bfloat16
    torch.testing.assert_close(crop.float(), sample(images, theta, (8, 8)), atol=0.005, rtol=0)


@pytest.mark.parametrize("name", CROPPERS)
def test_copies_and_pickles_and_state(name: str) -> None:
    module, images = made(name).eval(), torch.rand(2, 1, 40, 50)
    fresh = CROPPERS[name](1).eval()
    fresh.load_state_dict(module.state_dict())
    for other in (copy.deepcopy(module), fresh, pickle.loads(pickle.dumps(module))):
        torch.testing.assert_close(other(images), module(images))


@pytest.mark.parametrize("name", CROPPERS)
def test_an_empty_batch_with_its_backward(name: str) -> None:
    module = made(name).eval()
    images = torch.rand(0, 1, 40, 50, requires_grad=True)
    crops = module(images)
    assert crops.shape[0] == 0
    assert crops.shape[-2:] == (10, 12)
    crops.sum().backward()


@pytest.mark.parametrize("name", CROPPERS)
def test_layouts(name: str) -> None:
    module, images = made(name, channels=3).eval(), torch.rand(2, 3, 40, 50)
    strided = torch.rand(2, 3, 50, 80).transpose(2, 3)[:, :, ::2]
    for other in (images.contiguous(memory_format=torch.channels_last), strided):
        torch.testing.assert_close(module(other), module(other.contiguous()), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CROPPERS)
@pytest.mark.parametrize("shape", [(1, 5, 31, 97), (2, 2, 7, 9), (1, 3, 128, 24)])
def test_any_size_and_channel_count(name: str, shape: tuple[int, ...]) -> None:
    crops = made(name, channels=shape[1]).eval()(torch.rand(shape))
    assert crops.shape[0] == shape[0]
    assert crops.shape[-3:] == (shape[1], 10, 12)


@pytest.mark.parametrize("name", CROPPERS)
def test_deterministic_algorithms(name: str) -> None:
    module, images = made(name).eval(), torch.rand(2, 1, 40, 50)
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (gradients(module, module, images) for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    for one, other in zip([first[0], *first[1]], [second[0], *second[1]], strict=True):
        assert torch.equal(one, other)
