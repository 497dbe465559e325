"""The page of benchmarks/calibration.py: tables, pictures and on what they were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

from finding import provenance

LEAST, MOST = 0.94, 0.97  # of the coverage that was asked
FAMILIES = {"answers": "Right and wrong answers", "heavy tails": "Heavy tails", "normal": "Normal effects"}
COLOURS = ("#1098ad", "#f2994a", "#ae3ec9", "#2f9e44", "#e03131", "#495057")
CHANCES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.000001)
SURE = 2.58  # standard errors of chance in the simulation that a deviation must exceed to be called one

Cells = list[dict[str, Any]]


def write(out: Path, found: dict[str, Any]) -> None:
    """calibration.md, calibration-coverage.svg and calibration-power.svg in `out`."""
    names = ("coverage", "again", "power", "forecast", "whole")
    cells, again, power, forecast, whole = (_of(found, name) for name in names)
    tables = [
        "## Do the intervals hold the truth?", summary(cells), "![Coverage](calibration-coverage.svg)",
        *(part for name, title in FAMILIES.items() for part in (f"### {title}", coverage_table(cells, name))),
        "### Width", width_table(cells), "## The baseline again", again_table(again),
        "## Is a gain found?", power_table(power), "![Power and forecasts](calibration-power.svg)",
        "## Do forecasts come true?", needed_table(forecast), chance_table(forecast),
        "## Through the whole appraisal", whole_table(whole), f"{provenance()}.",
    ]  # fmt: skip
    (out / "calibration.md").write_text("\n\n".join(tables) + "\n")
    (out / "calibration-coverage.svg").write_text(coverage_picture(cells))
    (out / "calibration-power.svg").write_text(power_picture(power, forecast))


def _of(found: dict[str, Any], name: str) -> Cells:
    parts = [part for key, part in found.items() if key.startswith(f"{name}/")]
    return [row for part in parts for row in (part if isinstance(part, list) else [part])]


def as_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """As Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def held(cell: dict[str, Any]) -> float:
    """Share of intervals that hold the truth."""
    missed: int = cell["above"] + cell["below"]
    repeats: int = cell["repeats"]
    return 1 - missed / repeats


def outside(cell: dict[str, Any]) -> bool:
    """Whether coverage is outside what was asked by more than chance in the simulation."""
    share = held(cell)
    noise = SURE * sqrt(share * (1 - share) / cell["repeats"])
    return share + noise < LEAST or share - noise > MOST


def percent(share: float, digits: int = 1) -> str:
    """Of a table."""
    return f"{100 * share:.{digits}f}"


# Coverage


def summary(cells: Cells) -> str:
    """Of each family and number of seeds."""
    rows = []
    for family, title in FAMILIES.items():
        for seeds in _distinct(cells, "seeds"):
            own = [cell for cell in cells if cell["family"] == family and cell["seeds"] == seeds]
            shares, above = [held(cell) for cell in own], [cell["above"] / cell["repeats"] for cell in own]
            marked = [held(cell) for cell in own if outside(cell)]
            counts = [sum(share < LEAST for share in marked), sum(share > MOST for share in marked), len(own)]
            numbers = [min(shares), sum(shares) / len(own), max(shares), sum(above) / len(own), max(above)]
            rows.append([title, str(seeds), *map(percent, numbers), *map(str, counts)])
    head = ["studies", "seeds", "least, %", "mean, %", "most, %", "wholly above, mean, %", "wholly above, most, %"]
    return as_table([*head, "kinds below 94 %", "above 97 %", "of"], rows)


def coverage_table(cells: Cells, family: str) -> str:
    """Coverage in per cent by kind, test items and seeds."""
    own = [cell for cell in cells if cell["family"] == family]
    seeds = _distinct(own, "seeds")
    rows = []
    for kind in _distinct(own, "kind"):
        for items in _distinct(own, "items"):
            line = {c["seeds"]: c for c in own if c["kind"] == kind and c["items"] == items}
            marked = [f"**{percent(held(line[s]))}**" if outside(line[s]) else percent(held(line[s])) for s in seeds]
            sides = [max(c[side] / c["repeats"] for c in line.values()) for side in ("above", "below")]
            rows.append([kind, f"{items:,}", *marked, *map(percent, sides)])
    return as_table(["kind", "items", *map(str, seeds), "wholly above, at most", "wholly below, at most"], rows)


def width_table(cells: Cells) -> str:
    """Half width over 1.96 standard deviations, by seeds."""
    rows = []
    for seeds in _distinct(cells, "seeds"):
        widths = sorted(cell["width"] for cell in cells if cell["seeds"] == seeds)
        rows.append([str(seeds), f"{widths[0]:.2f}", f"{widths[len(widths) // 2]:.2f}", f"{widths[-1]:.2f}"])
    return as_table(["seeds", "least", "median", "most"], rows)


