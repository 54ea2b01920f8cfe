"""The heat map of a substitution scan, as an SVG element."""

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.figure import Figure

from infodis_stats.estimates.substitutions import scan_verdicts
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.numbers import band
from infodis_stats.plots.style import PAGE, STYLE
from infodis_stats.report.svg import to_svg

__all__ = ["heatmap_figure", "visible"]

COLUMNS = 60  # positions in a row of the figure
LEFT, RIGHT, TOP, BOTTOM = 0.35, 0.85, 0.1, 0.5  # inches beside, above and below the cells of a row
TICKS = (0.01, 0.1, 1, 3, 10, 30, 100, 300)
COLOURS = mpl.colormaps["RdBu"].resampled(41)  # red: less likely; with more colours the SVG would embed a bitmap
INVISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥"}


def visible(symbol: str) -> str:
    """Return a symbol with signs for white space.

    Examples
    --------
    >>> visible("A"), visible(" ")
    ('A', '␣')
    """
    return "".join(INVISIBLE.get(character, character) for character in symbol)


def heatmap_figure(scan: xr.Dataset, name: str = "heatmap") -> str:
    """Draw the log ratios of a scan: positions across, in rows of 60, symbols down.

    The original's symbols are dots. A cell whose pointwise interval covers 0 is small; one with the verdict "better" of
    `rank_substitutions` has a frame.

    Parameters
    ----------
    scan : xarray.Dataset
        As returned by `scan_substitutions`.
    name : str
        Prefix of the ids in the SVG, unique on a page.
    """
    length, height = scan.sizes["position"], scan.sizes["symbol"]
    rows = -(-length // COLUMNS)
    columns = min(length, COLUMNS)
    cell = min((PAGE - LEFT - RIGHT) / columns, 0.25)  # inches
    row_height = TOP + height * cell + BOTTOM
    width, total = LEFT + columns * cell + RIGHT, rows * row_height
    limit = float(np.abs(scan["log_ratio"]).max()) or 1.0
    # Linear within a nat and logarithmic beyond: the few gains stay visible beside large losses.
    colours = AsinhNorm(1.0, -limit, limit)
    with mpl.rc_context(STYLE | {"axes.grid": False, "text.parse_math": False}):
        figure = Figure(figsize=(width, total))
        for row in range(rows):
            part = scan.isel(position=slice(row * COLUMNS, (row + 1) * COLUMNS))
            bottom = total - (row + 1) * row_height + BOTTOM
            box = (LEFT / width, bottom / total, part.sizes["position"] * cell / width, height * cell / total)
            _draw_cells(figure.add_axes(box), part, cell, colours)
        bar_height = min(total - 2 * TOP, 2.0)
        box = (1 - (RIGHT - 0.15) / width, 1 - (TOP + bar_height) / total, 0.12 / width, bar_height / total)
        ticks = [tick for tick in TICKS if tick <= limit][-3:]
        bar = figure.colorbar(
            ScalarMappable(colours, COLOURS),
            cax=figure.add_axes(box),
            ticks=[*(-tick for tick in reversed(ticks)), 0, *ticks],
            format="%g",
            label="nats",
        )
        bar.minorticks_off()
        return to_svg(figure, name)


def _draw_cells(axis: Axes, scan: xr.Dataset, cell: float, colours: Normalize) -> None:
    """Draw a row of the figure; ``cell`` is its width in inches."""
    side = 72 * cell  # points
    values = scan["log_ratio"].values
    lower, upper = (scan["log_ratio_ci"].sel(ci_bound=bound).values for bound in ("lower", "upper"))
    originals, symbols = scan["original"].values.tolist(), scan["symbol"].values.tolist()
    sites = scan["site"].values.tolist()
    original = np.array(originals)[:, None] == np.array(symbols)
    better = scan_verdicts(scan) == "better"
    sure = ~original & ((lower > 0) | (upper < 0))
    for shown, size, edge in (
        (sure & ~better, 0.94, "none"),
        (better, 0.86, "black"),
        (~original & ~sure & ~better, 0.5, "none"),
    ):
        across, down = np.nonzero(shown)
        axis.scatter(
            across,
            down,
            s=(size * side) ** 2,
            c=values[shown],
            cmap=COLOURS,
            norm=colours,
            marker="s",
            edgecolors=edge,
            linewidths=1.0 if edge == "black" else 0.0,
        )
    across, down = np.nonzero(~original)
    texts = [
        f"{visible(originals[column])}{sites[column]}{visible(symbols[row])}: log ratio "
        f"{band(values[column, row], lower[column, row], upper[column, row])} nats"
        for column, row in zip(across.tolist(), down.tolist(), strict=True)
    ]
    half = np.array([-0.5, 0.5])
    add_hover(axis, across[:, None] + half, down[:, None] + half, texts)
    across, down = np.nonzero(original)
    axis.scatter(across, down, s=(0.22 * side) ** 2, color="black", linewidths=0)
    axis.set_xlim(-0.5, len(sites) - 0.5)
    axis.set_ylim(len(symbols) - 0.5, -0.5)
    axis.set_facecolor("#ededed")
    numbered = [site % 5 == 0 or site - 1 not in sites for site in sites]
    axis.set_xticks(
        range(len(sites)),
        [
            f"{visible(symbol)}\n{site if shown else ''}"
            for symbol, site, shown in zip(originals, sites, numbered, strict=True)
        ],
    )
    axis.set_yticks(range(len(symbols)), [visible(symbol) for symbol in symbols])
    axis.tick_params(length=0, labelsize=min(9.0, 0.75 * side))
    for spine in axis.spines.values():
        spine.set_visible(False)
