"""`model_card`: what a user must know of a trained variant, as Markdown, from what the study kept alone.

Its headings are those of Mitchell et al. 2019, model cards for model reporting; its head is the metadata that Hugging
Face reads.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

import cropworth
from cropworth.deploy.trial import Trial
from cropworth.study.plan import Backbone, Crop, Whole
from cropworth.study.record import Record

CALIBRATION_BINS = 10
PIPELINES = ("image-classification", "text-classification")  # of those that Hugging Face knows
RARE = 0.2  # a class with less than this share of the most frequent one's items

Row = Sequence[object]


def model_card(trial: Trial, how_to_use: str, exported: str = "") -> str:
    """The card of a trial.

    Args:
        trial: the model.
        how_to_use: Markdown, for whoever has the card.
        exported: a sentence on what the exported file was checked against.
    """
    parts = [
        _head(trial),
        f"# {_plain(trial.study.name)}: {_plain(trial.record.variant)}",
        *_details(trial),
        *_intended(trial),
        *_metrics(trial),
        *_data(trial),
        *_training(trial),
        *_analyses(trial),
        *_costs(trial),
        *_prices(trial),
        *_caveats(trial),
        "## How to use it",
        how_to_use,
        *([exported] if exported else []),
        *_versions(trial),
    ]
    return "\n\n".join(parts) + "\n"


def expected_calibration_error(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """How far the probability of the likeliest class is from the share of right answers, on average over the items.

    Over `CALIBRATION_BINS` bins of equal width (Guo et al. 2017, on calibration of modern neural networks, equation 3).

    Args:
        probabilities: (n, C).
        labels: (n,).
    """
    sure, right = probabilities.max(axis=1).astype(np.float64), probabilities.argmax(axis=1) == labels
    bins = np.minimum((sure * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = [abs(float((right[bins == one] - sure[bins == one]).sum())) for one in np.unique(bins)]
    return sum(gaps) / len(labels)


def _head(trial: Trial) -> str:
    """Metadata in YAML; see https://huggingface.co/docs/hub/model-cards."""
    kind = "text" if trial.signature.vocabulary else "time-series" if trial.signature.is_sequence else "image"
    task = f"{kind}-classification" if trial.signature.classes else f"{kind}-regression"
    score = trial.record.accuracy if trial.signature.classes else trial.record.mean_error
    metric = {
        "type": "accuracy" if trial.signature.classes else "mae",
        "value": None if score is None else round(score, 4),
    }
    result = {
        "task": {"type": task},
        "dataset": {"name": trial.study.name, "type": trial.study.data_sha256[:16] or "unknown", "split": "test"},
        "metrics": [metric],
    }
    head = {
        "library_name": "cropworth",
        **({"pipeline_tag": task} if task in PIPELINES else {}),
        "tags": ["cropworth", "spatial-transformer"] if trial.crops else ["cropworth"],
        "model-index": [{"name": f"{trial.study.name}-{trial.record.variant}", "results": [result]}],
    }
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---"


def _details(trial: Trial) -> Iterable[str]:
    plan, record = trial.plan, trial.record
    settings = plan.variants[record.variant]
    backbone = _backbone(trial).name
    yield "## Model details"
    if isinstance(settings, Crop):
        size = " x ".join([str(settings.size)] * len(trial.signature.size))
        unit = "steps" if trial.signature.is_sequence else "pixels"
        yield (
            f"A learned crop (localizer {settings.localizer}, transform {settings.transform}) of {size} {unit} in front"
            f" of the backbone `{backbone}`. The crop was learned together with the backbone."
        )
    else:
        kind, told = trial.study.kinds[record.variant], settings.model_dump_json(exclude_none=True)
        yield f"The {kind} of the study, without a learned crop: `{told}`, backbone `{backbone}`."
    yield f"It has {record.parameters:,} learned numbers. It is the trial `{record.trial}`, with seed {record.seed}."
    if trial.warning:
        yield f"**{_plain(trial.warning)}**"


