"""Every column of numbers has a formula, and formulas say what the docs and the appraisal have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from cropworth.report import tables
from cropworth.report.formulas import FORMULAS, Formula
from cropworth.report.outlook import outlook_tables
from cropworth.report.tables import Table
from cropworth.report.trace import PRICE
from cropworth.report.trials import OWN, trials_table
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import read_economics
from cropworth.worth.results import Appraisal, Candidate, Interval, Row
from report.test_report_outlook import PRICES, study_of

DOCS = Path(__file__).parents[2]
GIVEN_ANYWHERE = {"horizon_years", "margin"}


@pytest.fixture(scope="module")
def shown(full_study: Study, full_appraisal: Appraisal) -> list[Table]:
    """All tables of two studies: one has all kinds of variants and a failure, the other all that depends on prices."""
    study, economics = study_of((400, 1600)), read_economics(PRICES)
    appraisal = appraise(study, economics)
    found = list(outlook_tables(appraisal))
    for made, worth in ((full_study, full_appraisal), (study, appraisal)):
        found += [
            tables.candidates_table(worth),
            tables.variants_table(made, worth),
            tables.sizes_table(worth),
            tables.failures_table(made),
            trials_table(made),
        ]
    return found


def test_every_column_of_numbers_has_a_formula(shown: list[Table]) -> None:
    for table in shown:
        for column in table.columns[1:]:
            if column.holds == "numbers":
                assert column.key, f"{table.caption}: {column.title}"
            if column.key:
                assert FORMULAS[column.key.partition("@")[0]].formula


def test_the_tables_have_a_use_for_nearly_every_formula(shown: list[Table]) -> None:
    used = {column.key.partition("@")[0] for table in shown for column in table.columns}
    # Of a regression, and of a study with energy that is known in part only.
    assert set(FORMULAS) - used <= {"mean_error", "costs.energy of inference", "costs.energy of training"}


def test_every_measured_number_has_a_formula() -> None:
    said_with_another = {"name", "kind", "training_cpu_s", "latency_p90_s", "diverged", "collapsed"}
    assert {field.name for field in fields(Row)} - said_with_another <= set(FORMULAS)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_the_docs_say_more(formula: Formula) -> None:
    headings = re.findall(r"^##+ (.+)$|^\*\*(.+?)\.\*\*", (DOCS / formula.page).read_text(), re.MULTILINE)
    assert formula.section in {name for pair in headings for name in pair}
    assert set(formula.records) <= set(OWN)
    assert formula.says.endswith(".")
    assert len(formula.formula) <= 120


def _symbols() -> Iterator[tuple[str, str]]:
    return ((symbol.sign, symbol.value) for formula in FORMULAS.values() for symbol in formula.symbols if symbol.value)


@pytest.mark.parametrize(("sign", "value"), sorted(set(_symbols())))
def test_a_symbols_value_is_to_be_found(sign: str, value: str) -> None:
    if value.startswith(PRICE):
        every = {"engineering": {"once": 1}, "watts": 1}
        assert value.removeprefix(PRICE) in {*read_economics(every).prices(), *GIVEN_ANYWHERE}, sign
    else:
        field, _, part = value.partition(".")
        assert field in {one.name for one in fields(Candidate)}, sign
        assert not part or part in {one.name for one in fields(Interval)}
