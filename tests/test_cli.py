"""The command line as a user meets it: what it prints, where, and with which exit status."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from command import Run
from cropworth.data.build import CACHE
from cropworth.worth.economics import read_economics
from tiny import tiny_values, write_images, write_plan

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA = json.loads((DOCS / "appraisal.schema.json").read_text())


def test_a_study_from_files_to_a_verdict(run: Run, tiny: Path) -> None:
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


def test_trials_are_tracked_where_that_is_asked_for(run: Run, tiny: Path) -> None:
    track = ("--track", f"tensorboard:{tiny / 'events'}", "--track", "wandb:crops")
    study = ("study", tiny / "plan.yaml", "--out", tiny / "study", "--jobs", 1)
    status, _, err = run(*study, "--track", "tensorbord:x")
    assert (status, not (tiny / "study").exists()) == (2, True)
    assert "Did you mean 'tensorboard'?" in err
    for _ in range(2):
        status, out, err = run(*study, *track)
        assert (status, err) == (0, "")
        assert "Training waited for data for " in out
        assert len([*(tiny / "events").iterdir()]) == 4
        assert len([*(tiny / "study" / "wandb").glob("offline-run-*")]) == 4


def test_a_study_until_it_is_clear(run: Run, tiny: Path) -> None:
    plan = write_plan(tiny, economics={**tiny_values()["economics"], "engineering": {"once": 1e6}})
    status, out, err = run("study", plan, "--out", tiny / "study", "--jobs", 1, "--until-clear", "--budget-hours", 5)
    assert (status, err) == (0, "")
    assert "After 3 seeds" in out
    assert "clear: crop (don't). Done." in out
    assert f"Report: {tiny / 'study' / 'report.html'}" in out.replace("\n", "")
    headline = next(line for line in out.splitlines() if line.startswith("Don't adopt crop"))
    assert json.loads((tiny / "study" / "study.json").read_text())["looks"] == [3, 4, 5, 7, 10, 14, 20]
    assert headline in run("appraise", tiny / "study")[1]


def test_what_is_left_out_of_the_data_is_told_before_anything_runs(run: Run, tiny: Path) -> None:
    (tiny / "images" / "dim" / "0.png").write_bytes(b"no picture")
    status, _, err = run("plan", write_plan(tiny), "--jobs", 1)
    assert status == 2
    assert "0.png" in err
    status, _, err = run("plan", write_plan(tiny, data={**tiny_values()["data"], "on_bad_item": "skip"}), "--jobs", 1)
    assert status == 0
    assert err.startswith("Left out of the data: images that cannot be read, 1; the first is")


def test_a_plan_says_what_would_run_and_runs_nothing(run: Run, tiny: Path) -> None:
    status, out, _ = run("plan", tiny / "plan.yaml", "--jobs", 1)
    assert status == 0
    assert "2 variants x sizes 16 x 2 seeds = 4 trials" in out
    assert "4 to run, 1 at a time: about" in out
    assert {path.name for path in tiny.iterdir()} == {CACHE, "images", "plan.yaml"}


def test_a_plan_knows_what_is_finished(run: Run, finished_once: Path) -> None:
    _, out, _ = run("plan", finished_once / "plan.yaml", "--out", finished_once / "study", "--jobs", 1)
    assert "0 to run" in out


def test_appraise_under_other_prices(run: Run, finished: Path) -> None:
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


def test_report_and_markdown(run: Run, finished: Path, tmp_path: Path) -> None:
    status, out, _ = run("report", finished, "--to", tmp_path / "page.html")
    assert status == 0
    assert "page.html" in out
    assert "<html" in (tmp_path / "page.html").read_text()
    status, out, _ = run("report", finished, "--format", "md", "--set", "economics.cost_per_error=77")
    assert status == 0
    assert "| baseline" in out
    assert "77" in out
    assert run("report", finished, "--format", "md", "--to", tmp_path / "pr.md")[0] == 0
    assert "| baseline" in (tmp_path / "pr.md").read_text()


def valid(plain: Any, name: str) -> bool:
    """Whether it holds to the schema of that name in docs/, which may name another there."""
    schemas = {path.name: json.loads(path.read_text()) for path in DOCS.glob("*.schema.json")}
    registry = Registry().with_resources((key, DRAFT202012.create_resource(schema)) for key, schema in schemas.items())
    jsonschema.Draft202012Validator(schemas[name], registry=registry).validate(plain)
    return True


def test_the_report_as_json_holds_to_its_schema(run: Run, finished: Path) -> None:
    status, out, _ = run("report", finished, "--format", "json")
    assert status == 0
    found = json.loads(out)
    assert valid(found, "report.schema.json")
    assert found["document"]["verdict"] == found["appraisal"]["headline"]
    assert [trial["trial"] for trial in found["trials"]] == json.loads((finished / "study.json").read_text())["trials"]
    with pytest.raises(jsonschema.ValidationError):
        valid(found | {"appraisal": {}}, "report.schema.json")


def test_two_studies_side_by_side(run: Run, finished: Path, finished_once: Path, tmp_path: Path) -> None:
    header = json.loads((finished / "study.json").read_text())
    header["economics"] |= {"cost_per_error": 1e-9}
    header["plan"]["training"]["epochs"] += 1
    (finished / "study.json").write_text(json.dumps(header))
    status, out, _ = run("compare", finished, finished_once / "study", "--format", "json")
    assert status == 0
    found = json.loads(out)
    assert valid(found, "comparison.schema.json")
    assert [one["what"] for one in found["differences"]] == ["training.epochs"]
    assert found["before"]["candidates"] == found["after"]["candidates"]  # under the same prices
    status, shown, _ = run("compare", finished, finished_once / "study")
    assert status == 0
    assert "training.epochs" in shown
    status, _, _ = run("compare", finished, finished_once / "study", "--format", "md", "--to", tmp_path / "pr.md")
    assert (status, "| training.epochs |" in (tmp_path / "pr.md").read_text()) == (0, True)
    status, _, told = run("compare", finished, tmp_path / "nowhere")
    assert status == 2
    assert "nowhere, which is no study" in told


def test_the_report_on_a_terminal_says_what_markdown_says(run: Run, finished: Path, tmp_path: Path) -> None:
    markdown, shown = (run("report", finished, "--format", form)[1] for form in ("md", "terminal"))
    titles = re.findall(r"^## (.*)$", markdown, re.MULTILINE)
    assert "What each candidate is worth" in titles
    assert [line.strip() for line in shown.splitlines() if line.strip() in titles] == titles
    status, _, told = run("report", finished, "--format", "terminal", "--to", tmp_path / "x")
    assert (status, (tmp_path / "x").exists()) == (2, False)
    assert "--format md" in told


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with the predictions and costs of two models that were trained elsewhere, and prices."""
    head = "variant,seed,item,y_true,y_pred\n"
    rows = [
        f"{v},{s},{i},{i % 2},{(i + (i < wrong)) % 2}\n"
        for v, wrong in (("today", 12), ("tomorrow", 6))
        for s in range(3)
        for i in range(60)
    ]
    (tmp_path / "preds.csv").write_text(head + "".join(rows))
    costs = "".join(f"{v},{s},60,{ms / 1000}\n" for v, ms in (("today", 9), ("tomorrow", 3)) for s in range(3))
    (tmp_path / "costs.csv").write_text("variant,seed,train_s,latency_s\n" + costs)
    (tmp_path / "prices.yaml").write_text("cost_per_error: 2\npredictions_per_year: 1000\nhorizon_years: 1\n")
    return tmp_path


