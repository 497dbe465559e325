"""Whether a variant's crops are alive, seed by seed, in words.

Training measured it and judged it by the bounds of `cropworth.crops.health`; here its words are only told, so that no
bound stands in two places.
"""

from __future__ import annotations

from collections.abc import Sequence

from cropworth.study.record import Record

WELL = "nothing to report"


def health(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    """What there is to say of each trial of one variant, those alike together.

    Args:
        records: of one variant at one training-set size.

    Returns:
        Pairs such as (``Seeds 0 and 2``, ``62% of the crops lie outside the frame. ...``); none where no crop was
        learned.
    """
    by_words: dict[str, list[int]] = {}
    for record in records:
        if told := _words(record):
            by_words.setdefault(told, []).append(record.seed)
    if len(by_words) == 1 and len(records) > 1 and sum(map(len, by_words.values())) == len(records):
        return ((f"All {len(records)} seeds", next(iter(by_words))),)
    return tuple((_seeds(seeds), words) for words, seeds in by_words.items())


def _words(record: Record) -> str:
    """Of one trial; empty where nothing is known."""
    if record.status == "diverged":
        return f"Training diverged: {record.reason}." if record.crop_health or record.poses_by_epoch is not None else ""
    if record.status == "collapsed":
        return record.reason
    if record.crop_advice is None:
        return ""
    return record.crop_advice or WELL


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"Seed {seeds[0]}"
    return f"Seeds {', '.join(map(str, seeds[:-1]))} and {seeds[-1]}"
