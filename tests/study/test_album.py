from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cropworth.errors import CropworthError
from cropworth.study.album import MOST, Album, choose, median_of
from cropworth.study.record import Record, Study
from factories import make_record, make_study
from study.test_ledger import open_ledger


def pair(wrong: Sequence[int], wrong_with_crop: Sequence[int], seed: int = 0) -> list[Record]:
    return [make_record(seed=seed, wrong=wrong), make_record("zoom", seed, wrong=wrong_with_crop, with_crop=True)]


def test_items_are_sorted_by_what_the_crop_did_to_them() -> None:
    (choice,) = choose(make_study(pair(wrong=[3, 5, 9], wrong_with_crop=[5, 7])))
    assert (choice.variant, choice.seed, choice.trial, choice.baseline) == ("zoom", 0, "zoom-100-0", "baseline-100-0")
    assert choice.items == {"fixed": (3, 9), "broke": (7,), "both wrong": (5,)}
    assert choice.found == {"fixed": 2, "broke": 1, "both wrong": 1}
    assert choice.all_items == (3, 9, 7, 5)


def test_of_many_items_some_are_shown_from_the_whole_test() -> None:
    (choice,) = choose(make_study(pair(wrong=range(100, 200), wrong_with_crop=[])))
    assert choice.found["fixed"] == 100
    assert len(choice.items["fixed"]) == MOST
    assert (choice.items["fixed"][0], choice.items["fixed"][-1]) == (100, 199)
    assert set(np.diff(choice.items["fixed"])) == {14, 15}


def test_the_seed_is_the_one_in_the_middle_of_those_that_have_a_pair() -> None:
    records = [r for seed, wrong in enumerate((9, 1, 5, 3)) for r in pair([], range(wrong), seed)]
    assert choose(make_study(records))[0].seed == 2  # of four the lower of the two in the middle: 5 wrong
    without = [r for r in records if (r.variant, r.seed) != ("baseline", 2)]
    assert choose(make_study(without))[0].seed == 3
    assert median_of([records[1], records[3], records[5]]).seed == 2


def test_items_of_a_regression_are_those_whose_error_changed_most() -> None:
    labels = np.zeros(20, dtype=np.float32)
    before, after = np.full(20, 2, dtype=np.float32), np.full(20, 2, dtype=np.float32)
    after[[4, 6, 9]] = 1, -0.5, 5  # errors: 1 less, 1.5 less, 3 more
    records = [
        replace(r, labels=labels, probabilities=None, numbers=numbers)
        for r, numbers in zip(pair([], []), (before, after), strict=True)
    ]
    (choice,) = choose(make_study(records))
    assert choice.items == {"better": (6, 4), "worse": (9,)}
    assert choice.found == {"better": 2, "worse": 1}


@pytest.mark.parametrize(
    "records",
    [
        [],
        [make_record(), make_record("small")],
        [make_record(seed=1), make_record("zoom", 0, with_crop=True)],
        [make_record(status="diverged"), make_record("zoom", with_crop=True)],
        [make_record(), make_record("zoom", status="diverged", with_crop=True)],
    ],
    ids=["no trial", "nothing crops", "no common seed", "no baseline", "no crop"],
)
def test_without_a_pair_nothing_is_chosen(records: list[Record]) -> None:
    assert choose(make_study(records)) == ()


def album_of(study: Study, kind: str) -> Album:
    choices, items = choose(study), np.array([0, 1, 5])
    rng = np.random.default_rng(0)
    if kind == "images":
        whole = rng.integers(0, 255, (3, 3, 4, 6), dtype=np.uint8)
        return Album(choices, items, ("a", "b", "ç"), whole, crops={"zoom": whole[..., :2]})
    if kind == "series":
        series = tuple(rng.normal(size=(steps, 2)).astype(np.float32) for steps in (3, 7, 2))
        return Album(choices, items, series=series, crops={"zoom": rng.normal(size=(1, 4, 2)).astype(np.float32)})
    return Album(choices, items, words=(("a", "word"), ("…",), ("ß", "", "x")))


@pytest.mark.parametrize("kind", ["images", "series", "texts"])
def test_an_album_comes_back_as_it_was(tmp_path: Path, kind: str) -> None:
    ledger = open_ledger(tmp_path / "study")
    assert ledger.read().album is None  # as in a study of an older version
    album = album_of(make_study(pair([5], [])), kind)
    ledger.write_album(album)
    found = ledger.read().album
    assert found is not None
    assert (found.choices, found.names, found.words) == (album.choices, album.names, album.words)
    assert (found.images is None) == (album.images is None)
    for name, array in album.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], array)
    assert [one.shape for one in found.series] == [one.shape for one in album.series]
    assert sorted(path.name for path in ledger.path.iterdir()) == ["pictures.npz", "study.json", "trials"]


@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_a_damaged_album_is_said(tmp_path: Path, damage: str) -> None:
    ledger = open_ledger(tmp_path / "study")
    ledger.write_album(album_of(make_study(pair([5], [])), "series"))
    path = ledger.path / "pictures.npz"
    if damage == "other":
        np.savez(path, something=np.zeros(3))
    else:
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:200])
    with pytest.raises(CropworthError, match=r"pictures\.npz.*only the pictures are made again"):
        ledger.read()
