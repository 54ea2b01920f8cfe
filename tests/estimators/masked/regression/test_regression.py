"""The regression estimator: its strata, its plan, and its gain in precision."""

import numpy as np
import pytest

import infodis_stats as ids
from estimators import Cell, Coupled, InputError, MaskPlan, draw, estimator, evaluate, make_pairs, make_targets
from estimators.masked.regression.strata import SINGLE_FROM, size_strata
from tests.support.toys import ArbitraryLosses

REGRESSION = estimator("regression")


@pytest.mark.parametrize(("length", "passes"), [(1, 1), (1, 40), (2, 5), (7, 3), (7, 15), (40, 12)])
def test_maths_strata_are_equal_parts_of_the_uniform_distribution(length, passes):
    strata = size_strata(length, passes)
    np.testing.assert_allclose(strata.sum(axis=1), 1.0)
    np.testing.assert_allclose(strata.sum(axis=0), passes / length)
    means = strata @ np.arange(length)
    assert (np.diff(means) >= -1e-12).all()


@pytest.mark.parametrize("passes", [SINGLE_FROM, 64])
def test_maths_with_many_passes_the_last_is_the_full_mask(passes):
    strata = size_strata(7, passes)
    np.testing.assert_allclose(strata[:-1].sum(axis=0), [*[(passes - 1) / 6] * 6, 0.0])
    assert strata[-1].tolist() == [0.0] * 6 + [1.0]
    plan = REGRESSION.plan(7, passes, 5, np.random.default_rng(0))
    assert (plan.masks.all(axis=-1) == (np.arange(passes) == passes - 1)).all()
    np.testing.assert_allclose(plan.weights[:, -1], 1 / 7)


@pytest.mark.parametrize("length", [17, 40])
def test_maths_where_sizes_outnumber_passes_the_smallest_have_a_pass_of_their_own(length):
    strata = size_strata(length, SINGLE_FROM)
    np.testing.assert_array_equal(strata[:2, :2], np.eye(2))
    assert not strata[2:, :2].any()
    assert not strata[:2, 2:].any()
    np.testing.assert_allclose(strata[2:-1].sum(axis=0), [0, 0, *[(SINGLE_FROM - 3) / (length - 3)] * (length - 3), 0])
    np.testing.assert_allclose(strata.sum(axis=1), 1.0)
    sizes = REGRESSION.plan(length, SINGLE_FROM, 5, np.random.default_rng(0)).masks.sum(axis=-1)
    assert (sizes[:, [0, 1, -1]] == [1, 2, length]).all()
    assert ((sizes[:, 2:-1] > 2) & (sizes[:, 2:-1] < length)).all()


@pytest.mark.parametrize(("length", "passes"), [(5, 3), (5, 16), (6, 40), (20, 16), (17, 16)])
def test_maths_sizes_are_drawn_from_their_strata(length, passes):
    """20,000 replicates: frequencies are within 5 standard errors of the strata, and 0 where these are 0."""
    plan = REGRESSION.plan(length, passes, 20_000, np.random.default_rng(0))
    strata = size_strata(length, passes)
    frequency = (plan.masks.sum(axis=-1)[..., None] == np.arange(1, length + 1)).mean(axis=0)
    spread = np.sqrt(np.maximum(strata * (1 - strata), 0.0) / 20_000)
    assert (np.abs(frequency - strata) <= 5 * spread + 1e-12).all()


def test_one_pass_is_the_weighted_sum():
    model, tokens = ArbitraryLosses(4), [[0, 1, 2, 3]]
    (one,) = draw(model, [Cell(REGRESSION, make_targets(tokens)[0], 1, 9)], 0)
    evaluation = one.evaluations[0]
    np.testing.assert_allclose(one.estimates, (evaluation.plan.weights * evaluation.losses).sum(axis=(1, 2)))


@pytest.mark.parametrize("passes", [1, 2, 3, 16, 40])
def test_one_position_is_exact(passes):
    model = ArbitraryLosses(1)
    estimates = REGRESSION.sample(model, [[0]], passes=passes, replicates=3, rng=0)
    np.testing.assert_allclose(estimates, float(model.table[1, 0]), rtol=1e-12)


