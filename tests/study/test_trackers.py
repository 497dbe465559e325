import json
import logging
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from cropworth.errors import CropworthError
from cropworth.study.ledger import Ledger, trial_name
from cropworth.study.plan import Plan, load_plan
from cropworth.study.record import Record
from cropworth.study.run import prepare, run_study
from cropworth.study.trackers import QUIET, Run, Tracker, open_tracker, run_of, tell


@pytest.fixture
def plan(finished_once: Path) -> Plan:
    return load_plan(finished_once / "plan.yaml")


@pytest.fixture
def ledger(finished: Path) -> Ledger:
    return Ledger(finished)


class Noting:
    """A tracker that keeps what it is told, and fails from the trial `fails_at` on."""

    def __init__(self, fails_at: int = 1000) -> None:
        self.runs: list[Run] = []
        self.tries, self.fails_at = 0, fails_at

    def has(self, trial: str) -> bool:
        return any(run.trial == trial for run in self.runs)

    def log(self, run: Run) -> None:
        self.tries += 1
        if self.tries >= self.fails_at:
            raise ConnectionError("the server is gone")
        self.runs.append(run)


def tell_all(tracker: Tracker, plan: Plan, ledger: Ledger) -> None:
    for trial in plan.trials():
        assert tell([tracker], trial, ledger.read_record) == [tracker]


def expected(plan: Plan, ledger: Ledger) -> list[tuple[dict[str, Any], Record]]:
    return [(trial, ledger.read_record(trial_name(trial))) for trial in plan.trials()]


def test_what_a_tracker_is_told(plan: Plan, ledger: Ledger) -> None:
    trial, record = expected(plan, ledger)[1]
    run = run_of(trial, record)
    assert (run.trial, run.variant, run.status, run.label) == (record.trial, "crop", "ok", "crop-16-seed0")
    told = {"variant": "crop", "kind": "crop", "train_size": 16, "seed": 0, "training.epochs": 2}
    assert told.items() <= run.parameters.items()
    assert run.parameters["variant.localizer"] == "heatmap"
    assert run.parameters["backbone.arguments.width"] == 2
    assert [row["train/loss"] for row in run.curve] == [epoch.train_loss for epoch in record.curve]
    assert set(run.curve[0]) == {"train/loss", "validation/loss", "validation/accuracy"}
    assert run.metrics["test/accuracy"] == record.accuracy
    assert run.metrics["waiting_share"] == record.waiting_share
    assert run.metrics["flops_per_item"] == record.flops_per_item
    assert not {"test/mean_error", "test/median_iou"} & set(run.metrics)  # unknown here


def test_each_trial_is_told_once(tiny: Path) -> None:
    prepared, tracker = prepare(load_plan(tiny / "plan.yaml")), Noting()
    first = prepared.plan.trials()[:2]
    run_study(prepared, tiny / "study", 1, trials=first, trackers=[tracker])
    assert [run.trial for run in tracker.runs] == [trial_name(trial) for trial in first]
    late = Noting()
    run_study(prepared, tiny / "study", 1, trackers=[tracker, late])
    for told in (tracker, late):
        assert sorted(run.trial for run in told.runs) == sorted(map(trial_name, prepared.plan.trials()))