# The baseline again, power, forecasts


def again_table(rows: Cells) -> str:
    """Share of studies with an adopt, in per cent."""
    designs, several = _distinct(rows, "design"), _distinct(rows, "candidates")
    lines = []
    for kind in _distinct(rows, "kind"):
        for count in several:
            of = {row["design"]: row for row in rows if row["kind"] == kind and row["candidates"] == count}
            shares = [of[design]["adopt"] / of[design]["studies"] for design in designs]
            lines.append([kind, str(count), *map(percent, shares)])
    return as_table(["kind", "candidates", *designs], lines)


def power_table(rows: Cells) -> str:
    """Share of studies with an adopt, in per cent."""
    designs = list(rows[0]["adopt"])
    lines = [
        [
            f"{100 * row['gain']:g}",
            *(percent(row["adopt"][design] / row["repeats"], 0) for design in designs),
            percent(row["clear"] / row["repeats"], 0),
            f"{row['seeds']:.1f}",
        ]
        for row in rows
    ]
    head = ["gain, points", *(f"{d} seeds" if d.isdigit() else d for d in designs), "clear by its end", "its seeds"]
    return as_table(head, lines)


def needed_table(rows: Cells) -> str:
    """How often the named number of seeds was enough, by what was named."""
    lines = []
    for gains, pilot in _gains_and_pilots(rows):
        own = [row for row in rows if row["gains"] == gains and row["pilot"] == pilot]
        several = [(f"{low + 1} to {high}", low, high) for low, high in pairwise((pilot, 2 * pilot, 4 * pilot))]
        groups = [(name, [row for row in own if low < (row["needed"] or 0) <= high]) for name, low, high in several]
        groups += [
            ("more", [row for row in own if (row["needed"] or 0) > 4 * pilot]),
            ("no number", [row for row in own if row["needed"] is None]),
        ]
        for name, group in groups:
            tried = [row["sufficed"] for row in group if row["sufficed"] is not None]
            share = percent(sum(tried) / len(tried), 0) if tried else ""
            later = percent(sum(row["clear"] for row in group) / len(group), 0) if group else ""
            lines.append([gains, str(pilot), name, str(len(group)), share, later])
    return as_table(["gains", "seeds so far", "seeds named", "open studies", "clear then, %", "clear at 20, %"], lines)


def _gains_and_pilots(rows: Cells) -> list[tuple[str, int]]:
    return sorted({(row["gains"], row["pilot"]) for row in rows})


def _by_chance(rows: Cells, gains: str, pilot: int) -> list[tuple[int, float, float]]:
    """Count, mean forecast and what came of it, by the forecast chance of a clear verdict at 20 seeds."""
    own = [row for row in rows if row["gains"] == gains and row["pilot"] == pilot]
    bins = [[row for row in own if low <= row["chance"] < high] for low, high in pairwise(CHANCES)]
    return [
        (len(group), *(sum(row[key] for row in group) / len(group) for key in ("chance", "clear")))
        for group in bins
        if group
    ]


def chance_table(rows: Cells) -> str:
    """Forecast and observed shares of clear verdicts at 20 seeds."""
    lines = [
        [gains, str(pilot), str(count), percent(forecast, 0), percent(came, 0)]
        for gains, pilot in _gains_and_pilots(rows)
        for count, forecast, came in _by_chance(rows, gains, pilot)
    ]
    return as_table(["gains", "seeds so far", "open studies", "forecast clear at 20, %", "were, %"], lines)


def whole_table(rows: Cells) -> str:
    """The whole appraisal against its parts."""
    lines = [
        [
            *(r["kind"], str(r["seeds"]), f"{r['items']:,}", str(r["repeats"])),
            *(percent(1 - r["missed"] / r["repeats"]), f"{r['apart']:.0e}", f"{r['agreed']} of {r['repeats']}"),
        ]
        for r in rows
    ]
    head = ["kind", "seeds", "items", "studies", "coverage, %", "furthest from the parts", "same verdict"]
    return as_table(head, lines)


