"""The task `series`: tables, `.npz` and `.ts` in, a task out; every bad series is named, or left out and counted."""

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import SeriesFile, Ucr
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.errors import CropworthError

HEADER = ("item", "label", "x", "y")


def write(path: Path, rows: list[tuple[object, ...]], header: tuple[str, ...] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path: Path, **settings: object) -> SequenceTask:
    task = build_task(parse(SeriesFile, {"task": "series", "file": str(path), **settings}))
    assert isinstance(task, SequenceTask)
    return task


def steps(count: int = 12, length: int = 3) -> list[tuple[object, ...]]:
    """Series of two classes by turns; the first feature numbers them, the second one their steps."""
    return [(f"i{n}", "ab"[n % 2], n, step) for n in range(count) for step in range(length + n % 3)]


def found(task: SequenceTask) -> dict[str, list[list[float]]]:
    """The name of each item -> its steps, up to its length."""
    train = task._train
    rows: dict[str, list[list[float]]] = {}
    names = iter(placed.name for placed in task.placed)
    for part in (train, task.validation, task.test):
        assert part.lengths is not None
        for series, length in zip(part.inputs, part.lengths.tolist(), strict=True):
            rows[next(names)] = series[:length].tolist()
    assert next(names, None) is None
    return rows


# Tables


def test_a_row_for_each_step(tmp_path: Path) -> None:
    task = read(write(tmp_path / "walks.csv", steps()), standardise=False)
    assert (task.name, task.classes, task.size, task.channels) == ("walks", ("a", "b"), (5,), 2)
    assert found(task) == {f"i{n}": [[n, step] for step in range(3 + n % 3)] for n in range(12)}
    assert task.reading == {"kind": "series", "features": ["x", "y"], "item_column": "item"}
    assert task.warnings == ("The rarest class, 'a', has 4 training items.",)
    for part in (task._train, task.validation, task.test):
        assert (part.inputs[:, 0, 0] % 2).tolist() == part.labels.tolist()


@given(data=st.data())
def test_scattered_rows_keep_their_order(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    rows, folder = steps(8, 2), tmp_path_factory.mktemp("any")
    turns = data.draw(st.permutations([row[0] for row in rows]))
    queues = {name: iter([row for row in rows if row[0] == name]) for name in set(turns)}
    scattered = write(folder / "t.csv", [next(queues[name]) for name in turns])
    straight = write(folder / "u.csv", rows)
    one, other = read(scattered), read(straight)
    assert found(one) == found(other)
    assert {(p.name, p.split, p.content) for p in one.placed} == {(p.name, p.split, p.content) for p in other.placed}


def test_features_are_standardised_by_training_series_and_that_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", steps())
    plain, task = read(path, standardise=False), read(path)
    train = np.concatenate(
        [values for placed, values in zip(plain.placed, found(plain).values(), strict=True) if placed.split == "train"]
    )
    np.testing.assert_allclose(task.reading["mean"], train.mean(0))
    np.testing.assert_allclose(task.reading["deviation"], train.std(0))
    for name, values in found(task).items():
        again = np.array(values) * task.reading["deviation"] + task.reading["mean"]
        np.testing.assert_allclose(again, found(plain)[name], atol=1e-5)


def test_columns_are_chosen_by_name_or_by_holding_numbers(tmp_path: Path) -> None:
    rows = [(*row, f"s{row[0]}", "", row[2]) for row in steps()]
    path = write(tmp_path / "t.csv", rows, (*HEADER, "site", "empty", "x2"))
    task = read(path)
    assert task.reading["features"] == ["x", "y", "x2"]
    said = "Columns that were not read, since not all of their cells are numbers: site, empty."
    assert said in task.warnings
    chosen = read(path, features=["x2", "y"], standardise=False)
    assert chosen.reading["features"] == ["x2", "y"]
    assert found(chosen) == found(read(write(path, steps()), standardise=False))
    assert said not in chosen.warnings


def test_what_is_constant_within_an_item_is_followed(tmp_path: Path) -> None:
    rows = [(*row, f"g{int(str(row[0])[1:]) // 4}", int(str(row[0])[1:]) / 8) for row in steps(40)]
    path = write(tmp_path / "t.csv", rows, (*HEADER, "person", "amount"))
    task = read(path, group_column="person", value_column="amount", standardise=False)
    assert len({(placed.group, placed.split) for placed in task.placed}) == 10
    for part in (task._train, task.validation, task.test):
        assert part.values is not None
        assert (part.values * 8).tolist() == part.inputs[:, 0, 0].tolist()
    timed = read(path, time_column="amount", group_column=None)
    ends = [[int(p.name[1:]) for p in timed.placed if p.split == split] for split in ("train", "val", "test")]
    assert max(ends[0]) < min(ends[1]) <= max(ends[1]) < min(ends[2])
    with pytest.raises(CropworthError, match=r"Add patient, or name yours in data\.group_column"):
        read(path, group_column="patient")


def test_rows_of_an_item_that_do_not_agree_are_named(tmp_path: Path) -> None:
    rows = steps()
    rows[1] = ("i0", "b", 0, 1)
    path = write(tmp_path / "t.csv", [*rows, ("", "a", 1, 1)])
    with pytest.raises(CropworthError) as caught:
        read(path)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"got {path}, item 'i0': the label 'a' in row 1, 'b' in row 2; expected one label")
    assert second.startswith(f"got {path}, item '': 1 rows of no item, the first is row 49")
    task = read(path, on_bad_item="skip")
    assert "i0" not in found(task)
    assert len(task.placed) == 11
    assert task.warnings[0].startswith("Left out of the data: series whose rows do not agree, 2; the first is ")


