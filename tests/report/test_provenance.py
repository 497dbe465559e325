"""What a study was made from, as a reader of the page can check it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cropworth.report.provenance import NOT_KEPT, provenance_table
from cropworth.report.tables import NO_DATE, prices_table
from cropworth.study.record import Study
from cropworth.worth.economics import Economics, read_economics
from factories import make_record, make_study


def told(study: Study, economics: Economics | None = None) -> list[tuple[str, str]]:
    return [(str(what), str(which)) for what, which in provenance_table(study, economics or Economics()).rows]


def test_a_study_names_its_data_weights_and_code() -> None:
    environments = ({"cropworth": "1.2", "commit": "abc+", "source_sha256": "5e"}, {"cropworth": "1.1"})
    records = [replace(make_record(seed=i), environment=one) for i, one in enumerate(environments)]
    study = replace(make_study(records), data_sha256="da", weights_sha256={"w.pt": "3e", "c.json": "c0"})
    assert told(study, read_economics({"as_of": "2026-01-31"}))[:-1] == [
        ("all items and labels", "da"),
        ("weights w.pt", "3e"),
        ("weights c.json", "c0"),
        ("code of cropworth", f"version 1.1; its source files: {NOT_KEPT}"),
        ("code of cropworth", "version 1.2, commit abc+; its source files: 5e"),
        ("day of the prices", "2026-01-31"),
    ]


def test_what_an_older_version_did_not_keep_is_said() -> None:
    rows = dict(told(make_study([make_record()])))
    assert rows["all items and labels"] == NOT_KEPT
    assert rows["code of cropworth"].endswith(NOT_KEPT)
    assert rows["day of the prices"] == NO_DATE


def test_a_study_from_files_names_those() -> None:
    study = replace(make_study([make_record()]), plan={}, files_sha256={"rows.csv": "f1", "costs.csv": "f2"})
    assert [row[:2] for row in told(study)][:2] == [("file rows.csv", "f1"), ("file costs.csv", "f2")]
    assert not any("code" in what for what, _ in told(study))


@pytest.mark.parametrize(("values", "shown"), [({}, NO_DATE), ({"as_of": "2026-01-31"}, "2026-01-31")])
def test_the_prices_have_a_date(values: dict[str, object], shown: str) -> None:
    assert dict(prices_table(read_economics(values), ()).rows)["as_of"] == shown
