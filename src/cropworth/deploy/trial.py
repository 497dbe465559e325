"""`choose`: which trial of a study speaks for a variant. By validation alone, never by the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cropworth.config import nearest, parse
from cropworth.data.signature import Signature
from cropworth.errors import CropworthError
from cropworth.study.ledger import Ledger
from cropworth.study.plan import Plan
from cropworth.study.record import Record, Study


@dataclass(frozen=True)
class Trial:
    """A trained model of a study, not loaded yet.

    Attributes:
        study: as it stands on disk.
        plan: what it ran.
        signature: what its models know of the task.
        record: what this trial measured.
        weights: its file of them.
    """

    study: Study
    plan: Plan
    signature: Signature
    record: Record
    weights: Path

    @property
    def crops(self) -> bool:
        """Whether the variant crops, so that there are boxes."""
        return self.record.theta is not None

    @property
    def warning(self) -> str:
        """What a user must hear before they use it; empty for a sound trial."""
        if self.record.status == "ok":
            return ""
        trial = self.record
        return f"The trial of {trial.variant} with seed {trial.seed} {trial.status}: {trial.reason}"


def choose(folder: Path, variant: str, seed: int | None = None) -> Trial:
    """Pick the trial with the lowest validation loss at the largest training-set size, collapsed ones last.

    Args:
        folder: the study's.
        variant: its name in the plan.
        seed: the trial with this seed instead.

    Raises:
        CropworthError: the folder is no study, it has no such variant, an oracle is asked for, which cannot be
            deployed, or no trial of the variant has weights.
    """
    ledger = Ledger(folder)
    study, signature = ledger.read(), ledger.signature()
    if variant not in study.kinds:
        known = list(study.kinds)
        raise CropworthError(f"the variant {variant!r}", f"one of {', '.join(known)}", nearest(variant, known))
    if study.kinds[variant] == "oracle":
        raise CropworthError(
            f"the variant {variant!r}, an oracle",
            "a variant that finds its crop itself",
            "It crops true boxes, which nobody knows.",
        )
    size = max(study.train_sizes, default=0)
    record = _best(study.of(variant, size), f"{variant!r} with {size:,} training items in {folder}", seed)
    weights = ledger.weights(record.trial)
    if not weights.is_file():
        raise CropworthError(
            f"no {weights}",
            "the weights of the trial",
            f"Delete {weights.parent} and run the study again: only this trial is repeated.",
        )
    return Trial(study, parse(Plan, study.plan), signature, record, weights)


def _best(records: Sequence[Record], of: str, seed: int | None) -> Record:
    if not records:
        raise CropworthError(f"no finished trial of {of}", "at least one", "Run the study to its end.")
    if seed is not None:
        found = [record for record in records if record.seed == seed]
        if not found:
            seeds = ", ".join(str(record.seed) for record in records)
            raise CropworthError(
                f"no finished trial of {of} and seed {seed}", f"one of the seeds {seeds}", "Choose one."
            )
        records = found
    trained = [record for record in records if record.status != "diverged"]
    if not trained:
        raise CropworthError(
            f"only trials of {of} that diverged: {records[0].reason}",
            "one that kept its weights",
            "Choose another seed or variant, or lower training.lr.",
        )
    return min(trained, key=lambda record: (record.status != "ok", record.curve[record.best_epoch].validation_loss))
