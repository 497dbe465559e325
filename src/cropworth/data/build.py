"""`build_task`: a plan's `data:` -> the task it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cropworth.data.cluttered import ClutteredDigits, DigitScenes
from cropworth.data.config import (
    DataConfig,
    DigitsCluttered,
    DigitsScene,
    Documents,
    Folder,
    PlantedSentence,
    ReutersR8,
)
from cropworth.data.documents import documents_task
from cropworth.data.folder import FolderTask
from cropworth.data.planted import planted_task
from cropworth.data.reuters import reuters_task
from cropworth.data.task import Task
from cropworth.functions import look_in

READERS: dict[type, Callable[[Any], Task]] = {
    DigitsCluttered: ClutteredDigits,
    DigitsScene: DigitScenes,
    Folder: FolderTask,
    Documents: documents_task,
    ReutersR8: reuters_task,
    PlantedSentence: planted_task,
}


def build_task(config: DataConfig, folder: Path | None = None) -> Task:
    """Read or draw the task.

    Args:
        config: what to read.
        folder: where the module of an `embedder` may lie, besides the usual places: the plan's folder.

    Raises:
        CropworthError: the data cannot be read, see the reader of each.
    """
    look_in(folder)
    return READERS[type(config)](config)
