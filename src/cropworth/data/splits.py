"""Which items train, validate and test: as a file or the data say, by time, or drawn; never one thing in two splits.

Free of torch. Sources: Kapoor and Narayanan 2023, Leakage and the reproducibility crisis in machine-learning-based
science; the drawing is compared with scikit-learn's StratifiedGroupKFold in the tests.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cropworth.data.bad_items import BadItems
from cropworth.data.drawing import binned, drawn, joined
from cropworth.data.signature import SPLIT_NAMES
from cropworth.data.splits_file import read_splits
from cropworth.errors import CropworthError, ManyError

TWO_LABELS = "items that hold the same as one with another label"
MOST_SAID = 20
FEW_ITEMS, MOST_UNEQUAL = 10, 10


@dataclass(frozen=True)
class Item:
    """What must be known of an item to place it.

    Attributes:
        name: what it is called; no other item has it.
        where: the file and row that speak of it, for messages.
        label: name of its class, or the number to predict.
        content: SHA-256 of what it holds, without its label.
        split: ``train``, ``val`` or ``test``; None where the data do not say.
        group: what it has in common with others that must be in the same split; None where it stands alone.
        time: a number that grows with its time; None where the data do not say.
    """

    name: str
    where: str
    label: str | float
    content: str
    split: str | None = None
    group: str | None = None
    time: float | None = None


class Shares(Protocol):
    """What a plan says of splits, see `cropworth.data.config.Splitting`."""

    @property
    def validation_share(self) -> float:
        """Of what the test leaves."""

    @property
    def test_share(self) -> float:
        """Of all."""

    @property
    def split_seed(self) -> int:
        """Of what is drawn."""

    @property
    def splits(self) -> Path | None:
        """A file of them."""


def place(items: Sequence[Item], settings: Shares, bad: BadItems) -> list[str | None]:
    """Decide where each item goes; the order of the items does not matter.

    Splits that are given, by a file of splits or else by the items themselves, are kept. What is missing of the test,
    and then of the validation items, is split off those for training: the latest of them where they have a time,
    counting a group as of its latest item, so that nothing later than what is tested trains; else drawn, near the
    share of each class (of numbers, of about ten ranges of them). Groups stay whole, and so do copies of one content.

    Args:
        items: all of them.
        settings: shares, seed and the file of splits.
        bad: meets items of an unknown split, of a name that another has, of the same content as one with another label,
            without a time where others have one, and what a file of splits and the items do not both name.

    Returns:
        ``train``, ``val`` or ``test`` for each item; None for one that is left out.

    Raises:
        CropworthError: bad items that are not to be left out; one content or group in two given splits; other contents
            than the file of splits was written for; too few items, groups or times of a class to split, a split
            without an item, or one with a class that training never sees. As many of them at once as can be.
    """
    others: list[CropworthError] = []
    rows = dict(enumerate(items)) if settings.splits is None else _by_file(items, settings.splits, bad, others)
    usable = _usable(rows, bad)
    kept = list(usable.values())
    # Too few even with the bad ones: said now, not when those are mended.
    bad.refuse([*others, *_first_ones(leaks(kept)), *_too_few(list(rows.values()))])
    splits = _completed(kept, settings)
    refuse_gaps(kept, splits)
    found = dict(zip(usable, splits, strict=True))
    return [found.get(row) for row in range(len(items))]


def leaks(items: Sequence[Item]) -> list[CropworthError]:
    """Each content and each group that is in two given splits; an item without a split counts as one of training."""
    return [
        *_in_two(items, lambda item: item.content, lambda _: "the same content as"),
        *_in_two(items, lambda item: item.group, lambda group: f"of the group {group!r} as"),
    ]


def _in_two(
    items: Sequence[Item], key_of: Callable[[Item], str | None], alike: Callable[[str], str]
) -> list[CropworthError]:
    """Each key that is in two splits, by an item in each."""
    of_key: defaultdict[str, dict[str, Item]] = defaultdict(dict)
    for item in items:
        if (key := key_of(item)) is not None:
            of_key[key].setdefault(item.split or "train", item)
    problems = []
    for key, of_split in of_key.items():
        if len(of_split) > 1:
            (split, item), (other_split, other), *_ = of_split.items()
            got = f"{other.where}: {other.name} in {other_split}, {alike(key)} {item.name} in {split} ({item.where})"
            do = "Remove one of them, or move it."
            problems.append(CropworthError(got, "nothing of one split in another", do))
    return problems


def balance(classes: Sequence[str], labels: Mapping[str, NDArray[np.int64]]) -> tuple[str, ...]:
    """What a reader of the results must know of rare and missing classes, a sentence each.

    Args:
        classes: names; empty where numbers are predicted, of which there is nothing to say.
        labels: ``train``, ``val`` and ``test`` -> (N,), indices into the classes.
    """
    if not classes:
        return ()
    counts = {split: np.bincount(found, minlength=len(classes)) for split, found in labels.items()}
    said = []
    for split in ("val", "test"):
        missing = [name for name, count in zip(classes, counts[split].tolist(), strict=True) if not count]
        if missing:
            first = f"such as {missing[0]!r}" if len(missing) > 1 else repr(missing[0])
            said.append(f"{split} has no item of {len(missing)} of the {len(classes)} classes, {first}.")
    rare, common = int(counts["train"].argmin()), int(counts["train"].argmax())
    fewest, most = int(counts["train"][rare]), int(counts["train"][common])
    if fewest < FEW_ITEMS:
        said.append(f"The rarest class, {classes[rare]!r}, has {fewest} training items.")
    if most > MOST_UNEQUAL * fewest:
        said.append(
            f"Classes are unequal: {most:,} training items of {classes[common]!r}, {fewest:,} of {classes[rare]!r}."
        )
    return tuple(said)


def _by_file(items: Sequence[Item], path: Path, bad: BadItems, others: list[CropworthError]) -> dict[int, Item]:
    """The items that a file of splits names, with its splits, by their rows."""
    rows = read_splits(path, bad.meet)
    for name in sorted(rows.keys() - {item.name for item in items}):
        problem = CropworthError(f"{rows[name].where}: {name}, which is no item", "the name of an item", "Remove it.")
        bad.meet("rows of the file of splits without an item", problem)
    found = {}
    for number, item in enumerate(items):
        row = rows.get(item.name)
        if row is None:
            do = "Add it, or leave data.splits out."
            problem = CropworthError(f"{item.where}: {item.name}, which {path} does not name", "a split for each", do)
            bad.meet("items that the file of splits does not name", problem)
            continue
        if row.content not in ("", item.content):
            got = f"{item.where}: {item.name}, which is not what it was when {row.where} was written"
            others.append(CropworthError(got, "the same data", "Restore the data, or leave data.splits out."))
        found[number] = replace(item, split=row.split)
    return found


def _usable(items: Mapping[int, Item], bad: BadItems) -> dict[int, Item]:
    """The items that can be placed, in the order of their names; the others are met as bad."""
    labels: defaultdict[str, dict[str | float, Item]] = defaultdict(dict)
    for item in items.values():
        labels[item.content].setdefault(item.label, item)
    names: set[str] = set()
    timed = any(item.time is not None for item in items.values())
    usable = {}
    for row, item in items.items():
        problem = _problem(item, labels[item.content], again=item.name in names, timed=timed)
        names.add(item.name)
        if problem is None:
            usable[row] = item
        else:
            bad.meet(*problem)
    return dict(sorted(usable.items(), key=lambda pair: pair[1].name))


def _problem(
    item: Item, alike: Mapping[str | float, Item], *, again: bool, timed: bool
) -> tuple[str, CropworthError] | None:
    """The kind of what is wrong with an item, and what; `alike` are items of its content, one for each label."""
    if len(alike) > 1:
        other = next(one for label, one in alike.items() if label != item.label)
        got = f"{item.where}: {item.name}, labelled {item.label!r}, holds the same as {other.name}, {other.label!r}"
        return TWO_LABELS, CropworthError(f"{got} ({other.where})", "one label", "Mend or remove one.")
    if again:
        got = f"{item.where}: {item.name} again"
        return "items of a name that another has", CropworthError(got, "a name for each", "Remove or rename it.")
    if item.split is not None and item.split not in SPLIT_NAMES:
        got = f"{item.where}: the split {item.split!r}"
        return "items of an unknown split", CropworthError(got, f"one of {', '.join(SPLIT_NAMES)}", "Mend it.")
    if timed and item.time is None:
        return "items without a time", CropworthError(f"{item.where}: no time", "a time for each", "Add it.")
    return None


def _first_ones(problems: list[CropworthError]) -> list[CropworthError]:
    """The first problems, and how many more there are."""
    more = len(problems) - MOST_SAID
    if more <= 0:
        return problems
    rest = CropworthError(f"{more:,} more of them", "nothing of one split in another", "Split the data anew.")
    return [*problems[:MOST_SAID], rest]


def _completed(items: Sequence[Item], settings: Shares) -> list[str]:
    """The splits of good items, with what is missing of them split off train."""
    splits = [item.split or "train" for item in items]
    shares = {"test": settings.test_share, "val": settings.validation_share}
    missing = _missing(splits)
    if not missing:
        return splits
    if few := _too_few(items):
        raise ManyError(few)
    pool = [row for row, split in enumerate(splits) if split == "train"]
    units = _units(items)
    rng = np.random.default_rng(settings.split_seed)
    for number, split in enumerate(missing):
        of_pool = np.unique(units[pool], return_inverse=True)[1]
        chosen = _part([items[row] for row in pool], of_pool, shares[split], rng, left=len(missing) - number)
        for row in np.array(pool)[chosen].tolist():
            splits[row] = split
        pool = [row for row in pool if splits[row] == "train"]
    return splits


def _missing(splits: Sequence[str]) -> list[str]:
    """Which splits are to be made, in the order in which they are."""
    return [split for split in ("test", "val") if split not in splits]


def _units(items: Sequence[Item]) -> NDArray[np.int64]:
    """(N,), a number for each unit of what must stay together."""
    return joined((item.content, item.group) for item in items)


def _part(
    items: Sequence[Item], units: NDArray[np.int64], share: float, rng: np.random.Generator, left: int
) -> NDArray[np.bool_]:
    """Which items make up the share; `left` splits are to be made of the others, and `units` (N,) stay together."""
    if items[0].time is not None:
        moments = _moments(items, units)
        different, counts = np.unique(moments, return_counts=True)
        taken = np.cumsum(counts[::-1])[: max(1, len(counts) - left)]
        nearest = int(np.abs(taken - share * len(items)).argmin())
        return np.asarray(moments >= different[-1 - nearest])
    labels = np.array([item.label for item in items])
    strata = binned(labels) if labels.dtype.kind == "f" else np.unique(labels, return_inverse=True)[1]
    return drawn(strata, units, share, rng, left)


def _moments(items: Sequence[Item], units: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,), the time of the latest item in the unit of each."""
    latest = np.full(units.max() + 1, -np.inf)
    np.maximum.at(latest, units, np.array([item.time for item in items], dtype=np.float64))
    return latest[units]


