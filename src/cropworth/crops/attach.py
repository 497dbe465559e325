"""`attach`: a crop in front of any model, or of one of its layers, without editing it; and out again."""

from __future__ import annotations

import difflib
from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn

from cropworth.crops.sequence import TemporalTransformer
from cropworth.crops.spatial import Cropper, MultiCrop
from cropworth.errors import CropworthError

# The name under which a layer holds the crop in front of it: in state_dict, LAYER.cropworth.transformer.PARAMETER.
NAME = "cropworth"


class Attached:
    """A crop that is attached to a model; also a context manager, which takes it out at its end.

    Attributes:
        model: what it was attached to.
        transformer: the crop.
        at: the layer that it stands in front of; None for the model itself.
    """

    def __init__(self, model: nn.Module, transformer: Cropper, at: str | None) -> None:
        self.model, self.transformer, self.at = model, transformer, at
        self._layer = model if at is None else model.get_submodule(at)
        self._layer.add_module(NAME, _InFront(transformer, at or type(model).__name__))
        self._hook = self._layer.register_forward_pre_hook(_crop_first)

    def remove(self) -> None:
        """Take the crop out: the model is again what it was. A second time does nothing."""
        self._hook.remove()
        held = getattr(self._layer, NAME, None)
        if isinstance(held, _InFront) and held.transformer is self.transformer:
            delattr(self._layer, NAME)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def attach(model: nn.Module, transformer: Cropper, at: str | None = None) -> Attached:
    """Put a crop in front of a model, or of one of its layers: what it is called with is cropped first.

    The model is the same object, of the same class. Its `parameters` and its `state_dict` now have the crop's as well
    (load those of the model alone before), it follows `train`, `eval` and `to`, and a copy of the model is one with the
    crop. `parameter_groups` and `set_reach` find it. `torch.export` takes it in; `torch.compile` too, but for a crop in
    front of the very module that is compiled, whose hooks run outside the graph: compile a function that calls it.

    Args:
        model: any module.
        transformer: a crop of images (B, C, H, W), such as a `SpatialTransformer`, for inputs with as many channels
            as its localizer takes; or a `TemporalTransformer` of sequences (B, T, F).
        at: name of a submodule as `named_modules` has it, such as ``layer3``, whose input (a feature map) is cropped;
            None crops the model's own input. A layer that the model does not call, but for its weights, crops nothing.

    Returns:
        The attached crop, with `remove`. It can stand in a ``with``, at the end of which it is taken out.

    Raises:
        CropworthError: the model has no such layer, or one with a crop already; the transformer is no crop that gives
            one view. When the model is called: the first input is no such tensor, or a sequence comes with further
            inputs, such as lengths, which no longer hold.
    """
    if not isinstance(transformer, Cropper) or isinstance(transformer, MultiCrop):
        raise CropworthError(
            f"a {type(transformer).__name__}",
            "a crop that gives one view: SpatialTransformer, Cascade, ProposalGuidedTransformer or TemporalTransformer",
            "Put whatever gives more, or answers itself, in front of the model by hand.",
        )
    layers = dict(model.named_modules())
    if at is not None and at not in layers:
        close = difflib.get_close_matches(at, layers, n=1) or [name for name, _ in model.named_children()]
        raise CropworthError(
            f"at = {at!r}, which a {type(model).__name__} does not have",
            "the name of one of its layers",
            f"Did you mean {' or '.join(map(repr, close))}? See model.named_modules().",
        )
    if hasattr(layers[at or ""], NAME):
        raise CropworthError(
            f"a second crop in front of {at or type(model).__name__}",
            "a single one at each place",
            "Remove the first, or attach a Cascade, which looks several times.",
        )
    transformer.train(model.training)
    return Attached(model, transformer, at)


class _InFront(nn.Module):
    """Holds the crop as a part of the layer behind it.

    As one more module of an `nn.Sequential` it would be called at its end: then it passes on what it is given.
    """

    def __init__(self, transformer: Cropper, where: str) -> None:
        super().__init__()
        self.transformer, self.where = transformer, where
        self.rank = 3 if isinstance(transformer, TemporalTransformer) else 4

    def forward(self, values: Any) -> Any:
        return values

    def crop(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """A layer's inputs with the first one cropped."""
        wanted = "(B, T, F), and nothing beside it" if self.rank == 3 else "(B, C, H, W)"
        first = inputs[0] if inputs else None
        if not isinstance(first, Tensor) or first.ndim != self.rank or (self.rank == 3 and len(inputs) > 1):
            got = [tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__ for value in inputs]
            raise CropworthError(
                f"{', '.join(map(str, got)) or 'nothing'} as positional input of {self.where}, behind a crop",
                f"a tensor {wanted}",
                "Pass it by position, or attach the crop elsewhere.",
            )
        return (self.transformer(first), *inputs[1:])


# A function of the module, and not a closure: a copy of the model crops by its own copy of the crop.
def _crop_first(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    held = getattr(layer, NAME)
    assert isinstance(held, _InFront)
    return held.crop(inputs)
