"""The within-replicate variance, against the exact variance and the variance over many replicates."""

from itertools import product

import numpy as np
import pytest
import torch

from estimators import (
    Cell,
    Coupled,
    Decoupled,
    PassesError,
    draw,
    estimator,
    estimator_names,
    make_pairs,
    make_targets,
    pass_totals,
)
from estimators.plan import pass_terms
from estimators.within_variance import (
    WithinVariance,
    added,
    from_parts,
    from_residuals,
    from_second_differences,
    from_strata,
)
from tests.support.stat_asserts import assert_mean
from tests.support.toys import ArbitraryLosses, ArbitraryModel, fitting_passes

LENGTH = 6
MODEL = ArbitraryModel(LENGTH, seed=41)
(TARGET,) = make_targets(np.zeros((1, LENGTH), dtype=int))


def drawn(name, passes, replicates, seed=0):
    (found,) = draw(MODEL, [Cell(estimator(name), TARGET, passes, replicates)], seed)
    return found


def assert_variance(found, least=0.0, most=0.0):
    """The mean within-replicate variance equals the variance over replicates, up to a band and 4 standard errors."""
    own, estimates = found.within_variance.variance, found.estimates
    squares = (estimates - estimates.mean()) ** 2
    true = squares.mean()
    error = 4 * np.hypot(own.std(), squares.std()) / np.sqrt(len(own))
    assert true * (1 - least) - error < own.mean() < true * (1 + most) + error, own.mean() / true


class TestParts:
    @pytest.mark.parametrize("name", estimator_names())
    def test_the_mean_of_the_parts_is_the_estimate(self, name):
        found = drawn(name, 16 if name.endswith("+sobol") else fitting_passes(name, LENGTH), 3)
        np.testing.assert_allclose(found.parts.mean(axis=1), found.estimates, rtol=1e-12)

    @pytest.mark.parametrize(
        ("name", "passes", "parts"),
        [
            ("time-free", 6, 6),
            ("uniform-count+antithetic", 6, 3),
            ("uniform-count+antithetic", 5, 1),
            ("uniform-count+stratified", 6, 1),
            ("chain", 3 * LENGTH, 3),
            ("chain+antithetic", 4 * LENGTH, 2),
            ("block-chain", 4, 1),
            ("regression", 6, 1),
        ],
    )
    def test_there_are_as_many_parts_as_independent_groups(self, name, passes, parts):
        assert drawn(name, passes, 2).parts.shape == (2, parts)

    @pytest.mark.parametrize("name", ["time-free", "uniform-count+antithetic", "chain"])
    def test_parts_of_one_replicate_are_uncorrelated(self, name):
        parts = drawn(name, 2 * LENGTH, 4000).parts[:, :2]
        centred = parts - parts.mean()
        assert_mean(centred.prod(axis=1), 0.0)

    def test_control_single_passes_of_a_pair_are_correlated(self):
        """Control: the same check fails if the passes of antithetic pairs are treated as independent."""
        found = drawn("uniform-count+antithetic", 2, 4000)
        terms = pass_terms(found.evaluations[0].plan, found.evaluations[0].losses)
        with pytest.raises(AssertionError):
            assert_mean((terms - terms.mean()).prod(axis=1), 0.0)


