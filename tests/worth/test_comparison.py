from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.comparison import Comparison, compare
from cropworth.worth.economics import read_economics
from cropworth.worth.interval import two_way_interval
from factories import make_record, make_study


def study_of(wrong: dict[str, int], seeds: int = 4, items: int = 200, names: tuple[str, ...] = ()) -> Study:
    """Each variant reads so many items wrong, other ones with every seed."""
    records = [
        make_record(name, seed, items=items, wrong=np.random.default_rng([seed, count]).permutation(items)[:count])
        for name, count in wrong.items()
        for seed in range(seeds)
    ]
    return replace(make_study(records), data_sha256="a")


def compared(before: Study, after: Study) -> Comparison:
    economics = read_economics(after.economics)
    return compare((before, appraise(before, economics)), (after, appraise(after, economics)))


def test_a_study_and_itself() -> None:
    study = study_of({"baseline": 40, "crop": 20})
    found = compared(study, study)
    assert found.same_items
    assert found.differences == ()
    for change in found.changes:
        assert (change.error.estimate, change.other_verdict) == (0.0, False)
    assert found.changes[1].npv.estimate == 0.0


def test_errors_are_paired_by_seed_and_item() -> None:
    before, after = study_of({"baseline": 40, "crop": 60}), study_of({"baseline": 40, "crop": 20})
    change = compared(before, after).changes[1]
    wrong = [np.stack([record.wrong for record in study.of("crop", 100)]) for study in (before, after)]  # type: ignore[misc]
    assert change.error == two_way_interval(wrong[1] - wrong[0], unit=1.0)
    assert change.error.estimate == pytest.approx(-0.2)
    assert change.error.high is not None
    assert change.error.high < 0


def test_other_test_items_count_as_chance_of_their_own() -> None:
    before, after = study_of({"baseline": 40, "crop": 60}), study_of({"baseline": 40, "crop": 20}, items=300)
    found = compared(before, after)
    change = found.changes[1]
    assert not found.same_items
    assert change.before is not None
    assert change.after is not None
    halves = [(side.error.high or 0) - (side.error.estimate or 0) for side in (change.before, change.after)]
    assert change.error.estimate == pytest.approx(20 / 300 - 60 / 200)
    assert (change.error.high or 0) - (change.error.estimate or 0) == pytest.approx(np.hypot(*halves))


def test_the_same_labels_of_other_data_are_not_paired() -> None:
    study = study_of({"baseline": 40, "crop": 20})
    other = replace(study, data_sha256="b")
    found = compared(study, other)
    assert not found.same_items
    assert [(one.what, one.before, one.after) for one in found.differences] == [("data hash", "a", "b")]


def test_variants_that_only_one_has() -> None:
    found = compared(study_of({"baseline": 40, "old": 20}), study_of({"baseline": 40, "new": 20}))
    assert [change.name for change in found.changes] == ["baseline", "new", "old"]
    new, old = found.changes[1:]
    assert (new.before, old.after) == (None, None)
    assert new.error.estimate is None


def test_the_change_in_worth_is_that_of_the_estimates_and_wider_than_each() -> None:
    found = compared(study_of({"baseline": 40, "crop": 60}), study_of({"baseline": 40, "crop": 20}))
    change = found.changes[1]
    assert change.before is not None
    assert change.after is not None
    assert change.before.candidate is not None
    assert change.after.candidate is not None
    old, new = change.before.candidate.npv, change.after.candidate.npv
    assert change.npv.estimate == pytest.approx((new.estimate or 0) - (old.estimate or 0))
    width = (change.npv.high or 0) - (change.npv.low or 0)
    assert width > max((one.high or 0) - (one.low or 0) for one in (old, new))
    assert change.other_verdict


def test_what_differs_in_plan_and_environment_is_told_by_its_path() -> None:
    study = study_of({"baseline": 40, "crop": 20})
    records = tuple(replace(r, environment={**r.environment, "torch": "2.16.0"}) for r in study.records)
    later = replace(study, records=records, plan={"name": "made", "training": {"epochs": 9}})
    found = {one.what: (one.before, one.after) for one in compared(study, later).differences}
    assert found == {"training.epochs": ("not given", "9"), "torch": ("2.15.0", "2.16.0")}


def test_too_few_seeds_have_estimates_and_no_interval() -> None:
    change = compared(study_of({"baseline": 40, "crop": 60}, 1), study_of({"baseline": 40, "crop": 20}, 1)).changes[1]
    assert change.error.estimate == pytest.approx(-0.2)
    assert change.error.low is None
    assert change.npv.low is None
