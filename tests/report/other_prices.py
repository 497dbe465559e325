"""Studies of each kind of price, and prices moved at random, as a reader of the page may move them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cropworth.study.record import Kind, Record, Study
from factories import CLASSES, make_record, make_study

ITEMS = 300
KINDS: dict[str, Kind] = {
    "baseline": "baseline",
    "zoom": "crop",
    "affine": "crop",
    "small": "control",
    "centre": "control",
    "oracle": "oracle",
}
FEWER = {"baseline": 0.0, "zoom": 0.05, "affine": 0.02, "small": 0.03, "centre": -0.02, "oracle": 0.09}
MILLISECONDS = {"baseline": 3.0, "zoom": 1.0, "affine": 4.0, "small": 0.7, "centre": 0.6, "oracle": 1.1}
PRICES: dict[str, Any] = {
    "predictions_per_year": 20_000,
    "compute_price_per_hour": 0.9,
    "discount_rate": 0.06,
    "engineering": {"once": 400, "per_year": 30},
    "retrainings_per_year": 2,
}


@dataclass(frozen=True)
class Made:
    """A study and its prices."""

    study: Study
    prices: dict[str, Any]


def record(variant: str, seed: int, **values: Any) -> Record:
    """A trial whose errors are drawn: an item that is hard for one variant is hard for all."""
    hard, own = np.random.default_rng(7).random(ITEMS), np.random.default_rng([seed, len(variant)])
    wrong = np.flatnonzero(0.7 * hard + 0.3 * own.random(ITEMS) > 0.8 + FEWER[variant])
    return replace(make_record(variant, seed, wrong=wrong, items=ITEMS, wall_s=20.0 + 9 * len(variant)), **values)


def study_of(seeds: int = 3, names: tuple[str, ...] = tuple(KINDS), **values: Any) -> Study:
    rng = np.random.default_rng(3)
    times = {name: tuple(1e-3 * MILLISECONDS[name] * rng.uniform(0.95, 1.1, 9)) for name in names}
    study = make_study(
        [record(name, seed) for name in names for seed in range(seeds)],
        kinds={name: KINDS[name] for name in names},
        latency=times,
    )
    return replace(study, **values)


def few(seeds: int = 3, **values: Any) -> Study:
    return study_of(seeds, ("baseline", "zoom", "small"), **values)


def with_records(study: Study, change: Callable[[Record], Record]) -> Study:
    return replace(study, records=tuple(map(change, study.records)))


def diverged(study: Study) -> Study:
    """The affine crop's first training gave nothing."""
    failed = {"status": "diverged", "probabilities": None, "examples": None}
    return with_records(study, lambda r: replace(r, **failed) if (r.variant, r.seed) == ("affine", 0) else r)


def with_payoffs(study: Study) -> Study:
    payoffs = np.random.default_rng(5).normal(0, 0.02, (ITEMS, len(CLASSES))).astype(np.float32)
    return with_records(study, lambda r: replace(r, payoffs=payoffs))


def with_values(study: Study) -> Study:
    values = np.random.default_rng(6).normal(0, 0.02, ITEMS).astype(np.float32)
    return with_records(study, lambda r: replace(r, values=values))


def of_numbers(study: Study) -> Study:
    """A regression."""

    def change(r: Record) -> Record:
        assert r.predictions is not None
        off = np.random.default_rng([r.seed, len(r.variant)]).normal(0.1, 0.3, ITEMS)
        labels = r.labels.astype(np.float32)
        numbers = (labels + (r.predictions != r.labels) + off).astype(np.float32)
        return replace(r, labels=labels, probabilities=None, numbers=numbers)

    return replace(with_records(study, change), classes=())


def with_validation(study: Study) -> Study:
    """Probabilities between 0 and 1, and validation items, so that thresholds can be tuned."""

    def change(r: Record) -> Record:
        assert r.probabilities is not None
        rng = np.random.default_rng([r.seed, len(r.variant)])
        soft = 0.6 * r.probabilities + 0.4 * rng.dirichlet(np.ones(len(CLASSES)), ITEMS)
        soft = soft.astype(np.float32)
        return replace(r, probabilities=soft, validation_labels=r.labels, validation_probabilities=soft)

    return with_records(study, change)


