"""`build_backbone`: a classifier from its name in a plan."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from cropworth.config import nearest
from cropworth.errors import CropworthError
from cropworth.functions import load_function, look_in
from cropworth.models.origins import ORIGINS
from cropworth.models.recurrent import RecurrentNet
from cropworth.models.small import SmallConvNet

BUILT_IN: dict[str, Callable[..., nn.Module]] = {"small": SmallConvNet, "recurrent": RecurrentNet}
# What a plan says elsewhere, or by what a library would fetch weights from the network.
NOT_ARGUMENTS = ("weights", "pretrained", "checkpoint_path", "trust_remote_code")


def build_backbone(
    name: str, channels: int, classes: int, arguments: dict[str, Any], folder: Path | None = None
) -> nn.Module:
    """Build an untrained backbone: images (B, channels, H, W) -> logits (B, classes). Nothing is ever downloaded.

    Args:
        name: a built-in name; ``torchvision:NAME``, whose first convolution is replaced where the images are not RGB;
            ``timm:NAME``; ``transformers:CONFIG_FOLDER``, a folder with the config.json of an image classifier; or
            ``your_module:factory``, called as ``factory(channels=..., classes=..., **arguments)``.
        channels: channels of the images.
        classes: number of logits.
        arguments: further keyword arguments, from the plan.
        folder: the plan's own, where `your_module` may lie, besides the usual places, and where a config's path starts.

    Raises:
        CropworthError: there is no such backbone, its package is not installed, or it does not take the arguments.
    """
    for argument in NOT_ARGUMENTS:
        if argument in arguments and name.partition(":")[0] in ORIGINS:
            raise CropworthError(
                f"the argument {argument!r} of the backbone {name!r}",
                "weights from a local file: nothing is downloaded, and no code but the installed packages' is run",
                "Name the file in backbone.weights.",
            )
    origin, colon, model = name.partition(":")
    if not colon and name not in BUILT_IN:
        known = ", ".join(map(repr, BUILT_IN))
        raise CropworthError(
            f"the backbone {name!r}",
            f"{known}, 'torchvision:NAME', 'timm:NAME', 'transformers:CONFIG_FOLDER' or 'your_module:factory'",
            nearest(name, list(BUILT_IN)),
        )
    if origin in ORIGINS:
        where = str((folder or Path()) / model) if origin == "transformers" else model
        return _call(ORIGINS[origin], name, {"model": where, "channels": channels, "classes": classes} | arguments)
    look_in(folder)
    factory = load_function(name, "backbone") if colon else BUILT_IN[name]
    return _call(factory, name, {"channels": channels, "classes": classes, **arguments})


def takes(name: str, argument: str) -> bool:
    """Whether this is a built-in backbone that has this argument."""
    return name in BUILT_IN and argument in inspect.signature(BUILT_IN[name]).parameters


def _call(factory: Callable[..., Any], name: str, arguments: dict[str, Any]) -> nn.Module:
    try:
        network = factory(**arguments)
    except CropworthError:
        raise
    except Exception as error:  # of anybody's code
        raise CropworthError(
            f"the backbone {name!r} with {arguments}",
            "arguments it takes",
            f"It said: {type(error).__name__}: {error}",
        ) from error
    if not isinstance(network, nn.Module):
        raise CropworthError(
            f"{type(network).__name__} from the backbone {name!r}", "a torch.nn.Module", "Return the module."
        )
    return network
