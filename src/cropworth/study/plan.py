"""`Plan`: what to study, from YAML. Free of torch.

A plan names data, a backbone, variants, training settings, training-set sizes and seeds; every combination of
variant, size and seed is a trial. Prices stand in `economics`, which the study itself never looks at: they are
checked by `cropworth.worth.economics` and may change without any training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from cropworth.config import Config, parse, read_yaml
from cropworth.data.config import DataConfig, Folder, located
from cropworth.data.signature import Signature
from cropworth.study.ledger import trial_name
from cropworth.study.record import Kind

Side = Annotated[int, Field(ge=4, le=4096)]
CONFIG_OF = "transformers:"
Jitter = Annotated[float, Field(ge=0, lt=1)]


class Normalise(Config):
    """What is subtracted from each channel of the pixels, which are in [0, 1], and what they are then divided by."""

    mean: tuple[float, ...] = Field(min_length=1)
    deviation: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.mean) != len(self.deviation):
            raise ValueError("mean and deviation need a number for each channel, or a single one")
        return self


class Backbone(Config):
    """The classifier, the same for every variant."""

    added: ClassVar[frozenset[str]] = frozenset({"weights", "frozen", "normalise"})

    name: str = "small"
    """A built-in name, `torchvision:NAME`, `timm:NAME`, `transformers:CONFIG_FOLDER` or `your_module:factory`."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Further keyword arguments for it."""
    weights: Path | None = None
    """A local file of weights, `.safetensors` or a state_dict that torch saved; relative to the plan's own folder."""
    frozen: bool = False
    """Whether what `weights` gave stays as it is; else it is trained further."""
    normalise: Literal["imagenet"] | Normalise | None = None
    """Of the pixels that the backbone sees, after the crop: ImageNet's means and deviations, or others."""

    def located(self, folder: Path) -> Backbone:
        """The same backbone with its paths, of weights and of a config, which start at the folder, made absolute."""
        weights, config = self.weights and (folder / self.weights).resolve(), self._config
        name = self.name if config is None else f"{CONFIG_OF}{(folder / config).resolve()}"
        return self.model_copy(update={"weights": weights, "name": name})

    def files(self) -> tuple[Path, ...]:
        """What the model is made from and a plan only names: another content would be another model."""
        config = self._config
        files = (self.weights, None if config is None else config / "config.json")
        return tuple(file for file in files if file is not None)

    @property
    def _config(self) -> Path | None:
        return Path(self.name.removeprefix(CONFIG_OF)) if self.name.startswith(CONFIG_OF) else None

    @model_validator(mode="after")
    def _frozen_at_something(self) -> Self:
        if self.frozen and self.weights is None:
            raise ValueError("frozen needs weights: what is not trained must come from somewhere")
        return self


class Whole(Config):
    """No crop: the backbone sees the whole input. The usual baseline."""

    control: Literal["whole"]
    backbone: Backbone | None = None
    """Another backbone than the plan's: would that give what the crop gives?"""


class Small(Config):
    """Control: the whole input, shrunk to `size`."""

    control: Literal["small"]
    size: Side
    """Side in pixels, or steps."""


class Centre(Config):
    """Control: a fixed crop of `size` pixels, or steps, from the middle, at full resolution."""

    control: Literal["centre"]
    size: Side
    """Side in pixels, or steps."""


class Matched(Config):
    """Control: the baseline with a narrower backbone, so that it costs as many FLOPs as the variant `to`."""

    control: Literal["matched"]
    to: str
    """Name of the crop variant."""


class Constant(Config):
    """Control: always the same answer, without a look at the input. As the baseline it asks: is deciding worth it?"""

    control: Literal["constant"]
    answer: str
    """Name of a class."""


class Oracle(Config):
    """Upper bound: crops the true box. Cannot be deployed, since nobody knows the box."""

    control: Literal["oracle"]
    size: Side
    """Side of the crop in pixels, or steps."""
    jitter: Jitter = 0.0
    """As of a learned crop: what does that alone give?"""


