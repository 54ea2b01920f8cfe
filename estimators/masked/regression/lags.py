"""Lags at which masks matter far away: copies at a distance, checksums, repeats, tables of fixed width.

The prior of `estimators.masked.regression.prior` holds that positions matter less the farther away they are. Where a
loss depends on the position 20 places on, it cannot learn that from few passes, as every position has coefficients of
its own. If the lag is the same all along the sequence, the passes show it clearly, and one coefficient serves all
positions: ``c(i, S)`` gets a term for each set ``T`` of such lags, the product of the signs at ``i + d`` for the lags
``d`` in ``T``, with a coefficient of variance ``SHARED`` to the number of lags.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from estimators.masked.regression.prior import mean_products

__all__ = ["Lags", "distant_lags", "expected_terms", "lag_terms"]

Lags = tuple[int, ...]

NEAREST = 4  # positions; the prior accounts for nearer ones
SIGNIFICANT = 4.5  # standard deviations; chance gives at most 4 at any of several hundred lags in 1 sample of 100
MOST = 6  # lags; there are 63 terms then
SHARED = 0.5
ROUNDING = 1e-9  # relative: smaller deviations are none


def distant_lags(masks: NDArray[np.bool_], losses: NDArray[np.float64]) -> list[Lags]:
    """Return the lags at which losses depend significantly on masks, the most significant ones first.

    Parameters
    ----------
    masks : array of bool, shape (samples, passes, length)
        A pass that masks nothing does not count.
    losses : array of float64, shape (samples, passes, length)
        0 where not masked.

    Returns
    -------
    list of tuple of int
        For each sample at most 6 of ``-(length - 1) .. length - 1``; almost always none.

    Examples
    --------
    >>> masks = np.random.default_rng(0).random((1, 16, 40)) < 0.5
    >>> copies = masks & np.roll(masks, 20, axis=2)  # a loss only where the copy, 20 positions on, is masked as well
    >>> [sorted(lags) for lags in distant_lags(masks, copies.astype(np.float64))]
    [[-20, 20]]
    """
    samples, _, length = masks.shape
    if length <= NEAREST:
        return [()] * samples
    deviation, sign = _deviations(masks, losses), _sign_deviations(masks)
    varied = np.square(deviation).sum(axis=(1, 2)) > ROUNDING**2 * np.square(losses).sum(axis=(1, 2))
    total, square = _at_lags(deviation, sign), _at_lags(deviation**2, sign**2)
    lags = np.arange(-(length - 1), length)
    present = (np.abs(lags) >= NEAREST) & (square > ROUNDING * square.max(axis=1, keepdims=True)) & varied[:, None]
    score = np.where(present, np.abs(total), 0.0) / np.sqrt(np.where(present, square, 1.0))
    found: list[Lags] = [()] * samples
    for sample in np.flatnonzero((score > SIGNIFICANT).any(axis=1)):
        order = np.argsort(-score[sample], kind="stable")[:MOST]
        found[sample] = tuple(int(lags[index]) for index in order if score[sample, index] > SIGNIFICANT)
    return found


def lag_terms(signs: NDArray[np.float64], lags: Lags) -> NDArray[np.float64]:
    """Return the terms of the losses at all positions, scaled by the standard deviations of their coefficients.

    Parameters
    ----------
    signs : array of float64, shape (length, passes)
        1 where a pass masks a position, -1 where it reveals it.
    lags : tuple of int

    Returns
    -------
    array of float64, shape (length, passes, terms)
        0 where a lag leads out of the sequence.
    """
    length = len(signs)
    shifted = np.zeros((len(lags), *signs.shape))
    for row, lag in zip(shifted, lags, strict=True):
        row[max(0, -lag) : length - max(0, lag)] = signs[max(0, lag) : length + min(0, lag)]
    return np.stack([SHARED ** (len(chosen) / 2) * shifted[chosen].prod(axis=0) for chosen in _subsets(lags)], axis=-1)


def expected_terms(length: int, inside: slice, lags: Lags, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted means of the terms over all masks of each size, summed over the positions inside.

    Parameters
    ----------
    length : int
    inside : slice
        Of the positions.
    lags : tuple of int
    shares : array of float64, shape (functionals, length)
        Weight of each size ``1 .. L`` in each functional.

    Returns
    -------
    array of float64, shape (terms, functionals)
        With the scale of `lag_terms`.
    """
    present = lag_terms(np.ones((length, 1)), lags)[inside, 0].sum(axis=0)
    means = mean_products(length, len(lags)) @ shares.T
    return np.array([count * means[len(chosen)] for count, chosen in zip(present, _subsets(lags), strict=True)])


def _subsets(lags: Lags) -> list[list[int]]:
    numbers = range(len(lags))
    return [list(chosen) for size in numbers for chosen in itertools.combinations(numbers, size + 1)]


def _deviations(masks: NDArray[np.bool_], losses: NDArray[np.float64]) -> NDArray[np.float64]:
    # Of masked tokens from the mean of their position and a line in the masked share.
    counts = np.maximum(masks.sum(axis=1, keepdims=True), 1)
    loss = masks * (losses - (masks * losses).sum(axis=1, keepdims=True) / counts)
    share = masks.mean(axis=2, keepdims=True) * masks
    share = masks * (share - share.sum(axis=1, keepdims=True) / counts)
    spread = np.square(share).sum(axis=(1, 2), keepdims=True)
    slope = (share * loss).sum(axis=(1, 2), keepdims=True) / np.where(spread > 0.0, spread, np.inf)
    deviations: NDArray[np.float64] = loss - slope * share
    return deviations


def _sign_deviations(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    # Of the signs of other positions from their mean, given the size of the mask and one masked position.
    length, sizes = masks.shape[2], masks.sum(axis=2, keepdims=True)
    deviations: NDArray[np.float64] = np.where(masks, 1.0, -1.0) - (2.0 * (sizes - 1) / max(length - 1, 1) - 1.0)
    return deviations


def _at_lags(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    # Sum over passes and positions of first at i times second at i + d, for the lags d = -(L - 1) .. L - 1.
    length = first.shape[2]
    spectra = np.conj(np.fft.rfft(first, 2 * length)) * np.fft.rfft(second, 2 * length)
    sums = np.fft.irfft(spectra.sum(axis=1), 2 * length)
    return np.concatenate([sums[:, length + 1 :], sums[:, :length]], axis=1)
