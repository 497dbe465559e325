from __future__ import annotations

from dataclasses import replace

import pytest

from cropworth.report.health import WELL, health
from cropworth.study.record import Record, Status
from factories import make_record

STILL = "The crop is the same for every input: a fixed crop would cost less."


def trial(seed: int, advice: str | None, status: Status = "ok", reason: str = "") -> Record:
    record = make_record("zoom", seed, status=status, with_crop=True)
    return replace(record, crop_advice=advice, reason=reason)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([trial(0, ""), trial(1, "")], [("All 2 seeds", WELL)]),
        ([trial(3, "")], [("Seed 3", WELL)]),
        ([trial(0, STILL), trial(1, ""), trial(2, STILL)], [("Seeds 0 and 2", STILL), ("Seed 1", WELL)]),
        (
            [trial(0, ""), trial(3, "Do.", "collapsed", "62% of the crops lie outside the frame. Do.")],
            [("Seed 0", WELL), ("Seed 3", "62% of the crops lie outside the frame. Do.")],
        ),
        ([trial(0, ""), trial(1, None, "diverged", "nan")], [("Seed 0", WELL), ("Seed 1", "Training diverged: nan.")]),
        ([trial(0, None), trial(1, None)], []),
        ([trial(0, None), trial(1, None, "collapsed", "Blank.")], [("Seed 1", "Blank.")]),
        ([make_record(status="diverged")], []),
        ([], []),
    ],
    ids=["alike", "one", "grouped", "collapsed", "diverged", "older", "older collapsed", "no crop", "none"],
)
def test_each_trials_health_is_told_once(records: list[Record], told: list[tuple[str, str]]) -> None:
    assert list(health(records)) == told
