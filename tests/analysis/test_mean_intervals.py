import warnings

import numpy as np
import pytest
from scipy import stats

from estimators.errors import InputError
from infodis_stats.analysis import bca, intervals, student_t, widen
from tests.support.stat_asserts import assert_rate


class TestStudentT:
    @pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
    def test_equals_scipys(self, level):
        draws = np.random.default_rng(1).gamma(2.0, size=(3, 4, 7))
        interval = student_t(draws, level)
        expected = stats.ttest_1samp(draws, 0.0, axis=-1).confidence_interval(level)
        np.testing.assert_allclose(interval.lower, expected.low, atol=1e-12)
        np.testing.assert_allclose(interval.upper, expected.high, atol=1e-12)

    def test_by_hand(self):
        # t_1 at 97.5 % is tan(pi * 0.475) = 12.706; mean 1, standard error 1.
        interval = student_t([0.0, 2.0])
        assert interval.upper == pytest.approx(1 + np.tan(np.pi * 0.475))


def of_scipy(draws, level, seed=3):
    return stats.bootstrap(
        (draws,), np.mean, axis=-1, confidence_level=level, n_resamples=999, rng=np.random.default_rng(seed)
    ).confidence_interval


class TestBca:
    # Sums of multiples of 1/64 have no rounding error, so both count the same ties with the mean.
    draws = np.random.default_rng(2).exponential(size=(3, 100, 8)).round(2) * 64 // 1 / 64

    @pytest.mark.parametrize("replicates", [3, 8])
    @pytest.mark.parametrize("level", [0.5, 0.9])
    def test_equals_scipys_with_the_same_stream(self, replicates, level):
        draws = self.draws[..., :replicates]
        interval, expected = bca(draws, np.random.default_rng(3), level), of_scipy(draws, level)
        np.testing.assert_allclose(interval.lower, expected.low, rtol=1e-12)
        np.testing.assert_allclose(interval.upper, expected.high, rtol=1e-12)
        other = bca(draws, np.random.default_rng(4), level)
        assert (np.abs(other.lower - expected.low) > 1e-6).any()  # another stream gives another interval

    def test_rounding_of_sums_does_not_affect_ties(self):
        interval, scaled = (bca(draws, np.random.default_rng(3)) for draws in (self.draws, 0.3 * self.draws))
        np.testing.assert_allclose(scaled.lower, 0.3 * interval.lower, rtol=1e-12)
        np.testing.assert_allclose(scaled.upper, 0.3 * interval.upper, rtol=1e-12)
        plain, moved = (of_scipy(draws, 0.95) for draws in (self.draws, 0.3 * self.draws))
        assert (np.abs(moved.low - 0.3 * plain.low) > 1e-6).any()

    def test_a_cell_does_not_depend_on_its_neighbours(self, monkeypatch):
        draws = np.random.default_rng(4).exponential(size=(200, 3, 10))
        together = bca(draws, np.random.default_rng(5))
        alone = bca(draws[1, 2], np.random.default_rng(5))
        assert (alone.lower, alone.upper) == (together.lower[1, 2], together.upper[1, 2])
        monkeypatch.setattr(intervals, "RESAMPLED_VALUES", 7 * 999)
        chunked = bca(draws, np.random.default_rng(5))
        np.testing.assert_array_equal(chunked.lower, together.lower)
        np.testing.assert_array_equal(chunked.upper, together.upper)

    def test_far_outliers_tiny_spreads_and_infinities(self):
        draws = np.zeros((4, 8))
        draws[:, 3] = 1e9, 1e-200, np.inf, -np.inf
        interval = bca(draws, np.random.default_rng(5))
        assert 0 <= interval.lower[0] < interval.upper[0] <= 1e9
        assert 0 <= interval.lower[1] <= interval.upper[1] <= 1e-200
        assert np.isnan([interval.lower[2:], interval.upper[2:]]).all()

    def test_close_to_student_t_for_many_normal_replicates(self):
        draws = np.random.default_rng(6).normal(size=(20, 500))
        first, second = bca(draws, np.random.default_rng(7), resamples=4999), student_t(draws)
        # Here a bootstrap quantile has an error of 0.04 standard errors of the mean (0.045); there are 40 ends.
        np.testing.assert_allclose(first.lower, second.lower, atol=0.2 / np.sqrt(500))
        np.testing.assert_allclose(first.upper, second.upper, atol=0.2 / np.sqrt(500))

    def test_is_shifted_towards_the_long_tail(self):
        draws = np.random.default_rng(8).exponential(size=(200, 16))
        first, second = bca(draws, np.random.default_rng(9)), student_t(draws)
        assert (first.lower > second.lower).mean() > 0.9
        assert (first.upper + first.lower > second.upper + second.lower).mean() > 0.9


