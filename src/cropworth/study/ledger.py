"""The ledger: one folder a study, one folder a trial, written so that a crash loses at most the running trials.

    DIR/study.json                  the resolved plan: name, baseline, variants, prices
    DIR/trials/HASH/config.json     what the trial was told; HASH is the hash of this
    DIR/trials/HASH/record.json     what it measured
    DIR/trials/HASH/arrays.npz      predictions, poses, example pictures
    DIR/trials/HASH/weights.pt      the trained model's state_dict
    DIR/splits.csv                  of a user's own data, which item went where; may be given to another plan
    DIR/latency.json                inference times of all variants
    DIR/live/                       what runs now, see `cropworth.study.live`
    DIR/pictures.npz                a few test items and their crops, to be looked at

A trial is written into a folder of its own beside the others and then renamed, which is atomic: a folder under its
final name is complete.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from cropworth.data.signature import PLACED_COLUMNS, Placed, Signature
from cropworth.errors import CropworthError
from cropworth.study.album import Album
from cropworth.study.live import RUN, Live, clear, read_live, telling
from cropworth.study.record import Epoch, Examples, Latency, Record, Study

ARRAYS = (
    "labels", "probabilities", "numbers", "payoffs", "theta",
    "weights", "values", "validation_labels", "validation_probabilities", "poses_by_epoch",
)  # fmt: skip
# What reading a damaged archive raises, and using what it holds.
UNREADABLE = (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile)


def trial_name(config: dict[str, Any]) -> str:
    """The hash of a resolved configuration: 16 hexadecimal digits."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """The hash of a file's content: 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Ledger:
    """One study's folder.

    Args:
        path: the folder; need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials = path / "trials"

    # Writing

    def open(self, header: dict[str, Any]) -> None:
        """Begin or go on with a study.

        Args:
            header: the resolved plan and what follows from it, see `read`.

        Raises:
            CropworthError: the path is a file, cannot be written, is a folder of something else, or a study whose
                data or weights were others under the same name, or that is looked at after other numbers of seeds.
        """
        occupied = self.path.exists() and not (self.path.is_dir() and not any(self.path.iterdir()))
        if occupied and not (self.path / "study.json").is_file():
            raise CropworthError(
                f"{self.path}, which is no study",
                "a new or empty folder, or a study",
                "Choose another --out.",
            )
        if occupied:
            self._check_same_data(header)
            weights = self._weights(header.get("weights_sha256", {}))
            header = header | {"looks": self._looks(list(header.get("looks", ()))), "weights_sha256": weights}
        try:
            self.trials.mkdir(parents=True, exist_ok=True)
            for left in self.trials.glob(".writing-*"):  # of a run that was killed
                shutil.rmtree(left)
            clear(self.path / "live")
            _write_json(self.path / "study.json", header)
        except OSError as error:
            raise CropworthError(
                f"{self.path} ({error.strerror})", "a folder that can be written", "Choose another --out."
            ) from None

    def _check_same_data(self, header: dict[str, Any]) -> None:
        """Trials are told apart by the plan; the same plan on other files would mix what must not be compared."""
        try:
            old = _read_json(self.path / "study.json", "")
            same_plan = old["plan"]["data"] == header["plan"]["data"]
            other_data = old["data_sha256"] != header["data_sha256"]
        except (CropworthError, KeyError, TypeError):
            return  # a damaged header says nothing of the data; this run writes it anew
        if same_plan and other_data:
            raise CropworthError(
                f"other data than {self.path} was begun with", "the same images and labels", "Choose another --out."
            )

    def _weights(self, now: dict[str, str]) -> dict[str, str]:
        """The hashes of all files of weights that the study's trials began with; another file needs another name."""
        try:
            old: dict[str, str] = _read_json(self.path / "study.json", "").get("weights_sha256", {})
        except CropworthError:
            return now
        changed = [path for path, content in now.items() if old.get(path, content) != content]
        if changed:
            raise CropworthError(
                f"other contents of {_listed(changed)} than {self.path} was begun with",
                "the same files of weights and configurations",
                "Choose another --out, or give the new file another name.",
            )
        return old | now

    def _looks(self, asked: list[int]) -> list[int]:
        """Once looked at several times, always so: intervals that forgot it would be too short."""
        try:
            old: list[int] = _read_json(self.path / "study.json", "").get("looks", [])
        except CropworthError:
            return asked
        if old and asked and old != asked:
            raise CropworthError(
                f"{self.path} with looks after {_listed(asked)} seeds",
                f"looks after {_listed(old)}, with which it was begun",
                f"Use --most-seeds {old[-1]}, or choose another --out.",
            )
        return old or asked

    def finished(self, name: str) -> bool:
        """Whether the trial is complete on disk."""
        return (self.trials / name).is_dir()

    def write_trial(self, config: dict[str, Any], record: Record, save_weights: Callable[[Path], None] | None) -> None:
        """Write one finished trial, all or nothing.

        Args:
            config: its resolved configuration, which hashes to ``record.trial``.
            record: what it measured.
            save_weights: called with the path to write the model to; None where there is no model to keep.
        """
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.trials))
        folder.chmod(0o755)
        _write_json(folder / "config.json", config)
        arrays = {name: getattr(record, name) for name in ARRAYS}
        if record.examples is not None:
            arrays |= {"example_images": record.examples.images, "example_crops": record.examples.crops}
        kept = {name: array for name, array in arrays.items() if array is not None}
        np.savez_compressed(folder / "arrays.npz", allow_pickle=False, **kept)
        plain = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in (*ARRAYS, "examples")}
        plain["curve"] = [asdict(epoch) for epoch in record.curve]
        _write_json(folder / "record.json", plain)
        if save_weights is not None:
            save_weights(folder / "weights.pt")
        try:
            folder.rename(self.trials / record.trial)
        except OSError:
            # Another process finished the same trial first; its record is as good as ours.
            shutil.rmtree(folder)
            if not self.finished(record.trial):
                raise

    def write_splits(self, placed: Sequence[Placed]) -> None:
        """Write which item of a user's own data went where; nothing where that is not known."""
        if placed:
            text = io.StringIO()
            rows = csv.writer(text, lineterminator="\n")
            rows.writerow(PLACED_COLUMNS)
            rows.writerows((item.name, item.split, item.group, item.content) for item in placed)
            write_atomically(self.path / "splits.csv", text.getvalue())

    def write_latency(self, latency: Latency) -> None:
        """Write the inference times, replacing older ones."""
        _write_json(self.path / "latency.json", asdict(latency))

    def running(self) -> AbstractContextManager[object]:
        """Say that the study runs, for as long as the context is open."""
        return telling(self.path / "live", RUN, {})

    def training(self, trial: dict[str, Any]) -> AbstractContextManager[Callable[[Epoch], None]]:
        """Say that a trial runs, for as long as the context is open; what it gives is told each epoch.

        Args:
            trial: its resolved configuration.
        """
        about = {key: trial[key] for key in ("name", "train_size", "seed")} | {"epochs": trial["training"]["epochs"]}
        return telling(self.path / "live", trial_name(trial), about)

    def write_album(self, album: Album) -> None:
        """Write the chosen test items, replacing older ones."""
        archive = io.BytesIO()
        np.savez_compressed(archive, allow_pickle=False, **album.arrays())
        write_atomically(self.path / "pictures.npz", archive.getvalue())

    # Reading

    def live(self) -> tuple[Live, ...]:
        """What runs now: the study itself, by the name `RUN`, and trials."""
        return read_live(self.path / "live")

    def signature(self) -> Signature:
        """What the study's models must know of its task.

        Raises:
            CropworthError: the folder is no study, or one of an older version, which did not keep it.
        """
        header = self.header()
        try:
            return Signature.from_dict(header["signature"])
        except (KeyError, TypeError):
            raise CropworthError(
                f"{self.path / 'study.json'} without a signature of its data",
                "a study written by this version of cropworth",
                "Run the study again: its finished trials are kept.",
            ) from None

    def header(self) -> dict[str, Any]:
        """The resolved plan and what follows from it, as `Plan.header` gives it.

        Raises:
            CropworthError: the folder is no study, or the file is damaged.
        """
        if not (self.path / "study.json").is_file():
            raise CropworthError(
                f"{self.path}, which is no study",
                "a folder made by `cropworth study` or `cropworth demo`",
                "Check the path, or run `cropworth study PLAN.yaml --out DIR` first.",
            )
        return _read_json(self.path / "study.json", "Run the study again: its finished trials are kept.")

    def weights(self, name: str) -> Path:
        """Where a trial's weights lie."""
        return self.trials / name / "weights.pt"

    def read(self) -> Study:
        """The study as it stands.

        Raises:
            CropworthError: the folder is no study, or one of its files is damaged.
        """
        header = self.header()
        try:
            planned = list(header["trials"])
            records = tuple(self.read_record(name) for name in planned if self.finished(name))
            return Study(
                name=header["name"],
                baseline=header["baseline"],
                kinds=header["kinds"],
                classes=tuple(header["classes"]),
                economics=header["economics"],
                plan=header["plan"],
                records=records,
                missing=len(planned) - len(records),
                latency=self.read_latency(),
                warnings=tuple(header.get("warnings", ())),  # studies of 0.1.0 have none, nor looks
                looks=tuple(header.get("looks", ())),
                data_sha256=str(header.get("data_sha256", "")),
                weights_sha256=dict(header.get("weights_sha256", {})),
                album=self.read_album(),
            )
        except (KeyError, TypeError) as error:
            raise CropworthError(
                f"{self.path / 'study.json'} without {error}",
                "a study written by this version of cropworth",
                "Run the study again: its finished trials are kept.",
            ) from None

    def read_latency(self) -> Latency | None:
        """The inference times; None where they have not been measured.

        Raises:
            CropworthError: the file is damaged.
        """
        path = self.path / "latency.json"
        if not path.is_file():
            return None
        do = f"Delete {path} and run the study again: only the timing is repeated."
        values = _read_json(path, do)
        try:
            times = {variant: tuple(rounds) for variant, rounds in values["seconds_per_item"].items()}
            return Latency(
                int(values["batch_size"]),
                int(values["threads"]),
                times,
                dict(values.get("memory_bytes", {})),
                dict(values.get("energy_j_per_item", {})),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CropworthError(f"{path}: {error!r}", "the inference times of a study", do) from None

    def read_album(self) -> Album | None:
        """The chosen test items; None where they have not been chosen.

        Raises:
            CropworthError: the file is damaged.
        """
        path = self.path / "pictures.npz"
        if not path.is_file():
            return None
        try:
            return Album.from_arrays(_read_arrays(path))
        except UNREADABLE as error:
            do = f"Delete {path} and run the study again: only the pictures are made again."
            raise CropworthError(f"{path}: {error!r}", "the pictures of a study", do) from None

    def read_record(self, name: str) -> Record:
        """One trial's record.

        Raises:
            CropworthError: a file of the trial is missing, truncated or of another shape.
        """
        folder = self.trials / name
        do = f"Delete {folder} and run the study again: only this trial is repeated."
        plain = _read_json(folder / "record.json", do)
        try:
            arrays = _read_arrays(folder / "arrays.npz")
            pictures = arrays.pop("example_images", None)
            crops = arrays.pop("example_crops", None)
            plain |= {key: arrays.get(key) for key in ARRAYS}
            plain["examples"] = None if pictures is None else Examples(pictures, crops)
            plain["curve"] = tuple(Epoch(**epoch) for epoch in plain["curve"])
            record = Record(**plain)
            _check_lengths(record)
            return record
        except UNREADABLE as error:
            raise CropworthError(f"the trial {folder}: {error}", "a complete record", do) from None


def _check_lengths(record: Record) -> None:
    """Refuse arrays that are not of the same items."""
    arrays = {"predictions": record.predictions, "payoffs": record.payoffs}
    arrays |= {"weights": record.weights, "values": record.values}
    for name, array in arrays.items():
        if array is not None and len(array) != len(record.labels):
            raise ValueError(f"{len(array)} {name} for {len(record.labels)} test items")
    known, predicted = record.validation_labels, record.validation_probabilities
    if predicted is not None and (known is None or len(known) != len(predicted)):
        raise ValueError(f"{len(predicted)} validation predictions, and not as many labels")
    if record.poses_by_epoch is not None and len(record.poses_by_epoch) != len(record.curve):
        raise ValueError(f"poses of {len(record.poses_by_epoch)} epochs for {len(record.curve)}")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8: a reader sees the old one or the new one, never a part.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_asked_for(path: Path, content: str) -> None:
    """Write a file where a user wants it, see `write_atomically`.

    Raises:
        CropworthError: it cannot be written there.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        raise CropworthError(
            f"{path} ({error.strerror})", "a file that can be written, in a folder that exists", "Choose another path."
        ) from None


def _listed(items: Sequence[object]) -> str:
    return ", ".join(map(str, items))


def _write_json(path: Path, values: object) -> None:
    write_atomically(path, json.dumps(values, indent=1) + "\n")


def _read_arrays(path: Path) -> dict[str, Any]:
    # Opened here, because numpy leaves a file open that turns out to be no archive.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _read_json(path: Path, do: str) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CropworthError(f"{path}: {error}", "complete JSON", do) from None
    if not isinstance(values, dict):
        raise CropworthError(f"{path} holding {type(values).__name__}", "a JSON object", do)
    return values
