"""One trial: one variant, trained once, measured once."""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from cropworth.crops.health import CropHealth, blank, crop_health, localisation_iou
from cropworth.crops.training import parameter_groups, set_reach
from cropworth.data.task import Split, Task
from cropworth.errors import NotFiniteError
from cropworth.measure.energy import Counters, Energy
from cropworth.measure.environment import available_cores, describe_environment
from cropworth.measure.memory import peak_bytes, reset_peak
from cropworth.measure.time import Stopwatch
from cropworth.study.classifier import Classifier
from cropworth.study.ledger import trial_name
from cropworth.study.located import LearnedCrop
from cropworth.study.pictures import curves, shrunk
from cropworth.study.plan import Crop, Plan
from cropworth.study.record import Epoch, Examples, Record
from cropworth.study.variants import build_variant, item_flops

if TYPE_CHECKING:
    from cropworth.study.augment import Augmentation

EVALUATION_BATCH = 256
EXAMPLES = 4


@dataclass
class Fit:
    """What training left behind.

    Attributes:
        curve: one row an epoch.
        best_epoch: whose weights the model now has; -1 where no epoch had a finite loss.
        diverged: why training was given up; empty where it was not.
        waiting_s: seconds that training waited for its batches.
        poses: where a learned crop lay on the first test items after each epoch, (N, d, d + 1).
    """

    curve: list[Epoch] = field(default_factory=list)
    best_epoch: int = -1
    diverged: str = ""
    waiting_s: float = 0.0
    poses: list[Tensor] = field(default_factory=list)

    def waited(self, drawn: Iterator[Split]) -> Iterator[Split]:
        """The same batches; how long each takes to come is counted."""
        while True:
            began = time.perf_counter()
            items = next(drawn, None)
            self.waiting_s += time.perf_counter() - began
            if items is None:
                return
            yield items


