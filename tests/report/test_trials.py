"""The records' own numbers: in columns for the page, in a table for whoever reads without scripts."""

from __future__ import annotations

import json
from dataclasses import replace
from math import nan

import pytest

from cropworth.report.formulas import FORMULAS
from cropworth.report.trace import formulas_of, trace
from cropworth.report.trials import MOST_TRIALS, OWN, rounds_of_timing, trials_in_columns, trials_table
from cropworth.study.ledger import trial_name
from cropworth.study.record import Study
from cropworth.worth.economics import read_economics
from cropworth.worth.results import Appraisal, SizeAppraisal
from factories import make_record, make_study
from report.appraisals import make_appraisal, make_candidate, make_row


def many_trials(count: int) -> Study:
    """Ten variants, as few test items as will do, numbers with all their digits."""
    names = ["baseline", *(f"a-crop-of-some-kind-{i}" for i in range(9))]
    records = []
    for i in range(count):
        made = make_record(names[i % 10], i // 10, 10_000, wrong=range(i % 7), items=31, wall_s=1234.567891 + i / 7)
        measured = replace(
            made, trial=trial_name({"i": i}), waiting_s=1.2345678 * i, training_energy_j=i / 0.7, median_iou=0.1 / 0.3
        )
        records.append(replace(measured, started_at=1_700_000_000.123 + i, peak_memory_bytes=512_345_678 + i))
    times = tuple(0.00123456789 / (1 + i) for i in range(30))
    return make_study(records, latency=dict.fromkeys(names, times))


def appraisal_of(study: Study) -> Appraisal:
    crops = [name for name in study.kinds if name != "baseline"]
    rows = tuple(make_row(name) for name in study.kinds)
    return make_appraisal((SizeAppraisal(10_000, rows, tuple(make_candidate(name) for name in crops)),), best=crops[0])


def test_columns_hold_what_the_records_do(full_study: Study) -> None:
    found = trials_in_columns(full_study)
    assert len(found["trial"]) == len(full_study.records)
    by_hash = {record.trial: record for record in full_study.records}
    for i, trial in enumerate(found["trial"]):
        record = by_hash[trial]
        assert found["variants"][found["variant"][i]] == record.variant
        assert found["statuses"][found["status"][i]] == record.status
        assert (found["seed"][i], found["train_size"][i]) == (record.seed, record.train_size)
        for key in found["own"]:
            own = OWN[key].of(record)
            expected = own if key != "started_at" else record.started_at - min(r.started_at for r in full_study.records)
            assert found[key][i] == (None if own is None else pytest.approx(expected, rel=1e-4)), key
    assert "mean_error" not in found
    diverged = next(i for i, place in enumerate(found["status"]) if found["statuses"][place] == "diverged")
    assert found["accuracy"][diverged] is None


def test_what_files_do_not_say_is_no_column() -> None:
    records = [
        replace(make_record(name), training_wall_s=0.0, training_cpu_s=0.0, parameters=0, flops_per_item=0,
                started_at=nan, peak_memory_bytes=None)
        for name in ("baseline", "b")
    ]  # fmt: skip
    study = replace(make_study(records), plan={})
    assert set(trials_in_columns(study)["own"]) == {"accuracy"}
    assert [column.title for column in trials_table(study).columns][4:] == ["accuracy", "trial"]


def test_a_thousand_trials_take_less_than_150_kb() -> None:
    study = many_trials(1000)
    economics = read_economics({"cost_per_error": {"low": 1, "mode": 2, "high": 3}})
    found = trace(study, appraisal_of(study), economics, FORMULAS)
    assert len(json.dumps(found, separators=(",", ":"))) < 150_000
    assert len(found["trials"]["trial"]) == 1000
    assert found["prices"]["cost_per_error"] == {"low": 1, "mode": 2, "high": 3}


def test_only_what_formulas_ask_for_is_told() -> None:
    study = many_trials(20)
    shown = trials_table(study)
    assert list(formulas_of([shown])) == ["record"]
    found = trace(study, appraisal_of(study), read_economics({}), {"roi": FORMULAS["roi"]})
    (costs,) = {json.dumps(candidate) for candidate in found["candidates"][10_000].values()}
    assert set(json.loads(costs)) == {"npv", "costs"}
    assert set(json.loads(costs)["npv"]) == {"estimate"}


def test_few_trials_stand_apart_and_many_together() -> None:
    few, many = trials_table(many_trials(MOST_TRIALS)), trials_table(many_trials(MOST_TRIALS + 10))
    assert (len(few.rows), len(many.rows)) == (MOST_TRIALS, 10)
    assert few.rows[0][:4] == ("baseline", "10,000", "0", "ok")
    assert few.columns[-1].title == "trial"
    assert many.rows[0][:4] == ("baseline", "10,000", "21", "21 ok")
    assert "in means" in many.caption


def test_outcomes_are_counted_where_trials_stand_together() -> None:
    study = many_trials(MOST_TRIALS + 10)
    failed = [replace(r, status="diverged", probabilities=None) if r.seed < 2 else r for r in study.records]
    rows = trials_table(replace(study, records=tuple(failed))).rows
    assert rows[0][3] == "19 ok, 2 diverged"
    assert "%" in str(rows[0][4])  # the mean of those that have an accuracy


def test_nothing_timed_has_no_rounds() -> None:
    study = many_trials(20)
    assert rounds_of_timing(study)["baseline"][0] == 0.0012346
    assert rounds_of_timing(replace(study, latency=None)) == {}
