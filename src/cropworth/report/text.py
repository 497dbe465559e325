"""Numbers and verdicts in words, and the table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from rich import box
from rich.table import Column, Table
from rich.text import Text

from cropworth.worth.interval import FEWEST_SEEDS
from cropworth.worth.words import MISSING, money, number

if TYPE_CHECKING:
    from cropworth.study.record import Kind, Study
    from cropworth.until_clear import Look
    from cropworth.worth.results import Appraisal, Candidate, Interval, Row

KINDS: dict[Kind, str] = {
    "baseline": "baseline",
    "crop": "learned crop",
    "candidate": "candidate",
    "control": "control",
    "oracle": "oracle: the true box",
}


BROUGHT = "The predictions and their costs come from files; nothing was trained or timed for this report."


def percent(fraction: float | None, decimals: int = 1) -> str:
    """0.1234 -> 12.3 %."""
    return MISSING if fraction is None else f"{100 * fraction:,.{decimals}f} %".replace("-", "\N{MINUS SIGN}")


def flops(count: float) -> str:
    """25_400_000 -> 25.4 MFLOP."""
    return _scaled(count, 3) + "FLOP"


def size_in_bytes(count: float | None) -> str:
    """51_000_000 -> 51 MB."""
    return MISSING if count is None else _scaled(count, 2) + "B"


def years(value: float | None) -> str:
    """1.42 -> 1.4 years; 0 -> at once."""
    if value is None:
        return MISSING
    return "at once" if value <= 0 else f"{number(value, 2)} years" if value >= 0.1 else "under 0.1 years"


def money_interval(interval: Interval, currency: str) -> str:
    """The interval's ends, or that they are not known; empty where there is not even an estimate."""
    if interval.estimate is None:
        return ""
    if interval.low is None or interval.high is None:
        return "interval not known"
    return f"{money(interval.low, currency)} to {money(interval.high, currency)}"


def return_on_investment(candidate: Candidate) -> str:
    """A percentage, or 'dominates' where the candidate costs no more and a ratio has no meaning."""
    return "dominates" if candidate.dominates else percent(candidate.roi, 0)


def verdict_word(candidate: Candidate | None) -> str:
    """The verdict, or in one word why there is none."""
    if candidate is not None and not candidate.deployable:
        return "not deployable"
    return "no verdict" if candidate is None or candidate.verdict is None else candidate.verdict


def headline_candidate(appraisal: Appraisal) -> Candidate | None:
    """The candidate that the headline is about."""
    return next((c for c in appraisal.largest.candidates if c.name == appraisal.best), None)


def trained_on(train_size: int) -> str:
    """1000 -> ", trained on 1,000 items"; empty where the number is not known, and so 0."""
    return f", trained on {train_size:,} items" if train_size else ""


def over_years(appraisal: Appraisal) -> str:
    """3 -> "over 3 years"; 1 -> "over a year"."""
    return "over a year" if appraisal.horizon_years == 1 else f"over {appraisal.horizon_years} years"


def named(path: str) -> str:
    """The path of a price in words: of a matrix it is a multiple."""
    return f"multiple of {path}" if path in ("cost_matrix", "value_matrix", "value_fn") else path


def known(measured: float) -> str:
    """A number that is 0 only where it was not measured."""
    return number(measured or None)


def brought_times(study: Study) -> str:
    """Where the inference times of a study from files come from, in one sentence."""
    if study.latency is None:
        return "Inference times are not known."
    rounds = max(map(len, study.latency.seconds_per_item.values()))
    return f"Inference times are those of the file of costs, {rounds} of each variant, paired by seed."


