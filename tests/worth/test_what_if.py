"""What the page is given to appraise again; that it does so as Python does is tested in a browser (tests/report)."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cropworth.worth.economics import read_economics
from cropworth.worth.price_fields import LOCKED
from cropworth.worth.scenario import DRAWS, permutations
from cropworth.worth.what_if import MOST_APART, what_if
from factories import make_record, make_study
from report.other_prices import GUESS, MATRIX, STUDIES, few, made, of_numbers, with_energy, with_validation


def model_of(name: str) -> dict[str, Any]:
    chosen = STUDIES[name]()
    found = what_if(chosen.study, read_economics(chosen.prices))
    assert found is not None
    return found


def prices_of(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {price["path"]: price for price in model["prices"]}


@pytest.mark.parametrize("name", STUDIES)
def test_every_price_of_the_economics_is_there_in_its_order(name: str) -> None:
    chosen = STUDIES[name]()
    economics = read_economics(chosen.prices)
    found = prices_of(model_of(name))
    given = economics.prices()
    assert [path for path in found if path in given] == list(given)
    for path, price in given.items():
        assert found[path]["value"] == (price if isinstance(price, float) else price.model_dump())
    assert all(price["label"] for price in found.values())


def test_nothing_to_appraise_again() -> None:
    lost = make_study([make_record("baseline"), make_record("crop", status="diverged")])
    assert what_if(lost, read_economics({"cost_per_error": 1})) is None
    all_lost = make_study([make_record("baseline", status="diverged"), make_record("crop")])
    assert what_if(all_lost, read_economics({"cost_per_error": 1})) is None
    alone = make_study([make_record("baseline")])
    assert what_if(alone, read_economics({"cost_per_error": 1})) is None


def test_a_candidate_without_a_working_seed_stays_in_the_list() -> None:
    records = [make_record("baseline"), make_record("crop"), make_record("other", status="diverged")]
    model = what_if(make_study(records), read_economics({"cost_per_error": 1}))
    assert model is not None
    assert {c["name"]: c["gains"] is None for c in model["candidates"]} == {"crop": False, "other": True}


def test_prices_to_which_decisions_are_tuned_are_locked() -> None:
    found = prices_of(model_of("least cost"))
    assert {path for path, price in found.items() if price["locked"]} == {"cost_matrix", "reject_cost"}
    assert found["cost_matrix"]["locked"] == LOCKED
    screening = STUDIES["screening"]()
    tuned = made(with_validation(few()), **{**screening.prices, "decision": "least-cost"})
    model = what_if(tuned.study, read_economics(tuned.prices))
    assert model is not None
    locked = {path for path, price in prices_of(model).items() if price["locked"]}
    assert locked == {path for path in prices_of(model) if path.startswith("value.")}
    assert not any(price["locked"] for price in prices_of(model_of("screening")).values())
    # Numbers are decided by nobody.
    numbers = made(of_numbers(few()), cost_per_error=1.0, decision="least-cost")
    model = what_if(numbers.study, read_economics(numbers.prices))
    assert model is not None
    assert not any(price["locked"] for price in model["prices"])


def test_only_what_changes_something_is_shown() -> None:
    def shown(name: str) -> set[str]:
        return {path for path, price in prices_of(model_of(name)).items() if price["shown"]}

    plain = shown("cost of an error")
    assert {"cost_per_error", "predictions_per_year", "engineering.once", "discount_rate"} <= plain
    assert not plain & {"stake", "watts", "energy_price_per_kwh"}
    assert "stake" in shown("payoffs")
    assert {"energy_price_per_kwh", "carbon_kg_per_kwh"} <= shown("energy and carbon") - {"watts"}
    assert "watts" in shown("watts")
    assert {"unit_costs.under", "unit_costs.over"} <= shown("numbers")
    assert "value.prevalence" in shown("screening")


def test_the_entries_of_a_matrix_are_apart_until_there_are_too_many() -> None:
    found = prices_of(model_of("a matrix with guesses"))
    assert (
        found["cost_matrix.0.1"] | {"value": 0.5, "multiple": "cost_matrix", "shown": True} == found["cost_matrix.0.1"]
    )
    assert found["cost_matrix.1.2"]["value"] == GUESS
    assert found["cost_matrix.0.1"]["label"] == "0 taken for 1"
    assert not found["cost_matrix"]["shown"]
    rows = prices_of(model_of("a matrix in rows"))
    assert {"cost_matrix.0.1", "cost_matrix.2.2"} <= rows.keys()  # what costs nothing on the diagonal has no field
    assert "cost_matrix.0.0" not in rows
    classes = tuple(map(str, range(12)))
    records = [
        replace(r, labels=r.labels * 4, probabilities=np.eye(12, dtype=np.float32)[np.arange(200) % 12])
        for r in (make_record("baseline", s) if v else make_record("crop", s) for v in (0, 1) for s in range(3))
    ]
    matrix = {true: {other: 1.0 for other in classes if other != true} for true in classes}
    model = what_if(replace(make_study(records), classes=classes), read_economics({"cost_matrix": matrix}))
    assert model is not None
    assert len(matrix) * (len(matrix) - 1) > MOST_APART
    assert model["quantities"] == [["cost_matrix"]]
    assert prices_of(model)["cost_matrix"]["shown"]


def test_the_draws_are_pythons() -> None:
    model = model_of("a matrix with guesses")
    for name, seed, count in (("chance", 1, 3), ("guesses", 0, 2)):
        found = [np.frombuffer(b64decode(text), "<u2") for text in model["permutations"][name]]
        assert [order.tolist() for order in found] == [order.tolist() for order in permutations(seed, count)]
    assert sorted(permutations(0, 1)[0]) == list(range(DRAWS))


def test_joules_that_are_estimated_are_of_one_watt() -> None:
    estimated, measured = (model_of(name)["candidates"][0] for name in ("watts", "energy and carbon"))
    assert estimated["inference"]["energy_j"] == estimated["inference"]["paid"]
    assert estimated["training"]["energy_j"] == estimated["training"]["seconds"]
    assert measured["inference"]["energy_source"] == "measured"
    assert measured["inference"]["energy_j"] != measured["inference"]["paid"]


def test_the_model_is_plain_and_small() -> None:
    """Three columns of draws are 80 kB; a matrix's covariances grow with the square of its entries."""
    for name in ("cost of an error", "screening", "a matrix"):
        model = model_of(name)
        text = json.dumps(model, allow_nan=False)
        assert len(text) < 80_000 + 3_000 * len(model["candidates"]) + 7_000
        assert json.loads(text) == model


def test_energy_of_nobody_has_no_fields() -> None:
    energy = {"energy_price_per_kwh": 0.3}
    unknown, known = (what_if(study, read_economics(energy)) for study in (few(), with_energy(few())))
    assert unknown is not None
    assert known is not None
    assert not prices_of(unknown)["energy_price_per_kwh"]["shown"]
    assert prices_of(known)["energy_price_per_kwh"]["shown"]


def test_matrix_entries_keep_their_prices() -> None:
    entries = {path: price["value"] for path, price in prices_of(model_of("a matrix")).items() if ".0." in path}
    assert entries == {"cost_matrix.0.1": MATRIX["0"]["1"], "cost_matrix.0.2": MATRIX["0"]["2"]}
