"""What a published number may be compared with, from its measured bias."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from infodis_stats.plots.numbers import significant

__all__ = ["Comparable", "comparable"]

SMALL, MODERATE = 0.005, 0.02  # of the any-order value
NORMAL = 1.96


@dataclass(frozen=True)
class Comparable:
    """What one published number may be compared with.

    Parameters
    ----------
    any_order : bool or None
        Whether any-order values are among it; None if the draws do not decide that.
    words : str
    """

    any_order: bool | None
    words: str


def comparable(part: xr.Dataset) -> Comparable:
    """Return what an estimator's numbers on a subject may be compared with.

    Parameters
    ----------
    part : xarray.Dataset
        The summary of one estimator on one subject, with ``bias``, ``bias_se`` and ``cautions``.
    """
    bias, error = float(part["bias"]), float(part["bias_se"])
    unbiased = not bool(part["cautions"].sel(caution="biased"))
    if bool(part["cautions"].sel(caution="infinite-variance")):
        return Comparable(unbiased, "any-order (infinite variance)")
    if unbiased:
        return Comparable(True, "any-order")
    largest = abs(bias) + NORMAL * error
    if largest <= SMALL:
        return Comparable(True, "any-order")
    if largest <= MODERATE:
        return Comparable(True, f"any-order, to {_percent(largest)}")
    if abs(bias) - NORMAL * error <= MODERATE:
        return Comparable(None, "not decided")
    return Comparable(False, "same code only")


def _percent(share: float) -> str:
    return f"{significant(100 * float(np.ceil(share * 1000) / 1000), 2).removesuffix('.0')} %"
