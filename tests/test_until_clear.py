"""Rounds of a study: on made records where only the decisions matter, and once on a tiny study that is really run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cropworth import until_clear
from cropworth.errors import CropworthError
from cropworth.report.text import how_we_know, round_line
from cropworth.study.ledger import Ledger
from cropworth.study.plan import Plan, load_plan
from cropworth.study.record import Kind, Record, Study
from cropworth.study.run import Estimate, Prepared, prepare
from cropworth.until_clear import Look, look, run_until_clear
from cropworth.worth import sequential
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import Economics
from factories import make_record, make_study
from tiny import plan_with, tiny_values

ECONOMICS = {"cost_per_error": 1.0, "predictions_per_year": 1000, "compute_price_per_hour": 0.1}
ITEMS = 2000


def errors(variant: str, seed: int) -> range:
    """Wrong items: the baseline's 400, `better` 200, `worse` 600, `even` 400 and `best` 200, which vary most.

    All give or take some.
    """
    mean, spread = {"baseline": (400, 5), "better": (200, 5), "worse": (600, 5), "even": (400, 40), "best": (200, 150)}[
        variant
    ]
    return range(mean + round(spread * float(np.random.default_rng([seed, len(variant)]).standard_normal())))


def record_of(trial: dict[str, Any]) -> Record:
    wrong = errors(trial["name"], trial["seed"])
    return make_record(trial["name"], trial["seed"], wrong=wrong, items=ITEMS, wall_s=3600.0)  # half a machine hour


Run = Callable[..., tuple[Study, list[Look]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`run_until_clear` of these variants, where a trial is made instead of trained."""

    def run_study(
        prepared: Prepared,
        out: Path,
        jobs: int,
        progress: object,
        trials: list[dict[str, Any]],
        looks: tuple[int, ...],
        trackers: object,
    ) -> Study:
        kinds: dict[str, Kind] = {name: prepared.plan.kind(name) for name in prepared.plan.variants}
        return replace(make_study([record_of(t) for t in trials], economics=ECONOMICS, kinds=kinds), looks=looks)

    monkeypatch.setattr(until_clear, "run_study", run_study)
    monkeypatch.setattr(until_clear, "estimate", lambda prepared, trials, jobs: Estimate(1800.0 * len(trials), 0.0))

    def run(*variants: str, most_seeds: int = 20, budget_hours: float | None = None) -> tuple[Study, list[Look]]:
        crop = tiny_values()["variants"]["crop"]
        values = tiny_values() | {
            "variants": {"baseline": {"control": "whole"}} | dict.fromkeys(variants, crop),
            "economics": ECONOMICS,
        }
        plan = Plan.model_validate(values)
        seen: list[Look] = []
        prepared = Prepared(plan, None, None, {})  # type: ignore[arg-type]
        study = run_until_clear(prepared, tmp_path / "s", 1, most_seeds, budget_hours, told=seen.append)
        return study, seen

    return run


def seeds_of(study: Study) -> dict[str, int]:
    return {name: len(study.of(name, 100)) for name in study.kinds}


def test_what_is_clear_stops_and_what_is_open_goes_on(run: Run) -> None:
    study, seen = run("better", "worse", "best")
    seeds = seeds_of(study)
    assert 3 <= seeds["better"] < 20
    assert 3 <= seeds["worse"] < 20
    assert seeds["baseline"] == max(seeds.values())
    assert max(seeds["better"], seeds["worse"]) < seeds["best"]
    verdicts = {c.name: c.verdict for c in appraise(study, Economics(**ECONOMICS)).largest.candidates}  # type: ignore[arg-type]
    assert (verdicts["better"], verdicts["worse"]) == ("adopt", "don't")
    assert seen[-1].decision.stopped["better"] == seen[-1].decision.stopped["worse"] == "clear"
    assert [max(s.trials for s in one.standings) for one in seen] == list(study.looks[: len(seen)])


def test_the_verdicts_of_the_last_look_are_those_of_a_later_appraisal(run: Run) -> None:
    study, seen = run("better", "worse", "best", most_seeds=10)
    later = {c.name: c.verdict for c in appraise(study, Economics(**ECONOMICS)).largest.candidates}  # type: ignore[arg-type]
    assert later == {s.name: s.verdict for s in seen[-1].standings if s.kind != "baseline"}


def test_the_seeds_end_at_the_most(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequential, "HOPELESS", 0.0)
    study, seen = run("even", most_seeds=6)
    assert seeds_of(study) == {"baseline": 6, "even": 6}
    assert study.looks == (3, 4, 6)
    assert seen[-1].decision.stopped == {"even": "last look"}


def test_a_round_that_the_budget_cannot_pay_is_not_begun(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequential, "HOPELESS", 0.0)
    # Three hours for the first round of 3 x 2 trials, one more for each further seed.
    study, seen = run("even", budget_hours=5.5)
    assert seeds_of(study) == {"baseline": 5, "even": 5}
    assert seen[-1].hours == pytest.approx(5)
    assert seen[-1].decision.stopped == {"even": "out of budget"}


