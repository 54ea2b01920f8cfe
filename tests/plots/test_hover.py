"""Values under the pointer: in the SVG, at their places, escaped, and not too many."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

import infodis_stats as ids
from infodis_stats.plots.hover import MOST_REGIONS, add_hover
from infodis_stats.plots.panels import panels
from infodis_stats.report.svg import svg_of, to_svg
from tests.support.outline import Outline

SVG = "{http://www.w3.org/2000/svg}"


def regions(svg):
    """Return the boxes of a figure by their texts: left, top, width, height."""
    found = [box for box in ElementTree.fromstring(svg).iter(f"{SVG}rect") if box.find(f"{SVG}title") is not None]
    return {
        box.find(f"{SVG}title").text: [float(box.get(key)) for key in ("x", "y", "width", "height")] for box in found
    }


def test_regions_lie_where_the_data_are():
    figure = Figure(figsize=(4, 2))  # 288 x 144 points
    axis = figure.add_axes((0.25, 0.25, 0.5, 0.5))
    axis.set(xlim=(0, 10), ylim=(0, 1))
    add_hover(axis, [5.0], [0.5], ["a point"])
    add_hover(axis, [[2.0, 8.0]], [1.0], ["an interval"])
    add_hover(axis, [[1.0, 2.0]], [[0.0, 0.5]], ["a bar"])
    add_hover(axis, [[-5.0, 5.0], [-5.0, -1.0], [3.0, np.nan]], [0.25] * 3, ["half outside", "outside", "unknown"])
    figure.set_dpi(200)
    found = regions(to_svg(figure, "a"))
    assert found == {
        "a point": [144 - 3.5, 72 - 3.5, 7.0, 7.0],
        "an interval": [pytest.approx(72 + 28.8), 36 - 3.5, pytest.approx(86.4), 7.0],
        "a bar": [pytest.approx(72 + 14.4), 72.0, pytest.approx(14.4), 36.0],
        "half outside": [72.0, 90 - 3.5, 72.0, 7.0],
    }


def test_logarithmic_axes_and_layouts_are_followed():
    figure, (axis, _) = panels(2, 2.0)
    axis.set(xscale="log", xlim=(1, 100), ylim=(0, 1), ylabel="a long label\nof two lines")
    add_hover(axis, [10.0, 0.0, -1.0], [0.5] * 3, ["middle", "zero", "negative"])
    (left, top, *_) = regions(to_svg(figure, "a"))["middle"]
    low, high = axis.get_position().x0, axis.get_position().x1
    width, height = 72 * figure.get_size_inches()
    assert left + 3.5 == pytest.approx(width * (low + high) / 2, abs=0.1)
    bottom, up = axis.get_position().y0, axis.get_position().y1
    assert top + 3.5 == pytest.approx(height * (1 - (bottom + up) / 2), abs=0.1)


def test_a_panel_has_at_most_so_many_and_keeps_the_ends():
    figure = Figure()
    axis = figure.add_subplot()
    axis.set(xlim=(0, 9999), ylim=(-1, 1))
    add_hover(axis, np.arange(10_000), np.zeros(10_000), [str(one) for one in range(10_000)])
    found = regions(to_svg(figure, "a"))
    assert len(found) == MOST_REGIONS
    assert {"0", "9999"} <= found.keys()


def test_texts_are_escaped():
    figure = Figure()
    add_hover(figure.add_subplot(), [0.5], [0.5], ["</title><script>alert(1)</script> & \x00 ]]>"])
    svg = to_svg(figure, "a")
    assert "<script" not in svg
    assert list(regions(svg)) == ["</title><script>alert(1)</script> & \N{REPLACEMENT CHARACTER} ]]>"]


def test_regions_cannot_be_seen_and_change_no_layout():
    plain, hovered = Figure(layout="constrained"), Figure(layout="constrained")
    for figure in (plain, hovered):
        figure.add_subplot().plot([0, 1])
    add_hover(hovered.axes[0], [0.0], [0.0], ["a"])
    before, after = (to_svg(figure, "a") for figure in (plain, hovered))
    assert re.sub(r'<g fill="none" pointer-events="all">.*?</g>\n', "", after, flags=re.DOTALL) == before
    assert "<title>" not in before


def test_the_bytes_are_the_same_every_time(study, document):
    assert svg_of("variance", ids.plot_variance, study) == document.figures["variance"]


@pytest.mark.parametrize("name", ["document", "calibration_document", "frontier_document", "information_document"])
def test_every_figure_of_a_report_has_values_under_the_pointer(name, request):
    document = request.getfixturevalue(name)
    for figure in document.figures.values():
        assert regions(figure)
        assert all(text.strip() and "nan" not in text for text in regions(figure))
        assert "script" not in Outline(figure).tags


def test_the_texts_say_label_value_and_interval(study, document):
    summary = study["summary"].to_dataset()
    texts = list(regions(document.figures["variance"]))
    value = summary["variance"].sel(group="short", estimator="time-free", passes=8).item()
    assert any(
        text.startswith("time-free, 8 passes: ") and float(text.split()[3]) == pytest.approx(value, rel=0.01)
        for text in texts
    )
    errors = list(regions(document.figures["estimates"]))
    assert any(re.fullmatch(r"short/0: error \S+ \[\S+, \S+\] nats, truth \S+", text) for text in errors)
