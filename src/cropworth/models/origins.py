"""Classifiers of torchvision, timm and transformers, untrained and never downloaded; the packages load when needed."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cropworth.config import nearest
from cropworth.errors import CropworthError
from cropworth.functions import imported


def from_torchvision(model: str, channels: int, classes: int, **arguments: Any) -> nn.Module:
    """A classifier of torchvision.models; its first convolution is replaced where the images are not RGB.

    Raises:
        CropworthError: there is none of this name, or it does not begin with a convolution.
    """
    models = imported("torchvision.models", "pip install torchvision")
    known = models.list_models(module=models)
    if model not in known:
        raise CropworthError(f"torchvision:{model}", "a classifier of torchvision.models", nearest(model, known))
    network: nn.Module = models.get_model(model, weights=None, num_classes=classes, **arguments)
    if channels != 3:
        _take_channels(network, model, channels)
    return network


def from_timm(model: str, channels: int, classes: int, **arguments: Any) -> nn.Module:
    """A classifier of timm.

    Raises:
        CropworthError: timm is not installed, or there is none of this name; names on a hub are not looked up.
    """
    timm = _offline("timm")
    name = model.partition(".")[0]  # after the dot stands the name of pretrained weights, the same architecture's
    if not timm.is_model(name):
        raise CropworthError(f"timm:{model}", "a model of timm", nearest(name, timm.list_models()))
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes, in_chans=channels, **arguments)
    return network


def from_transformers(model: str, channels: int, classes: int, **arguments: Any) -> nn.Module:
    """The image classifier that a folder's config.json describes; other arguments replace what it says.

    The folder's weights are left alone, and so is its code: only models that transformers itself holds are built.

    Raises:
        CropworthError: transformers is not installed, or the folder describes no image classifier that it holds.
    """
    folder, transformers = Path(model), _offline("transformers")
    if not (folder / "config.json").is_file():
        raise CropworthError(
            f"transformers:{model} without a config.json", "a folder that holds one", "Check the path."
        )
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, num_labels=classes, **arguments
        )
        unknown = [key for key in ("num_channels", *arguments) if not hasattr(config, key)]
        if unknown:
            raise AttributeError(f"{type(config).__name__} has no {', '.join(unknown)}")
        config.num_channels = channels
        network = transformers.AutoModelForImageClassification.from_config(
            config, trust_remote_code=False, dtype=torch.float32
        )
    except Exception as error:  # of a config that anybody may have written
        raise CropworthError(
            f"{folder / 'config.json'} ({type(error).__name__}: {' '.join(str(error).split())})",
            "the configuration of an image classifier that transformers itself holds",
            "Check the folder and backbone.arguments.",
        ) from error
    return LogitsOnly(network)


ORIGINS: dict[str, Callable[..., nn.Module]] = {
    "torchvision": from_torchvision,
    "timm": from_timm,
    "transformers": from_transformers,
}


class LogitsOnly(nn.Module):
    """An image classifier of transformers as a function of the pixels.

    Position embeddings are interpolated where the images have another size than the configuration names, and the model
    can.

    Args:
        network: called with images (B, C, H, W), answers with `logits`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        fits = "interpolate_pos_encoding" in inspect.signature(network.forward).parameters
        self.options = {"interpolate_pos_encoding": True} if fits else {}

    def renamed(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """A file's tensors under the names that the network has for them now: files keep those of older versions."""
        quiet = imported("transformers.utils.logging", "")
        verbosity, bar = quiet.get_verbosity(), quiet.is_progress_bar_enabled()
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
        try:
            filled, report = type(self.network).from_pretrained(  # type: ignore[attr-defined]
                None,
                config=self.network.config,
                state_dict=dict(tensors),
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        finally:
            quiet.set_verbosity(verbosity)
            if bar:
                quiet.enable_progress_bar()
        other_shapes = {name for name, *_ in report["mismatched_keys"]}
        not_filled = {*report["missing_keys"], *other_shapes}
        found = {name: tensor for name, tensor in filled.state_dict().items() if name not in not_filled}
        as_they_are = {*report["unexpected_keys"], *other_shapes} & tensors.keys()
        return found | {name: tensors[name] for name in as_they_are}

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, classes)."""
        logits: Tensor = self.network(images, **self.options).logits
        return logits


def _offline(package: str) -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read once, when the package is first imported
    return imported(package, f"pip install 'cropworth[{package}]'")


def _take_channels(network: nn.Module, name: str, channels: int) -> None:
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
                return
    raise CropworthError(
        f"the backbone {name!r} for {channels} channels",
        "a network that begins with a convolution",
        "Use channels: 3.",
    )
