"""Confidence sequences: the formula against the defining integral, and the probability of ever missing."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from estimators.errors import InputError
from infodis_stats.analysis import confidence_sequence, sequential_p_value, student_t

DRAWS = np.array([0.3, -1.1, 0.8, 2.1, 0.4, 1.7, -0.2, 0.9, 1.4, 0.6])


def evidence_by_integration(draws, mean, level, start):
    """The Bayes factor by integration: over sigma with the right-Haar prior, over delta with the normal prior."""
    n, x = len(draws), draws - mean
    alpha = 1 - level
    spread = np.sqrt((-special.lambertw(-(alpha**2) / np.e, k=-1).real - 1) / (2 * start))

    def likelihood(delta):
        # int prod phi(x_i / sigma - delta) sigma^-n d sigma / sigma, by adaptive quadrature in log sigma.
        def density(log_sigma):
            z = x / np.exp(log_sigma) - delta
            return np.exp(-0.5 * (z**2).sum() - n * log_sigma)

        return integrate.quad(density, -6, 6, epsabs=0, epsrel=1e-10, limit=200)[0]

    mixed = integrate.quad(lambda d: likelihood(d) * stats.norm.pdf(d, scale=spread), -8, 8, epsabs=0, epsrel=1e-9)[0]
    return mixed / likelihood(0.0)


@pytest.mark.parametrize(("count", "start", "level"), [(8, 8, 0.95), (10, 4, 0.8)])
def test_the_ends_are_the_means_whose_bayes_factor_is_one_over_alpha(count, start, level):
    draws = DRAWS[:count]
    interval = confidence_sequence(draws, level, start)
    for end in (interval.lower[-1], interval.upper[-1]):
        assert evidence_by_integration(draws, end, level, start) == pytest.approx(1 / (1 - level), rel=1e-6)


def test_the_p_value_is_the_inverse_of_the_bayes_factor():
    assert sequential_p_value(DRAWS[:8], -0.5)[-1] == pytest.approx(
        1 / evidence_by_integration(DRAWS[:8], -0.5, 0.95, 8), rel=1e-6
    )


def ever_missed(draws, lower, upper):
    return int(((lower > 0) | (upper < 0)).any(axis=-1).sum())


def assert_at_most(missed, trials, rate):
    """The rate of misses exceeds ``rate`` by at most 4 binomial standard deviations."""
    assert missed <= trials * rate + 4 * np.sqrt(trials * rate * (1 - rate))


def test_a_whole_sequence_misses_at_most_as_often_as_one_interval():
    """4,000 sequences up to n = 512; the remainder of the 5 % is for later n."""
    draws = np.random.default_rng(0).normal(size=(4000, 512))
    found = confidence_sequence(draws)
    missed = ever_missed(draws, found.lower, found.upper)
    assert_at_most(missed, 4000, 0.05)
    assert missed > 4000 * 0.02  # the sequence is not too conservative
    by_p_value = int((sequential_p_value(draws)[:, -1] <= 0.05).sum())
    assert by_p_value == missed


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.3])
def test_p_values_are_valid_at_every_alpha(alpha):
    p_values = sequential_p_value(np.random.default_rng(1).normal(size=(4000, 256)))
    assert_at_most(int((p_values[:, -1] <= alpha).sum()), 4000, alpha)


def test_control_t_intervals_at_every_look_fail_the_same_check():
    draws = np.random.default_rng(0).normal(size=(4000, 64))
    ends = [student_t(draws[:, :n]) for n in range(8, 65)]
    lower, upper = (np.stack([getattr(one, end) for one in ends], axis=-1) for end in ("lower", "upper"))
    with pytest.raises(AssertionError):
        assert_at_most(ever_missed(draws, lower, upper), 4000, 0.05)


def test_it_shrinks_nearly_as_fast_as_the_interval_for_a_fixed_n():
    draws = np.random.default_rng(2).normal(loc=3.0, size=(200, 1024))
    found = confidence_sequence(draws)
    ratio = (found.upper - found.lower)[:, 1023] / (student_t(draws).upper - student_t(draws).lower)
    assert (ratio < 2).all()  # 1.9 by the formula
    assert (sequential_p_value(draws)[:, 63] < 1e-6).all()


def test_a_look_depends_neither_on_later_replicates_nor_on_neighbours():
    draws = np.random.default_rng(3).normal(size=(3, 4, 40))
    whole = confidence_sequence(draws)
    part = confidence_sequence(draws[1, 2, :20])
    np.testing.assert_array_equal(part.upper, whole.upper[1, 2, :20])
    np.testing.assert_array_equal(sequential_p_value(draws[1, 2, :20]), sequential_p_value(draws)[1, 2, :20])
    assert whole.lower.shape == draws.shape
    assert (np.diff(sequential_p_value(draws)) <= 0).all()


def test_it_is_equivariant_under_scale_and_shift():
    found, moved = confidence_sequence(DRAWS), confidence_sequence(1e3 + 1e-3 * DRAWS)
    np.testing.assert_allclose(moved.upper[7:], 1e3 + 1e-3 * found.upper[7:], rtol=0, atol=1e-10)
    np.testing.assert_allclose(sequential_p_value(1e3 * DRAWS, 1e2), sequential_p_value(DRAWS, 0.1), rtol=1e-9)


def test_too_few_replicates_give_infinite_ends_equal_ones_a_point_and_nan_stays():
    draws = np.array(
        [[2.0] * 9, [np.nan] * 9, [1.0, 2.0, 3.0, 0.0, 2.0, 1.0, 1.5, 2.5, np.nan], [0.1 + 0.2, *[0.3] * 8]]
    )
    found, p_value = confidence_sequence(draws), sequential_p_value(draws, 2.0)
    assert np.isinf(found.upper[[0, 2], :7]).all()
    assert np.isinf(found.lower[[0, 2], :7]).all()
    np.testing.assert_array_equal(found.lower[0, 7:], 2.0)
    np.testing.assert_array_equal(found.upper[0, 7:], 2.0)
    assert np.isfinite(found.upper[2, 7])
    assert np.isnan(found.upper[1]).all()
    assert np.isnan(found.upper[2, 8])
    assert found.lower[3, 8] == found.upper[3, 8]  # equal up to rounding
    np.testing.assert_array_equal(p_value[0], 1.0)
    np.testing.assert_array_equal(p_value[3], [1.0] * 7 + [0.0] * 2)
    assert np.isnan(p_value[1]).all()
    assert np.isnan(p_value[2, 8])
    assert confidence_sequence([1.0]).upper.tolist() == [np.inf]


def test_three_replicates_are_too_few_for_a_level_of_99_percent():
    found = confidence_sequence(DRAWS, level=0.99, start=2)
    assert np.isinf(found.upper[:3]).all()
    assert np.isfinite(found.upper[-1])


@pytest.mark.parametrize("level", [0.0, 1.0, 95, np.nan])
def test_levels_outside_the_unit_interval_are_refused(level):
    with pytest.raises(InputError, match=r"^a confidence level must be between 0 and 1, got"):
        confidence_sequence(DRAWS, level)


def test_invalid_starts_and_zero_replicates_are_refused():
    with pytest.raises(InputError, match=r"^start must be at least 2 replicates, got 1$"):
        confidence_sequence(DRAWS, start=1)
    with pytest.raises(InputError, match=r"^a confidence sequence needs at least 1 replicates, got 0$"):
        sequential_p_value(np.zeros((3, 0)))
