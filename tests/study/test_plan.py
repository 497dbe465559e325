import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cropworth.config import parse
from cropworth.errors import CropworthError
from cropworth.study.ledger import trial_name
from cropworth.study.plan import Plan, load_plan
from tiny import tiny_values

Change = Callable[[dict[str, Any]], object]
ROOT = Path(__file__).parents[2]


def plan(change: Change = lambda _: None) -> Plan:
    values = tiny_values()
    change(values)
    return parse(Plan, values)


def test_every_combination_is_a_trial() -> None:
    trials = plan(lambda v: v["study"].update(train_sizes=[8, 16], seeds=3)).trials()
    assert len(trials) == 2 * 2 * 3
    assert len({trial_name(trial) for trial in trials}) == 12
    assert [t["train_size"] for t in trials] == [16] * 6 + [8] * 6  # the long ones first


def test_trials_have_the_names_that_they_had_before_there_were_values() -> None:
    """Those of the digits and of documents were named by the version before; a finished study must find them."""

    def name(**data: str) -> str:
        controls = {"baseline": {"control": "whole"}, "small": {"control": "small", "size": 8}}
        study = {"train_sizes": [8], "seeds": 1}
        named = parse(Plan, {"name": "p", "data": data, "variants": controls, "study": study})
        return trial_name(named.trial("baseline", 8, 0))

    assert name(task="digits-cluttered") == "688d6c7792a0bec1"
    assert name(task="documents", file="texts.csv") == "83134c5df9bdaaf8"
    assert name(task="documents", file="texts.csv", value_column="amount") != "83134c5df9bdaaf8"


@pytest.mark.parametrize(
    ("change", "repeats"),
    [
        (lambda v: v.update(economics={"cost_per_error": 9}), False),
        (lambda v: v.update(name="other"), False),
        (lambda v: v["variants"].update(extra={"control": "small", "size": 8}), False),
        (lambda v: v["study"].update(seeds=9), False),
        (lambda v: v["timing"].update(rounds=20), False),
        (lambda v: v["training"].update(epochs=9), True),
        (lambda v: v["data"].update(image_size=32), True),
        (lambda v: v["backbone"]["arguments"].update(width=3), True),
    ],
)
def test_only_what_decides_a_record_repeats_a_trial(change: Change, repeats: bool) -> None:
    before, after = ({trial_name(t) for t in p.trials()} for p in (plan(), plan(change)))
    assert before.isdisjoint(after) if repeats else before <= after


@pytest.mark.parametrize("change", [{"localizer": "regression"}, {"steps": 2}])
def test_several_candidates_need_one_heatmap(change: dict[str, Any]) -> None:
    def several(values: dict[str, Any]) -> None:
        values["variants"]["crop"] |= {"localizer": "heatmap", "candidates": 2, **change}

    with pytest.raises(CropworthError, match="several candidates need the localizer heatmap or proposals"):
        plan(several)


@pytest.mark.parametrize(
    "change",
    [
        {"localizer": "proposals", "steps": 2},
        {"localizer": "heatmap", "box_losses": 1.0},
        {"localizer": "regression", "features": "pyramid"},
    ],
)
def test_what_only_proposals_have(change: dict[str, Any]) -> None:
    def guided(values: dict[str, Any]) -> None:
        values["variants"]["crop"] |= change

    with pytest.raises(CropworthError, match="proposals"):
        plan(guided)


def test_a_changed_target_repeats_the_matched_control() -> None:
    def matched(size: int) -> str:
        def change(values: dict[str, Any]) -> None:
            values["variants"]["crop"]["size"] = size
            values["variants"]["matched"] = {"control": "matched", "to": "crop"}

        return trial_name(plan(change).trial("matched", 16, 0))

    assert matched(12) != matched(14)


def test_kinds() -> None:
    found = plan(lambda v: v["variants"].update(small={"control": "small", "size": 8}))
    assert [found.kind(name) for name in found.variants] == ["baseline", "crop", "control"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(traning={}), r"unknown key traning.*'training'"),
        (lambda v: v["training"].update(epoch=3), r"unknown key training\.epoch.*'epochs'"),
        (lambda v: v["data"].update(imagesize=3), r"unknown key data\.imagesize.*'image_size'"),
        (lambda v: v["variants"]["crop"].update(sise=3), r"unknown key variants\.crop\.sise.*'size'"),
        (lambda v: v["variants"].update(m={"control": "smal", "size": 3}), r"variants\.m of the kind 'smal'.*'small'"),
        (lambda v: v["variants"]["crop"].pop("localizer"), r"no variants\.crop\.localizer"),
        (lambda v: v["variants"].pop("crop"), r"variants"),
        (lambda v: v["study"].update(seeds=0), r"study\.seeds = 0"),
        (lambda v: v["study"].update(train_sizes=[]), r"study\.train_sizes = \[\]"),
        (lambda v: v["training"].update(lr=-1), r"training\.lr = -1"),
        (lambda v: v.update(baseline="base"), r"baseline 'base' is not among the variants baseline, crop"),
        (lambda v: v["variants"].update(o={"control": "oracle", "size": 8}), r"an oracle needs the true boxes"),
        (lambda v: v["variants"].update(m={"control": "matched", "to": "cop"}), r"variants\.m\.to = 'cop'"),
        (lambda v: v["variants"]["crop"].update(transform="unbounded-affine"), r"unbounded-affine starts at the whole"),
        (lambda v: v.update(data={"task": "digits"}), r"data of the kind 'digits'.*'digits-scene'"),
        (lambda v: v.update(variants=3), r"variants = 3"),
    ],
)
def test_what_is_refused_names_its_place(change: Change, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        plan(change)


def test_a_relative_folder_starts_at_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(tiny_values()))
    assert load_plan(path).data.folder == tmp_path / "images"  # type: ignore[union-attr]


@pytest.mark.parametrize("path", [ROOT / "src" / "cropworth" / "demo.yaml", *sorted((ROOT / "recipes").glob("*.yaml"))])
def test_every_plan_that_we_ship_is_valid(path: Path) -> None:
    from cropworth.worth.economics import read_economics

    shipped = load_plan(path)
    assert read_economics(copy.deepcopy(shipped.economics)).note.startswith("Example prices")


def test_the_full_recipe_is_full() -> None:
    digits = load_plan(ROOT / "recipes" / "digits.yaml")
    assert digits.study.seeds >= 6
    assert len(digits.study.train_sizes) >= 3
    kinds = {name: digits.kind(name) for name in digits.variants}
    assert {"small", "centre", "matched"} <= {name for name, kind in kinds.items() if kind == "control"}
    assert kinds["oracle"] == "oracle"
