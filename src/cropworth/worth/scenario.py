"""One candidate's case against the baseline: its net present value at any prices, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from cropworth.worth.costs import Inference, Training
from cropworth.worth.economics import Economics
from cropworth.worth.gains import Prices, Pricing
from cropworth.worth.interval import ALONE, FEWEST_SEEDS, Component, ErrorRates, TwoWay, interval_around
from cropworth.worth.money import present_value, yearly
from cropworth.worth.prices import Range
from cropworth.worth.results import Interval

Array = NDArray[np.float64]
DRAWS = 10_000
OF_GUESSES, OF_CHANCE = 0, 1  # seeds of the draws
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Stream:
    """Money now, and at the end of each year.

    Attributes:
        now: (...).
        yearly: (..., T).
    """

    now: Array
    yearly: Array

    def present_value(self, rate: ArrayLike) -> Array:
        """All of it in money of today: (...)."""
        return np.asarray(self.now + present_value(rate, self.yearly))


@dataclass(frozen=True)
class Case:
    """A candidate's case, without any choice of prices.

    Attributes:
        economics: the prices, some of which may be guesses.
        pricing: what of a prediction is priced.
        gains: what the candidate's predictions gain.
        inference: what its inference costs more.
        training: what its training costs more.
    """

    economics: Economics
    pricing: Pricing
    gains: TwoWay
    inference: Inference
    training: Training

    @property
    def means(self) -> dict[str, float]:
        """The prices that an estimate is made with."""
        return self.pricing.means

    @cached_property
    def guesses(self) -> dict[str, Range]:
        """The prices that are not known well."""
        found = self.economics.prices().items()
        return {path: price for path, price in found if isinstance(price, Range) and price.low < price.high}

    def gain(self, prices: Prices) -> Array:
        """Money that one prediction gains, its inference not counted: (...)."""
        return self.gains.estimate(self.pricing.coefficients(prices))

    def streams(self, prices: Prices, gain: ArrayLike | None = None, slower: ArrayLike = 0.0) -> dict[str, Stream]:
        """What it brings (`predictions`) and what it costs (all others) more than the baseline.

        Args:
            prices: (...) by path.
            gain: of one prediction (...); None for the estimate.
            slower: seconds (or money, on instances) that a prediction takes beyond the estimate, (...).
        """
        p = {path: np.asarray(price, dtype=np.float64) for path, price in prices.items()}
        years, found, trained = self.economics.horizon_years, self.inference, self.training
        volume = p["predictions_per_year"][..., None] * yearly(p["growth"], years)
        cheaper = yearly(p["compute_price_change"], years)
        hourly = p["compute_price_per_hour"] / 3600
        paid = found.money if self.economics.instances else found.seconds
        each = (paid + np.asarray(slower)) * (1.0 if self.economics.instances else hourly) / p["utilisation"]
        again = np.broadcast_to(p["retrainings_per_year"][..., None], (*p["retrainings_per_year"].shape, years))
        kwh = Stream(
            np.asarray((trained.energy_j or 0.0) / JOULES_PER_KWH),
            (volume * (found.energy_j or 0.0) + again * (trained.energy_j or 0.0)) / JOULES_PER_KWH,
        )
        carbon = p["carbon_kg_per_kwh"] * p["carbon_price_per_tonne"] / 1000
        nothing = np.zeros(())
        return {
            "predictions": Stream(nothing, volume * np.asarray(self.gain(prices) if gain is None else gain)[..., None]),
            "engineering": Stream(p["engineering.once"], p["engineering.per_year"][..., None] * np.ones(years)),
            "training": Stream(trained.seconds * hourly, again * cheaper * (trained.seconds * hourly)[..., None]),
            "inference": Stream(nothing, volume * cheaper * each[..., None]),
            "energy": _times(kwh, p["energy_price_per_kwh"]),
            "carbon": _times(kwh, carbon),
        }

    def present_values(
        self, prices: Prices, gain: ArrayLike | None = None, slower: ArrayLike = 0.0
    ) -> tuple[Array, dict[str, Array]]:
        """What it brings (...), and what it costs by kind, in money of today; arguments as of `streams`."""
        streams, rate = self.streams(prices, gain, slower), prices["discount_rate"]
        values = {name: stream.present_value(rate) for name, stream in streams.items()}
        return values.pop("predictions"), values

    def net(self, prices: Prices, gain: ArrayLike | None = None, slower: ArrayLike = 0.0) -> Array:
        """The net present value (...); arguments as of `streams`."""
        brought, costs = self.present_values(prices, gain, slower)
        return np.asarray(brought - sum(costs.values()))

    def by_gain(self, prices: Prices) -> tuple[float, float]:
        """The net present value where a prediction gains nothing, and what each money that it gains adds to it."""
        nothing = float(self.net(prices, gain=0.0))
        return nothing, float(self.net(prices, gain=1.0)) - nothing

    def npv(self, changed: Prices | None = None) -> float:
        """The estimate at the mean prices, some of them changed."""
        return float(self.net({**self.means, **(changed or {})}))

    def components(self, changed: Prices | None = None, rates: ErrorRates = ALONE) -> tuple[Component, ...] | None:
        """The chance in `npv` by seeds, items and timing; None where there are too few of them for a verdict."""
        prices = {**self.means, **(changed or {})}
        found = self.gains.components(self.pricing.coefficients(prices), rates.seeds)
        if found is None or self.gains.seeds < FEWEST_SEEDS:
            return None
        nothing, each = self.by_gain(prices)
        by_seed, by_item = (component.scaled(each) for component in found)
        by_second = float(self.net(prices, gain=0.0, slower=1.0)) - nothing
        return by_seed, by_item, self.inference.timing.scaled(by_second)

    def interval_at(self, changed: Prices | None = None, rates: ErrorRates = ALONE) -> Interval:
        """The net present value at prices that are taken as known."""
        return interval_around(self.npv(changed), self.components(changed, rates), rates)

    def interval(self, rates: ErrorRates = ALONE) -> Interval:
        """The net present value, guesses of prices allowed for by simulation; the estimate is at their means."""
        if not self.guesses or self.components() is None:
            return self.interval_at(rates=rates)
        alpha = min(rates.seeds, rates.others)  # draws know one error rate only: the smaller is the safer
        low, high = np.quantile(self.simulated, [alpha / 2, 1 - alpha / 2])
        return Interval(self.npv(), float(low), float(high))

    def flows(self) -> list[float]:
        """Cash flow of each year, not discounted, at the mean prices."""
        streams = self.streams(self.means)
        spent = sum(stream.yearly for name, stream in streams.items() if name != "predictions")
        return [float(flow) for flow in streams["predictions"].yearly - spent]

    # By chance

    @cached_property
    def drawn(self) -> dict[str, ArrayLike]:
        """Prices drawn from the guesses: (DRAWS,) each, or the number where it is known."""
        uniform = _uniform(OF_GUESSES, len(self.guesses))
        guessed = {path: guess.quantile(u) for (path, guess), u in zip(self.guesses.items(), uniform, strict=True)}
        return {**self.means, **guessed}

    @cached_property
    def _chance(self) -> tuple[Array, Array, Array, Array]:
        """Standard draws (DRAWS,): of t by the seeds, of the normal, of t by the items and by the timing."""
        uniform = _uniform(OF_CHANCE, 3)
        (_, _), (_, item_df) = self.gains.variances(self.pricing.coefficients(self.means))
        df = float(max(1, self.gains.seeds - 1)), min(float(item_df), 1e9), self.inference.timing.df
        by_seed, by_item, timing = (special.stdtrit(d, u) for d, u in zip(df, uniform, strict=True))
        return by_seed, special.ndtri(uniform[0]), by_item, timing

    def simulate(self, prices: Prices) -> Array:
        """Net present values (DRAWS,) by chance in the measurements, at prices (DRAWS,) or single ones."""
        by_seed, normal, by_item, timing = self._chance
        coefficients = self.pricing.coefficients(prices)
        (seed, seed_df), (item, _) = self.gains.variances(coefficients)
        gain = self.gains.estimate(coefficients) + np.sqrt(seed) * np.where(np.isinf(seed_df), normal, by_seed)
        gain = gain + np.sqrt(item) * by_item
        slower = np.sqrt(self.inference.timing.variance) * timing
        return self.net(prices, gain, slower)

    @cached_property
    def simulated(self) -> Array:
        """Net present values (DRAWS,) by chance in the measurements and in the guesses."""
        return np.broadcast_to(self.simulate(self.drawn), (DRAWS,))


def _uniform(seed: int, columns: int) -> Array:
    """A Latin hypercube (columns, DRAWS): each column has the middle of each of DRAWS equal parts of (0, 1)."""
    return (np.array(permutations(seed, columns)).reshape(columns, DRAWS) + 0.5) / DRAWS


def permutations(seed: int, columns: int) -> list[NDArray[np.int64]]:
    """The order of the parts in each column of a Latin hypercube: (DRAWS,) each; more columns leave the first alone."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(DRAWS) for _ in range(columns)]


def _times(stream: Stream, price: Array) -> Stream:
    return Stream(stream.now * price, stream.yearly * price[..., None])
