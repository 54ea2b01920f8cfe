"""Section 4: the Monte Carlo estimators draw as in the paper's equations and have the stated mean."""

import math

import numpy as np
import pytest
import torch

from estimators import Cell, Contrast, Coupled, Decoupled, Estimator, draw, estimator, make_pairs
from infodis_stats.laws.law import Law
from tests.support.noised_laws import HIDDEN, MARKOV
from tests.support.stat_asserts import assert_rate, assert_unbiased

LENGTH, GIVEN, PASSES, REPLICATES = 6, 2, 20, 800
LAWS = {"markov": MARKOV, "hidden-markov": HIDDEN}
EVERY_LAW = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
HARMONIC = math.fsum(1 / size for size in range(1, LENGTH + 1))


class Watched:
    """A law that records which positions were masked."""

    def __init__(self, law: Law) -> None:
        self.law, self.hidden = law, torch.zeros(LENGTH, dtype=torch.bool)

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        self.hidden |= masked.any(dim=0)
        return self.law.token_nll(tokens, masked)


def tokens_of(law: Law, seed: int = 3) -> np.ndarray:
    return law.sample(3, length=LENGTH, seed=seed)


def draws_of(sampler: Estimator, law: Law, context: int | None = None) -> np.ndarray:
    return sampler.sample(law, tokens_of(law), passes=PASSES, replicates=REPLICATES, rng=5, context=context)


def ratios_of(contrast: Contrast, law: Law) -> np.ndarray:
    """Ratios of sequences to those with another last token."""
    first, second = sides_of(law)
    return contrast.sample(law, first, second, passes=PASSES, replicates=REPLICATES, rng=5)


def sides_of(law: Law) -> tuple[np.ndarray, np.ndarray]:
    first = tokens_of(law)
    second = first.copy()
    second[:, -1] = (second[:, -1] + 1) % law.vocabulary_size
    return first, second


def assert_draws_of_equation_15(sampler: Estimator):
    """``m`` from ``1/(m H_L)``, masks uniform given their size, and weight ``H_L`` over the number of passes."""
    plan = sampler.plan(LENGTH, PASSES, REPLICATES, np.random.default_rng(1))
    masks = plan.masks.reshape(-1, LENGTH)
    sizes, code = masks.sum(axis=1), masks @ 2 ** np.arange(LENGTH)
    np.testing.assert_allclose(plan.weights, plan.masks * HARMONIC / PASSES, rtol=1e-12)
    for size in range(1, LENGTH + 1):
        chance = 1 / (size * HARMONIC)
        assert_rate((sizes == size).sum(), len(sizes), chance)
        for one in np.unique(code[sizes == size]):
            assert_rate((code == one).sum(), len(code), chance / math.comb(LENGTH, size), sigmas=5)
    assert len(np.unique(code)) == 2**LENGTH - 1


def assert_draws_of_equation_16(sampler: Estimator):
    """``lam`` uniform, positions masked independently with probability ``lam``, weight ``1/lam`` over the passes."""
    plan = sampler.plan(LENGTH, PASSES, REPLICATES, np.random.default_rng(1))
    masks, weights = plan.masks.reshape(-1, LENGTH), PASSES * plan.weights.reshape(-1, LENGTH)
    assert (weights.max(axis=1, keepdims=True) * masks == weights).all()  # one weight for all masked positions
    sizes, trials = masks.sum(axis=1), len(masks)
    level = 1 / weights.max(axis=1)[sizes > 0]
    chosen = masks[sizes > 0]
    for size in range(LENGTH + 1):
        assert_rate((sizes == size).sum(), trials, 1 / (LENGTH + 1))
    for end in (0.1, 0.4, 0.8):
        seen = end - (1 - (1 - end) ** (LENGTH + 1)) / (LENGTH + 1)  # lam < end, and something is masked
        assert_rate((level < end).sum(), trials, seen)
        for position in range(LENGTH):
            assert_rate((chosen[level < end, position]).sum(), trials, end**2 / 2)
        together = (chosen[level < end, 0] & chosen[level < end, 3]).sum()
        assert_rate(together, trials, end**3 / 3)


def assert_prompt_unmasked(sampler: Estimator, law: Law, context: int | None):
    """The prompt is never masked; every position of the response is masked at least once."""
    watched = Watched(law)
    sampler.sample(watched, tokens_of(law), passes=PASSES, replicates=100, rng=5, context=context)
    assert watched.hidden.tolist() == [False] * GIVEN + [True] * (LENGTH - GIVEN)


