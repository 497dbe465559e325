"""The pages in a real browser, while a real study runs beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser import Opened, chromium, needs_chromium, opened
from serve.conftest import TOKEN, served
from tiny import tiny_values, write_plan

pytestmark = needs_chromium
PATIENCE_MS = 120_000
STUDY = "#studies a:text-is('tiny')"
STUDY = "#studies a:text-is('tiny')"
# A study that ends no more epochs than its test allows, so that what a page shows meanwhile can be told in advance.
PACED = """
import sys, time
from pathlib import Path
from cropworth.cli import main
from cropworth.study import train

allowed, done, validate = Path(sys.argv.pop()), 0, train.validate

def paced(*arguments):
    global done
    done += 1
    while int(allowed.read_text() or 0) < done:
        time.sleep(0.05)
    return validate(*arguments)

train.validate = paced
main()
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


class Training:
    """A real study of four trials with three epochs each.

    Args:
        folder: with the plan; the study is its `studies/tiny`.
    """

    def __init__(self, folder: Path) -> None:
        plan = write_plan(folder, training={**tiny_values()["training"], "epochs": 3})
        self.out, self.allowed = folder / "studies" / "tiny", folder / "allowed"
        self.allow(0)
        command = [sys.executable, "-c", PACED, "study", plan, "--out", self.out, "--jobs", "1", self.allowed]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def allow(self, epochs: int) -> None:
        """Let it go on until so many epochs, of all trials together, have ended."""
        self.allowed.write_text(str(epochs))

    def __enter__(self) -> Training:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def until(happened: Callable[[], object]) -> None:
    """Wait in steps: Playwright's own waiting evaluates text, which the pages' policy forbids."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.2)


def in_order(found: Opened) -> None:
    assert (found.complaints, found.requests, found.overflows()) == ([], [], False)
    assert found.violations() == []


def drawn(page: Page, lines: str) -> list[int]:
    """How many epochs each of the lines has."""
    epochs: list[int] = page.eval_on_selector_all(lines, "all => all.map((one) => one.points.length)")
    return epochs


def test_a_study_from_its_start_to_its_verdict(browser: Browser, tiny: Path) -> None:
    folder = tiny / "studies"
    folder.mkdir()
    with served(folder) as (address, _), opened(browser, address) as found:
        page = found.page
        expect(page.locator("#studies")).to_contain_text("There is no study here yet")
        page.evaluate("window.unloaded = false")
        found.picture("serve-empty")
        with Training(tiny) as training:
            expect(page.locator("#studies")).to_contain_text("running", timeout=PATIENCE_MS)
            assert page.evaluate("window.unloaded") is False
            page.click(STUDY)
            page.evaluate("window.unloaded = false")
            expect(page.locator("#standing")).to_contain_text("0 of 4 trials, 1 running", timeout=PATIENCE_MS)
            for epochs in (1, 2):
                training.allow(epochs)
                until(lambda epochs=epochs: drawn(page, "polyline.live") == [epochs])
                expect(page.locator("#live tbody tr")).to_contain_text(f"{epochs} of up to 3")
            training.allow(8)  # two trials, and two epochs of the third
            until(lambda: drawn(page, "polyline") == [3, 3, 2] or drawn(page, "polyline") == [3, 2, 3])
            expect(page.locator("#standing")).to_contain_text("2 of 4 trials, 1 running", timeout=PATIENCE_MS)
            in_order(found)
            found.picture("serve-running")
            with opened(browser, page.url) as other:
                training.allow(12)
                for one in (found, other):
                    expect(one.page.locator("#standing")).to_contain_text("The study is finished", timeout=PATIENCE_MS)
                    expect(one.page.locator("#verdict .badge")).to_have_text("not enough evidence", timeout=PATIENCE_MS)
                    expect(one.page.locator("#crops li")).not_to_have_count(0)
                    assert drawn(one.page, "polyline") == [3] * 4
                assert other.complaints == []
        in_order(found)
        assert page.evaluate("window.unloaded") is False
        assert page.eval_on_selector_all("#crops img", "all => all.every((one) => one.naturalWidth > 0)")
        found.picture("serve-finished")
        page.click("#to-report")
        page.wait_for_selector("h1")
        assert page.url.endswith("/report")
        assert (found.complaints, found.requests) == ([], [])


def test_a_run_that_is_killed(browser: Browser, tiny: Path) -> None:
    (tiny / "studies").mkdir()
    with Training(tiny) as training, served(tiny / "studies") as (address, _), opened(browser, address) as found:
        page = found.page
        page.click(STUDY, timeout=PATIENCE_MS)
        training.allow(1)
        until(lambda: drawn(page, "polyline.live") == [1])
        training.process.send_signal(signal.SIGKILL)
        expect(page.locator("#standing")).to_contain_text("Nothing runs here now", timeout=PATIENCE_MS)
        expect(page.locator("#live")).to_be_empty()
        assert drawn(page, "polyline") == []
        assert any((training.out / "live").iterdir())
        in_order(found)
        found.picture("serve-killed")


def test_a_server_that_is_gone(browser: Browser, studies: Path) -> None:
    with served(studies) as (address, process), opened(browser, address) as found:
        expect(found.page.locator("#silent")).to_be_hidden()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        expect(found.page.locator("#silent")).to_contain_text("does not answer", timeout=PATIENCE_MS)
        expect(found.page.locator("#studies")).to_contain_text("tiny")


def test_the_keyboard_reaches_everything_and_keeps_its_place(browser: Browser, studies: Path) -> None:
    with served(studies) as (address, _), opened(browser, address) as found:
        page = found.page
        page.locator("#studies a").focus()
        focused = "document.activeElement.id"
        before = page.evaluate(focused)
        assert before.startswith("study-")
        os.utime(studies / "july" / "tiny" / "latency.json", (0, 10_000_000_000))
        expect(page.locator("#studies")).to_contain_text("2286-11-20", timeout=PATIENCE_MS)
        assert page.evaluate(focused) == before
        page.keyboard.press("Enter")
        page.wait_for_selector("#curves")


@pytest.mark.parametrize(("size", "scheme"), [("desk", "dark"), ("phone", "light"), ("phone", "dark")])
def test_looks(browser: Browser, studies: Path, size: str, scheme: str) -> None:
    (studies / "broken").mkdir()
    (studies / "broken" / "study.json").write_text("{")
    with served(studies) as (address, _), opened(browser, address, size, scheme) as found:  # type: ignore[arg-type]
        page = found.page
        page.wait_for_selector(".badge", timeout=PATIENCE_MS)
        in_order(found)
        found.picture(f"serve-list-{size}-{scheme}")
        page.click(STUDY)
        page.wait_for_selector(".badge", timeout=PATIENCE_MS)
        in_order(found)
        found.picture(f"serve-study-{size}-{scheme}")


def test_without_scripts(browser: Browser, studies: Path) -> None:
    with served(studies) as (address, _), opened(browser, address, scripts=False) as found:
        found.page.click(STUDY)
        expect(found.page.locator("polyline")).to_have_count(4)
        assert (found.complaints, found.requests) == ([], [])


def test_a_token_opens_the_pages_and_leaves_the_address(browser: Browser, studies: Path) -> None:
    with served(studies, token=TOKEN) as (address, _):
        with opened(browser, address) as found:
            assert "needs its token" in found.page.inner_text("body")
        with opened(browser, f"{address}?token={TOKEN}") as found:
            assert found.page.url == address
            found.page.click(STUDY)
            found.page.wait_for_selector("#crops img")
            assert found.page.eval_on_selector_all("#crops img", "all => all.every((one) => one.naturalWidth > 0)")
            assert found.page.evaluate("document.cookie") == ""
            assert found.complaints == []
            assert all(request.startswith(address) for request in found.requests)
