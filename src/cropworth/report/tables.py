"""The report's tables as plain data, the same for HTML and Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cropworth.report import text
from cropworth.study.record import Study
from cropworth.worth.economics import Economics
from cropworth.worth.prices import Range
from cropworth.worth.results import Appraisal, Candidate, Row
from cropworth.worth.words import MISSING, humanised, money, number

# Keys that matter even where the plan leaves them at their defaults.
ALWAYS_TOLD = {"as_of", "currency", "horizon_years", "discount_rate", "margin"}
NO_DATE = "no date given"
GUESS = {"low", "mode", "high"}
# What is measured of a variant: titles, and the attributes of `Row` that the columns' (first) numbers are.
MEASURED = {
    "mean error": "mean_error",
    "accuracy": "accuracy",
    "errors per 1,000": "errors_per_thousand",
    "training seconds": "training_s",
    "training seconds, wall; CPU": "training_s",
    "trials beside": "trials_beside",
    "waiting for data": "waiting_share",
    "inference ms per item, median; p90": "latency_s",
    "FLOPs per item": "flops_per_item",
    "parameters": "parameters",
    "peak memory": "peak_memory_bytes",
    "median IoU": "median_iou",
    "seeds": "trials",
    "trials; diverged; collapsed": "trials",
}


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table.

    Attributes:
        main: a number, or words.
        below: what explains it, in smaller type; may be empty.
        verdict: whether `main` is a verdict.
    """

    main: str
    below: str = ""
    verdict: bool = False

    def __str__(self) -> str:
        return f"{self.main} ({self.below})" if self.below else self.main


@dataclass(frozen=True)
class Column:
    """A column's title, and what it holds.

    Attributes:
        title: above it.
        holds: numbers, a few words, or sentences.
        key: what its cells are of the variant that names the row, such as ``npv``; empty where they are of no variant.
            The page finds a cell by it, to show its formula and records and to write what other prices make of it.
    """

    title: str
    holds: Literal["numbers", "words", "sentences"] = "numbers"
    key: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns.

    Attributes:
        caption: what the table shows, at which training-set size.
        columns: the first names the row.
        rows: one cell a column.
        note: how to read it; may be empty.
        name: by which the page finds a table whose rows are not variants; may be empty.
        static: whether it stays as it is where a reader sets other prices in the page.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    note: str = ""
    name: str = ""
    static: bool = False


def numbers_table(
    caption: str,
    first: str,
    numbers: Iterable[tuple[str, str]],
    rows: Iterable[tuple[str | Cell, ...]],
    note: str = "",
    *,
    name: str = "",
    static: bool = False,
) -> Table:
    """A table whose first column holds words and the others numbers, given by their titles and keys."""
    columns = (Column(first, "words"), *(Column(title, key=key) for title, key in numbers))
    return Table(caption, columns, tuple(rows), note, name, static)


def candidates_table(appraisal: Appraisal) -> Table:
    """What each candidate is worth, at the largest training-set size."""
    return Table(
        caption=f"Each candidate against {appraisal.baseline}{text.trained_on(appraisal.largest.train_size)}, "
        f"over {_years(appraisal)}",
        columns=(
            Column("variant", "words"),
            Column("verdict", "words", "verdict"),
            Column("NPV, 95 % interval", key="npv"),
            Column("ROI", key="roi"),
            Column("payback", key="payback_years"),
            Column("break-even predictions a year", key="break_even_predictions_per_year"),
            Column("reason", "sentences", "reason"),
        ),
        rows=tuple(_candidate_cells(candidate, appraisal.currency) for candidate in appraisal.largest.candidates),
        note="NPV is the net present value, ROI the return on investment. “Dominates”: no less value and no more cost "
        "than the baseline. A break-even of 0: it pays at any volume. "
        f"“{MISSING}”: no payback within {_years(appraisal)}, no volume at which it pays, or not known.",
    )


