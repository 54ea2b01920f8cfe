"""What plots of results draw is what the results say."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

import infodis_stats as ids
from infodis_stats import analysis
from infodis_stats.plots.items import MOST_ITEMS
from infodis_stats.plots.loss_map import COLOURS, LARGEST_SHADE, visible
from infodis_stats.plots.palette import MISS, colour_of

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(5, length=10, seed=1)
NAMES = ["one", "two\nlines", r"$\frac|_x_$", "x" * 90, "five"]


@pytest.fixture(scope="module")
def result():
    """The interval of the last sequence misses the exact value."""
    found = ids.estimate_nll(LAW, TOKENS, "uniform-count+stratified", passes=4, replicates=12, names=NAMES)
    found["exact"] = found["exact"] + 20.0 * (np.arange(5) == 4)
    return found


def segments(axis, colour):
    """Return the horizontal or vertical lines of a colour as (line, end, coordinate)."""
    lines = [
        one for one in axis.collections if isinstance(one, LineCollection) and to_hex(one.get_color()[0]) == colour
    ]
    return np.array([segment for one in lines for segment in one.get_segments()])


def points(axis):
    """Return the coordinates of all dots of a panel."""
    dots = [line for line in axis.lines if line.get_marker() not in ("", "None") and line.get_linestyle() == "None"]
    return np.concatenate([line.get_xydata() for line in dots])


def test_intervals_are_those_of_the_result_minus_the_exact_values(result):
    axis = ids.plot_intervals(result, ax=Figure())
    order = np.argsort((result["nll"] - result["exact"]).values)
    drawn = np.concatenate([segments(axis, "#2b6cb0"), segments(axis, MISS)])
    drawn = drawn[np.argsort(drawn[:, 0, 1])]
    np.testing.assert_allclose(drawn[:, :, 0], (result["nll_ci"] - result["exact"]).values[order], rtol=1e-12)
    np.testing.assert_array_equal(segments(axis, MISS)[:, 0, 1], [np.flatnonzero(order == 4)[0]])
    dots = points(axis)
    dots = dots[np.argsort(dots[:, 1])]
    np.testing.assert_allclose(dots[:, 0], (result["nll"] - result["exact"]).values[order], rtol=1e-12)
    names = [tick.get_text() for tick in axis.get_yticklabels()]
    assert names == [["one", "two lines", NAMES[2], "x" * 27 + "…", "five"][row] for row in order]


def test_intervals_without_exact_values_are_in_nats(result):
    axis = ids.plot_intervals(result.drop_vars("exact"), ax=Figure())
    assert axis.get_xlabel() == "negative log-likelihood (nats)"
    order = np.argsort(result["nll"].values)
    np.testing.assert_allclose(segments(axis, "#2b6cb0")[:, :, 0], result["nll_ci"].values[order], rtol=1e-12)


def test_intervals_of_ratios_positions_brackets_and_single_items(result):
    ratio = ids.estimate_log_ratio(LAW, TOKENS, TOKENS[::-1], passes=4, replicates=4)
    assert ids.plot_intervals(ratio, ax=Figure()).get_xlabel().startswith("log-likelihood ratio, estimate minus")
    assert len(points(ids.plot_intervals(result.isel(sequence=2), ax=Figure()))) == 1
    bracket = ids.bracket_nll(LAW, TOKENS[:2], orders=4)
    assert ids.plot_intervals(bracket, ax=Figure()).get_xlabel().startswith("any-order negative log-likelihood")


def test_failed_items_are_left_out_and_many_are_a_subsample(result):
    failed = result.assign(failed=("sequence", ["", "it did", "", "", ""]))
    assert len(points(ids.plot_intervals(failed, ax=Figure()))) == 4
    assert len(ids.plot_running(failed, ax=Figure())) == 4
    many = result.isel(sequence=np.arange(600) % 5)
    axis = ids.plot_intervals(many, ax=Figure())
    assert len(points(axis)) == MOST_ITEMS
    assert "600 sequences, by error; 500 of 600 drawn at random" in axis.get_ylabel()


def test_running_means_and_bands_are_those_of_the_replicates(result):
    axes = ids.plot_running(result, ax=Figure())
    assert axes.shape == (5,)
    draws = result["nll_replicate"].values[1]
    dots, mean, exact = axes[1].lines
    np.testing.assert_array_equal(dots.get_ydata(), draws)
    np.testing.assert_allclose(mean.get_ydata(), np.cumsum(draws) / np.arange(1, 13))
    assert exact.get_ydata()[0] == result["exact"].values[1]
    (band,) = axes[1].collections
    expected = analysis.confidence_sequence(draws, 0.95, 6)
    reached = band.get_datalim(axes[1].transData)
    finite = np.isfinite(expected.upper)
    assert reached.ymax == pytest.approx(expected.upper[finite].max())
    assert reached.ymin == pytest.approx(expected.lower[finite].min())
    assert axes[1].get_title(loc="center") == "two lines"


def test_size_profiles_are_the_losses_by_mask_size():
    sizes = ids.estimate_sizes(LAW, TOKENS[:2], bins=3, passes=8)
    axes = ids.plot_sizes(sizes, ax=Figure())
    for axis, row in zip(axes, range(2), strict=True):
        band, line = (one for one in axis.patches if isinstance(one, StepPatch))
        part = sizes.isel(sequence=row)
        np.testing.assert_array_equal(line.get_data().values, part["size_loss"].values)
        widths = part["most_masked"].values - part["fewest_masked"].values + 1
        np.testing.assert_allclose(band.get_data().values, part["size_nll_ci"].sel(ci_bound="upper").values / widths)
        area = (np.diff(line.get_data().edges) * line.get_data().values).sum()
        assert area == pytest.approx(part["size_nll"].sum().item())  # the negative log-likelihood
    assert ids.plot_sizes(sizes.isel(sequence=0), ax=Figure()).get_ylabel() == "mean loss of a masked token (nats)"


def test_a_loss_map_shows_each_token_once_with_its_cost():
    model, response = (
        ids.load_model("austen"),
        "universally acknowledged, that a single man in possession of a\ngood fortune, must be",
    )
    found = ids.estimate_positions(model, ids.Record("a", "It is a truth ", response), passes=4, replicates=4)
    axis = ids.plot_loss_map(found, ax=Figure())
    assert "".join(text.get_text() for text in axis.texts) == visible(response)
    boxes, bars = (one for one in axis.collections if isinstance(one, PolyCollection))
    top = found["nll_ci"].values.max()
    share = np.clip(found["nll"].values / top, 0, 1)
    assert [to_hex(colour) for colour in boxes.get_facecolor()] == [
        to_hex(COLOURS(LARGEST_SHADE * one)) for one in share
    ]
    heights = [np.ptp(path.vertices[:, 1]) for path in bars.get_paths()]
    np.testing.assert_allclose(np.array(heights) / 0.48, share, atol=1e-9)
    whiskers = np.array([segment[:, 1] for segment in axis.collections[2].get_segments()])
    ends = np.clip(found["nll_ci"].values / top, 0, 1)
    np.testing.assert_allclose(np.abs(np.diff(whiskers))[:, 0], 0.48 * np.diff(ends)[:, 0], atol=1e-9)
    assert f"{found['nll'].sum().item():.1f} in all" in axis.get_xlabel()
    rows = sorted({text.get_position()[1] for text in axis.texts})
    assert len(rows) == 2  # a line ends after the end of a line of the text


def test_brackets_stand_beside_the_any_order_values():
    model = ids.load_model("austen")
    found = ids.bracket_nll(model, [model.encode(text) for text in ("truth", "It is a truth univ")], orders=32)
    axis = ids.plot_bracket(found, ax=Figure())
    np.testing.assert_allclose(segments(axis, "#1b7f4b")[:, :, 0], found["bracket"].values)
    np.testing.assert_allclose(segments(axis, "#2b6cb0")[:, :, 0], found["nll_ci"].values)
    drawn = [line.get_xdata() for line in axis.lines]
    for values, name in zip(drawn, ("nll", "marginal_lower", "marginal_upper"), strict=True):
        np.testing.assert_array_equal(values, found[name].values)


def test_variances_of_results_are_at_the_passes_they_ran():
    results = [
        ids.estimate_nll(LAW, TOKENS, name, passes=passes, replicates=8)
        for name, passes in (("time-free", 4), ("time-free", 10), ("time-integral", 4), ("chain", 10))
    ]
    axis = ids.plot_variance(iter(results), ax=Figure())
    assert [line.get_label() for line in axis.lines] == ["time-free", "time-integral"]  # chain is exact
    line = axis.lines[0]
    expected = [one["nll_replicate"].var("replicate", ddof=1).mean().item() for one in results[:2]]
    np.testing.assert_allclose(line.get_ydata(), expected)
    np.testing.assert_allclose(line.get_xdata(), [one["forward_passes"].mean().item() / 8 for one in results[:2]])
    assert line.get_color() == colour_of("time-free")
    words = [text.get_text() for text in axis.figure.legends[0].get_texts()]
    assert words[:2] == ["time-free", "time-integral (infinite variance)"]


@pytest.mark.parametrize(
    ("plot", "data", "message"),
    [
        ("plot_intervals", {"nll": 1}, "plot_intervals needs the result of .*, got dict"),
        ("plot_sizes", "result", "plot_sizes needs the result of estimate_sizes, got another data set"),
        ("plot_loss_map", "result", "needs the result of estimate_positions, got another data set"),
        ("plot_bracket", "result", "needs the result of bracket_nll; plot_intervals draws that of other"),
        ("plot_running", "single", "needs an item with at least 2 replicates"),
        ("plot_variance", "result", "several results .*, got one data set"),
        ("plot_variance", [], "several results .*, got none"),
        ("plot_variance", [[1.0]], "plot_variance needs the result of .*, got list"),
        ("plot_variance", 3, "several results .*, got int"),
        ("plot_variance", "others", "on the same sequences in the same order"),
        ("plot_coverage", "result", "needs a study of kind calibration, .*, got Dataset"),
        ("plot_frontier", None, "needs a study of kind frontier, .*, got NoneType"),
    ],
)
def test_other_data_are_refused_in_a_sentence(plot, data, message, result):
    single = result.isel(replicate=[0])
    named = {"result": result, "single": single, "others": [result, result.isel(sequence=slice(2))]}
    with pytest.raises(ids.InputError, match=message):
        getattr(ids, plot)(named.get(data, data) if isinstance(data, str) else data, ax=Figure())
