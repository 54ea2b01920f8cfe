"""Comparison of two variances: exact where there is a formula, calibrated elsewhere, with negative controls."""

import numpy as np
import pytest
from scipy import stats

from estimators.errors import InputError
from infodis_stats.analysis import brown_forsythe, compare_variances, relative_efficiency
from infodis_stats.analysis.efficiency import _log_ratio, _paired_sums
from tests.support.stat_asserts import assert_rate


def rng(seed=0):
    return np.random.default_rng(seed)


def pairs(size, seed, correlation=0.8, second=1.0):
    common = rng(seed).normal(size=(3, *size))
    one, two = (np.sqrt(correlation) * common[0] + np.sqrt(1 - correlation) * part for part in common[1:])
    return one, second * two


class TestPairedRatio:
    def test_standard_error_of_the_log_ratio_by_leaving_pairs_out(self):
        """The delta method on the jackknife of both variances, against the jackknife of its linear form."""
        one, two = rng(1).gamma(2.0, size=(2, 1, 9))
        two = two + one
        left_out = [
            np.delete(one, j).var(ddof=1) / one.var(ddof=1) - np.delete(two, j).var(ddof=1) / two.var(ddof=1)
            for j in range(9)
        ]
        expected = np.sqrt(8 / 9 * np.sum((left_out - np.mean(left_out)) ** 2))

        log_ratio, error = _log_ratio(*_paired_sums(one, two))
        assert error == pytest.approx(expected, rel=1e-12)
        assert log_ratio == pytest.approx(np.log(two.var(ddof=1) / one.var(ddof=1)), rel=1e-12)

    def test_shared_randomness_narrows_the_interval(self):
        one, two = pairs((4, 32), seed=2, correlation=0.95)
        together, apart = (relative_efficiency(one, two, rng(), paired=paired) for paired in (True, False))
        assert together.ratio == apart.ratio
        assert np.log(together.upper / together.lower) < 0.6 * np.log(apart.upper / apart.lower)

    def test_items_do_not_depend_on_each_other(self):
        one, two = pairs((3, 2, 16), seed=3)
        together = relative_efficiency(one, two, rng(), paired=True)
        alone = relative_efficiency(one[1], two[1], rng(), paired=True)
        for name, value in vars(alone).items():
            np.testing.assert_allclose(value, getattr(together, name)[1], rtol=1e-9)

    def test_pairs_need_equally_many_replicates(self):
        with pytest.raises(InputError, match="8 replicates but the reference has 9; pairs need equally many"):
            relative_efficiency(np.zeros((2, 8)), np.zeros((2, 9)), rng(), paired=True)


class TestMissingReplicates:
    @pytest.mark.parametrize("paired", [False, True])
    def test_nan_at_the_end_is_not_a_replicate(self, paired):
        one, two = pairs((1, 12), seed=4)
        padded = [np.pad(draws, ((0, 0), (0, 5)), constant_values=np.nan) for draws in (one, two)]
        plain = relative_efficiency(one, two, rng(), paired=paired)
        for name, value in vars(relative_efficiency(*padded, rng(), paired=paired)).items():
            assert value == getattr(plain, name)

    def test_half_a_pair_is_omitted(self):
        one, two = pairs((2, 12), seed=5)
        one[0, 10:] = np.nan
        two[1, 7:] = np.nan
        found = compare_variances(one, two, rng(), paired=True)
        expected = [one[s, :n].var(ddof=1) / two[s, :n].var(ddof=1) for s, n in enumerate((10, 7))]
        np.testing.assert_allclose(found.items.ratio, expected, rtol=1e-12)
        assert found.adjusted.shape == (2,)

    def test_too_few_are_refused(self):
        one = np.array([[1.0, 2.0, 4.0, np.nan], [1.0, 2.0, np.nan, np.nan]])
        with pytest.raises(InputError, match="needs at least 3 replicates, got 2"):
            compare_variances(one, one, rng())


