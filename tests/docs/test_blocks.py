"""Every fenced block of README and docs: Python and commands run, plans parse, and what is shown is what is printed."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from importlib.util import find_spec

import pytest
import torch
import yaml

from cropworth.config import parse
from cropworth.study.plan import Plan
from cropworth.worth.economics import Economics
from docs.pages import ROOT, Block, blocks_of, pages, text_of
from docs.world import World, filled

# Pages whose commands take more than five seconds.
SLOW = {
    "README.md",
    *(f"docs/{name}.md" for name in ("ten-minutes", "begin", "study", "until-clear", "deploy", "recipes")),
    "docs/results/own-data.md",
}
# Packages that a page's commands read data from.
NEEDED = {
    "README.md": ("aeon",),
    "docs/ten-minutes.md": ("deepforest", "onnxscript"),
    "docs/deploy.md": ("onnxscript",),
    "docs/recipes.md": ("aeon", "deepforest", "skimage", "pydicom", "efficientnet_lite_pytorch"),
    "docs/results/own-data.md": ("deepforest",),
}
# What a page's Python takes as given.
GIVEN = {"docs/deploy.md": {"images": torch.zeros(2, 1, 24, 24)}}
# The output of a command that the page does not give: a test of its own compares it.
BY_ITSELF = "plan.yaml: 4 problems"
# What a page shows and prints to the letter, whatever is trained: its data and its networks are the real ones.
TO_THE_LETTER = {
    "docs/predictions.md": ("91.0 % 90.1", "93.4 % 66.5", "5 seeds, 797 test items"),
    "docs/ten-minutes.md": (
        "ground 190 34 75",
        "tree 221 39 87",
        "items 411 73 162",
        "baseline (baseline): 27.1 MFLOP an item",
        "crop (crop): 18.8 MFLOP an item",
        "5 variants x sizes 102, 411 x 5 seeds = 50 trials",
    ),
}
# Where the sentences are that depend on what was trained, names of variants that small plans lack, and units of time.
SENTENCES = ("report/reasons.py", "report/text.py", "worth/sentences.py", "worth/information.py")
OTHERS = {"regression-affine", "learned", "small", "centre", "minutes", "hours"}


def with_commands() -> list[object]:
    """The pages that have something to run."""
    runs = [p for p in pages() if any(b.language in ("python", "bash") for b in blocks_of(p))]
    return [pytest.param(page, marks=pytest.mark.slow if page in SLOW else (), id=page) for page in runs]


@pytest.mark.parametrize("page", with_commands())
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_a_page_shows_runs(page: str, world: World, small_study: object) -> None:
    for package in NEEDED.get(page, ()):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    filled(world.folder, page, small_study)
    world.names.update(GIVEN.get(page, {}))
    for block in blocks_of(page):
        if "to_csv" in block.text:  # an example behind the commands that read its files
            world.python(block)
    for block in blocks_of(page):
        if block.language == "python":
            world.python(block)
        elif block.language == "bash":
            world.commands(block)
        elif block.language == "text" and world.printed and not block.text.startswith(BY_ITSELF):
            assert_shown(block, world.printed)
    for said in TO_THE_LETTER.get(page, ()):
        assert said in " ".join(text_of(page).split())
        assert said in " ".join(world.printed.split())


def test_the_python_of_the_readme_runs(world: World) -> None:
    for block in blocks_of("README.md"):
        if block.language == "python":
            world.python(block)
    assert tuple(world.names["where"].shape) == (2, 2, 3)


def assert_shown(block: Block, printed: str) -> None:
    """What is shown was printed, word for word, but for numbers, and for sentences that another training gets."""
    others = "".join((ROOT / "src" / "cropworth" / path).read_text() for path in SENTENCES)
    unknown = words(block.text) - words(printed) - words(others) - OTHERS
    assert not unknown, f"{block} shows {sorted(unknown)}, which nothing printed"


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z][a-z'-]*[a-z]", text.lower()))


@pytest.mark.parametrize("page", pages())
def test_every_block_is_of_a_kind_that_is_tested(page: str) -> None:
    for block in blocks_of(page):
        assert block.language in ("python", "bash", "yaml", "csv", "text"), f"{block}: no rule for {block.language!r}"


@pytest.mark.parametrize("block", [b for page in pages() for b in blocks_of(page) if b.language == "yaml"], ids=str)
def test_what_looks_like_a_part_of_a_plan_is_one(block: Block) -> None:
    values = yaml.safe_load(block.text)
    assert isinstance(values, Mapping)
    if set(values) <= set(Plan.model_fields):
        whole = yaml.safe_load(next(b.text for b in blocks_of("README.md") if b.language == "yaml"))
        parse(Plan, {**whole, **values})
        parse(Economics, values.get("economics", {}))
    else:
        parse(Economics, values)


@pytest.mark.parametrize("block", [b for page in pages() for b in blocks_of(page) if b.language == "csv"], ids=str)
def test_tables_have_the_columns_of_the_plan_below_them(block: Block) -> None:
    head, *rows = csv.reader(block.text.splitlines())
    assert rows
    assert {len(row) for row in rows} == {len(head)}
    below = next(b for b in blocks_of(block.page) if b.language == "yaml" and b.line > block.line)
    data = yaml.safe_load(below.text)["data"]
    assert {value for key, value in data.items() if key.endswith("_column")} <= set(head)


def test_a_block_of_an_unknown_command_fails(world: World) -> None:
    with pytest.raises(AssertionError, match="no rule for the command"):
        world.commands(Block("page.md", 1, "bash", "curl example.org"))


def test_a_shown_word_that_is_not_printed_fails() -> None:
    with pytest.raises(AssertionError, match="parsnips"):
        assert_shown(Block("page.md", 1, "text", "12 parsnips"), "12 potatoes")


def test_problems_of_a_plan_are_told_as_shown(world: World, small_study: object) -> None:
    """docs/begin.md shows what `check` says of a plan with a fault of each kind."""
    (shown,) = (b.text for b in blocks_of("docs/begin.md") if b.language == "text")
    filled(world.folder, "docs/plan.md", small_study)
    (world.folder / "photos" / "dim" / "0.png").write_bytes(b"")
    plan = yaml.safe_load((world.folder / "plan.yaml").read_text())
    plan["trainin"] = {}
    plan["data"]["image_size"] = 128
    plan["variants"]["far"] = {"control": "centre", "size": 900}
    plan["economics"] = {"cost_matrix": {"owl": {"dim": 1}}}
    (world.folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    status, _, err = world.run("check", "plan.yaml")
    assert status == 2
    assert " ".join(shown.split()) == " ".join(err.replace(str(world.folder), "/data").split())


def test_readme_says_the_first_result_in_its_first_40_lines() -> None:
    first = "\n".join(text_of("README.md").splitlines()[:40])
    assert "make demo" in first
    assert "heatmap-zoom" in first
    assert "docs/report.png" in first
