"""Other prices in the page, in a real browser: what a reader moves, types, copies and sends to others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from browser import Opened, chromium, needs_chromium, opened
from cropworth.arguments import appraised, priced
from cropworth.report.html import write_report
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import read_economics
from cropworth.worth.results import Appraisal
from factories import make_record, make_study

pytestmark = needs_chromium

PRICES: dict[str, Any] = {
    "note": "example prices: “guesses”\nof #two lines",
    "predictions_per_year": 1e6,
    "cost_per_error": 0.05,
    "compute_price_per_hour": 0.3,
    "retrainings_per_year": 4,
    "engineering": {"once": 8000},
    "discount_rate": 0.08,
}
AWKWARD = ("</script>", "a.b", 'yes: "no", #7')
GUESSED: dict[str, Any] = {
    "predictions_per_year": {"low": 1e5, "mode": 1e6, "high": 2e6},
    "cost_matrix": {
        AWKWARD[0]: {AWKWARD[1]: 0.3, AWKWARD[2]: {"low": 0.1, "mode": 0.2, "high": 0.9}},
        AWKWARD[1]: {AWKWARD[2]: 0.05},
        AWKWARD[2]: {AWKWARD[0]: 0.0713},
    },
}
# What the page says, but for its own controls and inside of charts; white space aside.
TEXT = """() => [...document.querySelectorAll("main > :not(.what-if), head title")].map((node) => {
  const copy = node.cloneNode(true);
  copy.querySelectorAll(".chart > div").forEach((chart) => chart.remove());
  return copy.textContent.replace(/\\s+/g, "");
}).join("")"""
REWRITTEN = "[data-row][data-key], #table-tornado, #table-break-even, .reasons, h1, .verdict"
CELLS = f"""() => [...document.querySelectorAll("{REWRITTEN}")]
  .map((node) => node.outerHTML.replace(/\\s+/g, " ").replaceAll("> <", "><").replaceAll(" <", "<"))"""
LISTEN = """() => document.addEventListener("appraised", (event) => {
  window.appraised = event.detail;
  window.times = (window.times ?? 0) + 1;
})"""
SETTLE = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def study_of(seeds: int = 4, classes: tuple[str, ...] = ("0", "1", "2")) -> Study:
    """A baseline, a crop that reads more items right, and one that does not."""
    rng = np.random.default_rng(0)
    wrong = {"baseline": 40, "zoom": 22, "affine": 41}
    records = [
        make_record(name, seed, wrong=rng.choice(200, count + int(rng.integers(-3, 4)), replace=False))
        for name, count in wrong.items()
        for seed in range(seeds)
    ]
    latency = {"baseline": (0.002, 0.0021, 0.0019), "zoom": (0.001, 0.0011, 0.0012), "affine": (0.003, 0.003, 0.0031)}
    return replace(make_study(records, latency=latency), classes=classes)


def written(study: Study, prices: dict[str, Any], path: Path) -> Path:
    economics = read_economics(prices)
    write_report(study, appraise(study, economics), economics, path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def study() -> Study:
    return study_of()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, study: Study) -> Path:
    return written(study, PRICES, tmp_path_factory.mktemp("controls") / "report.html")


@contextmanager
def at(
    browser: Browser,
    address: Path | str,
    size: Literal["desk", "phone"] = "desk",
    scheme: Literal["light", "dark"] = "light",
) -> Iterator[Opened]:
    """A page of which nothing is complained and that asks for nothing, also after the test."""
    with opened(browser, address, size, scheme) as found:
        found.page.evaluate(LISTEN)
        yield found
        assert (found.complaints, found.requests) == ([], [])


def field(page: Page, path: str) -> Any:
    return page.locator(f'[data-path="{path}"] [type=text]')


def slider(page: Page, path: str) -> Any:
    return page.locator(f'[data-path="{path}"] [type=range]')


def write(page: Page, path: str, text: str) -> None:
    field(page, path).fill(text)
    field(page, path).press("Tab")
    page.evaluate(SETTLE)


def npv(page: Page, name: str = "zoom") -> float:
    return float(page.evaluate("(name) => window.appraised.result.candidates[name].npv.estimate", name))


def worth(study: Study, prices: dict[str, Any], *settings: str) -> Appraisal:
    return appraise(study, read_economics(prices, [f"economics.{setting}" for setting in settings]))


def npv_of(appraisal: Appraisal, name: str = "zoom") -> float:
    (found,) = (c.npv.estimate for c in appraisal.largest.candidates if c.name == name)
    assert found is not None
    return found


def test_at_the_studys_own_prices_the_page_says_what_it_was_made_with(browser: Browser, report: Path) -> None:
    with at(browser, report) as found:
        page = found.page
        text, cells = page.evaluate(TEXT), page.evaluate(CELLS)
        assert len(cells) > 20
        write(page, "predictions_per_year", "3000")
        write(page, "horizon_years", "1")
        assert page.evaluate(TEXT) != text
        write(page, "predictions_per_year", "1,000,000")
        write(page, "horizon_years", "3")
        assert page.evaluate("() => [window.times, window.appraised.changed]") == [4, False]
        assert page.evaluate(CELLS) == cells
        assert page.evaluate(TEXT) == text


def test_what_the_page_says_at_other_prices_is_what_another_report_says(
    browser: Browser, report: Path, study: Study, tmp_path: Path
) -> None:
    changed = {**PRICES, "predictions_per_year": 2e4, "horizon_years": 5, "engineering": {"once": 8000, "per_year": 70}}
    with at(browser, report) as found, at(browser, written(study, changed, tmp_path / "other.html")) as other:
        for path, text in (("predictions_per_year", "2e4"), ("horizon_years", "5"), ("engineering.per_year", "70")):
            write(found.page, path, text)
        assert found.page.evaluate("() => window.times") == 3
        assert found.page.title() == other.page.title()
        cells = ".scroll:not([data-static]) [data-key]"
        for place in ("h1", ".verdict", ".reasons", cells, "#table-tornado", "#table-break-even"):
            mine, theirs = (one.page.locator(place).all_inner_texts() for one in (found, other))
            assert mine == theirs, place
        found.picture("controls-changed")


def test_sliders_move_by_keys_and_appraise(browser: Browser, report: Path, study: Study) -> None:
    with at(browser, report) as found:
        page = found.page
        for keys in (("ArrowRight", "ArrowRight"), ("PageDown",), ("Home",), ("End",)):
            slider(page, "predictions_per_year").focus()
            for key in keys:
                page.keyboard.press(key)
            page.evaluate(SETTLE)
            moved = field(page, "predictions_per_year").input_value().replace(",", "")
            assert 1e5 <= float(moved) <= 1e7
            assert float(moved) != 1e6
            expected = npv_of(worth(study, PRICES, f"predictions_per_year={moved}"))
            assert npv(page) == pytest.approx(expected, rel=1e-6)
            said = slider(page, "predictions_per_year").get_attribute("aria-valuetext")
            assert said == f"{float(moved):,.0f} a year"
        page.go_back()  # one step, however often the same price was moved
        page.evaluate(SETTLE)
        assert field(page, "predictions_per_year").input_value() == "1,000,000"
        assert npv(page) == pytest.approx(npv_of(worth(study, PRICES)), rel=1e-6)


TYPED = [
    ("predictions_per_year", "5e6", 5e6),
    ("predictions_per_year", "1,234,567.5", 1234567.5),
    ("predictions_per_year", "2 000 000", 2e6),
    ("cost_per_error", "0", 0.0),
    ("cost_per_error", ".4", 0.4),
    ("discount_rate", "7", 0.07),
    ("discount_rate", "7.1 %", 0.071),
    ("growth", "\N{MINUS SIGN}50", -0.5),
    ("horizon_years", "30", 30),
]


def test_numbers_as_people_type_them(browser: Browser, report: Path, study: Study) -> None:
    with at(browser, report) as found:
        page = found.page
        page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
        changed: dict[str, float] = {}
        for path, text, value in TYPED:
            write(page, path, text)
            changed[path] = value
            assert f"{path}:" in page.url
            settings = [f"{name}={number!r}" for name, number in changed.items()]
            assert npv(page) == pytest.approx(npv_of(worth(study, PRICES, *settings)), rel=1e-6), (path, text)


NO_PRICES = [
    ("predictions_per_year", "many", "Write a number from 0, with a point before decimals."),
    ("predictions_per_year", "", "Write a number from 0"),
    ("predictions_per_year", "-1", "Write a number from 0"),
    ("predictions_per_year", "1e19", "Write a number from 0"),
    ("cost_per_error", "0,4", "with a point before decimals"),
    ("cost_per_error", "1.2.3", "with a point before decimals"),
    ("discount_rate", "1000", "Write a number from 0 to 999"),
    ("horizon_years", "2.5", "Write a whole number from 1 to 100."),
]


def test_what_is_no_price_is_told_at_its_field_and_changes_nothing(browser: Browser, report: Path) -> None:
    with at(browser, report) as found:
        page = found.page
        before = page.evaluate(TEXT)
        for path, text, told in NO_PRICES:
            write(page, path, text)
            assert told in page.locator(f'[data-path="{path}"] .error').inner_text()
            assert field(page, path).get_attribute("aria-invalid") == "true"
            assert told in page.locator("#said").inner_text()
        assert (page.evaluate(TEXT), page.evaluate("() => window.times ?? 0"), "#" in page.url) == (before, 0, False)
        write(page, "horizon_years", "2")
        assert not page.locator('[data-path="horizon_years"] .error').is_visible()
        assert field(page, "horizon_years").get_attribute("aria-invalid") is None


def test_reset(browser: Browser, report: Path) -> None:
    with at(browser, report) as found:
        page = found.page
        before = page.evaluate(TEXT)
        write(page, "cost_per_error", "4")
        write(page, "discount_rate", "0")
        assert page.locator("#changed").inner_text() == "Your prices: 2 changed."
        assert "EUR 0.05" not in page.locator('[data-path="discount_rate"]').inner_text()
        assert "In the study: 0.05 EUR." in page.locator('[data-path="cost_per_error"]').inner_text()
        page.locator("#reset").click()
        assert page.evaluate(TEXT) == before
        assert "#" not in page.url
        assert not page.locator("#scenario").is_visible()
        page.go_back()
        page.evaluate(SETTLE)
        assert page.locator("#changed").inner_text() == "Your prices: 2 changed."


def test_parts_that_stay_as_they_are_say_so_while_prices_are_changed(browser: Browser, report: Path) -> None:
    mark = """() => [...document.querySelectorAll("[data-static]")]
      .map((node) => getComputedStyle(node, "::before").content)"""
    with at(browser, report) as found:
        marks = found.page.evaluate(mark)
        assert len(marks) >= 3
        assert set(marks) == {"none"}
        write(found.page, "cost_per_error", "4")
        assert {"own prices" in said for said in found.page.evaluate(mark)} == {True}
        write(found.page, "cost_per_error", "0.05")
        assert set(found.page.evaluate(mark)) == {"none"}


def test_a_verdict_is_announced_when_it_changes(browser: Browser, report: Path) -> None:
    with at(browser, report) as found:
        page = found.page
        said = page.locator("#said")
        assert said.get_attribute("aria-live") == "polite"
        before = page.locator(".verdict .badge").inner_text()
        write(page, "cost_per_error", "0.051")
        assert (page.locator(".verdict .badge").inner_text(), said.inner_text()) == (before, "")
        write(page, "cost_per_error", "4")
        assert page.locator(".verdict .badge").inner_text() == "adopt"
        assert said.inner_text() == page.locator("h1").inner_text()


def test_a_link_carries_the_scenario(browser: Browser, report: Path, tmp_path: Path) -> None:
    with at(browser, report) as found:
        page = found.page
        write(page, "predictions_per_year", "5000000")
        write(page, "cost_per_error", "0.4")
        link, text = page.url, page.evaluate(TEXT)
        assert link.endswith("#p=predictions_per_year:5e6,cost_per_error:0.4")
        page.go_back()
        page.evaluate(SETTLE)
        assert field(page, "cost_per_error").input_value() == "0.05"
        page.go_forward()
        page.evaluate(SETTLE)
        assert page.evaluate(TEXT) == text
        page.locator(".contents a").first.click()  # a fragment of another kind
        page.evaluate(SETTLE)
        assert page.evaluate(TEXT) == text
    with at(browser, link) as found:
        found.page.evaluate(SETTLE)
        assert found.page.evaluate(TEXT) == text
        assert field(found.page, "predictions_per_year").input_value() == "5,000,000"


WRONG_LINKS = [
    ("p=cost_per_errors:2", "“cost_per_errors” is no price of this page"),
    ("p=", ""),
    ("p=cost_per_error:two", "“two” is not allowed for cost_per_error"),
    ("p=,,", ""),
    ("p=cost_per_error", "“” is not allowed for cost_per_error"),
    ("p=cost_per_error:-1", "“-1” is not allowed"),
    ("p=cost_per_error:1e999", "“1e999” is not allowed"),
    ("p=horizon_years:0", "“0” is not allowed"),
    ("p=%E0%A4%A:1", "“%E0%A4%A” is no price"),
    ("p=<img src=x onerror=alert(1)>:1", "is no price"),
    ("p=__proto__:1,constructor:2", "“__proto__” is no price of this page; “constructor” is no price"),
]


def test_what_is_wrong_in_a_link_is_ignored_and_told(browser: Browser, report: Path) -> None:
    with at(browser, f"{report.as_uri()}#p=no:1") as found:
        page, ignored = found.page, found.page.locator("#ignored")
        assert ignored.inner_text() == "Ignored in the link: “no” is no price of this page."
        for fragment, told in WRONG_LINKS:
            page.evaluate("(fragment) => { location.hash = fragment; }", fragment)
            page.evaluate(SETTLE)
            assert ignored.is_visible() == bool(told), fragment
            assert told in (ignored.text_content() or "")
        assert not page.locator("#scenario").is_visible()
        assert page.evaluate("() => window.times ?? 0") == 0


def test_what_is_right_in_a_link_is_kept(browser: Browser, report: Path) -> None:
    with at(browser, f"{report.as_uri()}#p=nonsense:1,cost_per_error:0.4,growth:0.1") as found:
        found.page.evaluate(SETTLE)
        assert found.page.locator("#changed").inner_text() == "Your prices: 2 changed."
        assert field(found.page, "growth").is_visible()  # in a part that is closed otherwise
        assert "“nonsense” is no price" in found.page.locator("#ignored").inner_text()


def test_what_was_copied_appraises_the_same_study_alike(
    browser: Browser, report: Path, study: Study, tmp_path: Path
) -> None:
    with at(browser, report) as found:
        page = found.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        write(page, "cost_per_error", "0.123456789012345")
        write(page, "engineering.per_year", "1e3")
        write(page, "discount_rate", "3.3")
        page.locator("#copy-yaml").click()
        page.wait_for_function("() => document.querySelector('#how-to-use').textContent.startsWith('Copied.')")
        copied = page.evaluate("() => navigator.clipboard.readText()")
        assert copied == page.locator("#copy-text").input_value()
        page.locator("#copy-link").click()
        page.wait_for_function("() => document.querySelector('#how-to-use').textContent.includes('link')")
        assert page.evaluate("() => navigator.clipboard.readText()") == page.url
        shown = page.locator("h1").inner_text()
        (tmp_path / "prices.yaml").write_text(copied, encoding="utf-8")
        economics, again = appraised(priced(study, tmp_path / "prices.yaml"), [])
        assert economics.note == PRICES["note"]
        assert (economics.discount_rate, economics.cost_per_error) == (0.033, 0.123456789012345)
        assert again.headline == shown
        for name in ("zoom", "affine"):
            assert npv(page, name) == pytest.approx(npv_of(again, name), rel=1e-6)


def test_a_browser_that_does_not_let_pages_copy_shows_the_text_selected(browser: Browser, report: Path) -> None:
    with at(browser, report) as found:
        page = found.page
        page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        write(page, "cost_per_error", "0.5")
        page.locator("#copy-yaml").click()
        page.wait_for_selector("#copied")
        assert "Copy this text" in page.locator("#how-to-use").inner_text()
        assert "cost_per_error: 0.5" in page.evaluate("() => getSelection().toString()")


def test_guesses_and_awkward_names(browser: Browser, tmp_path: Path) -> None:
    study = replace(study_of(3, AWKWARD), name="</script><b>")
    path = written(study, GUESSED, tmp_path / "report.html")
    entry = f"cost_matrix.{AWKWARD[0]}.{AWKWARD[1]}"
    guess = f"cost_matrix.{AWKWARD[0]}.{AWKWARD[2]}"
    with at(browser, path) as found:
        page = found.page
        cells = page.evaluate(CELLS)
        parts = {node.get_attribute("data-path"): node for node in page.locator(".field").all()}
        assert f"{AWKWARD[0]} taken for {AWKWARD[2]} times the study" in parts[guess].inner_text()
        assert "A guess: 0.1 to 0.9 EUR, likeliest 0.2. It is multiplied as a whole." in parts[guess].inner_text()
        for name, text in ((entry, "0.7"), (guess, "2"), ("predictions_per_year", "0.5")):
            box = parts[name].locator("[type=text]")
            box.fill(text)
            box.press("Tab")
        page.evaluate(SETTLE)
        link, estimate, text = page.url, npv(page), page.evaluate(TEXT)
        found.picture("controls-guesses")
        page.locator("#copy-yaml").click()
        (tmp_path / "prices.yaml").write_text(page.locator("#copy-text").input_value(), encoding="utf-8")
        economics, again = appraised(priced(study, tmp_path / "prices.yaml"), [])
        changed = economics.model_dump(exclude_unset=True)
        assert changed["predictions_per_year"] == {"low": 5e4, "mode": 5e5, "high": 1e6}
        assert changed["cost_matrix"][AWKWARD[0]] == {
            AWKWARD[1]: 0.7, AWKWARD[2]: {"low": 0.2, "mode": 0.4, "high": 1.8},
        }  # fmt: skip
        assert estimate == pytest.approx(npv_of(again), rel=1e-6)
        page.locator("#reset").click()
        assert page.evaluate(CELLS) == cells
    with at(browser, link) as found:
        found.page.evaluate(SETTLE)
        assert found.page.evaluate(TEXT) == text


def test_prices_that_decisions_are_tuned_to_are_locked(browser: Browser, tmp_path: Path) -> None:
    records = [make_record(name, seed, wrong=range(9 - seed)) for name in ("baseline", "zoom") for seed in range(3)]
    tuned = [replace(r, validation_labels=r.labels, validation_probabilities=r.probabilities) for r in records]
    prices = {**PRICES, "decision": "least-cost"}
    path = written(make_study(tuned), prices, tmp_path / "report.html")
    with at(browser, f"{path.as_uri()}#p=cost_per_error:2") as found:
        page = found.page
        assert field(page, "cost_per_error").is_disabled()
        assert slider(page, "cost_per_error").is_disabled()
        assert "cropworth appraise --set" in page.locator('[data-path="cost_per_error"]').inner_text()
        assert "cost_per_error cannot be set in this page" in page.locator("#ignored").inner_text()
        write(page, "predictions_per_year", "5")
        assert page.locator("#changed").inner_text() == "Your prices: 1 changed."


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_everyone_can_use_it(
    browser: Browser, report: Path, size: Literal["desk", "phone"], scheme: Literal["light", "dark"]
) -> None:
    with at(browser, report, size, scheme) as found:
        page = found.page
        write(page, "discount_rate", "a lot")
        write(page, "cost_per_error", "0")
        page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
        page.locator("#copy-yaml").click()
        found.picture(f"controls-{size}-{scheme}")
        assert found.violations() == []
        assert not found.overflows()
        targets = page.locator(".what-if :is(input, button, textarea, summary)").all()
        assert len(targets) > 20
        boxes = [target.bounding_box() for target in targets]
        assert all(box is not None and min(box["width"], box["height"]) >= 24 for box in boxes)


def test_everything_is_reached_by_the_keyboard(browser: Browser, report: Path) -> None:
    with at(browser, report) as found:
        page = found.page
        write(page, "cost_per_error", "0")
        reached: list[str] = []
        slider(page, "predictions_per_year").focus()
        while (
            name := page.evaluate("() => document.activeElement.ariaLabel ?? document.activeElement.id")
        ) not in reached:
            reached.append(name)
            page.keyboard.press("Tab")
        assert {"reset", "copy-yaml", "copy-link"} <= set(reached)
        assert (
            len([name for name in reached if name.endswith(", slider")])
            == page.locator(".what-if [type=range]:visible").count()
        )


def test_print_shows_the_prices_that_were_changed(browser: Browser, report: Path) -> None:
    with at(browser, report) as found:
        page = found.page
        page.emulate_media(media="print")
        assert not page.locator(".what-if").is_visible()
        page.emulate_media(media="screen")
        write(page, "cost_per_error", "0.4")
        page.emulate_media(media="print")
        shown = [node.get_attribute("data-path") for node in page.locator(".field").all() if node.is_visible()]
        assert shown == ["cost_per_error"]
        assert "Your prices: 1 changed." in page.locator(".what-if").inner_text()
        assert not page.locator("#reset").is_visible()
        found.picture("controls-print")


def test_without_scripts_a_sentence_says_what_to_run(browser: Browser, report: Path) -> None:
    with opened(browser, report, scripts=False) as found:
        assert "cropworth appraise --set" in found.page.locator("#unscripted").inner_text()
        assert not found.page.locator("#prices-form").is_visible()


def test_no_controls_where_nothing_can_be_appraised(browser: Browser, tmp_path: Path) -> None:
    study = make_study([make_record(), make_record("zoom", status="diverged")])
    with at(browser, written(study, PRICES, tmp_path / "report.html")) as found:
        assert found.page.locator(".what-if").count() == 0
