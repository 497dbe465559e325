"""Does a glance pay? Small copy first, a crop at full resolution where that was not enough, against the whole input.

`GlanceAndCrop` with one crop, and the whole input read by the same backbone, on cluttered digits of 96 pixels; the
threshold is chosen on validation, accuracy and time are measured on the test items. A quarter of an hour of one core:

    python benchmarks/glance.py --out glance

It writes ``glance/glance.md``; docs/results/glance.md is its result.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean, median

import torch
import torch.nn.functional as F
from finding import provenance
from torch import Tensor, nn

from cropworth import GlanceAndCrop, HeatmapLocalizer, Zoom, calibrate, consistency, scale_prior, stage_loss
from cropworth.data.config import DigitsCluttered
from cropworth.data.images.cluttered import ClutteredDigits
from cropworth.data.task import Split, Task
from cropworth.measure.time import interleaved
from cropworth.models.small import SmallConvNet
from cropworth.study.train import batches

CANVAS, CLUTTER, LOOK, CROP = 96, 12, 48, 32
SCALE = 28 / CANVAS  # of a digit
BATCH, LR = 32, 3e-3


def glance_and_crop() -> GlanceAndCrop:
    """The glance reads the half-size copy; its first convolutions also say where to look."""
    zoom = Zoom((0.5, 0.5, SCALE, SCALE))
    convolutions = HeatmapLocalizer(1, zoom.parameters_needed).features  # (B, 16, 24, 24) from 48 x 48
    head = SmallConvNet(16, 10, pool="max")
    localizer = HeatmapLocalizer(16, zoom.parameters_needed, features=nn.Identity())
    model = GlanceAndCrop(convolutions, head, localizer, [zoom], SmallConvNet(1, 10), (CROP, CROP), (LOOK, LOOK))
    return model.to(memory_format=torch.channels_last)


def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Of every stage, with the penalties that keep the crop on the object; or of the whole input's one."""
    if isinstance(model, GlanceAndCrop):
        where = model.locate(images)
        penalties = consistency(model, model.look(images), where) + 0.3 * scale_prior(where, SCALE)
        return stage_loss(model.stages(images), labels) + penalties
    return F.cross_entropy(model(images), labels)


def train(model: nn.Module, task: Task, size: int, epochs: int, seed: int) -> None:
    """AdamW with a one-cycle schedule on canvases drawn afresh every epoch."""
    steps = size // BATCH
    optimizer = torch.optim.AdamW(model.parameters(), LR)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=epochs * steps)
    model.train()
    for epoch in range(epochs):
        items = task.training_epoch(size, seed, epoch).take(slice(0, steps * BATCH))
        for batch in batches(items, BATCH):
            optimizer.zero_grad()
            loss(model, batch.inputs, batch.labels).backward()
            optimizer.step()
            schedule.step()
    model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, items: Split) -> float:
    """Of the answers as they are used, with early stops."""
    right = [int((model(batch.inputs).argmax(1) == batch.labels).sum()) for batch in batches(items, 250)]
    return sum(right) / len(items)


@torch.no_grad()
def stages(model: GlanceAndCrop, items: Split) -> Tensor:
    """The logits after every stage of all items (N, S, classes)."""
    return torch.cat([model.stages(batch.inputs) for batch in batches(items, 250)])


def main() -> None:
    """Train, calibrate, measure, write."""
    parser = argparse.ArgumentParser(description="Does a glance pay?")
    parser.add_argument("--out", type=Path, required=True, help="folder of glance.md")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--digits", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    task = ClutteredDigits(DigitsCluttered(task="digits-cluttered", canvas=CANVAS, clutter=CLUTTER))
    images = next(batches(task.test, 256)).inputs
    lines = [
        "# Does a glance pay?",
        "",
        "Accuracy of the whole input read by the backbone, of the glance with its crop, of the glance alone, and of",
        "the glance that takes the crop only where it is not sure; how many crops it takes, its time over the whole's.",
        "",
        "| seed | whole input, % | all stages, % | glance, % | with early stops, % | crops an item | time ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for seed in range(arguments.seeds):
        torch.manual_seed(seed)
        whole, glance = SmallConvNet(1, 10).to(memory_format=torch.channels_last), glance_and_crop()
        for model in (whole, glance):
            train(model, task, arguments.digits, arguments.epochs, seed)
        glance.threshold = calibrate(stages(glance, task.validation), task.validation.labels)
        per_stage = (stages(glance, task.test).argmax(-1) == task.test.labels[:, None]).double().mean(0)
        with torch.no_grad():
            taken = fmean(float(glance.stop_early(batch.inputs)[1].sum()) for batch in batches(task.test, 250)) / 250
            times = interleaved({"whole": lambda m=whole: m(images), "glance": lambda m=glance: m(images)}, rounds=30)
        ratio = median(g / w for g, w in zip(times["glance"], times["whole"], strict=True))
        cells = [accuracy(whole, task.test), per_stage[-1].item(), per_stage[0].item(), accuracy(glance, task.test)]
        percents = [f"{100 * cell:.1f}" for cell in cells]
        lines.append(f"| {' | '.join([str(seed), *percents, f'{taken:.2f}', f'{ratio:.2f}'])} |")
        print(lines[-1], flush=True)
    settings = f"{arguments.digits:,} digits, {arguments.epochs} epochs, canvases of {CANVAS} px with {CLUTTER} pieces"
    (arguments.out / "glance.md").write_text("\n".join([*lines, "", f"{settings}. {provenance()}."]) + "\n")


if __name__ == "__main__":
    main()
