"""An appraisal as JSON; its schema is docs/appraisal.schema.json."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from cropworth.worth.results import Appraisal, SizeAppraisal


def to_json(appraisal: Appraisal) -> dict[str, Any]:
    """Plain data; null where something is undefined, never NaN."""
    plain = asdict(appraisal) | {"sizes": [_size(size) for size in appraisal.sizes]}
    return lists(plain | _size(appraisal.largest))  # type: ignore[no-any-return]


def as_text(plain: dict[str, Any]) -> str:
    """Plain data as JSON, as commands print it and pages give it."""
    return json.dumps(plain, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _size(size: SizeAppraisal) -> dict[str, Any]:
    return {
        "train_size": size.train_size,
        "candidates": {c.name: _without_name(asdict(c)) for c in size.candidates},
        "variants": {r.name: _without_name(asdict(r)) for r in size.rows},
    }


def _without_name(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "name"}


def lists(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: lists(inner) for key, inner in value.items()}
    return [lists(inner) for inner in value] if isinstance(value, tuple | list) else value
