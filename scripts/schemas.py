"""Write the schemas of docs/ from the classes whose data they describe, docstrings included.

python scripts/schemas.py
"""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cropworth.report import as_json, document, tables
from cropworth.worth import comparison, results

DOCS = Path(__file__).parents[1] / "docs"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
NAMES = {str: "string", float: "number", int: "integer", bool: "boolean", type(None): "null"}
BY_NAME = {"candidates": "Candidate", "variants": "Row"}


def appraisal_schema() -> dict[str, Any]:
    """The JSON schema of what `cropworth appraise --json` prints."""
    size = _object(results.SizeAppraisal)
    size["properties"] = {"train_size": size["properties"]["train_size"]} | {
        name: {"type": "object", "description": "by name", "additionalProperties": {"$ref": f"#/$defs/{kind}"}}
        for name, kind in BY_NAME.items()
    }
    size["required"] = list(size["properties"])
    whole = _object(results.Appraisal)
    whole["properties"]["sizes"] = {
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/SizeAppraisal"},
        "description": "every training-set size, ascending; candidates and variants beside are those of the last",
    }
    whole["properties"] |= size["properties"]
    whole["required"] = list(whole["properties"])
    classes = {name: found for name, found in vars(results).items() if dataclasses.is_dataclass(found)}
    parts = {name: _object(found) for name, found in classes.items() if name not in ("Appraisal", "SizeAppraisal")}
    for name in BY_NAME.values():  # the name is the key
        del parts[name]["properties"]["name"]
        parts[name]["required"].remove("name")
    return {
        "$schema": DRAFT,
        "$id": "appraisal.schema.json",
        "title": "cropworth appraisal",
        "description": "What `cropworth appraise --json` prints. Money is in `currency`; what is undefined is null.",
        **{key: value for key, value in whole.items() if key != "description"},
        "$defs": parts | {"SizeAppraisal": size},
    }


def report_schema() -> dict[str, Any]:
    """The JSON schema of what `cropworth report --format json` prints."""
    return _with_document("report", as_json.Whole, ("appraisal",), (as_json.TrialRow,))


def comparison_schema() -> dict[str, Any]:
    """The JSON schema of what `cropworth compare --format json` prints."""
    own = (comparison.Change, comparison.Side, comparison.Difference)
    classes = [found for found in vars(results).values() if dataclasses.is_dataclass(found)]
    return _with_document("comparison", as_json.Compared, ("before", "after"), (*own, *classes))


def _with_document(name: str, cls: type, appraisals: Sequence[str], parts: Sequence[type]) -> dict[str, Any]:
    """The schema of a class that holds a document, and appraisals under these keys."""
    whole = _object(cls)
    whole["properties"] |= {key: {"$ref": "appraisal.schema.json"} for key in appraisals}
    of_document = (document.Document, document.Section, document.Points, tables.Table, tables.Column, tables.Cell)
    found = {
        "$schema": DRAFT,
        "$id": f"{name}.schema.json",
        "title": f"cropworth {name}",
        **whole,
        "$defs": {part.__name__: _object(part) for part in (*of_document, *parts)},
    }
    used = set(re.findall(r"#/\$defs/(\w+)", json.dumps(found)))
    found["$defs"] = {part: schema for part, schema in found["$defs"].items() if part in used}
    return found


def _object(cls: type) -> dict[str, Any]:
    hints, told = get_type_hints(cls), _attributes(cls)
    return {
        "type": "object",
        "description": _unwrapped((cls.__doc__ or "").split("\n\n")[0]),
        "properties": {
            field.name: _of(hints[field.name]) | ({"description": told[field.name]} if field.name in told else {})
            for field in dataclasses.fields(cls)
        },
        "required": [field.name for field in dataclasses.fields(cls)],
        "additionalProperties": False,
    }


def _of(hint: Any) -> dict[str, Any]:
    """The schema of one annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return {"$ref": f"#/$defs/{typing.cast(type, hint).__name__}"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (types.UnionType, typing.Union):
        parts = [_of(argument) for argument in arguments]
        if all(list(part) == ["type"] for part in parts):
            return {"type": [part["type"] for part in parts]}
        if any("enum" in part for part in parts):
            return {"enum": [value for part in parts for value in part.get("enum", [None])]}
        return {"anyOf": parts}
    if origin is dict:
        return {"type": "object"}
    if origin in (tuple, Sequence) and arguments[-1] in (Ellipsis, arguments[0]):
        return {"type": "array", "items": _of(arguments[0])}
    if origin is tuple:
        return {"type": "array", "prefixItems": [_of(a) for a in arguments], "items": False}
    return {"type": NAMES[hint]}


def _attributes(cls: type) -> dict[str, str]:
    """The sentences under `Attributes:` of a docstring, by attribute."""
    _, _, listed = (cls.__doc__ or "").partition("Attributes:\n")
    found = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", listed, re.MULTILINE)
    return {name: _unwrapped(text) for name, text in found}


def _unwrapped(text: str) -> str:
    return " ".join(text.split())


SCHEMAS = {"appraisal": appraisal_schema, "report": report_schema, "comparison": comparison_schema}

if __name__ == "__main__":
    for name, schema in SCHEMAS.items():
        (DOCS / f"{name}.schema.json").write_text(json.dumps(schema(), indent=2) + "\n")
