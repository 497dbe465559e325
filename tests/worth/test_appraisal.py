import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from scipy import stats

from cropworth.errors import CropworthError
from cropworth.study.record import Record, Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.as_json import to_json
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.results import Appraisal
from factories import make_record, make_study

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "appraisal.schema.json").read_text())


def appraised(study: Study, **prices: object) -> Appraisal:
    return appraise(study, read_economics({**study.economics, **prices}))


def two_variants(better: int = 20, seeds: int = 4) -> Study:
    """The baseline gets 40 to 43 of 200 items wrong, the candidate `better` fewer."""
    return make_study(
        [make_record("baseline", s, wrong=range(40 + s)) for s in range(seeds)]
        + [make_record("crop", s, wrong=range(40 + s - better), with_crop=True) for s in range(seeds)]
    )


def test_the_whole_of_a_small_case_by_hand() -> None:
    study = make_study(
        [make_record("baseline", s, wrong=range(40), wall_s=36.0) for s in range(3)]
        + [make_record("crop", s, wrong=range(20), wall_s=72.0) for s in range(3)],
        latency={"baseline": (0.003, 0.003, 0.003), "crop": (0.001, 0.001, 0.001)},
    )
    found = appraised(
        study, cost_per_error=2.0, predictions_per_year=10_000, compute_price_per_hour=3.6, discount_rate=0.1,
        horizon_years=2, retrainings_per_year=5, engineering={"once": 1000, "per_year": 100},
    ).largest.candidates[0]  # fmt: skip
    annuity = 1 / 1.1 + 1 / 1.21
    # Errors fall from 20 % to 10 %: 0.2 saved a prediction. Inference: 2 ms less at 0.001 a second.
    assert found.value_per_prediction.estimate == pytest.approx(0.2)
    assert found.inference_cost_per_prediction == pytest.approx(-0.000002)
    # A trial held half the machine (1 of 2 processors): 36 s more is 18 machine seconds.
    assert found.investment == pytest.approx(1000 + 0.018)
    assert found.upkeep_per_year == pytest.approx(100 + 5 * 0.018)
    flow = 10_000 * 0.200002 - 100.09
    assert found.cash_flow_per_year == pytest.approx(flow)
    assert found.npv.estimate == pytest.approx(-1000.018 + annuity * flow)
    costs = 1000.018 + annuity * (100.09 - 0.02)
    assert found.roi == pytest.approx((annuity * 2000 - costs) / costs)
    assert found.payback_years == pytest.approx(1000.018 / flow)
    assert found.break_even_predictions_per_year == pytest.approx((1000.018 + annuity * 100.09) / (annuity * 0.200002))
    assert (found.latency_ratio, found.training_ratio) == (pytest.approx(1 / 3), pytest.approx(2.0))
    # All seeds alike, so the interval is that of 200 items, 20 of them saved.
    items = np.zeros(200)
    items[20:40] = 2.0
    # One item more on which they differ in a third of the trainings, worth 2, is added to their squares.
    reach = stats.t.ppf(0.975, 199) * np.sqrt((items.var(ddof=1) + (2.0 / 3) ** 2 / 199) / 200) * annuity * 10_000
    assert found.npv.high == pytest.approx(found.npv.estimate + reach)


def test_each_confusion_costs_what_its_true_and_predicted_class_say() -> None:
    # Items 0, 3, 6 and 9 are of class 0, read as 1 by the baseline: 5 each. Items 2 and 5, of class 2, are read as 0 by
    # the candidate: 7 each. A right reading of class 1 (67 of 200 items) costs both 0.3.
    study = make_study(
        [make_record("baseline", s, wrong=(0, 3, 6, 9)) for s in range(2)]
        + [make_record("crop", s, wrong=(2, 5)) for s in range(2)],
        economics={"cost_matrix": {"0": {"1": 5}, "1": {"0": 100, "1": 0.3, "2": 100}, "2": {"0": 7}}},
    )
    assert appraised(study).largest.candidates[0].value_per_prediction.estimate == pytest.approx((4 * 5 - 2 * 7) / 200)


