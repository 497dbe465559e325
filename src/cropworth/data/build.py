"""`build_task`: a plan's `data:` -> the task it names."""

from __future__ import annotations

from cropworth.data.cluttered import ClutteredDigits, DigitScenes
from cropworth.data.config import DigitsCluttered, DigitsScene, Folder
from cropworth.data.folder import FolderTask
from cropworth.data.task import Task


def build_task(config: DigitsCluttered | DigitsScene | Folder) -> Task:
    """Read or draw the task.

    Raises:
        CropworthError: see `ClutteredDigits` and `FolderTask`.
    """
    if isinstance(config, Folder):
        return FolderTask(config)
    return DigitScenes(config) if isinstance(config, DigitsScene) else ClutteredDigits(config)
