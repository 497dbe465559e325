"""`build_task`: a plan's `data:` -> the task it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cropworth.data.config import (
    CardanoSentiment,
    DataConfig,
    DigitsCluttered,
    DigitsScene,
    Documents,
    FxBars,
    Images,
    OrderBook,
    PlantedSentence,
    ReutersR8,
    SeriesFile,
    TorchDataset,
    Ucr,
    Watch,
)
from cropworth.data.images.cluttered import ClutteredDigits, DigitScenes
from cropworth.data.images.image_task import LISTERS, image_task
from cropworth.data.sequences.bars import fx_task
from cropworth.data.sequences.order_book import order_book_task
from cropworth.data.sequences.sentiment_series import cardano_task
from cropworth.data.sequences.series import series_task
from cropworth.data.sequences.ucr import ucr_task
from cropworth.data.sequences.watch import watch_task
from cropworth.data.task import Task
from cropworth.data.texts.documents import documents_task
from cropworth.data.texts.planted import planted_task
from cropworth.data.texts.reuters import reuters_task
from cropworth.data.torch_dataset import dataset_task
from cropworth.functions import look_in

CACHE = ".cropworth_cache"
READERS: dict[type, Callable[[Any], Task]] = {
    DigitsCluttered: ClutteredDigits,
    DigitsScene: DigitScenes,
    SeriesFile: series_task,
    Ucr: ucr_task,
    CardanoSentiment: cardano_task,
    Watch: watch_task,
    OrderBook: order_book_task,
    FxBars: fx_task,
    Documents: documents_task,
    ReutersR8: reuters_task,
    PlantedSentence: planted_task,
    TorchDataset: dataset_task,
}


def build_task(config: DataConfig, folder: Path | None = None) -> Task:
    """Read or draw the task.

    Args:
        config: what to read.
        folder: the plan's own: where the module of an `embedder` may lie, besides the usual places, and where decoded
            images are kept, in its folder `CACHE`. None keeps them in memory.

    Raises:
        CropworthError: the data cannot be read, see the reader of each.
    """
    look_in(folder)
    if isinstance(config, Images) and type(config) in LISTERS:
        return image_task(config, None if folder is None else folder / CACHE)
    return READERS[type(config)](config)
