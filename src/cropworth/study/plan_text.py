"""A plan as a commented YAML file: each key with the reason for its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

WIDTH = 116


@dataclass(frozen=True)
class Said:
    """A value of a plan, and why it has it.

    Attributes:
        value: plain data, or a mapping of further `Said`.
        why: a few words without a full stop; empty where there is nothing to say.
    """

    value: Any
    why: str = ""


def written(plan: Mapping[str, Said]) -> str:
    """The YAML of a plan, a comment beside each value, or above it where the line would be too long."""
    return "\n".join(line for key, said in plan.items() for line in _lines(key, said, 0)) + "\n"


def plain(plan: Mapping[str, Said]) -> dict[str, Any]:
    """The same as plain data, for `Plan`."""
    return {key: plain(said.value) if _nested(said) else said.value for key, said in plan.items()}


def _lines(key: str, said: Said, indent: int) -> list[str]:
    margin = " " * indent
    text = f"{margin}{_scalar(key)}:" + ("" if _nested(said) else f" {_scalar(said.value)}")
    comment = " ".join(said.why.split())
    if comment and len(text) + len(comment) + 4 <= WIDTH:
        lines = [f"{text}  # {comment}"]
    else:
        lines = [f"{margin}# {comment}", text] if comment else [text]
    if _nested(said):
        lines += [line for inner, value in said.value.items() for line in _lines(inner, value, indent + 2)]
    return lines


def _nested(said: Said) -> bool:
    return isinstance(said.value, dict) and any(isinstance(value, Said) for value in said.value.values())


def _scalar(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()
