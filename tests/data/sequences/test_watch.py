"""The task `watch` on seglearn's recordings."""

import numpy as np
import pytest
import torch

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import Watch
from cropworth.data.installed import imported
from cropworth.data.task import Split, Task
from cropworth.errors import CropworthError


def read(**settings: object) -> Task:
    return build_task(parse(Watch, {"task": "watch", **settings}))


def splits(task: Task) -> tuple[Split, Split, Split]:
    return task.training_epoch(task.train_limit, 0, 0), task.validation, task.test


def test_every_recording_is_in_the_split_of_its_subject_and_in_no_other() -> None:
    data = imported("seglearn.datasets", "").load_watch()
    # The first values of a recording tell whose it is.
    owner = {np.float32(x[:2]).tobytes(): int(subject) for x, subject in zip(data["X"], data["subject"], strict=True)}
    assert len(owner) == 140
    found = [[owner[row[:2].numpy().tobytes()] for row in split.inputs] for split in splits(read(standardise=False))]
    assert [set(subjects) for subjects in found] == [{1, 2, 3, 4, 5}, {6, 7}, {8, 9, 10}]
    assert [len(subjects) for subjects in found] == [70, 28, 42]


def test_what_is_in_it() -> None:
    task = read()
    assert task.classes == ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
    assert (task.channels, task.size) == (6, (2618,))
    for split in splits(task):
        assert len(set(torch.bincount(split.labels, minlength=7).tolist())) == 1
    lengths = torch.cat([split.lengths for split in splits(task) if split.lengths is not None])
    assert (len(lengths), int(lengths.min()), int(lengths.max())) == (140, 947, 2618)


def test_the_training_subjects_alone_set_the_scale() -> None:
    task = read(validation_subjects=[1], test_subjects=[2])
    train = splits(task)[0]
    assert train.lengths is not None
    seen = torch.cat([row[:steps] for row, steps in zip(train.inputs, train.lengths.tolist(), strict=True)])
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(seen.std(0), 1, atol=1e-3)
    assert not np.allclose(task.test.inputs.mean((0, 1)), 0, atol=1e-3)
    assert (task.train_limit, len(task.validation), len(task.test)) == (112, 14, 14)


def test_subjects_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CropworthError, match=r"must have nobody in common, and share \{6\}"):
        read(validation_subjects=[6, 7], test_subjects=[6])
    with pytest.raises(CropworthError, match=r"the subjects \[11, 12\]; expected some of \[1, 2, .*10\]"):
        read(validation_subjects=[11], test_subjects=[2, 12])
    with pytest.raises(CropworthError, match="no sequence to train on in watch"):
        read(validation_subjects=[1, 2, 3, 4, 5], test_subjects=[6, 7, 8, 9, 10])
