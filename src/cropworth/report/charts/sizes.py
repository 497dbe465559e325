"""What more training items bring: each variant's learning curve, and what a candidate gains by it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from cropworth.report.charts.look import (
    FEWEST_FOR_INTERVAL,
    Chart,
    Look,
    Spread,
    band,
    empty_figure,
    ends_of,
    error_bars,
    interval_over_seeds,
    looks,
    mark,
    range_over_seeds,
    rounded,
)
from cropworth.report.charts.quality import ACCURACY, Measure, measure_of, over_seeds
from cropworth.report.text import headline_candidate
from cropworth.study.record import Study
from cropworth.worth.learning import FEWEST_SEEDS
from cropworth.worth.results import Appraisal
from cropworth.worth.words import money, number


def accuracy_by_size(study: Study, appraisal: Appraisal) -> Chart | None:
    """A line a variant, on a band over its seeds; None where there is but one training-set size."""
    measured = [size.train_size for size in appraisal.sizes]
    if len(measured) < 2:
        return None
    measure = measure_of(study)
    found = {name: {size: over_seeds(study, name, size) for size in measured} for name in study.kinds}
    found = {name: {s: seeds for s, seeds in by_size.items() if seeds} for name, by_size in found.items()}
    fewest = min((len(seeds) for by_size in found.values() for seeds in by_size.values()), default=0)
    if not fewest:
        return None
    sure = fewest >= FEWEST_FOR_INTERVAL
    last: dict[str, float] = {}
    figure = empty_figure("training items", measure.axis)
    for name, look in looks(study).items():
        spreads = [_spread(seeds, sure, measure) for seeds in found[name].values()]
        figure.add_traces(_line_with_band(name, look, list(found[name]), spreads, measure))
        last |= {name: spreads[-1].mean} if measured[-1] in found[name] else {}
    bands = "the 95 % interval of the mean over seeds" if sure else "the lowest and the highest seed"
    return Chart(
        f"{measure.name.capitalize()} by training-set size",
        figure.update_xaxes(type="log", tickvals=measured, ticktext=[f"{size:,}" for size in measured]),
        f"Line chart of {measure.name} by number of training items, a line a variant; with {measured[-1]:,} items: "
        + ", ".join(f"{name} {number(mean)}{measure.unit}" for name, mean in last.items())
        + ".",
        f"Lines are means over seeds; bands span {bands}. The number of items is on a logarithmic axis.",
    )


def gain_by_size(study: Study, appraisal: Appraisal) -> Chart | None:
    """What the headline's candidate gains at each size, and the fitted curve; None with fewer than three sizes."""
    best = headline_candidate(appraisal)
    curve = None if best is None or best.outlook is None else best.outlook.learning
    if best is None or curve is None:
        return None
    seeds = {s.train_size: c.seeds for s in appraisal.sizes for c in s.candidates if c.name == best.name}
    sizes = [size for size, count in seeds.items() if count >= FEWEST_SEEDS]  # those of the curve
    look, currency = looks(study)[best.name], appraisal.currency
    figure = empty_figure("training items", f"gain per prediction ({currency})")
    fits = curve.shape == "power law"
    reach = [sizes[0], curve.sizes[-1] if fits else sizes[-1]]
    figure.add_trace(mark(reach, [0, 0], "no gain", "dot"))
    if fits:
        x, mean, low, high = map(rounded, (curve.sizes, *ends_of(curve.band)))
        line = {"color": look.colour, "dash": "dash"}
        figure.add_trace(band(x, low, high, look.colour, "fit"))
        figure.add_trace(go.Scatter(x=x, y=mean, mode="lines", name="power law", legendgroup="fit", line=line))
    mean, low, high = ends_of(curve.measured)
    figure.add_trace(
        go.Scatter(
            x=sizes,
            y=rounded(mean),
            error_y=error_bars(mean, low, high),
            mode="markers",
            name="measured",
            marker={"color": look.colour, "symbol": look.marker, "size": 9},
            hovertemplate=f"%{{x:,}} items<br>{escape(currency)} %{{y:.3g}}<extra></extra>",
        )
    )
    fitted = (
        "The dashed line is the power law fitted to them, with the 95 % interval at each size, as far as twice the "
        "largest size measured. "
        if fits
        else "No power law describes them, so that none is drawn. "
    )
    return Chart(
        f"What {best.name} gains by training-set size",
        figure.update_xaxes(type="log", tickvals=sizes, ticktext=[f"{size:,}" for size in sizes]),
        f"Chart of the gain per prediction of {best.name} by number of training items: "
        f"{money(mean[-1], currency)} with {sizes[-1]:,}.",
        f"Points are the measured gains against the baseline with their 95 % intervals. {fitted}{curve.words}",
        own_prices=True,
    )


def _spread(seeds: Sequence[float], sure: bool, measure: Measure) -> Spread:
    if not sure:
        return range_over_seeds(seeds)
    found = interval_over_seeds(seeds)
    most = 100.0 if measure is ACCURACY else float("inf")
    return Spread(found.mean, max(0.0, found.low), min(most, found.high))


def _line_with_band(
    name: str, look: Look, sizes: list[int], spreads: list[Spread], measure: Measure
) -> list[go.Scatter]:
    low, high = rounded([s.low for s in spreads]), rounded([s.high for s in spreads])
    line = go.Scatter(
        x=sizes,
        y=rounded([s.mean for s in spreads]),
        mode="lines+markers",
        name=escape(name),
        legendgroup=escape(name),
        line={"color": look.colour, "dash": look.dash},
        marker={"color": look.colour, "symbol": look.marker, "size": 8},
        hovertemplate="%{fullData.name}, %{x:,} items<br>%{y:.4g}" + measure.unit + "<extra></extra>",
    )
    return [band(sizes, low, high, look.colour, name), line]
