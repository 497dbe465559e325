"""What does a crop cost? `sample` against torch, kornia, torchvision, OpenCV and Pillow, forward and backward.

    pip install kornia opencv-python-headless memray
    python benchmarks/crop_op.py --out benchmarks/results/crop_op.json
    python benchmarks/kernels_page.py

Whatever of these packages is missing is left out. Ten minutes of two cores; docs/results/kernels.md is its result.

The first crops of each case are compared with the definition in float64 before they are timed. All are then timed in
turn, each once a round in an order drawn anew, as many rounds as the time given allows; they are compared round by
round. A crop with gradients is the crop and `torch.autograd.grad` of it with a gradient laid ready. What is timed is
warm: compiled, and after two calls that are not counted. The results are let go within the time. The process keeps
memory that was let go (glibc's thresholds are set so), as a loop that makes the same crop again and again does by
itself: where contestants take turns, fetching memory from the system would cost all of them more than small crops do.
`copy` is the limit: torch's own copy, into memory laid ready, of half the bytes that the crop must move, for it moves
each twice.

Extra memory is the most that was allocated at any time during a call, beyond the crop and the gradients that it gives
back, by memray, which sees what torch, NumPy, Numba, OpenCV and Pillow allocate, to the byte; on a GPU by torch. On a
GPU, ten calls are timed together, and then waited for.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from crop_cases import BOTH, FORWARD, PASSES, Case
from crop_contestants import Contestant, Ready, contestants
from crop_summary import (
    BASELINE,
    COMPILED,
    COPY,
    OURS,
    OURS_SMOOTH,
    TORCH,
    TORCH_REPEATED,
    compared,
    fastest_of,
    rounded,
    summary,
)
from torch import Tensor

from cropworth.measure.environment import available_cores, describe_environment
from cropworth.measure.time import interleaved

SHAPES = (
    ((64, 1, 96, 96), (96, 96), 1),
    ((64, 64, 28, 28), (14, 14), 1),
    ((64, 3, 224, 224), (96, 96), 1),
    ((32, 3, 512, 512), (128, 128), 1),
    ((8, 3, 1024, 1024), (224, 224), 1),
    ((1, 3, 2048, 2048), (224, 224), 1),
    ((8, 3, 512, 512), (128, 128), 8),
)
CASES = (
    *(Case(shape, size, pose, crops) for shape, size, crops in SHAPES for pose in ("zoom", "turned")),
    Case((32, 3, 512, 512), (128, 128), "whole"),
    Case((64, 8, 4096), (256,), "zoom"),
)
QUICK = (CASES[0], CASES[2], CASES[-1])
VERSIONS = ("kornia", "opencv-python-headless", "pillow", "torchvision", "numba", "triton", "memray")
MOST_ROUNDS, GPU_CALLS = 500, 10
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**33)}
# Whose memory is also taken of turned crops, which for the others are no different.
TURNED_MEMORY = (OURS, TORCH, TORCH_REPEATED)
# The first crop and gradient of each kind in a process, seconds.
FIRST = """
import json, time, torch
from cropworth.crops.sampling import sample
images = torch.rand(8, 3, 128, 128, requires_grad=True)
found = {}
for name, turn, antialias in (("zoom", 0.0, False), ("zoom, antialiased", 0.0, True), ("turned", 0.2, False)):
    theta = torch.tensor([[0.5, -turn, 0.1], [turn, 0.5, 0.0]]).repeat(8, 1, 1).requires_grad_()
    times = [time.perf_counter()]
    crop = sample(images, theta, (32, 32), antialias=antialias)
    times.append(time.perf_counter())
    crop.sum().backward()
    times.append(time.perf_counter())
    found[name] = [after - before for before, after in zip(times, times[1:])]
print(json.dumps(found))
"""

Call = Callable[[], tuple[Tensor, ...]]


def call_of(ready: Ready, passed: str) -> Call:
    """What is timed: a crop, or a crop and its gradients."""
    if passed == FORWARD:

        def forward() -> tuple[Tensor, ...]:
            with torch.no_grad():
                found: Tensor = ready.crop(ready.images, ready.places)
            return (found,)

        return forward
    images = ready.images.detach().requires_grad_(passed == BOTH)
    places = ready.places.detach().requires_grad_(ready.learns_places)
    wanted = [leaf for leaf in (places, images) if leaf.requires_grad]
    gradient = torch.rand_like(ready.crop(images, places))

    def backward() -> tuple[Tensor, ...]:
        found = ready.crop(images, places)
        return (found, *torch.autograd.grad(found, wanted, gradient))

    backward()  # a compiler compiles, or fails
    return backward


def copy_of(count: int, device: str) -> Call:
    """A copy that moves so many bytes: it reads half of them and writes as many."""
    source = torch.rand(max(1, count // 8), device=device)
    target = torch.rand_like(source)
    return lambda: (target.copy_(source),)


def timed(calls: Mapping[str, Call], device: str, seconds: float, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, round by round: at least so many rounds, and as many as the seconds allow."""
    repeats = GPU_CALLS if device == "cuda" else 1

    def several(call: Call) -> Callable[[], None]:
        def run() -> None:
            for _ in range(repeats):
                call()
            torch.cuda.synchronize()

        return run

    done: dict[str, Callable[[], object]] = {n: several(c) if device == "cuda" else c for n, c in calls.items()}
    trial = interleaved(done, rounds=1, warmup=2)
    fitting = int(seconds / sum(sum(times) for times in trial.values()))
    times = interleaved(done, rounds=max(rounds, min(fitting, MOST_ROUNDS)), warmup=0)
    return {name: [one / repeats for one in found] for name, found in times.items()}


