"""Joules of what runs, by the processors' own counters, which the optional package zeus reads.

Intel's and AMD's processors count their energy (RAPL). A counter is of a whole processor: of whatever runs on it, of
other programs too, and of what it draws when idle. Where memory has a counter of its own it is added. Graphics cards,
disks, fans and the losses of the power supply are not counted.

zeus is of the ML.ENERGY initiative (Apache-2.0; the package was once called ``zeus-ml``). It opens no connection,
unless the environment names a zeusd, its daemon that reads the counters for those who may not.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

# A counter moves once a millisecond or so (Haehnel et al. 2012, Measuring energy consumption for short code paths using
# RAPL, section 3): of 2 seconds, with one such step unknown at each end, 0.1 % is uncertain.
LEAST_S = 2.0
# zeus starts a process beside each counter, which is to be up before anything is measured.
SETTLE_S = 3.0


class Window(Protocol):
    """What zeus has counted.

    Attributes:
        cpu_energy: joules by processor; None where none is counted.
        dram_energy: joules of the memory by processor; None where none is counted.
    """

    cpu_energy: dict[int, float] | None
    dram_energy: dict[int, float] | None


class Counters(Protocol):
    """What is used of zeus's ``ZeusMonitor``."""

    def begin_window(self, key: str) -> None:
        """Begin to count."""

    def end_window(self, key: str) -> Window:
        """What was counted since then."""


class Energy:
    """Joules of a `with` block.

    Args:
        counters: see `processor_counters`; None where there are none.

    Attributes:
        joules: after the block; None, never 0, where it is unknown: without counters, or where one did not move.
    """

    def __init__(self, counters: Counters | None) -> None:
        self._counters, self._key = counters, f"cropworth-{id(self)}"
        self.joules: float | None = None

    def __enter__(self) -> Energy:
        if self._counters is not None:
            self._counters.begin_window(self._key)
        return self

    def __exit__(self, *_: object) -> None:
        if self._counters is not None:
            self.joules = _total(self._counters.end_window(self._key))


def joules_per_call(call: Callable[[], object], counters: Counters | None, least_s: float = LEAST_S) -> float | None:
    """Joules of one call, from as many as `least_s` seconds take; None as of `Energy`.

    A first call, which may set things up, is not counted.
    """
    if counters is None:
        return None
    call()
    calls, energy = 0, Energy(counters)
    with energy:
        end = time.perf_counter() + least_s
        while calls == 0 or time.perf_counter() < end:
            call()
            calls += 1
    return None if energy.joules is None else energy.joules / calls


@lru_cache(maxsize=1)
def processor_counters() -> Counters | None:
    """The counters of this machine's processors; None without zeus, or where there are none that may be read."""
    try:
        zeus = import_module("zeus.monitor"), import_module("zeus.device"), import_module("zeus.exception")
    except ImportError:
        return None
    monitor, device, exception = zeus
    with warnings.catch_warnings(action="ignore"):  # zeus warns of counters that it does not find
        try:
            processors = _processors(device.get_cpus())
            counters: Counters = monitor.ZeusMonitor(gpu_indices=[], cpu_indices=processors)
            if processors:
                with Energy(counters):
                    time.sleep(SETTLE_S)
        except (exception.ZeusBaseError, OSError, ImportError):
            return None
    return counters if processors else None


def _processors(found: Any) -> list[int]:
    """Which of zeus's processors are any: a counter of the whole machine, which some laptops have, holds the others."""
    names = {n: Path(found.rapl_dir, f"intel-rapl:{n}", "name").read_text().strip() for n in range(len(found))}
    return [n for n, name in names.items() if name.startswith("package")]


def _total(window: Window) -> float | None:
    processors = list((window.cpu_energy or {}).values())
    if not processors or not all(joules > 0 for joules in processors):
        return None
    # The counter of a memory may stand still where the processor has it only by name.
    return sum(processors) + sum(joules for joules in (window.dram_energy or {}).values() if joules > 0)
