"""What the page needs to appraise at a reader's prices: see templates/js/controls.js."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from cropworth.report.fields import Fields, fields_of
from cropworth.report.reasons import reasons
from cropworth.study.record import Study
from cropworth.worth.economics import Economics
from cropworth.worth.results import Appraisal
from cropworth.worth.what_if import what_if


@dataclass(frozen=True)
class Controls:
    """The part of the page in which prices are set.

    Attributes:
        model: what the page appraises with; see `what_if`.
        fields: the prices that may be set.
        words: what the page writes that no price changes, as JSON has it.
    """

    model: dict[str, Any]
    fields: Fields
    words: dict[str, Any]


def controls(study: Study, appraisal: Appraisal, economics: Economics) -> Controls | None:
    """The controls of a study's page; None where nothing could be appraised anew.

    Raises:
        CropworthError: as `what_if`.
    """
    model = what_if(study, economics)
    if model is None:
        return None
    fields = fields_of(economics, [*model["prices"], *model["terms"]])
    words = {
        "study": appraisal.study,
        "economics": economics.model_dump(mode="json", exclude_unset=True),
        "fields": [asdict(field) | {"allowed": field.allowed} for field in fields.every],
        "measured": {
            candidate.name: [reason.measured for reason in reasons(replace(appraisal, best=candidate.name))]
            for candidate in appraisal.largest.candidates
        },
    }
    return Controls(model, fields, words)
