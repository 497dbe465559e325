"""The command line as a user meets it: what it prints, where, and with which exit status."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cropworth.cli import main
from tiny import tiny_values, write_images

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "appraisal.schema.json").read_text())


class Ran:
    """Exit status and output of one command, run in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["cropworth", *map(str, arguments)])
        self._monkeypatch.setenv("COLUMNS", "200")
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    return Ran(capsys, monkeypatch)


def write_plan(folder: Path, **changes: Any) -> Path:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump({**tiny_values(), **changes}, sort_keys=False))
    return path


def test_a_study_from_files_to_a_verdict(run: Ran, tiny: Path) -> None:
    status, out, err = run("study", tiny / "plan.yaml", "--out", tiny / "study", "--jobs", 1)
    assert (status, err) == (0, "")
    for word in (
        "variant",
        "accuracy",
        "errors per 1,000",
        "training seconds",
        "inference ms per item",
        "FLOPs per item",
    ):
        assert word in out
    assert "baseline" in out
    assert "no interval from 2 seeds" in out
    assert f"Report: {tiny / 'study' / 'report.html'}" in out.replace("\n", "")
    assert (tiny / "study" / "report.html").stat().st_size < 6_000_000


def test_what_is_left_out_of_the_data_is_told_before_anything_runs(run: Ran, tiny: Path) -> None:
    (tiny / "images" / "dim" / "0.png").write_bytes(b"no picture")
    status, _, err = run("plan", write_plan(tiny), "--jobs", 1)
    assert status == 2
    assert "0.png" in err
    status, _, err = run("plan", write_plan(tiny, data={**tiny_values()["data"], "on_bad_item": "skip"}), "--jobs", 1)
    assert status == 0
    assert err.startswith("Left out of the data: images that cannot be read, 1; the first is")


def test_a_plan_says_what_would_run_and_runs_nothing(run: Ran, tiny: Path) -> None:
    status, out, _ = run("plan", tiny / "plan.yaml", "--jobs", 1)
    assert status == 0
    assert "2 variants x sizes 16 x 2 seeds = 4 trials" in out
    assert "4 to run, 1 at a time: about" in out
    assert sorted(path.name for path in tiny.iterdir()) == ["images", "plan.yaml"]


def test_a_plan_knows_what_is_finished(run: Ran, finished_once: Path) -> None:
    _, out, _ = run("plan", finished_once / "plan.yaml", "--out", finished_once / "study", "--jobs", 1)
    assert "0 to run" in out


