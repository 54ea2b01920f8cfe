"""A surrogate of the losses of one target, cheap enough to score many thousands of orders with no forward pass.

The loss at a position is predicted from the signs of the positions within `REACH` of it, 1 where masked and -1 where
revealed, and from the masked share of all others: Bayesian linear regression on products of signs, with the prior
variances of `estimators.masked.regression.prior`, of each position by itself. A position has at most ``2^12`` patterns
of signs, and a table of them once it is fitted, so that an order costs a look-up per position.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from estimators.masked.regression.prior import make_prior

__all__ = ["OrderSurrogate"]

FloatArray = NDArray[np.float64]

REACH = 6  # positions to each side
SMALLEST_VARIANCE = 3e-5  # of a product of signs that is kept
OTHERS = 1.0  # prior variance of the coefficient of the masked share of the positions beyond the reach
OFFSETS = tuple(offset for offset in range(-REACH, REACH + 1) if offset)


@cache
def _terms() -> tuple[FloatArray, FloatArray, NDArray[np.bool_], float]:
    """Return the terms of every pattern, their prior variances, which offsets they use, and the variance of the rest.

    Patterns have the bit of each offset of `OFFSETS`: (patterns, terms), (terms,), (terms, offsets).
    """
    prior = make_prior(SMALLEST_VARIANCE, SMALLEST_VARIANCE)
    kept = [number for number, used in enumerate(prior.offsets) if all(abs(offset) <= REACH for offset in used)]
    uses = np.array([[offset in prior.offsets[number] for offset in OFFSETS] for number in kept])
    signs = 2.0 * (np.arange(2 ** len(OFFSETS))[:, None] >> np.arange(len(OFFSETS)) & 1) - 1.0
    terms = np.stack([signs[:, used].prod(axis=1) for used in uses], axis=1)
    return terms, prior.alone[kept], uses, prior.noise


@dataclass(frozen=True, eq=False)
class OrderSurrogate:
    """The predicted losses of a target under any mask.

    Attributes
    ----------
    tables : array of float64, shape (length, patterns)
        Predicted loss at each position for each pattern of masked neighbours, where half of the others are masked.
    slopes : array of float64, shape (length,)
        What the masked share of the positions beyond the reach adds per unit.
    """

    tables: FloatArray
    slopes: FloatArray

    @classmethod
    def fit(cls, masks: NDArray[np.bool_], losses: FloatArray) -> "OrderSurrogate":
        """Fit the losses of some passes.

        Parameters
        ----------
        masks : array of bool, shape (passes, length)
        losses : array of float64, shape (passes, length)
            Nats; read where masked.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> masks = rng.random((400, 5)) < 0.5
        >>> alone = masks & ~np.roll(masks, 1, axis=1)  # a loss of 1 where the position to the left is revealed
        >>> surrogate = OrderSurrogate.fit(masks, alone.astype(float))
        >>> surrogate.log_likelihoods(np.array([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]])).round(1)
        array([-4.1, -0.9])
        """
        terms, variances, uses, noise = _terms()
        length = masks.shape[1]
        patterns, shares = _patterns(masks), _other_shares(masks)
        tables, slopes = np.zeros((length, len(terms))), np.zeros(length)
        for position in range(length):
            inside = np.array([0 <= position + offset < length for offset in OFFSETS])
            usable = ~(uses & ~inside).any(axis=1)
            own, variance = terms[:, usable], variances[usable]
            rows = masks[:, position]
            design = np.column_stack([own[patterns[rows, position]], shares[rows, position]])
            scale = np.sqrt(np.append(variance, OTHERS))
            design *= scale
            precision = design.T @ design
            precision[np.diag_indices_from(precision)] += noise
            coefficients = scale * np.linalg.solve(precision, design.T @ losses[rows, position])
            tables[position] = own @ coefficients[:-1]
            slopes[position] = coefficients[-1]
        return cls(tables, slopes)

    def log_likelihoods(self, ranks: NDArray[np.int64]) -> FloatArray:
        """Return the predicted ``log p(x | order)`` of some orders, in nats: (orders,).

        Parameters
        ----------
        ranks : array of int64, shape (orders, length)
            When each position is revealed.
        """
        length = ranks.shape[1]
        patterns = np.zeros(ranks.shape, dtype=np.int64)
        near = np.zeros(ranks.shape, dtype=np.int64)
        for bit, offset in enumerate(OFFSETS):
            if abs(offset) < length:
                here = slice(max(0, -offset), length - max(0, offset))
                there = slice(max(0, offset), length + min(0, offset))
                masked = ranks[:, there] > ranks[:, here]
                patterns[:, here] += masked.astype(np.int64) << bit
                near[:, here] += masked
        shares = _centred_share(length - 1 - ranks - near, length)
        losses = self.tables[np.arange(length), patterns] + self.slopes * shares
        total: FloatArray = -np.maximum(losses, 0.0).sum(axis=1)
        return total


def _patterns(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    padded = np.pad(masks, ((0, 0), (REACH, REACH)))
    length = masks.shape[1]
    patterns = np.zeros(masks.shape, dtype=np.int64)
    for bit, offset in enumerate(OFFSETS):
        patterns |= padded[:, REACH + offset : REACH + offset + length].astype(np.int64) << bit
    return patterns


def _other_shares(masks: NDArray[np.bool_]) -> FloatArray:
    length = masks.shape[1]
    position = np.arange(length)
    window = np.abs(position[:, None] - position) <= REACH
    return _centred_share(masks.astype(np.int64) @ ~window, length)


def _centred_share(count: NDArray[np.int64], length: int) -> FloatArray:
    # Of the positions beyond the reach, less a half; 0 where there are none.
    position = np.arange(length)
    others = length - (np.minimum(position + REACH, length - 1) - np.maximum(position - REACH, 0) + 1)
    return np.where(others > 0, count / np.maximum(others, 1) - 0.5, 0.0)
