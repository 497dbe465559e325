"""Joules, with counters made of chosen numbers, and with zeus's own reading of files as the kernel has them."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counters import Counted, FakeCounters
from cropworth.measure.energy import Energy, joules_per_call, processor_counters


def measured(cpu: dict[int, float] | None, dram: dict[int, float] | None = None) -> float | None:
    with Energy(FakeCounters(Counted(cpu, dram))) as energy:
        assert energy.joules is None
    return energy.joules


@given(st.lists(st.floats(0.001, 1e9), min_size=1, max_size=4), st.lists(st.floats(0.001, 1e9), max_size=4))
def test_all_processors_and_their_memory_are_added(cpu: list[float], dram: list[float]) -> None:
    assert measured(dict(enumerate(cpu)), dict(enumerate(dram)) or None) == pytest.approx(sum(cpu) + sum(dram))


@pytest.mark.parametrize("cpu", [None, {}, {0: 0.0}, {0: 3.0, 1: 0.0}, {0: 3.0, 1: -1.0}, {0: float("nan")}])
def test_what_was_not_counted_is_unknown_and_not_0(cpu: dict[int, float] | None) -> None:
    assert measured(cpu, {0: 5.0}) is None


def test_a_memory_whose_counter_stands_still_is_left_out() -> None:
    assert measured({0: 3.0, 1: 2.0}, {0: 0.0, 1: 0.5}) == 5.5


def test_without_counters_nothing_is_known() -> None:
    with Energy(None) as energy:
        pass
    assert energy.joules is None
    calls: list[int] = []
    assert joules_per_call(lambda: calls.append(1), None) is None
    assert not calls


def test_an_error_in_the_block_ends_the_window() -> None:
    counters = FakeCounters()
    with pytest.raises(KeyError), Energy(counters):
        raise KeyError
    assert not counters.began


def test_a_block_inside_a_block() -> None:
    counters = FakeCounters()
    with Energy(counters) as outer:
        counters.joules += 1
        with Energy(counters) as inner:
            counters.joules += 2
    assert (outer.joules, inner.joules) == (3, 2)


def test_joules_of_a_call_are_the_mean_of_all_but_the_first() -> None:
    counters, calls = FakeCounters(), []

    def call() -> None:
        time.sleep(0.01)
        counters.joules += 4 if calls else 1000
        calls.append(1)

    began = time.perf_counter()
    assert joules_per_call(call, counters, least_s=0.1) == pytest.approx(4)
    assert time.perf_counter() - began >= 0.1
    assert len(calls) >= 3
    assert joules_per_call(call, counters, least_s=0) == pytest.approx(4)  # once, however short the time


def test_a_call_whose_counter_does_not_move_is_unknown() -> None:
    assert joules_per_call(lambda: None, FakeCounters(), least_s=0.01) is None


@pytest.fixture
def asked_anew() -> Iterator[None]:
    processor_counters.cache_clear()
    yield
    processor_counters.cache_clear()


@pytest.mark.usefixtures("asked_anew")
def test_without_zeus_there_are_no_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeus.monitor", None)
    assert processor_counters() is None


SCRIPT = """
import socket, sys
from pathlib import Path

def forbidden(*_):
    raise AssertionError("a connection")

socket.socket.connect = socket.getaddrinfo = forbidden
from cropworth.measure import energy
from zeus.device.cpu import rapl

energy.SETTLE_S = 0.1
rapl.CONTAINER_RAPL_DIR = "/nowhere"

def counters_in(folder):
    rapl.RAPL_DIR = folder
    rapl.rapl_is_available.cache_clear()
    energy.processor_counters.cache_clear()
    return energy.processor_counters()

absent, damaged, whole = sys.argv[1:]
print(counters_in(absent), counters_in(damaged))
with energy.Energy(counters_in(whole)) as block:
    for counter in Path(whole).rglob("energy_uj"):
        moved = {"package-0": 5, "package-1": 2, "dram": 1, "core": 4, "psys": 50}
        name = (counter.parent / "name").read_text().strip()
        counter.write_text(str(int(counter.read_text()) + moved[name] * 1_000_000))
print(block.joules)
"""


def zone(folder: Path, name: str) -> Path:
    """As Linux lays it out: Documentation/power/powercap/powercap.rst."""
    folder.mkdir(parents=True)
    for file, content in {"name": name, "energy_uj": "123456", "max_energy_range_uj": "262143328850"}.items():
        (folder / file).write_text(content + "\n")
    return folder


def test_zeus_on_machines_with_and_without_counters(tmp_path: Path) -> None:
    """It neither fails, prints, warns nor connects; and each joule is counted once."""
    pytest.importorskip("zeus")
    (zone(tmp_path / "damaged" / "intel-rapl:0", "package-0") / "energy_uj").unlink()
    whole = tmp_path / "whole"
    first = zone(whole / "intel-rapl:0", "package-0")
    zone(first / "intel-rapl:0:0", "core")  # is within its processor
    zone(first / "intel-rapl:0:1", "dram")
    zone(whole / "intel-rapl:1", "package-1")
    zone(whole / "intel-rapl:2", "psys")  # the whole machine, processors and all
    folders = [str(tmp_path / name) for name in ("absent", "damaged", "whole")]
    command = [sys.executable, "-W", "error", "-c", SCRIPT, *folders]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("None None\n8.0\n", "", 0)
