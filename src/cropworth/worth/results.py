"""What an appraisal says: plain frozen data for the report, the terminal and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cropworth.study.record import Kind

Verdict = Literal["adopt", "don't", "equivalent", "not enough evidence"]
Shape = Literal["power law", "turns back", "no power law"]
Answer = Literal["from", "up to", "at every measured size", "never within reach", "cannot be told"]
Source = Literal["measured", "estimated", "given", "unavailable", "not priced"]


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
        waiting_share: mean share of a trial's wall seconds in which it waited for data; None where not measured.
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
    waiting_share: float | None
    latency_s: float | None
    latency_p90_s: float | None
    flops_per_item: int
    parameters: int
    peak_memory_bytes: int | None
    median_iou: float | None


@dataclass(frozen=True)
class Cost:
    """One kind of cost over the horizon, the candidate's less the baseline's.

    Attributes:
        name: engineering, training, inference, energy or carbon.
        present_value: money of today; None where it is unavailable or not priced.
        source: where the quantity comes from: measured, estimated from declared watts, given as a price, unavailable;
            or not priced.
    """

    name: str
    present_value: float | None
    source: Source


@dataclass(frozen=True)
class Bar:
    """One bar of the tornado: an input varied alone, all others at their means.

    Attributes:
        input: path of a price, or what was measured.
        varied: ``guess`` (a given range, its 10 % and 90 % quantiles), ``measured`` (the same of a measurement), or
            ``what if`` (a price that was given as one number: half of it and twice it).
        low: the input's lower value; None for what was measured.
        high: its upper value.
        npv_at_low: net present value there.
        npv_at_high: net present value there.
        flips: whether the verdict is another at one of the ends.
    """

    input: str
    varied: Literal["guess", "measured", "what if"]
    low: float | None
    high: float | None
    npv_at_low: float
    npv_at_high: float
    flips: bool


@dataclass(frozen=True)
class Grid:
    """Net present values over two inputs.

    Attributes:
        volumes: predictions a year, (M,).
        error_prices: amounts of `Appraisal.error_price`, (N,).
        npv: M rows of N.
        verdicts: of each.
    """

    volumes: tuple[float, ...]
    error_prices: tuple[float, ...]
    npv: tuple[tuple[float, ...], ...]
    verdicts: tuple[tuple[Verdict, ...], ...]


@dataclass(frozen=True)
class BreakEvenCurve:
    """Net present value over the volume, all other prices at their means.

    Attributes:
        volumes: predictions a year, ascending, (M,); from below the break-even volume and today's to above them, and
            empty where both are 0 or not known.
        npv: at each, with its 95 % interval.
    """

    volumes: tuple[float, ...]
    npv: tuple[Interval, ...]


@dataclass(frozen=True)
class Measurement:
    """Something that could be measured or asked next, and what that would be worth.

    Attributes:
        what: seeds, test items, rounds of timing, or the path of a price.
        count: how many more; None for a price.
        value: expected gain of the decision, in money.
        cost: of the measurement; None where it is not known.
        words: the advice, one sentence.
    """

    what: str
    count: int | None
    value: float
    cost: float | None
    words: str

    @property
    def net(self) -> float:
        """Value less the cost, where that is known."""
        return self.value - (self.cost or 0.0)


@dataclass(frozen=True)
class Rank:
    """A variant's place among all that can be deployed, the baseline included.

    Attributes:
        name: the variant's.
        probability_best: that none is worth more.
        expected_rank: 1 is the best.
        may_be_best: in the set of variants that holds the best in 95 % of studies.
        dominated_by: variants that gain no less and cost no more: one, or two of which a mixture does; empty if none.
    """

    name: str
    probability_best: float
    expected_rank: float
    may_be_best: bool
    dominated_by: tuple[str, ...]


@dataclass(frozen=True)
class Outlook:
    """What depends on prices and chance: of a candidate with an interval, at the largest training-set size.

    Attributes:
        probability_worth_it: that the net present value exceeds the margin.
        quantiles: of the net present value: pairs of probability and money.
        acceptability: pairs of an amount of `Appraisal.error_price` and the probability that it is worth it (CEAC).
        tornado: the widest bar first.
        grid: over volume and the price of an error.
        break_even_curve: over volume alone.
        perfect_information: what knowing the net present value for sure would be worth (EVPI).
        next: what to measure next, the most worthwhile first.
        decisions: for two classes, net benefit over thresholds; None for others, or without probabilities.
        learning: how the gain depends on the training-set size; None with fewer than three sizes.
    """

    probability_worth_it: float
    quantiles: tuple[tuple[float, float], ...]
    acceptability: tuple[tuple[float, float], ...]
    tornado: tuple[Bar, ...]
    grid: Grid
    break_even_curve: BreakEvenCurve
    perfect_information: float
    next: tuple[Measurement, ...]
    decisions: DecisionCurve | None
    learning: LearningCurve | None


@dataclass(frozen=True)
class Benefit:
    """What deciding by one model brings at each of T thresholds, or what one brings more than another.

    Attributes:
        net_benefit: true positives an item, less false positives an item times t / (1 - t); in cases found an item
            (Vickers and Elkin 2006, Medical Decision Making 26, 565-574).
        standardised: net benefit over prevalence: 1 is what finding all cases without a false alarm would bring
            (Kerr et al. 2016, Journal of Clinical Oncology 34, 2534-2540).
        interventions_avoided: treatments an item that are saved against treating all, no case missed more: the gain in
            net benefit over treating all, times (1 - t) / t (Vickers and Elkin 2006).
    """

    net_benefit: tuple[Interval, ...]
    standardised: tuple[Interval, ...]
    interventions_avoided: tuple[Interval, ...]


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit over thresholds of two models, with 95 % intervals; each holds at its own threshold.

    The intervals allow for seeds and items, and for the prevalence where that is the test set's own.

    Attributes:
        thresholds: (T,), probabilities from which an item counts as positive.
        prevalence: share of positives that the benefits are for.
        treat_all: (T,), net benefit of calling every item positive. Calling none so has a net benefit of 0.
        baseline: of the baseline.
        candidate: of the candidate.
        difference: candidate less baseline, paired by seed and item.
    """

    thresholds: tuple[float, ...]
    prevalence: float
    treat_all: tuple[float, ...]
    baseline: Benefit
    candidate: Benefit
    difference: Benefit


