"""The chosen test items of real, tiny studies."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from cropworth.data import build
from cropworth.deploy.load import load
from cropworth.report.html import render
from cropworth.study.album import Album
from cropworth.study.ledger import Ledger
from cropworth.study.plan import load_plan
from cropworth.study.record import Study
from cropworth.study.run import prepare, run_study
from cropworth.study.train import batches
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import read_economics
from study.test_temporal import CROP, a_plan, a_task


def album_of(study: Study) -> Album:
    assert study.album is not None
    return study.album


def page_of(study: Study) -> str:
    economics = read_economics({"cost_per_error": 1.0})
    return render(study, appraise(study, economics), economics)


def test_the_crops_are_what_the_classifier_saw(finished_once: Path) -> None:
    study = Ledger(finished_once / "study").read()
    (choice,) = album_of(study).choices
    assert choice.variant == "crop"
    prepared = prepare(load_plan(finished_once / "plan.yaml"))
    model = load(finished_once / "study", "crop", choice.seed).model
    batch = next(batches(prepared.task.test.take(torch.tensor(choice.all_items)), 99))
    with torch.no_grad():
        seen = (model.view(batch).seen * 255).round().to(torch.uint8).numpy()
    np.testing.assert_array_equal(album_of(study).crops["crop"], seen)


def test_wholes_and_names_are_those_of_the_items(finished_once: Path) -> None:
    album = album_of(Ledger(finished_once / "study").read())
    prepared = prepare(load_plan(finished_once / "plan.yaml"))
    assert album.images is not None
    np.testing.assert_array_equal(album.images, prepared.task.test.inputs[album.items].numpy())
    assert album.items[:4].tolist() == [0, 1, 2, 3]
    with (finished_once / "study" / "splits.csv").open() as file:
        tested = [row["item"] for row in csv.DictReader(file) if row["split"] == "test"]
    assert album.names == tuple(tested[item] for item in album.items)


def test_an_album_is_made_where_there_is_none_of_these_trials(finished: Path, finished_once: Path) -> None:
    prepared, path = prepare(load_plan(finished_once / "plan.yaml")), finished / "pictures.npz"
    before = path.stat().st_mtime_ns
    run_study(prepared, finished, 1)
    assert path.stat().st_mtime_ns == before
    path.unlink()  # a study of an older version
    made = album_of(run_study(prepared, finished, 1))
    assert path.stat().st_mtime_ns != before
    other = replace(made, choices=(replace(made.choices[0], trial="of another seed"),))
    Ledger(finished).write_album(other)
    assert album_of(run_study(prepared, finished, 1)).choices == made.choices


def test_what_older_versions_wrote_is_read_and_shown(finished: Path) -> None:
    (finished / "pictures.npz").unlink()
    for folder in (finished / "trials").iterdir():
        plain = json.loads((folder / "record.json").read_text())
        del plain["crop_advice"]
        (folder / "record.json").write_text(json.dumps(plain))
        with np.load(folder / "arrays.npz") as file:
            kept = {name: file[name] for name in file.files if name != "poses_by_epoch"}
        np.savez(folder / "arrays.npz", **kept)
    study = Ledger(finished).read()
    assert all(record.poses_by_epoch is record.crop_advice is None for record in study.records)
    page = page_of(study)
    assert "There are no pictures: an older version" in page
    assert "noted no more" in page
    assert "Where the crops fall" in page


@pytest.fixture
def ramps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def of(labels: str) -> Study:
        task = a_task(labels)
        monkeypatch.setitem(build.READERS, type(a_plan().data), lambda _: task)
        variants = {
            "baseline": {"control": "whole"},
            "zoom": CROP,
            "states": {**CROP, "looks_at": "states", "crops": "states"},
        }
        economics = {"cost_per_error": 1.0, "predictions_per_year": 1000}
        # Another canvas for each, since a process keeps the data that it has read.
        data = {"task": "digits-cluttered", "canvas": 60 if labels == "classes" else 64}
        plan = a_plan(variants=variants, data=data, study={"train_sizes": [32], "seeds": 1}, economics=economics)
        return run_study(prepare(plan), tmp_path / labels, 1)

    return of


def test_series_keep_their_values(ramps: Any) -> None:
    study, test = ramps("classes"), a_task().test
    album = album_of(study)
    assert test.lengths is not None
    for item, kept in zip(album.items, album.series, strict=True):
        np.testing.assert_array_equal(kept, test.inputs[item, : test.lengths[item]].numpy())
    assert [choice.variant for choice in album.choices] == ["zoom", "states"]
    for choice in album.choices:  # of states too the input's own two features, not the encoder's
        assert album.crops[choice.variant].shape == (len(choice.all_items), 8, 2)
    page = page_of(study)
    assert '<path class="curve-1"' in page
    assert "states of the span" in page


def test_a_regression_shows_what_improved_and_what_worsened(ramps: Any) -> None:
    page = page_of(ramps("numbers"))
    assert "Most improved: " in page
    assert "Most worsened: " in page
    assert "Both wrong" not in page


def test_texts_keep_the_words_of_their_steps(tmp_path: Path) -> None:
    rows = [f"{'good' if i % 2 else 'bad'} thing{i}, it was number {i}; and {'then ' * (i % 7)}more" for i in range(60)]
    with (tmp_path / "texts.csv").open("w") as file:
        csv.writer(file).writerows([["text", "label"], *([text, ["no", "yes"][i % 2]] for i, text in enumerate(rows))])
    plan = {
        "name": "texts",
        "data": {"task": "documents", "file": "texts.csv"},
        "backbone": {"name": "recurrent", "arguments": {"width": 8}},
        "variants": {"baseline": {"control": "whole"}, "zoom": {**CROP, "size": 4}},
        "training": {"epochs": 2, "batch_size": 8},
        "study": {"train_sizes": [24], "seeds": 1},
        "timing": {"batch_size": 4, "rounds": 10},
        "economics": {"cost_per_error": 1.0, "predictions_per_year": 1000},
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    study = run_study(prepare(load_plan(tmp_path / "plan.yaml"), tmp_path), tmp_path / "study", 1)
    album = album_of(study)
    for name, words in zip(album.names, album.words, strict=True):
        text = rows[int(name) - 1]
        assert "".join(words) == text.replace(" ", "")
        assert "," in words
    assert album.crops == {}
    page = page_of(study)
    assert "right is the crop" not in page
    assert not album.choices[0].all_items or "<mark>" in page
