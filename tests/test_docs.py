"""What README and docs say is true: their Python runs, their plans are plans, and every key is listed."""

import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from cropworth.cli import app, main
from cropworth.config import parse
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

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PLAN = (ROOT / "docs" / "plan.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    "code",
    [
        code
        for page in ("crops.md", "models.md")
        for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    ],
)
def test_the_guides_run(code: str) -> None:
    exec(compile(code, "guide", "exec"), {})


def test_the_example_of_models_trained_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "predictions.md").read_text()
    appraising, training = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (prices,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (command, _) = re.findall(r"^cropworth (.*)$", page, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    for code in (training, appraising):
        exec(compile(code, "predictions.md", "exec"), {})
    (tmp_path / "economics.yaml").write_text(prices)
    monkeypatch.setattr(sys, "argv", ["cropworth", *command.split()])
    with suppress(SystemExit):
        main()
    shown = " ".join(capsys.readouterr().out.split())
    # What depends on the predictions only; the times are those of the machine.
    assert shown.startswith("Adopt large: over 3 years it is worth EUR ")
    for told in ("91.0 % 90.1", "93.4 % 66.5"):
        assert told in " ".join(page.split())
        assert told in shown
    assert (
        "5 seeds, 797 test items). - The accuracy of large is 2.4 percentage points above the 91.0 % of small ("
        in shown
    )


def test_every_column_of_predictions_and_costs_is_listed() -> None:
    page = (ROOT / "docs" / "predictions.md").read_text()
    for column in (*prediction_rows.KNOWN, *cost_rows.REQUIRED, *cost_rows.OPTIONAL):
        assert f"`{column}`" in page, column


def test_there_are_blocks() -> None:
    assert len(blocks("python")) >= 1
    assert len(blocks("yaml")) >= 1
    assert len(blocks("bash")) >= 2


@pytest.mark.parametrize("code", blocks("python"))
def test_python_blocks_run(code: str) -> None:
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert tuple(names["where"].shape) == (2, 2, 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_blocks_are_plans(text: str) -> None:
    parse(Plan, yaml.safe_load(text))


def test_the_example_of_a_backbone_is_one() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "models.md").read_text(), re.DOTALL)
    assert parse(Backbone, yaml.safe_load(text)["backbone"]).frozen


@pytest.mark.parametrize(
    "text", re.findall(r"```yaml\n(data:.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL)
)
def test_examples_of_data_are_of_a_plan(text: str) -> None:
    plan = yaml.safe_load(next(text for text in blocks("yaml") if "data:" in text))
    parse(Plan, plan | yaml.safe_load(text))


def test_commands_exist() -> None:
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    used = set(re.findall(r"cropworth (\w+) ", "\n".join(blocks("bash"))))
    assert used <= known
    assert {"plan", "study", "appraise", "report"} <= used


@pytest.mark.parametrize(
    ("model", "prefix"),
    [
        (Plan, ""), (Training, "training."), (Grid, "study."), (Timing, "timing."), (Economics, ""),
        (DigitsCluttered, ""), (Folder, ""), (Crop, ""), (Ucr, ""), (CardanoSentiment, ""), (Watch, ""),
        (OrderBook, ""), (FxBars, ""), (Documents, ""), (ReutersR8, ""), (PlantedSentence, ""),
        (Backbone, "backbone."), (SeriesFile, ""), (ImageTable, ""), (Coco, ""), (HuggingFace, ""), (TorchDataset, ""),
    ],
)  # fmt: skip
def test_every_key_is_listed(model: type[BaseModel], prefix: str) -> None:
    for key in model.model_fields:
        assert f"`{prefix}{key}`" in PLAN or re.search(rf"`{key}[.:]", PLAN), key


def test_the_first_result_stands_in_the_first_40_lines() -> None:
    first = "\n".join(README.splitlines()[:40])
    assert "make demo" in first
    assert "heatmap-zoom" in first
    picture = re.search(r"\]\((docs/\S+\.png)\)", first)
    assert picture is not None
    assert (ROOT / picture[1]).stat().st_size < 400_000
