"""PLANTED lesions in real retinal tissue: images.csv with a row for each image, and the images that it names.

    python recipes/own-data/planted_lesions.py recipes/own-data/data/planted-lesions

We know of no package that ships labelled medical images in numbers that a study needs. So this is no medical data set,
and says nothing of any patient: it has the form of a screening task, with real tissue and real lesions that WE put
there.

- Tissue: retina.jpg of scikit-image 0.26 (`pip install scikit-image`), a photograph of one healthy eye (Häggström
  2014, CC0). Windows of 96 pixels; training, validation and test have a strip of the photograph each, 16 pixels apart,
  so that no tissue is in two splits. Windows of one split overlap, and all show the same eye.
- Lesions: the two microaneurysms in microaneurysms.png of scikit-image, a detail of image 07_dr of the HRF data base
  (Budai et al. 2013, CC0): how much darker than its surroundings each pixel of them is. Turned, mirrored, 1 to 1.8
  times as large and 0.6 to 1 times as dark as they are, they darken green and blue light in full and red light, of
  which blood takes less, a fifth. In the size of this photograph real ones would be smaller.

Half of the images, `lesion`, have one at a random place, whose box is known; the others are `healthy`. The same
arguments write the same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from folders import SPLITS, STRIPS, Pixels, photograph, run, save, write_csv
from numpy.typing import NDArray
from PIL import Image

SIDE = 96
APART = 16
CENTRES = ((16, 22), (49, 71))
RADIUS = 5
SIZES = (1.0, 1.8)
DARKNESS = (0.6, 1.0)
CHANNELS = np.array([0.2, 1.0, 1.0])
DARKEST_TISSUE = 90
"""Red of the tissue; the black frame around it is darker."""


def lesions() -> list[NDArray[np.float64]]:
    """What share of the light each pixel of the two lesions takes: (11, 11) each, 0 at the rim."""
    picture = photograph("microaneurysms.png")[..., 1].astype(np.float64)
    across = np.hypot(*np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1])
    found = []
    for x, y in CENTRES:
        part = picture[y - RADIUS : y + RADIUS + 1, x - RADIUS : x + RADIUS + 1]
        taken = 1 - part / np.median(part[across > RADIUS - 1])
        found.append(taken.clip(0) * np.clip((RADIUS + 0.5 - across) / 2, 0, 1))
    return found


def plant(tissue: Pixels, lesion: NDArray[np.float64], rng: np.random.Generator) -> tuple[Pixels, tuple[int, ...]]:
    """The window with the lesion at a random place, and its box x, y, w, h."""
    side = round(len(lesion) * rng.uniform(*SIZES))
    image = Image.fromarray(lesion.astype(np.float32))
    turned = image.rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR)
    taken = np.asarray(turned.resize((side, side), Image.Resampling.BILINEAR), np.float64)
    taken = taken[:, :: int(rng.choice((-1, 1)))] * rng.uniform(*DARKNESS)
    x, y = (int(place) for place in rng.integers(0, SIDE - side + 1, 2))
    planted = tissue.astype(np.float64)
    planted[y : y + side, x : x + side] *= 1 - taken[..., None] * CHANNELS
    return planted.round().astype(np.uint8), (x, y, side, side)


def tissue(retina: Pixels, split: str, rng: np.random.Generator) -> Pixels:
    """A random window of the split's strip that lies inside the retina."""
    low, high = (round(end * retina.shape[1]) for end in STRIPS[split])
    while True:
        left, top = rng.integers(low, high - APART - SIDE + 1), rng.integers(0, len(retina) - SIDE + 1)
        found = retina[top : top + SIDE, left : left + SIDE]
        if found[..., 0].min() > DARKEST_TISSUE:
            return found


def write(arguments: argparse.Namespace, folder: Path) -> str:
    """Write images.csv and the folders of the splits."""
    retina, kinds = photograph("retina.jpg"), lesions()
    rng = np.random.default_rng(0)
    rows = []
    for split, share in SPLITS.items():
        for number in range(round(arguments.items * share)):
            pixels, box, label = tissue(retina, split, rng), ("",) * 4, "healthy"
            if number % 2:
                pixels, box = plant(pixels, kinds[number // 2 % len(kinds)], rng)
                label = "lesion"
            path = f"{split}/{number:05d}.png"
            save(pixels, folder / path)
            rows.append((path, label, split, *box))
    write_csv(folder / "images.csv", "path,label,split,x,y,w,h", rows)
    return f"{len(rows):,} windows of a real retina, half of them with a planted lesion"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Planted lesions in real retinal tissue.")
    parser.add_argument("--items", type=int, default=1000, help="for training; a quarter for validation, half for test")
    run(write, parser)
