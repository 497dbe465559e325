import json
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image

from counters import Counted, FakeCounters
from cropworth.errors import CropworthError
from cropworth.measure.environment import available_cores
from cropworth.study.ledger import Ledger
from cropworth.study.plan import load_plan
from cropworth.study.run import Progress, estimate, prepare, run_study
from tiny import plan_with


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in sorted((folder / "trials").rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_whole_study_and_then_nothing_left_to_do(tiny: Path) -> None:
    prepared, seen = prepare(load_plan(tiny / "plan.yaml")), []
    study = run_study(prepared, tiny / "study", 1, seen.append)
    assert seen[0] == Progress(0, 4, 0.0, 0)
    assert seen[-1] == Progress(4, 4, 1.0, 0)
    assert [now.work_done for now in seen] == sorted(now.work_done for now in seen)
    assert study.missing == 0
    assert list(study.kinds.items()) == [("baseline", "baseline"), ("crop", "crop")]
    assert study.classes == ("dim", "square")
    assert study.latency is not None
    assert {name: len(rounds) for name, rounds in study.latency.seconds_per_item.items()} == {
        "baseline": 10,
        "crop": 10,
    }
    before = snapshot(tiny / "study")
    again = run_study(prepared, tiny / "study", 1, seen.append)
    assert snapshot(tiny / "study") == before
    assert again.latency == study.latency


def test_a_variant_that_was_not_timed_is_timed(tiny: Path) -> None:
    """A run that added the variant was stopped between its last trial and the timing."""
    prepared = prepare(load_plan(tiny / "plan.yaml"))
    study = run_study(prepared, tiny / "study", 1)
    assert study.latency is not None
    times = {"baseline": study.latency.seconds_per_item["baseline"]}
    Ledger(tiny / "study").write_latency(replace(study.latency, seconds_per_item=times))
    again = run_study(prepared, tiny / "study", 1)
    assert again.latency is not None
    assert set(again.latency.seconds_per_item) == {"baseline", "crop"}


def test_an_older_studys_times_are_not_measured_again(tiny: Path) -> None:
    prepared, path = prepare(load_plan(tiny / "plan.yaml")), tiny / "study" / "latency.json"
    run_study(prepared, tiny / "study", 1)
    times = json.loads(path.read_text())
    older = json.dumps({key: times[key] for key in ("batch_size", "threads", "seconds_per_item")})
    path.write_text(older)
    again = run_study(prepared, tiny / "study", 1)
    assert path.read_text() == older
    assert again.latency is not None
    assert again.latency.memory_bytes == again.latency.energy_j_per_item == {}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cropworth.study.run.processor_counters", lambda: FakeCounters(Counted({0: 7.0})))


@pytest.mark.usefixtures("counted")
def test_joules_of_a_trial_that_ran_alone(tiny: Path) -> None:
    study = run_study(prepare(load_plan(tiny / "plan.yaml")), tiny / "study", 1)
    assert [record.training_energy_j for record in study.records] == [7.0] * 4


@pytest.mark.usefixtures("counted")
@pytest.mark.skipif(available_cores() < 2, reason="needs two processors")
def test_joules_of_trials_side_by_side_are_unknown(tiny: Path) -> None:
    with joblib.parallel_config(backend="threading"):  # so that they would see the counters
        study = run_study(prepare(load_plan(tiny / "plan.yaml")), tiny / "study", 2)
    assert [record.training_energy_j for record in study.records] == [None] * 4


def test_bad_items_are_left_out_and_told(tiny: Path) -> None:
    (tiny / "images" / "dim" / "0.png").write_bytes(b"no picture")
    plan = load_plan(tiny / "plan.yaml")
    with pytest.raises(CropworthError, match=r"0\.png"):
        prepare(plan)
    skipping = plan.model_copy(update={"data": plan.data.model_copy(update={"on_bad_item": "skip"})})
    study = run_study(prepare(skipping), tiny / "study", 1)
    (warning,) = study.warnings
    assert warning.startswith("Left out of the data: images that cannot be read, 1; the first is ")
    assert "the image dim/0.png" in warning
    assert Ledger(tiny / "study").read().warnings == study.warnings


def test_only_what_is_missing_is_trained(tiny: Path) -> None:
    plan = load_plan(tiny / "plan.yaml")
    run_study(prepare(plan), tiny / "study", 1)
    before = snapshot(tiny / "study")
    more = plan_with(plan, study={"train_sizes": [16], "seeds": 3}, economics={"cost_per_error": 7})
    study = run_study(prepare(more), tiny / "study", 1)
    after = snapshot(tiny / "study")
    assert len(study.records) == 6
    assert study.economics == {"cost_per_error": 7}
    assert {name: after[name] for name in before} == before


@pytest.mark.skipif(available_cores() < 2, reason="needs two processors")
def test_worker_processes_give_the_same_records(tiny: Path, finished_once: Path) -> None:
    """One process with one thread, and two processes with one thread each."""
    beside = run_study(prepare(load_plan(tiny / "plan.yaml")), tiny / "study", jobs=2)
    alone = Ledger(finished_once / "study").read()
    for variant in beside.kinds:
        for here, there in zip(beside.of(variant, 16), alone.of(variant, 16), strict=True):
            assert here.threads == 1
            assert here.probabilities is not None
            np.testing.assert_allclose(here.probabilities, there.probabilities, atol=1e-3)


def test_a_diverging_variant_is_counted_and_the_rest_goes_on(tiny: Path) -> None:
    plan = plan_with(load_plan(tiny / "plan.yaml"), training={"epochs": 2, "batch_size": 8, "lr": 1e30})
    seen: list[Progress] = []
    study = run_study(prepare(plan), tiny / "study", 1, seen.append)
    assert seen[-1].failed == 4
    assert {record.status for record in study.records} == {"diverged"}
    assert study.latency is not None  # untrained models take as long


def test_a_plan_fails_before_it_trains(tiny: Path) -> None:
    plan = load_plan(tiny / "plan.yaml")
    with pytest.raises(CropworthError, match=r"training-set size of 9,999.*1 to \d+"):
        prepare(plan_with(plan, study={"train_sizes": [9999], "seeds": 1}))
    with pytest.raises(CropworthError, match="Did you mean 'small'"):
        prepare(plan_with(plan, backbone={"name": "smal"}))
    with pytest.raises(CropworthError, match="the model cannot take"):
        prepare(plan_with(plan, backbone={"name": "torchvision:alexnet"}))


def test_too_many_jobs(tiny: Path) -> None:
    prepared = prepare(load_plan(tiny / "plan.yaml"))
    for jobs in (0, available_cores() + 1):
        with pytest.raises(CropworthError, match=f"--jobs {jobs}"):
            run_study(prepared, tiny / "study", jobs)
    assert not (tiny / "study").exists()


def test_an_estimate_grows_with_the_work(tiny: Path) -> None:
    prepared = prepare(load_plan(tiny / "plan.yaml"))
    trials = prepared.plan.trials()
    assert estimate(prepared, trials, 1).seconds > 0
    longer = prepare(plan_with(prepared.plan, training={"epochs": 2000, "batch_size": 8}))
    assert estimate(longer, longer.plan.trials(), 1).seconds > 20 * estimate(prepared, trials, 1).seconds


def test_the_same_plan_on_other_images_is_refused(tiny: Path) -> None:
    plan = load_plan(tiny / "plan.yaml")
    run_study(prepare(plan), tiny / "study", 1)
    before = snapshot(tiny / "study")
    Image.new("L", (24, 24), 255).save(tiny / "images" / "dim" / "0.png")
    with pytest.raises(CropworthError, match=r"other data than .* was begun with"):
        run_study(prepare(plan), tiny / "study", 1)
    assert snapshot(tiny / "study") == before


def test_running_again_mends_a_damaged_header(tiny: Path) -> None:
    """What the message about a damaged study.json advises works, and trains nothing again."""
    prepared = prepare(load_plan(tiny / "plan.yaml"))
    run_study(prepared, tiny / "study", 1)
    before = snapshot(tiny / "study")
    for damage in ("", "{}", '{"plan": 3}'):
        (tiny / "study" / "study.json").write_text(damage)
        assert run_study(prepared, tiny / "study", 1).missing == 0
    assert snapshot(tiny / "study") == before
