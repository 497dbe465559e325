"""All that the page shows of crops: for each variant where they fall, their health, their training, and its sheets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cropworth.report.film import Film, film
from cropworth.report.health import health
from cropworth.report.heatmap import Heatmap, heatmap
from cropworth.report.sheets import Drawn, Sheet, draw, sheets, truth
from cropworth.study.record import Kind, Record, Study
from cropworth.worth.words import number


@dataclass(frozen=True)
class Shown:
    """What is shown of one variant that crops.

    Attributes:
        variant: its name.
        kind: what it is.
        seed: of the trial that the sheets and the film are of; None where there are none.
        trials: its trials at the largest training-set size that have predictions.
        heatmap: where its crops fall.
        health: see `cropworth.report.health`.
        iou: median overlap with the true boxes, in words; empty where those are not known.
        film: its crops over training; None where they were not kept.
        sheets: its chosen test items; none where they have not been chosen.
        states: whether its crops are of an encoder's states.
    """

    variant: str
    kind: Kind
    seed: int | None
    trials: int
    heatmap: Heatmap
    health: tuple[tuple[str, str], ...]
    iou: str
    film: Film | None
    sheets: tuple[Sheet, ...]
    states: bool


@dataclass(frozen=True)
class Crops:
    """The section's content.

    Attributes:
        variants: those that crop, in the plan's order.
        drawn: pictures of the chosen test items; None where none have been chosen.
        titles: of those items, by index in the test: their truth.
        items: how many test items there are.
    """

    variants: tuple[Shown, ...]
    drawn: Drawn | None
    titles: dict[int, str]
    items: int


def show_crops(study: Study, train_size: int) -> Crops:
    """Of each variant with crops at this training-set size."""
    album, found = study.album, []
    drawn = None if album is None else draw(album)
    ratio = _height_over_width(study, drawn)
    for variant, kind in study.kinds.items():
        records = study.of(variant, train_size)
        where = heatmap(records, ratio)
        if where is not None:
            found.append(_shown(study, variant, kind, records, where, drawn))
    first = study.records[0] if study.records else None
    titles = {} if album is None or first is None else {int(i): truth(study, first, int(i)) for i in album.items}
    return Crops(tuple(found), drawn, titles, 0 if first is None else len(first.labels))


def _shown(
    study: Study, variant: str, kind: Kind, records: tuple[Record, ...], where: Heatmap, drawn: Drawn | None
) -> Shown:
    choice = next((c for c in study.album.choices if c.variant == variant), None) if study.album else None
    own = next((record for record in records if choice is not None and record.trial == choice.trial), None)
    overlaps = [record.median_iou for record in records if record.median_iou is not None]
    return Shown(
        variant,
        kind,
        None if own is None else own.seed,
        sum(record.theta is not None for record in records),
        where,
        health(records),
        number(float(np.median(overlaps))) if overlaps else "",
        None if own is None or drawn is None else film(own),
        () if study.album is None or choice is None or drawn is None else sheets(study, study.album, choice, drawn),
        study.plan.get("variants", {}).get(variant, {}).get("crops") == "states",
    )


def _height_over_width(study: Study, drawn: Drawn | None) -> float:
    if drawn is not None:
        return drawn.height_over_width
    pictures = (record.examples for record in study.records if record.examples is not None)
    examples = next(pictures, None)
    return 1.0 if examples is None else examples.images.shape[2] / examples.images.shape[3]
