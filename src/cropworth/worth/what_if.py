"""What a page needs to appraise again at other prices: each candidate's case, in plain JSON.

Nothing of the predictions themselves: their means and covariances serve any prices (see `interval.TwoWay`).
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropworth.study.record import Study
from cropworth.worth.costs import inference, training
from cropworth.worth.economics import Economics
from cropworth.worth.gains import Pricing
from cropworth.worth.pairs import Losses, Paired, judged_sizes, pair_up
from cropworth.worth.price_fields import MATRICES, price_fields, term_fields
from cropworth.worth.prices import Range
from cropworth.worth.scenario import OF_CHANCE, OF_GUESSES, permutations

Array = NDArray[np.float64]
MOST_APART = 64
"""Quantities, in all strata, up to which each entry of a matrix is one by itself: a covariance holds their square."""


def what_if(study: Study, economics: Economics) -> dict[str, Any] | None:
    """All that `report/templates/js/appraise.js` needs to appraise the largest training-set size at other prices.

    Covariances are upper triangles of float64, row by row, and permutations are uint16; both little-endian, in base 64.

    Returns:
        currency, baseline, test_items, error_price: as in the `Appraisal`.
        prices, terms: see `price_fields`.
        quantities: paths of the prices that multiply each of the P quantities of a prediction.
        share: path of the price that is the first of two strata's share; None where shares are not priced.
        instances: whether predictions run on machines with prices of their own.
        candidates: their gains, inference and training; see `_gains`.
        permutations: of the draws, by chance and by the guesses in the order of `prices`.

        None where no candidate has a seed with predictions of both it and the baseline.

    Raises:
        CropworthError: as `appraise`.
    """
    sizes = judged_sizes(study)
    if not sizes:
        return None
    names = [name for name in study.kinds if name != study.baseline and study.of(name, sizes[-1])]
    pricing = _pricing(study, economics)
    candidates = [_candidate(study, economics, pricing, pair_up(study, sizes[-1], name)) for name in names]
    paired = [candidate for candidate in candidates if candidate["gains"] is not None]
    if not paired:
        return None
    share = f"value.{economics.finding.share_by}" if pricing.strata.priced and economics.finding is not None else None
    used = {path for paths in (*pricing.paths, () if share is None else (share,)) for path in paths}
    energy = {c[part]["energy_source"] for c in paired for part in ("inference", "training")} - {"unavailable"}
    guesses = sum(isinstance(price, Range) and price.low < price.high for price in economics.prices().values())
    return {
        "currency": economics.currency,
        "baseline": study.baseline,
        "test_items": len(study.records[0].labels),
        "error_price": economics.error_price,
        "prices": price_fields(economics, used, study.classes, energy),
        "terms": term_fields(economics),
        "quantities": [list(paths) for paths in pricing.paths],
        "share": share,
        "instances": bool(economics.instances),
        "candidates": candidates,
        "permutations": {
            "chance": [_base64(order, "<u2") for order in permutations(OF_CHANCE, 3)],
            "guesses": [_base64(order, "<u2") for order in permutations(OF_GUESSES, guesses)],
        },
    }


def _pricing(study: Study, economics: Economics) -> Pricing:
    """With each entry of a matrix apart, unless decisions are tuned to it or there are too many."""
    together = Pricing(study, economics)
    if economics.decision == "least-cost" or all(getattr(economics, name) is None for name in MATRICES):
        return together
    apart = Pricing(study, economics, apart=True)
    return apart if len(apart.paths) * len(apart.strata.names) <= MOST_APART else together


def _candidate(study: Study, economics: Economics, pricing: Pricing, pair: Paired) -> dict[str, Any]:
    """One candidate's case; its gains and costs are None where it has none.

    Joules that are estimated are those of a machine of one watt.
    """
    of_a_watt = economics.model_copy(update={} if economics.watts is None else {"watts": 1.0})
    serving, trained = inference(study, of_a_watt, pair.name), training(of_a_watt, pair.candidate, pair.baseline)
    found = {"name": pair.name, "kind": pair.kind, "deployable": pair.deployable, "seeds": len(pair.both)}
    if not pair.both or trained is None:
        return found | {"gains": None}
    return found | {
        "rates": {"seeds": pair.rates.seeds, "others": pair.rates.others},
        "gains": _gains(pricing, pair),
        "inference": {
            "paid": serving.money if economics.instances else serving.seconds,
            "timing": {"variance": serving.timing.variance, "df": serving.timing.df},
            "measured": serving.ratio is not None,
            "energy_j": serving.energy_j,
            "energy_source": serving.energy_source,
        },
        "training": {
            "seconds": trained.seconds,
            "measured": trained.ratio is not None,
            "energy_j": trained.energy_j,
            "energy_source": trained.energy_source,
        },
    }


def _gains(pricing: Pricing, pair: Paired) -> dict[str, Any]:
    """A `TwoWay` of strata whose shares are priced; of others, with all merged that may be merged before prices.

    Only their items' degrees of freedom depend on prices: of them `by_item` has each stratum's covariance, its share
    squared in it, while K is 1 in the rest.
    """
    losses = Losses(pricing)  # its own, for a matrix's entries are many, and would be kept for all candidates at once
    before, after = (np.stack([losses.of(records[i]) for records in pair.both]) for i in (0, 1))
    found = merged = pricing.by_stratum(before - after)
    by_item = found.by_item
    if not pricing.strata.priced:
        shares = pricing.strata.shares({})
        merged = found.merged(shares, np.zeros(len(pricing.paths)))
        by_item = shares[:, None, None] ** 2 * by_item
    return {
        "mean": merged.mean.ravel().tolist(),
        "by_seed": _triangles(merged.by_seed[None]),
        "by_item": _triangles(by_item),
        "residual": _triangles(merged.residual),
        "seeds": found.seeds,
        "items": found.items.tolist(),
    }


def _triangles(matrices: Array) -> str:
    """Upper triangles of symmetric matrices (K, N, N)."""
    return _base64(matrices[(slice(None), *np.triu_indices(matrices.shape[-1]))], "<f8")


def _base64(values: Array | NDArray[np.int64], kind: str) -> str:
    return b64encode(values.astype(kind).tobytes()).decode("ascii")
