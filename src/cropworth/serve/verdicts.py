"""What studies are worth as they stand, worked out beside the pages, which never wait for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from cropworth.report.text import headline_candidate, verdict_word
from cropworth.serve.studies import Standing
from cropworth.study.ledger import Ledger
from cropworth.study.record import Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import Economics, read_economics
from cropworth.worth.results import Appraisal


@dataclass(frozen=True)
class Verdict:
    """A study's verdict after so many trials.

    Attributes:
        word: the verdict.
        headline: the sentence that says it; or why there is none.
        trials: that it follows from.
    """

    word: str
    headline: str
    trials: int


def appraised(folder: Path) -> tuple[Study, Appraisal, Economics]:
    """A study as it stands, and what it is worth under its own prices.

    Raises:
        CropworthError: it is damaged, or its trials do not make a comparison yet.
    """
    study = Ledger(folder).read()
    economics = read_economics(study.economics)
    return study, appraise(study, economics), economics


class Verdicts:
    """The verdicts of all studies, one worked out at a time, each when it is asked for and its study has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[object, Verdict]] = {}
        self._asked: dict[str, Standing] = {}
        self._at_work = False

    def of(self, study: Standing) -> Verdict | None:
        """The latest verdict; None where there is none yet. A newer one is worked out where the study has changed."""
        if not study.trials or study.problems:
            return None
        with self._lock:
            measured, verdict = self._known.get(study.key, (None, None))
            if measured != study.measured:
                self._asked[study.key] = study
                if not self._at_work:
                    self._at_work = True
                    threading.Thread(target=self._work, daemon=True).start()  # its end is not waited for
        return verdict

    def _work(self) -> None:
        while (study := self._next()) is not None:
            verdict = _judged(study)
            with self._lock:
                self._known[study.key] = (study.measured, verdict)

    def _next(self) -> Standing | None:
        with self._lock:
            self._at_work = bool(self._asked)
            return self._asked.pop(next(iter(self._asked))) if self._asked else None


def _judged(study: Standing) -> Verdict:
    try:
        _, appraisal, _ = appraised(study.folder)
    except Exception as error:  # a user's own `value_fn` may raise anything, and this thread must go on
        return Verdict("no verdict", str(error) or type(error).__name__, len(study.trials))
    return Verdict(verdict_word(headline_candidate(appraisal)), appraisal.headline, len(study.trials))
