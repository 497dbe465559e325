"""`SequenceTask` and its parts: what is read stands in the tensors, and what is bad is said or counted."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropworth.data.sequences.sequence_task import SequenceItem, SequenceTask, padded, set_aside
from cropworth.errors import CropworthError, ManyError

LENGTHS = st.lists(st.integers(2, 9), min_size=1, max_size=6)


def item(steps: int, label: int | float = 0, *, features: int = 2, seed: int = 0, **given: object) -> SequenceItem:
    values = np.random.default_rng([seed, steps]).normal(3, 2, (steps, features)).astype(np.float32)
    return SequenceItem(values, label, f"file.csv, row {seed}", **given)  # type: ignore[arg-type]


def task(train: list[SequenceItem], **settings: object) -> SequenceTask:
    others = [item(3, train[0].label, seed=70)], [item(4, train[0].label, seed=80)]
    return SequenceTask("made", ("a", "b"), train, *others, **settings)  # type: ignore[arg-type]


def broken(values: NDArray[np.float32]) -> NDArray[np.float32]:
    values[1, 1] = np.nan
    return values


@given(LENGTHS, st.integers(0, 5))
def test_padding_is_zeros_after_the_values_and_lengths_say_where(lengths: list[int], spare: int) -> None:
    items = [item(steps, n, seed=n) for n, steps in enumerate(lengths)]
    split = padded(items, max(lengths) + spare)
    assert split.inputs.shape == (len(items), max(lengths) + spare, 2)
    assert split.inputs.dtype == torch.float32
    assert split.lengths is not None
    assert split.lengths.tolist() == lengths
    assert split.labels.tolist() == list(range(len(items)))
    for row, one in zip(split.inputs.numpy(), items, strict=True):
        np.testing.assert_array_equal(row[: len(one.values)], one.values)
        assert not row[len(one.values) :].any()


@given(st.integers(2, 50), st.data())
def test_boxes_are_spans_in_fractions_of_their_own_series(steps: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, steps - 1))
    end = data.draw(st.integers(start + 1, steps))
    boxes = padded([item(steps, span=(start, end)), item(60)], 60).boxes
    assert boxes is not None
    centre, length = boxes[0].tolist()
    assert centre * steps == pytest.approx((start + end) / 2, abs=1e-4)
    assert length * steps == pytest.approx(end - start, abs=1e-4)
    assert boxes[1].isnan().all()


def test_without_any_span_there_are_no_boxes() -> None:
    assert padded([item(3), item(4)], 4).boxes is None


def test_texts_stay_numbers_of_words() -> None:
    words = [SequenceItem(np.array(values), 1, "a text") for values in ([5, 2, 9], [4, 4])]
    done = SequenceTask("texts", ("a", "b"), words, words, words, vocabulary=10)
    assert done.test.inputs.dtype == torch.int64
    assert done.test.inputs.tolist() == [[5, 2, 9], [4, 4, 0]]
    assert (done.channels, done.size, done.vocabulary) == (0, (3,), 10)


def test_numbers_to_predict_and_payoffs_are_kept() -> None:
    split = padded([item(3, 0.25, payoffs=(0.0, -1.0)), item(2, -3.0, payoffs=(2.0, 0.5))], 3)
    assert split.labels.dtype == torch.float32
    assert split.labels.tolist() == [0.25, -3.0]
    assert split.payoffs is not None
    assert split.payoffs.tolist() == [[0.0, -1.0], [2.0, 0.5]]
    assert split.values is None


def test_values_go_where_their_items_go() -> None:
    split = padded([item(3, value=0.5), item(2, value=0.0), item(4, value=7)], 4)
    assert split.values is not None
    assert (split.values.dtype, split.values.tolist()) == (torch.float32, [0.5, 0.0, 7.0])
    taken = split.take(torch.tensor([2, 0])).values
    assert taken is not None
    assert taken.tolist() == [7.0, 0.5]
    assert split.parts()[-1] is split.values


def test_every_split_is_as_long_as_the_longest_series_of_any() -> None:
    long = SequenceTask("made", ("a", "b"), [item(3)], [item(9)], [item(5)])
    assert long.size == (9,)
    assert long.channels == 2
    assert all(split.inputs.shape[1] == 9 for split in (long.validation, long.test, long.training_epoch(1, 0, 0)))


@given(LENGTHS, st.integers(0, 3))
def test_training_series_are_brought_to_mean_0_and_deviation_1(lengths: list[int], seed: int) -> None:
    done = task([item(steps, seed=seed + n) for n, steps in enumerate(lengths)], standardise=True)
    split = done.training_epoch(done.train_limit, 0, 0)
    assert split.lengths is not None
    seen = np.concatenate([row[:steps] for row, steps in zip(split.inputs.numpy(), split.lengths, strict=True)])
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(0), 1, atol=1e-5)


def test_other_splits_follow_the_training_statistics_alone() -> None:
    train, test = [item(6, seed=1), item(4, seed=2)], item(5, seed=3)
    every = np.concatenate([one.values for one in train])
    done = SequenceTask("made", ("a", "b"), train, [item(3)], [test], standardise=True)
    expected = (test.values - every.mean(0)) / every.std(0)
    np.testing.assert_allclose(done.test.inputs[0, :5], expected, rtol=1e-5, atol=1e-5)
    assert not done.test.inputs[0, 5:].any()
    far = SequenceTask("made", ("a", "b"), train, [item(3)], [item(5, seed=9)], standardise=True)
    assert torch.equal(far.training_epoch(2, 0, 0).inputs, done.training_epoch(2, 0, 0).inputs)


def test_a_feature_that_never_changes_stays_finite() -> None:
    still = np.stack([np.full(4, 7.0), np.arange(4)], 1).astype(np.float32)
    done = task([SequenceItem(still, 0, "still")], standardise=True)
    assert done.training_epoch(1, 0, 0).inputs[0, :4, 0].tolist() == [0, 0, 0, 0]


def test_epochs_follow_their_arguments_and_nothing_else() -> None:
    done = task([item(3, seed=n) for n in range(12)])
    first, again, later, other = (done.training_epoch(8, *which).inputs for which in ((0, 0), (0, 0), (0, 1), (1, 0)))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)

    def chosen(inputs: torch.Tensor) -> set[float]:
        return set(inputs[:, 0, 0].tolist())

    assert chosen(first) == chosen(later) != chosen(other)
    assert len(chosen(first)) == 8


BAD = {
    "1 steps": item(1, seed=11),
    r"values of shape \(4, 3\)": item(4, features=3, seed=12),
    "a number that is not finite in step 2 of 4": SequenceItem(broken(item(4).values), 0, "file.csv, row 13"),
    "the label nan": item(4, float("nan"), seed=14),
    "the span 3 to 6 of 5 steps": item(5, seed=15, span=(3, 6)),
    "the span 2 to 2 of 5 steps": item(5, seed=16, span=(2, 2)),
    "the value -1": item(5, seed=17, value=-1.0),
    "the value nan": item(5, seed=18, value=float("nan")),
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_series_is_refused_with_its_place(message: str) -> None:
    with pytest.raises(CropworthError, match=f"{BAD[message].where}: {message}"):
        task([item(3), BAD[message]])


def test_a_bad_first_series_is_told_from_the_good_ones() -> None:
    with pytest.raises(CropworthError) as caught:
        task([item(4, features=3, seed=12), item(3), item(5)])
    assert str(caught.value).count("\n") == 0
    assert "row 12" in str(caught.value)


def test_an_empty_document_is_refused() -> None:
    words = [SequenceItem(np.array([1, 2]), 0, "first"), SequenceItem(np.array([], dtype=np.int64), 0, "row 9")]
    with pytest.raises(CropworthError, match="row 9: an empty document"):
        SequenceTask("texts", ("a",), words, words[:1], words[:1], vocabulary=3)


def test_all_bad_series_of_all_splits_are_said_at_once() -> None:
    bad = list(BAD.values())
    with pytest.raises(ManyError) as caught:
        SequenceTask("made", ("a", "b"), [item(3), *bad[:2]], [item(3), *bad[2:4]], [item(3), *bad[4:]])
    assert [one.where for one in bad] == [str(problem).split(": ")[0][4:] for problem in caught.value.problems]


def test_skipped_series_are_counted_and_the_rest_is_kept() -> None:
    done = SequenceTask(
        "made", ("a", "b"), [item(3), *BAD.values()], [item(4)], [item(5), item(1, seed=30)], on_bad_item="skip"
    )
    assert (done.train_limit, len(done.validation), len(done.test)) == (1, 1, 1)
    assert done.warnings == (
        f"Left out of the data: sequences, {len(BAD) + 1}; the first is file.csv, row 11: 1 steps.",
    )
    assert task([item(3)]).warnings == ()


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_split_that_nothing_is_left_of_is_refused(position: int) -> None:
    splits = [[item(3)], [item(3)], [item(3)]]
    for nothing in ([], [item(1)]):
        splits[position] = nothing
        with pytest.raises(CropworthError, match=f"no sequence to {('train', 'validate', 'test')[position]} on in"):
            SequenceTask("made", ("a", "b"), *splits, on_bad_item="skip")


@given(st.lists(st.integers(0, 3), min_size=4, max_size=40), st.floats(0.05, 0.5), st.integers(0, 9))
def test_the_share_set_aside_is_of_each_class_and_disjoint(labels: list[int], share: float, seed: int) -> None:
    items = [item(2, label, seed=n) for n, label in enumerate(labels)]
    taken, rest = set_aside(items, share, seed)
    assert sorted(one.where for one in taken + rest) == sorted(one.where for one in items)
    for label in set(labels):
        of_class = [one for one in taken if one.label == label]
        assert len(of_class) == max(1, round(share * labels.count(label)))
    assert ([one.where for one in taken], len(rest)) == (
        [one.where for one in set_aside(items, share, seed)[0]],
        len(items) - len(taken),
    )


def test_the_share_of_numbers_to_predict_is_of_all_of_them() -> None:
    items = [item(2, n / 7, seed=n) for n in range(20)]
    first, other = (set_aside(items, 0.25, seed)[0] for seed in (0, 1))
    assert len(first) == len(other) == 5
    assert [one.label for one in first] != [one.label for one in other]