def test_the_chance_in_the_timing_widens_the_interval_of_the_npv() -> None:
    rounds = tuple(0.001 * (1 + k) for k in range(1, 42))
    study = make_study(
        [make_record(name, s, wrong=range(40)) for s in range(3) for name in ("baseline", "crop")],
        latency={"baseline": (0.001,) * 41, "crop": rounds},
    )
    prices = {"cost_per_error": 0, "compute_price_per_hour": 1800, "predictions_per_year": 1000}
    found = appraised(study, **prices, horizon_years=2)
    npv = found.largest.candidates[0].npv
    # Nothing else varies. Of 41 rounds, numbers 13 and 29 bound the median at 99 %: round(21 - 2.576 * sqrt(41 / 4)).
    reach = stats.t.ppf(0.975, 40) * (0.029 - 0.013) / (2 * stats.norm.ppf(0.995)) * 1000
    assert npv.estimate == pytest.approx(-0.021 * 1000)
    assert npv.high == pytest.approx(-0.021 * 1000 + reach)


def test_at_the_break_even_volume_the_appraisal_is_worth_nothing() -> None:
    prices: dict[str, object] = {"engineering": {"once": 500, "per_year": 70}, "discount_rate": 0.07}
    volume = appraised(two_variants(), **prices).largest.candidates[0].break_even_predictions_per_year
    at_volume = appraised(two_variants(), **prices, predictions_per_year=volume).largest.candidates[0]
    assert at_volume.npv.estimate == pytest.approx(0, abs=1e-9)


def test_what_would_settle_an_open_verdict() -> None:
    noisy = make_study(
        [make_record("baseline", s, wrong=range(40)) for s in range(3)]
        + [make_record("crop", s, wrong=range(10 + 12 * s)) for s in range(3)]
    )
    by_seeds = appraised(noisy).largest.candidates[0]
    assert by_seeds.verdict == "not enough evidence"
    assert by_seeds.seeds_needed is not None
    assert f"{by_seeds.seeds_needed} seeds would settle it with a chance of 80 %" in by_seeds.reason
    by_items = appraised(two_variants(2), engineering={"once": 25}).largest.candidates[0]
    assert (by_items.verdict, by_items.seeds_needed, by_items.more_test_items) == ("not enough evidence", None, True)
    assert "only more test items would settle it" in by_items.reason


def test_no_test_items_settle_what_the_timing_leaves_open() -> None:
    times = tuple(0.001 * (1 + k) for k in range(41))
    study = make_study(list(two_variants(2).records), latency={"baseline": times, "crop": times[::-1]})
    crop = appraised(study, compute_price_per_hour=3.6e6).largest.candidates[0]
    assert (crop.verdict, crop.seeds_needed, crop.more_test_items) == ("not enough evidence", None, False)
    assert "settle" not in crop.reason


def test_without_prices_no_measurement_is_said_to_settle_it() -> None:
    crop = appraised(make_study(list(two_variants().records), economics={})).largest.candidates[0]
    assert (crop.verdict, crop.seeds_needed, crop.more_test_items) == ("not enough evidence", None, False)
    assert "settle" not in crop.reason


def test_a_clear_gain_is_adopted_and_a_clear_loss_is_not() -> None:
    assert appraised(two_variants(20)).headline.startswith("Adopt crop: over 3 years it is worth EUR 300 more than ")
    assert appraised(two_variants(-20)).headline.startswith("Don't adopt crop: over 3 years it is worth EUR 300 less")
    open_case = appraised(two_variants(2), engineering={"once": 25})
    assert open_case.headline.startswith("Not enough evidence to choose between crop and baseline")
    assert appraised(two_variants(0), margin=50).headline.startswith("crop and baseline are equivalent")


def test_the_headline_names_a_control_that_does_as_well() -> None:
    study = two_variants(20)
    controls = [make_record("small", s, wrong=range(10)) for s in range(4)]
    study = make_study([*study.records, *controls], kinds={"baseline": "baseline", "crop": "crop", "small": "control"})
    found = appraised(study)
    assert found.best == "crop"
    assert "The control small does as well or better without a learned crop (EUR 47" in found.headline


def test_an_oracle_gets_no_verdict_and_no_headline() -> None:
    study = make_study(list(two_variants().records), kinds={"baseline": "baseline", "crop": "oracle"})
    found = appraised(study)
    assert (found.largest.candidates[0].verdict, found.largest.candidates[0].deployable) == (None, False)
    assert found.best is None
    assert found.headline.startswith("No verdict")


