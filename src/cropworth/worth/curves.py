"""A candidate's curves: net benefit over thresholds of two classes, and gain over training-set sizes."""

from __future__ import annotations

import numpy as np

from cropworth.study.record import Study
from cropworth.worth.decision_curve import decision_curve
from cropworth.worth.economics import Economics
from cropworth.worth.interval import FEWEST_SEEDS
from cropworth.worth.learning import FEWEST_SIZES, learning_curve
from cropworth.worth.pairs import Losses, Paired, pair_up
from cropworth.worth.results import DecisionCurve, LearningCurve
from cropworth.worth.scenario import Case

# A decision to treat may be worth it from one in a hundred on, or only when nearly sure.
THRESHOLDS = (0.01, 0.02, *(step / 20 for step in range(1, 20)))


def decisions(study: Study, economics: Economics, case: Case, pair: Paired) -> DecisionCurve | None:
    """Net benefit of both models; None unless there are two classes, of both items, and probabilities.

    The positive class is the one that the value model looks for, else the last. Its prevalence is the deployment's.
    """
    labels = pair.both[0][0].labels
    if len(study.classes) != 2 or len(np.unique(labels)) < 2:
        return None
    looks_for = None if economics.finding is None else economics.finding.wanted
    positive = 1 if looks_for is None else list(study.classes).index(looks_for)
    before, after = (
        np.stack([pair[which].probabilities[:, positive] for pair in pair.both])  # type: ignore[index]
        for which in (0, 1)
    )
    if all(np.isin(found, (0.0, 1.0)).all() for found in (before, after)):
        return None  # only decisions are known
    if looks_for is not None:
        prevalence: float | None = float(case.pricing.strata.shares(case.means)[0])
    else:
        frequencies = economics.class_frequencies
        prevalence = None if frequencies is None else frequencies.get(study.classes[positive], 0.0)
    if prevalence is not None and not 0 < prevalence < 1:
        return None
    weights = pair.weights
    counts = np.ones(len(labels), dtype=bool) if weights is None else weights > 0
    return decision_curve(
        (labels == positive)[counts].astype(np.int64),
        before[:, counts],
        after[:, counts],
        THRESHOLDS,
        prevalence,
        None if weights is None else weights[counts],
    )


def learning(study: Study, case: Case, losses: Losses, name: str) -> LearningCurve | None:
    """How the gain depends on the training-set size; None where fewer than three sizes have three seeds of both.

    What the gain must be is taken from the prices and the costs at the largest size.
    """
    pairs = {size: pair_up(study, size, name) for size in study.train_sizes}
    enough = {size: pair for size, pair in pairs.items() if len(pair.both) >= FEWEST_SEEDS}
    if len(enough) < FEWEST_SIZES:
        return None
    nothing, each = case.by_gain(case.means)
    if each == 0:
        return None
    amounts, weight = losses.pricing.amounts(case.means), losses.pricing.item_weights(case.means)
    gained = [
        np.stack([(losses.of(before) - losses.of(after)) @ amounts * weight for before, after in pair.both])
        for pair in enough.values()
    ]
    seeds = [[before.seed for before, _ in pair.both] for pair in enough.values()]
    return learning_curve(list(enough), gained, seeds, -nothing / each, seed=0)
