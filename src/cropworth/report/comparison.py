"""Two studies side by side, in words and tables."""

from __future__ import annotations

from cropworth.report import text
from cropworth.report.document import Document, Part, Section
from cropworth.report.tables import Cell, Column, Table
from cropworth.worth.comparison import Comparison, Side
from cropworth.worth.results import Interval
from cropworth.worth.words import MISSING, money, number

SIDES = ("then", "now")


def comparison_document(found: Comparison, prices: str) -> Document:
    """The comparison's words and tables.

    Args:
        found: the comparison.
        prices: whose prices both were appraised under, in words.
    """
    return Document(
        title=f"{found.before.study}, then and now"
        if found.before.study == found.after.study
        else f"{found.before.study} and {found.after.study}",
        verdict=_verdict(found),
        reasons=(f"Then: {found.before.headline}", f"Now: {found.after.headline}"),
        caveats=(*(f"Then: {gap}" for gap in found.before.gaps), *(f"Now: {gap}" for gap in found.after.gaps)),
        sections=(
            Section("What changed", (_measured(found), _worth(found), _how(found, prices))),
            Section("What was not the same", _differences(found)),
        ),
    )


def _verdict(found: Comparison) -> str:
    """In one sentence: which verdicts changed, and which variants read better or worse by more than chance."""
    turned = [
        f"{change.name}: {_verdict_of(change.before)} then, {_verdict_of(change.after)} now"
        for change in found.changes
        if change.other_verdict
    ]
    moved = [f"{change.name} errs {word}" for change in found.changes if (word := _direction(change.error))]
    verdicts = "; ".join(turned) if turned else "No verdict changed"
    return f"{verdicts}. {', '.join(moved) if moved else 'No variant errs more or less'} by more than chance."


def _direction(error: Interval) -> str:
    if error.low is None or error.high is None:
        return ""
    return "more" if error.low > 0 else "less" if error.high < 0 else ""


def _measured(found: Comparison) -> Table:
    regression = any(side.row.mean_error is not None for side in _sides(found))
    unit = "mean error" if regression else "errors per 1,000"
    factor = 1.0 if regression else 1000.0
    return Table(
        caption="What was measured of each variant",
        columns=(
            Column("variant", "words"),
            *(Column(f"{unit} {when}") for when in SIDES),
            Column("change"),
            *(Column(f"inference ms per item {when}") for when in SIDES),
            *(Column(f"training seconds {when}") for when in SIDES),
        ),
        rows=tuple(
            (
                change.name,
                *(_error(side, factor) for side in (change.before, change.after)),
                _interval(change.error, factor),
                *(_known(side.row.latency_s, 1e3) if side else MISSING for side in (change.before, change.after)),
                *(_known(side.row.training_s) if side else MISSING for side in (change.before, change.after)),
            )
            for change in found.changes
        ),
    )


def _worth(found: Comparison) -> Table:
    currency = found.after.currency
    return Table(
        caption="What each candidate is worth against its study's baseline, under the same prices",
        columns=(
            Column("variant", "words"),
            *(Column(f"verdict {when}", "words") for when in SIDES),
            *(Column(f"NPV {when}") for when in SIDES),
            Column("change"),
        ),
        rows=tuple(
            (
                change.name,
                *(Cell(_verdict_of(side), verdict=True) for side in (change.before, change.after)),
                *(_npv(side, currency) for side in (change.before, change.after)),
                _money_interval(change.npv, currency),
            )
            for change in found.changes
            if any(side is not None and side.candidate is not None for side in (change.before, change.after))
        ),
    )


def _how(found: Comparison, prices: str) -> str:
    items = (
        "Both have the same test items, so that errors are paired by item, and by the seeds that both have."
        if found.same_items
        else "The test items are others, so that each study's chance counts as its own."
    )
    return (
        f"Both are appraised under {prices}. {items} Each 95 % interval holds by itself; that of a change in NPV takes "
        "the two studies as independent, which makes it rather too wide where they share test items or guessed prices."
    )


def _differences(found: Comparison) -> tuple[Part, ...]:
    if not found.differences:
        return ("Plans, data and environments are the same.",)
    columns = (Column("key", "words"), Column("then", "sentences"), Column("now", "sentences"))
    rows = tuple((one.what, one.before, one.after) for one in found.differences)
    return (Table("Keys of the plan, the data's hash and the environment", columns, rows),)


def _sides(found: Comparison) -> list[Side]:
    return [side for change in found.changes for side in (change.before, change.after) if side is not None]


def _error(side: Side | None, factor: float) -> str | Cell:
    return MISSING if side is None else _interval(side.error, factor)


def _interval(found: Interval, factor: float) -> str | Cell:
    if found.estimate is None:
        return MISSING
    below = "" if found.low is None else f"{_scaled(found.low, factor)} to {_scaled(found.high, factor)}"
    return Cell(_scaled(found.estimate, factor), below)


def _money_interval(found: Interval, currency: str) -> str | Cell:
    return (
        MISSING
        if found.estimate is None
        else Cell(money(found.estimate, currency), text.money_interval(found, currency))
    )


def _npv(side: Side | None, currency: str) -> str | Cell:
    return MISSING if side is None or side.candidate is None else _money_interval(side.candidate.npv, currency)


def _verdict_of(side: Side | None) -> str:
    return "not there" if side is None else text.verdict_word(side.candidate)


def _known(measured: float | None, factor: float = 1.0) -> str:
    return number(measured * factor) if measured else MISSING


def _scaled(value: float | None, factor: float) -> str:
    return number(None if value is None else value * factor)
