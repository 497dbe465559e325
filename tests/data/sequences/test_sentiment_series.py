import numpy as np
import pytest
import torch

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import CardanoSentiment
from cropworth.data.installed import shipped
from cropworth.data.sequences.ucr import INSTALL, SETS


def test_numbers_to_predict_are_the_files_own() -> None:
    task = build_task(parse(CardanoSentiment, {"task": "cardano-sentiment"}))
    assert (task.classes, task.size, task.channels) == ((), (24,), 2)
    assert (task.train_limit, len(task.validation), len(task.test)) == (59, 15, 33)
    path = shipped("aeon", f"{SETS}/CardanoSentiment/CardanoSentiment_TEST.ts", INSTALL)
    rows = [line for line in path.read_text().splitlines() if line and line[0] not in "#@"]
    assert task.test.labels.dtype == torch.float32
    np.testing.assert_allclose(task.test.labels, [float(row.split(":")[-1]) for row in rows], rtol=1e-6)
    assert float(task.test.labels.abs().max()) <= 1
    values = task.training_epoch(59, 0, 0).inputs.reshape(-1, 2)
    assert values.mean(0).tolist() == pytest.approx([0, 0], abs=1e-5)
