"""The report: one HTML page that asks nothing of anyone, verdict first."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import jinja2
import yaml
from markupsafe import Markup, escape

from cropworth.report import tables, text
from cropworth.report.charts import make_charts
from cropworth.report.controls import controls
from cropworth.report.crops import show_crops
from cropworth.report.drawings import drawings, embedded, plotly_packed
from cropworth.report.outlook import next_sentences, outlook_tables
from cropworth.report.provenance import provenance_table
from cropworth.report.reasons import next_step, reasons
from cropworth.report.trace import formulas_of, trace
from cropworth.report.trials import trials_table
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
    candidate, outlook = text.headline_candidate(appraisal), outlook_tables(appraisal)
    shown = {
        "candidates": tables.candidates_table(appraisal),
        "variants": tables.variants_table(study, appraisal),
        "sizes": tables.sizes_table(appraisal),
        "failures": tables.failures_table(study),
        "trials": trials_table(study),
    }
    formulas = formulas_of((*shown.values(), *outlook))
    charts = make_charts(study, appraisal, economics.margin)
    return _template().render(
        plotly=plotly_packed(),
        study=study,
        appraisal=appraisal,
        caveats=_caveats(study, appraisal, economics),
        verdict=text.verdict_word(candidate),
        reasons=reasons(appraisal),
        controls=controls(study, appraisal, economics),
        next_step=next_step(appraisal),
        **shown,
        outlook=outlook,
        next_sentences=next_sentences(appraisal),
        formulas=formulas,
        trace=trace(study, appraisal, economics, formulas),
        provenance=provenance_table(study, economics),
        prices=tables.prices_table(economics, appraisal.not_priced),
        environments=tables.environment_tables(study),
        crops=show_crops(study, appraisal.largest.train_size),
        charts=charts,
        drawings=drawings(charts),
        figures=embedded(study, appraisal, charts),
        kinds=text.KINDS,
        brought=text.BROUGHT if study.from_files else "",
        timing=tables.timing(study),
        when=tables.when(study),
        how_we_know=text.how_we_know(study, appraisal),
        plan=yaml.safe_dump(study.plan, sort_keys=False, allow_unicode=True),
    )


def _caveats(study: Study, appraisal: Appraisal, economics: Economics) -> list[tuple[str, Sequence[str]]]:
    """What a reader must know before believing the verdict: what it is about, and sentences."""
    missing = f"{appraisal.missing_trials:,} of the plan's trials are missing. Run the study again to add them."
    found = [
        ("About the prices", [economics.note] if economics.note else []),
        ("About the data", study.warnings),
        ("About the records", appraisal.gaps),
        ("Unfinished", [missing] if appraisal.missing_trials else []),
    ]
    return [(about, sentences) for about, sentences in found if sentences]


def _template() -> jinja2.Template:
    return environment("cropworth.report").get_template("report.html.j2")


@functools.cache
def environment(*packages: str) -> jinja2.Environment:
    """The templates of these packages, each from the first that has it, with what those of the report use."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"headings": _headings, "breakable": _breakable}
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return made


def _headings(sections: Markup) -> list[tuple[str, Markup]]:
    """The id and the words of each section's heading."""
    return [(name, Markup(words)) for name, words in re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', sections, re.DOTALL)]


def _breakable(name: str) -> Markup:
    """A name that a narrow column may break where its parts end."""
    return Markup(re.sub(r"(?<=[._/])", "<wbr>", escape(name)))
