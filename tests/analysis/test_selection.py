"""The best of several estimators, chosen and measured on different replicates."""

import numpy as np
import pytest

from estimators.errors import InputError
from infodis_stats.analysis import geometric_mean, log_variance, regret, same_draws
from tests.support.stat_asserts import assert_mean, assert_rate

SEQUENCES, REPLICATES, STUDIES = 4, 16, 2000


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def studies():
    """Ten estimators of variance 1 and one of variance 2, in 2,000 independent studies."""
    sd = np.array([1.0] * 10 + [2**0.5])
    return rng(1).normal(size=(11, STUDIES, SEQUENCES, REPLICATES)) * sd[:, None, None, None]


class TestExact:
    def test_the_ratio_by_hand(self):
        draws = rng(2).normal(size=(3, 2, 8)) * np.array([1.0, 1.5, 4.0])[:, None, None]
        halves = [draws[..., start::2].var(axis=-1, ddof=1).mean(axis=-1) for start in (0, 1)]
        errors = [log_variance(draws[..., start::2]).standard_error for start in (0, 1)]
        expected, squared = np.zeros(3), np.zeros(3)
        for choosing, measuring, error in ((halves[0], halves[1], errors[1]), (halves[1], halves[0], errors[0])):
            best = choosing.argmin()
            expected += np.log(measuring / measuring[best]) / 2
            squared += np.where(np.arange(3) == best, 0.0, error**2 + error[best] ** 2) / 4
        result = regret(draws, True)
        np.testing.assert_allclose(np.log(result.ratio), expected, atol=1e-12)
        np.testing.assert_allclose(result.log_error, np.sqrt(squared), atol=1e-12)
        np.testing.assert_allclose(result.lower * result.upper, result.ratio**2, rtol=1e-12)

    def test_regret_is_invariant_under_a_common_scale_and_shift(self):
        draws = rng(3).normal(size=(4, 5, 2, 8))
        plain, moved = regret(draws, True), regret(7 - 3 * draws, True)
        for name in ("ratio", "lower", "upper", "winner", "tied"):
            np.testing.assert_allclose(getattr(moved, name), getattr(plain, name), rtol=1e-9)

    def test_cells_are_independent_of_one_another(self):
        draws = rng(4).normal(size=(3, 5, 2, 8))
        whole = regret(draws, True)
        for cell in range(5):
            alone = regret(draws[:, cell], True)
            np.testing.assert_array_equal(alone.ratio, whole.ratio[:, cell])
            assert alone.winner == whole.winner[cell]

    def test_exact_estimators_win_outright(self):
        draws = rng(5).normal(size=(4, 3, 16))
        draws[1] = draws[3] = [[1.0], [2.0], [3.0]]
        draws[1] += 1e-12 * rng(6).normal(size=(3, 16))
        result = regret(draws, True)
        assert result.winner == 1
        np.testing.assert_array_equal(result.ratio, [np.inf, 1, np.inf, 1])
        np.testing.assert_array_equal(result.lower, result.ratio)
        np.testing.assert_array_equal(result.tied, [False, True, False, True])

    def test_replicates_that_agree_in_one_half_only_are_not_exact(self):
        draws = rng(11).normal(size=(2, 3, 16)) * np.array([1.0, 9.0])[:, None, None]
        draws[0, :, ::2] = 0.0
        result = regret(draws, True)
        assert np.isfinite(result.ratio).all()
        assert result.winner == 0
        halves = [np.log(draws[..., start::2].var(axis=-1, ddof=1).mean(axis=-1)[1]) for start in (0, 1)]
        best = [np.log(one.var(axis=-1, ddof=1).mean()) for one in (draws[0], draws[0, :, 1::2])]
        assert np.log(result.ratio[1]) == pytest.approx((sum(halves) - sum(best)) / 2)

    def test_a_copy_of_the_best_has_regret_one(self):
        draws = rng(7).normal(size=(3, 4, 16)) * np.array([1.0, 50.0, 1.0])[:, None, None]
        draws[2] = draws[0]
        result = regret(draws, [True, True, False])
        assert result.ratio[2] == result.lower[2] == result.upper[2] == 1
        assert not result.tied[2]
        draws[2] = rng(8).normal(size=(4, 16))
        assert regret(draws, [True, True, False]).ratio[2] != 1

    def test_estimators_that_are_no_candidates_or_were_not_run_never_win(self):
        draws = rng(9).normal(size=(3, 2, 2, 8)) * np.array([1.0, 0.01, 5.0])[:, None, None, None]
        draws[0, 1] = np.nan
        result = regret(draws, np.array([True, False, True])[:, None])
        assert result.winner.tolist() == [0, 2]
        assert not result.tied[1].any()
        assert (result.ratio[1] < 0.01).all()
        assert np.isnan(result.ratio[0, 1])
        nothing = regret(draws, np.array([True, False, False])[:, None])
        assert nothing.winner.tolist() == [0, -1]
        assert np.isnan(nothing.ratio[:, 1]).all()
        assert not nothing.tied[:, 1].any()

    def test_geometric_means(self):
        logs = np.log([[2.0, 3.0, np.inf], [8.0, np.nan, np.inf]])
        result = geometric_mean(logs, [[0.3, 0.1, 0.0], [0.4, 0.1, 0.0]], level=0.95)
        np.testing.assert_allclose(result.mean, [4, np.nan, np.nan])
        np.testing.assert_allclose(np.log(result.upper[0] / 4), 1.959964 * 0.25, rtol=1e-6)
        np.testing.assert_allclose(result.lower * result.upper, result.mean**2)
        assert result.infinite.tolist() == [0, 0, 2]
        without = geometric_mean([np.log(2), -np.inf], [0.3, 0.0])
        assert (float(without.mean), int(without.infinite)) == (pytest.approx(2.0), 0)

    def test_draws_are_the_same_only_if_equal_for_every_sequence(self):
        first = rng(10).normal(size=(2, 3, 8))
        second = first * (1 + 1e-8)
        assert same_draws(first, second).tolist() == [True, True]
        second[1, 2, 7] += 1e-3
        assert same_draws(first, second).tolist() == [True, False]

    @pytest.mark.parametrize(
        ("shape", "level", "words"),
        [
            ((3, 2, 5), 0.95, "at least 6 replicates, got 5"),
            ((3, 8), 0.95, "an estimator axis and a sequence axis"),
            ((3, 2, 8), 95, "between 0 and 1"),
        ],
    )
    def test_bad_input_is_refused(self, shape, level, words):
        with pytest.raises(InputError, match=words):
            regret(np.zeros(shape), True, level)


