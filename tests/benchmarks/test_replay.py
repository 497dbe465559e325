"""The replay of finished studies, on made records."""

import sys
from pathlib import Path

import numpy as np
import pytest

from cropworth.study.record import Study
from factories import make_record, make_study

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import until_clear

ECONOMICS = {"cost_per_error": 1.0, "predictions_per_year": 1000, "compute_price_per_hour": 0.1}


@pytest.fixture(scope="module")
def study() -> Study:
    """Twenty seeds: one crop makes half of the baseline's errors, another as many as it, give or take a tenth."""
    rng, records = np.random.default_rng(0), []
    for seed in range(20):
        for name, errors in (("baseline", 100), ("better", 50), ("even", 100)):
            wrong = rng.choice(500, errors + rng.integers(-10, 11), replace=False)
            records.append(make_record(name, seed, wrong=wrong.tolist(), items=500, wall_s=360.0))  # 0.05 machine hours
    return make_study(records, economics=ECONOMICS)


def test_a_replay_uses_the_first_seeds_of_its_order(study: Study) -> None:
    row = until_clear.row_of(study, orders=3)
    assert row.hours == pytest.approx(60 * 0.05)
    assert (row.fixed.headline, row.fixed.best) == ("adopt", "better")
    assert row.fixed.each == {"better": "adopt", "even": "not enough evidence"}
    one = row.first
    assert one.share == pytest.approx(sum(one.seeds.values()) / 60)
    assert one.seeds["better"] < 20
    assert one.stopped["better"] == "clear"
    assert (row.alike([one]), row.opposite([one])) == (1.0, 0.0)
    assert len(row.others) == 3


def test_the_tables(study: Study) -> None:
    text = until_clear.table([until_clear.row_of(study, orders=2)])
    assert "| made | 3.00 | adopt | better | adopt | better | yes |" in text
    assert "Same headline verdict in 1 of 1" in text
    assert "| made | 2 | 100% |" in text
