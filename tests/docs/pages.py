"""The pages of README and docs, and the fenced blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Included by pages of the site, where they are links of their own.
BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


@dataclass(frozen=True)
class Block:
    """What stands between two fences.

    Attributes:
        page: its path from the root.
        line: of the fence.
        language: the word behind the fence; in braces for what the site's builder does, and checks, by itself.
        text: without the fences.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Every page, as a path from the root."""
    return [*BESIDE, *sorted(str(path.relative_to(ROOT)) for path in DOCS.rglob("*.md"))]


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page in their order, but for the builder's own."""
    text = text_of(page)
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    blocks = [Block(page, text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in found]
    assert 2 * len(list(re.finditer(r"^\s*```", text, re.MULTILINE))) == 4 * len(blocks), f"{page}: a fence is open"
    return [block for block in blocks if not block.language.startswith("{")]


def headings(page: str) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    outside = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", outside, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