def _too_few(items: Sequence[Item]) -> list[CropworthError]:
    """Why the items cannot be parted into the splits that are missing, one problem for each class."""
    missing = _missing([item.split or "train" for item in items])
    pool = [item for item in items if item.split in (None, "train")]
    if not missing:
        return []
    if not pool:
        return [CropworthError("no item to train on", "some", "Look at the data and its splits.")]
    units = _units(pool)
    timed = [item.time is not None for item in pool]
    if any(timed) and not all(timed):  # how many times there are will be known when none is missing
        return []
    if any(timed):
        few = {"data": (len(pool), len(np.unique(_moments(pool, units))), "times")}
    else:
        kinds = ["data" if isinstance(item.label, float) else f"class {item.label!r}" for item in pool]
        counts, of_units = Counter(kinds), Counter(kind for kind, _ in set(zip(kinds, units.tolist(), strict=True)))
        few = {kind: (counts[kind], of_units[kind], "groups or different items") for kind in sorted(counts)}
    needed = 1 + len(missing)
    return [
        CropworthError(
            f"{what} of the {kind}: {parts} (of {count:,} items)",
            f"{needed} or more, one for each split that is to be made",
            "Add some, or say in the data what goes into which split.",
        )
        for kind, (count, parts, what) in few.items()
        if parts < needed
    ]


def refuse_gaps(items: Sequence[Item], splits: Sequence[str]) -> None:
    """Refuse splits without an item, and classes of validation or test items that training never sees."""
    for split in SPLIT_NAMES:
        if split not in splits:
            raise CropworthError(f"no item in {split}", "at least one in each split", "Add items, or other splits.")
    seen = {item.label for item, split in zip(items, splits, strict=True) if split == "train"}
    unseen: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        if isinstance(item.label, str) and item.label not in seen:
            unseen[item.label].append(item)
    problems = [
        CropworthError(
            f"{of_class[0].where}: the class {label!r}, of which train has no item and other splits {len(of_class):,}",
            "items of every class in train",
            "Add some, or remove the class.",
        )
        for label, of_class in sorted(unseen.items())
    ]
    if problems:
        raise ManyError(problems)
