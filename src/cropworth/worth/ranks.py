"""All variants that can be deployed, ranked at once: one baseline and the same test items correlate them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cropworth.study.record import Study
from cropworth.worth.candidate import make_case
from cropworth.worth.economics import Economics
from cropworth.worth.pairs import Losses, Paired, pair_up
from cropworth.worth.ranking import dominated, ranking
from cropworth.worth.results import Rank
from cropworth.worth.scenario import Case

Array = NDArray[np.float64]
DRAWS = 4000


def ranks(study: Study, economics: Economics, losses: Losses, size: int) -> tuple[Rank, ...]:
    """Rank the baseline and every candidate that can be deployed, by net present value at the mean prices.

    Empty where fewer than two can be compared, or too few seeds have predictions of all.
    """
    pairs = [pair_up(study, size, n) for n, k in study.kinds.items() if k not in ("baseline", "oracle")]
    found = [(pair, case) for pair in pairs if pair.candidate and (case := make_case(study, economics, losses, pair))]
    if not found:
        return ()
    cases = [case for _, case in found]
    estimates = np.array([0.0, *(case.npv() for case in cases)])
    names = [study.baseline, *(pair.name for pair, _ in found)]
    draws = _joint_draws(losses, [pair for pair, _ in found], cases)
    if draws is None:
        return ()
    noisy = estimates + np.column_stack([np.zeros(DRAWS), draws])
    order = ranking(estimates, noisy)
    worse = _dominated(names, cases)
    return tuple(
        Rank(names[i], float(order.probability_best[i]), float(order.expected_rank[i]), bool(order.may_be_best[i]),
             worse.get(names[i], ()))
        for i in np.argsort(-estimates, kind="stable")
    )  # fmt: skip


def _dominated(names: list[str], cases: list[Case]) -> dict[str, tuple[str, ...]]:
    """By which others each variant is dominated in what its predictions bring and what it costs."""
    values, costs = [0.0], [0.0]
    for case in cases:
        rate = case.means["discount_rate"]
        streams = {name: float(stream.present_value(rate)) for name, stream in case.streams(case.means).items()}
        values.append(streams.pop("predictions"))
        costs.append(sum(streams.values()))
    found = dominated(np.array(values), np.array(costs), names)
    return {name: (by,) for name, by in found.by_one.items()} | dict(found.by_two)


def _joint_draws(losses: Losses, pairs: list[Paired], cases: list[Case]) -> Array | None:
    """Errors (DRAWS, K) of the net present values by chance, with their correlations; None where it is not known."""
    by_seed = [{before.seed: (before, after) for before, after in pair.both} for pair in pairs]
    seeds = sorted(set.intersection(*(set(found) for found in by_seed)))
    means = cases[0].means
    amounts = losses.pricing.amounts(means)
    gained = [
        [(losses.of(found[seed][0]) - losses.of(found[seed][1])) @ amounts for found in by_seed] for seed in seeds
    ]
    if not gained:
        return None
    summary = losses.pricing.summarise(np.moveaxis(np.array(gained), 1, -1))
    if not summary.known:
        return None
    shares = losses.pricing.strata.shares(means)
    every = np.einsum("k,cd->ckd", shares, np.eye(len(pairs)))  # (C, K, C): what makes each candidate's mean
    flat = every.reshape(len(pairs), -1)
    by_item = np.einsum("akp,kpq,bkq->ab", every, summary.by_item - summary.residual, every)
    rng = np.random.default_rng(0)
    df = summary.seeds - 1
    spread = np.sqrt(df / rng.chisquare(df, (DRAWS, 1)))
    of_seeds = rng.standard_normal((DRAWS, len(pairs))) @ _root(flat @ summary.by_seed @ flat.T) * spread
    of_items = rng.standard_normal((DRAWS, len(pairs))) @ _root(by_item)
    nothing = cases[0].net(means, gain=0.0)
    money = float(cases[0].net(means, gain=1.0) - nothing)  # the same for all: volume and horizon
    timing = [case.inference.timing for case in cases]
    slower = [float(case.net(means, gain=0.0, slower=1.0) - case.net(means, gain=0.0)) for case in cases]
    of_timing = rng.standard_normal((DRAWS, len(pairs))) * np.sqrt([t.variance for t in timing]) * slower
    return np.asarray(money * (of_seeds + of_items) + of_timing)


def _root(covariance: Array) -> Array:
    """A matrix whose square is the covariance, negative variances (of differences of estimates) taken as none."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T)
