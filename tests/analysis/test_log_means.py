"""Bounds on the log of a mean: expectations on either side, and intervals that cover."""

import numpy as np
import pytest

from estimators.errors import InputError
from infodis_stats.analysis import log_mean_bounds


def bounds_of(draws, **options):
    return [log_mean_bounds([row], **options) for row in draws]


def normal(sd, count, samples, seed):
    """Draws whose log mean exponential is 0."""
    return np.random.default_rng(seed).normal(-(sd**2) / 2, sd, (samples, count))


def test_equals_the_bounds_by_their_definitions():
    draws = np.random.default_rng(0).normal(size=9)
    found, weights = log_mean_bounds([draws]), np.exp(draws)
    assert found.importance == pytest.approx(np.log(weights.mean()))
    others = np.array([np.delete(weights, place).mean() for place in range(9)])
    assert found.tangent == pytest.approx((np.log(others) + weights / others - 1.0).mean())
    assert found.importance_se == pytest.approx(weights.std(ddof=1) / weights.mean() / 3.0)
    assert found.spread == pytest.approx(draws.std(ddof=1))


def test_does_not_depend_on_the_level_of_the_draws():
    draws = np.random.default_rng(1).normal(size=20)
    near, far = log_mean_bounds([draws]), log_mean_bounds([draws - 5000.0])  # exp(-5000) is 0
    for name in ("importance", "tangent", "lower", "upper"):
        assert getattr(far, name) + 5000.0 == pytest.approx(getattr(near, name), abs=1e-9)


@pytest.mark.slow
def test_maths_the_truth_lies_between_the_expectations():
    """1,000 samples of 8 draws: both biases are more than five standard errors."""
    found = bounds_of(normal(1.0, 8, 1000, seed=2))
    for name, sign in (("importance", -1), ("tangent", 1)):
        values = np.array([getattr(each, name) for each in found])
        assert sign * values.mean() > 5 * values.std() / np.sqrt(1000)


def wealth(draws, mean):
    """The wealth of the bets that the mean exceeds a value, at all stakes, averaged: by its definition."""
    stakes = [2.0**-power for power in range(int(np.ceil(np.log2(len(draws)))) + 1)]
    return np.mean([np.prod(1.0 + stake * (np.exp(draws) / mean - 1.0)) for stake in stakes])


def test_maths_the_lower_end_is_where_the_bets_win_enough():
    draws = np.random.default_rng(3).normal(size=24)
    found = log_mean_bounds([draws], 0.9)
    assert wealth(draws, np.exp(found.lower)) == pytest.approx(20.0, rel=1e-6)


def test_maths_the_lower_end_of_a_sum_multiplies_the_wealths():
    draws = np.random.default_rng(4).normal(size=(2, 24)) * [[0.3], [1.5]]
    found = log_mean_bounds(draws, 0.9)
    best = min(
        first + second
        for first in np.linspace(-1.5, 0.5, 81)
        for second in np.linspace(-1.5, 1.5, 121)
        if wealth(draws[0], np.exp(first)) * wealth(draws[1], np.exp(second)) <= 20.0
    )
    assert found.lower == pytest.approx(best, abs=0.05)
    assert found.lower > sum(log_mean_bounds([row], 1 - 0.1 / 2).lower for row in draws), "better than Bonferroni's"


@pytest.mark.slow
def test_maths_the_lower_end_is_valid_without_assumptions():
    """Rare huge draws, 600 samples: at most 2.5 % misses, that is 15, and four binomial standard deviations."""
    rng = np.random.default_rng(5)
    for draws in (normal(3.0, 24, 600, seed=6), np.where(rng.random((600, 24)) < 0.02, np.log(50.0), -50.0)):
        missed = sum(each.lower > 1e-12 for each in bounds_of(draws))
        assert missed <= 15 + 4 * np.sqrt(15)
    tight = normal(0.5, 24, 600, seed=7)
    missed = sum(each.importance - 1.0 * each.importance_se > 0 for each in bounds_of(tight))
    assert missed > 15 + 4 * np.sqrt(15), "control: one standard error is not enough"


def larger_in_one_of(share, by, count, samples, seed):
    """Draws of which few are larger, and whose log mean exponential is 0."""
    rng = np.random.default_rng(seed)
    draws = rng.normal(0.0, 0.3, (samples, count)) + by * (rng.random((samples, count)) < 1 / share)
    return draws - (0.045 + np.log(1 + (np.exp(by) - 1) / share))


@pytest.mark.slow
@pytest.mark.parametrize(
    "draws",
    [normal(1.0, 28, 600, seed=8), normal(2.0, 28, 600, seed=9), larger_in_one_of(32, 1.0, 28, 600, seed=12)],
    ids=["spread 1", "spread 2", "few larger ones"],
)
def test_maths_the_upper_end_covers(draws):
    """600 samples: at most 2.5 % misses and four binomial deviations. Student's t for the tangent bound has more."""
    found = bounds_of(draws)
    allowed = 15 + 4 * np.sqrt(15)
    assert sum(each.upper < 0 for each in found) <= allowed
    assert sum(each.tangent + 2.05 * each.tangent_se < 0 for each in found) > allowed, "control"


@pytest.mark.slow
def test_maths_sums_of_parts_cover():
    """200 sums of 4 parts of 24 draws, nominal 2.5 % misses at each end."""
    draws = normal(0.7, 24, 800, seed=10).reshape(200, 4, 24)
    found = [log_mean_bounds(parts) for parts in draws]
    assert sum(each.upper < 0 for each in found) <= 5 + 4 * np.sqrt(5)
    assert sum(each.lower > 0 for each in found) <= 5 + 4 * np.sqrt(5)
    shifted = sum(each.upper < 0.4 for each in found)
    assert shifted > 5 + 4 * np.sqrt(5), "control"


def test_equal_draws_leave_room_for_orders_that_were_not_drawn():
    found = log_mean_bounds([np.full(50, -3.0)])
    assert found.no_spread
    assert found.importance == found.tangent == pytest.approx(-3.0)
    assert found.upper == pytest.approx(-3.0 + np.log(2.0 - 0.025 ** (1 / 50)))
    assert -3.3 < found.lower < -3.0


@pytest.mark.parametrize(("draws", "level"), [([1.0, 2.0], 0.95), ([1.0, 2.0, 3.0], 95)])
def test_too_few_draws_and_invalid_levels_are_refused(draws, level):
    with pytest.raises(InputError):
        log_mean_bounds([draws], level)
