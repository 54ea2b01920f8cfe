import numpy as np
import pytest

from estimators.errors import InputError
from infodis_stats.analysis import jensen_gap
from tests.support.stat_asserts import assert_rate


def plug_in(draws):
    return draws.mean() + np.log(np.exp(-draws).mean())


def test_equals_the_jackknife_by_its_definition():
    draws = np.random.default_rng(0).gamma(2.0, size=7)
    left_out = np.array([plug_in(np.delete(draws, place)) for place in range(7)])
    found = jensen_gap(draws)
    assert found.estimate == pytest.approx(7 * plug_in(draws) - 6 * left_out.mean())
    assert found.standard_error == pytest.approx(np.sqrt(6 / 7 * ((left_out - left_out.mean()) ** 2).sum()))


def test_does_not_depend_on_the_level_of_the_draws():
    draws = np.random.default_rng(1).normal(size=(3, 20))
    near, far = jensen_gap(draws), jensen_gap(draws + 5000.0)  # exp(-5000) is 0
    np.testing.assert_allclose(far.estimate, near.estimate, rtol=1e-9)
    np.testing.assert_allclose(far.lower, near.lower, rtol=1e-9)


def test_is_half_the_variance_for_a_small_spread():
    draws = 1e-4 * np.random.default_rng(2).normal(size=(5, 12))
    found = jensen_gap(draws)
    # The next-order term is smaller by the spread, 1e-4; in float64, 1e-8 nats keep 8 digits.
    np.testing.assert_allclose(found.estimate, draws.var(axis=-1, ddof=1) / 2, rtol=2e-3)
    assert (found.lower < found.estimate).all()
    assert (found.estimate < found.upper).all()


def test_covers_where_student_t_does_not():
    """20,000 intervals: the binomial standard error is 0.15 points; with another seed the coverage was 94.9 %."""
    draws = 0.5 * np.random.default_rng(3).normal(size=(20_000, 16))
    found, truth = jensen_gap(draws), 0.125
    covered = (found.lower <= truth) & (truth <= found.upper)
    assert_rate(int(covered.sum()), 20_000, 0.95, sigmas=5)
    half_width = 2.131 * found.standard_error  # t with 15 degrees of freedom
    naive = np.abs(found.estimate - truth) <= half_width
    with pytest.raises(AssertionError):
        assert_rate(int(naive.sum()), 20_000, 0.95, sigmas=5)


def test_the_upper_end_is_infinite_where_few_draws_dominate():
    draws = np.random.default_rng(4).normal(0, [[0.5], [3.0]], size=(2, 64))
    found = jensen_gap(draws)
    assert np.isfinite(found.upper).tolist() == [True, False]
    assert np.isinf(found.mean[2])
    assert found.mean[1] > 0
    assert np.isfinite(jensen_gap(draws[:1]).mean[2])


def test_the_mean_over_cells_covers():
    """2,000 means of 8 gaps; the binomial standard error is 0.5 points."""
    draws = 0.5 * np.random.default_rng(5).normal(size=(2000, 8, 16))
    ends = [jensen_gap(one).mean for one in draws]
    assert_rate(sum(low <= 0.125 <= high for _, low, high in ends), 2000, 0.95)
    shifted = sum(low <= 0.125 * 1.5 <= high for _, low, high in ends)
    with pytest.raises(AssertionError):
        assert_rate(shifted, 2000, 0.95)


def test_equal_draws_have_no_gap():
    found = jensen_gap([[3.0, 3.0, 3.0 + 1e-12], [1.0, 2.0, 3.0]])
    assert found.estimate[0] == found.lower[0] == found.upper[0] == 0
    assert found.estimate[1] > 0


@pytest.mark.parametrize(("draws", "level"), [([1.0, 2.0], 0.95), ([1.0, 2.0, 3.0], 95)])
def test_too_few_draws_and_invalid_levels_are_refused(draws, level):
    with pytest.raises(InputError):
        jensen_gap(draws, level)


def test_maths_gaps_of_sums_are_sums_and_their_intervals_cover():
    """300 sums of 6 normal parts, gap half the variance; nominal 5 % misses, 10 % are 4 standard errors more."""
    draws, truth = np.random.default_rng(0).normal(0.0, 0.5, (1800, 24)), 6 * 0.5**2 / 2
    sums, alone = jensen_gap(draws, parts=[6] * 300), jensen_gap(draws)
    np.testing.assert_allclose(sums.estimate, alone.estimate.reshape(300, 6).sum(axis=1))

    def misses(gap):
        return ((sums.lower > gap) | (sums.upper < gap)).mean()

    assert misses(truth) < 0.10
    assert misses(1.5 * truth) > 0.10, "control"
