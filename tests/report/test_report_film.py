from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cropworth.report.film import COLUMNS, FRAMES, film
from cropworth.report.pictures import outline
from cropworth.study.record import Record
from factories import make_record
from report.appraisals import approaching


def trained(epochs: int, best: int) -> Record:
    record = make_record("zoom", with_crop=True)
    assert record.theta is not None
    poses = approaching(record.theta, epochs)
    return replace(record, curve=record.curve[:1] * epochs, best_epoch=best, poses_by_epoch=poses)


def test_a_film_has_a_strip_for_each_item_and_a_frame_for_each_epoch() -> None:
    record = trained(5, best=3)
    found = film(record)
    assert found is not None
    assert record.poses_by_epoch is not None
    assert (found.epochs, found.of, found.kept, found.columns) == ((1, 2, 3, 4, 5), 5, 4, (0, 1, 2, 3, 4))
    assert [strip.item for strip in found.strips] == [0, 1, 2, 3]
    assert found.strips[2].outlines == tuple(outline(pose) for pose in record.poses_by_epoch[:, 2])
    assert found.strips[0].places[0].startswith("in the middle, 90 % as wide")


@pytest.mark.parametrize(("epochs", "best"), [(12, 1), (60, 0), (60, 33), (60, 59), (400, 250), (400, -1)])
def test_of_long_trainings_first_last_and_kept_epochs_are_shown(epochs: int, best: int) -> None:
    found = film(trained(epochs, best))
    assert found is not None
    shown = [found.epochs[column] for column in found.columns]
    assert len(shown) == COLUMNS
    assert len(found.epochs) == min(epochs, FRAMES) == len(found.strips[0].outlines)
    assert (shown[0], shown[-1]) == (found.epochs[0], found.epochs[-1]) == (1, epochs)
    assert best < 0 or best + 1 in shown
    assert list(found.epochs) == sorted(set(found.epochs))


def test_without_poses_no_film() -> None:
    assert film(make_record("zoom", with_crop=True)) is None
    assert film(replace(trained(2, 0), poses_by_epoch=np.zeros((1, 4, 2, 3), dtype=np.float32))) is None
