"""The law of the masks' sizes: strata of equal probability, and the mask that hides everything."""

import numpy as np
from numpy.typing import NDArray

from estimators.mask_maps import smallest

__all__ = ["full_mask_passes", "size_strata", "sized_masks"]

EXPONENT = 0.25  # small masks spread more; from 0 to 0.5 it hardly matters
FULL_MASK_FROM = 16  # costs 5 % on text, and halves the variance where few revealed tokens determine the rest


def full_mask_passes(length: int, passes: int) -> int:
    """Return how many passes, 0 or 1, go to the mask that hides everything."""
    return int(passes >= FULL_MASK_FROM and length > 1)


def size_strata(length: int, passes: int) -> NDArray[np.float64]:
    """Return the law of each pass's size.

    The distribution function of the law ``q(m)`` proportional to ``m^-1/4`` is cut into as many equal strata as there
    are passes. From 16 passes on the last one is the mask that hides everything, and ``q`` is a law of smaller sizes.

    Parameters
    ----------
    length, passes : int

    Returns
    -------
    array of float64, shape (passes, length)
        Probability of each size ``1 .. length`` in each pass.

    Examples
    --------
    >>> size_strata(length=2, passes=2).round(3)
    array([[1.   , 0.   ],
           [0.086, 0.914]])
    """
    full = full_mask_passes(length, passes)
    ends = _distribution(length - full)
    strata = np.zeros((passes, length))
    edges = np.arange(passes - full + 1) / (passes - full)
    overlap = np.minimum(edges[1:, None], ends[1:]) - np.maximum(edges[:-1, None], ends[:-1])
    strata[: passes - full, : length - full] = np.maximum(overlap, 0.0) * (passes - full)
    strata[passes - full :, -1] = 1.0
    return strata


def sized_masks(points: NDArray[np.float64], full: int) -> NDArray[np.bool_]:
    """Turn stratified points (..., passes - full, 1 + length) into masks (..., passes, length), the full mask last."""
    levels, keys = points[..., 0], points[..., 1:]
    length = keys.shape[-1]
    sizes = np.searchsorted(_distribution(length - full)[1:-1], levels, side="right") + 1
    masks = smallest(keys, sizes)
    return np.concatenate([masks, np.ones((*masks.shape[:-2], full, length), dtype=bool)], axis=-2)


def _distribution(sizes: int) -> NDArray[np.float64]:
    # Of the size, from 0 to 1.
    law = np.arange(1, sizes + 1, dtype=np.float64) ** -EXPONENT
    ends: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(law) / law.sum()])
    ends[-1] = 1.0
    return ends
