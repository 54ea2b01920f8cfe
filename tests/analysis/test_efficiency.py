import numpy as np
import pytest
from scipy import stats

from estimators.errors import InputError
from infodis_stats.analysis import coverage, efficiency, relative_efficiency, variance_ratio, variance_sum
from infodis_stats.analysis.efficiency import _moments
from tests.support.stat_asserts import assert_rate


def rng(seed=0):
    return np.random.default_rng(seed)


class TestExact:
    def test_ratio_of_summed_variances(self):
        draws, reference = rng(1).normal(size=(2, 3, 8)), rng(2).normal(size=(2, 3, 12))
        result = relative_efficiency(draws, reference, rng())
        expected = reference.var(axis=-1, ddof=1).sum(axis=-1) / draws.var(axis=-1, ddof=1).sum(axis=-1)
        np.testing.assert_allclose(result.ratio, expected, rtol=1e-12)
        assert ((result.lower < result.ratio) & (result.ratio < result.upper)).all()

    def test_jackknife_of_a_variance_by_its_definition(self):
        draws = rng(3).exponential(size=(4, 7))
        left_out = np.stack([np.delete(draws, j, axis=-1).var(axis=-1, ddof=1) for j in range(7)])
        expected = 6 / 7 * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
        sample_variance, jackknife = _moments(draws, -1)
        np.testing.assert_allclose(sample_variance, draws.var(axis=-1, ddof=1), rtol=1e-12)
        np.testing.assert_allclose(jackknife, expected, rtol=1e-12)

    def test_scale_and_shift(self):
        draws, reference = rng(4).normal(size=(2, 16)), rng(5).normal(size=(2, 16))
        plain = relative_efficiency(draws, reference, rng())
        moved = relative_efficiency(3 * draws + 7, reference - 2, rng())
        for name in ("ratio", "lower", "upper"):
            np.testing.assert_allclose(getattr(moved, name) * 9, getattr(plain, name), rtol=1e-9)

    def test_interval_is_symmetric_on_the_log_scale(self):
        result = relative_efficiency(rng(6).normal(size=(2, 16)), rng(7).gamma(1.0, size=(2, 16)), rng())
        assert result.lower * result.upper == pytest.approx(result.ratio**2)

    def test_close_to_the_f_interval_for_many_normal_replicates(self):
        size = 2000
        draws, reference = rng(8).normal(size=(10, 1, size)), rng(9).normal(size=(10, 1, size))
        result = relative_efficiency(draws, reference, rng(1))
        width = np.log(result.upper / result.lower)
        expected = np.log(stats.f.ppf(0.975, size, size) / stats.f.ppf(0.025, size, size))
        # A 95 % quantile of 999 resamples is accurate to 3.4 %, the standard error to 2 %: four sigmas.
        np.testing.assert_allclose(width, expected, rtol=4 * np.hypot(0.034, 0.02))

    def test_cells_share_the_resamples(self):
        draws, reference = rng(10).normal(size=(3, 2, 16)), rng(11).normal(size=(2, 16))
        together = relative_efficiency(draws, reference, rng())
        alone = relative_efficiency(draws[1], reference, rng())
        np.testing.assert_allclose(alone.lower, together.lower[1], rtol=1e-9)
        np.testing.assert_allclose(alone.upper, together.upper[1], rtol=1e-9)

    def test_it_depends_neither_on_chunks_nor_on_padding(self, monkeypatch):
        draws, reference = rng(20).normal(size=(2, 5, 16)), rng(21).normal(size=(5, 12))
        reference[[1, 3], 7:] = np.nan
        together = relative_efficiency(draws, reference, rng())
        monkeypatch.setattr(efficiency, "RESAMPLED_VALUES", 1)
        alone = relative_efficiency(draws, np.pad(reference, ((0, 0), (3, 1)), constant_values=np.nan), rng())
        for name, value in vars(alone).items():
            np.testing.assert_allclose(value, getattr(together, name), rtol=1e-12)
        summed = sum(np.nanvar(one, ddof=1) for one in reference)
        np.testing.assert_allclose(alone.ratio, summed / draws.var(axis=-1, ddof=1).sum(axis=-1), rtol=1e-12)

    def test_variance_sums_give_the_same_ratio_as_draws(self):
        draws, reference = rng(22).normal(size=(3, 16)), rng(23).normal(size=(3, 16))
        random = rng()
        expected = variance_ratio(*(variance_sum(one, random) for one in (draws, reference)), level=0.8)
        for name, value in vars(relative_efficiency(draws, reference, rng(), level=0.8)).items():
            assert value == getattr(expected, name)
        with pytest.raises(InputError, match="at least 999 resamples, got 39"):
            variance_ratio(*(variance_sum(one, rng(), 39) for one in (draws, reference)), level=0.998)