@pytest.mark.parametrize("interval", [student_t, lambda d, level=0.95: bca(d, np.random.default_rng(0), level)])
class TestContract:
    def test_equal_draws_give_a_point_and_nan_stays(self, interval):
        draws = np.array([[2.0, 2.0, 2.0], [np.nan, np.nan, np.nan], [1.0, 2.0, 3.0], [1.0, np.nan, 2.0]])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = interval(draws)
        assert result.lower[0] == result.upper[0] == 2.0
        assert np.isnan(result.lower[[1, 3]]).all()
        assert np.isnan(result.upper[[1, 3]]).all()
        assert result.lower[2] < 2 < result.upper[2]

    @pytest.mark.parametrize("shape", [(2,), (5,), (3, 4), (2, 3, 4)])
    def test_shape(self, interval, shape):
        result = interval(np.random.default_rng(1).normal(size=shape))
        assert type(result.lower) is type(result.upper) is np.ndarray
        assert result.lower.shape == result.upper.shape == shape[:-1]

    def test_higher_levels_are_wider(self, interval):
        draws = np.random.default_rng(1).normal(size=(10, 20))
        narrow, wide = interval(draws, level=0.8), interval(draws, level=0.95)
        assert ((wide.lower < narrow.lower) & (narrow.upper < wide.upper)).all()

    def test_one_replicate_is_refused(self, interval):
        with pytest.raises(InputError, match=r"^an interval needs at least 2 replicates, got 1$"):
            interval(np.zeros((3, 1)))

    @pytest.mark.parametrize("level", [0.0, 1.0, 95, -0.5, np.nan])
    def test_levels_outside_the_unit_interval_are_refused(self, interval, level):
        with pytest.raises(InputError, match=r"^a confidence level must be between 0 and 1, got"):
            interval(np.zeros((3, 4)), level=level)


def test_too_few_resamples_are_refused():
    bca([1.0, 2.0, 3.0], np.random.default_rng(0), resamples=39)
    with pytest.raises(InputError, match=r"a 0.95 bootstrap interval needs at least 39 resamples, got 38"):
        bca([1.0, 2.0, 3.0], np.random.default_rng(0), resamples=38)


def test_intervals_widened_by_a_long_run_cover_its_value():
    """20,000 estimates from 8 replicates, against long runs with half their standard error."""
    rng = np.random.default_rng(0)
    draws, runs = rng.normal(size=(20_000, 8)), rng.normal(scale=0.5 / 8**0.5, size=20_000)
    plain = student_t(draws)
    wide = widen(plain, draws.mean(axis=-1), error=0.5 / 8**0.5)
    covered, short = (int(((one.lower <= runs) & (runs <= one.upper)).sum()) for one in (wide, plain))
    assert_rate(covered, 20_000, 0.95, sigmas=5.0)  # adding a t and a normal half-width in quadrature is approximate
    with pytest.raises(AssertionError):
        assert_rate(short, 20_000, 0.95, sigmas=5.0)


def test_a_standard_error_of_zero_changes_no_interval():
    interval = bca([[1.0, 2.0, 2.5, 3.0, 7.0]], np.random.default_rng(0))
    same = widen(interval, 100.0, error=0.0)  # even where the estimate lies outside
    np.testing.assert_allclose([same.lower, same.upper], [interval.lower, interval.upper])
