"""`propose` knows each kind of data, and the plan that it writes has no problems and runs."""

import csv
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from cropworth.errors import CropworthError
from cropworth.study.check import check
from cropworth.study.plan import Plan, load_plan
from cropworth.study.propose import Proposal, propose
from tiny import write_images

PRICES = resources.files("cropworth.worth").joinpath("templates", "generic.yaml").read_text()
CLASSES = ("dim", "bright")
SIDE, OBJECT = 32, 8
Box = tuple[int, int, int, int]


def picture(path: Path, label: str, seed: int, size: tuple[int, int] = (SIDE, SIDE), depth: int = 8) -> Box:
    """A square of 8 pixels on noise -> its left, top, width and height."""
    rng = np.random.default_rng(seed)
    scale = 1 if depth == 8 else 256
    pixels = rng.integers(0, 60 * scale, size[::-1]).astype(np.uint8 if depth == 8 else np.uint16)
    left, top = (int(rng.integers(0, side - OBJECT)) for side in size)
    pixels[top : top + OBJECT, left : left + OBJECT] = (250 if label == "bright" else 120) * scale
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return left, top, OBJECT, OBJECT


def rows(path: Path, head: list[str], values: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([head, *values])


def split_folders(folder: Path) -> None:
    for split, first, last in (("train", 0, 20), ("val", 20, 24), ("test", 24, 30)):
        for number, label in enumerate(CLASSES):
            for index in range(first, last):
                picture(folder / split / label / f"{index}.png", label, 2 * index + number)


def image_table(folder: Path) -> None:
    values: list[list[object]] = []
    for index in range(60):
        label = CLASSES[index % 2]
        box = picture(folder / "photos" / f"{index}.png", label, index, (SIDE + 16, SIDE))
        values.append([f"{index}.png", label, f"p{index // 3}", *box])
    rows(folder / "labels.csv", ["file_name", "diagnosis", "patient_id", "x", "y", "w", "h"], values)


def coco(folder: Path) -> None:
    images, annotations = [], []
    for index in range(60):
        box = picture(folder / "images" / f"{index}.png", CLASSES[index % 2], index)
        images.append({"id": index, "file_name": f"{index}.png", "width": SIDE, "height": SIDE})
        annotations.append({"id": index, "image_id": index, "category_id": index % 2, "bbox": box})
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES)]
    text = json.dumps({"images": images, "annotations": annotations, "categories": categories})
    (folder / "instances.json").write_text(text)


