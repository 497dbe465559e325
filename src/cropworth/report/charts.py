"""The report's charts, as plotly figures. Text and grid colours come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from cropworth.study.record import Study
from cropworth.worth.results import Appraisal

# Told apart by the colour-blind, and legible on white and on near-black; markers and dashes say the same again.
COLOURS = ("#7d838c", "#d1661f", "#2f7fc7", "#159a72", "#b45f9f", "#a5811c", "#6a6fd4", "#c0504d")
MARKERS = ("square", "circle", "diamond", "triangle-up", "cross", "x", "star")
DASHES = ("solid", "solid", "dash", "dot", "dashdot")
MOST_POINTS = 20_000  # of the training curves: about 150 kB of the page

# Pixels by which labels are placed; those of a phone, since wider plots only give labels more room.
PLOT_WIDTH, PLOT_HEIGHT, LETTER_WIDTH, LINE_HEIGHT = 300, 330, 7.5, 18


@dataclass(frozen=True)
class Look:
    """How one variant is drawn, the same in every chart."""

    colour: str
    marker: str
    dash: str


def looks(study: Study) -> dict[str, Look]:
    """The look of each variant, by its place in the plan."""
    return {
        name: Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)])
        for i, name in enumerate(study.kinds)
    }


def accuracy_against_cost(study: Study, appraisal: Appraisal) -> go.Figure | None:
    """One point a variant, with the range over seeds; None where no variant has both numbers."""
    drawn = looks(study)
    points = [
        (row.name, row.latency_s * 1e3, *_over_seeds(study, row.name, appraisal.largest.train_size))
        for row in appraisal.largest.rows
        if row.latency_s is not None and row.accuracy is not None
    ]
    if not points:
        return None
    figure = _figure("Accuracy against inference time", "inference time (ms per item)", "test accuracy (%)")
    places = label_places([(x, mean) for _, x, mean, _, _ in points], [name for name, *_ in points])
    for (name, x, mean, low, high), place in zip(points, places, strict=True):
        figure.add_trace(
            go.Scatter(
                x=[x],
                y=[mean],
                error_y={"array": [high - mean], "arrayminus": [mean - low], "thickness": 1.5, "width": 5},
                mode="markers+text",
                text=[escape(name)],
                textposition=place,
                cliponaxis=False,
                name=escape(name),
                marker={"color": drawn[name].colour, "symbol": drawn[name].marker, "size": 11},
                hovertemplate="%{fullData.name}<br>%{x:.3g} ms per item<br>%{y:.2f} %<extra></extra>",
            )
        )
    figure.update_xaxes(range=[0, 1.12 * max(x for _, x, *_ in points)])
    return figure.update_layout(showlegend=False)


def training_curves(study: Study, appraisal: Appraisal) -> go.Figure | None:
    """Validation accuracy after each epoch, or what a regression explains, a line a trial; None where there is none.

    Where there are very many trials, only the first seeds are drawn.
    """
    size = appraisal.largest.train_size
    regression = any(record.numbers is not None for record in study.records)
    measure = "variance explained" if regression else "accuracy"
    figure = _figure(f"Validation {measure} over training", "epoch", f"validation {measure} (%)")
    longest = max((len(record.curve) for record in study.records), default=0) or 1
    seeds = max(1, MOST_POINTS // (longest * len(study.kinds)))
    for name, look in looks(study).items():
        with_curves = [record for record in study.of(name, size) if record.curve]
        for i, record in enumerate(with_curves[:seeds]):
            figure.add_trace(
                go.Scatter(
                    x0=1,
                    dx=1,
                    y=[_percent(epoch.validation_accuracy) for epoch in record.curve],
                    mode="lines",
                    name=escape(name),
                    legendgroup=escape(name),
                    showlegend=i == 0,
                    opacity=0.85,
                    line={"color": look.colour, "width": 1.5},
                    meta=record.seed,
                    hovertemplate="%{fullData.name}, seed %{meta}<br>epoch %{x}: %{y:.2f} %<extra></extra>",
                )
            )
    return figure.update_xaxes(rangemode="tozero") if figure.data else None


def accuracy_by_size(study: Study, appraisal: Appraisal) -> go.Figure | None:
    """A line a variant, with the range over seeds; None where there is but one training-set size."""
    if len(appraisal.sizes) < 2:
        return None
    figure = _figure("Accuracy by training-set size", "training items", "test accuracy (%)")
    for name, look in looks(study).items():
        sizes = [
            s.train_size for s in appraisal.sizes if any(r.name == name and r.accuracy is not None for r in s.rows)
        ]
        figure.add_traces(_line_with_band(name, look, sizes, [_over_seeds(study, name, size) for size in sizes]))
    measured = [size.train_size for size in appraisal.sizes]
    return figure.update_xaxes(type="log", tickvals=measured, ticktext=[f"{size:,}" for size in measured])


def label_places(points: Sequence[tuple[float, float]], labels: Sequence[str]) -> list[str]:
    """A plotly text position for each point: labels cover neither points nor each other where it can be helped."""
    wide = max(x for x, _ in points) * 1.12 or 1.0
    lowest, highest = min(y for _, y in points), max(y for _, y in points)
    tall = (highest - lowest) or 1.0
    centres = [(x / wide * PLOT_WIDTH, (highest - y) / tall * PLOT_HEIGHT) for x, y in points]
    taken = [_Box(x - 8, y - 8, x + 8, y + 8) for x, y in centres]
    places: list[str] = []
    for (x, y), label in zip(centres, labels, strict=True):
        choices = {place: _label_box(x, y, len(label) * LETTER_WIDTH, place) for place in _PLACES}
        best = min(
            choices,
            key=lambda place: sum(choices[place].shared(box) for box in taken) + choices[place].outside(),
        )
        taken.append(choices[best])
        places.append(best)
    return places


# Right and left first: error bars run above and below.
_PLACES = {
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top right": (1, -1),
    "bottom right": (1, 1),
    "top left": (-1, -1),
    "bottom left": (-1, 1),
    "top center": (0, -1),
    "bottom center": (0, 1),
}


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: _Box) -> float:
        """Area in both."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def outside(self) -> float:
        """Area beyond the plot's left and right ends, where the label would be cut."""
        return (max(0.0, -self.left) + max(0.0, self.right - PLOT_WIDTH)) * (self.bottom - self.top)