def _backbone(trial: Trial) -> Backbone:
    settings = trial.plan.variants[trial.record.variant]
    return (settings.backbone if isinstance(settings, Whole) else None) or trial.plan.backbone


def _intended(trial: Trial) -> Iterable[str]:
    known = trial.signature
    yield "## Intended use"
    if known.classes:
        yield f"It tells {len(known.classes)} classes apart: {', '.join(map(_plain, known.classes))}."
        yield "It always names one of them, also for an input of none of them."
    else:
        yield "It predicts a number."
    what = (
        "texts"
        if known.vocabulary
        else f"series of {known.channels} features"
        if known.is_sequence
        else f"images of {known.size[1]} x {known.size[0]} pixels and {known.channels} channels, in [0, 1]"
    )
    yield f"Its inputs are {what}, read as the training data were."
    yield "Other uses were not studied."


def _metrics(trial: Trial) -> Iterable[str]:
    yield "## Metrics"
    if trial.signature.classes:
        yield (
            "Accuracy is the share of test items read right. Recall is the share of a class's items that were read as"
            " it; precision is the share right of the items read as it."
        )
    else:
        yield "The error is the mean distance of the predicted numbers from the true ones, in their own unit."
    yield "The trial and its epoch were chosen by validation loss. The test items decided nothing."


def _data(trial: Trial) -> Iterable[str]:
    record = trial.record
    validation = "" if record.validation_labels is None else f", {len(record.validation_labels):,} to validate"
    yield "## Data"
    yield f"{record.train_size:,} items to train{validation}, {len(record.labels):,} to test."
    yield f"Read by `{_data_settings(trial)}`."
    if trial.study.data_sha256:
        yield f"SHA-256 of all items and labels: `{trial.study.data_sha256}`."
    yield from (_plain(warning) for warning in trial.study.warnings)


def _training(trial: Trial) -> Iterable[str]:
    settings, record = trial.plan.training, trial.record
    yield "## Training"
    yield (
        f"AdamW with a one-cycle schedule: {len(record.curve)} of at most {settings.epochs} epochs, of which"
        f" {record.best_epoch + 1} gave the weights; batches of {settings.batch_size}, highest learning rate"
        f" {settings.lr:g}, weight decay {settings.weight_decay:g}. It took {record.training_wall_s:,.0f} seconds."
    )
    if settings.augment:
        yield f"Training images were augmented: {', '.join(name for step in settings.augment for name in step)}."
    backbone = _backbone(trial)
    if backbone.weights is not None:
        after = "kept as they were" if backbone.frozen else "trained further"
        yield f"The backbone began with the weights in `{backbone.weights.name}`, which were {after}."


def _analyses(trial: Trial) -> Iterable[str]:
    record, of_all = trial.record, trial.study.of(trial.record.variant, trial.record.train_size)
    yield "## Quantitative analyses"
    classes = bool(trial.signature.classes)
    scores = [score for one in of_all if (score := one.accuracy if classes else one.mean_error) is not None]
    own = record.accuracy if classes else record.mean_error
    what, show = ("accuracy", _percent) if classes else ("mean error", lambda value: f"{value:.4g}")
    yield f"On the test, this trial's {what} is {show(own)}." if own is not None else "It has no predictions."
    if len(scores) > 1:
        yield (
            f"Over {len(scores)} seeds of this variant the mean is {show(fmean(scores))}, the standard deviation"
            f" {show(stdev(scores))}, the range {show(min(scores))} to {show(max(scores))}."
        )
    if classes and record.probabilities is not None:
        yield _table(("class", "test items", "recall", "precision"), _by_class(record, trial.signature.classes))
        error = expected_calibration_error(record.probabilities, record.labels.astype(np.int64))
        yield (
            f"The expected calibration error on the test is {error:.3f} ({CALIBRATION_BINS} bins). Nothing was done to"
            " calibrate the probabilities."
        )
    if trial.crops:
        yield _table(
            ("health of the crops on the test", "value"), [(k, f"{v:.3f}") for k, v in record.crop_health.items()]
        )
    if record.median_iou is not None:
        yield f"The median overlap of its crops with the true boxes (IoU) is {record.median_iou:.2f}."


