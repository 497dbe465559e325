"""A real A/A study: how often is a network preferred to its equal?

`recipes/twins.yaml` trains a network and its twin, the same but for its first weights, on the same items with 20
seeds. Which of the two is called the baseline is arbitrary, seed by seed: exchanging them at random, for random seeds,
gives as many A/A studies as one likes, of real trainings and real test items. A minute:

    cropworth study recipes/twins.yaml --out study-twins --jobs 2
    python benchmarks/twins.py study-twins --out twins.md

The exchanged studies share 20 pairs and one test set, so that the shares are those of this data set and no more.
docs/results/twins.md is its result.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from finding import provenance
from numpy.typing import NDArray

from cropworth.report.document import document
from cropworth.report.markdown import to_markdown
from cropworth.study.ledger import Ledger
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.gains import Pricing
from cropworth.worth.interval import ErrorRates, interval_around, simultaneous, two_way
from cropworth.worth.pairs import Losses, pair_up
from cropworth.worth.results import Verdict
from cropworth.worth.sequential import error_rates, schedule
from cropworth.worth.verdict import judge

SEEDS = (3, 4, 5, 6, 10, 20)
OPEN: Verdict = "not enough evidence"


def gains(study: Study, economics: Economics) -> tuple[NDArray[np.float64], float]:
    """(S, n) money that each of the twin's predictions gains over the baseline's; and what one wrong item costs."""
    losses = Losses(Pricing(study, economics))
    pair = pair_up(study, study.train_sizes[-1], next(n for n in study.kinds if n != study.baseline))
    amounts = losses.pricing.amounts(losses.pricing.means)
    gained = np.stack([(losses.of(before) - losses.of(after)) @ amounts for before, after in pair.both])
    return gained, float(np.sqrt(amounts @ losses.pricing.unit[0] @ amounts))


def verdict(differences: NDArray[np.float64], rates: ErrorRates, at_stake: float) -> Verdict:
    """Of one A/A study without costs."""
    found = two_way(differences[..., None], unit=np.full((1, 1, 1), at_stake**2))
    return judge(interval_around(float(found.mean[0, 0]), found.components([[1.0]]), rates), margin=0.0)


def exchanged(differences: NDArray[np.float64], seeds: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Random seeds, of each of which a coin says who is the baseline."""
    chosen = rng.permutation(len(differences))[:seeds]
    return differences[chosen] * rng.choice([-1.0, 1.0], (seeds, 1))


def until_clear(differences: NDArray[np.float64], at_stake: float) -> Verdict:
    """The first clear verdict at any of the looks."""
    looks = schedule(len(differences))
    found = (verdict(differences[:look], error_rates(looks, look, simultaneous(1)), at_stake) for look in looks)
    return next((one for one in found if one != OPEN), OPEN)


def shares(counted: Sequence[Verdict]) -> str:
    """Cells of a table: adopt, don't, not enough evidence."""
    found = Counter(counted)
    return " | ".join(f"{found[v] / len(counted):.1%}" for v in ("adopt", "don't", OPEN))


def table(differences: NDArray[np.float64], at_stake: float, studies: int) -> str:
    """How often each verdict is given, by number of seeds."""
    rng = np.random.default_rng(0)
    lines = ["| seeds | adopt | don't | not enough evidence |", "|---|---|---|---|"]
    for seeds in (s for s in SEEDS if s <= len(differences)):
        found = [verdict(exchanged(differences, seeds, rng), ErrorRates(), at_stake) for _ in range(studies)]
        lines.append(f"| {seeds} | {shares(found)} |")
    looked = [until_clear(exchanged(differences, len(differences), rng), at_stake) for _ in range(studies)]
    lines.append(f"| until clear, at most {len(differences)} | {shares(looked)} |")
    return "\n".join(lines)


def main() -> None:
    """Read the study and write the page."""
    parser = argparse.ArgumentParser(description="How often is a network preferred to its equal?")
    parser.add_argument("folder", type=Path, help="a study of a baseline and its twin")
    parser.add_argument("--studies", type=int, default=2000, help="exchanged studies of each kind")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    study = Ledger(arguments.folder).read()
    economics = read_economics(study.economics)
    counted = table(*gains(study, economics), arguments.studies)
    summary = to_markdown(document(study, appraise(study, economics), economics))
    arguments.out.write_text(f"{counted}\n\n{arguments.studies:,} studies of each kind. {provenance()}.\n\n{summary}")


if __name__ == "__main__":
    main()