def test_models_trained_elsewhere_are_appraised(run: Run, own: Path) -> None:
    files = ("--predictions", own / "preds.csv", "--baseline", "today", "--economics", own / "prices.yaml")
    status, out, err = run("appraise", *files, "--costs", own / "costs.csv", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    jsonschema.validate(found, SCHEMA)
    # Six errors fewer in 60, at 2 each, in 1000 predictions.
    assert found["candidates"]["tomorrow"]["npv"]["estimate"] == pytest.approx(200)
    status, out, err = run("appraise", *files, "--set", "economics.cost_per_error=20")
    assert (status, err) == (
        0,
        "Costs of training and inference are not known (no file of costs), and are left out of the appraisal.\n",
    )
    assert "2,000 more than today" in " ".join(out.split())


def test_a_report_of_models_trained_elsewhere(run: Run, own: Path) -> None:
    files = ("--predictions", own / "preds.csv", "--baseline", "today", "--costs", own / "costs.csv")
    status, out, _ = run("report", *files)
    assert status == 0
    assert "preds.html" in out
    assert "tomorrow" in (own / "preds.html").read_text()
    status, out, _ = run("report", *files, "--format", "md", "--economics", own / "prices.yaml")
    assert status == 0
    assert "| cost\\_per\\_error | 2 |" in out


def test_prices_of_a_file_replace_those_of_the_plan(run: Run, finished: Path, own: Path) -> None:
    def prices(text: str) -> dict[str, Any]:
        (own / "other.yaml").write_text(text)
        status, out, _ = run("appraise", finished, "--economics", own / "other.yaml", "--json")
        assert status == 0
        return dict(json.loads(out))

    top, inner = prices("currency: CHF\n"), prices("name: another plan\neconomics: {currency: CHF}\n")
    assert top == inner
    assert top["currency"] == "CHF"
    assert "cost_per_error" in top["not_priced"]


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

    def test_a_missing_plan(self, run: Run, tmp_path: Path) -> None:
        self.fails(run("study", tmp_path / "no.yaml", "--out", tmp_path / "s"), "no.yaml", "No such file")
        assert not (tmp_path / "s").exists()

    def test_a_misspelt_key(self, run: Run, tiny: Path) -> None:
        path = write_plan(tiny, trainin={})
        self.fails(run("study", path, "--out", tiny / "s"), "trainin", "Did you mean 'training'?")

    def test_a_negative_price(self, run: Run, tiny: Path) -> None:
        path = write_plan(tiny, economics={"cost_per_error": -3})
        self.fails(run("study", path, "--out", tiny / "s"), "economics.cost_per_error = -3")
        assert not (tiny / "s").exists()

    def test_a_cost_matrix_for_other_classes(self, run: Run, tiny: Path) -> None:
        path = write_plan(tiny, economics={"cost_matrix": {"owl": {"dim": 1}}})
        self.fails(run("study", path, "--out", tiny / "s"), "'owl'", "dim, square")
        assert not (tiny / "s").exists()

    def test_too_large_a_training_set(self, run: Run, tiny: Path) -> None:
        path = write_plan(tiny, study={"train_sizes": [1000], "seeds": 2})
        self.fails(run("study", path, "--out", tiny / "s"), "1,000", "1 to 30")

    def test_a_backbone_that_does_not_exist(self, run: Run, tiny: Path) -> None:
        path = write_plan(tiny, backbone={"name": "torchvision:resnet17"})
        self.fails(run("plan", path), "resnet17", "Did you mean 'resnet1")

    @pytest.mark.parametrize("command", ["appraise", "report"])
    def test_a_folder_that_is_no_study(self, run: Run, tmp_path: Path, command: str) -> None:
        self.fails(run(command, tmp_path), "which is no study")

    def test_an_out_that_is_something_else(self, run: Run, tiny: Path) -> None:
        self.fails(run("study", tiny / "plan.yaml", "--out", tiny / "images"), "which is no study", "--out")

    def test_a_truncated_record(self, run: Run, finished: Path) -> None:
        record = next((finished / "trials").iterdir()) / "record.json"
        record.write_text(record.read_text()[:100])
        self.fails(run("appraise", finished), "record.json", "Delete")

    @pytest.mark.parametrize("setting", ["economics.margin=-1", "margin=1", "economics.horizon=3"])
    def test_a_bad_setting(self, run: Run, finished: Path, setting: str) -> None:
        self.fails(run("appraise", finished, "--set", setting), setting.split("=")[0].split(".")[-1])

    def test_what_to_appraise_is_said_once(self, run: Run, finished: Path, own: Path) -> None:
        self.fails(run("appraise"), "neither a study's folder nor --predictions")
        self.fails(run("report", finished, "--predictions", own / "preds.csv"), f"both {finished} and --predictions")
        self.fails(run("appraise", finished, "--costs", own / "costs.csv"), "--costs with the study")
        self.fails(run("appraise", finished, "--classes"), "--numbers or --classes with the study")

    def test_a_baseline_that_is_not_there(self, run: Run, own: Path) -> None:
        self.fails(run("appraise", "--predictions", own / "preds.csv"), "today, tomorrow", "--baseline NAME")

    @pytest.mark.parametrize("text", ["economics: 3", "- 1", "economics: {cost_per_eror: 1}"])
    def test_prices_that_are_none(self, run: Run, finished: Path, own: Path, text: str) -> None:
        (own / "prices.yaml").write_text(text)
        self.fails(run("appraise", finished, "--economics", own / "prices.yaml"))

    def test_too_many_jobs(self, run: Run, tiny: Path) -> None:
        self.fails(run("study", tiny / "plan.yaml", "--out", tiny / "s", "--jobs", 9999), "--jobs 9999")

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            (["--until-clear", "--most-seeds", "2"], "--most-seeds 2"),
            (["--until-clear", "--budget-hours", "0"], "--budget-hours 0"),
            (["--until-clear", "--budget-hours", "1e-9"], "which 6 trials of the first round take"),
            (["--most-seeds", "9"], "--most-seeds without --until-clear"),
            (["--budget-hours", "9"], "--budget-hours without --until-clear"),
        ],
    )
    def test_options_of_until_clear(self, run: Run, tiny: Path, options: list[str], word: str) -> None:
        self.fails(run("study", tiny / "plan.yaml", "--out", tiny / "s", "--jobs", 1, *options), word)
        assert not (tiny / "s").exists()

    def test_finished_trials_stay(self, run: Run, tmp_path: Path, finished: Path) -> None:
        write_images(tmp_path / "images")
        before = {path: path.read_bytes() for path in (finished / "trials").rglob("*") if path.is_file()}
        path = write_plan(tmp_path, study={"train_sizes": [1000], "seeds": 2})
        self.fails(run("study", path, "--out", finished), "1,000")
        assert {path: path.read_bytes() for path in (finished / "trials").rglob("*") if path.is_file()} == before

    def test_a_page_that_cannot_be_written(self, run: Run, finished: Path, tmp_path: Path) -> None:
        self.fails(run("report", finished, "--to", tmp_path / "no" / "page.html"), "page.html")

    def test_an_unknown_command_and_option(self, run: Run) -> None:
        for arguments in (["studdy"], ["appraise", ".", "--jsn"]):
            status, _, err = run(*arguments)
            assert status == 2
            assert "No such" in err


def test_interrupting_says_what_is_kept(run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cropworth.study.run.run_study", interrupt)
    status, _, err = run("study", tiny / "plan.yaml", "--out", tiny / "study", "--jobs", 1)
    assert status == 130
    assert "finished trials are kept" in err


@pytest.mark.parametrize("name", ["generic", "medical-screening", "inspection", "moderation", "trading-signal"])
def test_prices_to_fill_in_are_prices(run: Run, name: str) -> None:
    status, out, _ = run("economics", name)
    assert status == 0
    economics = read_economics(yaml.safe_load(out)["economics"])
    assert economics.error_price in economics.prices()
    assert economics.note


def test_unknown_prices_to_fill_in(run: Run) -> None:
    status, _, err = run("economics", "inspektion")
    assert status == 2
    assert "Did you mean 'inspection'?" in err
