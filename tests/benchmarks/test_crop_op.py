"""benchmarks/crop_op.py: its cases and contestants are what they say, a small run goes through, its page is right."""

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import crop_op
import crop_summary
import kernels_page
from crop_cases import BOTH, FORWARD, THETA, Case, edges, flat, pixel_matrices
from crop_contestants import contestants
from crop_summary import BASELINE, COMPILED, COPY, OURS, OURS_SMOOTH

from cropworth.crops.geometry import map_points, pixel_centres, theta_to_boxes

SMALL = (
    Case((2, 3, 40, 40), (16, 16), "zoom"),
    Case((2, 3, 40, 40), (16, 16), "turned", crops=2),
    Case((2, 4, 40), (16,), "zoom"),
    Case((2, 3, 40, 40), (10, 10), "whole"),
)
NAMES = [contestant.name for contestant in contestants() if contestant.name != COMPILED]


# Cases


@pytest.mark.parametrize("case", crop_op.CASES, ids=str)
def test_crops_lie_inside_the_input(case: Case) -> None:
    theta = flat(case.theta())
    assert len(theta) == case.shape[0] * case.crops
    assert torch.equal(case.theta(), case.theta())
    if case.pose == "zoom":
        centre, size = theta_to_boxes(theta).chunk(2, dim=-1)
        assert ((centre - size / 2 >= 0) & (centre + size / 2 <= 1)).all()
        assert ((size >= 0.3) & (size <= 0.8)).all()


@pytest.mark.parametrize("case", [SMALL[0], SMALL[1], SMALL[3]], ids=str)
def test_pixels_are_those_of_the_convention(case: Case) -> None:
    theta = flat(case.theta()).double()
    columns, rows = torch.meshgrid(torch.arange(case.size[1]), torch.arange(case.size[0]), indexing="xy")
    pixels = torch.stack([columns, rows], dim=-1).flatten(0, 1).double()
    grid = torch.stack([pixel_centres(n, theta)[pixels[:, i].long()] for i, n in enumerate(case.size[::-1])], dim=-1)
    expected = (map_points(theta, grid) + 1) * 40 / 2 - 0.5
    torch.testing.assert_close(map_points(pixel_matrices(case, theta), pixels), expected)


def test_edges_in_pixels() -> None:
    theta = torch.tensor([[[0.5, 0.0, 0.5], [0.0, 0.25, 0.0]]])  # the right half, and a quarter around the middle
    assert edges(SMALL[0], theta).tolist() == [[20.0, 15.0, 40.0, 25.0]]


def test_bytes_that_must_move() -> None:
    whole = Case((2, 3, 40, 40), (10, 10), "whole")
    crop, half, everything = 2 * 3 * 10 * 10, 2 * 3 * 20 * 40, 2 * 3 * 40 * 40  # numbers; half: 2 rows for each of 10
    assert whole.moved(FORWARD) == 4 * (half + crop)
    assert whole.moved(FORWARD, antialiased=True) == 4 * (everything + crop)
    assert whole.moved(THETA) == 2 * whole.moved(FORWARD)
    assert whole.moved(BOTH) == whole.moved(THETA) + 4 * everything
    assert Case((2, 4, 40), (10,), "whole").moved(FORWARD) == 4 * 2 * 4 * (40 + 10)


# Contestants


