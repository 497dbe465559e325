"""What pages list is complete: keys of a plan, columns of files, commands, public names, sources."""

from __future__ import annotations

import importlib
import inspect
import re
import runpy

import pytest
from pydantic import BaseModel

import cropworth
from cropworth.data.config import (
    CardanoSentiment,
    Coco,
    DigitsCluttered,
    Documents,
    Folder,
    FxBars,
    HuggingFace,
    ImageTable,
    OrderBook,
    PlantedSentence,
    ReutersR8,
    SeriesFile,
    TorchDataset,
    Ucr,
    Watch,
)
from cropworth.study.plan import Backbone, Crop, Grid, Plan, Timing, Training
from cropworth.worth import cost_rows, prediction_rows
from cropworth.worth.economics import Economics
from docs.pages import DOCS, ROOT, text_of

PLAN = text_of("docs/plan.md")
DOCUMENTED = re.findall(
    r"^\.\. auto(?:class|function|module):: (\S+)", "".join(p.read_text() for p in DOCS.glob("api/*.md")), re.MULTILINE
)
# A surname, perhaps others, and a year.
CITED = re.compile(r"([A-Z][a-z]+)(?: et al\.)?,? (19\d\d|20[012]\d)\b")
NO_AUTHORS = {"January", "February", "March", "Since", "Linux", "In", "Of", "From", "Version", "Python"}


@pytest.mark.parametrize(
    ("model", "prefix"),
    [
        (Plan, ""), (Training, "training."), (Grid, "study."), (Timing, "timing."), (Economics, ""),
        (DigitsCluttered, ""), (Folder, ""), (Crop, ""), (Ucr, ""), (CardanoSentiment, ""), (Watch, ""),
        (OrderBook, ""), (FxBars, ""), (Documents, ""), (ReutersR8, ""), (PlantedSentence, ""),
        (Backbone, "backbone."), (SeriesFile, ""), (ImageTable, ""), (Coco, ""), (HuggingFace, ""), (TorchDataset, ""),
    ],
)  # fmt: skip
def test_every_key_of_a_plan_is_listed(model: type[BaseModel], prefix: str) -> None:
    for key in model.model_fields:
        assert f"`{prefix}{key}`" in PLAN or re.search(rf"`{key}[.:]", PLAN), key


def test_every_column_of_predictions_and_costs_is_listed() -> None:
    page = text_of("docs/predictions.md")
    for column in (*prediction_rows.KNOWN, *cost_rows.REQUIRED, *cost_rows.OPTIONAL):
        assert f"`{column}`" in page, column


def test_the_commands_are_those_of_the_program() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "command_line.py"))["page"]
    assert text_of("docs/command-line.md") == page(), "python scripts/command_line.py writes it anew"


def test_every_recipe_is_named() -> None:
    page = text_of("docs/recipes.md")
    for path in (ROOT / "recipes").rglob("*.yaml"):
        assert path.name in page, path


@pytest.mark.parametrize("name", cropworth.__all__)
def test_every_public_name_stands_in_the_reference(name: str) -> None:
    assert f"cropworth.{name}" in DOCUMENTED


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_whatever_stands_in_the_reference_says_what_it_is(name: str) -> None:
    found = _found(name)
    assert inspect.getdoc(found)
    members = vars(found).items() if inspect.isclass(found) and not issubclass(found, BaseModel) else ()
    for member, value in members:
        if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            assert value.__doc__ or inspect.getdoc(getattr(found, member)), f"{name}.{member}"


def _found(name: str) -> object:
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (AttributeError, ModuleNotFoundError):
        return importlib.import_module(name)


def test_every_source_that_code_or_docs_name_stands_in_the_bibliography() -> None:
    known = text_of("docs/bibliography.md")
    sources = [
        *(ROOT / "src").rglob("*.py"),
        *(DOCS / f"{name}.md" for name in ("economics", "decisions", "until-clear")),
    ]
    named = {m for path in sources for m in CITED.findall(path.read_text(encoding="utf-8"))}
    missing = {
        f"{author} {year}" for author, year in named
        if author not in NO_AUTHORS and not re.search(rf"{author}[^*;]*{year}", known)
    }  # fmt: skip
    assert not missing
