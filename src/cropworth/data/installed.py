"""What other packages ship: their files, found without importing them, and their modules, imported when needed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from cropworth.errors import CropworthError
from cropworth.functions import imported as imported

INSTALL_EXTRA = "pip install 'cropworth[text]'"


def shipped(package: str, file: str, install: str) -> Path:
    """Where an installed package keeps a file or folder; nothing of the package is run.

    Args:
        package: the name it is imported by, without a dot.
        file: relative to the package's folder.
        install: the command that installs it.

    Raises:
        CropworthError: the package is not installed, or has no such file.
    """
    spec = find_spec(package)
    found = [Path(root) / file for root in (spec.submodule_search_locations or () if spec else ())]
    for path in found:
        if path.exists():
            return path
    got = f"no {found[0]}" if found else f"no package {package}"
    raise CropworthError(got, "the package that ships the data", f"Run `{install}`.")
