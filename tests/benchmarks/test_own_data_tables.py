"""The tables of docs/results/own-data.md say what `appraise` says."""

import sys
from pathlib import Path

import pytest

from cropworth.study.ledger import Ledger

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import own_data


def test_a_row_for_each_variant(
    finished_once: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished_once / "study"
    monkeypatch.setattr(sys, "argv", ["own_data.py", str(folder)])
    own_data.main()
    title, _, head, _, baseline, crop, _, ran, *_ = capsys.readouterr().out.splitlines()
    assert title == "### tiny"
    assert head.count("|") == baseline.count("|") == crop.count("|") == len(own_data.HEAD) + 1
    accuracies = [100 * float(record.accuracy or 0) for record in Ledger(folder).read().of("crop", 16)]
    assert f"| {sum(accuracies) / 2:.1f} ({min(accuracies):.1f} to {max(accuracies):.1f}) |" in crop
    assert "not enough evidence, EUR" in crop
    assert baseline.endswith("|  |")
    assert ran.startswith("4 trials, the first on 20")
