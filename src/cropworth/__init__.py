"""cropworth finds out, by measurement, whether a learned crop pays for itself, and gives you the crop that does.

The names below are loaded when they are first used: reading records and appraising them needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cropworth.crops.attach import attach
    from cropworth.crops.geometry import (
        box_iou,
        boxes_to_theta,
        compose,
        invert,
        map_boxes,
        map_points,
        theta_to_boxes,
        unmap_boxes,
        unmap_points,
    )
    from cropworth.crops.glance import GlanceAndCrop, calibrate, stage_loss
    from cropworth.crops.health import CropHealth, centre_error, crop_health, localisation_iou
    from cropworth.crops.localizers import HeatmapLocalizer, Pyramid, RegressionLocalizer
    from cropworth.crops.penalties import out_of_frame, overlap, scale_prior, temporal_smoothness
    from cropworth.crops.proposals import ProposalGuidedTransformer, ProposalNetwork, refine_theta
    from cropworth.crops.sampling import sample
    from cropworth.crops.sequence import SequenceTransformer, TemporalTransformer
    from cropworth.crops.spatial import AttentionPool, Cascade, Cropper, MultiCrop, SpatialTransformer, on_each
    from cropworth.crops.splines import ThinPlateSpline, Warp
    from cropworth.crops.training import (
        auxiliary_crops,
        consistency,
        jitter,
        marginal_loss,
        parameter_groups,
        set_reach,
    )
    from cropworth.crops.transforms import (
        Affine,
        Projective,
        Similarity,
        Transform,
        UnboundedAffine,
        Zoom,
    )
    from cropworth.deploy.load import load
    from cropworth.errors import CropworthError
    from cropworth.worth.appraisal import appraise
    from cropworth.worth.economics import read_economics
    from cropworth.worth.predictions import read_predictions

__version__ = "0.1.0"

_HOME = {
    "Affine": "crops.transforms",
    "AttentionPool": "crops.spatial",
    "Cascade": "crops.spatial",
    "CropHealth": "crops.health",
    "Cropper": "crops.spatial",
    "CropworthError": "errors",
    "GlanceAndCrop": "crops.glance",
    "HeatmapLocalizer": "crops.localizers",
    "MultiCrop": "crops.spatial",
    "Projective": "crops.transforms",
    "ProposalGuidedTransformer": "crops.proposals",
    "ProposalNetwork": "crops.proposals",
    "Pyramid": "crops.localizers",
    "RegressionLocalizer": "crops.localizers",
    "SequenceTransformer": "crops.sequence",
    "Similarity": "crops.transforms",
    "SpatialTransformer": "crops.spatial",
    "TemporalTransformer": "crops.sequence",
    "ThinPlateSpline": "crops.splines",
    "Transform": "crops.transforms",
    "UnboundedAffine": "crops.transforms",
    "Warp": "crops.splines",
    "Zoom": "crops.transforms",
    "appraise": "worth.appraisal",
    "attach": "crops.attach",
    "auxiliary_crops": "crops.training",
    "box_iou": "crops.geometry",
    "boxes_to_theta": "crops.geometry",
    "calibrate": "crops.glance",
    "centre_error": "crops.health",
    "compose": "crops.geometry",
    "consistency": "crops.training",
    "crop_health": "crops.health",
    "invert": "crops.geometry",
    "jitter": "crops.training",
    "load": "deploy.load",
    "localisation_iou": "crops.health",
    "map_boxes": "crops.geometry",
    "map_points": "crops.geometry",
    "marginal_loss": "crops.training",
    "on_each": "crops.spatial",
    "out_of_frame": "crops.penalties",
    "overlap": "crops.penalties",
    "parameter_groups": "crops.training",
    "read_economics": "worth.economics",
    "read_predictions": "worth.predictions",
    "refine_theta": "crops.proposals",
    "sample": "crops.sampling",
    "scale_prior": "crops.penalties",
    "set_reach": "crops.training",
    "stage_loss": "crops.glance",
    "temporal_smoothness": "crops.penalties",
    "theta_to_boxes": "crops.geometry",
    "unmap_boxes": "crops.geometry",
    "unmap_points": "crops.geometry",
}

__all__ = [
    "Affine",
    "AttentionPool",
    "Cascade",
    "CropHealth",
    "Cropper",
    "CropworthError",
    "GlanceAndCrop",
    "HeatmapLocalizer",
    "MultiCrop",
    "Projective",
    "ProposalGuidedTransformer",
    "ProposalNetwork",
    "Pyramid",
    "RegressionLocalizer",
    "SequenceTransformer",
    "Similarity",
    "SpatialTransformer",
    "TemporalTransformer",
    "ThinPlateSpline",
    "Transform",
    "UnboundedAffine",
    "Warp",
    "Zoom",
    "appraise",
    "attach",
    "auxiliary_crops",
    "box_iou",
    "boxes_to_theta",
    "calibrate",
    "centre_error",
    "compose",
    "consistency",
    "crop_health",
    "invert",
    "jitter",
    "load",
    "localisation_iou",
    "map_boxes",
    "map_points",
    "marginal_loss",
    "on_each",
    "out_of_frame",
    "overlap",
    "parameter_groups",
    "read_economics",
    "read_predictions",
    "refine_theta",
    "sample",
    "scale_prior",
    "set_reach",
    "stage_loss",
    "temporal_smoothness",
    "theta_to_boxes",
    "unmap_boxes",
    "unmap_points",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cropworth' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cropworth.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