class TestWithinVariance:
    @pytest.mark.parametrize("name", ["time-free", "uniform-count", "root-count"])
    def test_of_independent_passes_is_exact_on_average(self, name):
        found = drawn(name, 8, 4000)
        exact = estimator(name).mask_map.law(LENGTH).moments(pass_totals(MODEL, [np.zeros(LENGTH, dtype=int)]))[1]
        assert_mean(found.within_variance.variance, exact[0] / 8)
        np.testing.assert_array_equal(found.within_variance.degrees, 7.0)

    @pytest.mark.parametrize(("name", "passes"), [("uniform-count+antithetic", 8), ("chain", 12), ("block-chain", 9)])
    def test_of_independent_groups_equals_the_variance_over_replicates(self, name, passes):
        assert_variance(drawn(name, passes, 4000))

    @pytest.mark.parametrize(
        "name",
        ["uniform-count+stratified", "time-free+stratified", "root-count+stratified", "triangular"],
    )
    def test_of_strata_is_the_variance_over_replicates_or_slightly_more(self, name):
        """Arbitrary losses curve the mean over sizes more than any law does: 10 % below, 35 % above are allowed."""
        assert_variance(drawn(name, 24, 3000), least=0.1, most=0.35)

    def test_control_treating_stratified_passes_as_independent_is_far_off(self):
        found = drawn("time-free+stratified", 24, 3000)
        naive = from_parts(pass_terms(found.evaluations[0].plan, found.evaluations[0].losses))
        assert naive.variance.mean() > 1.7 * found.estimates.var()

    @pytest.mark.slow
    def test_of_a_regression_is_not_below_the_variance_over_replicates(self):
        found = drawn("regression", 16, 600)
        assert 1.0 < found.within_variance.variance.mean() / found.estimates.var() < 2.5

    def test_of_an_exact_estimator_is_zero(self):
        assert drawn("exhaustive", 2**LENGTH, 2).within_variance.variance.tolist() == [0.0, 0.0]

    @pytest.mark.parametrize(
        ("name", "passes"),
        [("chain", LENGTH), ("without-replacement", LENGTH), ("regression", 7), ("time-free", 1), ("systematic", 16)],
    )
    def test_is_none_where_it_cannot_be_estimated(self, name, passes):
        assert drawn(name, passes, 2).within_variance is None


class TestDeclared:
    """What is declared of a length and a number of passes is what the passes allow."""

    @pytest.mark.parametrize("name", estimator_names())
    def test_of_targets(self, name):
        sampler, rng = estimator(name), np.random.default_rng(0)
        compared = 0
        for length, passes in product((1, 2, 3, 6), (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 64)):
            try:
                plan = sampler.plan(length, passes, 2, rng)
            except PassesError:
                continue
            losses = rng.random(plan.weights.shape) * (plan.weights > 0)
            (reduction,), parts = sampler.reductions(plan, [losses]), sampler.parts(plan, losses)
            count, known = 1 if parts is None else parts.shape[1], reduction.within_variance is not None
            asked = sampler.part_count(length, passes), sampler.has_within_variance(length, passes)
            assert asked == (count, known), (length, passes)
            compared += 1
        assert compared

    @pytest.mark.parametrize("kind", [Coupled, Decoupled])
    @pytest.mark.parametrize("name", ["time-free", "regression", "chain", "exhaustive", "uniform-count+stratified"])
    def test_of_pairs(self, name, kind):
        for item in (TestContrasts.PAIR, TestContrasts.UNEQUAL):
            cell = Cell(kind(estimator(name)), item, 64, 2)
            (found,) = draw(MODEL, [cell], 3)
            known = found.parts.shape[1], found.within_variance is not None
            assert (cell.part_count, cell.has_within_variance) == known


class TestContrasts:
    (PAIR,) = make_pairs(np.zeros((1, LENGTH), dtype=int), np.zeros((1, LENGTH), dtype=int))
    (UNEQUAL,) = make_pairs(np.zeros((1, LENGTH), dtype=int), np.zeros((1, LENGTH - 2), dtype=int))

    class OtherSide(ArbitraryLosses):
        """The second side of a pair (token 1) has other losses."""

        def token_nll(self, tokens, masked):
            slope = torch.linspace(-0.5, 0.5, tokens.shape[1], dtype=torch.float64)
            return super().token_nll(tokens, masked) * (1.0 + tokens * slope)

    @pytest.mark.parametrize("kind", [Coupled, Decoupled])
    @pytest.mark.parametrize("name", ["time-free", "uniform-count+antithetic", "uniform-count+stratified"])
    def test_of_a_difference_equals_the_variance_over_replicates(self, kind, name):
        (pair,) = make_pairs(np.zeros((1, LENGTH), dtype=int), np.ones((1, LENGTH), dtype=int))
        model = self.OtherSide(LENGTH, seed=42)
        (found,) = draw(model, [Cell(kind(estimator(name)), pair, 12, 3000)], 1)
        assert_variance(found, least=0.1, most=0.35)

    def test_equal_sides_have_variance_zero_only_if_coupled(self):
        for kind, positive in ((Coupled, False), (Decoupled, True)):
            (found,) = draw(MODEL, [Cell(kind(estimator("uniform-count")), self.PAIR, 6, 2)], 0)
            assert (found.within_variance.variance > 0).all() == positive

    def test_unequal_lengths_use_the_parts_where_there_are_several(self):
        (found,) = draw(MODEL, [Cell(Coupled(estimator("uniform-count")), self.UNEQUAL, 8, 3000)], 0)
        assert_variance(found)
        (found,) = draw(MODEL, [Cell(Coupled(estimator("uniform-count+stratified")), self.UNEQUAL, 8, 2)], 0)
        assert found.within_variance is None


