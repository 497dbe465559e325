import gzip
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from cropworth.data.tables.table import Table, read_table
from cropworth.errors import CropworthError, ManyError

COLUMNS = {"time": float, "side": {"buy": 1.0, "sell": -1.0}.__getitem__}


def read(tmp_path: Path, text: str, on_bad_item: Literal["fail", "skip"] = "fail") -> Table:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    return read_table(path, COLUMNS, on_bad_item)


def test_columns_are_read_by_name_plain_or_packed(tmp_path: Path) -> None:
    text = "side,other,time\nbuy,x,1.5\nsell,,2\n"
    plain = read(tmp_path, text)
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(text.encode()))
    for table in (plain, read_table(tmp_path / "rows.csv.gz", COLUMNS, "fail")):
        assert table["time"].tolist() == [1.5, 2]
        assert table["side"].tolist() == [1, -1]
        assert table.lines.tolist() == [2, 3]
        assert table.warnings == ()


BAD = "time,side\n1,buy\nsoon,buy\n2,hold\n3\nnan,sell\n4,sell\n"


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManyError, match=r"rows\.csv, line 3: time is missing or not what it should be") as caught:
        read(tmp_path, BAD)
    assert [str(problem).split("line ")[1][0] for problem in caught.value.problems] == ["3", "6"]


def test_bad_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    table = read(tmp_path, BAD, "skip")
    assert table["time"].tolist() == [1, 4]
    assert table.lines.tolist() == [2, 7]
    assert [warning.split(";")[0][-1] for warning in table.warnings] == ["2", "2"]  # of each column
    assert table.warnings[0].endswith("rows.csv, line 3: time is missing or not what it should be.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"rows\.csv with the columns none; expected the columns time, side\. Add time, side\."),
        ("time,price\n1,2\n", r"rows\.csv with the columns time, price.*Add side\."),
        ("time,side\n", r"rows\.csv without a row"),
    ],
)
def test_a_file_without_what_is_needed_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        read(tmp_path, text, "skip")


@pytest.mark.parametrize("name", ["absent.csv", "absent.csv.gz", "plain.csv.gz", "torn.csv.gz", "bytes.csv"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain.csv.gz").write_text("time,side\n1,buy\n")
    (tmp_path / "torn.csv.gz").write_bytes(gzip.compress(b"time,side\n1,buy\n" * 100)[:40])
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CropworthError, match=name.replace(".", r"\.")):
        read_table(tmp_path / name, COLUMNS, "fail")


def test_rows_out_of_order_are_bad_ones(tmp_path: Path) -> None:
    text = "time,side\n1,buy\n3,buy\n2,buy\n3,buy\n4,buy\n"
    table = read(tmp_path, text)
    with pytest.raises(CropworthError, match=r"line 4: a time that is not after those above"):
        table.in_order("time", strictly=False)
    skipping = read(tmp_path, text, "skip")
    assert skipping.in_order("time", strictly=False)["time"].tolist() == [1, 3, 3, 4]
    strictly = skipping.in_order("time", strictly=True)
    assert strictly["time"].tolist() == [1, 3, 4]
    (warning,) = strictly.warnings
    assert warning.startswith("Left out of the data: rows, 2; ")
    assert "line 4: " in warning
    assert np.array_equal(strictly.lines, [2, 3, 6])
