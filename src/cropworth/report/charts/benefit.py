"""The decision curve: net benefit over thresholds, of both models, of treating all and of treating none."""

from __future__ import annotations

from html import escape

import numpy as np
import plotly.graph_objects as go

from cropworth.report.charts.look import Chart, Look, band, empty_figure, ends_of, looks, mark, rounded
from cropworth.report.text import headline_candidate, percent
from cropworth.study.record import Study
from cropworth.worth.results import Appraisal, Benefit, DecisionCurve
from cropworth.worth.words import number


def decision_curves(study: Study, appraisal: Appraisal) -> Chart | None:
    """Net benefit of the baseline and of the headline's candidate; None without two classes and probabilities."""
    best = headline_candidate(appraisal)
    curve = None if best is None or best.outlook is None else best.outlook.decisions
    if best is None or curve is None:
        return None
    drawn = looks(study)
    x = [100 * t for t in curve.thresholds]
    figure = empty_figure("threshold probability (%)", "net benefit per item")
    figure.add_trace(mark(x, rounded(curve.treat_all), "treat all", "dash"))
    figure.add_trace(mark([x[0], x[-1]], [0, 0], "treat none", "dot"))
    for name, benefit in ((appraisal.baseline, curve.baseline), (best.name, curve.candidate)):
        figure.add_traces(_line(name, x, benefit, drawn[name]))
    most = max(0.0, *(i.high or i.estimate or 0.0 for i in (*curve.baseline.net_benefit, *curve.candidate.net_benefit)))
    figure.update_yaxes(range=rounded([-0.1 * most, 1.05 * most]))  # treating all falls far below
    return Chart(
        f"Net benefit of {best.name}, as a clinician sees it",
        figure,
        f"Decision curve of {appraisal.baseline} and {best.name}. {_widest(curve, best.name)}",
        "Cases found per item, less false alarms at the odds of the threshold: where a line is highest, deciding by it "
        "is best for whoever would treat from that probability on. Bands are 95 % intervals, each for its own "
        f"threshold; {percent(curve.prevalence)} of the items are positive.",
        own_prices=True,
    )


def _widest(curve: DecisionCurve, name: str) -> str:
    gains = [interval.estimate or 0.0 for interval in curve.difference.net_benefit]
    place = int(np.abs(gains).argmax())
    more = "more" if gains[place] >= 0 else "less"
    return (
        f"They differ most at a threshold of {percent(curve.thresholds[place], 0)}, where {name} brings "
        f"{number(abs(gains[place]))} {more} per item."
    )


def _line(name: str, x: list[float], benefit: Benefit, look: Look) -> list[go.Scatter]:
    mean, low, high = map(rounded, ends_of(benefit.net_benefit))
    line = go.Scatter(
        x=x,
        y=mean,
        mode="lines",
        name=escape(name),
        legendgroup=escape(name),
        line={"color": look.colour, "width": 2, "dash": look.dash},
        hovertemplate="%{fullData.name}<br>from %{x:.0f} % on: %{y:.3g} per item<extra></extra>",
    )
    return [line] if np.isnan(low).any() else [band(x, low, high, look.colour, name), line]
