"""One row a variant: its records, averaged over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

import numpy as np

from cropworth.study.record import Record, Study, trials_beside
from cropworth.worth.results import Row


def row_of(study: Study, name: str, records: Sequence[Record]) -> Row:
    """Summarise one variant's records at one training-set size (at least one)."""
    accuracies = [r.accuracy for r in records if r.accuracy is not None]
    accuracy = fmean(accuracies) if accuracies else None
    errors = [r.mean_error for r in records if r.mean_error is not None]
    memory = [r.peak_memory_bytes for r in records if r.peak_memory_bytes is not None]
    overlaps = [r.median_iou for r in records if r.median_iou is not None]
    waiting = [r.waiting_share for r in records if r.waiting_share is not None]
    times = study.latency.seconds_per_item.get(name) if study.latency is not None else None
    return Row(
        name=name,
        kind=study.kinds[name],
        trials=len(records),
        diverged=sum(r.status == "diverged" for r in records),
        collapsed=sum(r.status == "collapsed" for r in records),
        accuracy=accuracy,
        errors_per_thousand=None if accuracy is None else 1000 * (1 - accuracy),
        mean_error=fmean(errors) if errors else None,
        training_s=fmean(r.training_wall_s for r in records),
        training_cpu_s=fmean(r.training_cpu_s for r in records),
        trials_beside=fmean(trials_beside(r, study.records) for r in records),
        waiting_share=fmean(waiting) if waiting else None,
        latency_s=float(np.median(times)) if times else None,
        latency_p90_s=float(np.quantile(times, 0.9)) if times else None,
        flops_per_item=records[0].flops_per_item,
        parameters=records[0].parameters,
        peak_memory_bytes=round(median(memory)) if memory else None,
        median_iou=fmean(overlaps) if overlaps else None,
    )
