"""A candidate's net present value at any prices, by hand, and what must hold of it whatever the prices."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy_financial as npf
import pandas as pd
import pytest
from heormodel import Outcomes
from heormodel.cea import ceac
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cropworth.errors import CropworthError
from cropworth.study.record import Latency, Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.candidate import candidate, make_case
from cropworth.worth.economics import read_economics
from cropworth.worth.gains import Pricing
from cropworth.worth.interval import ALONE
from cropworth.worth.outlook import break_even_curve, break_even_price
from cropworth.worth.pairs import Losses, pair_up
from cropworth.worth.results import Candidate
from cropworth.worth.scenario import Case
from factories import make_record, make_study


def study_of(saved: int = 20, seeds: int = 4, **latency: Any) -> Study:
    """The baseline gets 40 to 43 of 200 items wrong, the candidate `saved` fewer, and takes a third of the time."""
    records = [make_record("baseline", s, wrong=range(40 + s), wall_s=36.0) for s in range(seeds)]
    records += [make_record("crop", s, wrong=range(40 + s - saved), wall_s=72.0) for s in range(seeds)]
    times = {"baseline": (0.003,) * 10, "crop": (0.001,) * 10}
    return replace(make_study(records), latency=Latency(8, 1, times, **latency))


def case_of(study: Study | None = None, **prices: Any) -> Case:
    study, economics = study or study_of(), read_economics(prices)
    losses = Losses(Pricing(study, economics))
    case = make_case(study, economics, losses, pair_up(study, 100, "crop"))
    assert case is not None
    return case


def quickly(study: Study, **prices: Any) -> Candidate:
    """As `crop_of`, without the outlook."""
    economics = read_economics(prices)
    losses, pair = Losses(Pricing(study, economics)), pair_up(study, 100, "crop")
    return candidate(study, economics, losses, pair, make_case(study, economics, losses, pair), False)


def crop_of(study: Study, **prices: Any) -> Candidate:
    return appraise(study, read_economics(prices)).largest.candidates[0]


def test_growth_and_cheaper_machines_by_hand() -> None:
    case = case_of(
        cost_per_error=2.0, predictions_per_year=10_000, growth=0.5, discount_rate=0.1, horizon_years=2,
        compute_price_per_hour=3600.0, compute_price_change=-0.5, utilisation=0.5, retrainings_per_year=3,
        engineering={"once": 1000, "per_year": 100},
    )  # fmt: skip
    # A tenth of the predictions is mended: 0.2 saved by each. Inference: 2 ms less, at 1 a second, half of it idle:
    # 0.004 less in the first year, 0.002 in the second. A training holds half the machine: 18 s, so 18 more.
    first = 10_000 * (0.2 + 0.004) - 100 - 3 * 18
    second = 15_000 * (0.2 + 0.002) - 100 - 3 * 18 * 0.5
    assert case.flows() == pytest.approx([first, second])
    assert case.npv() == pytest.approx(-1018 + npf.npv(0.1, [0, first, second]))


def test_energy_measured_estimated_and_unavailable() -> None:
    prices = {
        "predictions_per_year": 3.6e6, "energy_price_per_kwh": 0.5, "carbon_kg_per_kwh": 0.4,
        "carbon_price_per_tonne": 100, "horizon_years": 1,
    }  # fmt: skip
    none = crop_of(study_of(), **prices)
    assert {c.name: (c.present_value, c.source) for c in none.costs}["energy"] == (None, "unavailable")
    # 200 W for 2 ms less is 0.4 J less a prediction: 0.4 kWh in 3.6 million. Training: 18 s more of 200 W, 0.001 kWh.
    watts = crop_of(study_of(), watts=200, **prices)
    found = {c.name: (c.present_value, c.source) for c in watts.costs}
    assert found["energy"] == (pytest.approx(0.5 * (-0.4 + 0.001)), "estimated")
    assert found["carbon"] == (pytest.approx(0.04 * (-0.4 + 0.001)), "estimated")
    joules = study_of(energy_j_per_item={"baseline": 5.0, "crop": 2.0})
    measured = replace(joules, records=tuple(replace(r, training_energy_j=7.2e6) for r in joules.records))
    found = {c.name: (c.present_value, c.source) for c in crop_of(measured, **prices).costs}
    assert found["energy"] == (pytest.approx(0.5 * -3.0), "measured")
    assert {c.source for c in crop_of(study_of()).costs} == {"not priced"}


def test_each_variant_takes_the_cheapest_instance_that_it_fits() -> None:
    small, large = (
        {"name": n, "memory_gb": g, "price_per_hour": p} for n, g, p in (("small", 1, 3.6), ("large", 4, 36))
    )
    study = study_of(memory_bytes={"baseline": 2_000_000_000, "crop": 500_000_000})
    case = case_of(study, instances=[large, small], predictions_per_year=1000, horizon_years=1)
    assert case.inference.instances == ("large", "small")
    # 1 ms at 0.001 a second, instead of 3 ms at 0.01.
    assert case.npv() == pytest.approx(-1000 * (0.000001 - 0.00003))
    with pytest.raises(CropworthError, match=r"at most 1 GB, and baseline, which needs 2 GB.*Add a larger one"):
        case_of(study, instances=[small])


def test_a_guess_widens_the_interval_by_its_own_chance() -> None:
    """All seeds and items alike, so that only the guess is left: quantiles of its triangular distribution."""
    records = [make_record(n, s, wrong=w) for s in range(3) for n, w in (("baseline", range(200)), ("crop", ()))]
    guess = {"low": 1.0, "mode": 2.0, "high": 6.0}
    found = crop_of(make_study(records), cost_per_error=guess, predictions_per_year=100, horizon_years=1)
    triangular = stats.triang(0.2, 1, 5)
    assert found.npv.estimate == pytest.approx(100 * 3.0)
    assert (found.npv.low, found.npv.high) == pytest.approx(tuple(100 * triangular.ppf([0.025, 0.975])), rel=5e-3)
    assert found.outlook is not None
    assert dict(found.outlook.quantiles)[0.5] == pytest.approx(100 * triangular.median(), rel=1e-3)


def test_the_simulated_quantiles_are_those_of_the_interval() -> None:
    case = case_of(cost_per_error=1.0, predictions_per_year=1000, compute_price_per_hour=1.0)
    interval = case.interval()
    low, high = np.quantile(case.simulated, [0.025, 0.975])
    assert (low, high) == pytest.approx((interval.low, interval.high), rel=0.02)


def test_acceptability_and_break_even_meet() -> None:
    """At the break-even price of an error half of the chance is on either side."""
    case = case_of(cost_per_error=1.0, predictions_per_year=1000, engineering={"once": 250})
    price = break_even_price(case, "cost_per_error")
    assert price is not None
    assert case.npv({"cost_per_error": price}) == pytest.approx(0, abs=1e-9)
    assert (case.simulate({**case.drawn, "cost_per_error": price}) > 0).mean() == pytest.approx(0.5, abs=0.02)
    found = crop_of(study_of(), cost_per_error=1.0, predictions_per_year=1000, engineering={"once": 250})
    assert found.break_even_error_price == pytest.approx(price)
    assert found.outlook is not None
    chances = [chance for _, chance in found.outlook.acceptability]
    assert chances == sorted(chances)
    assert (chances[0], chances[-1]) == (0.0, pytest.approx(1.0, abs=0.001))


def test_the_acceptability_curve_is_heormodels() -> None:
    """Of one price of errors the net present value is price x effect - cost, draw by draw: against another package."""
    case = case_of(cost_per_error=1.0, predictions_per_year=1000, engineering={"once": 250})
    nothing, one = (case.simulate({**case.drawn, "cost_per_error": price}) for price in (0.0, 1.0))
    index = pd.RangeIndex(len(one), name="iteration")
    costs, effects = (
        pd.DataFrame({"baseline": np.zeros(len(one)), "crop": part}, index=index) for part in (-nothing, one - nothing)
    )
    outlook = crop_of(study_of(), cost_per_error=1.0, predictions_per_year=1000, engineering={"once": 250}).outlook
    assert outlook is not None
    prices, chances = zip(*outlook.acceptability, strict=True)
    theirs = ceac(Outcomes.from_wide(costs, effects), list(prices))
    assert chances == pytest.approx(theirs["crop"].tolist(), abs=1e-9)


def test_the_tornado_marks_what_flips_the_verdict() -> None:
    found = crop_of(study_of(), cost_per_error=1.0, predictions_per_year=1000, engineering={"once": 100})
    assert found.outlook is not None
    bars = {bar.input: bar for bar in found.outlook.tornado}
    assert found.verdict == "adopt"
    assert bars["predictions_per_year"].flips  # half of it gains 150 less 100, and as much again is chance
    assert bars["engineering.once"].npv_at_low - bars["engineering.once"].npv_at_high == pytest.approx(150)
    widths = [abs(bar.npv_at_high - bar.npv_at_low) for bar in found.outlook.tornado]
    assert widths == sorted(widths, reverse=True)
    assert not any(
        bar.flips for bar in crop_of(study_of(), cost_per_error=1e3, predictions_per_year=1e6).outlook.tornado
    )  # type: ignore[union-attr]


def test_the_grid_is_the_appraisal_at_other_prices() -> None:
    prices: dict[str, Any] = {"cost_per_error": 1.0, "predictions_per_year": 1000, "engineering": {"once": 200}}
    found = crop_of(study_of(), **prices).outlook
    assert found is not None
    for i, volume in enumerate(found.grid.volumes):
        for j, price in enumerate(found.grid.error_prices):
            other = quickly(study_of(), **{**prices, "predictions_per_year": volume, "cost_per_error": price})
            assert found.grid.npv[i][j] == pytest.approx(other.npv.estimate)
            assert found.grid.verdicts[i][j] == other.verdict


def test_the_break_even_curve_is_the_appraisal_at_other_volumes_and_holds_the_break_even() -> None:
    prices: dict[str, Any] = {"cost_per_error": 1.0, "predictions_per_year": 8000, "engineering": {"once": 200}}
    found = crop_of(study_of(), **prices)
    assert found.outlook is not None
    curve, pays = found.outlook.break_even_curve, found.break_even_predictions_per_year
    for place in (0, 17, 40):
        other = quickly(study_of(), **{**prices, "predictions_per_year": curve.volumes[place]})
        assert (other.npv_together.low, other.npv_together.estimate, other.npv_together.high) == pytest.approx(
            (curve.npv[place].low, curve.npv[place].estimate, curve.npv[place].high)
        )
    assert pays is not None
    assert (curve.volumes[0], curve.volumes[-1]) == pytest.approx((pays / 4, 32_000))
    worth = [npv.estimate for npv in curve.npv]
    # Linear in the volume.
    assert np.interp(pays, curve.volumes, worth) == pytest.approx(0, abs=1e-6)  # type: ignore[arg-type]
    assert np.ptp(np.diff(np.log(curve.volumes))) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("prices", "ends"),
    [
        ({"engineering": {"once": 1e9}}, (250, 4_000_000)),  # it pays beyond a thousand times the volume
        ({}, (250, 4000)),  # it pays at any volume
        ({"predictions_per_year": 0}, ()),  # neither volume
    ],
)
def test_the_break_even_curve_stays_in_sight(prices: dict[str, Any], ends: tuple[float, ...]) -> None:
    case = case_of(**{"cost_per_error": 1.0, "predictions_per_year": 1000, **prices})
    volumes = break_even_curve(case, ALONE).volumes
    assert (volumes[:1] + volumes[-1:]) == pytest.approx(ends)


def test_a_quantile_for_each_percent() -> None:
    case = case_of(cost_per_error=1.0, predictions_per_year=1000)
    found = crop_of(study_of(), cost_per_error=1.0, predictions_per_year=1000).outlook
    assert found is not None
    chances, amounts = zip(*found.quantiles, strict=True)
    assert len(chances) == 101
    assert {0.01, 0.025, 0.05, 0.5, 0.95, 0.975, 0.99} <= set(chances)
    shares = [(case.simulated <= amount).mean() for amount in amounts]
    assert shares == pytest.approx(chances, abs=2e-3)


SAVED, PRICE = st.integers(1, 30), st.floats(0.01, 100)


@settings(max_examples=30, deadline=None)
@given(SAVED, st.floats(1, 1e6), st.floats(1, 1e3), PRICE)
def test_more_volume_never_turns_adopt_into_dont(saved: int, volume: float, times: float, price: float) -> None:
    prices = {"cost_per_error": price, "engineering": {"once": 100.0}}
    few = quickly(study_of(saved), predictions_per_year=volume, **prices)
    many = quickly(study_of(saved), predictions_per_year=volume * times, **prices)
    assert (few.npv.estimate or 0) <= (many.npv.estimate or 0) + 1e-6
    assert not (few.verdict == "adopt" and many.verdict == "don't")


@settings(max_examples=20, deadline=None)
@given(SAVED, st.floats(0.01, 1e3))
def test_another_currency_scales_all_money(saved: int, rate: float) -> None:
    prices = {"cost_per_error": 2.0, "compute_price_per_hour": 5.0, "engineering": {"once": 100.0}, "margin": 10.0}
    other = {k: {"once": 100.0 * rate} if k == "engineering" else v * rate for k, v in prices.items()}  # type: ignore[operator]
    one = quickly(study_of(saved), predictions_per_year=1000, **prices)
    two = quickly(study_of(saved), predictions_per_year=1000, **other)
    for end in ("estimate", "low", "high"):
        assert getattr(two.npv, end) == pytest.approx(rate * getattr(one.npv, end))
    assert one.verdict == two.verdict
    assert one.break_even_predictions_per_year == pytest.approx(two.break_even_predictions_per_year)


@settings(max_examples=20, deadline=None)
@given(SAVED, PRICE)
def test_swapping_candidate_and_baseline_negates(saved: int, price: float) -> None:
    study = study_of(saved)
    swapped = replace(study, baseline="crop", kinds={"baseline": "crop", "crop": "baseline"})
    prices = {"cost_per_error": price, "predictions_per_year": 1000, "compute_price_per_hour": 3600.0}
    there = quickly(study, **prices)
    economics = read_economics(prices)
    losses = Losses(Pricing(swapped, economics))
    pair = pair_up(swapped, 100, "baseline")
    back = candidate(swapped, economics, losses, pair, make_case(swapped, economics, losses, pair), False)
    assert back.npv.estimate == pytest.approx(-(there.npv.estimate or 0))
    assert (back.npv.low, back.npv.high) == pytest.approx((-(there.npv.high or 0), -(there.npv.low or 0)))
    assert back.accuracy_difference.estimate == pytest.approx(-(there.accuracy_difference.estimate or 0))


@settings(max_examples=20, deadline=None)
@given(SAVED, st.integers(1, 100))
def test_items_that_both_get_right_change_nothing_but_their_number(saved: int, more: int) -> None:
    def made(items: int) -> Study:
        return make_study(
            [make_record("baseline", s, wrong=range(40 + s), items=items) for s in range(3)]
            + [make_record("crop", s, wrong=range(40 + s - saved), items=items) for s in range(3)]
        )

    few, many = (quickly(made(n), cost_per_error=1.0, predictions_per_year=n) for n in (200, 200 + more))
    assert many.npv.estimate == pytest.approx(few.npv.estimate)


def test_one_candidate_or_several_of_a_kind() -> None:
    """Two crops are two chances to be wrong: their intervals are wider, those of a control beside them are not."""
    study = study_of()
    twice = [replace(r, variant="second", trial=f"second-{r.trial}") for r in study.records if r.variant == "crop"]
    control = [replace(r, variant="small", trial=f"small-{r.trial}") for r in study.records if r.variant == "crop"]
    several = replace(
        study,
        records=(*study.records, *twice, *control),
        kinds={"baseline": "baseline", "crop": "crop", "second": "crop", "small": "control"},
    )
    alone = crop_of(study, cost_per_error=1.0, predictions_per_year=1000)
    beside, _, small = appraise(
        several, read_economics({"cost_per_error": 1, "predictions_per_year": 1000})
    ).largest.candidates
    assert alone.npv_together == alone.npv
    assert beside.npv == alone.npv
    assert (beside.npv_together.high or 0) > (beside.npv.high or 0)
    assert small.npv_together == small.npv


def test_the_ranking_names_what_is_dominated() -> None:
    study = study_of()
    worse = [
        replace(make_record("worse", s, wrong=range(60)), variant="worse", trial=f"worse-{s}", training_wall_s=900.0)
        for s in range(4)
    ]
    several = replace(
        study,
        records=(*study.records, *worse),
        kinds={"baseline": "baseline", "crop": "crop", "worse": "control"},
        latency=Latency(8, 1, {**study.latency.seconds_per_item, "worse": (0.01,) * 10}),  # type: ignore[union-attr]
    )
    economics = read_economics({"cost_per_error": 1, "predictions_per_year": 1000, "compute_price_per_hour": 1})
    ranking = appraise(several, economics).ranking
    assert [rank.name for rank in ranking] == ["crop", "baseline", "worse"]
    assert ranking[-1].dominated_by == ("crop",)
    assert ranking[0].may_be_best
    assert not ranking[-1].may_be_best
    assert sum(rank.probability_best for rank in ranking) == pytest.approx(1)


def test_looking_several_times_widens_the_interval() -> None:
    study = study_of(seeds=3)
    once = crop_of(study, cost_per_error=1.0, predictions_per_year=1000)
    often = crop_of(replace(study, looks=(3, 5, 8, 20)), cost_per_error=1.0, predictions_per_year=1000)
    assert once.npv == often.npv
    assert (often.npv_together.high or 0) > (once.npv_together.high or 0)


def test_what_is_amiss_is_said_and_the_rest_appraised() -> None:
    study = study_of()
    lonely = replace(make_record("crop", 9, wrong=()), trial="lonely")
    other = replace(study.records[0], environment={"cropworth": "0.0.9", "commit": "abc", "torch": "2.11"})
    found = appraise(replace(study, records=(other, *study.records[1:], lonely)), read_economics({"cost_per_error": 1}))
    assert "Seeds of crop without a pair of baseline, left out: 9." in found.gaps
    assert any(gap.startswith("Trials come from different versions of the code: ") for gap in found.gaps)
    assert found.largest.candidates[0].seeds == 4
    few = appraise(study_of(seeds=2), read_economics({"cost_per_error": 1}))
    assert "crop has 2 seeds with predictions of both; an interval needs 3." in few.gaps
    assert few.largest.candidates[0].verdict == "not enough evidence"


def test_an_open_verdict_says_whether_seeds_items_or_prices_would_settle_it() -> None:
    prices = {"predictions_per_year": 1000.0, "engineering": {"once": 40.0}}
    guessed = quickly(study_of(), cost_per_error={"low": 0.01, "mode": 0.1, "high": 2.0}, **prices)
    assert (guessed.verdict, guessed.better_prices) == ("not enough evidence", True)
    assert guessed.reason.endswith("for prices that are guesses.")
    items = quickly(study_of(), cost_per_error=0.7, **{**prices, "engineering": {"once": 180.0}})
    assert (items.verdict, items.more_test_items, items.better_prices) == ("not enough evidence", True, False)


def test_the_ranking_allows_for_guesses() -> None:
    """Where the price of an error may be next to nothing, the crop may lose against the baseline."""
    guess = {"low": 0.0, "mode": 0.1, "high": 2.0}
    prices = {"cost_per_error": guess, "predictions_per_year": 1000, "engineering": {"once": 100}}
    found = appraise(study_of(), read_economics(prices))
    outlook = found.largest.candidates[0].outlook
    assert outlook is not None
    chances = {rank.name: rank.probability_best for rank in found.ranking}
    assert chances["crop"] == pytest.approx(outlook.probability_worth_it, abs=0.02)


def test_energy_of_which_a_part_is_known() -> None:
    """What was measured counts; what was not is named beside it."""
    joules = study_of(energy_j_per_item={"baseline": 5.0, "crop": 2.0})
    found = quickly(joules, predictions_per_year=3.6e6, energy_price_per_kwh=0.5, horizon_years=1)
    costs = {cost.name: (cost.present_value, cost.source) for cost in found.costs}
    assert costs["energy"] == (pytest.approx(-1.5), "measured")
    assert costs["energy of training"] == (None, "unavailable")


def test_a_share_is_never_more_than_the_whole() -> None:
    """Twice a prevalence of 0.7 is everybody."""
    value = {"template": "inspection", "defect": "1", "defect_rate": 0.7, "escape": 10, "scrap": 1}
    found = crop_of(study_of(), value=value, predictions_per_year=1000).outlook
    assert found is not None
    (bar,) = (bar for bar in found.tornado if bar.input == "value.defect_rate")
    assert (bar.low, bar.high) == (0.35, 1.0)


def test_a_study_that_grew_is_not_blamed_for_it() -> None:
    study = study_of(seeds=5)
    stopped = replace(
        study, looks=(3, 5), records=tuple(r for r in study.records if r.variant == "baseline" or r.seed < 3)
    )
    assert appraise(stopped, read_economics({"cost_per_error": 1})).gaps == ()
    assert appraise(replace(stopped, looks=()), read_economics({"cost_per_error": 1})).gaps != ()


def test_weights_count_for_accuracy_as_for_money() -> None:
    weights = np.where(np.arange(200) < 100, 3.0, 1.0).astype(np.float32)
    study = study_of()
    weighed = replace(study, records=tuple(replace(r, weights=weights) for r in study.records))
    found = quickly(weighed, cost_per_error=2.0)
    assert found.value_per_prediction.estimate == pytest.approx(2 * (found.accuracy_difference.estimate or 0))
    assert found.accuracy_difference.estimate == pytest.approx(20 * 3 / 400)
    assert weighed.records[0].accuracy == pytest.approx(1 - 40 * 3 / 400)
