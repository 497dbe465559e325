"""One candidate's appraisal: its case, its verdict, and all that follows from them."""

from __future__ import annotations

from cropworth.study.record import Study
from cropworth.worth.costs import Inference, inference, machine_seconds, training
from cropworth.worth.curves import decisions, learning
from cropworth.worth.economics import Economics
from cropworth.worth.information import Source
from cropworth.worth.interval import interval_around, two_way_interval
from cropworth.worth.money import payback_years, return_on_investment
from cropworth.worth.outlook import break_even_price, outlook
from cropworth.worth.pairs import Losses, Paired
from cropworth.worth.results import Candidate, Cost, Interval
from cropworth.worth.results import Source as Origin
from cropworth.worth.scenario import Array, Case
from cropworth.worth.sentences import reason
from cropworth.worth.verdict import judge, seeds_needed

UNKNOWN = Interval(None, None, None)
MOST_FURTHER_SEEDS, MOST_FURTHER_ITEMS = 100, 1_000_000


def make_case(study: Study, economics: Economics, losses: Losses, pair: Paired) -> Case | None:
    """The candidate's case; None where no seed has predictions of both."""
    trained = training(economics, pair.candidate, pair.baseline)
    if not pair.both or trained is None:
        return None
    return Case(economics, losses.pricing, losses.gains(pair), inference(study, economics, pair.name), trained)


def candidate(
    study: Study, economics: Economics, losses: Losses, pair: Paired, case: Case | None, with_outlook: bool
) -> Candidate:
    """Appraise one candidate.

    Args:
        study: for the times that were measured.
        economics: the prices.
        losses: of the study's predictions.
        pair: the candidate's and the baseline's records.
        case: see `make_case`.
        with_outlook: whether to say what the result depends on, which takes most of the time.
    """
    if case is None:
        return _unpaired(pair, inference(study, economics, pair.name))
    together = case.interval(pair.rates)
    verdict = judge(together, economics.margin) if pair.deployable else None
    open_verdict = verdict == "not enough evidence"
    needed, items, prices = _what_would_settle_it(case, pair) if open_verdict else (None, False, False)
    streams, rate = case.streams(case.means), case.means["discount_rate"]
    brought, costs = case.present_values(case.means)
    benefits, spent = float(brought), float(sum(costs.values()))
    flows, investment = case.flows(), sum(float(stream.now) for stream in streams.values())
    regression = pair.both[0][0].numbers is not None
    known = case.components() is not None
    return Candidate(
        name=pair.name,
        kind=pair.kind,
        deployable=pair.deployable,
        verdict=verdict,
        reason=reason(verdict, len(pair.both), needed, items, prices),
        npv=case.interval(),
        npv_together=together,
        roi=return_on_investment(benefits, spent),
        dominates=benefits >= 0 >= spent and benefits > spent,
        payback_years=payback_years(investment, flows, 0.0),
        discounted_payback_years=payback_years(investment, flows, rate),
        break_even_predictions_per_year=break_even_price(case, "predictions_per_year"),
        break_even_error_price=break_even_price(case, economics.error_price),
        break_even_compute_price=break_even_price(case, "compute_price_per_hour"),
        accuracy_difference=UNKNOWN if regression else two_way_interval(-pair.worse, pair.weights, unit=1.0),
        error_difference=two_way_interval(pair.worse, pair.weights) if regression else UNKNOWN,
        value_per_prediction=interval_around(
            float(case.gain(case.means)), case.gains.components(case.pricing.coefficients(case.means))
        ),
        inference_cost_per_prediction=float(
            case.streams({**case.means, "predictions_per_year": 1.0})["inference"].yearly[0]
        ),
        investment=investment,
        upkeep_per_year=sum(float(streams[name].yearly[0]) for name in ("engineering", "training")),
        cash_flow_per_year=flows[0],
        costs=_costs(case, costs),
        latency_ratio=case.inference.ratio,
        training_ratio=case.training.ratio,
        flops_ratio=_flops_ratio(pair),
        seeds=len(pair.both),
        seeds_needed=needed,
        more_test_items=items,
        better_prices=prices,
        outlook=outlook(
            case,
            pair.rates,
            _sources(study, case, pair),
            decisions(study, economics, case, pair),
            learning(study, case, losses, pair.name),
        )
        if with_outlook and known
        else None,
    )


