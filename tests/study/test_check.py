"""`check` finds everything that is wrong, says whose it is, and keeps nothing."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from cropworth.data.build import CACHE
from cropworth.study.check import Checked, check
from tiny import tiny_values

OWN = """
import sys
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, channels, classes, forward=None):
        super().__init__()
        self.head = nn.Linear(channels, classes)
        self.answer = forward or (lambda x: self.head(x.mean((2, 3))))
    def forward(self, images):
        return self.answer(images)

def good(channels, classes):
    return Net(channels, classes)

def raises(channels, classes):
    return {}["no such key"]  # here

def leaves(channels, classes):
    sys.exit("bye")

def no_module(channels, classes):
    return 3

def wrong_shape(channels, classes):
    return Net(channels, classes + 5)

def raises_later(channels, classes):
    def forward(images):
        raise OSError("no disk")
    return Net(channels, classes, forward)

def not_finite(channels, classes):
    net = Net(channels, classes)
    net.answer = lambda x: net.head(x.mean((2, 3))) / 0
    return net

def learns_nothing(channels, classes):
    net = Net(channels, classes)
    net.answer = lambda x: net.head(x.mean((2, 3))).detach() + torch.zeros(1, requires_grad=True)
    return net
"""


class Harmful:
    """What writes a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, ("unpickled", "w")


def whole(factory: str, **more: str) -> dict[str, Any]:
    return {"control": "whole", "backbone": {"name": f"own_nets:{factory}", **more}}


def checked(folder: Path, **changes: Any) -> Checked:
    (folder / "own_nets.py").write_text(OWN)
    (folder / "pickled.pt").write_bytes(pickle.dumps(Harmful()))
    torch.save(torch.nn.Linear(9, 9).state_dict(), folder / "others.pt")
    (folder / "plan.yaml").write_text(yaml.safe_dump({**tiny_values(), **changes}, sort_keys=False))
    return check(folder / "plan.yaml")


@pytest.fixture(autouse=True)
def own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module beside this test's plan, not that of another test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "own_nets", raising=False)


def test_a_plan_that_runs(tiny: Path) -> None:
    before = sorted(tiny.iterdir())
    found = check(tiny / "plan.yaml")
    assert found.problems == []
    assert found.task is not None
    assert found.task.classes == ("dim", "square")
    assert set(found.flops) == {"baseline", "crop"}
    assert sorted(path for path in tiny.iterdir() if path.name != CACHE) == before


# What a variant is -> what must be said of it.
BAD_VARIANTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "raises": (whole("raises"), ("KeyError", "no such key", "own_nets.py", "# here")),
    "leaves": (whole("leaves"), ("SystemExit", "bye", "own_nets.py", 'sys.exit("bye")')),
    "no_module": (whole("no_module"), ("int from the backbone", "a torch.nn.Module")),
    "wrong_shape": (whole("wrong_shape"), ("(1, 7)", "logits of shape (1, 2)")),
    "raises_later": (whole("raises_later"), ("OSError", "no disk", "own_nets.py")),
    "not_finite": (whole("not_finite"), ("a loss that is not finite",)),
    "learns_nothing": (whole("learns_nothing"), ("depends on none of the 2 parameters of the backbone",)),
    "pickled": (whole("good", weights="pickled.pt"), ("pickled.pt",)),
    "others": (whole("good", weights="others.pt"), ("others.pt",)),
    "none": (whole("good", weights="none.pt"), ("none.pt",)),
    "missing": (whole("nobody"), ("nobody", "a function in it")),
    "centre": ({"control": "centre", "size": 25}, ("a centre crop of 25",)),
    "oracle": ({"control": "oracle", "size": 8}, ("an oracle on data without boxes",)),
    "constant": ({"control": "constant", "answer": "owl"}, ("'owl'", "dim, square")),
}


