import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from cropworth.config import parse
from cropworth.crops.geometry import boxes_to_theta
from cropworth.crops.sampling import sample
from cropworth.data.bad_items import BadItems
from cropworth.data.config import Folder
from cropworth.data.images.boxes import Box, read_boxes
from cropworth.data.images.image_task import ImageTask, image_task
from cropworth.errors import CropworthError

SIZE = (60, 40)  # width, height


def place(index: int) -> tuple[int, int, int, int]:
    """Where the object of an image is: x, y, w, h in pixels, in the middle square that is kept."""
    return 12 + index % 9, 3 + index % 7, 12, 10


def folder_of(tmp_path: Path, count: int = 12) -> Path:
    """Dark images with a white rectangle each."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(count):
            image = Image.new("L", SIZE)
            x, y, w, h = place(index)
            image.paste(255 if name == "cat" else 254, (x, y, x + w, y + h))
            image.save(tmp_path / name / f"{index:02}.png")
    return tmp_path


def lines(tmp_path: Path) -> list[str]:
    images = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*.png"))
    return ["path,x,y,w,h", *(f"{name},{','.join(map(str, place(int(name[4:6]))))}" for name in images)]


def coco(tmp_path: Path) -> dict[str, list[dict[str, object]]]:
    rows = [line.split(",") for line in lines(tmp_path)[1:]]
    return {
        "images": [{"id": 7 * i, "file_name": name} for i, (name, *_) in enumerate(rows)],
        "annotations": [{"image_id": 7 * i, "bbox": [*map(int, box)]} for i, (_, *box) in enumerate(rows)],
    }


def read(tmp_path: Path, boxes: str = "boxes.csv", **settings: object) -> ImageTask:
    values = {"folder": str(tmp_path), "image_size": 20, "channels": 1, "boxes": boxes, **settings}
    return image_task(parse(Folder, values), None)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_boxes_follow_the_images(tmp_path: Path, kind: str) -> None:
    folder_of(tmp_path)
    text = "\n".join(lines(tmp_path)) if kind == "csv" else json.dumps(coco(tmp_path))
    (tmp_path / f"boxes.{kind}").write_text(text)
    task = read(tmp_path, f"boxes.{kind}")
    for items in (task.test, task.validation, task.training_epoch(task.train_limit, 0, 0)):
        assert items.boxes is not None
        inside = sample(items.inputs.float(), boxes_to_theta(items.boxes), (8, 8))
        assert inside[..., 2:-2, 2:-2].min() > 250
        area = items.boxes[:, 2:].prod(1)
        white = items.inputs.float().mean((1, 2, 3)) / 255
        torch.testing.assert_close(area, white, atol=0.01, rtol=0.05)  # and nothing white outside


def test_an_image_without_a_box_and_one_that_is_cut_away(tmp_path: Path) -> None:
    rows = lines(folder_of(tmp_path))
    rows[1] = rows[1].split(",")[0] + ",0,0,5,5"  # left of the middle square
    del rows[2]
    (tmp_path / "boxes.csv").write_text("\n".join(rows))
    task = read(tmp_path)
    every = torch.cat(
        [
            s.boxes
            for s in (task.test, task.validation, task.training_epoch(task.train_limit, 0, 0))
            if s.boxes is not None
        ]
    )
    assert every.isnan().all(1).sum() == 2
    assert every.isnan().any(1).sum() == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("cat/00.png,1,1,0,5", r"boxes.csv, line 2: a box of 0 x 5 pixels.*an area"),
        ("cat/00.png,1,1,nan,5", "line 2.*finite numbers"),
        ("cat/00.png,1,1,wide,5", r"line 2: \['1', '1', 'wide', '5'\].*four numbers"),
        ("cat/00.png,1,1,5", "line 2.*four numbers"),
        ("cat/00.png,55,1,12,5", r"line 2: a box from \(55, 1\) to \(67, 6\).*inside the image of 60 x 40"),
        ("cat/99.png,1,1,5,5", "line 2: a box of cat/99.png; expected an image of"),
        ("cat/01.png,1,1,5,5", "line 3: a second box of cat/01.png, after .*line 2"),
    ],
)
def test_boxes_that_are_refused(tmp_path: Path, row: str, message: str) -> None:
    rows = lines(folder_of(tmp_path))
    (tmp_path / "boxes.csv").write_text("\n".join([rows[0], row, *rows[2:]]))
    with pytest.raises(CropworthError, match=message):
        read(tmp_path)


def read_strictly(path: Path) -> dict[str, Box]:
    bad = BadItems("fail")
    boxes = read_boxes(path, bad)
    bad.settle()
    return boxes


def test_all_bad_rows_at_once(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text("path,x,y,w,h\na.png,1,1,0,5\nb.png,1,1,2,2\nc.png,1,1,-1,2\n")
    with pytest.raises(CropworthError) as caught:
        read_strictly(tmp_path / "boxes.csv")
    assert "line 2" in str(caught.value)
    assert "line 4" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("boxes.csv", "path,x,y\n", "columns path, x, y; expected the columns path, x, y, w, h; or"),
        ("boxes.csv", "", "columns none"),
        ("boxes.json", "{", "JSONDecodeError.*COCO"),
        ("boxes.json", '{"images": []}', "KeyError: 'annotations'"),
        ("boxes.json", '{"images": [], "annotations": [{"image_id": 3, "bbox": [0, 0, 1, 1]}]}', "of image_id 3"),
        ("other.csv", "", "other.csv.*a file of boxes"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    if name != "other.csv":
        (tmp_path / name).write_text(text)
    with pytest.raises(CropworthError, match=message):
        read_strictly(tmp_path / name)


def test_bad_boxes_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = lines(folder_of(tmp_path))
    good = read_every_box(tmp_path, rows)
    rows[1] = "cat/00.png,1,1,0,5"
    rows[2] = "cat/01.png,55,1,12,5"
    rows[3] = "cat/02.png,55,1,wide,5"
    rows += ["cat/99.png,1,1,5,5", "cat/03.png,1,1,5,5"]
    with pytest.raises(CropworthError, match="line 2") as caught:
        read_every_box(tmp_path, rows)
    assert len(str(caught.value).splitlines()) == 5  # all of them at once
    found = read_every_box(tmp_path, rows, on_bad_item="skip")
    assert found.shape == good.shape
    assert found.isnan().all(1).sum() == 3
    known = ~found.isnan().any(1)
    torch.testing.assert_close(found[known], good[known])
    assert [warning.split(";")[0] for warning in read(tmp_path, on_bad_item="skip").warnings[:4]] == [
        "Left out of the data: boxes without an area, 2",
        "Left out of the data: further boxes of an image that has one, 1",
        "Left out of the data: boxes of images that are not there, 1",
        "Left out of the data: boxes outside their image, 1",
    ]
    assert "boxes.csv, line 3: a box from (55, 1) to (67, 6)" in read(tmp_path, on_bad_item="skip").warnings[3]


def read_every_box(tmp_path: Path, rows: list[str], **settings: object) -> torch.Tensor:
    """The boxes (n, 4) of all images, in an order that depends on the split alone."""
    (tmp_path / "boxes.csv").write_text("\n".join(rows))
    task = read(tmp_path, **settings)
    splits = (task.test, task.validation, task.training_epoch(task.train_limit, 0, 0))
    return torch.cat([items.boxes for items in splits if items.boxes is not None])


def test_annotations_of_no_image_are_left_out(tmp_path: Path) -> None:
    values = coco(folder_of(tmp_path))
    values["annotations"].append({"image_id": 3, "bbox": [0, 0, 1, 1]})
    (tmp_path / "boxes.json").write_text(json.dumps(values))
    warning = read(tmp_path, "boxes.json", on_bad_item="skip").warnings[0]
    assert "boxes of images that are not there, 1; the first is" in warning
    assert "annotations[24] of image_id 3" in warning


def test_images_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    rows = lines(folder_of(tmp_path))
    whole = len(read_every_box(tmp_path, rows))
    for name in ("00", "05"):
        (tmp_path / "cat" / f"{name}.png").write_text(f"no picture {name}")
    with pytest.raises(CropworthError, match=r"00.png.*\n.*05.png"):
        read(tmp_path)
    task = read(tmp_path, on_bad_item="skip")
    warning = task.warnings[0]
    assert "images that cannot be read, 2; the first is" in warning
    assert len(read_every_box(tmp_path, rows, on_bad_item="skip")) == whole - 2
    items = task.training_epoch(task.train_limit, 0, 0)
    assert len(items.inputs) == len(items.labels) == len(items.boxes) == task.train_limit
    inside = sample(items.inputs.float(), boxes_to_theta(items.boxes), (8, 8))
    assert inside[..., 2:-2, 2:-2].min() > 250  # each image still has its own box


def test_no_image_left(tmp_path: Path) -> None:
    for path in folder_of(tmp_path).glob("*/*.png"):
        path.write_text(f"no picture, {path}")
    with pytest.raises(CropworthError, match=r"(?s)no item in train.*cannot be read, 24"):
        image_task(parse(Folder, {"folder": str(tmp_path), "on_bad_item": "skip"}), None)


def voc(image: str, *boxes: tuple[object, object, object, object]) -> str:
    objects = "".join(
        "<object><name>tree</name><bndbox>"
        + "".join(
            f"<{edge}>{value}</{edge}>" for edge, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        )
        + "</bndbox></object>"
        for box in boxes
    )
    return f"<annotation><folder>any</folder><filename>{image}</filename>{objects}</annotation>"


def test_pascal_voc_counts_pixels_from_1_and_its_last_one_is_inside(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(voc("a.jpg", (1, 1, 60, 40)))
    assert read_strictly(tmp_path / "a.xml")["a.jpg"].corner_and_size == (0, 0, 60, 40)


def test_a_folder_of_pascal_voc_beside_the_images(tmp_path: Path) -> None:
    for path in folder_of(tmp_path).glob("*/*.png"):
        x, y, w, h = place(int(path.stem))
        path.with_suffix(".xml").write_text(voc(path.name, (x + 1, y + 1, x + w, y + h)))
    (tmp_path / "boxes.csv").write_text("\n".join(lines(tmp_path)))
    for ours, theirs in zip(read(tmp_path, ".").test.parts(), read(tmp_path).test.parts(), strict=True):
        assert ours is theirs is None or torch.equal(ours, theirs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation>", r"a\.xml \(no element found"),
        ("<annotation/>", "no filename"),
        (voc("a.jpg", (1, 1, 5, "")), "no ymax"),
        (voc("a.jpg", (1, 1, 5, "wide")), "object 1: .*four numbers"),
        (voc("a.jpg", (5, 1, 4, 5)), "a.xml, object 1: a box of 0 x 5"),
        (voc("a.jpg", (1, 1, 5, 5), (2, 2, 6, 6)), "object 2: a second box of a.jpg"),
    ],
)
def test_pascal_voc_that_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(CropworthError, match=message):
        read_strictly(tmp_path)


def test_a_folder_without_pascal_voc(tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match="without a file of XML"):
        read_strictly(tmp_path)


def test_a_csv_of_corners(tmp_path: Path) -> None:
    """As deepforest writes them."""
    (tmp_path / "boxes.csv").write_text("image_path,xmin,ymin,xmax,ymax,label\na.tif,203,67,227,90,Tree\n")
    assert read_strictly(tmp_path / "boxes.csv")["a.tif"].corner_and_size == (203, 67, 24, 23)
    (tmp_path / "boxes.csv").write_text("image_path,xmin,ymin,xmax,ymax\na.tif,227,67,203,90\n")
    with pytest.raises(CropworthError, match="a box of -24 x 23 pixels"):
        read_strictly(tmp_path / "boxes.csv")
