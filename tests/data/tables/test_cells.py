"""Cells of tables: gaps, numbers and times, as CSV and parquet have them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropworth.data.tables.cells import missing, number, times


@pytest.mark.parametrize("cell", [None, "", " \t", float("nan")])
def test_gaps(cell: object) -> None:
    assert missing(cell)


@pytest.mark.parametrize(("cell", "found"), [("1e3", 1000), (" 2 ", 2), (3, 3), ("x", None), (None, None), ("", None)])
def test_numbers(cell: object, found: float | None) -> None:
    assert not missing(0)
    assert number(cell) == found


@given(days=st.lists(st.floats(-60_000, 60_000), min_size=2, max_size=9))
def test_times_grow_as_they_are_written(days: list[float]) -> None:
    moments = [datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in days]
    found = times([moment.isoformat() for moment in moments])
    for one, other in zip(range(len(moments) - 1), range(1, len(moments)), strict=True):
        apart = (moments[other] - moments[one]) / timedelta(seconds=1)
        first, second = found[one], found[other]
        assert first is not None
        assert second is not None
        assert second - first == pytest.approx(apart, abs=1e-4)
    assert found == times([str(moment.astimezone(timezone(timedelta(hours=-5)))) for moment in moments])


def test_a_column_is_of_numbers_or_of_dates() -> None:
    assert times(["3", " 1.5", "", None]) == [3, 1.5, None, None]
    assert times([1, 2.5, float("inf"), float("nan")]) == [1, 2.5, None, None]
    assert times(["1970-01-02", "1970-01-01T01:00", "1970-01-01 00:00:02.5Z", ""]) == [86400, 3600, 2.5, None]
    assert times([date(1970, 1, 2), datetime(1970, 1, 1, 1, tzinfo=UTC)]) == [86400, 3600]
    assert times(["2019", "2020", "n/a", "2021-01-01"]) == [2019, 2020, None, None]
    assert times([float("inf"), 1, 2]) == [None, 1, 2]
    assert times(["1970-01-02", "1970", "soon", "1970-02-30"]) == [86400, None, None, None]
