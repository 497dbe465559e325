import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from counters import FakeCounters
from cropworth.config import parse
from cropworth.crops.geometry import theta_to_boxes
from cropworth.crops.penalties import scale_prior
from cropworth.crops.sampling import sample
from cropworth.data.build import build_task
from cropworth.data.config import DigitsCluttered
from cropworth.data.task import Split, Task
from cropworth.errors import CropworthError
from cropworth.study.located import LearnedCrop
from cropworth.study.plan import Plan, load_plan
from cropworth.study.record import Record
from cropworth.study.train import batches, evaluate, run_trial
from cropworth.study.variants import build_variant, item_flops
from tiny import plan_with, tiny_values


@pytest.fixture
def plan(tiny: Path) -> Plan:
    return load_plan(tiny / "plan.yaml")


@pytest.fixture
def task(plan: Plan) -> Task:
    return build_task(plan.data)


def run(plan: Plan, task: Task, variant: str = "crop", seed: int = 0) -> Record:
    return run_trial(plan, variant, 16, seed, task, threads=1)[0]


def without_timings(record: Record) -> dict[str, object]:
    timings = {"training_wall_s", "training_cpu_s", "started_at", "peak_memory_bytes", "curve", "environment"}
    timings |= {"waiting_s"}
    plain = {k: v for k, v in vars(record).items() if k not in {*timings, "examples"}}
    plain["losses"] = [(e.train_loss, e.validation_loss, e.validation_accuracy) for e in record.curve]
    assert record.examples is not None
    plain |= {"images": record.examples.images, "crops": record.examples.crops}
    return {k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in plain.items()}


@pytest.mark.parametrize("variant", ["baseline", "crop"])
def test_the_same_plan_and_seed_give_the_same_record_to_the_bit(plan: Plan, task: Task, variant: str) -> None:
    torch.manual_seed(1)
    first = run(plan, task, variant)
    torch.manual_seed(2)  # the global state must not matter
    second = run(plan, task, variant)
    assert without_timings(first) == without_timings(second)
    assert without_timings(first) != without_timings(run(plan, task, variant, seed=1))


