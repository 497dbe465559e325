"""A plotly figure as inline SVG, drawn by matplotlib: shown before plotly's script is ready, and where no script runs.

Ink, grid and paper are left to the page's style sheet, so that one drawing serves light, dark and print.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from html import escape, unescape
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
WIDTH, HEIGHT = 500, 375  # of the drawing, which the page scales
TEXT, SMALL = 13, 12
LETTER, HANDLE = 7.4, 42  # widths in a legend
# Colours that stand for what only the page knows.
INK, SOFT, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
OF_THE_PAGE = {INK: "currentColor", SOFT: "var(--soft)", LINE: "var(--line)", PAPER: "var(--paper)"}
SYMBOLS = {
    "square": "s",
    "circle": "o",
    "diamond": "D",
    "triangle-up": "^",
    "cross": "P",
    "x": "X",
    "star": "*",
}
DASHES: dict[str | None, Any] = {
    None: "-",
    "solid": "-",
    "dash": (0, (5, 3)),
    "dot": (0, (1.2, 2.4)),
    "dashdot": (0, (6, 2.5, 1.2, 2.5)),
}
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cropworth",
    "text.parse_math": False,
    "font.size": TEXT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.facecolor": "none",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "grid.color": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}


def to_svg(figure: go.Figure, name: str, says: str) -> str:
    """Draw it.

    Args:
        figure: of scatter, bar and heatmap traces.
        name: begins every id in the drawing; of each chart in a page another.
        says: what the drawing shows, for those who do not see it.

    Raises:
        ValueError: a trace of another kind.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    written = io.StringIO()
    with mpl.rc_context(SETTINGS):
        drawn = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72, layout="constrained")
        drawn.get_layout_engine().set(w_pad=0.03, h_pad=0.03)  # type: ignore[union-attr, call-arg]
        FigureCanvasSVG(drawn)
        axes = drawn.add_subplot()
        drawn.patch.set_visible(False)
        axes.patch.set_visible(False)
        for order, trace in enumerate(figure.data, start=2):
            if trace.type not in TRACES:
                raise ValueError(f"a trace of the kind {trace.type!r}, not one of {', '.join(TRACES)}")
            TRACES[trace.type](axes, trace, order)
        _axis(axes, figure.layout.xaxis, "x")
        _axis(axes, figure.layout.yaxis, "y")
        _legend(drawn, figure)
        drawn.savefig(written, format="svg", metadata={"Date": None})
    return _for_a_page(written.getvalue(), name, says)


# Traces


def _scatter(axes: Axes, trace: Any, order: int) -> None:
    x, y = _numbers(trace.x), _numbers(trace.y)
    if trace.fill == "toself":
        axes.fill(x, y, facecolor=trace.fillcolor, alpha=trace.opacity, linewidth=0, zorder=order)
        return
    mode = trace.mode
    if trace.error_y.array is not None:
        reach = [_numbers(trace.error_y.arrayminus), _numbers(trace.error_y.array)]
        colour = trace.marker.color
        axes.errorbar(
            x, y, reach, fmt="none", ecolor=colour, elinewidth=trace.error_y.thickness, capsize=3, zorder=order
        )
    axes.plot(
        x,
        y,
        color=trace.line.color,
        linewidth=trace.line.width or 2,
        linestyle=DASHES[trace.line.dash] if "lines" in mode else "none",
        alpha=trace.opacity,
        clip_on=trace.cliponaxis is not False,
        zorder=order,
        **_marker(trace),
    )
    if "text" in mode:
        for left, up, words in zip(x, y, trace.text, strict=True):
            _label(axes, left, up, _plain(words), trace.textposition)


def _bar(axes: Axes, trace: Any, order: int) -> None:
    x, y = _numbers(trace.x), _numbers(trace.y)
    if trace.orientation == "h":
        axes.barh(y, x, height=0.7, left=trace.base or 0.0, color=trace.marker.color, zorder=order)
    else:
        axes.bar(x, y, width=trace.width, bottom=0.0, color=trace.marker.color, zorder=order)


def _heatmap(axes: Axes, trace: Any, order: int) -> None:
    from matplotlib.patches import Rectangle

    span = trace.zmax - trace.zmin
    for y, row, words in zip(trace.y, trace.z, trace.text, strict=True):
        for x, value, word in zip(trace.x, row, words, strict=True):
            *colour, opacity = (0, 0, 0, 0) if value is None else _scaled(trace.colorscale, (value - trace.zmin) / span)
            if opacity > 0.005:
                corner = (x - 0.48, y - 0.48)
                axes.add_patch(Rectangle(corner, 0.96, 0.96, color=colour, alpha=opacity, linewidth=0, zorder=order))
            if word:
                axes.text(x, y, word, ha="center", va="center", fontsize=trace.textfont.size, zorder=order + 1)
    axes.set_xlim(min(trace.x) - 0.5, max(trace.x) + 0.5)
    axes.set_ylim(min(trace.y) - 0.5, max(trace.y) + 0.5)


TRACES: dict[str, Callable[[Axes, Any, int], None]] = {"scatter": _scatter, "bar": _bar, "heatmap": _heatmap}


def _marker(trace: Any) -> dict[str, Any]:
    if "markers" not in trace.mode:
        return {}
    return {
        "marker": SYMBOLS[trace.marker.symbol],
        "markersize": trace.marker.size,
        "markerfacecolor": trace.marker.color,
        "markeredgecolor": PAPER if trace.marker.line.width else trace.marker.color,
    }


