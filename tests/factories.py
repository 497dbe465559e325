"""Studies made of chosen numbers, for the rooms that need records but no training."""

from __future__ import annotations

import numpy as np

from cropworth.study.record import Epoch, Examples, Kind, Latency, Record, Status, Study

CLASSES = ("0", "1", "2")


def make_record(
    variant: str = "baseline",
    seed: int = 0,
    train_size: int = 100,
    *,
    wrong: object = (),
    items: int = 200,
    status: Status = "ok",
    wall_s: float = 10.0,
    started_at: float = 0.0,
    with_crop: bool = False,
) -> Record:
    """A trial whose test items are read right, but for the indices in `wrong` (read as the next class)."""
    labels = np.arange(items) % len(CLASSES)
    predicted = labels.copy()
    predicted[list(wrong)] = (predicted[list(wrong)] + 1) % len(CLASSES)  # type: ignore[call-overload]
    diverged = status == "diverged"
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 255, (12, 1, 16, 16), dtype=np.uint8)
    return Record(
        trial=f"{variant}-{train_size}-{seed}",
        variant=variant,
        train_size=train_size,
        seed=seed,
        status=status,
        reason="" if status == "ok" else f"it {status}",
        parameters=1000,
        flops_per_item=2_000_000,
        training_wall_s=wall_s,
        training_cpu_s=wall_s * 0.9,
        threads=1,
        cores=2,
        started_at=started_at,
        peak_memory_bytes=50_000_000,
        curve=(Epoch(1.0, 0.9, 0.5, 1.0), Epoch(0.5, 0.6, 0.8, 1.0)),
        best_epoch=-1 if diverged else 1,
        labels=labels,
        probabilities=None if diverged else np.eye(len(CLASSES), dtype=np.float32)[predicted],
        numbers=None,
        payoffs=None,
        theta=np.tile(np.float32([[[0.5, 0, 0.1], [0, 0.5, -0.1]]]), (items, 1, 1))
        if with_crop and not diverged
        else None,
        crop_health={"blank": 0.0} if with_crop else {},
        median_iou=0.6 if with_crop else None,
        examples=None if diverged else Examples(pictures, pictures[:, :, :8, :8] if with_crop else None),
        environment={"python": "3.11", "torch": "2.15.0", "processor": "a processor", "cores": 2, "commit": None},
    )


def make_study(
    records: list[Record],
    *,
    economics: dict[str, object] | None = None,
    kinds: dict[str, Kind] | None = None,
    latency: dict[str, tuple[float, ...]] | None = None,
) -> Study:
    """A study of these records; each variant is a crop but the baseline, and all take a millisecond an item."""
    names = list(dict.fromkeys(record.variant for record in records))
    return Study(
        name="made",
        baseline="baseline",
        kinds=kinds or {name: "baseline" if name == "baseline" else "crop" for name in names},
        classes=CLASSES,
        economics=economics if economics is not None else {"cost_per_error": 1.0, "predictions_per_year": 1000},
        plan={"name": "made"},
        records=tuple(records),
        missing=0,
        latency=Latency(8, 1, latency or dict.fromkeys(names, (0.001, 0.001, 0.001))),
    )
