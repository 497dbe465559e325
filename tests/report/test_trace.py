"""Every number is traced in a real browser: its formula by pointer and keyboard, its values and records in a dialog."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pypdf import PdfReader

from browser import chromium, needs_chromium, opened
from cropworth.report.formulas import FORMULAS
from cropworth.report.html import write_report
from cropworth.study.record import Record, Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.results import Appraisal
from cropworth.worth.words import money
from report.test_report_outlook import PRICES, study_of

pytestmark = needs_chromium


GUESS = {"low": 500, "mode": 1000, "high": 1500}


@dataclass(frozen=True)
class Told:
    """A page, and what it was made of."""

    path: Path
    study: Study
    appraisal: Appraisal
    economics: Economics


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    study, economics = (
        study_of((400, 1600)),
        read_economics(PRICES | {"discount_rate": 0.08} | {"predictions_per_year": GUESS}),
    )
    appraisal = appraise(study, economics)
    path = tmp_path_factory.mktemp("trace") / "report.html"
    write_report(study, appraisal, economics, path)
    return Told(path, study, appraisal, economics)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def shared(browser: Browser, told: Told) -> Iterator[Page]:
    with opened(browser, told.path) as found:
        yield found.page
        assert (found.complaints, found.requests) == ([], [])


@pytest.fixture
def page(shared: Page) -> Page:
    """The one page, which takes long to open, with nothing asked, pointed at or focused, at the study's own prices."""
    shared.mouse.move(2, 2)
    shared.evaluate("document.querySelector('dialog[open]')?.close()")
    shared.evaluate("document.activeElement.blur()")
    shared.evaluate("document.getElementById('reset').click()")
    return shared


def set_price(page: Page, path: str, value: str) -> None:
    """Another price, as a reader sets it."""
    for details in page.locator(f'details:has([data-path="{path}"])').all():
        details.evaluate("(one) => { one.open = true; }")
    said = "new Promise((done) => document.addEventListener('appraised', () => done(true), { once: true }))"
    page.evaluate(f"window.said = {said}; null")
    page.locator(f'[data-path="{path}"] [type=text]').fill(value)
    page.evaluate("window.said")


def cell(page: Page, key: str, row: str = "crop") -> Locator:
    return page.locator(f'main td[data-key="{key}"][data-row="{row}"]').first


def rows_of(table: Locator) -> list[list[str]]:
    return [row.locator("th, td").all_inner_texts() for row in table.locator("tbody tr").all()]


def ask(page: Page, key: str, row: str = "crop") -> Locator:
    cell(page, key, row).click()
    return page.locator("dialog[open]")


def go_to(one: Locator) -> None:
    """Have the focus in this cell, as after a look at its records."""
    one.click()
    one.page.keyboard.press("Escape")
    expect(one).to_be_focused()


def values_of(dialog: Locator) -> dict[str, str]:
    return {symbol: value for symbol, _, value in rows_of(dialog.locator("table.symbols"))}


def records_of(dialog: Locator) -> list[dict[str, str]]:
    table = dialog.get_by_label("Trials", exact=True).locator("table")
    titles = table.locator("thead th").all_inner_texts()
    return [dict(zip(titles, row, strict=True)) for row in rows_of(table)]


def of_size(study: Study, size: int, *names: str) -> list[Record]:
    return [record for name in names for record in study.of(name, size)]


# The formula


def test_pointing_at_a_number_shows_its_formula_until_the_pointer_leaves(page: Page) -> None:
    tip = page.get_by_role("tooltip")
    expect(tip).to_be_hidden()
    cell(page, "npv").hover()
    expect(tip).to_be_visible()
    assert FORMULAS["npv"].formula in tip.inner_text()
    assert cell(page, "npv").get_attribute("aria-describedby") == tip.get_attribute("id")
    tip.hover()  # the pointer may go to it, to read or to copy
    page.wait_for_timeout(400)
    expect(tip).to_be_visible()
    page.mouse.move(2, 2)
    expect(tip).to_be_hidden()
    assert cell(page, "npv").get_attribute("aria-describedby") is None


