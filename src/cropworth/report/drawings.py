"""What the page needs to draw its charts: each as SVG at once, as plotly's data for later, and plotly's script."""

from __future__ import annotations

import base64
import functools
import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from cropworth.report.charts.look import Chart, looks
from cropworth.report.static import to_svg
from cropworth.report.text import named
from cropworth.study.record import Study
from cropworth.worth.results import Appraisal


def drawings(charts: Mapping[str, Chart]) -> dict[str, Markup]:
    """Each chart as inline SVG."""
    return {name: Markup(to_svg(chart.figure, name, chart.says)) for name, chart in charts.items()}


def embedded(study: Study, appraisal: Appraisal, charts: Mapping[str, Chart]) -> dict[str, Any]:
    """What `templates/js/charts.js` draws from, and what it needs to draw other prices' results."""
    return {
        "charts": {name: json.loads(chart.figure.to_json()) for name, chart in charts.items()},
        "looks": {name: asdict(look) for name, look in looks(study).items()},
        "currency": appraisal.currency,
        "price": named(appraisal.error_price),
    }


@functools.cache
def plotly_packed() -> str:
    """Plotly's script, gzip in base64: a third of its size, and the same bytes each time."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