def test_a_diverged_seed_is_left_out_of_the_difference_and_charged() -> None:
    records = list(two_variants().records)
    records[-1] = make_record("crop", 3, status="diverged", wall_s=30.0)
    found = appraised(make_study(records), compute_price_per_hour=3600)
    crop, row = found.largest.candidates[0], found.largest.rows[1]
    assert crop.seeds == 3
    assert (row.trials, row.diverged) == (4, 1)
    # Three working models for 10 + 10 + 10 + 30 seconds, half a machine each, against 5 machine seconds.
    assert crop.training_ratio == pytest.approx(20 / 10)
    assert crop.investment == pytest.approx(5.0)


def test_a_collapsed_seed_counts_as_it_is() -> None:
    records = list(two_variants().records)
    records[-1] = make_record("crop", 3, wrong=range(150), status="collapsed", with_crop=True)
    found = appraised(make_study(records))
    assert found.largest.candidates[0].seeds == 4
    assert found.largest.rows[1].collapsed == 1
    assert found.largest.candidates[0].accuracy_difference.estimate == pytest.approx((3 * 20 + 43 - 150) / 800)


def test_where_nothing_works_everything_unknown_is_none() -> None:
    records = [r for r in two_variants().records if r.variant == "baseline"]
    found = appraised(make_study([*records, make_record("crop", 0, status="diverged")]))
    crop = found.largest.candidates[0]
    assert crop.verdict == "not enough evidence"
    assert crop.npv.estimate is crop.investment is crop.training_ratio is None
    jsonschema.validate(to_json(found), SCHEMA)


def test_one_seed_gives_an_estimate_without_an_interval() -> None:
    crop = appraised(two_variants(seeds=1)).largest.candidates[0]
    assert crop.npv.estimate == pytest.approx(300)
    assert crop.npv.low is crop.npv.high is None
    assert "at least three" in crop.reason


def test_without_timing_the_inference_is_said_to_be_unpriced() -> None:
    found = appraised(replace(two_variants(), latency=None), compute_price_per_hour=1)
    assert "inference time (not measured)" in found.not_priced
    assert found.largest.candidates[0].latency_ratio is None


def test_a_variant_added_after_the_timing_is_said_to_be_unpriced() -> None:
    study = make_study(list(two_variants().records), latency={"baseline": (0.001, 0.001, 0.001)})
    found = appraised(study, compute_price_per_hour=1)
    assert "inference time of crop (not measured)" in found.not_priced
    assert found.largest.candidates[0].latency_ratio is None


def test_the_largest_prices_give_numbers() -> None:
    found = appraised(two_variants(), cost_per_error=1e18, predictions_per_year=1e18, horizon_years=100)
    json.dumps(to_json(found), allow_nan=False)
    assert found.largest.candidates[0].npv.estimate == pytest.approx(0.1 * 1e36 * 100)


def test_a_size_whose_baseline_never_works_is_skipped() -> None:
    small = [make_record("baseline", 0, 50, status="diverged"), make_record("crop", 0, 50)]
    assert [size.train_size for size in appraised(make_study([*small, *two_variants().records])).sizes] == [100]


def test_every_size_is_appraised_and_the_largest_leads() -> None:
    small = [make_record(name, s, 50, wrong=range(60)) for s in range(2) for name in ("baseline", "crop")]
    found = appraised(make_study([*small, *two_variants().records]))
    assert [size.train_size for size in found.sizes] == [50, 100]
    assert found.sizes[0].candidates[0].npv.estimate == pytest.approx(0)
    assert found.headline.startswith("Adopt")


def test_scaling_all_money_scales_the_npv_and_keeps_the_verdict() -> None:
    study = two_variants(3)
    one = appraised(study, cost_per_error=1, engineering={"once": 10}, margin=5).largest.candidates[0]
    ten = appraised(study, cost_per_error=10, engineering={"once": 100}, margin=50).largest.candidates[0]
    assert ten.npv.estimate == pytest.approx(10 * (one.npv.estimate or 0))
    assert ten.npv.low == pytest.approx(10 * (one.npv.low or 0))
    assert one.verdict == ten.verdict


