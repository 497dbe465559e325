"""The `data:` part of a plan. Free of torch, so that a plan can be read without it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from cropworth.config import Config

DIGIT_SIDE = 28


class DigitCanvas(Config):
    """What the tasks of digits on a canvas share."""

    canvas: int = Field(default=64, ge=DIGIT_SIDE, le=1024)
    """Side of the square canvas in pixels."""
    clutter: int = Field(default=6, ge=0, le=500)
    """Pieces of other digits on each canvas."""
    clutter_size: int = Field(default=6, ge=2, le=20)
    """Side of a piece in pixels."""
    digit_scale: tuple[float, float] = (1.0, 1.0)
    """Least and greatest scale of a digit; 1 is its own 28 pixels."""

    @model_validator(mode="after")
    def _digit_fits(self) -> Self:
        low, high = self.digit_scale
        if not 0.2 <= low <= high or round(DIGIT_SIDE * high) > self.canvas:
            raise ValueError(
                "digit_scale must be [low, high] with 0.2 <= low <= high, and the digit must fit the canvas"
            )
        return self


class DigitsCluttered(DigitCanvas):
    """One real handwritten digit at a random place of a canvas, among pieces cut out of other digits.

    After Mnih et al. 2014, section 4.2, and Jaderberg et al. 2015, section 4.1.
    """

    task: Literal["digits-cluttered"]


class DigitsScene(DigitCanvas):
    """Several real handwritten digits of all sizes among clutter; the one to read stands in a thin frame."""

    task: Literal["digits-scene"]
    canvas: int = Field(default=128, ge=DIGIT_SIDE, le=1024)
    """Side of the square canvas in pixels."""
    digit_scale: tuple[float, float] = (0.5, 2.0)
    """Least and greatest scale of a digit; 1 is its own 28 pixels."""
    others: int = Field(default=3, ge=0, le=50)
    """Digits without a frame on each canvas; they may overlap."""


class MayHaveBadItems(Config):
    """What the tasks that are read from files share."""

    on_bad_item: Literal["fail", "skip"] = "fail"
    """Items that cannot be used stop the study (`fail`), or are left out and counted in the report (`skip`)."""


class Folder(MayHaveBadItems):
    """Your own images: one folder for each class, or `train`, `val` and `test` folders that hold such folders."""

    folder: Path
    """Relative to the plan's own folder."""
    image_size: Annotated[int, Field(ge=8, le=4096)] = 128
    """Side in pixels that every image is resized to (the shorter side, then the centre square)."""
    channels: Literal[1, 3] = 3
    """1 reads the images as grey."""
    validation_share: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of the images for validation, where the folder has no `val`."""
    test_share: float = Field(default=0.25, gt=0, lt=0.9)
    """Share of the images for the test, where the folder has no `test`."""
    split_seed: int = Field(default=0, ge=0)
    """Which images go where."""
    boxes: Path | None = None
    """COCO JSON or CSV of the objects' boxes, see `cropworth.data.boxes`; relative to `folder`."""


def _kind(values: Any) -> str:
    if isinstance(values, Folder) or (isinstance(values, dict) and "folder" in values):
        return "<folder>"
    task = values.get("task") if isinstance(values, dict) else values.task
    return "<scene>" if task == "digits-scene" else "<digits>"


DataConfig = Annotated[
    Annotated[DigitsCluttered, Tag("<digits>")]
    | Annotated[DigitsScene, Tag("<scene>")]
    | Annotated[Folder, Tag("<folder>")],
    Discriminator(_kind),
]