def with_energy(study: Study) -> Study:
    assert study.latency is not None
    energy = {name: 0.4 * time for name, time in MILLISECONDS.items() if name in study.kinds}
    study = with_records(study, lambda r: replace(r, training_energy_j=300.0 * r.training_wall_s))
    return replace(study, latency=replace(study.latency, energy_j_per_item=energy))


def with_memory(study: Study) -> Study:
    assert study.latency is not None
    memory = {name: (3 if name == "baseline" else 1) * 10**9 for name in study.kinds}
    return replace(study, latency=replace(study.latency, memory_bytes=memory))


GUESS = {"low": 0.1, "mode": 0.4, "high": 1.0}
MATRIX = {"0": {"1": 0.5, "2": 2.0}, "1": {"0": 1.0}, "2": {"0": 3.0, "1": 0.2}}
WITH_GUESSES = MATRIX | {"1": {"0": {"low": 0.5, "mode": 1.0, "high": 4.0}, "2": GUESS}}
SCREENING = {
    "template": "medical-screening", "disease": "1", "prevalence": 0.05, "false_negative": 9.0, "false_positive": 0.7,
    "recall": 0.2,
}  # fmt: skip
GUESSED_SCREENING = SCREENING | {
    "prevalence": {"low": 0.01, "mode": 0.05, "high": 0.12},
    "false_negative": {"low": 4.0, "mode": 9.0, "high": 20.0},
}
TRADING = {"template": "trading-signal", "long": "0", "short": "2", "stake": 90.0, "fee": 0.001, "spread": 0.0005}
INSTANCES = [
    {"name": "small", "memory_gb": 2, "price_per_hour": 1.1},
    {"name": "large", "memory_gb": 8, "price_per_hour": 4.0},
]
CARBON = {"energy_price_per_kwh": 0.3, "carbon_kg_per_kwh": 0.4, "carbon_price_per_tonne": 90}


def made(study: Study, without: tuple[str, ...] = (), **prices: Any) -> Made:
    return Made(study, {key: price for key, price in {**PRICES, **prices}.items() if key not in without})


