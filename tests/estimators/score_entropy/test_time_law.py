"""Time laws: uniform numbers become times with that density, and pilots find where the variance is."""

import numpy as np
import pytest

from estimators import InputError
from estimators.score_entropy.time_law import TimeLaw
from tests.support.stat_asserts import assert_rate

LAW = TimeLaw((0.5, 0.05, 0.25, 0.2))


def test_maths_times_have_the_probabilities_and_the_density():
    uniform = np.random.default_rng(0).random(20_000)
    times = LAW.times(uniform)
    for part, probability in enumerate(LAW.probability):
        inside = (times >= part / 4) & (times < (part + 1) / 4)
        assert_rate(int(inside.sum()), len(times), probability)
        np.testing.assert_array_equal(LAW.density(times[inside]), 4 * probability)
        assert_rate(int((times[inside] < (part + 0.5) / 4).sum()), int(inside.sum()), 0.5)  # uniform in each part
    with pytest.raises(AssertionError):
        assert_rate(int((times < 0.25).sum()), len(times), 0.25)


def test_maths_the_density_is_the_inverse_of_the_slope():
    uniform = (np.arange(998) + 0.5) / 998  # no point coincides with a jump of the density
    slope = (LAW.times(uniform + 1e-7) - LAW.times(uniform - 1e-7)) / 2e-7
    np.testing.assert_allclose(LAW.density(LAW.times(uniform)) * slope, 1.0, rtol=1e-6)


def test_endpoints_are_valid_times():
    ends = LAW.times([0.0, 1.0])
    np.testing.assert_array_equal(ends, [0.0, 1.0])
    np.testing.assert_array_equal(LAW.density(ends), [2.0, 0.8])
    thirds = TimeLaw((1 / 3, 1 / 3, 1 / 3))
    assert thirds.times(1.0) == 1.0


class TestFitted:
    TIMES = (np.arange(64) + 0.5) / 64

    def test_maths_proportional_to_the_root_mean_square_plus_an_equal_share(self):
        squares = np.repeat([0.0, 1.0, 4.0, 9.0], 16)
        expected = 0.7 * np.array([0, 1, 2, 3]) / 6 + 0.3 / 4
        np.testing.assert_allclose(TimeLaw.fitted(self.TIMES, squares).probability, expected, rtol=1e-12)

    def test_maths_its_variance_is_less_than_with_uniform_times(self):
        """The second moment is the mean of square over density: less than for equal shares, more in a wrong order."""
        squares = np.exp(4 * self.TIMES)
        law = TimeLaw.fitted(self.TIMES, squares)
        found = (squares / law.density(self.TIMES)).mean()
        assert found < 0.85 * squares.mean()
        assert (squares / law.density(1 - self.TIMES)).mean() > 1.3 * squares.mean()

    def test_every_time_keeps_a_positive_density_for_any_pilot(self):
        squares = np.zeros(64)
        squares[0] = 1e300
        law = TimeLaw.fitted(self.TIMES, squares)
        assert min(law.probability) == pytest.approx(0.3 / 4)
        assert max(1 / law.density(self.TIMES)) < 3.4  # the largest factor by which a weight can grow

    @pytest.mark.parametrize(("passes", "parts"), [(1, 1), (15, 1), (32, 2), (100, 6)])
    def test_each_part_has_enough_passes(self, passes, parts):
        times = (np.arange(passes) + 0.5) / passes
        assert len(TimeLaw.fitted(times, np.ones(passes)).probability) == parts

    def test_a_pilot_with_zero_losses_leaves_it_uniform(self):
        np.testing.assert_allclose(TimeLaw.fitted(self.TIMES, np.zeros(64)).probability, 0.25)


@pytest.mark.parametrize("probability", [(), (0.5, 0.4), (1.2, -0.2), (1.0, 0.0), (np.nan, 1.0), ((0.5, 0.5),)])
def test_invalid_probabilities_are_refused(probability):
    with pytest.raises(InputError, match="needs positive probabilities that sum to 1, got"):
        TimeLaw(probability)
