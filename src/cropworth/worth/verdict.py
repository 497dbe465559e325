"""From an interval to one of four verdicts, and to what would settle an open one."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from scipy import special

from cropworth.worth.interval import ALONE, FEWEST_SEEDS, Component, ErrorRates, half_width
from cropworth.worth.results import Interval, Verdict

MOST_SEEDS = 1000
POWER = 0.8


def judge(npv: Interval, margin: float) -> Verdict:
    """The verdict on a net present value.

    In this order: *adopt* if the whole interval is above the margin; *equivalent* if it lies within +-margin (so
    that being known to be nearly nothing is told apart from being known to lose); *don't* if it is below the margin;
    else *not enough evidence*. A verdict of equivalence by an interval within bounds is the two one-sided tests of
    Schuirmann 1987, here at half their usual error rate.
    """
    if npv.low is None or npv.high is None:
        return "not enough evidence"
    if npv.low > margin:
        return "adopt"
    if margin > 0 and -margin <= npv.low and npv.high <= margin:
        return "equivalent"
    return "don't" if npv.high < margin else "not enough evidence"


def chance_of_clear(
    estimate: float, components: Sequence[Component], seeds: int, then: int, margin: float, rates: ErrorRates = ALONE
) -> float:
    """Probability that the verdict is clear after `then` seeds, given what is known now (predictive power).

    Source: Spiegelhalter, Freedman and Blackburn 1986, Controlled Clinical Trials 7, 8-17; here with the t distribution
    of the seeds' variance, and the interval's width as it would be if that variance stayed. Any net present value is
    taken to be as likely beforehand as any other: where most candidates gain little, that is too hopeful.

    Args:
        estimate: of the net present value, now.
        components: of its variance now, that by seeds first; more seeds do not change the others.
        seeds: there are now.
        then: seeds there will be.
        margin: as for `judge`.
        rates: error rates of the interval then.
    """
    by_seed, *others = components
    left = seeds / then
    half = half_width([Component(by_seed.variance * left, then - 1), *others], rates)
    off, spread = abs(estimate - margin), sqrt(by_seed.variance * (1 - left))
    if spread == 0:
        return float(off > half)
    ahead, behind = special.stdtr(min(by_seed.df, 1e9), [(off - half) / spread, (-off - half) / spread])
    return float(ahead + behind)


def seeds_needed(
    estimate: float, components: Sequence[Component], seeds: int, margin: float, rates: ErrorRates = ALONE
) -> int | None:
    """The smallest number of seeds after which the verdict is clear with a chance of `POWER`; None where none is.

    Args: as for `chance_of_clear`.
    """
    counts = range(max(seeds + 1, FEWEST_SEEDS), MOST_SEEDS + 1)
    return next((n for n in counts if chance_of_clear(estimate, components, seeds, n, margin, rates) >= POWER), None)
