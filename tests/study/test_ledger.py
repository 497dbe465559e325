import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cropworth.errors import CropworthError
from cropworth.study.ledger import Ledger, trial_name
from cropworth.study.record import Latency, trials_beside
from factories import make_record


def open_ledger(path: Path, *trials: str) -> Ledger:
    ledger = Ledger(path)
    kinds = {"baseline": "baseline", "crop": "crop"}
    ledger.open(
        {"name": "n", "baseline": "baseline", "kinds": kinds, "classes": ["0", "1", "2"], "economics": {}, "plan": {},
         "data_sha256": "d", "trials": list(trials)}
    )  # fmt: skip
    return ledger


def test_hashes_come_back_and_old_studies_have_none(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "study")
    header = json.loads((ledger.path / "study.json").read_text())
    (ledger.path / "study.json").write_text(json.dumps(header | {"weights_sha256": {"w.pt": "e"}}))
    assert (ledger.read().data_sha256, ledger.read().weights_sha256) == ("d", {"w.pt": "e"})
    del header["data_sha256"]
    (ledger.path / "study.json").write_text(json.dumps(header))
    assert (ledger.read().data_sha256, ledger.read().weights_sha256) == ("", {})


@pytest.mark.parametrize("status", ["ok", "diverged", "collapsed"])
def test_a_record_comes_back_as_it_was(tmp_path: Path, status: str) -> None:
    ledger = open_ledger(tmp_path / "study")
    known = np.float32([[0.5, 0.25, 0.25], [1, 0, 0]])
    record = replace(
        make_record("crop", status=status, with_crop=True),  # type: ignore[arg-type]
        weights=np.linspace(0, 1, 200, dtype=np.float32),
        values=np.linspace(0, 9, 200, dtype=np.float32),
        validation_labels=np.array([2, 0]),
        validation_probabilities=None if status == "diverged" else known,
        training_energy_j=12.5,
    )
    ledger.write_trial({"a": 1}, record, lambda path: torch.save({"w": torch.ones(2)}, path))
    found = ledger.read_record(record.trial)
    for field in fields(record):
        before, after = getattr(record, field.name), getattr(found, field.name)
        if field.name == "examples" and before is not None:
            np.testing.assert_array_equal(after.images, before.images)
            np.testing.assert_array_equal(after.crops, before.crops)
        elif isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before)
            assert after.dtype == before.dtype
        else:
            assert after == before
    assert torch.equal(torch.load(ledger.weights(record.trial), weights_only=True)["w"], torch.ones(2))


def test_the_name_is_the_hash_of_the_configuration() -> None:
    assert trial_name({"a": 1, "b": {"c": 2.5}}) == trial_name({"b": {"c": 2.5}, "a": 1})
    assert trial_name({"a": 1}) != trial_name({"a": 2})
    assert len(trial_name({})) == 16


