"""The pages: what answers which address. Whatever is asked for is read from disk then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cropworth.errors import CropworthError
from cropworth.report.as_json import report_as_json
from cropworth.report.document import document
from cropworth.report.html import render
from cropworth.report.markdown import to_markdown
from cropworth.serve import pages
from cropworth.serve.guard import ANY_POLICY, Access, Guard
from cropworth.serve.studies import Shelf, Standing
from cropworth.serve.trials import Part, picture
from cropworth.serve.verdicts import Verdicts, appraised
from cropworth.study.ledger import Ledger
from cropworth.worth.as_json import as_text


def make_app(root: Path, access: Access) -> ASGIApp:
    """The page over a folder of studies.

    Args:
        root: the folder.
        access: who may read it.
    """
    return Guard(_Pages(root).app(), access)


class _Pages:
    """The answers. Each is a plain function that Starlette runs in a thread of its own: they wait for the disk."""

    def __init__(self, root: Path) -> None:
        self.shelf, self.verdicts = Shelf(root), Verdicts()

    def app(self) -> Starlette:
        study = "/studies/{key}"
        answers: dict[str, Callable[[Request], Response]] = {
            "/": self.studies,
            study: self.study,
            f"{study}/report": self.report,
            f"{study}/report.md": self.markdown,
            f"{study}/report.json": self.json,
            f"{study}/pictures/{{trial}}/{{part}}/{{index:int}}": self.picture,
            "/style.css": lambda _: Response(pages.style(), media_type="text/css"),
            "/live.js": lambda _: Response(pages.script(), media_type="text/javascript"),
        }
        return Starlette(
            routes=[Route(path, answer) for path, answer in answers.items()],
            exception_handlers={HTTPException: _no_page, CropworthError: _cannot},
        )

    def studies(self, request: Request) -> Response:
        """All studies."""
        found = [(study, self.verdicts.of(study)) for study in self.shelf.all()]
        return _page(request, pages.list_page(self.shelf.root, found))

    def study(self, request: Request) -> Response:
        """One study as it stands."""
        study = self._asked(request)
        return _page(request, pages.study_page(study, self.verdicts.of(study)))

    def report(self, request: Request) -> Response:
        """The whole report, which says itself what a browser may load for it."""
        study, appraisal, economics = appraised(self._asked(request).folder)
        page = render(study, appraisal, economics)
        return HTMLResponse(page, headers={"Content-Security-Policy": ANY_POLICY})

    def markdown(self, request: Request) -> Response:
        """The report as Markdown."""
        return PlainTextResponse(to_markdown(document(*appraised(self._asked(request).folder))))

    def json(self, request: Request) -> Response:
        """The report as JSON, see docs/report.schema.json."""
        found = appraised(self._asked(request).folder)
        told = report_as_json(document(*found), *found)
        return Response(as_text(told), media_type="application/json")

    def picture(self, request: Request) -> Response:
        """A test item, or its crop."""
        study, asked = self._asked(request), request.path_params
        trial = next((trial for trial in study.trials if trial.name == asked["trial"]), None)
        parts: dict[str, Part] = {"whole": "whole", "crop": "crop"}
        if trial is None or asked["part"] not in parts or asked["index"] >= len(trial.examples):
            raise HTTPException(404)
        kind, pixels = picture(Ledger(study.folder), trial, asked["index"], parts[asked["part"]])
        return Response(pixels, media_type=kind)

    def _asked(self, request: Request) -> Standing:
        study = self.shelf.of(request.path_params["key"])
        if study is None:
            raise HTTPException(404)
        return study


def _page(request: Request, content: str) -> Response:
    """A page, or that it is still the same: pages are asked for every two seconds, and seldom change."""
    tag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return HTMLResponse(content, headers={"ETag": tag})


def _no_page(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = HTTPStatus(error.status_code).phrase
    return HTMLResponse(pages.problem_page(said, "There is no such study or page here."), error.status_code)


def _cannot(_: Request, error: Exception) -> Response:
    """A study that is damaged, or not far enough for what was asked."""
    return HTMLResponse(pages.problem_page("Not to be had now", str(error)), 409)
