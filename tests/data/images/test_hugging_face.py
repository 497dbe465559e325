"""The task `hugging-face`: what the library `datasets` really writes, and parquet files like it, in; entries out."""

import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cropworth.config import parse
from cropworth.data.bad_items import BadItems
from cropworth.data.build import build_task
from cropworth.data.config import HuggingFace
from cropworth.data.images.entries import Listing
from cropworth.data.images.hugging_face import list_hugging_face
from cropworth.errors import CropworthError, ManyError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def png(shade: int) -> bytes:
    stream = BytesIO()
    Image.new("L", (8, 8), shade).save(stream, "PNG")
    return stream.getvalue()


def shade(source: Path | bytes) -> int:
    with Image.open(source if isinstance(source, Path) else BytesIO(source)) as image:
        value = image.getpixel((0, 0))
    assert isinstance(value, int)
    return value


def listed(folder: Path, bad: BadItems | None = None, **settings: object) -> Listing:
    waiting = bad or BadItems("fail")
    found = list_hugging_face(parse(HuggingFace, {"task": "hugging-face", "folder": str(folder), **settings}), waiting)
    if bad is None:
        waiting.settle()
    return found


def said(found: Listing) -> list[tuple[int, str | float, str | None]]:
    return [(shade(entry.source), entry.label, entry.split) for entry in found.entries]


def rows(path: Path, images: list[object], **columns: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table({"image": images, **columns}), path)
    return path


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        module = pytest.importorskip("datasets")
        module.disable_progress_bars()
        yield module