STUDIES: dict[str, Callable[[], Made]] = {
    "cost of an error": lambda: made(study_of(), cost_per_error=0.4),
    "nothing priced": lambda: Made(few(), {}),
    "six seeds, one diverged": lambda: made(diverged(study_of(6)), cost_per_error=0.4, margin=50.0),
    "two seeds": lambda: made(few(2), cost_per_error=0.4),
    "looks": lambda: made(few(5, looks=(3, 5, 7)), cost_per_error=0.4),
    "candidates from files": lambda: made(
        few(4, kinds={"baseline": "baseline", "zoom": "candidate", "small": "candidate"}), cost_per_error=0.4
    ),
    "a matrix": lambda: made(study_of(), cost_matrix=MATRIX),
    "a matrix in rows": lambda: made(few(), cost_matrix=[[0, 1, 2], [0.5, 0, 1], [3, 0.1, 0.2]]),
    "a matrix of gains": lambda: made(few(), value_matrix={"0": {"0": 0.3, "1": -1.0}, "2": {"2": 0.1, "0": -2.0}}),
    "a matrix with guesses": lambda: made(study_of(), cost_matrix=WITH_GUESSES),
    "frequencies of classes": lambda: made(
        few(6), cost_matrix=WITH_GUESSES, class_frequencies={"0": 0.7, "1": 0.28, "2": 0.02}
    ),
    "screening": lambda: made(study_of(), value=SCREENING),
    "screening with guesses": lambda: made(study_of(5), value=GUESSED_SCREENING, growth=GUESS),
    "trading": lambda: made(with_values(few(4)), value=TRADING, margin=2.0),
    "payoffs": lambda: made(with_payoffs(few()), stake=60.0),
    "payoffs and guesses": lambda: made(
        with_payoffs(few(4)), stake={"low": 20, "mode": 60, "high": 80}, cost_per_error=GUESS
    ),
    "numbers": lambda: made(of_numbers(few()), unit_costs={"under": 0.5, "over": 1.5}),
    "numbers of one price": lambda: made(of_numbers(study_of()), cost_per_error=GUESS),
    "instances": lambda: made(with_memory(few()), cost_per_error=0.1, instances=INSTANCES),
    "energy and carbon": lambda: made(with_energy(few()), cost_per_error=0.05, **CARBON),
    "watts": lambda: made(few(), cost_per_error=0.05, watts=150.0, **CARBON),
    "joules of half": lambda: made(
        with_records(with_energy(few()), lambda r: replace(r, training_energy_j=None)), cost_per_error=0.05, **CARBON
    ),
    "no times": lambda: made(few(latency=None), cost_per_error=0.2),
    "growth": lambda: made(
        few(), cost_per_error=0.4, growth=0.3, compute_price_change=-0.2, horizon_years=7, utilisation=0.4
    ),
    "guesses everywhere": lambda: made(
        study_of(4), cost_per_error=GUESS, predictions_per_year={"low": 4000, "mode": 9000, "high": 90_000},
        compute_price_per_hour=GUESS, engineering={"once": {"low": 100, "mode": 300, "high": 900}}, margin=20.0,
    ),
    "least cost": lambda: made(
        with_validation(few()), cost_matrix=MATRIX, decision="least-cost", reject_cost=0.3,
        engineering={"once": {"low": 100, "mode": 300, "high": 900}},
    ),
}  # fmt: skip


def moved(rng: np.random.Generator, model: dict[str, Any], made: Made) -> tuple[dict[str, Any], dict[str, Any]]:
    """Some of the prices that the page offers moved at random: as the page has them, and as Python reads them."""
    fields = [p for p in (*model["prices"], *model["terms"]) if p["shown"] and p["locked"] is None]
    chosen = rng.permutation(len(fields))[: rng.integers(1, len(fields) + 1)]
    changed, prices = {}, deepcopy(made.prices)
    for field in (fields[i] for i in chosen):
        value = _moved(rng, field)
        changed[field["path"]] = value
        if value != field["value"]:  # what is set as it is, is not given by that
            _put(prices, field["path"], value)
    return changed, prices


def _moved(rng: np.random.Generator, field: dict[str, Any]) -> Any:
    value, path = field["value"], field["path"]
    if path == "horizon_years":
        return int(rng.integers(1, 12))
    if isinstance(value, dict) and rng.random() < 0.6:
        ends = sorted(_number(rng, field, value["mode"]) for _ in range(3))
        return dict(zip(("low", "mode", "high"), ends, strict=True))
    return _number(rng, field, value["mode"] if isinstance(value, dict) else value)


def _number(rng: np.random.Generator, field: dict[str, Any], near: float) -> float:
    """Now and then 0; else of the size that it has, or of any."""
    if rng.random() < 0.05 and field["least"] <= 0:
        return 0.0
    if field["path"] in ("growth", "compute_price_change"):
        return float(rng.uniform(-0.5, 0.8))
    if field["path"] == "discount_rate":
        return float(rng.uniform(0, 0.4))
    if field["share"]:
        return float(rng.uniform(0.01, 1.0))
    sign = -1.0 if field["least"] < 0 and rng.random() < 0.5 else 1.0
    return float(sign * (abs(near) or 1.0) * 10 ** rng.uniform(-1.5, 1.5))


def _put(prices: dict[str, Any], path: str, value: Any) -> None:
    *keys, last = path.split(".")
    inside: Any = prices
    for key in keys:
        inside = inside[int(key)] if isinstance(inside, list) else inside.setdefault(key, {})
    if isinstance(inside, list):
        inside[int(last)] = value
    else:
        inside[last] = value