def test_the_poses_of_each_epoch_change_nothing_else(plan: Plan, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where a localizer draws when it is only asked where it crops."""
    with_poses = without_timings(run(plan, task))
    locate = LearnedCrop.locate

    def drawing(self: LearnedCrop, values: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        torch.rand(1)
        return locate(self, values, lengths)

    monkeypatch.setattr(LearnedCrop, "locate", drawing)
    assert without_timings(run(plan, task)) == with_poses
    monkeypatch.setattr("cropworth.study.train.where", lambda *_: torch.zeros(4, 2, 3))
    unasked = without_timings(run(plan, task))
    assert unasked.pop("poses_by_epoch") != with_poses.pop("poses_by_epoch")
    assert unasked == with_poses


def test_the_poses_of_the_kept_epoch_are_those_of_the_test(plan: Plan, task: Task) -> None:
    record = run(plan_with(plan, training={"epochs": 5, "batch_size": 8, "lr": 0.02}), task)
    assert record.poses_by_epoch is not None
    assert record.theta is not None
    assert record.poses_by_epoch.shape == (5, 4, 2, 3)
    assert record.poses_by_epoch.dtype == np.float32
    np.testing.assert_allclose(record.poses_by_epoch[record.best_epoch], record.theta[:4], atol=1e-5)
    assert not np.allclose(record.poses_by_epoch[0], record.poses_by_epoch[-1])
    assert run(plan, task, "baseline").poses_by_epoch is None


def test_the_advice_of_a_crop_is_kept_in_words(plan: Plan, task: Task) -> None:
    record = run(plan, task)
    assert record.crop_advice is not None
    assert ("a bound of the transform" in record.crop_advice) == (record.crop_health["saturated"] > 0.5)
    assert run(plan, task, "baseline").crop_advice is None


def test_a_plan_of_an_older_version_gives_what_it_gave() -> None:
    """Losses of both epochs, and the hash of the whole configuration, before plans knew weights or augmentation."""
    plan = Plan.model_validate(tiny_values() | {"data": {"task": "digits-cluttered", "canvas": 32, "clutter": 2}})
    task = build_task(plan.data)
    task.validation, task.test = task.validation.take(slice(64)), task.test.take(slice(64))
    before = {
        "baseline": ("01974cc70b784ca9", [(2.2905071, 2.2996187), (2.2634070, 2.3004794)]),
        "crop": ("ea388a30d576c8b7", [(2.3871899, 2.2994585), (2.1483320, 2.2999597)]),
    }
    for variant, (trial, losses) in before.items():
        record = run(plan, task, variant)
        assert record.trial == trial
        found = [(epoch.train_loss, epoch.validation_loss) for epoch in record.curve]
        assert found == [pytest.approx(of_epoch, rel=1e-4) for of_epoch in losses]


def test_a_backbone_with_dropout_repeats_too(plan: Plan, task: Task, tiny: Path) -> None:
    (tiny / "with_dropout.py").write_text(
        "from torch import nn\n"
        "def make(channels, classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.LazyLinear(classes))\n"
    )
    dropping = plan_with(plan, backbone={"name": "with_dropout:make"})
    losses = []
    for state in (1, 2):
        torch.manual_seed(state)
        record, _ = run_trial(dropping, "baseline", 16, 0, task, threads=1, folder=tiny)
        losses.append([epoch.train_loss for epoch in record.curve])
    assert losses[0] == losses[1]


def test_a_trial_leaves_the_global_generator_alone(plan: Plan, task: Task) -> None:
    before = torch.get_rng_state()
    run(plan, task)
    assert torch.equal(before, torch.get_rng_state())


def test_what_a_record_holds(plan: Plan, task: Task) -> None:
    record = run(plan, task)
    assert (record.status, record.variant, record.train_size, record.seed) == ("ok", "crop", 16, 0)
    assert record.probabilities is not None
    assert record.probabilities.sum(1) == pytest.approx(np.ones(len(task.test)), abs=1e-5)
    assert record.theta is not None
    assert record.theta.shape == (len(task.test), 2, 3)
    assert record.median_iou is None  # a folder knows no boxes
    assert record.examples is not None
    assert record.examples.crops is not None
    assert record.examples.crops.shape[2:] == (12, 12)
    assert len(record.curve) == 2
    assert record.training_wall_s >= sum(e.wall_s for e in record.curve) * 0.99 > 0
    assert record.flops_per_item == item_flops(build_variant(plan, "crop", task, 0), task)


def test_a_record_keeps_what_thresholds_are_chosen_by(plan: Plan, task: Task) -> None:
    """The kept weights' probabilities give the accuracy that the best epoch had."""
    record = run(plan_with(plan, training={"epochs": 6, "batch_size": 8, "lr": 0.05}), task)
    known, probabilities = record.validation_labels, record.validation_probabilities
    assert known is not None
    assert probabilities is not None
    assert known.tolist() == task.validation.labels.tolist()
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (len(task.validation), 2))
    assert probabilities.sum(1) == pytest.approx(np.ones(len(known)), abs=1e-5)
    best = record.curve[record.best_epoch]
    assert (probabilities.argmax(1) == known).mean() == pytest.approx(best.validation_accuracy)
    assert -np.log(probabilities[np.arange(len(known)), known]).mean() == pytest.approx(best.validation_loss, rel=1e-4)


def test_a_model_that_draws_when_it_predicts_draws_for_the_test_first(plan: Plan, task: Task, tiny: Path) -> None:
    (tiny / "always_drawing.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Drawing(nn.Linear):\n"
        "    def forward(self, images):\n"
        "        return super().forward(images.flatten(1)) + torch.rand(len(images), 1) * torch.tensor([0.0, 9.0])\n"
        "def make(channels, classes):\n"
        "    return Drawing(channels * 24 * 24, classes)\n"
    )
    drawing = plan_with(plan, backbone={"name": "always_drawing:make"})
    torch.manual_seed(3)
    record, model = run_trial(drawing, "baseline", 16, 0, task, threads=1, folder=tiny)
    torch.manual_seed(3)
    assert np.array_equal(evaluate(model, task.test)[0].numpy(), record.probabilities)  # type: ignore[arg-type]


