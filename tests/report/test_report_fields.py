from __future__ import annotations

from typing import Any

import pytest

from cropworth.errors import CropworthError
from cropworth.report.fields import Field, Fields, fields_of
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.price_fields import price_fields, term_fields

CLASSES = ("a.b", "c", "d")


def fields(**prices: Any) -> tuple[Fields, Economics]:
    economics = read_economics(prices)
    used = {path for path in economics.prices() if path.startswith(("cost_", "value.", "unit_"))}
    if economics.cost_matrix is not None:
        used = {path for path, _, _, _ in economics.entries("cost_matrix")}
    return fields_of(economics, [*price_fields(economics, used, CLASSES, ()), *term_fields(economics)]), economics


def field(path: str, **prices: Any) -> Field:
    (found,) = (one for one in fields(**prices)[0].every if one.path == path)
    return found


def test_a_few_error_prices_stand_among_the_main_ones_and_many_apart() -> None:
    row = {"a.b": 1.0, "c": 2.0, "d": 3.0}
    few, _ = fields(cost_matrix={"c": row})
    assert [one.path for one in few.main if one.path.startswith("cost_matrix.")] == [
        "cost_matrix.c.a.b", "cost_matrix.c.c", "cost_matrix.c.d",
    ]  # fmt: skip
    assert few.errors == ()
    many, _ = fields(cost_matrix=dict.fromkeys(CLASSES, row))
    assert {one.path.partition(".")[0] for one in many.errors} == {"cost_matrix"}
    assert [one.path for one in many.main][:2] == ["predictions_per_year", "compute_price_per_hour"]


def test_the_way_to_a_price_whose_class_has_a_dot() -> None:
    assert field("cost_matrix.c.a.b", cost_matrix={"c": {"a.b": 1.0}}).keys == ("cost_matrix", "c", "a.b")
    assert field("engineering.once").keys == ("engineering", "once")


@pytest.mark.parametrize(
    ("path", "guess"),
    [
        ("cost_per_error", {"low": 0.1, "mode": 0.2, "high": 1.0}),
        ("growth", {"low": -0.3, "mode": 0.0, "high": 0.1}),
        ("utilisation", {"low": 0.2, "mode": 0.5, "high": 0.8}),
    ],
)
def test_a_guess_may_be_multiplied_as_far_as_it_stays_allowed(path: str, guess: dict[str, float]) -> None:
    found = field(path, **{path: guess})
    assert (found.times, found.least) == (True, 0.0)

    def multiplied(factor: float) -> None:
        read_economics({path: {end: price * factor for end, price in guess.items()}})

    multiplied(found.most * (1 - 1e-9))
    if found.most < 1e6:
        with pytest.raises(CropworthError):
            multiplied(found.most * 1.01)


@pytest.mark.parametrize("path", ["discount_rate", "growth", "horizon_years", "utilisation", "cost_per_error"])
def test_what_a_field_allows_is_what_a_plan_allows(path: str) -> None:
    found = field(path)
    for number in (found.least, found.most):
        read_economics({path: int(number) if found.whole else number})
    with pytest.raises(CropworthError):
        read_economics({path: 1.01 * found.most + 1})


def test_words_of_a_field() -> None:
    assert field("discount_rate").allowed == "a number from 0 to 999"
    assert field("horizon_years").allowed == "a whole number from 1 to 100"
    assert field("predictions_per_year").allowed == "a number from 0"
    assert field("utilisation", utilisation={"low": 0.2, "mode": 0.5, "high": 0.8}).guess == "20 to 80 %, likeliest 50"
    assert field("engineering.once", currency="CHF").unit == "CHF"
