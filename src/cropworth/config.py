"""Configuration: frozen pydantic models whose errors name the key's path and the nearest right key."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    model_serializer,
)
from pydantic_core import ErrorDetails

from cropworth.errors import CropworthError, ManyError

Parsed = TypeVar("Parsed", bound="Config")


class Config(BaseModel):
    """Base of every configuration: frozen, unknown keys refused, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    added: ClassVar[frozenset[str]] = frozenset()
    """Keys that came later. Where one has its default it is not written, so that a plan without it, and so each of its
    trials, is named as it was before."""

    @model_serializer(mode="wrap")
    def _without_unused_additions(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = plain(self)
        fields = type(self).model_fields
        unused = {key for key in self.added if getattr(self, key) == fields[key].get_default(call_default_factory=True)}
        return {key: value for key, value in written.items() if key not in unused}


def parse(model: type[Parsed], values: object, where: str = "") -> Parsed:
    """Check `values` against `model`.

    Args:
        model: the configuration to build.
        values: usually the mapping that a YAML file held.
        where: path of `values` in the user's file, put before each key, for example ``economics``.

    Raises:
        CropworthError: one line for each problem, with the path of the key.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_explain(model, detail, where) for detail in error.errors()]
    raise problems[0] if len(problems) == 1 else ManyError(problems)


def salvage(model: type[Parsed], values: object) -> tuple[Parsed | None, list[CropworthError]]:
    """What is wrong with `values`, and what is left of them without it, so that the rest can be looked at as well.

    A key that is wrong is left out and so has its default; where it has none, what it belongs to is left out.

    Returns:
        The configuration, None where what is wrong cannot be left out; and the problems, as `parse` finds them.
    """
    problems: list[CropworthError] = []
    certain = True  # whether what is wrong now was so before anything was left out
    while True:
        try:
            return model.model_validate(values), problems
        except ValidationError as error:
            details = error.errors()
        problems += [_explain(model, detail, "") for detail in details if certain]
        certain = certain and all(detail["type"] == "extra_forbidden" for detail in details)
        values, before = copy.deepcopy(values), values
        for detail in details:
            _leave_out(values, detail["loc"])
        if values == before:
            return None, problems


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        CropworthError: the file is missing, is not YAML, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise CropworthError(f"{path} ({reason})", "a readable YAML file", "Check the path.") from None
    try:
        values = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise CropworthError(f"{path}: {problem}", "valid YAML", "Mend that line of the file.") from None
    if not isinstance(values, dict):
        raise CropworthError(
            f"{path} holding {type(values).__name__}",
            "a mapping of keys to values",
            "See recipes/digits.yaml for a complete plan.",
        )
    return values


class _Loader(yaml.SafeLoader):
    """YAML 1.1's loader with 1.2's numbers, 5e6 is one, and without times: 2026-01-31 is text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*)(?:\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_scalar(text: str) -> object:
    """Read one value as the YAML files are read: ``5e6`` is a number, ``[1, 2]`` a list.

    Raises:
        CropworthError: it is not YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        raise CropworthError(repr(text), "a readable YAML value", "Write a number, a word or a list.") from None


def nearest(name: str, known: list[str]) -> str:
    """The known name most like `name`, as a hint in words; all of them where none is near."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(sorted(known))}."


def _explain(model: type[BaseModel], detail: ErrorDetails, where: str) -> CropworthError:
    # Tags of unions are ours, not keys of the user's file; they are written <like this>.
    location = [str(part) for part in detail["loc"] if not str(part).startswith("<")]
    path = ".".join(([where] if where else []) + location)
    context = detail.get("ctx", {})
    if detail["type"] == "extra_forbidden":
        known = _keys(model, [str(part) for part in detail["loc"]][:-1])
        return CropworthError(f"the unknown key {path}", "a key that exists", nearest(location[-1], known))
    if detail["type"] == "missing":
        return CropworthError(f"no {path}", "a value for it", f"Add {path}.")
    if detail["type"] == "union_tag_invalid":
        known = [tag.strip("<>' ") for tag in context["expected_tags"].split(",")]
        found = context["tag"].strip("<>")
        return CropworthError(f"{path} of the kind {found!r}", f"one of {', '.join(known)}", nearest(found, known))
    value = detail["input"]
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if isinstance(value, Mapping | BaseModel):
        return CropworthError(f"{path or 'the input'}: {message}", "values that hold together", "Change one of them.")
    return CropworthError(f"{path} = {value!r}", message, f"Change {path}.")


def _leave_out(values: object, location: Iterable[object]) -> None:
    """Remove the innermost mapping's value that this location leads to; nothing where it leads to the whole."""
    last: tuple[dict[Any, Any], Any] | None = None
    for part in location:
        if isinstance(values, dict) and part in values:
            last, values = (values, part), values[part]
        elif not str(part).startswith("<"):
            break
    if last is not None:
        last[0].pop(last[1])


def _keys(model: type[BaseModel], location: list[str]) -> list[str]:
    """The keys allowed at `location`, followed through nested models, unions and mappings."""
    models = _models(model, "")
    for part in location:
        if part.startswith("<"):
            models = [(found, tag) for found, tag in models if tag == part]
            continue
        fields = [m.model_fields[part] for m, _ in models if part in m.model_fields]
        models = [pair for f in fields for pair in _models(f.annotation, _tag(f.metadata))] or models
    return sorted({key for m, _ in models for key in m.model_fields})


def _models(annotation: object, tag: str) -> list[tuple[type[BaseModel], str]]:
    """The models in an annotation, each with the tag of its place in a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, tag)]
    tag = _tag(getattr(annotation, "__metadata__", ())) or tag
    return [found for part in get_args(annotation) for found in _models(part, tag)]


def _tag(metadata: Iterable[object]) -> str:
    return next((item.tag for item in metadata if isinstance(item, Tag)), "")