BAD: list[tuple[tuple[tuple[object, ...], ...], str]] = [
    ((("k", "a", 1, 1),), "item 'k': 1 steps"),
    ((("l", "a", 1, 1), ("l", "a", "", 2)), "item 'l': a number that is not finite in step 2 of 2"),
    ((("m", "a", 1, "inf"), ("m", "a", 1, 2)), "item 'm': a number that is not finite in step 1 of 2"),
    ((("n", "a", 1e39, 1), ("n", "a", 1, 2)), "item 'n': a number that is not finite in step 1 of 2"),
    ((("o", " ", 1, 1), ("o", " ", 1, 2)), "item 'o': no label"),
    ((("p", "b", 0, 0), ("p", "b", 0, 1), ("p", "b", 0, 2)), "item 'p': p, labelled 'b', holds the same as i0, 'a'"),
]


def test_all_bad_series_are_named_at_once_or_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [*steps(), *(row for rows, _ in BAD for row in rows)])
    with pytest.raises(CropworthError) as caught:
        read(path)
    lines = str(caught.value).splitlines()
    assert [said in line for (_, said), line in zip(BAD, [*lines[:5], lines[6]], strict=True)] == [True] * len(BAD)
    assert "item 'i0': i0, labelled 'a', holds the same as p, 'b'" in lines[5]
    task = read(path, on_bad_item="skip")
    assert set(found(task)) == {f"i{n}" for n in range(1, 12)}
    assert task.warnings[0].startswith("Left out of the data: series, 5; ")


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = dict(zip(HEADER, map(list, zip(*steps(), strict=True)), strict=True))
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet").fingerprint() == read(write(tmp_path / "t.csv", steps())).fingerprint()
    parquet.write_table(pyarrow.table({**columns, "y": [None, *columns["y"][1:]]}), tmp_path / "t.parquet")
    with pytest.raises(CropworthError, match="item 'i0': a number that is not finite in step 1 of 3"):
        read(tmp_path / "t.parquet")


