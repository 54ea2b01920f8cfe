"""A surrogate of the losses of one target, cheap enough to score many thousands of orders with no forward pass.

The loss at a position is predicted from signs, 1 where another position is masked and -1 where it is revealed: from
products of the signs of the positions within `REACH` of it, and from the sign of each position within `FAR`, by
Bayesian linear regression of each position by itself. The variances of the products are those of
`estimators.masked.regression.prior`. The near positions have at most ``2^12`` patterns of signs, and a table of them
once the surrogate is fitted, so that an order costs a look-up and a sum per position.
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
FAR = 48  # positions to each side
FAR_VARIANCE = 2e-3  # of the sign of a position beyond the reach
OFFSETS = tuple(offset for offset in range(-REACH, REACH + 1) if offset)
FAR_OFFSETS = tuple(offset for offset in range(-FAR, FAR + 1) if abs(offset) > REACH)


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
        Predicted loss at each position for each pattern of masked neighbours, if all far positions are revealed.
    far : array of float64, shape (length, far offsets)
        What a masked position at each of `FAR_OFFSETS` adds; 0 where there is none.
    """

    tables: FloatArray
    far: FloatArray

    @classmethod
    def fit(cls, masks: NDArray[np.bool_], losses: NDArray[np.floating]) -> "OrderSurrogate":
        """Fit the losses of some passes.

        Parameters
        ----------
        masks : array of bool, shape (passes, length)
        losses : array of float, shape (passes, length)
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
        patterns = _patterns(masks)
        tables, far = np.zeros((length, len(terms))), np.zeros((length, len(FAR_OFFSETS)))
        for position in range(length):
            inside = np.array([0 <= position + offset < length for offset in OFFSETS])
            usable = ~(uses & ~inside).any(axis=1)
            own, rows = terms[:, usable], masks[:, position]
            beyond = [place for place, offset in enumerate(FAR_OFFSETS) if 0 <= position + offset < length]
            others = [position + FAR_OFFSETS[place] for place in beyond]
            signs = np.where(masks[rows][:, others], 1.0, -1.0)
            scale = np.sqrt(np.append(variances[usable], np.full(len(beyond), FAR_VARIANCE)))
            design = np.hstack([own[patterns[rows, position]], signs]) * scale
            precision = design.T @ design
            precision[np.diag_indices_from(precision)] += noise
            coefficients = scale * np.linalg.solve(precision, design.T @ losses[rows, position])
            of_far = coefficients[len(coefficients) - len(beyond) :]
            tables[position] = own @ coefficients[: own.shape[1]] - of_far.sum()
            far[position, beyond] = 2.0 * of_far
        return cls(tables, far)

    def log_likelihoods(self, ranks: NDArray[np.int64]) -> FloatArray:
        """Return the predicted ``log p(x | order)`` of some orders, in nats: (orders,).

        Parameters
        ----------
        ranks : array of int64, shape (orders, length)
            When each position is revealed.
        """
        length = ranks.shape[1]
        patterns = np.zeros(ranks.shape, dtype=np.int64)
        for bit, offset in enumerate(OFFSETS):
            if abs(offset) < length:
                here, there = _shifted(offset, length)
                patterns[:, here] += (ranks[:, there] > ranks[:, here]).astype(np.int64) << bit
        losses = self.tables[np.arange(length), patterns]
        for place, offset in enumerate(FAR_OFFSETS):
            if abs(offset) < length:
                here, there = _shifted(offset, length)
                losses[:, here] += self.far[here, place] * (ranks[:, there] > ranks[:, here])
        total: FloatArray = -np.maximum(losses, 0.0).sum(axis=1)
        return total


def _shifted(offset: int, length: int) -> tuple[slice, slice]:
    """Return the positions that have another one at an offset, and these others."""
    return slice(max(0, -offset), length - max(0, offset)), slice(max(0, offset), length + min(0, offset))


def _patterns(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    length = masks.shape[1]
    patterns = np.zeros(masks.shape, dtype=np.int64)
    for bit, offset in enumerate(OFFSETS):
        if abs(offset) < length:
            here, there = _shifted(offset, length)
            patterns[:, here] += masks[:, there].astype(np.int64) << bit
    return patterns
