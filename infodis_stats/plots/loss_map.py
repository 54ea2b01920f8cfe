"""Loss maps: a text whose tokens are coloured by their cost, with a bar and its interval under each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import ends_of
from infodis_stats.plots.palette import text_on
from infodis_stats.plots.panels import Ax, Drawn, axes_for, drawn_on

__all__ = ["TextMap", "draw_text", "lines_of", "plot_loss_map", "visible"]

WRAP = 72  # characters per line
LINE = 0.62  # inches: of a line with its bars
LETTERS, BARS, GAP = 0.42, 0.48, 0.1  # of a line
COLOURS = colormaps["YlOrRd"]
LARGEST_SHADE = 0.85
INVISIBLE = {"\n": "⏎", " ": "·", "\t": "⇥"}
FONT = 8.5  # points


@dataclass(frozen=True, eq=False)
class TextMap:
    """A text and the costs of its tokens with the ends of their intervals, (token,); its prompt is shown in grey."""

    prompt: str
    tokens: Sequence[str]
    cost: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    unit: str


def plot_loss_map(result: xr.Dataset, *, ax: Ax = None) -> Drawn:
    """Plot a text with the cost of each token: its colour, and under it a bar with its confidence interval.

    Tokens stand in lines of 72 characters; · is a space, ⏎ the end of a line.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_positions`.
    ax : Axes, optional
        Where to draw; an empty figure is laid out. Default: a new figure.

    Returns
    -------
    Axes
        Its label says the sum, which is the negative log-likelihood, and the largest cost, which is the height of a
        bar.

    Raises
    ------
    InputError
        If it is no such result.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> from matplotlib.figure import Figure
    >>> record = ids.Record("opening", "It is a truth ", "universally")
    >>> tokens = ids.estimate_positions(ids.load_model("austen"), record, passes=4, replicates=4)
    >>> ids.plot_loss_map(tokens, ax=Figure()).get_xlabel().partition(":")[0]
    'contribution of each token to the negative log-likelihood (nats)'
    """
    if not isinstance(result, xr.Dataset) or not {"nll", "nll_ci", "token"} <= set(result):
        kind = "another data set" if isinstance(result, xr.Dataset) else type(result).__name__
        raise InputError(f"plot_loss_map needs the result of estimate_positions, got {kind}")
    if not result["nll"].ndim or not result["nll"].size:
        raise InputError("plot_loss_map needs a result with a dimension of positions, and at least one of them")
    text = TextMap("", result["token"].values.tolist(), result["nll"].values, *ends_of(result["nll_ci"]), "nats")
    (axis,) = axes = axes_for(ax, 1, 0.7 + LINE * len(lines_of(text)))
    top = float(text.upper.max())
    draw_text(axis, text, max(top, 1e-9))
    total, count = text.cost.sum(), len(text.cost)
    axis.set_xlabel(
        f"contribution of each token to the negative log-likelihood (nats): {total:.1f} in all, "
        f"{total / count:.2f} per token; a bar of full height is {top:.2f}"
    )
    return drawn_on(axes)


def visible(token: str) -> str:
    r"""Return a token with signs for white space.

    Examples
    --------
    >>> visible("a b"), visible("end.\n")
    ('a·b', 'end.⏎')
    """
    return "".join(INVISIBLE.get(character, character) for character in token)


def lines_of(text: TextMap) -> list[list[int]]:
    """Return the cells of each line: tokens by their index, characters of the prompt by negative numbers.

    A line is broken before a token that does not fit, and after the end of a line.
    """
    cells = [*range(-len(text.prompt), 0), *range(len(text.tokens))]
    lines: list[list[int]] = [[]]
    filled = 0
    for cell in cells:
        size = max(1, len(_shown(text, cell)))
        if lines[-1] and (filled + size > WRAP or _shown(text, lines[-1][-1]).endswith("\n")):
            lines.append([])
            filled = 0
        lines[-1].append(cell)
        filled += size
    return lines


def draw_text(axis: Axes, text: TextMap, top: float) -> None:
    """Draw a text; ``top`` is the cost of a bar of full height and of the darkest colour."""
    boxes, bars, shades, whiskers, texts = [], [], [], [], []
    lines = lines_of(text)
    for row, line in enumerate(lines):
        x = 0.0
        for cell in line:
            token = _shown(text, cell)
            width = float(max(1, len(token)))
            colour = "#999999"
            if cell >= 0:
                cost, low, high = (float(part[cell]) for part in (text.cost, text.lower, text.upper))
                share, *ends = (min(max(value / top, 0.0), 1.0) for value in (cost, low, high))
                shade = to_hex(COLOURS(LARGEST_SHADE * share))
                colour, floor = text_on(shade), row + LETTERS + BARS
                boxes.append(_box(x, row, x + width, row + LETTERS))
                bars.append(_box(x + 0.15, floor - BARS * share, x + width - 0.15, floor))
                whiskers.append((x + width / 2, *(floor - BARS * end for end in ends)))
                shades.append(shade)
                texts.append(f"{visible(token)}: {cost:.2f} [{low:.2f}, {high:.2f}] {text.unit}")
            axis.text(
                x + width / 2,
                row + LETTERS / 2,
                visible(token),
                ha="center",
                va="center",
                family="monospace",
                fontsize=FONT,
                color=colour,
                parse_math=False,
            )
            x += width
    axis.add_collection(PolyCollection(boxes, facecolors=shades, linewidths=0), autolim=False)
    axis.add_collection(PolyCollection(bars, facecolors="#9db8d2", linewidths=0), autolim=False)
    middle, low_end, high_end = np.array(whiskers).T
    axis.vlines(middle, low_end, high_end, color="#112233", linewidth=0.9)
    axis.set_xlim(0, WRAP)
    axis.set_ylim(len(lines) - GAP / 2, -GAP / 2)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    places = np.array(boxes)
    add_hover(axis, places[:, [0, 2], 0], np.stack([places[:, 0, 1], places[:, 0, 1] + LETTERS + BARS], -1), texts)


def _shown(text: TextMap, cell: int) -> str:
    return text.prompt[cell] if cell < 0 else text.tokens[cell]


def _box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (left, bottom), (right, bottom), (right, top)]
