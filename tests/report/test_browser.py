"""The report in a real browser: its script runs, its charts are drawn, nothing is refused and nothing is asked for."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cropworth.report.html import write_report
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.results import Appraisal
from factories import make_record, make_study
from report.appraisals import make_economics

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
    "--enable-logging=stderr",
    "--dump-dom",
]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium, chromium-browser or google-chrome on the PATH")


def browse(path: Path, profile: Path, *options: str) -> tuple[str, list[str]]:
    """The page's elements after its scripts ran, and what the console says of errors and refusals."""
    assert BROWSER is not None
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", *options, path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, [line for line in console if re.search(r"error|refused|violat", line, re.IGNORECASE)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, full_study: Study, full_appraisal: Appraisal) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(full_study, full_appraisal, make_economics(), path)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_drawn_without_an_error(report: Path, tmp_path: Path, scheme: str) -> None:
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    elements, complaints = browse(report, tmp_path, *dark)
    assert complaints == []
    for chart in ("chart-cost", "chart-curves", "chart-sizes"):
        start = elements.index(f'id="{chart}"')
        assert 'class="main-svg"' in elements[start : elements.index("</figure>", start)]


def test_a_page_of_measurements_from_files(tmp_path: Path) -> None:
    pairs = [(name, seed) for name in ("baseline", "b") for seed in (0, 1)]
    records = [replace(make_record(name, seed, 0, wrong=range(9 - seed)), curve=()) for name, seed in pairs]
    study = replace(make_study(records, kinds={"baseline": "baseline", "b": "candidate"}), plan={})
    economics = make_economics()
    write_report(study, appraise(study, economics), economics, tmp_path / "report.html")
    elements, complaints = browse(tmp_path / "report.html", tmp_path / "profile")
    assert complaints == []
    assert elements.count('class="main-svg"') >= 1


def test_page_does_not_scroll_sideways_on_a_phone(report: Path, tmp_path: Path) -> None:
    frame = tmp_path / "phone.html"
    script = (
        "const page = document.querySelector('iframe').contentDocument.documentElement;"
        "document.title = page.scrollWidth + ' of ' + page.clientWidth;"
    )
    frame.write_text(
        f'<iframe src="{report.as_uri()}" width="390" height="800" style="border:0" onload="{script}"></iframe>',
        encoding="utf-8",
    )
    elements, _ = browse(frame, tmp_path / "profile", "--allow-file-access-from-files")
    assert (sizes := re.search(r"<title>(\d+) of (\d+)</title>", elements))
    assert sizes[1] == sizes[2]


def test_complaints_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "broken.html"
    page.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\"><script>1</script>", encoding="utf-8"
    )
    assert browse(page, tmp_path / "profile")[1] != []
