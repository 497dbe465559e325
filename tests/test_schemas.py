"""The schemas in docs/ are those of the code."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["appraisal", "report", "comparison"])
def test_the_schema_is_that_of_the_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    schemas = __import__("schemas")
    written = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text())
    assert schemas.SCHEMAS[name]() == written, "run python scripts/schemas.py"
    del sys.modules["schemas"]
