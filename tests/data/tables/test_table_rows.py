"""Tables of your own: which columns they need, and that CSV and parquet say the same."""

from pathlib import Path

import pytest

from cropworth.config import parse
from cropworth.data.config import ImageTable
from cropworth.data.rows import Row
from cropworth.data.tables.table_rows import needed_columns, read_rows, row_of
from cropworth.errors import CropworthError


def columns(**settings: object) -> ImageTable:
    return parse(ImageTable, {"task": "image-table", "file": "t.csv", **settings})


ALL = {"group_column": "patient", "time_column": "day", "value_column": "price"}


def test_what_a_row_says() -> None:
    cells = {"label": "cat", "split": None, "patient": 7, "day": "1970-01-02", "price": "2.5", "other": 1}
    assert row_of(cells, columns(**ALL), "1", "t, row 1", "a.png") == Row(
        "1", "t, row 1", "a.png", "cat", "", 7, "1970-01-02", "2.5"
    )
    assert row_of({"label": "cat"}, columns(), "1", "t, row 1", "a.png") == Row("1", "t, row 1", "a.png", "cat")


def test_columns_are_needed_where_the_plan_sets_them() -> None:
    assert needed_columns(columns()) == {"label": "data.label_column"}
    assert needed_columns(columns(split_column="split")) == {"label": "data.label_column"}
    assert needed_columns(columns(split_column="part", group_column="patient")) == {
        "label": "data.label_column",
        "part": "data.split_column",
        "patient": "data.group_column",
    }


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
