"""Mixed noise: its schedule, its kernel as the solution of its own rates, its draws, and the likelihood under it."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from estimators import InputError, Mixed, Polynomial, ScoreEntropy, Stratified
from infodis_stats.laws import MarkovChain
from tests.support.noised_laws import NoisedLaw
from tests.support.stat_asserts import assert_unbiased

NOISE, SYMBOLS = Mixed(0.2), 3


def amounts_of(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("amount", [1e-14, 1e-6, 0.3, 2.0, 30.0])
def test_maths_the_time_is_that_of_the_published_schedule(amount):
    """``total noise = -log((1 - t) / (1 + c))``, to all digits of what is left and of what is gone."""
    time = NOISE.time(amounts_of(amount)).numpy()
    scale = 2 * 0.2 / 0.8
    change = scale * np.sqrt(time * (1 - time))
    if amount < 20:
        np.testing.assert_allclose(-np.log1p(-time) + np.log1p(change), amount, rtol=1e-9)
    else:
        np.testing.assert_allclose(1 - time, np.exp(-amount), rtol=1e-3)


def test_maths_the_kernel_solves_the_differential_equation_of_its_rates():
    """From every symbol at once; the rates change on the way."""
    states = torch.arange(SYMBOLS + 1)[None]

    def slope(amount, law):
        rates = NOISE.inflow(states, amounts_of(amount), SYMBOLS)[0].numpy()
        rates -= np.diag(rates.sum(axis=0))
        return (rates @ law.reshape(SYMBOLS + 1, SYMBOLS)).ravel()

    kernels = NOISE.kernel(amounts_of(0.1, 1.5), SYMBOLS).numpy()
    np.testing.assert_allclose(kernels.sum(axis=1), 1.0, rtol=1e-12)
    found = solve_ivp(slope, (0.1, 1.5), kernels[0].ravel(), rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(found.reshape(kernels[1].shape), kernels[1], rtol=1e-7)
    assert np.abs(kernels[1] - Mixed(0.4).kernel(amounts_of(1.5), SYMBOLS)[0].numpy()).max() > 0.05  # control


@pytest.mark.parametrize("amount", [0.05, 1.3])
def test_maths_draws_follow_the_kernel(amount):
    size, chances = 40_000, NOISE.kernel(amounts_of(amount), SYMBOLS)[0, :, 1].numpy()
    keys = ((np.arange(size) + 0.5) / size)[None]  # every key once
    drawn = NOISE.drawn(np.ones((1, size), dtype=np.int64), np.array([amount]), keys, SYMBOLS)
    np.testing.assert_allclose(np.bincount(drawn[0], minlength=SYMBOLS + 1) / size, chances, atol=1e-4)


def test_maths_the_integral_of_the_score_entropy_is_the_likelihood():
    """By quadrature over total noise, all noised sequences enumerated, plain and averaged over own noise."""
    law = Enumerated(MarkovChain.random(1, "ABC", seed=2), 2, NOISE)
    amounts, step = np.exp(np.arange(-30.0, 4.5, 0.2)), 0.2
    for marginal in (False, True):
        found = (amounts * step) @ law.expected_score_entropy(law.law, amounts, marginal=marginal)
        np.testing.assert_allclose(found, law.nll, rtol=1e-6)
    other = (amounts * step) @ law.expected_score_entropy(MarkovChain.random(1, "ABC", seed=3), amounts)
    assert (other - law.nll).max() > 0.05  # control


class Enumerated(NoisedLaw):
    """With the kernel of the noise, which the test above has checked: it has no rate matrix."""

    def transition(self, total_noise):
        kernel = self.noise.kernel(torch.as_tensor(total_noise, dtype=torch.float64), self.symbols).numpy()
        factors = [kernel[:, self.noised[:, i]][:, :, self.clean[:, i]] for i in range(self.length)]
        return np.prod(factors, axis=0)


def test_maths_the_largest_divergence_is_that_of_its_kernel():
    kernel = NOISE.kernel(amounts_of(1.3), SYMBOLS)[0].numpy()
    divergence = (kernel[:, 0] * np.log(kernel[:, 0] / kernel[:, 1])).sum()
    np.testing.assert_allclose(NOISE.largest_divergence(1.3, SYMBOLS), [divergence] * SYMBOLS, rtol=1e-9)


def test_maths_estimates_are_unbiased():
    law = MarkovChain.random(1, "ABC", seed=3)
    tokens = [[0, 1, 2, 2]]
    sampler = ScoreEntropy(NOISE, Polynomial(), Stratified(), marginal=True)
    estimates = sampler.sample(law, tokens, passes=8, replicates=400, rng=2)
    assert_unbiased(estimates, law.nll(tokens))
    assert sampler.name == "marginal-score-entropy(mixed-0.2,polynomial)+stratified"


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(InputError, match=r"needs a share of uniform noise in \(0, 1\), got"):
        Mixed(share)


def test_its_rates_are_not_one_matrix():
    with pytest.raises(InputError, match="the rates of mixed noise change with the amount of noise"):
        NOISE.rates(3)
