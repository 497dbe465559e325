"""Verdicts in plain English."""

from __future__ import annotations

from collections.abc import Sequence

from cropworth.worth.economics import Economics
from cropworth.worth.interval import FEWEST_SEEDS
from cropworth.worth.results import Candidate, Verdict
from cropworth.worth.verdict import POWER
from cropworth.worth.words import money

REASONS: dict[Verdict, str] = {
    "adopt": "The whole interval of its net present value lies above the margin.",
    "don't": "The whole interval of its net present value lies below the margin.",
    "equivalent": "The whole interval of its net present value lies within the margin of nothing.",
}


def reason(
    verdict: Verdict | None,
    seeds: int,
    seeds_needed: int | None = None,
    more_test_items: bool = False,
    better_prices: bool = False,
) -> str:
    """Why the verdict is what it is, in one sentence."""
    if seeds == 0:
        return "No seed has predictions of both this variant and the baseline."
    if verdict is None:
        return "It needs the true box, which nobody has: it shows the most that a crop could give."
    if verdict in REASONS:
        return REASONS[verdict]
    if seeds < FEWEST_SEEDS:
        few = "One seed gives" if seeds == 1 else "Two seeds give"
        return f"{few} no interval: run at least three."
    if seeds_needed is not None:
        return (
            f"The interval of its net present value contains the margin; {seeds_needed} seeds would settle it with a "
            f"chance of {100 * POWER:.0f} %."
        )
    if better_prices:
        return "The interval of its net present value contains the margin, for prices that are guesses."
    if more_test_items:
        return "The interval of its net present value contains the margin; only more test items would settle it."
    return "The interval of its net present value contains the margin."


def headline(
    best: Candidate | None, candidates: Sequence[Candidate], baseline: str, economics: Economics, test_items: int
) -> str:
    """The verdict on the best learned crop or candidate, with its interval, and a word on controls that do as well."""
    if best is None or best.npv.estimate is None or best.verdict is None:
        what = "candidate" if any(c.kind == "candidate" for c in candidates) else "learned crop"
        return f"No verdict: there is no {what} whose predictions could be compared with {baseline}."
    sentence = (
        f"{_opening(best, baseline)}: {_worth(best, baseline, economics)} ({_evidence(best, economics, test_items)})"
    )
    controls = [
        (c.npv.estimate, c.name)
        for c in candidates
        if c.kind == "control" and c.npv.estimate is not None and c.npv.estimate >= best.npv.estimate
    ]
    if not controls:
        return f"{sentence}."
    estimate, name = max(controls)
    worth = money(estimate, economics.currency)
    return f"{sentence}. The control {name} does as well or better without a learned crop ({worth})."


def _opening(best: Candidate, baseline: str) -> str:
    if best.verdict == "adopt":
        return f"Adopt {best.name}"
    if best.verdict == "don't":
        return f"Don't adopt {best.name}"
    if best.verdict == "equivalent":
        return f"{best.name} and {baseline} are equivalent"
    return f"Not enough evidence to choose between {best.name} and {baseline}"


def _worth(best: Candidate, baseline: str, economics: Economics) -> str:
    estimate = best.npv.estimate or 0.0
    years = f"over {economics.horizon_years} years" if economics.horizon_years > 1 else "over a year"
    comparison = "more" if estimate >= 0 else "less"
    return f"{years} it is worth {money(abs(estimate), economics.currency)} {comparison} than {baseline}"


def _evidence(best: Candidate, economics: Economics, test_items: int) -> str:
    seeds = f"{best.seeds} seed{'s' if best.seeds > 1 else ''}, {test_items:,} test items"
    if best.npv_together.low is None or best.npv_together.high is None:
        return f"no interval from {seeds}"
    ends = f"{money(best.npv_together.low, economics.currency)} to {money(best.npv_together.high, economics.currency)}"
    chance = f"would settle it with a chance of {100 * POWER:.0f} %"
    settled = f"; {best.seeds_needed} seeds {chance}" if best.seeds_needed is not None else ""
    return f"95 % interval {ends}; {seeds}{settled}"
