"""Files -> what a model takes, read as the study read its own: `listed` and `read`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cropworth.config import parse
from cropworth.data.bad_items import BadItems
from cropworth.data.columns import ColumnFile
from cropworth.data.config import Images
from cropworth.data.decode import FORMATS, decode
from cropworth.data.embedders import embedded
from cropworth.data.fitting import Fit
from cropworth.data.sequences import FEWEST_STEPS
from cropworth.data.text import Vocabulary, sentences
from cropworth.errors import CropworthError
from cropworth.functions import look_in

TABLES = (".csv", ".parquet")
TEXT_COLUMN, ITEM_COLUMN = "text", "item"
BAD = "files that cannot be read"

Box = tuple[float, ...]


@dataclass(frozen=True)
class Input:
    """One item to predict.

    Attributes:
        name: its file; of a table of several, with the item or the row behind a colon.
        values: (C, H, W), uint8 or float32 in [0, 1]; (T, F), float32; or (T,), int64.
        stored: a crop's box in fractions of the item -> (left, top, width, height) in pixels of the stored image, or
            (start, end) in steps.
    """

    name: str
    values: Tensor
    stored: Callable[[Box], Box]


class Reader(Protocol):
    """How files of one kind become items."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files that are taken out of a folder."""

    def __call__(self, path: Path) -> Iterator[Input]:
        """The items of a file.

        Raises:
            CropworthError: it cannot be read.
        """


