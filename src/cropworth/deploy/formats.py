"""A model -> a file that runs elsewhere, one writer a format; each gives back a function that runs the file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cropworth.crops.kernels.choice import plain_torch
from cropworth.data.installed import imported
from cropworth.deploy.load import Predictor

INSTALL_ONNX = "pip install 'cropworth[onnx]'"
OPSET = 20  # the first in which GridSample is what torch's is

Inputs = tuple[Tensor, ...]
Runner = Callable[[Inputs], tuple[Tensor, ...]]


class Graph(nn.Module):
    """What is exported: inputs, and lengths of sequences -> predictions, and boxes where the variant crops.

    Args:
        model: to export.
    """

    def __init__(self, model: Predictor) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, ...]:
        """As `Predictor.predict`; what is None is left out."""
        answer, boxes = self.model.predict(inputs, lengths)
        return (answer,) if boxes is None else (answer, boxes)


def write_torch_export(model: Graph, inputs: Inputs, path: Path) -> Runner:
    """Write a program of `torch.export` for batches of any size."""
    with _quiet():
        torch.export.save(_program(model, inputs), path)
        program = torch.export.load(path).module()

    def run(given: Inputs) -> tuple[Tensor, ...]:
        with torch.no_grad():
            answers: tuple[Tensor, ...] = program(*given)
        return answers

    return run


def write_onnx(model: Graph, inputs: Inputs, path: Path) -> Runner:
    """Write ONNX for batches of any size.

    Raises:
        CropworthError: a package that it takes is not installed.
    """
    for package in ("onnx", "onnxscript"):
        imported(package, INSTALL_ONNX)
    runtime = imported("onnxruntime", INSTALL_ONNX)
    with _quiet():
        torch.onnx.export(
            _program(model, inputs),
            inputs,
            path,
            dynamo=True,
            opset_version=OPSET,
            input_names=["inputs", "lengths"][: len(inputs)],
            output_names=output_names(model.model, boxes=len(model(*inputs)) > 1),
            external_data=False,
            verbose=False,
        )
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = {one.name for one in session.get_inputs()}

    def run(given: Inputs) -> tuple[Tensor, ...]:
        named = dict(zip(("inputs", "lengths"), given, strict=False))
        found = session.run(None, {name: values.numpy() for name, values in named.items() if name in wanted})
        return tuple(torch.from_numpy(values) for values in found)

    return run


def write_safetensors(model: Graph, inputs: Inputs, path: Path) -> Runner:
    """Write the weights alone."""
    weights = {name: values.contiguous().clone() for name, values in model.model.model.state_dict().items()}
    path.write_bytes(save(weights))
    model.model.model.load_state_dict(load_file(path))

    def run(given: Inputs) -> tuple[Tensor, ...]:
        with torch.no_grad():
            answers: tuple[Tensor, ...] = model(*given)
        return answers

    return run


WRITERS: dict[str, tuple[str, Callable[[Graph, Inputs, Path], Runner]]] = {
    "onnx": ("model.onnx", write_onnx),
    "torch-export": ("model.pt2", write_torch_export),
    "safetensors": ("model.safetensors", write_safetensors),
}


def output_names(model: Predictor, *, boxes: bool) -> list[str]:
    """What the outputs are called, in their order."""
    return ["probabilities" if model.classes else "numbers", *(["boxes"] if boxes else [])]


def _program(model: Graph, inputs: Inputs) -> torch.export.ExportedProgram:
    batch: dict[int, Any] = {0: torch.export.Dim.DYNAMIC}
    shapes = dict.fromkeys(("inputs", "lengths")[: len(inputs)], batch)
    with plain_torch():  # what is exported runs without cropworth, so without its operators
        return torch.export.export(model, inputs, dynamic_shapes=shapes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say to their own developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
