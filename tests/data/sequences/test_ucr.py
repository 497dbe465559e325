"""The task `ucr` on the sets that aeon ships, and on small files in their format."""

import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import Ucr
from cropworth.data.installed import shipped
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.data.sequences.ucr import INSTALL, SETS, published_accuracies, read_ts, shipped_sets
from cropworth.errors import CropworthError

# Classes, training series (validation among them), test series, longest, features: as the archives list them.
ARCHIVE = {
    "ACSF1": (10, 100, 100, 1460, 1),
    "ArrowHead": (3, 36, 175, 251, 1),
    "BasicMotions": (4, 40, 40, 100, 6),
    "GunPoint": (2, 50, 150, 150, 1),
    "ItalyPowerDemand": (2, 67, 1029, 24, 1),
    "JapaneseVowels": (9, 270, 370, 29, 12),
    "OSULeaf": (6, 200, 242, 427, 1),
    "PickupGestureWiimoteZ": (10, 50, 50, 361, 1),
}
HEAD = "@problemName made\n@timestamps false\n@univariate true\n@equalLength false\n@classLabel true x y\n@data\n"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def read(name: str, **settings: object) -> SequenceTask:
    task = build_task(parse(Ucr, {"task": "ucr", "name": name, **settings}))
    assert isinstance(task, SequenceTask)
    return task


@pytest.mark.parametrize("name", ARCHIVE)
def test_the_archives_sets_and_splits(name: str) -> None:
    task = read(name)
    classes, train, test, longest, features = ARCHIVE[name]
    assert (len(task.classes), task.train_limit + len(task.validation), len(task.test)) == (classes, train, test)
    assert (task.size, task.channels) == ((longest,), features)
    assert set(task.validation.labels.tolist()) == set(range(classes))
    assert task.warnings == ()


def test_values_and_labels_are_the_files_own() -> None:
    task = read("GunPoint", standardise=False)
    path = shipped("aeon", f"{SETS}/GunPoint/GunPoint_TEST.ts", INSTALL)
    lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#@"]
    for row, label, line in zip(task.test.inputs, task.test.labels, lines, strict=True):
        values, name = line.split(":")
        np.testing.assert_allclose(row[:, 0], np.array(values.split(","), dtype=np.float32))
        assert task.classes[label] == name.strip()


def test_series_of_unequal_lengths_keep_theirs() -> None:
    lengths = read("JapaneseVowels").test.lengths
    assert lengths is not None
    assert (int(lengths.min()), int(lengths.max())) == (7, 29)


def test_validation_follows_its_share_and_seed() -> None:
    first, same, other = (read("GunPoint", split_seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.validation.inputs, same.validation.inputs)
    assert not torch.equal(first.validation.inputs, other.validation.inputs)
    assert torch.equal(read("GunPoint", standardise=False).test.labels, first.test.labels)
    assert len(read("GunPoint", validation_share=0.4).validation) == 20
    train = {tuple(row) for row in first.training_epoch(first.train_limit, 0, 0).inputs[:, :5, 0].tolist()}
    assert train.isdisjoint({tuple(row) for row in first.validation.inputs[:, :5, 0].tolist()})


def test_a_set_that_is_not_shipped_is_refused_without_a_download() -> None:
    with pytest.raises(CropworthError, match=r"'GunPiont'.* one of ACSF1, .*UnitTest\. Choose one of them"):
        read("GunPiont")
    with pytest.raises(CropworthError, match="a set that aeon does not ship"):
        read("CardanoSentiment")
    assert set(ARCHIVE) <= set(shipped_sets())


def test_published_accuracies_are_those_of_the_archives_own_split() -> None:
    found = published_accuracies("ArrowHead")
    assert sorted(found) == ["FreshPRINCE", "HC2", "InceptionTime", "WEASEL-2.0"]
    assert found["HC2"] == pytest.approx(0.8685714285714285)
    assert published_accuracies("JapaneseVowels") == {}
    assert all(published_accuracies(name) for name in ("ACSF1", "GunPoint", "ItalyPowerDemand", "OSULeaf"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "made_TRAIN.ts"
    path.write_text(text)
    return path


def test_a_file_of_two_features_is_read_step_by_step(tmp_path: Path) -> None:
    text = HEAD.replace("univariate true", "univariate false") + "1,2,3:4,5,6:y\n7,8:9,10:x\n"
    found = read_ts(write(tmp_path, text))
    assert found.classes == ("x", "y")
    assert [item.values.tolist() for item in found.items(found.classes)] == [
        [[1, 4], [2, 5], [3, 6]],
        [[7, 9], [8, 10]],
    ]
    assert [item.label for item in found.items(found.classes)] == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"made_TRAIN\.ts with 0 series"),
        (HEAD, r"made_TRAIN\.ts with 0 series"),
        (HEAD + "1,2,3:x\n1,two:y\n", r"made_TRAIN\.ts \(could not convert string to float: 'two'\)"),
        (HEAD + "1,2,3:x\n1,2:1,2:y\n", r"made_TRAIN\.ts \(Inconsistent number of dimensions in case 2"),
        (HEAD.replace("Length false", "Length true") + "1,2,3:x\n1,2:y\n", r"made_TRAIN\.ts \(.*in case 2"),
        (HEAD + "1,2,3:x\n1,2:z\n", r"made_TRAIN\.ts, series 2: the class z; expected one of x, y"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        read_ts(write(tmp_path, text)).items(("x", "y"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match=r"absent\.ts"):
        read_ts(tmp_path / "absent.ts")


def test_a_gap_in_a_series_is_refused_with_file_and_number(tmp_path: Path) -> None:
    found = read_ts(write(tmp_path, HEAD + "1,2,3:x\n1,?,3:y\n1:x\n"))
    items = found.items(found.classes)
    with pytest.raises(
        CropworthError, match=r"series 2: a number that is not finite in step 2 of 3[^\n]*\n.*series 3: 1 st"
    ):
        SequenceTask("made", found.classes, items, items[:1], items[:1])
    skipped = SequenceTask("made", found.classes, items, items[:1], items[:1], on_bad_item="skip")
    (warning,) = skipped.warnings
    assert warning.startswith("Left out of the data: sequences, 2; ")
    assert "series 2: a number" in warning
