"""What the command line prints: of plans and their data, and of verdicts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table

from cropworth.errors import CropworthError

if TYPE_CHECKING:
    from cropworth.data.task import Task
    from cropworth.report.document import Document
    from cropworth.study.propose import Proposal
    from cropworth.study.record import Study
    from cropworth.study.run import Estimate, Prepared
    from cropworth.until_clear import Look
    from cropworth.worth.economics import Economics
    from cropworth.worth.results import Appraisal

# Of more classes only the rarest are shown: it is they that have too few items.
MOST_CLASSES = 20
MOST_PROBLEMS = 50  # of a command that does something else; `check` says all

out = Console()


def err() -> Console:
    """Standard error, a message a line."""
    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def busy(what: str) -> AbstractContextManager[object]:
    """Shows that something is being done, where there is a terminal to show it on."""
    return out.status(what) if out.is_terminal else nullcontext()


def print_error(error: CropworthError) -> None:
    """Bad input, on standard error; of many problems the first ones, and how many more there are."""
    shown = "\n".join(map(str, error.problems[:MOST_PROBLEMS]))
    more = len(error.problems) - MOST_PROBLEMS
    err().print(f"Error: {shown}" + (f"\n... and {more:,} more" if more > 0 else ""))


def print_warnings(warnings: Iterable[str]) -> None:
    """What a reader must know of the data, a line each, on standard error."""
    for warning in warnings:
        err().print(warning)


def print_problems(path: Path, problems: Sequence[CropworthError]) -> None:
    """How many there are in a plan, and each in a line, on standard error."""
    err().print(f"{path}: {len(problems):,} problem{'s' * (len(problems) != 1)}")
    for problem in problems:
        err().print(f"- {' '.join(str(problem).split())}")


def print_task(name: str, task: Task) -> None:
    """What was read: the items' size, and how many there are by split and class."""
    labels = task.labels()
    size = " x ".join(map(str, task.size))
    if task.vocabulary:
        shape = f"texts of up to {size} words, {task.vocabulary:,} known"
    elif task.is_sequence:
        shape = f"sequences of up to {size} steps, {task.channels} features"
    else:
        shape = f"images of {size} pixels, {task.channels} channels"
    out.print(f"[bold]{name}[/]: {task.name}, {shape}", highlight=False)
    table = Table("", *labels, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    counts = {
        label: [int((known == index).sum()) for known in labels.values()] for index, label in enumerate(task.classes)
    }
    shown = counts if len(counts) <= MOST_CLASSES else dict(sorted(counts.items(), key=_in_training)[:MOST_CLASSES])
    for label, of_class in shown.items():
        table.add_row(label, *(f"{count:,}" for count in of_class))
    if len(shown) < len(counts):
        table.add_row(f"(the rarest of {len(counts):,} classes)")
    table.add_row("items", *(f"{len(known):,}" for known in labels.values()))
    out.print(table)


def _in_training(counted: tuple[str, list[int]]) -> int:
    return counted[1][0]


def print_proposal(proposal: Proposal, to: Path) -> None:
    """What data were taken for, what was guessed and left out, and where the plan is."""
    found = proposal.found
    print_warnings(proposal.task.warnings)
    out.print(f"Taken for {found.what}: {found.why}.", highlight=False, markup=False, soft_wrap=True)
    for key, said in proposal.guessed.items():
        out.print(f"  {key}: {said.value} ({said.why})", highlight=False, markup=False, soft_wrap=True)
    if proposal.left_out:
        err().print(
            f"Items that cannot be used, which the plan leaves out (on_bad_item: skip): {len(proposal.left_out):,}"
        )
        for problem in proposal.left_out:
            err().print(f"- {' '.join(str(problem).split())}")
    print_task(to.stem, proposal.task)
    out.print(f"Written: {to}, to train about {duration(proposal.expected.seconds)}. Put in your own prices, then:")
    out.print(f"  cropworth check {to}", highlight=False, soft_wrap=True)


def print_trials(prepared: Prepared) -> None:
    """What one prediction of each variant computes, and how many trials there are."""
    plan = prepared.plan
    for name, count in prepared.flops.items():
        out.print(f"  {name} ({plan.kind(name)}): {count / 1e6:,.1f} MFLOP an item")
    sizes = ", ".join(f"{size:,}" for size in sorted(set(plan.study.train_sizes)))
    trials = len(plan.trials())
    out.print(f"{len(plan.variants)} variants x sizes {sizes} x {plan.study.seeds} seeds = {trials} trials")


def print_expected(expected: Estimate, trials: int, jobs: int) -> None:
    """How long it takes to train them, and how much of that is waiting for data."""
    from cropworth.report.text import percent

    waiting = f", {percent(expected.waiting_share)} of it waiting for data" if trials else ""
    out.print(f"{trials} to run, {jobs} at a time: about {duration(expected.seconds)}{waiting}")


def print_look(look: Look) -> None:
    """What a look at a study between two rounds of seeds found."""
    from cropworth.report.text import round_line

    out.print(round_line(look), highlight=False, soft_wrap=True)


def print_appraisal(appraisal: Appraisal) -> None:
    """The table of variants, the verdict, why it is that, and what to measure next."""
    from cropworth.report.reasons import next_step, reasons
    from cropworth.report.text import terminal_table, waiting_line

    out.print(terminal_table(appraisal))
    if waiting := waiting_line(appraisal):
        out.print(waiting, highlight=False, markup=False)
    out.print(f"\n[bold]{appraisal.headline}[/]", highlight=False)
    told = [*(f"- {reason}" for reason in reasons(appraisal)), f"What to measure next: {next_step(appraisal)}"]
    for sentence in (*told, *appraisal.gaps):
        out.print(sentence, highlight=False, markup=False)


def print_report(found: Study, appraisal: Appraisal, economics: Economics, path: Path) -> None:
    """Write the page, and say where it is."""
    from cropworth.report.html import write_report

    write_report(found, appraisal, economics, path)
    out.print(f"Report: {path}", highlight=False, soft_wrap=True)


def give_document(document: Document, form: Literal["md", "terminal"], to: Path | None) -> None:
    """A report in words: as Markdown, where it was asked for or printed; or for the terminal.

    Raises:
        CropworthError: the terminal was asked for with a file, or the file cannot be written.
    """
    if form == "md":
        from cropworth.report.markdown import to_markdown

        give(to_markdown(document), to)
        return
    from cropworth.report.console import OnTerminal

    if to is not None:
        raise CropworthError(f"--format terminal with --to {to}", "one of them", "Use --format md for a file.")
    out.print(OnTerminal(document))


def give(text: str, to: Path | None) -> None:
    """Write the text where a user wants it; on standard output where no path is given.

    Raises:
        CropworthError: it cannot be written there.
    """
    if to is None:
        sys.stdout.write(text)
        return
    from cropworth.study.ledger import write_asked_for

    write_asked_for(to, text)
    out.print(f"Written: {to}", highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    minutes = seconds / 60
    if minutes > 90:
        return f"{minutes / 60:.1f} hours"
    return f"{minutes:.0f} minutes" if minutes >= 2 else f"{seconds:.0f} s"
