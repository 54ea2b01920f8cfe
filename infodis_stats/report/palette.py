"""One colour for each estimator, the same in all figures."""

__all__ = ["colour_of"]

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
}
PUBLISHED = "#a05a5a"  # what public implementations compute


def colour_of(base: str) -> str:
    """Return the colour of an estimator's name without its design.

    Examples
    --------
    >>> colour_of("time-integral(eps=0.001)"), colour_of("published-llada")
    ('#c2571a', '#a05a5a')
    """
    return COLOURS.get(base.partition("(")[0], PUBLISHED)
