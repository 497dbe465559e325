"""The task `coco`: JSON in, entries out; the category of an image's objects is its label, their hull its box."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cropworth.config import parse
from cropworth.data.bad_items import BadItems
from cropworth.data.build import build_task
from cropworth.data.config import Coco
from cropworth.data.images.coco import list_coco
from cropworth.data.images.entries import Listing
from cropworth.errors import CropworthError, ManyError

CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}, {"id": 17, "name": "cat"}]


def note(image: object, category: object, box: object = (1, 1, 2, 2), **more: object) -> dict[str, object]:
    return {"image_id": image, "category_id": category, "bbox": box} | more


def write(folder: Path, annotations: list[dict[str, object]], images: int = 3, **parts: object) -> Path:
    """`coco.json` about images 0.png, 1.png ... of the ids 100, 101 ..., which are there."""
    entries = [{"id": 100 + number, "file_name": f"{number}.png"} for number in range(images)]
    for entry in entries:
        Image.new("L", (16, 16)).save(folder / str(entry["file_name"]))
    whole = {"images": entries, "annotations": annotations, "categories": CATEGORIES} | parts
    (folder / "coco.json").write_text(json.dumps(whole))
    return folder / "coco.json"


def listed(path: Path, bad: BadItems | None = None, **settings: object) -> Listing:
    waiting = bad or BadItems("fail")
    found = list_coco(parse(Coco, {"task": "coco", "file": str(path), **settings}), waiting)
    if bad is None:
        waiting.settle()
    return found


def test_labels_classes_and_boxes(tmp_path: Path) -> None:
    notes = [note(102, 17), note(100, 18, [1, 2, 3, 4]), note(100, 18, [2, 0, 8.5, 3], iscrowd=1), note(101, 18)]
    path = write(tmp_path, notes)
    found = listed(path)
    assert (found.name, found.root, found.boxed, found.warnings) == ("coco", tmp_path, True, ())
    # In the order of the ids, less the category that no image shows.
    assert found.classes == ("cat", "dog")
    assert [(e.name, e.label, e.split, e.source) for e in found.entries] == [
        ("0.png", "dog", None, tmp_path / "0.png"),
        ("1.png", "dog", None, tmp_path / "1.png"),
        ("2.png", "cat", None, tmp_path / "2.png"),
    ]
    box = found.entries[0].box
    assert box is not None
    assert (box.left, box.top, box.width, box.height) == (1, 0, 9.5, 6)
    assert box.where == found.entries[0].where == f"{path}, annotations[1]"


def test_images_without_annotations_are_left_out_and_counted(tmp_path: Path) -> None:
    found = listed(write(tmp_path, [note(101, 3)], images=4))
    assert [entry.name for entry in found.entries] == ["1.png"]
    assert found.warnings == ("Left out of the data: images without annotations in coco.json, 3; the first is 0.png.",)


def test_images_start_in_a_folder_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, [note(100, 3)], images=1)
    (tmp_path / "in").mkdir()
    (tmp_path / "0.png").rename(tmp_path / "in" / "0.png")
    found = listed(path, folder=str(tmp_path / "in"))
    assert (found.root, found.entries[0].source) == (tmp_path / "in", tmp_path / "in" / "0.png")


def test_categories_without_boxes(tmp_path: Path) -> None:
    """As COCO Camera Traps has them; an image has a box where all its annotations have one."""
    bare = {"image_id": 100, "category_id": 3}
    assert not listed(write(tmp_path, [bare], images=1)).boxed
    found = listed(write(tmp_path, [bare, note(100, 3), note(101, 3)], images=2))
    assert found.boxed
    assert [entry.box is None for entry in found.entries] == [True, False]


BAD = [
    (note(100, 18), ""),
    (note(100, 17), "annotations[1]: two labels of 0.png, 'cat' after 'dog' in"),
    (note(101, 17, [1, 1, 0, 5]), "annotations[2]: a box of 0 x 5 pixels at (1, 1)"),
    (note(101, 17, [1, 1, "wide", 5]), "annotations[3]: [1, 1, 'wide', 5]; expected four numbers"),
    (note(101, 17, [1, 1]), "annotations[4]: [1, 1]; expected four numbers"),
    (note(999, 17), "annotations[5] of image_id 999"),
    (note(101, 99), "annotations[6] of category_id 99"),
    (note(103, 3), ""),
]


def test_all_problems_are_named_at_once_or_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, [entry for entry, _ in BAD], images=4)
    bad = BadItems("fail")
    listed(path, bad)
    with pytest.raises(ManyError) as caught:
        bad.settle()
    expected = [f"{path}, {message}" for _, message in BAD if message]
    said = [problem.got + "; expected " + problem.expected for problem in caught.value.problems]
    assert len(said) == len(expected)
    assert [message for message in expected if not any(message in line for line in said)] == []
    skipping = BadItems("skip")
    found = listed(path, skipping)
    assert [(entry.name, entry.label, entry.box is None) for entry in found.entries] == [
        ("1.png", "cat", True), ("3.png", "car", False),
    ]  # fmt: skip
    assert found.classes == ("car", "cat")
    assert len(skipping.warnings) == 4


def test_a_task_of_coco(tmp_path: Path) -> None:
    notes = [note(100 + n, 17 + n % 2, [2, 4, 8, 8]) for n in range(20)]
    path = write(tmp_path, notes, images=21)
    for n in range(21):
        Image.new("L", (16, 16), n).save(tmp_path / f"{n}.png")
    task = build_task(parse(Coco, {"task": "coco", "file": str(path), "image_size": 16}))
    assert task.classes == ("cat", "dog")
    assert len(task.placed) == 20
    assert task.test.labels.tolist() == [n % 2 for n in task.test.inputs[:, 0, 0, 0].tolist()]
    assert task.test.boxes is not None
    assert set(map(tuple, task.test.boxes.tolist())) == {(0.375, 0.5, 0.5, 0.5)}
    assert task.warnings[0].startswith("Left out of the data: images without annotations in coco.json, 1;")


def test_a_file_name_twice(tmp_path: Path) -> None:
    path = write(tmp_path, [note(100 + n, 17 + n % 2) for n in range(20)], images=20)
    whole = json.loads(path.read_text())
    for n in range(20):
        Image.new("L", (16, 16), n).save(tmp_path / f"{n}.png")
    whole["images"][0]["file_name"] = "./1.png"
    path.write_text(json.dumps(whole))
    with pytest.raises(CropworthError, match=r"1\.png, labelled 'cat', holds the same as 1\.png, 'dog'"):
        build_task(parse(Coco, {"task": "coco", "file": str(path), "image_size": 16}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSONDecodeError.*Export it as COCO JSON"),
        ("[]", "TypeError"),
        ('{"images": [], "annotations": []}', r"KeyError: 'categories'.*categories \(id, name\)"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "KeyError: 'file_name'"),
        ('{"images": [{"id": [1], "file_name": "a"}], "annotations": [], "categories": []}', "TypeError"),
        ('{"images": [], "annotations": [{"image_id": 1}], "categories": []}', "KeyError: 'category_id'"),
        ('{"images": [], "annotations": 3, "categories": []}', "TypeError"),
        (
            '{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name":""}], "annotations": "", "categories": ""}',
            "2 images of the id 1",
        ),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}',
            "2 categ",
        ),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "coco.json").write_text(text)
    with pytest.raises(CropworthError, match=said):
        listed(tmp_path / "coco.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match=r"Check data\.file"):
        listed(tmp_path / "coco.json")


def test_two_categories_of_one_name(tmp_path: Path) -> None:
    """Some programs name an unused category like the one in use: that is no problem."""
    twins = [{"id": 0, "name": "cell"}, {"id": 1, "name": "cell"}]
    assert listed(write(tmp_path, [note(100, 1)], images=1, categories=twins)).classes == ("cell",)


def test_two_used_categories_of_one_name(tmp_path: Path) -> None:
    twins = [{"id": 0, "name": "cell"}, {"id": 1, "name": "cell"}]
    with pytest.raises(CropworthError, match="two categories 'cell'"):
        listed(write(tmp_path, [note(100, 1), note(101, 0)], images=2, categories=twins))


SIDES = st.integers(1, 9)


@given(boxes=st.lists(st.tuples(SIDES, SIDES, SIDES, SIDES), min_size=1, max_size=5))
def test_the_box_holds_all_boxes(tmp_path_factory: pytest.TempPathFactory, boxes: list[tuple[int, ...]]) -> None:
    path = write(tmp_path_factory.mktemp("any"), [note(100, 3, box) for box in boxes], images=1)
    hull = listed(path).entries[0].box
    assert hull is not None
    covered = {(x, y) for left, top, w, h in boxes for x in range(left, left + w) for y in range(top, top + h)}
    assert (hull.left, hull.top) == (min(x for x, _ in covered), min(y for _, y in covered))
    assert (hull.left + hull.width, hull.top + hull.height) == (
        max(x for x, _ in covered) + 1, max(y for _, y in covered) + 1,
    )  # fmt: skip
