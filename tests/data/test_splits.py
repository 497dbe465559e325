"""Where items go: by a file, by the data, by time, or drawn; never one content or group in two splits."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cropworth.data.bad_items import BadItems
from cropworth.data.drawing import joined
from cropworth.data.signature import PLACED_COLUMNS, SPLIT_NAMES
from cropworth.data.splits import Item, balance, leaks, place
from cropworth.errors import CropworthError, ManyError


@dataclass(frozen=True)
class Shares:
    validation_share: float = 0.2
    test_share: float = 0.25
    split_seed: int = 0
    splits: Path | None = None


def items(labels: str, **given: str) -> list[Item]:
    """An item for each letter of `labels`, its class; `given`, of attributes, has a letter each, a dot where none."""
    found = []
    for row, label in enumerate(labels):
        own = {key: None if letters[row] == "." else letters[row] for key, letters in given.items()}
        found.append(replace(Item(f"{row:03}", f"t.csv, row {row + 1}", label, f"hash {row}"), **own))  # type: ignore[arg-type]
    return found


def given_splits(labels: str, splits: str, **given: str) -> list[Item]:
    names = {"t": "train", "v": "val", "x": "test"}
    found = items(labels, **given)
    return [replace(item, split=names.get(split, split)) for item, split in zip(found, splits, strict=True)]


def put(found: list[Item], on_bad: Literal["fail", "skip"] = "fail", **shares: object) -> str:
    """The first letter of each item's split, a dot for one that is left out."""
    splits = place(found, Shares(**shares), BadItems(on_bad))  # type: ignore[arg-type]
    return "".join("." if split is None else {"train": "t", "val": "v", "test": "x"}[split] for split in splits)


def counts(found: list[Item], splits: str, label: object) -> list[int]:
    of_label = [split for item, split in zip(found, splits, strict=True) if item.label == label]
    return [of_label.count(split) for split in "tvx"]


# Drawn


def test_shares_are_of_each_class_and_follow_the_seed() -> None:
    found = items("a" * 20 + "b" * 40)
    splits = put(found)
    assert counts(found, splits, "a") == [12, 3, 5]
    assert counts(found, splits, "b") == [24, 6, 10]
    assert splits == put(found) != put(found, split_seed=1)


def test_numbers_are_drawn_from_their_whole_range() -> None:
    numbers = np.random.default_rng(1).lognormal(0, 2, 200)
    found = [replace(item, label=float(number)) for item, number in zip(items("n" * 200), numbers, strict=True)]
    splits = np.array(list(put(found)))
    assert [int((splits == split).sum()) for split in "tvx"] == pytest.approx([120, 30, 50], abs=3)
    ranks = numbers.argsort().argsort()
    assert np.bincount(ranks[splits == "x"] // 20).tolist() == [5] * 10
    assert np.bincount(ranks[splits == "v"] // 40).tolist() == pytest.approx([6] * 5, abs=2)


def test_three_items_of_a_class_go_one_each() -> None:
    found = items("aaabbbbbb")
    assert counts(found, put(found, test_share=0.01), "a") == [1, 1, 1]
    assert counts(found, put(found, test_share=0.89, validation_share=0.49), "a") == [1, 1, 1]


def test_a_class_of_too_few_items_or_groups_is_named_with_the_others() -> None:
    found = items("aabbbbccccc", group="..1122.....")
    with pytest.raises(ManyError) as caught:
        put(found)
    first, second = str(caught.value).splitlines()
    assert first.startswith("got groups or different items of the class 'a': 2 (of 2 items); expected 3 or more")
    assert second.startswith("got groups or different items of the class 'b': 2 (of 4 items)")


@given(data=st.data(), mixed=st.booleans())
@settings(max_examples=60)
def test_what_is_drawn(data: st.DataObject, mixed: bool) -> None:
    labels = data.draw(st.lists(st.sampled_from("ab"), min_size=12, max_size=60))
    ties = data.draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), min_size=60, max_size=60))
    found = [
        replace(
            item, content=f"{item.label}{copy}", group=None if group > 15 else f"{'' if mixed else item.label}{group}"
        )
        for item, (copy, group) in zip(items("".join(labels)), ties, strict=False)
    ]
    units = joined((item.content, item.group) for item in found)
    of_class = [len({unit for unit, label in zip(units, labels, strict=True) if label == name}) for name in set(labels)]
    if min(of_class) < 3:
        with pytest.raises(ManyError, match=r"got groups or different items of the class .*; expected 3 or more"):
            put(found)
        return
    splits = put(found)
    assert set(splits) == set("tvx")
    if not mixed:
        assert all(min(counts(found, splits, name)) >= 1 for name in set(labels))
    assert len(set(zip(units.tolist(), splits, strict=True))) == len(set(units.tolist()))
    order = data.draw(st.permutations(range(len(found))))
    assert put([found[row] for row in order]) == "".join(splits[row] for row in order)
    again = given_splits("".join(labels), splits)
    again = [replace(old, split=new.split) for old, new in zip(found, again, strict=True)]
    assert leaks(again) == []
    assert put(again) == splits


