"""Does the crop find the object? Localizers, transforms and samplers on cluttered digits.

One study for each canvas and each range of the digit's scale, five seeds each; three hours on 2 processors:

    python benchmarks/finding.py --out finding --jobs 2

Finished trials are kept, so that it may be stopped and started again. It writes ``finding/finding.md``; what was found
is in docs/results/finding.md.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch

from cropworth.crops.health import centre_error, localisation_iou
from cropworth.data.task import Task
from cropworth.measure.environment import describe_environment
from cropworth.study.plan import Plan
from cropworth.study.record import Record, Study
from cropworth.study.run import prepare, run_study

CANVASES = {64: 6, 96: 12, 128: 24}  # side in pixels: pieces of clutter
SCALES = {"1": (1.0, 1.0), "0.7 to 1.4": (0.7, 1.4)}
DIGIT, CROP = 28, 32  # side of a digit at scale 1, and of every crop, in pixels
JITTER = 0.1
SEEDS, TRAIN_SIZE, EPOCHS = 5, 2000, 12
EXCHANGED = (64, "0.7 to 1.4")  # the canvas on which parts are exchanged

# A seed converged if its crops overlap the true box (IoU) by more than a half on nine of ten test items.
CONVERGED_IOU, CONVERGED_SHARE = 0.5, 0.9
OVERLAPS = (0.0, 0.1, 0.5, 0.7, 1.01)  # the last one takes in a perfect overlap


def variants(canvas: int, every: bool) -> dict[str, dict[str, Any]]:
    """What is compared on one canvas; `every` adds the default and the plain heatmap with one part exchanged at a time.

    The plain heatmap is the default without candidates and jitter: all that goes through the centre of mass.
    """
    common = {"size": CROP, "look_size": canvas // 2}
    bounded = {**common, "start_scale": round(DIGIT / canvas, 2)}
    plain = {**bounded, "localizer": "heatmap", "transform": "zoom", "consistency": 1.0, "scale_prior": 0.3}
    default = {**plain, "candidates": 2, "jitter": JITTER}
    found: dict[str, dict[str, Any]] = {
        "baseline": {"control": "whole"},
        "oracle": {"control": "oracle", "size": CROP},
        "oracle, jitter": {"control": "oracle", "size": CROP, "jitter": JITTER},
        "regression, unbounded affine": {**common, "localizer": "regression", "transform": "unbounded-affine"},
        "plain heatmap": plain,
        "default": default,
    }
    if every:
        found |= {
            "default, no jitter": {**default, "jitter": 0.0},
            "regression, zoom": {**bounded, "localizer": "regression", "transform": "zoom"},
            "plain, no penalties": {**plain, "consistency": 0.0, "scale_prior": 0.0},
            "plain, similarity": {**plain, "transform": "similarity"},
            "plain, affine": {**plain, "transform": "affine"},
            "plain, antialiased": {**plain, "antialias": True},
            "plain, reach 6 px": {**plain, "reach": 6.0},
            "plain, cascade of 2": {**plain, "steps": 2},
            "plain, localizer's rate x 0.3": {**plain, "localizer_lr": 0.3},
        }
    return found


def plan_for(canvas: int, scale: str) -> Plan:
    """The study of one canvas and one range of scales."""
    return Plan.model_validate(
        {
            "name": f"finding, {canvas} px, scale {scale}",
            "data": {
                "task": "digits-cluttered",
                "canvas": canvas,
                "clutter": CANVASES[canvas],
                "digit_scale": SCALES[scale],
            },
            "variants": variants(canvas, every=(canvas, scale) == EXCHANGED),
            "training": {"epochs": EPOCHS, "batch_size": 32},
            "study": {"train_sizes": [TRAIN_SIZE], "seeds": SEEDS},
        }
    )


@dataclass(frozen=True)
class Row:
    """One variant on one canvas, over its seeds.

    Attributes:
        variant: its name.
        accuracy: of each seed, on the test items.
        gap_closed: (mean accuracy - baseline's) / (oracle's - baseline's).
        centre_error_px: of each seed, the median distance of the crop's centre from the digit's; empty without crops.
        iou: of each seed, the median overlap with the true box.
        found: of each seed, the share of test items whose crop overlaps the true box by more than a half.
        inference: seconds an item over the baseline's.
    """

    variant: str
    accuracy: list[float]
    gap_closed: float
    centre_error_px: list[float]
    iou: list[float]
    found: list[float]
    inference: float

    @property
    def converged(self) -> int:
        """How many seeds did."""
        return sum(share >= CONVERGED_SHARE for share in self.found)


def rows(study: Study, task: Task) -> list[Row]:
    """What the study says of every variant."""
    of = {name: [r for r in study.records if r.variant == name] for name in study.kinds}
    accuracy = {name: [record.accuracy or 0.0 for record in records] for name, records in of.items()}
    low, high = fmean(accuracy["baseline"]), fmean(accuracy["oracle"])
    assert study.latency is not None
    seconds = {name: sorted(times)[len(times) // 2] for name, times in study.latency.seconds_per_item.items()}
    found = []
    for name, records in of.items():
        places = [_places(record, task) for record in records if record.theta is not None]
        errors, ious = [error for error, _ in places], [iou for _, iou in places]
        found.append(
            Row(
                name,
                accuracy[name],
                (fmean(accuracy[name]) - low) / (high - low),
                [error.median().item() for error in errors],
                [iou.median().item() for iou in ious],
                [(iou > CONVERGED_IOU).float().mean().item() for iou in ious],
                seconds[name] / seconds["baseline"],
            )
        )
    return found


def _places(record: Record, task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each test item, the centre's error in pixels and the overlap with the true box."""
    theta, boxes = torch.from_numpy(record.theta), task.test.boxes
    assert boxes is not None
    return centre_error(theta, boxes) * task.size[0], localisation_iou(theta, boxes)


def table(found: list[Row]) -> str:
    """One canvas as Markdown."""
    lines = [
        "| variant | accuracy, % (seeds' sd) | gap closed | centre error, px | IoU | seeds converged | inference |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found:
        crops = ["", "", ""]
        if row.iou:
            crops = [
                f"{fmean(row.centre_error_px):.1f}",
                ranged(row.iou),
                f"{row.converged} of {len(row.found)}",
            ]
        spread = f"{100 * fmean(row.accuracy):.1f} ({100 * stdev(row.accuracy):.1f})"
        cells = [row.variant, spread, f"{row.gap_closed:.2f}", *crops, f"{row.inference:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ranged(values: list[float]) -> str:
    """The mean over seeds, and the least and greatest."""
    return f"{fmean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def where_errors_are(study: Study, task: Task) -> str:
    """The default against the true box, by how well its crop overlaps that box, over all seeds, as Markdown."""
    of = {(record.variant, record.seed): record for record in study.records}
    seeds = range(SEEDS)
    iou = torch.cat([_places(of["default", seed], task)[1] for seed in seeds])
    wrong = {name: torch.cat([_wrong(of[name, seed], task) for seed in seeds]) for name in ("default", "oracle")}
    lines = [
        "| overlap with the true box | test items | default's errors | errors with the true box |",
        "|---|---|---|---|",
    ]
    for low, high in itertools.pairwise(OVERLAPS):
        among = (iou >= low) & (iou < high)
        shares = [among.double().mean(), *((wrong[name] & among).double().mean() for name in ("default", "oracle"))]
        cells = [f"{100 * share.item():.2f} %" for share in shares]
        lines.append(f"| {low:g} to {min(high, 1):g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _wrong(record: Record, task: Task) -> torch.Tensor:
    """Which test items were answered wrongly, bool (n,)."""
    assert record.probabilities is not None
    return torch.from_numpy(record.probabilities).argmax(-1) != task.test.labels


def options(description: str) -> argparse.Namespace:
    """What the command line says: `out` and `jobs`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, help="folder of the studies and of the tables")
    parser.add_argument("--jobs", type=int, default=1, help="trials at once")
    return parser.parse_args()


def studied(plan: Plan, folder: Path, jobs: int) -> tuple[Study, Task]:
    """Run what is missing of the study in `folder`."""
    prepared = prepare(plan)
    study = run_study(prepared, folder, jobs, lambda now: print(folder.name, now.done, now.total, flush=True))
    return study, prepared.task


def provenance() -> str:
    """On what it was measured."""
    return ", ".join(f"{key} {value}" for key, value in describe_environment().items())


def write(path: Path, tables: list[str], seeds: str) -> None:
    """The tables, and how and on what they were made."""
    settings = f"{TRAIN_SIZE:,} digits, {EPOCHS} epochs of fresh canvases, {seeds} seeds, crops of {CROP} px"
    path.write_text("\n\n".join([*tables, f"{settings}. {provenance()}."]) + "\n")


def main() -> None:
    """Run what is missing and write the tables."""
    arguments, tables = options("Does the crop find the object?"), []
    for scale in SCALES:
        for canvas in CANVASES:
            folder = arguments.out / f"{canvas}-{'one' if scale == '1' else 'range'}"
            study, task = studied(plan_for(canvas, scale), folder, arguments.jobs)
            title = f"### {canvas} px, {CANVASES[canvas]} pieces of clutter, digits at scale {scale}"
            tables += [title, table(rows(study, task)), where_errors_are(study, task)]
            print("\n\n".join(tables[-3:]), flush=True)
    write(arguments.out / "finding.md", tables, f"{SEEDS}")


if __name__ == "__main__":
    main()
