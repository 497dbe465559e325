"""Which kernel a call of `sample` takes, and why: the one place where that is decided."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cropworth.crops.geometry import kind_of

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
DEVICES: dict[str, Literal["numba", "triton"]] = {"cpu": "numba", "cuda": "triton"}
INSTALLED = {name: importlib.util.find_spec(name) is not None for name in ("numba", "triton")}


@dataclass(frozen=True)
class Choice:
    """A kernel and the reason for it.

    Attributes:
        kernel: ``numba`` or ``triton``, whose operators are `cropworth::crop` and its gradients, or ``torch``, the
            definition in plain torch.
        reason: one sentence.
    """

    kernel: Literal["numba", "triton", "torch"]
    reason: str

    def __str__(self) -> str:
        return f"{self.kernel}: {self.reason}"


KERNELS = {
    (device, dims): Choice(kernel, f"linear crops of {what} at affine poses on {device}.")
    for device, kernel in DEVICES.items()
    for dims, what in ((1, "sequences"), (2, "images"))
}
_only_torch = False


@contextmanager
def plain_torch() -> Iterator[None]:
    """Within, every crop of this process is made of torch's own operations, which run where cropworth is not."""
    global _only_torch
    before, _only_torch = _only_torch, True
    try:
        yield
    finally:
        _only_torch = before


def choose(input: Tensor, theta: Tensor, mode: str) -> Choice:  # noqa: A002
    """The kernel for crops of input (B, C, ...) at theta (B, rows, columns) or (B, K, rows, columns)."""
    if _only_torch:
        return Choice("torch", "asked for by plain_torch.")
    if torch.compiler.is_compiling() and torch.onnx.is_in_onnx_export():
        return Choice("torch", "ONNX has an operator for torch's sampler alone.")
    if mode != "bilinear":
        return Choice("torch", f"the kernels interpolate linearly, and mode is {mode!r}.")
    kind, dims = kind_of(theta), theta.shape[-2]
    if kind != "affine":
        return Choice("torch", f"the kernels take affine poses, and theta is of the kind {kind}.")
    if dims == 3:
        return Choice("torch", "the kernels crop images and sequences, and the input is a volume.")
    if input.dtype not in FLOATS or theta.dtype not in FLOATS:
        return Choice("torch", f"the kernels take floating-point numbers, and got {input.dtype} and {theta.dtype}.")
    if input.device.type not in DEVICES or input.device != theta.device:
        return Choice("torch", f"there is no kernel for {input.device} with theta on {theta.device}.")
    taken = KERNELS[input.device.type, dims]
    if not INSTALLED[taken.kernel]:
        return Choice("torch", f"{taken.kernel} is not installed.")
    return taken
