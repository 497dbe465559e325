"""What an appraisal says: plain frozen data for the report, the terminal and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cropworth.study.record import Kind

Verdict = Literal["adopt", "don't", "equivalent", "not enough evidence"]


@dataclass(frozen=True)
class Interval:
    """An estimate with its two-sided 95 % interval.

    Low and high are None where they cannot be known (one seed), the estimate too where there is nothing to estimate
    it from (no seed with predictions of both variants).
    """

    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """One variant at one training-set size, averaged over its seeds.

    Attributes:
        name: the variant's name in the plan.
        kind: baseline, crop, control or oracle.
        trials: finished trials, failed ones included.
        diverged: trials without predictions; they count in the training cost only.
        collapsed: trials whose crop collapsed; they count like all others.
        accuracy: mean share of test items read right; None for a regression, or where every trial diverged.
        errors_per_thousand: mean errors in 1,000 predictions.
        mean_error: mean absolute error of a regression, in the labels' unit; None for classes.
        training_s: mean wall seconds of a trial.
        training_cpu_s: mean processor seconds of a trial.
        trials_beside: mean number of trials that ran beside it.
        latency_s: median inference seconds an item; None where not measured.
        latency_p90_s: 90th percentile of the same.
        flops_per_item: floating-point operations of an item's inference.
        parameters: learned numbers.
        peak_memory_bytes: median over trials; None where unknown.
        median_iou: mean over trials of the median overlap with the true boxes; None where unknown.
    """

    name: str
    kind: Kind
    trials: int
    diverged: int
    collapsed: int
    accuracy: float | None
    errors_per_thousand: float | None
    mean_error: float | None
    training_s: float
    training_cpu_s: float
    trials_beside: float
    latency_s: float | None
    latency_p90_s: float | None
    flops_per_item: int
    parameters: int
    peak_memory_bytes: int | None
    median_iou: float | None


@dataclass(frozen=True)
class Candidate:
    """What one variant is worth against the baseline, under the given prices. Money in the economics' currency.

    Attributes:
        name: the variant's name in the plan.
        kind: crop, control or oracle; an oracle cannot be deployed.
        deployable: False for an oracle, which needs the true box.
        verdict: None where the variant is not deployable.
        reason: the verdict's reason, one sentence.
        npv: net present value over the horizon.
        roi: (PV benefits - PV costs) / PV costs; None where the candidate's costs are not above 0.
        dominates: no less value and no more cost than the baseline, and better in one of them.
        payback_years: until the investment is earned back; None where never within the horizon.
        discounted_payback_years: the same with discounted cash flows.
        break_even_predictions_per_year: volume at which the NPV is 0; None where no volume does it.
        accuracy_difference: candidate minus baseline, as a fraction; unknown for a regression.
        error_difference: mean absolute error, candidate minus baseline; unknown for classes.
        value_per_prediction: money gained a prediction by fewer or cheaper errors.
        inference_cost_per_prediction: money spent more (or, below 0, less) on inference a prediction.
        investment: engineering once, and the initial training's extra cost; this and the next two are None where no
            trial of the candidate, or of the baseline, works.
        upkeep_per_year: engineering a year, and the retrainings' extra cost.
        cash_flow_per_year: value minus inference cost, times volume, minus upkeep.
        latency_ratio: median of candidate / baseline, round by round; None where not measured.
        training_ratio: training seconds of a working model, candidate / baseline; None where none works.
        flops_ratio: candidate / baseline.
        seeds: seeds with predictions of both.
        seeds_needed: seeds after which the verdict should be clear if the estimate holds; None where it is clear
            already, or where no number of seeds would do.
        more_test_items: True where only a larger test set would make the verdict clear.
    """

    name: str
    kind: Kind
    deployable: bool
    verdict: Verdict | None
    reason: str
    npv: Interval
    roi: float | None
    dominates: bool
    payback_years: float | None
    discounted_payback_years: float | None
    break_even_predictions_per_year: float | None
    accuracy_difference: Interval
    error_difference: Interval
    value_per_prediction: Interval
    inference_cost_per_prediction: float
    investment: float | None
    upkeep_per_year: float | None
    cash_flow_per_year: float | None
    latency_ratio: float | None
    training_ratio: float | None
    flops_ratio: float
    seeds: int
    seeds_needed: int | None
    more_test_items: bool


@dataclass(frozen=True)
class SizeAppraisal:
    """All variants at one training-set size."""

    train_size: int
    rows: tuple[Row, ...]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Appraisal:
    """What a study's records are worth under given prices.

    Attributes:
        study: the plan's name.
        baseline: the variant that the others are compared with.
        currency: of all money.
        horizon_years: over which the money is counted.
        not_priced: prices that were not given and so count as 0.
        missing_trials: trials of the plan that are not finished.
        test_items: how many test items the verdict rests on.
        headline: the verdict in one sentence, with its interval.
        best: the deployable learned crop with the largest NPV; None where there is none with predictions.
        sizes: one appraisal for each training-set size, ascending; the last is the headline's.
    """

    study: str
    baseline: str
    currency: str
    horizon_years: int
    not_priced: tuple[str, ...]
    missing_trials: int
    test_items: int
    headline: str
    best: str | None
    sizes: tuple[SizeAppraisal, ...]

    @property
    def largest(self) -> SizeAppraisal:
        """The appraisal at the largest training-set size."""
        return self.sizes[-1]
