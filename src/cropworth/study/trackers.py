"""Trackers that people already use: TensorBoard, MLflow and Weights & Biases. Off unless asked for.

Each is told a trial when it has finished, in the parent process: a trial of a study is one run of a tracker. No package
is imported before its tracker is asked for, and none may send anything anywhere but to the address it is given.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cropworth.config import nearest
from cropworth.data.installed import imported
from cropworth.errors import CropworthError
from cropworth.study.ledger import trial_name
from cropworth.study.record import Record

Scalar = str | int | float | bool
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_MODE": "offline",
}
# MLflow's own default is to try for minutes; the study's trials are safe without it.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
TRIAL_TAG = "cropworth_trial"


@dataclass(frozen=True)
class Run:
    """A finished trial, as every tracker can take it.

    Attributes:
        trial: the trial's name in the ledger.
        label: for people.
        variant: what was trained.
        status: ``ok``, ``collapsed`` or ``diverged``.
        started_at: seconds since 1970.
        ended_at: of the training, seconds since 1970.
        parameters: what the trial was told, flat.
        curve: one mapping an epoch: losses, and accuracy or, of a regression, R^2.
        metrics: what the trial measured in the end, without what is unknown.
    """

    trial: str
    label: str
    variant: str
    status: str
    started_at: float
    ended_at: float
    parameters: dict[str, Scalar]
    curve: tuple[dict[str, float], ...]
    metrics: dict[str, float]


class Tracker(Protocol):
    """Where finished trials are told. Its making checks the address."""

    def has(self, trial: str) -> bool:
        """Whether the trial has been told before, in this run or an earlier one."""

    def log(self, run: Run) -> None:
        """Take a finished trial; may raise anything, which costs no trial."""


def open_tracker(text: str, out: Path, study: str) -> Tracker:
    """A tracker by its name and address.

    Args:
        text: ``tensorboard:FOLDER``, ``mlflow:ADDRESS`` of a tracking server, or ``wandb:PROJECT``.
        out: the study's folder.
        study: the study's name.

    Raises:
        CropworthError: no such tracker, its package is not installed, or its address cannot be used.
    """
    kind, _, address = text.partition(":")
    if kind not in OPENERS or not address:
        do = nearest(kind, [*OPENERS]) if kind not in OPENERS else "Say where after the colon."
        raise CropworthError(f"--track {text}", "tensorboard:FOLDER, mlflow:ADDRESS or wandb:PROJECT", do)
    os.environ.update(QUIET)
    return OPENERS[kind](address, out, study)


def tell(trackers: Sequence[Tracker], trial: Mapping[str, Any], read: Callable[[str], Record]) -> list[Tracker]:
    """Tell a finished trial to those that do not have it yet.

    Args:
        trackers: to be told.
        trial: its configuration, see `Plan.trial`.
        read: the trial's name -> its record.

    Returns:
        The trackers that still work; of the others a warning is logged.
    """
    working, name = [], trial_name(dict(trial))
    for tracker in trackers:
        try:
            if not tracker.has(name):
                tracker.log(run_of(trial, read(name)))
        except Exception as error:
            logging.getLogger(__name__).warning(
                "%s failed and is told no more trials: %s. The study goes on; the same command tells what is missing.",
                type(tracker).__name__,
                _said(error),
            )
        else:
            working.append(tracker)
    return working


def run_of(trial: Mapping[str, Any], record: Record) -> Run:
    """What trackers are told of a trial."""
    told = {"variant": trial["name"], **{key: trial[key] for key in ("kind", "train_size", "seed")}}
    for part in ("variant", "backbone", "training"):
        told |= dict(_flat(part, trial[part]))
    score = "validation/r2" if record.labels.dtype.kind == "f" else "validation/accuracy"
    metrics = {
        "test/accuracy": record.accuracy,
        "test/mean_error": record.mean_error,
        "test/median_iou": record.median_iou,
        "parameters": record.parameters,
        "flops_per_item": record.flops_per_item,
        "training_wall_s": record.training_wall_s,
        "training_cpu_s": record.training_cpu_s,
        "waiting_share": record.waiting_share,
        "peak_memory_bytes": record.peak_memory_bytes,
        "best_epoch": record.best_epoch + 1,
    }
    return Run(
        trial=record.trial,
        label=f"{record.variant}-{record.train_size}-seed{record.seed}",
        variant=record.variant,
        status=record.status,
        started_at=record.started_at,
        ended_at=record.started_at + record.training_wall_s,
        parameters=told,
        curve=tuple(
            {"train/loss": e.train_loss, "validation/loss": e.validation_loss, score: e.validation_accuracy}
            for e in record.curve
        ),
        metrics={name: float(value) for name, value in metrics.items() if value is not None},
    )


class TensorBoard:
    """Event files, one folder a trial.

    Args:
        folder: what `tensorboard --logdir` is given; made where it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        exists = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        if not (exists.is_dir() and os.access(exists, os.W_OK)):
            raise CropworthError(f"--track tensorboard:{folder}", "a folder that can be written", "Choose another.")
        self.folder = folder
        self.module = imported("torch.utils.tensorboard", "pip install 'cropworth[tensorboard]'")

    def has(self, trial: str) -> bool:
        """Whether there is a folder of the trial."""
        return any(self.folder.glob(f"*-{trial}"))

    def log(self, run: Run) -> None:
        """Write the trial's events beside, and then give the folder its name."""
        name = re.sub(r"[^\w.-]", "_", f"{run.label}-{run.trial}")
        writing = self.folder / f".{name}"
        with self.module.SummaryWriter(str(writing)) as writer:
            for epoch, values in enumerate(run.curve, start=1):
                for key, value in values.items():
                    writer.add_scalar(key, value, epoch)
            for key, value in run.metrics.items():
                writer.add_scalar(key, value, len(run.curve))
            writer.add_text("status", run.status)
            for summary in self.module.summary.hparams(run.parameters, run.metrics):
                writer.file_writer.add_summary(summary)
        writing.rename(self.folder / name)


