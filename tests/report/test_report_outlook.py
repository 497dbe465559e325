"""What a verdict depends on, as tables of a real appraisal."""

from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np
import pytest

from cropworth.report.document import document
from cropworth.report.html import render
from cropworth.report.markdown import to_markdown
from cropworth.report.outlook import next_sentences, outlook_tables
from cropworth.report.tables import Table
from cropworth.study.record import Record, Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.results import Appraisal
from factories import make_record, make_study

PRICES: dict[str, Any] = {
    "cost_per_error": {"low": 0.5, "mode": 1, "high": 2},
    "predictions_per_year": 1000,
    "engineering": {"once": 100},
    "compute_price_per_hour": 1,
    "watts": 100,
    "energy_price_per_kwh": 0.3,
}


def record(variant: str, seed: int, size: int, accuracy: float) -> Record:
    """Two classes, 300 items, probabilities that are right as often as `accuracy`."""
    rng = np.random.default_rng([seed, size, variant == "crop"])
    labels = np.arange(300) % 2
    right = rng.random(300) < accuracy + rng.normal(0, 0.004)
    sure = rng.uniform(0.5, 1, 300)
    of_label = np.where(right, sure, 1 - sure)
    positive = np.where(labels == 1, of_label, 1 - of_label)
    probabilities = np.stack([1 - positive, positive], axis=1).astype(np.float32)
    return replace(make_record(variant, seed, size, items=300), labels=labels, probabilities=probabilities)


def study_of(sizes: tuple[int, ...]) -> Study:
    records = [
        record(name, seed, size, accuracy - 1 / size**0.5)
        for size in sizes
        for seed in range(4)
        for name, accuracy in (("baseline", 0.88), ("crop", 0.95))
    ]
    return replace(make_study(records), classes=("0", "1"))


@pytest.fixture(scope="module")
def told() -> tuple[Study, Appraisal, Economics]:
    study, economics = study_of((100, 400, 1600)), read_economics(PRICES)
    return study, appraise(study, economics), economics


def table(tables: tuple[Table, ...], start: str) -> Table:
    return next(one for one in tables if one.caption.startswith(start))


def test_every_table_has_something_to_say(told: tuple[Study, Appraisal, Economics]) -> None:
    tables = outlook_tables(told[1])
    starts = ("How likely", "What it costs", "All that can be", "What the worth of crop", "crop by pred", "Net benefit")
    assert [one.caption for one in tables] == [table(tables, start).caption for start in starts]
    assert all(len(row) == len(one.columns) for one in tables for row in one.rows)


def test_costs_say_where_they_come_from(told: tuple[Study, Appraisal, Economics]) -> None:
    costs = table(outlook_tables(told[1]), "What it costs")
    (row,) = costs.rows
    assert [column.title for column in costs.columns] == [
        "variant", "engineering", "training", "inference", "energy", "carbon"
    ]  # fmt: skip
    assert [str(cell).split("(")[-1].rstrip(")") for cell in row[1:]] == [
        "given", "measured", "measured", "estimated", "not priced"
    ]  # fmt: skip
    assert "The study itself cost EUR" in costs.note


def test_the_tornado_starts_with_the_widest(told: tuple[Study, Appraisal, Economics]) -> None:
    tornado = table(outlook_tables(told[1]), "What the worth of crop")
    assert {str(row[0]) for row in tornado.rows} >= {
        "cost_per_error",
        "predictions_per_year",
        "what a prediction gains",
    }
    assert "compute_price_per_hour" not in {str(row[0]) for row in tornado.rows}  # a bar without width


def test_what_to_measure_next_and_how_much_data(told: tuple[Study, Appraisal, Economics]) -> None:
    measure, data = next_sentences(told[1])
    assert measure.startswith("crop: ")
    assert data.startswith("crop: ")
    outlook = told[1].largest.candidates[0].outlook
    assert outlook is not None
    assert outlook.learning is not None
    assert data.endswith(outlook.learning.words)


def test_page_and_markdown_tell_the_same(told: tuple[Study, Appraisal, Economics]) -> None:
    page, markdown = unescape(render(told[0], told[1], told[2])), to_markdown(document(*told))
    for words in (*next_sentences(told[1]), *(one.caption for one in outlook_tables(told[1]))):
        assert words in page
        assert words in markdown.replace("\\", "")


def test_gaps_are_told() -> None:
    study = study_of((100,))
    few = replace(study, records=tuple(r for r in study.records if r.seed < 2))
    appraisal = appraise(few, read_economics(PRICES))
    gap = "crop has 2 seeds with predictions of both; an interval needs 3."
    assert gap in to_markdown(document(few, appraisal, read_economics(PRICES)))
    assert gap in render(few, appraisal, read_economics(PRICES))
    assert not next_sentences(appraisal)
