"""The report's tables as Markdown, for docs and issues."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cropworth.report import tables, text
from cropworth.report.outlook import next_sentences, outlook_tables
from cropworth.report.reasons import next_step, reasons
from cropworth.report.tables import Table
from cropworth.study.record import Study
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.results import Appraisal


def to_markdown(study: Study, appraisal: Appraisal, economics: Economics | None = None) -> str:
    """The study's summary.

    Args:
        study: what was measured; at least one record.
        appraisal: what that is worth.
        economics: the prices it was appraised under, where they are not the plan's own.
    """
    economics = economics or read_economics(study.economics)
    parts = [
        f"# {_escape(appraisal.study)}",
        f"**{_escape(appraisal.headline)}**",
        "\n".join(f"- {_escape(str(reason))}" for reason in reasons(appraisal)),
        f"What to measure next: {_escape(next_step(appraisal))}",
        *map(_escape, (*study.warnings, *appraisal.gaps)),
    ]
    parts += ["## What each candidate is worth", _table(tables.candidates_table(appraisal))]
    told = next_sentences(appraisal)
    if told:
        parts += ["### What to measure next", "\n".join(f"- {_escape(sentence)}" for sentence in told)]
    if appraisal.rules:
        parts += ["## How decisions are made", "\n".join(f"- {_escape(rule)}" for rule in appraisal.rules)]
    if depends := outlook_tables(appraisal):
        parts += ["## What it depends on", *map(_table, depends)]
    parts += ["## What was measured", _table(tables.variants_table(study, appraisal))]
    failures = tables.failures_table(study)
    if failures.rows:
        parts += [_table(failures)]
    if len(appraisal.sizes) > 1:
        parts += ["## How much data it takes", _table(tables.sizes_table(appraisal))]
    parts += ["## Prices used"]
    if economics.note:
        parts += [_escape(economics.note)]
    if appraisal.not_priced:
        parts += [f"Not priced, and so counted as 0: {_escape(', '.join(appraisal.not_priced))}."]
    parts += [_table(tables.prices_table(economics, appraisal.not_priced))]
    if study.from_files:
        parts += ["## Where the numbers come from", f"{text.BROUGHT} {tables.timing(study)}"]
    else:
        started = f"Trials started on {tables.when(study)} (UTC). {tables.timing(study)}"
        parts += ["## Where it was measured", started, *map(_table, tables.environment_tables(study))]
    parts += ["## How we know", text.how_we_know(study, appraisal)]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    lines = [
        _line(column.title for column in table.columns),
        _line("---:" if column.holds == "numbers" else ":---" for column in table.columns),
        *(_line(_escape(str(cell)) for cell in row) for row in table.rows),
    ]
    above = f"{_escape(table.caption)}:\n\n"
    return above + "\n".join(lines) + (f"\n\n{_escape(table.note)}" if table.note else "")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(plain: str) -> str:
    """Plain text, on one line, with the signs that Markdown or HTML would take for their own made harmless."""
    return re.sub(r"([\\`*_|<>&\[\]])", r"\\\1", " ".join(plain.split()))
