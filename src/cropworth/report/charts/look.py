"""How the charts look: colours, marks and layout, the same in all. Text and grid take their colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from scipy import special

from cropworth.study.record import Study
from cropworth.worth.results import Interval

# Told apart by the colour-blind, and legible on white and on near-black; markers and dashes say the same again.
COLOURS = ("#7d838c", "#d1661f", "#2f7fc7", "#159a72", "#b45f9f", "#a5811c", "#6a6fd4", "#c0504d")
GREY, ORANGE, BLUE = COLOURS[:3]
MARKERS = ("square", "circle", "diamond", "triangle-up", "cross", "x", "star")
DASHES = ("solid", "solid", "dash", "dot", "dashdot")
FADED = 0.18  # opacity of a band, through which lines and other bands are seen
FEWEST_FOR_INTERVAL = 3  # seeds; with fewer, their range is shown


@dataclass(frozen=True)
class Chart:
    """A figure with its words.

    Attributes:
        title: above it.
        figure: what is drawn.
        says: one sentence with its main number, for those who do not see it.
        caption: how to read it.
        own_prices: whether it depends on prices, and stays at the study's own when others are set in the page.
    """

    title: str
    figure: go.Figure
    says: str
    caption: str
    own_prices: bool = False


@dataclass(frozen=True)
class Look:
    """How one variant is drawn, the same in every chart."""

    colour: str
    marker: str
    dash: str


@dataclass(frozen=True)
class Spread:
    """A mean over seeds, and how far they spread: their 95 % interval or their range."""

    mean: float
    low: float
    high: float


def looks(study: Study) -> dict[str, Look]:
    """The look of each variant, by its place in the plan."""
    return {
        name: Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)])
        for i, name in enumerate(study.kinds)
    }


def empty_figure(x: str, y: str) -> go.Figure:
    """A figure without traces, its axes titled."""
    axis: dict[str, Any] = {
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "automargin": True,
        "fixedrange": True,
        "tickangle": 0,
    }
    title = {"standoff": 12, "font": {"size": 13}}
    layout = go.Layout(
        template="none",
        xaxis={**axis, "title": {"text": escape(x), **title}},
        yaxis={**axis, "title": {"text": escape(y), **title}},
        font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 12, "t": 12, "b": 8},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "entrywidth": 0,
            "tracegroupgap": 0,
            "font": {"size": 12},
        },
        hovermode="closest",
        dragmode=False,
    )
    return go.Figure(layout=layout)


def band(x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str, group: str) -> go.Scatter:
    """The area between two lines; it comes and goes with the legend's entry of its group."""
    return go.Scatter(
        x=[*x, *reversed(x)],
        y=[*high, *reversed(low)],
        mode="lines",
        fill="toself",
        fillcolor=colour,
        opacity=FADED,
        line={"width": 0},
        hoverinfo="skip",
        legendgroup=escape(group),
        showlegend=False,
    )


def mark(x: Sequence[float | None], y: Sequence[float], name: str, dash: str = "dash") -> go.Scatter:
    """A straight line at a number that matters, named in the legend."""
    return go.Scatter(
        x=list(x),
        y=list(y),
        mode="lines",
        name=escape(name),
        line={"color": GREY, "width": 1.5, "dash": dash},
        hoverinfo="name",
    )


def error_bars(
    estimate: Sequence[float], low: Sequence[float], high: Sequence[float], width: int = 5
) -> dict[str, Any]:
    """From the lower to the upper end, around each estimate."""
    below, above = np.subtract(estimate, low), np.subtract(high, estimate)
    return {
        "array": rounded(np.maximum(above, 0).tolist()),
        "arrayminus": rounded(np.maximum(below, 0).tolist()),
        "thickness": 1.5,
        "width": width,
    }


def interval_over_seeds(found: Sequence[float]) -> Spread:
    """Mean and 95 % t interval of at least two numbers, one a seed."""
    values = np.asarray(found, dtype=np.float64)
    reach = float(special.stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values)))
    return Spread(float(values.mean()), float(values.mean()) - reach, float(values.mean()) + reach)


def range_over_seeds(found: Sequence[float]) -> Spread:
    """Mean, lowest and highest of one number a seed."""
    return Spread(sum(found) / len(found), min(found), max(found))


def ends_of(intervals: Sequence[Interval]) -> tuple[list[float], list[float], list[float]]:
    """Estimates, lower and upper ends; NaN where an end is not known."""
    found = np.array([[i.estimate, i.low, i.high] for i in intervals], dtype=np.float64)
    estimate, low, high = found.T.tolist()
    return estimate, low, high


def rounded(values: Sequence[float], digits: int = 5) -> list[float]:
    """To so many significant digits, which is more than a chart shows: the page stays small."""
    return [float(f"{value:.{digits}g}") for value in values]
