"""Counters of energy that move as they are told."""

from dataclasses import dataclass


@dataclass
class Counted:
    """What zeus returns of a window."""

    cpu_energy: dict[int, float] | None
    dram_energy: dict[int, float] | None = None


class FakeCounters:
    """One processor's `joules`, to be moved from outside; or, where `window` is given, always that."""

    def __init__(self, window: Counted | None = None) -> None:
        self.window, self.joules = window, 0.0
        self.began: dict[str, float] = {}

    def begin_window(self, key: str) -> None:
        assert key not in self.began
        self.began[key] = self.joules

    def end_window(self, key: str) -> Counted:
        moved = self.joules - self.began.pop(key)
        return self.window or Counted({0: moved})
