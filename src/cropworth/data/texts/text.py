"""`text_task`: documents -> a task of word numbers or of an embedder's rows. All readers of texts end here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropworth.data.config import Text
from cropworth.data.sequences.sequence_task import SequenceItem, SequenceTask
from cropworth.data.signature import Placed
from cropworth.data.texts.embedders import embedded

UNKNOWN, FIRST_WORD = 1, 2  # 0 is the padding of `SequenceTask`

# A word with its apostrophes, a number with its points and commas, or one sign of punctuation.
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*|\d+(?:[.,]\d+)*|[^\w\s]|_")
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True)
class Document:
    """A text with its label, before its words have numbers.

    Attributes:
        sentences: its text, in order.
        label: index of its class.
        where: the file and row it came from, for messages.
        planted: index of the one sentence that the label speaks of, where known.
        value: what depends on it, where not the same depends on each.
        placed: of a user's own data, where it went.
    """

    sentences: tuple[str, ...]
    label: int
    where: str
    planted: int | None = None
    value: float | None = None
    placed: Placed | None = None


def words(text: str) -> list[str]:
    """The words, numbers and signs of a text, in lower case; only white space is lost."""
    return _WORD.findall(text.lower())


def sentences(text: str) -> tuple[str, ...]:
    """Cut after each line and each ``.``, ``!`` or ``?`` before white space, those of abbreviations too."""
    return tuple(part for piece in _BETWEEN_SENTENCES.split(text) if (part := piece.strip()))


@dataclass(frozen=True)
class Vocabulary:
    """Numbers of words: 0 is padding, 1 is shared by all unknown words, the others are `listed` from 2 on.

    Attributes:
        listed: words with a number of their own.
    """

    listed: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str], most_words: int, least_count: int) -> Vocabulary:
        """The `most_words` most frequent words of those that stand in the texts `least_count` times or more."""
        counts = Counter(word for text in texts for word in words(text))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(word for word in ranked[:most_words] if counts[word] >= least_count))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.listed, start=FIRST_WORD)}

    def __len__(self) -> int:
        """How many numbers there are, padding and the unknown included."""
        return FIRST_WORD + len(self.listed)

    def numbers(self, text: str) -> NDArray[np.int64]:
        """The numbers (T,) of the words of a text."""
        return np.array([self._numbers.get(word, UNKNOWN) for word in words(text)], dtype=np.int64)


def text_task(
    name: str,
    classes: tuple[str, ...],
    parts: tuple[Sequence[Document], Sequence[Document], Sequence[Document]],
    config: Text,
    most_steps: int | None = None,
) -> SequenceTask:
    """Give the words of documents their numbers, or the embedder's rows.

    The vocabulary is of the training documents. A sentence that stands in many of them is counted once: what is often
    copied is not for that reason known better.

    Args:
        name: for people.
        classes: names, in the order of the labels.
        parts: documents to train, validate and test on, each of at least one sentence.
        config: the embedder or the vocabulary, and what to do with bad items.
        most_steps: steps after which a document is cut; `warnings` count them.

    Raises:
        CropworthError: the embedder does not work, or the task has no items, see `SequenceTask`.
    """
    vocabulary = _vocabulary(parts[0], config) if config.embedder is None else None
    steps = _steps(parts, config, vocabulary)
    train, validation, test = ([_item(document, steps, most_steps) for document in part] for part in parts)
    known = {"embedder": config.embedder} if vocabulary is None else {"words": list(vocabulary.listed)}
    task = SequenceTask(
        name,
        classes,
        train,
        validation,
        test,
        on_bad_item=config.on_bad_item,
        vocabulary=0 if vocabulary is None else len(vocabulary),
        reading={"kind": "texts", **known, "most_steps": most_steps},
    )
    lengths = [sum(len(steps[sentence]) for sentence in document.sentences) for part in parts for document in part]
    cut = sum(length > most_steps for length in lengths) if most_steps is not None else 0
    if cut:
        task.warnings += (f"cut after {most_steps} steps: {cut:,} of {len(lengths):,} documents",)
    return task


def _vocabulary(train: Sequence[Document], config: Text) -> Vocabulary:
    learned = dict.fromkeys(sentence for document in train for sentence in document.sentences)
    return Vocabulary.of(learned, config.most_words, config.least_count)


def _steps(parts: Sequence[Sequence[Document]], config: Text, vocabulary: Vocabulary | None) -> dict[str, NDArray[Any]]:
    """The steps of each sentence: numbers (T,) of a vocabulary, or the embedder's rows (T, F)."""
    different = list(dict.fromkeys(sentence for part in parts for document in part for sentence in document.sentences))
    if vocabulary is not None:
        return {sentence: vocabulary.numbers(sentence) for sentence in different}
    assert config.embedder is not None
    return dict(zip(different, embedded(config.embedder, different), strict=True))


def _item(document: Document, steps: dict[str, NDArray[Any]], most_steps: int | None) -> SequenceItem:
    pieces = [steps[sentence] for sentence in document.sentences]
    span = None
    if document.planted is not None:
        start = sum(map(len, pieces[: document.planted]))
        span = start, start + len(pieces[document.planted])
    said = [step for s, piece in zip(document.sentences, pieces, strict=True) for step in _said(s, len(piece))]
    return SequenceItem(
        np.concatenate(pieces)[:most_steps],
        document.label,
        document.where,
        span,
        value=document.value,
        placed=document.placed,
        said=tuple(said[:most_steps]),
    )


def _said(sentence: str, steps: int) -> list[str]:
    """What each step of a sentence says: its words, or where an embedder cuts it otherwise the first says it all."""
    own = words(sentence)
    return own if len(own) == steps else [sentence] + [""] * (steps - 1)
