import numpy as np
import pytest

from tests.support.stat_asserts import assert_mean, assert_rate, assert_unbiased


def test_mean_accepts_the_law():
    rng = np.random.default_rng(1)
    assert_mean(rng.exponential(2.0, size=(3, 5000)), 2.0)


def test_mean_rejects_a_wrong_law_in_one_cell():
    draws = np.random.default_rng(2).normal([[0.0], [0.2], [0.0]], 1.0, size=(3, 5000))
    # 0.2 is 14 standard errors of 1 / sqrt(5000).
    with pytest.raises(AssertionError, match=r"z = 1[3-5]\."):
        assert_mean(draws, 0.0)


def test_mean_of_equal_draws_allows_only_rounding():
    assert_mean([0.3, 0.1 + 0.2, 0.3], 0.3)
    with pytest.raises(AssertionError, match="z = inf"):
        assert_mean([0.25, 0.25], 0.0)


def test_mean_rejects_nan():
    with pytest.raises(AssertionError, match="z = nan"):
        assert_mean([1.0, np.nan], 1.0)


def test_mean_z_by_hand():
    # mean 2, standard error 1 / sqrt(3): z = 3.46 against 0.
    assert_mean([1.0, 2.0, 3.0], 0.0, sigmas=3.47)
    with pytest.raises(AssertionError, match=r"z = 3\.46"):
        assert_mean([1.0, 2.0, 3.0], 0.0, sigmas=3.46)


def test_rate_z_by_hand():
    # 60 of 100 at 1/2 is two standard deviations of 5.
    assert_rate(60, 100, 0.5, sigmas=2.0)
    with pytest.raises(AssertionError, match=r"z = 2\.00"):
        assert_rate(60, 100, 0.5, sigmas=1.99)


def test_rate_of_an_impossible_event():
    assert_rate(0, 50, 0.0)
    with pytest.raises(AssertionError, match="z = inf"):
        assert_rate(1, 50, 0.0)


def test_unbiased_accepts_few_replicates_of_many_cells():
    draws = np.random.default_rng(3).normal(5.0, 1.0, size=(1000, 4))
    assert_unbiased(draws, 5.0)
    # The normal bound would reject them: with three degrees of freedom, t often exceeds 4 sigmas.
    with pytest.raises(AssertionError):
        assert_mean(draws, 5.0)


def test_unbiased_rejects_one_biased_cell():
    draws = np.random.default_rng(4).normal(5.0, 1.0, size=(1000, 32))
    draws[17] += 3.0
    with pytest.raises(AssertionError, match="biased: z ="):
        assert_unbiased(draws, 5.0)
