"""`check`: all that is wrong with a plan at once. It reads the data and takes one training step of each variant."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cropworth.config import Config, read_yaml, salvage
from cropworth.data.build import build_task
from cropworth.data.config import DataConfig, located
from cropworth.data.task import Task
from cropworth.errors import CropworthError
from cropworth.study.classifier import Classifier
from cropworth.study.guard import guarded
from cropworth.study.plan import Oracle, Plan
from cropworth.study.stand_in import StandIn
from cropworth.study.train import augmentation_of, evaluate, train
from cropworth.study.variants import build_variant, item_flops

# Items of the evaluation step, of validation and test each.
FEW = 32


@dataclass
class Checked:
    """What a plan was found to be.

    Attributes:
        plan: what holds of it; None where too much of it is wrong.
        economics: its prices as they stand in the file, which this room does not judge.
        task: the data, less what was left out of them; None where they cannot be read.
        left_out: how many bad items the task lacks.
        flops: of one item's inference, of the variants that could be built.
        warnings: what one must know of the data and the models, a sentence each.
        problems: all that is wrong, less the prices; none where the plan will run.
    """

    plan: Plan | None = None
    economics: Any = field(default_factory=dict)
    task: Task | None = None
    left_out: int = 0
    flops: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    problems: list[CropworthError] = field(default_factory=list)


def check(path: Path) -> Checked:
    """Look at everything of a plan; what is wrong with one part hides nothing of the others.

    Nothing is kept. Where the data cannot be read, the variants are tried on made-up items.

    Raises:
        CropworthError: the file is not YAML.
    """
    values = read_yaml(path)
    plan, problems = salvage(Plan, values)
    found = Checked(plan, values.get("economics", {}), problems=problems)
    folder = path.parent
    if plan is None:
        only, _ = salvage(_DataOnly, {"data": values.get("data")})
        if only is not None:
            read_data(located(only.data, folder), folder, found)
        return found
    found.plan = plan = plan.located(folder)
    read_data(plan.data, folder, found)
    if found.task is not None:
        found.problems += sizes_not_there(plan, found.task, found.left_out)
    try:
        with guarded("while the augmentation was built"):
            augmentation_of(plan, found.task or StandIn(plan))
    except CropworthError as error:
        found.problems += error.problems
        plan = _trained_with(plan, augment=())
    _check_variants(plan, folder, found)
    return found


def read_data(config: DataConfig, folder: Path, found: Checked) -> None:
    """Read all items; where some are bad, note all of them and go on with the rest."""
    before = len(found.problems)
    with _noted(found.problems), guarded("while the data were read"):
        found.task = build_task(config, folder)
        found.warnings += found.task.warnings
    if found.task is None and getattr(config, "on_bad_item", "skip") == "fail":
        found.left_out = len(found.problems) - before
        # What is wrong now comes of what was left out, and may be right once that is mended.
        with suppress(CropworthError), guarded("while the data were read"):
            found.task = build_task(config.model_copy(update={"on_bad_item": "skip"}), folder)


def sizes_not_there(plan: Plan, task: Task, left_out: int = 0) -> list[CropworthError]:
    """The training-set sizes that the data do not have, even if bad items are mended."""
    problems: list[CropworthError] = []
    for size in sorted(set(plan.study.train_sizes)):
        if size > task.train_limit + left_out:
            with _noted(problems):
                task.check_train_size(size)
    return problems


def try_variant(plan: Plan, name: str, task: Task, folder: Path | None) -> tuple[Classifier, int]:
    """Build a variant and ask it once.

    Returns:
        The untrained model, and the FLOPs of one item's inference.

    Raises:
        CropworthError: it cannot be built on these data, or does not give a number for each class.
    """
    with guarded("while it was built"):
        model = build_variant(plan, name, task, 0, folder)
    with guarded("while it looked at an item"), torch.random.fork_rng(devices=[]):
        return model, item_flops(model, task)


def _check_variants(plan: Plan, folder: Path, found: Checked) -> None:
    """Try each variant; what several share is said once, with the names of all of them."""
    task = found.task or StandIn(plan)
    named: dict[str, tuple[CropworthError, list[str]]] = {}
    for name in plan.variants:
        for problem in _of_variant(plan, name, task, folder, found):
            named.setdefault(str(problem), (problem, []))[1].append(name)
    for problem, names in named.values():
        of = f"variants.{names[0]}" if len(names) == 1 else f"variants {', '.join(names)}"
        found.problems.append(CropworthError(f"{of}: {problem.got}", problem.expected, problem.do))


def _of_variant(plan: Plan, name: str, task: Task, folder: Path, found: Checked) -> list[CropworthError]:
    problems: list[CropworthError] = []
    with _noted(problems):
        if isinstance(plan.variants[name], Oracle):
            _check_boxes(task)
        model, found.flops[name] = try_variant(plan, name, task, folder)
        found.warnings += [note for note in model.notes if note not in found.warnings]
        with guarded("in its first training step"):
            _take_step(model, plan, name, task)
        with guarded("while it predicted"):
            predicted, *_ = evaluate(model, task.test.take(slice(FEW)))
        if not bool(predicted.isfinite().all()):
            raise CropworthError("predictions that are not finite", "numbers", "Look at what the backbone computes.")
    return problems


def _take_step(model: Classifier, plan: Plan, name: str, task: Task) -> None:
    """One step of the very training that a trial takes, on its smallest training set.

    Raises:
        CropworthError: the loss is not finite, or nothing of a part learns from it.
    """
    few = copy.copy(task)
    few.validation = task.validation.take(slice(FEW))
    items = min(plan.training.batch_size, task.train_limit, *plan.study.train_sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fit = train(model, few, _trained_with(plan, epochs=1), name, items, 0)
    if fit.diverged:
        raise CropworthError(
            "a loss that is not finite in the first training step",
            "a finite one",
            "Look at what the backbone computes, and at backbone.normalise.",
        )
    parts: Mapping[str, nn.Module | None] = {"the backbone": model.backbone, "the crop": model.crop}
    for part, module in parts.items():
        learned = [] if module is None else [p for p in module.parameters() if p.requires_grad]
        if learned and all(parameter.grad is None for parameter in learned):
            raise CropworthError(
                f"a loss that depends on none of the {len(learned)} parameters of {part}",
                "a gradient for some of them",
                "Look for no_grad, detach or argmax in the backbone.",
            )


def _trained_with(plan: Plan, **settings: Any) -> Plan:
    return plan.model_copy(update={"training": plan.training.model_copy(update=settings)})


def _check_boxes(task: Task) -> None:
    """Refuse an oracle where an item has no box.

    Raises:
        CropworthError: it says of which split how many.
    """
    lacking = []
    for split, items in task.splits().items():
        if items.boxes is None:
            raise CropworthError("an oracle on data without boxes", "a true box of each item", "Leave it out.")
        if count := int(items.boxes.isnan().any(1).sum()):
            lacking.append(f"{count:,} of {len(items):,} items in {split}")
    if lacking:
        raise CropworthError(
            f"an oracle, but no true box of {', '.join(lacking)}",
            "a true box of each item",
            "Add them or leave it out.",
        )


class _DataOnly(Config):
    """The part of a plan that can be looked at alone."""

    data: DataConfig


@contextmanager
def _noted(problems: list[CropworthError]) -> Iterator[None]:
    """Add what is raised in here to the problems."""
    try:
        yield
    except CropworthError as error:
        problems += error.problems
