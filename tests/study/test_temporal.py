"""Studies of sequences: every variant trains, and is what the crops themselves are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cropworth.crops.geometry import theta_to_boxes
from cropworth.crops.sequence import SequenceTransformer, resampled
from cropworth.data import build
from cropworth.data.sequences.sequence_task import SequenceItem, SequenceTask
from cropworth.errors import CropworthError
from cropworth.report.html import write_report
from cropworth.study.classifier import Classifier
from cropworth.study.located import LearnedCrop
from cropworth.study.pictures import HEIGHT, WIDTH, curves
from cropworth.study.plan import Plan
from cropworth.study.run import prepare, run_study
from cropworth.study.train import batches, evaluate, run_trial, training_step
from cropworth.study.variants import build_variant, item_flops
from cropworth.worth.appraisal import appraise
from cropworth.worth.economics import Economics

SPAN = 8
CROP = {"localizer": "heatmap", "transform": "zoom", "size": 8, "look_size": 24, "start_scale": 0.3}
VARIANTS: dict[str, dict[str, Any]] = {
    "baseline": {"control": "whole"},
    "attention": {"control": "whole", "backbone": {"name": "recurrent", "arguments": {"pool": "attention"}}},
    "small": {"control": "small", "size": 10},
    "constant": {"control": "constant", "answer": "rise"},
    "centre": {"control": "centre", "size": 12},
    "oracle": {"control": "oracle", "size": 8, "jitter": 0.1},
    "matched": {"control": "matched", "to": "zoom"},
    "zoom": {**CROP, "candidates": 2, "jitter": 0.1, "consistency": 0.5, "scale_prior": 0.1},
    "warp": {**CROP, "transform": "warp", "antialias": True, "reach": 3},
    "regression": {**CROP, "localizer": "regression", "transform": "unbounded-affine", "start_scale": 1.0},
    "states": {**CROP, "looks_at": "states", "crops": "states", "candidates": 2},
    "behind": {**CROP, "looks_at": "states"},
}


def draw(count: int, seed: int, labels: str = "classes") -> list[SequenceItem]:
    """Noise with a rise or a fall of `SPAN` steps somewhere; the label says which, or how steep it is."""
    rng = np.random.default_rng(seed)
    items = []
    for index in range(count):
        steps = int(rng.integers(20, 60))
        values = rng.normal(0, 0.2, (steps, 2)).astype(np.float32)
        start = int(rng.integers(0, steps - SPAN))
        slope = float(rng.uniform(0.5, 2)) * (1 if rng.random() < 0.5 else -1)
        values[start : start + SPAN, 0] += slope * np.linspace(-1, 1, SPAN, dtype=np.float32)
        label = int(slope > 0) if labels == "classes" else slope
        payoffs = (-slope, slope) if labels == "classes" else None
        items.append(SequenceItem(values, label, f"item {index}", (start, start + SPAN), payoffs))
    return items


def a_task(labels: str = "classes") -> SequenceTask:
    names = ("fall", "rise") if labels == "classes" else ()
    return SequenceTask("ramps", names, draw(40, 0, labels), draw(16, 1, labels), draw(24, 2, labels))


def a_text_task() -> SequenceTask:
    rng = np.random.default_rng(0)

    def draw_text(count: int) -> list[SequenceItem]:
        texts = [rng.integers(1, 20, int(rng.integers(5, 30))) for _ in range(count)]
        return [SequenceItem(words, int(words.max() > 15), f"row {i}") for i, words in enumerate(texts)]

    return SequenceTask("texts", ("no", "yes"), draw_text(40), draw_text(12), draw_text(20), vocabulary=20)


def a_plan(**changes: Any) -> Plan:
    values = {
        "name": "ramps",
        "data": {"task": "digits-cluttered"},  # replaced by the task itself, see `drawn`
        "backbone": {"name": "recurrent", "arguments": {"width": 8}},
        "variants": VARIANTS,
        "training": {"epochs": 2, "batch_size": 8},
        "study": {"train_sizes": [32], "seeds": 2},
        "timing": {"batch_size": 4, "rounds": 10},
        "economics": {"stake": 10.0, "predictions_per_year": 1000},
    }
    return Plan.model_validate(values | changes)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> SequenceTask:
    task = a_task()
    monkeypatch.setitem(build.READERS, type(a_plan().data), lambda _: task)
    return task


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains(name: str) -> None:
    task = a_task()
    record, model = run_trial(a_plan(), name, 32, 0, task, threads=1)
    assert record.status in ("ok", "collapsed")
    assert record.probabilities is not None
    assert record.probabilities.shape == (24, 2)
    assert record.payoffs is not None
    assert record.payoffs.shape == (24, 2)
    crops = name not in ("baseline", "attention", "small", "constant", "matched")
    assert (record.theta is not None) == crops
    if record.theta is not None:
        assert record.theta.shape[:2] == (24, 1)
        assert record.median_iou == pytest.approx(1.0, abs=1e-4) if name == "oracle" else record.median_iou is not None
    again, _ = run_trial(a_plan(), name, 32, 0, task, threads=1)
    np.testing.assert_array_equal(record.probabilities, again.probabilities)
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_batch_padded_further_is_read_alike(name: str) -> None:
    task = a_task()
    model = build_variant(a_plan(), name, task, 0).eval()
    whole = task.test
    together = model(next(batches(whole, 24)))
    alone = torch.cat([model(batch) for batch in batches(whole, 1)])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-4)


def test_behind_a_recurrent_network_is_the_sequence_transformer() -> None:
    for name, of in (("states", "states"), ("behind", "input")):
        model = build_variant(a_plan(), name, a_task(), 0).eval()
        assert isinstance(model.crop, LearnedCrop)
        assert model.crop.encoder is not None
        same = SequenceTransformer(model.crop.encoder, model.crop.cropper, model.backbone, of=of)  # type: ignore[arg-type]
        batch = next(batches(a_task().test, 8))
        torch.testing.assert_close(model(batch), same.eval()(batch.inputs, batch.lengths))


def test_the_controls_show_what_they_say() -> None:
    task = a_task()
    batch = next(batches(task.test, 8))
    assert batch.lengths is not None
    small = build_variant(a_plan(), "small", task, 0).view(batch)
    torch.testing.assert_close(small.seen, resampled(batch.inputs, batch.lengths, (10,)).transpose(1, 2))
    centre = build_variant(a_plan(), "centre", task, 0).view(batch)
    for item, length in enumerate(batch.lengths.tolist()):
        if length % 2 == 0:  # the middle steps themselves
            torch.testing.assert_close(
                centre.seen[item], batch.inputs[item, length // 2 - 6 : length // 2 + 6], atol=1e-4, rtol=1e-4
            )
    oracle = build_variant(a_plan(), "oracle", task, 0).eval().view(batch)
    assert oracle.theta is not None
    torch.testing.assert_close(theta_to_boxes(oracle.theta), batch.boxes)


def test_matched_costs_what_the_crop_costs() -> None:
    flops = {name: item_flops(build_variant(a_plan(), name, a_task(), 0), a_task()) for name in ("zoom", "matched")}
    assert flops["matched"] == pytest.approx(flops["zoom"], rel=0.2)


def test_a_regression_predicts_numbers() -> None:
    task = a_task("numbers")
    variants = {name: VARIANTS[name] for name in ("baseline", "warp", "states")}
    variants["states"] = {**variants["states"], "candidates": 1}
    plan = a_plan(variants=variants, training={"epochs": 30, "batch_size": 8, "lr": 0.01, "patience": 30})
    record, model = run_trial(plan, "states", 40, 0, task, threads=1)
    assert record.probabilities is None
    assert record.numbers is not None
    labels = task.test.labels.numpy()
    constant = np.abs(labels - labels.mean()).mean()
    assert (record.mean_error or np.inf) < 0.8 * constant
    assert record.mean_error == pytest.approx(np.abs(record.numbers - labels).mean())
    explained = 1 - ((record.numbers - labels) ** 2).sum() / ((labels - labels.mean()) ** 2).sum()
    found, _, _ = evaluate(model, task.test)
    assert explained > 0.2
    np.testing.assert_allclose(found.numpy(), record.numbers, rtol=1e-5)
    with pytest.raises(CropworthError, match="several candidates for a regression"):
        build_variant(a_plan(), "zoom", task, 0)


def test_words_are_embedded() -> None:
    task = a_text_task()
    constant = {"control": "constant", "answer": "yes"}
    plan = a_plan(variants={n: VARIANTS[n] for n in ("baseline", "zoom", "states", "behind")} | {"always": constant})
    for name in plan.variants:
        record, model = run_trial(plan, name, 32, 0, task, threads=1)
        assert (model.words is None) == (name == "always")
        assert record.accuracy is not None
        assert record.examples is None


def test_a_whole_study_of_sequences(drawn: SequenceTask, tmp_path: Path) -> None:
    chosen = {name: VARIANTS[name] for name in ("baseline", "zoom", "states", "oracle")}
    plan = a_plan(variants=chosen)
    study = run_study(prepare(plan), tmp_path / "study", jobs=1)
    assert len(study.records) == 8
    assert study.latency is not None
    appraisal = appraise(study, Economics.model_validate(plan.economics))
    best = next(c for c in appraisal.largest.candidates if c.name == "zoom")
    assert best.value_per_prediction.estimate is not None
    write_report(study, appraisal, Economics.model_validate(plan.economics), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("<polygon") >= 24


def test_curves_show_the_items_own_steps() -> None:
    series = torch.zeros(2, 10, 1)
    series[0, :, 0] = torch.arange(10)
    series[1, :5, 0] = torch.tensor([0.0, 0, 1, 0, 0])
    pictures = curves(series, torch.tensor([10, 5]))
    assert pictures.shape == (2, 3, HEIGHT, WIDTH)
    inked = (pictures < 255).any(1)
    assert bool(inked.any(1).all())  # every column
    rows = inked[0].argmax(0)
    assert (np.diff(rows) <= 0).all()  # a rise goes up
    assert rows[0] > HEIGHT - 6
    assert rows[-1] < 6
    assert abs(int(inked[1].argmax(0).argmin()) - WIDTH // 2) <= 3  # the peak in the middle of its own five steps
    several = curves(torch.rand(1, 5, 7), None)[0].reshape(3, -1).T
    assert len(np.unique(several, axis=0)) == 4  # paper, and one ink for each of the first three features


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crops": "states"}, "looks_at must be states"),
        ({"transform": "warp", "jitter": 0.1}, "a warp has no jitter"),
        ({"transform": "affine"}, "transform affine"),
        ({"localizer": "proposals"}, "localizer proposals"),
        ({"steps": 2}, "steps 2"),
        ({"start_scale": 0.011, "size": 4096}, ""),
    ],
)
def test_what_a_sequence_does_not_have(change: dict[str, Any], message: str) -> None:
    def build_it() -> Classifier:
        return build_variant(a_plan(variants={**VARIANTS, "zoom": {**CROP, **change}}), "zoom", a_task(), 0)

    if not message:
        assert build_it().crop is not None
        return
    with pytest.raises((CropworthError, ValueError), match=message):
        build_it()


def test_a_backbone_of_images_is_refused_for_sequences() -> None:
    plan = a_plan(backbone={"name": "small"})
    with pytest.raises(CropworthError, match=r"takes \(series, lengths\), such as 'recurrent'"):
        item_flops(build_variant(plan, "baseline", a_task(), 0), a_task())


def test_a_backbone_without_states() -> None:
    with pytest.raises(CropworthError, match="the modules encoder and read_out"):
        build_variant(a_plan(backbone={"name": "small"}), "states", a_task(), 0)


def test_a_constant_answer_learns_nothing_and_can_be_the_baseline() -> None:
    task = a_task()
    variants = {"never": VARIANTS["constant"], "zoom": VARIANTS["zoom"]}
    record, model = run_trial(a_plan(variants=variants, baseline="never"), "never", 32, 0, task, threads=1)
    assert record.predictions is not None
    assert set(record.predictions.tolist()) == {1}
    assert (record.flops_per_item, record.parameters, record.best_epoch) == (0, 0, 0)
    assert np.isfinite(record.curve[0].validation_loss)
    training_step(model, task.validation)()
    for answer, said in (("sideways", "a class: fall, rise"), ("rise", "there are none")):
        with pytest.raises(CropworthError, match=said):
            build_variant(
                a_plan(variants={"baseline": VARIANTS["baseline"], "c": {"control": "constant", "answer": answer}}),
                "c",
                task if said.startswith("a class") else a_task("numbers"),
                0,
            )