@pytest.mark.parametrize("case", SMALL, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_all_take_the_same_crop(name: str, case: Case) -> None:
    contestant = next(one for one in contestants() if one.name == name)
    ready, check = crop_op.prepared(case, contestant, "cpu")
    if ready is None:
        assert not check  # it is not for such a case
    else:
        assert check["mean"] <= contestant.tolerance


def test_another_crop_is_not_timed() -> None:
    contestant = contestants()[0]

    def shifted(case: Case, images: torch.Tensor, theta: torch.Tensor) -> Any:
        return contestant.ready(case, images, theta + 0.01)

    def off(case: Case, images: torch.Tensor, theta: torch.Tensor) -> Any:
        return replace(shifted(case, images, theta), theta=flat(theta))

    ready, check = crop_op.prepared(SMALL[0], replace(contestant, ready=off), "cpu")
    assert ready is None
    assert check["failed"] == "it is another crop"


def test_what_raises_is_told() -> None:
    def broken(*_: object) -> Any:
        raise RuntimeError("no compiler\nat all")

    ready, check = crop_op.prepared(SMALL[0], replace(contestants()[0], ready=broken), "cpu")
    assert ready is None
    assert check == {"failed": "RuntimeError: no compiler at all"}


def test_gradients_are_those_asked_for() -> None:
    case = SMALL[0]
    ready, _ = crop_op.prepared(case, contestants()[0], "cpu")
    assert ready is not None
    shapes = {passed: [tuple(one.shape) for one in crop_op.call_of(ready, passed)()] for passed in crop_op.PASSES}
    crop, theta = (2, 3, 16, 16), (2, 2, 3)
    assert shapes == {FORWARD: [crop], THETA: [crop, theta], BOTH: [crop, theta, case.shape]}


@pytest.mark.skipif(find_spec("memray") is None, reason="memray is not installed")
def test_extra_memory_is_what_is_let_go() -> None:
    def call() -> tuple[torch.Tensor, ...]:
        wide = torch.ones(1_000_000)
        return (wide[:1000] + 1,)

    extra = crop_op.extra_bytes(call, "cpu")
    assert extra is not None
    assert 4_000_000 <= extra < 4_050_000


# Numbers


def test_comparisons_are_made_within_rounds() -> None:
    """The machine is ten times as slow in the last round, which changes no ratio."""
    times = {"a": [1.0, 2.0, 30.0], "b": [2.0, 4.0, 60.0], "c": [1.0, 1.0, 1.0]}
    rows = crop_summary.compared(times, {"first": "a", "missing": "z"})
    assert rows["b"]["over"] == {"first": 2.0}
    assert (rows["b"]["q1_s"], rows["b"]["median_s"], rows["b"]["q3_s"]) == (3.0, 4.0, 32.0)
    assert crop_summary.fastest_of(("b", "a", "z"), times) == "a"


def test_geometric_mean() -> None:
    assert crop_summary.geometric_mean([2, 8]) == pytest.approx(4)
    assert crop_summary.geometric_mean([0.5, 2]) == pytest.approx(1)


def test_numbers_are_written_with_the_digits_of_a_measurement() -> None:
    found = {"a": [0.123456789, 3], "b": ("text", None, 1234567.8)}
    assert crop_summary.rounded(found) == {"a": [0.12346, 3], "b": ["text", None, 1234600.0]}


def cell(case: str, ours: float, smooth: float, torch_bytes: int, opencv: float | None = None) -> dict[str, Any]:
    """Of a crop that takes `ours` seconds where torch takes 1 and a copy 0.1."""
    times = {OURS: [ours] * 3, OURS_SMOOTH: [smooth] * 3, "torch": [1.0] * 3, COPY: [0.1] * 3}
    if opencv is not None:
        times |= {"OpenCV warpAffine": [opencv] * 3, "OpenCV resize": [opencv / 2] * 3}
    rows = crop_summary.compared(times, {OURS: OURS, OURS_SMOOTH: OURS_SMOOTH, COPY: COPY, BASELINE: "torch"})
    for name, row in rows.items():
        row |= {"moved_bytes": 100, "extra_bytes": {OURS: 5, "torch": torch_bytes}.get(name)}
    return {"case": case, "pass": FORWARD, BASELINE: "torch", "rows": rows, "failed": {}}


def test_summary() -> None:
    cells = [cell("small", 0.5, 0.5, 100, opencv=1.0), cell("large", 0.125, 2.0, 20)]
    found = crop_summary.summary(cells)[FORWARD]
    gain = found["torch over cropworth"]
    assert gain["geometric_mean"] == pytest.approx(4)
    assert (gain["least"], gain["least_case"], gain["most"], gain["most_case"]) == (2, "small", 8, "large")
    assert found["antialiased over torch"]["most_case"] == "large"
    assert found["antialiased over torch"]["most"] == 2
    assert found["OpenCV over cropworth"]["least"] == 1  # of the faster of its two, where it was measured
    assert found["share of copy"]["most"] == pytest.approx(0.8)
    assert (found["memory"]["most"], found["memory"]["most_case"]) == (0.25, "large")
    assert found["memory"]["median"] == pytest.approx(0.15)


def test_a_target_is_reached_or_not_or_unknown() -> None:
    least, most = kernels_page.Target("a", 3, True, 3.0), kernels_page.Target("b", 0.1, False, 0.2)
    unknown = kernels_page.Target("c", 1, True, None)
    assert [one.met for one in (least, most, unknown)] == [True, False, None]
    words = kernels_page.in_words([least, most, unknown])
    assert words == "**1 of 3 targets are reached.** Missed: b. Not measured: c."
    assert kernels_page.targets_table([least, most]).splitlines()[2].startswith("| b |")


def test_others_that_are_faster_are_bold() -> None:
    assert kernels_page.times_as_long(0.99) == "**0.99**"
    assert kernels_page.times_as_long(1.5) == "1.50"
    assert kernels_page.times_as_long(None) == ""


# All of it


def test_a_small_run_and_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crop_op, "QUICK", SMALL[:3])
    out = tmp_path / "crop_op.json"
    monkeypatch.setattr(sys, "argv", ["crop_op.py", "--quick", "--threads", "1", "--out", str(out)])
    crop_op.main()
    found = json.loads(out.read_text())
    assert [(one["case"], one["pass"]) for one in found["cells"]] == [
        (str(case), passed) for case in SMALL[:3] for passed in crop_op.PASSES
    ]
    for one in found["cells"]:
        assert one["rounds"] >= 3
        assert one["rows"][OURS]["q1_s"] <= one["rows"][OURS]["median_s"] <= one["rows"][OURS]["q3_s"]
        assert not one["failed"]
    assert found["provenance"]["threads"] == 1
    assert set(found["first_calls"]) == {"nothing compiled yet", "compiled before"}
    monkeypatch.setattr(
        sys, "argv", ["kernels_page.py", "--results", str(tmp_path), "--out", str(tmp_path / "kernels.md")]
    )
    kernels_page.main()
    page = (tmp_path / "kernels.md").read_text()
    for case in SMALL[:3]:
        assert f"| {case} |" in page
    assert "share of a training step, crop" in page  # not measured here
    assert "nan" not in page
