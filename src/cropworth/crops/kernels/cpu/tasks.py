"""How a compiled kernel gets its work: one struct of 64-bit words, and torch's own threads.

The threads are those of the OpenMP runtime that torch itself runs on. A second pool of threads would fight with
torch's for the processors, since OpenMP's threads go on spinning for a while after each operation.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numba import njit

from cropworth.crops.kernels.cpu.memory import LINE, word


class Call(NamedTuple):
    """What a kernel is called with; shapes in elements, addresses and sizes of workspaces in bytes.

    One crop of one item is a unit of work, of the gradient to the input one channel of one item; each is cut into
    `parts` of the same size, whose number depends on the shapes alone, so that threads do not change what is added
    to what.
    """

    next_task: int
    next_worker: int
    tasks: int
    parts: int
    total: int
    workspace: int
    workspace_size: int
    crops: int
    channels: int
    height: int
    width: int
    crop_height: int
    crop_width: int
    dims: int
    padding: int
    antialias: int
    element: int
    theta: int
    input: int
    input_item: int
    input_channel: int
    input_row: int
    input_column: int
    crop: int
    crop_item: int
    crop_crop: int
    crop_channel: int
    crop_row: int
    crop_column: int
    sums: int


class Words(ctypes.Structure):
    """A call as it lies in memory; what is not given is zero."""

    _fields_ = [(name, ctypes.c_int64) for name in Call._fields]


NEXT_TASK, NEXT_WORKER = Call._fields.index("next_task"), Call._fields.index("next_worker")


@njit(inline="always")
def read(data: Any) -> Call:
    """The call whose words `data` points to."""
    return Call(
        word(data, 0),
        word(data, 1),
        word(data, 2),
        word(data, 3),
        word(data, 4),
        word(data, 5),
        word(data, 6),
        word(data, 7),
        word(data, 8),
        word(data, 9),
        word(data, 10),
        word(data, 11),
        word(data, 12),
        word(data, 13),
        word(data, 14),
        word(data, 15),
        word(data, 16),
        word(data, 17),
        word(data, 18),
        word(data, 19),
        word(data, 20),
        word(data, 21),
        word(data, 22),
        word(data, 23),
        word(data, 24),
        word(data, 25),
        word(data, 26),
        word(data, 27),
        word(data, 28),
        word(data, 29),
    )


def _openmp() -> Any:
    """The door to torch's threads, None where its OpenMP is not GNU's or compatible with it."""
    for library in sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")):
        try:
            door = ctypes.CDLL(str(library)).GOMP_parallel
        except (OSError, AttributeError):
            continue
        door.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        door.restype = None
        return door
    return None


_PARALLEL = _openmp()
_Kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run(kernel: Any, call: Words) -> None:
    """Run a compiled kernel, `call.tasks` pieces of work taken one after the other by torch's threads."""
    threads = max(1, min(torch.get_num_threads(), call.tasks)) if _PARALLEL else 1
    size = -(-call.workspace_size // LINE) * LINE  # two threads share no cache line
    space = torch.empty(threads * size + LINE, dtype=torch.uint8)
    call.workspace, call.workspace_size = -(-space.data_ptr() // LINE) * LINE, size
    if threads == 1:
        _Kernel(kernel.address)(ctypes.addressof(call))
    else:
        _PARALLEL(kernel.address, ctypes.addressof(call), threads, 0)
