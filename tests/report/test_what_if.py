"""What the page computes at other prices is what Python says at them: in a real browser, over many prices."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from browser import chromium, needs_chromium
from cropworth.worth.appraisal import appraise
from cropworth.worth.as_json import to_json
from cropworth.worth.economics import read_economics
from cropworth.worth.what_if import what_if
from report.other_prices import STUDIES, moved

pytestmark = needs_chromium
SCRIPTS = ("distributions", "words", "scenario", "simulation", "appraise")
SETTINGS = 40  # of each study


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A blank page with the engine."""
    found = browser.new_page()
    folder = resources.files("cropworth.report") / "templates" / "js"
    scripts = "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    found.set_content(f"<script>{scripts}</script>")
    yield found
    found.close()


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_and_python_agree(page: Page, name: str) -> None:
    made = STUDIES[name]()
    model = what_if(made.study, read_economics(made.prices))
    assert model is not None
    rng = np.random.default_rng(list(STUDIES).index(name))
    settings: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, made.prices)]
    settings += [moved(rng, model, made) for _ in range(SETTINGS)]
    results = page.evaluate(
        "([model, settings]) => settings.map((prices) => appraise(model, prices))",
        [json.loads(json.dumps(model)), [changed for changed, _ in settings]],
    )
    for (changed, prices), result in zip(settings, results, strict=True):
        expected = to_json(appraise(made.study, read_economics(prices)))
        assert differences(result, expected) == [], f"at {changed}"


def differences(result: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Where the page's result is not Python's."""
    largest = max(map(abs, numbers(expected["candidates"])), default=0.0)
    found = [
        f"{key}: {result[key]!r} is not {expected[key]!r}"
        for key in ("headline", "best", "error_price")
        if result[key] != expected[key]
    ]
    assert list(result["candidates"]) == list(expected["candidates"])
    for name, candidate in result["candidates"].items():
        found += unlike(candidate, {"name": name} | expected["candidates"][name], name, 1e-9 * largest)
    headline = result["candidates"].get(result["best"])
    if headline is not None and headline["outlook"] is not None:
        computed = {*expected["candidates"][result["best"]]["outlook"]} - {"next", "decisions", "learning"}
        assert computed == {*headline["outlook"]}
    return found


def unlike(ours: Any, theirs: Any, where: str, tiny: float) -> list[str]:
    """Where plain data differ; keys that ours lacks are not compared."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [found for key in ours for found in unlike(ours[key], theirs[key], f"{where}.{key}", tiny)]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [found for i, (a, b) in pairs for found in unlike(a, b, f"{where}.{i}", tiny)]
    both_numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (ours, theirs))
    if both_numbers and math.isclose(ours, theirs, rel_tol=1e-6, abs_tol=tiny):
        return []
    return [] if ours == theirs else [f"{where}: {ours!r} is not {theirs!r}"]


def numbers(value: Any) -> Iterator[float]:
    """All money of plain data, at any depth."""
    if isinstance(value, dict):
        value = [inner for key, inner in value.items() if not key.startswith("break_even")]
    if isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, float):
        yield value
