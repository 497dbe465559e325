"""What a candidate's worth depends on: each input varied alone, two together, the price of an error, and chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cropworth.worth.information import Source, evpi, evppi, next_measurement
from cropworth.worth.interval import ErrorRates, half_width
from cropworth.worth.money import break_even
from cropworth.worth.results import (
    Bar,
    BreakEvenCurve,
    DecisionCurve,
    Grid,
    Interval,
    LearningCurve,
    Outlook,
    Verdict,
)
from cropworth.worth.scenario import Case
from cropworth.worth.verdict import judge

QUANTILES = tuple(sorted({*(percent / 100 for percent in range(1, 100)), 0.025, 0.975}))  # enough for a histogram
ACCEPTABILITY_STEPS, ACCEPTABILITY_REACH = 21, 4.0  # from nothing to four times the price
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
VOLUMES, BESIDE, FARTHEST = 41, 4.0, 1000.0  # of the break-even curve: points; factors beyond its marks, and between
NOT_DOUBLED = ("growth", "compute_price_change")  # twice a change a year says nothing


def outlook(
    case: Case,
    rates: ErrorRates,
    sources: Sequence[Source],
    decisions: DecisionCurve | None,
    learning: LearningCurve | None,
) -> Outlook:
    """Everything that depends on prices and chance.

    Args:
        case: of a candidate whose gains have an interval.
        rates: of the interval by which the verdict is reached.
        sources: what could be measured further.
        decisions: see `Outlook`.
        learning: see `Outlook`.
    """
    simulated, price, margin = case.simulated, case.economics.error_price, case.economics.margin
    now = case.means[price]
    acceptable = []
    for amount in np.linspace(0.0, ACCEPTABILITY_REACH * (now or 1.0), ACCEPTABILITY_STEPS):
        at_price = case.simulate({**case.drawn, price: float(amount)})
        acceptable.append((float(amount), float((at_price > margin).mean())))
    known = {path: evppi(simulated - margin, np.asarray(case.drawn[path])) for path in case.guesses}
    return Outlook(
        probability_worth_it=float((simulated > margin).mean()),
        quantiles=tuple((q, float(np.quantile(simulated, q))) for q in QUANTILES),
        acceptability=tuple(acceptable),
        tornado=tornado(case, rates),
        grid=grid(case, rates),
        break_even_curve=break_even_curve(case, rates),
        perfect_information=evpi(simulated - margin),
        next=next_measurement(case.npv(), sources, known, case.economics.currency, margin),
        decisions=decisions,
        learning=learning,
    )


def tornado(case: Case, rates: ErrorRates) -> tuple[Bar, ...]:
    """Each input varied alone, the widest bar first; bars without width are left out."""
    now = judge(case.interval_at(rates=rates), case.economics.margin)
    bars = [*_of_prices(case, rates, now), *_of_measurements(case, rates, now)]
    bars = [bar for bar in bars if bar.npv_at_low != bar.npv_at_high]
    return tuple(sorted(bars, key=lambda bar: abs(bar.npv_at_high - bar.npv_at_low), reverse=True))


def grid(case: Case, rates: ErrorRates) -> Grid:
    """A quarter to four times the volume and the price of an error."""
    price = case.economics.error_price
    volumes = [factor * case.means["predictions_per_year"] for factor in FACTORS]
    amounts = [factor * case.means[price] for factor in FACTORS]
    cells = [
        [case.interval_at({"predictions_per_year": volume, price: amount}, rates) for amount in amounts]
        for volume in volumes
    ]
    return Grid(
        tuple(volumes),
        tuple(amounts),
        tuple(tuple(cell.estimate or 0.0 for cell in row) for row in cells),
        tuple(tuple(judge(cell, case.economics.margin) for cell in row) for row in cells),
    )


def break_even_curve(case: Case, rates: ErrorRates) -> BreakEvenCurve:
    """From a quarter of the smaller to four times the larger of two volumes: today's, and that from which it pays.

    A volume from which it pays that is more than a thousand times today's, or less than a thousandth, is out of sight.
    """
    now, pays = case.means["predictions_per_year"], break_even_price(case, "predictions_per_year")
    if now and pays:
        pays = min(max(pays, now / FARTHEST), now * FARTHEST)
    marks = [volume for volume in (now, pays) if volume]
    if not marks:
        return BreakEvenCurve((), ())
    volumes = np.geomspace(min(marks) / BESIDE, max(marks) * BESIDE, VOLUMES).tolist()
    npv = [case.interval_at({"predictions_per_year": volume}, rates) for volume in volumes]
    return BreakEvenCurve(tuple(volumes), tuple(npv))


def break_even_price(case: Case, path: str) -> float | None:
    """The amount of a price from which the candidate pays, all others at their means; None where none does it."""
    return break_even(lambda amount: case.npv({path: amount}))


def _of_prices(case: Case, rates: ErrorRates, now: Verdict) -> list[Bar]:
    bars = []
    for path, mean in case.means.items():
        guess = case.guesses.get(path)
        if guess is not None:
            low, high = (float(end) for end in guess.quantile([0.1, 0.9]))
        elif mean and path not in NOT_DOUBLED:
            low, high = mean / 2, min(2 * mean, 1.0) if path in case.economics.shares else 2 * mean
        else:
            continue
        ends = [case.interval_at({path: end}, rates) for end in (low, high)]
        flips = any(judge(end, case.economics.margin) != now for end in ends)
        at_low, at_high = (end.estimate or 0.0 for end in ends)
        bars.append(Bar(path, "guess" if guess is not None else "what if", low, high, at_low, at_high, flips))
    return bars


def _of_measurements(case: Case, rates: ErrorRates, now: Verdict) -> list[Bar]:
    """What the predictions gain and the inference takes, at the 10 % and 90 % quantiles of what they may be.

    An end's verdict has the interval that there is now, moved there.
    """
    components = case.components()
    assert components is not None
    *predictions, timing = components
    estimate, half = case.npv(), half_width(components, rates)
    bars = []
    for name, own in (("what a prediction gains", predictions), ("inference time", [timing])):
        reach = half_width(own, ErrorRates(0.2, 0.2))
        ends = (estimate - reach, estimate + reach)
        verdicts = {judge(Interval(end, end - half, end + half), case.economics.margin) for end in ends}
        bars.append(Bar(name, "measured", None, None, *ends, flips=verdicts != {now}))
    return bars