def test_a_budget_too_small_for_the_first_round(run: Run) -> None:
    with pytest.raises(CropworthError, match=r"--budget-hours 2\.5.*about 3 machine-hours, which 6 trials"):
        run("even", budget_hours=2.5)


def test_bad_numbers(run: Run) -> None:
    with pytest.raises(CropworthError, match=r"--most-seeds 2.*at least 3"):
        run("even", most_seeds=2)
    for hours in (0.0, -1.0, float("nan")):
        with pytest.raises(CropworthError, match=r"--budget-hours.*above 0"):
            run("even", budget_hours=hours)


def test_a_baseline_that_never_works() -> None:
    records = [make_record("baseline", s, status="diverged") for s in range(3)] + [make_record("crop", 0)]
    with pytest.raises(CropworthError, match="no trial of the baseline"):
        look(replace(make_study(records), looks=(3, 4)), Economics())


def test_failed_seeds_count_for_the_looks() -> None:
    """Four trials, one without predictions: the fourth seed's look was spent, though three pairs are left."""
    records = [record_of({"name": name, "seed": seed}) for name in ("baseline", "better") for seed in range(3)]
    records += [record_of({"name": "baseline", "seed": 3}), make_record("better", 3, status="diverged", items=ITEMS)]
    study = replace(make_study(records, economics=ECONOMICS), looks=(3, 4, 5))
    crop = next(s for s in look(study, Economics(**ECONOMICS)).standings if s.name == "better")  # type: ignore[arg-type]
    assert crop.trials == 4


def test_with_two_working_seeds_of_three_it_goes_on() -> None:
    records = [record_of({"name": name, "seed": seed}) for name in ("baseline", "better") for seed in range(2)]
    records += [record_of({"name": "baseline", "seed": 2}), make_record("better", 2, status="diverged", items=ITEMS)]
    seen = look(replace(make_study(records, economics=ECONOMICS), looks=(3, 4, 5)), Economics(**ECONOMICS))  # type: ignore[arg-type]
    assert seen.decision.goes_on == {"better": 4, "baseline": 4}


def test_a_round_in_one_line(run: Run) -> None:
    study, seen = run("better", "best")
    first, last = round_line(seen[0]), round_line(seen[-1])
    assert first.startswith("After 3 seeds, 4.5 machine-hours: ")
    assert "best to 4 seeds" in first
    assert "expected gain EUR" in first
    assert "cost EUR" in first
    assert "clear: better (adopt)" in last
    assert last.endswith("Done.")
    assert "with looks after 3, 4, 5, 7, 10, 14, 20" in how_we_know(study, appraise(study, Economics()))


# A study that is really run


def noisy(folder: Path, **economics: object) -> Plan:
    """The tiny plan, whose crop is worth about nothing."""
    return plan_with(load_plan(folder / "plan.yaml"), economics={**tiny_values()["economics"], **economics})


def test_a_clear_study_is_over_after_the_first_look(tiny: Path) -> None:
    plan = noisy(tiny, engineering={"once": 1e6})
    seen: list[Look] = []
    study = run_until_clear(prepare(plan), tiny / "study", 1, told=seen.append)
    assert (len(study.records), study.missing, study.looks) == (6, 0, (3, 4, 5, 7, 10, 14, 20))
    assert [one.decision.stopped for one in seen] == [{"crop": "clear"}]
    assert Ledger(tiny / "study").read().looks == study.looks


def test_an_interrupted_study_goes_on_as_if_nothing_had_been(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequential, "HOPELESS", 0.0)
    prepared = prepare(noisy(tiny))
    whole: list[Look] = []
    interrupted: list[Look] = []
    study = run_until_clear(prepared, tiny / "whole", 1, 5, told=whole.append)
    assert len(study.records) == 10

    def interrupt(now: object) -> None:
        if len(interrupted) == 1 and now.done == 7:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_until_clear(prepared, tiny / "study", 1, 5, progress=interrupt, told=interrupted.append)
    left = Ledger(tiny / "study").read()
    assert (len(left.records), left.missing, left.looks) == (7, 1, (3, 4, 5))
    trained = {path: path.stat().st_mtime_ns for path in (tiny / "study" / "trials").rglob("*")}

    interrupted.clear()
    again = run_until_clear(prepared, tiny / "study", 1, 5, told=interrupted.append)
    assert {path: path.stat().st_mtime_ns for path in trained} == trained
    assert again.latency == left.latency
    assert [one.decision.goes_on for one in interrupted] == [one.decision.goes_on for one in whole]
    assert seeds(again) == seeds(study)


def seeds(study: Study) -> list[tuple[str, int]]:
    return [(record.variant, record.seed) for record in study.records]


def test_once_looked_at_always_looked_at(tiny: Path) -> None:
    prepared = prepare(noisy(tiny, engineering={"once": 1e6}))
    run_until_clear(prepared, tiny / "study", 1, 5)
    with pytest.raises(CropworthError, match=r"looks after 3, 4, 6 seeds.*looks after 3, 4, 5.*--most-seeds 5"):
        run_until_clear(prepared, tiny / "study", 1, 6)
    fixed = until_clear.run_study(prepared, tiny / "study", 1)  # the plan's two seeds, all at once
    assert (len(fixed.records), fixed.looks) == (4, (3, 4, 5))