def test_what_depends_on_the_test_items_is_kept(plan: Plan, task: Task) -> None:
    plain = run(plan, task, "baseline")
    assert plain.values is None
    task.test = replace(task.test, values=torch.arange(len(task.test)) / 4)
    record = run(plan, task, "baseline")
    assert record.values is not None
    assert (record.values.dtype, record.values.tolist()) == (np.float32, [n / 4 for n in range(len(task.test))])
    np.testing.assert_array_equal(record.probabilities, plain.probabilities)


def test_joules_are_of_training_alone(plan: Plan, task: Task) -> None:
    counters = FakeCounters()

    class Counting(type(task)):  # type: ignore[misc]
        """Each epoch's items move the counter."""

        def training_batches(self, *arguments: int) -> Iterator[Split]:
            counters.joules += 5
            return super().training_batches(*arguments)  # type: ignore[no-any-return]

    task.__class__ = Counting
    record, _ = run_trial(plan, "baseline", 16, 0, task, threads=1, counters=counters)
    assert record.training_energy_j == 5 * plan.training.epochs
    assert run(plan, task, "baseline").training_energy_j is None


def test_waiting_is_for_training_batches_alone(plan: Plan, task: Task) -> None:
    class Slow(type(task)):  # type: ignore[misc]
        """Each epoch's items take a while."""

        def training_batches(self, *arguments: int) -> Iterator[Split]:
            time.sleep(0.2)
            yield from super().training_batches(*arguments)

    quick = run(plan, task, "baseline")
    task.__class__ = Slow
    slow = run(plan, task, "baseline")
    assert quick.waiting_s is not None
    assert slow.waiting_s is not None
    assert slow.waiting_share is not None
    assert slow.waiting_s >= 0.2 * plan.training.epochs
    assert 0 < quick.waiting_s < quick.training_wall_s
    assert slow.waiting_share == slow.waiting_s / slow.training_wall_s <= 1
    nothing = plan_with(
        plan, variants={**plan.model_dump()["variants"], "dim": {"control": "constant", "answer": "dim"}}
    )
    assert run(nothing, task, "dim").waiting_s == 0  # nothing is trained


def test_candidates_are_weighed_by_the_classifier(plan: Plan, task: Task) -> None:
    several = plan.model_dump()
    several["variants"]["crop"] |= {"candidates": 2, "scale_prior": 0.5, "start_scale": 0.4}
    model = build_variant(Plan.model_validate(several), "crop", task, seed=0).eval()
    items = next(batches(task.validation, 6))
    images = items.inputs
    assert model.crop is not None
    poses, log_weights = model.crop.cropper.candidates(images, 2)
    where = model.crop.cropper.locate(images)
    each = [model.backbone(sample(images, poses[:, k], (12, 12))).softmax(-1) for k in range(2)]
    mixed = sum(w.unsqueeze(-1) * p for w, p in zip(log_weights.exp().unbind(1), each, strict=True))
    expected = torch.nn.functional.nll_loss(mixed.log(), items.labels) + 0.5 * scale_prior(where, 0.4)
    torch.testing.assert_close(model.loss(replace(items, boxes=None)), expected)
    record, _ = run_trial(Plan.model_validate(several), "crop", 16, 0, task, threads=1)
    assert record.status == "ok"


@pytest.mark.parametrize("variant", ["crop", "oracle"])
def test_jitter_is_for_training(variant: str) -> None:
    task = build_task(DigitsCluttered(task="digits-cluttered", canvas=32, clutter=0))
    crop = {"localizer": "heatmap", "transform": "zoom", "size": 12, "look_size": 16, "jitter": 0.2}
    plan = Plan.model_validate(
        {
            "name": "jitter",
            "data": {"task": "digits-cluttered", "canvas": 32, "clutter": 0},
            "variants": {
                "baseline": {"control": "whole"},
                "crop": crop,
                "oracle": {"control": "oracle", "size": 12, "jitter": 0.2},
            },
            "study": {"train_sizes": [8], "seeds": 2},
        }
    )
    model = build_variant(plan, variant, task, seed=0)
    items = next(batches(task.validation, 4))
    view = model.train().view(items)
    assert view.theta is not None
    assert not torch.allclose(view.seen, sample(items.inputs, view.theta, (12, 12)), atol=0.05)
    view = model.eval().view(items)
    assert view.theta is not None
    torch.testing.assert_close(view.seen, sample(items.inputs, view.theta, (12, 12)))


