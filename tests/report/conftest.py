"""A study with everything in it, and its appraisal."""

from __future__ import annotations

import numpy as np
import pytest

from cropworth.study.record import Study
from cropworth.worth.results import Appraisal, Interval, SizeAppraisal
from factories import make_study
from report.appraisals import (
    CROPPING,
    KINDS,
    LATENCY,
    canvases,
    full_record,
    make_appraisal,
    make_candidate,
    make_row,
    with_album,
)


@pytest.fixture(scope="session")
def full_study() -> Study:
    """7 variants, 3 sizes, 6 seeds, pictures; one variant diverges with one seed."""
    records = [full_record(v, seed, size) for size in (1000, 2000, 4000) for seed in range(6) for v in KINDS]
    latency = {
        name: tuple(seconds * (1 + 0.01 * i) for i in range(5)) for name, seconds in zip(KINDS, LATENCY, strict=True)
    }
    return with_album(make_study(records, kinds=KINDS, latency=latency), canvases(1000, 64), 32)


@pytest.fixture(scope="session")
def full_appraisal(full_study: Study) -> Appraisal:
    verdicts = {"heatmap-zoom": "adopt", "small": "equivalent", "centre": "don't", "oracle": None}
    sizes = []
    for size in full_study.train_sizes:
        rows, candidates = [], []
        for (name, kind), latency in zip(KINDS.items(), LATENCY, strict=True):
            found = [r.accuracy for r in full_study.of(name, size) if r.accuracy is not None]
            mean = float(np.mean(found))
            failed = {"diverged": 6 - len(found)}
            iou = 0.71 if name in CROPPING else None
            rows.append(
                make_row(
                    name, kind, accuracy=mean, errors_per_thousand=1000 * (1 - mean), latency_s=latency,
                    latency_p90_s=latency * 1.1, median_iou=iou, **failed,
                )
            )  # fmt: skip
            if kind != "baseline":
                verdict = verdicts.get(name, "not enough evidence")
                worth = Interval(1e6 * (mean - 0.9), 1e6 * (mean - 0.92), 1e6 * (mean - 0.88))
                candidates.append(make_candidate(name, kind, verdict=verdict, npv=worth))
        sizes.append(SizeAppraisal(size, tuple(rows), tuple(candidates)))
    return make_appraisal(tuple(sizes), test_items=1000)
