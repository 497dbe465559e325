"""Files -> CSV: what the study itself predicted of them."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from command import Run
from cropworth.crops.geometry import theta_to_boxes
from cropworth.data.build import build_task
from cropworth.data.config import DigitsCluttered, Documents, SeriesFile
from cropworth.data.images.cluttered import ClutteredDigits
from cropworth.data.texts.text import Document, Vocabulary, sentences, text_task
from cropworth.deploy.inputs import Input, reader_of
from cropworth.deploy.predict import Prediction, Predictions, as_csv
from cropworth.deploy.trial import choose
from cropworth.errors import CropworthError
from cropworth.study.plan import load_plan
from cropworth.study.run import prepare, run_study


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def only(path: Path, reading: dict[str, Any]) -> Input:
    (one,) = reader_of(reading)(path)
    return one


@pytest.mark.parametrize("variant", ["baseline", "crop"])
def test_the_studys_own_test_items(run: Run, finished_once: Path, variant: str) -> None:
    study, images = finished_once / "study", finished_once / "images"
    with (study / "splits.csv").open(newline="") as file:
        test = [images / row["item"] for row in csv.DictReader(file) if row["split"] == "test"]
    status, out, err = run("predict", study, "--variant", variant, "--seed", 1, "--batch-size", 5, *test)
    assert (status, err) == (0, "")
    rows, record = rows_of(out), choose(study, variant, 1).record
    assert [row["file"] for row in rows] == [str(path) for path in test]
    assert record.probabilities is not None
    found = np.array([[float(row["p_dim"]), float(row["p_square"])] for row in rows])
    np.testing.assert_allclose(found, record.probabilities, atol=1e-6)
    assert [row["label"] for row in rows] == [("dim", "square")[i] for i in record.probabilities.argmax(1)]
    boxes = [[row[edge] for edge in "xywh"] for row in rows]
    if variant == "baseline":
        assert all(box == [""] * 4 for box in boxes)
    else:
        cx, cy, w, h = (24 * theta_to_boxes(torch.from_numpy(record.theta))).T.numpy()
        right = np.stack([cx - w / 2, cy - h / 2, w, h], axis=1)
        np.testing.assert_allclose(np.array(boxes, dtype=float), right, atol=0.0051)


def test_boxes_are_of_the_stored_image(run: Run, finished_once: Path, tmp_path: Path) -> None:
    small = Image.open(finished_once / "images" / "dim" / "0.png")
    wide = Image.new("L", (144, 72))
    wide.paste(small.resize((72, 72), Image.Resampling.NEAREST), (36, 0))
    small.save(tmp_path / "small.png")
    wide.save(tmp_path / "wide.png")
    _, out, _ = run("predict", finished_once / "study", "--variant", "crop", tmp_path)
    one, three = ([float(row[edge]) for edge in "xywh"] for row in rows_of(out))
    # The central square of the wide one is the small one, three times as large, 36 pixels from the left.
    np.testing.assert_allclose(three, [36 + 3 * one[0], 3 * one[1], 3 * one[2], 3 * one[3]], atol=0.6)


def test_a_folder_into_a_file(run: Run, finished_once: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.csv"
    images = finished_once / "images" / "square"
    status, said, _ = run("predict", finished_once / "study", "--variant", "crop", images, "--out", out)
    assert status == 0
    assert "24 predictions" in said
    assert [row["file"] for row in rows_of(out.read_text())] == sorted(str(path) for path in images.iterdir())


def test_bad_files_are_all_named_and_nothing_is_written(run: Run, finished_once: Path, tmp_path: Path) -> None:
    good, out = finished_once / "images" / "dim" / "0.png", tmp_path / "found.csv"
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:60])
    bad = [tmp_path / "broken.png", tmp_path / "cut.png", tmp_path / "missing.png"]
    command = ("predict", finished_once / "study", "--variant", "crop", *bad, good, "--out", out)
    status, _, err = run(*command)
    assert status == 2
    assert all(path.name in err for path in bad)
    assert not out.exists()
    status, _, err = run(*command, "--skip-bad")
    assert (status, len(rows_of(out.read_text()))) == (0, 1)
    assert "files that cannot be read, 3; the first is" in err
    status, _, err = run(*command[:-3], "--skip-bad")
    assert status == 2
    assert "nothing to predict" in err


def test_what_the_command_line_refuses(run: Run, finished_once: Path, tmp_path: Path) -> None:
    image, study = finished_once / "images" / "dim" / "0.png", finished_once / "study"
    for arguments, said in (
        ((study, "--variant", "crop", tmp_path), "a folder without a file to read"),
        ((study, "--variant", "cropp", image), "Did you mean 'crop'"),
        ((study, "--variant", "crop", image, "--out", tmp_path / "no" / "x.csv"), "No such file"),
        ((tmp_path, "--variant", "crop", image), "which is no study"),
    ):
        status, out, err = run("predict", *arguments)
        assert (status, out) == (2, "")
        assert said in err


def test_canvases_of_digits(tmp_path: Path) -> None:
    task = ClutteredDigits(DigitsCluttered(task="digits-cluttered", canvas=32, clutter=1))
    canvas = task.test.inputs[7]
    Image.fromarray(canvas[0].numpy()).save(tmp_path / "7.png")
    assert torch.equal(only(tmp_path / "7.png", dict(task.reading)).values, canvas)


def test_a_series_from_a_table_or_an_array(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(3, 2, (6, 2))
    rows = "".join(f"{t},{b:.17g},{a:.17g}\n" for t, (a, b) in enumerate(values))
    (tmp_path / "one.csv").write_text(f"time,b,a\n{rows}")
    np.save(tmp_path / "one.npy", values)
    reading = {"kind": "series", "features": ["a", "b"], "mean": [3.0, 1.0], "deviation": [2.0, 4.0]}
    right = torch.tensor((values - [3, 1]) / [2, 4], dtype=torch.float32)
    for name in ("one.csv", "one.npy"):
        one = only(tmp_path / name, reading)
        torch.testing.assert_close(one.values, right)
        assert one.stored((0.5, 1 / 3)) == pytest.approx((2, 4))
    (tmp_path / "two.csv").write_text("item,b,a\nx,1,3\ny,5,3\nx,1,5\ny,5,5\n")
    for two in (reading, {**reading, "features": [0, 1], "mean": [1.0, 3.0], "deviation": [4.0, 2.0]}):
        names, found = zip(*((one.name, one.values) for one in reader_of(two)(tmp_path / "two.csv")), strict=True)
        assert names == (f"{tmp_path / 'two.csv'}:x", f"{tmp_path / 'two.csv'}:y")
        right = torch.tensor([[[0, 0], [1, 0]], [[0, 1], [1, 1]]], dtype=torch.float32)
        assert torch.equal(torch.stack(found), right if two is reading else right.flip(2))
    (tmp_path / "other.csv").write_text("a,c\n1,2\n3,4\n")
    with pytest.raises(CropworthError, match="Add b"):
        only(tmp_path / "other.csv", reading)
    np.save(tmp_path / "wide.npy", np.zeros((5, 3)))
    with pytest.raises(CropworthError, match=r"shape \(5, 3\)"):
        only(tmp_path / "wide.npy", reading)


@pytest.mark.parametrize("name", ["walks.csv", "walks.npz"])
def test_series_are_read_as_the_study_read_them(tmp_path: Path, name: str) -> None:
    values = np.random.default_rng(1).normal(2, 3, (12, 5, 2)).astype(np.float32)
    if name.endswith(".npz"):
        np.savez(tmp_path / name, values=values, labels=np.array(["a", "b"] * 6))
    else:
        rows = [
            f"w{n},{'ab'[n % 2]},{x:.9g},note,{y:.9g}\n" for n, series in enumerate(values) for x, y in series.tolist()
        ]
        (tmp_path / name).write_text("walk,label,x,why,y\n" + "".join(rows))
    task = build_task(SeriesFile(task="series", file=tmp_path / name, item_column="walk"))
    found = {item.name.rpartition(":")[2]: item.values for item in reader_of(task.reading)(tmp_path / name)}
    of_test = [row.name for row in task.placed if row.split == "test"]
    assert torch.equal(torch.stack([found[name] for name in of_test]), task.test.inputs)


def test_a_text_is_read_as_a_document_is(tmp_path: Path) -> None:
    texts = ["It rains. Bring 3.5 umbrellas!\nNow", "The sun shines; it's warm", "It is dry", "Rain again, unknown."]
    vocabulary = Vocabulary.of(texts[:3], most_words=9, least_count=1)
    documents = [Document(sentences(text), 0, "here") for text in texts]
    config = Documents(task="documents", file=tmp_path, most_words=9, least_count=1)
    task = text_task("texts", ("a", "b"), (documents[:3], documents[3:], documents), config, most_steps=6)
    reading = {"kind": "texts", "words": vocabulary.listed, "most_steps": 6}
    for index, text in enumerate(texts):
        (tmp_path / "one.txt").write_text(text)
        steps = int(task.test.lengths[index])
        assert torch.equal(only(tmp_path / "one.txt", reading).values, task.test.inputs[index, :steps])
    (tmp_path / "all.csv").write_text("said\n" + "".join(f'"{text}"\n' for text in texts))
    items = list(reader_of({**reading, "text_column": "said"})(tmp_path / "all.csv"))
    assert [item.name for item in items] == [f"{tmp_path / 'all.csv'}:{row}" for row in (1, 2, 3, 4)]
    assert torch.equal(items[3].values, only(tmp_path / "one.txt", reading).values)
    (tmp_path / "one.txt").write_text("word")
    with pytest.raises(CropworthError, match="1 steps"):
        only(tmp_path / "one.txt", reading)


def test_numbers_and_steps_have_columns_of_their_own() -> None:
    of_numbers = Predictions((), True, (Prediction("a.csv", (1.25,), (0.5, 2.0)), Prediction("b.csv", (-3.0,), None)))
    assert as_csv(of_numbers) == "file,number,start,end\na.csv,1.25,0.50,2.00\nb.csv,-3,,\n"


def test_a_study_whose_data_are_of_no_file() -> None:
    with pytest.raises(CropworthError, match=r"Use cropworth\.load"):
        reader_of({})


RNG_TEXTS = ["rain falls in the valley.", "sun over the valley.", "heavy rain! And wind.", "a dry and sunny day."]


def sequence_plan(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "sequences",
        "data": data,
        "backbone": {"name": "recurrent", "arguments": {"width": 4}},
        "variants": {
            "baseline": {"control": "whole"},
            "crop": {"localizer": "heatmap", "transform": "zoom", "size": 6, "look_size": 20, "start_scale": 0.7},
        },
        "training": {"epochs": 1, "batch_size": 8},
        "study": {"train_sizes": [16], "seeds": 1},
        "timing": {"batch_size": 4, "rounds": 10},
    }


def write_texts(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(RNG_TEXTS, rng.integers(1, 5))) + f" Note {i}." for i in range(48)]
    rows = "".join(f'"{text}",{"wet" if "rain" in text else "dry"}\n' for text in texts)
    (folder / "data.csv").write_text("text,label\n" + rows)
    return {"task": "documents", "file": "data.csv", "most_steps": 12, "least_count": 1}


def write_series(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    lines = ["item,label,p,q"]
    for item in range(48):
        steps = rng.normal(item % 2, 2, (int(rng.integers(5, 15)), 2))
        lines += [f"s{item},{'ab'[item % 2]},{p:.9g},{q:.9g}" for p, q in steps]
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    return {"task": "series", "file": "data.csv"}


@pytest.mark.parametrize("write", [write_texts, write_series])
def test_a_study_of_sequences(run: Run, tmp_path: Path, write: Callable[[Path], dict[str, Any]]) -> None:
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(sequence_plan(write(tmp_path))))
    study = run_study(prepare(load_plan(tmp_path / "plan.yaml")), tmp_path / "study", jobs=1)
    status, out, _ = run("predict", tmp_path / "study", "--variant", "crop", tmp_path / "data.csv")
    assert status == 0
    found = {row["file"].rpartition(":")[2]: row for row in rows_of(out)}
    with (tmp_path / "study" / "splits.csv").open(newline="") as file:
        test = [row["item"] for row in csv.DictReader(file) if row["split"] == "test"]
    record = study.of("crop", 16)[0]
    assert record.probabilities is not None
    assert len(test) == len(record.probabilities)
    for name, right in zip(test, record.probabilities, strict=True):
        row = found[name]
        said = [float(row[f"p_{label}"]) for label in study.classes]
        np.testing.assert_allclose(said, right, atol=1e-6)
        assert float(row["start"]) < float(row["end"])
