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
from scipy import special

from browser import chromium, needs_chromium
from cropworth.report import text
from cropworth.worth import appraisal, outlook, words
from cropworth.worth.as_json import to_json
from cropworth.worth.economics import read_economics
from cropworth.worth.results import Interval
from cropworth.worth.what_if import what_if
from report.appraisals import make_candidate
from report.other_prices import STUDIES, moved

pytestmark = needs_chromium
SCRIPTS = ("distributions", "words", "scenario", "simulation", "appraise")


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


@pytest.fixture
def no_more_than_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python without the two parts of an appraisal that the page leaves as they were, and that take half its time."""
    monkeypatch.setattr(appraisal, "ranks", lambda *_: ())
    monkeypatch.setattr(outlook, "next_measurement", lambda *_: ())


@pytest.mark.usefixtures("no_more_than_the_page")
@pytest.mark.parametrize("name", STUDIES)
def test_the_page_and_python_agree(page: Page, name: str) -> None:
    compare(page, name, settings=2, seed=0)


@pytest.mark.slow
@pytest.mark.usefixtures("no_more_than_the_page")
@pytest.mark.parametrize("name", STUDIES)
def test_the_page_and_python_agree_at_many_prices(page: Page, name: str) -> None:
    compare(page, name, settings=20, seed=1)


def compare(page: Page, name: str, settings: int, seed: int) -> None:
    """At the study's own prices, and at so many more."""
    made = STUDIES[name]()
    model = what_if(made.study, read_economics(made.prices))
    assert model is not None
    rng = np.random.default_rng([seed, list(STUDIES).index(name)])
    tried: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, made.prices)]
    tried += [moved(rng, model, made) for _ in range(settings)]
    results = page.evaluate(
        "([model, settings]) => settings.map((prices) => appraise(model, prices))",
        [json.loads(json.dumps(model)), [changed for changed, _ in tried]],
    )
    for (changed, prices), result in zip(tried, results, strict=True):
        expected = to_json(appraisal.appraise(made.study, read_economics(prices)))
        assert differences(result, expected) == [], f"at {changed}"


def differences(result: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Where the page's result is not Python's."""
    found = [
        f"{key}: {result[key]!r} is not {expected[key]!r}"
        for key in ("headline", "best", "error_price")
        if result[key] != expected[key]
    ]
    assert list(result["candidates"]) == list(expected["candidates"])
    for name, candidate in result["candidates"].items():
        found += unlike(candidate, {"name": name} | expected["candidates"][name], name)
    headline = result["candidates"].get(result["best"])
    if headline is not None and headline["outlook"] is not None:
        computed = {*expected["candidates"][result["best"]]["outlook"]} - {"next", "decisions", "learning"}
        assert computed == {*headline["outlook"]}
    return found


def unlike(ours: Any, theirs: Any, where: str, beside: float = 0.0) -> list[str]:
    """Where plain data differ by more than 1e-6, or 1e-9 of the largest number beside; keys that ours lacks do not."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        amounts = [abs(x) for x in theirs.values() if isinstance(x, float)] if len(ours) < 5 else []
        largest = dict.fromkeys(ours, max(amounts, default=0.0))
        if "quantiles" in theirs:  # of whose draws the value of perfect information is a mean, and often nothing
            largest["perfect_information"] = max(abs(money) for _, money in theirs["quantiles"])
        return [found for key in ours for found in unlike(ours[key], theirs[key], f"{where}.{key}", largest[key])]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        beside = max((abs(x) for x in theirs if isinstance(x, float)), default=0.0)
        return [found for i, (a, b) in pairs for found in unlike(a, b, f"{where}.{i}", beside)]
    both_numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (ours, theirs))
    if both_numbers and math.isclose(ours, theirs, rel_tol=1e-6, abs_tol=1e-9 * beside):
        return []
    return [] if ours == theirs else [f"{where}: {ours!r} is not {theirs!r}"]


def test_words_are_pythons_to_the_letter(page: Page) -> None:
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.uniform(-12, 20, 400)
    ties = [0.5, 1.5, 2.5, 0.125, 0.375, 1.25, 1.35, 2.675, 1000.5, 1001.5, 12345.5, 1e6 + 0.5, 5e8 + 0.5]
    round_up = [9.995, 99.95, 999.5, 999_499.5, 999_999.9, 999_999_999.9, 1e9, 1e15, 1e21, 1.5e22, 1e-7, 0.0999999]
    values = [0.0, -0.0, *sizes, *-sizes, *ties, *(-t for t in ties), *round_up, *np.round(sizes, 2)]
    values += [float(np.nextafter(10.0**k, end)) for k in range(-6, 16) for end in (0, np.inf)]
    known = [*map(float, values), None]
    ours = page.evaluate(
        """(values) => values.map((x) => [words.number(x), words.number(x, 2), words.humanised(x),
            words.money(x, "EUR"), words.percent(x), words.percent(x, 0), words.years(x)])""",
        known,
    )
    for value, told in zip(known, ours, strict=True):
        assert told == [
            words.number(value),
            words.number(value, 2),
            words.humanised(value),
            words.money(value, "EUR"),
            text.percent(value),
            text.percent(value, 0),
            text.years(value),
        ], value


