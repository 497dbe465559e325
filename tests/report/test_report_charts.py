"""The charts' figures: against other libraries' numbers, and what they leave out."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas import DataFrame
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from cropworth.report.charts import make_charts
from cropworth.report.charts.benefit import decision_curves
from cropworth.report.charts.confusion import MOST_PAIRS, confusion_differences, differences
from cropworth.report.charts.cost import Point, accuracy_against_cost, pareto_front
from cropworth.report.charts.curves import MOST_LINES, training_curves
from cropworth.report.charts.labels import label_places
from cropworth.report.charts.look import Chart, Spread, interval_over_seeds
from cropworth.report.charts.quality import ACCURACY, MEAN_ERROR
from cropworth.report.charts.reliability import bins_of, calibration_error, reliability, wilson
from cropworth.report.charts.sizes import accuracy_by_size, gain_by_size
from cropworth.report.charts.worth import acceptability, break_even, distribution, histogram, tornado
from cropworth.study.record import Epoch, Record, Study
from cropworth.worth.appraisal import appraise
from cropworth.worth.results import Appraisal, SizeAppraisal
from factories import make_record, make_study
from report.appraisals import KINDS, full_record, make_appraisal, make_economics, make_row


def appraisal_of(*names: str, **values: Any) -> Appraisal:
    return make_appraisal((SizeAppraisal(100, tuple(make_row(name, **values) for name in names), ()),), best=None)


def drawn(chart: Chart | None) -> Any:
    """The figure's traces by name; those without a name are bands."""
    assert chart is not None
    return {trace.name: trace for trace in chart.figure.data if trace.name}


def softened(record: Record, seed: int) -> Record:
    """With probabilities between 0 and 1."""
    rng = np.random.default_rng(seed)
    assert record.probabilities is not None
    spread = record.probabilities + rng.uniform(0.01, 0.9, record.probabilities.shape)
    return replace(record, probabilities=(spread / spread.sum(axis=1, keepdims=True)).astype(np.float32))


@pytest.fixture(scope="module")
def two_classes() -> Study:
    """Healthy and ill, baseline and crop, 4 seeds, with probabilities."""
    labels = (np.random.default_rng(0).random(300) < 0.3).astype(np.int64)
    records = []
    for name, sharp in (("baseline", 1.0), ("crop", 1.7)):
        for seed in range(4):
            rng = np.random.default_rng([seed, len(name)])
            ill = 1 / (1 + np.exp(-(2 * labels - 1) * sharp - rng.normal(0, 1.2, 300)))
            record = make_record(name, seed, items=300)
            records.append(replace(record, labels=labels, probabilities=np.stack([1 - ill, ill], 1).astype(np.float32)))
    return replace(make_study(records), classes=("healthy", "ill"))


@pytest.fixture(scope="module")
def appraised(two_classes: Study) -> Appraisal:
    return appraise(two_classes, make_economics(cost_per_error=0.5, predictions_per_year=90_000, margin=1000))


# Accuracy against cost


def test_one_point_a_variant_with_its_range_over_seeds() -> None:
    records = [make_record(seed=0, wrong=range(20)), make_record(seed=1, wrong=range(40))]
    chart = accuracy_against_cost(make_study(records), appraisal_of("baseline", latency_s=0.002))
    assert chart is not None
    (point,) = chart.figure.data
    assert (point.x, point.y) == ((2.0,), (85.0,))  # 10 % and 20 % of the items are read wrong
    assert (point.error_y.array, point.error_y.arrayminus) == ((5.0,), (5.0,))
    assert "ms per item" in chart.figure.layout.xaxis.title.text
    assert "%" in chart.figure.layout.yaxis.title.text


def test_no_latency_no_scatter() -> None:
    assert accuracy_against_cost(make_study([make_record()]), appraisal_of("baseline", latency_s=None)) is None


def test_the_front_is_named_and_leaves_the_oracle_out(full_study: Study, full_appraisal: Appraisal) -> None:
    chart = accuracy_against_cost(full_study, full_appraisal)
    assert chart is not None
    assert "dotted steps): small, matched, heatmap-zoom. An oracle cannot be deployed" in chart.caption
    steps = drawn(chart)["Pareto front"]
    assert list(steps.x) == sorted(steps.x)
    assert list(steps.y) == sorted(steps.y)


