"""What a candidate may be worth, and what that hangs on: by chance, by each input, by a price, by volume.

`templates/js/charts.js` draws the same traces, in the same order, when prices are set in the page.
"""

from __future__ import annotations

from html import escape
from math import ceil, floor

import numpy as np
import plotly.graph_objects as go

from cropworth.report.charts.look import BLUE, GREY, ORANGE, Chart, band, empty_figure, ends_of, looks, mark, rounded
from cropworth.report.outlook import told_bars
from cropworth.report.text import headline_candidate, money_interval, named, percent
from cropworth.study.record import Study
from cropworth.worth.results import Appraisal, Bar, Candidate, Outlook
from cropworth.worth.words import humanised, money, number

BARS = 36  # of the histogram, where the margin is an edge of one; else one more
IN_SIGHT = 1.5  # a mark is drawn as far from the histogram as so many times its width
ROOM = 1000.0  # an axis that spans less has room for 1, 2 and 5
HEADROOM = 1.06  # of an axis, beyond its highest number


def distribution(study: Study, appraisal: Appraisal, margin: float) -> Chart | None:
    """How likely each net present value of the headline's candidate is; None without draws that differ."""
    found = _outlook(appraisal)
    if found is None:
        return None
    best, outlook = found
    edges, shares = histogram(outlook.quantiles, margin)
    if not shares:
        return None
    currency, chance = appraisal.currency, percent(outlook.probability_worth_it)
    top, within = HEADROOM * max(shares), edges[1] - edges[0]
    bars = [((low + high) / 2, share) for low, high, share in zip(edges, edges[1:], shares, strict=False)]
    below, above = [bar for bar in bars if bar[0] < margin], [bar for bar in bars if bar[0] >= margin]
    not_worth = f"not worth it: {percent(1 - outlook.probability_worth_it)}"
    figure = empty_figure(f"net present value ({currency})", "chance (%)")
    figure.add_trace(_bars(below, within, not_worth, ORANGE, currency))
    figure.add_trace(_bars(above, within, f"worth it: {chance}", BLUE, currency))
    for at, name, dash in (
        (0.0, "nothing gained", "solid"),
        (margin, f"margin: {money(margin, currency)}", "dash"),
    ):
        shown = in_sight(at, edges) and (dash == "solid" or at != 0)
        figure.add_trace(mark([at if shown else None] * 2, [0.0, top], name, dash).update(showlegend=shown))
    figure.update_layout(barmode="overlay", bargap=0)
    figure.update_yaxes(range=rounded([0.0, top]))
    ends = money_interval(best.npv, currency)
    return Chart(
        f"What {best.name} may be worth",
        figure,
        f"Histogram of the net present value of {best.name}: with a chance of {chance} it is worth it; "
        f"{money(best.npv.estimate, currency)}, 95 % interval {ends}.",
        "10,000 draws of what the measurements leave open, and of prices that are guesses; the lowest and the highest "
        "1 % are not drawn. Blue is above the margin. A mark far from the histogram is left out.",
    )


def _bars(bars: list[tuple[float, float]], width: float, name: str, colour: str, currency: str) -> go.Bar:
    return go.Bar(
        x=rounded([middle for middle, _ in bars], 9),
        y=rounded([share for _, share in bars]),
        width=float(f"{width:.9g}"),
        name=name,
        showlegend=bool(bars),
        marker={"color": colour, "line": {"width": 0}},
        hovertemplate=f"about {escape(currency)} %{{x:.3s}}: %{{y:.1f}} %<extra></extra>",
    )


def histogram(quantiles: tuple[tuple[float, float], ...], margin: float) -> tuple[list[float], list[float]]:
    """Shares (N,) in percent between N + 1 edges, of which the margin is one where it lies among them.

    Between two quantiles the chance is even.
    """
    chances, amounts = zip(*quantiles, strict=True)
    low, high = amounts[0], amounts[-1]
    if not high > low:
        return [], []
    width = (high - low) / BARS
    steps = range(floor((low - margin) / width), ceil((high - margin) / width) + 1)
    edges = [margin + width * step for step in steps]
    below = np.interp(edges, amounts, chances)
    return edges, (100 * np.diff(below)).tolist()


def in_sight(at: float, edges: list[float]) -> bool:
    """Whether a mark is near enough to the histogram to be drawn."""
    reach = IN_SIGHT * (edges[-1] - edges[0])
    return edges[0] - reach <= at <= edges[-1] + reach


