"""The command line: parse, call, print. A room is imported only when a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import typer

from cropworth.arguments import (
    appraised,
    given_study,
    prepared_plan,
    price_template,
    priced,
    problems_of_prices,
    trained_variant,
)
from cropworth.errors import CropworthError
from cropworth.terminal import (
    busy,
    give,
    give_document,
    out,
    print_appraisal,
    print_error,
    print_expected,
    print_look,
    print_problems,
    print_proposal,
    print_report,
    print_task,
    print_trials,
    print_warnings,
)

app = typer.Typer(
    help="Finds out, by measurement, whether a learned crop pays for itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PlanFile = Annotated[Path, typer.Argument(help="The plan, a YAML file.")]
StudyFolder = Annotated[
    Path | None, typer.Argument(help="A folder made by `cropworth study` or `cropworth demo`; else --predictions.")
]
TrainedStudy = Annotated[Path, typer.Argument(help="A folder made by `cropworth study` or `cropworth demo`.")]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Of the trial; by default the one with the lowest validation loss.")
]
Predictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions", help="What your own models predicted, a CSV or parquet file; see docs/predictions.md."
    ),
]
Costs = Annotated[Path | None, typer.Option("--costs", help="With --predictions: what training and inference took.")]
Baseline = Annotated[
    str | None, typer.Option("--baseline", help="With --predictions: the variant to compare with. [default: baseline]")
]
Numbers = Annotated[
    bool | None,
    typer.Option(
        "--numbers/--classes",
        help="With --predictions: whether numbers or classes are predicted. [default: numbers that are not all whole]",
    ),
]
Prices = Annotated[
    Path | None, typer.Option("--economics", help="A YAML file of prices, or a plan with them; instead of the plan's.")
]
Form = Annotated[
    Literal["html", "md", "json", "terminal"],
    typer.Option("--format", help="html; md, Markdown for a pull request; json, of docs/report.schema.json; terminal."),
]
Target = Annotated[Path | None, typer.Option("--to", help="A file to write; by default it is printed.")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", help="Trials at a time; by default one a processor.")]
Trackers = Annotated[
    list[str] | None,
    typer.Option(
        "--track", help="Tell trials to tensorboard:FOLDER, mlflow:ADDRESS or wandb:PROJECT; may be repeated."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A price, such as economics.predictions_per_year=5e6; may be repeated."),
]


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Where the study goes.")] = Path("cropworth-demo"),
    jobs: Jobs = None,
) -> None:
    """Study real handwritten digits among clutter: from files to a verdict in minutes."""
    with resources.as_file(resources.files("cropworth").joinpath("demo.yaml")) as path:
        _run_study(path, folder, jobs)


@app.command()
def init(
    data: Annotated[Path, typer.Argument(help="Your data: a folder of images, a table, COCO JSON, series or texts.")],
    to: Annotated[Path, typer.Option("--out", help="The plan to write, which must not exist yet.")] = Path("plan.yaml"),
    jobs: Jobs = None,
) -> None:
    """Look at your data and write a commented plan for them that runs as it is; put in your own prices."""
    from cropworth.measure.environment import available_cores
    from cropworth.study.ledger import write_asked_for
    from cropworth.study.propose import propose

    if to.exists():
        raise CropworthError(f"{to}, which is there already", "a new file", "Choose another --out, or remove it.")
    if not to.absolute().parent.is_dir():
        raise CropworthError(f"--out {to}", f"a file in a folder that is there, unlike {to.parent}", "Make the folder.")
    with busy("Looking at the data"):
        proposal = propose(data, to, price_template("generic"), jobs or available_cores())
    write_asked_for(to, proposal.text)
    print_proposal(proposal, to)


@app.command()
def plan(
    path: PlanFile,
    folder: Annotated[Path | None, typer.Option("--out", help="A study that may have finished trials already.")] = None,
    jobs: Jobs = None,
) -> None:
    """Say what a study would run and how long it would take, measured by a few training steps; run nothing."""
    from cropworth.measure.environment import available_cores
    from cropworth.study.ledger import Ledger, trial_name
    from cropworth.study.run import estimate

    prepared = prepared_plan(path)
    task, trials = prepared.task, prepared.plan.trials()
    missing = [t for t in trials if folder is None or not Ledger(folder).finished(trial_name(t))]
    predicted = f"{len(task.classes)} classes" if task.classes else "a number to predict"
    out.print(f"[bold]{prepared.plan.name}[/]: {task.name}, {predicted}, {len(task.test):,} test items")
    print_trials(prepared)
    workers = jobs or available_cores()
    print_expected(estimate(prepared, missing, workers), len(missing), workers)


@app.command()
def check(path: PlanFile, jobs: Jobs = None) -> None:
    """Say all that is wrong with a plan, its data and its models at once; read every file, train a step, keep nothing.

    Exit status 2 where there are problems.
    """
    from cropworth.measure.environment import available_cores
    from cropworth.study.check import check as check_plan
    from cropworth.study.run import Prepared, estimate

    with busy("Reading the data, and trying each variant"):
        found = check_plan(path)
    problems = [*found.problems, *problems_of_prices(found)]
    print_warnings(found.warnings)
    if problems or found.plan is None or found.task is None:
        print_problems(path, problems)
        raise typer.Exit(2)
    prepared = Prepared(found.plan, path.parent, found.task, found.flops, tuple(found.warnings))
    print_task(found.plan.name, found.task)
    print_trials(prepared)
    trials, workers = found.plan.trials(), jobs or available_cores()
    print_expected(estimate(prepared, trials, workers), len(trials), workers)
    out.print("No problems.")


@app.command()
def study(
    path: PlanFile,
    folder: Annotated[Path, typer.Option("--out", help="Where the study goes; finished trials in it are kept.")],
    jobs: Jobs = None,
    until_clear: Annotated[
        bool, typer.Option("--until-clear", help="Add seeds in rounds, while the verdict is open and a round worth it.")
    ] = False,
    most_seeds: Annotated[
        int | None, typer.Option(help="With --until-clear: seeds after which it ends at the latest; by default 20.")
    ] = None,
    budget_hours: Annotated[
        float | None, typer.Option(help="With --until-clear: machine hours that all trainings may take together.")
    ] = None,
    track: Trackers = None,
) -> None:
    """Run a study: train what is missing, time the inference, appraise, write the report."""
    for option, value in (("--most-seeds", most_seeds), ("--budget-hours", budget_hours)):
        if value is not None and not until_clear:
            raise CropworthError(f"{option} without --until-clear", "both or none", "Add --until-clear.")
    _run_study(path, folder, jobs, (most_seeds, budget_hours) if until_clear else None, track or [])


@app.command()
def appraise(
    folder: StudyFolder = None,
    predictions: Predictions = None,
    costs: Costs = None,
    baseline: Baseline = None,
    numbers: Numbers = None,
    prices: Prices = None,
    settings: Settings = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; its schema is docs/appraisal.schema.json.")
    ] = False,
) -> None:
    """Say what a finished study, or your own models, are worth under its plan's prices or yours. Nothing is trained."""
    from cropworth.worth.as_json import as_text, to_json

    found = priced(given_study(folder, predictions, costs, baseline, numbers)[0], prices)
    _, appraisal = appraised(found, settings or [])
    if as_json:
        give(as_text(to_json(appraisal)), None)
    else:
        print_appraisal(appraisal)


