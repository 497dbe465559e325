"""How fast does the report's page appraise at other prices, and how close to Python?

Moves the sliders of a page about seven candidates in headless Chromium, once with all prices known and once with three
guesses, and times each move from the input event to the page rewritten. Then sets random prices and compares what the
page finds with what `appraise` finds. A few minutes:

    python benchmarks/what_if.py --out what-if.md

docs/results/what-if.md is its result.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from finding import provenance
from playwright.sync_api import Page, sync_playwright

from cropworth import appraise, read_economics, read_predictions
from cropworth.report.html import write_report
from cropworth.study.record import Study
from cropworth.worth.as_json import to_json

CANDIDATES, SEEDS, ITEMS = 7, 5, 2000
KNOWN: dict[str, Any] = {
    "predictions_per_year": 5e6, "cost_per_error": 0.05, "compute_price_per_hour": 0.4, "retrainings_per_year": 4,
    "engineering": {"once": 15_000, "per_year": 3000}, "discount_rate": 0.08, "growth": 0.1,
}  # fmt: skip
GUESSED: dict[str, Any] = {
    **KNOWN,
    "predictions_per_year": {"low": 1e6, "mode": 5e6, "high": 9e6},
    "cost_per_error": {"low": 0.01, "mode": 0.05, "high": 0.2},
    "growth": {"low": 0, "mode": 0.1, "high": 0.3},
}
PRICES = {"known prices": KNOWN, "three guesses": GUESSED}
MOVED = ("predictions_per_year", "cost_per_error", "compute_price_per_hour", "engineering.once", "discount_rate")
COMPARED = (
    "npv", "npv_together", "roi", "payback_years", "discounted_payback_years", "break_even_predictions_per_year",
    "break_even_error_price", "break_even_compute_price", "investment", "cash_flow_per_year", "outlook",
)  # fmt: skip
OUTLOOK = ("probability_worth_it", "quantiles", "acceptability", "tornado", "perfect_information")
# Milliseconds from the event that a slider sends to the page rewritten, one move after the other.
TIME = """async ([paths, moves]) => {
  const sliders = paths.map((path) => document.querySelector(`[data-path="${path}"] [type=range]`));
  const times = [];
  for (let move = 0; move < moves; move++) {
    const slider = sliders[move % sliders.length];
    const [min, max, step] = [slider.min, slider.max, slider.step].map(Number);
    slider.value = min + step * ((move * 37) % Math.round((max - min) / step));
    const rewritten = new Promise((done) =>
      document.addEventListener("appraised", () => done(performance.now()), { once: true }));
    const start = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    times.push(await rewritten - start);
  }
  return times;
}"""
# What the page finds at the prices of a link.
FIND = """(fragment) => new Promise((done) => {
  document.addEventListener("appraised", (event) => done(event.detail.result), { once: true });
  location.hash = fragment;
})"""


def study_of(folder: Path) -> Study:
    """A baseline and seven candidates, a little better each, from files of predictions."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, ITEMS)
    names = ["baseline", *(f"candidate {i}" for i in range(1, CANDIDATES + 1))]
    rows, costs = [], []
    for place, name in enumerate(names):
        for seed in range(SEEDS):
            right = rng.random(ITEMS) < 0.9 + 0.003 * place
            predicted = np.where(right, truth, (truth + 1) % 10)
            rows.append(
                pd.DataFrame(
                    {"variant": name, "seed": seed, "item": range(ITEMS), "y_true": truth, "y_pred": predicted}
                )
            )
            latency = 0.002 * (1 - 0.05 * place) * (1 + 0.05 * rng.random())
            costs.append({"variant": name, "seed": seed, "train_s": 600 + 60 * rng.random(), "latency_s": latency})
    pd.concat(rows).to_csv(folder / "predictions.csv", index=False)
    pd.DataFrame(costs).to_csv(folder / "costs.csv", index=False)
    return read_predictions(folder / "predictions.csv", folder / "costs.csv", "baseline", numbers=False)


