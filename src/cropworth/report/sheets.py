"""Contact sheets: the chosen test items of each variant that crops, as the page shows them, within its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cropworth.report.pictures import Excerpt, curves, dashes, data_uri, excerpt, outline
from cropworth.report.places import in_words
from cropworth.report.text import percent
from cropworth.study.album import Album, Choice, Outcome
from cropworth.study.record import Record, Study
from cropworth.worth.words import number

# Pixels of an image's longer side, and points of a series' curve: the first with which all fit is taken.
SIDES, POINTS = (128, 96, 64, 48, 32), (160, 96, 64, 40, 24)
# Of pictures and crops; with the script of the charts and a thousand trials a page stays below 6 MB.
BUDGET_BYTES = 1_500_000

TITLES: dict[Outcome, str] = {
    "fixed": "Crop fixed it",
    "broke": "Crop broke it",
    "both wrong": "Both wrong",
    "better": "Most improved",
    "worse": "Most worsened",
}
NONE: dict[Outcome, str] = {
    "fixed": "No test item that the baseline reads wrong is read right with the crop.",
    "broke": "No test item that the baseline reads right is read wrong with the crop.",
    "both wrong": "No test item is read wrong by both.",
    "better": "The error of no test item fell.",
    "worse": "The error of no test item rose.",
}


@dataclass(frozen=True)
class Answer:
    """What a trial predicted for an item.

    Attributes:
        who: the variant.
        says: the predicted class and its probability, or the number.
        right: whether it is the true class; None for a number.
    """

    who: str
    says: str
    right: bool | None


@dataclass(frozen=True)
class Card:
    """A chosen test item with its crop.

    Attributes:
        item: its index in the test.
        name: what it is called; empty where that is not known.
        truth: its class or number.
        answers: the baseline's and the variant's.
        picture: index of the whole in `Drawn.wholes`.
        outline: of the crop, see `cropworth.report.pictures.outline`.
        place: of the crop, in words.
        crop: what the classifier saw: a data URI, or the paths of a series' curves; empty for a text.
        excerpt: of a text; None for everything else.
    """

    item: int
    name: str
    truth: str
    answers: tuple[Answer, Answer]
    picture: int
    outline: str
    place: str
    crop: str
    excerpt: Excerpt | None


@dataclass(frozen=True)
class Sheet:
    """The cards of one outcome.

    Attributes:
        title: the outcome in words.
        found: how many test items there are of it.
        none: what to say where there are none.
        cards: those that are shown.
    """

    title: str
    found: int
    none: str
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Drawn:
    """The pictures of an album.

    Attributes:
        wholes: of each of its items, SVG elements in a picture of 1 by 1, or of `ACROSS` by `DOWN` for a curve.
        crops: of each variant, in the order of `Choice.all_items`: data URIs, or SVG elements.
        height_over_width: of the pictures.
        exact: whether images are so small that their pixels should show.
        curves: whether they are of series or texts.
    """

    wholes: tuple[str, ...]
    crops: dict[str, tuple[str, ...]]
    height_over_width: float
    exact: bool
    curves: bool


def draw(album: Album) -> Drawn:
    """The album's pictures with as much detail as the page has room for."""
    for side, points in zip(SIDES, POINTS, strict=True):
        drawn = _images(album, side) if album.images is not None else _series(album, points)
        crops = (crop for variant in drawn.crops.values() for crop in variant)
        if sum(map(len, (*drawn.wholes, *crops))) <= BUDGET_BYTES:
            break
    return drawn


def sheets(study: Study, album: Album, choice: Choice, drawn: Drawn) -> tuple[Sheet, ...]:
    """The sheets of one variant; none where the study does not have its trials any more."""
    trials = {record.trial: record for record in study.records}
    record, baseline = trials.get(choice.trial), trials.get(choice.baseline)
    if record is None or baseline is None:
        return ()
    crops = iter(drawn.crops.get(choice.variant, [""] * len(choice.all_items)))
    made = []
    for outcome, items in choice.items.items():
        cards = tuple(_card(study, album, (baseline, record), item, next(crops)) for item in items)
        made.append(Sheet(TITLES[outcome], choice.found[outcome], NONE[outcome], cards))
    return tuple(made)


def truth(study: Study, record: Record, item: int) -> str:
    """The item's class or number."""
    label = record.labels[item]
    return study.classes[int(label)] if study.classes else number(float(label))


def _card(study: Study, album: Album, trials: tuple[Record, Record], item: int, crop: str) -> Card:
    record, place = trials[1], int(album.items.searchsorted(item))
    assert record.theta is not None
    theta = record.theta[item]
    return Card(
        item,
        album.names[place] if album.names else "",
        truth(study, record, item),
        (_answer(study, trials[0], item), _answer(study, record, item)),
        place,
        outline(theta),
        in_words(theta),
        crop,
        excerpt(album.words[place], theta) if album.words else None,
    )


def _answer(study: Study, record: Record, item: int) -> Answer:
    if record.probabilities is None:
        assert record.numbers is not None
        return Answer(record.variant, number(float(record.numbers[item])), None)
    of_each = record.probabilities[item]
    said = int(of_each.argmax())
    return Answer(
        record.variant, f"{study.classes[said]} ({percent(float(of_each[said]), 0)})", said == int(record.labels[item])
    )


def _images(album: Album, side: int) -> Drawn:
    assert album.images is not None
    height, width = album.images.shape[-2:]
    exact = max(height, width) < SIDES[0] * 0.75
    wholes = tuple(
        f'<image href="{data_uri(image, side)}" width="1" height="1" preserveAspectRatio="none"/>'
        for image in album.images
    )
    crops = {name: tuple(data_uri(crop, side) for crop in crops) for name, crops in album.crops.items()}
    return Drawn(tuple(map(Markup, wholes)), crops, height / width, exact, curves=False)


def _series(album: Album, points: int) -> Drawn:
    """Curves; of texts, which have none, a dash for each word."""
    if album.series:
        wholes = [_paths(curves(one, points, one)) for one in album.series]
    else:
        steps = [len(words) for words in album.words] or [1] * len(album.items)
        wholes = [_paths([dashes(count)]) for count in steps]
    crops = {}
    for choice in album.choices:
        if choice.variant in album.crops:
            own = [album.series[int(album.items.searchsorted(item))] for item in choice.all_items]
            crops[choice.variant] = tuple(
                _paths(curves(crop, points, whole))
                for crop, whole in zip(album.crops[choice.variant], own, strict=True)
            )
    return Drawn(tuple(wholes), crops, 0.25 if album.words else 0.4, exact=False, curves=True)


def _paths(data: Sequence[str]) -> str:
    return Markup("").join(
        Markup('<path class="curve-{}" d="{}" transform="scale(.0025 .01)"/>').format(i, one)
        for i, one in enumerate(data)
    )
