"""The law of the masks' sizes: strata of equal probability, and the mask that hides everything."""

import numpy as np
from numpy.typing import NDArray

from estimators.masked.masks import smallest

__all__ = ["full_mask_passes", "size_strata", "sized_masks"]

FULL_MASK_FROM = 16  # costs 5 % on text, and halves the variance where few revealed tokens determine the rest


def full_mask_passes(length: int, passes: int) -> int:
    """Return how many passes, 0 or 1, go to the mask that hides everything."""
    return int(passes >= FULL_MASK_FROM and length > 1)


def size_strata(length: int, passes: int) -> NDArray[np.float64]:
    """Return the law of each pass's size.

    The uniform law of the size is cut into as many equal strata as there are passes. From 16 passes on the last one is
    the mask that hides everything, and the others share the smaller sizes.

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
    full = full_mask_passes(length, passes)
    drawn, largest = passes - full, length - full
    stratum, size = np.arange(drawn)[:, None] / drawn, np.arange(largest) / largest
    overlap = np.minimum(stratum + 1.0 / drawn, size + 1.0 / largest) - np.maximum(stratum, size)
    strata = np.zeros((passes, length))
    strata[:drawn, :largest] = np.maximum(overlap, 0.0) * drawn
    strata[drawn:, -1] = 1.0
    return strata


def sized_masks(points: NDArray[np.float64], full: int) -> NDArray[np.bool_]:
    """Turn stratified points (..., passes - full, 1 + length) into masks (..., passes, length), the full mask last."""
    quantiles, keys = points[..., 0], points[..., 1:]
    length = keys.shape[-1]
    largest = length - full
    sizes = np.minimum((quantiles * largest).astype(np.int64) + 1, largest)
    masks = smallest(keys, sizes)
    return np.concatenate([masks, np.ones((*masks.shape[:-2], full, length), dtype=bool)], axis=-2)
