"""`load`: a study's folder -> a `Predictor`, which needs neither the data nor the files the plan began with."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from cropworth.config import parse
from cropworth.crops.geometry import theta_to_boxes
from cropworth.data.signature import Signature
from cropworth.data.task import Split
from cropworth.deploy.trial import Trial, choose
from cropworth.errors import CropworthError
from cropworth.models.weights import read_weights
from cropworth.study.classifier import Classifier
from cropworth.study.plan import Backbone, Plan, Whole
from cropworth.study.variants import build_variant


class Predictor(nn.Module):
    """A trained variant: inputs -> probabilities, or numbers.

    Args:
        model: with its weights.
        signature: of the task it was trained for.
    """

    def __init__(self, model: Classifier, signature: Signature) -> None:
        super().__init__()
        self.model, self.signature = model, signature

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of the probabilities; empty where a number is predicted."""
        return self.signature.classes

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Probabilities (B, classes), or the numbers (B,) of a regression; inputs as in `predict`."""
        return self.predict(inputs, lengths)[0]

    def crops(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor | None:
        """Where the model looks: boxes (B, 2 d), see `predict`; None where it does not crop."""
        return self.predict(inputs, lengths)[1]

    def predict(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Predictions, and where they were read.

        Args:
            inputs: images (B, C, H, W), pixels in [0, 1]; series (B, T, F), float; or texts (B, T), the numbers of
                their words.
            lengths: (B,), own steps of series and texts; None where all T are each item's own.

        Returns:
            Probabilities (B, classes) or numbers (B,); and the crops' boxes: (cx, cy, w, h) as fractions of the image,
            or (centre, length) as fractions of the item's own length. Of a crop that is turned or bent, the smallest
            box around it. None where the variant does not crop.

        Raises:
            CropworthError: the inputs have another shape or type than those of the study.
        """
        self._check(inputs)
        if self.signature.is_sequence and lengths is None:
            lengths = inputs.new_full(inputs.shape[:1], inputs.shape[1], dtype=torch.int64)
        items = Split(inputs, inputs.new_zeros(inputs.shape[0]), lengths=lengths)
        view = self.model.view(items)
        answer = self.model.predicted(self.model.answer(view, lengths))
        return answer, None if view.theta is None else theta_to_boxes(view.theta)

    def _check(self, inputs: Tensor) -> None:
        known = self.signature
        if known.vocabulary:
            wanted, right = "(B, T), int64", inputs.ndim == 2 and inputs.dtype == torch.int64
        elif known.is_sequence:
            wanted = f"(B, T, {known.channels}), floating point"
            right = inputs.ndim == 3 and inputs.shape[2] == known.channels and inputs.is_floating_point()
        else:
            wanted = f"(B, {known.channels}, {', '.join(map(str, known.size))}), floating point in [0, 1]"
            right = inputs.shape[1:] == (known.channels, *known.size) and inputs.is_floating_point()
        if not right:
            raise CropworthError(
                f"inputs of shape {tuple(inputs.shape)} and type {inputs.dtype}",
                wanted,
                "Bring them to the shape that the study trained on; `cropworth predict` reads files so.",
            )


def load(folder: Path | str, variant: str | None = None, seed: int | None = None) -> Predictor:
    """A trained variant of a study, or what `cropworth export --format safetensors` wrote, ready to predict.

    The trial with the lowest validation loss at the largest training-set size speaks for the variant. Modules of your
    own that the plan names must be installed or lie in the current folder. A pretrained weights file of the plan is not
    needed any more: the trial's own weights hold everything. A trial whose crop collapsed is loaded, with a warning,
    where there is no other.

    Args:
        folder: the study's, or one that was exported.
        variant: its name in the plan; not of what was exported, which is a single one.
        seed: the trial with this seed instead.

    Raises:
        CropworthError: no such study, variant or trial, or its weights do not fit; see `choose`.
    """
    if variant is None:
        return exported(Path(folder))
    trial = choose(Path(folder), variant, seed)
    if trial.warning:
        warnings.warn(trial.warning, stacklevel=2)
    return loaded(trial)


def loaded(trial: Trial) -> Predictor:
    """The trial's model, in evaluation mode.

    Raises:
        CropworthError: the weights cannot be read, or do not fit the model that the plan builds now.
    """
    weights = read_weights(trial.weights)
    return _built(trial.plan, trial.record.variant, trial.signature, weights, trial.weights)


def exported(folder: Path) -> Predictor:
    """The model that `export` wrote as safetensors.

    Raises:
        CropworthError: the folder is another, or its weights do not fit the model that its plan builds now.
    """
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        plan, variant, signature = about["plan"], about["variant"], Signature.from_dict(about["signature"])
        path = folder / about["file"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CropworthError(
            f"{folder} without the name of a variant ({_first_line(error)})",
            "a study and a variant in it, or a folder that `cropworth export --format safetensors` wrote",
            "Name the variant.",
        ) from None
    return _built(parse(Plan, plan), variant, signature, read_weights(path), path)


def _built(plan: Plan, variant: str, signature: Signature, weights: dict[str, Tensor], path: Path) -> Predictor:
    model = build_variant(without_weights(plan), variant, signature, 0, Path.cwd())
    try:
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise CropworthError(
            f"weights in {path} that do not fit the model ({_first_line(error)})",
            "the model that the study trained",
            "Use the versions, and the module of your own, that the study ran with; its records name them.",
        ) from None
    return Predictor(model, signature).eval()


def without_weights(plan: Plan) -> Plan:
    """The same plan, whose backbones start untrained: what they were pretrained to is in the trial's weights."""

    def bare(backbone: Backbone) -> Backbone:
        return backbone.model_copy(update={"weights": None, "frozen": False})

    variants = {
        name: variant.model_copy(update={"backbone": bare(variant.backbone)})
        if isinstance(variant, Whole) and variant.backbone is not None
        else variant
        for name, variant in plan.variants.items()
    }
    return plan.model_copy(update={"backbone": bare(plan.backbone), "variants": variants})


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
