"""Looking at a study several times: error rates that stay honest under it, and when another look is worth its cost.

Whoever looks after 3, 4, 5, ... seeds and stops at the first clear verdict is wrong more often than each interval says.
Here each look spends a part of the error rate, so that all intervals of a candidate hold at once (repeated confidence
intervals, Jennison and Turnbull 1989, JRSS B 51, 305-361). They hold whatever makes one stop: a clear verdict, a
budget, a price, or impatience.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, sqrt
from typing import Literal

import numpy as np
from scipy import special

from cropworth.study.record import Kind
from cropworth.worth.information import evsi
from cropworth.worth.interval import ALPHA, FEWEST_SEEDS, Component, ErrorRates, half_width
from cropworth.worth.results import Verdict
from cropworth.worth.verdict import chance_of_clear

MOST_SEEDS = 20
HOPELESS = 0.2
"""A candidate whose verdict becomes clear by the last look with less than this chance is not trained further. By
simulation, over effects of 0 to 8 standard deviations of a seed and test sets from vast to small, verdicts agree with
those of 20 seeds in 95.8 % of cases for 32 % of the trainings; at 0.1 in 96.5 %, for 37 %."""
OF_OTHERS = 0.8
"""Share of the error rate at which the chance other than by seeds is taken. It is the same at all looks, so that it
needs no spending; at 1 the two kinds of chance together would miss up to 1.16 times as often as they should."""
PATHS = 2**20

Reason = Literal[
    "clear",
    "unlikely to become clear",
    "not worth a further round",
    "no seed works",
    "an oracle",
    "behind the best crop",
    "no crop goes on",
    "last look",
    "out of budget",
]


def schedule(most: int = MOST_SEEDS, first: int = FEWEST_SEEDS) -> tuple[int, ...]:
    """Numbers of seeds after which to look: from the last one down by factors of sqrt(2), but `first` before all.

    3, 4, 5, 7, 10, 14, 20 by default. Few seeds more at first, when a large effect shows at once; more later, when a
    single seed changes little.
    """
    steps = (round(most * 2 ** (-step / 2)) for step in range(2 * most.bit_length()))
    return tuple(sorted({first, *(look for look in steps if look > first)}))


@lru_cache(maxsize=64)
def nominal_levels(looks: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """Two-sided error rate of the t interval (S - 1 degrees of freedom) at each look, `alpha` over all looks together.

    The error rate is spent in proportion to the seeds (Lan and DeMets 1983, Biometrika 70, 659-663; the power family
    with exponent 1): after S of N seeds, some look's interval has missed the truth with probability alpha S / N. The
    joint distribution of the t statistics of Gaussian seeds is simulated, with fixed draws: the same numbers each time.

    Args:
        looks: numbers of seeds, ascending, at least 2.
        alpha: probability that any look's interval misses.
    """
    rng = np.random.default_rng(0)
    total, squares, seen, spent = np.zeros(PATHS), np.zeros(PATHS), 0, 0.0
    inside = np.ones(PATHS, dtype=bool)
    levels: list[float] = []
    for look in looks:
        added = look - seen
        block = rng.standard_normal(PATHS) * sqrt(added)  # sum of the new seeds
        total += block
        squares += block**2 / added + (rng.chisquare(added - 1, PATHS) if added > 1 else 0.0)
        squared_t = total**2 * (look - 1) / (look * squares - total**2)
        seen, spend = look, alpha * look / looks[-1] - spent
        missing = max(1, round(spend * PATHS))
        bound = np.partition(np.where(inside, squared_t, 0.0), PATHS - missing)[PATHS - missing]
        levels.append(2 * float(special.stdtr(look - 1, -sqrt(bound))) if levels else spend)
        inside &= squared_t < bound
        spent += spend
    return tuple(levels)


def error_rates(looks: Sequence[int], trials: int, alpha: float) -> ErrorRates:
    """The error rates for the interval of a candidate that was trained with so many seeds.

    Args:
        looks: of the study, see `Study.looks`; without any, each rate is `alpha`.
        trials: of the candidate, failed ones included. Between two looks the rate is that of the later one.
        alpha: of all looks of this candidate together.
    """
    if not looks:
        return ErrorRates(alpha, alpha)
    look = min(bisect_left(looks, trials), len(looks) - 1)
    return ErrorRates(nominal_levels(tuple(looks), alpha)[look], OF_OTHERS * alpha)


@dataclass(frozen=True)
class Standing:
    """Where one variant stands at a look. Money in the economics' currency.

    Attributes:
        name: the variant's name.
        kind: what it is.
        trials: of the variant, failed ones included.
        hours_per_seed: machine hours that one more seed takes.
        verdict: under this look's error rates; None for the baseline and an oracle.
        estimate: of the net present value; None for the baseline, and where no seed has predictions of both.
        components: of the estimate's variance, that by seeds first; None where unknown.
        alpha: error rate of this candidate over all looks.
    """

    name: str
    kind: Kind
    trials: int
    hours_per_seed: float
    verdict: Verdict | None = None
    estimate: float | None = None
    components: tuple[Component, ...] | None = None
    alpha: float = ALPHA


@dataclass(frozen=True)
class Terms:
    """What decides whether another round is worth it.

    Attributes:
        looks: numbers of seeds, ascending.
        margin: as for `judge`.
        price_per_hour: of the machine.
        hours_left: machine hours of the budget; None without one.
    """

    looks: tuple[int, ...]
    margin: float
    price_per_hour: float
    hours_left: float | None = None


@dataclass(frozen=True)
class Decision:
    """What follows from a look.

    Attributes:
        goes_on: number of seeds that each variant shall have at the next look; without those that are stopped.
        stopped: why each other variant, but the baseline, is not trained further.
        gains: expected gain, in money, of training each learned crop that goes on to its next look.
        cost: of the next round, in money.
        hours: machine hours of the next round.
    """

    goes_on: dict[str, int]
    stopped: dict[str, Reason]
    gains: dict[str, float]
    cost: float
    hours: float


def decide(standings: Sequence[Standing], terms: Terms) -> Decision:
    """Who is trained further, and why the others are not.

    A learned crop goes on until its verdict is clear, unless a clear verdict is unlikely by the last look, or no number
    of seeds up to it is expected to gain more money than it costs. A control goes on with the crops while its own
    verdict is open and it may be worth as much as the best of them, with which the headline compares it; nothing is
    decided by it alone. An oracle, which nobody can adopt, stays with the seeds of the first look. The baseline goes on
    while anyone does. Where there is no learned crop, the controls take their place.

    Args:
        standings: all variants, the baseline too.
        terms: prices, budget and looks.
    """
    (baseline,) = (s for s in standings if s.kind == "baseline")
    others = [s for s in standings if s.kind != "baseline"]
    leading = [s for s in others if s.kind in ("crop", "candidate")] or [s for s in others if s.kind == "control"]
    shared = baseline.hours_per_seed / max(1, sum(s.verdict == "not enough evidence" for s in leading))
    stopped: dict[str, Reason] = {}
    for standing in others:
        price = (standing.hours_per_seed + shared) * terms.price_per_hour
        reason = _why_stop(standing, terms, price, _alternative(standing, others, terms.margin))
        if reason is None and standing not in leading and _behind(standing, leading, terms):
            reason = "behind the best crop"
        if reason is not None:
            stopped[standing.name] = reason
    if all(s.name in stopped for s in leading):
        stopped |= {s.name: "no crop goes on" for s in others if s.name not in stopped}
    goes_on = {s.name: _later_looks(s, terms)[0] for s in others if s.name not in stopped}
    if goes_on:
        goes_on[baseline.name] = max(goes_on.values())
    hours = sum(s.hours_per_seed * max(0, goes_on.get(s.name, 0) - s.trials) for s in standings)
    if terms.hours_left is not None and hours > terms.hours_left:
        del goes_on[baseline.name]
        return Decision({}, stopped | dict.fromkeys(goes_on, "out of budget"), {}, 0.0, 0.0)
    gains = {
        s.name: expected_gain(s, goes_on[s.name], _alternative(s, others, terms.margin))
        for s in leading
        if s.name in goes_on
    }
    return Decision(goes_on, stopped, gains, hours * terms.price_per_hour, hours)


def expected_gain(standing: Standing, seeds: int, alternative: float) -> float:
    """Expected gain of choosing between the candidate and the alternative after so many seeds instead of now.

    See `evsi`; more seeds leave v S / seeds of the variance v by seeds.
    """
    if standing.estimate is None or standing.components is None:
        return inf
    by_seed, *others = standing.components
    after = [by_seed.variance * standing.trials / seeds, *(c.variance for c in others)]
    return evsi(standing.estimate, standing.components, after, alternative)


def _why_stop(standing: Standing, terms: Terms, price_per_seed: float, alternative: float) -> Reason | None:
    """None where the candidate goes on."""
    later = _later_looks(standing, terms)
    if standing.kind == "oracle":
        return "an oracle"
    if standing.verdict != "not enough evidence":
        return "clear"
    if not later:
        return "last look"
    if standing.estimate is None:
        return "no seed works"
    last = later[-1]
    rates = error_rates(terms.looks, last, standing.alpha)
    if chance(standing, last, rates, terms.margin) < HOPELESS:
        return "unlikely to become clear"
    # Any later look, not only the next: one seed may change nothing where five would.
    if any(expected_gain(standing, n, alternative) > price_per_seed * (n - standing.trials) for n in later):
        return None
    return "not worth a further round"


def _behind(control: Standing, crops: Sequence[Standing], terms: Terms) -> bool:
    """Whether all of the control's interval lies below the best crop's estimate."""
    best = max((s.estimate for s in crops if s.estimate is not None), default=-inf)
    if control.estimate is None or control.components is None:
        return False
    rates = error_rates(terms.looks, control.trials, control.alpha)
    return bool(control.estimate + half_width(control.components, rates) < best)


def _later_looks(standing: Standing, terms: Terms) -> tuple[int, ...]:
    return tuple(look for look in terms.looks if look > standing.trials)


def _alternative(standing: Standing, others: Sequence[Standing], margin: float) -> float:
    """Net present value of what one would do without the candidate: the best one to adopt, or the margin."""
    adopted = [s.estimate for s in others if s.verdict == "adopt" and s.estimate is not None and s is not standing]
    return max([margin, *adopted])


def chance(standing: Standing, then: int, rates: ErrorRates, margin: float) -> float:
    """Of a clear verdict after so many seeds; 1 where nothing is known yet."""
    if standing.estimate is None or standing.components is None:
        return 1.0
    return chance_of_clear(standing.estimate, standing.components, standing.trials, then, margin, rates)
