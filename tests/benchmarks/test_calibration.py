"""The made studies of benchmarks/calibration.py are what they say, and a run with few repeats goes through."""

import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import integrate, special, stats

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import calibration
import calibration_page
from differences import (
    DEAR,
    Amounts,
    Classifiers,
    Gains,
    Gaussian,
    HeavyTails,
    Kind,
    RareAndDear,
    skill_of,
)

from cropworth.worth.interval import simultaneous, two_way
from cropworth.worth.sequential import Standing, Terms, decide, error_rates

MUCH = Classifiers("much", 0.7, 0.1, difficulty=1.5, alike=0.5, shared_luck=0.4, own_luck=0.3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("accuracy", "spread"), [(0.7, 0.5), (0.9, 3.0), (0.99, 3.1), (0.5, 3.0)])
def test_a_skill_gives_its_accuracy(accuracy: float, spread: float) -> None:
    skill = skill_of(accuracy, spread)
    mean, _ = integrate.quad(lambda z: stats.norm.pdf(z) * special.expit(skill + spread * z), -12, 12, epsabs=1e-12)
    assert mean == pytest.approx(accuracy, abs=2e-6)


def test_each_seed_and_item_is_right_as_often_as_it_should_be() -> None:
    right = np.stack([MUCH.right(rng(i), 3, 4, 50).mean(axis=(1, 2)) for i in range(800)])  # (800, 3)
    error = right.std(axis=0) / np.sqrt(800)
    assert (np.abs(right.mean(axis=0) - [0.7, 0.8, 0.8]) < 4 * error).all()
    assert error.max() < 0.006


@pytest.mark.parametrize(
    "kind",
    [
        MUCH,
        Amounts("amounts", MUCH, 1.0),
        RareAndDear("rare", 0.05, 0.3),
        RareAndDear("rare, as they come", 0.05, None),
        HeavyTails("t", 0.2, truth=0.4),
        Gaussian("normal", 0.2, 0.3, 0.5, truth=0.7),
    ],
    ids=lambda kind: kind.name,
)
def test_the_mean_gain_is_the_truth(kind: Kind) -> None:
    found = [float(kind.draw(rng(i), 3, 100).summary(3).estimate(kind.coefficients)) for i in range(600)]
    assert abs(np.mean(found) - kind.truth) < 4 * np.std(found) / np.sqrt(len(found))
    assert np.std(found) > 0


def test_a_rare_class_pays_its_price() -> None:
    # 0.02 * 100 * 0.05 + 0.98 * 1 * 0 = 0.1
    assert DEAR == 100
    assert RareAndDear("rare", 0.02, 0.5).truth == pytest.approx(0.1)
    assert RareAndDear("trade", 0.01, 0.5, *calibration.TRADE).truth == pytest.approx(0)


def test_seeds_are_as_alike_as_asked() -> None:
    """Of logits with shared and own effects a and b, two models' seeds correlate by a^2 / (a^2 + b^2)."""
    kind = replace(MUCH, difficulty=0.0, accuracy=0.5, truth=0.0, shared_luck=0.2, own_luck=0.1)
    first, second = kind.right(rng(), 2, 1500, 1500).mean(axis=2)  # (1500,): chance leaves 0.25 / 1500 in each
    slope = 0.25  # of the logistic function at 0
    assert np.cov(first, second)[0, 1] == pytest.approx(slope**2 * 0.04, rel=0.15)
    assert first.var() == pytest.approx(slope**2 * 0.05 + 0.25 / 1500, rel=0.15)


def test_the_baseline_again_differs_by_luck_alone() -> None:
    again = replace(MUCH, own_luck=0.0).again()
    gains = again.draw(rng(), 400, 500).gains[0]
    found = two_way(gains[..., None])
    assert again.truth == 0
    assert gains.any()
    assert found.by_item[0, 0, 0] / found.residual[0, 0, 0] == pytest.approx(1, abs=0.25)  # no item favours one
    assert found.by_seed[0, 0] / found.residual[0, 0, 0] == pytest.approx(1, abs=0.25)  # nor does a seed


