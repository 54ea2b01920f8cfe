import numpy as np
import pytest
from statsmodels.api import OLS, add_constant

from estimators.errors import InputError
from infodis_stats.analysis import coverage, log_variance, slope
from tests.support.stat_asserts import assert_rate


class TestLogVariance:
    def test_equals_the_jackknife_by_its_definition(self):
        draws = np.random.default_rng(1).exponential(size=(3, 6))
        result = log_variance(draws)
        assert result.estimate == pytest.approx(np.log(draws.var(axis=-1, ddof=1).mean()))
        squared_error = 0.0
        for s in range(3):
            logs = []
            for j in range(6):
                others = [np.delete(d, j) if i == s else d for i, d in enumerate(draws)]
                logs.append(np.log(sum(d.var(ddof=1) for d in others)))
            squared_error += 5 * np.var(logs)
        assert result.standard_error == pytest.approx(np.sqrt(squared_error))

    def test_standard_error_for_many_normal_replicates(self):
        # Var(log s^2) = 2 / (R - 1) per sequence; the jackknife of 32,000 squares is accurate to 1 %.
        draws = np.random.default_rng(2).normal(size=(16, 2000))
        assert log_variance(draws).standard_error == pytest.approx(np.sqrt(2 / (16 * 1999)), rel=0.05)

    def test_exact_and_nan(self):
        draws = np.random.default_rng(3).normal(size=(3, 2, 5))
        draws[0] = 0.3
        draws[0, 1, 2] = 0.1 + 0.2
        draws[1, 0] = np.nan
        result = log_variance(draws)
        assert (result.estimate[0], result.standard_error[0]) == (-np.inf, 0.0)
        assert np.isnan([result.estimate[1], result.standard_error[1]]).all()
        assert np.isfinite([result.estimate[2], result.standard_error[2]]).all()

    def test_wrong_shapes_are_refused(self):
        with pytest.raises(InputError, match="needs at least 3 replicates, got 2"):
            log_variance(np.zeros((4, 2)))
        with pytest.raises(InputError, match="sequence axis"):
            log_variance(np.zeros(8))


class TestSlope:
    passes = np.array([4.0, 8.0, 16.0, 64.0])

    def test_power_law_is_recovered(self):
        result = slope(self.passes, np.log(3.0 * self.passes**-1.7), standard_error=0.0)
        assert result.estimate == pytest.approx(-1.7)
        assert result.standard_error == pytest.approx(0.0, abs=1e-12)

    def test_scatter_equals_statsmodels(self):
        y = np.random.default_rng(4).normal(size=4)
        fit = OLS(y, add_constant(np.log(self.passes))).fit()
        result = slope(self.passes, y, standard_error=0.0)
        assert result.estimate == pytest.approx(fit.params[1])
        assert result.standard_error == pytest.approx(fit.bse[1])
        assert result.upper - result.lower == pytest.approx(2 * 1.959964 * fit.bse[1])

    def test_known_errors_by_hand(self):
        # Two points a factor of e apart: the slope is their difference, and its variance is the sum of theirs.
        result = slope([1.0, np.e], [0.0, -1.3], standard_error=[0.3, 0.4])
        assert result.estimate == pytest.approx(-1.3)
        assert result.standard_error == pytest.approx(0.5)

    def test_the_larger_standard_error_is_used(self):
        y = np.array([0.0, -1.0, -1.0, -3.0])
        small, large = slope(self.passes, y, 0.01), slope(self.passes, y, 5.0)
        scatter = OLS(y, add_constant(np.log(self.passes))).fit().bse[1]
        assert small.standard_error == pytest.approx(scatter)
        x = np.log(self.passes)
        assert large.standard_error == pytest.approx(5 / np.sqrt(((x - x.mean()) ** 2).sum()))

    def test_exact_and_nan_points_are_omitted(self):
        y = np.array([[0.0, -1.0, -1.9, -np.inf], [0.0, np.nan, -1.9, -4.0]])
        error = np.array([[0.1, 0.1, 0.1, 0.0], [0.1, np.nan, 0.1, 0.1]])
        result = slope(self.passes, y, error)
        for cell, kept in enumerate([[0, 1, 2], [0, 2, 3]]):
            alone = slope(self.passes[kept], y[cell, kept], 0.1)
            assert result.estimate[cell] == pytest.approx(alone.estimate)
            assert result.standard_error[cell] == pytest.approx(alone.standard_error)

    @pytest.mark.parametrize(
        ("passes", "y"),
        [([4, 8], [0.0, -np.inf]), ([4, 8], [np.nan, np.nan]), ([8, 8], [0.0, 1.0]), ([4], [0.0])],
        ids=["one usable", "none usable", "same passes", "one point"],
    )
    def test_nan_without_two_points(self, passes, y):
        result = slope(passes, y, 0.1)
        for array in vars(result).values():
            assert type(array) is np.ndarray
            assert np.isnan(array)

    def test_wrong_input_is_refused(self):
        with pytest.raises(InputError, match=r"passes must be positive, got 0\.0"):
            slope([0, 8], [0.0, 1.0], 0.1)
        with pytest.raises(InputError, match="confidence level"):
            slope([4, 8], [0.0, 1.0], 0.1, level=0.0)


class TestLaw:
    passes = 8 * 2.0 ** np.arange(3)

    def log_variances(self):
        """Log variances of means of 8, 16 and 32 skewed terms, for which the slope is -1."""
        rng = np.random.default_rng(5)
        draws = rng.gamma(self.passes[:, None, None], size=(3000, 3, 4, 16)) / self.passes[:, None, None]
        return log_variance(np.linspace(0.5, 2.0, 4)[:, None] * draws)

    def test_covers(self):
        points = self.log_variances()
        result = slope(self.passes, points.estimate, points.standard_error)
        covered = coverage(result.lower, result.upper, -1.0, axis=0)
        # With the larger of two standard errors coverage is slightly above 95 %: 95 to 97 % as documented.
        assert covered.upper > 0.95
        assert covered.lower < 0.97
        wrong = coverage(result.lower, result.upper, -1.5, axis=0)
        assert wrong.upper < 0.9

    def test_pooling_unequal_sequences_as_equal_normal_draws_undercovers(self):
        # Negative control: sequences of unequal variance have fewer degrees of freedom than 4 * 15.
        points = self.log_variances()
        carried = np.sqrt(2 / 60) / (np.log(2) * np.sqrt(2))
        estimate = slope(self.passes, points.estimate, 0.0).estimate
        covered = int((np.abs(estimate + 1) < 1.96 * carried).sum())
        with pytest.raises(AssertionError, match="z = -"):
            assert_rate(covered, 3000, 0.95)
