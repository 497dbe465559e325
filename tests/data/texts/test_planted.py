"""The task `planted-sentence` on a small archive in the real one's layout, and on the real one where it is."""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import PlantedSentence
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.data.texts import planted
from cropworth.data.texts.planted import FILES
from cropworth.data.texts.text import Document, words
from cropworth.errors import CropworthError

# pip download --no-binary :all: --no-deps vaderSentiment==3.3.2
REAL = os.environ.get("CROPWORTH_VADER_ARCHIVE", "")

RATED = [
    *((-1.5, f"Bad number {n}.") for n in range(20)),
    *((2.0, f"Good, in a way; {n}!") for n in range(30)),
    *((0.1, f"Plain {n} {'word ' * (n % 4)}.") for n in range(80)),
    *((0.5, f"Neither {n}.") for n in range(10)),
]
SMALL = {"sentences": [2, 5], "least_count": 1}


def packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def write(path: Path, lines: list[str], source: str = "nyt") -> Path:
    text = "".join(f"{line}\r\n" for line in lines).encode()
    inner = packed({"hutto_ICWSM_2014/_README_.txt": b"read me", f"hutto_ICWSM_2014/{FILES[source]}": text})
    name = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
    path.write_bytes(packed({"vaderSentiment-3.3.2/setup.py": b"", name: inner}))
    return path


def lines(rated: list[tuple[float, str]]) -> list[str]:
    return [f"1_{n}\t{rating}\t{text}" for n, (rating, text) in enumerate(rated)]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("vader") / "vaderSentiment-3.3.2.tar.gz", lines(RATED))


def config(archive: Path, **settings: object) -> PlantedSentence:
    return parse(PlantedSentence, {"task": "planted-sentence", "archive": str(archive), **SMALL, **settings})


def read(archive: Path, **settings: object) -> SequenceTask:
    task = build_task(config(archive, **settings))
    assert isinstance(task, SequenceTask)
    return task


def documents(config: PlantedSentence) -> tuple[list[Document], ...]:
    """The documents of train, validation and test, before their words have numbers."""
    caught: list[tuple[list[Document], ...]] = []
    with pytest.MonkeyPatch.context() as patch:
        real = planted.text_task
        patch.setattr(planted, "text_task", lambda *given: (caught.append(given[2]), real(*given))[1])
        build_task(config)
    return caught[0]


def check(parts: tuple[list[Document], ...], ratings: Mapping[str, float], settings: PlantedSentence) -> None:
    """What holds of any planted documents."""
    seen: list[set[tuple[str, ...]]] = []
    labelled: list[str] = []
    for part in parts:
        seen.append({tuple(words(sentence)) for document in part for sentence in document.sentences})
        assert {document.label for document in part} == {0, 1}
        assert sum(document.label for document in part) * 2 == len(part)
        for document in part:
            assert document.planted is not None
            others = [s for place, s in enumerate(document.sentences) if place != document.planted]
            opinion = ratings[document.sentences[document.planted]]
            assert (abs(opinion) >= settings.opinion, opinion > 0) == (True, document.label == 1)
            assert all(abs(ratings[sentence]) <= settings.neutral for sentence in others)
            assert len({*others}) == len(others)
            assert settings.sentences[0] <= len(document.sentences) <= settings.sentences[1]
            labelled.append(document.sentences[document.planted])
    assert len({*labelled}) == len(labelled)
    assert [a & b for place, a in enumerate(seen) for b in seen[:place]] == [set()] * 3


@given(st.integers(0, 5), st.integers(2, 4), st.integers(0, 3))
def test_no_sentence_is_in_two_splits(archive: Path, seed: int, fewest: int, more: int) -> None:
    settings = config(archive, split_seed=seed, sentences=[fewest, fewest + more])
    parts = documents(settings)
    check(parts, {text: rating for rating, text in RATED}, settings)
    assert [len(part) for part in parts] == [26, 4, 10]
    places = [document.planted for part in parts for document in part]
    assert min(places, key=int) == 0 < max(places, key=int)  # type: ignore[arg-type]


def test_the_span_holds_the_planted_words(archive: Path) -> None:
    settings = config(archive)
    task, (_, _, test) = read(archive), documents(settings)
    assert task.classes == ("negative", "positive")
    assert task.test.boxes is not None
    for (centre, length), document in zip(task.test.boxes.numpy(), test, strict=True):
        counts = [len(words(sentence)) for sentence in document.sentences]
        assert document.planted is not None
        start = sum(counts[: document.planted])
        ends = np.array([centre - length / 2, centre + length / 2]) * sum(counts)
        np.testing.assert_allclose(ends, [start, start + counts[document.planted]], atol=1e-4)


