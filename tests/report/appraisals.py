"""Appraisals, prices and a study with everything in it, of chosen numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cropworth.study.album import Album, choose
from cropworth.study.record import Epoch, Examples, Kind, Record, Study
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.results import Appraisal, Candidate, Cost, Interval, Row, SizeAppraisal
from factories import make_record, make_study

KINDS: dict[str, Kind] = {
    "baseline": "baseline",
    "regression-affine": "crop",
    "heatmap-zoom": "crop",
    "small": "control",
    "centre": "control",
    "matched": "control",
    "oracle": "oracle",
}
ACCURACY = (0.93, 0.92, 0.955, 0.885, 0.63, 0.905, 0.975)
LATENCY = (1.9e-3, 0.62e-3, 0.44e-3, 0.36e-3, 0.36e-3, 0.41e-3, 0.37e-3)
LEARNED = ("regression-affine", "heatmap-zoom")
CROPPING = ("regression-affine", "heatmap-zoom", "centre", "oracle")


def make_economics(**values: Any) -> Economics:
    return read_economics({"note": "example prices", "engineering": {"once": 8000}, **values})


def make_row(name: str = "baseline", kind: Kind = "baseline", **values: Any) -> Row:
    defaults: dict[str, Any] = {
        "trials": 6,
        "diverged": 0,
        "collapsed": 0,
        "accuracy": 0.93,
        "errors_per_thousand": 70.0,
        "mean_error": None,
        "training_s": 83.2,
        "training_cpu_s": 80.1,
        "trials_beside": 0.97,
        "waiting_share": 0.031,
        "latency_s": 0.0019,
        "latency_p90_s": 0.0023,
        "flops_per_item": 25_400_000,
        "parameters": 123_456,
        "peak_memory_bytes": 512_000_000,
        "median_iou": None,
    }
    return Row(name=name, kind=kind, **(defaults | values))


def make_candidate(name: str = "heatmap-zoom", kind: Kind = "crop", **values: Any) -> Candidate:
    defaults: dict[str, Any] = {
        "deployable": kind != "oracle",
        "verdict": None if kind == "oracle" else "adopt",
        "reason": "The lower end of the NPV interval is above the margin.",
        "npv": Interval(1_230_000.0, 812_000.0, 1_650_000.0),
        "npv_together": Interval(1_230_000.0, 812_000.0, 1_650_000.0),
        "roi": None,
        "dominates": True,
        "payback_years": 0.42,
        "discounted_payback_years": 0.44,
        "break_even_predictions_per_year": 74_200.0,
        "break_even_error_price": 0.02,
        "break_even_compute_price": 0.0,
        "accuracy_difference": Interval(0.025, 0.015, 0.035),
        "error_difference": Interval(None, None, None),
        "value_per_prediction": Interval(0.025, 0.015, 0.035),
        "inference_cost_per_prediction": -1e-6,
        "investment": 8000.0,
        "upkeep_per_year": 0.0,
        "cash_flow_per_year": 500_000.0,
        "costs": (Cost("engineering", 8000.0, "given"), Cost("energy", None, "unavailable")),
        "latency_ratio": 0.23,
        "training_ratio": 0.6,
        "flops_ratio": 0.2,
        "seeds": 6,
        "seeds_needed": None,
        "more_test_items": False,
        "better_prices": False,
        "outlook": None,
    }
    return Candidate(name=name, kind=kind, **(defaults | values))


def make_appraisal(sizes: tuple[SizeAppraisal, ...], **values: Any) -> Appraisal:
    defaults: dict[str, Any] = {
        "study": "made",
        "baseline": "baseline",
        "currency": "EUR",
        "horizon_years": 3,
        "not_priced": ("engineering.per_year",),
        "missing_trials": 0,
        "test_items": 200,
        "gaps": (),
        "error_price": "cost_per_error",
        "study_cost": 0.2,
        "rules": (),
        "ranking": (),
        "headline": "Adopt heatmap-zoom: it is worth EUR 1.23 million more than baseline over 3 years "
        "(95 % interval EUR 812,000 to EUR 1.65 million).",
        "best": "heatmap-zoom",
    }
    return Appraisal(sizes=sizes, **(defaults | values))


def canvases(items: int, side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Grey pictures (items, 1, side, side) with one bright disc each, at the place `disc_pose` says."""
    y, x = np.mgrid[:side, :side] / side * 2 - 1
    far = [np.hypot(x - cx, y - cy) for cx, cy in map(disc_centre, range(items))]
    return np.stack([(230 * (d < 0.35) * (d > 0.2)).astype(np.uint8)[None] for d in far])


