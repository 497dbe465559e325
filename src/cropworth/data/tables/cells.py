"""Cells of tables, as CSV (texts) or parquet (values) have them. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite


def missing(cell: object) -> bool:
    """Whether a cell is empty: a text without a letter, None or NaN."""
    return cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())


def number(cell: object) -> float | None:
    """The number in a cell, infinite and NaN too; None where there is none."""
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def times(cells: Sequence[object]) -> list[float | None]:
    """Numbers that grow with the times of a column; None for a cell that holds no time.

    A column is of numbers, in any unit, or else of ISO 8601, in which a time without a zone is UTC: of what more of its
    cells are. A year alone is a number, and so are digits in a column of nothing else.
    """
    numbers = [found if found is not None and isfinite(found) else None for found in map(number, cells)]
    if all(found is not None or missing(cell) for found, cell in zip(numbers, cells, strict=True)):
        return numbers
    dates = [_seconds(cell) for cell in cells]
    return numbers if numbers.count(None) < dates.count(None) else dates


def _seconds(cell: object) -> float | None:
    try:
        moment = datetime.fromisoformat(str(cell).strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
