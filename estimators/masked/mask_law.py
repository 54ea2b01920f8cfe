"""Mask laws: how likely each mask is and which weight it has, in closed form.

All maps here treat the positions alike, so a law is a table over the mask's size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimators.masked.masks import all_masks

__all__ = ["MaskLaw", "estimand_weights"]


def estimand_weights(length: int) -> NDArray[np.float64]:
    """Return the weight of each token loss in the negative log-likelihood, by the mask's size.

    ``NLL(x) = sum over masks S, sum over i in S of B(m, L - m + 1) c(i, S)`` with ``m = |S|``: the Shapley weights.

    Parameters
    ----------
    length : int
        Number ``L`` of scored positions.

    Returns
    -------
    array of float64, shape (length + 1,)
        ``(m - 1)! (L - m)! / L!`` at ``m = 1 .. L``, and 0 for the empty mask.

    Examples
    --------
    >>> estimand_weights(3).tolist()
    [0.0, 0.3333333333333333, 0.16666666666666666, 0.3333333333333333]
    """
    return np.array([0.0] + [1 / (m * math.comb(length, m)) for m in range(1, length + 1)])


@dataclass(frozen=True, eq=False)
class MaskLaw:
    """The law of one pass of an iid estimator: its mask and its weight, for each *given* mask by size.

    Attributes
    ----------
    probability : array of float64, shape (length + 1,)
        ``P(S)``.
    first_moment : array of float64, shape (length + 1,)
        ``E[w 1{S}]``, which is the token weight in the mean. The estimator is unbiased for every model if and only if
        this equals `estimand_weights`.
    second_moment : array of float64, shape (length + 1,)
        ``E[w^2 1{S}]``; may be infinite.

    Notes
    -----
    The moments of the empty mask are 0: it has no losses.

    Examples
    --------
    >>> from estimators import UniformCount
    >>> law = UniformCount().law(3)
    >>> law.probability.round(4), np.array_equal(law.first_moment, estimand_weights(3))
    (array([0.    , 0.1111, 0.1111, 0.3333]), True)
    """

    probability: NDArray[np.float64]
    first_moment: NDArray[np.float64]
    second_moment: NDArray[np.float64]

    @property
    def length(self) -> int:
        """Number of scored positions."""
        return len(self.probability) - 1

    def moments(self, totals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the exact mean and variance of one pass by summing over all masks.

        Parameters
        ----------
        totals : array of float64, shape (..., 2**length - 1)
            Sum of the token losses of each mask, in the order of `all_masks`; `pass_totals` computes it. Nats.

        Returns
        -------
        mean, variance : arrays of float64, shape (...)
            Nats and squared nats. The variance of ``N`` iid passes is the ``N``-th part. It is infinite where it is
            infinite.
        """
        sizes = all_masks(self.length).sum(axis=1)
        mean = totals @ self.first_moment[sizes]
        hit = totals != 0  # an infinite weight on a loss of exactly 0 contributes nothing
        terms = np.zeros_like(totals)
        np.multiply(totals**2, self.second_moment[sizes], out=terms, where=hit)
        return mean, terms.sum(axis=-1) - mean**2