class TestFormulas:
    def test_linear_trends_add_no_variance(self):
        at = np.linspace(0.1, 1.0, 10)[None]
        assert from_residuals(3.0 - 2.0 * at, at).variance[0] == pytest.approx(0.0, abs=1e-20)
        assert from_second_differences(3.0 - 2.0 * at).variance[0] == pytest.approx(0.0, abs=1e-20)

    def test_a_significant_bend_adds_no_variance(self):
        """A slight one, or one of few passes, is taken for noise."""
        rng = np.random.default_rng(6)
        at = np.broadcast_to((np.arange(16) + 0.5) / 16, (5000, 16))
        noise = rng.normal(size=at.shape)
        bent = from_residuals(100.0 * at**2 + noise, at)
        assert bent.variance.mean() == pytest.approx(1 / 16, rel=0.3)  # HC3 is conservative
        assert bent.variance.mean() > 1 / 16
        assert bent.degrees.max() <= 13
        slight = from_residuals(3.0 * at**2 + noise, at)
        assert slight.degrees.max() == 14
        few = from_residuals((100.0 * at**2 + noise)[:, :7], at[:, :7])
        assert few.variance.mean() > 5 * bent.variance.mean(), "control: residuals of a line"

    @pytest.mark.parametrize("passes", [4, 16, 64])
    def test_of_independent_noise_about_a_line(self, passes):
        """Unbiased, and distributed like a chi-squared variable with the stated degrees of freedom."""
        rng = np.random.default_rng(5)
        at = np.broadcast_to((np.arange(passes) + 0.5) / passes, (20_000, passes))
        terms = 4.0 + 3.0 * at + rng.normal(size=at.shape)
        for found, most in (
            (from_residuals(terms, at), passes - 2.0),
            (from_second_differences(terms), 18 / 35 * (passes - 2.0)),
        ):
            assert_mean(found.variance, 1.0 / passes)
            assert found.degrees.max() <= max(most, 1.0) + 1e-9
            spread = (found.variance * passes).var()
            # 2 / degrees; with four passes the leverages are too unequal for a chi-squared distribution.
            assert passes == 4 or spread == pytest.approx(2.0 / most, rel=0.12)

    def test_strata_add_up(self):
        contributions = np.array([[5.0, 1.0, 3.0, 2.0, 2.0, 5.0]])
        found = from_strata(contributions, np.array([0, 1, 1, 2, 2, 2]))
        assert found.variance[0] == pytest.approx(2 * 2.0 + 3 * 3.0)
        exact = from_strata(contributions[:, :2], np.array([0, 1]))
        assert (exact.variance[0], exact.degrees[0]) == (0.0, np.inf)

    def test_degrees_of_a_sum_lie_between_those_of_one_term_and_of_all(self):
        small, large = (
            WithinVariance(np.array([1e-9]), np.array([5.0])),
            WithinVariance(np.array([1.0]), np.array([3.0])),
        )
        assert added(small, large).degrees[0] == pytest.approx(3.0, rel=1e-6)
        assert added(large, large, large).degrees[0] <= 9.0
        none = WithinVariance(np.array([0.0]), np.array([4.0]))
        assert added(none, none).degrees[0] == 8.0