@pytest.fixture
def made(datasets: Any, tmp_path: Path) -> Any:
    """Four images of the library's own feature, one of them by its path."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "3.png").write_bytes(png(3))
    images = [{"bytes": png(n), "path": f"{n}.png"} for n in range(3)] + [str(tmp_path / "given" / "3.png")]
    names = datasets.ClassLabel(names=["zebra", "none", "ant"])
    features = datasets.Features({"image": datasets.Image(), "label": names})
    return datasets.Dataset.from_dict({"image": images, "label": [0, 2, 2, 0]}, features=features)


WHOLE = [(0, "zebra"), (1, "ant"), (2, "ant"), (3, "zebra")]


def test_a_saved_dataset(made: Any, tmp_path: Path) -> None:
    made.save_to_disk(tmp_path / "pets", num_shards=2)
    found = listed(tmp_path / "pets")
    assert said(found) == [(*row, None) for row in WHOLE]
    assert (found.name, found.root, found.classes) == ("pets", tmp_path / "pets", ("zebra", "ant"))
    assert [entry.name for entry in found.entries][1:3] == [
        "data-00000-of-00002.arrow/2", "data-00001-of-00002.arrow/1",
    ]  # fmt: skip
    assert found.entries[2].where == f"{tmp_path}/pets/data-00001-of-00002.arrow, row 1"


def test_a_saved_dictionary(made: Any, datasets: Any, tmp_path: Path) -> None:
    parts = {"train": made, "validation": made.select([2, 0]), "test": made.select([1])}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "pets")
    expected = [(*row, "train") for row in WHOLE] + [(2, "ant", "val"), (0, "zebra", "val"), (1, "ant", "test")]
    found = listed(tmp_path / "pets")
    assert said(found) == expected
    assert len({entry.name for entry in found.entries}) == 7
    datasets.DatasetDict({"train": made, "unsupervised": made}).save_to_disk(tmp_path / "more")
    with pytest.raises(CropworthError, match="with the split 'unsupervised'; expected one of train, training"):
        listed(tmp_path / "more")


def test_parquet_of_the_library(made: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    made.to_parquet(tmp_path / "data" / "train-00000-of-00001.parquet")
    made.select([1]).to_parquet(tmp_path / "data" / "validation-00000-of-00001.parquet")
    found = listed(tmp_path)
    assert said(found) == [(*row, "train") for row in WHOLE] + [(1, "ant", "val")]
    assert found.classes == ("zebra", "ant")
    # One file alone: its name is not taken for a split of all there is.
    alone = listed(tmp_path / "data" / "train-00000-of-00001.parquet")
    assert said(alone) == [(*row, None) for row in WHOLE]


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("train.parquet", "train"),
        ("data/Test_1.parquet", "test"),
        ("plain/dev/0000.parquet", "val"),
        ("training/part.parquet", "train"),
        ("trainer.parquet", None),
        ("0000.parquet", None),
    ],
)
def test_names_of_files_say_the_split(tmp_path: Path, file: str, split: str | None) -> None:
    rows(tmp_path / "in" / file, [png(1)], label=["a"])
    assert said(listed(tmp_path / "in")) == [(1, "a", split)]


def test_a_name_without_a_split_beside_others(tmp_path: Path) -> None:
    for name in ("test", "more"):
        rows(tmp_path / f"{name}.parquet", [png(1)], label=["a"])
    with pytest.raises(CropworthError, match=r"more\.parquet, whose name says no split"):
        listed(tmp_path)


def test_a_column_says_the_split(tmp_path: Path) -> None:
    columns = {"label": ["a", "b"], "split": ["validation", "test"], "part": ["train", "val"]}
    path = rows(tmp_path / "train.parquet", [png(1), png(2)], **columns)
    assert said(listed(path)) == [(1, "a", "val"), (2, "b", "test")]
    assert said(listed(tmp_path)) == [
        (1, "a", "train"),
        (2, "b", "train"),
    ]  # the name goes before a column not asked for
    assert said(listed(tmp_path, split_column="part")) == [(1, "a", "train"), (2, "b", "val")]


def test_all_columns_of_other_names(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(png(1))
    columns = {"y": [1, 2], "who": ["p", "q"], "when": ["2024-01-01", "2024-01-02"], "worth": [1, 0]}
    table = pyarrow.table({"scan": ["1.png", "1.png"], **columns})
    parquet.write_table(table, tmp_path / "t.parquet")
    names = {"image": "scan", "label": "y", "group": "who", "time": "when", "value": "worth"}
    found = listed(tmp_path, target="number", **{f"{kind}_column": name for kind, name in names.items()})
    assert [(e.source, e.label, e.group, e.time, e.value) for e in found.entries] == [
        (tmp_path / "1.png", 1.0, "p", 1704067200.0, 1.0),
        (tmp_path / "1.png", 2.0, "q", 1704153600.0, 0.0),
    ]
    assert found.classes is None


def test_all_problems_are_named_at_once_or_left_out(tmp_path: Path) -> None:
    images = [{"bytes": png(7), "path": None}] * 2 + [{"bytes": None, "path": None}, None, {"bytes": b"", "path": ""}]
    path = rows(tmp_path / "t.parquet", [*images, images[0]], label=["a", None, "a", "a", "a", "b"])
    bad = BadItems("fail")
    listed(tmp_path, bad)
    with pytest.raises(ManyError) as caught:
        bad.settle()
    assert [str(problem).split(";")[0] for problem in caught.value.problems] == [
        f"got {path}, row 2: no label", *(f"got {path}, row {row}: no image" for row in (3, 4, 5)),
    ]  # fmt: skip
    assert said(listed(tmp_path, BadItems("skip"))) == [(7, "a", None), (7, "b", None)]


def test_labels_that_no_class_has(made: Any, datasets: Any, tmp_path: Path) -> None:
    table = made.data.table.set_column(1, "label", pyarrow.array([0, -1, 3, None]))
    parquet.write_table(table.replace_schema_metadata(made.data.table.schema.metadata), tmp_path / "t.parquet")
    with pytest.raises(
        CropworthError, match=r"(?s)row 2: the label -1; expected 0 to 2.*row 3: the label 3.*row 4: no"
    ):
        listed(tmp_path)


def test_files_that_disagree(made: Any, datasets: Any, tmp_path: Path) -> None:
    made.to_parquet(tmp_path / "train.parquet")
    other = made.cast_column("label", datasets.ClassLabel(names=["ant", "none", "zebra"]))
    other.to_parquet(tmp_path / "test.parquet")
    with pytest.raises(CropworthError, match="expected the same classes in every file"):
        listed(tmp_path)


def test_folders_that_cannot_be_used(made: Any, tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match="with no dataset in it"):
        listed(tmp_path / "none")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(CropworthError, match=r"t\.parquet \(.*expected a table that pyarrow can read"):
        listed(tmp_path)
    rows(tmp_path / "t.parquet", [[1, 2]], label=["a"])
    with pytest.raises(CropworthError, match=r"the column image of list<.*data\.image_column"):
        listed(tmp_path)
    with pytest.raises(CropworthError, match=r"Add scan and y, or name yours in data\.image_column and data\.label"):
        listed(tmp_path, image_column="scan", label_column="y")
    rows(tmp_path / "t.parquet", [], label=[])
    with pytest.raises(CropworthError, match="column image of null"):
        listed(tmp_path)
    parquet.write_table(pyarrow.table({"image": pyarrow.array([], "binary"), "label": []}), tmp_path / "t.parquet")
    with pytest.raises(CropworthError, match="without a row"):
        listed(tmp_path)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("state.json", "{"),
        ("state.json", "{}"),
        ("state.json", '{"_data_files": 3}'),
        ("state.json", '{"_data_files": [3]}'),
        ("state.json", '{"_data_files": [{"filename": "gone.arrow"}]}'),
        ("dataset_dict.json", '{"splits": ["train"]}'),
    ],
)
def test_saved_folders_that_are_broken(made: Any, tmp_path: Path, file: str, text: str) -> None:
    made.save_to_disk(tmp_path / "pets")
    (tmp_path / "pets" / file).write_text(text)
    with pytest.raises(CropworthError, match=r"Save the dataset again|gone\.arrow"):
        listed(tmp_path / "pets")


def test_a_saved_file_cut_short(made: Any, tmp_path: Path) -> None:
    made.save_to_disk(tmp_path / "pets")
    (file,) = (tmp_path / "pets").glob("*.arrow")
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(CropworthError, match="expected a table that pyarrow can read"):
        listed(tmp_path / "pets")


def test_file_names_in_a_saved_folder_stay_in_it(made: Any, tmp_path: Path) -> None:
    made.save_to_disk(tmp_path / "pets")
    made.save_to_disk(tmp_path / "other")
    (name,) = json.loads((tmp_path / "pets" / "state.json").read_text())["_data_files"]
    state = {"_data_files": [{"filename": f"../other/{name['filename']}"}]}
    (tmp_path / "pets" / "state.json").write_text(json.dumps(state))
    assert {str(entry.where).split(",")[0] for entry in listed(tmp_path / "pets").entries} == {
        str(tmp_path / "pets" / name["filename"])
    }


def test_a_task_of_a_saved_dictionary(datasets: Any, tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})

    def part(start: int, count: int) -> Any:
        shades = range(start, start + count)
        images = [{"bytes": png(n), "path": None} for n in shades]
        return datasets.Dataset.from_dict({"image": images, "label": [n % 2 for n in shades]}, features=features)

    datasets.DatasetDict({"train": part(0, 20), "test": part(20, 10)}).save_to_disk(tmp_path / "pets")
    config = parse(HuggingFace, {"task": "hugging-face", "folder": str(tmp_path / "pets"), "image_size": 8})
    task = build_task(config)
    assert (task.train_limit + len(task.validation), task.classes) == (20, ("a", "b"))
    assert task.test.inputs[:, 0, 0, 0].tolist() == list(range(20, 30))
    assert task.test.labels.tolist() == [0, 1] * 5


def test_a_path_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png(0))
    images = [{"bytes": None, "path": "../secret.png"}, *({"bytes": png(n), "path": None} for n in range(1, 20))]
    rows(tmp_path / "in" / "t.parquet", images, label=["a", "b"] * 10)
    with pytest.raises(CropworthError, match=r"row 1: the image t\.parquet/1 .it lies in"):
        build_task(parse(HuggingFace, {"task": "hugging-face", "folder": str(tmp_path / "in"), "image_size": 8}))


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows(tmp_path / "t.parquet", [png(1)], label=["a"])
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(CropworthError, match=r"Run `pip install 'cropworth\[hf\]'`"):
        listed(tmp_path)
