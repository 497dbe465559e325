"""The built site in a real browser: it asks for nothing elsewhere, complains of nothing, and can be searched."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser import chromium, needs_chromium, opened
from docs.pages import DOCS

pytestmark = needs_chromium
MAIN = ("index", "ten-minutes", "verdict", "economics", "api/crops", "results/sequences")
# What axe finds in the theme itself, on every page; its templates are not ours.
OF_THE_THEME = {"label-title-only", "landmark-unique", "region"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does: a warning is an error."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, out]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return out


@pytest.fixture(scope="module")
def site(built: Path) -> Iterator[str]:
    """Its address, on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(built))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_no_page_names_anything_to_load_from_elsewhere(built: Path) -> None:
    loads = re.compile(
        r'(?:src|poster|data)="(https?:)?//|<link[^>]+href="(https?:)?//|url\(["\']?(https?:)?//|@import'
    )
    for path in (*built.rglob("*.html"), *built.rglob("*.css")):
        assert not loads.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("page", MAIN)
def test_main_pages_ask_for_nothing_elsewhere_and_complain_of_nothing(browser: Browser, site: str, page: str) -> None:
    with opened(browser, f"{site}/{page}.html") as found:
        assert [request for request in found.requests if not request.startswith(site)] == []
        assert found.complaints == []
        assert [one for one in found.violations() if one.split(":")[0] not in OF_THE_THEME] == []


@pytest.mark.parametrize("page", MAIN)
def test_main_pages_fit_a_phone(browser: Browser, site: str, page: str) -> None:
    with opened(browser, f"{site}/{page}.html", "phone") as found:
        assert not found.overflows()


def test_dark_pages_are_dark_and_readable(browser: Browser, site: str) -> None:
    with opened(browser, f"{site}/verdict.html", scheme="dark") as found:
        shown = found.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", shown)[:3])) < 64
        assert [one for one in found.violations() if one.split(":")[0] not in OF_THE_THEME] == []
        found.picture("docs-verdict-dark")


def test_search_finds_a_page(browser: Browser, site: str) -> None:
    with opened(browser, f"{site}/search.html?q=tornado") as found:
        found.page.wait_for_selector("#search-results li a")
        targets = found.page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.href)")
        assert any("economics.html" in target for target in targets)
        assert found.complaints == []


def test_the_next_page_is_a_click_away(browser: Browser, site: str) -> None:
    with opened(browser, f"{site}/index.html") as found:
        found.picture("docs-index")
        found.page.click("article a:has-text('how to read a verdict')")
        assert found.page.url == f"{site}/verdict.html"
        found.page.click("article a:has-text('often shrink as data grow')")
        assert found.page.url == f"{site}/when-not.html#as-the-data-grow"