@app.command()
def report(
    folder: StudyFolder = None,
    predictions: Predictions = None,
    costs: Costs = None,
    baseline: Baseline = None,
    numbers: Numbers = None,
    prices: Prices = None,
    settings: Settings = None,
    form: Form = "html",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="A file to write; by default html goes to report.html in the study, or beside the predictions, and "
            "what is not html is printed.",
        ),
    ] = None,
) -> None:
    """Write the report: one HTML page that needs nothing else; or the same as Markdown, as JSON, or on the terminal."""
    unpriced, beside = given_study(folder, predictions, costs, baseline, numbers)
    found = priced(unpriced, prices)
    economics, appraisal = appraised(found, settings or [])
    if form == "html":
        print_report(found, appraisal, economics, to or beside)
        return
    from cropworth.report.document import document

    told = document(found, appraisal, economics)
    if form == "json":
        from cropworth.report.as_json import report_as_json
        from cropworth.worth.as_json import as_text

        give(as_text(report_as_json(told, found, appraisal, economics)), to)
    else:
        give_document(told, form, to)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="The folder of a study, say last month's.")],
    after: Annotated[Path, typer.Argument(help="The folder of another, say today's.")],
    prices: Prices = None,
    settings: Settings = None,
    form: Annotated[
        Literal["md", "json", "terminal"], typer.Option("--format", help="md, json or terminal.")
    ] = "terminal",
    to: Target = None,
) -> None:
    """Set two studies side by side, under the same prices: the second's, or those of --economics."""
    from cropworth.report.comparison import comparison_document
    from cropworth.study.ledger import Ledger
    from cropworth.worth.comparison import compare as compare_studies

    new = priced(Ledger(after).read(), prices)
    old = replace(Ledger(before).read(), economics=new.economics)
    found = compare_studies(*((study, appraised(study, settings or [])[1]) for study in (old, new)))
    told = comparison_document(found, f"the prices of {prices or after}")
    if form == "json":
        from cropworth.report.as_json import comparison_as_json
        from cropworth.worth.as_json import as_text

        give(as_text(comparison_as_json(told, found)), to)
    else:
        give_document(told, form, to)