POINTS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=8)


@given(POINTS, st.booleans())
def test_who_is_on_the_front_is_beaten_by_none(found: list[tuple[int, int]], more: bool) -> None:
    points = [Point(str(i), x, Spread(y, y, y), True) for i, (x, y) in enumerate(found)]
    sign = 1 if more else -1
    front = pareto_front(points, ACCURACY if more else MEAN_ERROR)

    def beaten(point: Point) -> bool:
        return any(
            other.ms <= point.ms
            and sign * other.found.mean >= sign * point.found.mean
            and (other.ms, other.found) != (point.ms, point.found)
            for other in points
        )

    assert {(p.ms, p.found.mean) for p in front} == {(p.ms, p.found.mean) for p in points if not beaten(p)}


def test_of_a_regression_less_is_better() -> None:
    study = make_study([of_numbers("baseline", 0, 4.0), of_numbers("crop", 0, 1.0)])
    chart = accuracy_against_cost(study, appraisal_of("baseline", "crop"))
    assert chart is not None
    assert chart.title == "Mean error against inference time"
    assert chart.caption.startswith("Down is more accurate")
    assert "and more accurate): crop." in chart.caption


@pytest.mark.parametrize("count", [2, 3])
def test_labels_of_points_close_together_lie_apart(count: int) -> None:
    points = [(1.0, 90.0)] * count + [(10.0, 50.0)]
    places = label_places(points, ["a label"] * (count + 1))
    assert len(set(places[:count])) == count


def test_label_at_the_right_end_goes_left() -> None:
    assert label_places([(0.1, 50.0), (2.0, 90.0)], ["left", "a rather long label"])[1] == "middle left"


def test_a_label_keeps_off_the_line() -> None:
    points = [(1.0, 90.0), (10.0, 50.0)]
    assert label_places(points, ["a label", "b"])[0] == "middle right"
    assert label_places(points, ["a label", "b"], line=[(1.0, 90.0), (11.0, 90.0)])[0] != "middle right"


# Training


def test_few_trials_are_a_line_each_and_one_legend_entry_a_variant() -> None:
    records = [make_record(name, seed) for name in ("baseline", "crop") for seed in range(3)]
    chart = training_curves(make_study(records), appraisal_of("baseline", "crop"))
    assert chart is not None
    assert len(chart.figure.data) == 6
    assert sum(trace.showlegend for trace in chart.figure.data) == 2
    assert list(chart.figure.data[0].y) == [50.0, 80.0]


def test_many_trials_are_a_mean_and_a_range_a_variant(full_study: Study, full_appraisal: Appraisal) -> None:
    chart = training_curves(full_study, full_appraisal)
    assert len(drawn(chart)) == len(KINDS)
    curves = [[100 * e.validation_accuracy for e in r.curve] for r in full_study.of("heatmap-zoom", 4000)]
    line = drawn(chart)["heatmap-zoom"]
    assert line.y == pytest.approx(np.mean(curves, axis=0), rel=1e-4)
    assert chart is not None
    (band,) = [b for b in chart.figure.data if b.fill and b.legendgroup == "heatmap-zoom"]
    assert band.y == pytest.approx([*np.max(curves, axis=0), *np.min(curves, axis=0)[::-1]], rel=1e-4)


def test_a_thousand_long_trials_do_not_swell_the_page() -> None:
    curve = tuple(Epoch(1.0, 1.0, 0.5 + e / 10_000, 1.0) for e in range(3000))
    records = [replace(make_record(n, seed), curve=curve) for n in ("baseline", "crop") for seed in range(500)]
    chart = training_curves(make_study(records), appraisal_of("baseline", "crop"))
    assert chart is not None
    assert len(chart.figure.to_json()) < 40_000
    for line in drawn(chart).values():
        assert (line.x[0], line.x[-1], line.y[-1]) == (1, 3000, 79.99)