def _unpaired(pair: Paired, serving: Inference) -> Candidate:
    """A candidate without a seed that has predictions of both."""
    return Candidate(
        name=pair.name, kind=pair.kind, deployable=pair.deployable,
        verdict="not enough evidence" if pair.deployable else None, reason=reason(None, 0),
        npv=UNKNOWN, npv_together=UNKNOWN, roi=None, dominates=False, payback_years=None,
        discounted_payback_years=None, break_even_predictions_per_year=None, break_even_error_price=None,
        break_even_compute_price=None, accuracy_difference=UNKNOWN, error_difference=UNKNOWN,
        value_per_prediction=UNKNOWN, inference_cost_per_prediction=None, investment=None, upkeep_per_year=None,
        cash_flow_per_year=None, costs=(), latency_ratio=serving.ratio, training_ratio=None,
        flops_ratio=_flops_ratio(pair), seeds=0, seeds_needed=None, more_test_items=False, better_prices=False,
        outlook=None,
    )  # fmt: skip


def _flops_ratio(pair: Paired) -> float | None:
    before, after = pair.baseline[0].flops_per_item, pair.candidate[0].flops_per_item
    return after / before if before else None


def _what_would_settle_it(case: Case, pair: Paired) -> tuple[int | None, bool, bool]:
    """How many seeds would make an open verdict clear; else whether only test items, or better-known prices, would.

    None of them would where the estimate is the margin itself, or where the timing alone leaves the verdict open.
    """
    components, margin = case.components(), case.economics.margin
    if components is None:
        return None, False, False
    if judge(case.interval_at(rates=pair.rates), margin) != "not enough evidence":
        return None, False, True  # at known prices it would be clear
    needed = seeds_needed(case.npv(), components, len(pair.both), margin, pair.rates)
    sure_but_for_timing = interval_around(case.npv(), components[2:], pair.rates)
    return needed, needed is None and judge(sure_but_for_timing, margin) != "not enough evidence", False


def _costs(case: Case, values: dict[str, Array]) -> tuple[Cost, ...]:
    """Each kind of cost with where it comes from; money only where there is a quantity and a price."""
    given, economics = case.economics.model_fields_set, case.economics
    paid = "compute_price_per_hour" in given
    joules = {"inference": case.inference.energy_source, "training": case.training.energy_source}
    known: set[Origin] = set(joules.values()) - {"unavailable"}
    energy: Origin = "unavailable" if not known else "estimated" if "estimated" in known else "measured"
    origins: dict[str, Origin] = {
        "engineering": "given" if economics.engineering.model_fields_set else "not priced",
        "training": ("measured" if case.training.ratio is not None else "unavailable") if paid else "not priced",
        "inference": ("measured" if case.inference.ratio is not None else "unavailable")
        if paid or economics.instances
        else "not priced",
        "energy": energy if "energy_price_per_kwh" in given else "not priced",
        "carbon": energy if {"carbon_kg_per_kwh", "carbon_price_per_tonne"} <= given else "not priced",
    }
    costs = [
        Cost(name, None if origin in ("unavailable", "not priced") else float(values[name]), origin)
        for name, origin in origins.items()
    ]
    if known and origins["energy"] != "not priced":
        costs += [Cost(f"energy of {part}", None, source) for part, source in joules.items() if source not in known]
    return tuple(costs)


def _sources(study: Study, case: Case, pair: Paired) -> list[Source]:
    """What could be measured further, with its price where there is one."""
    components = case.components()
    assert components is not None
    by_seed, by_item, timing = components
    hourly, label = case.means["compute_price_per_hour"], case.means.get("price_per_label")
    trials = (*pair.baseline, *pair.candidate)
    seed = sum(map(machine_seconds, trials)) / 3600 * hourly / len(pair.both) if hourly else None
    rounds = len(study.latency.seconds_per_item[pair.name]) if case.inference.ratio is not None and study.latency else 0
    found = [
        Source("seeds", by_seed, len(pair.both), seed, MOST_FURTHER_SEEDS),
        Source("test items", by_item, len(pair.both[0][0].labels), label, MOST_FURTHER_ITEMS),
    ]
    return [*found, Source("timing rounds", timing, rounds, 0.0, rounds)] if rounds > 2 else found