class ImageReader:
    """Images, see `decode`.

    Args:
        image_size: side in pixels, and further settings as in a plan's `data`.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = parse(Images, settings)
        Image.init()
        known = (suffix for suffix, name in Image.EXTENSION.items() if name in FORMATS)
        self.suffixes: tuple[str, ...] = (*known, ".dcm", ".dicom")

    def __call__(self, path: Path) -> Iterator[Input]:
        """See `Reader`."""
        decoded = decode(path, self.settings)
        fit = Fit(self.settings.fit, self.settings.image_size, decoded.size)
        yield Input(str(path), decoded.pixels, lambda box: fit.to_image((box[0], box[1], box[2], box[3])))


class SeriesReader:
    """Series: a table with a row for each step, of a single one or with a column `item`; or an array (T, F) in `.npy`.

    Args:
        features: names of the columns; or their numbers, where the study's series had no names: then all columns but
            `item` are taken, in their order.
        mean: what is subtracted from each feature; None for nothing.
        deviation: what each is then divided by.
    """

    suffixes = (*TABLES, ".npy")

    def __init__(
        self,
        features: Sequence[str | int],
        mean: Sequence[float] | None = None,
        deviation: Sequence[float] | None = None,
    ) -> None:
        self.features, self.mean, self.deviation = features, mean, deviation

    def __call__(self, path: Path) -> Iterator[Input]:
        """See `Reader`."""
        for name, values in [(str(path), _array(path))] if path.suffix == ".npy" else self._table(path):
            if values.ndim != 2 or values.shape[1] != len(self.features) or not np.isfinite(values).all():
                raise CropworthError(
                    f"{name}, numbers of shape {values.shape}",
                    f"(T, {len(self.features)}), a row for each step, all finite",
                    "Mend the file.",
                )
            kept = values.astype(np.float32)
            if self.mean is not None and self.deviation is not None:
                kept = ((kept - np.array(self.mean)) / np.array(self.deviation)).astype(np.float32)
            yield _sequence(name, kept)

    def _table(self, path: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
        table = ColumnFile(path)
        there = [name for name in table.names if name != ITEM_COLUMN]
        named = [name for name in self.features if isinstance(name, str)] or there
        missing = [name for name in named if name not in there]
        if missing:
            raise CropworthError(
                f"{path} with the columns {', '.join(table.names)}",
                f"the columns {', '.join(named)}",
                f"Add {', '.join(missing)}.",
            )
        words, numbers = table.read(named)
        values = np.stack([numbers[name] for name in named], axis=1)
        if ITEM_COLUMN not in words:
            yield str(path), values
            return
        items = words[ITEM_COLUMN]
        ends = np.cumsum(np.bincount(items.codes))[:-1]
        for item, steps in zip(items.names, np.split(np.argsort(items.codes, kind="stable"), ends), strict=True):
            yield f"{path}:{item}", values[steps]


class TextReader:
    """Texts: a `.txt` file each, or a table with a column `text` and a row for each.

    Args:
        words: those with a number of their own, in their order; None for an embedder.
        embedder: as in a plan.
        most_steps: words, or rows of the embedder, after which a text is cut; None for none.
    """

    suffixes = (".txt", *TABLES)

    def __init__(
        self, words: Sequence[str] | None = None, embedder: str | None = None, most_steps: int | None = None
    ) -> None:
        self.words, self.embedder, self.most_steps = words, embedder, most_steps
        if embedder is not None:
            look_in(Path.cwd())

    def __call__(self, path: Path) -> Iterator[Input]:
        """See `Reader`."""
        if path.suffix not in TABLES:
            yield self._item(str(path), _text(path))
            return
        table = ColumnFile(path)
        if TEXT_COLUMN not in table.names:
            raise CropworthError(
                f"{path} with the columns {', '.join(table.names)}", f"a column {TEXT_COLUMN}", "Rename yours."
            )
        texts = table.read(())[0][TEXT_COLUMN]
        for row in range(len(texts.codes)):
            yield self._item(f"{path}:{row + 1}", texts[row])

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(tuple(self.words or ()))

    def _item(self, name: str, text: str) -> Input:
        if self.embedder is None:
            values: NDArray[Any] = self._vocabulary.numbers(text)
        else:
            rows = embedded(self.embedder, sentences(text))
            values = np.concatenate(rows) if rows else np.empty((0, 0))
        return _sequence(name, values[: self.most_steps])


READERS: dict[str, Callable[..., Reader]] = {"images": ImageReader, "series": SeriesReader, "texts": TextReader}


def reader_of(reading: Mapping[str, Any]) -> Reader:
    """What reads files as the study read its own.

    Args:
        reading: of its signature.

    Raises:
        CropworthError: the study's items did not come from files.
    """
    settings = dict(reading)
    kind = settings.pop("kind", None)
    if kind not in READERS:
        raise CropworthError(
            "a study whose data are of no file that can be read again",
            f"one of {', '.join(READERS)} from files",
            "Use cropworth.load and call its model on tensors.",
        )
    return READERS[kind](**settings)


def listed(files: Sequence[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Files as they are named; of folders, all files below them with one of these suffixes, by name.

    Raises:
        CropworthError: a folder has none.
    """
    found: list[Path] = []
    for path in files:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
        if not inside:
            wanted = f"files of {', '.join(sorted(suffixes))}"
            raise CropworthError(f"{path}, a folder without a file to read", wanted, "Check the path.")
        found += inside
    return found


def read(files: Sequence[Path], reader: Reader, bad: BadItems) -> Iterator[Input]:
    """The items of all files in turn; files that cannot be read are met as bad ones, and give none."""
    for path in files:
        try:
            items = list(reader(path))
        except CropworthError as error:
            bad.meet(BAD, error)
        else:
            yield from items


def _sequence(name: str, values: NDArray[Any]) -> Input:
    steps = len(values)
    if steps < FEWEST_STEPS:
        raise CropworthError(f"{name}, {steps} steps", f"at least {FEWEST_STEPS}", "Mend or remove it.")

    def stored(box: Box) -> Box:
        return (box[0] - box[1] / 2) * steps, (box[0] + box[1] / 2) * steps

    return Input(name, torch.from_numpy(values), stored)


def _array(path: Path) -> NDArray[np.float64]:
    try:
        with path.open("rb") as stream:
            return np.asarray(np.load(stream, allow_pickle=False), dtype=np.float64)
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise CropworthError(f"{path} ({error})", "an array of numbers that NumPy saved", "Mend the file.") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CropworthError(f"{path} ({error})", "a text in UTF-8", "Check the path, or save it as UTF-8.") from None