def test_a_trial_that_fails_while_it_is_written_leaves_nothing_under_its_name(tmp_path: Path) -> None:
    ledger, record = open_ledger(tmp_path / "study"), make_record()

    def fail(path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.write_trial({}, record, fail)
    assert not ledger.finished(record.trial)
    assert list(ledger.trials.glob(".writing-*"))
    open_ledger(tmp_path / "study")
    assert not list(ledger.trials.iterdir())  # the next run tidies up


def test_the_first_of_two_equal_trials_stays(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "study")
    ledger.write_trial({}, make_record(wall_s=1.0), None)
    ledger.write_trial({}, make_record(wall_s=2.0), None)
    assert ledger.read_record("baseline-100-0").training_wall_s == 1.0
    assert len(list(ledger.trials.iterdir())) == 1


def test_a_study_counts_what_is_missing(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "study", "baseline-100-0", "baseline-100-1")
    ledger.write_trial({}, make_record(), None)
    study = ledger.read()
    assert (len(study.records), study.missing, study.latency) == (1, 1, None)
    ledger.write_latency(Latency(8, 2, {"baseline": (0.1, 0.2)}))
    assert ledger.read().latency == Latency(8, 2, {"baseline": (0.1, 0.2)})


def test_what_inference_takes_comes_back_as_it_was(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "study")
    latency = Latency(8, 2, {"a": (0.1, 0.2), "b": (0.1, 0.3)}, {"a": 700_000_000}, {"b": 0.25})
    ledger.write_latency(latency)
    assert ledger.read_latency() == latency


def test_a_record_of_the_version_before_is_read(finished: Path) -> None:
    """It knows nothing of weights, values, validation, joules and waiting."""
    for folder in (finished / "trials").iterdir():
        with np.load(folder / "arrays.npz") as file:
            arrays = {name: file[name] for name in file.files}
        del arrays["validation_labels"], arrays["validation_probabilities"]
        np.savez_compressed(folder / "arrays.npz", **arrays)
        plain = json.loads((folder / "record.json").read_text())
        del plain["training_energy_j"], plain["waiting_s"]
        (folder / "record.json").write_text(json.dumps(plain))
    records = Ledger(finished).read().records
    assert len(records) == 4
    for record in records:
        assert record.probabilities is not None
        assert record.weights is record.values is record.training_energy_j is None
        assert record.validation_labels is record.validation_probabilities is None
        assert record.waiting_s is record.waiting_share is None


def test_trials_of_an_older_plan_stay_on_disk_but_out_of_the_study(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "study", "baseline-100-0")
    ledger.write_trial({}, make_record(), None)
    ledger.write_trial({}, make_record(seed=5), None)
    assert [record.seed for record in ledger.read().records] == [0]
    assert ledger.finished("baseline-100-5")


def test_how_many_ran_beside() -> None:
    first = make_record("a", 0, started_at=0.0, wall_s=10.0)
    half = make_record("a", 1, started_at=5.0, wall_s=20.0)
    after = make_record("a", 2, started_at=30.0, wall_s=5.0)
    assert trials_beside(first, [first, half, after]) == pytest.approx(0.5)
    assert trials_beside(half, [first, half, after]) == pytest.approx(0.25)
    assert trials_beside(after, [first, half, after]) == 0.0


class TestDamage:
    def trial(self, study: Path) -> Path:
        return next((study / "trials").iterdir())

    def test_a_truncated_record(self, finished: Path) -> None:
        path = self.trial(finished) / "record.json"
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(CropworthError, match=r"record\.json.*complete JSON.*Delete .*only this trial"):
            Ledger(finished).read()

    def test_a_truncated_array(self, finished: Path) -> None:
        path = self.trial(finished) / "arrays.npz"
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(CropworthError, match="a complete record"):
            Ledger(finished).read()

    def test_a_flipped_bit(self, finished: Path) -> None:
        path = self.trial(finished) / "arrays.npz"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(CropworthError, match="a complete record"):
            Ledger(finished).read()

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("probabilities", "11 predictions for 12 test items"),
            ("payoffs", "11 payoffs for 12 test items"),
            ("weights", "11 weights for 12 test items"),
            ("values", "11 values for 12 test items"),
            ("validation_labels", "6 validation predictions, and not as many labels"),
        ],
    )
    def test_arrays_that_are_not_of_the_same_items(self, finished: Path, name: str, message: str) -> None:
        path = self.trial(finished) / "arrays.npz"
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        whole = arrays.get(name, np.ones(12, dtype=np.float32))
        np.savez_compressed(path, **{**arrays, name: whole[:-1]})
        with pytest.raises(CropworthError, match=message):
            Ledger(finished).read()

    @pytest.mark.parametrize("name", ["record.json", "arrays.npz"])
    def test_a_missing_file(self, finished: Path, name: str) -> None:
        (self.trial(finished) / name).unlink()
        with pytest.raises(CropworthError, match="Delete"):
            Ledger(finished).read()

    def test_a_record_of_another_version(self, finished: Path) -> None:
        path = self.trial(finished) / "record.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "surprise": 1}))
        with pytest.raises(CropworthError, match="surprise"):
            Ledger(finished).read()

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": "x"}'])
    def test_a_damaged_header(self, finished: Path, content: str) -> None:
        (finished / "study.json").write_text(content)
        with pytest.raises(CropworthError, match=r"study\.json.*finished trials are kept"):
            Ledger(finished).read()

    @pytest.mark.parametrize("content", ["{", "{}", '{"batch_size": 1, "threads": 1, "seconds_per_item": 3}'])
    def test_damaged_times(self, finished: Path, content: str) -> None:
        (finished / "latency.json").write_text(content)
        with pytest.raises(CropworthError, match="only the timing is repeated"):
            Ledger(finished).read()


def test_a_folder_of_something_else_is_neither_read_nor_written(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(CropworthError, match="which is no study"):
        Ledger(tmp_path).read()
    with pytest.raises(CropworthError, match="Choose another --out"):
        open_ledger(tmp_path)
    with pytest.raises(CropworthError, match="Choose another --out"):
        open_ledger(tmp_path / "letter.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