class TestBrownForsythe:
    def test_equals_scipy(self):
        one, two = rng(6).normal(size=10), rng(7).normal(size=14)
        assert brown_forsythe(one, two) == stats.levene(one, two, center="median").pvalue

    def test_pairs_by_hand(self):
        # Distances from the medians 2, 1, 0, 1, 2 and 4, 2, 0, 2, 4: differences 2, 1, 0, 1, 2 of mean 1.2.
        one, two = np.array([-2.0, -1, 0, 1, 2]), np.array([4.0, -2, 0, 2, -4])
        gaps = np.array([2.0, 1, 0, 1, 2])
        t = gaps.mean() / (gaps.std(ddof=1) / np.sqrt(5))
        assert brown_forsythe(one, two, paired=True) == pytest.approx(2 * stats.t.sf(t, 4))

    @pytest.mark.parametrize("paired", [False, True])
    def test_exact_estimates(self, paired):
        varied, exact = rng(8).normal(size=8), np.full(8, 0.3) + 1e-16 * np.arange(8)
        assert brown_forsythe(varied, exact, paired=paired) == brown_forsythe(exact, varied, paired=paired) == 0
        assert np.isnan(brown_forsythe(exact, exact, paired=paired))
        assert brown_forsythe(varied, varied + 1, paired=paired) == pytest.approx(1.0)


class TestComparison:
    def test_costs_multiply_variances(self):
        one, two = rng(9).normal(size=(3, 16)), rng(10).normal(size=(3, 20))
        plain = compare_variances(one, two, rng())
        dear = compare_variances(one, two, rng(), costs=(np.full(3, 8.0), 2.0))
        np.testing.assert_allclose(dear.items.ratio, 4 * plain.items.ratio)
        np.testing.assert_allclose(dear.total.upper, 4 * plain.total.upper)
        # Four times the cost with a quarter of the variance is no difference.
        even = compare_variances(one / np.sqrt(4.0), two, rng(), costs=(4.0, 1.0))
        np.testing.assert_allclose(even.adjusted, plain.adjusted)

    def test_exchanging_the_two_inverts_the_ratios(self):
        one, two = rng(11).normal(size=(2, 16)), rng(12).gamma(2.0, size=(2, 16))
        there, back = compare_variances(one, two, rng()), compare_variances(two, one, rng())
        np.testing.assert_allclose(there.items.ratio * back.items.ratio, 1.0)

    def test_exact_items(self):
        varied, exact = rng(13).normal(size=(1, 8)), np.full((1, 8), 2.0)
        found = compare_variances(np.concatenate([exact, varied, exact]), np.concatenate([varied, exact, exact]), rng())
        np.testing.assert_array_equal(found.items.ratio, [0.0, np.inf, np.nan])
        np.testing.assert_array_equal(found.adjusted, [0.0, 0.0, np.nan])

    def test_a_difference_is_significant_among_many_items(self):
        one = rng(14).normal(size=(40, 32))
        one[0] *= 20  # beyond the reach of any resample
        found = compare_variances(one, rng(15).normal(size=(40, 32)), rng())
        assert found.adjusted[0] < 0.05
        assert not (found.adjusted[1:] < 0.05).any()


@pytest.mark.parametrize(("correlation", "paired"), [(0.0, False), (0.8, True)])
def test_false_alarms(correlation, paired):
    """The total's p-value at S = 4, R = 16: documented as near 5 %, within four binomial sigmas of 400."""
    one, two = pairs((400, 4, 16), seed=16, correlation=correlation)
    found = relative_efficiency(one, two, rng(17), paired=paired)
    assert_rate(int((found.p_value < 0.05).sum()), 400, 0.05)
    assert_rate(int(((found.lower < 1) & (found.upper > 1)).sum()), 400, 0.95)


@pytest.mark.slow
def test_control_treating_pairs_as_independent_overcovers_and_pairing_has_power():
    """Undeclared shared randomness makes the intervals too wide; with pairing, a ratio of 2 is detected."""
    one, two = pairs((400, 4, 16), seed=18, correlation=0.9)
    blind = relative_efficiency(one, two, rng(19))
    assert ((blind.lower < 1) & (blind.upper > 1)).mean() > 0.95 + 4 * np.sqrt(0.05 * 0.95 / 400)
    found = relative_efficiency(one, np.sqrt(2) * two, rng(20), paired=True)
    assert (found.p_value < 0.05).mean() > 0.8
    assert_rate(int(((found.lower < 2) & (found.upper > 2)).sum()), 400, 0.95)
