"""A plan that trains in seconds, and its images."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from cropworth.study.plan import Plan


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
        "timing": {"batch_size": 4, "rounds": 10},
        "economics": {"cost_per_error": 1.5, "predictions_per_year": 1000},
    }


def write_plan(folder: Path, **changes: Any) -> Path:
    """The tiny plan with some of its parts replaced, in a folder."""
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump({**tiny_values(), **changes}, sort_keys=False))
    return path


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


def plan_with(plan: Plan, **changes: Any) -> Plan:
    """The plan with some of its parts replaced."""
    return Plan.model_validate({**plan.model_dump(), **changes})
