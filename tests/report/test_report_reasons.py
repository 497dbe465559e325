"""The three reasons: of every kind of verdict, with numbers that follow from the study's by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cropworth.report.document import document
from cropworth.report.markdown import to_markdown
from cropworth.report.reasons import next_step, reasons
from cropworth.study.record import Kind, Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import read_economics
from cropworth.worth.results import (
    Appraisal,
    Bar,
    BreakEvenCurve,
    Candidate,
    Cost,
    Grid,
    Interval,
    Outlook,
    SizeAppraisal,
)
from factories import make_record, make_study
from report.appraisals import make_appraisal, make_candidate, make_row

PRICES = {"cost_per_error": 1, "predictions_per_year": 100_000, "engineering": {"once": 5000, "per_year": 500}}


def study_of(before: int, after: int, seeds: int = 4, kind: Kind = "crop") -> Study:
    """1,000 test items, of which so many are read wrong by the baseline and by the crop; others with each seed."""
    rng = np.random.default_rng(0)
    records = [
        make_record(name, seed, wrong=rng.choice(1000, size=wrong, replace=False), items=1000)
        for seed in range(seeds)
        for name, wrong in (("baseline", before), ("crop", after))
    ]
    times = {"baseline": (0.001,) * 5, "crop": (0.0004,) * 5}
    return make_study(records, kinds={"baseline": "baseline", "crop": kind}, latency=times)


def told(study: Study, prices: dict[str, Any] = PRICES) -> list[str]:
    return [str(reason) for reason in reasons(appraise(study, read_economics(prices)))]


def appraisal_of(**values: Any) -> Appraisal:
    sizes = (SizeAppraisal(100, (make_row(), make_row("heatmap-zoom", "crop")), (make_candidate(**values),)),)
    return make_appraisal(sizes)


def outlook_of(chance: float, bars: Sequence[Bar] = ()) -> Outlook:
    return Outlook(
        chance, (), (), tuple(bars), Grid((), (), (), ()), BreakEvenCurve((), ()), 0.0, (), None, None
    )  # fmt: skip


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[a-z)%]\.) ", text)


def test_gain_and_cost_make_up_the_worth() -> None:
    gain, cost, decides = told(study_of(100, 50))
    assert gain.startswith("The accuracy of crop is 5.0 percentage points above the 90.0 % of baseline (95 % interval ")
    assert "), on the same 1,000 test items with 4 seeds. " in gain
    # 0.05 fewer errors a prediction, at 1 each, for 100,000 predictions in each of 3 years; less 5000 + 3 x 500.
    assert gain.endswith("At these prices its predictions are worth EUR 15,000 more over 3 years.")
    assert cost == (
        "Beside baseline, its inference takes 0.40 times and its training takes 1.0 times as long. "
        "It costs EUR 6,500 more over 3 years (engineering EUR 6,500)."
    )
    # 6500 / 3 / 0.05
    assert decides.startswith("The chance that it is worth it is over 99 %. ")
    assert decides.endswith("By the estimate, it pays from 43,333 predictions a year on.")


def test_a_loss_is_told_as_one_and_its_interval_turned() -> None:
    gain, _, decides = told(study_of(50, 100))
    low, high = map(float, re.findall(r"interval ([\d.]+) to ([\d.]+)", gain)[0])
    assert 0 < low < 5 < high
    assert "5.0 percentage points below the 95.0 % of baseline" in gain
    assert gain.endswith("its predictions are worth EUR 15,000 less over 3 years.")
    assert "under 1 %. No input alone changes the verdict. By the estimate, more predictions a year do not" in decides


@pytest.mark.parametrize(("seeds", "few"), [(1, "one seed gives"), (2, "two seeds give")])
def test_too_few_seeds_give_no_interval_and_no_chance(seeds: int, few: str) -> None:
    study = study_of(60, 50, seeds)
    gain, _, decides = told(study)
    assert "above the 94.0 % of baseline (no interval), on" in gain
    assert decides.startswith(f"How sure that is cannot be told: {few} no interval. By the estimate, it pays from ")
    assert "at least 3 seeds" in next_step(appraise(study, read_economics(PRICES)))


def test_a_regression_tells_its_mean_error() -> None:
    plain = study_of(50, 50)
    numbers = {"baseline": np.float32(2.0), "crop": np.float32(1.25)}
    records = [
        replace(
            r,
            labels=np.zeros(1000, dtype=np.float32),
            probabilities=None,
            numbers=np.full(1000, numbers[r.variant]) + np.float32(0.001) * (np.arange(1000) % (2 + r.seed)),
        )
        for r in plain.records
    ]
    gain = told(replace(plain, classes=(), records=tuple(records)))[0]
    assert gain.startswith("The mean error of crop is 0.750 below the 2.00 of baseline (95 % interval 0.7")


def test_measurements_from_files_without_costs() -> None:
    study = study_of(100, 50, kind="candidate")
    records = tuple(replace(r, train_size=0, training_wall_s=0.0, flops_per_item=0) for r in study.records)
    brought = replace(study, plan={}, latency=None, records=records)
    _, cost, decides = told(brought, {"cost_per_error": 1, "predictions_per_year": 1000})
    assert cost == "How long it takes is not known. None of its costs is priced, or differs."
    assert decides.endswith("By the estimate, it pays with any number of predictions a year.")


def test_nothing_is_priced() -> None:
    gain, cost, _ = told(study_of(60, 50), {})
    assert gain.endswith("At these prices its predictions are worth the same over 3 years.")
    assert cost.endswith("None of its costs is priced, or differs.")


@pytest.mark.parametrize(
    ("status", "kinds", "count"),
    [
        ("diverged", {"baseline": "baseline", "zoom": "crop"}, "trials of candidates with predictions: 0 of 2"),
        ("ok", {"baseline": "baseline", "zoom": "control"}, "there is no candidate"),
    ],
)
def test_no_verdict(status: Any, kinds: dict[str, Kind], count: str) -> None:
    records = [*(make_record(seed=s) for s in (0, 1)), *(make_record("zoom", s, status=status) for s in (0, 1))]
    study = make_study(records, kinds=kinds)
    appraisal = appraise(study, read_economics(PRICES))
    assert appraisal.headline.startswith("No verdict")
    gain, cost, decides = told(study)
    assert gain.endswith(f"({count}).")
    assert "not known" in cost
    assert "not known" in decides
    assert next_step(appraisal).startswith("Predictions of a candidate and of baseline")


@pytest.mark.parametrize(
    ("bars", "turn"),
    [
        ((), "No input alone changes the verdict."),
        (
            (
                Bar("discount_rate", "what if", 0.1, 0.2, 9.0, 1.0, flips=False),
                Bar("cost_matrix", "what if", 0.5, 2.0, -1.0, 2.0, flips=True),
                Bar("utilisation", "what if", 0.5, 1.0, -1.0, 1.0, flips=True),
            ),
            "The verdict changes with multiple of cost_matrix alone, between 0.500 and 2.00.",
        ),
        (
            (Bar("what a prediction gains", "measured", None, None, -1.0, 2.0, flips=True),),
            "The verdict changes with what a prediction gains alone, within what was measured.",
        ),
    ],
    ids=["none", "the widest that does", "a measurement"],
)
def test_what_turns_the_verdict(bars: tuple[Bar, ...], turn: str) -> None:
    decides = str(reasons(appraisal_of(outlook=outlook_of(0.62, bars)))[2])
    assert decides.startswith(f"The chance that it is worth it is 62 %. {turn} By the estimate, ")


@pytest.mark.parametrize(
    ("volume", "npv", "words"),
    [
        (None, -5.0, "more predictions a year do not make it pay."),
        (None, 5.0, "more predictions a year do not make it pay more."),
        (0.0, 5.0, "it pays with any number of predictions a year."),
        (2.5e6, 5.0, "it pays from 2.50 million predictions a year on."),
    ],
)
def test_from_how_many_predictions_it_pays(volume: float | None, npv: float, words: str) -> None:
    worth = Interval(npv, None, None)
    found = appraisal_of(break_even_predictions_per_year=volume, npv=worth, outlook=outlook_of(0.5))
    assert str(reasons(found)[2]).endswith(f"By the estimate, {words}")


def test_savings_are_told_and_small_parts_left_out() -> None:
    costs = (
        Cost("engineering", 900.0, "given"),
        Cost("training", -5.0, "measured"),
        Cost("carbon", None, "not priced"),
    )
    saving = reasons(appraisal_of(costs=(*costs, Cost("inference", -1000.0, "measured")), training_ratio=None))[1]
    assert saving.measured == "Beside baseline, its inference takes 0.23 times as long."
    assert (
        saving.priced == "It costs EUR 105 less over 3 years (engineering EUR 900, inference EUR \N{MINUS SIGN}1,000)."
    )


def test_where_no_time_is_known_the_operations_are_told() -> None:
    found = reasons(appraisal_of(latency_ratio=None, training_ratio=None, flops_ratio=0.2))[1]
    assert found.measured == "Its inference computes 0.20 times as much as that of baseline."


@pytest.mark.parametrize("study", [study_of(100, 50), study_of(50, 50, 1), study_of(50, 100)], ids=["+", "1", "-"])
def test_few_sentences_without_none(study: Study) -> None:
    for reason in told(study):
        assert 1 <= len(sentences(reason)) <= 3
        assert reason.endswith(".")
        assert "None " not in reason.replace("None of its costs", "")
        assert "nan" not in reason


def test_markdown_tells_them_below_the_headline() -> None:
    study = study_of(100, 50)
    markdown = to_markdown(document(study, appraise(study, read_economics(PRICES)), read_economics(PRICES)))
    places = [markdown.index(words) for words in ("**Adopt crop", *(f"\n- {r[:30]}" for r in told(study)))]
    places += [markdown.index("What to measure next: "), markdown.index("## What each candidate is worth")]
    assert places == sorted(places)


def test_candidates_without_a_measured_gain() -> None:
    unknown = Interval(None, None, None)
    found: Candidate = make_candidate(accuracy_difference=unknown)
    sizes = (SizeAppraisal(100, (make_row(),), (found,)),)
    assert reasons(make_appraisal(sizes))[0].measured == "What heatmap-zoom gains is not known."