def test_documents_follow_their_seed(archive: Path) -> None:
    assert read(archive).fingerprint() == read(archive).fingerprint() != read(archive, split_seed=1).fingerprint()


def test_a_sentence_that_stands_twice_counts_once(tmp_path: Path) -> None:
    # The first rating of the two counts, capitals and spaces do not.
    doubled = [*RATED, *((rating, text.upper().replace(" ", "  ")) for rating, text in RATED), (-2.0, "Plain 0.")]
    path = write(tmp_path / "twice.tar.gz", lines(doubled))
    settings = config(path)
    parts = documents(settings)
    check(parts, {text: rating for rating, text in RATED}, settings)
    assert sum(map(len, parts)) == 40


@pytest.mark.parametrize("source", ["movies", "products"])
def test_other_sources(tmp_path: Path, source: str) -> None:
    task = read(write(tmp_path / "a.tar.gz", lines(RATED), source), source=source)
    assert (task.name, task.train_limit) == (f"planted-sentence {source}", 26)
    with pytest.raises(CropworthError, match="without …/nytEditorial"):
        read(tmp_path / "a.tar.gz")


def test_bad_lines_are_named_or_counted(tmp_path: Path) -> None:
    bad = ["5_1\tgood\tA word.", "5_2\t4.5\tA word.", "5_3\tnan\tA word.", "5_4\t1\t ", "no tabs", ""]
    path = write(tmp_path / "bad.tar.gz", [*bad, *lines(RATED)])
    with pytest.raises(CropworthError) as caught:
        read(path)
    said = str(caught.value).splitlines()
    kinds = ["the rating 'good'", "the rating '4.5'", "the rating 'nan'", "an empty sentence", *["the rating ''"] * 2]
    for number, (line, kind) in enumerate(zip(said, kinds, strict=True), start=1):
        assert f"{path}, {FILES['nyt']}, line {number}: {kind}; expected" in line
    task = read(path, on_bad_item="skip")
    first = f"{path}, {FILES['nyt']}, line 1: {kinds[0]}"
    assert task.warnings == (f"Left out of the data: sentences, {len(kinds)}; the first is {first}.",)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_archive(archive: Path, tmp_path: Path, share: float) -> None:
    content = archive.read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[: int(share * len(content))])
    with pytest.raises(CropworthError, match=r"cut\.tar\.gz .*; expected the source archive .*pip download"):
        read(tmp_path / "cut.tar.gz")


def test_a_truncated_inner_archive_and_other_files(archive: Path, tmp_path: Path) -> None:
    path, name = tmp_path / "a.tar.gz", "v/additional_resources/hutto_ICWSM_2014.tar.gz"
    inner = f"h/{FILES['nyt']}"
    for content in (b"", b"no archive", packed({inner: b"\xff"}), packed({inner: b"x" * 999})[:-60]):
        path.write_bytes(packed({name: content}))
        with pytest.raises(CropworthError, match="expected the source archive"):
            read(path)
    path.write_bytes(packed({"v/setup.py": b""}))
    with pytest.raises(CropworthError, match="without …/additional_resources"):
        read(path)
    with pytest.raises(CropworthError, match="No such file"):
        read(tmp_path / "missing.tar.gz")


def test_too_few_sentences(archive: Path) -> None:
    with pytest.raises(CropworthError, match=r"0 negative and 0 positive sentences .* Lower data.opinion"):
        read(archive, opinion=3)
    with pytest.raises(CropworthError, match="neutral sentences in a split; expected at least 19"):
        read(archive, sentences=[2, 20])


@pytest.mark.parametrize("bad", [{"sentences": [1, 3]}, {"sentences": [4, 3]}, {"opinion": 0.3, "neutral": 0.3}])
def test_settings_that_do_not_hold_together(archive: Path, bad: dict[str, object]) -> None:
    with pytest.raises(CropworthError, match=next(iter(bad))):
        config(archive, **bad)


@pytest.mark.skipif(not REAL, reason="CROPWORTH_VADER_ARCHIVE names no archive")
def test_the_real_sentences() -> None:
    settings = parse(PlantedSentence, {"task": "planted-sentence", "archive": REAL})
    parts = documents(settings)
    read_back = planted._lines(Path(REAL), FILES["nyt"])
    assert len(read_back) == 5190
    ratings = {text: float(rating) for _, rating, text in (line.split("\t") for line in reversed(read_back))}
    check(parts, ratings, settings)
    assert [len(part) for part in parts] == [1062, 188, 416]
