"""Do region proposals guide a crop better? Scenes of several digits, and small digits in large frames.

In the scenes digits of scale 0.5 to 2 stand on 128 pixels, and the framed one is to be read; the large frames are of
256 pixels with a digit of 28. Hours:

    python benchmarks/guided.py --out guided --jobs 2

Finished trials are kept, so that it may be stopped and started again. It writes ``guided/guided.md``;
its results are not committed yet.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from finding import rows, table

from cropworth.data.build import build_task
from cropworth.measure.environment import describe_environment
from cropworth.study.plan import Plan
from cropworth.study.run import prepare, run_study

DIGIT, CROP, LOOK = 28, 32, 64
DATA: dict[str, dict[str, Any]] = {
    "scenes": {"task": "digits-scene", "canvas": 128, "clutter": 24, "others": 3},
    "large frames": {"task": "digits-cluttered", "canvas": 256, "clutter": 96},
}
SEEDS, TRAIN_SIZE, EPOCHS = 3, 2000, 12


def plan_for(name: str) -> Plan:
    """The study of one kind of picture."""
    common = {"size": CROP, "look_size": LOOK * DATA[name]["canvas"] // 128}
    bounded = {**common, "transform": "zoom", "start_scale": DIGIT / DATA[name]["canvas"]}
    trained = {"candidates": 2, "jitter": 0.1, "consistency": 1.0}
    return Plan.model_validate(
        {
            "name": f"guided, {name}",
            "data": DATA[name],
            "variants": {
                "baseline": {"control": "whole"},
                "oracle": {"control": "oracle", "size": CROP},
                "regression, unbounded affine": {
                    **common,
                    "localizer": "regression",
                    "transform": "unbounded-affine",
                },
                "unguided": {**bounded, **trained, "localizer": "heatmap"},
                "guided": {**bounded, **trained, "localizer": "proposals"},
                "guided, true boxes": {**bounded, **trained, "localizer": "proposals", "box_losses": 1.0},
            },
            "training": {"epochs": EPOCHS, "batch_size": 32},
            "study": {"train_sizes": [TRAIN_SIZE], "seeds": SEEDS},
        }
    )


def main() -> None:
    """Run what is missing and write the tables."""
    parser = argparse.ArgumentParser(description="Do region proposals guide a crop better?")
    parser.add_argument("--out", type=Path, required=True, help="folder of the studies and of guided.md")
    parser.add_argument("--jobs", type=int, default=1, help="trials at once")
    arguments = parser.parse_args()
    tables = []
    for name in DATA:
        plan = plan_for(name)
        folder = arguments.out / name.replace(" ", "-")
        study = run_study(prepare(plan), folder, arguments.jobs, lambda p, f=folder: print(f.name, p.done, p.total))
        tables += [f"### {name}", table(rows(study, build_task(plan.data)))]
        print("\n\n".join(tables[-2:]), flush=True)
    environment = ", ".join(f"{key} {value}" for key, value in describe_environment().items())
    settings = f"{TRAIN_SIZE:,} digits, {EPOCHS} epochs of fresh canvases, {SEEDS} seeds, crops of {CROP} px"
    (arguments.out / "guided.md").write_text("\n\n".join([*tables, f"{settings}. {environment}."]) + "\n")


if __name__ == "__main__":
    main()
