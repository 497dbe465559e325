"""Many images -> one array of pixels, decoded by all processors and kept in a file that every process maps: `stack`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
from torch import Tensor

from cropworth.data.config import Images
from cropworth.data.images.decode import Decoded, decode
from cropworth.data.images.entries import Entry
from cropworth.errors import CropworthError

VERSION = 1  # of what is kept; another one makes every file of pixels be written anew
CHUNK = 16  # images that a process decodes before it hands them over
PARALLEL_BYTES = 200_000_000  # of files, 5 to 10 s of decoding; other processes take seconds to start
SPARE_BYTES = 500_000_000  # of the disk, which others need too

Size = tuple[int, int]


@dataclass(frozen=True)
class Stack:
    """Decoded images.

    Attributes:
        pixels: (N, C, side, side), of those that could be read, in their order; see `Decoded`.
        sizes: of every image as it is stored, see `Decoded`; None for one that cannot be read.
        problems: one for each that cannot be read, in their order.
    """

    pixels: Tensor
    sizes: list[Size | None]
    problems: list[CropworthError]


def stack(entries: Sequence[Entry], contents: Sequence[str], settings: Images, cache: Path | None) -> Stack:
    """Decode images, or find them decoded.

    The pixels lie in one file of the folder `cache`, named by all that they depend on, and are mapped, not read: any
    number of processes share them, and they need not fit in memory. Where there is no such folder, it cannot be written
    or the disk is full, they lie in memory.

    Args:
        entries: the images.
        contents: SHA-256 of each.
        settings: how they are read.
        cache: the folder, which is made if it is not there; anyone may delete it at any time.
    """
    if cache is not None:
        file = cache / f"{_key(contents, settings)}.pixels"
        found = _kept(file, entries, settings)
        if found is not None:
            return found
        with suppress(OSError):  # no right to write, or no room
            _keep(file, entries, settings)
            return _kept(file, entries, settings) or _in_memory(entries, settings)
    return _in_memory(entries, settings)


def attempts(entries: Sequence[Entry], settings: Images) -> Iterator[Decoded | CropworthError]:
    """Each image, or why it cannot be read, in their order; by several processes where that is faster."""
    chunks = [entries[start : start + CHUNK] for start in range(0, len(entries), CHUNK)]
    size = sum(len(e.source) if isinstance(e.source, bytes) else e.source.stat().st_size for e in entries)
    jobs = joblib.cpu_count() if size > PARALLEL_BYTES else 1
    calls = (joblib.delayed(_attempts)(chunk, settings) for chunk in chunks)
    for results in joblib.Parallel(n_jobs=jobs, return_as="generator")(calls):
        yield from results


def _attempts(entries: Sequence[Entry], settings: Images) -> list[Decoded | CropworthError]:
    results: list[Decoded | CropworthError] = []
    for entry in entries:
        try:
            results.append(decode(entry.source, settings, f"{entry.where}: the image {entry.name}"))
        except CropworthError as error:
            results.append(error)
    return results


def _key(contents: Sequence[str], settings: Images) -> str:
    plain = [VERSION, settings.image_size, settings.fit, settings.channels, settings.bits, *contents]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def _shape(settings: Images) -> tuple[int, int, int]:
    return settings.channels, settings.image_size, settings.image_size


def _kind(settings: Images) -> np.dtype[np.uint8] | np.dtype[np.float32]:
    return np.dtype(np.uint8) if settings.bits == 8 else np.dtype(np.float32)


def _put(
    entries: Sequence[Entry], settings: Images, put: Callable[[Tensor], object]
) -> tuple[list[Size | None], list[CropworthError]]:
    """Hand the pixels of each readable image to `put` -> sizes and problems."""
    sizes: list[Size | None] = []
    problems = []
    for result in attempts(entries, settings):
        if isinstance(result, CropworthError):
            problems.append(result)
            sizes.append(None)
        else:
            put(result.pixels)
            sizes.append(result.size)
    return sizes, problems


def _in_memory(entries: Sequence[Entry], settings: Images) -> Stack:
    pixels = torch.from_numpy(np.empty((len(entries), *_shape(settings)), _kind(settings)))
    rows = iter(pixels)
    sizes, problems = _put(entries, settings, lambda found: next(rows).copy_(found))
    return Stack(pixels[: len(sizes) - len(problems)], sizes, problems)


def _keep(file: Path, entries: Sequence[Entry], settings: Images) -> None:
    """Write the pixels of all images, then their sizes, then how many bytes those take; all of it or nothing.

    Raises:
        OSError: it cannot be written, or would fill the disk.
    """
    file.parent.mkdir(exist_ok=True)
    (file.parent / ".gitignore").write_text("*\n")
    needed = len(entries) * int(np.prod(_shape(settings))) * _kind(settings).itemsize
    if shutil.disk_usage(file.parent).free < needed + SPARE_BYTES:
        raise OSError("no room on the disk")
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as stream:
        part = Path(stream.name)
        try:
            sizes, _ = _put(entries, settings, lambda found: stream.write(found.numpy().tobytes()))
            tail = json.dumps(sizes).encode()
            stream.write(tail + len(tail).to_bytes(8, "little"))
            stream.close()
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def _kept(file: Path, entries: Sequence[Entry], settings: Images) -> Stack | None:
    """The images of a file; None where there is none, or it is not what it should be."""
    try:
        with file.open("rb") as stream:
            length = stream.seek(0, os.SEEK_END)
            stream.seek(length - 8)
            tail = int.from_bytes(stream.read(8), "little")
            stream.seek(length - 8 - tail)
            found = json.loads(stream.read(tail))
    except (OSError, ValueError):
        return None
    sizes: list[Size | None] = [None if size is None else (size[0], size[1]) for size in found]
    unreadable = [entry for entry, size in zip(entries, sizes, strict=True) if size is None]
    # Only the names have changed since; and a newer library may read what an older one did not.
    problems = [result for result in attempts(unreadable, settings) if isinstance(result, CropworthError)]
    shape = (len(sizes) - len(unreadable), *_shape(settings))
    if len(problems) < len(unreadable) or length != np.prod(shape) * _kind(settings).itemsize + tail + 8:
        return None
    if not shape[0]:
        return Stack(torch.from_numpy(np.empty(shape, _kind(settings))), sizes, problems)
    # Copied on write: what a process does to its items is neither another's nor the file's business.
    return Stack(torch.from_numpy(np.memmap(file, _kind(settings), "c", shape=shape)), sizes, problems)
