"""Does `--until-clear` say the same as a fixed number of seeds, and for how much less compute?

Replays finished studies, every variant of which has the same number of seeds, as if they had been run with
`--until-clear`: nothing is trained. A minute for each study:

    python benchmarks/until_clear.py FOLDER... --out until-clear.md

The first line of each study is its seeds in their order; the rest are random orders of the same seeds, which are not
independent of each other. What was found is in docs/results/until-clear.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from statistics import fmean

import numpy as np
from finding import provenance

from cropworth.study.ledger import Ledger
from cropworth.study.record import Study
from cropworth.until_clear import Look, look
from cropworth.worth.costs import machine_seconds
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.results import Verdict
from cropworth.worth.sequential import Reason, schedule

OPEN: Verdict = "not enough evidence"


@dataclass(frozen=True)
class Verdicts:
    """What a study says.

    Attributes:
        headline: verdict on the best learned crop (on the best control, where there is no crop).
        best: its name.
        each: verdicts on all learned crops (or controls).
    """

    headline: Verdict
    best: str
    each: dict[str, Verdict]


@dataclass(frozen=True)
class Replay:
    """One run with `--until-clear`.

    Attributes:
        verdicts: at its end.
        seeds: by variant.
        share: of the machine hours that all trials took.
        stopped: why each variant was not trained further.
    """

    verdicts: Verdicts
    seeds: dict[str, int]
    share: float
    stopped: dict[str, Reason]


def verdicts_of(seen: Look) -> Verdicts:
    """Verdicts at the largest training-set size."""
    leading = [s for s in seen.standings if s.kind in ("crop", "candidate")]
    leading = leading or [s for s in seen.standings if s.kind == "control"]
    best = max(leading, key=lambda s: -inf if s.estimate is None else s.estimate)
    return Verdicts(best.verdict or OPEN, best.name, {s.name: s.verdict or OPEN for s in leading})


def replay(study: Study, economics: Economics, order: Sequence[int]) -> Replay:
    """Run the rounds on records that are there already, seeds in this order."""
    place = {seed: index for index, seed in enumerate(order)}
    whole = replace(
        study, records=tuple(replace(r, seed=place[r.seed]) for r in study.records), looks=schedule(len(order))
    )
    seeds = dict.fromkeys(study.kinds, whole.looks[0])
    while True:
        so_far = replace(whole, records=tuple(r for r in whole.records if r.seed < seeds[r.variant]))
        seen = look(so_far, economics)
        if not seen.decision.goes_on:
            return Replay(verdicts_of(seen), seeds, _hours(so_far) / _hours(whole), seen.decision.stopped)
        seeds |= seen.decision.goes_on


def evened(study: Study) -> Study:
    """Each trial as long as those of its variant and size on average: the machine was not equally busy all along."""
    times: dict[tuple[str, int], list[float]] = {}
    for record in study.records:
        times.setdefault((record.variant, record.train_size), []).append(record.training_wall_s)
    return replace(
        study,
        records=tuple(replace(r, training_wall_s=fmean(times[r.variant, r.train_size])) for r in study.records),
    )


def _hours(study: Study) -> float:
    return sum(map(machine_seconds, study.records)) / 3600


@dataclass(frozen=True)
class Row:
    """One study.

    Attributes:
        name: of the study.
        most: seeds of the fixed design.
        hours: machine hours of all its trials.
        fixed: its verdicts after all seeds, looked at once.
        first: the replay with the seeds in their order.
        others: replays in random orders.
    """

    name: str
    most: int
    hours: float
    fixed: Verdicts
    first: Replay
    others: tuple[Replay, ...]

    def alike(self, replays: Sequence[Replay]) -> float:
        """Share of replays with the same headline verdict."""
        return fmean(r.verdicts.headline == self.fixed.headline for r in replays)

    def each_alike(self, replays: Sequence[Replay]) -> float:
        """Share of verdicts on single crops that are the same."""
        return fmean(r.verdicts.each[name] == v for r in replays for name, v in self.fixed.each.items())

    def opposite(self, replays: Sequence[Replay]) -> float:
        """Share of verdicts on single crops that are clear in both and differ."""
        pairs = [(r.verdicts.each[name], v) for r in replays for name, v in self.fixed.each.items()]
        return fmean(OPEN not in pair and pair[0] != pair[1] for pair in pairs)


def row_of(study: Study, orders: int) -> Row:
    """Replay one study in its own order and in random ones."""
    study, economics = evened(study), read_economics(study.economics)
    seeds = sorted({record.seed for record in study.records})
    rng = np.random.default_rng(0)
    return Row(
        study.name,
        len(seeds),
        _hours(study),
        verdicts_of(look(replace(study, looks=()), economics)),
        replay(study, economics, seeds),
        tuple(replay(study, economics, rng.permutation(seeds).tolist()) for _ in range(orders)),
    )


def table(rows: Sequence[Row]) -> str:
    """Two tables as Markdown: what each study said, and over random orders of its seeds."""
    lines = [
        "| study | machine hours | fixed verdict | crop | `--until-clear` | crop | same | seeds | compute | because |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        one, seeds = row.first, [row.first.seeds[name] for name in row.fixed.each]
        reasons = ", ".join(sorted({one.stopped[name] for name in row.fixed.each}))
        lines.append(
            f"| {row.name} | {row.hours:.2f} | {row.fixed.headline} | {row.fixed.best} | {one.verdicts.headline} | "
            f"{one.verdicts.best} | {'yes' if row.alike([one]) else '**no**'} | {min(seeds)} to {max(seeds)} of "
            f"{row.most} | {one.share:.0%} | {reasons} |"
        )
    alike = sum(row.alike([row.first]) for row in rows)
    total = sum(row.first.share * row.hours for row in rows) / sum(row.hours for row in rows)
    mean = fmean(row.first.share for row in rows)
    lines += [
        "",
        f"Same headline verdict in {alike:.0f} of {len(rows)}; compute {mean:.0%} on average, {total:.0%} of hours.",
        "",
        "| study | orders | same headline | same for each crop | opposite for a crop | compute, mean | 10 % to 90 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = [r.share for r in row.others]
        low, high = np.quantile(shares, [0.1, 0.9])
        lines.append(
            f"| {row.name} | {len(row.others)} | {row.alike(row.others):.0%} | {row.each_alike(row.others):.0%} | "
            f"{row.opposite(row.others):.1%} | {fmean(shares):.0%} | {low:.0%} to {high:.0%} |"
        )
    average = [fmean(part) for part in zip(*((r.alike(r.others), r.each_alike(r.others)) for r in rows), strict=True)]
    compute = fmean(fmean(r.share for r in row.others) for row in rows)
    lines += ["", f"On average: headline {average[0]:.1%}, each crop {average[1]:.1%}, compute {compute:.0%}."]
    return "\n".join(lines)


def main() -> None:
    """Replay the studies and write the tables."""
    parser = argparse.ArgumentParser(description="Does --until-clear say the same as a fixed number of seeds?")
    parser.add_argument("folders", type=Path, nargs="+", help="finished studies")
    parser.add_argument("--orders", type=int, default=100, help="random orders of the seeds")
    parser.add_argument("--out", type=Path, required=True, help="the tables, as Markdown")
    arguments = parser.parse_args()
    rows = []
    for folder in arguments.folders:
        study = Ledger(folder).read()
        if study.missing:
            print(f"{folder}: {study.missing} trials are missing; left out", flush=True)
            continue
        rows.append(row_of(study, arguments.orders))
        print(table(rows[-1:]), flush=True)
    arguments.out.write_text(f"{table(rows)}\n\n{provenance()}.\n")


if __name__ == "__main__":
    main()
