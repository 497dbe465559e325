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
from torch import Tensor

from cropworth.config import parse
from cropworth.data.bad_items import BadItems
from cropworth.data.config import Images, SeriesFile
from cropworth.data.images.decode import decode, image_suffixes
from cropworth.data.images.fitting import Fit
from cropworth.data.sequences.sequence_task import FEWEST_STEPS
from cropworth.data.sequences.series_files import KINDS, read_series
from cropworth.data.tables.columns import ColumnFile
from cropworth.data.texts.embedders import embedded
from cropworth.data.texts.text import Vocabulary, sentences
from cropworth.errors import CropworthError
from cropworth.functions import look_in

TABLES = (".csv", ".csv.gz", ".parquet")
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
        self.suffixes = image_suffixes()

    def __call__(self, path: Path) -> Iterator[Input]:
        """See `Reader`."""
        decoded = decode(path, self.settings)
        fit = Fit(self.settings.fit, self.settings.image_size, decoded.size)
        yield Input(str(path), decoded.pixels, lambda box: fit.to_image((box[0], box[1], box[2], box[3])))


class SeriesReader:
    """Series: a file as a study reads it, labels or not; a table of a single one; or an array (T, F) in `.npy`.

    Args:
        features: names of the columns that were measured; or numbers, where the study's series had no names: then all
            columns of numbers are taken, in their order.
        mean: what is subtracted from each feature; None for nothing.
        deviation: what each is then divided by.
        item_column: of tables of several: which series a row is a step of.
    """

    suffixes = (*KINDS, ".npy")

    def __init__(
        self,
        features: Sequence[str | int],
        mean: Sequence[float] | None = None,
        deviation: Sequence[float] | None = None,
        item_column: str = "item",
    ) -> None:
        self.features, self.item_column, self.mean, self.deviation = features, item_column, mean, deviation

    def __call__(self, path: Path) -> Iterator[Input]:
        """See `Reader`."""
        for name, values in self._series(path):
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

    def _series(self, path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
        if path.suffix == ".npy":
            yield str(path), _array(path)
        elif path.name.endswith(TABLES) and self.item_column not in (table := ColumnFile(path)).names:
            yield str(path), self._alone(table)
        else:
            named = tuple(name for name in self.features if isinstance(name, str))
            config = SeriesFile(task="series", file=path, item_column=self.item_column, features=named)
            bad = BadItems("fail")
            rows = read_series(path, config, bad).rows
            bad.settle()
            yield from ((f"{path}:{row.name}", row.holds) for row in rows)

    def _alone(self, table: ColumnFile) -> NDArray[np.float64]:
        """The steps (T, F) of a table that is a single series."""
        named = [name for name in self.features if isinstance(name, str)] or table.names
        missing = [name for name in named if name not in table.names]
        if missing:
            raise CropworthError(
                f"{table.path} with the columns {', '.join(table.names)}",
                f"the columns {', '.join(named)}",
                f"Add {', '.join(missing)}.",
            )
        numbers = table.read(named)[1]
        return np.stack([numbers[name] for name in named], axis=1)


class TextReader:
    """Texts: a `.txt` file each, or a table with a row for each.

    Args:
        words: those with a number of their own, in their order; None for an embedder.
        embedder: as in a plan.
        most_steps: words, or rows of the embedder, after which a text is cut; None for none.
        text_column: of tables.
    """

    suffixes = (".txt", *TABLES)

    def __init__(
        self,
        words: Sequence[str] | None = None,
        embedder: str | None = None,
        most_steps: int | None = None,
        text_column: str = "text",
    ) -> None:
        self.text_column, self.words, self.embedder, self.most_steps = text_column, words, embedder, most_steps
        if embedder is not None:
            look_in(Path.cwd())

    def __call__(self, path: Path) -> Iterator[Input]:
        """See `Reader`."""
        if not path.name.endswith(TABLES):
            yield self._item(str(path), _text(path))
            return
        table = ColumnFile(path)
        if self.text_column not in table.names:
            raise CropworthError(
                f"{path} with the columns {', '.join(table.names)}", f"a column {self.text_column}", "Rename yours."
            )
        texts = table.read(())[0][self.text_column]
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
        inside = sorted(file for file in path.rglob("*") if file.name.lower().endswith(suffixes) and file.is_file())
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
