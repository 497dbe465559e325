"""Wall-clock time of callables, measured in turn, so that a noisy machine is noisy to all of them alike."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


def interleaved(
    calls: Mapping[str, Callable[[], object]], rounds: int, warmup: int = 3, seed: int = 0
) -> dict[str, list[float]]:
    """Time each call once a round, in an order drawn anew for every round.

    Neighbours in time share the machine's mood: compare calls round by round, by ratios or differences. Garbage is
    collected between calls, never during one.

    Args:
        calls: by name; each must be done when it returns (a GPU's must synchronise).
        rounds: timed calls of each.
        warmup: calls of each before the first round, not timed.
        seed: of the order.

    Returns:
        seconds, by name, one number a round.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(warmup):
            call()
    order = list(calls)
    shuffle = random.Random(seed).shuffle
    with _no_garbage_collection():
        for _ in range(rounds):
            shuffle(order)
            for name in order:
                gc.collect(0)
                start = time.perf_counter()
                calls[name]()
                times[name].append(time.perf_counter() - start)
    return times


@dataclass
class Stopwatch:
    """Wall and processor seconds of a `with` block."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __enter__(self) -> Stopwatch:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.perf_counter() - self._wall
        self.cpu_s = time.process_time() - self._cpu


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
