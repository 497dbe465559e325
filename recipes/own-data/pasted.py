"""Small articles of clothing, pasted on photographs: a folder for each class and a file of boxes.

    python recipes/own-data/pasted.py recipes/own-data/data/articles

The pasting is ours. What is pasted and what it is pasted on are real:

- Fashion-MNIST (Xiao, Rasul and Vollgraf 2017; Zalando SE, MIT), 70,000 articles of 28 x 28 pixels in 10 classes, from
  Debian's package dataset-fashion-mnist: `apt install dataset-fashion-mnist`. Training and validation items are of its
  training file, those of the test of its test file.
- Photographs that scikit-image 0.26 ships (`pip install scikit-image`): astronaut.png (NASA, public domain),
  coffee.png (Rachel Michetti, CC0), rocket.jpg (SpaceX, public domain), hubble_deep_field.jpg (NASA, free to use) and
  gravel.png (CC0Textures, CC0). Training, validation and test have a strip of each for themselves.

`--of digits` pastes the handwritten digits that cropworth ships instead (MNIST, CC BY-SA 3.0), where Debian's package
is not at hand. Each item is a window of 96 pixels of a photograph with one article, 22 to 40 pixels wide and of a
random tint, at a random place. Its black parts are transparent. The same arguments write the same files.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
from folders import SPLITS, Pixels, photograph, run, save, window, write_csv
from PIL import Image

from cropworth.data.images.digits import load_digits
from cropworth.errors import CropworthError

SIDE = 96
WIDTHS = (22, 40)
PHOTOGRAPHS = ("astronaut.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "gravel.png")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
ARTICLES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot")


def articles() -> dict[str, tuple[Pixels, Pixels]]:
    """Images (N, 28, 28) and labels (N,) of the files `train` and `t10k`."""
    if not DEBIAN.is_dir():
        raise CropworthError(
            f"no {DEBIAN}",
            "Debian's package dataset-fashion-mnist",
            "Run `apt install dataset-fashion-mnist`, or use `--of digits`.",
        )
    found = {}
    for name in ("train", "t10k"):
        images = np.frombuffer(
            gzip.decompress((DEBIAN / f"{name}-images-idx3-ubyte.gz").read_bytes()), np.uint8, -1, 16
        )
        labels = np.frombuffer(gzip.decompress((DEBIAN / f"{name}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, -1, 8)
        found[name] = (images.reshape(-1, 28, 28), labels)
    return found


def digits() -> dict[str, tuple[Pixels, Pixels]]:
    """The same of the digits, which lie in the order of their classes: every other one is for the test."""
    images, labels = load_digits()
    return {"train": (images[::2], labels[::2]), "t10k": (images[1::2], labels[1::2])}


def paste(article: Pixels, photo: Pixels, split: str, rng: np.random.Generator) -> tuple[Pixels, tuple[int, ...]]:
    """A window (SIDE, SIDE, 3) with the article in it, and the box x, y, w, h of what is to be seen of it."""
    left, top = window(photo, SIDE, split, rng)
    width = int(rng.integers(WIDTHS[0], WIDTHS[1] + 1))
    grey = np.asarray(Image.fromarray(article).resize((width, width), Image.Resampling.BILINEAR), np.float64)
    seen = np.clip(grey / 64, 0, 1)[..., None]
    tinted = grey[..., None] * rng.uniform(0.4, 1.0, 3)
    x, y = (int(place) for place in rng.integers(0, SIDE - width + 1, 2))
    canvas = photo[top : top + SIDE, left : left + SIDE].astype(np.float64)
    part = canvas[y : y + width, x : x + width]
    part[:] = seen * tinted + (1 - seen) * part
    rows, columns = (np.flatnonzero((grey > 32).any(axis)) for axis in (1, 0))
    box = x + columns[0], y + rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    return canvas.round().astype(np.uint8), tuple(int(number) for number in box)


def write(arguments: argparse.Namespace, folder: Path) -> str:
    """Write `train`, `val` and `test` folders of the classes' folders, and boxes.csv."""
    source, names = (articles(), ARTICLES) if arguments.of == "articles" else (digits(), tuple("0123456789"))
    photos = [photograph(file) for file in PHOTOGRAPHS]
    rng = np.random.default_rng(0)
    # Training and validation follow one another in a random order of the training file, so that no article is in both.
    order = {file: iter(rng.permutation(len(labels))) for file, (_, labels) in source.items()}
    rows = []
    for split, share in SPLITS.items():
        file = "t10k" if split == "test" else "train"
        images, labels = source[file]
        for number in range(round(arguments.items * share)):
            chosen = next(order[file])
            pixels, box = paste(images[chosen], photos[number % len(photos)], split, rng)
            path = f"{split}/{names[labels[chosen]]}/{number:05d}.jpg"
            save(pixels, folder / path)
            rows.append((path, *box))
    write_csv(folder / "boxes.csv", "path,x,y,w,h", rows)
    return f"{len(rows):,} images of {len(names)} classes, pasted on {len(photos)} photographs"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Small articles of clothing, pasted on photographs.")
    parser.add_argument("--of", choices=("articles", "digits"), default="articles", help="what is pasted")
    parser.add_argument("--items", type=int, default=1500, help="for training; a quarter for validation, half for test")
    run(write, parser)
