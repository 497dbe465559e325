"""The tables of what a verdict depends on, as plain data."""

from __future__ import annotations

from cropworth.report import text
from cropworth.report.tables import Cell, Column, Table, numbers_table
from cropworth.worth.information import advice
from cropworth.worth.results import Appraisal, Bar, Candidate, Interval, Outlook
from cropworth.worth.words import MISSING, humanised, money, number

MOST_BARS = 12
NARROWEST = 0.01  # of the widest bar: below, the digits shown do not differ


def outlook_tables(appraisal: Appraisal) -> tuple[Table, ...]:
    """All tables that have something to say, in reading order."""
    best = text.headline_candidate(appraisal)
    found = [_chances(appraisal), _costs(appraisal), _ranking(appraisal)]
    if best is not None and best.outlook is not None:
        found += [_tornado(appraisal, best), _grid(appraisal, best), _decisions(best)]
    return tuple(table for table in found if table.rows)


def next_sentences(appraisal: Appraisal) -> tuple[str, ...]:
    """What to measure next, and how much data it takes, a sentence for each candidate of which it can be told."""
    told = [(c.name, c.outlook) for c in appraisal.largest.candidates if c.outlook is not None and c.deployable]
    measure = [f"{name}: {advice(outlook.next)}" for name, outlook in told]
    data = [f"{name}: {outlook.learning.words}" for name, outlook in told if outlook.learning is not None]
    return (*measure, *data)


def _chances(appraisal: Appraisal) -> Table:
    priced = text.named(appraisal.error_price)
    return Table(
        caption="How likely it pays, and from where on",
        columns=(
            Column("variant", "words"),
            Column("chance that it is worth it", key="probability_worth_it"),
            Column(f"break-even {priced}", key="break_even_error_price"),
            Column("break-even price of a compute hour", key="break_even_compute_price"),
            Column("payback, discounted", key="discounted_payback_years"),
            Column("worth of knowing for sure", key="perfect_information"),
        ),
        rows=tuple(
            (
                c.name,
                text.percent(c.outlook.probability_worth_it),
                number(c.break_even_error_price),
                number(c.break_even_compute_price),
                text.years(c.discounted_payback_years),
                money(c.outlook.perfect_information, appraisal.currency),
            )
            for c in appraisal.largest.candidates
            if c.outlook is not None
        ),
        note=f"A break-even of 0: it pays at any price. “{MISSING}”: no price is high enough. The worth of knowing for "
        "sure is the expected value of perfect information: the most that any further measurement can be worth.",
    )


def _costs(appraisal: Appraisal) -> Table:
    priced = [c for c in appraisal.largest.candidates if c.costs]
    names = list(dict.fromkeys(cost.name for c in priced for cost in c.costs))
    study = "" if appraisal.study_cost is None else (
        f" The study itself cost {money(appraisal.study_cost, appraisal.currency)} of machine time, which is spent "
        "whatever is decided and stands in no sum."
    )  # fmt: skip
    return Table(
        caption="What it costs more than the baseline, in money of today",
        columns=(Column("variant", "words"), *(Column(name, key=f"costs.{name}") for name in names)),
        rows=tuple((c.name, *(_cost(c, name, appraisal.currency) for name in names)) for c in priced),
        note="Below 0 it costs less. What is unavailable or not priced counts as nothing." + study,
    )


def _cost(candidate: Candidate, name: str, currency: str) -> str | Cell:
    cost = next((cost for cost in candidate.costs if cost.name == name), None)
    if cost is None:
        return MISSING
    return cost.source if cost.present_value is None else Cell(money(cost.present_value, currency), cost.source)