def test_it_learns(plan: Plan, task: Task) -> None:
    training = {"epochs": 40, "batch_size": 8, "lr": 0.02, "patience": 40}
    wider = plan_with(plan, training=training, backbone={"name": "small", "arguments": {"width": 4}})
    record, _ = run_trial(wider, "baseline", task.train_limit, 0, task, threads=1)
    assert (record.accuracy or 0) > 0.9


def test_the_kept_weights_are_the_best_epochs(plan: Plan, task: Task) -> None:
    record = run(plan_with(plan, training={"epochs": 6, "batch_size": 8, "lr": 0.05}), task, "baseline")
    assert record.best_epoch == int(np.argmin([e.validation_loss for e in record.curve]))


def test_training_stops_early(plan: Plan, task: Task) -> None:
    # At a vanishing learning rate batch normalisation alone moves the validation loss, and soon no more.
    stopped = run(
        plan_with(plan, training={"epochs": 60, "batch_size": 8, "lr": 1e-12, "patience": 2}), task, "baseline"
    )
    assert len(stopped.curve) < 60
    assert len(stopped.curve) == stopped.best_epoch + 3


def test_divergence_is_recorded_not_raised(plan: Plan, task: Task) -> None:
    record = run(plan_with(plan, training={"epochs": 3, "batch_size": 8, "lr": 1e30}), task, "baseline")
    assert record.status == "diverged"
    assert "not finite, in epoch" in record.reason
    assert record.probabilities is record.theta is record.accuracy is record.examples is None
    assert record.validation_probabilities is None
    assert record.validation_labels is not None


def test_a_collapsed_crop_is_recorded(plan: Plan, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def far_away(self: object, raw: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[0.2, 0.0, 5.0], [0.0, 0.2, 5.0]]) + 0 * raw.sum(1)[:, None, None]

    monkeypatch.setattr("cropworth.crops.transforms.Zoom.pose", far_away)
    record = run(plan, task)
    assert record.status == "collapsed"
    assert "100% of the crops" in record.reason
    assert "Use a bounded transform" in record.reason
    assert record.accuracy is not None


def test_the_localizer_has_its_own_learning_rate(plan: Plan, task: Task) -> None:
    still = plan.model_dump()
    still["variants"]["crop"]["localizer_lr"] = 1e-20
    _, model = run_trial(Plan.model_validate(still), "crop", 16, 0, task, threads=1)
    fresh = build_variant(plan, "crop", task, seed=0)
    assert model.crop is not None
    assert fresh.crop is not None
    moved = [
        not torch.equal(a, b) for a, b in zip(model.backbone.parameters(), fresh.backbone.parameters(), strict=True)
    ]
    assert all(moved)
    for trained, started in zip(model.crop.parameters(), fresh.crop.parameters(), strict=True):
        torch.testing.assert_close(trained, started, atol=1e-4, rtol=1e-3)


