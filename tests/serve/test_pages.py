"""The pages' content, asked without a network."""

from __future__ import annotations

import io
import json
import re
import shutil
import time
from pathlib import Path
from statistics import fmean

import pytest
from PIL import Image

from cropworth.report.as_json import report_as_json
from cropworth.report.document import document
from cropworth.report.text import percent
from cropworth.serve.pages import study_page
from cropworth.serve.studies import Shelf, Standing
from cropworth.serve.verdicts import Verdict, Verdicts, appraised
from cropworth.study.ledger import Ledger
from cropworth.study.live import RUN, telling
from cropworth.study.record import Epoch
from serve.conftest import asked, key


def test_a_list_of_studies(studies: Path) -> None:
    page = asked(studies, "/")
    assert page.status_code == 200
    for told in ("tiny", "studies/july/tiny", "4 of 4 trials", ">finished<"):
        assert told in page.text
    assert 'value="4"' in page.text


def test_a_folder_that_is_itself_a_study(studies: Path) -> None:
    assert "4 of 4 trials" in asked(studies / "july" / "tiny", "/").text


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    assert f"cropworth study plan.yaml --out {tmp_path.name}/NAME" in asked(tmp_path, "/").text


def test_studies_are_looked_for_three_levels_down_and_not_behind_links(studies: Path, tmp_path: Path) -> None:
    tiny = studies / "july" / "tiny"
    shutil.copytree(tiny, studies / "a" / "b" / "c")
    shutil.copytree(tiny, studies / "a" / "b" / "d" / "e")
    shutil.copytree(tiny, studies / ".hidden")
    (studies / "link").symlink_to(tiny)
    assert {one.place for one in Shelf(studies).all()} == {"studies/july/tiny", "studies/a/b/c"}


def test_a_name_that_is_no_text(studies: Path) -> None:
    (studies / "july").rename(studies / "j\udcfcly")
    assert "studies/j\N{REPLACEMENT CHARACTER}ly/tiny" in asked(studies, "/").text


def test_a_study(studies: Path) -> None:
    page = asked(studies, f"/studies/{key(studies)}").text
    for told in ("The study is finished", "Training curves", "Test accuracy of the finished trials", "learned crop"):
        assert told in page
    assert "so far" not in page
    assert page.count("<polyline") == 4
    read = Ledger(studies / "july" / "tiny").read()
    for name in ("baseline", "crop"):
        found = [record.accuracy for record in read.of(name, 16) if record.accuracy is not None]
        for number in (fmean(found), min(found), max(found)):
            assert f">{percent(number)}<" in page
    assert "No trial diverged" in page


def test_pictures_are_those_of_the_record(studies: Path) -> None:
    page, ledger = asked(studies, f"/studies/{key(studies)}").text, Ledger(studies / "july" / "tiny")
    found = re.findall(r'(/studies/\w+/pictures/(\w+)/(whole|crop)/(\d+))"', page)
    assert {part for _, _, part, _ in found} == {"whole", "crop"}
    for address, trial, part, index in found[:4]:
        answer = asked(studies, address)
        assert answer.headers["content-type"] == "image/png"
        pixels = Image.open(io.BytesIO(answer.content))
        examples = ledger.read_record(trial).examples
        assert examples is not None
        array = (examples.images if part == "whole" else examples.crops)[int(index)]  # type: ignore[index]
        assert pixels.tobytes() == array.tobytes()


def test_report_markdown_and_json_are_made_on_request(studies: Path) -> None:
    (report := studies / "july" / "tiny" / "report.html").unlink(missing_ok=True)
    at = f"/studies/{key(studies)}"
    page = asked(studies, f"{at}/report")
    assert page.text.startswith("<!DOCTYPE html>")
    assert "Content-Security-Policy" in page.text
    assert "# tiny" in asked(studies, f"{at}/report.md").text
    answer = asked(studies, f"{at}/report.json")
    assert answer.headers["content-type"] == "application/json"
    found = appraised(studies / "july" / "tiny")
    assert answer.json() == json.loads(json.dumps(report_as_json(document(*found), *found)))
    assert not report.exists()


def test_nothing_is_written(studies: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in studies.rglob("*")}
    for path in ("", "/report", "/report.md", "/report.json"):
        asked(studies, f"/studies/{key(studies)}{path}")
    assert {path: path.stat().st_mtime_ns for path in studies.rglob("*")} == before


