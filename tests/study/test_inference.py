"""What inference takes: memory in processes of their own, joules by counters made of chosen numbers."""

import os
from functools import partial
from pathlib import Path

import pytest

from counters import Counted, FakeCounters
from cropworth.data.build import build_task
from cropworth.measure.energy import joules_per_call
from cropworth.measure.memory import peak_bytes
from cropworth.study import inference
from cropworth.study.inference import Sample, measure_inference, peak_memory
from cropworth.study.ledger import Ledger
from cropworth.study.plan import Plan, load_plan
from cropworth.study.variants import build_variant, item_flops
from tiny import plan_with

MEGABYTE = 1 << 20
MODELS = f"""
import os, torch
from torch import nn

class Hungry(nn.Linear):
    def forward(self, images):
        torch.ones(256 * {MEGABYTE}, dtype=torch.uint8)
        return super().forward(images.mean((2, 3)))

def hungry(channels, classes):
    return Hungry(channels, classes)

def killed(channels, classes):
    if os.environ["TESTED_BY"] != str(os.getpid()):
        os.kill(os.getpid(), 9)
    return nn.Linear(channels, classes)
"""


@pytest.fixture
def plan(tiny: Path) -> Plan:
    return load_plan(tiny / "plan.yaml")


def peaks(plan: Plan, tiny: Path, **factories: str) -> list[int | None]:
    (tiny / "models_of_memory.py").write_text(MODELS)
    variants = {name: {"control": "whole", "backbone": {"name": factory}} for name, factory in factories.items()}
    plan = plan_with(plan, variants={"baseline": {"control": "whole"}, **variants})
    sample, ledger = Sample(build_task(plan.data), 4), Ledger(tiny / "nothing")
    return [peak_memory(plan, name, sample, ledger, tiny) for name in factories]


def test_memory_is_of_the_whole_process_and_the_variant_alone(plan: Plan, tiny: Path) -> None:
    if peak_bytes() is None:
        pytest.skip("the system does not say")
    heavy, light = peaks(plan, tiny, heavy="models_of_memory:hungry", light="small")
    assert heavy is not None
    assert light is not None
    assert light > 100 * MEGABYTE  # torch is in it
    assert 200 * MEGABYTE < heavy - light < 400 * MEGABYTE  # a layer fills 256


@pytest.mark.slow
def test_memory_of_a_process_that_is_killed_is_unknown(plan: Plan, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESTED_BY", str(os.getpid()))
    assert peaks(plan, tiny, killed="models_of_memory:killed") == [None]


def test_joules_and_bytes_are_told_by_variant(
    plan: Plan, finished: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "processor_counters", lambda: FakeCounters(Counted({0: 6.0, 1: 1.0}, {0: 1.0})))
    monkeypatch.setattr(inference, "joules_per_call", partial(joules_per_call, least_s=0))  # a single call
    monkeypatch.setattr(inference, "peak_memory", lambda _, name, *__: {"baseline": 5}.get(name))
    found = measure_inference(plan, build_task(plan.data), Ledger(finished), tiny)
    assert found.energy_j_per_item == {"baseline": 2.0, "crop": 2.0}  # 8 J for a batch of 4
    assert found.memory_bytes == {"baseline": 5}
    assert (found.batch_size, set(found.seconds_per_item)) == (4, {"baseline", "crop"})


def test_what_the_machine_does_not_tell_is_left_out(plan: Plan, finished: Path, tiny: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "processor_counters", lambda: None)
        found = measure_inference(plan, build_task(plan.data), Ledger(finished), tiny)
    assert found.energy_j_per_item == found.memory_bytes == {}


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_sample_builds_what_its_task_builds(plan: Plan, size: int) -> None:
    task = build_task(plan.data)
    sample = Sample(task, size)
    assert len(sample.test) == size
    assert (sample.size, sample.channels, sample.classes) == (task.size, task.channels, task.classes)
    for name in plan.variants:
        ours, theirs = (build_variant(plan, name, one, 0) for one in (sample, task))
        assert item_flops(ours, sample) == item_flops(theirs, task)
    assert len(sample.training_epoch(sample.train_limit, 0, 0)) == max(2, size)
