"""What does a learned crop cost in a whole model? A training step, inference and memory, with the crop and without.

    python benchmarks/end_to_end.py --out benchmarks/results/end_to_end.json
    python benchmarks/kernels_page.py

The baseline is torchvision's resnet18 on the whole input. The others look at 64 pixels, crop the input at its full
resolution, antialiased or not, and give the crop to the same resnet18; one of them by torch's own sampler. Ten minutes
of two cores; docs/results/kernels.md is its result.

All models are timed in turn, each once a round in an order drawn anew. The share of the crop is taken within each step:
`sample` is timed where it is called, and its gradient from the moment that autograd knows the crop's gradient to the
moment that it knows theta's, between which it does nothing else. Memory is the most that is resident in a process that
does nothing but a step, or a prediction: Python, torch, the model, a batch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from crop_op import provenance
from crop_summary import compared, rounded
from torch import Tensor, nn
from torchvision.models import resnet18

from cropworth import HeatmapLocalizer, SpatialTransformer, Zoom
from cropworth.crops import spatial
from cropworth.crops.kernels import choice
from cropworth.measure.environment import available_cores
from cropworth.measure.memory import peak_bytes, reset_peak
from cropworth.measure.time import interleaved

INPUTS = {224: 96, 512: 160, 1024: 224}  # and the crop's side, pixels
LOOK, CLASSES, LR = 64, 10, 0.01
TRAINING_BATCH, BATCHES = 8, (1, 32)
BASELINE, CROP, SMOOTH, BY_TORCH = "whole input", "crop", "crop, antialiased", "crop by torch's sampler"
MODELS = (BASELINE, CROP, SMOOTH, BY_TORCH)
MOST_ROUNDS = 100


def build(name: str, side: int) -> nn.Module:
    """A model for inputs of `side` pixels."""
    torch.manual_seed(0)
    backbone: nn.Module = resnet18(weights=None, num_classes=CLASSES)
    if name == BASELINE:
        return backbone
    zoom = Zoom((0.5, 0.5, 0.4, 0.4))
    localizer, crop = HeatmapLocalizer(3, zoom.parameters_needed), INPUTS[side]
    look = (LOOK, LOOK)
    return nn.Sequential(
        SpatialTransformer(localizer, zoom, (crop, crop), look_size=look, antialias=name == SMOOTH), backbone
    )


def kernels(name: str) -> AbstractContextManager[object]:
    """Where the model takes torch's sampler."""
    return choice.plain_torch() if name == BY_TORCH else nullcontext()


@dataclass
class Spent:
    """Seconds that the crop has taken, of its forward and its backward pass, in all calls so far."""

    forward_s: float = 0.0
    backward_s: float = 0.0


@contextmanager
def watched() -> Iterator[Spent]:
    """Time every crop that a spatial transformer takes, and its gradient."""
    spent, sample = Spent(), spatial.sample  # type: ignore[attr-defined]

    def timed(images: Tensor, theta: Tensor, *others: Any, **options: Any) -> Tensor:
        start = time.perf_counter()
        crop = sample(images, theta, *others, **options)
        spent.forward_s += time.perf_counter() - start
        if crop.requires_grad:
            began: list[float] = []
            crop.register_hook(lambda _: began.append(time.perf_counter()))

            def ended(_: Tensor) -> None:
                spent.backward_s += time.perf_counter() - began.pop()

            theta.register_hook(ended)
        return crop

    spatial.sample = timed  # type: ignore[assignment, attr-defined]
    try:
        yield spent
    finally:
        spatial.sample = sample  # type: ignore[attr-defined]


def training_step(name: str, side: int) -> Callable[[], object]:
    """Forward, backward and a step of SGD on one batch."""
    model = build(name, side).train()
    optimizer = torch.optim.SGD(model.parameters(), LR, momentum=0.9)
    images, labels = torch.rand(TRAINING_BATCH, 3, side, side), torch.arange(TRAINING_BATCH) % CLASSES

    def step() -> None:
        with kernels(name):
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()

    return step


def prediction(name: str, side: int, batch: int) -> Callable[[], object]:
    """Inference of one batch."""
    model, images = build(name, side).eval(), torch.rand(batch, 3, side, side)

    def predict() -> None:
        with torch.inference_mode(), kernels(name):
            model(images)

    return predict