class TestControls:
    """What each control shows the backbone."""

    @pytest.fixture
    def digits(self) -> Task:
        return build_task(parse(DigitsCluttered, {"task": "digits-cluttered", "canvas": 40, "clutter": 2}))

    @pytest.fixture
    def full(self, plan: Plan) -> Plan:
        controls = {
            "small": {"control": "small", "size": 20},
            "centre": {"control": "centre", "size": 20},
            "oracle": {"control": "oracle", "size": 28},
            "matched": {"control": "matched", "to": "crop"},
            "max": {"control": "whole", "backbone": {"name": "small", "arguments": {"pool": "max"}}},
        }
        wide = {"name": "small", "arguments": {"width": 12}}
        data = {"task": "digits-cluttered", "canvas": 40, "clutter": 2}
        variants = plan.model_dump()["variants"] | controls
        return plan_with(plan, variants=variants, data=data, backbone=wide)

    def view(self, plan: Plan, name: str, task: Task) -> tuple[torch.Tensor, torch.Tensor | None, Split]:
        items = next(batches(task.test, 8))
        view = build_variant(plan, name, task, 0).view(items)
        return view.seen, view.theta, items

    def test_centre_is_the_middle(self, full: Plan, digits: Task) -> None:
        crops, theta, items = self.view(full, "centre", digits)
        assert torch.equal(crops, items.inputs[:, :, 10:30, 10:30])
        assert theta is not None
        torch.testing.assert_close(theta_to_boxes(theta)[0], torch.tensor([0.5, 0.5, 0.5, 0.5]))

    def test_small_is_everything_smaller(self, full: Plan, digits: Task) -> None:
        crops, theta, items = self.view(full, "small", digits)
        torch.testing.assert_close(crops, torch.nn.functional.avg_pool2d(items.inputs, 2))
        assert theta is None

    def test_oracle_is_the_true_box(self, full: Plan, digits: Task) -> None:
        _, theta, items = self.view(full, "oracle", digits)
        assert theta is not None
        torch.testing.assert_close(theta_to_boxes(theta), items.boxes)
        with pytest.raises(CropworthError, match="items without a true box"):
            build_variant(full, "oracle", digits, 0).view(replace(items, boxes=None))

    def test_matched_costs_what_the_crop_costs(self, full: Plan, digits: Task) -> None:
        flops = {n: item_flops(build_variant(full, n, digits, 0), digits) for n in ("baseline", "crop", "matched")}
        assert flops["matched"] == pytest.approx(flops["crop"], rel=0.2)
        assert flops["matched"] < flops["baseline"]

    def test_another_backbone_without_a_crop(self, full: Plan, digits: Task) -> None:
        model = build_variant(full, "max", digits, 0)
        assert model.crop is None
        assert isinstance(model.backbone.pool, torch.nn.AdaptiveMaxPool2d)

    def test_matched_needs_a_width(self, full: Plan, digits: Task) -> None:
        with pytest.raises(CropworthError, match="a backbone with a width"):
            build_variant(plan_with(full, backbone={"name": "torchvision:resnet18"}), "matched", digits, 0)

    def test_a_centre_larger_than_the_image(self, full: Plan, digits: Task) -> None:
        larger = plan_with(
            full, variants={**full.model_dump()["variants"], "centre": {"control": "centre", "size": 50}}
        )
        with pytest.raises(CropworthError, match="centre crop of 50 pixels"):
            build_variant(larger, "centre", digits, 0)


def test_proposals_learn_from_true_boxes_where_there_are_any(plan: Plan, task: Task) -> None:
    guided = {"localizer": "proposals", "transform": "zoom", "size": 12, "look_size": 16, "start_scale": 0.5}
    scene = {"task": "digits-scene", "canvas": 64, "clutter": 2, "others": 1, "digit_scale": [0.5, 1.0]}
    values = plan_with(plan, data=scene, variants={"baseline": {"control": "whole"}, "crop": guided}).model_dump()
    scenes = build_task(Plan.model_validate(values).data)
    items, losses = next(batches(scenes.validation, 8)), {}
    for weight in (0.0, 2.0):
        values["variants"]["crop"]["box_losses"] = weight
        model = build_variant(Plan.model_validate(values), "crop", scenes, seed=0)
        torch.manual_seed(0)  # which anchors are sampled
        losses[weight] = model.loss(items)
    assert model.crop is not None
    torch.manual_seed(0)
    expected = sum(model.crop.cropper.proposal_losses(items.inputs, list(items.boxes.unsqueeze(1))))
    torch.testing.assert_close(losses[2.0] - losses[0.0], 2 * expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(CropworthError, match="no true boxes"):
        model.loss(replace(items, boxes=None))
    record, _ = run_trial(Plan.model_validate(values), "crop", 16, 0, scenes, threads=1)
    assert record.median_iou is not None