def run_trial(
    plan: Plan,
    variant: str,
    train_size: int,
    seed: int,
    task: Task,
    threads: int,
    folder: Path | None = None,
    counters: Counters | None = None,
    told: Callable[[Epoch], None] = lambda _: None,
) -> tuple[Record, Classifier]:
    """Train and measure one variant.

    Args:
        plan: the study.
        variant: name in it.
        train_size: training items.
        seed: of the weights, the choice of items and their order.
        task: the plan's data, read or drawn.
        threads: torch's, for this process.
        folder: the plan's own, where a user's module may lie.
        counters: of energy, where nothing else runs that they would count too.
        told: called after each epoch of the training.

    Returns:
        The record and the trained model. A trial that diverges is a record too.

    Raises:
        CropworthError: the parts of the plan do not fit together.
    """
    torch.set_num_threads(threads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # a backbone's dropout and lazy layers draw from the global generator
        model = build_variant(plan, variant, task, seed, folder)
        flops = item_flops(model, task)
        reset_peak()
        started_at = time.time()
        with Energy(counters) as energy, Stopwatch() as training:
            fit = train(model, task, plan, variant, train_size, seed, told)
    peak = peak_bytes()
    predicted, theta, health = (None, None, None) if fit.diverged else evaluate(model, task.test)
    pictures = None if fit.diverged else examples(model, task.test)
    # After all that is of the test, whose predictions stay what they were if a user's model draws when it predicts.
    validation = predict(model, task.validation) if task.classes and not fit.diverged else None
    problem, advice = "", None
    if health is not None and isinstance(plan.variants[variant], Crop):
        advice = health.recommendation
        problem = f"{health.problem}. {advice}" if health.problem else ""
    record = Record(
        trial=trial_name(plan.trial(variant, train_size, seed)),
        variant=variant,
        train_size=train_size,
        seed=seed,
        status="diverged" if fit.diverged else "collapsed" if problem else "ok",
        reason=fit.diverged or problem,
        parameters=sum(p.numel() for p in model.parameters()),
        flops_per_item=flops,
        training_wall_s=training.wall_s,
        training_cpu_s=training.cpu_s,
        threads=threads,
        cores=available_cores(),
        started_at=started_at,
        peak_memory_bytes=peak,
        curve=tuple(fit.curve),
        best_epoch=fit.best_epoch,
        labels=task.test.labels.numpy(),
        probabilities=predicted.numpy() if predicted is not None and task.classes else None,
        numbers=predicted.numpy() if predicted is not None and not task.classes else None,
        payoffs=_array(task.test.payoffs),
        theta=_array(theta),
        crop_health={} if health is None else health.as_dict(),
        median_iou=_median_iou(theta, task.test),
        examples=pictures,
        environment=describe_environment(),
        values=_array(task.test.values),
        validation_labels=_array(task.validation.labels) if task.classes else None,
        validation_probabilities=_array(validation),
        training_energy_j=energy.joules,
        waiting_s=fit.waiting_s,
        poses_by_epoch=torch.stack(fit.poses).numpy() if fit.poses else None,
        crop_advice=advice,
    )
    return record, model


def train(
    model: Classifier,
    task: Task,
    plan: Plan,
    variant: str,
    train_size: int,
    seed: int,
    told: Callable[[Epoch], None] = lambda _: None,
) -> Fit:
    """Train `model` in place and leave it with the weights of its best epoch on validation; `told` after each epoch."""
    settings, fit = plan.training, Fit()
    if not any(parameter.requires_grad for parameter in model.parameters()):  # nothing to learn
        before, accuracy = validate(model, task.validation)
        return Fit([Epoch(before, before, accuracy, 0.0)], best_epoch=0)
    optimizer, augmentation = _optimizer(model, plan, variant), augmentation_of(plan, task)
    steps = max(1, train_size // settings.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=settings.epochs * steps
    )
    best_weights: dict[str, Tensor] = {}
    crop = plan.variants[variant]
    reach = crop.reach if isinstance(crop, Crop) else 1.0
    for epoch in range(settings.epochs):
        began = time.perf_counter()
        losses = []
        model.train()
        set_reach(model, max(1.0, reach * (1 - 2 * epoch / settings.epochs)))
        drawn = task.training_batches(train_size, seed, epoch, settings.batch_size)
        if augmentation is not None:
            drawn = augmentation.batches(drawn, seed, epoch)
        try:
            # The incomplete last batch is left out: a batch of one item breaks batch normalisation.
            for items in fit.waited(itertools.islice(drawn, steps)):
                loss = model.loss(ready(items))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
            train_loss = sum(losses) / len(losses)
            validation_loss, accuracy = validate(model, task.validation)
            if not math.isfinite(train_loss + validation_loss):
                raise NotFiniteError("a loss that is not finite", "a finite one", "Lower training.lr.")
        except NotFiniteError as error:
            fit.diverged = f"{error.got}, in epoch {epoch + 1} of {settings.epochs}"
            break
        fit.curve.append(Epoch(train_loss, validation_loss, accuracy, time.perf_counter() - began))
        if isinstance(model.crop, LearnedCrop):
            fit.poses.append(where(model, model.crop, task.test))
        told(fit.curve[-1])
        if fit.best_epoch < 0 or validation_loss < fit.curve[fit.best_epoch].validation_loss:
            fit.best_epoch, best_weights = epoch, copy.deepcopy(model.state_dict())
        elif epoch - fit.best_epoch >= settings.patience:
            break
    if best_weights:
        model.load_state_dict(best_weights)
    return fit


def augmentation_of(plan: Plan, task: Task) -> Augmentation | None:
    """The plan's augmentation of training images; None where it names none.

    Raises:
        CropworthError: it cannot be built for this task.
    """
    if not plan.training.augment:
        return None
    from cropworth.study.augment import build_augmentation  # it loads torchvision: seconds, and 150 MB

    return build_augmentation(plan.training.augment, task)


def training_step(model: Classifier, items: Split) -> Callable[[], None]:
    """One forward and backward pass over all items, to be timed."""
    batch = next(batches(items, len(items)))
    model.train()

    def step() -> None:
        model.zero_grad()
        loss = model.loss(batch)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]

    return step


def batches(items: Split, size: int) -> Iterator[Split]:
    """Parts of the items, in their order, ready to compute with."""
    for start in range(0, len(items), size):
        yield ready(items.take(slice(start, start + size)))


