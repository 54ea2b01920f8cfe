"""Sections 3.2 and 4: likelihoods as sums of masked losses (I-MDCE), by enumeration of all masks."""

import math

import numpy as np
import pytest
import torch

from estimators import Absorbing, TimeFree, pass_totals
from infodis_stats.laws.law import Law
from tests.support.masked_sums import sum_over_masks, time_weights, weights_at
from tests.support.noised_laws import (
    CASES,
    HIDDEN,
    MARKOV,
    OTHER_HIDDEN,
    OTHER_MARKOV,
    MaskedModel,
    NoisedLaw,
    derivative,
)
from tests.support.noised_laws import sequences as every_sequence
from tests.support.toys import ArbitraryLosses

NOISED = {name: case for name, case in CASES.items() if case[0].noise == Absorbing()}
EVERY_LAW = pytest.mark.parametrize(("noised", "wrong"), NOISED.values(), ids=NOISED)

LONGER = {"markov": (MARKOV, OTHER_MARKOV, 5), "hidden-markov": (HIDDEN, OTHER_HIDDEN, 6)}
EVERY_LONGER_LAW = pytest.mark.parametrize(("law", "wrong", "length"), LONGER.values(), ids=LONGER)
GIVEN = 2


def harmonic(length: int) -> float:
    return math.fsum(1 / size for size in range(1, length + 1))


def size_law(length: int) -> np.ndarray:
    """``P(m) = 1/(m H_L)``."""
    return 1 / (np.arange(1, length + 1) * harmonic(length))


def time_free_weights(length: int, law: np.ndarray, scale: float) -> list[float]:
    """``scale P(m) / C(L, m)``: a size from its distribution, then a mask uniformly among those of that size."""
    return [scale * law[size - 1] / math.comb(length, size) for size in range(1, length + 1)]


def tokens_of(law, length: int) -> np.ndarray:
    every = every_sequence(law.vocabulary_size, length)
    return every[np.isfinite(law.nll(every))]


def assert_sum_is_the_likelihood(law, model, length: int, weights, given: int = 0):
    tokens = tokens_of(law, length)
    truth = law.nll(tokens, context=given) if given else law.nll(tokens)
    np.testing.assert_allclose(sum_over_masks(model, tokens, weights, given), truth, rtol=1e-10, atol=1e-12)


def assert_likelihoods_of_a_law(model, symbols: int, length: int):
    """The likelihoods sum to one over all sequences."""
    found = sum_over_masks(model, every_sequence(symbols, length), time_weights(length))
    np.testing.assert_allclose(np.exp(-found).sum(), 1.0, rtol=1e-10)


def assert_information_falls_by_the_cross_entropy(noised: NoisedLaw, model, level: float):
    """The derivative is minus the loss, to 1e-9, pointwise and on average over x0."""
    loss = sum_over_masks(model, noised.clean, weights_at(noised.length, level))
    slope = derivative(lambda levels: noised.kl(-np.log1p(-levels)), level)
    np.testing.assert_allclose(-slope, loss, rtol=1e-9)
    slope = derivative(lambda levels: noised.mutual_information(-np.log1p(-levels)), level)
    np.testing.assert_allclose(-slope, np.exp(-noised.nll) @ loss, rtol=1e-9)


@pytest.mark.parametrize("level", [0.05, 0.3, 0.9])
@EVERY_LAW
def test_i_mdce_information_falls_by_the_cross_entropy(noised, wrong, level):
    """I-MDCE: ``d/dlam KL(p_{lam|0}(. | x0) || p_lam) = -(1/lam) E[DCE]``, and ``d/dlam I(x0; x_lam) = -mdce/lam``."""
    assert_information_falls_by_the_cross_entropy(noised, noised.law, level)


@EVERY_LAW
def test_i_mdce_control_a_wrong_law(noised, wrong):
    for model in (wrong, MaskedModel(noised.length, noised.symbols)):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_information_falls_by_the_cross_entropy(noised, model, 0.3)


@EVERY_LONGER_LAW
def test_corollary_3_7_time_integral(law, wrong, length):
    """``-log p(x0) = int_0^1 (1/lam) E[sum_{i in S} c(i, S)] dlam``, each position masked with probability lam."""
    assert_sum_is_the_likelihood(law, law, length, time_weights(length))
    assert_likelihoods_of_a_law(law, law.vocabulary_size, length)


