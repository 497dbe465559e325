from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from cropworth.report import text
from cropworth.worth.results import Interval, SizeAppraisal
from factories import make_record, make_study
from report.appraisals import make_appraisal, make_candidate, make_row


def test_units() -> None:
    assert text.percent(0.12345) == "12.3 %"
    assert text.percent(-0.5) == "\N{MINUS SIGN}50.0 %"
    assert text.flops(25_400_000) == "25.4 MFLOP"
    assert text.flops(1_234) == "1.23 kFLOP"
    assert text.flops(7) == "7.00 FLOP"
    assert text.flops(0) == "0 FLOP"
    assert text.size_in_bytes(51_000_000) == "51 MB"
    assert text.size_in_bytes(1_500_000_000) == "1.5 GB"
    assert text.years(1.42) == "1.4 years"
    assert text.years(0.0) == "at once"


def test_what_is_not_known_is_a_dash() -> None:
    assert {text.percent(None), text.size_in_bytes(None), text.years(None)} == {"—"}


def test_interval_of_one_seed_is_said_to_be_unknown() -> None:
    assert "not known" in text.money_interval(Interval(5.0, None, None), "EUR")
    assert text.money_interval(Interval(None, None, None), "EUR") == ""


def test_return_on_investment() -> None:
    assert text.return_on_investment(make_candidate(dominates=True, roi=None)) == "dominates"
    assert text.return_on_investment(make_candidate(dominates=False, roi=12.3)) == "1,230 %"
    assert text.return_on_investment(make_candidate(dominates=False, roi=None)) == "—"


def test_verdict_words() -> None:
    assert text.verdict_word(make_candidate(verdict="don't")) == "don't"
    assert text.verdict_word(make_candidate("oracle", "oracle")) == "not deployable"
    assert text.verdict_word(make_candidate(verdict=None)) == "no verdict"
    assert text.verdict_word(None) == "no verdict"


def test_how_we_know_is_two_sentences() -> None:
    appraisal = make_appraisal((SizeAppraisal(100, (make_row(),), (make_candidate("a"), make_candidate("b"))),))
    for seeds in (1, 3):
        study = make_study([make_record(seed=s) for s in range(seeds)])
        for one in (study, replace(study, looks=(3, 6)), replace(study, plan={})):
            told = text.how_we_know(one, appraisal)
            assert told.count(". ") == 1
            assert told.endswith(".")
            assert "the same 200 test items" in told
            assert ("one seed" in told, "there are no intervals" in told) == (seeds == 1, seeds == 1)
            assert ("a variance by seeds and one by test items" in told) == (seeds == 3)
            assert ("for all 2 candidates at once" in told) == (seeds == 3)
            assert ("looks after 3, 6" in told) == bool(one.looks)


def test_waiting_is_one_sentence_or_none() -> None:
    def line(*shares: float | None) -> str:
        rows = tuple(make_row(str(number), waiting_share=share) for number, share in enumerate(shares))
        return text.waiting_line(make_appraisal((SizeAppraisal(100, rows, ()),)))

    assert line(None, None) == ""
    assert line(0.031, 0.0312) == "Training waited for data for 3.1 % of its time."
    assert line(0.2, None, 0.031) == "Training waited for data for 3.1 % (2) to 20.0 % (0) of its time."


def test_terminal_table_has_the_promised_columns_and_takes_names_literally() -> None:
    rows = (make_row(), make_row("[b]odd", "crop", accuracy=None, errors_per_thousand=None, latency_s=None))
    table = text.terminal_table(make_appraisal((SizeAppraisal(100, rows, ()),)))
    written = io.StringIO()
    Console(width=120, file=written).print(table)
    shown = written.getvalue()
    assert [column.header for column in table.columns] == [
        "variant",
        "accuracy",
        "errors per 1,000",
        "training seconds",
        "inference ms per item",
        "FLOPs per item",
    ]
    assert "[b]odd" in shown
    assert "93.0 %" in shown
    assert "—" in shown