def variants_table(study: Study, appraisal: Appraisal) -> Table:
    """What was measured of each variant, at the largest training-set size; of files, what they say of any variant."""
    quality = text.quality_titles(appraisal)
    cells = [
        _variant_cells(row, dict(zip(quality, text.quality(row, quality), strict=True)), study.from_files)
        for row in appraisal.largest.rows
    ]
    titles = [t for t in cells[0] if not study.from_files or any(of_row[t] != MISSING for of_row in cells)]
    return Table(
        caption=f"Means over seeds of every variant{text.trained_on(appraisal.largest.train_size)}",
        columns=(
            Column("variant", "words"),
            Column("kind", "words"),
            *(Column(title, key=MEASURED[title]) for title in titles),
        ),
        rows=tuple(
            (row.name, row.kind, *(of_row[title] for title in titles))
            for row, of_row in zip(appraisal.largest.rows, cells, strict=True)
        ),
        note=""
        if study.from_files
        else "“Trials beside” is how many other trials ran on the machine at the same time, on average; they slow the "
        "wall clock. “Waiting for data” is the share of it in which training waited for its next batch. Inference was "
        "timed while nothing trained. “IoU” is the overlap of the crop with the true box. "
        "A diverged trial has no predictions; the crop of a collapsed one shows nothing useful.",
    )


def sizes_table(appraisal: Appraisal) -> Table:
    """Each candidate's verdict at each training-set size."""
    found = {(size.train_size, c.name): c for size in appraisal.sizes for c in size.candidates}
    names = dict.fromkeys(c.name for size in appraisal.sizes for c in size.candidates)
    return Table(
        caption="Verdict (and NPV) by number of training items",
        columns=(
            Column("variant", "words"),
            *(Column(f"{size.train_size:,} items", "words", f"npv@{size.train_size}") for size in appraisal.sizes),
        ),
        rows=tuple(
            (
                name,
                *(_verdict(found.get((size.train_size, name)), appraisal.currency) for size in appraisal.sizes),
            )
            for name in names
        ),
        static=True,
    )


def failures_table(study: Study) -> Table:
    """The trials that did not end well, at every training-set size."""
    failed = [record for record in study.records if record.status != "ok"]
    order = list(study.kinds)
    failed.sort(key=lambda record: (order.index(record.variant), record.train_size, record.seed))
    return Table(
        caption="Trials that diverged, or whose crop collapsed",
        columns=(
            Column("variant", "words"),
            Column("training items", key="record@train_size"),
            Column("seed", key="record@seed"),
            Column("outcome", "words"),
            Column("reason", "sentences"),
        ),
        rows=tuple((r.variant, f"{r.train_size:,}", str(r.seed), r.status, r.reason) for r in failed),
    )


def prices_table(economics: Economics, not_priced: tuple[str, ...]) -> Table:
    """The prices by the path of their key; what was not priced is said to be so."""
    told = economics.model_fields_set | {name.partition(".")[0] for name in not_priced} | ALWAYS_TOLD
    given = economics.model_dump(mode="json") | {"as_of": str(economics.as_of or NO_DATE)}
    prices = {name: value for name, value in given.items() if name in told}
    return Table(
        caption="Prices and volumes",
        columns=(Column("key", "words"), Column("value", "sentences")),
        rows=tuple(
            (key, "not priced: counts as 0" if key in not_priced else value)
            for key, value in _flat(prices)
            if key != "note"
        ),
        note="A price that is a guess is told by its lowest, likeliest and highest value."
        if any(isinstance(price, Range) for price in economics.prices().values())
        else "",
        static=True,
    )


def environment_tables(study: Study) -> tuple[Table, ...]:
    """One table for each distinct environment that trials ran in, the commonest first; none where it is not known."""
    if study.from_files:
        return ()
    counts: dict[str, int] = {}
    for record in study.records:
        key = json.dumps({**record.environment, "threads of each trial": record.threads})
        counts[key] = counts.get(key, 0) + 1
    names = [f"Environment {place}" for place in range(1, len(counts) + 1)] if len(counts) > 1 else ["Environment"]
    return tuple(
        Table(
            caption=f"{name}: {counts[key]} of {len(study.records)} trials",
            columns=(Column("what", "words"), Column("found", "sentences")),
            rows=tuple((what, _plain(value)) for what, value in json.loads(key).items()),
        )
        for name, key in zip(names, sorted(counts, key=lambda key: -counts[key]), strict=True)
    )