def call_of(name: str, side: int, batch: int | None) -> Callable[[], object]:
    """A training step, or inference of a batch."""
    return training_step(name, side) if batch is None else prediction(name, side, batch)


def share(call: Callable[[], object], rounds: int) -> dict[str, float]:
    """Of the whole, that of the crop's forward pass and of its backward pass: medians."""
    forward, backward = [], []
    for _ in range(rounds):
        with watched() as spent:
            start = time.perf_counter()
            call()
            whole = time.perf_counter() - start
        forward.append(spent.forward_s / whole)
        backward.append(spent.backward_s / whole)
    both = [f + b for f, b in zip(forward, backward, strict=True)]
    return {"forward": median(forward), "backward": median(backward), "both": median(both)}


def timed(calls: dict[str, Callable[[], object]], seconds: float, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, round by round, after one that is not counted: as many rounds as the seconds allow."""
    trial = interleaved(calls, rounds=1, warmup=0)
    fitting = int(seconds / sum(sum(times) for times in trial.values()))
    return interleaved(calls, rounds=max(rounds, min(fitting, MOST_ROUNDS)), warmup=0)


def peak(name: str, side: int, batch: int | None, threads: int) -> int | None:
    """Most bytes resident in a call, in this process."""
    torch.set_num_threads(threads)
    call = call_of(name, side, batch)
    reset_peak()
    call()
    return peak_bytes()


def peak_in_own_process(*arguments: Any) -> int | None:
    """Of a process that does nothing else."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        return process.submit(peak, *arguments).result()


def cell_of(side: int, batch: int | None, models: Sequence[str], seconds: float, rounds: int) -> dict[str, Any]:
    """Times, shares and memory of one input size: of a training step (no batch), or of inference."""
    calls = {name: call_of(name, side, batch) for name in models}
    times = timed(calls, seconds, rounds)
    rows = compared(times, {BASELINE: BASELINE, BY_TORCH: BY_TORCH})
    for name, row in rows.items():
        row["share"] = None if name == BASELINE else share(calls[name], 3 * rounds)
    return {
        "input": side, "crop": INPUTS[side], "what": "training step" if batch is None else "inference",
        "batch": TRAINING_BATCH if batch is None else batch, "rounds": len(times[BASELINE]), "rows": rows,
    }  # fmt: skip


def main() -> None:
    """Measure all input sizes and write them."""
    parser = argparse.ArgumentParser(description="What does a learned crop cost in a whole model?")
    parser.add_argument("--out", type=Path, required=True, help="the measurements, as JSON")
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--seconds", type=float, default=25.0, help="for each input size and batch")
    parser.add_argument("--rounds", type=int, default=3, help="at least, of each; thrice of the share")
    parser.add_argument("--inputs", type=int, nargs="+", choices=INPUTS, default=list(INPUTS))
    parser.add_argument("--quick", action="store_true", help="small inputs at batch 1, few rounds: does it run?")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    batches: tuple[int, ...] = BATCHES
    sides, seconds, rounds = arguments.inputs, arguments.seconds, arguments.rounds
    if arguments.quick:
        sides, batches, seconds, rounds = [min(INPUTS)], (1,), 0.0, 2
    found: dict[str, Any] = {"provenance": provenance("cpu"), "look": LOOK, "cells": []}
    start = time.perf_counter()
    for side in sides:
        for batch in (None, *batches):
            cell = cell_of(side, batch, MODELS, seconds, rounds)
            if batch in (None, max(batches)):
                for name in (BASELINE, CROP, SMOOTH):
                    most = peak_in_own_process(name, side, batch, arguments.threads)
                    cell["rows"][name]["peak_bytes"] = most
            found["cells"].append(cell)
            told = ", ".join(f"{name} {row['median_s']:.3f} s" for name, row in cell["rows"].items())
            now = time.perf_counter() - start
            print(f"{now:6.0f} s  {side} px, {cell['what']} of {cell['batch']}: {told}", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(rounded(found), indent=1) + "\n")


if __name__ == "__main__":
    main()
