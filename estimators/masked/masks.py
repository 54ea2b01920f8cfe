"""Masks as boolean arrays: True where a position is masked."""

import numpy as np
from numpy.typing import NDArray

from estimators.errors import InputError

__all__ = ["LARGEST_ENUMERATED_LENGTH", "all_masks", "packed", "smallest"]

LARGEST_ENUMERATED_LENGTH = 20  # a million masks


def smallest(keys: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mask the positions of the smallest keys: by rank, not by threshold, so ties do not change the size.

    Parameters
    ----------
    keys : array of float64, shape (..., length)
    sizes : array of int64, shape (...)
        Number of positions to mask.

    Returns
    -------
    array of bool, shape (..., length)

    Examples
    --------
    >>> smallest(np.array([0.5, 0.1, 0.9]), np.array(2))
    array([ True,  True, False])
    """
    masks = np.zeros(keys.shape, dtype=bool)
    chosen = np.arange(keys.shape[-1]) < sizes[..., None]
    np.put_along_axis(masks, np.argsort(keys, axis=-1, kind="stable"), chosen, axis=-1)
    return masks


def all_masks(length: int) -> NDArray[np.bool_]:
    """Return every non-empty mask.

    Parameters
    ----------
    length : int
        Number ``L`` of positions, at most 20.

    Returns
    -------
    array of bool, shape (2**length - 1, length)
        Row ``n - 1`` holds the bits of ``n``, position 0 the lowest.

    Raises
    ------
    InputError
        If there is no position, or more than 20.

    Examples
    --------
    >>> all_masks(2).astype(int)
    array([[1, 0],
           [0, 1],
           [1, 1]])
    """
    if not 1 <= length <= LARGEST_ENUMERATED_LENGTH:
        raise InputError(
            f"all masks of {length} positions cannot be listed; that needs 1 to {LARGEST_ENUMERATED_LENGTH} positions"
        )
    return (np.arange(1, 2**length)[:, None] >> np.arange(length) & 1).astype(bool)


def packed(masks: NDArray[np.bool_]) -> NDArray[np.generic]:
    """Return each mask (mask, length) as one comparable value: a machine word, or bytes if it is long.

    The empty mask sorts first.
    """
    bits = np.packbits(masks, axis=1)
    words = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : bits.shape[1]] = bits
    if words.shape[1] == 8:
        return words.view(np.uint64)[:, 0]
    return words.view(np.dtype((np.void, words.shape[1])))[:, 0]
