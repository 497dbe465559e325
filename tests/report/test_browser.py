"""The report in a real browser: as it opens, in the dark, on a phone, on paper, by keyboard, and to axe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pypdf
import pytest
from playwright.sync_api import Browser

from browser import SIZES, chromium, needs_chromium, opened
from cropworth.report.html import write_report
from cropworth.report.reasons import reasons
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.results import Appraisal
from factories import make_record, make_study
from report.appraisals import make_economics

pytestmark = needs_chromium
Scheme = Literal["light", "dark"]
ECONOMICS = make_economics(
    cost_per_error={"low": 0.1, "mode": 0.5, "high": 1}, predictions_per_year=1e6, compute_price_per_hour=0.3
)
A4 = (595, 842)  # points
# All that the Tab key should reach, in the order of the page.
REACHABLE = """[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({visibilityProperty: true}))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def appraisal(full_study: Study) -> Appraisal:
    return appraise(full_study, ECONOMICS)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, full_study: Study, appraisal: Appraisal) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(full_study, appraisal, ECONOMICS, path)
    return path


def brought_study() -> Study:
    """Measurements from files, without costs."""
    pairs = [(name, seed) for name in ("baseline", "b") for seed in (0, 1, 2)]
    records = [replace(make_record(name, seed, 0, wrong=range(9 - seed)), curve=()) for name, seed in pairs]
    study = make_study(records, kinds={"baseline": "baseline", "b": "candidate"})
    return replace(study, plan={}, latency=None)


def poor_study() -> Study:
    """Two seeds, and no pictures."""
    records = [make_record(name, seed, wrong=range(9 - seed)) for name in ("baseline", "zoom") for seed in (0, 1)]
    return make_study([replace(record, examples=None) for record in records])


def failed_study() -> Study:
    """No trial of a crop ended well, so that there is no verdict."""
    return make_study([make_record(), make_record("zoom", status="diverged")])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_without_a_complaint(browser: Browser, report: Path, scheme: Scheme) -> None:
    with opened(browser, report, scheme=scheme) as found:
        found.page.locator("#chart-npv").scroll_into_view_if_needed()
        found.page.wait_for_selector("#chart-npv .main-svg")
        found.picture(f"report-{scheme}")
        assert (found.complaints, found.requests) == ([], [])


def test_crops_over_training_play(browser: Browser, report: Path) -> None:
    with opened(browser, report) as found:
        player = found.page.locator(".player").first
        outline, told = player.locator("polygon.outline").first, player.locator("output")
        end = outline.get_attribute("points")
        assert told.text_content() == "epoch 12 of 12"
        player.get_by_role("button", name="Play").click()
        assert told.text_content() != "epoch 12 of 12"  # it began again
        assert outline.get_attribute("points") != end
        player.get_by_role("button", name="Play").wait_for()
        assert told.text_content() == "epoch 12 of 12"
        assert outline.get_attribute("points") == end
        slider = player.get_by_role("slider")
        slider.press("ArrowLeft")
        assert slider.get_attribute("aria-valuetext") == told.text_content() == "epoch 11 of 12"
        slider.press("Home")
        slider.press("ArrowRight")
        assert told.text_content() == "epoch 2 of 12, whose weights were kept"
        assert (found.complaints, found.requests) == ([], [])


def test_who_asks_for_less_motion_has_the_slider_alone(browser: Browser, report: Path) -> None:
    with opened(browser, report) as found:
        button = found.page.locator(".player button").first
        button.click()
        found.page.emulate_media(reduced_motion="reduce")
        button.wait_for(state="hidden")
        assert found.page.locator(".player input").first.is_visible()
        still = found.page.locator(".player output").first.text_content()
        found.page.wait_for_timeout(1000)
        assert found.page.locator(".player output").first.text_content() == still


def test_without_scripts_the_strips_are_there_and_no_dead_button(browser: Browser, report: Path) -> None:
    with opened(browser, report, scripts=False) as found:
        assert found.page.locator(".film table").first.is_visible()
        assert not found.page.locator(".player").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_crops_are_told_to_those_who_do_not_see_them(browser: Browser, report: Path, scheme: Scheme) -> None:
    with opened(browser, report, scheme=scheme) as found:
        found.page.evaluate("() => document.querySelectorAll('details.variant').forEach((one) => { one.open = true; })")
        assert found.violations() == []


@pytest.mark.parametrize("name", ["full", "brought", "poor", "failed"])
def test_every_kind_of_page_opens_and_axe_finds_nothing(
    browser: Browser, tmp_path: Path, full_study: Study, name: str
) -> None:
    study = {"full": lambda: full_study, "brought": brought_study, "poor": poor_study, "failed": failed_study}[name]()
    write_report(study, appraise(study, ECONOMICS), ECONOMICS, tmp_path / "report.html")
    with opened(browser, tmp_path / "report.html") as found:
        found.page.wait_for_load_state()
        assert found.violations() == []
        found.page.emulate_media(color_scheme="dark")
        found.page.set_viewport_size(dict(zip(("width", "height"), SIZES["phone"], strict=True)))
        assert not found.overflows()
        assert found.violations() == []
        assert (found.complaints, found.requests) == ([], [])
        found.picture(f"report-{name}-phone-dark")


