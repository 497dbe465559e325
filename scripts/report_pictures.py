"""Render docs/report.png and docs/report/*.png from a study's folder: the parts of its report that the guides show.

    python scripts/report_pictures.py cropworth-demo

Needs playwright and Debian's chromium. The page is rendered anew from the study's records, at its own prices; the study
is left as it is. What a page does not have, such as pictures of crops, is told, and keeps the picture that is there.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from cropworth import appraise, read_economics
from cropworth.report.html import render
from cropworth.study.ledger import Ledger

DOCS = Path(__file__).parents[1] / "docs"
WIDTH, TALL, COLOURS = 1000, 1150, 96
# The text of the report is grey on white: a palette of few colours loses nothing that one sees.
LARGEST = 150_000


@dataclass(frozen=True)
class Shot:
    """A part of the page.

    Attributes:
        name: of the picture, in docs.
        element: what is shown.
        height: pixels of it at most.
        start: what in it is the first to be shown; else its upper edge.
        prices: what is typed into the page's fields before, by their paths.
    """

    name: str
    element: str
    height: int
    start: str = ""
    prices: Mapping[str, str] = field(default_factory=dict)


SHOTS = (
    Shot("report", "main", TALL),
    Shot("report/verdict", "section:has(h1), header:has(h1)", 620),
    Shot("report/worth", "section:has(#worth)", 490),
    Shot("report/depends", "section:has(#depends)", 1055),
    Shot("report/measured", "section:has(#measured)", 400),
    Shot("report/crops", "section:has(#crops)", 900, start="h4:has(+ ul.sheet)"),
    Shot("report/what-if", "main", TALL, prices={"predictions_per_year": "100000"}),
)


def main(folder: Path) -> None:
    """Write all pictures that the page has."""
    study = Ledger(folder).read()
    economics = read_economics(study.economics)
    with tempfile.TemporaryDirectory() as beside, sync_playwright() as playwright:
        path = Path(beside) / "report.html"
        path.write_text(render(study, appraise(study, economics), economics), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": TALL}, color_scheme="light")
        page.goto(path.as_uri(), wait_until="load")
        page.wait_for_timeout(3000)  # charts are drawn after the first paint
        for shot in SHOTS:
            told = take(page, shot)
            print(f"{shot.name}: {told}")
        browser.close()


def take(page: Page, shot: Shot) -> str:
    """Write one picture, and say how large it is."""
    for path, price in shot.prices.items():
        number = page.query_selector(f'[data-path="{path}"] input[type=text]')
        if number is None:
            return "the page has no fields"
        number.fill(price)
        number.press("Enter")
    page.evaluate("scrollTo(0, 0)")
    found = page.query_selector(shot.element)
    box = found.bounding_box() if found else None
    if box is None:
        return "not in this page"
    first = found.query_selector(shot.start) if found and shot.start else found
    top = ((first and first.bounding_box()) or box)["y"]
    clip = {"x": 0, "y": top, "width": WIDTH, "height": min(box["y"] + box["height"] - top, shot.height)}
    raw = page.screenshot(full_page=True, clip=clip, animations="disabled")
    path = DOCS / f"{shot.name}.png"
    path.parent.mkdir(exist_ok=True)
    picture = Image.open(io.BytesIO(raw)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    size = path.stat().st_size
    assert size < LARGEST, f"{path}: {size:,} bytes"
    return f"{picture.width} x {picture.height} pixels, {size:,} bytes"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/report_pictures.py STUDY_FOLDER")
    main(Path(sys.argv[1]))
