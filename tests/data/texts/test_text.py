"""Words, sentences, vocabularies, and the sequences that documents become."""

import re
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cropworth.config import parse
from cropworth.data.config import Text
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.data.texts.text import UNKNOWN, Document, Vocabulary, sentences, text_task, words

TEXTS = st.text(alphabet=st.sampled_from("aBé'\u20191,. !?_\n\t-"), max_size=60) | st.text(max_size=40)


def test_words_numbers_and_signs() -> None:
    text = "Don't pay $1,234.50 for O\u2019Neil's 2nd_hand car!"
    assert words(text) == ["don't", "pay", "$", "1,234.50", "for", "o\u2019neil's", "2", "nd", "_", "hand", "car", "!"]


@given(TEXTS)
def test_only_white_space_is_lost(text: str) -> None:
    assert "".join(words(text)) == re.sub(r"\s", "", text.lower())


def test_sentences_end_at_lines_and_at_signs_before_white_space() -> None:
    assert sentences("One, 2.5 or two?  Three!\nFour: a.b\n\n ") == ("One, 2.5 or two?", "Three!", "Four: a.b")


@given(TEXTS)
def test_a_text_is_its_sentences(text: str) -> None:
    parts = sentences(text)
    assert [word for part in parts for word in words(part)] == words(text)
    assert all(part == part.strip() != "" for part in parts)


@given(st.lists(st.text(alphabet="abc ", max_size=12), max_size=8), st.integers(1, 4), st.integers(1, 3))
def test_the_most_frequent_words_have_numbers(texts: list[str], most: int, least: int) -> None:
    vocabulary = Vocabulary.of(texts, most, least)
    counts = Counter(" ".join(texts).split())
    assert len(vocabulary.listed) == min(most, sum(count >= least for count in counts.values()))
    assert all(counts[word] >= least for word in vocabulary.listed)
    rest = [count for word, count in counts.items() if word not in vocabulary.listed and count >= least]
    assert min((counts[word] for word in vocabulary.listed), default=0) >= max(rest, default=0) or not rest
    for text in texts:
        back = ["", "?", *vocabulary.listed]
        expected = [word if word in vocabulary.listed else "?" for word in text.split()]
        assert [back[number] for number in vocabulary.numbers(text)] == expected


def document(*parts: str, label: int = 0, planted: int | None = None) -> Document:
    return Document(parts, label, f"texts.csv, row {parts[0]}", planted)


def made(
    train: list[Document], test: list[Document], most_steps: int | None = None, **settings: object
) -> SequenceTask:
    config = parse(Text, {"least_count": 1, **settings})
    return text_task("made", ("a", "b"), (train, [document("b a", label=1)], test), config, most_steps)


def test_the_vocabulary_is_of_the_training_documents_alone() -> None:
    task = made([document("a a a", "b b b!")], [document("b c a d !")])
    assert task.vocabulary == 2 + 3
    assert task.training_epoch(1, 0, 0).inputs.tolist() == [[2, 2, 2, 3, 3, 3, 4]]
    assert task.test.inputs.tolist() == [[3, UNKNOWN, 2, UNKNOWN, 4, 0, 0]]
    assert task.test.lengths is not None
    assert (task.test.lengths.tolist(), task.channels) == ([5], 0)


def test_a_sentence_that_is_copied_is_counted_once() -> None:
    copied = [document("often often", "a word of it."), document("a word of it.", "rare, rare")]
    task = made(copied, [document("often word")], least_count=2)
    assert task.vocabulary == 2 + 2
    assert task.test.inputs[0, :2].tolist() == [2, UNKNOWN]


@given(st.lists(st.integers(1, 5), min_size=2, max_size=6), st.data())
def test_the_span_is_the_planted_sentence(counts: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(counts) - 1))
    parts = [" ".join(["plain"] * count) for count in counts]
    parts[place] = parts[place].replace("plain", "planted")
    task = made([document("planted plain")], [document(*parts, planted=place)])
    assert task.test.boxes is not None
    centre, length = (task.test.boxes[0] * sum(counts)).tolist()
    start, end = round(centre - length / 2), round(centre + length / 2)
    planted = task.test.inputs[0] == task.training_epoch(1, 0, 0).inputs[0].max()
    assert torch.nonzero(planted).flatten().tolist() == list(range(start, end))


def test_cut_documents_are_counted() -> None:
    task = made([document("a b c"), document("a b")], [document("a b c", "d e")], most_steps=2)
    assert task.size == (2,)
    assert task.warnings == ("cut after 2 steps: 2 of 4 documents",)
    assert made([document("a b c")], [document("a b")], most_steps=3).warnings == ()


@pytest.mark.parametrize("settings", [{"most_words": 0}, {"least_count": 0}, {"embeder": "minilm"}])
def test_a_wrong_key_or_value(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        parse(Text, settings)
