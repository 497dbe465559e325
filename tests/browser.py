"""Pages in a real browser: Debian's Chromium, driven by Playwright, with all that it complains of and asks for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Pictures of the pages' key states, to be looked at after a run of the tests.
ARTEFACTS = Path(os.environ.get("CROPWORTH_ARTEFACTS", Path(__file__).parents[1] / "test-artefacts"))
SIZES = {"desk": (1280, 900), "phone": (390, 844)}

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or google-chrome on the PATH")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page, and what it said and asked for since it was opened.

    Attributes:
        page: Playwright's.
        complaints: errors and warnings on the console, and exceptions that no script caught.
        requests: addresses asked for, but for the page's own and those that hold their content themselves.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def picture(self, name: str) -> Path:
        """Keep a picture of the whole page."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=True, animations="disabled")
        return path

    def violations(self) -> list[str]:
        """What axe finds wrong for people who use a keyboard or a screen reader."""
        script = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        self.page.evaluate(script)
        found = self.page.evaluate("() => axe.run(document)")["violations"]
        return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]

    def overflows(self) -> bool:
        """Whether the page scrolls sideways."""
        return bool(self.page.evaluate("() => document.documentElement.scrollWidth > innerWidth"))


@contextmanager
def opened(
    browser: Browser,
    address: str | Path,
    size: Literal["desk", "phone"] = "desk",
    scheme: Literal["light", "dark"] = "light",
    *,
    scripts: bool = True,
) -> Iterator[Opened]:
    """A page as a reader opens it.

    Args:
        browser: see `chromium`.
        address: of the page, or the path of its file.
        size: of the window.
        scheme: of the reader's colours.
        scripts: whether the reader lets scripts run.
    """
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts
    )
    page = context.new_page()
    found = Opened(page)
    address = address.as_uri() if isinstance(address, Path) else address
    own = address.partition("#")[0]
    page.on("console", lambda m: found.complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(("data:", "blob:", own)) else found.requests.append(r.url))
    page.goto(address, wait_until="load")
    yield found
    context.close()
