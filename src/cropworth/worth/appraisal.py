"""`appraise`: a study's records and prices -> what each candidate is worth against the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cropworth.errors import CropworthError
from cropworth.study.record import Record, Study
from cropworth.worth.economics import Economics
from cropworth.worth.interval import Component, interval_around, median_component, two_way, two_way_interval
from cropworth.worth.money import (
    annuity_factor,
    break_even_volume,
    net_present_value,
    payback_years,
    return_on_investment,
)
from cropworth.worth.results import Appraisal, Candidate, Interval, SizeAppraisal, Verdict
from cropworth.worth.rows import row_of
from cropworth.worth.sentences import headline, reason
from cropworth.worth.verdict import judge, seeds_needed

UNKNOWN = Interval(None, None, None)
Differences = NDArray[np.float64]  # (S seeds, n test items), candidate against baseline


@dataclass(frozen=True)
class Paired:
    """Two variants' records at one training-set size.

    Attributes:
        baseline: all records of the baseline, failed ones included.
        candidate: all records of the candidate.
        seeds: seeds with predictions of both.
        savings: (S, n) money saved by each prediction of those seeds.
        accuracy: (S, n) right predictions more (1), as many (0), or fewer (-1); empty for a regression.
        error: (S, n) absolute error of a regression, the candidate's minus the baseline's; empty for classes.
    """

    baseline: tuple[Record, ...]
    candidate: tuple[Record, ...]
    seeds: tuple[int, ...]
    savings: Differences
    accuracy: Differences
    error: Differences


def appraise(study: Study, economics: Economics) -> Appraisal:
    """Appraise every variant against the baseline, at every training-set size.

    Pairs are formed by seed on the same test items. A diverged trial has no predictions, so its seed is left out of
    the differences, but its training is charged to the models that work. A collapsed trial counts as it is: whoever
    trains that variant gets it as often. Every candidate is charged the same engineering, controls and oracle too.

    Raises:
        CropworthError: no usable record of the baseline, trials on different test items, or a cost matrix for other
            classes.
    """
    costs = economics.cost_table(study.classes)
    _check_same_test_items(study)
    sizes = [s for s in study.train_sizes if any(r.predictions is not None for r in study.of(study.baseline, s))]
    if not sizes:
        raise CropworthError(
            f"{len(study.records)} finished trials, none of the baseline {study.baseline!r} with predictions",
            "at least one",
            "Run the study again to finish it, or mend a baseline that diverges.",
        )
    appraised = tuple(_appraise_size(study, economics, costs, size) for size in sizes)
    best = _best(appraised[-1].candidates)
    test_items = len(study.records[0].labels)
    return Appraisal(
        study=study.name,
        baseline=study.baseline,
        currency=economics.currency,
        horizon_years=economics.horizon_years,
        not_priced=(*_unpriced(study, economics), *_untimed(study)),
        missing_trials=study.missing,
        test_items=test_items,
        headline=headline(best, appraised[-1].candidates, study.baseline, economics, test_items),
        best=best.name if best is not None else None,
        sizes=appraised,
    )


def _appraise_size(study: Study, economics: Economics, costs: Differences, size: int) -> SizeAppraisal:
    records = {name: study.of(name, size) for name in study.kinds}
    found = {name: of_variant for name, of_variant in records.items() if of_variant}
    candidates = [
        _candidate(study, economics, name, _pair(found[study.baseline], of_variant, costs, economics))
        for name, of_variant in found.items()
        if name != study.baseline
    ]
    return SizeAppraisal(size, tuple(row_of(study, *item) for item in found.items()), tuple(candidates))


def _pair(
    baseline: tuple[Record, ...], candidate: tuple[Record, ...], costs: Differences, economics: Economics
) -> Paired:
    of_baseline, of_candidate = (
        {r.seed: r for r in records if r.predictions is not None} for records in (baseline, candidate)
    )
    seeds = tuple(sorted(of_baseline.keys() & of_candidate.keys()))
    pairs = [(of_baseline[seed], of_candidate[seed]) for seed in seeds]
    none = np.empty((0, 0))
    if not pairs:
        return Paired(baseline, candidate, (), none, none, none)
    savings = np.array([_lost(before, costs, economics) - _lost(after, costs, economics) for before, after in pairs])
    wrong = np.array([_wrong(after) - _wrong(before) for before, after in pairs])
    regression = pairs[0][0].numbers is not None
    return Paired(baseline, candidate, seeds, savings, none if regression else -wrong, wrong if regression else none)


def _lost(record: Record, costs: Differences, economics: Economics) -> Differences:
    """Money lost by each prediction, below 0 where it earns: (n,)."""
    if record.numbers is not None:
        return economics.cost_per_error * _wrong(record)
    lost: Differences = costs[record.labels, record.predictions]
    return lost if record.brought is None else lost - economics.stake * record.brought


def _wrong(record: Record) -> Differences:
    """See `Record.wrong`, of a trial that did not diverge."""
    assert record.wrong is not None
    return record.wrong


def _candidate(study: Study, economics: Economics, name: str, pair: Paired) -> Candidate:
    inference, ratio, timing = _inference(study, economics, name)
    training = _training(pair, economics)
    if not pair.seeds or training is None:
        return _unpaired(study, name, pair, inference, ratio)
    investment = economics.engineering.once + training.extra
    upkeep = economics.engineering.per_year + economics.retrainings_per_year * training.extra
    annuity = annuity_factor(economics.discount_rate, economics.horizon_years)
    value = float(pair.savings.mean())
    volume = economics.predictions_per_year
    cash_flow = volume * (value - inference) - upkeep
    money_per_unit = annuity * volume
    estimate = net_present_value(investment, cash_flow, economics.discount_rate, economics.horizon_years)
    components = _scaled(pair.savings, timing, money_per_unit)
    npv = interval_around(estimate, components)
    deployable = study.kinds[name] != "oracle"
    verdict = judge(npv, economics.margin) if deployable else None
    needed, items = _what_would_settle_it(verdict, estimate, len(pair.seeds), components, economics.margin)
    benefits, spent = money_per_unit * value, investment + annuity * (volume * inference + upkeep)
    return Candidate(
        name=name,
        kind=study.kinds[name],
        deployable=deployable,
        verdict=verdict,
        reason=reason(verdict, len(pair.seeds), needed, items),
        npv=npv,
        roi=return_on_investment(benefits, spent),
        dominates=benefits >= 0 >= spent and benefits > spent,
        payback_years=payback_years(investment, cash_flow, 0.0, economics.horizon_years),
        discounted_payback_years=payback_years(investment, cash_flow, economics.discount_rate, economics.horizon_years),
        break_even_predictions_per_year=break_even_volume(investment, upkeep, value - inference, annuity),
        accuracy_difference=two_way_interval(pair.accuracy) if pair.accuracy.size else UNKNOWN,
        error_difference=two_way_interval(pair.error) if pair.error.size else UNKNOWN,
        value_per_prediction=two_way_interval(pair.savings),
        inference_cost_per_prediction=inference,
        investment=investment,
        upkeep_per_year=upkeep,
        cash_flow_per_year=cash_flow,
        latency_ratio=ratio,
        training_ratio=training.ratio,
        flops_ratio=_flops_ratio(pair),
        seeds=len(pair.seeds),
        seeds_needed=needed,
        more_test_items=items,
    )


def _unpaired(study: Study, name: str, pair: Paired, inference: float, ratio: float | None) -> Candidate:
    """A candidate without a seed that has predictions of both."""
    deployable = study.kinds[name] != "oracle"
    return Candidate(
        name=name, kind=study.kinds[name], deployable=deployable,
        verdict="not enough evidence" if deployable else None, reason=reason(None, 0, None, False),
        npv=UNKNOWN, roi=None, dominates=False, payback_years=None, discounted_payback_years=None,
        break_even_predictions_per_year=None, accuracy_difference=UNKNOWN, error_difference=UNKNOWN,
        value_per_prediction=UNKNOWN,
        inference_cost_per_prediction=inference, investment=None, upkeep_per_year=None, cash_flow_per_year=None,
        latency_ratio=ratio, training_ratio=None, flops_ratio=_flops_ratio(pair), seeds=0, seeds_needed=None,
        more_test_items=False,
    )  # fmt: skip


def _flops_ratio(pair: Paired) -> float:
    return pair.candidate[0].flops_per_item / max(1, pair.baseline[0].flops_per_item)


@dataclass(frozen=True)
class _Training:
    """Training a working model: the candidate's extra cost in money, and the ratio of seconds."""

    extra: float
    ratio: float | None