def assert_same_masks(contrast: Contrast, law: Law):
    for one in draw(law, [Cell(contrast, pair, PASSES, 100) for pair in make_pairs(*sides_of(law))], 5):
        first, second = (evaluation.plan for evaluation in one.evaluations)
        assert first == second


@EVERY_LAW
def test_equation_15_time_free(law):
    """``-log p(x0) ~ H_L/N sum_k sum_{i in S_k} c(i, S_k)``, ``m_k ~ 1/(m H_L)``, ``S_k`` uniform of that size."""
    assert_unbiased(draws_of(estimator("time-free"), law), law.nll(tokens_of(law)))
    assert_draws_of_equation_15(estimator("time-free"))


@EVERY_LAW
def test_equation_15_control_never_everything_masked(law):
    with pytest.raises(AssertionError, match="biased"):
        assert_unbiased(draws_of(estimator("published-infodis"), law), law.nll(tokens_of(law)))


def test_equation_15_control_other_draws():
    with pytest.raises(AssertionError, match="rate"):
        assert_draws_of_equation_15(estimator("published-infodis"))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_draws_of_equation_15(estimator("uniform-count"))


@EVERY_LAW
def test_equation_16_time_integral(law):
    """``-log p(x0) ~ 1/N sum_k 1/lam_k sum_{i in S_k} c(i, S_k)``, ``lam_k ~ U(0, 1)``, masked at rate lam_k."""
    assert_unbiased(draws_of(estimator("time-integral"), law), law.nll(tokens_of(law)))
    assert_draws_of_equation_16(estimator("time-integral"))


@EVERY_LAW
def test_equation_16_control_a_truncated_integral(law):
    with pytest.raises(AssertionError, match="biased"):
        assert_unbiased(draws_of(estimator("time-integral(eps=0.1)"), law), law.nll(tokens_of(law)))


@pytest.mark.parametrize("name", ["time-integral(eps=0.1)", "uniform-count"])
def test_equation_16_control_other_draws(name):
    with pytest.raises(AssertionError, match="rate"):
        assert_draws_of_equation_16(estimator(name))


@pytest.mark.parametrize("name", ["time-free", "time-integral"])
@EVERY_LAW
def test_equation_17_conditional(law, name):
    """``-log p(response | prompt)`` by either estimator: the prompt is never masked, L is the response's length."""
    assert_unbiased(draws_of(estimator(name), law, context=GIVEN), law.nll(tokens_of(law), context=GIVEN))
    assert_prompt_unmasked(estimator(name), law, context=GIVEN)


@pytest.mark.parametrize("name", ["time-free", "time-integral"])
@EVERY_LAW
def test_equation_17_control_the_prompt_is_scored(law, name):
    with pytest.raises(AssertionError, match="biased"):
        assert_unbiased(draws_of(estimator(name), law), law.nll(tokens_of(law), context=GIVEN))
    with pytest.raises(AssertionError, match="True"):
        assert_prompt_unmasked(estimator(name), law, context=None)


@pytest.mark.parametrize("name", ["time-free", "time-integral"])
@EVERY_LAW
def test_equation_18_coupled_ratio(law, name):
    """``log p(x) - log p(y)`` as the mean difference of the two sides' losses under the same masks."""
    first, second = sides_of(law)
    truth = law.nll(second) - law.nll(first)
    coupled, decoupled = (ratios_of(kind(estimator(name)), law) for kind in (Coupled, Decoupled))
    assert_unbiased(coupled, truth)
    assert_unbiased(decoupled, truth)
    assert_same_masks(Coupled(estimator(name)), law)
    if name == "time-free":  # the time integral has infinite variance
        assert (coupled.var(axis=1) < decoupled.var(axis=1)).all()


@pytest.mark.parametrize("name", ["time-free", "time-integral"])
@EVERY_LAW
def test_equation_18_control_the_opposite_sign_and_different_masks(law, name):
    first, second = sides_of(law)
    with pytest.raises(AssertionError, match="biased"):
        assert_unbiased(ratios_of(Coupled(estimator(name)), law), law.nll(first) - law.nll(second))
    with pytest.raises(AssertionError):
        assert_same_masks(Decoupled(estimator(name)), law)
