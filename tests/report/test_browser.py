"""The report in a real browser: its script runs, its charts are drawn, nothing is refused and nothing is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from browser import chromium, needs_chromium, opened
from cropworth.report.html import write_report
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.results import Appraisal
from factories import make_record, make_study
from report.appraisals import make_economics

pytestmark = needs_chromium
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, full_study: Study, full_appraisal: Appraisal) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(full_study, full_appraisal, make_economics(), path)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_drawn_without_an_error(browser: Browser, report: Path, scheme: Scheme) -> None:
    with opened(browser, report, scheme=scheme) as found:
        found.page.wait_for_selector("#chart-sizes .main-svg")
        for chart in ("chart-cost", "chart-curves", "chart-sizes"):
            assert found.page.locator(f"#{chart} .main-svg").count() >= 1
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


def test_a_page_of_measurements_from_files(browser: Browser, tmp_path: Path) -> None:
    pairs = [(name, seed) for name in ("baseline", "b") for seed in (0, 1)]
    records = [replace(make_record(name, seed, 0, wrong=range(9 - seed)), curve=()) for name, seed in pairs]
    study = replace(make_study(records, kinds={"baseline": "baseline", "b": "candidate"}), plan={})
    economics = make_economics()
    write_report(study, appraise(study, economics), economics, tmp_path / "report.html")
    with opened(browser, tmp_path / "report.html") as found:
        found.page.wait_for_selector(".main-svg")
        assert (found.complaints, found.requests) == ([], [])


def test_page_does_not_scroll_sideways_on_a_phone(browser: Browser, report: Path) -> None:
    with opened(browser, report, "phone") as found:
        assert not found.overflows()
        found.picture("report-phone")


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