@pytest.mark.parametrize("ends", [(None, None, None), (1.0, None, None), (1.0, -2.5e6, 3.0)])
def test_intervals_and_returns_in_words(page: Page, ends: tuple[float | None, ...]) -> None:
    interval = Interval(*ends)
    told = page.evaluate("(i) => words.moneyInterval(i, 'USD')", vars_of(interval))
    assert told == text.money_interval(interval, "USD")
    for dominates, roi in ((True, None), (False, None), (False, 1.234)):
        candidate = make_candidate(dominates=dominates, roi=roi)
        told = page.evaluate("(c) => words.returnOnInvestment(c)", {"dominates": dominates, "roi": roi})
        assert told == text.return_on_investment(candidate)


def vars_of(interval: Interval) -> dict[str, float | None]:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}


DFS = (1, 1.5, 2, 3, 4, 9, 33.3, 299, 1234.5, 1e5)


def test_probabilities_and_quantiles_of_t_are_scipys(page: Page) -> None:
    places = [-300.0, -4.0, -1.5, -0.3, 1e-3, 0.7, 1.8, 5.0]
    probabilities = [1e-9, 1e-4, 0.01, 0.2, 0.24, 0.26, 0.6, 0.975, 0.9999]
    script = "([dfs, xs]) => dfs.map((df) => xs.map((x) => distributions.NAME(x, df)))"
    for df, row in zip(DFS, page.evaluate(script.replace("NAME", "tCdf"), [DFS, places]), strict=True):
        assert row == pytest.approx(special.stdtr(df, places).tolist(), rel=1e-11)
    for df, row in zip(DFS, page.evaluate(script.replace("NAME", "tQuantile"), [DFS, probabilities]), strict=True):
        assert row == pytest.approx(special.stdtrit(df, probabilities).tolist(), rel=1e-10)


def test_normal_probabilities_and_tables_are_scipys(page: Page) -> None:
    points = [-30.0, -8.0, -3.01, -2.9, -1.0, 0.0, 0.5, 2.0, 6.0]
    assert page.evaluate("(ts) => ts.map((t) => distributions.tCdf(t, Infinity))", points) == pytest.approx(
        special.ndtr(points).tolist(), rel=1e-11
    )
    middles = (np.arange(10_000) + 0.5) / 10_000
    for df in (1, 2, 3, 5, 47.1, 1e9):
        table = page.evaluate("(df) => [...distributions.midpointQuantiles(df, 10000)]", df)
        expected = special.stdtrit(df, middles) if df < 1e9 else special.ndtri(middles)
        assert table == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("kind", ["normal", "heavy tails", "all alike", "a crowd", "two values"])
def test_sorting_and_quantiles_are_numpys(page: Page, kind: str) -> None:
    rng = np.random.default_rng(0)
    values = {
        "normal": rng.normal(size=10_000),
        "heavy tails": rng.standard_t(1, 10_000),
        "all alike": np.full(10_000, 2.5),
        "a crowd": np.append(rng.normal(size=9_999), 1e12),
        "two values": rng.integers(0, 2, 10_000).astype(float),
    }[kind]
    probabilities = [0.0, 0.0012, 0.025, 0.1, 0.5, 0.95, 0.9999, 1.0]
    ordered, found = page.evaluate(
        """([values, ps]) => {
            const ordered = distributions.sorted(Float64Array.from(values));
            return [[...ordered], ps.map((p) => distributions.quantileOfSorted(ordered, p))];
        }""",
        [values.tolist(), probabilities],
    )
    assert ordered == np.sort(values).tolist()
    assert found == np.quantile(values, probabilities).tolist()


def test_more_guesses_than_the_page_has_draws_for_are_refused(page: Page) -> None:
    made = STUDIES["cost of an error"]()
    model = what_if(made.study, read_economics(made.prices))
    told = page.evaluate(
        "([model, prices]) => { try { appraise(model, prices) } catch (error) { return error.message } }",
        [model, {"cost_per_error": {"low": 1, "mode": 2, "high": 3}}],
    )
    assert told == "1 prices that are guesses; this page has draws for 0"
