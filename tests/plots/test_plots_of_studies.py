"""What plots of studies draw is what the studies say, and reports draw the same."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import infodis_stats as ids
from infodis_stats.plots.calibration_cells import cautioned_cells, clean_cells, main_level
from infodis_stats.plots.numbers import significant
from infodis_stats.plots.palette import shade_of
from infodis_stats.report.svg import svg_of


def test_variances_are_those_of_the_summary(study):
    summary = study["summary"].to_dataset()
    axes = ids.plot_variance(study, ax=Figure())
    assert [axis.get_title() for axis in axes] == summary["group"].values.tolist()
    for axis, group in zip(axes, summary["group"].values.tolist(), strict=True):
        lines = {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}
        assert "time-free" in lines
        assert "exhaustive" not in lines  # exact
        for name, line in lines.items():
            expected = summary["variance"].sel(group=group, estimator=name).dropna("passes")
            np.testing.assert_array_equal(line.get_xdata(), expected["passes"].values)
            np.testing.assert_array_equal(line.get_ydata(), expected.values)
    words = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert "time-integral (infinite variance)" in words
    assert "time-integral(eps=0.2) (biased)" in words


def test_the_slope_is_in_the_legend_of_a_single_group(study):
    one = study.copy()
    one["summary"] = study["summary"].isel(group=[0])
    axis = ids.plot_variance(one, ax=Figure())
    slope = study["summary"]["slope"].isel(group=0).sel(estimator="time-free").item()
    assert f"time-free  ({slope:.2f})" in [text.get_text() for text in axis.figure.legends[0].get_texts()]


def test_coverage_has_a_dot_for_each_cell(calibration_study):
    summary = calibration_study["summary"].to_dataset()
    level = main_level(summary)
    axes = np.atleast_1d(ids.plot_coverage(calibration_study, ax=Figure()))
    for axis, kind in zip(axes, summary["interval"].values.tolist(), strict=True):
        clean, cautioned, nominal = axis.lines
        assert nominal.get_ydata()[0] == level
        for line, cells in ((clean, clean_cells), (cautioned, cautioned_cells)):
            every = cells(summary, level)
            expected = every[every["interval"] == kind]["coverage"].clip(0.6)
            np.testing.assert_array_equal(line.get_ydata(), expected)


def test_the_frontier_has_a_cell_for_each_winner(frontier_study):
    summary = frontier_study["summary"].to_dataset()
    axes = ids.plot_frontier(frontier_study, ax=Figure())
    part = summary.isel(group=summary["subject"].values == summary["subject"].values[0])
    cells = {
        (int(patch.get_x()), int(patch.get_y())): to_hex(patch.get_facecolor())
        for patch in axes[0].patches
        if isinstance(patch, Rectangle)
    }
    for row, column in np.ndindex(part["winner"].shape):
        assert cells[column, row] == shade_of(str(part["winner"].values[row, column]))
    gain = summary["regret"].sel(estimator="time-free", group="A <b>chain</b>/long", passes=8)
    assert significant(float(gain), 2) in [text.get_text() for text in axes[0].texts]


def test_a_frontier_fits_into_given_axes(frontier_study):
    axes = Figure().subplots(1, 2)
    found = ids.plot_frontier(frontier_study, ax=axes)
    assert [axis.get_title() for axis in found] == ["A <b>chain</b>", "Two letters"]
    assert found[0].get_legend() is not None


def test_information_has_a_panel_for_each_group(information_study):
    axes = np.atleast_1d(ids.plot_variance(information_study, ax=Figure()))
    assert [axis.get_title() for axis in axes] == information_study["summary"]["group"].values.tolist()


@pytest.mark.parametrize(
    ("tree", "report", "name", "plot"),
    [
        ("calibration_study", "calibration_document", "coverage", ids.plot_coverage),
        ("frontier_study", "frontier_document", "frontier-1", ids.plot_frontier),
        ("information_study", "information_document", "variance", ids.plot_variance),
    ],
)
def test_reports_draw_with_the_same_functions(tree, report, name, plot, request):
    drawn = svg_of(name, plot, request.getfixturevalue(tree))
    assert request.getfixturevalue(report).figures[name] == drawn


@pytest.mark.parametrize(
    ("plot", "message"),
    [
        (
            "plot_coverage",
            "needs a study of kind calibration, .*, got one of kind comparison, which plot_variance draws",
        ),
        ("plot_frontier", "needs a study of kind frontier, .*, got one of kind comparison, which plot_variance draws"),
    ],
)
def test_studies_of_other_kinds_are_refused(plot, message, study):
    with pytest.raises(ids.InputError, match=message):
        getattr(ids, plot)(study, ax=Figure())


def test_parts_of_studies_are_refused(study, frontier_study):
    part = frontier_study.copy()
    part["summary"] = frontier_study["summary"].to_dataset().drop_vars("winner")
    for plot, tree, message in (
        (ids.plot_frontier, part, "its summary has no winner"),
        (
            ids.plot_variance,
            frontier_study,
            "needs a study of kind comparison or information, .* which plot_frontier draws",
        ),
        (ids.plot_variance, study["summary"], "got another tree"),
    ):
        with pytest.raises(ids.InputError, match=message):
            plot(tree, ax=Figure())
