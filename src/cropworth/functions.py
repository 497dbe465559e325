"""Code that is not always there: the user's own, named as ``your_module:function``, and packages that few need."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from cropworth.errors import CropworthError


def look_in(folder: Path | None) -> None:
    """Let modules that lie in this folder, a plan's own, be imported, besides those in the usual places."""
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def load_object(name: str, what: str) -> Any:
    """Import what ``your_module:name`` names.

    Args:
        name: as the plan has it.
        what: what the plan calls it, for messages: ``backbone``, ``embedder``.

    Raises:
        CropworthError: there is no such module, or nothing of this name in it.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise _not_found(name, what, error) from None


def load_function(name: str, what: str) -> Callable[..., Any]:
    """Import a function, see `load_object`.

    Raises:
        CropworthError: it is not there, or cannot be called.
    """
    found = load_object(name, what)
    if not callable(found):
        raise _not_found(name, what, f"{name.partition(':')[2]} is a {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def _not_found(name: str, what: str, problem: object) -> CropworthError:
    return CropworthError(
        f"the {what} {name!r} ({problem})",
        "a module that can be imported and a function in it",
        "Put the module beside the plan or install it.",
    )


def imported(module: str, install: str) -> ModuleType:
    """A module of a package that cropworth does not need otherwise.

    Raises:
        CropworthError: it, or something that it needs itself, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CropworthError(f"no {module} ({error})", "an installed package", f"Run `{install}`.") from None
