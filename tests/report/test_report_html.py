from __future__ import annotations

import base64
import gzip
import json
from dataclasses import fields, replace
from html.parser import HTMLParser
from itertools import pairwise
from math import nan
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from cropworth.errors import CropworthError
from cropworth.report.document import document
from cropworth.report.formulas import FORMULAS
from cropworth.report.html import render, write_report
from cropworth.report.markdown import to_markdown
from cropworth.study.record import Kind, Latency, Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.results import Appraisal, Candidate, Interval, Outlook, Row, SizeAppraisal
from factories import make_record, make_study
from report.appraisals import (
    CROPPING,
    KINDS,
    LEARNED,
    canvases,
    full_record,
    make_appraisal,
    make_candidate,
    make_economics,
    make_row,
    noisy_study,
    with_album,
)

AWKWARD = "<b>&x"
CONTENTS: dict[str, str | None] = {"class": "contents", "aria-label": "Contents"}
VOID = {"meta", "link", "img", "br", "wbr", "hr", "input"}


class Page(HTMLParser):
    """Tags, texts by tag, and style sheets of a page; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def count(self, tag: str, **attributes: str) -> int:
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}.items()
        return sum(found == tag and wanted <= had.items() for found, had in self.tags)

    def script(self, name: str) -> str:
        """What the script with this id holds."""
        names = [attributes.get("id") for tag, attributes in self.tags if tag == "script"]
        return self.texts["script"][names.index(name)]

    @property
    def text(self) -> str:
        return " ".join(self.texts["main"][0].split())


@pytest.fixture(scope="module")
def full_html(full_study: Study, full_appraisal: Appraisal) -> str:
    return render(full_study, full_appraisal, make_economics())


@pytest.fixture(scope="module")
def full_page(full_html: str) -> Page:
    return Page(full_html)


def small_html(*, study: Study | None = None, appraisal: Appraisal | None = None, **economics: Any) -> str:
    study = study or make_study([make_record(), make_record("zoom", with_crop=True)])
    rows = tuple(make_row(name, kind, trials=1) for name, kind in study.kinds.items())
    candidates = tuple(make_candidate(name, kind) for name, kind in study.kinds.items() if kind != "baseline")
    appraisal = appraisal or make_appraisal((SizeAppraisal(100, rows, candidates),), best="zoom")
    return render(study, appraisal, make_economics(**economics))


def test_page_is_self_contained(full_html: str, full_page: Page) -> None:
    for tag, attributes in full_page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:", "#")) or not value, (tag, name, value[:80])
    (style,) = full_page.texts["style"]
    assert "url(" not in style
    assert "@import" not in style


def test_a_thousand_trials_fit_six_megabytes() -> None:
    kinds: dict[str, Kind] = {**KINDS, "second": "crop"}
    trained = {(v, seed): full_record("small" if v == "second" else v, seed, 4000) for v in kinds for seed in range(25)}
    records = [
        replace(record, variant=variant, train_size=size, trial=f"{variant}-{size}-{seed}")
        for size in (250, 500, 1000, 2000, 4000)
        for (variant, seed), record in trained.items()
    ]
    assert len(records) == 1000
    study = make_study(records, kinds=kinds)
    guess = {"low": 0.1, "mode": 0.5, "high": 1}
    economics = make_economics(cost_per_error=guess, predictions_per_year=1e6, compute_price_per_hour=guess)
    assert len(render(study, appraise(study, economics), economics).encode()) < 6_000_000


def test_page_with_pictures_of_noise_stays_under_its_size() -> None:
    assert len(small_html(study=noisy_study(variants=8)).encode()) < 6_000_000


def test_content_security_policy_allows_no_connection(full_page: Page) -> None:
    (policy,) = [a["content"] for tag, a in full_page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def test_plotly_is_embedded_once_and_packed(full_html: str, full_page: Page) -> None:
    assert full_html.count('id="plotly-script"') == 1
    packed = full_page.script("plotly-script")
    assert gzip.decompress(base64.b64decode(packed)).decode() == get_plotlyjs()
    assert len(full_html.encode()) < 3_000_000


def test_the_same_study_is_the_same_page(full_study: Study, full_appraisal: Appraisal, full_html: str) -> None:
    assert render(full_study, full_appraisal, make_economics()) == full_html


def test_every_chart_stands_there_as_a_drawing_with_its_words(full_page: Page) -> None:
    charts = full_page.count("figure", class_="chart")
    assert charts == full_page.count("svg", class_="drawing") >= 4
    figures = json.loads(full_page.script("figures"))
    assert len(figures["charts"]) == charts
    assert len(figures["looks"]) == len(KINDS)


def test_verdict_comes_first(full_page: Page, full_appraisal: Appraisal) -> None:
    (headline,) = full_page.texts["h1"]
    assert headline == full_appraisal.headline
    assert full_page.text.index("adopt") < full_page.text.index(headline) < full_page.text.index("What was measured")
    assert "adopt" in full_page.texts["title"][0]


def test_headings_are_in_order(full_page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in full_page.tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_tables_have_captions_and_scopes(full_page: Page) -> None:
    assert full_page.count("table") == full_page.count("caption") >= 6
    assert all(attributes.get("scope") in {"row", "col"} for tag, attributes in full_page.tags if tag == "th")
    assert full_page.count("html", lang="en") == 1


def test_sheets_of_each_variant_that_crops(full_page: Page, full_study: Study) -> None:
    album = full_study.album
    assert album is not None
    cards = sum(len(choice.all_items) for choice in album.choices)
    assert [choice.variant for choice in album.choices] == list(CROPPING)
    assert full_page.count("img", class_="seen") == cards >= 8 * len(CROPPING)
    assert full_page.count("image") == len(album.items)
    films = len(LEARNED) * 4 * (8 + 1)  # 8 epochs, and the larger picture
    used = [attributes for tag, attributes in full_page.tags if tag == "use"]
    pictures = sum((attributes.get("href") or "").startswith("#picture-") for attributes in used)
    assert pictures == full_page.count("polygon", class_="outline") == cards + films
    assert all(attributes.get("alt") for tag, attributes in full_page.tags if tag == "img")
    for choice in album.choices:
        assert f"Crop fixed it: {choice.found['fixed']} of 1,000 test items, seed {choice.seed}" in full_page.text
    assert "spread evenly over the test\N{RIGHT SINGLE QUOTATION MARK}s order, so nobody picked them" in full_page.text


def test_health_and_overlap_are_said(full_page: Page) -> None:
    assert "All 6 seeds: nothing to report" in full_page.text
    assert "median overlap" not in full_page.text
    assert "median overlap with the true boxes (intersection over union) is 0.600." in Page(small_html()).text


def test_right_and_wrong_are_said_in_words() -> None:
    study = make_study([make_record(wrong=[4]), make_record("zoom", wrong=[1], with_crop=True)])
    text = Page(small_html(study=with_album(study, canvases(12, 32), 16))).text
    assert "Crop fixed it: 1 of 200 test items" in text
    assert "item scans/4.png truth: 1 ✗ baseline: 2 (100 %) ✓ zoom: 1 (100 %)" in text
    assert "item scans/1.png truth: 1 ✓ baseline: 1 (100 %) ✗ zoom: 2 (100 %)" in text
    assert "No test item is read wrong by both." in text


def test_a_study_without_chosen_items_says_how_to_get_them() -> None:
    text = Page(small_html()).text
    assert "There are no pictures: an older version of cropworth ran this study" in text
    assert "Where the crops fall: all 200 test items, 1 seed." in text


def test_diverged_and_collapsed_trials_are_listed_with_their_reason(full_page: Page) -> None:
    assert "Trials that diverged" in full_page.text
    assert "regression-affine 4,000 5 diverged it diverged" in full_page.text


def test_every_variant_and_size_is_in_the_tables(full_page: Page) -> None:
    assert {text.strip() for text in full_page.texts["th"]} >= {*KINDS, "1,000 items", "2,000 items", "4,000 items"}


def test_cells_are_found_by_variant_and_by_the_name_of_what_they_hold(full_study: Study) -> None:
    economics = make_economics(cost_per_error=0.5, predictions_per_year=1e6, compute_price_per_hour=0.3)
    page = Page(render(full_study, appraise(full_study, economics), economics))
    cells = [(a["data-row"], a["data-key"]) for tag, a in page.tags if tag == "td" and "data-key" in a]
    known = {field.name for of in (Candidate, Outlook, Row) for field in fields(of)}
    costs = {f"costs.{name}" for name in ("engineering", "training", "inference", "energy", "carbon")}
    assert {key.partition("@")[0] for _, key in cells} <= set(FORMULAS)
    of_variants = [(row, key) for row, key in cells if key in known | costs]  # the others only tell what they are
    assert len(set(of_variants)) == len(of_variants)
    assert {key for row, key in cells if row == "heatmap-zoom"} >= {"npv", "probability_worth_it", "accuracy", *costs}
    assert {row for row, _ in of_variants} == set(KINDS)


def test_what_other_prices_do_not_change_is_marked(full_study: Study) -> None:
    economics = make_economics(cost_per_error=0.5, predictions_per_year=1e6)
    page = Page(render(full_study, appraise(full_study, economics), economics))
    marked = [a["aria-label"] or "" for tag, a in page.tags if tag == "div" and "data-static" in a]
    assert [label.split(" ")[0] for label in marked] == ["All", "Verdict", "Prices", "What", "126"]
    assert {a["id"] for tag, a in page.tags if tag == "table" and "id" in a} == {"table-tornado", "table-break-even"}


def test_contents_list_every_section(full_page: Page) -> None:
    ids = [a["id"] for tag, a in full_page.tags[full_page.tags.index(("nav", CONTENTS)) :] if tag == "h2"]
    links = [(a["href"] or "").removeprefix("#") for tag, a in full_page.tags if tag == "a"]
    assert links == ["worth", *ids]
    assert len(set(ids)) == len(ids) >= 8


def test_a_verdict_has_a_sign_and_a_word(full_page: Page) -> None:
    words = [
        text for text in full_page.texts["span"] if text in ("adopt", "don't", "equivalent", "not enough evidence")
    ]
    assert len(words) >= 6
    badges = sum(tag == "span" and (a.get("class") or "").startswith("badge ") for tag, a in full_page.tags)
    signs = sum(
        after[0] == "svg" for before, after in pairwise(full_page.tags) if "badge " in str(before[1].get("class"))
    )
    assert signs == badges >= len(words)


def test_awkward_names_break_nothing() -> None:
    names = ("baseline", AWKWARD, "</script>")
    study = make_study([make_record(name, wrong=[i], with_crop=True) for i, name in enumerate(names)])
    study = replace(with_album(study, canvases(12, 32), 16), classes=("<i>", "{{ 7 * 7 }}", "&lt;"))
    rows = tuple(make_row(name, "crop") for name in names)
    sizes = (SizeAppraisal(100, rows, tuple(make_candidate(name) for name in names[1:])),)
    appraisal = make_appraisal(sizes, headline=f"Adopt {AWKWARD}.", best=AWKWARD, study="</title>", currency="<u>")
    html = small_html(study=study, appraisal=appraisal, note="<s>")
    page = Page(html)
    assert "Adopt &lt;b&gt;&amp;x." in html
    assert page.texts["h1"] == [f"Adopt {AWKWARD}."]
    assert page.count("b", class_="right") == page.count("b", class_="wrong") == 4
    assert not {"i", "u", "s"} & {tag for tag, _ in page.tags}
    assert page.count("script") == Page(small_html()).count("script")
    assert "{{ 7 * 7 }}" in page.text


def test_missing_values_are_dashes() -> None:
    study = make_study([make_record(), make_record("zoom")])
    unknown = make_row(
        "zoom",
        "crop",
        accuracy=None,
        errors_per_thousand=None,
        latency_s=None,
        latency_p90_s=None,
        peak_memory_bytes=None,
    )
    candidate = make_candidate(
        "zoom",
        verdict=None,
        npv=Interval(None, None, None),
        npv_together=Interval(None, None, None),
        roi=None,
        dominates=False,
        payback_years=None,
        break_even_predictions_per_year=None,
    )
    appraisal = make_appraisal(
        (SizeAppraisal(100, (make_row(), unknown), (candidate,)),), best=None, headline="No verdict."
    )
    page = Page(small_html(study=study, appraisal=appraisal))
    assert "zoom no verdict — — — — The lower" in page.text
    assert "zoom crop — — 83.2; 80.1 0.97 3.1 % — 25.4 MFLOP 123,456 — — 6; 0; 0" in page.text
    assert "None" not in page.text


def test_one_seed_without_latency_at_one_size() -> None:
    study = replace(make_study([make_record(), make_record("zoom", with_crop=True)]), latency=None)
    rows = tuple(make_row(name, kind, latency_s=None, latency_p90_s=None) for name, kind in study.kinds.items())
    unsure = Interval(5.0, None, None)
    candidate = make_candidate(
        "zoom", npv=unsure, npv_together=unsure, verdict="not enough evidence", latency_ratio=None
    )
    appraisal = make_appraisal((SizeAppraisal(100, rows, (candidate,)),), best="zoom")
    page = Page(small_html(study=study, appraisal=appraisal))
    assert "Inference has not been timed yet" in page.text
    assert "interval not known" in page.text
    assert "there are no intervals" in page.text
    assert "How much data it takes" not in page.text


def test_study_in_which_every_trial_diverged() -> None:
    study = make_study([make_record(status="diverged"), make_record("zoom", status="diverged")])
    rows = tuple(make_row(name, kind, accuracy=None, diverged=1) for name, kind in study.kinds.items())
    appraisal = make_appraisal((SizeAppraisal(100, rows, (make_candidate("zoom", verdict=None),)),), best=None)
    text = Page(small_html(study=study, appraisal=appraisal)).text
    assert "No trial at the largest training-set size has a crop to show." in text


def test_report_of_a_study_appraised_in_earnest(full_study: Study) -> None:
    economics = make_economics(cost_per_error=0.5, predictions_per_year=1e6, compute_price_per_hour=0.3)
    appraisal = appraise(full_study, economics)
    page = Page(render(full_study, appraisal, economics))
    assert page.texts["h1"] == [appraisal.headline]
    assert all(candidate.reason in page.text for candidate in appraisal.largest.candidates)
    assert "not priced: counts as 0" in page.text


def test_nothing_failed_is_said() -> None:
    assert "No trial diverged, and no crop collapsed." in Page(small_html()).text


def test_prices_and_what_is_not_priced() -> None:
    text = Page(small_html(cost_per_error=0.25, predictions_per_year=5e6)).text
    assert text.index("About the prices: example prices") < text.index("What each candidate is worth")
    assert "Not priced, and so counted as 0: engineering.per_year." in text
    assert "predictions_per_year 5,000,000" in text
    assert "cost_per_error 0.25" in text
    assert "engineering.once 8,000 engineering.per_year not priced: counts as 0" in text


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ({"0": {"1": 5.0, "2": 0.5}}, "cost_matrix.0 1: 5, 2: 0.5"),
        ([[0, 1, 2], [3, 0, 4], [5, 6, 0]], "cost_matrix.0 0, 1, 2 cost_matrix.1 3, 0, 4"),
    ],
)
def test_cost_matrix_is_shown_by_true_class(matrix: Any, shown: str) -> None:
    assert shown in Page(small_html(cost_matrix=matrix)).text


def test_no_note_no_callout() -> None:
    assert "About the prices" not in Page(small_html(note="")).text


def test_what_was_left_out_of_the_data_is_said() -> None:
    study = make_study([make_record(), make_record("zoom", with_crop=True)])
    assert "About the data" not in Page(small_html(study=study)).text
    study = replace(study, warnings=("Left out: 3 <images>.", "Left out: 2 boxes."))
    text = Page(small_html(study=study)).text
    assert "About the data: Left out: 3 <images>. Left out: 2 boxes." in text


def test_unfinished_trials_are_said() -> None:
    rows = (make_row(), make_row("zoom", "crop"))
    appraisal = make_appraisal((SizeAppraisal(100, rows, (make_candidate("zoom"),)),), missing_trials=3, best="zoom")
    assert "Unfinished: 3 of the plan" in Page(small_html(appraisal=appraisal)).text


def test_every_distinct_environment_is_listed_and_the_plan() -> None:
    first, second = make_record(), make_record("zoom", with_crop=True)
    second = replace(second, environment={**second.environment, "torch": "2.16.0"})
    text = Page(small_html(study=make_study([first, second]))).text
    assert "torch 2.15.0" in text
    assert "torch 2.16.0" in text
    assert text.count("1 of 2 trials") == 2
    assert "name: made" in text


def test_latency_of_a_study_is_described() -> None:
    study = make_study([make_record(), make_record("zoom", with_crop=True)])
    study = replace(study, latency=Latency(64, 2, dict.fromkeys(study.kinds, (0.001,) * 30)))
    assert "in batches of 64 with 2 threads, 30 rounds" in Page(small_html(study=study)).text


def test_written_file_replaces_the_old_one_and_leaves_nothing_beside(
    tmp_path: Path, full_study: Study, full_appraisal: Appraisal, full_html: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(full_study, full_appraisal, make_economics(), path)
    assert path.read_text(encoding="utf-8") == full_html
    assert list(tmp_path.iterdir()) == [path]


def test_path_that_cannot_be_written(tmp_path: Path, full_study: Study, full_appraisal: Appraisal) -> None:
    with pytest.raises(CropworthError, match=r"nowhere/report\.html \(No such file"):
        write_report(full_study, full_appraisal, make_economics(), tmp_path / "nowhere" / "report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CropworthError, match="folder"):
        write_report(full_study, full_appraisal, make_economics(), tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def brought_study(latency: bool) -> Study:
    """Measurements from a user's own files: no plan, no pictures, no curves, and no training-set size."""
    records = [
        replace(make_record(name, seed, 0, wrong=range(wrong)), curve=(), examples=None, started_at=nan, environment={})
        for name, wrong in (("baseline", 40), ("new", 20))
        for seed in range(3)
    ]
    study = make_study(records, kinds={"baseline": "baseline", "new": "candidate"})
    return replace(study, plan={}, latency=study.latency if latency else None, warnings=("Seed 4 is left out.",))


@pytest.mark.parametrize("latency", [True, False])
def test_nothing_is_claimed_of_measurements_from_files(latency: bool) -> None:
    study = brought_study(latency)
    economics = make_economics(cost_per_error=1, predictions_per_year=1000)
    page = Page(render(study, appraise(study, economics), economics))
    for claim in (
        "crop",
        "trained on",
        "batches",
        "while nothing trained",
        "Trials started",
        "diverged",
        "plan",
        "None",
    ):
        assert claim not in page.text.replace("cropworth", ""), claim
    for told in ("Is another model worth it?", "come from files", "Seed 4 is left out.", "predictions of 3 seeds"):
        assert told in page.text
    assert ("3 of each variant, paired by seed" in page.text) == latency
    assert ("Inference times are not known." in page.text) == (not latency)
    assert ("inference ms per item" in page.text) == latency
    assert ("chart-cost" in json.loads(page.script("figures"))["charts"]) == latency


def test_markdown_of_measurements_from_files() -> None:
    study = brought_study(latency=True)
    economics = make_economics(cost_per_error=1)
    markdown = to_markdown(document(study, appraise(study, economics), economics))
    assert "## Where the numbers come from\n\nThe predictions and their costs come from files" in markdown
    assert "Trials started" not in markdown
