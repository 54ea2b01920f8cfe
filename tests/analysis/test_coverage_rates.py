import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from estimators.errors import InputError
from infodis_stats.analysis import bca, block, coverage, coverage_test, student_t
from tests.support.stat_asserts import assert_rate


class TestExact:
    def test_by_hand(self):
        lower = np.array([[0.0, 2.0, -1.0, np.nan], [0.0, 0.0, 0.0, 0.0]])
        upper = np.array([[2.0, 3.0, 0.5, np.nan], [2.0, 2.0, 2.0, 2.0]])
        result = coverage(lower, upper, 1.0, axis=1)
        np.testing.assert_array_equal(result.count, [3, 4])
        np.testing.assert_array_equal(result.missed_low, [1, 0])
        np.testing.assert_array_equal(result.missed_high, [1, 0])
        np.testing.assert_allclose(result.rate, [1 / 3, 1.0])

    def test_wilson_band(self):
        # Wilson's band for 8 of 10 at z = 1.96 from its formula.
        lower = np.repeat([0.0, 2.0], [8, 2])
        result = coverage(lower, lower + 1.0, 0.5, axis=0)
        z = 1.959963984540054
        centre, half = 0.8 + z**2 / 20, z * np.sqrt(0.8 * 0.2 / 10 + z**2 / 400)
        assert result.lower == pytest.approx((centre - half) / (1 + z**2 / 10))
        assert result.upper == pytest.approx((centre + half) / (1 + z**2 / 10))

    def test_level_of_the_band(self):
        result = coverage(np.zeros(50), np.ones(50), np.linspace(0.0, 1.2, 50), axis=0, level_of_band=0.8)
        covered = int(result.count - result.missed_low - result.missed_high)
        assert (result.lower, result.upper) == proportion_confint(covered, 50, alpha=0.2, method="wilson")

    def test_truth_per_sequence_and_several_axes(self):
        truth = np.array([0.0, 5.0])[:, None]
        lower = np.stack([np.linspace(-1, 0.5, 4), np.linspace(4, 5.5, 4)])
        result = coverage(lower, lower + 2, truth, axis=(0, 1))
        assert result.count == 8
        assert result.rate == 6 / 8
        assert result.missed_high == 2

    def test_exact_estimators_cover_within_rounding(self):
        point = np.array([0.1 + 0.2, 0.3, 0.3 + 1e-6])
        result = coverage(point, point, 0.3, axis=0)
        assert (result.rate, result.missed_high) == (2 / 3, 1)
        assert coverage([250.0], [250.0], 250.0 + 2e-7, axis=0).rate == 1
        assert coverage([250.0], [250.0], 250.0 + 3e-7, axis=0).missed_low == 1

    def test_whole_line_covers(self):
        assert coverage([-np.inf], [np.inf], 3.0, axis=0).rate == 1

    def test_blocks_are_consecutive_and_an_incomplete_one_is_dropped(self):
        np.testing.assert_array_equal(block(np.arange(7), 3), [[0, 1, 2], [3, 4, 5]])
        draws = np.arange(24.0).reshape(2, 12)
        np.testing.assert_array_equal(block(draws, 4), draws.reshape(2, 3, 4))


class TestContract:
    def test_no_interval_gives_nan(self):
        result = coverage(np.full((2, 3), np.nan), np.full((2, 3), np.nan), 1.0, axis=1)
        assert np.isnan(result.rate).all()
        assert np.isnan(result.lower).all()
        np.testing.assert_array_equal(result.count, 0)

    def test_results_are_arrays(self):
        assert all(type(array) is np.ndarray for array in vars(coverage([0.0], [1.0], 0.5, axis=0)).values())

    @pytest.mark.parametrize(
        ("size", "message"), [(0, "at least 1 replicate, got 0"), (9, "needs at least 9 .* got 8")]
    )
    def test_impossible_blocks_are_refused(self, size, message):
        with pytest.raises(InputError, match=message):
            block(np.zeros((2, 8)), size)

    def test_levels_outside_the_unit_interval_are_refused(self):
        with pytest.raises(InputError, match="confidence level"):
            coverage([0.0], [1.0], 0.5, axis=0, level_of_band=95)


class TestLaw:
    def measured(self, interval, size):
        """Coverage of an interval from `size` of 16,000 normal replicates, for each of two sequences."""
        truth = np.array([3.0, -2.0])
        draws = np.random.default_rng(1).normal(truth[:, None], 2.0, size=(2, 16000))
        result = interval(block(draws, size))
        return coverage(result.lower, result.upper, truth[:, None], axis=1)

    @pytest.mark.parametrize("size", [2, 8])
    def test_student_t_has_its_nominal_coverage(self, size):
        result = self.measured(student_t, size)
        for missed, count in zip(result.missed_low + result.missed_high, result.count, strict=True):
            assert_rate(int(missed), int(count), 0.05)
        for side in (result.missed_low, result.missed_high):
            assert_rate(int(side.sum()), int(result.count.sum()), 0.025)

    def test_a_wrong_standard_error_undercovers(self):
        # Negative control: a wrong divisor makes the interval 0.7 times as wide.
        def too_short(draws):
            result = student_t(draws)
            middle, half = (result.lower + result.upper) / 2, (result.upper - result.lower) / 2
            return type(result)(middle - 0.7 * half, middle + 0.7 * half)

        result = self.measured(too_short, 8)
        assert (result.upper < 0.9).all()
        with pytest.raises(AssertionError, match="z ="):
            assert_rate(int(result.missed_low.sum() + result.missed_high.sum()), int(result.count.sum()), 0.05)

    def test_a_shift_misses_on_one_side(self):
        draws = np.random.default_rng(2).normal(0.5, 1.0, size=(2000, 16))
        result = student_t(draws)
        sides = coverage(result.lower, result.upper, 0.0, axis=0)
        assert sides.missed_high > 0.3 * 2000
        assert sides.missed_low < 0.005 * 2000

    def test_bca_of_32_normal_replicates(self):
        # Coverage was measured as 93.6 % on 10,000; both streams are within 4 binomial sigmas of 2,000.
        draws = np.random.default_rng(3).normal(size=(2000, 32))
        result = bca(draws, np.random.default_rng(4))
        covered = coverage(result.lower, result.upper, 0.0, axis=0)
        assert_rate(int(covered.missed_low + covered.missed_high), 2000, 0.064)


class TestCoverageTest:
    def test_is_the_exact_binomial_test_for_a_symmetric_distribution(self):
        for misses in (0, 3, 10, 17):
            found = coverage(np.zeros(20), np.ones(20), np.where(np.arange(20) < misses, 2.0, 0.5), axis=0)
            assert coverage_test(found, 0.5) == pytest.approx(min(1.0, stats.binomtest(20 - misses, 20, 0.5).pvalue))

    def test_rejects_a_wrong_level_and_accepts_the_right_one(self):
        rng = np.random.default_rng(4)
        draws = rng.normal(size=(20_000, 8))
        right, wrong = student_t(draws, 0.95), student_t(draws, 0.93)
        assert coverage_test(coverage(right.lower, right.upper, 0.0, axis=0), 0.95) > 1e-3
        assert coverage_test(coverage(wrong.lower, wrong.upper, 0.0, axis=0), 0.95) < 1e-6

    def test_is_nan_without_intervals(self):
        found = coverage(np.array([np.nan]), np.array([np.nan]), 0.0, axis=0)
        assert np.isnan(coverage_test(found, 0.95))
