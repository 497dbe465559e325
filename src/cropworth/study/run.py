"""`run_study`: train what is missing, measure the inference of all variants, keep test items to look at."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import joblib
import torch

from cropworth.data.build import build_task
from cropworth.data.task import Split, Task
from cropworth.errors import CropworthError
from cropworth.measure.energy import processor_counters
from cropworth.measure.environment import available_cores
from cropworth.study.check import sizes_not_there, try_variant
from cropworth.study.inference import measure_inference
from cropworth.study.ledger import Ledger, file_sha256, trial_name
from cropworth.study.plan import Plan
from cropworth.study.record import Study
from cropworth.study.sheets import keep_album
from cropworth.study.trackers import Tracker, tell
from cropworth.study.train import augmentation_of, run_trial, training_step
from cropworth.study.variants import build_variant

# Enough steps to see past the first ones, which allocate.
ESTIMATE_STEPS = 5


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        done: trials finished, those of earlier runs included.
        total: trials that the study shall have.
        work_done: share, in [0, 1], of this run's expected work that is done.
        failed: trials of this run that diverged or collapsed.
    """

    done: int
    total: int
    work_done: float
    failed: int


@dataclass(frozen=True)
class Prepared:
    """A plan whose data are read and whose variants have been built once: it will not fail half-way.

    Attributes:
        plan: the study.
        folder: the plan's own, where a user's module may lie.
        task: the plan's data.
        flops: of one item's inference, by variant.
        warnings: what a reader of the results must know of the data and of the starting weights, a sentence each.
    """

    plan: Plan
    folder: Path | None
    task: Task
    flops: dict[str, int]
    warnings: tuple[str, ...] = ()


def prepare(plan: Plan, folder: Path | None = None) -> Prepared:
    """Read the data and build every variant once, so that a plan fails before it trains, not after.

    Raises:
        CropworthError: the data cannot be read, are too few, or a variant or the augmentation cannot be built on them;
            what is found first, where `cropworth.study.check` finds all.
    """
    return prepare_on(build_task(plan.data, folder), plan, folder)


def prepare_on(task: Task, plan: Plan, folder: Path | None = None) -> Prepared:
    """The same where the plan's data have been read.

    Raises:
        CropworthError: they are too few, or a variant or the augmentation cannot be built on them.
    """
    augmentation_of(plan, task)
    for problem in sizes_not_there(plan, task):
        raise problem
    flops, notes = {}, list(task.warnings)
    for name in plan.variants:
        model, flops[name] = try_variant(plan, name, task, folder)
        notes += model.notes
    return Prepared(plan, folder, task, flops, tuple(dict.fromkeys(notes)))


def run_study(
    prepared: Prepared,
    out: Path,
    jobs: int,
    progress: Callable[[Progress], None] = lambda _: None,
    trials: Sequence[dict[str, Any]] | None = None,
    looks: tuple[int, ...] = (),
    trackers: Sequence[Tracker] = (),
) -> Study:
    """Train the trials that `out` does not have yet, `jobs` at a time, and measure the inference.

    The energy of training is measured with a single job only: no counter tells the energy of trials side by side apart.

    Args:
        prepared: what to study.
        out: the study's folder; finished trials in it are kept.
        jobs: processes; the processors are divided among them.
        progress: called at the start and after each trial.
        trials: those that the study shall have, see `Plan.trial`; None for all of the plan.
        looks: numbers of seeds after which one looks, where one does so several times. A folder keeps them.
        trackers: told each trial that is finished and that they do not have yet; one that fails costs no trial.

    Raises:
        CropworthError: too many jobs, `out` is something else than a study, or one that is looked at after other
            numbers of seeds.
    """
    check_jobs(jobs)
    plan, ledger, task = prepared.plan, Ledger(out), prepared.task
    trials = plan.trials() if trials is None else list(trials)
    weights = {str(file): file_sha256(file) for file in plan.model_files()}
    header = plan.header(task.signature(), task.fingerprint(), prepared.warnings, weights)
    ledger.open(header | {"trials": [trial_name(trial) for trial in trials], "looks": list(looks)})
    ledger.write_splits(task.placed)
    by_name = {trial_name(trial): trial for trial in trials}
    missing = [trial for name, trial in by_name.items() if not ledger.finished(name)]
    for name, trial in by_name.items():
        if trackers and ledger.finished(name):
            trackers = tell(trackers, trial, ledger.read_record)
    work = {trial_name(t): t["train_size"] * max(1, prepared.flops[t["name"]]) for t in missing}
    done, failed, work_done = len(trials) - len(missing), 0, 0
    with ledger.running():
        progress(Progress(done, len(trials), 0.0 if missing else 1.0, 0))
        for name, status in _train(prepared, ledger, missing, jobs):
            done, failed, work_done = done + 1, failed + (status != "ok"), work_done + work[name]
            progress(Progress(done, len(trials), work_done / sum(work.values()), failed))
            trackers = tell(trackers, by_name[name], ledger.read_record)
        # Looked at several times, the first timing stays: what was decided by it must be decided so again.
        timed = None if missing and not looks else ledger.read_latency()
        if timed is None or not timed.seconds_per_item.keys() >= plan.variants.keys():
            ledger.write_latency(measure_inference(plan, task, ledger, prepared.folder))
        return keep_album(ledger.read(), plan, task, ledger, prepared.folder)


