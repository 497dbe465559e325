import gc
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cropworth import sample
from cropworth.crops.kernels.choice import plain_torch
from cropworth.measure.environment import _source_sha256, available_cores, describe_environment
from cropworth.measure.flops import count_flops
from cropworth.measure.memory import peak_bytes, reset_peak
from cropworth.measure.time import Stopwatch, interleaved


def test_every_round_calls_each_once_in_a_changing_order() -> None:
    called: list[str] = []
    names = ["a", "b", "c"]
    times = interleaved({name: lambda name=name: called.append(name) for name in names}, rounds=8, warmup=2)
    assert {name: len(seconds) for name, seconds in times.items()} == dict.fromkeys(names, 8)
    assert called[:6] == ["a", "a", "b", "b", "c", "c"]
    rounds = [called[start : start + 3] for start in range(6, len(called), 3)]
    assert all(sorted(one) == names for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1


def test_garbage_collection_is_off_while_timing_and_back_afterwards() -> None:
    seen: list[bool] = []
    interleaved({"a": lambda: seen.append(gc.isenabled())}, rounds=1, warmup=0)
    assert seen == [False]
    assert gc.isenabled()


def test_seconds_are_seconds() -> None:
    times = interleaved({"sleep": lambda: time.sleep(0.02)}, rounds=3, warmup=0)
    assert all(seconds >= 0.02 for seconds in times["sleep"])
    with Stopwatch() as idle:
        time.sleep(0.05)
    assert idle.wall_s >= 0.05
    assert idle.cpu_s < idle.wall_s


def test_the_samplers_operations_are_counted() -> None:
    images, theta = torch.rand(2, 3, 16, 16), torch.eye(2, 3).repeat(2, 1, 1)
    # Per sampled pixel 10 for its place and weights, and 4 multiply-adds in each of 3 channels.
    own = 2 * 5 * 4 * (10 + 8 * 3)
    assert count_flops(lambda: sample(images, theta, (5, 4))) == own
    with plain_torch():
        with FlopCounterMode(display=False) as torchs:
            sample(images, theta, (5, 4))
        grid = 2 * 5 * 4 * 8  # a 2 x 2 matrix times each place
        assert torchs.get_total_flops() == grid  # where torch begins to count the sampler, our formula must go
        assert count_flops(lambda: sample(images, theta, (5, 4))) == grid + own


def test_the_samplers_backward_is_counted() -> None:
    images, theta = torch.rand(1, 1, 8, 8, requires_grad=True), torch.eye(2, 3)[None].clone().requires_grad_()
    forward = count_flops(lambda: sample(images, theta, (4, 4)))
    both = count_flops(lambda: sample(images, theta, (4, 4)).sum().backward())
    assert both - forward >= 2 * 16 * 18


def test_a_convolutions_operations_by_hand() -> None:
    layer = nn.Conv2d(3, 8, 3, padding=1)
    assert count_flops(lambda: layer(torch.rand(2, 3, 10, 10))) == 2 * (2 * 10 * 10) * (3 * 9) * 8


def test_peak_memory_sees_an_allocation() -> None:
    if not reset_peak():  # not on Linux, or not permitted
        assert peak_bytes() is None or peak_bytes() > 0
        return
    # In a process of its own: in this one the block may fit into memory that an earlier test has freed.
    code = (
        "from cropworth.measure.memory import peak_bytes, reset_peak\n"
        "reset_peak(); before = peak_bytes(); block = bytearray(2**26); after = peak_bytes()\n"
        "del block; reset_peak(); print(before, after, peak_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after, again = map(int, done.stdout.split())
    assert after - before > 50e6
    assert again < after


def test_the_environment_names_what_a_reader_needs() -> None:
    found = describe_environment()
    assert found["torch"] == torch.__version__.split("+")[0]
    assert found["cores"] == available_cores() >= 1
    assert set(found) == {
        "python", "cropworth", "torch", "torchvision", "numba", "numpy", "scipy", "system", "processor", "cores",
        "commit", "source_sha256",
    }  # fmt: skip


def test_the_sources_hash_changes_with_any_module_and_with_nothing_else(tmp_path: Path) -> None:
    def hash_of(**modules: str) -> str:
        package = Path(tempfile.mkdtemp(dir=tmp_path))
        (package / "inner").mkdir()
        for name, content in modules.items():
            (package / "inner" / f"{name}.py").write_text(content)
        (package / "notes.txt").write_text(str(package))
        return _source_sha256(package)

    first = hash_of(a="1", b="2")
    assert first == hash_of(b="2", a="1")
    others = {hash_of(a="1", b="3"), hash_of(a="12", b=""), hash_of(a="1", c="2"), hash_of(a="1")}
    assert len(others - {first}) == 4


def test_an_lstm_is_counted_as_its_matrix_products() -> None:
    layers, series = nn.LSTM(3, 8, num_layers=2, batch_first=True, bidirectional=True), torch.rand(2, 10, 3)

    def forward() -> None:
        with torch.no_grad():
            layers(series)

    def by_hand() -> None:
        for features in (3, 16):  # of each layer, whose gates are four linear layers
            for _ in range(2 * 10):  # directions and steps
                nn.functional.linear(torch.rand(2, features), torch.rand(32, features))
                nn.functional.linear(torch.rand(2, 8), torch.rand(32, 8))

    assert count_flops(forward) == count_flops(by_hand)
    assert count_flops(lambda: layers(series)[0].sum().backward()) == 3 * count_flops(by_hand)