# By time


def timed(labels: str, times: list[float], **given: str) -> list[Item]:
    return [replace(item, time=time) for item, time in zip(items(labels, **given), times, strict=True)]


def test_the_latest_are_tested_and_those_before_validate() -> None:
    found = timed("a" * 8 + "b" * 8, [float(time) for time in (*range(8), *range(8))])
    assert put(found) == "tttttvxx" * 2  # two of each time stay together
    assert put(found, test_share=0.5, validation_share=0.4) == "ttvvxxxx" * 2
    assert put(found, test_share=0.01, validation_share=0.01) == "ttttttvx" * 2
    assert put(found, test_share=0.89, validation_share=0.01) == "tvxxxxxx" * 2


def test_a_group_counts_as_of_its_latest_item() -> None:
    found = timed("aaaaaaaa", [1, 2, 3, 4, 5, 6, 7, 8], group="g......g")
    assert put(found) == "xtttttvx"
    assert put(timed("aaaaaaaa", [1, 2, 3, 4, 5, 6, 7, 8], group=".h...h..")) == "tvtttvxx"


@given(
    times=st.lists(st.integers(0, 12), min_size=3, max_size=40),
    groups=st.lists(st.integers(0, 9), min_size=40, max_size=40),
)
def test_nothing_trains_that_is_later_than_the_test_begins(times: list[int], groups: list[int]) -> None:
    found = [
        replace(item, time=float(time), group=None if group > 4 else str(group))
        for item, time, group in zip(items("a" * len(times)), times, groups, strict=False)
    ]
    latest: dict[object, float] = {}
    for item in found:
        latest[item.group or item.name] = max(latest.get(item.group or item.name, 0), item.time or 0)
    if len(set(latest.values())) < 3:
        with pytest.raises(ManyError, match=r"got times of the data: [12] .*; expected 3 or more"):
            put(found)
        return
    splits = put(found)
    ends = [[latest[i.group or i.name] for i, s in zip(found, splits, strict=True) if s == split] for split in "tvx"]
    assert max(ends[0]) < min(ends[1]) <= max(ends[1]) < min(ends[2])


def test_a_class_that_is_new_in_the_test() -> None:
    with pytest.raises(ManyError, match=r"row 7: the class 'b', of which train has no item and other splits 2"):
        put(timed("aaaaaabb", list(map(float, range(8)))))


def test_an_item_without_a_time_among_others() -> None:
    found = timed("a" * 8, list(map(float, range(8))))
    found[2] = replace(found[2], time=None)
    with pytest.raises(ManyError, match="row 3: no time"):
        put(found)
    assert put(found, "skip")[2] == "."


# Given


def test_given_splits_are_kept_and_what_is_missing_is_split_off_train() -> None:
    found = given_splits("ab" * 10, "t" * 16 + "x" * 4)
    splits = put(found)
    assert splits[16:] == "xxxx"
    assert [splits[:16].count(split) for split in "tvx"] == [12, 4, 0]
    only_val = [replace(item, split="val" if item.split == "test" else "train") for item in found]
    assert [put(only_val).count(split) for split in "tvx"] == [12, 4, 4]


def test_a_class_that_is_too_small_is_said_with_the_bad_items() -> None:
    found = [*items("aaaaab"), *given_splits("a", "?")]
    found[-1] = replace(found[-1], name="odd", content="another")
    with pytest.raises(ManyError) as caught:
        place(found, Shares(), BadItems("fail"))
    unknown, few = caught.value.problems
    assert "the split '?'" in unknown.got
    assert few.got == "groups or different items of the class 'b': 1 (of 1 items)"


@pytest.mark.parametrize("on_bad", ["fail", "skip"])
def test_leaks_are_never_left_out(on_bad: Literal["fail", "skip"]) -> None:
    found = given_splits("aabbaa", "tttvxx", group="g..g..")
    found[5] = replace(found[5], content=found[1].content)
    with pytest.raises(ManyError) as caught:
        put(found, on_bad)
    first, second = str(caught.value).splitlines()
    same = "got t.csv, row 6: 005 in test, the same content as 001 in train (t.csv, row 2); expected nothing"
    assert first.startswith(same)
    assert "004" not in str(caught.value)
    assert second.startswith("got t.csv, row 4: 003 in val, of the group 'g' as 000 in train (t.csv, row 1)")


def test_of_thousands_of_leaks_the_first_are_said() -> None:
    found = given_splits("a" * 3000 + "a", "t" * 1500 + "x" * 1500 + "v")
    copies = [replace(item, content=f"{row % 1500}") for row, item in enumerate(found[:-1])]
    with pytest.raises(ManyError) as caught:
        put([*copies, found[-1]])
    assert len(caught.value.problems) == 21
    assert "got 1,480 more of them" in str(caught.value).splitlines()[-1]


