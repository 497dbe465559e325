from datetime import date

import numpy as np
import pytest

from cropworth.errors import CropworthError
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.prices import Range, mean

CLASSES = ("0", "1", "2")
SCREENING = {"template": "medical-screening", "disease": "1", "prevalence": 0.01, "false_negative": 1000}


def table(**values: object) -> np.ndarray:
    """What each true class and decision costs, all quantities summed at their mean prices."""
    economics = read_economics(values)
    prices = {path: mean(price) for path, price in economics.prices().items()}
    priced = economics.priced(CLASSES)
    return np.sum([np.prod([prices[path] for path in one.paths]) * one.lost for one in priced], axis=0)


def test_a_cost_per_error_is_a_matrix_with_a_free_diagonal() -> None:
    np.testing.assert_array_equal(table(cost_per_error=2), [[0, 2, 2], [2, 0, 2], [2, 2, 0]])


def test_a_cost_matrix_by_name_and_by_rows() -> None:
    by_name = table(cost_matrix={0: {1: 5}, "2": {"0": 7, "2": 1}})
    np.testing.assert_array_equal(by_name, table(cost_matrix=[[0, 5, 0], [0, 0, 0], [7, 0, 1]]))
    np.testing.assert_array_equal(by_name, table(value_matrix=[[0, -5, 0], [0, 0, 0], [-7, 0, -1]]))