def test_seeds_that_stopped_early_count_as_far_as_they_came() -> None:
    long = (Epoch(1, 1, 0.5, 1), Epoch(1, 1, 0.9, 1))
    records = [replace(make_record(seed=s), curve=long if s else long[:1]) for s in range(MOST_LINES + 1)]
    assert drawn(training_curves(make_study(records), appraisal_of("baseline")))["baseline"].y == (50.0, 90.0)


def test_trials_that_diverged_at_once_have_no_curve() -> None:
    record = replace(make_record(status="diverged"), curve=())
    assert training_curves(make_study([record]), appraisal_of("baseline")) is None


def of_numbers(name: str, seed: int, off: float) -> Record:
    record = make_record(name, seed)
    return replace(record, probabilities=None, numbers=(record.labels + off).astype(np.float32))


def test_the_curves_of_a_regression_are_not_called_accuracy() -> None:
    titles = []
    for one in (make_record(), of_numbers("baseline", 0, 0.0)):
        chart = training_curves(make_study([one]), appraisal_of("baseline"))
        assert chart is not None
        titles.append(chart.figure.layout.yaxis.title.text)
    assert titles == ["validation accuracy (%)", "validation variance explained (%)"]


# Sizes


def test_lines_by_size_only_where_there_are_several(full_study: Study, full_appraisal: Appraisal) -> None:
    lines = drawn(accuracy_by_size(full_study, full_appraisal))
    assert list(lines) == list(KINDS)
    assert lines["baseline"].x == (1000, 2000, 4000)
    assert accuracy_by_size(make_study([make_record()]), appraisal_of("baseline")) is None


def test_bands_over_three_seeds_or_more_are_intervals_else_ranges(full_study: Study, full_appraisal: Appraisal) -> None:
    chart = accuracy_by_size(full_study, full_appraisal)
    assert chart is not None
    assert "95 % interval" in chart.caption
    (band,) = [b for b in chart.figure.data if b.fill and b.legendgroup == "heatmap-zoom"]
    found = [100 * (r.accuracy or 0) for r in full_study.of("heatmap-zoom", 1000)]
    assert (band.y[-1], band.y[0]) == pytest.approx(stats.t.interval(0.95, 5, np.mean(found), stats.sem(found)), 1e-4)

    fewer = replace(full_study, records=tuple(r for r in full_study.records if r.seed < 2))
    chart = accuracy_by_size(fewer, full_appraisal)
    assert chart is not None
    assert "the lowest and the highest seed" in chart.caption
    (band,) = [b for b in chart.figure.data if b.fill and b.legendgroup == "heatmap-zoom"]
    assert (band.y[-1], band.y[0]) == pytest.approx((min(found[:2]), max(found[:2])), rel=1e-4)


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=9))
def test_the_interval_over_seeds_is_that_of_statsmodels(found: list[float]) -> None:
    low, high = DescrStatsW(found).tconfint_mean()
    mine = interval_over_seeds(found)
    assert (mine.low, mine.high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)


def test_the_gain_is_that_of_the_learning_curve(full_study: Study) -> None:
    economics = make_economics(cost_per_error=0.5, predictions_per_year=1e6)
    appraisal = appraise(full_study, economics)
    best = next(c for c in appraisal.largest.candidates if c.name == appraisal.best)
    assert best.outlook is not None
    assert best.outlook.learning is not None
    chart = gain_by_size(full_study, appraisal)
    assert chart is not None
    assert best.outlook.learning.words in chart.caption
    measured = drawn(chart)["measured"]
    assert measured.x == (1000, 2000, 4000)
    assert measured.y == pytest.approx([m.estimate for m in best.outlook.learning.measured], rel=1e-4)
    assert ("power law" in drawn(chart)) == (best.outlook.learning.shape == "power law")
    assert gain_by_size(full_study, replace(appraisal, best=None)) is None


# Reliability


