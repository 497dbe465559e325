import json
from pathlib import Path

import pytest
import yaml

from cropworth.data.build import build_task
from cropworth.data.signature import PLACED_COLUMNS, Numbers, Placed, Signature
from cropworth.errors import CropworthError
from cropworth.study.ledger import Ledger
from cropworth.study.plan import Plan, load_plan
from cropworth.study.variants import build_variant, item_flops
from tiny import tiny_values


@pytest.mark.parametrize("numbers", [None, Numbers(0.25, 2.0)])
def test_it_survives_json(numbers: Numbers | None) -> None:
    signature = Signature(("a", "b"), 3, (16, 24), False, 7, numbers, {"kind": "images", "bits": 16})
    assert Signature.from_dict(json.loads(json.dumps(signature.as_dict()))) == signature


@pytest.mark.parametrize("name", ["baseline", "crop"])
def test_a_model_is_built_of_it_as_of_the_task(tiny: Path, name: str) -> None:
    plan = load_plan(tiny / "plan.yaml")
    task = build_task(plan.data)
    signature = task.signature()
    assert (signature.size, signature.channels, signature.is_sequence) == ((24, 24), 1, False)
    ours, theirs = (build_variant(plan, name, one, 3).state_dict() for one in (signature, task))
    assert all(ours[key].equal(value) for key, value in theirs.items())
    assert item_flops(build_variant(plan, name, signature, 0), signature) > 0


def test_a_study_keeps_it(finished: Path, tiny: Path) -> None:
    assert Ledger(finished).signature() == build_task(load_plan(tiny / "plan.yaml").data).signature()


def test_a_study_of_an_older_version_has_none(finished: Path) -> None:
    header = json.loads((finished / "study.json").read_text())
    del header["signature"]
    (finished / "study.json").write_text(json.dumps(header))
    with pytest.raises(CropworthError, match=r"without a signature.*Run the study again"):
        Ledger(finished).signature()


def test_what_went_where_is_kept_as_a_table(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write_splits(())
    assert not (tmp_path / "splits.csv").exists()
    ledger.write_splits([Placed("a, b.png", "train", "", "12"), Placed("c.png", "test", "patient 1", "34")])
    head, first, second = (tmp_path / "splits.csv").read_text().splitlines()
    assert head == ",".join(PLACED_COLUMNS)
    assert first == '"a, b.png",train,,12'
    assert second == "c.png,test,patient 1,34"


def test_keys_that_came_later_do_not_rename_a_trial() -> None:
    plan = Plan.model_validate(tiny_values())
    trial = plan.trial("crop", 16, 0)
    assert trial["data"].keys() == {
        "folder", "image_size", "channels", "validation_share", "test_share", "split_seed", "boxes", "on_bad_item",
    }  # fmt: skip
    assert trial["backbone"].keys() == {"name", "arguments"}
    assert trial["training"].keys() == {"epochs", "batch_size", "lr", "weight_decay", "patience"}
    values = tiny_values() | {"training": {"augment": [{"RandomHorizontalFlip": {"p": 0.5}}]}}
    augmented = Plan.model_validate(values)
    assert augmented.trial("crop", 16, 0)["training"]["augment"] == [{"RandomHorizontalFlip": {"p": 0.5}}]
    assert Plan.model_validate(augmented.model_dump(mode="json")) == augmented


def test_paths_start_at_the_plans_folder(tmp_path: Path) -> None:
    values = tiny_values() | {"backbone": {"name": "small", "weights": "w.pt"}}
    values["variants"]["other"] = {"control": "whole", "backbone": {"name": "small", "weights": "sub/v.pt"}}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(values))
    plan = load_plan(tmp_path / "plan.yaml")
    assert plan.backbone.weights == tmp_path.resolve() / "w.pt"
    other = plan.variants["other"]
    assert other.model_dump()["backbone"]["weights"] == tmp_path.resolve() / "sub" / "v.pt"
