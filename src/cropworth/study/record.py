"""What a study measured: plain frozen data, free of torch. The rooms after this one see nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cropworth.study.album import Album

Kind = Literal["baseline", "crop", "candidate", "control", "oracle"]
Status = Literal["ok", "collapsed", "diverged"]


@dataclass(frozen=True)
class Epoch:
    """One epoch of a trial.

    Attributes:
        train_loss: mean over the epoch's items.
        validation_loss: mean over the validation items, after the epoch.
        validation_accuracy: share of validation items read right; of a regression, of their variance explained.
        wall_s: seconds, drawing the data and validating included.
    """

    train_loss: float
    validation_loss: float
    validation_accuracy: float
    wall_s: float


@dataclass(frozen=True)
class Examples:
    """The first test items and what the variant made of them, to be looked at while a study runs.

    Attributes:
        images: (N, C, H, W), uint8.
        crops: (N, C, h, w), uint8, what the backbone saw; None for a variant that sees the whole input.
    """

    images: NDArray[np.uint8]
    crops: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Record:
    """What one trial measured.

    Attributes:
        trial: name of the trial's folder, the hash of its configuration.
        variant: the variant's name in the plan.
        train_size: training items used.
        seed: the trial's seed.
        status: ``ok``; ``collapsed``, a crop that shows nothing useful; ``diverged``, no finite loss, no predictions.
        reason: why the status is not ok, in words; else empty.
        parameters: learned numbers of the model.
        flops_per_item: floating-point operations of one item's inference (a multiply-add counts 2).
        training_wall_s: seconds from the first batch to the end, validation included.
        training_cpu_s: processor seconds of the same.
        threads: threads the trial was given.
        cores: processors of the machine.
        started_at: seconds since 1970; NaN where not known.
        peak_memory_bytes: most memory resident during training; None where the system does not say.
        curve: one row an epoch.
        best_epoch: index into `curve` of the epoch whose weights were kept; -1 where the trial diverged.
        labels: (n,), int64, true classes of the test items; or float32, true numbers of a regression.
        probabilities: (n, C), float32, of the test items; None for a regression, or where the trial diverged.
        numbers: (n,), float32, what a regression predicted; None for classes, or where the trial diverged.
        payoffs: (n, C), float32, what each decision would bring for the test items, in units that `economics.stake`
            prices; None where only right and wrong count.
        theta: (n, d, d + 1), float32, crops of the test items; None where the variant does not crop, or diverged.
        crop_health: what `cropworth.crops.health` measured, by name; empty where there is no crop.
        median_iou: of the crops with the true boxes of the test items; None where either is unknown.
        examples: pictures of the first test items; None where the trial diverged.
        environment: versions and machine, see `cropworth.measure.environment`.
        weights: (n,), float32, how many items of the deployment each test item stands for; None where all are alike.
        values: (n,), float32, what depends on each test item, in units that the prices of errors are of; None where
            the same depends on each.
        validation_labels: (m,), int64, true classes of the validation items; None for a regression, or a study of an
            older version.
        validation_probabilities: (m, C), float32, of the validation items by the kept weights, to choose thresholds by;
            None as `validation_labels`, or where the trial diverged.
        training_energy_j: joules of the processors during training, see `cropworth.measure.energy`; None where they are
            unknown, as with trials side by side, whose energy no counter tells apart.
        waiting_s: seconds of `training_wall_s` in which training waited for its next batch: drawing, decoding and
            augmenting; None in a study of an older version.
        poses_by_epoch: (epochs, N, d, d + 1), float32, where the first N test items were cropped after each epoch; None
            where no crop was learned, or in a study of an older version.
        crop_advice: what `cropworth.crops.health` advises for a learned crop, in words; empty for one that needs
            nothing; None where no crop was learned, the trial diverged, or in a study of an older version.
    """

    trial: str
    variant: str
    train_size: int
    seed: int
    status: Status
    reason: str
    parameters: int
    flops_per_item: int
    training_wall_s: float
    training_cpu_s: float
    threads: int
    cores: int
    started_at: float
    peak_memory_bytes: int | None
    curve: tuple[Epoch, ...]
    best_epoch: int
    labels: NDArray[np.int64] | NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    numbers: NDArray[np.float32] | None
    payoffs: NDArray[np.float32] | None
    theta: NDArray[np.float32] | None
    crop_health: dict[str, float]
    median_iou: float | None
    examples: Examples | None
    environment: dict[str, Any]
    weights: NDArray[np.float32] | None = None
    values: NDArray[np.float32] | None = None
    validation_labels: NDArray[np.int64] | None = None
    validation_probabilities: NDArray[np.float32] | None = None
    training_energy_j: float | None = None
    waiting_s: float | None = None
    poses_by_epoch: NDArray[np.float32] | None = None
    crop_advice: str | None = None

    @property
    def predictions(self) -> NDArray[np.int64] | NDArray[np.float32] | None:
        """(n,) the likeliest class of each test item, or its number; None where the trial diverged."""
        return self.numbers if self.probabilities is None else self.probabilities.argmax(axis=1)

    @property
    def wrong(self) -> NDArray[np.float64] | None:
        """(n,) 1 for each prediction that is wrong and else 0, or by how much a number is; None as `predictions`."""
        if self.numbers is not None:
            distance: NDArray[np.float64] = np.abs(self.numbers.astype(np.float64) - self.labels)
            return distance
        return None if self.predictions is None else np.not_equal(self.predictions, self.labels).astype(np.float64)

    @property
    def waiting_share(self) -> float | None:
        """Share of the training's wall seconds in which it waited for data; None where not known."""
        return None if self.waiting_s is None or not self.training_wall_s else self.waiting_s / self.training_wall_s

    @property
    def brought(self) -> NDArray[np.float64] | None:
        """(n,) what each decision brought, see `payoffs`; None where those or the predictions are."""
        if self.payoffs is None or self.predictions is None:
            return None
        brought: NDArray[np.float32] = self.payoffs[np.arange(len(self.labels)), self.predictions]
        return brought.astype(np.float64)

    @property
    def accuracy(self) -> float | None:
        """Share of the test items read right; None for a regression, or where the trial diverged."""
        if self.wrong is None or self.numbers is not None:
            return None
        return float(np.average(self.wrong == 0, weights=self.weights))

    @property
    def mean_error(self) -> float | None:
        """Mean absolute error of a regression; None for classes, or where the trial diverged."""
        if self.wrong is None or self.numbers is None:
            return None
        return float(np.average(self.wrong, weights=self.weights))