def saved_dataset(folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for index in range(60):
        picture(folder.parent / "raw" / f"{index}.png", CLASSES[index % 2], index)
    columns = {
        "image": [str(folder.parent / "raw" / f"{index}.png") for index in range(60)],
        "label": [index % 2 for index in range(60)],
    }
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
    datasets.Dataset.from_dict(columns, features=kinds).save_to_disk(str(folder))


def voc(folder: Path) -> None:
    for index in range(60):
        path = folder / CLASSES[index % 2] / f"{index}.png"
        left, top, width, height = picture(path, CLASSES[index % 2], index)
        edges = {"xmin": left + 1, "ymin": top + 1, "xmax": left + width, "ymax": top + height}
        box = "".join(f"<{edge}>{value}</{edge}>" for edge, value in edges.items())
        content = f"<filename>{path.name}</filename><object><bndbox>{box}</bndbox></object>"
        path.with_suffix(".xml").write_text(f"<annotation>{content}</annotation>")


def deep_images(folder: Path) -> None:
    for label in CLASSES:
        for index in range(24):
            picture(folder / label / f"{index}.png", label, index + 100 * (label == "dim"), depth=16)


def texts(folder: Path) -> None:
    values: list[list[object]] = [
        [number, f"the {word} thing number {number} was what it was", word] for word in CLASSES for number in range(40)
    ]
    rows(folder / "notes.csv", ["id", "message", "category"], values)


def steps(folder: Path) -> None:
    rng = np.random.default_rng(0)
    values: list[list[object]] = [
        [f"r{item}", step, *rng.normal(item % 2, 1, 2).round(3), CLASSES[item % 2]]
        for item in range(40)
        for step in range(12)
    ]
    rows(folder / "runs.csv", ["recording", "step", "ax", "ay", "label"], values)


def walks(folder: Path) -> None:
    """As `steps`, but nothing is called what it is, and each person has walks of both kinds."""
    values: list[list[object]] = [
        [f"w{walk}", step, f"p{walk // 4}", walk + step * (1 + walk % 2) % 5, ("slow", "fast")[walk % 2]]
        for walk in range(40)
        for step in range(9)
    ]
    rows(folder / "all.csv", ["walk", "step", "person", "height", "pace"], values)


Made = Callable[[Path], None]
# What data are -> what makes them, the keys that the plan must have, and variants it has besides the usual ones.
KINDS: dict[str, tuple[Made, dict[str, object], set[str]]] = {
    "folders": (write_images, {"image_size": 24, "channels": 1, "fit": "crop"}, set()),
    "splits": (split_folders, {"image_size": 32, "channels": 1}, set()),
    "deep": (deep_images, {"bits": 16, "channels": 1}, set()),
    "table": (
        image_table,
        {"task": "image-table", "path_column": "file_name", "label_column": "diagnosis", "group_column": "patient_id",
         "folder": "data/photos", "fit": "pad", "image_size": 48},
        {"oracle"},
    ),
    "voc": (voc, {"folder": "data", "boxes": "."}, {"oracle"}),
    "coco": (coco, {"task": "coco", "folder": "data/images", "image_size": 32}, {"oracle"}),
    "datasets": (saved_dataset, {"task": "hugging-face", "image_column": "image", "label_column": "label"}, set()),
    "series": (steps, {"task": "series", "item_column": "recording", "features": ["ax", "ay"]}, {"max", "attention"}),
    "walks": (
        walks,
        {"task": "series", "item_column": "walk", "features": ["height"], "group_column": "person",
         "label_column": "pace"},
        {"max", "attention"},
    ),
    "texts": (texts, {"task": "documents", "text_column": "message", "label_column": "category"}, {"max", "attention"}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def short_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cropworth.study.run.ESTIMATE_STEPS", 1)


def proposed(folder: Path, data: Path | None = None) -> Proposal:
    found = propose(data or folder / "data", folder / "plan.yaml", PRICES, jobs=1)
    (folder / "plan.yaml").write_text(found.text)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_data_gets_a_plan_without_problems(kind: str, tmp_path: Path) -> None:
    make, wanted, more = KINDS[kind]
    (tmp_path / "data").mkdir()
    make(tmp_path / "data") if kind != "folders" else make(tmp_path / "data" / "images")
    found = proposed(tmp_path, tmp_path / "data" / "images" if kind == "folders" else None)
    values = yaml.safe_load(found.text)
    assert {key: values["data"].get(key) for key in wanted} == wanted
    usual = {"baseline", "crop", "small", "centre", "matched"}
    assert set(values["variants"]) == usual | more
    checked = check(tmp_path / "plan.yaml")
    assert [str(problem) for problem in checked.problems] == []
    assert checked.task is not None
    assert max(values["study"]["train_sizes"]) == checked.task.train_limit
    assert values["study"]["seeds"] == 5
    assert found.expected.seconds > 0


def test_every_key_but_the_prices_says_why(tmp_path: Path) -> None:
    image_table(tmp_path / "data")
    lines = proposed(tmp_path).text.split("\n# What predictions")[0].splitlines()
    keys = [number for number, line in enumerate(lines) if ":" in line and not line.lstrip().startswith("#")]
    bare = {
        lines[n].split(":")[0].strip() for n in keys if "#" not in lines[n] and not lines[n - 1].strip().startswith("#")
    }
    # What holds others, and what was told by the user or said in the first lines.
    assert bare <= {"name", "data", "variants", "training", "study", "backbone", "task", "file"}


def test_a_crop_keeps_the_known_boxes_and_their_pixels(tmp_path: Path) -> None:
    coco(tmp_path / "data")
    values = yaml.safe_load(proposed(tmp_path).text)
    crop, side = values["variants"]["crop"], values["data"]["image_size"]
    assert crop["start_scale"] == OBJECT / SIDE
    assert crop["size"] >= crop["start_scale"] * side
    assert values["variants"]["oracle"]["size"] == crop["size"]


def test_bad_items_are_left_out_and_told(tmp_path: Path) -> None:
    write_images(tmp_path / "data")
    (tmp_path / "data" / "dim" / "3.png").write_bytes(b"")
    (tmp_path / "data" / "dim" / "4.png").write_bytes(b"no picture")
    found = proposed(tmp_path)
    assert load_plan(tmp_path / "plan.yaml").data.on_bad_item == "skip"  # type: ignore[union-attr]
    assert ["3.png" in found.left_out[0].got, "4.png" in found.left_out[1].got] == [True, True]
    assert "leaves out what cannot be used, 2 in all" in found.text
    assert check(tmp_path / "plan.yaml").problems == []


def test_a_guess_with_which_nothing_can_be_read_is_dropped(tmp_path: Path) -> None:
    """Each user made pictures of one thing only, so that no group can be left for the test."""
    values: list[list[object]] = []
    for index in range(40):
        picture(tmp_path / "data" / f"{index}.png", label := CLASSES[index % 2], index)
        values.append([f"{index}.png", label, label + "'s"])
    rows(tmp_path / "data" / "labels.csv", ["path", "label", "user"], values)
    proposed(tmp_path)
    assert "group_column" not in yaml.safe_load((tmp_path / "plan.yaml").read_text())["data"]
    assert check(tmp_path / "plan.yaml").problems == []


def test_paths_start_at_the_plans_own_folder(tmp_path: Path) -> None:
    write_images(tmp_path / "data")
    (tmp_path / "plans").mkdir()
    found = propose(tmp_path / "data", tmp_path / "plans" / "a.yaml", PRICES, jobs=1)
    assert Plan.model_validate(yaml.safe_load(found.text)).data.folder == Path("../data")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, ("no files", "a folder for each class")),
        (lambda folder: picture(folder / "one" / "1.png", "dim", 0), ("1 of .png", "COCO JSON")),
        (lambda folder: rows(folder / "t.csv", ["path", "label"], [["a.png", "x"], ["b.png", "y"]]), ("names images",)),
        (lambda folder: [(folder / name).mkdir() or (folder / name / "1.png").write_bytes(b"") for name in "ab"],
         ("an empty file",)),
    ],
    ids=["nothing", "one class", "images that are elsewhere", "nothing readable"],
)  # fmt: skip
def test_data_that_no_plan_can_be_written_for(
    make: Callable[[Path], None], words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    make(tmp_path / "data")
    with pytest.raises(CropworthError) as caught:
        proposed(tmp_path)
    for word in words:
        assert word in str(caught.value)
    with pytest.raises(CropworthError, match="not there"):
        proposed(tmp_path, tmp_path / "nowhere")
