"""What the inference of each variant takes: time, memory and energy, measured when nothing trains any more."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import torch
from joblib.externals.loky import ProcessPoolExecutor
from numpy.typing import NDArray

from cropworth.data.task import Split, Task
from cropworth.measure.energy import joules_per_call, processor_counters
from cropworth.measure.environment import available_cores
from cropworth.measure.memory import peak_bytes, reset_peak
from cropworth.measure.time import interleaved
from cropworth.study.classifier import Classifier
from cropworth.study.ledger import Ledger, trial_name
from cropworth.study.plan import Plan
from cropworth.study.record import Latency
from cropworth.study.train import batches
from cropworth.study.variants import build_variant

WARMUP = 5


class Sample(Task):
    """A batch of a task's test items, and as much of the task as it takes to build models for them.

    Args:
        task: whose it is.
        size: items of the batch; where the test has fewer, they come again.
    """

    def __init__(self, task: Task, size: int) -> None:
        self.name, self.classes, self.vocabulary = task.name, task.classes, task.vocabulary
        self.train_limit = max(2, size)  # a single number to predict would have no deviation
        self.test = self.validation = task.test.take(torch.arange(size) % len(task.test))

    def _training_items(self, order: NDArray[np.int64], rng: np.random.Generator) -> Split:
        return self.test.take(torch.from_numpy(order) % len(self.test))


def measure_inference(plan: Plan, task: Task, ledger: Ledger, folder: Path | None) -> Latency:
    """Inference seconds, memory and joules of every variant, for batches of ``timing.batch_size`` test items.

    Each variant has the weights of its first trial that has any, at the largest training-set size. The seconds are
    measured in turn. Memory and joules are left out where the machine does not tell, see `peak_memory` and
    `cropworth.measure.energy`; joules are of two seconds' batches of each variant, with all of the processors that the
    batches run on, idle parts included.
    """
    size = plan.timing.batch_size
    sample = Sample(task, size)
    torch.set_num_threads(available_cores())
    calls = {name: _prediction(trained(plan, name, sample, ledger, folder), sample) for name in plan.variants}
    seconds = interleaved(calls, plan.timing.rounds, warmup=WARMUP)
    joules = {name: joules_per_call(call, processor_counters()) for name, call in calls.items()}
    memory = {name: peak_memory(plan, name, sample, ledger, folder) for name in plan.variants}
    return Latency(
        size,
        torch.get_num_threads(),
        {name: tuple(s / size for s in rounds) for name, rounds in seconds.items()},
        {name: most for name, most in memory.items() if most is not None},
        {name: of_batch / size for name, of_batch in joules.items() if of_batch is not None},
    )


def trained(plan: Plan, variant: str, task: Task, ledger: Ledger, folder: Path | None) -> Classifier:
    """The variant with the weights of its first trial that has any, at the largest size; untrained where none has."""
    model = build_variant(plan, variant, task, 0, folder)
    for seed in range(plan.study.seeds):
        weights = ledger.weights(trial_name(plan.trial(variant, max(plan.study.train_sizes), seed)))
        if weights.is_file():
            model.load_state_dict(torch.load(weights, weights_only=True))
            break
    return model.eval()


def peak_memory(plan: Plan, variant: str, sample: Sample, ledger: Ledger, folder: Path | None) -> int | None:
    """Most bytes resident while the variant predicts the batch, in a process of its own that does nothing else.

    It is the whole process: Python and torch, some hundred megabytes before there is any model, the weights, the batch
    and what the layers compute. None where the system does not say, or ends the process, as it does for want of memory.
    """
    with ProcessPoolExecutor(max_workers=1) as process:  # joblib's: a user's script needs no guard for it
        try:
            most: int | None = process.submit(_peak_here, plan, variant, sample, ledger, folder).result()
        except BrokenProcessPool:
            return None
    return most


def _peak_here(plan: Plan, variant: str, sample: Sample, ledger: Ledger, folder: Path | None) -> int | None:
    torch.set_num_threads(available_cores())
    call = _prediction(trained(plan, variant, sample, ledger, folder), sample)
    reset_peak()
    for _ in range(WARMUP):
        call()
    return peak_bytes()


def _prediction(model: Classifier, sample: Sample) -> Callable[[], object]:
    batch = next(batches(sample.test, len(sample.test)))

    def predict() -> None:
        with torch.inference_mode():
            model(batch)

    return predict