def test_the_bins_are_those_of_scikit_learn() -> None:
    records = [softened(make_record(seed=s, wrong=range(20 * s), items=500), s) for s in range(3)]
    bins = bins_of(records)
    sure = np.concatenate([r.probabilities.max(axis=1) for r in records])  # type: ignore[union-attr]
    right = np.concatenate([r.predictions == r.labels for r in records])
    share, confidence = calibration_curve(right, sure.astype(float), n_bins=10, strategy="quantile")
    assert [b.confidence for b in bins] == pytest.approx(confidence)
    assert [b.right.estimate for b in bins] == pytest.approx(share)
    assert sum(b.count for b in bins) == 1500
    assert calibration_error(bins) == pytest.approx(np.mean(np.abs(share - confidence)), abs=1e-3)


@given(st.integers(0, 50), st.integers(1, 50))
def test_the_interval_of_a_share_is_that_of_statsmodels(right: int, further: int) -> None:
    count = right + further
    assert wilson(right / count, count) == pytest.approx(proportion_confint(right, count, method="wilson"), abs=1e-12)


def test_an_item_counts_once_however_many_seeds_read_it() -> None:
    one = softened(make_record(wrong=range(30)), 0)
    alone, thrice = bins_of([one], most=1), bins_of([one, one, one], most=1)
    assert thrice[0].count == 3 * alone[0].count
    assert (thrice[0].right.low, thrice[0].right.high) == pytest.approx((alone[0].right.low, alone[0].right.high))


def test_an_item_weighs_what_it_stands_for() -> None:
    record = softened(make_record(wrong=range(100)), 0)
    weights = np.where(np.arange(200) < 100, 1, 3).astype(np.float32)
    (found,) = bins_of([replace(record, weights=weights)], most=1)
    right = np.equal(record.predictions, record.labels)  # type: ignore[arg-type]
    assert found.right.estimate == pytest.approx(np.average(right, weights=weights))


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0.4, 0.6, 0.8, 0.95]), min_size=2, max_size=60), st.randoms())
def test_equal_confidences_stay_together(sure: list[float], random: Any) -> None:
    def bins(values: list[float]) -> Any:
        other = [[v, (1 - v) * 0.6, (1 - v) * 0.4] for v in values]
        return bins_of([replace(make_record(items=len(values)), probabilities=np.array(other, dtype=np.float32))])

    assert sum(b.weight for b in bins(sure)) == pytest.approx(1)
    assert len({round(b.confidence, 6) for b in bins(sure)}) == len(bins(sure)) <= len(set(sure))
    shuffled = random.sample(sure, len(sure))
    assert [b.confidence for b in bins(shuffled)] == pytest.approx([b.confidence for b in bins(sure)])


def test_decisions_alone_and_numbers_have_no_reliability() -> None:
    assert reliability(make_study([make_record()]), appraisal_of("baseline")) is None
    assert reliability(make_study([of_numbers("baseline", 0, 1.0)]), appraisal_of("baseline")) is None


# Confusion


@pytest.mark.parametrize("weighted", [False, True])
def test_the_differences_are_those_of_scikit_learn(weighted: bool) -> None:
    weights = np.random.default_rng(0).uniform(0.5, 2, 200).astype(np.float32) if weighted else None
    records = [
        replace(make_record(name, seed, wrong=range(start + seed)), weights=weights)
        for name, start in (("baseline", 40), ("crop", 15))
        for seed in range(3)
    ]
    tables = {
        (r.variant, r.seed): confusion_matrix(r.labels, r.predictions, normalize="all", sample_weight=weights)
        for r in records
    }
    expected = 1000 * np.mean([tables["crop", s] - tables["baseline", s] for s in range(3)], axis=0)
    np.fill_diagonal(expected, 0)
    assert differences(make_study(records), "crop", 100) == pytest.approx(expected)


def headlined(study: Study) -> Appraisal:
    return appraise(study, make_economics(cost_per_error=1, predictions_per_year=1000))


def test_the_table_says_which_errors_are_saved() -> None:
    study = make_study([make_record(n, s, wrong=range(w)) for n, w in (("baseline", 30), ("crop", 6)) for s in (0, 1)])
    chart = confusion_differences(study, headlined(study))
    assert chart is not None
    assert "crop makes \N{MINUS SIGN}120 errors in 1,000" in chart.says
    (table,) = chart.figure.data
    assert table.z[0][1] == pytest.approx(-40)
    assert table.z[0][0] is None
    assert table.text[0][1] == "\N{MINUS SIGN}40"


