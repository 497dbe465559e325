"""`FORMULAS`: how each number of the report comes about, by the key of its column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["money", "number", "count", "percent", "years"]
Whose = Literal["row", "best", "baseline"]

ECONOMICS, DECISIONS = "docs/economics.md", "docs/decisions.md"
MEASURED, COSTS, INTERVAL = "What a prediction gains", "What it costs", "The interval"
VERDICT, DEPENDS, MORE = "The verdict", "What it depends on", "What it is worth to know more"
SEVERAL, FAIL = "Several variants", "Trials that fail"


@dataclass(frozen=True)
class Symbol:
    """What a letter stands for.

    Attributes:
        sign: the letter, or the word, as the formula has it.
        meaning: of it.
        value: where its value stands: a path in an appraisal's candidate, such as ``npv.estimate``, or the path of a
            price after ``price:``; empty where it is no one number.
        unit: of the value.
    """

    sign: str
    meaning: str
    value: str = ""
    unit: Unit = "number"


@dataclass(frozen=True)
class Formula:
    """How a number comes about.

    Attributes:
        name: what the number is called.
        says: what it is, one sentence.
        formula: the same in symbols, one line.
        symbols: those of the formula.
        section: heading in `page` that says more.
        records: what each trial's record has to do with it: keys of `trials.OWN`; empty where none has.
        rounds: whether it comes from the rounds of timing.
        of: whose records: the variant's that names the row, the headline's candidate's, or the baseline's.
        against: whether the baseline's records are part of it as well.
        page: of the docs.
    """

    name: str
    says: str
    formula: str
    symbols: tuple[Symbol, ...] = ()
    section: str = COSTS
    records: tuple[str, ...] = ()
    rounds: bool = False
    of: Whose = "row"
    against: bool = False
    page: str = ECONOMICS


NPV = Symbol("NPV", "net present value", "npv.estimate", "money")
NOW = Symbol("NPV", "net present value with all inputs as they are", "npv.estimate", "money")
INVESTMENT = Symbol("I₀", "investment: engineering once, and what training costs more", "investment", "money")
FLOW = Symbol("CF(1)", "cash flow of the first year", "cash_flow_per_year", "money")
GAIN = Symbol("dv", "value gained by one prediction", "value_per_prediction.estimate", "money")
DEARER = Symbol("dc", "what one prediction's inference costs more", "inference_cost_per_prediction", "money")
UPKEEP = Symbol("U(1)", "upkeep of the first year: engineering and retrainings", "upkeep_per_year", "money")
VOLUME = Symbol("V(1)", "predictions in the first year", "price:predictions_per_year", "count")
RATE = Symbol("r", "discount rate", "price:discount_rate", "percent")
HORIZON = Symbol("T", "horizon", "price:horizon_years", "years")
MARGIN = Symbol("margin", "net present value below which nobody would bother", "price:margin", "money")
HOUR = Symbol("h", "price of a machine’s hour", "price:compute_price_per_hour", "money")
AGAIN = Symbol("n", "retrainings a year", "price:retrainings_per_year", "count")
LOW = Symbol("low", "lower end of the interval by which the verdict is reached", "npv_together.low", "money")
HIGH = Symbol("high", "its upper end", "npv_together.high", "money")
SPENT = Symbol("C", "all costs over the horizon, in money of today", "costs", "money")
DISCOUNT = Symbol("d(y)", "discount of year y: 1 / (1 + r)^y")
CHANGE = Symbol("m(y)", "what a machine’s hour costs in year y, over the first")
ONCE = Symbol("once", "engineering once", "price:engineering.once", "money")
YEARLY = Symbol("per year", "engineering a year", "price:engineering.per_year", "money")
WORTH = (INVESTMENT, FLOW, GAIN, DEARER, VOLUME, UPKEEP, RATE, HORIZON)
PREDICTIONS = ("accuracy", "mean_error")
ALL = (*PREDICTIONS, "machine_s")


def _worth(name: str, says: str, formula: str, *symbols: Symbol, section: str = COSTS, of: Whose = "row") -> Formula:
    """What follows from all that was measured of a candidate and of the baseline."""
    return Formula(name, says, formula, symbols, section, ALL, rounds=True, of=of, against=True)


def _mean(name: str, says: str, formula: str, *records: str, section: str = MEASURED) -> Formula:
    """What was measured of a variant alone."""
    return Formula(name, says, formula, section=section, records=records)


FORMULAS: dict[str, Formula] = {
    "verdict": _worth(
        "Verdict", "Which of four cases the interval of the NPV is, in this order; fewer than 3 seeds decide nothing.",
        "adopt: low > margin; equivalent: −margin ≤ low, high ≤ margin; don’t: high < margin; else not enough evidence",
        LOW, HIGH, MARGIN, section=VERDICT,
    ),
    "reason": _worth(
        "Reason", "Why the verdict is what it is, by the ends of its interval.",
        "low and high against the margin", LOW, HIGH, MARGIN, section=VERDICT,
    ),
    "npv": _worth(
        "Net present value", "What the candidate is worth more than the baseline over the horizon, in money of today. "
        "Below it is the 95 % interval, by the chance of seeds, test items, timing and guessed prices.",
        "NPV = −I₀ + sum over y = 1 … T of CF(y) / (1 + r)^y, with CF(1) = V(1) (dv − dc) − U(1)", *WORTH,
    ),
    "roi": _worth(
        "Return on investment", "What comes back for each money spent; without meaning where nothing more is spent.",
        "ROI = (benefits − C) / C = NPV / C, in present values", NPV, SPENT,
    ),
    "payback_years": _worth(
        "Payback", "Years until the cash flows have earned the investment back; within a year they are taken as even.",
        "the first y with CF(1) + … + CF(y) ≥ I₀", INVESTMENT, FLOW, HORIZON,
    ),
    "discounted_payback_years": _worth(
        "Payback, discounted", "The same with each year’s cash flow in money of today.",
        "the first y with CF(1) / (1 + r) + … + CF(y) / (1 + r)^y ≥ I₀", INVESTMENT, FLOW, RATE, HORIZON,
    ),
    "break_even_predictions_per_year": _worth(
        "Break-even volume", "Predictions a year from which it pays: the NPV is a straight line in them.",
        "the V(1) at which NPV = 0", NPV, *WORTH,
    ),
    "break_even_error_price": _worth(
        "Break-even price of an error", "The price from which it pays: the NPV is a straight line in it.",
        "the price at which NPV = 0", NPV, *WORTH,
    ),
    "break_even_compute_price": _worth(
        "Break-even price of a compute hour", "The price from which it pays: the NPV is a straight line in it.",
        "the h at which NPV = 0", NPV, HOUR, DEARER, VOLUME,
    ),
    "probability_worth_it": _worth(
        "Chance that it is worth it", "The share of 10,000 draws of measurements and of guessed prices that pay.",
        "P(NPV > margin)", NPV, MARGIN, section=INTERVAL,
    ),
    "perfect_information": _worth(
        "Worth of knowing for sure", "The expected value of perfect information: no measurement can be worth more.",
        "EVPI = E[max(0, NPV − margin)] − max(0, E[NPV − margin])", NPV, MARGIN, section=MORE,
    ),
    "costs.engineering": Formula(
        "Engineering", "What people cost who build and keep it; every candidate is charged the same.",
        "once + sum over y of per year × d(y)", (ONCE, YEARLY, DISCOUNT, RATE, HORIZON),
    ),
    "costs.training": Formula(
        "Training", "What training and retraining a working model cost more; failed trials are charged to it.",
        "t h (1 + sum over y of n m(y) d(y)), t in machine hours: wall seconds × threads / processors",
        (HOUR, AGAIN, CHANGE, DISCOUNT, RATE, HORIZON), records=("training_s", "machine_s"), against=True,
    ),
    "costs.inference": Formula(
        "Inference", "What predictions cost more, by the median over rounds of the difference in seconds.",
        "sum over y of V(y) dc m(y) d(y), with dc = dt h / 3600 / utilisation", (DEARER, VOLUME, HOUR, CHANGE, DISCOUNT,
        Symbol("utilisation", "share of the paid time in which machines predict", "price:utilisation", "percent"),
        RATE, HORIZON), rounds=True, against=True,
    ),
    "costs.energy": Formula(
        "Energy", "What the energy of predictions and trainings costs more; measured, or estimated as seconds × watts.",
        "(e of the first training + sum over y of (V(y) e of an inference + n e of a training) d(y)) × price",
        (VOLUME, AGAIN, Symbol("price", "of a kilowatt-hour", "price:energy_price_per_kwh", "money"), DISCOUNT, RATE),
        records=("training_s", "training_energy_j"), rounds=True, against=True,
    ),
    "costs.carbon": Formula(
        "Carbon", "What the same energy’s carbon costs more.",
        "energy in kWh, discounted as its cost is, × kg a kWh × price of a tonne / 1000",
        (Symbol("kg a kWh", "carbon of a kilowatt-hour", "price:carbon_kg_per_kwh"),
         Symbol("price", "of a tonne", "price:carbon_price_per_tonne", "money"), VOLUME, AGAIN, RATE),
        records=("training_s", "training_energy_j"), rounds=True, against=True,
    ),
    "costs.energy of inference": Formula(
        "Energy of inference", "It was neither measured nor estimated, and stands in no sum.", "unavailable",
    ),
    "costs.energy of training": Formula(
        "Energy of training", "It was neither measured nor estimated, and stands in no sum.", "unavailable",
    ),
    "mean_error": _mean(
        "Mean error", "By how much the predicted numbers are wrong, in the labels’ unit.",
        "mean over seeds of the mean over test items of |prediction − truth|", "mean_error",
    ),
    "accuracy": _mean(
        "Accuracy", "Share of test items read right, by the likeliest class.",
        "mean over seeds of right items / all test items", "accuracy",
    ),
    "errors_per_thousand": _mean(
        "Errors per 1,000", "Wrong predictions in a thousand.", "1,000 × (1 − accuracy)", "accuracy",
    ),
    "training_s": _mean(
        "Training seconds", "From the first batch to the end, validation included; of processors, the sum over all.",
        "mean over trials", "training_s", "training_cpu_s", section=COSTS,
    ),
    "trials_beside": _mean(
        "Trials beside", "How many other trials ran on the machine at the same time.",
        "mean over trials of the seconds that others shared with it / its own", "started_at", "training_s",
        section=COSTS,
    ),
    "waiting_share": _mean(
        "Waiting for data", "Share of the training’s wall seconds in which it waited for its next batch.",
        "mean over trials of seconds waited / wall seconds", "waiting_share", "training_s", section=COSTS,
    ),
    "latency_s": Formula(
        "Inference time", "Milliseconds an item, measured of all variants in turn.",
        "median over rounds; and their 90 % quantile", rounds=True,
    ),
    "flops_per_item": _mean(
        "FLOPs per item", "Floating-point operations of one item’s inference; a multiply-add counts 2.",
        "counted, the same in every trial", "flops_per_item", section=COSTS,
    ),
    "parameters": _mean(
        "Parameters", "Numbers that the model has learned.", "counted, the same in every trial", "parameters",
        section=COSTS,
    ),
    "peak_memory_bytes": _mean(
        "Peak memory", "Most memory resident during training.", "median over trials", "peak_memory_bytes",
        section=COSTS,
    ),
    "median_iou": _mean(
        "Median IoU", "How far the crops and the true boxes overlap: their intersection over their union.",
        "mean over trials of the median over test items of |crop ∩ box| / |crop ∪ box|", "median_iou",
    ),
    "trials": _mean(
        "Trials", "Trials that are finished, those that failed included.",
        "counted", "accuracy", section=FAIL,
    ),
    "record": _mean(
        "Of one trial", "As the trial’s own record has it.",
        "nothing is reckoned; where a row is of several trials, their mean",
        *PREDICTIONS, "training_s", "training_cpu_s", section=FAIL,
    ),
    "probability_best": _worth(
        "Chance to be the best", "The share of joint draws in which no other variant is worth more.",
        "P(NPV ≥ NPV of every other), the baseline’s being 0", NPV, section=SEVERAL,
    ),
    "expected_rank": _worth(
        "Expected rank", "Its place by net present value, 1 the best.", "mean rank over the joint draws", NPV,
        section=SEVERAL,
    ),
    "may_be_best": _worth(
        "May be the best", "Whether it is in the set that holds the best variant 95 % of the time.",
        "no other is better by more than q standard errors, q the 95 % quantile of the largest such difference", NPV,
        section=SEVERAL,
    ),
    "dominated_by": _worth(
        "Dominated by", "Variants, or a mixture of two, that gain no less and cost no more.",
        "value ≤ that of the other, and cost ≥ that of the other, one of them strictly", NPV, SPENT, section=SEVERAL,
    ),
    "npv_at_low": _worth(
        "Lower end", "The NPV with this input at its lower value, all others at their means.",
        "NPV at the 10 % quantile of a guess or measurement, or at half a price", NOW, section=DEPENDS, of="best",
    ),
    "npv_at_high": _worth(
        "Higher end", "The NPV with this input at its higher value, all others at their means.",
        "NPV at the 90 % quantile of a guess or measurement, or at twice a price", NOW, section=DEPENDS, of="best",
    ),
    "flips": _worth(
        "Other verdict", "Whether the verdict is another at one of the ends.",
        "the interval moved to either end, against the margin", LOW, HIGH, MARGIN, section=DEPENDS, of="best",
    ),
    "grid": _worth(
        "Verdict by volume and price", "Verdict and NPV at this volume and this price of an error, all else the same.",
        "NPV at V(1) of the row and the price of the column, against the margin", NOW, MARGIN, section=DEPENDS,
        of="best",
    ),
    "treat_all": Formula(
        "Treat all", "The net benefit of calling every item positive; calling none so has 0.",
        "prevalence − (1 − prevalence) t / (1 − t), t the threshold", section="The decision curve", page=DECISIONS,
    ),
    "net_benefit": Formula(
        "Net benefit", "True positives less false ones, weighed by the odds of the threshold, an item.",
        "TP / n − FP / n × t / (1 − t), t the threshold", section="The decision curve", page=DECISIONS,
        records=("accuracy",), of="best", against=True,
    ),
}  # fmt: skip