@EVERY_LONGER_LAW
def test_corollary_3_7_control_a_wrong_law_or_weight(law, wrong, length):
    unweighted = time_weights(length) * (np.arange(1, length + 1) / length)  # m/L instead of 1/lam's mean
    for model, weights in ((wrong, time_weights(length)), (law, unweighted), (law, time_weights(length, 0.99))):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_sum_is_the_likelihood(law, model, length, weights)


@pytest.mark.parametrize("model", [MaskedModel(4, 3), ArbitraryLosses(4)], ids=lambda one: type(one).__name__)
def test_corollary_3_7_control_inconsistent_conditionals(model):
    """The sum is then not a likelihood: over all sequences it does not sum to one."""
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_likelihoods_of_a_law(model, symbols=3, length=4)


@EVERY_LONGER_LAW
def test_theorem_4_1_time_free(law, wrong, length):
    """``-log p(x0) = H_L E[sum_{i in S} c(i, S)]``, ``P(m) = 1/(m H_L)``, and S uniform among masks of size m."""
    assert_sum_is_the_likelihood(law, law, length, time_free_weights(length, size_law(length), harmonic(length)))
    ours, tokens = TimeFree().law(length), tokens_of(law, length)
    per_mask = [math.comb(length, size) * chance for size, chance in enumerate(ours.probability)]
    np.testing.assert_allclose(per_mask[1:], size_law(length), rtol=1e-12)
    np.testing.assert_allclose(ours.first_moment[1:], harmonic(length) * ours.probability[1:], rtol=1e-12)
    mean, _ = ours.moments(pass_totals(law, tokens))
    np.testing.assert_allclose(mean, law.nll(tokens), rtol=1e-10, atol=1e-12)


@EVERY_LONGER_LAW
def test_theorem_4_1_control_a_wrong_law_or_weight(law, wrong, length):
    """Among the wrong weights are those of the paper's code, which never masks everything."""
    good, scale = size_law(length), harmonic(length)
    uniform, never_all = np.full(length, 1 / length), np.append(size_law(length - 1), 0.0)
    trials = [(wrong, good, scale), (law, good, scale - 1 / length), (law, uniform, scale), (law, never_all, scale)]
    for model, sizes, factor in trials:
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_sum_is_the_likelihood(law, model, length, time_free_weights(length, sizes, factor))


@EVERY_LONGER_LAW
def test_theorem_4_2_conditional_time_integral(law, wrong, length):
    """``-log p(x | prompt) = int_0^1 (1/lam) E[sum_{i in S} c(i, S)] dlam``, S in the response, the prompt unmasked."""
    assert_sum_is_the_likelihood(law, law, length, time_weights(length - GIVEN), given=GIVEN)


@EVERY_LONGER_LAW
def test_theorem_4_2_control_the_prompt_masked_or_counted(law, wrong, length):
    counted = time_weights(length)[: length - GIVEN]
    for model, weights in ((PromptHidden(law), time_weights(length - GIVEN)), (law, counted)):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_sum_is_the_likelihood(law, model, length, weights, given=GIVEN)


@EVERY_LONGER_LAW
def test_corollary_4_3_conditional_time_free(law, wrong, length):
    """``-log p(x | prompt) = H_L E[sum_{i in S} c(i, S)]``, L the length of the response alone."""
    scored = length - GIVEN
    weights = time_free_weights(scored, size_law(scored), harmonic(scored))
    assert_sum_is_the_likelihood(law, law, length, weights, given=GIVEN)


@EVERY_LONGER_LAW
def test_corollary_4_3_control_the_prompt_masked_or_counted(law, wrong, length):
    scored = length - GIVEN
    good = time_free_weights(scored, size_law(scored), harmonic(scored))
    counted = time_free_weights(scored, size_law(scored), harmonic(length))
    for model, weights in ((PromptHidden(law), good), (law, counted)):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_sum_is_the_likelihood(law, model, length, weights, given=GIVEN)


class PromptHidden:
    """A law that masks the prompt too, but returns the losses of the response alone."""

    def __init__(self, law: Law) -> None:
        self.law = law

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        prompt = torch.arange(tokens.shape[1]) < GIVEN
        return torch.where(prompt, 0.0, self.law.token_nll(tokens, masked | prompt))