class MLflow:
    """An MLflow experiment with the study's name, or that of MLFLOW_EXPERIMENT_NAME.

    Args:
        address: a tracking server's, such as ``http://localhost:5000``, or what else MLflow takes for one.
        study: the study's name.
    """

    def __init__(self, address: str, study: str) -> None:
        for name, value in IMPATIENT.items():
            os.environ.setdefault(name, value)
        install = "pip install 'cropworth[mlflow]'"
        tracking, self.entities = imported("mlflow.tracking", install), imported("mlflow.entities", install)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", study)
        try:
            self.client = tracking.MlflowClient(address)
            found = self.client.get_experiment_by_name(name)
            self.experiment = found.experiment_id if found else self.client.create_experiment(name)
            self.told = set(self._told())
        except Exception as error:
            raise CropworthError(
                f"--track mlflow:{address}: {_said(error)}",
                "the address of a tracking server that answers",
                "Start it, or mend the address.",
            ) from None

    def has(self, trial: str) -> bool:
        """Whether a run carries the trial's name."""
        return trial in self.told

    def log(self, run: Run) -> None:
        """Make a run of the trial; it gets the trial's name last, so that half a run does not count."""
        start = round(run.started_at * 1000)
        made = self.client.create_run(self.experiment, start_time=start, run_name=run.label).info.run_id
        parameters = [self.entities.Param(key, str(value)) for key, value in run.parameters.items()]
        for part in range(0, len(parameters), 100):  # as many as a server takes at once
            self.client.log_batch(made, params=parameters[part : part + 100])
        rows = [*enumerate(run.curve, start=1), (len(run.curve), run.metrics)]
        end = round(run.ended_at * 1000)
        metrics = [self.entities.Metric(key, value, end, step) for step, row in rows for key, value in row.items()]
        for part in range(0, len(metrics), 1000):
            self.client.log_batch(made, metrics=metrics[part : part + 1000])
        self.client.set_tag(made, "status", run.status)
        self.client.set_tag(made, TRIAL_TAG, run.trial)
        self.client.set_terminated(made, "FAILED" if run.status == "diverged" else "FINISHED", end)
        self.told.add(run.trial)

    def _told(self) -> Iterator[str]:
        page = None
        while page is None or page.token:
            page = self.client.search_runs(
                [self.experiment], f"tags.{TRIAL_TAG} != ''", max_results=1000, page_token=page and page.token
            )
            yield from (run.data.tags[TRIAL_TAG] for run in page)


class WeightsAndBiases:
    """Offline runs of Weights & Biases, to be sent by `wandb sync` or never.

    Args:
        project: the runs' project.
        out: the study's folder; the runs lie in its folder ``wandb``.
    """

    def __init__(self, project: str, out: Path) -> None:
        self.project, self.out = project, out
        self.wandb = imported("wandb", "pip install 'cropworth[wandb]'")
        try:
            # No machine's name, packages, code or repository, and no thread that samples the processor.
            self.settings = self.wandb.Settings(
                project=project,
                mode="offline",
                console="off",
                silent=True,
                disable_code=True,
                disable_git=True,
                host="",
                save_code=False,
                x_disable_machine_info=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_save_requirements=False,
            )
        except Exception as error:
            raise CropworthError(
                f"--track wandb:{project}: {_said(error)}", "a project's name", "Choose another."
            ) from None

    def has(self, trial: str) -> bool:
        """Whether there is a folder of the trial."""
        return any((self.out / "wandb").glob(f"offline-run-*-{trial}"))

    def log(self, run: Run) -> None:
        """Write one offline run."""
        made = self.wandb.init(
            dir=str(self.out),
            id=run.trial,
            name=run.label,
            group=run.variant,
            config=run.parameters,
            reinit="create_new",
            settings=self.settings,
        )
        for epoch, values in enumerate(run.curve, start=1):
            made.log(values, step=epoch)
        made.summary.update({**run.metrics, "status": run.status})
        made.finish(exit_code=int(run.status == "diverged"))


OPENERS: dict[str, Callable[[str, Path, str], Tracker]] = {
    "tensorboard": lambda address, out, study: TensorBoard(Path(address)),
    "mlflow": lambda address, out, study: MLflow(address, study),
    "wandb": lambda address, out, study: WeightsAndBiases(address, out),
}


def _flat(prefix: str, values: object) -> Iterator[tuple[str, Scalar]]:
    """Settings by the path of their key; lists as JSON, without what is not set."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(f"{prefix}.{key}", value)
    elif isinstance(values, str | int | float):
        yield prefix, values
    elif values is not None:
        yield prefix, json.dumps(values)


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