def extra_bytes(call: Call, device: str) -> int | None:
    """Most memory beyond what the call gives back; None without memray."""
    call()
    if device == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        found = call()
        most = torch.cuda.max_memory_allocated() - before
    elif find_spec("memray"):
        import memray

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "allocated"
            with memray.Tracker(path):
                found = call()
            most = memray.FileReader(path).metadata.peak_memory
    else:
        return None
    return max(0, most - sum(_bytes(one) for one in found))


def _bytes(found: Any) -> int:
    if isinstance(found, list):  # OpenCV's arrays or Pillow's images of four bytes a pixel
        return sum(_bytes(one) for one in found)
    return int(found.nbytes) if hasattr(found, "nbytes") else 4 * found.width * found.height


def prepared(case: Case, contestant: Contestant, device: str) -> tuple[Ready | None, dict[str, Any]]:
    """The contestant with its crop compared: how far it is off; or, without it, why it cannot."""
    images, theta = case.images().to(device), case.theta().to(device)
    try:
        ready = contestant.ready(case, images, theta)
        if ready is None:
            return None, {}
        largest, mean = contestant.difference(case, ready)
    except Exception as error:  # a compiler may be missing, a library may not take so many channels
        return None, {"failed": _in_a_line(error)}
    found = {"largest": largest, "mean": mean, "tolerance": contestant.tolerance}
    if not mean <= contestant.tolerance:
        return None, {**found, "failed": "it is another crop"}
    return ready, found


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def cells_of(
    case: Case, device: str, seconds: float, rounds: int, known: list[Contestant]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The checks of a case's crops, and what each of its passes took."""
    checks, able = {}, {}
    for contestant in known:
        ready, check = prepared(case, contestant, device)
        if check:
            checks[contestant.name] = check
        if ready is not None:
            able[contestant] = ready
    cells = []
    for passed in PASSES:
        calls, failed = {}, {}
        for contestant, ready in able.items():
            if passed in contestant.passes:
                try:
                    calls[contestant.name] = call_of(ready, passed)
                except Exception as error:  # of a compiler
                    failed[contestant.name] = _in_a_line(error)
        calls[COPY] = copy_of(case.moved(passed), device)
        times = timed(calls, device, seconds, rounds)
        fastest = fastest_of((TORCH, TORCH_REPEATED), times)
        rows = compared(times, {OURS: OURS, OURS_SMOOTH: OURS_SMOOTH, COPY: COPY, BASELINE: fastest})
        for name, row in rows.items():
            seen = name != COPY and (case.pose != "turned" or name in TURNED_MEMORY)
            row["extra_bytes"] = extra_bytes(calls[name], device) if seen else None
            antialiased = any(c.name == name and c.antialiased for c in able)
            row["moved_bytes"] = case.moved(passed, antialiased)
        about = {"case": str(case), "shape": case.shape, "size": case.size, "crops": case.crops, "pose": case.pose}
        rounds_done = {"pass": passed, "rounds": len(times[COPY]), BASELINE: fastest}
        cells.append({**about, **rounds_done, "rows": rows, "failed": failed})
    return checks, cells


def first_calls() -> dict[str, dict[str, list[float]]]:
    """Seconds of the first crop, and of its gradients, in a new process, by kind; without Numba's cache and with it."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        for name in ("nothing compiled yet", "compiled before"):
            command = [sys.executable, "-W", "ignore", "-c", FIRST]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            found[name] = json.loads(done.stdout)
    return found


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def provenance(device: str) -> dict[str, Any]:
    """On what it was measured."""
    return {
        **describe_environment(),
        **{package: _version(package) for package in VERSIONS},
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "load before": round(os.getloadavg()[0], 2),
    }


def keep_memory() -> None:
    """Start this process again with glibc's thresholds set: they are read at its start."""
    if not KEPT.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **KEPT})


def set_threads(threads: int) -> None:
    """Of torch, and of OpenCV where it is."""
    torch.set_num_threads(threads)
    if find_spec("cv2"):
        import cv2

        cv2.setNumThreads(threads)


def main() -> None:
    """Measure all cases and write them."""
    parser = argparse.ArgumentParser(description="What does a crop cost?")
    parser.add_argument("--out", type=Path, required=True, help="the measurements, as JSON")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--seconds", type=float, default=4.0, help="for each case and pass")
    parser.add_argument("--rounds", type=int, default=11, help="at least, of each case and pass")
    parser.add_argument("--quick", action="store_true", help="three small cases, few rounds, no compiler: does it run?")
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    seconds, rounds = (0.1, 3) if arguments.quick else (arguments.seconds, arguments.rounds)
    found: dict[str, Any] = {"provenance": provenance(arguments.device)}
    found["first_calls"] = first_calls() if arguments.device == "cpu" else None
    checks, cells = {}, []
    start = time.perf_counter()
    known = contestants(arguments.device)
    if arguments.quick:
        known = [contestant for contestant in known if contestant.name != COMPILED]
    for case in QUICK if arguments.quick else CASES:
        checks[str(case)], measured = cells_of(case, arguments.device, seconds, rounds, known)
        cells += measured
        for cell in measured:
            ratio = 1 / cell["rows"][OURS]["over"][BASELINE]
            now = time.perf_counter() - start
            print(f"{now:6.0f} s  {cell['case']}, {cell['pass']}: torch / cropworth {ratio:.2f}", flush=True)
    notes = {c.name: {"note": c.note, "antialiased": c.antialiased} for c in known}
    found |= {"contestants": notes, "checks": checks, "cells": cells, "summary": summary(cells)}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(rounded(found), indent=1) + "\n")


if __name__ == "__main__":
    keep_memory()
    warnings.filterwarnings("ignore", module=r"torch\._inductor.*")
    main()