def test_all_bad_things_at_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, data, sizes and variants are wrong together, and none of them hides another."""
    monkeypatch.chdir(tiny)
    (tiny / "images" / "dim" / "0.png").write_bytes(b"")
    (tiny / "images" / "square" / "1.png").write_bytes(b"no picture")
    (tiny / "boxes.csv").write_text("path,x,y,w,h\n" + "".join(f"dim/{i}.png,1,1,9,9\n" for i in range(2, 9)))
    variants = {**tiny_values()["variants"], **{name: variant for name, (variant, _) in BAD_VARIANTS.items()}}
    found = checked(
        tiny,
        data={**tiny_values()["data"], "boxes": "../boxes.csv"},
        variants=variants,
        study={"train_sizes": [16, 4000], "seeds": 2},
        trainin={"epochs": 3},
    )
    assert not Path("unpickled").exists()
    said = [str(problem) for problem in found.problems]
    for name, (_, wanted) in BAD_VARIANTS.items():
        wanted = ("no true box of", "items in train") if name == "oracle" else wanted
        (line,) = [line for line in said if line.startswith(f"got variants.{name}: ")]
        for part in wanted:
            assert part in line, line
    for wanted in ("0.png", "1.png", "a training-set size of 4,000", "Did you mean 'training'?"):
        assert sum(wanted in line for line in said) == 1, said
    assert len(said) == len(BAD_VARIANTS) + 4, "\n".join(said)
    assert not any("baseline" in line or "variants.crop" in line for line in said)


def test_variants_are_tried_where_there_are_no_data(tiny: Path) -> None:
    found = checked(tiny, data={"folder": "nowhere"}, variants={"baseline": whole("good"), "other": whole("raises")})
    assert found.task is None
    data, variant = map(str, found.problems)
    assert "nowhere" in data
    assert variant.startswith("got variants.other: ")
    assert "# here" in variant


def test_what_all_variants_share_is_said_once(tiny: Path) -> None:
    found = checked(tiny, backbone={"name": "smal"})
    (problem,) = found.problems
    assert problem.got == "variants baseline, crop: the backbone 'smal'"


def test_a_plan_of_which_too_much_is_wrong_still_has_its_data_read(tiny: Path) -> None:
    (tiny / "images" / "dim" / "0.png").write_bytes(b"")
    found = checked(tiny, study={"seeds": 2}, baseline="nobody")
    assert found.plan is None
    assert found.problems[0].got == "no study.train_sizes"
    assert any("0.png" in problem.got for problem in found.problems)


def test_bad_items_that_are_left_out_are_no_problem(tiny: Path) -> None:
    (tiny / "images" / "dim" / "0.png").write_bytes(b"")
    found = checked(tiny, data={**tiny_values()["data"], "on_bad_item": "skip"})
    assert found.problems == []
    assert found.task is not None
    assert "0.png" in found.task.warnings[0]


def test_a_size_that_mended_items_would_allow_is_no_problem(tiny: Path) -> None:
    for index in range(6):
        (tiny / "images" / "dim" / f"{index}.png").write_bytes(b"")
    found = checked(tiny, study={"train_sizes": [30], "seeds": 2})
    assert found.left_out == len(found.problems) == 6
    assert found.task is not None
    assert found.task.train_limit < 30


def test_series_and_texts(tmp_path: Path) -> None:
    rows = [f"{word} words of a document {number},{word}\n" for word in ("good", "bad") for number in range(20)]
    (tmp_path / "texts.csv").write_text("text,label\n" + "".join(rows))
    values: dict[str, Any] = {
        "data": {"task": "documents", "file": "texts.csv"},
        "backbone": {"name": "recurrent", "arguments": {"width": 4}},
        "variants": {
            "baseline": {"control": "whole"},
            "crop": {"localizer": "heatmap", "transform": "zoom", "size": 4, "look_size": 8},
            "states": {"localizer": "heatmap", "transform": "zoom", "size": 4, "look_size": 8, "looks_at": "states"},
            "images": {"control": "whole", "backbone": {"name": "small"}},
        },
    }
    problem, *others = checked(tmp_path, **values).problems
    assert others == []
    assert problem.got.startswith("variants.images: ")
    (tmp_path / "texts.csv").unlink()
    first, second = checked(tmp_path, **values).problems
    assert "texts.csv" in first.got
    assert second.got.startswith("variants.images: ")
