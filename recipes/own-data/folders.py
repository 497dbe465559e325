"""What the scripts beside it share: a folder that is written whole or not at all, and one message for an error."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropworth.data.installed import shipped
from cropworth.errors import CropworthError

Pixels = NDArray[np.uint8]
SPLITS = {"train": 1.0, "val": 0.25, "test": 0.5}
"""Items of each split for one of training."""
STRIPS = {"train": (0.0, 0.5), "val": (0.5, 0.75), "test": (0.75, 1.0)}
"""Which strip of a photograph, as fractions of its width, each split's pixels come from: no pixel is in two."""


def photograph(file: str) -> Pixels:
    """A picture that scikit-image ships in its package: (H, W, 3)."""
    path = shipped("skimage", f"data/{file}", "pip install scikit-image")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def window(photo: Pixels, side: int, split: str, rng: np.random.Generator) -> tuple[int, int]:
    """Left and top of a random square window that lies in the split's strip of a photograph."""
    height, width = photo.shape[:2]
    low, high = (round(end * width) for end in STRIPS[split])
    return int(rng.integers(low, high - side + 1)), int(rng.integers(0, height - side + 1))


def save(pixels: Pixels, path: Path) -> None:
    """Write an image, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **({"quality": 92} if path.suffix == ".jpg" else {}))


def write_csv(path: Path, header: str, rows: Iterable[Iterable[Any]]) -> None:
    """Write a table with a header."""
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


def run(write: Callable[[argparse.Namespace, Path], str], parser: argparse.ArgumentParser) -> None:
    """Call ``write(arguments, folder)`` with an empty folder, put it in its place and print what it says.

    A problem gives one message and exit status 2, and leaves nothing behind.
    """
    parser.add_argument("folder", type=Path, help="where the data go; must not be there yet")
    arguments = parser.parse_args()
    folder = arguments.folder
    try:
        if folder.exists():
            raise CropworthError(f"{folder}, which is there already", "a new folder", "Remove it or name another one.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
            made = Path(beside) / folder.name
            made.mkdir()
            told = write(arguments, made)
            os.replace(made, folder)  # noqa: PTH105
    except CropworthError as error:
        sys.exit(_fail(error))
    print(f"{folder}: {told}")


def _fail(error: CropworthError) -> int:
    print(f"Error: {error}", file=sys.stderr)
    return 2
