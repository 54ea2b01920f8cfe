"""The linear systems of the shared coefficients: block-tridiagonal, as clusters link only nearby positions."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.masked.regression.prior import Prior

__all__ = ["SharedSystem", "shared_system", "solve_tridiagonal"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SharedSystem:
    """Where the shared coefficients of some positions stand: by the first position of their cluster.

    They are cut into equal blocks, of which only neighbours are linked.

    Attributes
    ----------
    places : array of int64, shape (positions, shared)
        The coefficient of each shared term of each position.
    pairs : array of int64, shape (entries,)
        The pairs of shared terms of one position whose products are added to the matrix, in an array (positions,
        shared, shared): those below the diagonal.
    entries : array of int64, shape (entries,)
        Where they are added, in an array (2 x blocks, size, size): the blocks on the diagonal, then those below it.
    blocks, size : int
    prior_precision : array of float64, shape (size,)
        Of the coefficients of each block.
    """

    places: NDArray[np.int64]
    pairs: NDArray[np.int64]
    entries: NDArray[np.int64]
    blocks: int
    size: int
    prior_precision: FloatArray

    def matrix(self, products: FloatArray) -> FloatArray:
        """Sum the products of shared terms (positions, shared, shared): (2 x blocks, size, size)."""
        summed = np.bincount(self.entries, products.reshape(-1)[self.pairs], 2 * self.blocks * self.size**2)
        matrix = summed.astype(np.float64, copy=False).reshape(2 * self.blocks, self.size, self.size)
        diagonal = np.arange(self.size)
        matrix[: self.blocks, diagonal, diagonal] += self.prior_precision
        return matrix

    def right_side(self, products: FloatArray) -> FloatArray:
        """Sum products of shared terms and columns (positions, shared, columns): (coefficients, columns)."""
        side = np.zeros((self.blocks * self.size, products.shape[-1]))
        np.add.at(side, self.places, products)
        return side


@lru_cache(maxsize=64)
def shared_system(prior: Prior, positions: int) -> SharedSystem:
    """Return the system of some neighbouring positions."""
    shapes, span = len(prior.shared), prior.span
    size = span * shapes
    places = (np.arange(positions)[:, None] - prior.start + span) * shapes + prior.shape
    row, column = places[:, :, None], places[:, None, :]
    same, below = row // size == column // size, row // size == column // size + 1
    kept = below | (same & (row >= column))
    blocks = int(places.max()) // size + 1
    entries = ((column // size + np.where(same, 0, blocks)) * size + row % size) * size + column % size
    return SharedSystem(places, np.flatnonzero(kept), entries[kept], blocks, size, np.tile(1.0 / prior.shared, span))


def solve_tridiagonal(matrix: FloatArray, sides: FloatArray) -> FloatArray:
    """Solve symmetric positive definite block-tridiagonal systems by Cholesky's method.

    Parameters
    ----------
    matrix : array of float64, shape (systems, 2 x blocks, size, size)
        The blocks on the diagonal, of which the lower triangles are read, then those below it, and one more that is
        not read.
    sides : array of float64, shape (systems, blocks x size, vectors)

    Returns
    -------
    array of float64, shape (systems, blocks x size, vectors)

    Examples
    --------
    >>> matrix = np.array([2.0, 2.0, 1.0, np.nan]).reshape(1, 4, 1, 1)  # 2 1, 1 2
    >>> solve_tridiagonal(matrix, np.array([[[3.0], [3.0]]]))[0, :, 0].round(12)
    array([1., 1.])
    """
    systems, twice, size, _ = matrix.shape
    blocks = twice // 2
    given = torch.from_numpy(sides).reshape(systems, blocks, size, -1)
    entries = torch.from_numpy(matrix)
    factors: list[torch.Tensor] = []
    links: list[torch.Tensor] = []
    solved: list[torch.Tensor] = []
    for block in range(blocks):
        on_diagonal, side = entries[:, block], given[:, block]
        if block:
            on_diagonal = torch.baddbmm(on_diagonal, links[-1].mT, links[-1], alpha=-1)
            side = side - links[-1].mT @ solved[-1]
        factors.append(torch.linalg.cholesky(on_diagonal))
        solved.append(torch.linalg.solve_triangular(factors[-1], side, upper=False))
        if block + 1 < blocks:
            links.append(torch.linalg.solve_triangular(factors[-1], entries[:, blocks + block].mT, upper=False))
    for block in reversed(range(blocks)):
        side = solved[block] if block + 1 == blocks else solved[block] - links[block] @ solved[block + 1]
        solved[block] = torch.linalg.solve_triangular(factors[block].mT, side, upper=True)
    result: FloatArray = torch.stack(solved, dim=1).reshape(sides.shape).numpy()
    return result
