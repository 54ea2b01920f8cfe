"""The systems of the shared coefficients against dense ones."""

import numpy as np
import pytest

from estimators.masked.regression.prior import make_prior
from estimators.masked.regression.shared_coefficients import shared_system, solve_tridiagonal


def dense(system, matrix):
    """The full matrix of which a system stores the lower blocks."""
    size, blocks = system.size, system.blocks
    full = np.zeros((blocks * size, blocks * size))
    for block in range(blocks):
        part = slice(block * size, (block + 1) * size)
        full[part, part] = np.tril(matrix[block])
        if block + 1 < blocks:
            full[(block + 1) * size : (block + 2) * size, part] = matrix[blocks + block]
    return full + np.tril(full, -1).T


@pytest.mark.parametrize("positions", [1, 4, 9])
def test_maths_products_of_terms_add_up_and_are_solved(positions):
    prior = make_prior(0.001, 0.001)
    system, rng = shared_system(prior, positions), np.random.default_rng(0)
    rows = rng.normal(size=(positions, 50, len(prior.shape)))
    products = rows.transpose(0, 2, 1) @ rows
    sides = rng.normal(size=(positions, len(prior.shape), 2))
    expected = np.diag(np.tile(system.prior_precision, system.blocks))
    right = np.zeros((len(expected), 2))
    for places, product, side in zip(system.places, products, sides, strict=True):
        expected[np.ix_(places, places)] += product
        right[places] += side
    matrix = system.matrix(products)
    np.testing.assert_allclose(dense(system, matrix), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(system.right_side(sides), right, rtol=1e-12)
    both = solve_tridiagonal(np.stack([matrix, 2.0 * matrix]), np.stack([right, right]))
    np.testing.assert_allclose(both[0], np.linalg.solve(expected, right), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(2.0 * both[1], both[0], rtol=1e-8, atol=1e-12)
