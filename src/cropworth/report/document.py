"""The report's words and tables in reading order, as plain data: what Markdown, JSON and the terminal show alike."""

from __future__ import annotations

from dataclasses import dataclass

from cropworth.report import tables, text
from cropworth.report.outlook import next_sentences, outlook_tables
from cropworth.report.reasons import next_step, reasons
from cropworth.report.tables import Table
from cropworth.study.record import Study
from cropworth.worth.economics import Economics
from cropworth.worth.results import Appraisal


@dataclass(frozen=True)
class Points:
    """Sentences of equal rank."""

    sentences: tuple[str, ...]


Part = str | Points | Table


@dataclass(frozen=True)
class Section:
    """A part of the report under a title of its own.

    Attributes:
        title: of the section.
        parts: paragraphs, lists and tables, in reading order.
    """

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes:
        title: the study's name.
        verdict: in one sentence.
        reasons: for it, and what to do next: few sentences.
        caveats: what a reader must know of data and records before believing it, a sentence each.
        sections: in reading order; none is empty.
    """

    title: str
    verdict: str
    reasons: tuple[str, ...]
    caveats: tuple[str, ...]
    sections: tuple[Section, ...]


def document(study: Study, appraisal: Appraisal, economics: Economics) -> Document:
    """The report of a study.

    Args:
        study: what was measured; at least one record.
        appraisal: what that is worth.
        economics: the prices it was appraised under.
    """
    sections = (
        Section("What each candidate is worth", (tables.candidates_table(appraisal),)),
        Section("What to measure next", _points(next_sentences(appraisal))),
        Section("How decisions are made", _points(appraisal.rules)),
        Section("What it depends on", outlook_tables(appraisal)),
        Section("What was measured", _filled(tables.variants_table(study, appraisal), tables.failures_table(study))),
        Section("How much data it takes", (tables.sizes_table(appraisal),) if len(appraisal.sizes) > 1 else ()),
        Section("Prices used", _prices(appraisal, economics)),
        _origin(study),
        Section("How we know", (text.how_we_know(study, appraisal),)),
    )
    return Document(
        title=appraisal.study,
        verdict=appraisal.headline,
        reasons=(*map(str, reasons(appraisal)), f"What to measure next: {next_step(appraisal)}"),
        caveats=(*study.warnings, *appraisal.gaps),
        sections=tuple(section for section in sections if section.parts),
    )


def _prices(appraisal: Appraisal, economics: Economics) -> tuple[Part, ...]:
    absent = ", ".join(appraisal.not_priced)
    said = (economics.note, f"Not priced, and so counted as 0: {absent}." if absent else "")
    return (*filter(None, said), tables.prices_table(economics, appraisal.not_priced))


def _origin(study: Study) -> Section:
    if study.from_files:
        return Section("Where the numbers come from", (f"{text.BROUGHT} {tables.timing(study)}",))
    started = f"Trials started on {tables.when(study)} (UTC). {tables.timing(study)}"
    return Section("Where it was measured", (started, *tables.environment_tables(study)))


def _points(sentences: tuple[str, ...]) -> tuple[Part, ...]:
    return (Points(sentences),) if sentences else ()


def _filled(*found: Table) -> tuple[Table, ...]:
    return tuple(table for table in found if table.rows)