def test_escape_hides_the_formula(page: Page) -> None:
    cell(page, "roi").hover()
    expect(page.get_by_role("tooltip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()


def test_the_formula_stays_within_the_window(page: Page) -> None:
    tip = page.get_by_role("tooltip")
    for key in ("npv", "break_even_predictions_per_year", "probability_worth_it", "peak_memory_bytes"):
        cell(page, key).hover()
        expect(tip).to_contain_text(FORMULAS[key].name)
        box = tip.bounding_box()
        size = page.viewport_size
        assert box is not None
        assert size is not None
        assert 0 <= box["x"] <= size["width"] - box["width"]
        assert 0 <= box["y"] <= size["height"] - box["height"]


# The keyboard


def test_tab_stops_once_at_each_table_and_arrows_move_within(page: Page) -> None:
    grids = page.get_by_role("grid")
    count = grids.count()
    assert count >= 6
    assert page.locator('[role="grid"] [tabindex]').count() == page.locator("main table:has([data-key])").count()
    go_to(cell(page, "verdict"))
    page.keyboard.press("ArrowRight")
    expect(cell(page, "npv")).to_be_focused()
    expect(page.get_by_role("tooltip")).to_contain_text(FORMULAS["npv"].formula)
    page.keyboard.press("ArrowDown")  # the table has one row
    expect(cell(page, "npv")).to_be_focused()
    page.keyboard.press("End")
    expect(cell(page, "reason")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(cell(page, "reason")).to_be_focused()
    page.keyboard.press("Tab")
    first = grids.nth(1).locator('[tabindex="0"]')
    expect(first).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(cell(page, "reason")).to_be_focused()  # where one left the table


def test_home_and_end_of_row_and_table(page: Page) -> None:
    grid = page.locator("#table-break-even")
    go_to(grid.locator("td").nth(7))
    for key, place in (("End", (1, 5)), ("Control+End", (4, 5)), ("Home", (4, 0)), ("Control+Home", (0, 0))):
        page.keyboard.press(key)
        row, column = place
        expect(grid.locator("tbody tr").nth(row).locator("th, td").nth(column)).to_be_focused()


def test_enter_opens_the_records_and_the_focus_comes_back(page: Page) -> None:
    go_to(cell(page, "verdict"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("Net present value: crop")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(cell(page, "npv")).to_be_focused()
    page.keyboard.press(" ")
    page.get_by_role("button", name="Close").click()
    expect(cell(page, "npv")).to_be_focused()


def test_a_click_beside_the_dialog_closes_it(page: Page) -> None:
    dialog = ask(page, "npv")
    dialog.locator("h3").first.click()
    expect(dialog).to_have_count(1)
    page.mouse.click(5, 5)
    expect(dialog).to_have_count(0)


# What the dialog says


def test_an_npv_with_its_values_and_the_records_of_both(page: Page, told: Told) -> None:
    (candidate,) = told.appraisal.largest.candidates
    dialog = ask(page, "npv")
    expect(dialog.locator(".number")).to_contain_text(money(candidate.npv.estimate, "EUR"))
    values = values_of(dialog)
    assert values["I₀"] == money(candidate.investment, "EUR")
    assert values["CF(1)"] == money(candidate.cash_flow_per_year, "EUR")
    assert values["dv"] == money(candidate.value_per_prediction.estimate, "EUR")
    assert (values["r"], values["T"], values["V(1)"]) == ("8.0 %", "3 years", "500 to 1,500, likeliest 1,000")
    records, expected = records_of(dialog), of_size(told.study, 1600, "crop", "baseline")
    assert [(r["variant"], r["seed"], r["outcome"], r["trial"]) for r in records] == [
        (r.variant, str(r.seed), "ok", r.trial) for r in expected
    ]
    for shown, record in zip(records, expected, strict=True):
        assert float(shown["accuracy"].removesuffix(" %")) == pytest.approx(100 * (record.accuracy or 0), rel=1e-4)
        assert float(shown["machine seconds"]) == record.training_wall_s * record.threads / record.cores


def test_an_accuracy_is_the_mean_of_the_records_of_its_variant(page: Page, told: Told) -> None:
    dialog = ask(page, "accuracy", "baseline")
    records = records_of(dialog)
    assert {record["variant"] for record in records} == {"baseline"}
    mean = fmean(float(record["accuracy"].removesuffix(" %")) for record in records)
    expect(dialog.locator(".number")).to_contain_text(f"{mean:.1f} %")
    assert dialog.get_by_label("Rounds of timing").count() == 0


def test_rounds_of_timing_stand_side_by_side(page: Page, told: Told) -> None:
    assert told.study.latency is not None
    dialog = ask(page, "costs.inference")
    rounds = rows_of(dialog.get_by_label("Rounds of timing").locator("table"))
    times = told.study.latency.seconds_per_item
    assert [float(row[1]) for row in rounds] == pytest.approx([1e3 * t for t in times["crop"]], rel=1e-4)
    assert [float(row[2]) for row in rounds] == pytest.approx([1e3 * t for t in times["baseline"]], rel=1e-4)


def test_a_smaller_training_set_has_its_own_values_and_records(page: Page, told: Told) -> None:
    dialog = ask(page, "npv@400")
    (candidate,) = told.appraisal.sizes[0].candidates
    assert values_of(dialog)["dv"] == money(candidate.value_per_prediction.estimate, "EUR")
    assert {record["items"] for record in records_of(dialog)} == {"400"}


def test_every_number_of_the_page_can_be_asked_for(page: Page) -> None:
    found = page.evaluate("[...document.querySelectorAll('[data-key]')].map((cell) => cell.dataset.key)")
    kinds = {key.partition("@")[0] for key in found}
    assert {"npv", "net_benefit", "grid", "npv_at_low", "record", "expected_rank"} <= kinds
    for details in page.locator("details").all():
        details.evaluate("(one) => { one.open = true; }")
    for key in sorted(kinds):
        page.locator(f'main :is([data-key="{key}"], [data-key^="{key}@"])').first.click()
        expect(page.locator("dialog[open] .formula")).to_have_text(FORMULAS[key.partition("@")[0]].formula)
        page.keyboard.press("Escape")


def test_other_prices_are_shown_with_their_values(page: Page, told: Told) -> None:
    set_price(page, "engineering.once", "4321")
    set_price(page, "predictions_per_year", "2")  # of a guess, a multiple
    guess = {end: 2 * price for end, price in GUESS.items()}
    economics = told.economics.model_dump() | {"engineering": {"once": 4321}, "predictions_per_year": guess}
    (candidate,) = appraise(told.study, read_economics(economics)).largest.candidates
    dialog = ask(page, "npv")
    expect(dialog.locator(".number")).to_contain_text(money(candidate.npv.estimate, "EUR"))
    expect(dialog).to_contain_text("the prices that are set in this page")
    values = values_of(dialog)
    assert values["I₀"] == money(candidate.investment, "EUR")
    assert values["CF(1)"] == money(candidate.cash_flow_per_year, "EUR")
    assert (values["V(1)"], values["r"]) == ("1,000 to 3,000, likeliest 2,000", "8.0 %")
    page.keyboard.press("Escape")
    dialog = ask(page, "npv@400")
    assert values_of(dialog)["V(1)"] == "500 to 1,500, likeliest 1,000"
    expect(dialog).to_contain_text("own prices")


def test_tables_that_are_written_anew_can_be_asked_and_keep_a_stop(page: Page) -> None:
    set_price(page, "engineering.once", "77")
    for table in ("#table-tornado", "#table-break-even"):
        assert page.locator(f"{table} [tabindex]").count() == 1
        page.locator(f"{table} td").last.click()
        expect(page.locator("dialog[open] .formula")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator(f"{table} td").last).to_be_focused()


# For everyone


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_with_a_formula_or_the_dialog_open(browser: Browser, told: Told, scheme: Any) -> None:
    with opened(browser, told.path, scheme=scheme) as found:
        for details in found.page.locator("section:has(#trace-list) details").all():
            details.locator("summary").click()
        if scheme == "light":
            cell(found.page, "npv").hover()
            expect(found.page.get_by_role("tooltip")).to_be_visible()
        else:
            ask(found.page, "npv")
        assert found.violations() == []
        found.picture(f"trace-{scheme}")


def test_a_tap_opens_the_records_on_a_phone(browser: Browser, told: Told) -> None:
    with opened(browser, told.path, "phone") as found:
        dialog = ask(found.page, "npv")
        assert not found.overflows()
        box = dialog.bounding_box()
        assert box is not None
        assert (box["x"], box["width"]) == (0, 390)
        assert dialog.evaluate("(one) => one.scrollWidth <= one.clientWidth")
        found.picture("trace-dialog-phone")


def test_the_formulas_are_printed(browser: Browser, told: Told, tmp_path: Path) -> None:
    with opened(browser, told.path) as found:
        found.page.pdf(path=tmp_path / "report.pdf", format="A4")
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(tmp_path / "report.pdf").pages).split())
    assert FORMULAS["perfect_information"].says in text
    assert "Point at a number" not in text


def test_without_scripts_formulas_and_trials_stand_in_details(browser: Browser, told: Told) -> None:
    with opened(browser, told.path, scripts=False) as found:
        section = found.page.locator("section:has(#trace-list)")
        for details in section.locator("details").all():
            details.locator("summary").click()
        expect(section).to_contain_text(FORMULAS["npv"].formula)
        expect(section.locator("table tbody tr")).to_have_count(len(told.study.records))
        expect(section.get_by_text("Point at a number")).to_be_hidden()
        assert found.page.locator("[role=grid]").count() == 0


def test_the_data_are_read_when_the_first_number_is_asked_for(browser: Browser, told: Told) -> None:
    with opened(browser, told.path) as found:
        page, written = found.page, "document.getElementById('trace-data')"
        data = json.loads(page.evaluate(f"{written}.textContent"))
        data["formulas"]["npv"]["name"] = "Written after the page was opened"
        page.evaluate(f"(text) => {{ {written}.textContent = text; }}", json.dumps(data))
        expect(ask(page, "npv").get_by_role("heading", level=2)).to_have_text("Written after the page was opened: crop")


def test_sentences_are_explained_by_the_numbers_of_the_tables(page: Page) -> None:
    buttons = page.locator(".explain:visible")
    keys = [button.get_attribute("data-explains") for button in buttons.all()]
    assert keys == ["npv", "accuracy", "roi", "probability_worth_it"]
    for key in keys:
        told = []
        for asked in (f'.explain[data-explains="{key}"]', f'main td[data-row="crop"][data-key="{key}"]'):
            page.locator(asked).first.click()
            told.append(page.locator("dialog[open]").inner_text())
            page.keyboard.press("Escape")
        assert told[0] == told[1]
        assert re.search(r"From \d+ trials", told[0])
    buttons.nth(1).focus()
    page.keyboard.press("Shift+Tab")  # focus by keyboard, which shows the formula
    assert FORMULAS["npv"].formula in page.locator("#trace-tip").inner_text()
