"""Do region proposals guide a crop better? Scenes of several digits, and small digits in large frames.

In the scenes digits of scale 0.5 to 2 stand on 128 pixels, and the framed one is to be read; the large frames are of
256 pixels with a digit of 28. Hours:

    python benchmarks/guided.py --out guided --jobs 2

Finished trials are kept, so that it may be stopped and started again. It writes ``guided/guided.md``;
its results are not committed yet.
"""

from __future__ import annotations

from typing import Any

from finding import CROP, DIGIT, EPOCHS, JITTER, TRAIN_SIZE, options, rows, studied, table, write

from cropworth.study.plan import Plan

LOOK = 64
DATA: dict[str, dict[str, Any]] = {
    "scenes": {"task": "digits-scene", "canvas": 128, "clutter": 24, "others": 3},
    "large frames": {"task": "digits-cluttered", "canvas": 256, "clutter": 96},
}
SEEDS = 3


def plan_for(name: str) -> Plan:
    """The study of one kind of picture."""
    common = {"size": CROP, "look_size": LOOK * DATA[name]["canvas"] // 128}
    bounded = {**common, "transform": "zoom", "start_scale": DIGIT / DATA[name]["canvas"]}
    trained = {"candidates": 2, "jitter": JITTER, "consistency": 1.0}
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
    arguments, tables = options("Do region proposals guide a crop better?"), []
    for name in DATA:
        study, task = studied(plan_for(name), arguments.out / name.replace(" ", "-"), arguments.jobs)
        tables += [f"### {name}", table(rows(study, task))]
        print("\n\n".join(tables[-2:]), flush=True)
    write(arguments.out / "guided.md", tables, SEEDS)


if __name__ == "__main__":
    main()