@app.command()
def predict(
    folder: TrainedStudy,
    files: Annotated[list[Path], typer.Argument(help="Files, and folders of them.")],
    variant: Annotated[str, typer.Option("--variant", help="Its name in the plan.")],
    seed: Seed = None,
    to: Annotated[Path | None, typer.Option("--out", help="A CSV file; by default it is printed.")] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Items at a time.")] = 64,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that cannot be read, and count them.")
    ] = False,
) -> None:
    """Predict what stands in files: labels, probabilities, and where the variant looked, as CSV."""
    from cropworth.deploy.load import loaded
    from cropworth.deploy.predict import as_csv, predict_files
    from cropworth.study.ledger import write_asked_for

    model = loaded(trained_variant(folder, variant, seed))
    found = predict_files(model, files, batch_size, "skip" if skip_bad else "fail")
    print_warnings(found.warnings)
    if to is None:
        sys.stdout.write(as_csv(found))
        return
    write_asked_for(to, as_csv(found))
    out.print(f"{len(found.rows):,} predictions: {to}", highlight=False, soft_wrap=True)


@app.command()
def export(
    folder: TrainedStudy,
    variant: Annotated[str, typer.Option("--variant", help="Its name in the plan.")],
    kind: Annotated[str, typer.Option("--format", help="onnx, torch-export or safetensors; see docs/deploy.md.")],
    to: Annotated[Path, typer.Option("--out", help="A new folder: the model, an example that runs it, its card.")],
    seed: Seed = None,
) -> None:
    """Write a trained variant for use elsewhere, and check that it predicts the same."""
    from cropworth.deploy.export import export as export_trial

    difference = export_trial(trained_variant(folder, variant, seed), kind, to)
    said = f"{to}: its predictions differ by at most {difference:.1g} from those of the study's model"
    out.print(said, highlight=False, soft_wrap=True)


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="A study, or a folder of studies.")],
    host: Annotated[
        str, typer.Option("--host", help="What to bind; one that other machines reach needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar="CROPWORTH_TOKEN", help="That every request needs; other users see options."),
    ] = None,
) -> None:
    """Show studies as a page on this machine, live while they run. It reads, and never writes."""
    from cropworth.serve.server import serve as serve_folder

    serve_folder(folder, host, port, token, lambda line: out.print(line, highlight=False, markup=False, soft_wrap=True))


@app.command()
def economics(
    name: Annotated[str, typer.Argument(help="generic, medical-screening, inspection, moderation or trading-signal.")],
) -> None:
    """Print a file of prices to fill in, each explained: cropworth economics inspection > economics.yaml."""
    sys.stdout.write(price_template(name))


def main() -> None:
    """Run the command line. Bad input gives one message and exit status 2."""
    try:
        app()
    except CropworthError as error:
        print_error(error)
        sys.exit(2)
    except BrokenPipeError:
        with suppress(OSError):
            sys.stdout.close()
        sys.exit(141)


def _run_study(
    path: Path,
    folder: Path,
    jobs: int | None,
    until_clear: tuple[int | None, float | None] | None = None,
    track: Sequence[str] = (),
) -> None:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from cropworth.measure.environment import available_cores
    from cropworth.study.run import Progress, run_study
    from cropworth.study.trackers import open_tracker

    prepared = prepared_plan(path)
    trackers = [open_tracker(text, folder, prepared.plan.name) for text in track]
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(elapsed_when_finished=True))
    # The time left is estimated from the last hour: by default only 30 seconds count, in which no trial may end.
    bars = Bar(*columns, console=out, disable=not out.is_terminal, speed_estimate_period=3600)
    with bars as bar, _interruptible(folder):
        line = bar.add_task("Training", total=1.0)

        def show(now: Progress) -> None:
            failed = f", {now.failed} failed" if now.failed else ""
            bar.update(line, completed=now.work_done, description=f"{now.done} of {now.total} trials{failed}")

        workers = jobs or available_cores()
        if until_clear is None:
            found = run_study(prepared, folder, workers, show, trackers=trackers)
        else:
            from cropworth.until_clear import run_until_clear
            from cropworth.worth.sequential import MOST_SEEDS

            most_seeds, hours = until_clear
            most_seeds = MOST_SEEDS if most_seeds is None else most_seeds
            found = run_until_clear(prepared, folder, workers, most_seeds, hours, show, print_look, trackers)
    economics, appraisal = appraised(found, [])
    print_appraisal(appraisal)
    print_report(found, appraisal, economics, folder / "report.html")


@contextmanager
def _interruptible(folder: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"Interrupted; finished trials are kept in {folder}: the same command goes on with them.", err=True)
        raise typer.Exit(130) from None
