"""Loss maps: a text whose tokens are coloured by their cost, with a bar and its error under each."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

__all__ = ["TextMap", "loss_map_svg"]

CELL, LINE, BARS = 10.5, 20.0, 26.0  # width of a character, height of its line and of the bars under it
WRAP = 72  # characters per line
COLOURS = colormaps["YlOrRd"]
SHOWN = {"\n": "⏎", " ": "·", "\t": "⇥"}


@dataclass(frozen=True, eq=False)
class TextMap:
    """A text and the costs of its tokens: bits and their standard errors, (token,)."""

    name: str
    prompt: str
    tokens: Sequence[str]
    bits: NDArray[np.float64]
    error: NDArray[np.float64]


def loss_map_svg(maps: Sequence[TextMap], quantile: float) -> str:
    """Draw texts below one another.

    Parameters
    ----------
    maps : sequence of TextMap
    quantile : float
        Length of the bars' whiskers, in standard errors.

    Returns
    -------
    str
        An SVG element. The prompt is grey; a token's colour and bar are its bits, all on one scale.
    """
    top = max(1.0, *(float((text_map.bits + quantile * text_map.error).max()) for text_map in maps))
    parts: list[str] = []
    height = 0.0
    for text_map in maps:
        height += 18
        bits = text_map.bits.sum()
        total = f"{bits:.1f} bits, {bits / len(text_map.bits):.2f} per token"
        parts.append(f'<text x="0" y="{height:.1f}" class="name">{escape(text_map.name)}: {total}</text>')
        height += 6
        for line in _lines(text_map):
            parts += _line(line, height, top, quantile)
            height += LINE + BARS + 8
    width = WRAP * CELL + 2
    style = (
        '<style>.map text{font:13px ui-monospace,"DejaVu Sans Mono",monospace;text-anchor:middle}'
        ".map .name{font:600 12px system-ui,sans-serif;text-anchor:start;fill:#333}.map .given{fill:#999}</style>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="map" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">{style}{"".join(parts)}</svg>'
    )


Cell = tuple[str, float | None, float]
"""A token's text, its bits (None in the prompt) and their standard error."""


def _lines(text_map: TextMap) -> list[list[Cell]]:
    cells: list[Cell] = [(character, None, 0.0) for character in text_map.prompt]
    cells += list(zip(text_map.tokens, text_map.bits.tolist(), text_map.error.tolist(), strict=True))
    lines: list[list[Cell]] = [[]]
    filled = 0
    for cell in cells:
        size = max(1, len(cell[0]))
        if lines[-1] and (filled + size > WRAP or lines[-1][-1][0].endswith("\n")):
            lines.append([])
            filled = 0
        lines[-1].append(cell)
        filled += size
    return lines


def _line(cells: list[Cell], y: float, top: float, quantile: float) -> list[str]:
    parts = []
    x = 0.0
    for token, bits, error in cells:
        width = CELL * max(1, len(token))
        shown = escape("".join(SHOWN.get(character, character) for character in token))
        if bits is None:
            parts.append(_text(x + width / 2, y, shown, 'class="given"'))
        else:
            half = quantile * error
            share, low, high = (min(max(value / top, 0.0), 1.0) for value in (bits, bits - half, bits + half))
            red, green, blue, _ = (round(255 * value) for value in COLOURS(0.85 * share))
            parts += [
                f"<g><title>{shown}: {bits:.2f} ± {half:.2f} bits</title>",
                _box(x, y, width, LINE, f"rgb({red},{green},{blue})"),
                _text(x + width / 2, y, shown, f'fill="{"#fff" if share > 0.75 else "#111"}"'),
                _box(x + 1.5, y + LINE + BARS * (1 - share), width - 3, BARS * share, "#9db8d2"),
                f'<path d="M{x + width / 2:.1f} {y + LINE + BARS * (1 - low):.1f}V{y + LINE + BARS * (1 - high):.1f}" '
                'stroke="#123" stroke-width="1.2"/></g>',
            ]
        x += width
    return parts


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _text(x: float, y: float, shown: str, look: str) -> str:
    return f'<text x="{x:.1f}" y="{y + LINE - 5:.1f}" {look}>{shown}</text>'