def ready(items: Split) -> Split:
    """A batch to compute with: pixels in [0, 1], sequences no longer than needed."""
    inputs = items.inputs
    if items.lengths is not None:
        return replace(items, inputs=inputs[:, : int(items.lengths.max())])
    pixels = inputs.contiguous(memory_format=torch.channels_last)
    return replace(items, inputs=pixels.float() / 255 if inputs.dtype == torch.uint8 else pixels)


@torch.no_grad()
def validate(model: Classifier, items: Split) -> tuple[float, float]:
    """Mean loss, and accuracy; of a regression, the share of the labels' variance that is explained (R^2)."""
    model.eval()
    loss, predicted = 0.0, []
    for batch in batches(items, EVALUATION_BATCH):
        logits = model(batch)
        loss += model.error(logits, batch.labels, reduction="sum").item()
        predicted.append(model.predicted(logits))
    return loss / len(items), _score(torch.cat(predicted), items.labels)


def _score(predicted: Tensor, labels: Tensor) -> float:
    if predicted.ndim == 2:
        return (predicted.argmax(1) == labels).float().mean().item()
    missed, spread = (predicted - labels).square().sum(), (labels - labels.mean()).square().sum()
    return (1 - missed / spread.clamp(min=torch.finfo(spread.dtype).tiny)).item()


@torch.no_grad()
def predict(model: Classifier, items: Split) -> Tensor:
    """Probabilities (n, C), or the numbers (n,) of a regression."""
    model.eval()
    return torch.cat([model.predicted(model(batch)) for batch in batches(items, EVALUATION_BATCH)])


@torch.no_grad()
def evaluate(model: Classifier, items: Split) -> tuple[Tensor, Tensor | None, CropHealth | None]:
    """Predictions, poses (n, d, d + 1) of a model that crops, and the health of its crops.

    Predictions are probabilities (n, C), or the numbers (n,) of a regression.
    """
    model.eval()
    predicted, poses, blanks = [], [], []
    for batch in batches(items, EVALUATION_BATCH):
        view = model.view(batch)
        predicted.append(model.predicted(model.answer(view, batch.lengths)))
        if view.theta is not None:
            poses.append(view.theta)
            blanks.append(blank(view.seen, model.values(batch)))
    if not poses:
        return torch.cat(predicted), None, None
    theta = torch.cat(poses)
    return torch.cat(predicted), theta, crop_health(theta, torch.cat(blanks), model.transform)


@torch.no_grad()
def where(model: Classifier, crop: LearnedCrop, items: Split) -> Tensor:
    """Where the model, as far as it is trained, crops the first items: (N, d, d + 1)."""
    model.eval()
    with torch.random.fork_rng(devices=[]):  # training draws what it would, whatever a user's module draws here
        batch = next(batches(items, EXAMPLES))
        return crop.locate(model.values(batch), batch.lengths)


def examples(model: Classifier, items: Split) -> Examples | None:
    """The first items as pictures, and their crops.

    Of series, the curves of their first features; None for texts, which no picture shows.
    """
    if items.inputs.ndim == 2:
        return None
    model.eval()
    with torch.no_grad():
        batch = next(batches(items, EXAMPLES))
        view = model.view(batch)
    if batch.lengths is not None:
        cropped = None if model.crop is None else curves(view.seen, None)
        return Examples(curves(batch.inputs, batch.lengths), cropped)
    cropped = None if model.crop is None else shrunk(view.seen)
    return Examples(shrunk(batch.inputs), cropped)


def _array(values: Tensor | None) -> NDArray[Any] | None:
    return None if values is None else values.numpy()


def _median_iou(theta: Tensor | None, items: Split) -> float | None:
    if theta is None or items.boxes is None:
        return None
    overlaps = localisation_iou(theta, items.boxes)
    known = overlaps[~overlaps.isnan()]
    return known.median().item() if len(known) else None


def _optimizer(model: Classifier, plan: Plan, variant: str) -> torch.optim.Optimizer:
    """AdamW; the localizer has a learning rate of its own, which users of spatial transformers find they need."""
    settings, crop = plan.training, plan.variants[variant]
    groups = parameter_groups(model, settings.lr, crop.localizer_lr if isinstance(crop, Crop) else 1.0)
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
