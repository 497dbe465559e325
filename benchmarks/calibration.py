"""Are the verdicts to be trusted? Intervals, verdicts and forecasts on made studies whose truth is known.

Everything goes through the product's own functions. About twelve minutes of one core:

    python benchmarks/calibration.py --out calibration

Finished parts are kept in ``calibration/calibration.json``, so that it may be stopped and started again. It writes
``calibration.md`` and its pictures there; what was found is in docs/results/calibration.md.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from calibration_page import write
from differences import VOLUME, Amounts, Array, Classifiers, Drawn, Gaussian, HeavyTails, Kind, RareAndDear, as_study

from cropworth.worth.appraisal import appraise
from cropworth.worth.interval import ALONE, ALPHA, Component, ErrorRates, TwoWay, interval_around, simultaneous
from cropworth.worth.results import Interval, Verdict
from cropworth.worth.sequential import HOPELESS, Standing, chance, error_rates, schedule
from cropworth.worth.verdict import judge, seeds_needed

SEEDS, ITEMS = (3, 4, 5, 6, 10, 20), (200, 1_000, 10_000)
LOOKS = schedule(20)
OPEN: Verdict = "not enough evidence"
FAMILY = 7  # candidates of one baseline at most

GAUSSIAN = (
    Gaussian("seeds alone", 1.0, 0.0, 0.0),
    Gaussian("items alone", 0.0, 1.0, 0.0),
    Gaussian("residual alone", 0.0, 0.0, 1.0),
    Gaussian("seeds 1/2, items 1/2", 0.5, 0.5, 0.0),
    Gaussian("seeds 0.1, items 0.9", 0.1, 0.9, 0.0),
    Gaussian("seeds 0.9, items 0.1", 0.9, 0.1, 0.0),
    Gaussian("items 1/2, residual 1/2", 0.0, 0.5, 0.5),
    Gaussian("a third each", 1 / 3, 1 / 3, 1 / 3),
    Gaussian("seeds 0.2, items 0.2, residual 0.6", 0.2, 0.2, 0.6),
)
ANSWERS = (
    Classifiers("70 %, no gain", 0.70),
    Classifiers("70 %, gain 3", 0.70, 0.03),
    Classifiers("90 %, no gain", 0.90),
    Classifiers("90 %, gain 1", 0.90, 0.01),
    Classifiers("90 %, gain 1, seeds differ much", 0.90, 0.01, own_luck=0.4),
    Classifiers("90 %, gain 1, seeds do not differ", 0.90, 0.01, shared_luck=0.0, own_luck=0.0),
    Classifiers("90 %, gain 1, models less alike", 0.90, 0.01, alike=0.6),
    Classifiers("99 %, no gain", 0.99),
    Classifiers("99 %, gain 0.5", 0.99, 0.005),
)
# What is gained on the common class is lost on the rare one: 0.99 x 1 x 0.05 / 0.99 = 0.01 x 100 x 0.05.
TRADE = Classifiers("rare", 0.85, -0.05), Classifiers("common", 0.90, 0.05 / 0.99)
TAILS = (
    HeavyTails("t3 items, seeds alike", 0.0),
    HeavyTails("t3 items, seeds 0.1", 0.1),
    Amounts("90 %, gain 1, amounts lognormal 1", ANSWERS[3], 1.0),
    Amounts("90 %, gain 1, amounts lognormal 2", ANSWERS[3], 2.0),
    RareAndDear("rare 5 %", 0.05, 0.05),
    RareAndDear("rare 1 %", 0.01, 0.01),
    RareAndDear("rare 1 %, half of the test items", 0.01, 0.5),
    RareAndDear("rare 5 %, as they come", 0.05, None),
    RareAndDear("rare 1 %, fewer false alarms for more misses", 0.01, 0.01, *TRADE),
    RareAndDear("the same, half of the test items rare", 0.01, 0.5, *TRADE),
)
AGAIN = (
    Classifiers("90 %", 0.90).again(),
    Classifiers("90 %, seeds differ much", 0.90, own_luck=0.4).again(),
    Classifiers("99 %", 0.99).again(),
    RareAndDear("rare 5 %", 0.05, 0.05).again(),
)
EFFECTS = tuple(Classifiers(f"{100 * gain:g}", 0.90, gain) for gain in (0, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03))
GAINS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "any from 0 to 4 points": lambda rng, count: rng.uniform(0, 0.04, count),
    "mostly small": lambda rng, count: np.abs(rng.normal(0, 0.005, count)),
}
PILOTS, MOST = (3, 5, 10), 40  # seeds from which is forecast, and up to which a forecast is tried
POWER_ITEMS, AGAIN_ITEMS = 4_000, 1_000


@dataclass(frozen=True)
class Coverage:
    """Intervals of one kind of study. All but `width` are counts.

    Attributes:
        family: of the kind.
        kind: its name.
        seeds: of each study.
        items: of each study.
        repeats: studies.
        above: intervals that lie wholly above the truth.
        below: wholly below it.
        width: mean half width over 1.96 standard deviations of the estimates.
    """

    family: str
    kind: str
    seeds: int
    items: int
    repeats: int
    above: int
    below: int
    width: float


@dataclass(frozen=True)
class Look:
    """A made study after some seeds, judged with a margin of 0."""

    found: TwoWay
    coefficients: Array

    @property
    def estimate(self) -> float:
        """Of the gain."""
        return float(self.found.estimate(self.coefficients))

    def components(self, rates: ErrorRates = ALONE) -> tuple[Component, Component]:
        """The chance in the estimate."""
        found = self.found.components(self.coefficients, rates.seeds)
        assert found is not None, "seeds and items enough"
        return found

    def interval(self, rates: ErrorRates = ALONE) -> Interval:
        """At these error rates."""
        return interval_around(self.estimate, self.components(rates), rates)

    def verdict(self, rates: ErrorRates = ALONE) -> Verdict:
        """At these error rates."""
        return judge(self.interval(rates), 0.0)

    def standing(self, rates: ErrorRates = ALONE, alpha: float = ALPHA) -> Standing:
        """As `--until-clear` sees it."""
        components = self.components(rates)
        return Standing(
            "candidate", "crop", self.found.seeds, 0.0, self.verdict(rates), self.estimate, components, alpha
        )


def look(kind: Kind, drawn: Drawn, seeds: int, candidate: int = 0) -> Look:
    """At the first so many seeds."""
    return Look(drawn.summary(seeds, candidate), kind.coefficients)


def generator(*names: object) -> np.random.Generator:
    """One stream for each cell, so that any may be run alone."""
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


def coverage(family: str, kind: Kind, items: int, repeats: int) -> list[Coverage]:
    """How often intervals hold the truth, after each number of seeds."""
    rng = generator("coverage", kind.name, items)
    above, below = (dict.fromkeys(SEEDS, 0) for _ in range(2))
    estimates: dict[int, list[float]] = {seeds: [] for seeds in SEEDS}
    widths: dict[int, list[float]] = {seeds: [] for seeds in SEEDS}
    for _ in range(repeats):
        drawn = kind.draw(rng, max(SEEDS), items)
        for seeds in SEEDS:
            seen = look(kind, drawn, seeds)
            found = seen.interval()
            assert found.low is not None
            assert found.high is not None
            above[seeds] += found.low > kind.truth
            below[seeds] += found.high < kind.truth
            estimates[seeds].append(seen.estimate)
            widths[seeds].append((found.high - found.low) / 2)
    return [
        Coverage(
            family, kind.name, s, items, repeats, int(above[s]), int(below[s]),
            float(np.mean(widths[s]) / (1.96 * np.std(estimates[s]))),
        )
        for s in SEEDS
    ]  # fmt: skip


def until_clear(looks: list[Look], alpha: float, hopeless: float = HOPELESS) -> tuple[Verdict, int]:
    """Verdict and seeds at the end of `--until-clear`.

    It looks after 3, 4, 5, ... seeds and stops where it is clear, or unlikely to become clear: what `decide` does where
    compute is free. With `hopeless` 0 it goes on until it is clear.
    """
    last = error_rates(LOOKS, LOOKS[-1], alpha)
    for seen in looks[:-1]:
        standing = seen.standing(error_rates(LOOKS, seen.found.seeds, alpha), alpha)
        if standing.verdict != OPEN or chance(standing, LOOKS[-1], last, 0.0) < hopeless:
            return standing.verdict or OPEN, standing.trials
    return looks[-1].verdict(last), LOOKS[-1]


def again(kind: Kind, repeats: int) -> list[dict[str, Any]]:
    """How often the baseline, trained again, is to be adopted: alone, and as the best of several."""
    rng = generator("again", kind.name)
    counts: dict[tuple[str, int], list[bool]] = {}
    for _ in range(repeats):
        drawn = kind.draw(rng, LOOKS[-1], AGAIN_ITEMS, FAMILY)
        of_each = [[look(kind, drawn, seeds, candidate) for seeds in LOOKS] for candidate in range(FAMILY)]
        for several in (1, 3, FAMILY):
            alpha = simultaneous(several)
            groups = FAMILY // several
            for group in range(groups):
                members = of_each[group * several : (group + 1) * several]
                for design, adopted in _designs(members, alpha):
                    counts.setdefault((design, several), []).append(adopted)
    return [
        {"kind": kind.name, "design": design, "candidates": several, "studies": len(adopted), "adopt": sum(adopted)}
        for (design, several), adopted in counts.items()
    ]


def _designs(members: list[list[Look]], alpha: float) -> Iterator[tuple[str, bool]]:
    """Whether any member is to be adopted, by each design."""
    fixed = ErrorRates(alpha, alpha)
    for place, seeds in enumerate(LOOKS):
        if seeds in SEEDS:
            yield f"{seeds} seeds", any(looks[place].verdict(fixed) == "adopt" for looks in members)
    yield "until clear", any(until_clear(looks, alpha)[0] == "adopt" for looks in members)
    yield "every look", any(until_clear(looks, alpha, hopeless=0.0)[0] == "adopt" for looks in members)


def power(kind: Kind, repeats: int) -> dict[str, Any]:
    """How often a gain is found."""
    rng, trained, clear = generator("power", kind.name), 0, 0
    adopted = dict.fromkeys([*map(str, SEEDS), "until clear"], 0)
    for _ in range(repeats):
        drawn = kind.draw(rng, LOOKS[-1], POWER_ITEMS)
        looks = {seeds: look(kind, drawn, seeds) for seeds in sorted({*LOOKS, *SEEDS})}
        for seeds in SEEDS:
            adopted[str(seeds)] += looks[seeds].verdict() == "adopt"
        verdict, seeds = until_clear([looks[seeds] for seeds in LOOKS], ALPHA)
        adopted["until clear"] += verdict == "adopt"
        trained += seeds
        clear += verdict != OPEN
    return {"gain": kind.truth, "repeats": repeats, "adopt": adopted, "seeds": trained / repeats, "clear": clear}


def forecasts(gains: str, repeats: int) -> list[dict[str, Any]]:
    """Whether what is forecast from few seeds comes true, where the gains are distributed so."""
    rng, found = generator("forecasts", gains), []
    for gain in GAINS[gains](rng, repeats):
        kind = Classifiers("90 %", 0.90, float(gain))
        drawn = kind.draw(rng, MOST, POWER_ITEMS)
        found += [{"gains": gains, **forecast} for pilot in PILOTS if (forecast := _forecast(kind, drawn, pilot))]
    return found


def _forecast(kind: Kind, drawn: Drawn, pilot: int) -> dict[str, Any] | None:
    """Seeds needed and whether they sufficed, chance of being clear at the last look and whether it was.

    None where it is clear already. Whether they sufficed is None where no number would, or one above `MOST`.
    """
    seen = look(kind, drawn, pilot)
    if seen.verdict() != OPEN:
        return None
    needed = seeds_needed(seen.estimate, seen.components(), pilot, 0.0)
    tried = needed is not None and needed <= MOST
    return {
        "pilot": pilot,
        "needed": needed,
        "sufficed": look(kind, drawn, needed).verdict() != OPEN if tried and needed else None,
        "chance": chance(seen.standing(), LOOKS[-1], ALONE, 0.0),
        "clear": look(kind, drawn, LOOKS[-1]).verdict() != OPEN,
    }


def whole(kind: Classifiers | RareAndDear, items: int, seeds: int, repeats: int) -> dict[str, Any]:
    """The same through `appraise`, from records and prices to a verdict, and how far it is from the parts above."""
    rng, missed, apart, agreed = generator("whole", kind.name, items, seeds), 0, 0.0, 0
    for _ in range(repeats):
        drawn = kind.draw(rng, seeds, items)
        (candidate,) = appraise(*as_study(kind, drawn)).sizes[-1].candidates
        direct, found = look(kind, drawn, seeds), candidate.npv
        ends = np.array([found.low, found.estimate, found.high]) / VOLUME
        missed += not ends[0] <= kind.truth <= ends[2]
        parts = direct.interval()
        apart = max(apart, float(np.abs(ends - np.array([parts.low, parts.estimate, parts.high])).max()))
        agreed += candidate.verdict == direct.verdict()
    return {
        "kind": kind.name, "items": items, "seeds": seeds, "repeats": repeats, "missed": missed, "apart": apart,
        "agreed": agreed,
    }  # fmt: skip


def parts(share: float) -> Iterator[tuple[str, Any]]:
    """Every part of the run by name, each a function without arguments."""

    def repeats(full: int) -> int:
        return max(2, round(full * share))

    for items, full in zip(ITEMS, (6_000, 5_000, 1_500), strict=True):
        for family, kinds in (("answers", ANSWERS), ("heavy tails", TAILS), ("normal", GAUSSIAN)):
            for kind in kinds:
                count = repeats(6_000 if family == "normal" else full)
                yield (
                    f"coverage/{kind.name}/{items}",
                    lambda f=family, k=kind, i=items, n=count: [asdict(cell) for cell in coverage(f, k, i, n)],
                )
    for kind in AGAIN:
        yield f"again/{kind.name}", lambda k=kind: again(k, repeats(2_000))
    for kind in EFFECTS:
        yield f"power/{kind.name}", lambda k=kind: power(k, repeats(2_000))
    for gains in GAINS:
        yield f"forecast/{gains}", lambda g=gains: forecasts(g, repeats(4_000))
    for kind, items, seeds in ((ANSWERS[3], 1_000, 5), (TAILS[4], 1_000, 5), (TAILS[6], 200, 3)):
        yield f"whole/{kind.name}/{items}", lambda k=kind, i=items, s=seeds: whole(k, i, s, repeats(200))


def run(out: Path, share: float) -> dict[str, Any]:
    """Everything that is missing."""
    out.mkdir(parents=True, exist_ok=True)
    kept = out / "calibration.json"
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for name, part in parts(share):
        if name not in found:
            start = time.process_time()
            found[name] = part()
            kept.write_text(json.dumps(found))
            print(f"{name}: {time.process_time() - start:.1f} s", flush=True)
    return found


def main() -> None:
    """Simulate what is missing and write the page."""
    parser = argparse.ArgumentParser(description="Are the verdicts to be trusted?")
    parser.add_argument("--out", type=Path, required=True, help="folder of the numbers, the page and its pictures")
    parser.add_argument("--share", type=float, default=1.0, help="of the full number of repeats")
    arguments = parser.parse_args()
    write(arguments.out, run(arguments.out, arguments.share))


if __name__ == "__main__":
    main()