def test_two_labels_for_one_content_are_bad_and_said_with_the_leaks() -> None:
    found = given_splits("abaabbab", "ttttvxxv", group="....gg..")
    found[1] = replace(found[1], content=found[0].content)
    with pytest.raises(ManyError) as caught:
        put(found)
    said = str(caught.value).splitlines()
    assert len(said) == 3
    assert said[0].startswith("got t.csv, row 1: 000, labelled 'a', holds the same as 001, 'b' (t.csv, row 2)")
    found[5] = replace(found[5], group=None)
    with pytest.raises(CropworthError, match="the class 'b'"):
        put(found, "skip")
    found[2] = replace(found[2], label="b")
    bad = BadItems("skip")
    assert place(found, Shares(), bad)[:2] == [None, None]
    assert "another label, 2; the first is t.csv, row 1" in bad.warnings[0]


@pytest.mark.parametrize("splits", ["tttvvx", "TTTvxx"])
def test_unknown_splits_and_names_twice(splits: str) -> None:
    found = given_splits("a" * 6, splits)
    found[4] = replace(found[4], name="003")
    with pytest.raises(ManyError) as caught:
        put(found)
    said = str(caught.value)
    assert "row 5: 003 again" in said
    assert ("row 2: the split 'T'; expected one of train, val, test" in said) == (splits[0] == "T")


def test_a_split_without_an_item() -> None:
    with pytest.raises(CropworthError, match="no item in train"):
        put(given_splits("aa", "vx"))
    with pytest.raises(CropworthError, match="no item to train on"):
        put(given_splits("aa", "vv"))
    with pytest.raises(CropworthError, match="no item to train on"):
        put([])


# By a file


def write(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("item", "split")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_a_studys_own_file_gives_its_splits_again(tmp_path: Path) -> None:
    found = items("ab" * 20, group="1122" * 5 + "." * 20)
    splits = place(found, Shares(), BadItems("fail"))
    rows = [(item.name, str(split), item.group or "", item.content) for item, split in zip(found, splits, strict=True)]
    path = write(tmp_path / "splits.csv", rows, PLACED_COLUMNS)
    other = [replace(item, split="train") for item in found]  # what the data say gives way
    assert place(other, Shares(split_seed=7, splits=path), BadItems("fail")) == splits
    changed = [replace(found[0], content="new"), *found[1:]]
    for on_bad in ("fail", "skip"):
        with pytest.raises(ManyError, match=r"row 1: 000, which is not what it was when .*splits.csv, line \d+ was"):
            place(changed, Shares(splits=path), BadItems(on_bad))  # type: ignore[arg-type]


def test_what_a_file_of_splits_and_the_data_do_not_share(tmp_path: Path) -> None:
    names = [("000", "train"), ("001", "val"), ("002", "test"), ("002", "train"), ("gone", "val"), ("003", "dev")]
    path, found = write(tmp_path / "s.csv", names), items("aaaaa")
    with pytest.raises(ManyError) as caught:
        put(found, splits=path)
    said = [problem.got for problem in caught.value.problems]
    assert said == [
        f"{path}, line 5: 002 again",
        f"{path}, line 6: gone, which is no item",
        f"t.csv, row 5: 004, which {path} does not name",
        "t.csv, row 4: the split 'dev'",
    ]
    assert put(found, "skip", splits=path) == "tvx.."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"name,split\n", "without the column item; expected a CSV of the columns item and split"),
        (b"", "without the column item and split"),
        (b'item,split\n"a', "unexpected end of data"),
        (b"item,split\n\xff,train\n", "utf-8"),
    ],
)
def test_a_file_of_splits_that_cannot_be_read(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(CropworthError, match=said):
        put(items("aaa"), splits=tmp_path / "s.csv")


# Balance


def test_rare_and_missing_classes_are_said() -> None:
    labels = {"train": [0] * 99 + [1] * 9 + [2] * 12, "val": [0, 1, 2], "test": [0]}
    arrays = {split: np.array(found, dtype=np.int64) for split, found in labels.items()}
    assert balance("abc", arrays) == (
        "test has no item of 2 of the 3 classes, such as 'b'.",
        "The rarest class, 'b', has 9 training items.",
        "Classes are unequal: 99 training items of 'a', 9 of 'b'.",
    )
    even = {split: np.array([0, 1] * 10, dtype=np.int64) for split in SPLIT_NAMES}
    assert balance("ab", even) == balance((), even) == ()
    one = {**even, "val": np.array([0], dtype=np.int64)}
    assert balance("ab", one) == ("val has no item of 1 of the 2 classes, 'b'.",)
