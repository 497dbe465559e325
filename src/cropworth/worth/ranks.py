"""All variants that can be deployed, ranked at once: one baseline and the same test items correlate them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cropworth.worth.interval import FEWEST_SEEDS
from cropworth.worth.pairs import Losses, Paired
from cropworth.worth.ranking import dominated, ranking
from cropworth.worth.results import Rank
from cropworth.worth.scenario import DRAWS, Case

Array = NDArray[np.float64]


def ranks(baseline: str, losses: Losses, appraised: Sequence[tuple[Paired, Case | None]]) -> tuple[Rank, ...]:
    """Rank the baseline and every candidate that can be deployed, by net present value.

    Empty where fewer than two can be compared, or too few seeds have predictions of all.
    """
    found = [(pair, case) for pair, case in appraised if pair.deployable and case is not None]
    if not found:
        return ()
    cases = [case for _, case in found]
    estimates = np.array([0.0, *(case.npv() for case in cases)])
    names = [baseline, *(pair.name for pair, _ in found)]
    draws = _joint_draws(losses, [pair for pair, _ in found], cases)
    if draws is None:
        return ()
    noisy = np.column_stack([np.zeros(DRAWS), draws])
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
        brought, spent = case.present_values(case.means)
        values.append(float(brought))
        costs.append(float(sum(spent.values())))
    found = dominated(np.array(values), np.array(costs), names)
    return {name: (by,) for name, by in found.by_one.items()} | dict(found.by_two)


def _joint_draws(losses: Losses, pairs: list[Paired], cases: list[Case]) -> Array | None:
    """Net present values (DRAWS, K) by chance, with their correlations; None where that is not known.

    What is drawn are the means' errors, of all candidates together; the prices, guesses drawn too, then multiply them.
    """
    by_seed = [{before.seed: (before, after) for before, after in pair.both} for pair in pairs]
    seeds = sorted(set.intersection(*(set(found) for found in by_seed)))
    if not seeds:
        return None
    gained = [
        np.concatenate([losses.of(found[seed][0]) - losses.of(found[seed][1]) for found in by_seed], axis=-1)
        for seed in seeds
    ]
    means = losses.pricing.summarise(np.stack(gained))  # K P quantities in each stratum
    if not means.known or means.seeds < FEWEST_SEEDS:
        return None
    rng, strata = np.random.default_rng(0), len(means.items)
    spread = np.sqrt((means.seeds - 1) / rng.chisquare(means.seeds - 1, (DRAWS, 1)))
    off = rng.standard_normal((DRAWS, means.mean.size)) @ _root(means.by_seed) * spread
    errors = off.reshape(DRAWS, strata, -1)
    for stratum in range(strata):
        by_item = _root(means.by_item[stratum] - means.residual[stratum])
        errors[:, stratum] += rng.standard_normal((DRAWS, by_item.shape[0])) @ by_item
    npvs = []
    for case, own in zip(cases, np.split(errors, len(cases), axis=-1), strict=True):
        coefficients = case.pricing.coefficients(case.drawn)
        gain = case.gains.estimate(coefficients) + np.einsum(
            "dkp,dkp->d", own, np.broadcast_to(coefficients, own.shape)
        )
        slower = np.sqrt(case.inference.timing.variance) * rng.standard_normal(DRAWS)
        npvs.append(np.broadcast_to(case.net(case.drawn, gain, slower), DRAWS))
    return np.column_stack(npvs)


def _root(covariance: Array) -> Array:
    """A matrix whose square is the covariance, negative variances (of differences of estimates) taken as none."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T)
