"""Weights, frozen backbones and normalised pixels in a study."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch import nn

from cropworth.data.build import build_task
from cropworth.data.config import DigitsCluttered
from cropworth.data.signature import Signature
from cropworth.errors import CropworthError
from cropworth.models.build import build_backbone
from cropworth.models.normalise import IMAGENET
from cropworth.study.ledger import Ledger, trial_name
from cropworth.study.plan import Backbone, Plan, load_plan
from cropworth.study.run import prepare, run_study
from cropworth.study.train import batches, run_trial, train
from cropworth.study.variants import build_variant, item_flops
from tiny import plan_with

IMAGES = Signature(classes=("a", "b"), channels=1, size=(24, 24), is_sequence=False, vocabulary=0)


def with_backbone(tiny: Path, **keys: Any) -> Plan:
    backbone = {"name": "small", "arguments": {"width": 2}} | keys
    return plan_with(load_plan(tiny / "plan.yaml"), backbone=backbone).located(tiny)


def weights(path: Path, classes: int = 5, seed: int = 3) -> Path:
    torch.manual_seed(seed)
    network = build_backbone("small", 1, classes, {"width": 2})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean -= 0.5  # so that no activation is dead
    save_file(dict(network.state_dict()), path)
    return path


def test_what_is_frozen_stays_to_the_bit_and_the_crop_learns(tiny: Path) -> None:
    weights(tiny / "w.safetensors")
    plan = with_backbone(tiny, weights="w.safetensors", frozen=True)
    task = build_task(plan.data)
    model = build_variant(plan, "crop", task, 0, tiny)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    model.loss(next(batches(task.test, 8))).backward()  # type: ignore[no-untyped-call]
    localizer = [p for name, p in model.named_parameters() if "localizer" in name]
    assert sum(p.grad.abs().sum() for p in localizer if p.grad is not None) > 0
    train(model, task, plan, "crop", 16, 0)
    learned = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert any("localizer" in name for name in learned)
    of_backbone = {name for name in learned if name.startswith("backbone.")}
    head = [name for name, m in model.named_modules() if isinstance(m, nn.Linear) and name.startswith("backbone.")][-1]
    assert of_backbone == {f"{head}.weight", f"{head}.bias"}
    assert any(isinstance(part, nn.BatchNorm2d) for part in model.frozen)
    assert not any(part.training for part in model.train().frozen)
    assert model.backbone.training


def test_what_is_not_frozen_trains_on_from_the_file(tiny: Path) -> None:
    weights(tiny / "w.safetensors", classes=2)
    plan = with_backbone(tiny, weights="w.safetensors")
    first, second = (build_variant(plan, "baseline", IMAGES, seed, tiny) for seed in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert all(p.requires_grad for p in first.parameters())
    assert first.frozen == first.notes == ()


def test_a_whole_study_says_what_is_new_and_refuses_another_file(tiny: Path) -> None:
    weights(tiny / "w.safetensors")
    prepared = prepare(with_backbone(tiny, weights="w.safetensors", frozen=True), tiny)
    note = "w.safetensors: the head "
    assert [warning for warning in prepared.warnings if note in warning and "the file has 5 classes" in warning]
    study = run_study(prepared, tiny / "study", 1)
    assert [record.status for record in study.records] == ["ok"] * 4
    assert any(note in warning for warning in study.warnings)
    header = json.loads((tiny / "study" / "study.json").read_text())
    assert list(header["weights_sha256"]) == [str(tiny / "w.safetensors")]
    again = run_study(prepared, tiny / "study", 1)
    for before, after in zip(study.records, again.records, strict=True):
        np.testing.assert_array_equal(before.probabilities, after.probabilities)
    weights(tiny / "w.safetensors", seed=4)
    with pytest.raises(CropworthError, match=r"other contents of .*w\.safetensors than .*study was begun with"):
        run_study(prepared, tiny / "study", 1)


def test_a_file_that_was_left_out_meanwhile_is_still_known(tmp_path: Path) -> None:
    ledger, header = Ledger(tmp_path / "study"), {"plan": {"data": {}}, "data_sha256": "d"}
    ledger.open(header | {"weights_sha256": {"a": "1"}})
    ledger.open(header | {"weights_sha256": {"b": "2"}})
    ledger.open(header)
    with pytest.raises(CropworthError, match="other contents of a than"):
        ledger.open(header | {"weights_sha256": {"a": "3", "b": "2"}})
    ledger.open(header | {"weights_sha256": {"a": "1", "b": "2"}})


def test_old_trials_keep_their_names() -> None:
    values = {
        "name": "old",
        "data": {"task": "digits-cluttered"},
        "variants": {"baseline": {"control": "whole"}, "other": {"control": "whole", "backbone": {"name": "small"}}},
        "study": {"train_sizes": [16], "seeds": 1},
    }
    trial = Plan.model_validate(values).trial("other", 16, 0)
    assert trial["backbone"] == trial["variant"]["backbone"] == {"name": "small", "arguments": {}}
    assert isinstance(Plan.model_validate(values).data, DigitsCluttered)
    assert trial_name(trial) != trial_name({**trial, "backbone": {**trial["backbone"], "weights": "w.pt"}})


@pytest.mark.parametrize("settings", [{"mean": [0.4], "deviation": [0.2]}, "imagenet"])
def test_pixels_are_normalised_behind_the_crop(tiny: Path, settings: Any) -> None:
    channels = 3 if settings == "imagenet" else 1
    task = Signature(classes=("a", "b"), channels=channels, size=(24, 24), is_sequence=False, vocabulary=0)
    plain = build_variant(with_backbone(tiny), "crop", task, 0)
    model = build_variant(with_backbone(tiny, normalise=settings), "crop", task, 0)
    images = torch.rand(3, channels, 24, 24)
    mean, deviation = IMAGENET if settings == "imagenet" else ((0.4,), (0.2,))
    expected = (images - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(deviation).view(-1, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(model.eval().backbone(images), plain.eval().backbone(expected))
    assert plain.crop is not None
    assert model.crop is not None
    for ours, others in zip(model.crop.parameters(), plain.crop.parameters(), strict=True):
        assert torch.equal(ours, others)


def test_normalised_training_repeats_to_the_bit(tiny: Path) -> None:
    plan = with_backbone(tiny, normalise={"mean": [0.3], "deviation": [0.2]})
    task = build_task(plan.data)
    first, second = (run_trial(plan, "crop", 16, 0, task, threads=1)[0] for _ in range(2))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_normalise_for_other_channels_and_for_sequences(tiny: Path) -> None:
    with pytest.raises(CropworthError, match="3 means and 3 deviations for 1 channels"):
        build_variant(with_backbone(tiny, normalise="imagenet"), "baseline", IMAGES, 0)
    series = Signature(classes=("a", "b"), channels=2, size=(30,), is_sequence=True, vocabulary=0)
    plan = with_backbone(tiny, name="recurrent", normalise={"mean": [0], "deviation": [1]})
    with pytest.raises(CropworthError, match="normalise of sequences"):
        build_variant(plan, "baseline", series, 0)


def test_a_baseline_of_another_kind_with_weights_of_its_own(tiny: Path) -> None:
    weights(tiny / "w.safetensors", classes=2)
    whole = {"control": "whole", "backbone": {"name": "small", "arguments": {"width": 2}, "weights": "w.safetensors"}}
    plan = load_plan(tiny / "plan.yaml")
    plan = plan_with(plan, variants={**plan.model_dump()["variants"], "other": whole}).located(tiny)
    assert plan.model_files() == ((tiny / "w.safetensors").resolve(),)
    other = build_variant(plan, "other", IMAGES, 0, tiny)
    again = build_variant(plan, "other", IMAGES, 1, tiny)
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), again.parameters(), strict=True))


def test_a_matched_control_is_normalised_and_has_no_weights(tiny: Path) -> None:
    weights(tiny / "w.safetensors", classes=2)
    variants = {
        **load_plan(tiny / "plan.yaml").model_dump()["variants"],
        "narrow": {"control": "matched", "to": "crop"},
    }
    plan = plan_with(with_backbone(tiny, arguments={"width": 6}, normalise={"mean": [0.3], "deviation": [0.2]}),
                     variants=variants)  # fmt: skip
    narrow = build_variant(plan, "narrow", IMAGES, 0)
    assert isinstance(narrow.backbone, nn.Sequential)
    plan = plan_with(with_backbone(tiny, weights="w.safetensors"), variants=variants)
    with pytest.raises(CropworthError, match="the control 'matched' with the weights"):
        build_variant(plan, "narrow", IMAGES, 0)


def test_a_config_belongs_to_what_decides_a_trial(tiny: Path) -> None:
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=24, patch_size=8
    )
    config.save_pretrained(tiny / "vit")
    plan = with_backbone(tiny, name="transformers:vit", arguments={})
    assert plan.backbone.name == f"transformers:{(tiny / 'vit').resolve()}"
    assert plan.located(Path("/elsewhere")) == plan
    assert plan.model_files() == ((tiny / "vit" / "config.json").resolve(),)
    assert item_flops(build_variant(plan, "crop", IMAGES, 0), IMAGES) > 0


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return nn.Conv2d(channels, classes, 1)", r"(1, 2, 24, 24) from the backbone for one item"),
        ("return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes + 1))", r"(1, 3) from the backbone"),
        ("return nn.LSTM(24, classes)", "that the model cannot take"),
        ("raise KeyError('depth')", "KeyError: 'depth'"),
        ("return nn.Linear(7, classes)", "that the model cannot take"),
        ("assert channels == 3, 'only colour'", "AssertionError: only colour"),
    ],
)
def test_a_factory_that_does_something_else(
    tiny: Path, code: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"factory_{abs(hash(code))}"
    (tiny / f"{module}.py").write_text(f"from torch import nn\ndef make(channels, classes):\n    {code}\n")
    monkeypatch.syspath_prepend(str(tiny))
    plan = with_backbone(tiny, name=f"{module}:make", arguments={})
    with pytest.raises(CropworthError, match=re.escape(message)):
        item_flops(build_variant(plan, "baseline", IMAGES, 0, tiny), IMAGES)


def test_a_size_that_the_backbone_does_not_take(tiny: Path) -> None:
    plan = with_backbone(tiny, name="timm:test_vit", arguments={})
    with pytest.raises(CropworthError, match=r"cannot take \(Input height \(24\)"):
        item_flops(build_variant(plan, "baseline", IMAGES, 0), IMAGES)


def test_frozen_needs_weights(tiny: Path) -> None:
    with pytest.raises(ValueError, match="frozen needs weights"):
        Backbone(frozen=True)
