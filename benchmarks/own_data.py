"""The tables of docs/results/own-data.md: a study's variants, and when and on what its trials ran.

Of studies of the recipes in recipes/own-data that have been run:

    python benchmarks/own_data.py study-articles study-trees
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from cropworth.report.text import money_interval, percent
from cropworth.study.ledger import Ledger
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import read_economics
from cropworth.worth.results import Candidate, Interval, Row
from cropworth.worth.words import money, number

HEAD = (
    "variant", "accuracy, %", "gain, points", "median IoU", "training seconds, wall; CPU", "waiting for data",
    "inference ms an item", "verdict, net present value",
)  # fmt: skip


def table(study: Study) -> str:
    """A row for each variant at the largest training-set size, in Markdown."""
    appraisal = appraise(study, read_economics(study.economics))
    largest = appraisal.largest
    candidates = {candidate.name: candidate for candidate in largest.candidates}
    lines = [HEAD, ("---",) * len(HEAD)]
    lines += [cells(study, row, candidates.get(row.name), appraisal.currency) for row in largest.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(study: Study, row: Row, candidate: Candidate | None, currency: str) -> tuple[str, ...]:
    """Of one variant; the baseline is no candidate."""
    records = study.of(row.name, study.train_sizes[-1])
    accuracies = [100 * record.accuracy for record in records if record.accuracy is not None]
    overlaps = [record.median_iou for record in records if record.median_iou is not None]
    return (
        row.name,
        f"{fmean(accuracies):.1f} ({min(accuracies):.1f} to {max(accuracies):.1f})",
        "" if candidate is None else points(candidate.accuracy_difference),
        f"{fmean(overlaps):.2f}" if overlaps else "",
        f"{number(row.training_s)}; {number(row.training_cpu_s)}",
        percent(row.waiting_share),
        "" if row.latency_s is None else number(1000 * row.latency_s),
        "" if candidate is None else judged(candidate, currency),
    )


def points(gain: Interval) -> str:
    """A gain of accuracy in percentage points, with its interval."""
    estimate, *ends = (f"{100 * end:+.1f}" for end in (gain.estimate, gain.low, gain.high) if end is not None)
    said = f"{estimate} ({' to '.join(ends)})" if ends else estimate
    return said.replace("-", "\N{MINUS SIGN}")


def judged(candidate: Candidate, currency: str) -> str:
    """The verdict and the money; nothing of an oracle, which cannot be deployed."""
    if candidate.verdict is None:
        return ""
    return f"{candidate.verdict}, {money(candidate.npv.estimate, currency)} ({money_interval(candidate.npv, currency)})"


def provenance(study: Study) -> str:
    """When and on what the trials ran."""
    first = datetime.fromtimestamp(min(record.started_at for record in study.records), UTC)
    known = study.records[0].environment
    parts = [f"{key} {value}" for key, value in known.items() if value is not None]
    return f"{len(study.records)} trials, the first on {first:%Y-%m-%d} (UTC); {', '.join(parts)}."


def main() -> None:
    """Print the tables of the folders that are named."""
    for folder in map(Path, sys.argv[1:]):
        study = Ledger(folder).read()
        print(f"### {study.name}\n\n{table(study)}\n\n{provenance(study)}\n")


if __name__ == "__main__":
    main()
