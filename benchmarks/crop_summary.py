"""From seconds, round by round, to what is said of a crop's cost: pure functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median, quantiles
from typing import Any

OURS, OURS_SMOOTH, COPY = "cropworth", "cropworth, antialiased", "copy"
TORCH, TORCH_REPEATED, COMPILED = "torch", "torch, images repeated", "torch.compile"
OPENCV = ("OpenCV warpAffine", "OpenCV resize")
BASELINE = "torch's fastest"  # of its two ways to take several crops of an image; else its only one
FORWARD = "forward"

Rows = dict[str, dict[str, Any]]
Cells = Sequence[Mapping[str, Any]]


def paired(times: Sequence[float], others: Sequence[float]) -> float:
    """How many times as long as the others: the median of the ratios within each round."""
    return median(a / b for a, b in zip(times, others, strict=True))


def fastest_of(names: Iterable[str], times: Mapping[str, Sequence[float]]) -> str:
    """Whichever of those that were timed has the least median."""
    return min((name for name in names if name in times), key=lambda name: median(times[name]))


def compared(times: Mapping[str, Sequence[float]], references: Mapping[str, str]) -> Rows:
    """By name: median, quartiles, and how many times as long it took as each reference that was timed.

    The references are names to be told of them, and whose times they are.
    """
    against = {told: times[name] for told, name in references.items() if name in times}
    rows: Rows = {}
    for name, own in times.items():
        q1, middle, q3 = quantiles(own, n=4, method="inclusive")
        over = {told: paired(own, theirs) for told, theirs in against.items()}
        rows[name] = {"median_s": middle, "q1_s": q1, "q3_s": q3, "over": over}
    return rows


def geometric_mean(ratios: Iterable[float]) -> float:
    """Of ratios: that of a to b is one over that of b to a."""
    found = list(ratios)
    return math.exp(math.fsum(map(math.log, found)) / len(found))


def over(cells: Cells, name: str, other: str) -> dict[str, float]:
    """How many times as long `name` took as `other`, by case, wherever both were measured."""
    rows = {cell["case"]: cell["rows"].get(name, {}).get("over", {}) for cell in cells}
    return {case: row[other] for case, row in rows.items() if other in row}


def of_copy(row: Mapping[str, Any], copied_bytes: float) -> float:
    """Which share of a copy's bytes per second a crop moves, counting the bytes that it must."""
    share: float = row["moved_bytes"] / copied_bytes / row["over"][COPY]
    return share


def memory_ratio(cell: Mapping[str, Any], name: str) -> float | None:
    """Extra memory over that of torch's fastest way; None where it is unknown."""
    own, theirs = (cell["rows"].get(one, {}).get("extra_bytes") for one in (name, cell[BASELINE]))
    return own / theirs if theirs and own is not None else None


def spread(ratios: Mapping[str, float]) -> dict[str, Any]:
    """Geometric mean, least and most, each with its case."""
    least, most = (pick(ratios, key=lambda case: ratios[case]) for pick in (min, max))
    return {
        "geometric_mean": geometric_mean(ratios.values()),
        "least": ratios[least], "least_case": least,
        "most": ratios[most], "most_case": most,
    }  # fmt: skip


def summary(cells: Cells) -> dict[str, dict[str, Any]]:
    """By pass: each comparison over all cases that has any.

    ``torch over cropworth`` is the gain of upright crops, and that of turned ones stands apart; ``antialiased over
    torch`` how much longer an antialiased crop takes than torch's without; ``OpenCV over cropworth`` that of its faster
    crop; ``share of copy`` see `of_copy`; ``memory`` the extra memory over torch's.
    """
    found = {}
    for name in dict.fromkeys(cell["pass"] for cell in cells):
        own = [cell for cell in cells if cell["pass"] == name]
        gains = {case: 1 / ratio for case, ratio in over(own, OURS, BASELINE).items()}
        opencv = [over(own, other, OURS) for other in OPENCV]
        memory = {cell["case"]: memory_ratio(cell, OURS) for cell in own}
        comparisons = {
            "torch over cropworth": {case: gain for case, gain in gains.items() if "turned" not in case},
            "torch over cropworth, turned": {case: gain for case, gain in gains.items() if "turned" in case},
            "antialiased over torch": over(own, OURS_SMOOTH, BASELINE),
            "OpenCV over cropworth": {
                case: min(one[case] for one in opencv if case in one) for case in {**opencv[0], **opencv[1]}
            },
            "share of copy": {
                cell["case"]: of_copy(cell["rows"][OURS], cell["rows"][COPY]["moved_bytes"]) for cell in own
            },
        }
        found[name] = {of: spread(ratios) for of, ratios in comparisons.items() if ratios}
        known = {case: ratio for case, ratio in memory.items() if ratio is not None}
        if known:
            worst = max(known, key=lambda case: known[case])
            found[name]["memory"] = {"median": median(known.values()), "most": known[worst], "most_case": worst}
    return found


def rounded(found: Any, digits: int = 5) -> Any:
    """The same plain data, its numbers to as many digits as a measurement has."""
    if isinstance(found, float):
        return float(f"{found:.{digits}g}")
    if isinstance(found, Mapping):
        return {key: rounded(value, digits) for key, value in found.items()}
    return [rounded(value, digits) for value in found] if isinstance(found, list | tuple) else found