def test_mean_squares_are_those_of_the_layout() -> None:
    """`MeanSquares` and normal effects drawn one by one give components of the same mean and spread."""
    shares, seeds, items = (0.3, 0.2, 0.5), 4, 30
    kind = Gaussian("normal", *shares)

    def drawn(i: int) -> Gains:
        draw = rng(i).standard_normal
        scale = np.sqrt([shares[0] * seeds, shares[1] * items, shares[2] * seeds * items])
        return Gains(
            (scale[0] * draw((seeds, 1)) + scale[1] * draw((1, items)) + scale[2] * draw((seeds, items)))[None]
        )

    def parts(study: Gains) -> list[float]:
        found = study.summary(seeds)
        return [found.mean[0, 0] ** 2, found.by_seed[0, 0], found.by_item[0, 0, 0], found.residual[0, 0, 0]]

    one_by_one = np.array([parts(drawn(i)) for i in range(800)])
    generator = rng(1)
    at_once = np.array([parts(kind.draw(generator, seeds, items)) for _ in range(800)])  # type: ignore[arg-type]
    for moment in (1, 2):
        a, b = one_by_one**moment, at_once**moment
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / 800)
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < 4 * error).all()


def test_every_part_runs_and_the_page_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibration, "ITEMS", (60,) * 3)
    for name in ("POWER_ITEMS", "AGAIN_ITEMS"):
        monkeypatch.setattr(calibration, name, 60)
    monkeypatch.setattr(calibration, "LOOKS", (3, 20))
    monkeypatch.setattr(sys, "argv", ["calibration.py", "--out", str(tmp_path), "--share", "0.001"])
    calibration.main()
    page = (tmp_path / "calibration.md").read_text()
    assert "nan" not in page
    for name in [kind.name for kind in (*calibration.GAUSSIAN, *calibration.ANSWERS, *calibration.TAILS)]:
        assert f"| {name} |" in page
    for name in ("coverage", "power"):
        ElementTree.fromstring((tmp_path / f"calibration-{name}.svg").read_text())
    first = capsys.readouterr().out
    calibration.main()  # everything is kept
    assert first
    assert not capsys.readouterr().out
    assert (tmp_path / "calibration.md").read_text() == page


def test_until_clear_stops_where_the_product_does(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, alpha = (3, 5, 20), simultaneous(1)
    monkeypatch.setattr(calibration, "LOOKS", looks)
    ends = set()
    for i in range(60):
        kind = Classifiers("some", 0.8, 0.03 * (i % 5), own_luck=0.2 * (i % 3))
        drawn = kind.draw(rng(i), 20, 200)
        seen = [calibration.look(kind, drawn, seeds) for seeds in looks]
        for now in seen:
            standing = now.standing(error_rates(looks, now.found.seeds, alpha), alpha)
            baseline = Standing("baseline", "baseline", standing.trials, 0.0)
            if not decide([baseline, standing], Terms(looks, 0.0, 0.0)).goes_on:
                break
        assert calibration.until_clear(seen, alpha) == (standing.verdict, standing.trials)
        ends.add((standing.verdict, standing.trials))
    assert {("adopt", 3), (calibration.OPEN, 5), ("adopt", 20)} <= ends


def test_coverage_outside_what_was_asked_is_marked_only_beyond_chance() -> None:
    def cell(missed: int, repeats: int) -> dict[str, int]:
        return {"above": missed, "below": 0, "repeats": repeats}

    # 93 % of 100 is within chance of 94 %; of 10,000 it is not (standard error 0.26 points).
    assert not calibration_page.outside(cell(7, 100))
    assert calibration_page.outside(cell(700, 10_000))
    assert calibration_page.outside(cell(200, 10_000))  # 98 %
    assert not calibration_page.outside(cell(450, 10_000))