@dataclass(frozen=True)
class PowerLaw:
    """a n^-b + c: a gain that nears `c` as the training set grows, from above (a > 0) or below (a < 0)."""

    a: float
    b: float
    c: float

    def at(self, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        """The gain at `sizes`, of any shape."""
        gains: NDArray[np.float64] = self.a * sizes**-self.b + self.c
        return gains


@dataclass(frozen=True)
class LearningCurve:
    """A crop's gain over training-set sizes, and where it pays.

    Attributes:
        fit: the fitted power law.
        sizes: of the band, from the smallest measured size to twice the largest.
        band: the fitted gain at each with its 95 % interval (for each size by itself).
        measured: the measured gain at each training-set size, ascending, with its 95 % interval; a little unlike the
            appraisal's, for here each size's variance is moderated by the others'.
        shape: whether a power law describes the gains: 'turns back' where they rise and fall by more than chance,
            'no power law' where they miss the fit by more than chance. Then no size is named.
        answer: where the crop pays.
        size: the training-set size from which, or up to which, it does. Low or high is None where that end lies
            outside what was measured (and twice the largest size), all are None where there is no such size.
        words: the answer in a sentence.
    """

    fit: PowerLaw
    sizes: tuple[float, ...]
    band: tuple[Interval, ...]
    measured: tuple[Interval, ...]
    shape: Shape
    answer: Answer
    size: Interval
    words: str


@dataclass(frozen=True)
class Candidate:
    """What one variant is worth against the baseline, under the given prices. Money in the economics' currency.

    Attributes:
        name: the variant's name in the plan.
        kind: crop, control or oracle; an oracle cannot be deployed.
        deployable: False for an oracle, which needs the true box.
        verdict: None where the variant is not deployable.
        reason: the verdict's reason, one sentence.
        npv: net present value over the horizon, its 95 % interval taken alone.
        npv_together: the same with an interval that holds for all candidates of its kind at once, and for every look
            at the study; the verdict is by this one.
        roi: (PV benefits - PV costs) / PV costs; None where the candidate's costs are not above 0.
        dominates: no less value and no more cost than the baseline, and better in one of them.
        payback_years: until the investment is earned back; None where never within the horizon.
        discounted_payback_years: the same with discounted cash flows.
        break_even_predictions_per_year: volume from which it pays; None where no volume does it.
        break_even_error_price: amount of `Appraisal.error_price` from which it pays; None where none does it.
        break_even_compute_price: price of an hour from which it pays; None where none does it.
        accuracy_difference: candidate minus baseline, as a fraction; unknown for a regression.
        error_difference: mean absolute error, candidate minus baseline; unknown for classes.
        value_per_prediction: money gained a prediction by fewer or cheaper errors.
        inference_cost_per_prediction: money spent more (or, below 0, less) on inference a prediction.
        investment: engineering once, and the initial training's extra cost; this and the next two are None where no
            trial of the candidate, or of the baseline, works.
        upkeep_per_year: engineering, and the retrainings' extra cost, in the first year.
        cash_flow_per_year: value minus inference cost, times volume, minus upkeep, in the first year.
        costs: all kinds of cost; empty where the three before are None.
        latency_ratio: median of candidate / baseline, round by round; None where not measured.
        training_ratio: training seconds of a working model, candidate / baseline; None where none works.
        flops_ratio: candidate / baseline; None where not counted.
        seeds: seeds with predictions of both.
        seeds_needed: seeds after which the verdict will be clear with a chance of 80 %; None where it is clear already,
            or where no number of seeds would do.
        more_test_items: True where only a larger test set would make the verdict clear.
        better_prices: True where only prices that are known better would.
        outlook: None where there is no interval, or at smaller training-set sizes.
    """

    name: str
    kind: Kind
    deployable: bool
    verdict: Verdict | None
    reason: str
    npv: Interval
    npv_together: Interval
    roi: float | None
    dominates: bool
    payback_years: float | None
    discounted_payback_years: float | None
    break_even_predictions_per_year: float | None
    break_even_error_price: float | None
    break_even_compute_price: float | None
    accuracy_difference: Interval
    error_difference: Interval
    value_per_prediction: Interval
    inference_cost_per_prediction: float | None
    investment: float | None
    upkeep_per_year: float | None
    cash_flow_per_year: float | None
    costs: tuple[Cost, ...]
    latency_ratio: float | None
    training_ratio: float | None
    flops_ratio: float | None
    seeds: int
    seeds_needed: int | None
    more_test_items: bool
    better_prices: bool
    outlook: Outlook | None


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
        gaps: what a reader must know of the records that are missing, unpaired or of different origin.
        error_price: path of the price of an error that is varied; of a matrix, a multiple of all of it.
        study_cost: what the study's own trainings cost, which is spent whatever is decided; None where not priced.
        rules: how each variant decides after its first training, a sentence each; empty where for the likeliest class.
        ranking: of all that can be deployed, at the largest training-set size; empty where it cannot be told.
        headline: the verdict in one sentence, with its interval.
        best: the learned crop, or candidate of one's own, with the largest NPV; None where there is none with
            predictions.
        sizes: one appraisal for each training-set size, ascending; the last is the headline's.
    """

    study: str
    baseline: str
    currency: str
    horizon_years: int
    not_priced: tuple[str, ...]
    missing_trials: int
    test_items: int
    gaps: tuple[str, ...]
    error_price: str
    study_cost: float | None
    rules: tuple[str, ...]
    ranking: tuple[Rank, ...]
    headline: str
    best: str | None
    sizes: tuple[SizeAppraisal, ...]

    @property
    def largest(self) -> SizeAppraisal:
        """The appraisal at the largest training-set size."""
        return self.sizes[-1]
