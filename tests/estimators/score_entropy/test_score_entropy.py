"""Score entropies, against a plain double loop over positions and states, and their limiting cases."""

import math

import numpy as np
import pytest
import torch

from estimators import Absorbing, InputError, RateMatrix, Uniform, marginal_score_entropy, score_entropy
from estimators.noise.process import excess
from tests.support.noising import NOISES, exact_kernel, plain_score_entropy, random_rates

SYMBOLS, LENGTH = 4, 6
AMOUNTS = np.array([1e-6, 0.02, 0.3, 1.0, 5.0])
JOINED = {"uniform": Uniform(), "dense": RateMatrix(random_rates(4, 1)), "more states": RateMatrix(random_rates(6, 5))}


def case(noise, seed=0):
    """Tokens, their noised states, and arbitrary log ratios, 0 for the current state."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(SYMBOLS, size=(len(AMOUNTS), LENGTH))
    noised = noise.drawn(tokens, np.maximum(AMOUNTS, 0.5), rng.random(tokens.shape), SYMBOLS)
    logs = rng.normal(scale=2.0, size=(*tokens.shape, noise.states(SYMBOLS)))
    np.put_along_axis(logs, noised[..., None], 0.0, axis=2)
    return tokens, noised, logs


def by_loop(noise, tokens, noised, logs):
    rates = noise.rates(SYMBOLS).numpy()
    result = np.zeros(tokens.shape)
    for row, amount in enumerate(AMOUNTS.tolist()):
        kernel = exact_kernel(noise, amount, SYMBOLS)
        for position in range(LENGTH):
            ratios = np.exp(logs[row, position])
            result[row, position] = plain_score_entropy(
                ratios, tokens[row, position], noised[row, position], kernel, rates
            )
    return result


def found(noise, tokens, noised, logs):
    arrays = (logs, tokens, noised, AMOUNTS)
    return score_entropy(*map(torch.from_numpy, arrays), noise=noise, symbols=SYMBOLS).numpy()


def true_logs(noise, tokens, noised):
    """The log ratios of the noise itself, whose score entropy is 0."""
    logs = noise.log_kernel(torch.from_numpy(tokens), torch.from_numpy(AMOUNTS), SYMBOLS)
    return (logs - logs.gather(2, torch.from_numpy(noised)[..., None])).numpy()


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
class TestScoreEntropy:
    def test_maths_equals_a_loop_over_positions_and_states(self, noise):
        tokens, noised, logs = case(noise)
        assert (noised != tokens).any()
        expected = by_loop(noise, tokens, noised, logs)
        np.testing.assert_allclose(found(noise, tokens, noised, logs), expected, rtol=1e-9, atol=1e-9)
        for wrong in (-logs, np.roll(logs, 1, axis=0)):  # control: inverse ratios, or those of another row
            assert not np.allclose(found(noise, tokens, noised, wrong), expected, rtol=1e-2)

    def test_maths_it_is_zero_only_for_the_ratios_of_the_noise(self, noise):
        tokens, noised, logs = case(noise)
        true = true_logs(noise, tokens, noised)
        np.testing.assert_array_equal(found(noise, tokens, noised, true), 0.0)
        assert (found(noise, tokens, noised, logs) >= 0).all()
        rates = noise.inflow(torch.from_numpy(noised), torch.ones(len(noised)), SYMBOLS).numpy()
        off = np.where((rates > 0) & np.isfinite(true), true + 1e-3, true)
        matters = ((rates > 0) & np.isfinite(true)).any(axis=2)
        assert matters.any()
        np.testing.assert_array_equal(found(noise, tokens, noised, off) > 0, matters)

    def test_ratios_that_are_not_read_do_not_matter(self, noise):
        """The current state, states that cannot change into it, and the dtype of the ratios."""
        tokens, noised, logs = case(noise)
        rates = noise.inflow(torch.from_numpy(noised), torch.ones(len(noised)), SYMBOLS).numpy()
        unread = np.where(rates > 0, logs, np.nan)
        np.testing.assert_array_equal(found(noise, tokens, noised, unread), found(noise, tokens, noised, logs))
        single = logs.astype(np.float32)
        losses = found(noise, tokens, noised, single)
        assert losses.dtype == np.float64
        np.testing.assert_allclose(losses, found(noise, tokens, noised, single.astype(np.float64)), rtol=0)

    @pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
    def test_zero_infinite_and_missing_ratios(self, noise, value):
        """A ratio of 0 where the true one is positive, or an infinite ratio, costs inf; NaN stays NaN."""
        tokens, noised, logs = case(noise)
        rates = noise.inflow(torch.from_numpy(noised), torch.ones(len(noised)), SYMBOLS).numpy()
        true = true_logs(noise, tokens, noised)
        losses = found(noise, tokens, noised, np.full_like(logs, value))
        jumps, possible = (rates > 0).any(axis=2), ((rates > 0) & np.isfinite(true)).any(axis=2)
        if math.isnan(value):
            np.testing.assert_array_equal(np.isnan(losses), jumps)
        else:
            infinite = possible if value < 0 else jumps
            np.testing.assert_array_equal(losses, np.where(infinite, np.inf, 0.0))


def test_an_impossible_state_costs_its_ratio():
    """With ``r = 0`` the term is ``s``. Under absorbing noise no other symbol is possible."""
    arrays = [torch.tensor([[0]]), torch.tensor([[2]]), torch.tensor([1.0], dtype=torch.float64)]
    kept = math.exp(-1.0) / -math.expm1(-1.0)
    for other in (0.0, 0.25, 3.0):
        logs = torch.tensor([[[kept, other, 1.0]]], dtype=torch.float64).log()
        losses = score_entropy(logs, *arrays, noise=Absorbing(), symbols=2)
        assert losses.item() == pytest.approx(other, abs=1e-15)


def by_average(noise, tokens, laws):
    """Average over the states of the position, weighted by their probabilities, with the ratios seen from each."""
    rates = noise.rates(SYMBOLS).numpy()
    result = np.zeros(tokens.shape)
    for row, amount in enumerate(AMOUNTS.tolist()):
        kernel = exact_kernel(noise, amount, SYMBOLS)
        for position, token in enumerate(tokens[row].tolist()):
            law = laws[row, position]
            result[row, position] = sum(
                kernel[state, token] * plain_score_entropy(law / law[state], token, state, kernel, rates)
                for state in range(len(kernel))
            )
    return result


@pytest.mark.parametrize("noise", JOINED.values(), ids=JOINED)
class TestMarginal:
    def test_maths_equals_the_average_over_the_states_of_the_position(self, noise):
        rng = np.random.default_rng(2)
        tokens = rng.integers(SYMBOLS, size=(len(AMOUNTS), LENGTH))
        laws = rng.dirichlet(np.ones(noise.states(SYMBOLS)), size=tokens.shape)
        expected = by_average(noise, tokens, laws)
        losses = self.marginal(noise, tokens, np.log(laws))
        np.testing.assert_allclose(losses, expected, rtol=1e-9, atol=1e-12)
        assert not np.allclose(self.marginal(noise, tokens, -np.log(laws)), expected, rtol=1e-2)
        # The ratios may be relative to any state: only their proportions matter.
        np.testing.assert_allclose(self.marginal(noise, tokens, np.log(laws) - 7.0), losses, rtol=1e-9, atol=1e-12)

    def test_maths_it_is_zero_for_the_ratios_of_the_noise(self, noise):
        tokens = np.random.default_rng(2).integers(SYMBOLS, size=(len(AMOUNTS), LENGTH))
        logs = noise.log_kernel(torch.from_numpy(tokens), torch.from_numpy(AMOUNTS), SYMBOLS).numpy()
        np.testing.assert_allclose(self.marginal(noise, tokens, logs), 0.0, atol=1e-13)
        assert (self.marginal(noise, tokens, np.zeros_like(logs)) > 1e-4).any()

    @pytest.mark.parametrize(("value", "expected"), [(-math.inf, math.inf), (math.inf, math.nan), (math.nan, math.nan)])
    def test_zero_infinite_and_missing_ratios(self, noise, value, expected):
        """A state that is infinitely more likely than the others has no proper distribution."""
        tokens = np.zeros((len(AMOUNTS), 1), dtype=np.int64)
        logs = np.zeros((len(AMOUNTS), 1, noise.states(SYMBOLS)))
        logs[..., 2] = value
        np.testing.assert_array_equal(self.marginal(noise, tokens, logs), np.full(tokens.shape, expected))

    def marginal(self, noise, tokens, logs):
        arrays = (logs, tokens, AMOUNTS)
        return marginal_score_entropy(*map(torch.from_numpy, arrays), noise=noise, symbols=SYMBOLS).numpy()


def test_absorbing_noise_has_no_marginal_score_entropy():
    """The loss of a visible symbol does not determine its loss if it were masked."""
    with pytest.raises(InputError, match=r"cannot be averaged .*: use score-entropy\(absorbing\)"):
        Absorbing().marginal_excess(torch.ones(1, 3), torch.zeros(1, 3), torch.ones(1))


def test_the_excess_equals_its_definition():
    values = torch.tensor([-math.inf, -800.0, -1.0, -1e-6, 0.0, 1e-6, 1.0, 800.0, math.inf], dtype=torch.float64)
    expected = [math.inf, 799.0, math.exp(-1.0), 5e-13, 0.0, 5e-13, math.e - 2.0, math.inf, math.inf]
    np.testing.assert_allclose(excess(values).numpy(), expected, rtol=1e-5, atol=1e-20)
    assert excess(torch.tensor(math.nan)).isnan()
