"""The pages in a real browser, while a real study runs beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser import Opened, chromium, needs_chromium, opened
from serve.conftest import TOKEN, served
from tiny import tiny_values, write_plan

pytestmark = needs_chromium
PATIENCE_MS = 120_000
STUDY = "#studies a:text-is('tiny')"
LONG = {**tiny_values()["training"], "epochs": 250, "patience": 250}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@contextmanager
def training(tiny: Path, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real study of four trials that take some seconds each."""
    plan = write_plan(tiny, training=LONG)
    code = "from cropworth.cli import main; main()"
    command = [sys.executable, "-c", code, "study", str(plan), "--out", str(out), "--jobs", "1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def until(happened: Callable[[], object]) -> None:
    """Wait in steps: Playwright's own waiting evaluates text, which the pages' policy forbids."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.2)


def in_order(found: Opened) -> None:
    assert (found.complaints, found.requests, found.overflows()) == ([], [], False)
    assert found.violations() == []


def drawn(page: Page) -> list[int]:
    """How many epochs each line that grows has."""
    lines: list[int] = page.eval_on_selector_all("polyline.live", "all => all.map((one) => one.points.length)")
    return lines


def finished_trials(page: Page) -> float:
    return float(page.eval_on_selector("progress", "one => one.value"))


def test_a_study_from_its_start_to_its_verdict(browser: Browser, tiny: Path) -> None:
    folder = tiny / "studies"
    folder.mkdir()
    with served(folder) as (address, _), opened(browser, address) as found:
        page = found.page
        expect(page.locator("#studies")).to_contain_text("There is no study here yet")
        page.evaluate("window.unloaded = false")
        found.picture("serve-empty")
        with training(tiny, folder / "tiny"):
            expect(page.locator("#studies")).to_contain_text("running", timeout=PATIENCE_MS)
            assert page.evaluate("window.unloaded") is False
            with opened(browser, address) as other:
                other.page.click(STUDY)
                page.click(STUDY)
                page.evaluate("window.unloaded = false")
                page.wait_for_selector("polyline.live", state="attached", timeout=PATIENCE_MS)
                (first,) = drawn(page)
                until(lambda: max(drawn(page), default=0) > first)
                for part in ("#live", "#curves"):
                    expect(page.locator(part)).to_contain_text("250")
                until(lambda: finished_trials(page) >= 1)
                assert finished_trials(page) < 4
                in_order(found)
                found.picture("serve-running")
                for one in (found, other):
                    expect(one.page.locator("#standing")).to_contain_text("The study is finished", timeout=PATIENCE_MS)
                    expect(one.page.locator("#verdict .badge")).to_have_text("not enough evidence", timeout=PATIENCE_MS)
                    assert finished_trials(one.page) == 4
                    expect(one.page.locator("#crops li")).to_have_count(6)
                in_order(other)
        assert page.evaluate("window.unloaded") is False
        assert page.eval_on_selector_all("#crops img", "all => all.every((one) => one.naturalWidth > 0)")
        found.picture("serve-finished")
        page.click("#to-report")
        page.wait_for_selector("h1")
        assert page.url.endswith("/report")
        assert (found.complaints, found.requests) == ([], [])


def test_a_run_that_is_killed(browser: Browser, tiny: Path) -> None:
    with served(tiny) as (address, _), training(tiny, tiny / "tiny") as run, opened(browser, address) as found:
        page = found.page
        page.click(STUDY, timeout=PATIENCE_MS)
        page.wait_for_selector("polyline.live", state="attached", timeout=PATIENCE_MS)
        run.send_signal(signal.SIGKILL)
        expect(page.locator("#standing")).to_contain_text("Nothing runs here now", timeout=PATIENCE_MS)
        expect(page.locator("#live")).to_be_empty()
        assert drawn(page) == []
        assert any((tiny / "tiny" / "live").iterdir())
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
