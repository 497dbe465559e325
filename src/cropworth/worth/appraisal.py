"""`appraise`: a study's records and prices -> what each candidate is worth against the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from cropworth.errors import CropworthError
from cropworth.study.record import Study
from cropworth.worth.candidate import candidate, make_case
from cropworth.worth.checks import check_same_items, gaps, not_priced
from cropworth.worth.costs import machine_seconds
from cropworth.worth.economics import Economics
from cropworth.worth.gains import Pricing
from cropworth.worth.pairs import Losses, Paired, judged_sizes, pair_up
from cropworth.worth.prices import mean
from cropworth.worth.ranks import ranks
from cropworth.worth.results import Appraisal, Candidate, SizeAppraisal
from cropworth.worth.rows import row_of
from cropworth.worth.scenario import Case
from cropworth.worth.sentences import headline


def appraise(study: Study, economics: Economics) -> Appraisal:
    """Appraise every variant against the baseline, at every training-set size.

    Pairs are formed by seed on the same test items. A diverged trial has no predictions, so its seed is left out of
    the differences, but its training is charged to the models that work. A collapsed trial counts as it is: whoever
    trains that variant gets it as often. Every candidate is charged the same engineering, controls and oracle too.

    Verdicts are by intervals that hold at once for all candidates of a kind, and for every look at the study.

    Raises:
        CropworthError: no usable record of the baseline, trials on different test items, or prices that do not fit.
    """
    sizes = judged_sizes(study)
    if not sizes:
        raise CropworthError(
            f"{len(study.records)} finished trials, none of the baseline {study.baseline!r} with predictions",
            "at least one",
            "Run the study again to finish it, or mend a baseline that diverges.",
        )
    check_same_items(study)
    losses = Losses(Pricing(study, economics))
    cases = {size: _cases(study, economics, losses, size) for size in sizes}
    appraised = tuple(_appraise_size(study, economics, losses, s, cases[s], s == sizes[-1]) for s in sizes)
    best = _best(appraised[-1].candidates)
    test_items = len(study.records[0].labels)
    hours, hourly = sum(map(machine_seconds, study.records)) / 3600, mean(economics.compute_price_per_hour)
    return Appraisal(
        study=study.name,
        baseline=study.baseline,
        currency=economics.currency,
        horizon_years=economics.horizon_years,
        not_priced=not_priced(study, economics),
        missing_trials=study.missing,
        test_items=test_items,
        gaps=(*gaps(study), *losses.pricing.scarce),
        error_price=economics.error_price,
        study_cost=hours * hourly or None,
        rules=_rules(study, economics, losses.pricing, sizes[-1]),
        ranking=ranks(study.baseline, losses, cases[sizes[-1]]),
        headline=headline(best, appraised[-1].candidates, study.baseline, economics, test_items),
        best=best.name if best is not None else None,
        sizes=appraised,
    )


Cases = list[tuple[Paired, Case | None]]


def _cases(study: Study, economics: Economics, losses: Losses, size: int) -> Cases:
    """Every variant that was trained on so many items, paired with the baseline."""
    names = [name for name in study.kinds if name != study.baseline and study.of(name, size)]
    pairs = [pair_up(study, size, name) for name in names]
    return [(pair, make_case(study, economics, losses, pair)) for pair in pairs]


def _appraise_size(
    study: Study, economics: Economics, losses: Losses, size: int, cases: Cases, with_outlook: bool
) -> SizeAppraisal:
    rows = tuple(row_of(study, name, records) for name in study.kinds if (records := study.of(name, size)))
    candidates = tuple(candidate(study, economics, losses, *case, with_outlook) for case in cases)
    return SizeAppraisal(size, rows, candidates)


def _rules(study: Study, economics: Economics, pricing: Pricing, size: int) -> tuple[str, ...]:
    """How each variant decides after its first training, where that is not for the likeliest class."""
    if economics.decision == "likeliest" or not study.classes:
        return ()
    working = {n: [r for r in study.of(n, size) if r.predictions is not None] for n in study.kinds}
    return tuple(
        f"{name}, seed {records[0].seed}: {pricing.rule(records[0]).describe(study.classes)}"
        for name, records in working.items()
        if records
    )


def _best(candidates: Sequence[Candidate]) -> Candidate | None:
    """The learned crop, or candidate of one's own, with the largest NPV."""
    known = [(c.npv.estimate, c) for c in candidates if c.kind in ("crop", "candidate") and c.npv.estimate is not None]
    return max(known, key=lambda item: item[0])[1] if known else None
