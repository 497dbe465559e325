from __future__ import annotations

from dataclasses import replace

import pytest

from cropworth.report import charts
from cropworth.study.record import Epoch, Study
from cropworth.worth.results import Appraisal, SizeAppraisal
from factories import make_record, make_study
from report.appraisals import KINDS, make_appraisal, make_row


def appraisal_of(*names: str, **values: float | None) -> Appraisal:
    return make_appraisal((SizeAppraisal(100, tuple(make_row(name, **values) for name in names), ()),))


def test_one_point_a_variant_with_its_range_over_seeds() -> None:
    records = [make_record(seed=0, wrong=range(20)), make_record(seed=1, wrong=range(40))]
    figure = charts.accuracy_against_cost(make_study(records), appraisal_of("baseline", latency_s=0.002))
    assert figure is not None
    (point,) = figure.data
    assert (point.x, point.y) == ((2.0,), (85.0,))  # 10 % and 20 % of the items are read wrong
    assert (point.error_y.array, point.error_y.arrayminus) == ((5.0,), (5.0,))
    assert figure.layout.title.text
    assert "ms per item" in figure.layout.xaxis.title.text
    assert "%" in figure.layout.yaxis.title.text


def test_no_latency_no_scatter() -> None:
    assert charts.accuracy_against_cost(make_study([make_record()]), appraisal_of("baseline", latency_s=None)) is None


def test_curves_are_one_line_a_trial_and_one_legend_entry_a_variant(
    full_study: Study, full_appraisal: Appraisal
) -> None:
    figure = charts.training_curves(full_study, full_appraisal)
    assert figure is not None
    assert len(figure.data) == 6 * len(KINDS)
    assert sum(trace.showlegend for trace in figure.data) == len(KINDS)


def test_very_many_trials_do_not_swell_the_page() -> None:
    curve = (Epoch(1.0, 1.0, 0.5, 1.0),) * 5000
    records = [replace(make_record(seed=seed), curve=curve) for seed in range(10)]
    figure = charts.training_curves(make_study(records), appraisal_of("baseline"))
    assert figure is not None
    assert len(figure.data) * 5000 <= charts.MOST_POINTS


def test_trials_that_diverged_at_once_have_no_curve() -> None:
    record = replace(make_record(status="diverged"), curve=())
    assert charts.training_curves(make_study([record]), appraisal_of("baseline")) is None


def test_lines_by_size_only_where_there_are_several(full_study: Study, full_appraisal: Appraisal) -> None:
    figure = charts.accuracy_by_size(full_study, full_appraisal)
    assert figure is not None
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [trace.name for trace in lines] == list(KINDS)
    assert lines[0].x == (1000, 2000, 4000)
    assert charts.accuracy_by_size(make_study([make_record()]), appraisal_of("baseline")) is None


def test_names_are_no_markup_to_plotly() -> None:
    study = make_study([make_record(), make_record('<a href="https://example.org">')])
    appraisal = appraisal_of(*study.kinds)
    for make in (charts.accuracy_against_cost, charts.training_curves):
        assert "<a" not in make(study, appraisal).to_json().replace("\\u003c", "<")


@pytest.mark.parametrize("count", [2, 3])
def test_labels_of_points_close_together_lie_apart(count: int) -> None:
    points = [(1.0, 90.0)] * count + [(10.0, 50.0)]
    places = charts.label_places(points, ["a label"] * (count + 1))
    assert len(set(places[:count])) == count


def test_label_at_the_right_end_goes_left() -> None:
    assert charts.label_places([(0.1, 50.0), (2.0, 90.0)], ["left", "a rather long label"])[1] == "middle left"


def test_the_curves_of_a_regression_are_not_called_accuracy() -> None:
    record = make_record()
    numbers = replace(record, probabilities=None, numbers=record.labels.astype("float32"))
    titles = []
    for one in (record, numbers):
        figure = charts.training_curves(make_study([one]), appraisal_of("baseline"))
        assert figure is not None
        titles.append(figure.layout.yaxis.title.text)
    assert titles == ["validation accuracy (%)", "validation variance explained (%)"]
