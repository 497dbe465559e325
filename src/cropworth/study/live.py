"""What runs now: a small file for each running trial, which grows by a line an epoch, and one for the run itself.

    DIR/live/NAME-PROCESS.jsonl    first what it is of, then one line an epoch

Whoever writes a file holds a lock on it, and removes it in the end. The system takes the lock back when the process
ends, however it ends: a file that nobody holds is of a run that was killed, and counts for nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cropworth.study.record import Epoch

RUN = "run"  # the name of the file of a whole run


@dataclass(frozen=True)
class Live:
    """One file that somebody writes now.

    Attributes:
        name: the trial's, or `RUN`.
        about: what it said at the start.
        curve: the epochs so far.
    """

    name: str
    about: dict[str, Any]
    curve: tuple[Epoch, ...]


@contextmanager
def telling(folder: Path, name: str, about: dict[str, Any]) -> Iterator[Callable[[Epoch], None]]:
    """Say that something runs, for as long as the context is open.

    Only readers lose where a file cannot be written: whatever runs goes on.

    Args:
        folder: of the files; made where it is missing, removed with its last file.
        name: of what runs.
        about: plain data on it.

    Yields:
        What to call after each epoch.
    """
    path = folder / f"{name}-{os.getpid()}.jsonl"
    stream = _begun(path, about)

    def tell(epoch: Epoch) -> None:
        if stream is not None:
            _write_line(stream, asdict(epoch))

    try:
        yield tell
    finally:
        if stream is not None:
            with suppress(OSError):
                path.unlink()  # before the lock goes, so that no reader takes the file for a killed run's
                folder.rmdir()
            stream.close()


def read_live(folder: Path) -> tuple[Live, ...]:
    """What runs now, by the names of the files."""
    return tuple(live for path in sorted(folder.glob("*.jsonl")) if (live := _read(path)) is not None)


def clear(folder: Path) -> None:
    """Remove what runs left behind that were killed."""
    for path in folder.glob("*.jsonl"):
        with suppress(OSError), path.open("rb") as stream:
            if not _held(stream):
                path.unlink()


def _begun(path: Path, about: dict[str, Any]) -> BinaryIO | None:
    """The file, locked and with its first line; None where that cannot be."""
    try:
        path.parent.mkdir(exist_ok=True)
        stream = path.open("wb", buffering=0)  # a line is one call of the system, so a reader hardly ever sees a part
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(stream, fcntl.LOCK_EX)
    _write_line(stream, about)
    return stream


def _write_line(stream: BinaryIO, values: dict[str, Any]) -> None:
    with suppress(OSError):
        stream.write(json.dumps(values).encode() + b"\n")


def _read(path: Path) -> Live | None:
    try:
        with path.open("rb") as stream:
            if not _held(stream):
                return None
            whole = stream.read().decode().split("\n")[:-1]  # a line without its end is still being written
        about, *epochs = map(json.loads, whole)
        return Live(path.stem.rpartition("-")[0], dict(about), tuple(Epoch(**epoch) for epoch in epochs))
    except (OSError, TypeError, ValueError):
        return None  # it went away, or it is not ours


def _held(stream: BinaryIO) -> bool:
    """Whether a process writes the file: readers share a lock with each other, but not with a writer."""
    try:
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
