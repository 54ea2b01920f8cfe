import numpy as np
import pytest

from estimators.errors import InputError
from infodis_stats.analysis.replicates import all_equal, as_draws, as_truth, check_resamples, rounding


def test_rounding_is_relative_above_a_nat():
    np.testing.assert_allclose(rounding([0.0, -0.5, 1.0, -20.0]), [1e-9, 1e-9, 1e-9, 2e-8])


def test_all_equal_sees_through_rounding_only():
    step = 1e-9 * np.array([0.0, 0.1, 10.0, np.nan])
    draws = 5.0 + step[:, None] * np.array([-1.0, 1.0, -1.0, 1.0])
    np.testing.assert_array_equal(all_equal(draws), [True, True, False, False])


def test_draws_are_float64():
    assert as_draws(np.zeros((2, 3), dtype=np.float32), 2, "a mean").dtype == np.float64


def test_a_missing_axis_counts_as_one_replicate():
    with pytest.raises(InputError, match=r"^a mean needs at least 2 replicates, got 1$"):
        as_draws(3.0, 2, "a mean")


def test_truth_is_broadcast():
    assert as_truth([[1.0], [2.0]], np.zeros((2, 3, 4))).tolist() == [[1.0] * 3, [2.0] * 3]


@pytest.mark.parametrize(("level", "needed"), [(0.95, 39), (0.9, 19), (0.99, 199), (0.5, 3)])
def test_resamples_reach_the_tails(level, needed):
    check_resamples(needed, level)
    with pytest.raises(InputError, match=f"at least {needed} resamples, got {needed - 1}"):
        check_resamples(needed - 1, level)
