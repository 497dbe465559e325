"""A twin of the small network: the same but for its first weights."""

from __future__ import annotations

from typing import Any

from torch import nn

from cropworth.models.small import SmallConvNet


def small(**arguments: Any) -> nn.Module:
    """What the built-in `small` builds, from other random numbers: one network is drawn before it and thrown away."""
    SmallConvNet(**arguments)
    return SmallConvNet(**arguments)
