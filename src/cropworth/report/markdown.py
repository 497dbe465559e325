"""A report as Markdown, for pull requests, issues and docs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cropworth.report.document import Document, Part, Points
from cropworth.report.tables import Table


def to_markdown(document: Document) -> str:
    """The document's text; GitHub's tables."""
    parts = [f"# {_escape(document.title)}", f"**{_escape(document.verdict)}**", _part(Points(document.reasons))]
    parts += map(_escape, document.caveats)
    for section in document.sections:
        parts += [f"## {_escape(section.title)}", *map(_part, section.parts)]
    return "\n\n".join(parts) + "\n"


def _part(part: Part) -> str:
    if isinstance(part, Points):
        return "\n".join(f"- {_escape(sentence)}" for sentence in part.sentences)
    return _escape(part) if isinstance(part, str) else _table(part)


def _table(table: Table) -> str:
    lines = [
        _line(column.title for column in table.columns),
        _line("---:" if column.holds == "numbers" else ":---" for column in table.columns),
        *(_line(map(str, row)) for row in table.rows),
    ]
    above = f"{_escape(table.caption)}:\n\n"
    return above + "\n".join(lines) + (f"\n\n{_escape(table.note)}" if table.note else "")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_escape, cells))} |"


def _escape(plain: str) -> str:
    """Plain text, on one line, with the signs that Markdown or HTML would take for their own made harmless."""
    return re.sub(r"([\\`*_|<>&\[\]])", r"\\\1", " ".join(plain.split()))
