"""From an interval to one of four verdicts, and to what would settle an open one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from cropworth.worth.interval import ALONE, FEWEST_SEEDS, Component, ErrorRates, half_width
from cropworth.worth.results import Interval, Verdict

MOST_SEEDS = 1000


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


def seeds_needed(
    estimate: float,
    seeds: int,
    by_seed: Component,
    others: Sequence[Component],
    margin: float,
    rates: ErrorRates = ALONE,
) -> int | None:
    """The smallest number of seeds at which the verdict would be clear if the estimate held; None where none does.

    Args:
        estimate: of the net present value.
        seeds: there are now.
        by_seed: variance of the estimate by seeds, now.
        others: components that more seeds do not change.
        margin: as for `judge`.
        rates: error rates of the interval.
    """

    def clear(count: int) -> bool:
        projected = Component(by_seed.variance * seeds / count, count - 1)
        reach = half_width([projected, *others], rates)
        return judge(Interval(estimate, estimate - reach, estimate + reach), margin) != "not enough evidence"

    counts = range(max(seeds + 1, FEWEST_SEEDS), MOST_SEEDS + 1)  # more seeds never widen the interval
    found = bisect_left(counts, True, key=clear)
    return counts[found] if found < len(counts) else None
