"""The task `fx-bars` on files written here and on the one that gym-anytrading ships."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from cropworth.config import parse
from cropworth.data.config import FxBars, located
from cropworth.data.sequences.bars import bar_features, fx_task
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.data.tables.table import read_table
from cropworth.errors import CropworthError

HEAD = "Time,Open,High,Low,Close,Volume"


def rows(count: int = 300, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    close = 1.1 * np.exp(rng.normal(0, 0.001, count).cumsum())
    start = datetime(2017, 1, 1, 22, tzinfo=UTC)
    return [
        f"{start + timedelta(hours=hour):%d.%m.%Y %H:%M:%S}.000,{c:.5f},{c + 0.002:.5f},{c - 0.001:.5f},{c:.5f},7"
        for hour, c in enumerate(close)
    ]


def read(tmp_path: Path, lines: list[str], **settings: object) -> SequenceTask:
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([HEAD, *lines]))
    values = {"task": "fx-bars", "bars": str(path), "window": 6, "horizon": 3, "every": 3, **settings}
    return fx_task(parse(FxBars, values))


def test_features_are_those_of_a_bar(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + "\n01.01.2017 06:00:00.000,1,4,1,2,0\n01.01.2017 18:00:00.000,2,8,2,4,0\n")
    number = {
        "Time": lambda text: 6 * 3600 if " 06" in text else 18 * 3600,
        "High": float,
        "Low": float,
        "Close": float,
    }
    found = bar_features(read_table(path, number, "fail"))
    two = np.log(2)
    np.testing.assert_allclose(found, [[0, two, two, 1, 0], [two, two, two, -1, 0]], atol=1e-6)


def test_hours_are_read_day_before_month(tmp_path: Path) -> None:
    lines = rows()
    task = read(tmp_path, lines, standardise=False, every=1, horizon=1)
    train = task.training_epoch(task.train_limit, 0, 0).inputs
    hours = {(round(float(sine), 4), round(float(cosine), 4)) for sine, cosine in train[..., 3:].reshape(-1, 2)}
    assert len(hours) == 24


def test_nothing_of_the_future_is_seen(tmp_path: Path) -> None:
    lines = rows()
    changed = lines[:220] + rows(seed=5)[220:]
    before, after = (read(tmp_path, which, standardise=False, every=1) for which in (lines, changed))
    # Time is cut at steps 150 and 210: the first test decision is at 210 + 6, and decisions up to 219 see none of it.
    assert torch.equal(before.validation.inputs, after.validation.inputs)
    assert torch.equal(before.test.inputs[:4], after.test.inputs[:4])
    assert not torch.equal(before.test.inputs[4], after.test.inputs[4])
    assert not torch.equal(before.test.payoffs[1:4], after.test.payoffs[1:4])  # type: ignore[index]
    earlier = read(tmp_path, rows(seed=5)[:212] + lines[212:], standardise=False, every=1)
    assert not torch.equal(before.test.inputs[0], earlier.test.inputs[0])


def test_the_spread_is_paid(tmp_path: Path) -> None:
    free, dear = (read(tmp_path, rows(), spread=spread).test.payoffs for spread in (0, 0.0011))
    assert free is not None
    assert dear is not None
    assert (free[:, 1] == 0).all()
    np.testing.assert_allclose(free[:, 2] - dear[:, 2], 0.001, atol=2e-4)
    np.testing.assert_allclose(free[:, 0] - dear[:, 0], 0.001, atol=2e-4)


def spoilt(at: int, **columns: str) -> list[str]:
    lines = rows()
    values = dict(zip(HEAD.split(","), lines[at].split(","), strict=True))
    return [*lines[:at], ",".join({**values, **columns}.values()), *lines[at + 1 :]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (spoilt(10, Close="nan"), r"bars\.csv, line 12: Close is missing"),
        (spoilt(10, Time="2017-01-02 08:00"), r"bars\.csv, line 12: Time is missing or not what it should be"),
        (spoilt(10, Low="0"), r"line 12: a price that leaves no bid"),
        (spoilt(10, High="0.5"), r"line 12: a price that is not from Low to High"),
        (spoilt(10, Time="01.01.2017 22:00:00.000"), r"line 12: a Time that is not after those above"),
    ],
)
def test_a_bad_bar_is_named_or_left_out(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        read(tmp_path, lines)
    assert read(tmp_path, lines, on_bad_item="skip").warnings[0].startswith("Left out of the data: rows, ")


def test_the_bars_that_gym_anytrading_ships() -> None:
    task = fx_task(parse(FxBars, {"task": "fx-bars"}))
    assert (task.train_limit, len(task.validation), len(task.test)) == (765, 299, 454)
    assert (task.size, task.channels) == ((48,), 5)
    assert task.warnings == ("one rate over 6,225 bars: no claim beyond them",)
    for split in (task.training_epoch(task.train_limit, 0, 0), task.validation, task.test):
        assert (torch.bincount(split.labels, minlength=3) / len(split) > 0.25).all()


def test_a_relative_path_starts_at_the_plans_own_folder(tmp_path: Path) -> None:
    config = parse(FxBars, {"task": "fx-bars", "bars": "data/mine.csv"})
    assert located(config, tmp_path).bars == tmp_path / "data" / "mine.csv"  # type: ignore[union-attr]
    given = parse(FxBars, {"task": "fx-bars"})
    assert located(given, tmp_path) == given
