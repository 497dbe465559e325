"""Figures as SVG for a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest

from cropworth.report.charts import make_charts
from cropworth.report.charts.look import empty_figure
from cropworth.report.static import WIDTH, short, to_svg
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from report.appraisals import make_economics


def line(**values: object) -> go.Figure:
    return empty_figure("x", "y").add_trace(go.Scatter(x=[1, 2], y=[3, 4], mode="lines", name="a line", **values))


def test_every_chart_of_a_study_is_small_and_has_ids_of_its_own(full_study: Study) -> None:
    appraisal = appraise(full_study, make_economics(cost_per_error=0.5, predictions_per_year=1e6))
    charts = make_charts(full_study, appraisal, 0.0)
    assert len(charts) >= 9
    ids: list[str] = []
    for name, chart in charts.items():
        svg = to_svg(chart.figure, name, chart.says)
        assert len(svg.encode()) < 30_000
        found = re.findall(r' id="([^"]+)"', svg)
        assert all(one.startswith(f"{name}-") for one in found)
        assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg)) == set(found)
        ids += found
    assert len(ids) == len(set(ids))


def test_the_same_figure_is_the_same_drawing() -> None:
    assert to_svg(line(), "a", "b") == to_svg(line(), "a", "b")


def test_a_drawing_is_well_formed_says_what_it_shows_and_styles_nothing_else() -> None:
    root = ElementTree.fromstring(to_svg(line(), "a", "1 < 2 & more"))
    assert (root.tag, root.get("role"), root.get("viewBox")) == ("svg", "img", f"0 0 {WIDTH} 375")
    assert root[0].tag == "title"
    assert root[0].text == "1 < 2 & more"
    assert not {"style", "metadata"} & {part.tag for part in root.iter()}


def test_ink_and_grid_are_the_pages() -> None:
    svg = to_svg(line(line={"color": "#d1661f"}), "a", "b")
    assert set(re.findall(r"(?:fill|stroke): ([^;\"]+)", svg)) == {
        "none", "currentColor", "var(--soft)", "var(--line)", "#d1661f",
    }  # fmt: skip


def test_words_are_text_and_no_mathematics() -> None:
    figure = empty_figure("cost_per_error (US$)", "a <b> ($)").add_trace(
        go.Scatter(x=[1], y=[1], mode="markers+text", text=["$x_1$"], textposition="top center",
                   marker={"symbol": "star", "size": 9, "color": "#000000"})
    )  # fmt: skip
    texts = [part.text for part in ElementTree.fromstring(to_svg(figure, "a", "b")).iter("text")]
    assert {"cost_per_error (US$)", "a <b> ($)", "$x_1$"} <= set(texts)


def test_the_places_of_points_are_those_of_their_numbers() -> None:
    figure = empty_figure("x", "y").add_trace(go.Scatter(x=[25], y=[2.5], mode="markers+text", text=["here"],
        textposition="middle center", marker={"symbol": "circle", "size": 9, "color": "#000000"}))  # fmt: skip
    figure.update_xaxes(range=[0, 100]).update_yaxes(range=[0, 10])
    texts = {t.text: t for t in ElementTree.fromstring(to_svg(figure, "a", "b")).iter("text")}
    places = {words: float(text.get("x", "nan")) for words, text in texts.items() if words}
    assert places["here"] == pytest.approx((places["20"] * 3 + places["40"]) / 4, abs=0.3)


def test_a_kind_of_trace_that_no_chart_uses_is_refused() -> None:
    with pytest.raises(ValueError, match="'pie', not one of scatter, bar, heatmap"):
        to_svg(go.Figure(go.Pie(values=[1, 2])), "a", "b")


def test_hidden_entries_are_not_in_the_legend() -> None:
    figure = line().add_trace(go.Scatter(x=[1], y=[1], mode="lines", name="hidden", showlegend=False))
    svg = to_svg(figure, "a", "b")
    assert ">a line<" in svg
    assert ">hidden<" not in svg


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (-2000, "\N{MINUS SIGN}2,000"),
        (20_000, "20k"),
        (1.5e6, "1.5M"),
        (2e9, "2B"),
        (-3e12, "\N{MINUS SIGN}3T"),
    ],
)
def test_numbers_at_an_axis(value: float, words: str) -> None:
    assert short(value) == words
