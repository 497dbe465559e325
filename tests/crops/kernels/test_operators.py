"""The kernels as torch's operators, and which kernel a call takes."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from cropworth import sample
from cropworth.crops.kernels import choice, operators
from cropworth.crops.kernels.choice import plain_torch
from cropworth.crops.sampling import PADDINGS, explain
from cropworth.errors import CropworthError

TURNED = torch.tensor([[[0.613, -0.211, 0.113], [0.229, 0.571, -0.157]]])
UPRIGHT = torch.tensor([[[0.613, 0.0, 0.113], [0.0, -0.571, -0.157]]])
IN_TIME = torch.tensor([[[0.613, 0.113]]])


def images(batch: int = 1, **kind: object) -> Tensor:
    return torch.rand(batch, 2, 20, 30, generator=torch.Generator().manual_seed(1), **kind)


@pytest.mark.parametrize(
    ("input", "theta", "size", "options", "kernel", "reason"),
    [
        (images(), TURNED, (4, 5), {}, "numba", "linear crops of images at affine poses on cpu."),
        (images()[0], IN_TIME.expand(2, 1, 2), (4,), {"antialias": True}, "numba", "linear crops of sequences"),
        (images(), TURNED, (4, 5), {"mode": "nearest"}, "torch", "mode is 'nearest'"),
        (images(), torch.eye(3)[None], (4, 5), {}, "torch", "of the kind projective"),
        (images()[None], torch.eye(3, 4)[None], (1, 4, 5), {}, "torch", "a volume"),
        (images().byte(), TURNED, (4, 5), {}, "torch", "got torch.uint8"),
        (images(device="meta"), TURNED, (4, 5), {}, "torch", "no kernel for meta"),
    ],
)
def test_explain(
    input: Tensor,  # noqa: A002
    theta: Tensor,
    size: tuple[int, ...],
    options: dict[str, object],
    kernel: str,
    reason: str,
) -> None:
    found = explain(input, theta, size, **options)
    assert found.kernel == kernel
    assert reason in found.reason
    assert str(found) == f"{kernel}: {found.reason}"


def test_explain_refuses_what_sample_refuses() -> None:
    with pytest.raises(CropworthError, match="mode = 'cubic'"):
        explain(images(), TURNED, (4, 5), mode="cubic")


def test_a_gpus_poses_do_not_crop_a_processors_images() -> None:
    assert "no kernel for cpu with theta on meta" in choice.choose(images(), TURNED.to("meta"), "bilinear").reason


def test_without_numba_torch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sample(images(), TURNED, (4, 5))
    monkeypatch.setitem(choice.INSTALLED, "numba", False)
    assert explain(images(), TURNED, (4, 5)).reason == "numba is not installed."
    monkeypatch.setattr(operators, "crop", None)
    torch.testing.assert_close(sample(images(), TURNED, (4, 5)), expected, atol=1e-5, rtol=0)


def test_plain_torch_holds_within_and_no_longer() -> None:
    with plain_torch():
        with plain_torch():
            pass
        assert explain(images(), TURNED, (4, 5)).kernel == "torch"
    assert explain(images(), TURNED, (4, 5)).kernel == "numba"


@pytest.mark.parametrize("theta", [UPRIGHT, TURNED])
@pytest.mark.parametrize("padding", PADDINGS)
def test_gradcheck_of_linear_crops(theta: Tensor, padding: str) -> None:
    seen, poses = images(dtype=torch.float64).requires_grad_(), theta.double()[:, None].requires_grad_()
    assert gradcheck(lambda i, p: operators.crop(i, p, (3, 18), padding, False), (seen, poses), fast_mode=True)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # which the check looks at
@pytest.mark.parametrize("antialias", [False, True])
def test_torch_finds_the_operators_well_formed(antialias: bool) -> None:
    ops, seen, poses = torch.ops.cropworth, images(), TURNED[:, None]
    grad = torch.rand(1, 1, 2, 4, 5)
    torch.library.opcheck(
        ops.crop.default, (seen.requires_grad_(), poses.clone().requires_grad_(), (4, 5), "zeros", antialias)
    )
    torch.library.opcheck(ops.crop_to_input.default, (grad, poses, seen.shape, "zeros", antialias))
    torch.library.opcheck(ops.crop_to_theta.default, (grad, seen.detach(), poses, "zeros", antialias))


class Cropped(nn.Module):
    def forward(self, seen: Tensor, theta: Tensor) -> Tensor:
        return sample(seen, theta, (4, 5), antialias=True) * 2


def gradients(call: Callable[[Tensor, Tensor], Tensor], seen: Tensor, theta: Tensor) -> tuple[Tensor, ...]:
    leaves = seen.clone().requires_grad_(), theta.clone().requires_grad_()
    crop = call(*leaves)
    return crop.detach(), *torch.autograd.grad(crop.square().sum(), leaves)


def test_a_compiled_graph_holds_crops_and_their_gradients() -> None:
    compiled = torch.compile(Cropped(), fullgraph=True, backend="aot_eager", dynamic=True)
    for batch in (1, 3):
        seen, theta = images(batch), TURNED.expand(batch, -1, -1)
        for found, expected in zip(gradients(compiled, seen, theta), gradients(Cropped(), seen, theta), strict=True):
            assert torch.equal(found, expected)


def test_in_a_compiled_graph_a_theta_that_is_not_finite_makes_its_crop_nan() -> None:
    compiled = torch.compile(Cropped(), fullgraph=True, backend="aot_eager")
    theta = TURNED.repeat(2, 1, 1)
    theta[0, 0, 0] = math.inf
    crop = compiled(images(2), theta)
    assert crop[0].isnan().all()
    assert torch.equal(crop[1:], Cropped()(images(2)[1:], theta[1:]))


def test_an_exported_program_holds_the_operator_or_torchs_own() -> None:
    arguments = (images(), TURNED)
    program = torch.export.export(Cropped(), arguments)
    assert any(node.target is torch.ops.cropworth.crop.default for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(*arguments), Cropped()(*arguments))
    with plain_torch():
        plain = torch.export.export(Cropped(), arguments)
    assert not any("cropworth" in str(node.target) for node in plain.graph.nodes)


@pytest.mark.filterwarnings("ignore")
def test_the_profiler_names_the_operators() -> None:
    with profile() as seen:
        gradients(Cropped(), images(), TURNED)
    names = {event.key for event in seen.key_averages()}
    assert {"cropworth::crop", "cropworth::crop_to_input", "cropworth::crop_to_theta"} <= names


def counted(call: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def test_operations_are_counted() -> None:
    seen, theta = images(), 0.2 * UPRIGHT  # which enlarges
    pixels, multiplied = 4 * 5, 10 + 2 * 4 * 2
    assert counted(lambda: sample(seen, theta, (4, 5))) == pixels * multiplied
    assert counted(lambda: sample(seen, theta, (4, 5), antialias=True)) == pixels * multiplied
    assert counted(lambda: gradients(lambda i, t: sample(i, t, (4, 5)), seen, theta)) == 3 * pixels * multiplied
    # Of 20 x 30 pixels, 4 x 5 places: tents of 5 and 6 pixels, so 10 and 12 that are read.
    whole = torch.eye(2, 3)[None]
    assert counted(lambda: sample(seen, whole, (4, 5), antialias=True)) == pixels * (10 + 2 * 10 * 12 * 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_leaves_a_crop_its_type_and_theta_its_places(dtype: torch.dtype) -> None:
    seen = images()
    expected = sample(seen, TURNED, (4, 5))
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(sample(seen, TURNED, (4, 5)), expected)
        half = sample(seen.to(dtype), TURNED, (4, 5))
    assert half.dtype == dtype
    assert torch.equal(half, sample(seen.to(dtype).float(), TURNED, (4, 5)).to(dtype))


@pytest.mark.parametrize(("learns", "kept"), [("theta", {(1, 2, 20, 30), (1, 1, 2, 3)}), ("input", {(1, 1, 2, 3)})])
def test_nothing_is_kept_for_the_gradient_but_input_and_theta(learns: str, kept: set[tuple[int, ...]]) -> None:
    shapes = set()

    def keep(tensor: Tensor) -> Tensor:
        shapes.add(tuple(tensor.shape))
        return tensor

    seen, poses = images().requires_grad_(learns == "input"), TURNED[:, None].clone().requires_grad_(learns == "theta")
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        operators.crop(seen, poses, (4, 5), "zeros", True)
    assert shapes == kept
