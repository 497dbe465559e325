"""Draw a share of items that keeps the classes' shares and tears nothing apart. Free of torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

MOST_BINS, FEWEST_OF_BIN = 10, 20
NO_GAIN = 1e-12


def joined(ties: Iterable[Iterable[Hashable | None]]) -> NDArray[np.int64]:
    """Units of what must stay together: (N,), numbers from 0 on.

    Args:
        ties: of each item what ties it to others that have the same at the same place, such as its content and its
            group; None ties to nothing. Ties are followed on: who shares a group with a copy of a file is of its unit.
    """
    parents: list[int] = []

    def root(item: int) -> int:
        while parents[item] != item:
            parents[item] = item = parents[parents[item]]
        return item

    first: dict[tuple[int, Hashable], int] = {}
    for item, keys in enumerate(ties):
        parents.append(item)
        for place, key in enumerate(keys):
            if key is not None:
                one, other = root(first.setdefault((place, key), item)), root(item)
                parents[max(one, other)] = min(one, other)
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(item), len(numbers)) for item in range(len(parents))], dtype=np.int64)


def binned(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bins (N,) of about as many of the values (N,) each: strata where there are no classes."""
    bins = max(1, min(MOST_BINS, len(values) // FEWEST_OF_BIN))
    edges = np.quantile(values, np.arange(1, bins) / bins)
    found: NDArray[np.int64] = np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)[1]
    return found


def drawn(
    strata: NDArray[np.int64],
    units: NDArray[np.int64],
    share: float,
    rng: np.random.Generator,
    left: int,
) -> NDArray[np.bool_]:
    """Whole units that hold near `share` of each stratum: (N,), which items are drawn.

    The largest units come first, those of one size in a random order, and each is drawn if that keeps what is drawn of
    its strata nearer to `share` of what has come so far, so that large and small units are drawn alike. Then units
    change sides as long as that brings the strata nearer to their share.

    Args:
        strata: (N,), numbers from 0 on.
        units: (N,), numbers from 0 on, see `joined`.
        share: of the items of each stratum, in (0, 1).
        rng: where the random order comes from.
        left: how many units of each stratum should be left; where there are more, one at least is drawn, even beyond
            the share.
    """
    draw = _Draw(strata, units, share, left)
    order = rng.permutation(len(draw.parts))
    order = order[np.argsort(-np.bincount(units)[order], kind="stable")]
    draw.diffuse(order.tolist())
    draw.improve(order.tolist())
    return np.array(draw.inside, dtype=np.bool_)[units]


class _Draw:
    """Units inside and outside of a draw, and how far that is from the share of each stratum."""

    def __init__(self, strata: NDArray[np.int64], units: NDArray[np.int64], share: float, left: int) -> None:
        parts: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for (unit, stratum), count in Counter(zip(units.tolist(), strata.tolist(), strict=True)).items():
            parts[unit].append((stratum, count))
        self.parts = [parts[unit] for unit in range(len(parts))]
        self.inside = [False] * len(parts)
        self.sizes = np.bincount(strata).tolist()
        self.share, self.left = share, left
        self.items = [0] * len(self.sizes)
        self.units = [0] * len(self.sizes)
        self.all_units = Counter(stratum for part in self.parts for stratum, _ in part)

    def flip(self, unit: int) -> None:
        sign = -1 if self.inside[unit] else 1
        self.inside[unit] = not self.inside[unit]
        for stratum, count in self.parts[unit]:
            self.items[stratum] += sign * count
            self.units[stratum] += sign

    def cost(self, strata: Iterable[int]) -> float:
        """Squared distances from the share, and more than those can be for each unit that a stratum lacks on a side."""
        total = 0.0
        for stratum in strata:
            inside = self.units[stratum]
            lacking = (inside == 0) + 2 * max(0, self.left - (self.all_units[stratum] - inside))
            total += (self.items[stratum] / self.sizes[stratum] - self.share) ** 2 + lacking
        return total

    def diffuse(self, order: Iterable[int]) -> None:
        come = [0] * len(self.sizes)
        for unit in order:
            gain = 0.0
            for stratum, count in self.parts[unit]:
                come[stratum] += count
                missing = self.share * come[stratum] - self.items[stratum]
                gain += (missing**2 - (missing - count) ** 2) / self.sizes[stratum] ** 2
            if gain > NO_GAIN:
                self.flip(unit)

    def improve(self, order: Sequence[int]) -> None:
        while sum(map(self._better_flipped, order)):
            pass

    def _better_flipped(self, unit: int) -> bool:
        """Flip the unit if that lowers the cost, and say whether it did."""
        strata = [stratum for stratum, _ in self.parts[unit]]
        before = self.cost(strata)
        self.flip(unit)
        if self.cost(strata) < before - NO_GAIN:
            return True
        self.flip(unit)
        return False
