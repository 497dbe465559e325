"""A report on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from cropworth.report.document import Document, Part, Points
from cropworth.report.tables import Table as Plain

UNBOUNDED = 10_000  # characters: a width that no table needs


@dataclass(frozen=True)
class OnTerminal:
    """A document that rich prints."""

    document: Document

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What to print, from top to bottom."""
        yield Text(self.document.title, style="dim")
        yield Text(self.document.verdict, style="bold")
        yield from _shown(Points(self.document.reasons), console, options)
        for caveat in self.document.caveats:
            yield Text(caveat, style="yellow")
        for section in self.document.sections:
            yield Text(f"\n{section.title}", style="bold underline")
            for part in section.parts:
                yield from _shown(part, console, options)


def _shown(part: Part, console: Console, options: ConsoleOptions) -> Iterator[Text | Table]:
    if isinstance(part, Points):
        yield from (Text(f"\N{BULLET} {sentence}") for sentence in part.sentences)
    elif isinstance(part, str):
        yield Text(part)
    else:
        upright = _table(part)
        # A table of many numbers a variant fits when each variant has a column instead of a row.
        wide = Measurement.get(console, options.update_width(UNBOUNDED), upright).maximum > options.max_width
        yield Text(f"\n{part.caption}")
        yield _turned(part) if wide and len(part.columns) > len(part.rows) + 1 else upright
        if part.note:
            yield Text(part.note, style="dim")


def _table(table: Plain) -> Table:
    columns = (
        Column(column.title, justify="right" if column.holds == "numbers" else "left", overflow="fold")
        for column in table.columns
    )
    return _filled(columns, (map(str, row) for row in table.rows))


def _turned(table: Plain) -> Table:
    """A row for each column, a column for each row."""
    first, *others = table.columns
    columns = (Column(first.title), *(Column(str(row[0]), overflow="fold") for row in table.rows))
    turned = ((column.title, *(str(row[i]) for row in table.rows)) for i, column in enumerate(others, start=1))
    return _filled(columns, turned)


def _filled(columns: Iterable[Column], rows: Iterable[Iterable[str]]) -> Table:
    made = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        made.add_row(*map(Text, row))
    return made
