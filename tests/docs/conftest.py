"""One small study with the names that the pages use, really run."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import Run
from cropworth.study.plan import load_plan
from cropworth.study.run import prepare, run_study
from docs.world import World
from tiny import tiny_values, write_images, write_plan


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study with the demo's variants; not to be changed."""
    folder = tmp_path_factory.mktemp("small")
    write_images(folder / "images")
    variants = tiny_values()["variants"]
    path = write_plan(folder, variants={"baseline": variants["baseline"], "heatmap-zoom": variants["crop"]})
    run_study(prepare(load_plan(path), folder), folder / "study", jobs=1)
    return folder / "study"


@pytest.fixture
def world(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty folder, in which commands run one trial at a time, on few digits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cropworth.measure.environment.available_cores", lambda: 1)
    monkeypatch.setattr("cropworth.data.images.cluttered.TEST", 60)
    monkeypatch.setattr("cropworth.data.images.cluttered.VALIDATION", 30)
    return World(tmp_path, run)
