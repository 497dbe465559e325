"""Which variants which format holds: the table in docs/deploy.md, cell by cell. Almost all are slow: see its marks."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cropworth.data.signature import Signature
from cropworth.deploy.export import TOLERANCE, TRACED, items_like, largest_difference
from cropworth.deploy.formats import WRITERS, Graph
from cropworth.deploy.load import Predictor
from cropworth.study.plan import Plan
from cropworth.study.variants import build_variant

LEARNED = {"size": 12, "look_size": 24}
CONTROLS: dict[str, dict[str, Any]] = {
    "whole": {"control": "whole"},
    "small": {"control": "small", "size": 12},
    "centre": {"control": "centre", "size": 12},
    "constant": {"control": "constant", "answer": "a"},
}
OF_IMAGES = CONTROLS | {
    f"{localizer} {transform}": {**LEARNED, "localizer": localizer, "transform": transform}
    for localizer in ("regression", "heatmap", "proposals")
    for transform in ("zoom", "similarity", "affine", "unbounded-affine")
}
OF_IMAGES["steps: 2"] = {**LEARNED, "localizer": "heatmap", "transform": "zoom", "steps": 2}
OF_IMAGES["features: pyramid"] = {**LEARNED, "localizer": "heatmap", "transform": "zoom", "features": "pyramid"}
OF_IMAGES["antialias"] = {**LEARNED, "localizer": "heatmap", "transform": "zoom", "antialias": True}
OF_SERIES = CONTROLS | {
    f"{localizer} {transform}": {**LEARNED, "localizer": localizer, "transform": transform}
    for localizer in ("regression", "heatmap")
    for transform in ("zoom", "warp", "unbounded-affine")
}
OF_SERIES["looks_at: states"] = {**LEARNED, "localizer": "heatmap", "transform": "zoom", "looks_at": "states"}
OF_SERIES["crops: states"] = OF_SERIES["looks_at: states"] | {"crops": "states"}

IMAGES = Signature(("a", "b"), 1, (24, 24), False)
SERIES = Signature(("a", "b"), 3, (24,), True)
TEXTS = Signature(("a", "b"), 0, (24,), True, vocabulary=9)


def graph(variant: dict[str, Any], backbone: dict[str, Any], signature: Signature) -> Graph:
    """With weights that move every parameter of the pose a little."""
    plan = Plan.model_validate(
        {
            "name": "made", "data": {"folder": "none"}, "backbone": backbone, "baseline": "other",
            "variants": {"other": {"control": "whole"}, "made": variant}, "study": {"train_sizes": [2], "seeds": 1},
        }
    )  # fmt: skip
    model = build_variant(plan, "made", signature, 0)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1, generator=generator)
    return Graph(Predictor(model, signature)).eval()


def assert_holds(kind: str, model: Graph, signature: Signature, folder: Path) -> None:
    file, write = WRITERS[kind]
    run = write(model, items_like(signature, TRACED), folder / file)
    assert largest_difference(model, run, signature) <= TOLERANCE


def marked(names: dict[str, Any], *quick: str) -> list[Any]:
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("kind", ["torch-export", "onnx"])
@pytest.mark.parametrize("name", marked(OF_IMAGES, "centre"))
def test_images(name: str, kind: str, tmp_path: Path) -> None:
    model = graph(OF_IMAGES[name], {"name": "small", "arguments": {"width": 2}}, IMAGES)
    if kind == "onnx" and name.startswith("proposals"):
        with pytest.raises(Exception, match="NonMaxSuppression"):
            assert_holds(kind, model, IMAGES, tmp_path)
    else:
        assert_holds(kind, model, IMAGES, tmp_path)


@pytest.mark.parametrize("kind", ["torch-export", "onnx"])
@pytest.mark.parametrize(
    "encoder",
    ["lstm", pytest.param("gru", marks=pytest.mark.slow), pytest.param("convolutions", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("name", marked(OF_SERIES, "constant"))
def test_series(name: str, encoder: str, kind: str, tmp_path: Path) -> None:
    backbone = {"name": "recurrent", "arguments": {"width": 4, "encoder": encoder, "pool": "attention"}}
    model = graph(OF_SERIES[name], backbone, SERIES)
    # Convolutions look ahead, so that items of one length are run together: that depends on the data.
    if encoder == "convolutions" and name in ("whole", "looks_at: states", "crops: states"):
        with pytest.raises(TypeError, match="unhashable"):
            assert_holds(kind, model, SERIES, tmp_path)
    else:
        assert_holds(kind, model, SERIES, tmp_path)


@pytest.mark.parametrize("kind", ["torch-export", pytest.param("onnx", marks=pytest.mark.slow)])
def test_texts(kind: str, tmp_path: Path) -> None:
    assert_holds(
        kind, graph(OF_SERIES["whole"], {"name": "recurrent", "arguments": {"width": 2}}, TEXTS), TEXTS, tmp_path
    )
