"""Tables of your own: what their cells say, and that CSV and parquet say the same."""

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropworth.config import parse
from cropworth.data.config import ImageTable
from cropworth.data.rows import Told, missing, needed_columns, number_in, read_rows, time_in, told
from cropworth.errors import CropworthError


def columns(**settings: object) -> ImageTable:
    return parse(ImageTable, {"task": "image-table", "file": "t.csv", **settings})


ALL = {"group_column": "patient", "time_column": "day", "value_column": "price"}
ROW: dict[str, object] = {"label": "cat", "split": "val", "patient": 7, "day": "1970-01-02", "price": "2.5"}


def test_what_a_row_says() -> None:
    assert told(ROW, columns(**ALL), "t, row 1") == Told("cat", "val", "7", 86400.0, 2.5)
    assert told(ROW, columns(), "t, row 1") == Told("cat", "val")
    assert told({"label": " 1e3"}, columns(target="number"), "t, row 1") == Told(1000.0)


@pytest.mark.parametrize(
    ("cells", "settings", "said"),
    [
        ({"label": " "}, {}, "no label; expected the name of a class"),
        ({"label": math.nan}, {}, "no label"),
        ({"label": "cat"}, {"target": "number"}, "the label 'cat'; expected a finite number"),
        ({"label": "inf"}, {"target": "number"}, "the label 'inf'"),
        ({"label": ""}, {"target": "number"}, "no label"),
        ({"split": "Train"}, {}, "the split 'Train'; expected one of train, val, test"),
        ({"split": None}, {}, "the split ''"),
        ({"patient": ""}, {}, "no group"),
        ({"day": "yesterday"}, {}, "the time 'yesterday'; expected a number or ISO 8601"),
        ({"day": None}, {}, "no time"),
        ({"day": "inf"}, {}, "the time 'inf'"),
        ({"price": "much"}, {}, "the value 'much'; expected a number"),
        ({"price": "-1"}, {}, "the value -1; expected a number from 0 to 1e\\+18"),
        ({"price": math.nan}, {}, "the value nan"),
        ({"price": ""}, {}, "no value"),
    ],
)
def test_cells_that_cannot_be_used(cells: dict[str, object], settings: dict[str, object], said: str) -> None:
    with pytest.raises(CropworthError, match=f"^got t.csv, row 3: {said}"):
        told(ROW | cells, columns(**ALL, **settings), "t.csv, row 3")


def test_columns_are_needed_where_the_plan_sets_them() -> None:
    assert needed_columns(columns()) == {"label": "data.label_column"}
    assert needed_columns(columns(split_column="split")) == {"label": "data.label_column"}
    assert needed_columns(columns(split_column="part", group_column="patient")) == {
        "label": "data.label_column",
        "part": "data.split_column",
        "patient": "data.group_column",
    }


MOMENTS = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1))  # noqa: DTZ001


@given(a=MOMENTS, b=MOMENTS)
def test_times_keep_their_order(a: datetime, b: datetime) -> None:
    first, second = time_in(a.isoformat()), time_in(b)
    assert first is not None
    assert second is not None
    assert first - second == pytest.approx((a - b) / timedelta(seconds=1), abs=1e-5)


def test_the_zone_of_a_time_counts() -> None:
    assert time_in("2024-05-31T12:00+02:00") == time_in("2024-05-31T10:00Z") == time_in("2024-05-31 10:00")
    assert time_in(date(2024, 5, 31)) == time_in("2024-05-31") == datetime(2024, 5, 31, tzinfo=UTC).timestamp()
    assert (time_in("17.5"), time_in(3), time_in("noon"), time_in(None)) == (17.5, 3.0, None, None)


def test_cells() -> None:
    assert [missing(cell) for cell in (None, "", "\t", math.nan, "x", 0, False)] == [True] * 4 + [False] * 3
    assert [number_in(cell) for cell in ("2", 2, "x", None, 10**400)] == [2.0, 2.0, None, None, None]


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "t.csv").write_text("other,label,split\n1,a,val\n2,b,test\n")
    parquet.write_table(
        pyarrow.table({"other": [1, 2], "label": ["a", "b"], "split": ["val", "test"]}), tmp_path / "t.parquet"
    )
    for name in ("t.csv", "t.parquet"):
        rows = list(read_rows(tmp_path / name, {"label": "data.label_column"}, ["split", "box"]))
        assert [where for where, _ in rows] == [f"{tmp_path / name}, row {n}" for n in (1, 2)]
        assert [(row["label"], row["split"]) for _, row in rows] == [("a", "val"), ("b", "test")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the columns none"),
        ("label\n", "without a row; expected at least one"),
        ("label,label\na,b\n", "two columns label"),
        ("name;label\n1;a\n", r"the columns name;label; .* Add label, or name yours in data\.label_column"),
        ("label\na,b\n", "row 1: more cells"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(CropworthError, match=said):
        list(read_rows(tmp_path / "t.csv", {"label": "data.label_column"}))
