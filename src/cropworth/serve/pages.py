"""The pages' HTML, in the report's own looks."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from statistics import fmean

import jinja2

from cropworth.report.html import environment
from cropworth.report.tables import Column, Table
from cropworth.report.text import KINDS, percent
from cropworth.serve.curves import HEIGHT, WIDTH, charts
from cropworth.serve.studies import Standing
from cropworth.serve.trials import Trial
from cropworth.serve.verdicts import Verdict
from cropworth.worth.words import MISSING, number

STYLES = ("base", "tables", "narrow_and_print")  # of the report's


def list_page(root: Path, found: Sequence[tuple[Standing, Verdict | None]]) -> str:
    """All studies of a folder, each with its verdict where there is one."""
    return _template("list.html.j2").render(root=root.name or str(root), found=found)


def study_page(study: Standing, verdict: Verdict | None) -> str:
    """One study as it stands."""
    return _template("study.html.j2").render(
        study=study,
        verdict=verdict,
        live=_live_table(study),
        charts=charts(study),
        chart_size=(WIDTH, HEIGHT),
        accuracies=_accuracies_table(study),
        galleries=_latest_with_crops(study),
        failures=_failures_table(study),
        percent=percent,
    )


def problem_page(said: str, why: str) -> str:
    """What is wrong, in words."""
    return _template("problem.html.j2").render(said=said, why=why)


@functools.cache
def style() -> str:
    """The report's style sheets, and what these pages add."""
    report = resources.files("cropworth.report").joinpath("templates", "css")
    parts = [report.joinpath(f"{name}.css") for name in STYLES]
    return "\n".join(part.read_text(encoding="utf-8") for part in (*parts, _own("serve.css")))


@functools.cache
def script() -> str:
    """What keeps a page up to date."""
    return _own("live.js").read_text(encoding="utf-8")


def _own(name: str) -> resources.abc.Traversable:
    return resources.files("cropworth.serve").joinpath("static", name)


def _live_table(study: Standing) -> Table:
    """The trials that run now, with their latest epoch."""
    rows = []
    for one in study.live:
        said, last = one.about, one.curve[-1] if one.curve else None
        losses = (
            (MISSING,) * 3 if last is None else _latest(last.train_loss, last.validation_loss, last.validation_accuracy)
        )
        epoch = f"{len(one.curve)} of up to {said['epochs']}"
        rows.append((said["name"], f"{said['train_size']:,}", str(said["seed"]), epoch, *losses))
    numbers = ("training items", "seed", "epochs done", "training loss", "validation loss", "validation accuracy")
    columns = (Column("variant", "words"), *map(Column, numbers))
    return Table("Trials that run now, after their latest epoch", columns, tuple(rows))


def _latest(train_loss: float, validation_loss: float, accuracy: float) -> tuple[str, str, str]:
    return number(train_loss), number(validation_loss), percent(accuracy)


def _accuracies_table(study: Standing) -> Table:
    """What finished trials reached on the test items, by variant and training-set size."""
    regression = any(trial.mean_error is not None for trial in study.trials)
    rows = []
    for size in sorted({trial.train_size for trial in study.trials}):
        for name, kind in study.kinds.items():
            own = [trial for trial in study.trials if (trial.variant, trial.train_size) == (name, size)]
            if own:
                rows.append((name, KINDS[kind], f"{size:,}", str(len(own)), *_spread(own, regression)))
    what = "mean error" if regression else "accuracy"
    mean = what if regression else f"mean {what}"
    columns = (Column("variant", "words"), Column("kind", "words"), *map(Column, ("training items", "trials", mean)))
    return Table(f"Test {what} of the finished trials", (*columns, Column("lowest"), Column("highest")), tuple(rows))


def _spread(trials: Sequence[Trial], regression: bool) -> tuple[str, str, str]:
    """Mean, lowest and highest; trials that diverged have no number."""
    reached = [t.mean_error if regression else t.accuracy for t in trials]
    known = [value for value in reached if value is not None]
    if not known:
        return MISSING, MISSING, MISSING
    mean, lowest, highest = ((number if regression else percent)(f(known)) for f in (fmean, min, max))
    return mean, lowest, highest


def _latest_with_crops(study: Standing) -> list[Trial]:
    """Of each variant that crops, the trial with pictures that finished last."""
    with_pictures = sorted((t for t in study.trials if t.examples), key=lambda t: (t.ended_at, t.name))
    latest = {trial.variant: trial for trial in with_pictures}
    return [latest[name] for name in study.kinds if name in latest]


def _failures_table(study: Standing) -> Table:
    columns = (Column("variant", "words"), Column("training items"), Column("seed"))
    failed = sorted(study.failed, key=lambda trial: trial.ended_at, reverse=True)
    return Table(
        caption="Trials that diverged, or whose crop collapsed, the latest first",
        columns=(*columns, Column("outcome", "words"), Column("reason", "sentences")),
        rows=tuple((t.variant, f"{t.train_size:,}", str(t.seed), t.status, t.reason) for t in failed),
    )


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def _template(name: str) -> jinja2.Template:
    made = environment("cropworth.serve", "cropworth.report")
    made.filters |= {"when": _when, "thousands": "{:,}".format}
    return made.get_template(name)