def _distinct(rows: Cells, key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


# Pictures


class Line(NamedTuple):
    """Of a panel. Points are (x, y) in the panel's units."""

    points: Sequence[tuple[float, float]]
    colour: str
    name: str = ""
    opacity: float = 1.0
    dashed: bool = False


class Panel(NamedTuple):
    """One plot. Ticks are (place, label); the band lies between two y."""

    title: str
    x_name: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    lines: Sequence[Line]
    band: tuple[float, float] | None = None


WIDTH, HEIGHT, LEFT, TOP, GAP = 280, 210, 40, 30, 24


def picture(panels: Sequence[Panel]) -> str:
    """Panels side by side, as SVG."""
    width, height = len(panels) * (LEFT + WIDTH + GAP), TOP + HEIGHT + 42
    drawn = [_panel(panel, LEFT + place * (LEFT + WIDTH + GAP)) for place, panel in enumerate(panels)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
    paper = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    return "\n".join([f'{head}font-family="sans-serif" font-size="11">', paper, *drawn, "</svg>"]) + "\n"


def _panel(panel: Panel, left: float) -> str:
    (x0, x1), (y0, y1) = ((ticks[0][0], ticks[-1][0]) for ticks in (panel.x_ticks, panel.y_ticks))

    def place(x: float, y: float) -> tuple[float, float]:
        within = min(max(y, y0), y1)
        return round(left + WIDTH * (x - x0) / (x1 - x0), 1), round(TOP + HEIGHT * (y1 - within) / (y1 - y0), 1)

    parts = [_text(left + WIDTH / 2, 16, panel.title, "middle", bold=True)]
    if panel.band:
        (_, low), (_, high) = (place(x0, y) for y in panel.band)
        parts.append(f'<rect x="{left}" y="{high}" width="{WIDTH}" height="{low - high:.1f}" fill="#d3f9d8"/>')
    for y, label in panel.y_ticks:
        at = place(x0, y)[1]
        parts.append(f'<path d="M{left} {at}h{WIDTH}" stroke="#ddd"/>{_text(left - 5, at + 4, label, "end")}')
    parts += [_text(place(x, y0)[0], TOP + HEIGHT + 15, label, "middle") for x, label in panel.x_ticks]
    parts.append(_text(left + WIDTH / 2, TOP + HEIGHT + 33, panel.x_name, "middle"))
    for line in panel.lines:
        points = " ".join(f"{x},{y}" for x, y in (place(*point) for point in line.points))
        dashes = ' stroke-dasharray="5 3"' if line.dashed else ""
        style = f'stroke="{line.colour}" stroke-opacity="{line.opacity}" stroke-width="1.6"'
        parts.append(f'<polyline points="{points}" fill="none" {style}{dashes}/>')
    named = [line for line in panel.lines if line.name]
    low = TOP + HEIGHT - 8 - 14 * (len(named) - 1)
    for place_in, line in enumerate(named):
        parts.append(_text(left + WIDTH - 6, low + 14 * place_in, line.name, "end", line.colour))
    return "\n".join(parts)


def _text(x: float, y: float, words: str, anchor: str, colour: str = "#222", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(words)}</text>'


def coverage_picture(cells: Cells) -> str:
    """Coverage by seeds: a line for each kind, a colour for each number of test items."""
    panels = []
    for family, title in FAMILIES.items():
        own = [cell for cell in cells if cell["family"] == family]
        seeds = _distinct(own, "seeds")
        lines = []
        for colour, items in zip(COLOURS, _distinct(own, "items"), strict=False):
            for first, kind in enumerate(_distinct(own, "kind")):
                line = [c for c in own if c["kind"] == kind and c["items"] == items]
                points = [(seeds.index(c["seeds"]), 100 * held(c)) for c in line]
                lines.append(Line(points, colour, "" if first else f"{items:,} test items", 0.6))
        x_ticks = [(place, str(count)) for place, count in enumerate(seeds)]
        y_ticks = [(y, f"{y}") for y in range(86, 101, 2)]
        panels.append(Panel(f"{title}: coverage, %", "seeds", x_ticks, y_ticks, lines, (100 * LEAST, 100 * MOST)))
    return picture(panels)


def power_picture(power: Cells, forecast: Cells) -> str:
    """Power by gain, and what came of forecasts."""
    shares = [(float(y), f"{y}") for y in range(0, 101, 20)]
    found = []
    for colour, design in zip(COLOURS, ("3", "5", "10", "20", "until clear"), strict=False):
        points = [(100 * row["gain"], 100 * row["adopt"][design] / row["repeats"]) for row in power]
        found.append(Line(points, colour, f"{design} seeds" if design.isdigit() else design, dashed=design[0] == "u"))
    gains = [(x / 2, f"{x / 2:g}") for x in range(7)]
    panels = [Panel("adopt, % of studies", "gain, points of accuracy", gains, shares, found)]
    for name in _distinct(forecast, "gains"):
        came = [Line([(0, 0), (100, 100)], "#bbbbbb", "as forecast", dashed=True)]
        for colour, pilot in zip(COLOURS, sorted({row["pilot"] for row in forecast}), strict=False):
            points = [(100 * said, 100 * was) for _, said, was in _by_chance(forecast, name, pilot)]
            came.append(Line(points, colour, f"after {pilot} seeds"))
        panels.append(Panel(f"gains {name}: clear at 20 seeds, %", "forecast, %", shares, shares, came))
    return picture(panels)
