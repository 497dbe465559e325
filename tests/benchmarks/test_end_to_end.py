"""benchmarks/end_to_end.py on small inputs: the crop's share is the crop's, and the page shows it."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import end_to_end
import kernels_page

from cropworth.crops import spatial


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs of 64 pixels, crops of 32, batches of 2."""
    monkeypatch.setattr(end_to_end, "INPUTS", {64: 32})
    monkeypatch.setattr(end_to_end, "TRAINING_BATCH", 2)
    monkeypatch.setattr(end_to_end, "LOOK", 32)


class Slow(torch.autograd.Function):
    """A mean of all pixels that takes 20 ms forward and 40 ms backward."""

    @staticmethod
    def forward(context: Any, images: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(theta)
        time.sleep(0.02)
        return images[..., :32, :32] + theta.sum()

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> Any:
        time.sleep(0.04)
        return None, gradient.sum().expand_as(context.saved_tensors[0])


def test_the_share_is_that_of_the_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spatial, "sample", lambda images, theta, *_, **__: Slow.apply(images, theta))
    step = end_to_end.training_step(end_to_end.CROP, 64)
    with end_to_end.watched() as spent:
        for _ in range(2):
            step()
    assert 0.04 <= spent.forward_s < 0.08
    assert 0.08 <= spent.backward_s < 0.16


def test_what_is_watched_is_put_back() -> None:
    before = spatial.sample
    with end_to_end.watched():
        assert spatial.sample is not before
    assert spatial.sample is before


def test_inference_has_no_backward_pass() -> None:
    call = end_to_end.prediction(end_to_end.CROP, 64, 1)
    found = end_to_end.share(call, rounds=2)
    assert found["backward"] == 0
    assert 0 < found["forward"] < 1


@pytest.mark.parametrize("name", end_to_end.MODELS)
def test_a_training_step_trains(name: str) -> None:
    model = end_to_end.build(name, 64)
    crops = [module for module in model.modules() if isinstance(module, spatial.SpatialTransformer)]
    assert len(crops) == (0 if name == end_to_end.BASELINE else 1)
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, end_to_end.CLASSES)


def test_a_small_run_and_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_to_end, "peak_in_own_process", lambda *_: 10**8)
    out = tmp_path / "end_to_end.json"
    monkeypatch.setattr(
        sys, "argv", ["end_to_end.py", "--quick", "--threads", "1", "--inputs", "64", "--out", str(out)]
    )
    end_to_end.main()
    found = json.loads(out.read_text())
    assert [(cell["what"], cell["batch"]) for cell in found["cells"]] == [("training step", 2), ("inference", 1)]
    for cell in found["cells"]:
        assert set(cell["rows"]) == set(end_to_end.MODELS)
        assert cell["rows"]["crop"]["peak_bytes"] == 10**8
    table = kernels_page.whole_table(found["cells"], "training step")
    assert "| 64 → 32 | 2 | crop | " in table
    assert table.count("\n") == 1 + len(end_to_end.MODELS)


def test_the_peak_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    most = end_to_end.peak(end_to_end.CROP, 64, 1, torch.get_num_threads())
    assert most is None or most > 10**7
