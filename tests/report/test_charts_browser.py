"""The charts in a real browser: drawn twice, when they are needed, and again when other prices are set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from browser import chromium, needs_chromium, opened
from cropworth.report.charts import make_charts
from cropworth.report.drawings import plotly_packed
from cropworth.report.html import render
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.as_json import to_json
from cropworth.worth.economics import Economics
from report.appraisals import make_economics

pytestmark = needs_chromium
Scheme = Literal["light", "dark"]
FOLLOWING = ("chart-npv", "chart-tornado", "chart-acceptability", "chart-break-even")
SEEN = {"light": "rgb(29, 32, 36)", "dark": "rgb(230, 232, 234)"}  # the page's ink


def economics(**values: Any) -> Economics:
    guess = {"low": 0.01, "mode": 0.02, "high": 0.1}
    return make_economics(**{"cost_per_error": guess, "predictions_per_year": 1e6, "margin": 2000.0, **values})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def html(full_study: Study) -> str:
    return render(full_study, appraise(full_study, economics()), economics())


@pytest.fixture(scope="module")
def report(html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("charts") / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


def ids(page: Page) -> list[str]:
    return [str(one.get_attribute("id")) for one in page.locator(".chart > div").all()]


def draw(page: Page, names: Sequence[str]) -> None:
    for name in names:
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.wait_for_selector(f"#{name} .main-svg")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_plotly_draws_every_chart_in_the_page_s_colours(browser: Browser, report: Path, scheme: Scheme) -> None:
    with opened(browser, report, scheme=scheme) as found:
        draw(found.page, ids(found.page))
        assert len(ids(found.page)) >= 8
        assert found.page.locator(".drawing").count() == 0
        for name in ids(found.page):
            label = found.page.locator(f"#{name} .xtick text").first
            assert label.evaluate("(one) => getComputedStyle(one).fill") == SEEN[scheme]
            assert found.page.locator(f"#{name}").get_attribute("aria-label")
        assert (found.complaints, found.requests) == ([], [])
        found.picture(f"charts-{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_scripts_every_chart_is_a_drawing(browser: Browser, report: Path, scheme: Scheme) -> None:
    with opened(browser, report, "phone", scheme, scripts=False) as found:
        drawings = found.page.locator(".drawing")
        assert drawings.count() == len(ids(found.page))
        for drawing in drawings.all():
            assert (drawing.bounding_box() or {})["width"] > 300
            ink = drawing.locator("text").first.evaluate("(one) => getComputedStyle(one).fill")
            assert ink == SEEN[scheme]
        assert not found.overflows()
        assert found.complaints == []
        found.picture(f"charts-drawn-phone-{scheme}")


def test_charts_far_from_the_view_wait(browser: Browser, report: Path) -> None:
    with opened(browser, report, "phone") as found:
        found.page.locator("#chart-npv").scroll_into_view_if_needed()
        found.page.wait_for_selector("#chart-npv .main-svg")
        assert found.page.locator("#chart-sizes .drawing").count() == 1
        assert not found.overflows()
        height = found.page.evaluate("() => document.getElementById('chart-sizes').offsetHeight")
        found.page.locator("#chart-sizes").scroll_into_view_if_needed()
        found.page.wait_for_selector("#chart-sizes .main-svg")
        assert found.page.evaluate("() => document.getElementById('chart-sizes').offsetHeight") == height
        assert found.violations() == []


@pytest.mark.parametrize("broken", ["not base64!", "bm8gZ3ppcA=="])
def test_where_the_script_cannot_be_unpacked_the_drawings_stay(
    browser: Browser, html: str, tmp_path: Path, broken: str
) -> None:
    page = tmp_path / "report.html"
    page.write_text(html.replace(plotly_packed(), broken), encoding="utf-8")
    with opened(browser, page) as found:
        found.page.locator("#chart-npv .drawing").scroll_into_view_if_needed()
        found.page.wait_for_selector("figure[data-static]:has(#chart-npv)")
        assert found.page.locator(".drawing").count() == len(ids(found.page))
        found.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
        assert (found.complaints, found.requests) == ([], [])


def test_before_printing_all_are_drawn_to_the_width_of_paper(browser: Browser, report: Path, tmp_path: Path) -> None:
    with opened(browser, report) as found:
        found.page.locator("#chart-npv").scroll_into_view_if_needed()
        found.page.wait_for_selector("#chart-npv .main-svg")
        found.page.emulate_media(media="print")
        found.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
        for name in ids(found.page):
            assert found.page.wait_for_selector(f"#{name} .main-svg[width='440']")
        found.page.evaluate("() => dispatchEvent(new Event('afterprint'))")
        found.page.wait_for_selector("#chart-npv .main-svg:not([width='440'])")
        assert (found.complaints, found.requests) == ([], [])


# Other prices

SHOWN = """(id) => {
  const { data, layout } = document.getElementById(id);
  const parts = ({ x, y, base, width, name, showlegend, customdata }) =>
    ({ x, y, base, width, name, showlegend, customdata });
  return JSON.stringify([data.map(parts), layout.yaxis.range, layout.xaxis.range, layout.yaxis.ticktext]);
}"""
OTHERS = {
    "volume": {"predictions_per_year": 3e5},
    "losing": {"engineering": {"once": 200_000}, "margin": 0.0},
    "price": {"cost_per_error": 0.3, "margin": 1e5, "discount_rate": 0.1},
    "nothing": {"predictions_per_year": 1.0},
}


def set_prices(page: Page, study: Study, given: Economics) -> None:
    """What `controls.js` says when a reader has set other prices."""
    appraisal = appraise(study, given)
    result = {**to_json(appraisal), "margin": given.margin}
    page.evaluate(
        "(result) => document.dispatchEvent(new CustomEvent('appraised', { detail: { result, changed: true } }))",
        result,
    )


def same(found: Any, expected: Any) -> None:
    """Equal to the digits that Python writes into a page."""
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    elif isinstance(expected, float | int) and not isinstance(expected, bool):
        assert found == pytest.approx(expected, rel=2e-4, abs=1e-4)
    else:
        assert found == expected


@pytest.mark.parametrize(("other", "first"), [*((other, "drawn") for other in OTHERS), ("volume", "waiting")])
def test_other_prices_are_drawn_as_python_draws_them(
    browser: Browser, report: Path, full_study: Study, other: str, first: str
) -> None:
    given = economics(**OTHERS[other])
    expected = make_charts(full_study, appraise(full_study, given), given.margin)
    with opened(browser, report) as found:
        if first == "drawn":
            draw(found.page, FOLLOWING)
        set_prices(found.page, full_study, given)
        for name in FOLLOWING:
            found.page.locator(f"#{name}").scroll_into_view_if_needed()
            found.page.wait_for_selector(f"#{name}:not([aria-busy]) .main-svg")
            data, *layout = json.loads(found.page.evaluate(SHOWN, name))
            figure = json.loads(expected[name].figure.to_json())
            assert len(data) == len(figure["data"])
            for one, python in zip(data, figure["data"], strict=True):
                for key in ("x", "y", "base", "width", "name", "customdata"):
                    same(one.get(key), python.get(key))
                assert one.get("showlegend", True) == python.get("showlegend", True)
            axes = figure["layout"]
            told = (axes["yaxis"].get("range"), axes["xaxis"].get("range"), axes["yaxis"].get("ticktext"))
            for one, python in zip(layout, told, strict=True):  # plotly chooses the ranges that are not told
                same(one, one if python is None else python)
            assert found.page.locator(f"#{name}-title").text_content() == expected[name].title
            assert found.page.locator(f"#{name}").get_attribute("aria-label") == expected[name].says
        assert found.complaints == []
        if other == "losing":
            found.picture("charts-losing")


def test_a_link_s_prices_are_drawn_from_the_start(browser: Browser, report: Path, full_study: Study) -> None:
    given = economics(predictions_per_year=3e5)
    expected = make_charts(full_study, appraise(full_study, given), given.margin)
    with opened(browser, f"{report.as_uri()}#p=predictions_per_year:300000") as found:
        for name in FOLLOWING:
            found.page.locator(f"#{name}").scroll_into_view_if_needed()
            found.page.wait_for_selector(f"#{name} .main-svg")
            assert found.page.locator(f"#{name}").get_attribute("aria-label") == expected[name].says
        assert (found.complaints, found.requests) == ([], [])


def test_a_result_without_an_outlook_changes_nothing(browser: Browser, report: Path) -> None:
    with opened(browser, report) as found:
        draw(found.page, FOLLOWING)
        before = found.page.evaluate(SHOWN, "chart-npv")
        for result in ({"best": None, "candidates": {}}, {"best": "a", "candidates": {"a": {"outlook": None}}}):
            found.page.evaluate(
                "(result) => document.dispatchEvent(new CustomEvent('appraised', { detail: { result } }))", result
            )
        assert found.page.locator("[aria-busy]").count() == 0
        assert found.page.evaluate(SHOWN, "chart-npv") == before
        assert found.complaints == []


def test_charts_out_of_sight_are_drawn_anew_when_one_looks(browser: Browser, report: Path, full_study: Study) -> None:
    with opened(browser, report) as found:
        draw(found.page, FOLLOWING)
        found.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
        found.page.wait_for_timeout(300)
        before = found.page.evaluate(SHOWN, "chart-npv")
        set_prices(found.page, full_study, economics(predictions_per_year=3e5))
        found.page.wait_for_timeout(300)
        assert found.page.evaluate(SHOWN, "chart-npv") == before
        found.page.locator("#chart-npv").scroll_into_view_if_needed()
        found.page.wait_for_selector("#chart-npv:not([aria-busy])")
        assert found.page.evaluate(SHOWN, "chart-npv") != before
