"""What the numbers were measured with: versions, processor, threads, commit."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("cropworth", "torch", "torchvision", "numba", "numpy", "scipy")


def describe_environment() -> dict[str, Any]:
    """Versions and machine, as plain data.

    ``commit`` is that of cropworth's own checkout, with ``+`` after it where files differ from it; None where
    cropworth is installed from a package. ``source_sha256`` is a hash of cropworth's own source files.
    """
    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": available_cores(),
        "commit": _commit(Path(__file__).parent),
        "source_sha256": _source_sha256(Path(__file__).parents[1]),
    }


def available_cores() -> int:
    """Processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or "unknown"


@functools.cache
def _source_sha256(package: Path) -> str:
    """Of the names and contents of all modules, read once: the files of a running process may be edited."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _commit(folder: Path) -> str | None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        # A checkout of something else that holds an installed cropworth is not our commit.
        git("ls-files", "--error-unmatch", str(Path(__file__)))
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None
