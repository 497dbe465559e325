"""Crops over training: where a variant cropped the first test items after each epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropworth.report.pictures import outline
from cropworth.report.places import in_words
from cropworth.study.record import Record

COLUMNS, FRAMES = 8, 100


@dataclass(frozen=True)
class Strip:
    """One test item over training.

    Attributes:
        item: its index in the test.
        outlines: of the crop after each epoch that is shown, see `outline`.
        places: of the same, in words.
    """

    item: int
    outlines: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True)
class Film:
    """A trial's crops over training.

    Attributes:
        seed: the trial's.
        epochs: those that are shown, counted from 1.
        of: epochs that were trained.
        kept: the epoch whose weights were kept.
        columns: indices into `epochs` of those that a strip shows.
        strips: one a test item.
    """

    seed: int
    epochs: tuple[int, ...]
    of: int
    kept: int
    columns: tuple[int, ...]
    strips: tuple[Strip, ...]


def film(record: Record) -> Film | None:
    """Of one trial; None where no poses were kept."""
    poses = record.poses_by_epoch
    if poses is None or len(poses) < 2:
        return None
    frames = _evenly(len(poses), FRAMES, record.best_epoch)
    shown = _evenly(len(frames), COLUMNS, int(np.searchsorted(frames, max(record.best_epoch, 0))))
    return Film(
        record.seed,
        tuple(int(epoch) + 1 for epoch in frames),
        len(poses),
        record.best_epoch + 1,
        tuple(map(int, shown)),
        tuple(_strip(item, poses[frames, item]) for item in range(poses.shape[1])),
    )


def _strip(item: int, poses: NDArray[np.float32]) -> Strip:
    return Strip(item, tuple(map(outline, poses)), tuple(map(in_words, poses)))


def _evenly(count: int, most: int, wanted: int) -> NDArray[np.int64]:
    """At most `most` of the first `count` numbers, from the first to the last, with the one that is wanted."""
    chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    if 0 < wanted < count - 1 and len(chosen) > 2:
        inner = chosen[1:-1]
        inner[np.abs(inner - wanted).argmin()] = wanted
    return np.unique(chosen)
