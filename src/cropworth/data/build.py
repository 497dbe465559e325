"""`build_task`: a plan's `data:` -> the task it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cropworth.data.bars import fx_task
from cropworth.data.cluttered import ClutteredDigits, DigitScenes
from cropworth.data.config import (
    CardanoSentiment,
    DataConfig,
    DigitsCluttered,
    DigitsScene,
    Folder,
    FxBars,
    OrderBook,
    Ucr,
    Watch,
)
from cropworth.data.folder import FolderTask
from cropworth.data.order_book import order_book_task
from cropworth.data.sentiment_series import cardano_task
from cropworth.data.task import Task
from cropworth.data.ucr import ucr_task
from cropworth.data.watch import watch_task

READERS: dict[type, Callable[[Any], Task]] = {
    DigitsCluttered: ClutteredDigits,
    DigitsScene: DigitScenes,
    Folder: FolderTask,
    Ucr: ucr_task,
    CardanoSentiment: cardano_task,
    Watch: watch_task,
    OrderBook: order_book_task,
    FxBars: fx_task,
}


def build_task(config: DataConfig) -> Task:
    """Read or draw the task.

    Raises:
        CropworthError: the data cannot be read, see the reader of each.
    """
    return READERS[type(config)](config)
