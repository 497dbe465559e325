"""The Markdown of benchmarks/paper.py: our errors beside those of Jaderberg et al. 2015, table 1. Needs no torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from cropworth.errors import CropworthError
from cropworth.worth.interval import two_way_interval

Record = dict[str, Any]
Cells = dict[tuple[str, str], list[Record]]  # (column, network) -> one record a seed

# Errors in %, by column and network.
NETWORKS = ("FCN", "CNN", "ST-FCN-Aff", "ST-FCN-Proj", "ST-FCN-TPS", "ST-CNN-Aff", "ST-CNN-Proj", "ST-CNN-TPS")
PAPER = {
    "R": dict(zip(NETWORKS, (2.1, 1.2, 1.2, 1.3, 1.1, 0.7, 0.8, 0.7), strict=True)),
    "RTS": dict(zip(NETWORKS, (5.2, 0.8, 0.8, 0.9, 0.8, 0.5, 0.6, 0.5), strict=True)),
    "P": dict(zip(NETWORKS, (3.1, 1.5, 1.5, 1.4, 1.4, 0.8, 0.8, 0.8), strict=True)),
    "E": dict(zip(NETWORKS, (3.2, 1.4, 2.7, 2.6, 2.4, 1.2, 1.3, 1.1), strict=True)),
    "C": {"FCN": 13.2, "CNN": 3.5, "ST-FCN-Aff": 2.0, "ST-CNN-Aff": 1.7},
    "plain": {},
}
FAMILIES, TRANSFORMS = ("FCN", "CNN"), ("Aff", "Proj", "TPS")
COLUMNS = {
    "R": "turned by up to 90 degrees",
    "RTS": "turned, scaled and moved on 42 pixels",
    "P": "seen at an angle",
    "E": "bent",
    "C": "moved on 60 pixels among six pieces of clutter",
    "plain": "centred and upright, where a crop has nothing to find (not in the paper)",
}
NOTHING = "-"
MEANING = (
    "Error of the ST network as a share of the same network's without a crop, ours (the paper's). *better* and "
    "*worse*: the 95 % interval of the paired difference, over seeds and test pictures, leaves out zero; else *open*."
)


def markdown(records: Sequence[Record]) -> str:
    """The whole file.

    Args:
        records: what benchmarks/paper.py wrote.

    Raises:
        CropworthError: there are none, or they were made with different settings.
    """
    settings = {tuple(record["settings"].items()) for record in records}
    if len(settings) != 1:
        raise CropworthError(
            f"records of {len(settings)} different settings",
            "those of one",
            "Train first, and give each setting an --out of its own.",
        )
    cells: Cells = defaultdict(list)
    for record in records:
        cells[record["column"], record["network"]].append(record)
    columns = [column for column in COLUMNS if any(column == trained for trained, _ in cells)]
    networks = [network for network in NETWORKS if any(network == trained for _, trained in cells)]
    how = dict(next(iter(settings)))
    parts = [
        "# Table 1 of Spatial Transformer Networks, again",
        _introduction(how, columns),
        "## Errors in %",
        "Ours, mean (least to most of the seeds) / the paper's.",
        _grid(networks, columns, lambda network, column: _error(cells, column, network)),
        "## What the crop changes",
        MEANING,
        _ratios(cells, columns),
        "\n".join(f"- {_order(cells, column)}" for column in columns),
        "## Parameters",
        _grid(networks, columns, lambda network, column: _size(cells, column, network)),
        _provenance(records, how),
    ]
    return "\n\n".join(parts) + "\n"


def mean_error(records: Iterable[Record]) -> float | None:
    """Mean test error of the seeds in %; None where all diverged."""
    errors = _errors(records)
    return fmean(errors) if errors else None


def verdict(crops: Sequence[Record], plain: Sequence[Record]) -> str:
    """Whether the network with crops errs less than the one without, by the seeds and test pictures they share."""
    pairs = [
        _wrong(crop) - _wrong(other)
        for crop in crops
        for other in plain
        if crop["seed"] == other["seed"] and None not in (crop["wrong"], other["wrong"])
    ]
    if len(pairs) < 2:
        return "open"  # one seed says nothing of the others
    interval = two_way_interval(np.stack(pairs))
    assert interval.low is not None
    assert interval.high is not None
    return "better" if interval.high < 0 else "worse" if interval.low > 0 else "open"


def _introduction(how: dict[str, Any], columns: Sequence[str]) -> str:
    steps = how["epochs"] * max(1, how["train_size"] // how["batch_size"])
    text = (
        f"Source: {how['source']}, {how['train_size']:,} pictures to train and {how['test_size']:,} to test, "
        f"{steps:,} steps of {how['batch_size']} pictures. The paper had 60,000 digits and 150,000 steps of 256: "
        "compare orders and ratios with it, not levels."
    )
    return "\n".join([text, "", *(f"- {column}: {COLUMNS[column]}" for column in columns)])


def _grid(rows: Sequence[str], columns: Sequence[str], cell: Callable[[str, str], str]) -> str:
    lines = [["", *columns], ["---"] * (1 + len(columns))]
    lines += [[row, *(cell(row, column) for column in columns)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _error(cells: Cells, column: str, network: str) -> str:
    records = cells.get((column, network), [])
    paper = PAPER[column].get(network)
    if not records:
        return NOTHING
    errors = _errors(records)
    ours = f"{fmean(errors):.2f} ({min(errors):.2f} to {max(errors):.2f})" if errors else NOTHING
    lost = f", {len(records) - len(errors)} of {len(records)} diverged" if len(errors) < len(records) else ""
    return f"{ours}{lost} / {NOTHING if paper is None else paper}"


def _size(cells: Cells, column: str, network: str) -> str:
    records = cells.get((column, network))
    return f"{records[0]['parameters']:,}" if records else NOTHING


def _ratios(cells: Cells, columns: Sequence[str]) -> str:
    lines = [
        f"| | | {' | '.join(TRANSFORMS)} | lowest error | lowest in the paper |",
        f"|{'---|' * (4 + len(TRANSFORMS))}",
    ]
    for column in columns:
        for family in FAMILIES:
            ratios = [_ratio(cells, column, family, transform) for transform in TRANSFORMS]
            ours = {t: mean_error(cells.get((column, f"ST-{family}-{t}"), [])) for t in TRANSFORMS}
            papers = {t: PAPER[column].get(f"ST-{family}-{t}") for t in TRANSFORMS}
            lines.append(f"| {column} | {family} | {' | '.join([*ratios, _lowest(ours), _lowest(papers)])} |")
    return "\n".join(lines)


def _ratio(cells: Cells, column: str, family: str, transform: str) -> str:
    network = f"ST-{family}-{transform}"
    crops, plain = cells.get((column, network), []), cells.get((column, family), [])
    with_crop, without = mean_error(crops), mean_error(plain)
    if with_crop is None or not without:
        return NOTHING
    paper = PAPER[column]
    papers = f"{paper[network] / paper[family]:.2f}" if network in paper else NOTHING
    return f"{with_crop / without:.2f} ({papers}) {verdict(crops, plain)}"


def _lowest(errors: dict[str, float | None]) -> str:
    known = {name: error for name, error in errors.items() if error is not None}
    if len(known) < 2:
        return NOTHING
    return ", ".join(name for name, error in known.items() if error == min(known.values()))


def _order(cells: Cells, column: str) -> str:
    """One sentence: does the paper's order, every ST network below its plain one, show?"""
    told = []
    for family in FAMILIES:
        plain = cells.get((column, family), [])
        found = Counter(
            verdict(crops, plain)
            for transform in TRANSFORMS
            if plain and (crops := cells.get((column, f"ST-{family}-{transform}"), []))
        )
        if found:
            counts = ", ".join(f"{count} {word}" for word, count in found.items())
            holds = (
                "holds" if set(found) == {"better"} else "is reversed" if set(found) == {"worse"} else "is not settled"
            )
            told.append(f"ST-{family} < {family} {holds} ({counts})")
    return f"{column}: {'; '.join(told) or 'nothing to compare yet'}."


