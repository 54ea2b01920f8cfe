import numpy as np
import pytest
from scipy import stats

from estimators.errors import InputError
from infodis_stats.analysis.replicates import Estimates, all_equal, as_draws, as_truth, check_resamples, rounding


def test_rounding_is_relative_above_one_nat():
    np.testing.assert_allclose(rounding([0.0, -0.5, 1.0, -20.0]), [1e-9, 1e-9, 1e-9, 2e-8])


def test_all_equal_ignores_rounding_only():
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
def test_enough_resamples_are_required_to_reach_the_tails(level, needed):
    check_resamples(needed, level)
    with pytest.raises(InputError, match=f"at least {needed} resamples, got {needed - 1}"):
        check_resamples(needed - 1, level)


def test_replicates_are_reduced_to_the_statistics_of_a_t_test():
    draws = np.random.default_rng(0).normal(1.0, 2.0, size=(2, 3, 6))
    found = Estimates.of_replicates(draws)
    expected = stats.ttest_1samp(draws, 0, axis=-1)
    np.testing.assert_allclose(found.statistic, expected.statistic)
    np.testing.assert_array_equal(found.degrees, np.full((2, 3), 5.0))
    np.testing.assert_allclose(found.standard_error, stats.sem(draws, axis=-1))


def test_missing_replicates_are_not_counted_and_a_single_one_gives_nan():
    found = Estimates.of_replicates([[1.0, 3.0, np.nan], [5.0, np.nan, np.nan]])
    np.testing.assert_array_equal(found.estimate, [2.0, np.nan])
    np.testing.assert_array_equal(found.standard_error, [1.0, np.nan])
    np.testing.assert_array_equal(found.degrees, [1.0, np.nan])


def test_standard_errors_below_rounding_are_zero():
    found = Estimates([250.0, 1e-10, 250.0], [1e-8, 1e-12, 1e-6], [3.0, 3.0, 3.0])
    np.testing.assert_array_equal(found.standard_error, [0.0, 0.0, 1e-6])
    np.testing.assert_allclose(found.statistic, [np.inf, 0.0, 2.5e8])


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        (([1.0, 2.0], [1.0], [1.0]), r"must have the same shape, got \(2,\), \(1,\), \(1,\)"),
        (([1.0], [-1.0], [1.0]), "must be at least 0"),
        (([1.0], [1.0], [0.0]), "degrees of freedom must be positive"),
    ],
)
def test_invalid_estimates_are_refused_in_one_sentence(arrays, sentence):
    with pytest.raises(InputError, match=sentence):
        Estimates(*arrays)
