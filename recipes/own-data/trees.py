"""Windows of real aerial photographs with one tree, or with none: a folder for each, and Pascal VOC of the boxes.

    python recipes/own-data/trees.py recipes/own-data/data/trees

Four photographs of the United States' NEON sites (Yellowstone twice, Ordway-Swisher and Soaproot Saddle; 0.1 m a
pixel) and 951 boxes of crowns drawn by people, as the package deepforest 2.1.0 ships them (Weinstein et al. 2019;
MIT): `pip install --no-deps deepforest==2.1.0`. The package is read, never imported.

The boxes say where trees are, and of 37 of them whether they are dead, too few to learn that. So the question is
whether there is a tree. A `tree` is a window of 64 pixels around a whole crown, which stands anywhere in it, with no
more than a quarter of any other crown; `ground` is a window without any. Windows do not overlap. A file's name begins
with the block of its photograph (600 pixels wide and high); windows lie inside their block, and blocks are the plan's
groups: no place is in two splits. The same package gives the same files.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from folders import run, save
from numpy.typing import NDArray
from PIL import Image

from cropworth.data.installed import shipped

SIDE = 64
BLOCK = 600
TRIES = 60
MOST_OF_ANOTHER = 0.25
PHOTOGRAPHS = {
    "yellowstone": "2019_YELL_2_528000_4978000_image_crop2",
    "road": "2019_YELL_2_541000_4977000_image_crop",
    "ordway": "OSBS_029",
    "soaproot": "SOAP_061",
}
CORNERS = ("xmin", "ymin", "xmax", "ymax")
VOC = """<annotation>
  <folder>tree</folder>
  <filename>{name}</filename>
  <size><width>{side}</width><height>{side}</height><depth>3</depth></size>
  <object>
    <name>tree</name>
    <bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox>
  </object>
</annotation>
"""


class Photograph:
    """A photograph, the boxes of its crowns (N, 4) and the windows that were taken from it."""

    def __init__(self, file: str) -> None:
        folder = shipped("deepforest", "data", "pip install --no-deps deepforest==2.1.0")
        with Image.open(folder / f"{file}.png") as image:
            self.pixels = np.asarray(image.convert("RGB"))
        objects = ElementTree.parse(folder / f"{file}.xml").getroot().iter("bndbox")
        self.crowns = np.array([[int(box.findtext(corner, "")) for corner in CORNERS] for box in objects])
        self._taken: list[NDArray[np.int64]] = []

    def around(self, crown: int, rng: np.random.Generator) -> NDArray[np.int64] | None:
        """Left and top of a window that holds this crown and next to nothing of others, if one is found."""
        corners = self.crowns[crown]
        low = np.maximum(corners[2:] - SIDE, 0)
        high = np.minimum(corners[:2], self._size() - SIDE)
        if (low > high).any():
            return None
        for _ in range(TRIES):
            place = rng.integers(low, high + 1)
            others = np.delete(self._seen(place), crown)
            if self._free(place) and others.max(initial=0) <= MOST_OF_ANOTHER:
                self._taken.append(place)
                return place
        return None

    def bare(self, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Left and top of windows without a crown, as many as some thousand random places give."""
        for _ in range(TRIES * 100):
            place = rng.integers(0, self._size() - SIDE + 1)
            if self._free(place) and self._seen(place).max() == 0:
                self._taken.append(place)
                yield place

    def _size(self) -> NDArray[np.int64]:
        return np.array(self.pixels.shape[1::-1])

    def _free(self, place: NDArray[np.int64]) -> bool:
        """Whether a window lies in one block and overlaps none that was taken."""
        inside = (place // BLOCK == (place + SIDE - 1) // BLOCK).all()
        return bool(inside) and all((abs(place - other) >= SIDE).any() for other in self._taken)

    def _seen(self, place: NDArray[np.int64]) -> NDArray[np.float64]:
        """What share of each crown's box a window holds."""
        sides = np.minimum(self.crowns[:, 2:], place + SIDE) - np.maximum(self.crowns[:, :2], place)
        shares: NDArray[np.float64] = sides.clip(0).prod(1) / (self.crowns[:, 2:] - self.crowns[:, :2]).prod(1)
        return shares


def write(arguments: argparse.Namespace, folder: Path) -> str:
    """Write the folders `images/tree`, `images/ground` and `boxes`."""
    rng = np.random.default_rng(0)
    counts = {"tree": 0, "ground": 0}
    (folder / "boxes/tree").mkdir(parents=True)
    for photo_name, file in PHOTOGRAPHS.items():
        photo = Photograph(file)
        order = rng.permutation(len(photo.crowns))
        found = [(crown, photo.around(crown, rng)) for crown in order]
        windows = [("tree", crown, place) for crown, place in found if place is not None]
        windows += [("ground", -1, place) for place in photo.bare(rng)]
        for label, crown, place in windows:
            (x, y), (column, row) = place, place // BLOCK
            name = f"{photo_name}{row}{column}-{sum(counts.values()):04d}"
            save(photo.pixels[y : y + SIDE, x : x + SIDE], folder / "images" / label / f"{name}.png")
            counts[label] += 1
            if label == "tree":
                # Pixels, counted from 1 and the last one inside, as VOC has it; deepforest's are edges of pixels.
                corners = photo.crowns[crown] - np.tile(place, 2) + (1, 1, 0, 0)
                (folder / f"boxes/tree/{name}.xml").write_text(VOC.format(*corners, name=f"{name}.png", side=SIDE))
    return f"{counts['tree']} windows with a tree, {counts['ground']} without"


if __name__ == "__main__":
    run(write, argparse.ArgumentParser(description="Windows of aerial photographs with one tree, or with none."))
