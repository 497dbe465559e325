"""Links lead somewhere, on a code host as on the site, and pictures are small enough for both."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from docs.pages import DOCS, ROOT, headings, pages, text_of

LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")
# Bytes of a picture, and of all that the guides show of the report.
LARGEST, REPORT_PICTURES = 400_000, 700_000


def links(page: str) -> list[str]:
    return [link for link in LINK.findall(text_of(page)) if not link.startswith(("http://", "https://"))]


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(page: str) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.is_file(), f"{page}: {link}"
        if anchor:
            assert anchor in headings(str(target.relative_to(ROOT))), f"{page}: {link}"


@pytest.mark.parametrize("page", [page for page in pages() if page.startswith("docs/")])
def test_pages_of_the_site_lead_to_nothing_outside_it(page: str) -> None:
    for link in links(page):
        assert ((ROOT / page).parent / link.partition("#")[0]).resolve().is_relative_to(DOCS), f"{page}: {link}"


def test_every_page_can_be_reached_from_the_first() -> None:
    reached, left = set(), ["docs/index.md"]
    while left:
        page = left.pop()
        reached.add(page)
        found = [((ROOT / page).parent / link.partition("#")[0]).resolve() for link in links(page)]
        left += [str(path.relative_to(ROOT)) for path in found if path.suffix == ".md"]
        left = [page for page in left if page not in reached]
    assert {page for page in pages() if page.startswith("docs/")} <= reached


def test_pictures_are_small_and_shown() -> None:
    shown = {((ROOT / page).parent / link).resolve() for page in pages() for link in links(page)}
    kept = subprocess.run(["git", "ls-files", "docs"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    pictures = [ROOT / name for name in kept.split() if Path(name).suffix in (".png", ".svg")]
    assert all(path.stat().st_size < LARGEST for path in pictures)
    assert set(pictures) <= shown
    assert sum(path.stat().st_size for path in (DOCS / "report").glob("*.png")) < REPORT_PICTURES
