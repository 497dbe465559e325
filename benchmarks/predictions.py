"""How long does `cropworth appraise --predictions` take for a million rows?

Two variants and five seeds, as many items as make up the rows: with the predicted classes, with a column of
probabilities for each of two classes, and the first as parquet. The whole command runs in a process of its own, on one
core; reading and appraising are also timed apart, in this process. A few minutes:

    python benchmarks/predictions.py --out predictions

It writes ``predictions/predictions.md``; docs/results/predictions.md is its result.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from cropworth import appraise, read_economics, read_predictions
from cropworth.measure.environment import describe_environment

VARIANTS = {"today": 0.90, "tomorrow": 0.91}  # with their accuracies
SEEDS = 5
PRICES = {"cost_per_error": 2, "predictions_per_year": 1_000_000, "compute_price_per_hour": 3}


def predictions(rows: int) -> pd.DataFrame:
    """Rows of all variants and seeds, with the columns of both kinds of file."""
    rng = np.random.default_rng(0)
    items = rows // (len(VARIANTS) * SEEDS)
    truth = rng.integers(0, 2, items)
    parts = []
    for variant, accuracy in VARIANTS.items():
        for seed in range(SEEDS):
            predicted = np.where(rng.random(items) < accuracy, truth, 1 - truth)
            sure = 0.5 + rng.random(items) / 2
            one = np.where(predicted == 1, sure, 1 - sure).round(6)
            columns = {"item": [f"item-{i}" for i in range(items)], "y_true": truth, "y_pred": predicted}
            parts.append(pd.DataFrame({"variant": variant, "seed": seed, **columns, "p_0": 1 - one, "p_1": one}))
    return pd.concat(parts)


def write_files(rows: int, folder: Path) -> dict[str, Path]:
    """The files, by what they hold; and the costs and prices beside them."""
    table = predictions(rows)
    plain, shades = table.drop(columns=["p_0", "p_1"]), table.drop(columns="y_pred")
    files = {
        "CSV, predicted classes": folder / "classes.csv",
        "CSV, two probabilities": folder / "probabilities.csv",
        "parquet, predicted classes": folder / "classes.parquet",
    }
    plain.to_csv(files["CSV, predicted classes"], index=False)
    shades.to_csv(files["CSV, two probabilities"], index=False, float_format="%.6f")
    plain.to_parquet(files["parquet, predicted classes"], index=False)
    costs = [(variant, seed, 3600, 0.01 + seed / 1e4) for variant in VARIANTS for seed in range(SEEDS)]
    pd.DataFrame(costs, columns=["variant", "seed", "train_s", "latency_s"]).to_csv(folder / "costs.csv", index=False)
    (folder / "economics.yaml").write_text("".join(f"{key}: {price}\n" for key, price in PRICES.items()))
    return files


def stages(path: Path, costs: Path) -> tuple[float, float]:
    """Seconds of reading and of appraising."""
    start = time.perf_counter()
    study = read_predictions(path, costs, "today")
    read = time.perf_counter()
    appraise(study, read_economics(PRICES))
    return read - start, time.perf_counter() - read


def command(path: Path, folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of the whole command, in a process of its own."""
    arguments: list[Any] = ["--predictions", path, "--costs", folder / "costs.csv", "--baseline", "today"]
    arguments += ["--economics", folder / "economics.yaml", "--json"]
    run = "import sys; from cropworth.cli import main; main()"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", run, "appraise", *map(str, arguments)], check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Write the files, time each of them, write the table."""
    parser = argparse.ArgumentParser(description="How long does a million predictions take?")
    parser.add_argument("--out", type=Path, required=True, help="folder of predictions.md and the files")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    busy = os.getloadavg()[0]
    files = write_files(arguments.rows, arguments.out)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lines = [
        "# How long a million predictions take",
        "",
        "`cropworth appraise --predictions FILE --costs FILE --economics FILE --json` on one core: medians of",
        f"{arguments.runs} runs, and the longest. Processor seconds tell what it takes where nothing else runs.",
        "",
        "| file | MB | reading, s | appraising, s | whole command, s | longest, s | its processor seconds |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, path in files.items():
        apart = [stages(path, arguments.out / "costs.csv") for _ in range(arguments.runs)]
        whole = [command(path, arguments.out) for _ in range(arguments.runs)]
        reading, appraising = (median(times) for times in zip(*apart, strict=True))
        wall, cpu = (median(times) for times in zip(*whole, strict=True))
        seconds = [reading, appraising, wall, max(wall for wall, _ in whole), cpu]
        cells = [name, f"{path.stat().st_size / 1e6:.0f}", *(f"{value:.1f}" for value in seconds)]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    items = arguments.rows // (len(VARIANTS) * SEEDS)
    settings = (
        f"{arguments.rows:,} rows: {len(VARIANTS)} variants, {SEEDS} seeds, {items:,} items; load before: {busy:.1f}"
    )
    environment = ", ".join(f"{key} {value}" for key, value in describe_environment().items())
    page = [*lines, "", f"{settings}. {environment}."]
    (arguments.out / "predictions.md").write_text("\n".join(page) + "\n")


if __name__ == "__main__":
    main()
