from __future__ import annotations

from dataclasses import replace

import numpy as np

from cropworth.report import sheets
from cropworth.report.crops import show_crops
from cropworth.report.sheets import Sheet, draw
from cropworth.study.album import Album, choose
from cropworth.study.record import Study
from factories import make_record, make_study
from report.appraisals import canvases, noisy_study, with_album


def a_study(variants: tuple[str, ...] = ("zoom",)) -> Study:
    crops = [make_record(name, wrong=[5, 7], with_crop=True) for name in variants]
    return with_album(make_study([make_record(wrong=[3, 5, 9]), *crops]), canvases(200, 32), 16)


def test_every_variants_items_are_sorted_by_outcome() -> None:
    (shown,) = show_crops(a_study(), 100).variants
    assert [(sheet.title, sheet.found, [card.item for card in sheet.cards]) for sheet in shown.sheets] == [
        ("Crop fixed it", 2, [3, 9]),
        ("Crop broke it", 1, [7]),
        ("Both wrong", 1, [5]),
    ]
    broke = shown.sheets[1].cards[0]
    assert (broke.truth, broke.name, broke.place) == (
        "1",
        "scans/7.png",
        "in the middle, 50 % as wide and 50 % as high",
    )
    assert [(given.who, given.says, given.right) for given in broke.answers] == [
        ("baseline", "1 (100 %)", True),
        ("zoom", "2 (100 %)", False),
    ]


def test_each_card_has_the_picture_and_the_crop_of_its_item() -> None:
    study = a_study(("zoom", "affine"))
    crops, album = show_crops(study, 100), study.album
    assert album is not None
    assert crops.drawn is not None
    assert len(crops.drawn.wholes) == len(set(crops.drawn.wholes)) == len(album.items) == 7  # each once
    for shown in crops.variants:
        for card in (card for sheet in shown.sheets for card in sheet.cards):
            assert album.items[card.picture] == card.item
            assert card.crop == sheets.data_uri(canvases(200, 32)[card.item, :, :16, :16], 128)


def test_a_variant_whose_trials_are_gone_has_no_sheets() -> None:
    study = a_study(("zoom", "affine"))
    without = replace(study, records=tuple(record for record in study.records if record.variant != "affine"))
    assert [shown.variant for shown in show_crops(without, 100).variants] == ["zoom"]
    other = replace(study, records=tuple(replace(r, trial="other") for r in study.records))
    assert [(shown.sheets, shown.film) for shown in show_crops(other, 100).variants] == [((), None)] * 2


def test_without_an_album_crops_are_shown_by_their_poses() -> None:
    found = show_crops(replace(a_study(), album=None), 100)
    assert found.drawn is None
    assert found.variants[0].heatmap.image
    assert found.variants[0].sheets == ()
    assert show_crops(make_study([make_record()]), 100).variants == ()


def test_pictures_of_noise_are_shrunk_to_the_budget() -> None:
    album = noisy_study(variants=8).album
    assert album is not None
    drawn = draw(album)
    crops = [crop for variant in drawn.crops.values() for crop in variant]
    assert len(crops) > 150
    assert sum(map(len, (*drawn.wholes, *crops))) <= sheets.BUDGET_BYTES


def test_long_series_are_thinned_to_the_budget() -> None:
    rng = np.random.default_rng(0)
    poses = np.tile(np.float32([[[0.5, 0]]]), (200, 1, 1))
    records = [make_record(wrong=range(16))]
    for i in range(8):
        cropping = make_record(
            f"zoom{i}", wrong=[*range(8 + i, 16 + i), *range(40 + i * 10, 50 + i * 10)], with_crop=True
        )
        records.append(replace(cropping, theta=poses))
    study = make_study(records)
    choices = choose(study)
    items = np.array(sorted({i for choice in choices for i in choice.all_items}))
    series = tuple(rng.normal(size=(3000, 3)).astype(np.float32) for _ in items)
    crops = {c.variant: rng.normal(size=(len(c.all_items), 500, 3)).astype(np.float32) for c in choices}
    drawn = draw(Album(choices, items, series=series, crops=crops))
    assert drawn.curves
    total = sum(map(len, (*drawn.wholes, *(crop for variant in drawn.crops.values() for crop in variant))))
    assert sheets.BUDGET_BYTES / 4 < total <= sheets.BUDGET_BYTES


def test_where_there_is_no_item_of_an_outcome_that_is_said() -> None:
    study = with_album(make_study([make_record(), make_record("zoom", with_crop=True)]), canvases(4, 32), 16)
    (shown,) = show_crops(study, 100).variants
    assert [sheet.cards for sheet in shown.sheets] == [(), (), ()]
    assert all(isinstance(sheet, Sheet) and sheet.none.startswith("No test item") for sheet in shown.sheets)
