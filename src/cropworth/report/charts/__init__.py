"""The report's charts: plotly figures with their words, by the id of the page's element."""

from __future__ import annotations

from cropworth.report.charts import benefit, confusion, cost, curves, reliability, sizes, worth
from cropworth.report.charts.look import Chart
from cropworth.study.record import Study
from cropworth.worth.results import Appraisal


def make_charts(study: Study, appraisal: Appraisal, margin: float) -> dict[str, Chart]:
    """All charts that have something to show.

    Args:
        study: what was measured.
        appraisal: what that is worth.
        margin: what a net present value must exceed.
    """
    found = {
        "chart-cost": cost.accuracy_against_cost(study, appraisal),
        "chart-curves": curves.training_curves(study, appraisal),
        "chart-sizes": sizes.accuracy_by_size(study, appraisal),
        "chart-gain": sizes.gain_by_size(study, appraisal),
        "chart-reliability": reliability.reliability(study, appraisal),
        "chart-confusion": confusion.confusion_differences(study, appraisal),
        "chart-decision-curve": benefit.decision_curves(study, appraisal),
        "chart-npv": worth.distribution(study, appraisal, margin),
        "chart-tornado": worth.tornado(study, appraisal),
        "chart-acceptability": worth.acceptability(study, appraisal),
        "chart-break-even": worth.break_even(study, appraisal),
    }
    return {name: chart for name, chart in found.items() if chart is not None}