def _ranking(appraisal: Appraisal) -> Table:
    return numbers_table(
        "All that can be deployed, ranked by net present value",
        "variant",
        (
            ("chance to be the best", "probability_best"),
            ("expected rank", "expected_rank"),
            ("may be the best", "may_be_best"),
            ("dominated by", "dominated_by"),
        ),
        (
            (
                rank.name,
                text.percent(rank.probability_best),
                number(rank.expected_rank, 2),
                "yes" if rank.may_be_best else "no",
                " with ".join(rank.dominated_by) or MISSING,
            )
            for rank in appraisal.ranking
        ),
        "“May be the best”: in the set that holds the best variant 95 % of the time, however many there are. A "
        "dominated variant gains no more and costs no less than another, or than a mixture of two.",
        static=True,
    )


def _tornado(appraisal: Appraisal, best: Candidate) -> Table:
    assert best.outlook is not None
    currency = appraisal.currency
    return numbers_table(
        f"What the worth of {best.name} depends on, the widest first",
        "input",
        (("lower", "npv_at_low"), ("higher", "npv_at_high"), ("other verdict", "flips")),
        (
            (
                text.named(bar.input),
                Cell(money(bar.npv_at_low, currency), _end(bar, bar.low)),
                Cell(money(bar.npv_at_high, currency), _end(bar, bar.high)),
                "yes" if bar.flips else "no",
            )
            for bar in told_bars(best.outlook)
        ),
        "Each input is varied alone, all others at their means. A guess and what was measured go from their 10 % to "
        "their 90 % quantile, a price that was given as one number to half of it and twice it.",
        name="tornado",
    )


def told_bars(outlook: Outlook) -> list[Bar]:
    """The bars of the tornado that are worth a look."""
    bars = outlook.tornado[:MOST_BARS]
    return [bar for bar in bars if bar.flips or _width(bar) >= NARROWEST * _width(bars[0])]


def _width(bar: Bar) -> float:
    return abs(bar.npv_at_high - bar.npv_at_low)


def _end(bar: Bar, value: float | None) -> str:
    return "as measured" if value is None else f"at {number(value)}"


def _grid(appraisal: Appraisal, best: Candidate) -> Table:
    assert best.outlook is not None
    grid = best.outlook.grid
    if len(set(grid.volumes)) < 2 or len(set(grid.error_prices)) < 2:
        return numbers_table("", "", (), ())
    return Table(
        caption=f"{best.name} by predictions a year (down) and {text.named(appraisal.error_price)} (across)",
        columns=(
            Column("predictions", "words"),
            *(Column(number(price), "words", f"grid@{price:.12g}") for price in grid.error_prices),
        ),
        rows=tuple(
            (
                humanised(volume),
                *(
                    Cell(verdict, money(npv, appraisal.currency), verdict=True)
                    for verdict, npv in zip(verdicts, npvs, strict=True)
                ),
            )
            for volume, verdicts, npvs in zip(grid.volumes, grid.verdicts, grid.npv, strict=True)
        ),
        name="break-even",
    )


def _decisions(best: Candidate) -> Table:
    curve = best.outlook.decisions if best.outlook is not None else None
    shown = range(0) if curve is None else range(0, len(curve.thresholds), 3)
    return numbers_table(
        f"Net benefit of {best.name}, the clinician's view",
        "threshold",
        (
            ("baseline", "net_benefit@baseline"),
            (best.name, "net_benefit@candidate"),
            ("difference", "net_benefit@difference"),
            ("treat all", "treat_all"),
        ),
        (
            (
                text.percent(curve.thresholds[i], 0),
                *(_ends(benefit.net_benefit[i]) for benefit in (curve.baseline, curve.candidate, curve.difference)),
                number(curve.treat_all[i]),
            )
            for i in shown
            if curve is not None
        ),
        "True positives less false ones, weighed by the odds of the threshold, per item; treating none has 0. With "
        "95 % intervals, each for its own threshold.",
        static=True,
    )


def _ends(interval: Interval) -> Cell:
    below = "" if interval.low is None else f"{number(interval.low)} to {number(interval.high)}"
    return Cell(number(interval.estimate), below)
