import numpy as np
import pytest
from scipy import stats

from estimators.errors import InputError
from infodis_stats.analysis import bias, family_wise, mean_squared_error, pooled_bias, variance
from tests.support.stat_asserts import assert_rate


class TestExact:
    def test_bias_equals_scipys_t_test(self):
        draws = np.random.default_rng(1).gamma(2.0, size=(3, 4, 7))
        truth = np.arange(4.0)
        result = bias(draws, truth)
        expected = stats.ttest_1samp(draws, np.broadcast_to(truth, (3, 4))[..., None], axis=-1)
        np.testing.assert_allclose(result.z, expected.statistic, rtol=1e-12)
        np.testing.assert_allclose(result.p_value, expected.pvalue, rtol=1e-12)
        np.testing.assert_allclose(result.estimate, draws.mean(axis=-1) - truth, rtol=1e-12)
        np.testing.assert_allclose(result.standard_error, stats.sem(draws, axis=-1), rtol=1e-12)

    def test_variance_and_mean_squared_error_by_hand(self):
        assert variance([1.0, 2.0, 6.0]) == 7.0
        assert mean_squared_error([1.0, 2.0, 6.0], 2.0) == pytest.approx(17 / 3)

    def test_mean_squared_error_is_variance_plus_squared_bias(self):
        draws = np.random.default_rng(2).normal(size=(5, 9))
        truth = np.linspace(-1, 1, 5)
        expected = variance(draws) * 8 / 9 + bias(draws, truth).estimate ** 2
        np.testing.assert_allclose(mean_squared_error(draws, truth), expected, rtol=1e-12)

    def test_pooled_bias_by_hand(self):
        # variances 1 and 3, so se = sqrt((1 + 3) / 3) / 2 and degrees = 16 / (1 + 9) * 2 = 3.2.
        result = pooled_bias([[1.0, 2.0, 3.0], [4.0, 4.0, 7.0]], [1.0, 5.0], axis=0)
        assert result.estimate == 0.5
        assert result.standard_error == pytest.approx(1 / np.sqrt(3))
        assert result.p_value == pytest.approx(2 * stats.t.sf(0.5 * np.sqrt(3), 3.2))

    def test_pooled_bias_of_one_sequence_is_its_bias(self):
        draws = np.random.default_rng(3).normal(size=(6, 1, 8))
        pooled, single = pooled_bias(draws, 0.3, axis=1), bias(draws[:, 0], 0.3)
        np.testing.assert_allclose(pooled.z, single.z, rtol=1e-12)
        np.testing.assert_allclose(pooled.p_value, single.p_value, rtol=1e-12)

    @pytest.mark.parametrize("axis", [0, 1, -1])
    def test_pooled_bias_axis(self, axis):
        draws = np.random.default_rng(4).normal(size=(2, 3, 5))
        truth = np.arange(6.0).reshape(2, 3)
        result = pooled_bias(draws, truth, axis=axis)
        np.testing.assert_allclose(result.estimate, (draws.mean(axis=-1) - truth).mean(axis=axis), rtol=1e-12)

    def test_holm_by_hand(self):
        # Sorted .005 .01 .03 .04 1 times 5 4 3 2 1, then never falling.
        adjusted = family_wise([[0.01, np.nan, 0.04], [0.03, 0.005, 1.0]])
        np.testing.assert_allclose(adjusted, [[0.04, np.nan, 0.09], [0.09, 0.025, 1.0]])


class TestExactEstimators:
    def test_rounding_is_not_a_bias(self):
        result = bias([[0.1 + 0.2, 0.3, 0.3], [0.0, 0.0, 0.0], [1e6, 1e6, 1e6]], [0.3, 1e-12, 1e6 + 1e-4])
        np.testing.assert_array_equal(result.z, 0.0)
        np.testing.assert_array_equal(result.p_value, 1.0)

    def test_a_shift_is_a_bias(self):
        result = bias([[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]], [2.001, 1.999])
        np.testing.assert_array_equal(result.z, [-np.inf, np.inf])
        np.testing.assert_array_equal(result.p_value, 0.0)

    def test_pooled_exact_estimators(self):
        exact = np.full((4, 5), 3.0)
        assert pooled_bias(exact, 3.0, axis=0).z == 0.0
        assert pooled_bias(exact, 3.0, axis=0).p_value == 1.0
        assert pooled_bias(exact, 2.0, axis=0).z == np.inf
        assert pooled_bias(exact, 2.0, axis=0).p_value == 0.0

    def test_pooled_with_one_sequence_that_varies(self):
        draws = np.full((2, 3), 3.0)
        draws[0] = [2.0, 3.0, 4.0]
        result = pooled_bias(draws, 2.0, axis=0)
        # All the variance comes from one sequence, so only its two degrees of freedom count.
        assert result.standard_error == pytest.approx(np.sqrt(1 / 3) / 2)
        assert result.p_value == pytest.approx(2 * stats.t.sf(2 * np.sqrt(3), 2))


