"""Does a crop in time pay? Every recipe of sequences: series, market data and texts, against what a user would pick.

The recipes stand in recipes/sequences; some need packages or a file that they name. About two hours on one processor:

    python benchmarks/sequences.py --out sequences --jobs 1

Finished trials are kept, so that it may be stopped and started again; recipes may be named to run only those. It writes
``sequences/sequences.md``; what was found is in docs/results/sequences.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import numpy as np
from finding import provenance

from cropworth.data.config import ReutersR8, Ucr
from cropworth.data.sequences.ucr import published_accuracies
from cropworth.data.texts.reuters import PUBLISHED
from cropworth.study.plan import Plan, load_plan
from cropworth.study.record import Study
from cropworth.study.run import prepare, run_study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import read_economics
from cropworth.worth.interval import two_way_interval
from cropworth.worth.results import Appraisal, Candidate, Interval
from cropworth.worth.words import money

RECIPES = Path(__file__).parents[1] / "recipes" / "sequences"


def table(study: Study, appraisal: Appraisal) -> str:
    """One recipe as Markdown: a row for each variant."""
    regression = any(row.mean_error is not None for row in appraisal.largest.rows)
    known = {c.name: c for c in appraisal.largest.candidates}
    quality = {row.name: row.mean_error if regression else row.accuracy for row in appraisal.largest.rows}
    base = next(row for row in appraisal.largest.rows if row.flops_per_item)  # not one that does not look at all
    measure = "mean error" if regression else "accuracy, %"
    titles = ["variant", f"{measure} (95 % interval)", "less baseline's (interval)", "gap closed", "span IoU"]
    titles += ["training, s", f"inference, x {base.name}", "NPV", "verdict"]
    trading = study.records[0].payoffs is not None
    titles += ["a decision brings, 1/10,000 (interval)"] * trading
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for row in appraisal.largest.rows:
        found, candidate = _quality(study, row.name), known.get(row.name)
        against = "" if candidate is None else _interval(_difference(candidate, regression), regression)
        time = "" if row.latency_s is None or not base.latency_s else f"{row.latency_s / base.latency_s:.2f}"
        worth = "" if candidate is None or candidate.npv.estimate is None else money(candidate.npv.estimate, "EUR")
        failed = f" ({row.collapsed + row.diverged} of {row.trials} failed)" if row.collapsed + row.diverged else ""
        cells = [
            row.name + failed,
            _interval(found, regression),
            against,
            _gap_closed(quality, row.name, study.baseline),
            "" if row.median_iou is None else f"{row.median_iou:.2f}",
            f"{row.training_s:.0f}",
            time,
            worth,
            "" if candidate is None else candidate.verdict or "not deployable",
        ]
        cells += [_brings(study, row.name)] if trading else []
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _quality(study: Study, variant: str) -> Interval:
    """Accuracy, or mean absolute error, with its interval over seeds and test items."""
    records = [r for r in study.of(variant, study.train_sizes[-1]) if r.wrong is not None]
    return two_way_interval(np.array([r.wrong if r.numbers is not None else 1 - r.wrong for r in records]))


def _brings(study: Study, variant: str) -> str:
    """What a decision brings on average, in ten thousandths of the amount; not to trade brings 0."""
    brought = [r.brought for r in study.of(variant, study.train_sizes[-1]) if r.brought is not None]
    found = two_way_interval(1e4 * np.array(brought))
    return f"{found.estimate:.1f} ({found.low:.1f} to {found.high:.1f})"


def _difference(candidate: Candidate, regression: bool) -> Interval:
    return candidate.error_difference if regression else candidate.accuracy_difference


def _interval(found: Interval, regression: bool) -> str:
    if found.estimate is None:
        return ""
    factor, digits = (1, 3) if regression else (100, 1)
    middle, *ends = (factor * (end or 0.0) for end in (found.estimate, found.low, found.high))
    between = "" if found.low is None else f" ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})"
    return f"{middle:.{digits}f}{between}"


def _gap_closed(quality: dict[str, float | None], variant: str, baseline: str) -> str:
    """(variant - baseline) / (oracle - baseline), where the true span is known."""
    low, high, own = quality[baseline], quality.get("oracle"), quality[variant]
    if low is None or high is None or own is None or high == low:
        return ""
    return f"{(own - low) / (high - low):.2f}"


def about(plan: Plan, study: Study, sizes: tuple[int, int, int], longest: int) -> str:
    """What was studied, in a sentence or two."""
    train, validation, test = sizes
    items = f"{train:,} / {validation:,} / {test:,} sequences to train, validate and test on, up to {longest:,} steps"
    parts = [f"{items}; {plan.study.seeds} seeds, {plan.training.epochs} epochs."]
    published = PUBLISHED if isinstance(plan.data, ReutersR8) else {}
    if isinstance(plan.data, Ucr):
        published = published_accuracies(plan.data.name)
    if published:
        listed = ", ".join(f"{name} {100 * accuracy:.1f} %" for name, accuracy in published.items())
        parts.append(f"Published: {listed}.")
    elif isinstance(plan.data, Ucr):
        parts.append("aeon ships no published accuracies of it.")
    share = max(np.unique(study.records[0].labels, return_counts=True)[1]) / len(study.records[0].labels)
    if study.classes:
        parts.append(f"Always the most frequent class: {100 * share:.1f} %.")
    return " ".join(parts)


def main() -> None:
    """Run what is missing of every recipe and write the tables."""
    parser = argparse.ArgumentParser(description="Does a crop in time pay?")
    parser.add_argument("--out", type=Path, required=True, help="folder of the studies and of the tables")
    parser.add_argument("--jobs", type=int, default=1, help="trials at once")
    parser.add_argument("recipes", nargs="*", help="names, without .yaml; all if none is given")
    arguments = parser.parse_args()
    parts = []
    for name in arguments.recipes or sorted(path.stem for path in RECIPES.glob("*.yaml")):
        plan = load_plan(RECIPES / f"{name}.yaml")
        prepared = prepare(plan, RECIPES)
        task = prepared.task
        study = run_study(prepared, arguments.out / name, arguments.jobs)
        appraisal = appraise(study, read_economics(plan.economics))
        sizes = (plan.study.train_sizes[-1], len(task.validation), len(task.test))
        failures = fmean(record.status != "ok" for record in study.records)
        found = [f"### {plan.name}", about(plan, study, sizes, task.size[0]), table(study, appraisal)]
        found += [appraisal.headline, *task.warnings[:3]]
        print("\n\n".join(found), f"\n\n{failures:.0%} of the trials failed\n", flush=True)
        parts += found
    (arguments.out / "sequences.md").write_text("\n\n".join([*parts, f"{provenance()}."]) + "\n")


if __name__ == "__main__":
    main()
