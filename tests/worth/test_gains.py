"""What predictions lose and gain, by hand and against plain sums over items."""

from dataclasses import replace

import numpy as np
import pytest

from cropworth.errors import CropworthError
from cropworth.study.record import Record, Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.gains import Pricing
from factories import make_record, make_study

ILL = {"template": "medical-screening", "disease": "1", "prevalence": 0.02, "false_negative": 1000}


def two_classes(variant: str, seed: int, wrong: object, **changed: object) -> Record:
    """100 items, 40 of them of class 1; its probabilities are 0.8 of what it says."""
    labels = np.arange(100) % 5 // 3
    predicted = labels.copy()
    predicted[list(wrong)] = 1 - predicted[list(wrong)]  # type: ignore[call-overload]
    sure = np.where(np.eye(2)[predicted] == 1, 0.8, 0.2).astype(np.float32)
    record = replace(make_record(variant, seed, items=100), labels=labels, probabilities=sure)
    return replace(record, **changed)  # type: ignore[arg-type]


def study_of(*records: Record, classes: tuple[str, ...] = ("0", "1")) -> Study:
    return replace(make_study(list(records)), classes=classes)


def gain(study: Study, economics: Economics) -> float:
    """Of a study of two records: money that a prediction of the second gains over one of the first."""
    pricing = Pricing(study, economics)
    lost = [pricing.lost(record) for record in study.records]
    return float(pricing.summary([lost[0]], [lost[1]]).estimate(pricing.coefficients(pricing.means)))


def test_screening_by_hand() -> None:
    # Of 40 ill people the baseline misses 10, the candidate 4; of 60 healthy ones it calls back 6, the candidate 12.
    ill, healthy = np.flatnonzero(np.arange(100) % 5 // 3 == 1), np.flatnonzero(np.arange(100) % 5 // 3 == 0)
    before = two_classes("baseline", 0, [*ill[:10], *healthy[:6]])
    after = two_classes("crop", 0, [*ill[:4], *healthy[:12]])
    prices = {**ILL, "false_positive": 50, "recall": 20, "harm": 5}
    # Of 1,000 people 20 are ill: 5 missed before, 2 after. 980 are healthy: 98 called back before, 196 after.
    # Saved: 3 x 1000 for the missed; spent: 98 x (50 + 5) on the healthy, (3 + 98) x 20 on all called back.
    expected = (3 * 1000 - 98 * 55 - 101 * 20) / 1000
    assert gain(study_of(before, after), read_economics({"value": prices})) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "same_as"),
    [
        (
            {
                "template": "inspection",
                "defect": "1",
                "defect_rate": 0.02,
                "escape": 1000,
                "scrap": 55,
                "second_look": 20,
            },
            {**ILL, "false_positive": 55, "recall": 20},
        ),
        (
            {"template": "moderation", "harmful": "1", "harmful_share": 0.02, "missed": 1000, "wrongly_removed": 7},
            {**ILL, "false_positive": 7},
        ),
    ],
)
def test_looking_for_defects_or_harm_is_the_same_arithmetic(value: object, same_as: object) -> None:
    study = study_of(two_classes("baseline", 0, range(20)), two_classes("crop", 0, range(10, 40)))
    assert gain(study, read_economics({"value": value})) == pytest.approx(
        gain(study, read_economics({"value": same_as}))
    )


def test_class_frequencies_weigh_the_classes() -> None:
    study = study_of(two_classes("baseline", 0, range(20)), two_classes("crop", 0, range(50)))
    found = gain(study, read_economics({"cost_per_error": 3, "class_frequencies": {"0": 0.9, "1": 0.1}}))
    labels = study.records[0].labels
    more_wrong = np.where(np.arange(100) < 20, 0.0, np.where(np.arange(100) < 50, 1.0, 0.0))
    expected = -3 * sum(share * more_wrong[labels == label].mean() for label, share in ((0, 0.9), (1, 0.1)))
    assert found == pytest.approx(expected)
    as_in_the_test_set = {"cost_per_error": 3, "class_frequencies": {"0": 0.6, "1": 0.4}}
    assert gain(study, read_economics(as_in_the_test_set)) == pytest.approx(
        gain(study, read_economics({"cost_per_error": 3}))
    )


def test_a_class_that_does_not_occur_does_not_count() -> None:
    study = study_of(two_classes("baseline", 0, ()), two_classes("crop", 0, range(50)))
    only_zero = read_economics({"cost_per_error": 1, "class_frequencies": {"0": 1.0, "1": 0.0}})
    wrong = np.arange(100) < 50
    assert gain(study, only_zero) == pytest.approx(-wrong[study.records[0].labels == 0].mean())


