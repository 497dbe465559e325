"""`propose`: a commented plan for a user's own data, from a look at them. It runs as it is."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cropworth.config import Config, parse
from cropworth.data.config import DataConfig, Images, located
from cropworth.data.recognise import Found, recognise
from cropworth.data.task import Task
from cropworth.errors import CropworthError, ManyError
from cropworth.study.check import Checked, read_data
from cropworth.study.look import look
from cropworth.study.plan import Plan
from cropworth.study.plan_text import Said, plain, written
from cropworth.study.run import Estimate, estimate, prepare_on

SEEDS = 5
# What a crop starts with where no boxes are known: the middle half.
UNKNOWN_SCALE = 0.5
MOST_LOOKED_AT, MOST_STEPS_LOOKED_AT, MOST_STEPS_CROPPED = 64, 128, 64
LEAST_FOR_CANDIDATES = 16
FEW_OF_A_CLASS = 10


@dataclass(frozen=True)
class Proposal:
    """A plan for data.

    Attributes:
        text: of the file.
        found: what the data were taken for.
        guessed: keys of them that are guesses, with their values and reasons.
        left_out: bad items, which the plan leaves out.
        task: what was read.
        expected: how long its trials are expected to take.
    """

    text: str
    found: Found
    guessed: dict[str, Said]
    left_out: tuple[CropworthError, ...]
    task: Task
    expected: Estimate


def propose(data: Path, out: Path, economics: str, jobs: int) -> Proposal:
    """Look at data and write a plan for them; nothing is kept but decoded images in the cache beside the plan.

    Args:
        data: a folder or file.
        out: where the plan will lie, at whose folder its paths start.
        economics: example prices, the YAML of a mapping `economics`.
        jobs: trials at a time, for the estimate.

    Raises:
        CropworthError: what the data are is not known, or not enough of them can be read.
    """
    found = recognise(data)
    folder = out.parent
    keys = {key: Said(_relative(value, folder), found.reasons.get(key, "")) for key, value in found.data.items()}
    config = _config(keys, folder)
    if isinstance(config, Images):
        keys |= look(config).keys()
    keys, read = _read(keys, found.unsure, folder)
    assert read.task is not None
    if read.left_out:
        first = read.problems[0].got
        why = f"leaves out what cannot be used, {read.left_out:,} in all, such as {first}; fail once mended"
        keys["on_bad_item"] = Said("skip", why)
    said = {"name": Said(data.resolve().stem), "data": Said(keys)} | _study(read.task)
    plan = parse(Plan, plain(said)).located(folder)
    prepared = prepare_on(read.task, plan, folder)
    expected = estimate(prepared, plan.trials(), jobs)
    head = _head(data, out, found, len(plan.trials()), expected, jobs)
    guessed = {key: value for key, value in keys.items() if key in found.reasons}
    text = f"{head}\n{written(said)}\n{economics}"
    return Proposal(text, found, guessed, tuple(read.problems), read.task, expected)


class _Data(Config):
    data: DataConfig


def _config(keys: dict[str, Said], folder: Path) -> DataConfig:
    return located(parse(_Data, {"data": plain(keys)}).data, folder)


def _relative(value: Any, folder: Path) -> Any:
    """A path as a plan in this folder says it; everything else as it is."""
    if not isinstance(value, Path) or not value.exists():
        return str(value) if isinstance(value, Path) else value
    return Path(os.path.relpath(value.resolve(), folder.resolve())).as_posix()


def _read(keys: dict[str, Said], unsure: tuple[str, ...], folder: Path) -> tuple[dict[str, Said], Checked]:
    """Read the data, without one guess after another where they cannot be read with it.

    Raises:
        CropworthError: they cannot be read without any of them; all that is wrong then.
    """
    for count in range(len(unsure) + 1):
        kept = {key: said for key, said in keys.items() if key not in unsure[:count]}
        read = Checked()
        read_data(_config(kept, folder), folder, read)
        if read.task is not None:
            return kept, read
    raise ManyError(read.problems)


def _study(task: Task) -> dict[str, Said]:
    """Everything of a plan but its data and prices."""
    per_class = task.train_limit // max(1, len(task.classes))
    batch = next((size for size in (64, 32, 16) if task.train_limit >= 10 * size), min(8, task.train_limit))
    epochs = 12 if task.train_limit >= 1000 else 30
    training = {
        "epochs": Said(epochs, "more where training still gains at the end; it stops when validation does not"),
        "batch_size": Said(batch, f"of {task.train_limit:,} training items"),
    }
    sizes, why = [task.train_limit], "all there are"
    if per_class >= 4 * FEW_OF_A_CLASS:
        sizes, why = (
            [task.train_limit // 4, task.train_limit],
            "a quarter and all: does the crop matter less with more?",
        )
    grid = {
        "train_sizes": Said(sizes, why),
        "seeds": Said(SEEDS, "trainings of each; fewer make a verdict unlikely, --until-clear adds more"),
    }
    made = _of_sequences(task) if task.is_sequence else _of_images(task)
    return made | {"training": Said(training), "study": Said(grid)}


def _of_images(task: Task) -> dict[str, Said]:
    side = task.size[0]
    scale, why, every = _scale(task)
    size = min(side, max(8, math.ceil(scale * side / 4) * 4))
    seen = min(MOST_LOOKED_AT, max(8, side))
    crop = {
        "localizer": Said("heatmap", "where to look; regression is the original paper's"),
        "transform": Said("zoom", "place and scale; similarity also turns"),
        "size": Said(size, "pixels; start_scale of image_size, so that nothing in it is shrunk"),
        "look_size": Said(seen, "pixels of the small copy by which it decides"),
        "start_scale": Said(scale, why),
        **_habits(task, seen),
    }
    name = {
        "name": Said("small", "trains in minutes; torchvision:resnet18, timm:NAME or your_module:factory for yours")
    }
    return {"backbone": Said(name), "variants": Said(_variants({}, crop, size, size < side, every))}


def _of_sequences(task: Task) -> dict[str, Said]:
    steps = task.size[0]
    scale, why, every = _scale(task)
    size = min(MOST_STEPS_CROPPED, max(4, math.ceil(scale * steps)))
    seen = min(MOST_STEPS_LOOKED_AT, max(8, steps))
    crop = {
        "localizer": Said("heatmap", "where to look"),
        "transform": Said("zoom", "place and length; warp also bends the time"),
        "size": Said(size, "steps"),
        "look_size": Said(seen, "steps of the short copy by which it decides"),
        "start_scale": Said(scale, why),
        "antialias": Said(True, "averages the steps where the crop shortens a sequence"),
        **_habits(task, seen),
    }
    settings = {"encoder": "lstm" if task.vocabulary else "convolutions", "width": 16}

    def pooled(pool: str) -> dict[str, Any]:
        return {"name": "recurrent", "arguments": {**settings, "pool": pool}}

    others = {
        pool: Said({"control": "whole", "backbone": pooled(pool)}, "another pool, what one would try before a crop")
        for pool in ("max", "attention")
    }
    variants = _variants(others, crop, size, size < steps, every)
    return {"backbone": Said(pooled("mean"), "a small network for sequences"), "variants": Said(variants)}


def _variants(others: dict[str, Said], crop: dict[str, Said], size: int, shrinks: bool, boxed: bool) -> dict[str, Said]:
    """The baseline, a learned crop, and the controls that keep it from being credited with what is cheaper."""
    variants = {"baseline": Said({"control": "whole"}, "no crop: what the others are compared with")}
    variants |= others | {"crop": Said(crop, "learns where to look from the labels alone")}
    if shrinks:
        variants["small"] = Said({"control": "small", "size": size}, "would the whole, shrunk as small, do?")
        variants["centre"] = Said({"control": "centre", "size": size}, "would the middle do?")
    variants["matched"] = Said({"control": "matched", "to": "crop"}, "would a network as cheap as the crop do?")
    if boxed:
        variants["oracle"] = Said({"control": "oracle", "size": size}, "the true box: the most that a crop could give")
    return variants


def _habits(task: Task, looked_at: int) -> dict[str, Said]:
    """What made crops find the object in docs/results/finding.md."""
    peaks = {}
    if task.classes and looked_at >= LEAST_FOR_CANDIDATES:
        peaks["candidates"] = Said(2, "peaks between which training lets the classifier decide")
    return peaks | {
        "jitter": Said(0.1, "training reads a little beside the crop, so that its place may be learned"),
        "consistency": Said(1.0, "the crop must follow the picture when that moves"),
    }


def _scale(task: Task) -> tuple[float, str, bool]:
    """Side of the crop as a fraction of an item, why, and whether every item has a box."""
    boxes = _boxes(task)
    known = boxes[~boxes.isnan().any(1)]
    if not len(known):
        return UNKNOWN_SCALE, "of the input at the start; no boxes are known: try what holds your objects", False
    sides = known[:, known.shape[1] // 2 :].amax(1)
    most = float(sides.double().quantile(0.95))
    scale = min(1.0, max(0.1, math.ceil(20 * most - 1e-6) / 20))
    return scale, f"of the input at the start; 95 % of the {len(known):,} boxes fit", len(known) == len(boxes)


def _boxes(task: Task) -> Tensor:
    """(N, 2 d), those of all items, NaN where there is none."""
    unknown = torch.full((1, 2 * (1 if task.is_sequence else 2)), torch.nan)
    return torch.cat([unknown.expand(len(s), -1) if s.boxes is None else s.boxes for s in task.splits().values()])


def _head(data: Path, out: Path, found: Found, trials: int, expected: Estimate, jobs: int) -> str:
    minutes = max(1, round(expected.seconds / 60))
    lines = (
        f"Is a learned crop worth it for {data}? Written by `cropworth init`, which took it for {found.what}:",
        f"{found.why}.",
        f"{trials} trainings, about {minutes:,} minute{'s' * (minutes != 1)} where this was written, {jobs} at a time.",
        "",
        f"  cropworth check {out.name}                # all that is wrong with it, at once",
        f"  cropworth study {out.name} --out study    # the verdict",
        "",
        "docs/plan.md says what every key means. The prices at the end are examples: put in your own.",
    )
    return "".join(
        f"# {' '.join(line.split()) if not line.startswith(' ') else line}".rstrip() + "\n" for line in lines
    )
