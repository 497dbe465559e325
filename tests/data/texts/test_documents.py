"""The task `documents`: a CSV or parquet file in, a task out; every bad row is named, or left out and counted."""

import csv
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import Documents, located
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.errors import CropworthError
from cropworth.study.ledger import Ledger

GOOD = [row for n in range(6) for row in ((f"one {n}", "x"), (f"two {n}", "y"))]


def write(path: Path, rows: list[tuple[object, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path: Path, **settings: object) -> SequenceTask:
    task = build_task(parse(Documents, {"task": "documents", "file": str(path), "least_count": 1, **settings}))
    assert isinstance(task, SequenceTask)
    return task


def test_shares_are_of_each_class(tmp_path: Path) -> None:
    rows = [(f"cat {n}", "cat") for n in range(20)] + [(f"dog, {n}\nline", "dog") for n in range(40)]
    task = read(write(tmp_path / "pets.csv", rows), test_share=0.25, validation_share=0.2)
    train = task.training_epoch(task.train_limit, 0, 0)
    assert (task.name, task.classes) == ("pets", ("cat", "dog"))
    assert [torch.bincount(part.labels).tolist() for part in (train, task.validation, task.test)] == [
        [12, 24],
        [3, 6],
        [5, 10],
    ]
    for part in (train, task.validation, task.test):
        assert part.lengths is not None
        assert part.lengths.tolist() == [[2, 4][label] for label in part.labels]
    other = read(tmp_path / "pets.csv", test_share=0.25, validation_share=0.2, split_seed=1)
    again = read(tmp_path / "pets.csv", test_share=0.25, validation_share=0.2)
    assert other.fingerprint() != task.fingerprint() == again.fingerprint()


def test_named_splits_and_columns_are_followed(tmp_path: Path) -> None:
    rows = [("A b", "train", "x"), ("b c", "train", "y"), ("a a", "val", "y"), ("b a c", "test", "x")]
    path = write(tmp_path / "own.csv", rows, ("body", "part", "topic"))
    task = read(path, text_column="body", label_column="topic", split_column="part")
    assert (task.train_limit, task.vocabulary) == (2, 2 + 3)
    assert (task.validation.inputs.tolist(), task.validation.labels.tolist()) == ([[3, 3, 0]], [1])
    assert (task.test.inputs.tolist(), task.test.labels.tolist()) == ([[2, 3, 4]], [0])


def test_a_split_without_rows_is_split_off_train(tmp_path: Path) -> None:
    rows = [(*row, "train") for row in GOOD] + [("five six", "x", "test")]
    task = read(write(tmp_path / "t.csv", rows, ("text", "label", "split")), validation_share=0.2)
    assert (task.train_limit, len(task.validation), len(task.test)) == (10, 2, 1)


BAD: list[tuple[object, ...]] = [("", "x"), (" \t", "x"), ("word", "y"), ("two words", " ")]
SAID = [
    "row 13: an empty document",
    "row 14: an empty document",
    "row 15: a document of 1 word",
    "row 16: no label",
]


def test_all_bad_rows_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.csv", [*GOOD, *BAD])
    with pytest.raises(CropworthError) as caught:
        read(path)
    lines = str(caught.value).splitlines()
    assert [f"{path}, {said};" in line for said, line in zip(SAID, lines, strict=True)] == [True] * 4


def test_bad_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.csv", [*GOOD, *BAD])
    task = read(path, on_bad_item="skip", most_steps=2)
    assert task.warnings == (
        f"Left out of the data: documents, 4; the first is {path}, {SAID[0]}.",
        "The rarest class, 'x', has 4 training items.",
    )
    assert task.train_limit + len(task.validation) + len(task.test) == len(GOOD)


@pytest.mark.parametrize(("split", "said"), [("validation", "'validation'"), ("", "''")])
def test_an_unknown_split(tmp_path: Path, split: str, said: str) -> None:
    rows = [(*row, "train") for row in GOOD] + [("five six", "x", split)]
    with pytest.raises(CropworthError, match=f"row 13: the split {said}; expected one of train, val, test"):
        read(write(tmp_path / "t.csv", rows, ("text", "label", "split")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"body,label\na b,x\n", "with the columns body, label; .* Add text"),
        (b"", "with the columns none; .* Add text and label"),
        (b"text,label\na b,x\n", "documents of 1 classes"),
        (b"text,label\na, b,x\n", "row 1: more cells than the header has"),
        (b'text,label\n"a b,x\n', r"file.csv \(unexpected end of data\)"),
        (b"text,label\n\xff b,x\n", r"file.csv \('utf-8' codec"),
        (
            b"text,label,split\na b,x,train\nb c,y,train\na c,x,train\nc b,y,train\nc d,z,test\n",
            "row 5: the class 'z'",
        ),
        (b"text,label\na b,x\nb c,y\n", r"different items of the class 'x': 1 \(of 1 items\); expected 3 or more"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file.csv").write_bytes(content)
    with pytest.raises(CropworthError, match=message):
        read(tmp_path / "file.csv")


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(CropworthError, match=r"Check data\.file"):
        read(tmp_path / name)


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(CropworthError, match=r"Run `pip install 'cropworth\[text\]'`"):
        read(tmp_path / "file.parquet")


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "file.parquet"
    columns = {"text": [text for text, _ in GOOD], "label": [label for _, label in GOOD]}
    parquet.write_table(pyarrow.table({"id": range(len(GOOD)), **columns}), path)
    assert read(path).fingerprint() == read(write(tmp_path / "file.csv", [*GOOD])).fingerprint()
    parquet.write_table(pyarrow.table({"text": [1.5, None], "label": [float("nan"), 2.0]}), path)
    with pytest.raises(CropworthError, match=r"(?s)row 1: the text 1.5, a float.*row 2: no text"):
        read(path)
    parquet.write_table(
        pyarrow.table({"text": [f"a {n}" for n in range(8)], "label": [1, 2, 1, 2, 1, 2, 1, None]}), path
    )
    with pytest.raises(CropworthError, match="row 8: no label"):
        read(path)
    assert read(path, on_bad_item="skip").classes == ("1", "2")
    path.write_bytes(b"PAR1 cut short")
    with pytest.raises(CropworthError, match="expected a parquet file"):
        read(path)


def valued(path: Path, values: list[object], **settings: object) -> SequenceTask:
    rows = [(f"one {n}", "xy"[n % 2], value) for n, value in enumerate(values)]
    return read(write(path, rows, ("text", "label", "amount")), value_column="amount", **settings)


def test_what_depends_on_a_document_stays_with_it(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [("a " * steps, "xy"[steps % 2], steps / 4) for steps in range(2, 22)]
    path = write(tmp_path / "t.csv", rows, ("text", "label", "amount"))
    task = read(path, value_column="amount")
    for part in (task.training_epoch(task.train_limit, 0, 0), task.validation, task.test):
        assert part.values is not None
        assert part.values.dtype == torch.float32
        assert part.lengths is not None
        assert part.values.tolist() == [steps / 4 for steps in part.lengths.tolist()]
    plain = read(path)
    assert plain.test.values is None
    assert torch.equal(plain.test.inputs, task.test.inputs)
    doubled = [(text, label, 2 * amount) for text, label, amount in rows]  # type: ignore[operator]
    other = read(write(tmp_path / "u.csv", doubled, ("text", "label", "amount")), value_column="amount")
    assert len({plain.fingerprint(), task.fingerprint(), other.fingerprint()}) == 3


BAD_VALUES: dict[object, str] = {
    "": "no value; expected a number.",
    "much": "the value 'much'; expected a number.",
    "-1": "the value -1; expected a number from 0 to 1e+18",
    "nan": "the value nan; expected a number from 0 to 1e+18",
    "inf": "the value inf; expected a number from 0 to 1e+18",
    "2e18": "the value 2e+18; expected a number from 0 to 1e+18",
}


def test_all_bad_values_are_named_at_once_or_left_out(tmp_path: Path) -> None:
    path, values = tmp_path / "t.csv", [0, 3.5] * 6 + list(BAD_VALUES)
    with pytest.raises(CropworthError) as caught:
        valued(path, values)
    lines = str(caught.value).splitlines()
    said = [f"{path}, row {row}: {message}" for row, message in enumerate(BAD_VALUES.values(), start=13)]
    assert [message in line for message, line in zip(said, lines, strict=True)] == [True] * len(BAD_VALUES)
    task = valued(path, values, on_bad_item="skip")
    assert task.train_limit + len(task.validation) + len(task.test) == 12
    assert task.warnings[0].startswith(f"Left out of the data: documents, {len(BAD_VALUES)};")


def test_a_row_that_ends_before_its_value(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label,amount\n" + "a b,x,1\nb c,y,1\n" * 4 + "c d,x\n")
    with pytest.raises(CropworthError, match="row 9: no value"):
        read(tmp_path / "t.csv", value_column="amount")


def test_a_file_without_the_column_of_values(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [*GOOD])
    with pytest.raises(CropworthError, match=r"text and label and amount. Add amount, .* data\.value_column\.$"):
        read(path, value_column="amount")


def test_values_in_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path, columns = tmp_path / "t.parquet", {"text": [f"a {n}" for n in range(12)], "label": ["x", "y"] * 6}
    parquet.write_table(pyarrow.table({**columns, "amount": [2.5] * 12}), path)
    values = read(path, value_column="amount").test.values
    assert values is not None
    assert set(values.tolist()) == {2.5}
    parquet.write_table(pyarrow.table({**columns, "amount": [1] * 11 + [None]}), path)
    with pytest.raises(CropworthError, match="row 12: no value"):
        read(path, value_column="amount")
    with pytest.raises(CropworthError, match=r"Add price, or name yours in data\.value_column"):
        read(path, value_column="price")


def test_paths_start_at_the_plans_folder(tmp_path: Path) -> None:
    config = parse(Documents, {"task": "documents", "file": "texts/news.csv"})
    assert located(config, tmp_path) == config.model_copy(update={"file": tmp_path / "texts/news.csv"})


def test_groups_and_copies_stay_together(tmp_path: Path) -> None:
    rows = [(f"word {n // 3}  {n}"[: 8 if n % 2 else 99], "xy"[n // 3 % 2], f"author {n // 6}") for n in range(60)]
    path = write(tmp_path / "t.csv", rows, ("text", "label", "author"))
    task = read(path, group_column="author")
    assert [placed.split for placed in task.placed] == sorted(
        (placed.split for placed in task.placed), key=["train", "val", "test"].index
    )
    assert sorted(int(placed.name) for placed in task.placed) == list(range(1, 61))
    assert len({(placed.group, placed.split) for placed in task.placed}) == 10
    assert {placed.group for placed in task.placed} == {f"author {n}" for n in range(10)}
    train = [int(placed.name) - 1 for placed in task.placed if placed.split == "train"]
    inputs = task.training_batches(task.train_limit, 0, 0, 99)
    assert sorted(next(inputs).labels.tolist()) == sorted(n // 3 % 2 for n in train)
    rows[7] = (*rows[7][:2], " ")
    with pytest.raises(CropworthError, match="row 8: no group"):
        read(write(path, rows, ("text", "label", "author")), group_column="author")
    with pytest.raises(CropworthError, match=r"Add writer, or name yours in data\.group_column"):
        read(path, group_column="writer")


@pytest.mark.parametrize("form", ["2026-01-{:02}", "2026-01-{:02}T10:00:00+02:00", "{}.5"])
def test_the_latest_documents_are_the_test(tmp_path: Path, form: str) -> None:
    rows = [(f"word {n}", "xy"[n % 2], form.format(1 + n // 2)) for n in range(40)]
    rows = rows[10:] + rows[:10]
    path = write(tmp_path / "t.csv", rows, ("text", "label", "day"))
    task = read(path, time_column="day", test_share=0.25, validation_share=0.2)
    order = {str(row): n for n, row in enumerate([*range(31, 41), *range(1, 31)])}  # rows from the earliest on
    ends = [sorted(order[placed.name] for placed in task.placed if placed.split == s) for s in ("train", "val", "test")]
    assert ends == [list(range(24)), list(range(24, 30)), list(range(30, 40))]
    with pytest.raises(CropworthError, match="row 41: the time 'soon'; expected a number, or ISO 8601"):
        read(write(path, [*rows, ("word 41", "x", "soon")], ("text", "label", "day")), time_column="day")


def test_the_same_text_in_two_splits_is_an_error_even_where_bad_rows_are_left_out(tmp_path: Path) -> None:
    rows = [(*row, "train") for row in GOOD] + [("three four", "x", "test"), ("one  0", "x", "test")]
    for on_bad in ("fail", "skip"):
        with pytest.raises(CropworthError, match=r"row 14: 14 in test, the same content as 1 in train \(.*row 1\)"):
            read(write(tmp_path / "t.csv", rows, ("text", "label", "split")), on_bad_item=on_bad)


def test_a_file_of_splits(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [*GOOD])
    first = read(path, split_seed=3)
    Ledger(tmp_path).write_splits(first.placed)
    assert read(path, splits=str(tmp_path / "splits.csv")).fingerprint() == first.fingerprint()
    write(path, [("another text", "x"), *GOOD[1:]])
    with pytest.raises(CropworthError, match="row 1: 1, which is not what it was when"):
        read(path, splits=str(tmp_path / "splits.csv"))


def test_what_is_kept_of_the_reading(tmp_path: Path) -> None:
    task = read(write(tmp_path / "t.csv", [*GOOD]), most_steps=9)
    assert {**task.reading, "words": sorted(task.reading["words"])} == {
        "kind": "texts",
        "words": sorted(word for word in ("one", "two", *"012345") if word in task.reading["words"]),
        "most_steps": 9,
        "text_column": "text",
    }
    assert len(task.reading["words"]) + 2 == task.vocabulary
    assert {"one", "two"} <= set(task.reading["words"])


@given(labels=st.lists(st.sampled_from("xyz"), min_size=12, max_size=40), seed=st.integers(0, 3))
def test_no_document_is_lost_or_doubled(tmp_path_factory: pytest.TempPathFactory, labels: list[str], seed: int) -> None:
    labels += "xyz" * 4
    rows: list[tuple[object, ...]] = [("a " * length, label) for length, label in enumerate(labels, start=2)]
    task = read(write(tmp_path_factory.mktemp("any") / "t.csv", rows), split_seed=seed)
    found = []
    for part in (task.training_epoch(task.train_limit, 0, 0), task.validation, task.test):
        assert part.lengths is not None
        assert set(part.labels.tolist()) == {0, 1, 2}
        found += [(steps, task.classes[label]) for steps, label in zip(part.lengths.tolist(), part.labels, strict=True)]
    assert sorted(found) == list(enumerate(labels, start=2))
