"""Training curves as points of SVG lines."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cropworth.serve.curves import HEIGHT, SEEDS, WIDTH, charts
from cropworth.serve.studies import Shelf, Standing
from cropworth.serve.trials import Trial
from cropworth.study.live import Live
from cropworth.study.record import Epoch

TRIAL = Trial("t", "crop", 100, 0, "ok", "", 0.5, None, (), 0.0, (1, 1), ())
STUDY = Standing("k", Path(), "p", "running", 0.0, "s", {"baseline": "baseline", "crop": "crop"})


def curve(*accuracies: float) -> tuple[Epoch, ...]:
    return tuple(Epoch(1.0, 1.0, accuracy, 1.0) for accuracy in accuracies)


def live(*accuracies: float, size: int = 100, epochs: int = 5) -> Live:
    return Live("l", {"name": "crop", "train_size": size, "seed": 1, "epochs": epochs}, curve(*accuracies))


def places(points: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in points.split())]


def test_a_curve_by_hand() -> None:
    (chart,) = charts(replace(STUDY, trials=(replace(TRIAL, curve=curve(0.5, 0.7, 0.9)),)))
    assert chart.ticks == ((260.0, "50 %"), (195.0, "60 %"), (130.0, "70 %"), (65.0, "80 %"), (0.0, "90 %"))
    (line,) = chart.lines
    assert (line.variant, line.live) == (1, False)
    assert places(line.points) == [(0, 260), (500, 130), (1000, 0)]


def test_a_trial_that_runs_leaves_room_for_its_epochs() -> None:
    (chart,) = charts(replace(STUDY, live=(live(0.5, 0.7),)))
    assert chart.epochs == 5
    assert [x for x, _ in places(chart.lines[0].points)] == [0, 250]
    assert chart.lines[0].end[0] == 250
    assert chart.lines[0].live


def test_a_chart_a_size_and_the_largest_first() -> None:
    done = tuple(replace(TRIAL, train_size=size, curve=curve(0.1, 0.2)) for size in (10, 1000))
    found = charts(replace(STUDY, trials=done, live=(live(0.3, size=100), live(size=5))))
    assert [chart.train_size for chart in found] == [1000, 100, 10]


def test_of_many_seeds_the_first_are_drawn_and_those_that_run() -> None:
    done = tuple(replace(TRIAL, seed=seed, curve=curve(0.1, 0.2)) for seed in range(SEEDS + 3))
    (chart,) = charts(replace(STUDY, trials=done, live=(live(0.5),)))
    assert (len(chart.lines), chart.left_out) == (SEEDS + 1, 3)


def test_what_is_not_finite_is_not_drawn() -> None:
    (chart,) = charts(replace(STUDY, trials=(replace(TRIAL, curve=curve(math.nan, 0.7, 0.9)),)))
    assert len(places(chart.lines[0].points)) == 2
    assert charts(replace(STUDY, trials=(replace(TRIAL, curve=curve(math.nan)),))) == ()
    assert charts(STUDY) == ()


@given(st.lists(st.floats(-50, 1), min_size=1, max_size=20))
def test_every_point_lies_on_the_chart(accuracies: list[float]) -> None:
    (chart,) = charts(replace(STUDY, trials=(replace(TRIAL, curve=curve(*accuracies)),)))
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places(chart.lines[0].points))
    heights = [y for y, _ in chart.ticks]
    assert heights == sorted(heights, reverse=True)
    assert (max(heights), min(heights)) == (HEIGHT, 0)
    assert 2 <= len(heights) <= 12
    assert len({words for _, words in chart.ticks}) == len(heights)
    assert all(above > below for above, below in pairwise(heights))


def test_the_curves_of_a_real_study(studies: Path) -> None:
    (study,) = Shelf(studies).all()
    (chart,) = charts(study)
    assert sorted(line.variant for line in chart.lines) == [0, 0, 1, 1]
