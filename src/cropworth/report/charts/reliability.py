"""Whether a variant is right as often as it is sure: the reliability diagram, and the expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import special

from cropworth.report.charts.look import Chart, Look, empty_figure, ends_of, error_bars, looks, mark, rounded
from cropworth.report.text import percent, trained_on
from cropworth.study.record import Record, Study
from cropworth.worth.results import Appraisal, Interval

Array = NDArray[np.float64]
BINS = 10


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same confidence.

    Attributes:
        confidence: their mean, the probability of the predicted class.
        right: the share of them that is right, with its 95 % interval.
        count: how many there are.
        weight: their share of all predictions.
    """

    confidence: float
    right: Interval
    count: int
    weight: float


def reliability(study: Study, appraisal: Appraisal) -> Chart | None:
    """Confidence against accuracy, a line a variant; None of a regression, or where only decisions are known."""
    size = appraisal.largest.train_size
    found = {name: bins_of(study.of(name, size)) for name in study.kinds}
    found = {name: bins for name, bins in found.items() if bins}
    if not found:
        return None
    errors = {name: calibration_error(bins) for name, bins in found.items()}
    figure, drawn = empty_figure("confidence of the predicted class (%)", "predicted right (%)"), looks(study)
    start = 100 * min(bins[0].confidence for bins in found.values())
    figure.add_trace(mark(rounded([start, 100]), rounded([start, 100]), "right as often as sure", "dot"))
    figure.add_traces([_line(name, found[name], drawn[name]) for name in found])
    told = ", ".join(f"{name} {percent(error)}" for name, error in errors.items())
    best, worst = min(errors, key=errors.__getitem__), max(errors, key=errors.__getitem__)
    return Chart(
        "Is it right as often as it is sure?",
        figure,
        "Reliability diagram, a line a variant. The expected calibration error is smallest for "
        f"{best} ({percent(errors[best])}) and largest for {worst} ({percent(errors[worst])}).",
        f"Test predictions of all seeds{trained_on(size)}, in up to {BINS} groups of equal number by confidence, with "
        "95 % intervals. Below the dotted line a variant is surer than it is right. The mean distance from that line "
        f"is the expected calibration error, which chance alone keeps above 0: {told}.",
    )


def bins_of(records: Sequence[Record], most: int = BINS) -> list[Bin]:
    """Predictions of all seeds, in groups of equal number by confidence; equal confidences stay together.

    Groups of equal number estimate the calibration error with less bias than groups of equal width, most of which a
    good classifier leaves nearly empty (Nixon et al. 2019; Roelofs et al. 2022). The interval is Wilson's, with the
    number of distinct items in the group for the number of trials, for the seeds' predictions of an item are alike.

    Returns:
        ascending by confidence; none without probabilities, or where they are all 0 or 1.
    """
    known = [r for r in records if r.probabilities is not None]
    found = [r.probabilities for r in known if r.probabilities is not None]
    if all(np.isin(probabilities, (0.0, 1.0)).all() for probabilities in found):
        return []
    sure = np.concatenate([probabilities.max(axis=1) for probabilities in found]).astype(float)
    right = np.concatenate([r.predictions == r.labels for r in known])
    weight = np.concatenate([np.ones(len(r.labels)) if r.weights is None else r.weights for r in known]).astype(float)
    item = np.concatenate([np.arange(len(r.labels)) for r in known])
    edges = np.unique(np.quantile(sure, np.linspace(0, 1, most + 1)[1:-1]))
    group = np.searchsorted(edges, sure, side="left")
    whole = weight.sum()
    return [_bin(sure[i], right[i], weight[i], item[i], whole) for g in np.unique(group) for i in [group == g]]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over predictions.

    Source: Naeini, Cooper and Hauskrecht 2015 (AAAI); Guo et al. 2017 (ICML).
    """
    return sum(b.weight * abs((b.right.estimate or 0.0) - b.confidence) for b in bins)


def wilson(share: float, count: float, error_rate: float = 0.05) -> tuple[float, float]:
    """Wilson's (1927) interval of a share of `count` trials."""
    z = float(special.ndtri(1 - error_rate / 2))
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(0.0, float(middle - reach)), min(1.0, float(middle + reach))


def _bin(sure: Array, right: NDArray[np.bool_], weight: Array, item: NDArray[np.int64], whole: float) -> Bin:
    share = float(np.average(right, weights=weight))
    of_item = np.bincount(item, weight)
    distinct = float(of_item.sum() ** 2 / (of_item**2).sum())  # Kish's: the number of items where all weigh the same
    return Bin(
        float(np.average(sure, weights=weight)),
        Interval(share, *wilson(share, distinct)),
        len(sure),
        float(weight.sum() / whole),
    )


def _line(name: str, bins: Sequence[Bin], look: Look) -> go.Scatter:
    right, low, high = (np.multiply(100, part).tolist() for part in ends_of([b.right for b in bins]))
    return go.Scatter(
        x=rounded([100 * b.confidence for b in bins]),
        y=rounded(right),
        error_y=error_bars(right, low, high, width=3),
        mode="lines+markers",
        name=escape(name),
        line={"color": look.colour, "dash": look.dash, "width": 1.5},
        marker={"color": look.colour, "symbol": look.marker, "size": 7},
        customdata=[b.count for b in bins],
        hovertemplate="%{fullData.name}<br>%{customdata:,} predictions: %{x:.1f} % sure, "
        "%{y:.1f} % right<extra></extra>",
    )