def test_verdict_reasons_and_next_step_are_seen_at_once(browser: Browser, report: Path, appraisal: Appraisal) -> None:
    with opened(browser, report) as found:
        places = []
        for place, reason in enumerate(reasons(appraisal), start=1):
            item = found.page.locator(f"#reason-{place}")
            assert str(reason) in " ".join((item.text_content() or "").split())
            places.append(item.bounding_box() or {})
        assert found.page.locator("h1").bounding_box()["y"] < places[0]["y"]  # type: ignore[index]
        assert all(place["y"] + place["height"] < SIZES["desk"][1] for place in places)
        assert found.page.locator(".next").is_visible()


def test_contents_lead_to_every_section(browser: Browser, report: Path) -> None:
    with opened(browser, report) as found:
        links = found.page.locator(".contents a")
        headings = found.page.locator("h2:not(#your-prices)").all_text_contents()
        assert links.all_text_contents() == headings
        links.last.click()
        assert found.page.locator("h2").last.bounding_box()["y"] < SIZES["desk"][1]  # type: ignore[index]
        found.page.set_viewport_size({"width": 1600, "height": 900})
        beside, text = (found.page.locator(one).bounding_box() or {} for one in (".contents", "#worth"))
        assert beside["x"] + beside["width"] < text["x"]
        assert beside["y"] >= 0  # it stays, although the page is scrolled to its end
        found.picture("report-wide")


def test_tab_reaches_everything_in_order(browser: Browser, report: Path) -> None:
    with opened(browser, report) as found:
        count = found.page.evaluate(f"() => (globalThis.reachable = {REACHABLE}).length")
        walked = []
        for _ in range(count):
            found.page.keyboard.press("Tab")
            walked.append(found.page.evaluate("() => reachable.indexOf(document.activeElement)"))
            seen = found.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert seen != "none"
        assert count >= 15
        assert walked == list(range(count))


def test_tables_scroll_in_their_own_box_on_a_phone_and_keep_their_names(browser: Browser, report: Path) -> None:
    with opened(browser, report, "phone") as found:
        assert not found.overflows()
        box = found.page.locator("#worth ~ .scroll").first
        name, number = box.locator("tbody th").first, box.locator("tbody td").nth(1)
        before = [(one.bounding_box() or {})["x"] for one in (name, number)]
        box.evaluate("(one) => one.scrollBy(150, 0)")
        after = [(one.bounding_box() or {})["x"] for one in (name, number)]
        assert after == [before[0], pytest.approx(before[1] - 150)]
        assert float(box.evaluate("(one) => parseFloat(getComputedStyle(one.querySelector('td')).fontSize)")) >= 13
        found.picture("report-phone")


def test_on_paper(browser: Browser, report: Path, appraisal: Appraisal, tmp_path: Path) -> None:
    with opened(browser, report) as found:
        found.page.emulate_media(media="print")
        tables = found.page.evaluate(
            "() => [...document.querySelectorAll('table')].filter((one) => one.rows.length < 40)"
            ".map((one) => [one.caption.textContent, one.rows[one.rows.length - 1].textContent])"
        )
        headings = found.page.locator("h2").all_text_contents()
        found.picture("report-print")
        found.page.pdf(path=tmp_path / "report.pdf", format="A4")
        assert (found.complaints, found.requests) == ([], [])
    pages = pypdf.PdfReader(tmp_path / "report.pdf").pages
    texts = [_dense(page.extract_text()) for page in pages]
    assert 6 <= len(pages) <= 24  # the pictures of five variants are six of them
    assert all(tuple(map(round, page.mediabox[2:])) == pytest.approx(A4, abs=1) for page in pages)
    names = [candidate.name for candidate in appraisal.largest.candidates]
    for words in (appraisal.headline, *map(str, reasons(appraisal)), *names):
        assert _dense(words) in texts[0]
    for caption, row in tables:
        assert any(_dense(caption) in text and _dense(row) in text for text in texts), caption
    assert not any(text.endswith(_dense(heading)) for text in texts for heading in headings)
    assert any("name:made" in text for text in texts)  # what a reader of the screen would have to unfold


def _dense(words: str) -> str:
    """Without white space and ligatures: a page of paper breaks lines elsewhere."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", words))


def test_without_scripts_the_verdict_and_the_tables_are_there(browser: Browser, report: Path) -> None:
    with opened(browser, report, scripts=False) as found:
        assert found.page.locator("h1").is_visible()
        assert found.page.locator("#worth ~ .scroll table").first.is_visible()
        assert (found.complaints, found.requests) == ([], [])


def test_complaints_and_requests_are_noticed(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "broken.html"
    page.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\"><script>1</script>"
        "<img src='missing.png'>",
        encoding="utf-8",
    )
    with opened(browser, page) as found:
        assert found.complaints != []
        assert [request.rpartition("/")[2] for request in found.requests] == ["missing.png"]


def test_what_axe_finds_is_told(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html lang='en'><title>t</title><main><h1>a</h1><img src='data:,'></main>")
    with opened(browser, tmp_path / "page.html") as found:
        assert any(one.startswith("image-alt") for one in found.violations())