def tornado(study: Study, appraisal: Appraisal) -> Chart | None:
    """Net present values with one input varied at a time; None where there is no bar."""
    found = _outlook(appraisal)
    if found is None or not (bars := told_bars(found[1])):
        return None
    best, _ = found
    estimate, currency = best.npv.estimate or 0.0, appraisal.currency
    places = list(range(len(bars)))
    figure = empty_figure(f"NPV ({currency})", "").update_xaxes(nticks=5)
    for name, colour, ends in (
        ("at its lower value", ORANGE, [bar.npv_at_low for bar in bars]),
        ("at its higher value", BLUE, [bar.npv_at_high for bar in bars]),
    ):
        figure.add_trace(
            go.Bar(
                x=rounded([end - estimate for end in ends], 9),
                y=places,
                base=float(f"{estimate:.9g}"),
                orientation="h",
                name=name,
                marker={"color": colour},
                customdata=[money(end, currency) for end in ends],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    flips = [place for place, bar in zip(places, bars, strict=True) if bar.flips]
    figure.add_trace(
        go.Scatter(
            x=[float(f"{estimate:.9g}")] * len(flips),
            y=flips,
            mode="markers",
            name="changes the verdict",
            marker={"symbol": "diamond", "size": 9, "color": GREY, "line": {"color": "white", "width": 1}},
            showlegend=bool(flips),
            hoverinfo="name",
        )
    )
    figure.update_layout(barmode="overlay")
    figure.update_yaxes(
        tickvals=places, ticktext=[bar_label(bar) for bar in bars], showgrid=False, range=[len(bars) - 0.4, -0.6]
    )
    widest = bars[0]
    return Chart(
        f"What the worth of {best.name} hangs on",
        figure,
        f"Tornado chart of {len(bars)} inputs. The widest bar is {named(widest.input)}: "
        f"{money(widest.npv_at_low, currency)} to {money(widest.npv_at_high, currency)}.",
        "Each input is varied alone, the widest bar first, from the net present value as it is estimated. The lower "
        "and the higher value stand below each name; “as measured” goes from the 10 % to the 90 % quantile. A diamond: "
        "at one end the verdict is another.",
    )


def bar_label(bar: Bar) -> str:
    """An input, and on a second line from where to where it is varied."""
    ends = "as measured" if bar.low is None else f"{humanised(bar.low)} to {humanised(bar.high)}"
    return f"{escape(named(bar.input))}<br>{ends}"


def acceptability(study: Study, appraisal: Appraisal) -> Chart | None:
    """The chance that it is worth it over the price of an error; None without an outlook."""
    found = _outlook(appraisal)
    if found is None:
        return None
    best, outlook = found
    amounts, chances = zip(*outlook.acceptability, strict=True)
    look, now, name = looks(study)[best.name], _now(outlook.grid.error_prices), named(appraisal.error_price)
    figure = empty_figure(name if name != appraisal.error_price else f"{name} ({appraisal.currency})", "chance (%)")
    figure.add_trace(
        go.Scatter(
            x=rounded(amounts),
            y=rounded([100 * chance for chance in chances]),
            mode="lines",
            name="worth it",
            line={"color": look.colour, "width": 2},
            hovertemplate="at %{x:.3g}: %{y:.1f} %<extra></extra>",
        )
    )
    figure.add_trace(mark([now, now], [0, 100], f"now: {number(now)}"))
    figure.update_yaxes(range=[0, 102]).update_xaxes(range=rounded([amounts[0], amounts[-1]]))
    chance = percent(outlook.probability_worth_it)
    return Chart(
        f"Chance that {best.name} is worth it, by the price of an error",
        figure,
        f"Acceptability curve: at {name} {number(now)}, as now, the chance that {best.name} is worth it is {chance}.",
        "The cost-effectiveness acceptability curve (CEAC). The dashed line is the price as it is now; all other "
        "prices stay as they are.",
    )


def break_even(study: Study, appraisal: Appraisal) -> Chart | None:
    """The net present value over the volume; None where no volume is known."""
    found = _outlook(appraisal)
    if found is None or not found[1].break_even_curve.volumes:
        return None
    best, outlook = found
    look, currency = looks(study)[best.name], appraisal.currency
    pays, now = best.break_even_predictions_per_year, _now(outlook.grid.volumes)
    x = rounded(outlook.break_even_curve.volumes)
    mean, low, high = ends_of(outlook.break_even_curve.npv)
    bottom, top = HEADROOM * min(0.0, *low), HEADROOM * max(0.0, *high)
    shown = pays is not None and x[0] <= pays <= x[-1]
    figure = empty_figure("predictions a year", f"net present value ({currency})")
    figure.add_trace(band(x, rounded(low), rounded(high), look.colour, "npv"))
    figure.add_trace(
        go.Scatter(
            x=x,
            y=rounded(mean),
            mode="lines",
            name="net present value",
            legendgroup="npv",
            line={"color": look.colour, "width": 2},
            hovertemplate="%{x:.3s} a year: %{y:.3s}<extra></extra>",
        )
    )
    figure.add_trace(mark([x[0], x[-1]], [0, 0], "nothing gained", "solid"))
    figure.add_trace(
        mark([now or None] * 2, rounded([bottom, top]), f"now: {humanised(now)}").update(showlegend=now > 0)
    )
    figure.add_trace(
        go.Scatter(
            x=[pays if shown else None],
            y=[0.0],
            mode="markers",
            name=f"break-even: {humanised(pays)}",
            marker={"color": look.colour, "symbol": "diamond", "size": 10},
            showlegend=shown,
            hoverinfo="name",
        )
    )
    figure.update_xaxes(type="log", dtick=_steps(x)).update_yaxes(range=rounded([bottom, top]))
    return Chart(
        f"Net present value of {best.name} by volume",
        figure,
        f"Break-even chart of {best.name}: {_where_it_pays(pays)}.",
        "Predictions a year are on a logarithmic axis. The band is the 95 % interval at the prices as they are; the "
        "diamond is the break-even.",
    )


def _steps(x: list[float]) -> str | int:
    """Of a logarithmic axis: 1, 2 and 5 where there is room, else powers of ten."""
    return "D2" if x[-1] < ROOM * x[0] else 1


def _where_it_pays(volume: float | None) -> str:
    if volume is None:
        return "it pays at no volume"
    return f"it pays from {humanised(volume)} predictions a year on" if volume else "it pays at any volume"


def _outlook(appraisal: Appraisal) -> tuple[Candidate, Outlook] | None:
    best = headline_candidate(appraisal)
    return None if best is None or best.outlook is None else (best, best.outlook)


def _now(varied: tuple[float, ...]) -> float:
    """Today's amount: the middle one of the grid."""
    return varied[len(varied) // 2]