class Crop(Config):
    """A learned crop in front of the backbone."""

    localizer: Literal["regression", "heatmap", "proposals"]
    """What decides where to crop; `proposals` is a heatmap guided by a region proposal network."""
    features: Literal["near", "pyramid"] = "near"
    """Through what a heatmap or proposals see: at each place 17 pixels of the look (`near`), or some 40 (`pyramid`)."""
    transform: Literal["zoom", "similarity", "affine", "unbounded-affine", "warp"]
    """What kind of crop; of sequences `zoom`, `warp` or `unbounded-affine`."""
    size: Side
    """Side of the crop in pixels, or its steps."""
    look_size: Annotated[int, Field(ge=8, le=1024)] = 32
    """Side in pixels of the small copy that the localizer sees, or its steps."""
    start_scale: float = Field(default=1.0, gt=0.01, lt=1.5)
    """Side of the crop at the start, as a fraction of the input; not for `unbounded-affine`."""
    looks_at: Literal["input", "states"] = "input"
    """Of sequences: what the localizer sees, the input or the states of an encoder like the backbone's."""
    crops: Literal["input", "states"] = "input"
    """Of sequences: what is cropped; of states that are cropped, the backbone gives encoder and read-out."""
    steps: Annotated[int, Field(ge=1, le=8)] = 1
    """Looks, each into the crop of the one before; more than 1 is a cascade."""
    candidates: Annotated[int, Field(ge=1, le=8)] = 1
    """Places between which training lets the classifier decide; more than 1 needs a heatmap or proposals."""
    box_losses: float = Field(default=0.0, ge=0)
    """Weight of the proposal network's own losses, which learn from the true boxes; 0 does not look at them."""
    localizer_lr: float = Field(default=1.0, gt=0)
    """Learning rate of the localizer, as a multiple of the backbone's."""
    antialias: bool = False
    """Average the pixels where the crop shrinks the input."""
    reach: float = Field(default=1.0, ge=1, le=64)
    """Pixels that the gradient to the crop's place sees at the start of training; falls to 1 half-way."""
    jitter: Jitter = 0.0
    """How far training reads beside the crop's place, as a fraction of the crop; see `cropworth.jitter`."""
    consistency: float = Field(default=0.0, ge=0)
    """Weight of the penalty on a crop that does not follow the picture when it is moved, zoomed or flipped."""
    scale_prior: float = Field(default=0.0, ge=0)
    """Weight of the penalty on a scale other than `start_scale`."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.transform == "unbounded-affine" and self.start_scale != 1.0:
            raise ValueError("unbounded-affine starts at the whole input; start_scale belongs to the others")
        if self.candidates > 1 and (self.localizer == "regression" or self.steps > 1):
            raise ValueError("several candidates need the localizer heatmap or proposals, and steps = 1")
        if self.features != "near" and self.localizer == "regression":
            raise ValueError("the features pyramid need the localizer heatmap or proposals")
        if self.localizer == "proposals" and self.steps > 1:
            raise ValueError("proposals guide a single crop: steps must be 1")
        if self.crops == "states" and self.looks_at == "input":
            raise ValueError("a crop of states looks at them: looks_at must be states")
        if self.looks_at == "states" and (self.localizer == "proposals" or self.steps > 1):
            raise ValueError("proposals and several steps look at the input")
        if self.transform == "warp" and self.jitter:
            raise ValueError("a warp has no jitter: what is bent cannot be moved within the crop")
        if self.box_losses and self.localizer != "proposals":
            raise ValueError("box_losses are those of the localizer proposals")
        return self


def _variant_kind(values: Any) -> str:
    control = values.get("control") if isinstance(values, dict) else getattr(values, "control", None)
    return "<crop>" if control is None else f"<{control}>"


Variant = Annotated[
    Annotated[Whole, Tag("<whole>")]
    | Annotated[Small, Tag("<small>")]
    | Annotated[Centre, Tag("<centre>")]
    | Annotated[Matched, Tag("<matched>")]
    | Annotated[Constant, Tag("<constant>")]
    | Annotated[Oracle, Tag("<oracle>")]
    | Annotated[Crop, Tag("<crop>")],
    Discriminator(_variant_kind),
]


class Training(Config):
    """How each trial is trained: AdamW, a one-cycle schedule, early stop on validation."""

    added: ClassVar[frozenset[str]] = frozenset({"augment"})

    epochs: int = Field(default=12, ge=1)
    batch_size: int = Field(default=64, ge=2)
    lr: float = Field(default=3e-3, gt=0)
    """Highest learning rate of the one-cycle schedule."""
    weight_decay: float = Field(default=0.01, ge=0)
    patience: int = Field(default=6, ge=1)
    """Epochs without a better validation loss after which training stops."""
    augment: tuple[dict[str, dict[str, Any]], ...] = ()
    """Of training images: names of transforms of torchvision.transforms.v2 with their arguments, one after another."""


class Grid(Config):
    """Which trials: every variant at every size with every seed."""

    train_sizes: tuple[Annotated[int, Field(ge=2)], ...] = Field(min_length=1)
    """How many training items; the headline verdict is for the largest."""
    seeds: int = Field(ge=1, le=1000)
    """Seeds 0 to seeds - 1. An interval needs at least 2."""


class Timing(Config):
    """The latency phase, after the last trial."""

    batch_size: int = Field(default=64, ge=1)
    """Items in one call."""
    rounds: int = Field(default=30, ge=10)
    """Timed calls of each variant; with fewer than 10 the chance in a median cannot be told."""


class Plan(Config):
    """A whole study."""

    name: str = Field(min_length=1)
    data: DataConfig
    backbone: Backbone = Backbone()
    variants: dict[str, Variant] = Field(min_length=2)
    baseline: str = "baseline"
    """Name of the variant that the others are compared with."""
    training: Training = Training()
    study: Grid
    timing: Timing = Timing()
    economics: dict[str, Any] = Field(default_factory=dict)
    """Prices; see `cropworth.worth.economics.Economics`."""

    @model_validator(mode="after")
    def _names(self) -> Self:
        if self.baseline not in self.variants:
            raise ValueError(f"the baseline {self.baseline!r} is not among the variants {', '.join(self.variants)}")
        if isinstance(self.variants[self.baseline], Oracle):
            raise ValueError("an oracle cannot be the baseline: nobody can deploy it")
        for name, variant in self.variants.items():
            if isinstance(variant, Matched) and not isinstance(self.variants.get(variant.to), Crop):
                raise ValueError(f"variants.{name}.to = {variant.to!r} is not a learned crop of this plan")
            if isinstance(variant, Oracle) and isinstance(self.data, Folder) and self.data.boxes is None:
                raise ValueError(f"variants.{name}: an oracle needs the true boxes; name a file of them in data.boxes")
        return self

    def located(self, folder: Path) -> Plan:
        """The same plan with its paths, which start at the folder, made absolute."""
        variants = {
            name: variant.model_copy(update={"backbone": variant.backbone.located(folder)})
            if isinstance(variant, Whole) and variant.backbone is not None
            else variant
            for name, variant in self.variants.items()
        }
        parts = {"data": located(self.data, folder), "backbone": self.backbone.located(folder), "variants": variants}
        return self.model_copy(update=parts)

    def model_files(self) -> tuple[Path, ...]:
        """Files of weights and configurations that the variants' backbones are made from."""
        others = [v.backbone for v in self.variants.values() if isinstance(v, Whole) and v.backbone is not None]
        return tuple(sorted({file for backbone in (self.backbone, *others) for file in backbone.files()}))

    def kind(self, name: str) -> Kind:
        """What a variant is."""
        if name == self.baseline:
            return "baseline"
        variant = self.variants[name]
        return "crop" if isinstance(variant, Crop) else "oracle" if isinstance(variant, Oracle) else "control"

    def trials(self) -> list[dict[str, Any]]:
        """The resolved configuration of every trial, larger training sets first (they take longest)."""
        return [
            self.trial(variant, size, seed)
            for size in sorted(set(self.study.train_sizes), reverse=True)
            for seed in range(self.study.seeds)
            for variant in self.variants
        ]

    def trial(self, variant: str, train_size: int, seed: int) -> dict[str, Any]:
        """All that decides a trial's record, as plain data; its hash names the trial.

        Prices, the other variants, sizes and seeds are not part of it: changing them repeats no training.
        """
        settings = self.variants[variant]
        plain = self.model_dump(mode="json", include={"data", "backbone", "training"})
        plain |= {"name": variant, "kind": self.kind(variant), "variant": settings.model_dump(mode="json")}
        if isinstance(settings, Matched):
            plain["variant"]["to"] = self.variants[settings.to].model_dump(mode="json")
        return plain | {"train_size": train_size, "seed": seed}

    def header(
        self,
        signature: Signature,
        data_sha256: str,
        warnings: tuple[str, ...] = (),
        weights_sha256: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """What the ledger keeps of the plan, of the data it was run on and of the `model_files`."""
        return {
            "name": self.name,
            "baseline": self.baseline,
            "kinds": {name: self.kind(name) for name in self.variants},
            "classes": list(signature.classes),
            "signature": signature.as_dict(),
            "data_sha256": data_sha256,
            "weights_sha256": dict(weights_sha256 or {}),
            "warnings": list(warnings),
            "economics": self.economics,
            "plan": self.model_dump(mode="json"),
            "trials": [trial_name(trial) for trial in self.trials()],
        }


def load_plan(path: Path) -> Plan:
    """Read and check a plan.

    Raises:
        CropworthError: the file cannot be read, or a key is missing, unknown or wrong; it names the key's path.
    """
    values = read_yaml(path)
    plan = parse(Plan, values)
    return plan.located(path.parent)
