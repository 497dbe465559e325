"""What a candidate costs more than the baseline, in machine seconds, joules and money, before any price of a year.

Each cost says where it comes from: measured, estimated (from declared watts), unavailable, or not priced. What is
unavailable counts as nothing in a sum and is named; it is never called 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cropworth.errors import CropworthError
from cropworth.study.record import Record, Study
from cropworth.worth.economics import Economics, Instance
from cropworth.worth.interval import Component, median_component
from cropworth.worth.prices import mean
from cropworth.worth.results import Source


@dataclass(frozen=True)
class Inference:
    """What one prediction's inference takes more than the baseline's.

    Attributes:
        seconds: at `compute_price_per_hour`; 0 where instances have prices of their own.
        money: on instances chosen by memory; 0 where none are given.
        timing: the chance in seconds, or in money where instances are given.
        ratio: median of candidate / baseline, round by round; None where not measured.
        energy_j: joules; None where neither measured nor estimated.
        energy_source: of the joules.
        instances: names of the baseline's and the candidate's; None where no instances are given.
    """

    seconds: float
    money: float
    timing: Component
    ratio: float | None
    energy_j: float | None
    energy_source: Source
    instances: tuple[str, str] | None = None


@dataclass(frozen=True)
class Training:
    """What training a working model takes more than the baseline's.

    Attributes:
        seconds: machine seconds, of all trials, failed ones too, for each that did not diverge.
        ratio: candidate / baseline; None where the baseline takes no time.
        energy_j: joules; None where neither measured nor estimated.
        energy_source: of the joules.
    """

    seconds: float
    ratio: float | None
    energy_j: float | None
    energy_source: Source


def inference(study: Study, economics: Economics, name: str) -> Inference:
    """Extra inference of variant `name`, from the latencies that were measured in turn.

    Raises:
        CropworthError: no instance has the memory that a variant needs.
    """
    latency = study.latency
    times = latency.seconds_per_item if latency is not None else {}
    if latency is None or name not in times or study.baseline not in times:
        return Inference(0.0, 0.0, Component(0.0, 1), None, None, "unavailable")
    candidate, baseline = np.array(times[name]), np.array(times[study.baseline])
    extra = candidate - baseline  # of the same round: they shared the machine's mood
    ratio = float(np.median(candidate / baseline))
    joules, source = _inference_energy(study, economics, name, float(np.median(extra)))
    if not economics.instances:
        return Inference(float(np.median(extra)), 0.0, median_component(extra), ratio, joules, source)
    ours, theirs = (_instance(study, economics, variant) for variant in (name, study.baseline))
    paid = (candidate * ours.price_per_hour - baseline * theirs.price_per_hour) / 3600
    chosen = (theirs.name, ours.name)
    return Inference(0.0, float(np.median(paid)), median_component(paid), ratio, joules, source, chosen)


def training(economics: Economics, candidate: Sequence[Record], baseline: Sequence[Record]) -> Training | None:
    """Extra training of a working model; None where one of the two never works."""
    pair = [_of_a_working_model([machine_seconds(r) for r in records], records) for records in (candidate, baseline)]
    if pair[0] is None or pair[1] is None:
        return None
    seconds, ratio = pair[0] - pair[1], pair[0] / pair[1] if pair[1] > 0 else None
    measured = [[r.training_energy_j for r in records] for records in (candidate, baseline)]
    if all(joules is not None for of_variant in measured for joules in of_variant):
        energy = [
            _of_a_working_model([j or 0.0 for j in of_variant], records)
            for of_variant, records in zip(measured, (candidate, baseline), strict=True)
        ]
        return Training(seconds, ratio, (energy[0] or 0.0) - (energy[1] or 0.0), "measured")
    if economics.watts is not None and any(pair):  # where neither took a second, nobody knows what they took
        return Training(seconds, ratio, seconds * mean(economics.watts), "estimated")
    return Training(seconds, ratio, None, "unavailable")


def machine_seconds(record: Record) -> float:
    """The share of the machine that a trial held, times its wall seconds: wall seconds x threads / processors."""
    return record.training_wall_s * record.threads / record.cores


def _of_a_working_model(amounts: Sequence[float], records: Sequence[Record]) -> float | None:
    """The sum over all trials, failed ones too, for each that did not diverge."""
    working = sum(r.status != "diverged" for r in records)
    return sum(amounts) / working if working else None


def _inference_energy(study: Study, economics: Economics, name: str, extra_s: float) -> tuple[float | None, Source]:
    joules = study.latency.energy_j_per_item if study.latency is not None else {}
    if name in joules and study.baseline in joules:
        return joules[name] - joules[study.baseline], "measured"
    if economics.watts is not None:
        return extra_s * mean(economics.watts), "estimated"
    return None, "unavailable"


def _instance(study: Study, economics: Economics, name: str) -> Instance:
    """The cheapest machine whose memory the variant fits; where its memory is not known, the largest machine."""
    needed = study.latency.memory_bytes.get(name) if study.latency is not None else None
    if needed is None:
        return max(economics.instances, key=lambda instance: instance.memory_gb)
    fitting = [instance for instance in economics.instances if instance.memory_gb * 1e9 >= needed]
    if not fitting:
        largest = max(instance.memory_gb for instance in economics.instances)
        raise CropworthError(
            f"economics.instances of at most {largest:g} GB, and {name}, which needs {needed / 1e9:.2g} GB",
            "an instance that it fits",
            "Add a larger one.",
        )
    return min(fitting, key=lambda instance: instance.price_per_hour)
