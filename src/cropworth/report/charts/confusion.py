"""Which errors the candidate saves and which it adds, by true and predicted class."""

from __future__ import annotations

from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from cropworth.report.charts.look import BLUE, ORANGE, Chart, empty_figure, rounded
from cropworth.report.text import headline_candidate, trained_on
from cropworth.study.record import Record, Study
from cropworth.worth.results import Appraisal

Array = NDArray[np.float64]
MOST_CLASSES = 15  # of a table: the numbers of more could not be read
MOST_PAIRS = 10
LONGEST_NAME = 14
STRONGEST = 0.55  # opacity of the largest difference: the number on it can be read in light and in dark


def confusion_differences(study: Study, appraisal: Appraisal) -> Chart | None:
    """The headline candidate's errors less the baseline's; None of a regression, or without a pair or a difference."""
    best = headline_candidate(appraisal)
    if best is None or not study.classes:
        return None
    size = appraisal.largest.train_size
    found = differences(study, best.name, size)
    if found is None or not found.any():
        return None
    total, change = float(found.sum()), _signed(float(found.sum()))
    true, predicted = np.unravel_index(np.abs(found).argmax(), found.shape)
    largest = f"{study.classes[true]} read as {study.classes[predicted]} ({_signed(float(found[true, predicted]))})"
    table = len(study.classes) <= MOST_CLASSES
    figure = _table(study, found) if table else _bars(study, found)
    shown = (
        "Each cell counts the errors"
        if table
        else f"Of the {MOST_PAIRS} pairs of classes that changed most, each bar counts the errors"
    )
    fewer = "fewer" if total < 0 else "more"
    return Chart(
        f"Errors of {best.name} less those of {appraisal.baseline}",
        figure,
        f"{best.name} makes {change} errors in 1,000 against {appraisal.baseline} ({fewer}); changed most: {largest}.",
        f"{shown} in 1,000 test items, the mean over seeds{trained_on(size)}: {best.name} less {appraisal.baseline}. "
        f"Blue, below 0, are errors saved, orange, above 0, are new ones. All together: {change}. Most: {largest}.",
    )


def differences(study: Study, name: str, train_size: int) -> Array | None:
    """(C true, C predicted) errors in 1,000 items, candidate less baseline, over paired seeds; None without a pair."""
    before, after = (
        {r.seed: r for r in study.of(n, train_size) if r.probabilities is not None} for n in (study.baseline, name)
    )
    paired = sorted(before.keys() & after.keys())
    if not paired:
        return None
    classes = len(study.classes)
    each = [_errors(after[seed], classes) - _errors(before[seed], classes) for seed in paired]
    return np.asarray(np.mean(each, axis=0))


def _errors(record: Record, classes: int) -> Array:
    """(C true, C predicted) errors in 1,000 items."""
    assert record.predictions is not None
    cell = record.labels.astype(np.int64) * classes + record.predictions.astype(np.int64)
    counts = np.bincount(cell, record.weights, minlength=classes**2).reshape(classes, classes)
    errors: Array = 1000 * counts / counts.sum()
    np.fill_diagonal(errors, 0.0)
    return errors


def _table(study: Study, found: Array) -> go.Figure:
    names = [_short(name) for name in study.classes]
    places = list(range(len(names)))
    cells = np.where(np.eye(len(names), dtype=bool), np.nan, found)
    most = float(np.abs(found).max())
    figure = empty_figure("predicted class", "true class")
    figure.add_trace(
        go.Heatmap(
            x=places,
            y=places,
            z=[[None if np.isnan(v) else float(f"{v:.3g}") for v in row] for row in cells],
            text=[["" if np.isnan(v) or _signed(v) == "0" else _signed(v) for v in row] for row in cells],
            customdata=[[[escape(t), escape(p)] for p in study.classes] for t in study.classes],
            texttemplate="%{text}",
            textfont={"size": 12 if len(names) <= 8 else 9},
            colorscale=[[0, _faded(BLUE)], [0.5, _faded(BLUE, 0.0)], [0.5, _faded(ORANGE, 0.0)], [1, _faded(ORANGE)]],
            zmin=-most,
            zmax=most,
            xgap=1,
            ygap=1,
            showscale=False,
            hovertemplate="%{customdata[0]} read as %{customdata[1]}: %{text} errors in 1,000<extra></extra>",
        )
    )
    figure.update_xaxes(tickvals=places, ticktext=names, showgrid=False)
    return figure.update_yaxes(tickvals=places, ticktext=names, showgrid=False, autorange="reversed")


def _bars(study: Study, found: Array) -> go.Figure:
    order = np.argsort(-np.abs(found), axis=None)[:MOST_PAIRS]
    pairs = [tuple(int(i) for i in np.unravel_index(place, found.shape)) for place in order]
    names = [f"{_short(study.classes[t])} as {_short(study.classes[p])}" for t, p in pairs]
    values = rounded([float(found[pair]) for pair in pairs], 3)
    figure = empty_figure("errors in 1,000 test items", "")
    places = list(range(len(pairs)))
    for name, colour, chosen in (
        ("saved", BLUE, [v < 0 for v in values]),
        ("new", ORANGE, [v > 0 for v in values]),
    ):
        y = [place for place, ours in zip(places, chosen, strict=True) if ours]
        figure.add_trace(
            go.Bar(
                x=[values[place] for place in y],
                y=y,
                orientation="h",
                name=f"errors {name}",
                marker={"color": colour},
                customdata=[names[place] for place in y],
                hovertemplate="%{customdata}: %{x:.3g} in 1,000<extra></extra>",
            )
        )
    figure.update_layout(barmode="overlay")
    return figure.update_yaxes(tickvals=places, ticktext=names, showgrid=False, autorange="reversed")


def _signed(value: float) -> str:
    """1.23 -> +1.2; nearly nothing -> 0."""
    told = f"{value:+.1f}" if abs(value) < 9.95 else f"{value:+,.0f}"
    return "0" if abs(value) < 0.05 else told.replace("-", "\N{MINUS SIGN}")


def _short(name: str) -> str:
    return escape(name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…")


def _faded(colour: str, opacity: float = STRONGEST) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
