"""Axes in and out: given axes are drawn on, figures are laid out, and wrong ones are refused."""

import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import infodis_stats as ids
from infodis_stats.plots.panels import axes_for, label, legend
from infodis_stats.plots.style import PAGE

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
RESULT = ids.estimate_nll(LAW, LAW.sample(3, length=10, seed=1), "uniform-count", passes=4, replicates=8)


@pytest.fixture(autouse=True)
def _no_open_figures():
    yield
    pyplot.close("all")


def test_a_new_figure_is_one_that_notebooks_display():
    axis = ids.plot_intervals(RESULT)
    assert isinstance(axis, Axes)
    assert pyplot.get_fignums() == [axis.figure.number]


def test_given_axes_are_drawn_on_and_returned_and_no_figure_is_made():
    figure, axes = pyplot.subplots(2, 2)
    found = ids.plot_running(RESULT, ax=axes)
    assert found.shape == (3,)
    assert all(one is other for one, other in zip(found, axes.ravel(), strict=False))
    assert [bool(axis.lines) for axis in axes.ravel()] == [True, True, True, False]
    assert ids.plot_intervals(RESULT, ax=axes[1, 1]) is axes[1, 1]
    assert pyplot.get_fignums() == [figure.number]


def test_an_empty_figure_or_subfigure_is_laid_out():
    figure = Figure(layout="constrained")
    left, _ = figure.subfigures(1, 2)
    for empty in (Figure(), left):
        assert [axis.get_figure(root=False) for axis in ids.plot_running(RESULT, ax=empty)] == [empty] * 3
    assert not pyplot.get_fignums()


def test_an_array_of_one_axes_is_a_panel():
    figure, axes = pyplot.subplots(1, 1, squeeze=False)
    assert ids.plot_running(RESULT.isel(sequence=[0]), ax=axes) is axes[0, 0]
    assert figure.axes == [axes[0, 0]]


@pytest.mark.parametrize(
    ("ax", "message"),
    [
        ("panel", "ax must be a matplotlib Axes, an array of Axes or an empty Figure, got str"),
        (pyplot, "got module"),
        ([None], "got NoneType"),
        ([Figure().add_subplot()], "the plot has 3 panels, but ax has 1 axes"),
        (Figure().add_subplot().figure, "has axes already"),
    ],
)
def test_what_cannot_be_drawn_on_is_refused(ax, message):
    with pytest.raises(ids.InputError, match=message):
        ids.plot_running(RESULT, ax=ax)


def test_labels_stand_once_where_the_panels_fill_a_figure():
    figure = Figure()
    axes = figure.subplots(1, 3).tolist()
    label(axes[:2], "x", "y")
    assert [axis.get_xlabel() for axis in axes] == ["x", "x", ""]
    assert figure.get_supxlabel() == ""
    label(axes, "all", "y")
    assert figure.get_supxlabel() == "all"


def test_a_legend_is_beside_the_panels_only_where_the_layout_leaves_space():
    for figure, beside in ((Figure(layout="constrained"), True), (Figure(), False)):
        axes = figure.subplots(1, 2).tolist()
        legend(axes, axes[0].plot([0, 1]), ["a line"])
        assert bool(figure.legends) == beside
        assert (axes[0].get_legend() is None) == beside


def test_the_style_of_the_user_is_kept():
    with pyplot.rc_context({"font.size": 17, "axes.spines.top": True}):
        axis = ids.plot_intervals(RESULT)
        assert axis.spines["top"].get_visible()
        assert axis.xaxis.label.get_size() == 17
        assert pyplot.rcParams["font.size"] == 17


def test_panels_are_as_wide_as_the_page():
    for count in (1, 2, 3, 7):
        axes = axes_for(Figure(), count, 2.0)
        assert len(axes) == count
        assert axes[0].figure.get_size_inches().tolist() == [PAGE, 2.0 * -(-count // 3)]
