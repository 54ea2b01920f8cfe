"""The stored studies that plots take."""

import xarray as xr

from estimators import InputError

__all__ = ["summary_of"]

PLOTS = {
    "calibration": "plot_coverage",
    "comparison": "plot_variance",
    "frontier": "plot_frontier",
    "information": "plot_variance",
}
"""The plot of each kind of study that has one."""


def summary_of(tree: object, plot: str, *needed: str) -> xr.Dataset:
    """Return the summary of a study of a kind that a plot draws.

    Parameters
    ----------
    tree : object
    plot : str
        Name of the function.
    *needed : str
        Variables of the summary.

    Raises
    ------
    InputError
        If it is no study of such a kind, or not a whole one.

    Examples
    --------
    >>> summary_of([1.0], "plot_coverage")
    Traceback (most recent call last):
    estimators.errors.InputError: plot_coverage needs a study of kind calibration, as run_study returns or read_store \
reads it, got list
    """
    kinds = [kind for kind, name in PLOTS.items() if name == plot]
    purpose = f"{plot} needs a study of kind {' or '.join(kinds)}, as run_study returns or read_store reads it"
    if not isinstance(tree, xr.DataTree):
        raise InputError(f"{purpose}, got {type(tree).__name__}")
    kind = tree.attrs.get("kind")
    if kind not in kinds:
        other = f", which {PLOTS[kind]} draws" if kind in PLOTS else ""
        raise InputError(f"{purpose}, got {f'one of kind {kind}{other}' if kind else 'another tree'}")
    summary = tree["summary"].to_dataset() if "summary" in tree.children else xr.Dataset()
    missing = [name for name in needed if name not in summary.variables]
    if missing:
        raise InputError(f"{purpose}, but its summary has no {missing[0]}")
    return summary