def check_jobs(jobs: int) -> None:
    """Refuse more processes than processors: they would only take each other's time.

    Raises:
        CropworthError: with both numbers.
    """
    if not 1 <= jobs <= available_cores():
        raise CropworthError(
            f"--jobs {jobs}",
            f"1 to {available_cores()}, the processors there are",
            "Choose another number of jobs.",
        )


@dataclass(frozen=True)
class Estimate:
    """What trials are expected to take.

    Attributes:
        seconds: of the wall clock.
        waiting_share: share of it in which training would wait for its data.
    """

    seconds: float
    waiting_share: float


def estimate(prepared: Prepared, trials: list[dict[str, Any]], jobs: int) -> Estimate:
    """What these trials would take, from a few timed training steps of each variant; nothing is kept.

    Args:
        prepared: what to study.
        trials: configurations that are still to be trained.
        jobs: processes.

    Raises:
        CropworthError: too many jobs.
    """
    check_jobs(jobs)
    plan, task = prepared.plan, prepared.task
    torch.set_num_threads(available_cores() // jobs)
    batch, drawing = _drawn(prepared)
    per_item: dict[str, float] = {}
    for name in {trial["name"] for trial in trials}:
        step = training_step(build_variant(plan, name, task, 0, prepared.folder), batch)
        step()
        start = time.perf_counter()
        for _ in range(ESTIMATE_STEPS):
            step()
        per_item[name] = (time.perf_counter() - start) / ESTIMATE_STEPS / len(batch)
    # Validation runs forward only, about a third of a training step.
    seen = [plan.training.epochs * (t["train_size"] + len(task.validation) / 3) for t in trials]
    computing = sum(per_item[t["name"]] * items for t, items in zip(trials, seen, strict=True))
    waiting = sum(drawing * plan.training.epochs * t["train_size"] for t in trials)
    return Estimate((computing + waiting) / jobs, waiting / (computing + waiting) if trials else 0.0)


def _drawn(prepared: Prepared) -> tuple[Split, float]:
    """One training batch, and the seconds that drawing took for each of its items."""
    task, training = prepared.task, prepared.plan.training
    size = min(task.train_limit, training.batch_size)
    augmentation = augmentation_of(prepared.plan, task)
    start = time.perf_counter()
    drawn = task.training_batches(size, 0, 0, size)
    batch = next(drawn if augmentation is None else augmentation.batches(drawn, 0, 0))
    return batch, (time.perf_counter() - start) / size


def _train(prepared: Prepared, ledger: Ledger, trials: list[dict[str, Any]], jobs: int) -> Iterator[tuple[str, str]]:
    """Run the trials in worker processes -> (trial's name, status), as they finish."""
    threads = available_cores() // jobs
    calls = (
        joblib.delayed(_one_trial)(prepared.plan, prepared.folder, ledger, trial, threads, alone=jobs == 1)
        for trial in trials
    )
    with warnings.catch_warnings():
        # Large models grow a worker until joblib replaces it, and warns that it did; no trial is lost.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
        yield from joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(calls)


def _one_trial(
    plan: Plan, folder: Path | None, ledger: Ledger, trial: dict[str, Any], threads: int, alone: bool
) -> tuple[str, str]:
    """Train one trial and write it into the ledger; runs in a worker process."""
    task = _task(plan.data, folder)
    counters = processor_counters() if alone else None
    which = (trial["name"], trial["train_size"], trial["seed"])
    with ledger.training(trial) as told:
        record, model = run_trial(plan, *which, task, threads, folder, counters, told)
        keep = None if record.status == "diverged" else partial(torch.save, model.state_dict())
        ledger.write_trial(trial, record, keep)
    return record.trial, record.status


_task = lru_cache(maxsize=1)(build_task)  # a worker process reads the data once, not once a trial
