"""Families of estimators: masks, and score entropies by their noise; each with its own colours."""

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex

from estimators import registry
from infodis_stats.plots.palette import Look, look_of

__all__ = ["MASKS", "families", "family_of", "looks"]

MASKS = "masks"
SHADES = {  # cool for masks, warm for score entropies
    MASKS: ("YlGnBu", 0.95, 0.45),
    "score entropy, absorbing noise": ("YlOrBr", 0.4, 0.6),
    "score entropy, uniform noise": ("Reds", 0.4, 0.65),
    "marginal score entropy, uniform noise": ("RdPu", 0.95, 0.5),
}


def family_of(name: str) -> str:
    """Return the family of an estimator.

    Examples
    --------
    >>> family_of("triangular"), family_of("score-entropy(uniform)+sobol")
    ('masks', 'score entropy, uniform noise')
    """
    estimator = registry.estimator(name)
    if estimator.noise is None:
        return MASKS
    return f"{'marginal ' * estimator.marginal}score entropy, {estimator.noise.name} noise"


def families(names: list[str]) -> dict[str, list[str]]:
    """Return the estimators of each family, in their order."""
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(family_of(name), []).append(name)
    return members


def looks(names: list[str]) -> dict[str, Look]:
    """Return the looks of estimators: the family's hue, a shade each, markers and dashes by design."""
    shown = {}
    for family, members in families(names).items():
        shades, first, last = SHADES[family]
        for name, shade in zip(members, np.linspace(first, last, len(members)), strict=True):
            colour = to_hex(mpl.colormaps[shades](shade))
            shown[name] = look_of(name) | {"color": colour, "markerfacecolor": colour}
    return {name: shown[name] for name in names}
