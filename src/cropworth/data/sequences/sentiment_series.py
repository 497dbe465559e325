"""The task `cardano-sentiment`: a number to predict from few series, of which aeon ships all."""

from __future__ import annotations

from cropworth.data.config import CardanoSentiment
from cropworth.data.sequences.sequence_task import SequenceTask
from cropworth.data.sequences.ucr import archive_task


def cardano_task(config: CardanoSentiment) -> SequenceTask:
    """Hourly closing price and traded volume of the currency Cardano over 24 hours -> the sentiment of the day's news.

    The sentiment is a score from -1 to 1. 74 days are to train on, validation among them, and 33 to test on: the
    archive's split, which follows no order of time.

    Source: Guijo-Rubio et al. 2023, Unsupervised feature based algorithms for time series extrinsic regression
    (arXiv:2305.01429).

    Raises:
        CropworthError: aeon is not installed, or a file or series cannot be read.
    """
    return archive_task("CardanoSentiment", config)
