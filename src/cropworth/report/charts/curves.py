"""How training went: what was read right of the validation items after each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from cropworth.report.charts.look import Chart, Look, band, empty_figure, looks, rounded
from cropworth.report.text import percent, trained_on
from cropworth.study.record import Record, Study
from cropworth.worth.results import Appraisal

MOST_LINES = 24  # above so many trials, bands: lines could not be told apart
MOST_POINTS = 1500  # of all lines together, about 20 kB


def training_curves(study: Study, appraisal: Appraisal) -> Chart | None:
    """A line a trial at the largest size, or of many trials their mean and range; None where there are no curves."""
    size = appraisal.largest.train_size
    regression = any(record.numbers is not None for record in study.records)
    measure = "variance explained" if regression else "accuracy"
    found = {name: [r for r in study.of(name, size) if r.curve] for name in study.kinds}
    found = {name: records for name, records in found.items() if records}
    trials = sum(map(len, found.values()))
    if not trials:
        return None
    banded = trials > MOST_LINES
    figure, drawn = empty_figure("epoch", f"validation {measure} (%)"), looks(study)
    each = max(2, MOST_POINTS // (3 * len(found) if banded else trials))
    for name, records in found.items():
        figure.add_traces((_band if banded else _lines)(name, records, drawn[name], each))
    seeds = max(map(len, found.values()))
    last = {name: float(np.mean([r.curve[-1].validation_accuracy for r in records])) for name, records in found.items()}
    best = max(last, key=last.__getitem__)
    lines = (
        f"The mean over up to {seeds} seeds, and a band from the lowest to the highest"
        if banded
        else "One line a trial"
    )
    return Chart(
        f"Validation {measure} over training",
        figure.update_xaxes(rangemode="tozero"),
        f"Line chart of validation {measure} after each epoch of {trials} trials; after the last epoch {best} has the "
        f"highest mean, {percent(last[best])}.",
        f"{lines}{trained_on(size)}. Tap a name to hide or show it.",
    )


def _lines(name: str, records: Sequence[Record], look: Look, most: int) -> list[go.Scatter]:
    lines = []
    for i, record in enumerate(records):
        chosen = _thinned(len(record.curve), most)
        lines.append(
            go.Scatter(
                x=[epoch + 1 for epoch in chosen],
                y=rounded([100 * record.curve[epoch].validation_accuracy for epoch in chosen]),
                mode="lines",
                name=escape(name),
                legendgroup=escape(name),
                showlegend=i == 0,
                opacity=0.85,
                line={"color": look.colour, "width": 1.5, "dash": look.dash},
                meta=record.seed,
                hovertemplate="%{fullData.name}, seed %{meta}<br>epoch %{x}: %{y:.2f} %<extra></extra>",
            )
        )
    return lines


def _band(name: str, records: Sequence[Record], look: Look, most: int) -> list[go.Scatter]:
    """Of the trials that came as far as each epoch."""
    chosen = _thinned(max(len(record.curve) for record in records), most)
    reached = [[100 * r.curve[e].validation_accuracy for r in records if e < len(r.curve)] for e in chosen]
    epochs = [epoch + 1 for epoch in chosen]
    line = go.Scatter(
        x=epochs,
        y=rounded([float(np.mean(values)) for values in reached]),
        mode="lines",
        name=escape(name),
        legendgroup=escape(name),
        line={"color": look.colour, "width": 2, "dash": look.dash},
        hovertemplate="%{fullData.name}<br>epoch %{x}: %{y:.2f} %<extra></extra>",
    )
    return [band(epochs, rounded(list(map(min, reached))), rounded(list(map(max, reached))), look.colour, name), line]


def _thinned(count: int, most: int) -> list[int]:
    """At most so many of 0 to count - 1, evenly, both ends among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()  # type: ignore[no-any-return]
