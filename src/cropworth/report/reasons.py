"""Why the verdict is what it is: what the candidate gains, what it costs, what decides; and what to measure next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cropworth.report import text
from cropworth.worth.information import advice
from cropworth.worth.interval import FEWEST_SEEDS
from cropworth.worth.results import Appraisal, Candidate, Interval
from cropworth.worth.words import humanised, money, number

LEAST_COST = 0.01  # of the largest: below, it decides nothing
CENT = 0.01


@dataclass(frozen=True)
class Reason:
    """One of three.

    Attributes:
        measured: what holds at any prices; may be empty.
        priced: what holds at these prices, which the page writes anew where a reader sets others; may be empty.
    """

    measured: str
    priced: str

    def __str__(self) -> str:
        return f"{self.measured} {self.priced}".strip()


def reasons(appraisal: Appraisal) -> tuple[Reason, Reason, Reason]:
    """What the headline's candidate gains, what it costs, and what decides, each in one or two sentences."""
    best = text.headline_candidate(appraisal)
    if best is None:
        return _nothing_to_compare(appraisal)
    return (
        Reason(_gain(appraisal, best), worth_of_predictions(appraisal, best)),
        Reason(_durations(appraisal, best), extra_costs(appraisal, best)),
        Reason("", what_decides(best)),
    )


def next_step(appraisal: Appraisal) -> str:
    """What to measure next for the headline's candidate, one sentence."""
    best = text.headline_candidate(appraisal)
    if best is not None and best.outlook is not None:
        return advice(best.outlook.next)
    if best is None or best.seeds < FEWEST_SEEDS:
        name = "a candidate" if best is None else best.name
        return f"Predictions of {name} and of {appraisal.baseline} with at least {FEWEST_SEEDS} seeds, for an interval."
    return "More test items, for an interval."


def worth_of_predictions(appraisal: Appraisal, best: Candidate) -> str:
    """What its predictions are worth more over the horizon: all that it is worth and costs, put together."""
    if best.npv.estimate is None:
        return ""
    worth = best.npv.estimate + _total(best)
    over = text.over_years(appraisal)
    if abs(worth) < CENT / 2:
        return f"At these prices its predictions are worth the same {over}."
    return f"At these prices its predictions are worth {_more_or_less(worth, appraisal.currency)} {over}."


def extra_costs(appraisal: Appraisal, best: Candidate) -> str:
    """What it costs more over the horizon, in all and by its larger parts."""
    parts = [(cost.present_value, cost.name) for cost in best.costs if cost.present_value]
    if not parts:
        return "None of its costs is priced, or differs."
    largest = max(abs(amount) for amount, _ in parts)
    told = ", ".join(
        f"{name} {money(amount, appraisal.currency)}" for amount, name in parts if abs(amount) >= LEAST_COST * largest
    )
    return f"It costs {_more_or_less(_total(best), appraisal.currency)} {text.over_years(appraisal)} ({told})."


def what_decides(best: Candidate) -> str:
    """How likely it pays, which input turns the verdict, and from how many predictions on it pays."""
    if best.outlook is None:
        few = {1: "one seed gives", 2: "two seeds give"}.get(best.seeds, "so few test items of a class give")
        return f"How sure that is cannot be told: {few} no interval. {_volume(best)}"
    chance = best.outlook.probability_worth_it
    told = "over 99 %" if chance > 0.995 else "under 1 %" if chance < 0.005 else text.percent(chance, 0)
    return f"The chance that it is worth it is {told}. {_turn(best)} {_volume(best)}"


def _gain(appraisal: Appraisal, best: Candidate) -> str:
    """Its accuracy (or mean error) against the baseline's."""
    before = next(row for row in appraisal.largest.rows if row.name == appraisal.baseline)
    told: Callable[[float], str]
    if best.error_difference.estimate is not None:
        what, unit, told, difference = "mean error", "", number, best.error_difference
        of_baseline = number(before.mean_error)
    elif best.accuracy_difference.estimate is not None:
        what, unit, told, difference = "accuracy", " percentage points", _points, best.accuracy_difference
        of_baseline = text.percent(before.accuracy)
    else:
        return f"What {best.name} gains is not known."
    side = "below" if (difference.estimate or 0.0) < 0 else "above"
    return (
        f"The {what} of {best.name} is {told(abs(difference.estimate or 0.0))}{unit} {side} the {of_baseline} of "
        f"{appraisal.baseline} ({_interval(difference, told, best.seeds)}), on the same "
        f"{appraisal.test_items:,} test items with {best.seeds} seed{'s' * (best.seeds > 1)}."
    )


def _interval(difference: Interval, told: Callable[[float], str], seeds: int) -> str:
    """The interval's ends, turned so that the estimate is not below 0."""
    if seeds < FEWEST_SEEDS or difference.low is None or difference.high is None:
        return "no interval"
    sign = -1 if (difference.estimate or 0.0) < 0 else 1
    low, high = sorted((sign * difference.low, sign * difference.high))
    return f"95 % interval {told(low)} to {told(high)}"


def _points(fraction: float) -> str:
    return text.percent(fraction).removesuffix(" %")


def _durations(appraisal: Appraisal, best: Candidate) -> str:
    """How long it takes, as a multiple of the baseline's time; where that is not known, how much it computes."""
    times = (("inference", best.latency_ratio), ("training", best.training_ratio))
    timed = [f"its {what} takes {number(ratio, 2)} times" for what, ratio in times if ratio is not None]
    if timed:
        return f"Beside {appraisal.baseline}, {' and '.join(timed)} as long."
    if best.flops_ratio is not None:
        return f"Its inference computes {number(best.flops_ratio, 2)} times as much as that of {appraisal.baseline}."
    return "How long it takes is not known."


def _total(best: Candidate) -> float:
    return sum(cost.present_value or 0.0 for cost in best.costs)


def _more_or_less(amount: float, currency: str) -> str:
    return f"{money(abs(amount), currency)} {'more' if amount >= 0 else 'less'}"


def _turn(best: Candidate) -> str:
    """The input that, varied alone, moves its worth most of those that change the verdict."""
    assert best.outlook is not None
    bar = next((bar for bar in best.outlook.tornado if bar.flips), None)
    if bar is None:
        return "No input alone changes the verdict."
    if bar.low is None or bar.high is None:
        return f"The verdict changes with {bar.input} alone, within what was measured."
    return f"The verdict changes with {text.named(bar.input)} alone, between {number(bar.low)} and {number(bar.high)}."


def _volume(best: Candidate) -> str:
    volume = best.break_even_predictions_per_year
    if volume is None:
        return "By the estimate, more predictions a year do not make it pay" + (
            " more." if (best.npv.estimate or 0.0) > 0 else "."
        )
    if volume == 0:
        return "By the estimate, it pays with any number of predictions a year."
    return f"By the estimate, it pays from {humanised(volume)} predictions a year on."


def _nothing_to_compare(appraisal: Appraisal) -> tuple[Reason, Reason, Reason]:
    rows = [row for row in appraisal.largest.rows if row.kind in ("crop", "candidate")]
    trials = sum(row.trials for row in rows)
    ended = trials - sum(row.diverged for row in rows)
    count = f"trials of candidates with predictions: {ended} of {trials}" if rows else "there is no candidate"
    seeds = f"no seed has predictions of a candidate and of {appraisal.baseline}"
    return (
        Reason(f"What could be gained is not known: {seeds} ({count}).", ""),
        Reason("What it would cost is not known: that takes a model that works.", ""),
        Reason(f"How likely it pays is not known: that takes at least {FEWEST_SEEDS} seeds of both.", ""),
    )
