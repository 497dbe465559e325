"""Where every number of the report comes from: its formula with the values put in, and the records behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from cropworth.report.formulas import FORMULAS, Formula
from cropworth.report.tables import Table
from cropworth.report.trials import rounds_of_timing, trials_in_columns
from cropworth.study.record import Study
from cropworth.worth.as_json import to_json
from cropworth.worth.economics import Economics
from cropworth.worth.prices import Range
from cropworth.worth.results import Appraisal

PRICE = "price:"


def formulas_of(shown: Iterable[Table]) -> dict[str, Formula]:
    """The formulas of these tables' numbers by their keys, in the order of `FORMULAS`.

    What follows an ``@`` in a column's key only says which of several columns of one kind it is.
    """
    keys = {column.key.partition("@")[0] for table in shown for column in table.columns}
    return {key: formula for key, formula in FORMULAS.items() if key in keys}


def trace(study: Study, appraisal: Appraisal, economics: Economics, formulas: Mapping[str, Formula]) -> dict[str, Any]:
    """What the page looks numbers up in; a thousand trials take less than 150 kB of JSON.

    Args:
        study: the records.
        appraisal: the numbers.
        economics: the prices that they were reckoned with.
        formulas: of the numbers that can be looked up.

    Returns:
        ``formulas`` by key; ``candidates`` by training-set size and name, with the values of the formulas' symbols;
        ``prices`` by path, a number or ``{low, mode, high}``; ``trials`` in columns; ``rounds`` of timing in seconds
        an item, by variant.
    """
    values = {symbol.value for formula in formulas.values() for symbol in formula.symbols}
    paths = sorted(value for value in values if value and not value.startswith(PRICE))
    prices = {path: p.model_dump() if isinstance(p, Range) else p for path, p in economics.prices().items()}
    return {
        "formulas": {key: asdict(formula) for key, formula in formulas.items()},
        "candidates": {
            size["train_size"]: {name: _values(candidate, paths) for name, candidate in size["candidates"].items()}
            for size in to_json(appraisal)["sizes"]
        },
        "prices": prices | {"horizon_years": economics.horizon_years, "margin": economics.margin},
        "train_size": appraisal.largest.train_size,
        "best": appraisal.best,
        "baseline": study.baseline,
        "currency": appraisal.currency,
        "trials": trials_in_columns(study),
        "rounds": rounds_of_timing(study),
    }


def _values(candidate: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """A candidate with nothing but what stands at these paths."""
    found: dict[str, Any] = {}
    for path in paths:
        field, _, part = path.partition(".")
        if part:
            found.setdefault(field, {})[part] = candidate[field][part]
        else:
            found[field] = candidate[field]
    return found
