"""What runs now: files that grow, and that count only while their writer lives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cropworth.study.ledger import Ledger
from cropworth.study.live import RUN, clear, read_live, telling
from cropworth.study.plan import load_plan
from cropworth.study.record import Epoch
from cropworth.study.run import prepare, run_study

FIRST, SECOND = Epoch(0.7, 0.6, 0.5, 1.0), Epoch(0.4, 0.5, 0.75, 1.0)
# A run that is killed: its file stays.
KILLED = """
import os, sys
from pathlib import Path
from cropworth.study.live import telling
with telling(Path(sys.argv[1]), "abc", {}):
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_epochs_are_read_as_they_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    with telling(folder, "abc", {"seed": 3}) as tell:
        (live,) = read_live(folder)
        assert (live.name, live.about, live.curve) == ("abc", {"seed": 3}, ())
        tell(FIRST)
        tell(SECOND)
        (live,) = read_live(folder)
        assert live.curve == (FIRST, SECOND)
    assert read_live(folder) == ()
    assert not folder.exists()


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    with telling(tmp_path, "abc", {}) as tell:
        tell(FIRST)
        (path,) = tmp_path.iterdir()
        with path.open("a") as stream:
            stream.write('{"train_loss": 0.')
        (live,) = read_live(tmp_path)
        assert live.curve == (FIRST,)
        path.write_text("{}\n[1, 2]\n")
        assert read_live(tmp_path) == ()


def test_a_killed_run_does_not_run(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "live")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert [live.name for live in read_live(tmp_path / "live")] == ["abc"]
        clear(tmp_path / "live")
        assert [live.name for live in read_live(tmp_path / "live")] == ["abc"]
        process.kill()
    assert read_live(tmp_path / "live") == ()
    assert len([*(tmp_path / "live").iterdir()]) == 1
    clear(tmp_path / "live")
    assert [*(tmp_path / "live").iterdir()] == []


def test_what_cannot_be_written_costs_nothing_but_the_view(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("no folder")
    with telling(tmp_path / "live", "abc", {}) as tell:
        tell(FIRST)
    assert (tmp_path / "live").read_text() == "no folder"


def test_an_error_of_what_runs_ends_the_file(tmp_path: Path) -> None:
    with pytest.raises(KeyError), telling(tmp_path / "live", "abc", {}):
        raise KeyError
    assert not (tmp_path / "live").exists()


def test_a_study_says_what_it_trains(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a trial is evaluated, all its epochs can be read; and the numbers are those of its record."""
    seen = []
    ledger = Ledger(tiny / "study")

    def spy(*_: object) -> None:
        seen.append(ledger.live())

    monkeypatch.setattr("cropworth.study.train.describe_environment", lambda: spy() or {})
    study = run_study(prepare(load_plan(tiny / "plan.yaml")), tiny / "study", 1)
    by_name = {record.trial: record for record in study.records}
    assert len(seen) == len(by_name) == 4
    for lives in seen:
        (trial,) = (live for live in lives if live.name != RUN)
        record = by_name[trial.name]
        assert [live.name for live in lives if live.name == RUN] == [RUN]
        assert trial.curve == record.curve
        assert trial.about == {"name": record.variant, "train_size": 16, "seed": record.seed, "epochs": 2}
    assert ledger.live() == ()
    assert not (tiny / "study" / "live").exists()


def test_a_run_clears_up_after_a_killed_one(tiny: Path) -> None:
    left = tiny / "study" / "live" / "0123456789abcdef-1.jsonl"
    run_study(prepare(load_plan(tiny / "plan.yaml")), tiny / "study", 1)
    left.parent.mkdir()
    left.write_text(json.dumps({}) + "\n")
    run_study(prepare(load_plan(tiny / "plan.yaml")), tiny / "study", 1)
    assert not left.parent.exists()
