"""A few test items to look at, and what each variant that crops made of them. Free of torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cropworth.study.record import Record, Study

Outcome = Literal["fixed", "broke", "both wrong", "better", "worse"]
MOST = 8


@dataclass(frozen=True)
class Choice:
    """Test items that show what a variant does, and the two trials of one seed that are compared on them.

    Attributes:
        variant: one that crops.
        seed: the one whose accuracy, or mean error, is the median of the variant's.
        trial: the variant's.
        baseline: the baseline's trial.
        items: indices of test items, ascending, by outcome: ``fixed``, the baseline is wrong and the variant right;
            ``broke``, the other way round; ``both wrong``. Of a regression ``better`` and ``worse``, the items whose
            error fell and rose most, those first.
        found: how many test items there are of each outcome in all.
    """

    variant: str
    seed: int
    trial: str
    baseline: str
    items: dict[Outcome, tuple[int, ...]]
    found: dict[Outcome, int]

    @property
    def all_items(self) -> tuple[int, ...]:
        """The items of all outcomes, one after another."""
        return tuple(item for items in self.items.values() for item in items)


@dataclass(frozen=True)
class Album:
    """The chosen items.

    Attributes:
        choices: one for each variant that crops, in the plan's order.
        items: (m,), int64, their indices in the test, ascending; the first test items are always among them.
        names: (m,), what they are called; empty where that is not known.
        images: (m, C, H, W), uint8, shrunk; None for series and texts.
        series: of each item (T, F), float32, its first features; empty for images and texts.
        words: of each item what each of its steps says; empty where they are no texts.
        crops: by variant what the backbone saw of `Choice.all_items`: (k, C, h, w), uint8, or (k, t, F), float32; of
            crops of an encoder's states, the input's own values there. Without texts, whose words say it.
    """

    choices: tuple[Choice, ...]
    items: NDArray[np.int64]
    names: tuple[str, ...] = ()
    images: NDArray[np.uint8] | None = None
    series: tuple[NDArray[np.float32], ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    crops: dict[str, NDArray[Any]] = field(default_factory=dict)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for a file, from which `from_arrays` makes the same again."""
        about = {"choices": [asdict(choice) for choice in self.choices], "names": self.names, "words": self.words}
        found: dict[str, NDArray[Any]] = {"items": self.items, "about": np.array(json.dumps(about))}
        if self.images is not None:
            found["images"] = self.images
        if self.series:
            found |= {"series": np.concatenate(self.series), "lengths": np.array([len(one) for one in self.series])}
        return found | {f"crops of {name}": crops for name, crops in self.crops.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Album:
        """The album that `arrays` made these of.

        Raises:
            KeyError: they lack something.
            TypeError: they are of something else.
            ValueError: they are of something else.
        """
        about = json.loads(str(arrays["about"]))
        series: tuple[NDArray[np.float32], ...] = ()
        if "series" in arrays:
            series = tuple(np.split(arrays["series"], np.cumsum(arrays["lengths"])[:-1]))
        return cls(
            tuple(_choice(plain) for plain in about["choices"]),
            arrays["items"],
            tuple(about["names"]),
            arrays.get("images"),
            series,
            tuple(map(tuple, about["words"])),
            {name.removeprefix("crops of "): crops for name, crops in arrays.items() if name.startswith("crops of ")},
        )


def choose(study: Study) -> tuple[Choice, ...]:
    """Items of each variant that crops, at the largest training-set size; those without a pair of trials left out.

    Of each outcome up to `MOST` items, evenly spread over the test's order, so that nobody picked them and a test that
    is sorted by class shows more than its first class.
    """
    if not study.records:
        return ()
    size = study.train_sizes[-1]
    baseline = {record.seed: record for record in study.of(study.baseline, size) if record.predictions is not None}
    chosen = []
    for variant in study.kinds:
        records = [record for record in study.of(variant, size) if record.theta is not None and record.seed in baseline]
        if records and variant != study.baseline:
            record = median_of(records)
            chosen.append(_compared(record, baseline[record.seed]))
    return tuple(chosen)


def median_of(records: list[Record]) -> Record:
    """The trial whose accuracy, or mean error, is in the middle; of an even number the lower of the two there."""
    ranked = sorted(records, key=lambda record: (record.accuracy or record.mean_error or 0.0, record.seed))
    return ranked[(len(ranked) - 1) // 2]


def _compared(record: Record, baseline: Record) -> Choice:
    before, after = baseline.wrong, record.wrong
    assert before is not None
    assert after is not None
    if record.numbers is None:
        which: dict[Outcome, NDArray[np.bool_]] = {
            "fixed": (before > 0) & (after == 0),
            "broke": (before == 0) & (after > 0),
            "both wrong": (before > 0) & (after > 0),
        }
        items = {outcome: _spread(np.flatnonzero(there)) for outcome, there in which.items()}
        found = {outcome: int(there.sum()) for outcome, there in which.items()}
    else:
        gain = before - after
        order = np.argsort(-gain, kind="stable")
        found = {"better": int((gain > 0).sum()), "worse": int((gain < 0).sum())}
        items = {
            "better": _plain(order[: min(MOST, found["better"])]),
            "worse": _plain(order[::-1][: min(MOST, found["worse"])]),
        }
    return Choice(record.variant, record.seed, record.trial, baseline.trial, items, found)


def _spread(indices: NDArray[np.int64]) -> tuple[int, ...]:
    if len(indices) > MOST:
        indices = indices[np.linspace(0, len(indices) - 1, MOST).round().astype(int)]
    return _plain(indices)


def _plain(indices: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(index) for index in indices)


def _choice(plain: dict[str, Any]) -> Choice:
    return Choice(**{**plain, "items": {outcome: tuple(items) for outcome, items in plain["items"].items()}})
