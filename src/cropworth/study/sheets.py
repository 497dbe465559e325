"""`keep_album`: when nothing trains any more, the chosen test items and what each variant that crops sees of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cropworth.data.task import Split, Task
from cropworth.models.weights import read_weights
from cropworth.study.album import Album, Choice, choose
from cropworth.study.classifier import Classifier
from cropworth.study.ledger import Ledger
from cropworth.study.located import LearnedCrop
from cropworth.study.pictures import FEATURES, shrunk
from cropworth.study.plan import Plan
from cropworth.study.record import Study
from cropworth.study.train import EXAMPLES, batches
from cropworth.study.variants import build_variant


def keep_album(study: Study, plan: Plan, task: Task, ledger: Ledger, folder: Path | None) -> Study:
    """The study with its album, which is made and written where there is none of the items chosen now.

    Args:
        study: as the ledger has it.
        plan: its own.
        task: the plan's data.
        ledger: the study's, with the weights of its trials; those without are not shown.
        folder: the plan's own, where a user's module may lie.

    Raises:
        CropworthError: weights are damaged, or the album cannot be written.
    """
    choices = tuple(c for c in choose(study) if c.variant in plan.variants and ledger.weights(c.trial).is_file())
    if not choices or (study.album is not None and study.album.choices == choices):
        return study
    album = make_album(choices, plan, task, ledger, folder)
    ledger.write_album(album)
    return replace(study, album=album)


def make_album(choices: tuple[Choice, ...], plan: Plan, task: Task, ledger: Ledger, folder: Path | None) -> Album:
    """Pictures, series or words of the chosen items and the first few, and the crops by the trials' own weights."""
    first = range(min(EXAMPLES, len(task.test)))
    items = np.array(sorted({*first, *(item for choice in choices for item in choice.all_items)}), dtype=np.int64)
    names = [placed.name for placed in task.placed if placed.split == "test"]
    images, series = (None, ()) if _is_text(task) else _wholes(task.test, items)
    return Album(
        choices,
        items,
        tuple(names[item] for item in items) if len(names) == len(task.test) else (),
        images,
        series,
        tuple(task.said[item] for item in items) if task.said else (),
        {c.variant: _crops(c, plan, task, ledger, folder) for c in choices if c.all_items and not _is_text(task)},
    )


def _is_text(task: Task) -> bool:
    return bool(task.vocabulary or task.said)


def _wholes(test: Split, items: NDArray[np.int64]) -> tuple[NDArray[np.uint8] | None, tuple[NDArray[np.float32], ...]]:
    """Images, or series."""
    batch = _batch(test, items)
    if batch.lengths is None:
        return shrunk(batch.inputs), ()
    lengths = batch.lengths.tolist()
    return None, tuple(values[:length, :FEATURES].numpy() for values, length in zip(batch.inputs, lengths, strict=True))


@torch.no_grad()
def _crops(choice: Choice, plan: Plan, task: Task, ledger: Ledger, folder: Path | None) -> NDArray[Any]:
    model = build_variant(plan, choice.variant, task, choice.seed, folder)
    model.load_state_dict(read_weights(ledger.weights(choice.trial)))
    batch = _batch(task.test, np.array(choice.all_items))
    seen = _seen(model.eval(), batch)
    if batch.lengths is None:
        return shrunk(seen)
    steps: NDArray[np.float32] = seen[..., :FEATURES].numpy()
    return steps


def _seen(model: Classifier, batch: Split) -> Tensor:
    """What the backbone sees of a batch; instead of an encoder's states the input's own values where they are read."""
    view, crop = model.view(batch), model.crop
    if isinstance(crop, LearnedCrop) and crop.settings.crops == "states":
        assert view.theta is not None
        return crop.read(model.values(batch), batch.lengths, view.theta)
    return view.seen


def _batch(test: Split, items: NDArray[np.int64]) -> Split:
    return next(batches(test.take(torch.from_numpy(items)), len(items)))