def _training(pair: Paired, economics: Economics) -> _Training | None:
    """None where one of the two never works."""
    candidate, baseline = (_seconds_of_a_working_model(records) for records in (pair.candidate, pair.baseline))
    if candidate is None or baseline is None:
        return None
    extra = (candidate - baseline) / 3600 * economics.compute_price_per_hour
    return _Training(extra, candidate / baseline if baseline > 0 else None)


def _seconds_of_a_working_model(records: Sequence[Record]) -> float | None:
    """Machine seconds of all trials, failed ones too, for each that did not diverge.

    A trial is billed the share of the machine that it held: its wall seconds times threads / processors.
    """
    working = sum(r.status != "diverged" for r in records)
    return sum(r.training_wall_s * r.threads / r.cores for r in records) / working if working else None


def _inference(study: Study, economics: Economics, name: str) -> tuple[float, float | None, Component]:
    """Extra money for one prediction's inference, the ratio of times, and the chance in that money."""
    times = study.latency.seconds_per_item if study.latency is not None else {}
    if name not in times or study.baseline not in times:
        return 0.0, None, Component(0.0, 1)
    candidate, baseline = np.array(times[name]), np.array(times[study.baseline])
    price = economics.compute_price_per_hour / 3600
    extra = candidate - baseline  # of the same round: they shared the machine's mood
    return (
        float(np.median(extra)) * price,
        float(np.median(candidate / baseline)),
        median_component(extra).scaled(price),
    )


