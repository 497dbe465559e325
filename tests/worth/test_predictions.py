"""Predictions of models trained elsewhere: files -> the study that cropworth itself would have measured."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from cropworth import CropworthError, appraise, read_economics, read_predictions
from cropworth.study.record import Study
from cropworth.worth.as_json import to_json
from factories import CLASSES, make_record, make_study

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "appraisal.schema.json").read_text())
HEAD = ("variant", "seed", "item", "y_true", "y_pred")
COSTS = "variant,seed,train_s,latency_s\n"


def write(path: Path, rows: Iterable[Sequence[object]], head: Sequence[str] = HEAD) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([head, *rows])
    return path


def small(wrong_of_old: int = 2, wrong_of_new: int = 1, seeds: int = 3) -> list[tuple[object, ...]]:
    """Four items of the classes cat and dog; each variant reads its first items wrong, with every seed."""
    other = {"cat": "dog", "dog": "cat"}
    return [
        (variant, seed, f"i{item}", truth, other[truth] if item < wrong else truth)
        for variant, wrong in (("old", wrong_of_old), ("new", wrong_of_new))
        for seed in range(seeds)
        for item, truth in enumerate(("cat", "dog", "cat", "cat"))
    ]


def plain(study: Study) -> dict[str, Any]:
    """All of it but the files' hashes, comparable."""

    def simple(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return (str(value.dtype), value.tolist())
        if isinstance(value, dict):
            return {key: simple(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [simple(inner) for inner in value]
        return "NaN" if isinstance(value, float) and isnan(value) else value

    return dict(simple(asdict(replace(study, files_sha256={}))))


def test_the_files_are_told_by_their_hashes(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.csv", small())
    (tmp_path / "costs.csv").write_text(COSTS + "old,0,1,0.1\n")
    digests = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("rows.csv", "costs.csv")}
    assert read_predictions(rows, tmp_path / "costs.csv", "old").files_sha256 == digests
    assert read_predictions(rows, baseline="old").files_sha256 == {"rows.csv": digests["rows.csv"]}


def long_rows(study: Study, digits: Callable[[float], object] = repr) -> tuple[list[str], list[list[object]]]:
    """A study of classes as the file that its owner would have written, with probabilities."""
    rows = [
        [r.variant, r.seed, f"{i:05}", study.classes[label], *(digits(float(p)) for p in r.probabilities[i])]
        for r in study.records
        if r.probabilities is not None
        for i, label in enumerate(r.labels)
    ]
    return ["variant", "seed", "item", "y_true", *(f"p_{name}" for name in study.classes)], rows


def test_a_small_case_by_hand(tmp_path: Path) -> None:
    path = write(tmp_path / "preds.csv", small())
    costs = tmp_path / "costs.csv"
    costs.write_text(COSTS + "".join(f"old,{s},3600,0.003\nnew,{s},7200,0.001\n" for s in range(3)))
    study = read_predictions(path, costs, "old")
    assert (study.name, study.baseline, study.classes) == ("preds", "old", ("cat", "dog"))
    assert study.kinds == {"old": "baseline", "new": "candidate"}
    assert study.warnings == ()
    old, new = study.of("old", 0)[0], study.of("new", 0)[0]
    assert old.labels.tolist() == [0, 1, 0, 0]
    assert old.probabilities is not None
    assert old.probabilities.tolist() == [[0, 1], [1, 0], [1, 0], [1, 0]]
    assert (old.accuracy, new.accuracy) == (0.5, 0.75)
    (found,) = appraise(
        study, read_economics({"cost_per_error": 8, "predictions_per_year": 1000, "compute_price_per_hour": 3.6,
                               "horizon_years": 1, "engineering": {"once": 100}}),
    ).largest.candidates  # fmt: skip
    # One error less in four: 2 a prediction. An hour more of training: 3.6. Two milliseconds less at 0.001 a second.
    assert found.value_per_prediction.estimate == pytest.approx(2)
    assert found.investment == pytest.approx(103.6)
    assert found.inference_cost_per_prediction == pytest.approx(-0.000002)
    assert found.npv.estimate == pytest.approx(-103.6 + 1000 * 2.000002)


def studied(seeds: int = 3, items: int = 50, draw: int = 7) -> Study:
    """A study as if it had been run on one processor, with probabilities of every shade."""
    rng = np.random.default_rng(draw)
    records = []
    for variant, wall_s in (("baseline", 20.0), ("new", 30.0)):
        for seed in range(seeds):
            record = make_record(variant, seed, 0, items=items, wall_s=wall_s + seed)
            shades = rng.dirichlet(np.ones(len(CLASSES)), items).astype(np.float32)
            records.append(replace(record, cores=1, probabilities=shades))
    times = {"baseline": (0.003, 0.004, 0.0035)[:seeds], "new": (0.001, 0.002, 0.003)[:seeds]}
    return make_study(records, kinds={"baseline": "baseline", "new": "candidate"}, latency=times)


def written(study: Study, folder: Path) -> tuple[Path, Path]:
    head, rows = long_rows(study)
    assert study.latency is not None
    times = study.latency.seconds_per_item
    costs = [(r.variant, r.seed, r.training_wall_s, times[r.variant][r.seed], r.flops_per_item) for r in study.records]
    names = ("variant", "seed", "train_s", "latency_s", "flops")
    return write(folder / "preds.csv", rows, head), write(folder / "costs.csv", costs, names)


@settings(max_examples=15)
@given(seeds=st.integers(1, 3), items=st.integers(3, 60), draw=st.integers(0, 1000))
def test_a_study_written_and_read_again_is_worth_the_same(
    tmp_path_factory: pytest.TempPathFactory, seeds: int, items: int, draw: int
) -> None:
    study = studied(seeds, items, draw)
    again = read_predictions(*written(study, tmp_path_factory.mktemp("again")))
    for before, after in zip(study.records, again.records, strict=True):
        assert (before.variant, before.seed) == (after.variant, after.seed)
        assert np.array_equal(before.probabilities, after.probabilities)  # type: ignore[arg-type]
        assert np.array_equal(before.labels, after.labels)
    economics = read_economics({"cost_per_error": 5, "predictions_per_year": 1e6, "compute_price_per_hour": 2})
    assert appraise(again, economics).largest.candidates == appraise(study, economics).largest.candidates


def test_the_appraisal_is_of_the_documented_form(tmp_path: Path) -> None:
    appraisal = appraise(read_predictions(*written(studied(), tmp_path)), read_economics({"cost_per_error": 1}))
    jsonschema.validate(json.loads(json.dumps(to_json(appraisal), allow_nan=False)), SCHEMA)
    assert appraisal.best == "new"
    assert "crop" not in appraisal.headline


@settings(max_examples=25)
@given(data=st.data())
def test_the_order_of_rows_changes_nothing(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("shuffled")
    splits = ("test", "test", "validation")
    rows = [
        (v, s, i, i % 3, data.draw(st.integers(0, 2)), 1 + i % 2, splits[i % 3], f"site {i % 5}", s)
        for v in ("baseline", "b", "a")
        for s in range(2)
        for i in range(9)
    ]
    rows = [row for row in rows if row[2] in (0, 2) or data.draw(st.integers(0, 9))]  # holes, but not everywhere
    head = (*HEAD, "weight", "split", "site", "unlike")
    one = read_predictions(write(folder / "rows.csv", rows, head))
    other = read_predictions(write(folder / "rows.csv", data.draw(st.permutations(rows)), head))
    assert plain(one) == plain(other)


def test_parquet_and_packed_files_are_the_same(tmp_path: Path) -> None:
    table = pd.DataFrame(
        [(v, s, i, i % 2, i % 3 % 2, 0.5 + i, i % 2 == 0) for v in ("baseline", "b") for s in (0, 1) for i in range(6)],
        columns=[*HEAD, "value", "indoors"],
    )
    table.to_csv(tmp_path / "rows.csv", index=False)
    table.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress((tmp_path / "rows.csv").read_bytes()))
    plainly = plain(read_predictions(tmp_path / "rows.csv"))
    assert plainly["name"] == "rows"
    assert plainly["columns"]["indoors"][1] == ["True", "False"] * 3
    assert plain(read_predictions(tmp_path / "rows.parquet")) == plainly
    assert plain(read_predictions(tmp_path / "rows.csv.gz")) == plainly


def test_parquet_without_its_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(CropworthError, match=r"pip install 'cropworth\[text\]'"):
        read_predictions(tmp_path / "rows.parquet")


def test_two_models_that_are_not_crops(tmp_path: Path) -> None:
    features, labels = load_breast_cancer(return_X_y=True)
    train, test = np.arange(0, 569, 2), np.arange(1, 569, 2)
    rows, accuracy = [], {"tree": [0.0] * 3, "logistic": [0.0] * 3}
    for seed in range(3):
        some = np.random.default_rng(seed).choice(train, 200)
        for name, model in (
            ("tree", DecisionTreeClassifier(random_state=seed)),
            ("logistic", make_pipeline(StandardScaler(), LogisticRegression())),
        ):
            sure = model.fit(features[some], labels[some]).predict_proba(features[test])
            accuracy[name][seed] = accuracy_score(labels[test], sure.argmax(axis=1))
            rows += [(name, seed, i, labels[i], *p) for i, p in zip(test, sure, strict=True)]
    path = write(tmp_path / "cancer.csv", rows, (*HEAD[:4], "p_0", "p_1"))
    found = appraise(read_predictions(path, baseline="tree"), read_economics({"cost_per_error": 1}))
    (logistic,) = found.largest.candidates
    assert logistic.kind == "candidate"
    expected = np.mean(np.subtract(accuracy["logistic"], accuracy["tree"]))
    assert expected > 0.01
    assert logistic.accuracy_difference.estimate == pytest.approx(expected)


class TestWhatTheColumnsMean:
    def read(self, tmp_path: Path, text: str, costs: str | None = None, **options: Any) -> Study:
        (tmp_path / "p.csv").write_text(text)
        if costs is not None:
            (tmp_path / "c.csv").write_text(costs)
        return read_predictions(tmp_path / "p.csv", None if costs is None else tmp_path / "c.csv", **options)

    def two(self, tmp_path: Path, truth: str, predicted: str, **options: Any) -> Study:
        lines = [f"{v},0,{i},{truth},{predicted}" for v in ("baseline", "b") for i in (0, 1)]
        return self.read(tmp_path, ",".join(HEAD) + "\n" + "\n".join(lines), **options)

    def test_whole_numbers_are_classes_and_others_are_numbers(self, tmp_path: Path) -> None:
        assert self.two(tmp_path, "10", "9").classes == ("9", "10")
        assert self.two(tmp_path, "1.0", "1").classes == ("1",)
        assert self.two(tmp_path, "01", "1").classes == ("01", "1")
        study = self.two(tmp_path, "1", "2.5")
        assert study.classes == ()
        assert study.records[0].numbers is not None
        assert study.records[0].numbers.tolist() == [2.5, 2.5]
        assert study.records[0].mean_error == 1.5
        assert self.two(tmp_path, "1", "2", numbers=True).records[0].mean_error == 1
        assert self.two(tmp_path, "1.5", "2", numbers=False).classes == ("2", "1.5")

    def test_weights_values_and_other_columns_are_of_the_items(self, tmp_path: Path) -> None:
        text = "variant,seed,item,y_true,y_pred,weight,value,site,when\n" + "".join(
            f"{v},0,{i},a,b,{i}.5,-{i},s{i},{v}{i}\n" for v in ("baseline", "b") for i in (2, 1)
        )
        study = self.read(tmp_path, text)
        for record in study.records:
            assert record.weights is not None
            assert record.values is not None
            assert record.weights.tolist() == [1.5, 2.5]
            assert record.values.tolist() == [-1, -2]
        assert {name: column.tolist() for name, column in study.columns.items()} == {"site": ["s1", "s2"]}
        assert "Columns that differ between rows of one item, and so are not read: when." in study.warnings

    def test_rows_of_validation_are_for_thresholds(self, tmp_path: Path) -> None:
        text = "variant,seed,item,split,y_true,p_no,p_yes\n" + "".join(
            f"{v},0,{i},{split},{'yes' if i else 'no'},{1 - p},{p}\n"
            for v, p in (("baseline", 0.25), ("b", 0.75))
            for split, count in (("test", 3), ("validation", 2))
            for i in range(count)
        )
        for record in self.read(tmp_path, text).records:
            assert record.labels.tolist() == [0, 1, 1]
            assert record.validation_labels is not None
            assert record.validation_probabilities is not None
            assert record.validation_labels.tolist() == [0, 1]
            assert (
                record.validation_probabilities[:, 1].tolist() == [0.25 if record.variant == "baseline" else 0.75] * 2
            )

    def test_y_pred_beside_probabilities_is_not_used(self, tmp_path: Path) -> None:
        text = "variant,seed,item,y_true,y_pred,p_a,p_b\nbaseline,0,1,a,b,0.6,0.4\nb,0,1,a,b,0.3,0.7\n"
        study = self.read(tmp_path, text)
        assert {record.variant: record.accuracy for record in study.records} == {"baseline": 1, "b": 0}
        assert study.warnings[0].startswith(
            "y_pred is not used, since there are probabilities; it is not the likeliest"
        )
        assert "in 1 of 2 rows. Leave" in study.warnings[0]

    def test_sizes_are_appraised_apart(self, tmp_path: Path) -> None:
        rows = [f"{v},{s},{n},1,a,a\n" for v in ("baseline", "b") for s in (0, 1) for n in (10, 20)]
        study = self.read(tmp_path, "variant,seed,train_size,item,y_true,y_pred\n" + "".join(rows))
        assert study.train_sizes == (10, 20)
        assert len(study.of("b", 20)) == 2

    def test_costs_are_by_seed_of_the_largest_size(self, tmp_path: Path) -> None:
        rows = [f"{v},{s},i,a,a\n" for v in ("baseline", "b") for s in (0, 1, 2)]
        costs = "seed,variant,latency_s,train_s,energy_j,memory_bytes,flops\n" + "".join(
            f"{s},{v},{s + at},{10 * s},{s},{1000 * s},{7e6}\n"
            for v, at in (("b", 1), ("baseline", 2))
            for s in (2, 0, 1)
        )
        study = self.read(tmp_path, ",".join(HEAD) + "\n" + "".join(rows), costs)
        assert study.warnings == ()
        assert study.latency is not None
        assert study.latency.seconds_per_item == {"baseline": (2, 3, 4), "b": (1, 2, 3)}
        assert study.latency.energy_j_per_item == {"baseline": 1, "b": 1}
        assert study.latency.memory_bytes == {"baseline": 2000, "b": 2000}
        assert [r.training_wall_s for r in study.of("b", 0)] == [0, 10, 20]
        assert {(r.threads, r.cores, r.flops_per_item) for r in study.records} == {(1, 1, 7_000_000)}


def test_numbers_are_priced_by_their_distance(tmp_path: Path) -> None:
    rows = [(v, s, i, i, i + off) for v, off in (("old", 2.5), ("new", -1)) for s in range(3) for i in range(4)]
    study = read_predictions(write(tmp_path / "p.csv", rows), baseline="old")
    (found,) = appraise(study, read_economics({"cost_per_error": 4})).largest.candidates
    assert found.error_difference.estimate == pytest.approx(-1.5)
    assert found.value_per_prediction.estimate == pytest.approx(6)


def test_thresholds_are_chosen_on_the_rows_of_validation(tmp_path: Path) -> None:
    # A no that is said for a yes costs 9 times the other error: a yes pays from 0.1 on, which only `new` tells apart.
    sure = {"old": (0.05, 0.05), "new": (0.05, 0.3)}
    rows = [
        (v, s, i, split, ("no", "yes")[i % 2], 1 - sure[v][i % 2], sure[v][i % 2])
        for v in sure
        for s in range(3)
        for split in ("test", "validation")
        for i in range(40)
    ]
    head = ("variant", "seed", "item", "split", "y_true", "p_no", "p_yes")
    study = read_predictions(write(tmp_path / "p.csv", rows, head), baseline="old")
    prices = {"cost_matrix": {"yes": {"no": 9}, "no": {"yes": 1}}}
    likeliest, least = (
        appraise(study, read_economics({**prices, "decision": decision})).largest.candidates[0].value_per_prediction
        for decision in ("likeliest", "least-cost")
    )
    assert likeliest.estimate == 0
    # `old` says yes to all (0.5 a prediction); `new` errs nowhere.
    assert least.estimate == pytest.approx(0.5)


def earned(y_true: str, prediction: str, row: dict[str, Any]) -> float:
    return float(row["price"] * (y_true == prediction) + row["value"])


def test_a_function_of_ones_own_sees_the_other_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "own_values", sys.modules[__name__])
    rows = [(*row, 10 if row[2] == "i1" else 1, 5) for row in small()]
    study = read_predictions(write(tmp_path / "p.csv", rows, (*HEAD, "price", "value")), baseline="old")
    (found,) = appraise(study, read_economics({"value_fn": "own_values:earned"})).largest.candidates
    # The second item of four, the only one that `new` alone reads right, is priced at 10.
    assert found.value_per_prediction.estimate == pytest.approx(10 / 4)


class TestGaps:
    """What can be appraised still is, and what is not there is named."""

    def test_without_costs_nothing_passes_for_free(self, tmp_path: Path) -> None:
        study = read_predictions(write(tmp_path / "p.csv", small()), baseline="old")
        assert study.latency is None
        assert study.warnings == (
            "Costs of training and inference are not known (no file of costs), and are left out of the appraisal.",
        )

    def test_costs_that_are_not_known_are_left_out_of_all(self, tmp_path: Path) -> None:
        path, costs = write(tmp_path / "p.csv", small(seeds=2)), tmp_path / "c.csv"
        costs.write_text(COSTS + "old,0,100,0.1\nold,1,100,\nnew,0,200,0.2\nnew,1,,0.2\n")
        study = read_predictions(path, costs, "old")
        assert {record.training_wall_s for record in study.records} == {0}
        assert study.warnings == (
            "Training costs are left out, of all variants alike: train_s is not known of new, seed 1.",
        )
        assert study.latency is not None
        assert study.latency.seconds_per_item == {"old": (0.1,), "new": (0.2,)}
        costs.write_text(COSTS + "old,0,100,0.1\nold,1,100,0.1\n")
        untimed = read_predictions(path, costs, "old")
        assert untimed.latency is None
        assert untimed.warnings[0].endswith("train_s is not known of new, seed 0 and 1 more.")
        assert untimed.warnings[1].startswith("Costs of inference are left out for new, old: latency_s is not known")
        (candidate,) = appraise(untimed, read_economics({"compute_price_per_hour": 1e6})).largest.candidates
        assert candidate.npv.estimate == 0

    def test_items_that_some_lack(self, tmp_path: Path) -> None:
        rows = [row for row in small() if row[:3] not in {("new", 1, "i2"), ("new", 2, "i3")}]
        study = read_predictions(write(tmp_path / "p.csv", rows), baseline="old")
        assert len(study.records[0].labels) == 2
        assert study.warnings[0] == (
            "2 of 4 test items are left out, since not every variant and seed predicted them; "
            "the first is 'i2', which new, seed 1 did not."
        )

    def test_seeds_that_only_one_has(self, tmp_path: Path) -> None:
        rows = [row for row in small(seeds=5) if row[:2] not in {("old", 3), ("new", 0), ("new", 1)}]
        found = appraise(read_predictions(write(tmp_path / "p.csv", rows), baseline="old"), read_economics({}))
        assert "Seeds of old without a pair of new, left out: 0, 1." in found.gaps
        assert "Seeds of new without a pair of old, left out: 3." in found.gaps
        assert found.largest.candidates[0].seeds == 2

    def test_no_seed_in_common(self, tmp_path: Path) -> None:
        rows = [row for row in small(seeds=4) if (row[0] == "old") == (row[1] in (0, 1))]
        found = appraise(read_predictions(write(tmp_path / "p.csv", rows), baseline="old"), read_economics({}))
        assert found.headline == "No verdict: there is no candidate whose predictions could be compared with old."

    def test_costs_that_are_not_known_are_called_so(self, tmp_path: Path) -> None:
        study = read_predictions(write(tmp_path / "p.csv", small()), baseline="old")
        prices = {"compute_price_per_hour": 3, "watts": 50, "energy_price_per_kwh": 1, "cost_per_error": 1}
        found = appraise(study, read_economics(prices))
        assert found.study_cost is None
        costs = {cost.name: (cost.present_value, cost.source) for cost in found.largest.candidates[0].costs}
        for name in ("training", "inference", "energy"):
            assert costs[name] == (None, "unavailable"), name

    def test_columns_of_costs_that_are_not_known(self, tmp_path: Path) -> None:
        costs = tmp_path / "c.csv"
        rows = "".join(f"{v},{s},1,1,note\n" for v in ("old", "new") for s in range(3))
        costs.write_text(f"{COSTS.strip()},joules\n{rows}")
        study = read_predictions(write(tmp_path / "p.csv", small()), costs, "old")
        assert study.warnings == ("Columns of c.csv that are not read: joules.",)


BAD_PREDICTIONS = {
    "no column": ("variant,seed,item,ytrue,y_pred\nb,0,1,a,a\n", r"without the column y_true.*Did you mean 'ytrue'\?"),
    "no prediction": ("variant,seed,item,y_true\nb,0,1,a\n", r"without the column y_pred"),
    "semicolons": ("variant;seed;item;y_true;y_pred\n", r"without the column variant.*with commas between"),
    "empty": ("", r"p\.csv, an empty file"),
    "head only": ("variant,seed,item,y_true,y_pred\n", r"p\.csv without a row"),
    "two alike": ("variant,seed,item,item,y_true,y_pred\n", r"two columns 'item'"),
    "a duplicate": ("@b,0,1,a,a\nbaseline,0,1,a,a\n\nb,0,2,a,a\nb,0,1,a,b\n",
                    r"line 6: b, seed 0, item '1' a second time; expected one row for each, as line 2 is"),
    "two truths": ("@b,0,1,a,a\nbaseline,0,1,b,b\n", r"line 3: y_true 'b' of the item '1'; expected 'a', as in line 2"),
    "two weights": ("@weight\nb,0,1,a,a,1\nbaseline,0,1,a,b,2\n", r"line 3: weight 2 of the item '1'; expected 1, as"),
    "a weight below 0": ("@weight\nb,0,1,a,a,1\nbaseline,0,1,a,b,-2\n", r"line 3: the weight -2; expected 0 or more"),
    "no weight at all": ("@weight\nb,0,1,a,a,0\nbaseline,0,1,a,b,0\n", r"with no weight above 0"),
    "a weight in words": ("@weight\nb,0,1,a,a,1\nbaseline,0,1,a,b,two\n", r"line 3: weight 'two'; expected a number"),
    "an endless value": ("@value\nb,0,1,a,a,1\nbaseline,0,1,a,b,inf\n", r"line 3: value 'inf'; expected a number"),
    "no baseline": ("@b,0,1,a,a\nc,0,1,a,a\n", r"the baseline 'baseline'; expected a variant of .*: b, c\. Say which"),
    "one variant": ("@baseline,0,1,a,a\n", r"the variant 'baseline' only"),
    "an empty cell": ("@b,0,1,a,a\nbaseline,0,1,a, \n", r"line 3: y_pred ''; expected a value in every row"),
    "a seed in words": ("@b,one,1,a,a\nbaseline,0,1,a,a\n", r"line 2: seed 'one'; expected a whole number"),
    "a strange split": ("@split\nb,0,1,a,a,train\n", r"line 2: split 'train'; expected test or validation"),
    "too many cells": ("@b,0,1,a,a\nbaseline,0,1,a,a,a\n", r"line 3: 6 cells; expected 5, one a column"),
    "no common item": ("@b,0,1,a,a\nbaseline,0,2,a,a\n", r"without one test item that every variant and seed"),
    "no test item": ("@split\nb,0,1,a,a,validation\nbaseline,0,1,a,a,validation\n", r"without one test item"),
    "a sum of 0.9": ("variant,seed,item,y_true,p_a,p_b\nb,0,1,a,0.5,0.5\nbaseline,0,1,a,0.5,0.4\n",
                     r"line 3: probabilities that add to 0\.9 \(0\.5, 0\.4\)"),
    "below 0": ("variant,seed,item,y_true,p_a,p_b\nb,0,1,a,1.5,-0.5\n",
                r"line 2: probabilities that add to 1 \(1\.5, -0"),
    "no number": ("variant,seed,item,y_true,p_a,p_b\nb,0,1,a,1,\n", r"line 2: p_b ''; expected a number"),
    "no such class": ("variant,seed,item,y_true,p_a,p_b\nb,0,1,c,1,0\n",
                      r"line 2: y_true 'c'; expected a class with a column of probabilities: a, b"),
    "quotes": ('@b,0,1,"a,a\n', r"p\.csv \(unexpected end of data\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_PREDICTIONS)
def test_bad_predictions_are_one_error_that_says_where(tmp_path: Path, name: str) -> None:
    text, message = BAD_PREDICTIONS[name]
    if text.startswith("@"):
        more, _, rest = text[1:].partition("\n")
        text = ",".join(HEAD) + (f"\n{text[1:]}" if "," in more else f",{more}\n{rest}")
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(CropworthError, match=message):
        read_predictions(tmp_path / "p.csv")


def test_numbers_that_are_none_and_classes_that_are_too_many(tmp_path: Path) -> None:
    rows = [(v, 0, i, i, i) for v in ("baseline", "b") for i in range(1001)]
    with pytest.raises(CropworthError, match=r"1,001 different values.*--numbers, or numbers=True"):
        read_predictions(write(tmp_path / "p.csv", rows))
    rows.append(("b", 0, "last", "many", 1))
    with pytest.raises(CropworthError, match=r"line 2004: y_true 'many'; expected a number, as in the other rows"):
        read_predictions(write(tmp_path / "p.csv", rows), numbers=True)


def test_a_wrong_encoding_and_an_absent_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes("variant,seed,item,y_true,y_pred\nb,0,1,ä,ä\n".encode("latin-1"))
    with pytest.raises(CropworthError, match=r"p\.csv, not UTF-8 text.*Save it as UTF-8"):
        read_predictions(tmp_path / "p.csv")
    for name in ("absent.csv", "absent.parquet"):
        with pytest.raises(CropworthError, match=name):
            read_predictions(tmp_path / name)
    (tmp_path / "p.parquet").write_text("no parquet")
    with pytest.raises(CropworthError, match=r"p\.parquet .*expected a parquet file"):
        read_predictions(tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ("variant,seed,train_s,latency\nold,0,1,1\n", r"without the column latency_s.*Did you mean 'latency'\?"),
        (COSTS + "odl,0,1,1\n", r"line 2: the variant 'odl'.*Did you mean 'old'\?"),
        (COSTS + "old,0,1,1\nold,3,1,1\n", r"line 3: old, seed 3, which has no predictions.*seeds that have: 0, 1, 2"),
        (COSTS + "old,0,1,1\nold,0,1,1\n", r"line 3: old, seed 0 a second time"),
        (COSTS + "old,x,1,1\n", r"line 2: seed 'x'; expected a whole number"),
        (COSTS + "old,0,-1,1\n", r"line 2: train_s '-1'; expected a number, 0 or more"),
        (COSTS + "old,0,1,0\n", r"line 2: latency_s '0'; expected a number above 0"),
        (COSTS + "old,0,1,fast\n", r"line 2: latency_s 'fast'"),
        ("", r"c\.csv, an empty file"),
        (COSTS, r"c\.csv without a row"),
    ],
)
def test_bad_costs_are_one_error_that_says_where(tmp_path: Path, costs: str, message: str) -> None:
    (tmp_path / "c.csv").write_text(costs)
    with pytest.raises(CropworthError, match=message):
        read_predictions(write(tmp_path / "p.csv", small()), tmp_path / "c.csv", "old")


def test_costs_of_several_sizes_say_which(tmp_path: Path) -> None:
    rows = [(v, 0, 1, "a", "a", n) for v in ("old", "new") for n in (10, 20)]
    path, costs = write(tmp_path / "p.csv", rows, (*HEAD, "train_size")), tmp_path / "c.csv"
    costs.write_text(COSTS + "old,0,1,1\n")
    with pytest.raises(CropworthError, match=r"without the column train_size"):
        read_predictions(path, costs, "old")
    head = f"train_size,{COSTS}"
    costs.write_text(head + "".join(f"{n},{v},0,{n},{n / 10}\n" for v in ("old", "new") for n in (10, 20)))
    study = read_predictions(path, costs, "old")
    assert [r.training_wall_s for n in (10, 20) for r in study.of("new", n)] == [10, 20]
    assert study.latency is not None
    assert study.latency.seconds_per_item == {"old": (2,), "new": (2,)}
