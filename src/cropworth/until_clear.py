"""`run_until_clear`: a study that adds seeds in rounds while another round is worth it.

It stands between the room that trains and the room that knows what the records are worth, for it asks both in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from cropworth.errors import CropworthError
from cropworth.study.ledger import Ledger, trial_name
from cropworth.study.record import Study
from cropworth.study.run import Prepared, Progress, check_jobs, estimate, run_study
from cropworth.study.trackers import Tracker
from cropworth.worth.candidate import make_case
from cropworth.worth.costs import machine_seconds
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.gains import Pricing
from cropworth.worth.interval import FEWEST_SEEDS
from cropworth.worth.pairs import Losses, pair_up
from cropworth.worth.prices import mean
from cropworth.worth.sequential import MOST_SEEDS, Decision, Standing, Terms, decide, schedule
from cropworth.worth.verdict import judge


@dataclass(frozen=True)
class Look:
    """What was seen after a round, and what follows.

    Attributes:
        standings: of all variants.
        decision: who goes on.
        hours: machine hours spent so far.
        currency: of the money.
    """

    standings: tuple[Standing, ...]
    decision: Decision
    hours: float
    currency: str


def run_until_clear(
    prepared: Prepared,
    out: Path,
    jobs: int,
    most_seeds: int = MOST_SEEDS,
    budget_hours: float | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    told: Callable[[Look], None] = lambda _: None,
    trackers: Sequence[Tracker] = (),
) -> Study:
    """Train every variant with a few seeds, look, and train on whose verdict is open, see `decide`.

    A run that was interrupted decides from the same records again, and so goes on where it stopped.

    Args:
        prepared: what to study; the plan's own number of seeds counts for nothing here.
        out: the study's folder; finished trials in it are kept.
        jobs: processes.
        most_seeds: seeds after which it ends at the latest.
        budget_hours: machine hours that all trials together may take, those of earlier runs included. A round is not
            begun that is expected to exceed them, by the hours of the rounds before.
        progress: called at the start of a round and after each trial.
        told: called after each round.
        trackers: see `run_study`.

    Raises:
        CropworthError: too few seeds, a budget that does not last for the first round, or what `run_study` raises.
    """
    check_jobs(jobs)
    if most_seeds < FEWEST_SEEDS:
        raise CropworthError(f"--most-seeds {most_seeds}", f"at least {FEWEST_SEEDS}", "Fewer give no verdict.")
    if budget_hours is not None and not budget_hours > 0:
        raise CropworthError(f"--budget-hours {budget_hours:g}", "a number above 0", "Leave it out for no limit.")
    looks = schedule(most_seeds)
    plan = prepared.plan.model_copy(update={"study": prepared.plan.study.model_copy(update={"seeds": most_seeds})})
    prepared, economics = replace(prepared, plan=plan), read_economics(plan.economics)
    seeds = dict.fromkeys(plan.variants, looks[0])
    if budget_hours is not None:
        _check_first_round(prepared, out, jobs, seeds, budget_hours)
    while True:
        trials = [trial for trial in plan.trials() if trial["seed"] < seeds[trial["name"]]]
        found = run_study(prepared, out, jobs, progress, trials, looks, trackers)
        seen = look(found, economics, budget_hours)
        told(seen)
        if not seen.decision.goes_on:
            return found
        seeds |= seen.decision.goes_on


def look(study: Study, economics: Economics, budget_hours: float | None = None) -> Look:
    """Appraise the study as it stands, and decide who goes on.

    Args:
        study: with its `looks`.
        economics: prices.
        budget_hours: see `run_until_clear`.

    Raises:
        CropworthError: no trial of the baseline has predictions.
    """
    size = study.train_sizes[-1]
    if not any(record.predictions is not None for record in study.of(study.baseline, size)):
        raise CropworthError(
            f"no trial of the baseline {study.baseline!r} with predictions", "at least one", "Mend the baseline."
        )
    losses = Losses(Pricing(study, economics))
    standings = [_standing(study, economics, losses, name) for name in study.kinds]
    spent = sum(map(machine_seconds, study.records)) / 3600
    terms = Terms(
        study.looks,
        economics.margin,
        mean(economics.compute_price_per_hour),
        None if budget_hours is None else budget_hours - spent,
    )
    return Look(tuple(standings), decide(standings, terms), spent, economics.currency)


def _standing(study: Study, economics: Economics, losses: Losses, name: str) -> Standing:
    size = study.train_sizes[-1]
    kind, trials, hours = study.kinds[name], len(study.of(name, size)), _hours_per_seed(study, name)
    if kind == "baseline":
        return Standing(name, kind, trials, hours)
    pair = pair_up(study, size, name)
    case = make_case(study, economics, losses, pair)
    if case is None:
        return Standing(name, kind, trials, hours, "not enough evidence" if pair.deployable else None)
    verdict = judge(case.interval(pair.rates), economics.margin) if pair.deployable else None
    return Standing(name, kind, trials, hours, verdict, case.npv(), case.components(rates=pair.rates), pair.alpha)


def _hours_per_seed(study: Study, name: str) -> float:
    """Of one more seed, at all training-set sizes."""
    seconds = [fmean(map(machine_seconds, own)) for size in study.train_sizes if (own := study.of(name, size))]
    return sum(seconds) / 3600


def _check_first_round(prepared: Prepared, out: Path, jobs: int, seeds: dict[str, int], budget_hours: float) -> None:
    ledger = Ledger(out)
    first = [trial for trial in prepared.plan.trials() if trial["seed"] < seeds[trial["name"]]]
    missing = [trial for trial in first if not ledger.finished(trial_name(trial))]
    hours = estimate(prepared, missing, jobs).seconds / 3600 if missing else 0.0
    if hours > budget_hours:
        raise CropworthError(
            f"--budget-hours {budget_hours:g}",
            f"about {hours:.2g} machine-hours, which {len(missing)} trials of the first round take",
            "Raise the budget, or study fewer variants or a smaller training set.",
        )
