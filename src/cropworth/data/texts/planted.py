"""The task `planted-sentence`: one sentence of an opinion among neutral ones, so that the decisive span is known.

The sentences and their mean ratings, by at least 20 people, are those of Hutto and Gilbert 2014, VADER: A Parsimonious
Rule-based Model for Sentiment Analysis of Social Media Text (ICWSM). They are read from the source archive of
vaderSentiment 3.3.2 (MIT; the texts are their publishers'), which the user downloads; none of it is distributed here.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cropworth.data.bad_items import settled
from cropworth.data.config import PlantedSentence
from cropworth.data.sequences.sequence_task import SequenceTask, set_aside
from cropworth.data.task import SPLITS
from cropworth.data.texts.text import Document, text_task, words
from cropworth.errors import CropworthError

CLASSES = ("negative", "positive")
NEGATIVE, POSITIVE, NEUTRAL, NEITHER = range(4)
FILES = {
    "nyt": "nytEditorialSnippets_GroundTruth.txt",
    "movies": "movieReviewSnippets_GroundTruth.txt",
    "products": "amazonReviewSnippets_GroundTruth.txt",
}
INNER = "/additional_resources/hutto_ICWSM_2014.tar.gz"
HIGHEST = 4  # of a rating, either way
DOWNLOAD = "pip download --no-binary :all: --no-deps vaderSentiment==3.3.2"


def planted_task(config: PlantedSentence) -> SequenceTask:
    """As many negative as positive documents, each with one labelled sentence anywhere among neutral ones.

    Sentences are split first: neither a labelled nor a neutral one is in two splits. A labelled sentence stands in one
    document, a neutral one in several of its split, never twice in one; of sentences of the same words only the first
    is used. Documents are fixed, as an archive of real ones would be.

    Raises:
        CropworthError: the archive is missing or damaged, a sentence in it has no rating or no words, or there are
            too few sentences of a kind.
    """
    sources, problems = _read(config)
    warnings = settled("sentences", problems, config.on_bad_item)
    different = {tuple(words(source.sentences[0])): source for source in reversed(sources)}
    rng = np.random.default_rng([config.split_seed, SPLITS])
    chosen = _balanced([s for s in different.values() if s.label != NEITHER], config, rng)
    test, rest = set_aside(chosen, config.test_share, config.split_seed)
    validation, train = set_aside(rest, config.validation_share, config.split_seed)
    parts = _hidden(train, config, rng), _hidden(validation, config, rng), _hidden(test, config, rng)
    task = text_task(f"{config.task} {config.source}", CLASSES, parts, config)
    task.warnings = warnings + task.warnings
    return task


def _balanced(sources: Sequence[Document], config: PlantedSentence, rng: np.random.Generator) -> list[Document]:
    """All neutral sentences, and at random as many of the more frequent opinion as of the other."""
    kinds = [[s for s in sources if s.label == kind] for kind in (NEGATIVE, POSITIVE)]
    count = min(map(len, kinds))
    if count < 3:
        raise CropworthError(
            f"{len(kinds[NEGATIVE])} negative and {len(kinds[POSITIVE])} positive sentences in {config.archive}",
            "at least 3 of each, one for each split",
            "Lower data.opinion.",
        )
    opinions = [kind[i] for kind in kinds for i in rng.permutation(len(kind))[:count]]
    return [s for s in sources if s.label == NEUTRAL] + [opinions[i] for i in rng.permutation(len(opinions))]


def _hidden(sources: Sequence[Document], config: PlantedSentence, rng: np.random.Generator) -> list[Document]:
    """One document for each sentence of an opinion, filled up with neutral ones of the same split."""
    neutral = [source.sentences[0] for source in sources if source.label == NEUTRAL]
    fewest, most = config.sentences
    if len(neutral) < most - 1:
        raise CropworthError(
            f"{len(neutral)} neutral sentences in a split",
            f"at least {most - 1}, for documents of up to {most} sentences",
            "Raise data.neutral or lower data.sentences.",
        )
    documents = []
    for source in (source for source in sources if source.label != NEUTRAL):
        count = int(rng.integers(fewest, most + 1))
        text = [neutral[i] for i in rng.choice(len(neutral), count - 1, replace=False)]
        place = int(rng.integers(count))
        text.insert(place, source.sentences[0])
        documents.append(Document(tuple(text), source.label, source.where, planted=place))
    return documents


def _read(config: PlantedSentence) -> tuple[list[Document], list[CropworthError]]:
    """Every rated sentence as a document of its own, and what is wrong with the others."""
    sources, problems = [], []
    for number, line in enumerate(_lines(config.archive, FILES[config.source]), start=1):
        where = f"{config.archive}, {FILES[config.source]}, line {number}"
        try:
            sources.append(_source(line, where, config))
        except CropworthError as error:
            problems.append(error)
    return sources, problems


def _source(line: str, where: str, config: PlantedSentence) -> Document:
    number, _, rest = line.partition("\t")
    rating, _, text = rest.partition("\t")
    try:
        value = float(rating)
    except ValueError:
        value = np.nan
    if not (number and abs(value) <= HIGHEST):  # also false for nan
        raise CropworthError(
            f"{where}: the rating {rating!r}", f"a number from -{HIGHEST} to {HIGHEST}", f"Run `{DOWNLOAD}` again."
        )
    if not words(text):
        raise CropworthError(f"{where}: an empty sentence", "words", f"Run `{DOWNLOAD}` again.")
    if abs(value) <= config.neutral:
        return Document((text,), NEUTRAL, where)
    opinion = POSITIVE if value > 0 else NEGATIVE
    return Document((text,), opinion if abs(value) >= config.opinion else NEITHER, where)


def _lines(archive: Path, name: str) -> list[str]:
    """The lines of a file in the archive within the source archive; nothing is written to the disk."""
    try:
        with tarfile.open(archive) as outer:
            packed = outer.extractfile(_member(outer, INNER, archive))
            with tarfile.open(fileobj=packed) as inner:
                file = inner.extractfile(_member(inner, f"/{name}", archive))
                return file.read().decode().splitlines() if file else []
    except (OSError, EOFError, tarfile.TarError, zlib.error, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())  # tarfile's own are of many lines
        raise CropworthError(
            f"{archive} ({reason})", "the source archive of vaderSentiment 3.3.2", f"Run `{DOWNLOAD}`."
        ) from None


def _member(tar: tarfile.TarFile, ending: str, archive: Path) -> tarfile.TarInfo:
    for member in tar:
        if member.isfile() and member.name.endswith(ending):
            return member
    raise CropworthError(
        f"{archive} without …{ending}", "the source archive of vaderSentiment 3.3.2", f"Run `{DOWNLOAD}`."
    )
