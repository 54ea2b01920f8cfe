"""The law of the masks' sizes: strata of equal probability, and sizes that have a pass of their own."""

import numpy as np
from numpy.typing import NDArray

from estimators.masked.masks import smallest

__all__ = ["SINGLE_FROM", "equal_strata", "full_mask_passes", "size_strata", "sized_masks"]

SINGLE_FROM = 16  # passes
SMALLEST = 2  # sizes 1 and 2 have a pass of their own


def full_mask_passes(length: int, passes: int) -> int:
    """Return how many passes, 0 or 1, go to the mask that hides everything."""
    return int(passes >= SINGLE_FROM and length > 1)


def smallest_passes(length: int, passes: int) -> int:
    """Return how many of the smallest sizes have a pass of their own: none where the strata are that narrow anyway."""
    return SMALLEST if SINGLE_FROM <= passes < length else 0


def size_strata(length: int, passes: int) -> NDArray[np.float64]:
    """Return the law of each pass's size.

    The uniform law of the size is cut into as many equal strata as there are passes. From 16 passes on the last one is
    the mask that hides everything: where few revealed tokens determine the rest, that halves the variance. If there are
    more sizes than passes, sizes 1 and 2 have a pass each as well: tokens that determine one another show there, and
    other strata would miss them. The other passes share the sizes in between.

    Parameters
    ----------
    length, passes : int

    Returns
    -------
    array of float64, shape (passes, length)
        Probability of each size ``1 .. length`` in each pass.

    Examples
    --------
    >>> size_strata(length=3, passes=2).round(3)
    array([[0.667, 0.333, 0.   ],
           [0.   , 0.333, 0.667]])
    """
    low, full = smallest_passes(length, passes), full_mask_passes(length, passes)
    drawn, between = passes - low - full, length - low - full
    strata = np.zeros((passes, length))
    strata[:low, :low] = np.eye(low)
    strata[low : low + drawn, low : low + between] = equal_strata(drawn, between)
    strata[low + drawn :, -1] = 1.0
    return strata


def equal_strata(drawn: int, sizes: int) -> NDArray[np.float64]:
    """Return the law of the size in each of as many equal strata as passes, of a uniform one: (drawn, sizes)."""
    stratum, size = np.arange(drawn)[:, None] / drawn, np.arange(sizes) / sizes
    overlap = np.minimum(stratum + 1.0 / drawn, size + 1.0 / sizes) - np.maximum(stratum, size)
    law: NDArray[np.float64] = np.maximum(overlap, 0.0) * drawn
    return law


def sized_masks(points: NDArray[np.float64], passes: int) -> NDArray[np.bool_]:
    """Turn stratified points (..., drawn, 1 + length) into masks (..., passes, length): by size, the full mask last."""
    quantiles, keys = points[..., 0], points[..., 1:]
    drawn, length = keys.shape[-2:]
    low, full = smallest_passes(length, passes), full_mask_passes(length, passes)
    between = length - low - full
    place = (quantiles * drawn - low) / (drawn - low)
    sizes = low + np.minimum((place * between).astype(np.int64) + 1, between)
    sizes[..., :low] = 1 + np.arange(low)
    masks = smallest(keys, sizes)
    return np.concatenate([masks, np.ones((*masks.shape[:-2], full, length), dtype=bool)], axis=-2)
