"""The CPU's kernels against the definition in plain torch, in float64."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cropworth.crops.kernels import cpu
from cropworth.crops.kernels.cpu import tasks
from cropworth.crops.sampling import PADDINGS
from kernel_cases import LAYOUTS, SUMS, Case, draw_case


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@given(
    dims=st.sampled_from([1, 2]),
    batch=st.integers(1, 3),
    crops=st.integers(1, 3),
    channels=st.integers(1, 4),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 90)),
    size=st.tuples(st.integers(1, 8), st.integers(1, 40)),
    turned=st.booleans(),
    padding=st.sampled_from(PADDINGS),
    antialias=st.booleans(),
    dtype=st.sampled_from(list(SUMS)),
    layout=st.sampled_from(list(LAYOUTS)),
    seed=st.integers(0, 10_000),
)
def test_equal_the_definition_in_value_and_both_gradients(seed: int, **drawn: object) -> None:
    draw_case(seed, **drawn).check(cpu)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [16, 33, 64, 130, 700])  # 16 columns read 1 to 44 pixels each: every way of reading
@pytest.mark.parametrize("antialias", [False, True])
def test_every_way_of_reading_a_row(width: int, antialias: bool) -> None:
    for seed in range(3):
        shape, size = (40, width), (7, 21)
        draw_case(seed, shape=shape, size=size, turned=False, antialias=antialias, padding="reflection").check(cpu)


@pytest.mark.parametrize("width", [9, 28, 31, 80])  # two registers hold what is read of a row, or do not
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dtype", list(SUMS))
def test_narrow_crops_of_many_rows(width: int, turned: bool, dtype: torch.dtype) -> None:
    for columns in (14, 20):
        size = (23, columns)  # turned rows are read in bands, here in three or more
        draw_case(width, shape=(30, width), size=size, channels=3, turned=turned, dtype=dtype).check(cpu)


@pytest.mark.parametrize("padding", PADDINGS)
def test_sequences_that_are_shrunk_much(padding: str) -> None:
    for seed in range(3):
        draw_case(seed, dims=1, shape=(1, 1900), size=(1, 37), padding=padding, antialias=True).check(cpu)


def large(antialias: bool, turned: bool) -> Case:
    """So much work that it is shared among threads."""
    generator = torch.Generator().manual_seed(3)
    poses = torch.randn(1, 2, 2, 3, generator=generator)
    if not turned:
        poses[..., :2] *= torch.eye(2)
    images = torch.randn(1, 3, 90, 80, generator=generator)
    return Case(images, poses, torch.randn(1, 2, 3, 70, 150, generator=generator), "zeros", antialias)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_the_number_of_threads_changes_no_bit(antialias: bool, turned: bool) -> None:
    case = large(antialias, turned)
    torch.set_num_threads(1)
    alone = case.run(cpu)
    for count in (2, 3, 5):
        torch.set_num_threads(count)
        for _ in range(3):
            for found, expected in zip(case.run(cpu), alone, strict=True):
                assert torch.equal(found, expected)


def test_without_torchs_openmp_one_thread_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = large(True, False).run(cpu)
    monkeypatch.setattr(tasks, "_PARALLEL", None)
    for found, right in zip(large(True, False).run(cpu), expected, strict=True):
        assert torch.equal(found, right)


def test_more_threads_than_torchs_own_are_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    parallel = tasks._PARALLEL
    monkeypatch.setattr(tasks, "_PARALLEL", lambda *args: asked.append(args[2]) or parallel(*args))
    large(False, False).run(cpu)
    assert max(asked) == 4  # fewer where the work falls into fewer pieces


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("padding", PADDINGS)
def test_every_element_is_written(antialias: bool, turned: bool, padding: str) -> None:
    """Allocated without a value, memory is NaN in torch's deterministic mode."""
    torch.use_deterministic_algorithms(True)
    try:
        drawn = draw_case(5, shape=(9, 31), size=(6, 37), turned=turned, antialias=antialias, padding=padding)
        results = drawn.run(cpu)
    finally:
        torch.use_deterministic_algorithms(False)
    for result in results:
        assert result.isfinite().all()


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("scale", [1e3, 1e30])
def test_poses_beyond_all_bounds_stay_in_memory(padding: str, antialias: bool, scale: float) -> None:
    case = draw_case(6, shape=(7, 5), antialias=antialias, padding=padding)
    for turned in (False, True):
        poses = scale * (case.poses if turned else case.poses * torch.tensor([[1.0, 0, 1], [0, 1, 1]]))
        for result in Case(case.input, poses, case.grad, padding, antialias).run(cpu):
            assert result.shape[0] == 1


