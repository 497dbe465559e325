"""What is kept of a task when its items are gone: `Signature`, for its models, and `Placed`. Free of torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Numbers:
    """What the labels of a regression are like, so that the network predicts numbers around 0.

    Attributes:
        mean: of the training labels.
        deviation: their standard deviation, above 0.
    """

    mean: float
    deviation: float


class Shaped(Protocol):
    """What a model must know of a task: a `Task` has it, and so has its `Signature`, long after the data are gone."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the logits; empty where a number is predicted."""

    @property
    def channels(self) -> int:
        """C of images, F of series; 0 of texts, whose words a model has yet to embed."""

    @property
    def size(self) -> tuple[int, ...]:
        """(H, W) of images, (T,) of the longest series or text."""

    @property
    def is_sequence(self) -> bool:
        """Whether the items are series or texts, not images."""

    @property
    def vocabulary(self) -> int:
        """How many numbers of words there are, in a text; 0 for everything else."""

    @property
    def numbers(self) -> Numbers | None:
        """What the training labels of a regression are like; None for classes."""


@dataclass(frozen=True)
class Signature:
    """A `Shaped` as plain data.

    Attributes:
        classes: see `Shaped`, as the next ones.
        channels: of its items.
        size: of its items.
        is_sequence: whether they are series or texts.
        vocabulary: of texts.
        numbers: of a regression.
        reading: how an input becomes an item, see `Task.reading`.
    """

    classes: tuple[str, ...]
    channels: int
    size: tuple[int, ...]
    is_sequence: bool
    vocabulary: int = 0
    numbers: Numbers | None = None
    reading: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, from which `from_dict` makes the same again."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Signature:
        """The signature that `as_dict` made these data of.

        Raises:
            KeyError: they lack one of its attributes.
            TypeError: they are of something else.
        """
        numbers = plain["numbers"]
        return cls(
            tuple(plain["classes"]),
            plain["channels"],
            tuple(plain["size"]),
            plain["is_sequence"],
            plain["vocabulary"],
            None if numbers is None else Numbers(**numbers),
            plain["reading"],
        )


@dataclass(frozen=True)
class Placed:
    """An item of a user's own data, and the split it went to.

    Attributes:
        name: what the item is called: a file's path inside its folder with ``/``, or a row's number or key.
        split: ``train``, ``val`` or ``test``.
        group: what it has in common with others, all of which are in the same split; empty where that is unknown.
        content: SHA-256 of what it holds.
    """

    name: str
    split: str
    group: str
    content: str


SPLIT_NAMES = ("train", "val", "test")
PLACED_COLUMNS = ("item", "split", "group", "sha256")
