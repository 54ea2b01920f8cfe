"""Figures of pages: SVG elements with reproducible bytes, and values under the pointer."""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from infodis_stats.plots.hover import hover_elements
from infodis_stats.plots.style import STYLE

__all__ = ["svg_of", "to_svg"]

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg_of(name: str, plot: Callable[..., Any], *data: Any) -> str:
    """Return a plot of data as an SVG element, in the style of reports.

    Parameters
    ----------
    name : str
        With which the ids in it begin; unique on a page.
    plot : callable
        Called as ``plot(*data, ax=figure)``.
    """
    with mpl.rc_context(STYLE):
        figure = Figure()
        plot(*data, ax=figure)
        return to_svg(figure, name)


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element; the ids in it begin with ``name``."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # text is drawn by the browser
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Pages hold several figures: their ids must differ.
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    end = text.rindex("</svg>")
    return NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text[:end] + hover_elements(figure) + text[end:])