@contextmanager
def opened(path: Path) -> Iterator[Page]:
    """The page in headless Chromium, all of its scripts ready."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(path.as_uri(), wait_until="load")
        page.locator("#chart-npv").scroll_into_view_if_needed()  # plotly is unpacked when a chart comes near
        page.wait_for_selector("#chart-npv .main-svg")
        page.locator("#your-prices").scroll_into_view_if_needed()  # where a reader is who moves a price
        yield page
        browser.close()


def random_settings(rng: np.random.Generator, guessed: bool) -> tuple[str, list[str]]:
    """A link's fragment and the same prices for `read_economics`: a tenth to ten times, and other rates and years."""
    parts, settings = [], []
    for path in MOVED:
        factor = float(10 ** rng.uniform(-1, 1))
        root, _, key = path.partition(".")
        own = (GUESSED if guessed else KNOWN)[root]
        if isinstance(own, dict) and not key:
            parts.append(f"{path}:x{factor!r}")
            settings.append(f"economics.{path}={ {end: price * factor for end, price in own.items()} }")
        else:
            value = float(own[key] if key else own) * factor
            parts.append(f"{path}:{value!r}")
            settings.append(f"economics.{path}={value!r}")
    years = int(rng.integers(1, 11))
    return f"#p={','.join([*parts, f'horizon_years:{years}'])}", [*settings, f"economics.horizon_years={years}"]


def numbers(found: Any) -> Iterator[float | None]:
    """All numbers of plain data, in order; None where something is undefined."""
    if isinstance(found, dict):
        for key in sorted(found):
            yield from numbers(found[key])
    elif isinstance(found, list):
        for inner in found:
            yield from numbers(inner)
    elif found is None or (isinstance(found, int | float) and not isinstance(found, bool)):
        yield found


def difference(page: dict[str, Any], python: dict[str, Any]) -> float:
    """The largest relative difference of what both say of a candidate; infinite where only one says something."""
    largest = 0.0
    for key in COMPARED:
        mine, own = page[key], python[key]
        if key == "outlook":
            common = [name for name in OUTLOOK if name in mine]
            mine, own = ([one[name] for name in common] for one in (mine, own))
        for a, b in zip(numbers(mine), numbers(own), strict=True):
            if (a is None) != (b is None):
                return float("inf")
            if a is not None and b is not None and a != b:
                largest = max(largest, abs(a - b) / max(abs(a), abs(b)))
    return largest


@dataclass(frozen=True)
class Row:
    """One page.

    Attributes:
        prices: what is known of them.
        first: milliseconds of the first move, when the browser has not compiled the script yet.
        times: of the others.
        differences: largest relative difference at each of the random settings.
    """

    prices: str
    first: float
    times: list[float]
    differences: list[float]


def row_of(study: Study, prices: str, folder: Path, moves: int, settings: int) -> Row:
    """Time the moves, then compare."""
    own = PRICES[prices]
    economics = read_economics(own)
    path = folder / f"{prices}.html"
    write_report(study, appraise(study, economics), economics, path)
    rng = np.random.default_rng(1)
    with opened(path) as page:
        first, *times = page.evaluate(TIME, [MOVED, moves + 1])
        differences = []
        for _ in range(settings):
            fragment, changes = random_settings(rng, guessed=own is GUESSED)
            mine = page.evaluate(FIND, fragment)["candidates"]
            python = to_json(appraise(study, read_economics(own, changes)))["candidates"]
            differences.append(max(difference(mine[name], python[name]) for name in python))
    return Row(prices, first, times, differences)


def table(rows: list[Row]) -> str:
    """As Markdown."""
    lines = [
        "| prices | moves | median, ms | 95 %, ms | worst, ms | first, ms | settings | largest relative difference |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        middle, late = np.quantile(row.times, [0.5, 0.95])
        lines.append(
            f"| {row.prices} | {len(row.times)} | {middle:.0f} | {late:.0f} | {max(row.times):.0f} | {row.first:.0f} | "
            f"{len(row.differences)} | {max(row.differences):.1g} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Make the pages, move their sliders and write the table."""
    parser = argparse.ArgumentParser(description="How fast and how exact is the page at other prices?")
    parser.add_argument("--moves", type=int, default=200, help="of the sliders, after the first")
    parser.add_argument("--settings", type=int, default=50, help="of all prices at random")
    parser.add_argument("--out", type=Path, required=True, help="the table, as Markdown")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        study = study_of(Path(name))
        rows = [row_of(study, prices, Path(name), arguments.moves, arguments.settings) for prices in PRICES]
    settings = f"{CANDIDATES} candidates, {SEEDS} seeds, {ITEMS:,} items, 10,000 draws; load before: {load:.1f}"
    arguments.out.write_text(f"{table(rows)}\n\n{settings}. {provenance()}.\n")
    print(table(rows))


if __name__ == "__main__":
    main()
