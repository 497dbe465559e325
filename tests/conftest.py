"""Shared settings, and one tiny study that is really run, for whoever needs a folder on disk."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import settings
from PIL import Image

from cropworth.study.plan import Plan, load_plan
from cropworth.study.run import prepare, run_study

# The same examples every time, and few, since tests run on small machines.
settings.register_profile("cropworth", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("cropworth")


def tiny_values() -> dict[str, Any]:
    """A plan that trains in seconds: 24 pixels, two classes, two variants, two seeds."""
    return {
        "name": "tiny",
        "data": {"folder": "images", "image_size": 24, "channels": 1},
        "backbone": {"name": "small", "arguments": {"width": 2}},
        "variants": {
            "baseline": {"control": "whole"},
            "crop": {"localizer": "heatmap", "transform": "zoom", "size": 12, "look_size": 16, "start_scale": 0.7},
        },
        "training": {"epochs": 2, "batch_size": 8},
        "study": {"train_sizes": [16], "seeds": 2},
        "timing": {"batch_size": 4, "rounds": 3},
        "economics": {"cost_per_error": 1.5, "predictions_per_year": 1000},
    }


def write_images(folder: Path) -> None:
    """A bright square (class "square") or a dim one ("dim") somewhere on noise: 24 of each."""
    rng = np.random.default_rng(0)
    for name, grey in (("dim", 120), ("square", 250)):
        (folder / name).mkdir(parents=True)
        for index in range(24):
            pixels = rng.integers(0, 60, (24, 24), dtype=np.uint8)
            x, y = rng.integers(0, 16, 2)
            pixels[y : y + 8, x : x + 8] = grey
            Image.fromarray(pixels).save(folder / name / f"{index}.png")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with `plan.yaml` and its images."""
    write_images(tmp_path / "images")
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(tiny_values(), sort_keys=False))
    return tmp_path


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study, finished in `study`, beside its plan and images; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    write_images(folder / "images")
    (folder / "plan.yaml").write_text(yaml.safe_dump(tiny_values(), sort_keys=False))
    run_study(prepare(load_plan(folder / "plan.yaml")), folder / "study", jobs=1)
    return folder


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Path:
    """A copy of the finished tiny study's folder, to be broken at will."""
    return Path(shutil.copytree(finished_once / "study", tmp_path / "study"))


def plan_with(plan: Plan, **changes: Any) -> Plan:
    """The plan with some of its parts replaced."""
    return Plan.model_validate({**plan.model_dump(), **changes})