def test_json_holds_to_its_schema() -> None:
    plain = to_json(appraised(two_variants()))
    jsonschema.validate(plain, SCHEMA)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["baseline"] == "baseline"
    assert plain["candidates"]["crop"]["verdict"] == "adopt"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain | {"verdict": "perhaps"}, SCHEMA)


def test_what_is_refused() -> None:
    with pytest.raises(CropworthError, match="none of the baseline"):
        appraised(make_study([make_record("baseline", 0, status="diverged"), make_record("crop", 0)]))
    with pytest.raises(CropworthError, match="different test items"):
        appraised(make_study([make_record("baseline", 0), make_record("crop", 0, items=100)]))


def test_what_decisions_bring_is_priced_by_the_stake() -> None:
    """Two wrong decisions may differ: the payoffs, not the labels, say what each of them brings."""
    rng = np.random.default_rng(0)
    payoffs = rng.normal(size=(200, 3)).astype(np.float32)
    records = [
        replace(make_record(name, seed, wrong=wrong), payoffs=payoffs)
        for seed in range(2)
        for name, wrong in (("baseline", range(20)), ("crop", range(10, 40)))
    ]
    found = appraise(make_study(records), Economics(stake=50.0))
    before, after = (records[i].predictions for i in (0, 1))
    assert before is not None
    assert after is not None
    rows = np.arange(200)
    expected = 50 * (payoffs[rows, after] - payoffs[rows, before]).mean()
    assert found.largest.candidates[0].value_per_prediction.estimate == pytest.approx(expected)
    with_errors = appraise(make_study(records), Economics(stake=50.0, cost_per_error=2.0))
    assert with_errors.largest.candidates[0].value_per_prediction.estimate == pytest.approx(expected - 2 * 10 / 200)
    assert "stake" in appraise(make_study(records), Economics(cost_per_error=1.0)).not_priced
    plain = [make_record(name, seed) for seed in range(2) for name in ("baseline", "crop")]
    assert "stake" not in appraise(make_study(plain), Economics(cost_per_error=1.0)).not_priced


def test_a_regression_is_priced_by_its_error() -> None:
    rng = np.random.default_rng(0)
    labels = rng.normal(size=60).astype(np.float32)

    def record(variant: str, seed: int, spread: float) -> Record:
        numbers = (labels + rng.normal(size=60) * spread).astype(np.float32)
        return replace(make_record(variant, seed, items=60), labels=labels, probabilities=None, numbers=numbers)

    records = [record(name, seed, spread) for seed in range(3) for name, spread in (("baseline", 2.0), ("crop", 1.0))]
    study = replace(make_study(records), classes=())
    found = appraise(study, Economics(cost_per_error=3.0, predictions_per_year=1000))
    row, candidate = found.largest.rows[0], found.largest.candidates[0]
    errors = {
        name: np.mean([np.abs(r.numbers - labels) for r in records if r.variant == name])
        for name in ("baseline", "crop")
    }
    assert row.mean_error == pytest.approx(errors["baseline"])
    assert (row.accuracy, row.errors_per_thousand) == (None, None)
    assert candidate.error_difference.estimate == pytest.approx(errors["crop"] - errors["baseline"])
    assert candidate.accuracy_difference.estimate is None
    assert candidate.value_per_prediction.estimate == pytest.approx(3 * (errors["baseline"] - errors["crop"]))
    assert candidate.verdict == "adopt"


def test_a_regression_whose_first_baseline_diverged_is_still_one() -> None:
    labels = np.linspace(-1, 1, 40, dtype=np.float32)

    def record(variant: str, seed: int, off: float) -> Record:
        made = make_record(variant, seed, items=40, status="diverged" if (variant, seed) == ("baseline", 0) else "ok")
        numbers = None if made.status == "diverged" else (labels + off).astype(np.float32)
        return replace(made, labels=labels, probabilities=None, numbers=numbers)

    records = [record(name, seed, off) for seed in range(3) for name, off in (("baseline", 0.5), ("crop", 0.2))]
    candidate = appraise(replace(make_study(records), classes=()), Economics()).largest.candidates[0]
    assert candidate.error_difference.estimate == pytest.approx(-0.3, abs=1e-6)
    assert candidate.accuracy_difference.estimate is None