def when(study: Study) -> str:
    """The days (UTC) on which the trials started; empty where that is not known."""
    if study.from_files:
        return ""
    days = sorted(datetime.fromtimestamp(record.started_at, UTC).date().isoformat() for record in study.records)
    return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"


def timing(study: Study) -> str:
    """How inference was timed, in one sentence."""
    if study.from_files:
        return text.brought_times(study)
    if study.latency is None:
        return "Inference has not been timed yet; run the study again to do so."
    threads = "1 thread" if study.latency.threads == 1 else f"{study.latency.threads} threads"
    rounds = max(map(len, study.latency.seconds_per_item.values()), default=0)
    return (
        f"Inference was timed in batches of {study.latency.batch_size} with {threads}, "
        f"{rounds} rounds, the variants in turn, while nothing trained."
    )


def _candidate_cells(candidate: Candidate, currency: str) -> tuple[str | Cell, ...]:
    return (
        candidate.name,
        Cell(text.verdict_word(candidate), verdict=True),
        Cell(money(candidate.npv.estimate, currency), text.money_interval(candidate.npv_together, currency)),
        text.return_on_investment(candidate),
        text.years(candidate.payback_years),
        humanised(candidate.break_even_predictions_per_year),
        candidate.reason,
    )


def _variant_cells(row: Row, quality: Mapping[str, str], from_files: bool) -> dict[str, str]:
    """What is known of a variant, by title."""
    if from_files:
        return {
            **quality,
            "training seconds": text.known(row.training_s),
            "inference ms per item, median; p90": _median_and_p90(row),
            "FLOPs per item": text.flops(row.flops_per_item) if row.flops_per_item else MISSING,
            "seeds": f"{row.trials}",
        }
    return {
        **quality,
        "training seconds, wall; CPU": f"{number(row.training_s)}; {number(row.training_cpu_s)}",
        "trials beside": number(row.trials_beside, 2),
        "waiting for data": text.percent(row.waiting_share),
        "inference ms per item, median; p90": _median_and_p90(row),
        "FLOPs per item": text.flops(row.flops_per_item),
        "parameters": f"{row.parameters:,}",
        "peak memory": text.size_in_bytes(row.peak_memory_bytes),
        "median IoU": MISSING if row.median_iou is None else f"{row.median_iou:.2f}",
        "trials; diverged; collapsed": f"{row.trials}; {row.diverged}; {row.collapsed}",
    }


def _median_and_p90(row: Row) -> str:
    if row.latency_s is None or row.latency_p90_s is None:
        return MISSING
    return f"{number(row.latency_s * 1e3)}; {number(row.latency_p90_s * 1e3)}"


def _verdict(candidate: Candidate | None, currency: str) -> str | Cell:
    if candidate is None:
        return MISSING
    return Cell(text.verdict_word(candidate), money(candidate.npv.estimate, currency), verdict=True)


def _flat(prices: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each price with the path of its key; of a matrix, each row; of machines to choose from, each."""
    for key, value in prices.items():
        if key in ("cost_matrix", "value_matrix") and value is not None:
            rows = value.items() if isinstance(value, Mapping) else enumerate(value)
            yield from ((f"{key}.{true}", _costs(row)) for true, row in rows)
        elif key == "instances":
            yield from (
                (f"{key}.{one['name']}", f"{one['memory_gb']:g} GB, {one['price_per_hour']:g}") for one in value
            )
        elif isinstance(value, Mapping) and set(value) != GUESS:
            yield from ((f"{key}.{inner}", _plain(price)) for inner, price in value.items())
        else:
            yield key, _plain(value)


def _costs(row: Mapping[str, Any] | Sequence[Any]) -> str:
    if isinstance(row, Mapping):
        return ", ".join(f"{predicted}: {_plain(cost)}" for predicted, cost in row.items())
    return ", ".join(map(_plain, row))


def _plain(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, Mapping) and set(value) == GUESS:
        return f"{_plain(value['low'])} to {_plain(value['high'])}, likeliest {_plain(value['mode'])}"
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:,.12g}"
    return str(value)


def _years(appraisal: Appraisal) -> str:
    return "1 year" if appraisal.horizon_years == 1 else f"{appraisal.horizon_years} years"