@pytest.mark.parametrize(
    ("length", "passes"), [(6, 2), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((6, 20), (18, 16)))]
)
def test_maths_unbiased_by_simulation(length, passes):
    """The whole estimator, without and with sizes of their own: 500 replicates, within 4 standard errors."""
    model = ArbitraryLosses(length, seed=2)
    tokens = [[0, 1, 2, 3, 0, 1, 2, 0, 0, 1, 3, 1, 2, 2, 0, 3, 1, 0][:length]]
    exact = estimator("exhaustive").sample(model, tokens, passes=2**length - 1, replicates=1, rng=0)[0, 0]
    estimates = REGRESSION.sample(model, tokens, passes=passes, replicates=500, rng=1)[0]
    assert abs(estimates.mean() - exact) < 4 * estimates.std() / np.sqrt(len(estimates))


def variance(name, law, tokens, passes, replicates):
    estimates = estimator(name).sample(law, tokens, passes=passes, replicates=replicates, rng=0)
    return estimates.var(axis=1, ddof=1).mean()


@pytest.mark.slow
def test_it_gains_much_where_neighbours_are_informative():
    """On other chains of order 1 the measured precision was 95 times as high at (16, 32), to a factor of 1.3."""
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
    tokens = law.sample(4, length=16, seed=6)
    plain = variance("uniform-count+stratified", law, tokens, 32, 30)
    assert variance("regression", law, tokens, 32, 30) < plain / 30


@pytest.mark.slow
def test_it_loses_little_where_there_is_nothing_to_learn():
    """Arbitrary losses: noisy predictions must not inflate the variance much. Variances are accurate to 10 %."""
    model, tokens = ArbitraryLosses(8), np.zeros((4, 8), dtype=int)
    plain = variance("uniform-count+stratified", model, tokens, 16, 100)
    assert variance("regression", model, tokens, 16, 100) < 1.5 * plain


@pytest.mark.parametrize("loss", [0.0, 1e-9, 3.0, 1e9])
def test_constant_losses_are_nearly_exact_at_any_scale(loss):
    class Flat:
        def token_nll(self, tokens, masked):
            return masked.double() * loss

    estimates = REGRESSION.sample(Flat(), [[0] * 12], passes=32, replicates=20, rng=0)
    np.testing.assert_allclose(estimates, 12 * loss, rtol=0.02)


def test_nearly_deterministic_laws_have_finite_estimates():
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=2, concentration=0.05)
    tokens = law.sample(3, length=24, seed=0)
    estimates = REGRESSION.sample(law, tokens, passes=24, replicates=40, rng=0)
    error = np.abs(estimates.mean(axis=1) - law.nll(tokens))
    assert (error < 4 * estimates.std(axis=1) / np.sqrt(40) + 1e-9).all()


def test_a_coupled_contrast_regresses_the_difference():
    model = ArbitraryLosses(6, seed=4)

    class ByToken:
        def token_nll(self, tokens, masked):
            return model.token_nll(tokens, masked) * (1.0 + tokens)

    (pair,) = make_pairs([[0, 1, 2, 0, 1, 2]], [[1, 1, 0, 2, 1, 0]])
    jobs = Coupled(REGRESSION).jobs(pair, 20, 5, np.random.default_rng(0))
    first, second = evaluate(ByToken(), jobs)
    difference = REGRESSION.reduce(first.plan, second.losses - first.losses)
    np.testing.assert_allclose(Coupled(REGRESSION).combine((first, second)), difference, rtol=1e-10)


def test_replicates_are_reduced_independently():
    plan = REGRESSION.plan(6, 20, 4, np.random.default_rng(0))
    losses = plan.masks * np.random.default_rng(1).random(plan.masks.shape)
    together = REGRESSION.reduce(plan, losses)
    for r in range(4):
        alone = REGRESSION.reduce(MaskPlan(plan.masks[r : r + 1], plan.weights[r : r + 1]), losses[r : r + 1])
        np.testing.assert_array_equal(alone, together[r : r + 1])


def test_zero_scored_positions_are_refused():
    with pytest.raises(InputError, match="at least one scored position, got 0"):
        REGRESSION.plan(0, 4, 1, np.random.default_rng(0))
