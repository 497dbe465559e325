"""The task `image-table`: a table in, entries out; every bad row is named, or left out and counted."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cropworth.config import parse
from cropworth.data.bad_items import BadItems
from cropworth.data.build import build_task
from cropworth.data.config import ImageTable
from cropworth.data.images.boxes import Box
from cropworth.data.images.entries import Entry, Listing
from cropworth.data.images.image_table import list_table
from cropworth.data.task import Task
from cropworth.errors import CropworthError, ManyError


def write(path: Path, header: str, *rows: str) -> Path:
    """A CSV, and a picture for each path that its first cells name."""
    path.write_text("\n".join([header, *rows]) + "\n")
    for row in rows:
        name = row.split(",")[0].strip('"')
        if name.endswith(".png"):
            (path.parent / name).parent.mkdir(exist_ok=True)
            Image.new("L", (8, 8)).save(path.parent / name)
    return path


def listed(path: Path, bad: BadItems | None = None, **settings: object) -> Listing:
    config = parse(ImageTable, {"task": "image-table", "file": str(path), **settings})
    waiting = bad or BadItems("fail")
    found = list_table(config, waiting)
    if bad is None:
        waiting.settle()
    return found


def problems(path: Path, **settings: object) -> list[str]:
    bad = BadItems("fail")
    listed(path, bad, **settings)
    with pytest.raises(ManyError) as caught:
        bad.settle()
    return [str(problem) for problem in caught.value.problems]


def test_paths_and_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "pets.csv", "path,label,note", "a.png,cat,x", "in/b.png,dog,y")
    found = listed(path)
    assert (found.name, found.root, found.classes, found.boxed) == ("pets", tmp_path, None, False)
    assert found.entries == (
        Entry("a.png", f"{path}, row 1", tmp_path / "a.png", "cat"),
        Entry("in/b.png", f"{path}, row 2", tmp_path / "in/b.png", "dog"),
    )


def test_all_columns_of_other_names(tmp_path: Path) -> None:
    write(tmp_path / "in.csv", "p", "in/a.png", "in/b.png")
    path = write(
        tmp_path / "own.csv",
        "file,y,part,who,when,worth,l,t,b,h",
        "a.png,1.5,train,7,2024-01-01T00:00:00Z,10,1,2,3,4",
        "./b.png,-2,test,8,2024-01-01T00:00:01,0,,,,",
    )
    found = listed(
        path, folder=str(tmp_path / "in"), path_column="file", label_column="y", split_column="part",
        group_column="who", time_column="when", value_column="worth", box_columns=["l", "t", "b", "h"], target="number",
    )  # fmt: skip
    box = Box(1, 2, 3, 4, f"{path}, row 1")
    assert found.boxed
    assert found.entries == (
        Entry("a.png", f"{path}, row 1", tmp_path / "in/a.png", 1.5, "train", "7", 1704067200.0, 10.0, box),
        Entry("b.png", f"{path}, row 2", tmp_path / "in/b.png", -2.0, "test", "8", 1704067201.0, 0.0, None),
    )


def test_parquet_lists_what_csv_does(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = write(tmp_path / "t.csv", "path,label,split,x,y,w,h", "a.png,1,train,0,0,2,2", "b.png,2,test,,,,")
    columns = {"path": ["a.png", "b.png"], "label": [1, 2], "split": ["train", "test"]}
    columns |= dict(zip("xywh", ([0, None], [0, None], [2, None], [2, None]), strict=True))
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    plain, packed = listed(path), listed(tmp_path / "t.parquet")
    without = [(e.name, e.label, e.split, e.box and (e.box.left, e.box.width)) for e in plain.entries]
    assert without == [("a.png", "1", "train", (0, 2)), ("b.png", "2", "test", None)]
    assert without == [(e.name, e.label, e.split, e.box and (e.box.left, e.box.width)) for e in packed.entries]


BAD = {
    ",cat,train,,,,": "no path; expected the file of an image",
    "b.png,,train,,,,": "no label",
    "d.png,cat,train,1,,2,2": "['1', '', '2', '2']; expected four numbers",
    "e.png,cat,train,1,one,2,2": "['1', 'one', '2', '2']; expected four numbers",
    "f.png,cat,train,1,1,0,2": "a box of 0 x 2 pixels at (1, 1)",
}


def test_all_problems_are_named_at_once_or_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "path,label,split,x,y,w,h", "a.png,cat,train,1,1,2,2", *BAD)
    said = problems(path)
    assert len(said) == len(BAD)
    for row, message in enumerate(BAD.values(), start=2):
        assert any(line.startswith(f"got {path}, row {row}: {message}") for line in said), message
    skipping = BadItems("skip")
    found = listed(path, skipping)
    skipping.settle()
    # A bad box is as good as none.
    assert [(entry.name, entry.box is not None) for entry in found.entries] == [
        ("a.png", True), ("d.png", False), ("e.png", False), ("f.png", False),
    ]  # fmt: skip
    assert [warning.split(",")[0] for warning in skipping.warnings] == [
        "Left out of the data: rows that cannot be used", "Left out of the data: boxes without an area",
    ]  # fmt: skip


def test_cells_of_groups_times_values_and_numbers(tmp_path: Path) -> None:
    header = "path,label,who,when,worth"
    rows = ["a.png,1,x,{},1", "b.png,one,x,{},1", "c.png,1,,{},1", "d.png,1,x,soon,1", "e.png,1,x,{},2e18"]
    path = write(tmp_path / "t.csv", header, *(row.format("2024-05-31") for row in rows))
    settings = {"group_column": "who", "time_column": "when", "value_column": "worth", "target": "number"}
    said = problems(path, **settings)
    for line, row, message in zip(
        said, range(2, 6), ("the label 'one'", "no group", "the time 'soon'", "the value 2e+18"), strict=True
    ):
        assert line.startswith(f"got {path}, row {row}: {message}")


@pytest.mark.parametrize(
    ("header", "settings", "said"),
    [
        ("file,label", {}, r"the columns file, label; .* Add path, or name yours in data\.path_column\."),
        ("path,label", {"label_column": "class"}, r"Add class, or name yours in data\.label_column"),
        ("path,label", {"split_column": "part"}, r"Add part, or name yours in data\.split_column"),
        (
            "path,label",
            {"group_column": "who", "value_column": "v"},
            r"who and v, .* data\.group_column and data\.value",
        ),
        ("path,label,x,y,w", {"box_columns": ["x", "y", "w", "height"]}, r"Add height, .* data\.box_columns"),
        ("path,label", {}, "without a row"),
    ],
)
def test_tables_that_lack_something(tmp_path: Path, header: str, settings: dict[str, object], said: str) -> None:
    with pytest.raises(CropworthError, match=said):
        listed(write(tmp_path / "t.csv", header), **settings)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "."])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(CropworthError, match=r"Check data\.file"):
        listed(tmp_path / name)


def test_parquet_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"path,label\n")
    with pytest.raises(CropworthError, match="expected a parquet file"):
        listed(tmp_path / "t.parquet")


@given(labels=st.lists(st.text(min_size=1).filter(lambda text: text.strip() and "\x00" not in text), min_size=1))
def test_labels_come_out_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, labels: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    for number in range(len(labels)):
        (folder / f"{number}.png").touch()
    with (folder / "t.csv").open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file).writerows([("path", "label"), *((f"{n}.png", label) for n, label in enumerate(labels))])
    assert [entry.label for entry in listed(folder / "t.csv").entries] == labels


def task(path: Path, **settings: object) -> Task:
    return build_task(parse(ImageTable, {"task": "image-table", "file": str(path), "image_size": 8, **settings}))


def many(folder: Path, *more: str, count: int = 24) -> Path:
    """Images of different greys, named by them, with boxes."""
    rows = [f"{n}.png,{'cat' if n % 2 else 'dog'},{n // 2},{n},1,2,4,4" for n in range(count)]
    path = write(folder / "t.csv", "path,label,who,worth,x,y,w,h", *rows, *more)
    for n in range(count):
        Image.new("L", (8, 8), n).save(folder / f"{n}.png")
    return path


def test_a_task_of_a_table(tmp_path: Path) -> None:
    found = task(many(tmp_path), group_column="who", value_column="worth")
    assert (found.name, found.classes, found.channels, found.size) == ("t", ("cat", "dog"), 3, (8, 8))
    names = {split: [row.name for row in found.placed if row.split == split] for split in ("val", "test")}
    for part, split in ((found.validation, "val"), (found.test, "test")):
        numbers = part.inputs[:, 0, 0, 0].tolist()
        assert [f"{n}.png" for n in numbers] == names[split]
        assert part.labels.tolist() == [1 - n % 2 for n in numbers]
        assert part.values is not None
        assert part.values.tolist() == numbers
        assert part.boxes is not None
        assert set(map(tuple, part.boxes.tolist())) == {(0.375, 0.5, 0.5, 0.5)}
        assert {n ^ 1 for n in numbers} == set(numbers)  # groups are of two


def test_all_bad_files_are_named_at_once_or_left_out(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    Image.new("L", (8, 8), 90).save(tmp_path / "out.png")
    folder = tmp_path / "in"
    folder.mkdir()
    bad = ["gone,cat", "../out.png,cat", f"{tmp_path}/out.png,dog", "link,cat", "0.png,dog", "1.png,dog", "t.csv,dog"]
    path = many(folder, *(f"{row},0,1,,,," for row in bad))
    (folder / "link").symlink_to(tmp_path / "out.png")
    with pytest.raises(ManyError) as caught:
        task(path)
    said = [str(problem).removeprefix(f"got {path}, row ") for problem in caught.value.problems]
    expected = [
        "25: the image gone (No such file", "26: the image ../out.png (it lies in",
        "27: the image ../out.png (it lies in",
        "28: the image link (it lies in", "29: 0.png again",
        "2: 1.png, labelled 'cat', holds the same", "30: 1.png, labelled 'dog', holds the same",
        "31: the image t.csv (",
    ]  # fmt: skip
    assert [start for start in expected if not any(line.startswith(start) for line in said)] == []
    found = task(path, on_bad_item="skip")
    # The file with two labels is left out altogether, of one that is listed twice the first row is kept.
    assert {row.name for row in found.placed} == {f"{n}.png" for n in range(24) if n != 1}


def test_splits_of_a_table(tmp_path: Path) -> None:
    rows = [f"{n}.png,{'cat' if n % 2 else 'dog'},{'train' if n < 6 else 'test'}" for n in range(10)]
    path = write(tmp_path / "t.csv", "path,label,split", *rows, "10.png,cat,testing")
    for n in range(11):
        Image.new("L", (8, 8), n).save(tmp_path / f"{n}.png")
    with pytest.raises(CropworthError, match="row 11: the split 'testing'; expected one of train, val, test"):
        task(path)
    found = task(path, on_bad_item="skip")
    assert found.test.inputs[:, 0, 0, 0].tolist() == [6, 7, 8, 9]
    assert (found.train_limit, len(found.validation)) == (4, 2)
