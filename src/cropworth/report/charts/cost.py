"""Accuracy against the time that inference takes, with the Pareto front."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise

import plotly.graph_objects as go

from cropworth.report.charts.labels import label_places
from cropworth.report.charts.look import (
    GREY,
    Chart,
    Look,
    Spread,
    empty_figure,
    error_bars,
    looks,
    range_over_seeds,
    rounded,
)
from cropworth.report.charts.quality import Measure, measure_of, over_seeds
from cropworth.study.record import Study
from cropworth.worth.results import Appraisal
from cropworth.worth.words import number

RIGHT_END = 1.12  # of the axis, as a factor of the slowest variant's time


@dataclass(frozen=True)
class Point:
    """One variant's inference time in milliseconds, how well it predicts, and whether it can be deployed."""

    name: str
    ms: float
    found: Spread
    deployable: bool


def accuracy_against_cost(study: Study, appraisal: Appraisal) -> Chart | None:
    """One point a variant, with the range over seeds; None where no variant has both numbers."""
    measure, size = measure_of(study), appraisal.largest.train_size
    points = [
        Point(row.name, row.latency_s * 1e3, range_over_seeds(found), row.kind != "oracle")
        for row in appraisal.largest.rows
        if row.latency_s is not None and (found := over_seeds(study, row.name, size))
    ]
    if not points:
        return None
    front = pareto_front([point for point in points if point.deployable], measure)
    drawn = looks(study)
    figure = empty_figure("inference time (ms per item)", measure.axis)
    end = RIGHT_END * max(point.ms for point in points)
    steps = _steps(front, end) if len(front) > 1 else []
    if steps:
        figure.add_trace(_front(steps))
    places = label_places([(p.ms, p.found.mean) for p in points], [p.name for p in points], steps)
    figure.add_traces([_point(p, drawn[p.name], place, measure) for p, place in zip(points, places, strict=True)])
    figure.update_xaxes(range=[0, end])
    named = ", ".join(point.name for point in front)
    better = "Up" if measure.more_is_better else "Down"
    dotted = "; the dotted steps" if steps else ""
    without = "" if all(point.deployable for point in points) else " An oracle cannot be deployed and is not on it."
    return Chart(
        f"{measure.name.capitalize()} against inference time",
        figure.update_layout(showlegend=False),
        f"Scatter plot of {measure.name} against inference time per item, a point a variant. On the Pareto front: "
        + ", ".join(f"{p.name} with {number(p.found.mean)}{measure.unit} in {number(p.ms)} ms" for p in front)
        + ".",
        f"{better} is more accurate, left is cheaper; bars span the lowest and the highest seed. On the Pareto front "
        f"(no other variant is both faster and more accurate{dotted}): {named or 'none'}.{without}",
    )


def pareto_front(points: list[Point], measure: Measure) -> list[Point]:
    """The points that no other beats in both, the fastest first."""
    sign = 1 if measure.more_is_better else -1
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.ms, -sign * p.found.mean)):
        if not front or sign * point.found.mean > sign * front[-1].found.mean:
            front.append(point)
    return front


def _steps(front: list[Point], end: float) -> list[tuple[float, float]]:
    """The corners of the line of what can be had at each time."""
    corners = [(front[0].ms, front[0].found.mean)]
    for before, after in pairwise(front):
        corners += [(after.ms, before.found.mean), (after.ms, after.found.mean)]
    return [*corners, (end, front[-1].found.mean)]


def _front(steps: list[tuple[float, float]]) -> go.Scatter:
    return go.Scatter(
        x=rounded([x for x, _ in steps]),
        y=rounded([y for _, y in steps]),
        mode="lines",
        name="Pareto front",
        line={"color": GREY, "width": 1.5, "dash": "dot"},
        hoverinfo="name",
    )


def _point(point: Point, look: Look, place: str, measure: Measure) -> go.Scatter:
    found = point.found
    return go.Scatter(
        x=rounded([point.ms]),
        y=rounded([found.mean]),
        error_y=error_bars([found.mean], [found.low], [found.high]),
        mode="markers+text",
        text=[escape(point.name)],
        textposition=place,
        cliponaxis=False,
        name=escape(point.name),
        marker={"color": look.colour, "symbol": look.marker, "size": 11},
        hovertemplate="%{fullData.name}<br>%{x:.3g} ms per item<br>%{y:.4g}" + measure.unit + "<extra></extra>",
    )