def test_a_pose_that_is_not_finite_disturbs_no_other() -> None:
    """In a compiled graph the kernels see such poses before anybody has looked."""
    case = draw_case(7, batch=2, crops=1)
    for turn in (0.0, 1.0):  # of a crop that is upright, and of a turned one
        good, bad = (case.poses * torch.tensor([[1, turn, 1], [turn, 1, 1]]) for _ in range(2))
        bad[0, 0] = torch.tensor([[float("nan"), 0, 1], [0, float("inf"), float("-inf")]])
        for antialias in (False, True):
            for found, expected in zip(
                Case(case.input, bad, case.grad, "border", antialias).run(cpu),
                Case(case.input, good, case.grad, "border", antialias).run(cpu),
                strict=True,
            ):
                assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize(("batch", "crops"), [(0, 1), (2, 0)])
def test_nothing_to_crop(batch: int, crops: int) -> None:
    images, poses = torch.rand(batch, 3, 8, 9), torch.zeros(batch, crops, 2, 3)
    crop = cpu.crop(images, poses, (4, 5), "zeros", True)
    assert crop.shape == (batch, crops, 3, 4, 5)
    assert cpu.to_theta(crop, images, poses, "zeros", True).shape == poses.shape
    assert not cpu.to_input(crop, poses, images.shape, "zeros", True).any()


MEMORY = """
import re, sys, torch
from pathlib import Path
from cropworth.crops.kernels import cpu

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def poses(scale):
    return torch.tensor([[[[scale, turn, 0.1], [turn, scale, 0.2]]]])

def all_three(images, scale):
    grad = torch.ones(1, 1, 3, 32, 32)
    cpu.crop(images, poses(scale), (32, 32), "zeros", antialias)
    cpu.to_theta(grad, images, poses(scale), "zeros", antialias)
    return cpu.to_input(grad, poses(scale), images.shape, "zeros", antialias)

antialias, turn = sys.argv[1] == "antialias", float(sys.argv[2])
all_three(torch.zeros(1, 3, 64, 64), 0.5)
large = torch.empty(1, 3, 8192, 8192)  # 805 MB that nobody has touched yet
before = resident()
gradient = all_three(large.transpose(2, 3) if sys.argv[3] == "transposed" else large, 0.004)  # 33 pixels or so
print(resident() - before)
assert gradient.shape == large.shape
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("kind", ["linear", "antialias"])
@pytest.mark.parametrize("turn", ["0", "0.001"])
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
def test_only_what_a_crop_reads_is_touched(kind: str, turn: str, layout: str) -> None:
    """Neither the input nor its gradient: of 805 MB each, what lies about a crop of 33 pixels by 33."""
    command = [sys.executable, "-c", MEMORY, kind, turn, layout]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 30e6


@given(
    dims=st.sampled_from([1, 2]),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 90)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 60)),
    turned=st.booleans(),
    antialias=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 1000),
)
def test_no_kernel_leaves_its_workspace(
    dims: int,
    shape: tuple[int, int],
    size: tuple[int, int],
    turned: bool,
    antialias: bool,
    dtype: torch.dtype,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    poses = 3 * torch.randn(1, 2, dims, dims + 1, generator=generator, dtype=torch.float64)
    if not turned:
        poses[..., :-1] *= torch.eye(dims)
    shape, size = shape[2 - dims :], size[2 - dims :]
    case = Case(torch.rand(1, 2, *shape).to(dtype), poses, torch.rand(1, 2, 2, *size).to(dtype), "border", antialias)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "run", run_in_a_marked_workspace)
        case.run(cpu)


def run_in_a_marked_workspace(kernel: object, call: tasks.Words) -> None:
    mark, room = 77, -(-call.workspace_size // 64) * 64
    space = torch.full((room + 65536,), mark, dtype=torch.uint8)
    call.workspace, call.workspace_size = space.data_ptr(), room
    tasks._Kernel(kernel.address)(ctypes.addressof(call))
    assert bool((space[room:] == mark).all())