def _label_box(x: float, y: float, width: float, place: str) -> _Box:
    across, down = _PLACES[place]
    middle_x, middle_y = x + across * (width / 2 + 10), y + down * LINE_HEIGHT
    return _Box(middle_x - width / 2, middle_y - LINE_HEIGHT / 2, middle_x + width / 2, middle_y + LINE_HEIGHT / 2)


def _line_with_band(name: str, look: Look, x: list[int], spread: list[tuple[float, float, float]]) -> list[go.Scatter]:
    """A line through the means, on a band from the lowest to the highest; `spread` holds the three for each `x`."""
    mean, low, high = ([part[i] for part in spread] for i in range(3))
    band = go.Scatter(
        x=x + x[::-1],
        y=high + low[::-1],
        fill="toself",
        fillcolor=look.colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        legendgroup=escape(name),
        showlegend=False,
    )
    line = go.Scatter(
        x=x,
        y=mean,
        mode="lines+markers",
        name=escape(name),
        legendgroup=escape(name),
        line={"color": look.colour, "dash": look.dash},
        marker={"symbol": look.marker, "size": 8},
        hovertemplate="%{fullData.name}, %{x:,} items<br>%{y:.2f} %<extra></extra>",
    )
    return [band, line]


def _over_seeds(study: Study, variant: str, train_size: int) -> tuple[float, float, float]:
    """Mean, lowest and highest accuracy in percent; at least one seed has predictions."""
    found = [_percent(r.accuracy) for r in study.of(variant, train_size) if r.accuracy is not None]
    return round(sum(found) / len(found), 3), min(found), max(found)


def _percent(fraction: float) -> float:
    return round(100 * fraction, 3)


def _figure(title: str, x: str, y: str) -> go.Figure:
    axis: dict[str, Any] = {
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "automargin": True,
        "fixedrange": True,
    }
    layout = go.Layout(
        template="none",
        title={
            "text": title,
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "font": {"size": 15, "weight": 600},
        },
        xaxis={**axis, "title": {"text": x, "standoff": 12}},
        yaxis={**axis, "title": {"text": y, "standoff": 12}},
        font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=440,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        legend={"orientation": "h", "x": 0, "y": -0.2, "xanchor": "left", "yanchor": "top"},
        hovermode="closest",
        dragmode=False,
    )
    return go.Figure(layout=layout)