def test_a_tracker_that_fails_costs_no_trial(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    prepared, failing, sound = prepare(load_plan(tiny / "plan.yaml")), Noting(fails_at=2), Noting()
    with caplog.at_level(logging.WARNING):
        study = run_study(prepared, tiny / "study", 1, trackers=[failing, sound])
    assert study.missing == 0
    assert (len(failing.runs), failing.tries, len(sound.runs)) == (1, 2, 4)
    (warning,) = caplog.messages
    assert warning.startswith("Noting failed and is told no more trials: the server is gone.")
    failing.fails_at = 1000
    run_study(prepared, tiny / "study", 1, trackers=[failing])
    assert len(failing.runs) == 4


@pytest.mark.parametrize("text", ["mlfow:http://localhost:1", "tensorboard", "wandb:", ":x"])
def test_a_wrong_name(text: str, tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match="expected tensorboard:FOLDER, mlflow:ADDRESS or wandb:PROJECT"):
        open_tracker(text, tmp_path, "study")


def test_a_file_is_no_folder_of_events(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("file", "file/below"):
        with pytest.raises(CropworthError, match="a folder that can be written"):
            open_tracker(f"tensorboard:{tmp_path / folder}", tmp_path, "study")


def test_tensorboard(plan: Plan, ledger: Ledger, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    folder = tmp_path / "events"
    tracker = open_tracker(f"tensorboard:{folder}", ledger.path, plan.name)
    assert not folder.exists()  # nothing is written before there is something to write
    tell_all(tracker, plan, ledger)
    assert len([*folder.iterdir()]) == 4
    for _, record in expected(plan, ledger):
        assert tracker.has(record.trial)
        events = EventAccumulator(str(folder / f"{record.variant}-16-seed{record.seed}-{record.trial}"))
        events.Reload()
        losses = events.Scalars("train/loss")
        assert [event.step for event in losses] == [1, 2]
        assert [event.value for event in losses] == pytest.approx([epoch.train_loss for epoch in record.curve])
        (accuracy,) = events.Scalars("test/accuracy")
        assert accuracy.value == pytest.approx(record.accuracy)
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        settings = HParamsPluginData.FromString(content).session_start_info.hparams
        assert settings["variant"].string_value == record.variant
        assert settings["training.epochs"].number_value == 2
    tell_all(open_tracker(f"tensorboard:{folder}", ledger.path, plan.name), plan, ledger)
    assert len([*folder.rglob("events*")]) == 4


def in_mlflow(address: str, plan: Plan, ledger: Ledger) -> None:
    """All trials arrive, once."""
    from mlflow.tracking import MlflowClient

    for _ in range(2):
        tell_all(open_tracker(f"mlflow:{address}", ledger.path, plan.name), plan, ledger)
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    runs = {run.data.tags["cropworth_trial"]: run for run in client.search_runs([experiment.experiment_id])}
    assert len(client.search_runs([experiment.experiment_id])) == 4
    for _, record in expected(plan, ledger):
        run = runs[record.trial]
        assert run.info.run_name == f"{record.variant}-16-seed{record.seed}"
        assert run.info.status == "FINISHED"
        assert run.info.end_time - run.info.start_time == pytest.approx(1000 * record.training_wall_s, abs=1)
        assert run.data.params["variant"] == record.variant
        assert run.data.params["training.lr"] == "0.003"
        assert run.data.tags["status"] == "ok"
        assert run.data.metrics["test/accuracy"] == pytest.approx(record.accuracy)
        assert run.data.metrics["waiting_share"] == pytest.approx(record.waiting_share)
        history = client.get_metric_history(run.info.run_id, "validation/loss")
        told = [(metric.step, metric.value) for metric in sorted(history, key=lambda metric: metric.step)]
        assert told == [(step, pytest.approx(e.validation_loss)) for step, e in enumerate(record.curve, start=1)]


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_mlflow_in_a_database(plan: Plan, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow.store.db.utils")
    monkeypatch.chdir(tmp_path)
    in_mlflow(f"sqlite:///{tmp_path / 'mlflow.db'}", plan, ledger)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A tracking server of MLflow on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    store = ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}", "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *store, "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **QUIET}, cwd=tmp_path)
        try:
            for _ in range(480):
                try:
                    urllib.request.urlopen(f"{address}/health").close()
                    break
                except OSError:
                    time.sleep(0.25)
                assert process.poll() is None, (tmp_path / "server.log").read_text()
            yield address, process
        finally:
            process.terminate()
            process.wait()


@pytest.mark.slow
def test_mlflows_own_server_until_it_is_gone(
    plan: Plan,
    ledger: Ledger,
    server: tuple[str, "subprocess.Popen[bytes]"],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address, process = server
    in_mlflow(address, plan, ledger)
    tracker = open_tracker(f"mlflow:{address}", ledger.path, "another study")
    process.terminate()
    process.wait()
    assert tell([tracker], plan.trials()[0], ledger.read_record) == []
    assert any("MLflow failed and is told no more trials" in message for message in caplog.messages)


def test_a_server_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as bound:  # bound, but nobody listens
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(CropworthError, match=f"--track mlflow:{address}: .*address of a tracking server"):
            open_tracker(f"mlflow:{address}", tmp_path, "study")
    with pytest.raises(CropworthError, match="Start it, or mend the address"):
        open_tracker(f"mlflow:{tmp_path / 'folder'}", tmp_path, "study")  # MLflow itself gave folders up


def records_of(path: Path) -> Iterator[Message]:
    """The records of a .wandb file: LevelDB's log format behind a header of its own."""
    from wandb.proto import wandb_internal_pb2

    data, record, at = path.read_bytes(), b"", 7
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:  # the end of a block is too short for a header
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield wandb_internal_pb2.Record.FromString(record)
            record = b""


def test_weights_and_biases_offline(plan: Plan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")  # not even then
    for _ in range(2):
        tell_all(open_tracker("wandb:crops", ledger.path, plan.name), plan, ledger)
    assert len([*ledger.path.glob("wandb/offline-run-*")]) == 4
    for trial, record in expected(plan, ledger):
        (file,) = ledger.path.glob(f"wandb/offline-run-*-{record.trial}/run-{record.trial}.wandb")
        found: list[Any] = [*records_of(file)]
        run = next(one.run for one in found if one.HasField("run"))
        assert (run.project, run.display_name, run.run_group) == (
            "crops",
            f"{trial['name']}-16-seed{record.seed}",
            trial["name"],
        )
        settings = {item.key: json.loads(item.value_json) for item in run.config.update if item.key}
        assert settings["training.epochs"] == 2
        assert not run.host
        rows = [
            {i.key or i.nested_key[0]: json.loads(i.value_json) for i in one.history.item}
            for one in found
            if one.HasField("history")
        ]
        assert [(row["_step"], row["train/loss"]) for row in rows] == [
            (step, pytest.approx(epoch.train_loss)) for step, epoch in enumerate(record.curve, start=1)
        ]
        summary = {
            i.key: json.loads(i.value_json) for one in found if one.HasField("summary") for i in one.summary.update
        }
        assert summary["test/accuracy"] == pytest.approx(record.accuracy)
        assert summary["status"] == "ok"
        assert not [*file.parent.glob("files/requirements.txt")]
