from __future__ import annotations

import re
from dataclasses import replace

from cropworth.report.document import document
from cropworth.report.markdown import to_markdown
from cropworth.study.record import Study
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.results import Appraisal, SizeAppraisal
from factories import make_record, make_study
from report.appraisals import KINDS, make_appraisal, make_candidate, make_economics, make_row


def markdown_of(study: Study, appraisal: Appraisal, economics: Economics | None = None) -> str:
    return to_markdown(document(study, appraisal, economics or read_economics(study.economics)))


def tables(markdown: str) -> list[list[list[str]]]:
    """The cells of each table, head and rule included; a pipe with a backslash is no border."""
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", markdown, re.MULTILINE)
    return [[re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()] for block in blocks]


def test_a_row_for_each_variant(full_study: Study, full_appraisal: Appraisal) -> None:
    markdown = markdown_of(full_study, full_appraisal)
    candidates, _, variants, *_ = tables(markdown)
    assert [row[0].strip() for row in candidates[2:]] == [name for name in KINDS if name != "baseline"]
    assert [row[0].strip() for row in variants[2:]] == list(KINDS)
    assert full_appraisal.headline.split(":")[0] in markdown
    assert "EUR 1.23 million" in markdown


def test_tables_have_as_many_cells_in_each_row(full_study: Study, full_appraisal: Appraisal) -> None:
    found = tables(markdown_of(full_study, full_appraisal))
    assert len(found) == 7  # candidates, costs, variants, failures, sizes, prices, environment
    assert all(len({len(row) for row in table}) == 1 for table in found)


def test_says_where_and_when_it_was_measured(full_study: Study, full_appraisal: Appraisal) -> None:
    markdown = markdown_of(full_study, full_appraisal)
    assert "2023-11-14 (UTC)" in markdown
    assert "| torch | 2.15.0 |" in markdown


def test_what_was_left_out_of_the_data_is_said(full_study: Study, full_appraisal: Appraisal) -> None:
    warned = replace(full_study, warnings=("Left out: 3 <images>.",))
    assert "\n\nLeft out: 3 \\<images\\>.\n\n" in markdown_of(warned, full_appraisal)


def test_awkward_names_stay_names() -> None:
    study = make_study([make_record(), make_record("<b>|*x*")])
    rows = tuple(make_row(name) for name in study.kinds)
    sizes = (SizeAppraisal(100, rows, (make_candidate("<b>|*x*"),)),)
    markdown = markdown_of(study, make_appraisal(sizes, headline="Adopt\n# it."))
    assert r"\<b\>\|\*x\*" in markdown
    assert "\n# it" not in markdown


def test_prices_are_those_given() -> None:
    study = make_study([make_record(), make_record("zoom")], economics={"cost_per_error": 2.5})
    sizes = (SizeAppraisal(100, tuple(make_row(name) for name in study.kinds), (make_candidate("zoom"),)),)
    assert r"| cost\_per\_error | 2.5 |" in markdown_of(study, make_appraisal(sizes))
    given = markdown_of(study, make_appraisal(sizes), make_economics(cost_per_error=7.5))
    assert r"| cost\_per\_error | 7.5 |" in given
    assert "example prices" in given