def test_of_many_classes_the_pairs_that_changed_most() -> None:
    study = make_study([make_record(n, s, wrong=range(w)) for n, w in (("baseline", 30), ("crop", 6)) for s in (0, 1)])
    classes = tuple(f"class {i}" for i in range(30))
    records = tuple(
        replace(r, labels=np.arange(200) % 30, probabilities=np.eye(30, dtype=np.float32)[r.predictions])  # type: ignore[index]
        for r in study.records
    )
    chart = confusion_differences(replace(study, classes=classes, records=records), headlined(study))
    assert chart is not None
    assert sum(len(bars.y) for bars in chart.figure.data) <= MOST_PAIRS
    assert all(v < 0 for v in drawn(chart)["errors saved"].x)
    assert all(v > 0 for v in drawn(chart)["errors new"].x)


def test_without_a_pair_or_a_difference_no_confusion() -> None:
    alike = make_study([make_record(n, s) for n in ("baseline", "crop") for s in (0, 1)])
    assert confusion_differences(alike, headlined(alike)) is None
    assert differences(make_study([make_record(), make_record("crop", seed=1)]), "crop", 100) is None


# Decision curve


def test_net_benefits_are_those_of_dcurves(
    two_classes: Study, appraised: Appraisal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lifelines", ModuleType("lifelines"))  # that it needs for survival only
    dca = import_module("dcurves").dca
    lines = drawn(decision_curves(two_classes, appraised))
    thresholds = np.array(lines["crop"].x) / 100
    of_seeds = []
    for record in two_classes.of("crop", 100):
        assert record.probabilities is not None
        frame = DataFrame({"ill": record.labels, "crop": record.probabilities[:, 1].astype(float)})
        found = dca(data=frame, outcome="ill", modelnames=["crop"], thresholds=thresholds)
        of_seeds.append(found[found.model == "crop"].sort_values("threshold").net_benefit.to_numpy())
        everyone = found[found.model == "all"].sort_values("threshold").net_benefit.to_numpy()
    assert lines["crop"].y == pytest.approx(np.mean(of_seeds, axis=0), rel=1e-3, abs=1e-5)
    assert lines["treat all"].y == pytest.approx(everyone, rel=1e-3, abs=1e-5)
    assert set(lines["treat none"].y) == {0}


# Worth


def test_the_histogram_is_the_distribution_of_the_quantiles() -> None:
    chances = np.linspace(0.01, 0.99, 99)
    normal = stats.norm(5.0, 2.0)
    edges, shares = histogram(tuple(zip(chances.tolist(), normal.ppf(chances).tolist(), strict=True)), margin=4.0)
    assert min(abs(edge - 4.0) for edge in edges) < 1e-9
    inner = slice(1, -1)
    assert shares[inner] == pytest.approx(100 * np.diff(normal.cdf(edges))[inner], abs=0.15)
    assert sum(shares) == pytest.approx(98)


@given(st.floats(-1e4, 1e4), st.floats(0.1, 1e3))
def test_the_margin_parts_the_bars_wherever_it_lies(margin: float, spread: float) -> None:
    quantiles = tuple((p / 100, spread * p) for p in range(1, 100))
    edges, shares = histogram(quantiles, margin)
    assert sum(shares) == pytest.approx(98)
    assert edges[0] <= quantiles[0][1] + 1e-6 * spread
    assert edges[-1] >= quantiles[-1][1] - 1e-6 * spread


def test_the_share_above_the_margin_is_said(two_classes: Study, appraised: Appraisal) -> None:
    (best,) = appraised.largest.candidates
    assert best.outlook is not None
    chart = distribution(two_classes, appraised, margin=1000)
    assert chart is not None
    chance = f"{100 * best.outlook.probability_worth_it:.1f} %"
    assert f"worth it: {chance}" in drawn(chart)
    assert f"with a chance of {chance}" in chart.says
    assert all(x < 1000 for x in chart.figure.data[0].x)
    assert all(x > 1000 for x in chart.figure.data[1].x)
    above = sum(chart.figure.data[1].y)
    assert above == pytest.approx(100 * best.outlook.probability_worth_it, abs=1.1)  # a percent is not drawn


def test_the_bars_of_the_tornado_reach_from_end_to_end(two_classes: Study, appraised: Appraisal) -> None:
    (best,) = appraised.largest.candidates
    assert best.outlook is not None
    chart = tornado(two_classes, appraised)
    assert chart is not None
    low, high, flips = chart.figure.data
    bars = best.outlook.tornado[: len(low.x)]
    assert [low.base + x for x in low.x] == pytest.approx([bar.npv_at_low for bar in bars])
    assert [high.base + x for x in high.x] == pytest.approx([bar.npv_at_high for bar in bars])
    assert list(flips.y) == [i for i, bar in enumerate(bars) if bar.flips]
    assert chart.figure.layout.yaxis.ticktext[0].startswith(bars[0].input)


def test_the_price_as_it_is_now_is_marked(two_classes: Study, appraised: Appraisal) -> None:
    curve, now = drawn(acceptability(two_classes, appraised)).values()
    assert now.x == (0.5, 0.5)
    (best,) = appraised.largest.candidates
    assert best.outlook is not None
    at_now = float(np.interp(0.5, curve.x, curve.y))
    assert at_now == pytest.approx(100 * best.outlook.probability_worth_it, abs=1e-2)


def test_the_break_even_lies_on_the_line_at_nothing(two_classes: Study, appraised: Appraisal) -> None:
    (best,) = appraised.largest.candidates
    assert best.break_even_predictions_per_year is not None
    lines = drawn(break_even(two_classes, appraised))
    line = lines["net present value"]
    reach = max(line.y) - min(line.y)
    assert np.interp(best.break_even_predictions_per_year, line.x, line.y) == pytest.approx(0, abs=1e-4 * reach)
    assert [trace.x for name, trace in lines.items() if name.startswith("break-even: ")] == [
        (best.break_even_predictions_per_year,)
    ]
    assert [trace.x for name, trace in lines.items() if name.startswith("now: ")] == [(90_000.0, 90_000.0)]


# All


def test_every_chart_says_what_it_shows(two_classes: Study, appraised: Appraisal, full_study: Study) -> None:
    economics = make_economics(cost_per_error=0.5, predictions_per_year=1e6)
    charts = make_charts(two_classes, appraised, 1000) | make_charts(full_study, appraise(full_study, economics), 0)
    assert len(charts) == 11
    for chart in charts.values():
        assert chart.title
        assert chart.caption.endswith((".", "%."))
        assert any(letter.isdigit() for letter in chart.says)
        assert "None" not in chart.says + chart.caption + chart.title
        assert "nan" not in (chart.says + chart.caption).lower().split()
    assert {name for name, chart in charts.items() if chart.own_prices} == {"chart-gain", "chart-decision-curve"}


def test_what_files_do_not_say_is_left_out() -> None:
    pairs = [(name, seed) for name in ("baseline", "b") for seed in range(3)]
    records = [replace(make_record(name, seed, 0, wrong=range(9 - 2 * len(name))), curve=()) for name, seed in pairs]
    study = replace(make_study(records, kinds={"baseline": "baseline", "b": "candidate"}), plan={}, latency=None)
    charts = make_charts(study, appraise(study, make_economics(cost_per_error=1)), 0.0)
    assert not {"chart-cost", "chart-curves", "chart-sizes", "chart-gain", "chart-reliability"} & set(charts)


def test_names_are_no_markup_to_plotly(full_study: Study) -> None:
    nasty = '<a href="https://example.org">'
    records = [replace(softened(full_record(v, s, 1000), s), variant={"heatmap-zoom": nasty}.get(v, v))
               for s in range(3) for v in ("baseline", "heatmap-zoom")]  # fmt: skip
    study = replace(make_study(records), classes=(nasty, "1", "2"))
    charts = make_charts(study, appraise(study, make_economics(cost_per_error=1, predictions_per_year=1e5)), 0.0)
    assert len(charts) >= 8
    for chart in charts.values():
        assert "<a" not in chart.figure.to_json().replace("\\u003c", "<")