def disc_centre(item: int) -> tuple[float, float]:
    return 0.5 * np.cos(item * 2.4), 0.5 * np.sin(item * 1.7)


def _poses(variant: str, items: int) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    if variant not in CROPPING:
        return None
    turn = 0.3 if variant == "regression-affine" else 0.0
    cos, sin = 0.45 * np.cos(turn), 0.45 * np.sin(turn)
    centres = [(0.0, 0.0) if variant == "centre" else disc_centre(i) for i in range(items)]
    return np.array([[[cos, -sin, x], [sin, cos, y]] for x, y in centres], dtype=np.float32)


def full_record(variant: str, seed: int, train_size: int) -> Record:
    """One trial of the full study."""
    place = list(KINDS).index(variant)
    rng = np.random.default_rng([place, seed, train_size])
    accuracy = ACCURACY[place] - 0.12 * (1000 / train_size) ** 0.6 + rng.normal(0, 0.006)
    wrong = rng.choice(1000, size=round(1000 * (1 - accuracy)), replace=False)
    status = "diverged" if (variant, seed) == ("regression-affine", 5) else "ok"
    record = make_record(variant, seed, train_size, wrong=wrong, items=1000, status=status)
    pictures, poses = canvases(4, 64), _poses(variant, 1000)
    crops = None if poses is None else pictures[:, :, 16:48, 16:48]
    epochs = range(1, 3 if status == "diverged" else 13)
    return replace(
        record,
        theta=None if status == "diverged" else poses,
        examples=None if status == "diverged" else Examples(pictures, crops),
        poses_by_epoch=approaching(poses, len(epochs)) if variant in LEARNED and poses is not None else None,
        crop_advice="" if variant in LEARNED and status == "ok" else None,
        curve=tuple(Epoch(1 / e, 1 / e, float(accuracy - 0.4 / e**1.5), 5.0) for e in epochs),
        started_at=1_700_000_000.0 + 90 * seed,
    )


def approaching(poses: np.ndarray[Any, np.dtype[np.float32]], epochs: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Poses of the first 4 test items that move from the whole input to where they end."""
    whole = np.eye(poses.shape[1], poses.shape[2], dtype=np.float32)
    return np.stack([whole + (poses[:4] - whole) * epoch / epochs for epoch in range(1, epochs + 1)])


def with_album(study: Study, images: np.ndarray[Any, np.dtype[np.uint8]], side: int) -> Study:
    """The study with its chosen test items, item `i` with the picture `i` of as many as there are.

    Args:
        study: its trials are compared.
        images: (N, C, H, W).
        side: of the crops.
    """
    choices = choose(study)
    items = np.array(sorted({*range(4), *(i for choice in choices for i in choice.all_items)}))
    crops = {c.variant: images[np.array(c.all_items, dtype=int) % len(images), :, :side, :side] for c in choices}
    names = tuple(f"scans/{item}.png" for item in items)
    return replace(study, album=Album(choices, items, names, images[items % len(images)], crops=crops))


def noisy_study(variants: int) -> Study:
    """The worst case for the page's size: large pictures of noise, in colour, differently cropped by every variant."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (200, 3, 128, 128), dtype=np.uint8)
    poses = rng.uniform(-0.5, 0.5, (60, 4, 2, 3)).astype(np.float32)
    records = [make_record(wrong=range(16))]
    for i in range(variants):
        cropping = make_record(
            f"crop{i}", wrong=[*range(8 + i, 16 + i), *range(30 + i * 10, 38 + i * 10)], with_crop=True
        )
        curve = cropping.curve * 30
        records.append(replace(cropping, curve=curve, poses_by_epoch=poses, crop_advice="", best_epoch=40))
    return with_album(make_study(records), noise, 96)