def how_we_know(study: Study, appraisal: Appraisal) -> str:
    """Where the numbers and their intervals come from, in two sentences."""
    size = appraisal.largest.train_size
    seeds = len({record.seed for record in study.records if record.train_size == size})
    count = "one seed" if seeds == 1 else f"{seeds} seeds"
    judged = f"judged on the same {appraisal.test_items:,} test items"
    each = count if seeds == 1 else f"{'up to' if study.looks else 'each of'} {count}"
    trained = f"Every variant was trained on {size:,} items with {each}, and {judged}"
    if study.from_files:
        trained = f"Every variant{trained_on(size)}{',' if size else ''} was {judged}, with predictions of {count}"
    if study.looks:
        trained += f"; seeds were added while a verdict was open, with looks after {', '.join(map(str, study.looks))}"
    if seeds < FEWEST_SEEDS:
        return (
            f"{trained}. So few seeds cannot tell how results vary from seed to seed, so that there are no intervals."
        )
    crops = sum(candidate.kind in ("crop", "candidate") for candidate in appraisal.largest.candidates)
    held = [f"for all {crops} candidates at once"] if crops > 1 else []
    held += ["at every look"] if study.looks else []
    wider = f"; a verdict's interval holds {' and '.join(held)}, which makes it wider" if held else ""
    return (
        f"{trained}. The 95 % intervals are t intervals of the paired differences, with a variance by seeds and one by "
        "test items (and, for the NPV, by rounds of timing and by draws of the prices that are guesses)"
        f"{wider}."
    )


def waiting_line(appraisal: Appraisal) -> str:
    """How long training waited for its data, in one sentence; empty where that is not known."""
    shares = {row.name: row.waiting_share for row in appraisal.largest.rows if row.waiting_share is not None}
    if not shares:
        return ""
    least, most = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    told = percent(shares[most])
    if told != percent(shares[least]):
        told = f"{percent(shares[least])} ({least}) to {told} ({most})"
    return f"Training waited for data for {told} of its time."


def round_line(look: Look) -> str:
    """One round of `--until-clear`: what is decided, what goes on, what that may gain and what it costs."""
    decision = look.decision
    verdicts = {s.name: s.verdict for s in look.standings}
    groups: dict[str, list[str]] = {}
    for name, reason in decision.stopped.items():
        groups.setdefault(reason, []).append(f"{name} ({verdicts[name]})" if reason == "clear" else name)
    line = f"After {max(s.trials for s in look.standings)} seeds, {number(look.hours, 2)} machine-hours: "
    line += "; ".join(f"{reason}: {', '.join(names)}" for reason, names in groups.items()) or "nothing is clear yet"
    if not decision.goes_on:
        return f"{line}. Done."
    on = ", ".join(f"{name} to {seeds} seeds" for name, seeds in decision.goes_on.items())
    gains = [money(gain, look.currency) for gain in decision.gains.values() if isfinite(gain)]
    gain = f"expected gain {' and '.join(gains)}, " if gains else ""
    cost = f"cost {money(decision.cost, look.currency)}, {number(decision.hours, 2)} machine-hours"
    return f"{line}. On with {on}: {gain}{cost}."


def quality_titles(appraisal: Appraisal) -> tuple[str, ...]:
    """What says how well a variant predicts: of classes, or of a regression."""
    regression = any(row.mean_error is not None for row in appraisal.largest.rows)
    return ("mean error",) if regression else ("accuracy", "errors per 1,000")


def quality(row: Row, titles: Sequence[str]) -> tuple[str, ...]:
    """The cells under these of `quality_titles`."""
    cells = {
        "mean error": number(row.mean_error),
        "accuracy": percent(row.accuracy),
        "errors per 1,000": number(row.errors_per_thousand),
    }
    return tuple(cells[title] for title in titles)


def terminal_table(appraisal: Appraisal) -> Table:
    """The variants at the largest training-set size, for a terminal."""
    # Without frames everything fits 80 columns; a variant's name is what a reader types, so it is never cut.
    table = Table(Column("variant", no_wrap=True), box=box.SIMPLE_HEAD, pad_edge=False)
    titles = quality_titles(appraisal)
    for column in (
        *titles,
        "training seconds",
        "inference ms per item",
        "FLOPs per item",
    ):
        table.add_column(column, justify="right")
    for row in appraisal.largest.rows:
        table.add_row(
            Text(row.name),
            *quality(row, titles),
            known(row.training_s),
            number(None if row.latency_s is None else row.latency_s * 1e3),
            flops(row.flops_per_item) if row.flops_per_item else MISSING,
        )
    return table


def _scaled(value: float, digits: int) -> str:
    factor, prefix = next((f, p) for f, p in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (0, "")) if value >= f)
    return f"{number(value / (factor or 1), digits)} {prefix}"
