"""`build_task`: a plan's `data:` -> the task it names."""

from __future__ import annotations

from cropworth.data.cluttered import ClutteredDigits
from cropworth.data.config import DigitsCluttered, Folder
from cropworth.data.folder import FolderTask
from cropworth.data.task import Task


def build_task(config: DigitsCluttered | Folder) -> Task:
    """Read or draw the task.

    Raises:
        CropworthError: see `ClutteredDigits` and `FolderTask`.
    """
    return FolderTask(config) if isinstance(config, Folder) else ClutteredDigits(config)