def test_numbers_to_predict(tmp_path: Path) -> None:
    rows = [(name, 10 + float(str(x)) / 2, x, y) for name, _, x, y in steps(20)]
    task = read(write(tmp_path / "t.csv", rows), target="number", standardise=False)
    assert task.classes == ()
    for part in (task._train, task.validation, task.test):
        assert part.labels.dtype == torch.float32
        assert part.labels.tolist() == (10 + part.inputs[:, 0, 0] / 2).tolist()
    rows[0] = rows[1] = rows[2] = ("i0", "high", 0, 0)
    with pytest.raises(CropworthError, match="item 'i0': the label 'high'; expected a finite number"):
        read(write(tmp_path / "t.csv", rows), target="number")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "an empty file"),
        ("item,label,x\n", "without a row"),
        ("name,label,x\n", r"Add item, or name yours in data\.item_column"),
        ("item,label,x\na,b\n", "line 2: 2 cells"),
        ("item,label,x\na,b,c\n", "without a column of numbers"),
        ("item,x\na,1\na,2\n", r"without labels; .*data\.label_column"),
        ("item,label,x\na,b,1\na,b,2\n", "series of 1 classes"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(CropworthError, match=message):
        read(tmp_path / "t.csv")


def test_a_file_of_another_kind_or_none(tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match=r"t.xlsx; expected a name that ends in \.csv, "):
        read(tmp_path / "t.xlsx")
    for name in ("t.csv", "t.npz", "t.ts"):
        with pytest.raises(CropworthError, match=f"{name} .*(No such file|not exist|cannot|can't)"):
            read(tmp_path / name)


def test_a_second_table_is_the_test(tmp_path: Path) -> None:
    train, test = steps(12), [(f"z{row[0]}", row[1], 100 + float(str(row[2])), row[3]) for row in steps(4)]
    first, second = write(tmp_path / "t.csv", train), write(tmp_path / "u.csv", test)
    task = read(first, test_file=str(second))
    assert {placed.name for placed in task.placed if placed.split == "test"} == {f"zi{n}" for n in range(4)}
    write(second, [("i0", *row[1:]) for row in test[:3]])
    with pytest.raises(CropworthError, match=r"u.csv, item 'i0': i0 again"):
        read(first, test_file=str(second))
    write(second, [("new", *row[1:]) for row in train[:3]])
    with pytest.raises(CropworthError, match="new in test, the same content as i0 in train"):
        read(first, test_file=str(second), on_bad_item="skip")
    write(second, [(*row, 1) for row in test], (*HEADER, "z"))
    with pytest.raises(CropworthError, match=r"u.csv with the features x, y, z; expected those of .*t.csv, x, y\."):
        read(first, test_file=str(second))


# Arrays


def arrays(count: int = 12) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    return np.random.default_rng(0).normal(size=(count, 5, 2)), np.array(["a", "b"] * (count // 2))


def save(path: Path, **given: object) -> Path:
    np.savez(path, **given)  # type: ignore[arg-type]
    return path


def test_arrays_whole_padded_and_ragged_are_the_same(tmp_path: Path) -> None:
    values, labels = arrays()
    task = read(save(tmp_path / "t.npz", values=values, labels=labels), standardise=False)
    assert found(task) == {str(n + 1): values[n].astype(np.float32).tolist() for n in range(12)}
    lengths = np.array([2, 3, 4, 5] * 3)
    padded = read(save(tmp_path / "p.npz", values=values, labels=labels, lengths=lengths))
    every = np.concatenate([series[:length] for series, length in zip(values, lengths, strict=True)])
    ragged = read(save(tmp_path / "r.npz", values=every, labels=labels, lengths=lengths))
    assert found(padded) == found(ragged)
    assert [len(found(padded)[str(n + 1)]) for n in range(12)] == lengths.tolist()
    assert padded.reading["features"] == [0, 1]


@pytest.mark.parametrize("kind", ["S1", "U1", "int8", "float32"])
def test_labels_of_every_kind(tmp_path: Path, kind: str) -> None:
    values, _ = arrays()
    task = read(save(tmp_path / "t.npz", values=values, labels=np.array([1, 2] * 6).astype(kind)))
    assert task.classes == (("1.0", "2.0") if kind == "float32" else ("1", "2"))
    numbers = read(save(tmp_path / "t.npz", values=values, labels=np.array([1, 2] * 6).astype(kind)), target="number")
    assert set(numbers.labels()["train"].tolist()) == {1, 2}


def test_groups_times_values_and_splits_of_arrays(tmp_path: Path) -> None:
    values, labels = arrays()
    days = np.array([f"2026-03-{day:02}" for day in range(1, 13)], dtype="datetime64[D]")
    group, value = np.arange(12) // 2 * 10, np.arange(12.0)
    task = read(save(tmp_path / "t.npz", values=values, labels=labels, group=group, time=days, value=value))
    where = {placed.name: placed.split for placed in task.placed}
    assert [where[str(n)][0] for n in range(1, 13)] == list("tttttttt" + "vv" + "tt")
    assert task.test.values is not None
    assert task.test.values.tolist() == [10, 11]
    assert {placed.group for placed in task.placed} == {str(n * 10) for n in range(6)}
    split = np.array(["train"] * 8 + ["val"] * 2 + ["test"] * 2)
    given = read(save(tmp_path / "t.npz", values=values, labels=labels, split=split))
    assert [placed.split for placed in given.placed] == split.tolist()
    labels[0] = ""
    split[1] = "dev"
    with pytest.raises(CropworthError, match=r"(?s)series 1: no label.*series 2: the split 'dev'"):
        read(save(tmp_path / "t.npz", values=values, labels=labels, split=split))


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('unpickled')",)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    values, labels = arrays()
    bombs = np.array([Bomb()] * 12, dtype=object)
    for parts in ({"values": values, "labels": bombs}, {"values": bombs, "labels": labels}):
        with pytest.raises(CropworthError, match=r"pickled objects, which are never loaded .*dtype=str"):
            read(save(tmp_path / "t.npz", **parts))
    (tmp_path / "u.npz").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CropworthError, match="pickled objects, which are never loaded"):
        read(tmp_path / "u.npz")


ONES = np.ones((4, 5, 2))
LABELS = np.array(["a", "b", "a", "b"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": LABELS}, "with the arrays labels; expected values, and none but"),
        ({"values": ONES, "labels": LABELS, "groups": LABELS}, "with the arrays values, labels, groups; expected"),
        ({"values": ONES}, "without labels"),
        ({"values": ONES[0], "labels": LABELS}, r"values of shape \(5, 2\), float64; expected numbers \(N, T, F\)"),
        ({"values": ONES.astype(complex), "labels": LABELS}, "complex128; expected numbers"),
        ({"values": ONES.astype(str), "labels": LABELS}, "expected numbers"),
        ({"values": ONES, "labels": LABELS[:3]}, r"labels of shape \(3,\) for 4 series"),
        ({"values": ONES, "labels": LABELS, "lengths": [5, 5, 5, 6]}, "whole numbers that fit"),
        ({"values": ONES, "labels": LABELS, "lengths": [5, 5, 5]}, "whole numbers that fit"),
        ({"values": ONES[0], "labels": LABELS, "lengths": [2, 2, 2, -1]}, "whole numbers that fit"),
        ({"values": ONES[0], "labels": LABELS, "lengths": [1, 1, 1, 1]}, "whole numbers that fit"),
        ({"values": ONES[0], "labels": LABELS, "lengths": [1.0, 1, 1, 2]}, "whole numbers that fit"),
        ({"values": ONES[:, :1], "labels": LABELS}, r"(?s)series 1: 1 steps.*series 4: 1 steps"),
        ({"values": ONES, "labels": LABELS}, "series 1: 1, labelled 'a', holds the same as 2, 'b'"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, given: dict[str, object], message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        read(save(tmp_path / "t.npz", **given))


def test_archives_that_are_damaged_or_something_else(tmp_path: Path) -> None:
    path, (values, labels) = tmp_path / "t.npz", arrays()
    whole = save(path, values=values, labels=labels).read_bytes()
    broken = bytearray(whole)
    broken[200] ^= 255
    for content in (b"", whole[: len(whole) // 2], bytes(broken)):
        path.write_bytes(content)
        with pytest.raises(CropworthError, match=r"t.npz .*(can be read|never loaded)"):
            read(path)
    with path.open("wb") as file:
        np.save(file, values)
    with pytest.raises(CropworthError, match=r"a single array; .* Use np\.savez"):
        read(path)


# The archives' format

TS = "@problemName t\n@timeStamps false\n@univariate true\n@equalLength false\n@classLabel true a b\n@data\n"


def test_ts_files_and_the_archives_own_test(tmp_path: Path) -> None:
    pytest.importorskip("aeon")
    (tmp_path / "t_TRAIN.ts").write_text(TS + "".join(f"{n},{n + 1},{n + 2}:{'ab'[n % 2]}\n" for n in range(10)))
    (tmp_path / "t_TEST.ts").write_text(TS + "7,7,7:a\n8,8,8:b\n")
    task = read(tmp_path / "t_TRAIN.ts", test_file=str(tmp_path / "t_TEST.ts"), standardise=False)
    assert (task.classes, task.train_limit, task.channels) == (("a", "b"), 8, 1)
    assert [placed.name for placed in task.placed if placed.split == "test"] == ["test/1", "test/2"]
    assert task.test.inputs[:, :, 0].tolist() == [[7, 7, 7], [8, 8, 8]]
    assert found(task)["1"] == [[0], [1], [2]]
    with pytest.raises(CropworthError, match=r"with classes, and data\.target = 'number'"):
        read(tmp_path / "t_TRAIN.ts", target="number")


def test_the_archives_own_sets_are_read_as_by_their_task(tmp_path: Path) -> None:
    sets = Path(str(pytest.importorskip("aeon").__file__)).parent / "datasets" / "data" / "GunPoint"
    task = read(sets / "GunPoint_TRAIN.ts", test_file=str(sets / "GunPoint_TEST.ts"), standardise=False)
    known = build_task(parse(Ucr, {"task": "ucr", "name": "GunPoint", "standardise": False}))
    assert task.classes == known.classes
    assert torch.equal(task.test.inputs, known.test.inputs)
    assert torch.equal(task.test.labels, known.test.labels)
    assert task.train_limit + len(task.validation) == 50