@dataclass(frozen=True)
class Latency:
    """What the inference of all variants takes, measured while nothing trained; the times in turn.

    Attributes:
        batch_size: items in one call.
        threads: threads torch was given.
        seconds_per_item: by variant, one number a round; the same round of two variants is a pair.
        memory_bytes: by variant, most memory resident in a process that does nothing but predict such a batch, with
            Python and torch themselves; without those whose is unknown.
        energy_j_per_item: by variant, joules of the processors for one item of such a batch; without those whose are
            unknown.
    """

    batch_size: int
    threads: int
    seconds_per_item: dict[str, tuple[float, ...]]
    memory_bytes: dict[str, int] = field(default_factory=dict)
    energy_j_per_item: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A study as it stands on disk.

    Attributes:
        name: the plan's name.
        baseline: name of the variant that the others are compared with.
        kinds: what each variant is, in the plan's order.
        classes: class names, in the order of the labels.
        economics: the plan's prices, unchecked.
        plan: the whole resolved plan.
        records: of the finished trials.
        missing: trials of the plan that are not finished.
        latency: None where the phase has not run yet.
        warnings: what a reader must know of the data, such as how many items were left out.
        looks: numbers of seeds after which the study was, or will be, looked at, ascending; empty where only once.
        columns: name -> (n,), whatever else is known of the test items, for a `value_fn`.
        data_sha256: hash of all items and labels; empty where there is none: of files, or by a version that kept none.
        weights_sha256: hashes of the files of weights and configurations that training began with, by their paths.
        files_sha256: hashes of the files of predictions and costs, by their names; empty where there was a plan.
        album: test items to look at; None where they have not been chosen, as in a study of an older version.
    """

    name: str
    baseline: str
    kinds: dict[str, Kind]
    classes: tuple[str, ...]
    economics: dict[str, Any]
    plan: dict[str, Any]
    records: tuple[Record, ...]
    missing: int
    latency: Latency | None
    warnings: tuple[str, ...] = ()
    looks: tuple[int, ...] = ()
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    data_sha256: str = ""
    weights_sha256: dict[str, str] = field(default_factory=dict)
    files_sha256: dict[str, str] = field(default_factory=dict)
    album: Album | None = None

    def of(self, variant: str, train_size: int) -> tuple[Record, ...]:
        """The records of one variant at one training-set size, by seed."""
        chosen = [r for r in self.records if r.variant == variant and r.train_size == train_size]
        return tuple(sorted(chosen, key=lambda r: r.seed))

    @property
    def from_files(self) -> bool:
        """Whether its numbers come from a user's own files of predictions and costs, not from a plan that was run."""
        return not self.plan

    @property
    def train_sizes(self) -> tuple[int, ...]:
        """Training-set sizes that have records, ascending."""
        return tuple(sorted({r.train_size for r in self.records}))


def trials_beside(record: Record, records: Sequence[Record]) -> float:
    """How many other trials ran beside this one, on average over its training time."""
    start, end = record.started_at, record.started_at + record.training_wall_s
    shared = sum(
        max(0.0, min(end, other.started_at + other.training_wall_s) - max(start, other.started_at))
        for other in records
        if other.trial != record.trial
    )
    return shared / (end - start) if end > start else 0.0
