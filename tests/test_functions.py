"""Functions named in a plan, from a module beside it."""

import sys
from pathlib import Path

import pytest

from cropworth.errors import CropworthError
from cropworth.functions import load_function, look_in


def test_a_module_of_the_plans_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "beside_the_plan.py").write_text("number = 3\ndef double(x): return 2 * x\n")
    with pytest.raises(CropworthError, match="No module named 'beside_the_plan'"):
        load_function("beside_the_plan:double", "embedder")
    look_in(tmp_path)
    look_in(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1
    assert load_function("beside_the_plan:double", "embedder")(21) == 42
    with pytest.raises(CropworthError, match=r"the embedder 'beside_the_plan:number' \(number is a int\)"):
        load_function("beside_the_plan:number", "embedder")


def test_no_folder_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = [*sys.path]
    look_in(None)
    assert sys.path == before


@pytest.mark.parametrize("name", ["math:nothing", "no_such_module:f", ":f", "math:"])
def test_what_cannot_be_found(name: str) -> None:
    with pytest.raises(CropworthError, match=f"the backbone '{name}'"):
        load_function(name, "backbone")
