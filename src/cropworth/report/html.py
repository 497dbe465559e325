"""The report: one HTML page that asks nothing of anyone, verdict first."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from cropworth.report import charts, tables, text
from cropworth.report.crops import show_crops
from cropworth.report.outlook import next_sentences, outlook_tables
from cropworth.study.ledger import write_asked_for
from cropworth.study.record import Study
from cropworth.worth.economics import Economics
from cropworth.worth.results import Appraisal


def write_report(study: Study, appraisal: Appraisal, economics: Economics, path: Path) -> None:
    """Write the page; readers see the old file or the new one, never a part.

    Args:
        study: what was measured; at least one record.
        appraisal: what that is worth.
        economics: the prices it was appraised under.
        path: of the page; an older one is replaced.

    Raises:
        CropworthError: the path cannot be written.
    """
    write_asked_for(path, render(study, appraisal, economics))


def render(study: Study, appraisal: Appraisal, economics: Economics) -> str:
    """The page's HTML."""
    candidate = text.headline_candidate(appraisal)
    return _template().render(
        plotly_script=Markup(get_plotlyjs()),
        study=study,
        appraisal=appraisal,
        note=economics.note,
        verdict=text.verdict_word(candidate),
        candidates=tables.candidates_table(appraisal),
        outlook=outlook_tables(appraisal),
        next_sentences=next_sentences(appraisal),
        variants=tables.variants_table(study, appraisal),
        sizes=tables.sizes_table(appraisal),
        failures=tables.failures_table(study),
        prices=tables.prices_table(economics, appraisal.not_priced),
        environments=tables.environment_tables(study),
        crops=show_crops(study, appraisal.largest.train_size),
        charts=_charts(study, appraisal),
        kinds=text.KINDS,
        brought=text.BROUGHT if study.from_files else "",
        timing=tables.timing(study),
        when=tables.when(study),
        how_we_know=text.how_we_know(study, appraisal),
        plan=yaml.safe_dump(study.plan, sort_keys=False, allow_unicode=True),
    )


def _charts(study: Study, appraisal: Appraisal) -> dict[str, Any]:
    """Plotly's data and layout, by the id of the page's element; charts without anything to show are left out."""
    figures = {
        "chart-cost": charts.accuracy_against_cost(study, appraisal),
        "chart-curves": charts.training_curves(study, appraisal),
        "chart-sizes": charts.accuracy_by_size(study, appraisal),
    }
    return {name: json.loads(figure.to_json()) for name, figure in figures.items() if figure is not None}


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cropworth.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
