"""Do region proposals guide a crop better? Scenes of several digits, and small digits in large frames.

In the scenes digits of scale 0.5 to 2 stand on 128 pixels, and the framed one is to be read; the large frames are of
256 pixels with a digit of 28. An hour on one processor:

    python benchmarks/guided.py --out guided

Finished trials are kept, so that it may be stopped and started again. It writes ``guided/guided.md``; what was found
is in docs/results/guided.md.
"""

from __future__ import annotations

from statistics import fmean, stdev
from typing import Any

from finding import CROP, DIGIT, EPOCHS, JITTER, TRAIN_SIZE, Row, options, ranged, rows, studied, write

from cropworth.study.plan import Plan

LOOK = 64
DATA: dict[str, dict[str, Any]] = {
    "scenes": {"task": "digits-scene", "canvas": 128, "clutter": 24, "others": 3},
    "large frames": {"task": "digits-cluttered", "canvas": 256, "clutter": 96},
}
SEEDS = {"scenes": 3, "large frames": 2}
UNGUIDED = "unguided"  # whose time the others' is compared with, too


def plan_for(name: str) -> Plan:
    """The study of one kind of picture."""
    common = {"size": CROP, "look_size": LOOK}
    bounded = {**common, "transform": "zoom", "start_scale": DIGIT / DATA[name]["canvas"], "jitter": JITTER}
    unguided = {**bounded, "localizer": "heatmap", "candidates": 4, "consistency": 1.0}
    guided = {**bounded, "localizer": "proposals", "features": "pyramid"}
    larger = {}
    if DATA[name]["canvas"] > 2 * LOOK:  # as docs/results/finding.md found it best for digits of one size
        settings = {"look_size": DATA[name]["canvas"] // 2, "candidates": 2, "scale_prior": 0.3}
        larger = {"unguided, larger look": {**unguided, **settings}}
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
                UNGUIDED: unguided,
                "unguided, pyramid": {**unguided, "features": "pyramid"},
                **larger,
                "guided": {**guided, "candidates": 4, "consistency": 1.0},
                "guided, true boxes": {**guided, "candidates": 2, "box_losses": 100.0},
            },
            "training": {"epochs": EPOCHS, "batch_size": 32},
            "study": {"train_sizes": [TRAIN_SIZE], "seeds": SEEDS[name]},
        }
    )


def table(found: list[Row]) -> str:
    """One kind of picture as Markdown."""
    time = {row.variant: row.inference for row in found}
    titles = ["variant", "accuracy, % (seeds' sd)", "gap closed", "IoU", "IoU > 0.5, %"]
    titles += ["inference over the baseline's", f"over that of *{UNGUIDED}*"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in found:
        spread = f" ({100 * stdev(row.accuracy):.1f})" if len(row.accuracy) > 1 else ""
        cells = [row.variant, f"{100 * fmean(row.accuracy):.1f}{spread}", f"{row.gap_closed:.2f}"]
        cells += [ranged(row.iou), f"{100 * fmean(row.found):.1f}"] if row.iou else ["", ""]
        cells += [f"{row.inference:.2f}", f"{row.inference / time[UNGUIDED]:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing and write the tables."""
    arguments, tables = options("Do region proposals guide a crop better?"), []
    for name in DATA:
        study, task = studied(plan_for(name), arguments.out / name.replace(" ", "-"), arguments.jobs)
        tables += [f"### {name}", table(rows(study, task))]
        print("\n\n".join(tables[-2:]), flush=True)
    write(arguments.out / "guided.md", tables, " and ".join(f"{count} ({name})" for name, count in SEEDS.items()))


if __name__ == "__main__":
    main()
