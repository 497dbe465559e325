"""`build_backbone`: a classifier from its name in a plan."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torchvision
from torch import nn

from cropworth.config import nearest
from cropworth.errors import CropworthError
from cropworth.functions import load_function, look_in
from cropworth.models.recurrent import RecurrentNet
from cropworth.models.small import SmallConvNet

BUILT_IN: dict[str, Callable[..., nn.Module]] = {"small": SmallConvNet, "recurrent": RecurrentNet}


def build_backbone(
    name: str, channels: int, classes: int, arguments: dict[str, Any], folder: Path | None = None
) -> nn.Module:
    """Build an untrained backbone: images (B, channels, H, W) -> logits (B, classes).

    Args:
        name: a built-in name; ``torchvision:NAME``, made with ``num_classes``, whose first convolution is replaced
            where the images are not RGB; or ``your_module:factory``, called as
            ``factory(channels=..., classes=..., **arguments)``.
        channels: channels of the images.
        classes: number of logits.
        arguments: further keyword arguments, from the plan.
        folder: where `your_module` may lie, besides the usual places: the plan's folder.

    Raises:
        CropworthError: there is no such backbone, or it does not take the arguments.
    """
    origin, colon, model = name.partition(":")
    if not colon:
        if name not in BUILT_IN:
            raise CropworthError(
                f"the backbone {name!r}",
                f"{', '.join(map(repr, BUILT_IN))}, 'torchvision:NAME' or 'your_module:factory'",
                nearest(name, list(BUILT_IN)),
            )
        return _call(BUILT_IN[name], name, {"channels": channels, "classes": classes, **arguments})
    if origin == "torchvision":
        known = torchvision.models.list_models(module=torchvision.models)
        if model not in known:
            raise CropworthError(f"the backbone {name!r}", "a classifier of torchvision.models", nearest(model, known))
        network = _call(
            torchvision.models.get_model,
            name,
            {"name": model, "weights": None, "num_classes": classes, **arguments},
        )
        return network if channels == 3 else _with_input_channels(network, name, channels)
    look_in(folder)
    return _call(load_function(name, "backbone"), name, {"channels": channels, "classes": classes, **arguments})


def takes(name: str, argument: str) -> bool:
    """Whether this is a built-in backbone that has this argument."""
    return name in BUILT_IN and argument in inspect.signature(BUILT_IN[name]).parameters


def _call(factory: Callable[..., Any], name: str, arguments: dict[str, Any]) -> nn.Module:
    try:
        network = factory(**arguments)
    except (TypeError, ValueError) as error:
        raise CropworthError(
            f"the backbone {name!r} with {arguments}", "arguments it takes", f"It said: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise CropworthError(
            f"{type(network).__name__} from the backbone {name!r}", "a torch.nn.Module", "Return the module."
        )
    return network


def _with_input_channels(network: nn.Module, name: str, channels: int) -> nn.Module:
    """Replace the first convolution by one of the same shape that takes `channels`."""
    for parent in network.modules():
        for key, child in parent.named_children():
            if isinstance(child, nn.Conv2d):
                if child.groups != 1:
                    break
                new = nn.Conv2d(
                    channels,
                    child.out_channels,
                    child.kernel_size,  # type: ignore[arg-type]
                    child.stride,  # type: ignore[arg-type]
                    child.padding,  # type: ignore[arg-type]
                    child.dilation,  # type: ignore[arg-type]
                    bias=child.bias is not None,
                )
                setattr(parent, key, new)
                return network
    raise CropworthError(
        f"the backbone {name!r} for {channels} channels",
        "a network that begins with a convolution",
        "Use channels: 3.",
    )
