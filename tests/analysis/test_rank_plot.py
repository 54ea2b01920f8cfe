"""Shares of the first half of the replicates by rank: exact for few replicates, and sensitive to drift."""

from itertools import permutations

import numpy as np
import pytest

from estimators.errors import InputError
from infodis_stats.analysis import half_ranks


def rng(seed=0):
    return np.random.default_rng(seed)


def outside(found):
    return bool(((found.share < found.lower - 1e-12) | (found.share > found.upper + 1e-12)).any())


def test_band_covers_in_all_orders():
    """Over all orders of 6 replicates, at most (1 - level)/2 lies outside on either side of a bin."""
    found = [half_ranks([order], 3, rng(), level=0.8) for order in permutations(range(6))]
    assert 1 - np.mean([outside(one) for one in found]) >= 0.8
    np.testing.assert_allclose(np.mean([one.share for one in found], axis=0), found[0].expected)
    np.testing.assert_array_equal(found[0].expected, 0.5)


def test_band_is_no_wider_than_necessary():
    """Two bins: how many of the lowest 4 of 8 are in the first half is hypergeometric; all or none has 1/70 each."""
    found = half_ranks([np.arange(8.0)], 2, rng(), level=1 - 4 * 1.01 / 70)
    assert (found.lower[0], found.upper[0]) == (0.25, 0.75)
    found = half_ranks([np.arange(8.0)], 2, rng(), level=1 - 4 * 0.99 / 70)
    assert (found.lower[0], found.upper[0]) == (0.0, 1.0)


def test_odd_numbers_of_replicates_and_ties():
    found = half_ranks([np.arange(7), np.ones(5), [1.0, 2.0, 1.0, 2.0]], 2, rng())
    assert found.expected.sum() == pytest.approx((4 * 3 / 7 + 3 * 2 / 5 + 1) / 9 + (3 * 3 / 7 + 2 * 2 / 5 + 1) / 7)
    ties = np.mean([half_ranks([np.ones(8)], 2, rng(seed)).share[0] for seed in range(200)])
    # A share has a standard deviation of 0.19: four standard errors of 200.
    assert ties == pytest.approx(0.5, abs=4 * 0.19 / np.sqrt(200))


def test_exchangeable_replicates_stay_within_the_band_and_a_drift_does_not():
    draws = rng(1).normal(size=(20, 16))
    assert not outside(half_ranks(list(draws), 8, rng()))
    assert outside(half_ranks(list(draws + np.linspace(0, 2, 16)), 8, rng()))


@pytest.mark.parametrize(("draws", "bins"), [([], 2), ([[1.0, 2.0]], 3), ([[1.0]], 1), ([[1.0, 2.0]], 0)])
def test_too_few_are_refused(draws, bins):
    with pytest.raises(InputError):
        half_ranks(draws, bins, rng())
