"""The items that a panel draws, and their names."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators.streams import root_seed, stream

__all__ = ["MOST_ITEMS", "draws_of", "ends_of", "quantity_label", "short_name", "subsample", "subsample_note"]

MOST_ITEMS = 500  # in a panel: more are illegible and take hundreds of megabytes
LONGEST_NAME = 28
QUANTITY = {"nll": "negative log-likelihood", "log_ratio": "log-likelihood ratio"}


def subsample(count: int) -> NDArray[np.int64]:
    """Choose which of ``count`` items a panel draws: all, or a subsample of 500 with a fixed seed.

    Examples
    --------
    >>> subsample(3), len(subsample(100_000))
    (array([0, 1, 2]), 500)
    """
    if count <= MOST_ITEMS:
        return np.arange(count)
    return np.sort(stream(root_seed(0), "items of a panel", str(count)).choice(count, MOST_ITEMS, replace=False))


def subsample_note(count: int) -> str:
    """Return how many items a panel draws, for the end of a label; empty where it draws all.

    Examples
    --------
    >>> subsample_note(3), subsample_note(100_000)
    ('', '; 500 of 100,000 drawn at random')
    """
    return f"; {MOST_ITEMS} of {count:,} drawn at random" if count > MOST_ITEMS else ""


def short_name(label: object) -> str:
    r"""Return a label on one line, cut where it is too long for a panel.

    Examples
    --------
    >>> short_name("a\nb"), short_name(3), len(short_name("x" * 99))
    ('a b', '3', 28)
    """
    text = " ".join(str(label).split())
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def quantity_label(result: xr.Dataset, name: str) -> str:
    """Return what a result estimates: of likelihoods by their long name, as a bracket has two of them."""
    return str(result[name].attrs.get("long_name", QUANTITY[name])) if name == "nll" else QUANTITY[name]


def draws_of(result: xr.Dataset, name: str, row: int) -> NDArray[np.float64]:
    """Return the replicates of an item that were drawn, (replicate,)."""
    draws = result[f"{name}_replicate"].transpose(..., "replicate").values[row]
    return np.asarray(draws[~np.isnan(draws)])


def ends_of(interval: xr.DataArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and the upper ends of intervals."""
    return interval.sel(ci_bound="lower").values, interval.sel(ci_bound="upper").values