def test_a_guess_in_a_matrix_is_a_quantity_of_its_own() -> None:
    guess = {"low": 1, "mode": 2, "high": 6}
    economics = read_economics({"cost_matrix": {"0": {"1": guess, "2": 4}}})
    assert economics.prices()["cost_matrix.0.1"] == Range(low=1, mode=2, high=6)
    assert [one.paths for one in economics.priced(CLASSES)] == [("cost_matrix",), ("cost_matrix.0.1",)]
    np.testing.assert_array_equal(table(cost_matrix={"0": {"1": guess, "2": 4}}), [[0, 3, 4], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cost_per_error": -1}, r"economics\.cost_per_error = -1; expected greater than or equal to 0"),
        ({"cost_per_eror": 1}, r"unknown key economics\.cost_per_eror.*'cost_per_error'"),
        ({"engineering": {"onec": 1}}, r"unknown key economics\.engineering\.onec.*'once'"),
        ({"cost_per_error": 1, "cost_matrix": [[0]]}, "both cost_per_error and cost_matrix"),
        ({"horizon_years": 0}, r"economics\.horizon_years = 0"),
        ({"cost_per_error": {"low": 3, "mode": 2, "high": 5}}, r"economics\.cost_per_error: low = 3, mode = 2"),
        ({"cost_per_error": {"low": 1, "mode": 2}}, r"no economics\.cost_per_error\.high"),
        ({"cost_per_error": {"low": -1, "mode": 2, "high": 3}}, r"cost_per_error.*greater than or equal to 0"),
        ({"class_frequencies": {"0": 0.5, "1": 0.6}}, r"class_frequencies that add to 1\.1; they must add to 1"),
        ({"class_frequencies": {"0": 1.5}}, r"economics\.class_frequencies\.0 = 1\.5"),
        ({"reject_cost": 1}, "reject_cost without decision: least-cost"),
        ({"utilisation": 0}, "a utilisation of 0"),
        ({"utilisation": {"low": 0, "mode": 0.5, "high": 1}}, "a utilisation of 0"),
        ({"decision": "least-cost", "value_fn": "a:b"}, "least-cost without costs by class"),
        ({"decision": "least-cost", "unit_costs": {"under": 1, "over": 2}}, "least-cost without costs by class"),
        ({"value": {"template": "medical"}}, r"economics\.value of the kind 'medical'; expected one of medical-scr"),
        ({"value": {"template": "inspection", "defect": "1", "escape": 3}}, r"no economics\.value\.defect_rate"),
        ({"value": SCREENING, "class_frequencies": {"0": 1}}, r"both class_frequencies and value\.prevalence"),
        ({"value": SCREENING, "cost_per_error": 1}, "both cost_per_error and value"),
        ({"value": {**SCREENING, "prevalence": 2}}, r"economics\.value\.prevalence = 2; expected less than or equal"),
        ({"cost_matrix": {"0": {"1": -3}}}, "greater than or equal to 0"),
        ({"discount_rate": "high"}, "a valid number"),
        ({"cost_matrix": {0: {1: -3}}}, r"^got economics\.cost_matrix\.0\.1 = -3; expected greater"),
        ({"cost_matrix": [[0, -1], [1, 0]]}, r"^got economics\.cost_matrix\.0\.1 = -1; expected greater"),
        ({"cost_matrix": 5}, r"^got economics\.cost_matrix = 5; "),
        ({"predictions_per_year": 1e160}, r"economics\.predictions_per_year = 1e\+160; expected less"),
        ({"cost_per_error": 1e300}, r"economics\.cost_per_error = 1e\+300; expected less"),
    ],
)
def test_what_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        read_economics(values)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ({"9": {"1": 1}}, "class '9'"),
        ({"0": {"cat": 1}}, "class 'cat'"),
        ([[0, 1], [1, 0]], "3 rows of 3 costs"),
        ([[0, 1, 1], [1, 0], [1, 1, 0]], "3 rows of 3 costs"),
    ],
)
def test_a_matrix_for_other_classes(matrix: object, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        read_economics({"cost_matrix": matrix}).check_classes(CLASSES)


def test_what_is_not_priced_is_listed() -> None:
    assert Economics().not_priced == (
        "predictions_per_year",
        "cost_per_error",
        "stake",
        "compute_price_per_hour",
        "retrainings_per_year",
        "engineering.once",
        "engineering.per_year",
    )
    priced = read_economics({"cost_matrix": {}, "predictions_per_year": 0, "engineering": {"once": 1}})
    assert priced.not_priced == ("stake", "compute_price_per_hour", "retrainings_per_year", "engineering.per_year")
    assert not {"stake", "cost_per_error"} & set(read_economics({"stake": 1000}).not_priced)


def test_the_day_that_prices_are_of() -> None:
    assert read_economics({}).as_of is None
    for changed in (read_economics({"as_of": "2026-01-31"}), read_economics({}, ["economics.as_of=2026-01-31"])):
        assert changed.as_of == date(2026, 1, 31)
        assert changed.model_dump(mode="json")["as_of"] == "2026-01-31"
    with pytest.raises(CropworthError, match=r"economics\.as_of = 'January'"):
        read_economics({"as_of": "January"})


def test_overrides() -> None:
    values = {"cost_per_error": 1, "engineering": {"once": 5, "per_year": 6}}
    changed = read_economics(
        values, ["economics.predictions_per_year=5e6", "economics.engineering.once=9", "economics.cost_per_error=0.2"]
    )
    assert (changed.predictions_per_year, changed.engineering.once, changed.engineering.per_year) == (5e6, 9, 6)
    assert changed.cost_per_error == 0.2
    assert values == {"cost_per_error": 1, "engineering": {"once": 5, "per_year": 6}}
    swapped = read_economics(values, ["economics.cost_matrix=[[0, 1], [2, 0]]"])
    assert swapped.cost_matrix == [[0, 1], [2, 0]]


def test_an_override_of_one_cost_keeps_the_others() -> None:
    changed = read_economics({"cost_matrix": {0: {1: 5, 2: 6}, 1: {0: 7}}}, ["economics.cost_matrix.0.1=9"])
    assert changed.cost_matrix == {"0": {"1": 9, "2": 6}, "1": {"0": 7}}
    with pytest.raises(
        CropworthError, match=r"economics\.cost_matrix is \[\[0, 5\].*Set economics\.cost_matrix as a whole"
    ):
        read_economics({"cost_matrix": [[0, 5], [6, 0]]}, ["economics.cost_matrix.0.1=9"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("economics.predictions_per_year", "--set economics.predictions_per_year"),
        ("predictions_per_year=3", "--set predictions_per_year=3"),
        ("economics=3", "--set economics=3"),
        ("economics.prediction_per_year=3", "Did you mean 'predictions_per_year'"),
        ("economics.margin=-3", r"economics\.margin = -3"),
        ("economics.margin=[", "readable YAML"),
    ],
)
def test_overrides_that_are_refused(override: str, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        read_economics({}, [override])