def test_values_of_items_multiply_the_prices_of_errors() -> None:
    values = np.linspace(0, 10, 100).astype(np.float32)
    records = [two_classes(name, 0, wrong, values=values) for name, wrong in (("baseline", range(5)), ("crop", [99]))]
    expected = 2 * (values[:5].sum() - values[99]) / 100
    assert gain(study_of(*records), read_economics({"cost_per_error": 2})) == pytest.approx(expected)


def test_weights_of_items() -> None:
    weights = np.where(np.arange(100) < 5, 9.0, 1.0).astype(np.float32)
    records = [two_classes(name, 0, wrong, weights=weights) for name, wrong in (("baseline", range(5)), ("crop", ()))]
    assert gain(study_of(*records), read_economics({"cost_per_error": 1})) == pytest.approx(5 * 9 / (5 * 9 + 95))


def test_a_trading_signal_by_hand() -> None:
    # Two periods, +1 % and -2 %. The baseline holds nothing; the candidate is long in both.
    returns = np.array([0.01, -0.02], dtype=np.float32)
    labels = np.array([1, 0])
    flat, long = (np.eye(2, dtype=np.float32)[[k, k]] for k in (0, 1))
    before, after = (
        replace(make_record(name, 0, items=2), labels=labels, probabilities=p, values=returns)
        for name, p in (("baseline", flat), ("crop", long))
    )
    value = {"template": "trading-signal", "long": "up", "stake": 100, "fee": 0.001, "spread": 0.002, "turnover": 0.5}
    # -0.5 % of 100 a period, and half of the time both fees and the spread: 0.5 x (0.002 + 0.002) x 100.
    study = study_of(before, after, classes=("down", "up"))
    assert gain(study, read_economics({"value": value})) == pytest.approx(-0.5 - 0.2)
    short = {**value, "short": "down"}
    # The baseline is short in both now: it earns 0.5 a period, and pays as much.
    assert gain(study, read_economics({"value": short})) == pytest.approx(-1.0)


def test_a_trading_signal_needs_returns() -> None:
    study = study_of(two_classes("baseline", 0, ()), two_classes("crop", 0, ()))
    with pytest.raises(CropworthError, match="trading-signal, of test items without a value"):
        Pricing(study, read_economics({"value": {"template": "trading-signal", "long": "1", "stake": 1}}))


def test_numbers_too_small_and_too_large() -> None:
    labels = np.array([1.0, 2.0, 3.0], dtype=np.float32)

    def record(name: str, numbers: list[float]) -> Record:
        made = make_record(name, 0, items=3)
        return replace(made, labels=labels, probabilities=None, numbers=np.array(numbers, dtype=np.float32))

    study = study_of(record("baseline", [0.0, 2.0, 5.0]), record("crop", [1.5, 2.0, 3.0]), classes=())
    # Before: 1 too small and 2 too large; after: 0.5 too large.
    economics = read_economics({"unit_costs": {"under": 7, "over": 2}})
    assert gain(study, economics) == pytest.approx((7 * 1 + 2 * 2 - 2 * 0.5) / 3)
    assert gain(study, read_economics({"cost_per_error": 2})) == pytest.approx(2 * (1 + 2 - 0.5) / 3)


def earned(y_true: str, prediction: str, row: dict[str, float]) -> float:
    """A value function: right answers earn the item's value, and 1 more where the item's column says so."""
    return (row["value"] + row["extra"]) * (y_true == prediction)


def test_a_value_function_sees_names_and_the_row() -> None:
    values, extra = np.arange(100, dtype=np.float32), np.arange(100) % 2
    records = [two_classes(n, 0, wrong, values=values) for n, wrong in (("baseline", range(10)), ("crop", range(4)))]
    study = replace(study_of(*records), columns={"extra": extra})
    economics = read_economics({"value_fn": f"{__name__}:earned"})
    assert gain(study, economics) == pytest.approx((values + extra)[4:10].sum() / 100)


def nothing_finite(y_true: str, prediction: str, row: dict[str, float]) -> float:
    return float("nan")


def test_a_value_function_must_give_money() -> None:
    study = study_of(two_classes("baseline", 0, ()), two_classes("crop", 0, ()))
    with pytest.raises(CropworthError, match=r"nothing_finite giving nan for an item"):
        gain(study, read_economics({"value_fn": f"{__name__}:nothing_finite"}))


def with_validation(record: Record) -> Record:
    return replace(record, validation_labels=record.labels, validation_probabilities=record.probabilities)


