"""The covariances of the prior and their means over masks, against the sum over all clusters."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from estimators import all_masks
from estimators.masked.regression import prior

LENGTH = 5


def cluster_covariance(one, two, i, j, window):
    """Cov(c(i, S), c(j, S')) term by term; ``one`` and ``two`` are the signs of S and S'."""
    total = prior.OFFSET * (i == j)
    for size in range(1, len(window) + 1):
        for cluster in itertools.combinations(window, size):
            if i in cluster and j in cluster:
                variance = np.prod([prior.LINK * prior.DECAY ** (b - a - 1) for a, b in itertools.pairwise(cluster)])
                others = np.prod([one[a] for a in cluster if a != i]) * np.prod([two[a] for a in cluster if a != j])
                total += (1 + prior.OWN * (i == j)) * variance * others
    return total


@pytest.mark.parametrize("inside", [slice(0, 5), slice(1, 3), slice(4, 5)])
def test_maths_covariance_is_the_sum_over_clusters(inside):
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(LENGTH, 4))
    computed = prior.covariance(signs, inside)
    positions = range(LENGTH)[inside]
    for (a, i), (b, j) in itertools.product(enumerate(positions), repeat=2):
        for one, two in itertools.product(range(4), repeat=2):
            expected = cluster_covariance(signs[:, one], signs[:, two], i, j, range(LENGTH)) if j <= i else 0.0
            assert computed[a, one, b, two] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("window", "inside"), [(slice(0, 5), slice(0, 5)), (slice(1, 5), slice(2, 4))])
def test_maths_expected_covariance_is_the_mean_over_all_masks(window, inside):
    """Only the mask within the window enters the covariance, but its size is that of the whole mask."""
    rng = np.random.default_rng(1)
    signs, shares = rng.choice([-1.0, 1.0], size=(LENGTH, 3)), rng.random((2, LENGTH))
    inner = slice(inside.start - window.start, inside.stop - window.start)
    computed = prior.expected_covariance(signs[window], inner, shares)
    positions, looked_at = range(LENGTH)[inside], range(LENGTH)[window]
    masks = all_masks(LENGTH)
    for (b, j), k, functional in itertools.product(enumerate(positions), range(3), range(2)):
        expected = 0.0
        for size in range(1, LENGTH + 1):
            for i in positions:
                possible = masks[(masks.sum(axis=1) == size) & masks[:, i]]
                values = [
                    cluster_covariance(np.where(mask, 1.0, -1.0), signs[:, k], i, j, looked_at) for mask in possible
                ]
                expected += shares[functional, size - 1] * np.mean(values)
        assert computed[b, k, functional] == pytest.approx(expected, rel=1e-12)


def test_maths_orders_beyond_the_last_are_below_rounding():
    """If all signs agree, every order contributes its maximum, and the orders sum to the scalar recursion."""
    signs = np.ones((200, 1))
    by_order, counted = prior._reach_by_order(signs, np.ones(200), prior.ORDERS)
    np.testing.assert_allclose(by_order.sum(axis=-1), prior._reach(signs), rtol=1e-15)
    np.testing.assert_allclose((by_order * np.arange(prior.ORDERS + 1)).sum(axis=-1), counted.sum(axis=-1), rtol=1e-14)
    few, _ = prior._reach_by_order(signs, np.ones(200), 5)
    assert not np.allclose(few.sum(axis=-1), prior._reach(signs), rtol=1e-9)  # control: too few orders


@pytest.mark.parametrize("length", [1, 2, 6, 26, 40, 300])
def test_maths_mean_products_of_signs_by_counting(length):
    """Of n other positions, j are masked in C(masked, j) C(revealed, n - j) of the C(others, n) choices."""
    orders = min(length - 1, prior.ORDERS)
    expected = np.empty((orders + 1, length))
    for n, masked in itertools.product(range(orders + 1), range(length)):
        ways = ((-1) ** (n - j) * math.comb(masked, j) * math.comb(length - 1 - masked, n - j) for j in range(n + 1))
        expected[n, masked] = Fraction(sum(ways), math.comb(length - 1, n))
    np.testing.assert_allclose(prior.mean_products(length, orders), expected, atol=1e-11)
