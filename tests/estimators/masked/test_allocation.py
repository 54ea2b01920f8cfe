"""Allocation of passes to strata: optimal among whole numbers."""

import itertools

import numpy as np
import pytest

from estimators.masked.allocation import equal_proportions

SPREAD = np.array([0.3, 1.0, 1.7, 4.0])
FEWEST, MOST = np.array([1, 2, 1, 1]), np.array([9, 9, 3, 20])


@pytest.mark.parametrize("total", [5, 6, 9, 13, 20])
def test_maths_no_other_allocation_has_less_variance(total):
    shares = equal_proportions(total, SPREAD, FEWEST, MOST)
    ranges = [range(low, high + 1) for low, high in zip(FEWEST, MOST, strict=True)]
    every = np.array([one for one in itertools.product(*ranges) if sum(one) == total])
    best = (SPREAD**2 / every).sum(axis=1).min()
    assert shares.sum() == total
    assert (SPREAD**2 / shares).sum() == pytest.approx(best, rel=1e-12)


def test_maths_control_equal_shares_have_more_variance():
    shares = equal_proportions(16, SPREAD, FEWEST, np.full(4, 16))
    assert (SPREAD**2 / shares).sum() < 0.8 * (SPREAD**2 / 4).sum()


def test_bounds_hold_for_any_total():
    assert equal_proportions(3, SPREAD, FEWEST, MOST).tolist() == FEWEST.tolist()
    assert equal_proportions(999, SPREAD, FEWEST, MOST).tolist() == MOST.tolist()
