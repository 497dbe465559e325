"""A finished study -> a model that predicts what the study's own did."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import cropworth
from cropworth.crops.geometry import theta_to_boxes
from cropworth.data.build import build_task
from cropworth.deploy.trial import choose
from cropworth.errors import CropworthError
from cropworth.study.ledger import Ledger
from cropworth.study.plan import load_plan
from cropworth.study.record import Record
from cropworth.study.train import ready


def record_of(study: Path, variant: str, seed: int) -> Record:
    return next(r for r in Ledger(study).read().of(variant, 16) if r.seed == seed)


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def change_record(study: Path, variant: str, seed: int, **values: Any) -> None:
    change(study / "trials" / record_of(study, variant, seed).trial / "record.json", **values)


def change_plan(study: Path, **values: Any) -> None:
    plan = json.loads((study / "study.json").read_text())["plan"]
    change(study / "study.json", plan={**plan, **values})


def losing(record: Record, loss: float) -> list[dict[str, float]]:
    """Its curve, if the validation loss had been this one."""
    return [
        {"train_loss": 1.0, "validation_loss": loss, "validation_accuracy": 0.5, "wall_s": 1.0} for _ in record.curve
    ]


@pytest.mark.parametrize("variant", ["baseline", "crop"])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_predicts_what_the_study_did(finished_once: Path, variant: str, seed: int) -> None:
    model = cropworth.load(finished_once / "study", variant, seed)
    record = record_of(finished_once / "study", variant, seed)
    items = ready(build_task(load_plan(finished_once / "plan.yaml").data).test)
    with torch.no_grad():
        found, boxes = model(items.inputs), model.crops(items.inputs)
    assert (model.classes, model.training) == (("dim", "square"), False)
    torch.testing.assert_close(found.numpy(), record.probabilities, atol=1e-6, rtol=0)
    if variant == "baseline":
        assert boxes is None
    else:
        torch.testing.assert_close(boxes, theta_to_boxes(torch.from_numpy(record.theta)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("best", [0, 1])
def test_the_lowest_validation_loss_decides(finished: Path, best: int) -> None:
    for seed in (0, 1):
        record = record_of(finished, "crop", seed)
        change_record(finished, "crop", seed, curve=losing(record, 0.1 if seed == best else 0.2))
    assert choose(finished, "crop").record.seed == best


def test_a_collapsed_trial_comes_last_and_with_a_warning(finished: Path) -> None:
    change_record(
        finished, "crop", 0, status="collapsed", reason="blank", curve=losing(record_of(finished, "crop", 0), 0)
    )
    assert choose(finished, "crop").record.seed == 1
    with pytest.warns(UserWarning, match="The trial of crop with seed 0 collapsed: blank"):
        cropworth.load(finished, "crop", 0)


def test_a_diverged_trial_has_nothing_to_load(finished: Path) -> None:
    change_record(finished, "crop", 1, status="diverged", reason="no finite loss")
    assert choose(finished, "crop").record.seed == 0
    with pytest.raises(CropworthError, match="diverged: no finite loss"):
        cropworth.load(finished, "crop", 1)


def test_neither_the_data_nor_a_pretrained_file_is_needed(finished: Path) -> None:
    change_plan(finished, backbone={"name": "small", "arguments": {"width": 2}, "weights": "/gone.pt", "frozen": True})
    assert cropworth.load(finished, "baseline")(torch.zeros(1, 1, 24, 24)).shape == (1, 2)


def test_a_module_in_the_current_folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_to_load.py").write_text(
        "from cropworth.models.small import SmallConvNet\n"
        "def net(channels, classes): return SmallConvNet(channels, classes, width=2)\n"
    )
    expected = cropworth.load(finished, "baseline")(torch.ones(1, 1, 24, 24))
    change_plan(finished, backbone={"name": "mine_to_load:net"})
    with pytest.raises(CropworthError, match="mine_to_load"):
        cropworth.load(finished, "baseline")
    monkeypatch.chdir(tmp_path)
    assert torch.equal(cropworth.load(finished, "baseline")(torch.ones(1, 1, 24, 24)), expected)


def test_what_cannot_be_loaded(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match="which is no study"):
        cropworth.load(tmp_path / "nowhere", "crop")
    with pytest.raises(
        CropworthError, match=r"the variant 'crp'; expected one of baseline, crop\. Did you mean 'crop'"
    ):
        cropworth.load(finished, "crp")
    with pytest.raises(CropworthError, match="seed 7; expected one of the seeds 0, 1"):
        cropworth.load(finished, "crop", 7)
    with pytest.raises(CropworthError, match="Name the variant"):
        cropworth.load(finished)
    change(finished / "study.json", kinds={"baseline": "baseline", "crop": "oracle"})
    with pytest.raises(CropworthError, match="an oracle"):
        cropworth.load(finished, "crop")


def test_weights_that_are_no_weights(finished: Path) -> None:
    path = choose(finished, "crop").weights
    for content, said in ((b"no weights", "weights.pt"), (b"", "0 bytes")):
        path.write_bytes(content)
        with pytest.raises(CropworthError, match=said):
            cropworth.load(finished, "crop")
    torch.save({"head.weight": torch.zeros(3)}, path)
    with pytest.raises(CropworthError, match="do not fit the model"):
        cropworth.load(finished, "crop")
    path.unlink()
    with pytest.raises(CropworthError, match="only this trial is repeated"):
        cropworth.load(finished, "crop")


@pytest.mark.parametrize(
    "inputs",
    [torch.zeros(1, 3, 24, 24), torch.zeros(1, 1, 25, 24), torch.zeros(1, 24, 24), torch.zeros(1, 1, 24, 24).byte()],
)
def test_inputs_of_another_shape_or_type(finished_once: Path, inputs: torch.Tensor) -> None:
    with pytest.raises(CropworthError, match=r"expected \(B, 1, 24, 24\), floating point in \[0, 1\]"):
        cropworth.load(finished_once / "study", "crop", 0)(inputs)