def test_a_page_that_is_still_the_same_is_not_sent_again(studies: Path) -> None:
    at = f"/studies/{key(studies)}"
    tag = asked(studies, at).headers["etag"]
    again = asked(studies, at, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    shutil.rmtree(next((studies / "july" / "tiny" / "trials").iterdir()))
    assert asked(studies, at, headers={"If-None-Match": tag}).status_code == 200


def judged(verdicts: Verdicts, study: Standing) -> Verdict:
    """The verdict that is worked out beside."""
    for _ in range(600):
        if (verdict := verdicts.of(study)) is not None:
            return verdict
        time.sleep(0.05)
    raise AssertionError("no verdict after 30 seconds")


def test_a_verdict_comes_beside_the_page(studies: Path) -> None:
    (study,), verdicts = Shelf(studies).all(), Verdicts()
    assert verdicts.of(study) is None
    _, appraisal, _ = appraised(study.folder)
    assert judged(verdicts, study) == Verdict("not enough evidence", appraisal.headline, 4)
    page = study_page(study, Verdict("adopt", "Adopt <it>", 3))
    for words in ("badge-adopt", "Adopt &lt;it&gt;", "after 3 of 4 trials"):
        assert words in page


def test_a_study_that_cannot_be_judged_says_why(studies: Path) -> None:
    header = studies / "july" / "tiny" / "study.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | {"economics": {"value_fn": "nowhere:worth"}}))
    (study,) = Shelf(studies).all()
    verdict = judged(Verdicts(), study)
    assert verdict.word == "no verdict"
    assert "nowhere" in verdict.headline


def test_a_running_study(studies: Path) -> None:
    tiny = studies / "july" / "tiny"
    ledger, (trial, *_) = Ledger(tiny), sorted((tiny / "trials").iterdir())
    config = json.loads((trial / "config.json").read_text())
    shutil.rmtree(trial)
    at = f"/studies/{key(studies)}"
    page = asked(studies, at).text
    assert ">stopped<" in page
    assert "goes on with what is missing" in page
    with ledger.running(), ledger.training(config) as told:
        told(Epoch(0.71, 0.62, 0.53, 1.0))
        page = asked(studies, at).text
        for words in (">running<", "3 of 4 trials", "1 running", "1 of up to 2", "0.71", "0.62", "53.0 %", "so far"):
            assert words in page, words
        assert page.count("<polyline") == 4
        assert 'class="end' in page
    with telling(tiny / "live", RUN, {}):
        assert ">running<" in asked(studies, at).text
    assert ">stopped<" in asked(studies, at).text


def test_a_file_of_a_killed_run_is_not_running(studies: Path) -> None:
    tiny = studies / "july" / "tiny"
    trial = sorted((tiny / "trials").iterdir())[0]
    shutil.rmtree(trial)
    (tiny / "live").mkdir()
    (tiny / "live" / f"{trial.name}-1.jsonl").write_text('{"name": "crop", "train_size": 16, "seed": 0, "epochs": 2}\n')
    page = asked(studies, f"/studies/{key(studies)}").text
    assert ">stopped<" in page
    assert "Running now" not in page


def test_what_failed_and_why(studies: Path) -> None:
    record = sorted((studies / "july" / "tiny" / "trials").iterdir())[0] / "record.json"
    values = json.loads(record.read_text()) | {"status": "collapsed", "reason": "it shows <b>nothing</b>"}
    record.write_text(json.dumps(values))
    page = asked(studies, f"/studies/{key(studies)}").text
    assert "What failed" in page
    assert "it shows &lt;b&gt;nothing&lt;/b&gt;" in page
    assert "1 failed" in asked(studies, "/").text


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": 1, "kinds": 2, "classes": 3, "trials": 4}', "\x00"])
def test_a_damaged_study_spoils_no_other(studies: Path, content: str) -> None:
    (studies / "other").mkdir()
    (studies / "other" / "study.json").write_text(content)
    page = asked(studies, "/").text
    assert "other is damaged:" in page
    assert "4 of 4 trials" in page
    other = next(one for one in Shelf(studies).all() if one.state == "damaged")
    page = asked(studies, f"/studies/{other.key}")
    assert page.status_code == 200
    assert "Damaged:" in page.text
    assert asked(studies, f"/studies/{other.key}/report").status_code == 409


def test_a_damaged_trial_is_said_and_the_others_shown(studies: Path) -> None:
    record = sorted((studies / "july" / "tiny" / "trials").iterdir())[0] / "record.json"
    record.write_text(record.read_text()[:50])
    at = f"/studies/{key(studies)}"
    page = asked(studies, at).text
    for words in (">damaged<", "only this trial is repeated", "3 of 4 trials"):
        assert words in page
    assert page.count("<polyline") == 3
    answer = asked(studies, f"{at}/report")
    assert answer.status_code == 409
    assert "only this trial is repeated" in answer.text


def test_a_study_without_a_trial(studies: Path) -> None:
    shutil.rmtree(studies / "july" / "tiny" / "trials")
    at = f"/studies/{key(studies)}"
    assert "0 of 4 trials" in asked(studies, at).text
    assert asked(studies, f"{at}/report").status_code == 409