def _by_class(record: Record, classes: Sequence[str]) -> list[Row]:
    assert record.predictions is not None
    rows: list[Row] = []
    for index, name in enumerate(classes):
        true, said = record.labels == index, record.predictions == index
        hits = int((true & said).sum())
        rows.append((name, f"{int(true.sum()):,}", _share(hits, int(true.sum())), _share(hits, int(said.sum()))))
    return rows


def _costs(trial: Trial) -> Iterable[str]:
    record, latency = trial.record, trial.study.latency
    yield "## Costs"
    yield f"One item takes {record.flops_per_item / 1e6:,.1f} million floating-point operations."
    if latency is not None and record.variant in latency.seconds_per_item:
        milliseconds = 1000 * median(latency.seconds_per_item[record.variant])
        yield (
            f"It takes {milliseconds:.3g} milliseconds, the median in batches of {latency.batch_size} with"
            f" {latency.threads} threads on {record.environment.get('processor') or 'an unknown processor'}."
        )
        if record.variant in latency.memory_bytes:
            yield f"A process that predicts such batches holds {latency.memory_bytes[record.variant] / 1e6:,.0f} MB."


def _prices(trial: Trial) -> Iterable[str]:
    if trial.study.economics:
        yield "## Prices"
        yield "As the plan gave them; `cropworth appraise` says what they make the variant worth."
        yield _block("yaml", yaml.safe_dump(trial.study.economics, sort_keys=False, allow_unicode=True))


def _caveats(trial: Trial) -> Iterable[str]:
    record = trial.record
    yield "## Caveats and limits"
    told = [
        "Test and training items come from the same data. Another camera, site or year, say, was not tested.",
        "No group of people or items was looked at on its own, except the classes.",
    ]
    if trial.signature.classes:
        told += _imbalance(record, trial.signature.classes)
    of_all = trial.study.of(record.variant, record.train_size)
    failed = Counter(one.status for one in of_all if one.status != "ok")
    told += [f"Of {len(of_all)} seeds of this variant, {count} {status}." for status, count in failed.items()]
    yield "\n".join(f"- {sentence}" for sentence in told)


def _imbalance(record: Record, classes: Sequence[str]) -> list[str]:
    counts = np.bincount(record.labels.astype(np.int64), minlength=len(classes))
    rare = [f"{_plain(classes[i])} ({count:,})" for i, count in enumerate(counts) if count < RARE * counts.max()]
    if not rare:
        return []
    return [f"Few test items are of {', '.join(rare)}; the most frequent class has {counts.max():,}."]


def _versions(trial: Trial) -> Iterable[str]:
    yield "## Versions"
    told = {"cropworth": cropworth.__version__, **trial.record.environment}
    yield _table(("what", "of the training"), [(name, value) for name, value in told.items() if value is not None])


def _data_settings(trial: Trial) -> str:
    """The plan's `data`, of its paths the names alone: a card goes where they say too much, or nothing."""
    plain = trial.plan.data.model_dump(exclude_none=True)
    names = {key: value.name if isinstance(value, Path) else value for key, value in plain.items()}
    return json.dumps(names, ensure_ascii=False).replace("`", "'")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _share(part: int, whole: int) -> str:
    return _percent(part / whole) if whole else "none"


def _table(titles: Sequence[str], rows: Iterable[Row]) -> str:
    lines = [
        _line(titles),
        _line([":---"] * len(titles)),
        *(_line([_plain(str(cell)) for cell in row]) for row in rows),
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _block(language: str, text: Any) -> str:
    return f"```{language}\n{text.strip()}\n```"


def _plain(text: str) -> str:
    """On one line, with the signs that Markdown or HTML would take for their own made harmless."""
    return re.sub(r"([\\`*_|<>&\[\]])", r"\\\1", " ".join(text.split()))