def _provenance(records: Sequence[Record], how: dict[str, Any]) -> str:
    machines = {
        f"torch {found['torch']}, {found['processor']}, {found['cores']} core{'s' * (found['cores'] > 1)}"
        for found in (record["environment"] for record in records)
    }
    dates, seeds = ({record[key] for record in records} for key in ("date", "seed"))
    seconds = sum(record["training_cpu_s"] for record in records)
    facts = [
        *sorted(machines),
        " to ".join(sorted({min(dates), max(dates)})),
        f"seeds {', '.join(map(str, sorted(seeds)))}",
        f"{how['epochs']} epochs, batches of {how['batch_size']}",
        f"AdamW at {how['lr']:g}, the localizer at {how['localizer_lr']:g} times that",
        f"{how['train_size'] + how['test_size']:,} source pictures",
        f"{len(records)} trainings, {seconds:,.0f} s of one core",
    ]
    return "; ".join(facts) + "."


def _errors(records: Iterable[Record]) -> list[float]:
    return [record["error"] for record in records if record["error"] is not None]


def _wrong(record: Record) -> np.ndarray[Any, np.dtype[np.float64]]:
    """1 for each test picture that was read wrongly, else 0: (n,)."""
    wrong = np.zeros(record["settings"]["test_size"])
    wrong[record["wrong"]] = 1
    return wrong