class TestExactEstimators:
    varied = rng(12).normal(size=(2, 16))
    exact = np.full((2, 16), 0.3) + np.where(np.arange(16) % 2, 1e-15, 0.0)

    def test_inf_zero_and_nan(self):
        for first, second, ratio in [(self.exact, self.varied, np.inf), (self.varied, self.exact, 0.0)]:
            result = relative_efficiency(first, second, rng())
            assert (result.ratio, result.lower, result.upper) == (ratio, ratio, ratio)
        result = relative_efficiency(self.exact, self.exact, rng())
        assert np.isnan([result.ratio, result.lower, result.upper]).all()

    def test_one_exact_sequence_among_others_is_allowed(self):
        draws = np.concatenate([self.varied, self.exact])
        result = relative_efficiency(draws, 2 * draws[::-1], rng())
        assert result.ratio == pytest.approx(4.0)
        assert 1 < result.lower < 4 < result.upper < np.inf


class TestContract:
    def test_nan_cells_stay_nan(self):
        draws = rng(13).normal(size=(2, 3, 8))
        draws[0, 1] = np.nan
        result = relative_efficiency(draws, draws[1], rng())
        for array in vars(result).values():
            assert type(array) is np.ndarray
            np.testing.assert_array_equal(np.isnan(array), [True, False])

    def test_too_few_replicates_give_an_infinite_interval(self):
        result = relative_efficiency([[1.0, 2.0, 4.0]], [[1.0, 2.0, 5.0]], rng())
        assert (result.lower, result.upper) == (0.0, np.inf)

    def test_balanced_two_valued_draws_have_no_measurable_error(self):
        result = relative_efficiency([[1.0, 2.0, 1.0, 2.0]], [[0.0, 4.0, 0.0, 4.0]], rng())
        assert result.ratio == pytest.approx(16.0)
        assert (result.lower, result.upper) == (0.0, np.inf)

    @pytest.mark.parametrize(
        ("first", "second", "message"),
        [
            ((2, 2), (2, 8), "the error of a variance needs at least 3 replicates, got 2"),
            ((8,), (2, 8), "sequence axis"),
            ((2, 8), (3, 8), "draws have 2 sequences but the reference has 3"),
        ],
    )
    def test_wrong_shapes_are_refused(self, first, second, message):
        with pytest.raises(InputError, match=message):
            relative_efficiency(np.zeros(first), np.zeros(second), rng())

    def test_levels_and_resamples_are_checked(self):
        draws = rng(14).normal(size=(2, 8))
        with pytest.raises(InputError, match="confidence level"):
            relative_efficiency(draws, draws, rng(), level=1.0)
        with pytest.raises(InputError, match="at least 39 resamples"):
            relative_efficiency(draws, draws, rng(), resamples=38)


@pytest.mark.slow
class TestLaw:
    def simulated(self, terms, sequences):
        scale = np.linspace(0.5, 2.0, sequences)[:, None]
        stream = rng(15)
        return [
            (scale * terms(stream, (100, sequences, 32)), 2 * scale * terms(stream, (100, sequences, 32)))
            for _ in range(15)
        ]

    @pytest.mark.parametrize(
        ("terms", "sequences", "expected"),
        [
            (lambda s, size: s.normal(size=size), 1, 0.947),
            (lambda s, size: s.gamma(1.0, size=size), 1, 0.936),
            (lambda s, size: s.gamma(1.0, size=size), 4, 0.95),
        ],
        ids=["normal", "gamma", "gamma, four sequences"],
    )
    def test_covers_as_documented(self, terms, sequences, expected):
        bootstrap = rng(16)
        results = [relative_efficiency(a, b, bootstrap) for a, b in self.simulated(terms, sequences)]
        lower, upper = (np.concatenate([getattr(r, side) for r in results]) for side in ("lower", "upper"))
        result = coverage(lower, upper, 4.0, axis=0)
        assert_rate(int(result.count - result.missed_low - result.missed_high), 1500, expected)

    def test_the_normal_f_interval_does_not_cover_skewed_terms(self):
        # Negative control: the same simulation with the textbook interval for normal draws.
        simulated = self.simulated(lambda s, size: s.gamma(1.0, size=size), 1)
        ratio = np.concatenate([(b.var(axis=-1, ddof=1) / a.var(axis=-1, ddof=1))[:, 0] for a, b in simulated])
        lower, upper = ratio / stats.f.ppf(0.975, 31, 31), ratio / stats.f.ppf(0.025, 31, 31)
        assert coverage(lower, upper, 4.0, axis=0).upper < 0.8
