"""Colours, markers and dashes of estimators, the same in all figures."""

from matplotlib.colors import to_hex, to_rgb

__all__ = ["MISS", "Look", "colour_of", "look_of", "shade_of", "text_on"]

Look = dict[str, str]
"""Colour, marker and dashes of an estimator, as matplotlib calls them."""

COLOURS = {
    "time-integral": "#c2571a",
    "time-free": "#2b6cb0",
    "uniform-count": "#1b7f4b",
    "root-count": "#8a6d00",
    "systematic": "#0f8f96",
    "triangular": "#b0307a",
    "chain": "#6b4fbb",
    "block-chain": "#9a7fe0",
    "without-replacement": "#7f5539",
    "regression": "#111111",
    "exhaustive": "#777777",
    "score-entropy": "#d1495b",
    "marginal-score-entropy": "#7a1f3d",
}
MISS = "#c81e3a"  # an interval that misses the truth
PUBLISHED = "#a05a5a"  # what public implementations compute
MARKERS = {"": "o", "antithetic": "s", "stratified": "^", "latin-hypercube": "v", "sobol": "P"}
DASHES = {"": "-", "antithetic": "--", "stratified": ":", "latin-hypercube": "-.", "sobol": "--"}
LIGHTER = {"": 0.0, "stratified": 0.3, "antithetic": 0.5, "sobol": 0.6, "latin-hypercube": 0.7}


def colour_of(base: str) -> str:
    """Return the colour of an estimator's name without its design.

    Examples
    --------
    >>> colour_of("time-integral(eps=0.001)"), colour_of("published-llada")
    ('#c2571a', '#a05a5a')
    """
    return COLOURS.get(base.partition("(")[0], PUBLISHED)


def shade_of(name: str) -> str:
    """Return the colour of an estimator with its design, or of a contrast: lighter for some designs and if decoupled.

    Examples
    --------
    >>> shade_of("systematic"), shade_of("coupled systematic"), shade_of("uniform-count+stratified")
    ('#0f8f96', '#0f8f96', '#5fa581')
    >>> shade_of("decoupled systematic")
    '#87c7cb'
    """
    contrast, _, estimator = name.rpartition(" ")
    base, _, design = estimator.partition("+")
    kept = (1 - LIGHTER.get(design, 0.4)) * (0.5 if contrast == "decoupled" else 1.0)
    red, green, blue = (1 - kept * (1 - part) for part in to_rgb(colour_of(base)))
    return str(to_hex((red, green, blue)))


def look_of(name: str) -> Look:
    """Return the look of an estimator: colour by mask map, marker and dashes by design, hollow if decoupled.

    Examples
    --------
    >>> look_of("decoupled systematic+sobol")
    {'color': '#0f8f96', 'marker': 'P', 'linestyle': '--', 'markerfacecolor': 'white'}
    """
    contrast, _, estimator = name.rpartition(" ")
    base, _, design = estimator.partition("+")
    colour = colour_of(base)
    return {
        "color": colour,
        "marker": MARKERS.get(design, "D"),
        "linestyle": DASHES.get(design, "-."),
        "markerfacecolor": "white" if contrast == "decoupled" or "(" in base else colour,
    }


def text_on(colour: str) -> str:
    """Return black or white, whichever can be read on a colour.

    Examples
    --------
    >>> text_on("#111111"), text_on("#ffe9a8")
    ('white', 'black')
    """
    red, green, blue = to_rgb(colour)
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.6 else "white"