def test_appraise_under_other_prices(run: Ran, finished: Path) -> None:
    def appraise(*settings: str) -> dict[str, Any]:
        status, out, _ = run("appraise", finished, "--json", *(x for s in settings for x in ("--set", s)))
        assert status == 0
        return dict(json.loads(out))

    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    as_planned, doubled = appraise(), appraise("economics.predictions_per_year=2000")
    jsonschema.validate(as_planned, SCHEMA)
    values = [plain["candidates"]["crop"]["npv"]["estimate"] for plain in (as_planned, doubled)]
    assert values[1] == pytest.approx(2 * values[0])
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_appraise_needs_no_torch(finished: Path) -> None:
    code = (
        "import sys; sys.argv = ['cropworth', 'appraise', sys.argv[1]]\n"
        "from cropworth.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('TORCH' if 'torch' in sys.modules else 'no torch')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(finished)], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("no torch")


def test_report_and_markdown(run: Ran, finished: Path, tmp_path: Path) -> None:
    status, out, _ = run("report", finished, "--to", tmp_path / "page.html")
    assert status == 0
    assert "page.html" in out
    assert "<html" in (tmp_path / "page.html").read_text()
    status, out, _ = run("report", finished, "--markdown", "--set", "economics.cost_per_error=77")
    assert status == 0
    assert "| baseline" in out
    assert "77" in out


class TestBadInput:
    """One message on standard error, exit status 2, no traceback, and finished trials left alone."""

    def fails(self, ran: tuple[int, str, str], *words: str) -> None:
        status, out, err = ran
        assert status == 2
        assert out == ""
        assert err.startswith("Error: got ")
        assert "expected" in err
        assert "Traceback" not in err
        for word in words:
            assert word in err

    def test_a_missing_plan(self, run: Ran, tmp_path: Path) -> None:
        self.fails(run("study", tmp_path / "no.yaml", "--out", tmp_path / "s"), "no.yaml", "No such file")
        assert not (tmp_path / "s").exists()

    def test_a_misspelt_key(self, run: Ran, tiny: Path) -> None:
        path = write_plan(tiny, trainin={})
        self.fails(run("study", path, "--out", tiny / "s"), "trainin", "Did you mean 'training'?")

    def test_a_negative_price(self, run: Ran, tiny: Path) -> None:
        path = write_plan(tiny, economics={"cost_per_error": -3})
        self.fails(run("study", path, "--out", tiny / "s"), "economics.cost_per_error = -3")
        assert not (tiny / "s").exists()

    def test_a_cost_matrix_for_other_classes(self, run: Ran, tiny: Path) -> None:
        path = write_plan(tiny, economics={"cost_matrix": {"owl": {"dim": 1}}})
        self.fails(run("study", path, "--out", tiny / "s"), "'owl'", "dim, square")
        assert not (tiny / "s").exists()

    def test_too_large_a_training_set(self, run: Ran, tiny: Path) -> None:
        path = write_plan(tiny, study={"train_sizes": [1000], "seeds": 2})
        self.fails(run("study", path, "--out", tiny / "s"), "1,000", "1 to 30")

    def test_a_backbone_that_does_not_exist(self, run: Ran, tiny: Path) -> None:
        path = write_plan(tiny, backbone={"name": "torchvision:resnet17"})
        self.fails(run("plan", path), "resnet17", "Did you mean 'resnet1")

    @pytest.mark.parametrize("command", ["appraise", "report"])
    def test_a_folder_that_is_no_study(self, run: Ran, tmp_path: Path, command: str) -> None:
        self.fails(run(command, tmp_path), "which is no study")

    def test_an_out_that_is_something_else(self, run: Ran, tiny: Path) -> None:
        self.fails(run("study", tiny / "plan.yaml", "--out", tiny / "images"), "which is no study", "--out")

    def test_a_truncated_record(self, run: Ran, finished: Path) -> None:
        record = next((finished / "trials").iterdir()) / "record.json"
        record.write_text(record.read_text()[:100])
        self.fails(run("appraise", finished), "record.json", "Delete")

    @pytest.mark.parametrize("setting", ["economics.margin=-1", "margin=1", "economics.horizon=3"])
    def test_a_bad_setting(self, run: Ran, finished: Path, setting: str) -> None:
        self.fails(run("appraise", finished, "--set", setting), setting.split("=")[0].split(".")[-1])

    def test_too_many_jobs(self, run: Ran, tiny: Path) -> None:
        self.fails(run("study", tiny / "plan.yaml", "--out", tiny / "s", "--jobs", 9999), "--jobs 9999")

    def test_finished_trials_stay(self, run: Ran, tmp_path: Path, finished: Path) -> None:
        write_images(tmp_path / "images")
        before = {path: path.read_bytes() for path in (finished / "trials").rglob("*") if path.is_file()}
        path = write_plan(tmp_path, study={"train_sizes": [1000], "seeds": 2})
        self.fails(run("study", path, "--out", finished), "1,000")
        assert {path: path.read_bytes() for path in (finished / "trials").rglob("*") if path.is_file()} == before

    def test_a_page_that_cannot_be_written(self, run: Ran, finished: Path, tmp_path: Path) -> None:
        self.fails(run("report", finished, "--to", tmp_path / "no" / "page.html"), "page.html")

    def test_an_unknown_command_and_option(self, run: Ran) -> None:
        for arguments in (["studdy"], ["appraise", ".", "--jsn"]):
            status, _, err = run(*arguments)
            assert status == 2
            assert "No such" in err


def test_interrupting_says_what_is_kept(run: Ran, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cropworth.study.run.run_study", interrupt)
    status, _, err = run("study", tiny / "plan.yaml", "--out", tiny / "study", "--jobs", 1)
    assert status == 130
    assert "finished trials are kept" in err
