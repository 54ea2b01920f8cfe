"""The terms of the prior against a sum over all clusters, and the mean products of signs against counting."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from estimators.masked.regression import prior
from estimators.masked.regression.prior import make_prior


def clusters_of(position, window):
    """All clusters of a window that contain a position, with their prior variances."""
    others = [place for place in window if place != position]
    for size in range(len(others) + 1):
        for chosen in itertools.combinations(others, size):
            cluster = sorted((*chosen, position))
            links = [prior.LINK * prior.DECAY ** (after - before - 1) for before, after in itertools.pairwise(cluster)]
            yield cluster, math.prod(links)


@pytest.mark.parametrize(("shared_from", "alone_from"), [(0.003, 0.003), (0.003, 0.0003), (0.001, 0.0003)])
def test_maths_terms_are_the_clusters_of_sufficient_variance(shared_from, alone_from):
    made = make_prior(shared_from, alone_from)
    expected = {
        tuple(place for place in cluster if place != 0): (variance, cluster[0])
        for cluster, variance in clusters_of(0, range(-7, 8))
        if variance >= alone_from
    }
    assert len(made.offsets) == len(set(made.offsets))
    assert set(made.offsets) == set(expected)
    for term, offsets in enumerate(made.offsets):
        variance, first = expected[offsets]
        if not offsets:
            assert made.alone[term] == pytest.approx(1.0 + prior.OWN + prior.OFFSET)
        elif variance >= shared_from:
            assert made.alone[term] == pytest.approx(prior.OWN * variance)
            assert made.shared[made.shape[term - 1]] == pytest.approx(variance)
            assert made.start[term - 1] == -first
        else:
            assert made.alone[term] == pytest.approx((1.0 + prior.OWN) * variance)
            assert term > len(made.shape)


def test_maths_what_is_left_out_is_in_the_noise():
    """The variances of all clusters of 15 positions around one are 99.9 % of the total."""
    everything = sum(variance for _, variance in clusters_of(0, range(-7, 8)))
    for thresholds in ((0.003, 0.003), (0.001, 0.0003)):
        made = make_prior(*thresholds)
        kept = made.alone.sum() + made.shared[made.shape].sum() - prior.OFFSET
        total = kept + made.noise - prior.NOISE
        assert total == pytest.approx((1.0 + prior.OWN) * everything, rel=1e-3)
        assert kept < 0.99 * total


@pytest.mark.parametrize("length", [1, 2, 6, 26, 40, 300])
def test_maths_mean_products_of_signs_by_counting(length):
    """Of n other positions, j are masked in C(masked, j) C(revealed, n - j) of the C(others, n) choices."""
    orders = 24
    expected = np.zeros((orders + 1, length))
    for n, masked in itertools.product(range(min(orders, length - 1) + 1), range(length)):
        ways = ((-1) ** (n - j) * math.comb(masked, j) * math.comb(length - 1 - masked, n - j) for j in range(n + 1))
        expected[n, masked] = Fraction(sum(ways), math.comb(length - 1, n))
    np.testing.assert_allclose(prior.mean_products(length, orders), expected, atol=1e-11)