class TestSimulation:
    def test_the_gain_of_the_best_is_unbiased(self, studies):
        assert_mean(np.log(regret(studies, True).ratio[-1]), np.log(2))

    def test_negative_control_choosing_and_measuring_on_the_same_replicates_is_biased(self, studies):
        variances = studies.var(axis=-1, ddof=1).mean(axis=-1)
        flattered = np.log(variances[-1] / variances[:-1].min(axis=0))
        assert flattered.mean() - np.log(2) > 0.25
        with pytest.raises(AssertionError, match="mean is off"):
            assert_mean(flattered, np.log(2))

    def test_intervals_cover_as_documented(self, studies):
        result = regret(studies, True)
        assert_rate(int(((result.lower <= 2) & (result.upper >= 2))[-1].sum()), STUDIES, 0.945)

    def test_negative_control_intervals_around_the_biased_ratio_undercover(self, studies):
        """They have the same width, that of a difference of two log variances."""
        variances, error = studies.var(axis=-1, ddof=1).mean(axis=-1), regret(studies, True).log_error[-1]
        flattered = np.log(variances[-1] / variances[:-1].min(axis=0) / 2)
        covered = int((np.abs(flattered) <= 1.96 * error).sum())
        with pytest.raises(AssertionError, match="rate"):
            assert_rate(covered, STUDIES, 0.945)

    def test_one_of_ten_equal_estimators_is_rarely_called_worse_and_a_worse_one_often(self, studies):
        """3.4 % as documented; the ten are nearly independent, which the band for 2,000 of one estimator allows for."""
        worse = regret(studies, True).lower > 1
        assert_rate(int(worse[0].sum()), STUDIES, 0.034)
        assert worse[-1].mean() > 0.5
