"""What a command is given: a plan, a study's folder or files of predictions, prices, a trained variant."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from cropworth.errors import CropworthError
from cropworth.terminal import busy, err, print_warnings

if TYPE_CHECKING:
    from cropworth.deploy.trial import Trial
    from cropworth.study.check import Checked
    from cropworth.study.record import Study
    from cropworth.study.run import Prepared
    from cropworth.worth.economics import Economics
    from cropworth.worth.results import Appraisal


def trained_variant(folder: Path, variant: str, seed: int | None) -> Trial:
    """The trial that speaks for a variant; what is to be known of it is told at once."""
    from cropworth.deploy.trial import choose

    trial = choose(folder, variant, seed)
    if trial.warning:
        err().print(trial.warning)
    return trial


def prepared_plan(path: Path) -> Prepared:
    """Read the plan and its data, and check them, the prices included, before anything is trained."""
    from cropworth.study.plan import load_plan
    from cropworth.study.run import prepare
    from cropworth.worth.economics import read_economics

    plan = load_plan(path)
    economics = read_economics(plan.economics, [])
    with busy("Reading the data"):
        prepared = prepare(plan, path.parent)
    economics.check_classes(prepared.task.classes)
    print_warnings(prepared.warnings)
    return prepared


def price_template(name: str) -> str:
    """A file of example prices.

    Raises:
        CropworthError: there is none of this name.
    """
    from cropworth.config import nearest

    files = resources.files("cropworth.worth").joinpath("templates")
    known = sorted(Path(file.name).stem for file in files.iterdir())
    if name not in known:
        raise CropworthError(f"the economics {name!r}", f"one of {', '.join(known)}", nearest(name, known))
    return files.joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def problems_of_prices(found: Checked) -> tuple[CropworthError, ...]:
    """What is wrong with the prices of a plan, in themselves and for its classes."""
    from cropworth.worth.economics import read_economics

    if not isinstance(found.economics, dict):
        return ()  # the plan's own check says so
    try:
        economics = read_economics(found.economics, [])
        if found.task is not None:
            economics.check_classes(found.task.classes)
    except CropworthError as error:
        return error.problems
    return ()


def given_study(
    folder: Path | None, predictions: Path | None, costs: Path | None, baseline: str | None, numbers: bool | None
) -> tuple[Study, Path]:
    """The study of a folder, or of files of predictions, whose warnings are told at once; and where its report goes."""
    if (folder is None) == (predictions is None):
        raise CropworthError(
            "neither a study's folder nor --predictions" if folder is None else f"both {folder} and --predictions",
            "one of them",
            "Name what to appraise.",
        )
    if predictions is not None:
        from cropworth.worth.predictions import read_predictions

        study = read_predictions(predictions, costs, baseline or "baseline", numbers=numbers)
        print_warnings(study.warnings)
        return study, predictions.with_name(f"{study.name}.html")
    assert folder is not None
    given = {"--costs": costs, "--baseline": baseline, "--numbers or --classes": numbers}
    for option, value in given.items():
        if value is not None:
            raise CropworthError(
                f"{option} with the study {folder}",
                "--predictions beside it",
                "A study has that already: leave it out.",
            )
    from cropworth.study.ledger import Ledger

    return Ledger(folder).read(), folder / "report.html"


def priced(found: Study, prices: Path | None) -> Study:
    """The study under the prices of a file: the mapping `economics` in it, or the whole of it."""
    from cropworth.config import read_yaml
    from cropworth.functions import look_in

    if prices is None:
        return found
    look_in(prices.parent)
    values = read_yaml(prices)
    economics = values.get("economics", values)
    if not isinstance(economics, dict):
        raise CropworthError(f"{prices} with economics = {economics!r}", "a mapping of prices", "Mend the file.")
    return replace(found, economics=economics)


def appraised(found: Study, settings: list[str]) -> tuple[Economics, Appraisal]:
    """What the study is worth, some of its prices set otherwise on the command line."""
    from cropworth.worth.appraisal import appraise as appraise_study
    from cropworth.worth.economics import read_economics

    economics = read_economics(found.economics, settings)
    return economics, appraise_study(found, economics)
