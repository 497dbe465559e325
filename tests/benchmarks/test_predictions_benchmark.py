"""The whole of benchmarks/predictions.py runs on a few rows."""

import re
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "predictions.py"


def test_a_row_for_each_kind_of_file(tmp_path: Path) -> None:
    # In a process of its own, for it keeps itself to one core.
    command = [sys.executable, str(BENCHMARK), "--out", str(tmp_path), "--rows", "1000", "--runs", "1"]
    subprocess.run(command, check=True, capture_output=True)
    page = (tmp_path / "predictions.md").read_text()
    rows = re.findall(r"^\| (CSV|parquet), .*? \|((?: [\d.]+ \|){6})$", page, re.MULTILINE)
    assert [kind for kind, _ in rows] == ["CSV", "CSV", "parquet"]
    assert "1,000 rows: 2 variants, 5 seeds, 100 items" in page