def test_least_cost_decides_by_a_threshold_of_validation() -> None:
    """All are sure by 0.8: where missing one is 100 times as dear, it is cheaper to call everybody back."""
    ill = np.flatnonzero(np.arange(100) % 5 // 3 == 1)
    record = with_validation(two_classes("baseline", 0, ill[:10]))
    value = {**ILL, "false_positive": 1, "prevalence": 0.5}
    pricing = Pricing(study_of(record), read_economics({"value": value, "decision": "least-cost"}))
    assert set(pricing.decide(record)) == {1}
    likeliest = Pricing(study_of(record), read_economics({"value": value}))
    assert (likeliest.decide(record) == record.predictions).all()


def test_the_appraisal_says_how_decisions_are_made() -> None:
    records = [with_validation(two_classes(name, 0, range(5))) for name in ("baseline", "crop")]
    costs = {"cost_per_error": 1, "decision": "least-cost"}
    rules = appraise(study_of(*records), read_economics(costs)).rules
    assert [rule.partition(": ")[0] for rule in rules] == ["baseline, seed 0", "crop, seed 0"]
    assert all("Decide 1 where its probability is" in rule for rule in rules)
    assert appraise(study_of(*records), read_economics({"cost_per_error": 1})).rules == ()


def test_referring_to_a_person_has_its_own_price() -> None:
    record = with_validation(two_classes("baseline", 0, range(30)))
    economics = read_economics({"cost_per_error": 10, "decision": "least-cost", "reject_cost": 0.5})
    pricing = Pricing(study_of(record), economics)
    decided = pricing.decide(record)
    assert set(decided) == {2}  # 0.5 for a person is less than 30 errors of 10 in 100
    lost = pricing.lost(record)
    assert (lost @ pricing.amounts(pricing.means)).tolist() == pytest.approx([0.5] * 100)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"value": {**ILL, "disease": "flu"}},
            r"economics\.value\.disease = 'flu'; expected one of the study's classes",
        ),
        ({"class_frequencies": {"0": 0.5, "cat": 0.5}}, r"economics\.class_frequencies for the class 'cat'"),
        ({"cost_matrix": {"0": {"cat": 1}}}, r"economics\.cost_matrix for the class 'cat'"),
        ({"value_matrix": [[1]]}, r"economics\.value_matrix with rows of \[1\]; expected 2 rows of 2"),
        ({"value_fn": "no_such_module:f"}, "value_fn 'no_such_module:f'"),
    ],
)
def test_prices_for_other_classes(values: dict[str, object], message: str) -> None:
    study = study_of(two_classes("baseline", 0, ()), two_classes("crop", 0, ()))
    with pytest.raises(CropworthError, match=message):
        Pricing(study, read_economics(values))


def test_a_class_without_items_cannot_have_a_frequency() -> None:
    study = make_study([make_record("baseline", 0, items=2), make_record("crop", 0, items=2)])  # no item of class 2
    with pytest.raises(CropworthError, match="for '2', of which there is no item"):
        Pricing(study, read_economics({"class_frequencies": {"0": 0.5, "1": 0.4, "2": 0.1}}))


def test_least_cost_needs_validation() -> None:
    study = study_of(two_classes("baseline", 0, ()))
    pricing = Pricing(study, read_economics({"cost_per_error": 1, "decision": "least-cost"}))
    with pytest.raises(CropworthError, match="least-cost, and no probabilities of validation items"):
        pricing.decide(study.records[0])


def test_what_an_item_read_wrong_changes() -> None:
    """Of the ill, a miss and one alarm less; of the healthy, an alarm more with all that it costs."""
    study = study_of(two_classes("baseline", 0, ()), two_classes("crop", 0, ()))
    value = {**ILL, "false_positive": 50, "recall": 20, "harm": 5}
    pricing = Pricing(study, read_economics({"value": value}))
    amounts = pricing.amounts(pricing.means)
    ill, healthy = (float(amounts @ pricing.unit[stratum] @ amounts) for stratum in (0, 1))
    assert ill == pytest.approx((1000 - 20) ** 2)
    assert healthy == pytest.approx((50 + 20 + 5) ** 2)


def test_what_an_item_changes_is_in_proportion_to_its_value() -> None:
    values = np.array([1.0, 3.0] * 50, dtype=np.float32)
    study = study_of(two_classes("baseline", 0, (), values=values), two_classes("crop", 0, (), values=values))
    assert Pricing(study, read_economics({"cost_per_error": 1})).unit.tolist() == [[[pytest.approx((1 + 9) / 2)]]]


def test_classes_with_few_items_are_named() -> None:
    labels = np.where(np.arange(100) < 3, 1, 0)
    records = [two_classes(name, 0, (), labels=labels) for name in ("baseline", "crop")]
    found = appraise(study_of(*records), read_economics({"value": ILL}))
    assert any(gap.startswith("Only 3 test items of 1: ") for gap in found.gaps)
    assert not any("test items of" in gap for gap in appraise(study_of(*records), Economics()).gaps)