def _unpriced(study: Study, economics: Economics) -> tuple[str, ...]:
    """Prices that were not given; the stake is one of them only where the data say what decisions bring."""
    with_payoffs = any(record.payoffs is not None for record in study.records)
    return tuple(price for price in economics.not_priced if price != "stake" or with_payoffs)


def _untimed(study: Study) -> tuple[str, ...]:
    """What to say of variants without inference times: of all, or of those added after the times were taken."""
    if study.latency is None:
        return ("inference time (not measured)",)
    trained = {record.variant for record in study.records}
    timed = study.latency.seconds_per_item
    return tuple(f"inference time of {n} (not measured)" for n in study.kinds if n in trained and n not in timed)


def _scaled(savings: Differences, timing: Component, factor: float) -> tuple[Component, ...] | None:
    """Components of the NPV's variance: seeds first, then items, then timing. None with one seed or one item."""
    found = two_way(savings[..., None]).components([[1.0]])
    return None if found is None else tuple(component.scaled(factor) for component in (*found, timing))


def _what_would_settle_it(
    verdict: Verdict | None, estimate: float, seeds: int, components: tuple[Component, ...] | None, margin: float
) -> tuple[int | None, bool]:
    """How many seeds would make an open verdict clear; else whether only more test items would.

    They would not where the estimate is the margin itself, or where the timing alone leaves the verdict open.
    """
    if verdict != "not enough evidence" or components is None:
        return None, False
    needed = seeds_needed(estimate, seeds, components[0], components[1:], margin)
    sure_but_for_timing = interval_around(estimate, components[2:])
    return needed, needed is None and judge(sure_but_for_timing, margin) != "not enough evidence"


def _best(candidates: Sequence[Candidate]) -> Candidate | None:
    """The learned crop, or candidate brought in, with the largest NPV."""
    known = [(c.npv.estimate, c) for c in candidates if c.kind in ("crop", "candidate") and c.npv.estimate is not None]
    return max(known, key=lambda item: item[0])[1] if known else None


def _check_same_test_items(study: Study) -> None:
    for record in study.records[1:]:
        if not np.array_equal(record.labels, study.records[0].labels):
            raise CropworthError(
                f"trials {study.records[0].trial} and {record.trial} with different test items",
                "trials on the same test items",
                "Run the study into a new folder.",
            )
