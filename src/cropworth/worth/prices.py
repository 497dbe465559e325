"""Prices: a number where it is known, {low, mode, high} where it is a guess.

A guess is a triangular distribution, the plainest that three numbers say (Johnson 1997, The Statistician 46, 387-398).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator, Discriminator, Tag, model_validator

from cropworth.config import Config

# Variances multiply two of these and square the product twice; larger ones would leave the range of a float.
MOST = 1e18
AMOUNTS, SIGNED, RATES, SHARES, CHANGES = (0.0, MOST), (-MOST, MOST), (0.0, 9.99), (0.0, 1.0), (-0.99, 9.99)


class Range(Config):
    """A price that is not known well: never below `low` or above `high`, most likely `mode`."""

    low: float
    mode: float
    high: float

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if not self.low <= self.mode <= self.high:
            raise ValueError(
                f"low = {self.low:g}, mode = {self.mode:g}, high = {self.high:g}; expected low <= mode <= high"
            )
        return self

    @property
    def mean(self) -> float:
        """Of the triangular distribution."""
        return (self.low + self.mode + self.high) / 3

    def quantile(self, probability: ArrayLike) -> NDArray[np.float64]:
        """Value below which the price lies with `probability` (...)."""
        p, width = np.asarray(probability, dtype=np.float64), self.high - self.low
        if width == 0:
            return np.full_like(p, self.mode)
        rising = np.sqrt(p * width * (self.mode - self.low))
        falling = np.sqrt((1 - p) * width * (self.high - self.mode))
        return np.where(p * width < self.mode - self.low, self.low + rising, self.high - falling)


def _kind(value: Any) -> str:
    return "<range>" if isinstance(value, dict | Range) else "<number>"


def _between(least: float, most: float) -> Callable[[float | Range], float | Range]:
    def check(price: float | Range) -> float | Range:
        ends = (price.low, price.high) if isinstance(price, Range) else (price, price)
        if ends[0] < least:
            raise ValueError(f"greater than or equal to {least:g}")
        if ends[1] > most:
            raise ValueError(f"less than or equal to {most:g}")
        return price

    return check


Price = Annotated[Annotated[float, Tag("<number>")] | Annotated[Range, Tag("<range>")], Discriminator(_kind)]
Amount = Annotated[Price, AfterValidator(_between(*AMOUNTS))]
"""Money, or a number of something: 0 or more."""
Signed = Annotated[Price, AfterValidator(_between(*SIGNED))]
"""Money that may also be lost."""
Rate = Annotated[Price, AfterValidator(_between(*RATES))]
"""A year, as a fraction."""
Share = Annotated[Price, AfterValidator(_between(*SHARES))]
"""A part of the whole."""
Change = Annotated[Price, AfterValidator(_between(*CHANGES))]
"""What a year adds, as a fraction; below 0 what it takes."""


def mean(price: float | Range) -> float:
    """The number that stands for a price in an estimate: a guess's mean and not its mode, since money adds in means."""
    return price.mean if isinstance(price, Range) else price