def _label(axes: Axes, x: float, y: float, words: str, place: str) -> None:
    """Words beside a point, where plotly puts them."""
    down, across = place.split()
    off = 9 if down == "middle" else 4
    axes.annotate(
        words,
        (x, y),
        xytext=({"left": -off, "right": off, "center": 0}[across], {"top": 9, "bottom": -9, "middle": 0}[down]),
        textcoords="offset points",
        ha={"left": "right", "right": "left", "center": "center"}[across],
        va={"top": "bottom", "bottom": "top", "middle": "center"}[down],
        annotation_clip=False,
    ).set_in_layout(False)


def _scaled(scale: Iterable[tuple[float, str]], share: float) -> list[float]:
    """Red, green, blue and opacity, each of 1, at this share of a scale of rgba() colours."""
    stops = [(at, [float(part) for part in re.findall(r"[\d.]+", colour)]) for at, colour in scale]
    places = [at for at, _ in stops]
    mixed = [float(np.interp(share, places, [colour[part] for _, colour in stops])) for part in range(4)]
    return [*(part / 255 for part in mixed[:3]), mixed[3]]


# Axes and legend


def _axis(axes: Axes, axis: Any, letter: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    drawn = getattr(axes, f"{letter}axis")
    set_limits = getattr(axes, f"set_{letter}lim")
    if axis.type == "log":
        getattr(axes, f"set_{letter}scale")("log")
    if axis.tickvals is not None:
        labels = [_plain(words) for words in axis.ticktext]
        drawn.set_ticks(list(axis.tickvals), labels)
        drawn.set_ticks([], minor=True)
    else:
        drawn.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        drawn.set_minor_formatter(NullFormatter())
    if axis.range is not None:
        set_limits(axis.range)
    elif axis.rangemode == "tozero":
        set_limits(0)
    if axis.autorange == "reversed":
        drawn.set_inverted(True)
    if axis.showgrid is not False:
        drawn.grid(visible=True, linewidth=0.8)
    drawn.set_label_text(_plain(axis.title.text or ""))


def _legend(drawn: Figure, figure: go.Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if figure.layout.showlegend is False:
        return
    handles: list[Any] = []
    for trace in figure.data:
        if trace.showlegend is False or not trace.name:
            continue
        words = _plain(trace.name)
        if trace.type == "bar":
            handles.append(Patch(color=trace.marker.color, label=words))
        else:
            dash: Any = DASHES[trace.line.dash] if "lines" in trace.mode else "none"
            handles.append(Line2D([], [], color=trace.line.color, linestyle=dash, label=words, **_marker(trace)))
    if handles:
        columns = _columns([handle.get_label() for handle in handles])
        drawn.legend(
            handles=handles,
            loc="outside upper left",
            ncols=columns,
            frameon=False,
            fontsize=SMALL,
            handlelength=1.8,
            columnspacing=1.2,
            borderpad=0,
        )


def _columns(words: list[str]) -> int:
    """Of a legend: as many as fit; matplotlib fills one after the other."""
    for columns in range(len(words), 1, -1):
        shared, longer = divmod(len(words), columns)
        ends = np.cumsum([0, *(shared + (column < longer) for column in range(columns))])
        if sum(max(map(len, words[i:j])) * LETTER + HANDLE for i, j in pairwise(ends)) <= WIDTH:
            return columns
    return 1


def short(value: float) -> str:
    """As plotly writes the numbers at an axis: 1500000 -> 1.5M."""
    for factor, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor * (10 if letter == "k" else 1):
            return f"{value / factor:.6g}{letter}".replace("-", "\N{MINUS SIGN}")
    return f"{value:,.6g}".replace("-", "\N{MINUS SIGN}")


def _numbers(values: Any) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


def _plain(words: str) -> str:
    """Plotly's markup as text."""
    return unescape(words.replace("<br>", "\n"))


# The page's own


def _for_a_page(document: str, name: str, says: str) -> str:
    """What a page needs of matplotlib's document: its colours and its font, and ids that no other chart has."""
    found = ElementTree.fromstring(document)
    for part in found.iter():
        part.tag = part.tag.removeprefix(SVG)
        part.attrib = {
            key.removeprefix(XLINK): _slimmer(key, value)
            for key, value in part.attrib.items()
            if not value.startswith("rotate(-0 ")
        }
        part.tail = None
        part.text = part.text if part.tag == "text" else None
    _pruned(found)
    body = "".join(ElementTree.tostring(part, "unicode") for part in found)
    used = dict.fromkeys(re.findall(r'(?:url\(|href=")#([^)"]+)', body))
    places = {old: f"{name}-{i}" for i, old in enumerate(used)}
    body = re.sub(r' id="([^"]+)"', lambda found: f' id="{places[found[1]]}"' if found[1] in places else "", body)
    body = re.sub(r'(url\(|href=")#([^)"]+)', lambda found: f"{found[1]}#{places[found[2]]}", body)
    return f'<svg class="drawing" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(says)}</title>{body}</svg>'


def _pruned(found: ElementTree.Element) -> None:
    """Without metadata, style sheets, which would reach the whole page, and groups of one style."""
    for part in list(found):
        _pruned(part)
        if part.tag in ("metadata", "style") or (part.tag in ("g", "defs") and not len(part)):
            found.remove(part)
        elif part.tag == "g" and not part.attrib.keys() - {"id"}:
            place = list(found).index(part)
            found.remove(part)
            for inner in reversed(part):
                found.insert(place, inner)


def _slimmer(key: str, value: str) -> str:
    """An attribute without the digits that nobody sees, and with what only the page knows."""
    if key == "d":
        value = value.replace("\n", " ").strip()
    if key == "style":
        value = re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", value)
        value = re.sub(r"font-family: [^;]*; ", "", value)
        for sentinel, colour in OF_THE_PAGE.items():
            value = value.replace(sentinel, colour)
    return re.sub(r"(\d\.\d)\d+", r"\1", value) if key in ("d", "x", "y") else value