class TestContract:
    def test_nan_cells_stay_nan(self):
        draws = np.stack([np.arange(4.0), np.full(4, np.nan)])
        result = bias(draws, 0.0)
        for array in (result.estimate, result.standard_error, result.z, result.p_value):
            np.testing.assert_array_equal(np.isnan(array), [False, True])
        np.testing.assert_array_equal(np.isnan(variance(draws)), [False, True])
        np.testing.assert_array_equal(np.isnan(mean_squared_error(draws, 0.0)), [False, True])
        assert np.isnan(pooled_bias(draws, 0.0, axis=0).p_value)
        assert np.isnan(family_wise([np.nan, np.nan])).all()

    def test_results_are_arrays(self):
        result = bias([1.0, 2.0], 0.0)
        assert all(type(array) is np.ndarray for array in vars(result).values())
        assert type(family_wise(0.5)) is np.ndarray

    @pytest.mark.parametrize("function", [lambda d: bias(d, 0.0), variance, lambda d: pooled_bias(d, 0.0, axis=0)])
    @pytest.mark.parametrize("draws", [np.zeros((3, 1)), 2.0])
    def test_one_replicate_is_refused(self, function, draws):
        with pytest.raises(InputError, match=r"needs at least 2 replicates, got 1$"):
            function(draws)

    def test_a_truth_of_another_shape_is_refused(self):
        with pytest.raises(InputError, match=r"truth of shape \(2,\) does not broadcast to estimates of shape \(3,\)"):
            bias(np.zeros((3, 8)), [0.0, 1.0])


class TestLaw:
    def tables(self, shift):
        """400 tables of 20 cells of 32 replicates: skewed terms with standard deviation 2, times unequal scales."""
        rng = np.random.default_rng(5)
        scale = np.linspace(0.2, 5.0, 20)[:, None]
        return scale * (rng.gamma(4.0, size=(400, 20, 32)) - 4.0 + shift)

    def alarms(self, tables):
        # Holm's smallest adjusted value is the number of cells times the smallest p-value.
        return 20 * bias(tables, 0.0).p_value.min(axis=1) < 0.05

    def test_the_smallest_adjusted_p_value_of_a_table(self):
        table = self.tables(shift=1.0)[0]
        adjusted = family_wise(bias(table, 0.0).p_value)
        assert adjusted.min() == pytest.approx(20 * bias(table, 0.0).p_value.min())

    def test_family_wise_false_alarms(self):
        tables = self.tables(shift=0.0)
        # With skewed terms false alarms slightly exceed the nominal 5 %; the band is 4 binomial sigmas around 8 %.
        assert 0.03 < self.alarms(tables).mean() < 0.135
        # Negative control: unadjusted tests raise an alarm in 1 - 0.95**20 = 64 % of the tables.
        assert (bias(tables, 0.0).p_value.min(axis=1) < 0.05).mean() > 0.5

    def test_biased_draws_are_flagged(self):
        # One standard deviation, 5.7 standard errors.
        assert self.alarms(self.tables(shift=2.0)).all()
        draws = np.random.default_rng(7).normal(size=(20, 32))
        draws[7] += 2.0
        flagged = family_wise(bias(draws, 0.0).p_value) < 0.05
        assert np.flatnonzero(flagged).tolist() == [7]

    def test_pooling_detects_a_small_bias(self):
        # A quarter of a standard deviation is 1.4 standard errors in a cell and 5.5 in the mean of a table.
        tables = self.tables(shift=0.5)
        assert (pooled_bias(tables, 0.0, axis=1).p_value < 0.05).all()
        assert self.alarms(tables).mean() < 0.9

    def test_pooled_p_values_are_uniform(self):
        draws = np.linspace(0.2, 5.0, 6)[:, None] * np.random.default_rng(6).normal(size=(5000, 6, 4))
        p_value = pooled_bias(draws, 0.0, axis=1).p_value
        # Satterthwaite's approximation is within 10 % of the nominal rate; add four binomial sigmas.
        assert 0.038 < (p_value < 0.05).mean() < 0.062
        # Negative control: a z test, which ignores that the variances are estimated, rejects too often.
        z = pooled_bias(draws, 0.0, axis=1).z
        with pytest.raises(AssertionError, match="z ="):
            assert_rate(int((2 * stats.norm.sf(np.abs(z)) < 0.05).sum()), 5000, 0.05)


def test_the_standard_error_of_a_long_run_adds_to_that_of_the_bias():
    """5,000 sets of 4 sequences against runs as noisy as the means: 5 % rejections, far more if runs count as exact."""
    rng = np.random.default_rng(3)
    draws, runs = rng.normal(size=(5000, 4, 8)), rng.normal(scale=8**-0.5, size=(5000, 4))
    with_error = pooled_bias(draws, runs, axis=-1, truth_se=8**-0.5)
    np.testing.assert_allclose(
        with_error.standard_error, np.sqrt((draws.var(axis=-1, ddof=1) / 8 + 1 / 8).sum(axis=-1)) / 4
    )
    without = pooled_bias(draws, runs, axis=-1)
    assert_rate(int((with_error.p_value < 0.05).sum()), 5000, 0.05)
    with pytest.raises(AssertionError):
        assert_rate(int((without.p_value < 0.05).sum()), 5000, 0.05)
