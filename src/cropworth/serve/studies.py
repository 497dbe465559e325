"""A folder of studies as it stands on disk: which there are, and how far each is."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cropworth.errors import CropworthError
from cropworth.serve.trials import Trial, read_trial
from cropworth.study.ledger import Ledger
from cropworth.study.live import RUN, Live
from cropworth.study.record import Kind

DEPTH = 3  # folders below the one that is served
LOOK_EVERY_S = 3.0
State = Literal["running", "finished", "stopped", "damaged"]


@dataclass(frozen=True)
class Standing:
    """How far a study is.

    Attributes:
        key: what addresses call it; a hash, which leads to no path.
        folder: where it lies.
        place: the same for people, from the folder that is served.
        state: running; finished; stopped, where trials or times are missing and nobody runs it; damaged.
        changed_at: when anything of it was last written, seconds since 1970.
        name: the plan's; of a damaged study the folder's.
        kinds: what each variant is, in the plan's order.
        planned: names of the trials that it shall have.
        trials: the finished ones that can be read.
        live: the trials that run now.
        timed_at: when the inference was timed; None where it was not.
        problems: what is damaged, and what to do.
    """

    key: str
    folder: Path
    place: str
    state: State
    changed_at: float
    name: str
    kinds: dict[str, Kind]
    planned: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    live: tuple[Live, ...] = ()
    timed_at: float | None = None
    problems: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials that diverged, or whose crop collapsed."""
        return tuple(trial for trial in self.trials if trial.status != "ok")

    @property
    def measured(self) -> object:
        """Equal for as long as an appraisal of the study says the same."""
        return self.planned, self.timed_at, tuple((trial.name, trial.ended_at) for trial in self.trials)


class Shelf:
    """All studies of a folder.

    Args:
        root: itself a study, or a folder with studies up to `DEPTH` levels below it. Links to folders are not followed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._folders: dict[str, Path] = {}
        self._looked_at = float("-inf")

    def all(self) -> list[Standing]:
        """How all of them stand: those that run first, then those that changed last."""
        found = [self._standing(key, folder) for key, folder in self._found().items()]
        return sorted(found, key=lambda one: (one.state != "running", -one.changed_at))

    def of(self, key: str) -> Standing | None:
        """How one stands; None where there is none of that key."""
        folder = self._found().get(key)
        return None if folder is None else self._standing(key, folder)

    def _found(self) -> dict[str, Path]:
        """The folders by their keys; looked for every few seconds at most, for there may be many."""
        if time.monotonic() - self._looked_at > LOOK_EVERY_S:
            self._folders = {_key(folder.relative_to(self.root)): folder for folder in _studies(self.root, DEPTH)}
            self._looked_at = time.monotonic()
        return self._folders

    def _standing(self, key: str, folder: Path) -> Standing:
        return standing(key, folder, _shown(self.root.name / folder.relative_to(self.root)))


def standing(key: str, folder: Path, place: str) -> Standing:
    """How the study of a folder stands; one that cannot be read is said to be damaged.

    Args:
        key: see `Standing`, as `folder` and `place`.
        folder: of the study.
        place: for people.
    """
    ledger, changed_at = Ledger(folder), _changed_at(folder)
    try:
        name, kinds, classes, planned = _header(ledger)
    except CropworthError as error:
        return Standing(key, folder, place, "damaged", changed_at, _shown(folder.name), {}, problems=(str(error),))
    live = ledger.live()  # before the trials: one that ends in between is among both, never among none
    trials: list[Trial] = []
    problems: list[str] = []
    for trial in filter(ledger.finished, planned):
        try:
            trials.append(read_trial(ledger, trial, classes))
        except CropworthError as error:
            problems.append(str(error))
    timed_at, done = _written_at(folder / "latency.json"), {trial.name for trial in trials}
    training = tuple(one for one in live if one.name in planned and one.name not in done)
    state: State = "finished" if timed_at is not None and len(trials) == len(planned) else "stopped"
    if any(one.name == RUN for one in live) or training:
        state = "running"
    elif problems:
        state = "damaged"
    return Standing(
        key, folder, place, state, changed_at, name, kinds, planned, tuple(trials), training, timed_at, tuple(problems)
    )


def _header(ledger: Ledger) -> tuple[str, dict[str, Kind], tuple[str, ...], tuple[str, ...]]:
    """Name, kinds, classes and planned trials."""
    header = ledger.header()
    try:
        classes, planned = (tuple(map(str, header[key])) for key in ("classes", "trials"))
        return str(header["name"]), dict(header["kinds"]), classes, planned
    except (KeyError, TypeError, ValueError) as error:
        raise CropworthError(
            f"{ledger.path / 'study.json'} ({error!r})",
            "a study written by this version of cropworth",
            "Run the study again: its finished trials are kept.",
        ) from None


def _studies(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "study.json").is_file():
        yield folder
    elif depth > 0:
        below: list[str] = []
        with suppress(OSError), os.scandir(folder) as entries:  # a folder may be forbidden, or go away
            below = [e.path for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")]
        for path in sorted(below):
            yield from _studies(Path(path), depth - 1)


def _key(place: Path) -> str:
    return hashlib.sha256(os.fsencode(place)).hexdigest()[:12]


def _shown(name: str | Path) -> str:
    """A path for a page: names on disk need not be text."""
    return os.fsencode(name).decode("utf-8", "replace")


def _changed_at(folder: Path) -> float:
    parts = [folder / "study.json", folder / "trials", folder / "latency.json", *(folder / "live").glob("*.jsonl")]
    return max((at for part in parts if (at := _written_at(part)) is not None), default=0.0)


def _written_at(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
