"""cropworth finds out, by measurement, whether a learned crop pays for itself, and gives you the crop that does.

The names below are loaded when they are first used: reading records and appraising them needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cropworth.crops.health import CropHealth, crop_health
    from cropworth.crops.localizers import HeatmapLocalizer, RegressionLocalizer
    from cropworth.crops.sampling import sample
    from cropworth.crops.spatial import SpatialTransformer
    from cropworth.crops.transforms import Affine, Transform, Zoom
    from cropworth.errors import CropworthError

__version__ = "0.1.0"

_HOME = {
    "Affine": "crops.transforms",
    "CropHealth": "crops.health",
    "CropworthError": "errors",
    "HeatmapLocalizer": "crops.localizers",
    "RegressionLocalizer": "crops.localizers",
    "SpatialTransformer": "crops.spatial",
    "Transform": "crops.transforms",
    "Zoom": "crops.transforms",
    "crop_health": "crops.health",
    "sample": "crops.sampling",
}

__all__ = [
    "Affine",
    "CropHealth",
    "CropworthError",
    "HeatmapLocalizer",
    "RegressionLocalizer",
    "SpatialTransformer",
    "Transform",
    "Zoom",
    "crop_health",
    "sample",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cropworth' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cropworth.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
