"""Noise: kernels are matrix exponentials, and draws follow them."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from estimators import Absorbing, RateMatrix, TimeIntegral, Uniform
from tests.support.noising import NOISES, exact_kernel
from tests.support.stat_asserts import assert_rate

CLOSED = {"absorbing": Absorbing(), "uniform": Uniform()}
AMOUNTS = [1e-15, 1e-6, 0.03, 0.7, 4.0, 36.0]


def amounts_of(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("symbols", [1, 2, 3, 4])
@pytest.mark.parametrize("noise", CLOSED.values(), ids=CLOSED)
class TestClosedForms:
    def test_maths_the_kernel_is_the_exponential_of_the_rates(self, noise, symbols):
        rates = noise.rates(symbols).numpy()
        np.testing.assert_allclose(rates.sum(axis=0), 0.0, atol=1e-15)
        found = noise.kernel(amounts_of(*AMOUNTS), symbols).numpy()
        assert found.shape == (len(AMOUNTS), noise.states(symbols), symbols)
        for amount, kernel in zip(AMOUNTS, found, strict=True):
            np.testing.assert_allclose(kernel, exact_kernel(noise, amount, symbols), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-14)
        if symbols > 1:  # control: another amount of noise
            assert not np.allclose(found[3], expm(2 * rates)[:, :symbols], rtol=1e-3)

    def test_maths_small_and_large_noise_keep_all_digits(self, noise, symbols):
        """``1 - exp(-x)`` is x if x is tiny, and its complement is ``exp(-x)`` if x is large."""
        tiny, large = noise.kernel(amounts_of(1e-15, 36.0), symbols).numpy()
        redrawn = 1.0 if isinstance(noise, Absorbing) else 1.0 / symbols
        np.testing.assert_allclose(tiny[-1, 0], redrawn * 1e-15 if len(tiny) > 1 else 1.0, rtol=1e-14)
        if isinstance(noise, Absorbing):
            np.testing.assert_allclose(large[0, 0], np.exp(-36.0), rtol=1e-14)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
class TestAgreement:
    def test_log_kernel_is_the_log_of_the_kernel_for_every_token(self, noise):
        tokens = torch.tensor([[0, 1, 2, 3], [3, 3, 0, 1]])
        amounts = amounts_of(1e-9, 3.0)
        kernel, logs = noise.kernel(amounts, 4), noise.log_kernel(tokens, amounts, 4)
        assert logs.shape == (2, 4, noise.states(4))
        for row, position in np.ndindex(2, 4):
            expected = kernel[row, :, tokens[row, position]].log()
            torch.testing.assert_close(logs[row, position], expected, rtol=1e-13, atol=1e-13)

    def test_the_likelihood_and_the_mixture_of_symbols_follow_from_the_kernel(self, noise):
        amounts, states = amounts_of(1e-9, 3.0), torch.arange(noise.states(4)).repeat(2, 1)
        kernel, weights = noise.kernel(amounts, 4), torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
        found = noise.log_likelihood(states, amounts, 4)
        torch.testing.assert_close(found.exp(), kernel, rtol=1e-12, atol=0)
        mixed = torch.einsum("rsa,rpa->rps", kernel, weights.double().exp())
        torch.testing.assert_close(noise.log_mixture(weights.double(), amounts).exp(), mixed, rtol=1e-12, atol=0)

    def test_inflow_is_the_rate_into_the_current_state_from_every_other(self, noise):
        states = torch.arange(noise.states(4))[None]
        inflow, rates = noise.inflow(states, amounts_of(1.0), 4)[0], noise.rates(4)
        for after, before in np.ndindex(*rates.shape):
            assert inflow[after, before] == (0.0 if after == before else rates[after, before])

    @pytest.mark.parametrize("amount", [0.05, 0.9])
    def test_maths_draws_follow_the_kernel(self, noise, amount):
        size = 40_000
        tokens = np.tile(np.arange(4), (size, 1))
        keys = np.random.default_rng(3).random(tokens.shape)
        drawn = noise.drawn(tokens, np.full(size, amount), keys, 4)
        counts = np.array([np.bincount(column, minlength=noise.states(4)) for column in drawn.T]).T
        assert_counts(counts, size, exact_kernel(noise, amount, 4))
        with pytest.raises(AssertionError):
            assert_counts(counts, size, exact_kernel(noise, 1.5 * amount, 4))

    def test_a_key_that_changes_a_position_also_changes_it_under_more_noise(self, noise):
        tokens = np.tile([0, 1, 2, 3, 3], (200, 1))
        keys = np.random.default_rng(4).random(tokens.shape)
        before = np.zeros(tokens.shape, dtype=bool)
        for amount in (0.01, 0.1, 0.4):
            changed = noise.drawn(tokens, np.full(200, amount), keys, 4) != tokens
            if not isinstance(noise, Uniform):  # uniform noise may redraw the symbol that was there
                assert (changed >= before).all()
            before = changed
        assert before.any()
        assert not before.all()

    def test_equal_tokens_with_equal_keys_stay_equal(self, noise):
        tokens, keys = np.array([[2, 0, 2, 1, 2]]), np.array([[0.1, 0.1, 0.1, 0.6, 0.6]])
        (drawn,) = noise.drawn(tokens, np.array([0.7]), keys, 4)
        assert drawn[0] == drawn[2]

    def test_keys_0_and_1_are_valid(self, noise):
        tokens = np.tile(np.arange(4), (3, 1))
        amounts = np.array([1e-15, 0.5, 36.0])
        low = noise.drawn(tokens, amounts, np.zeros(tokens.shape), 4)
        assert ((low >= 0) & (low < noise.states(4))).all()
        np.testing.assert_array_equal(noise.drawn(tokens, amounts, np.ones(tokens.shape), 4), tokens)
        chances = noise.kernel(torch.from_numpy(amounts), 4).numpy()
        assert all(chances[row, low[row, token], token] > 0 for row, token in np.ndindex(3, 4))

    def test_tiny_and_large_noise_give_finite_numbers(self, noise):
        logs = noise.log_kernel(torch.tensor([[1]] * 2), amounts_of(1e-15, 36.0), 4)
        assert not logs.isnan().any()
        assert (logs <= 0).all()
        assert logs[:, 0, 1].isfinite().all()
        changed = logs[0, 0, torch.arange(noise.states(4)) != 1].exp().sum()
        torch.testing.assert_close(changed / 1e-15, -noise.rates(4)[1, 1], rtol=1e-12, atol=0)


def assert_counts(counts, size, kernel):
    """Every count is binomial: within 4.5 standard deviations, for about twenty counts."""
    for place, expected in np.ndenumerate(kernel):
        if expected in (0.0, 1.0):
            assert counts[place] == size * expected
        else:
            assert_rate(int(counts[place]), size, float(expected), 4.5)


class TestRedrawing:
    """A position is redrawn if its key is below ``1 - exp(-noise)``."""

    TOKENS = np.tile([0, 1, 2, 3], (500, 1))
    KEYS = np.random.default_rng(0).random((500, 4))
    AMOUNTS = np.random.default_rng(1).exponential(size=500)

    def test_absorbing_noise_masks_exactly_the_redrawn_positions(self):
        drawn = Absorbing().drawn(self.TOKENS, self.AMOUNTS, self.KEYS, 4)
        below = -np.expm1(-self.AMOUNTS)[:, None] > self.KEYS
        np.testing.assert_array_equal(drawn, np.where(below, 4, self.TOKENS))
        np.testing.assert_array_equal(Absorbing().without_loss(self.AMOUNTS, self.KEYS), ~below.any(axis=1))

    def test_the_masks_equal_those_of_the_time_integral(self):
        rate = -np.expm1(-self.AMOUNTS)
        masks, _ = TimeIntegral().masks(np.column_stack([rate, self.KEYS]))
        np.testing.assert_array_equal(Absorbing().drawn(self.TOKENS, self.AMOUNTS, self.KEYS, 4) == 4, masks)

    def test_uniform_noise_leaves_all_others_unchanged(self):
        drawn = Uniform().drawn(self.TOKENS, self.AMOUNTS, self.KEYS, 4)
        chance = -np.expm1(-self.AMOUNTS)[:, None]
        np.testing.assert_array_equal(drawn[chance <= self.KEYS], self.TOKENS[chance <= self.KEYS])
        expected = np.floor(4 * self.KEYS / chance)
        np.testing.assert_array_equal(drawn[chance > self.KEYS], expected[chance > self.KEYS])
        assert not Uniform().without_loss(self.AMOUNTS, self.KEYS).any()

    def test_a_key_just_below_the_threshold_gives_the_last_symbol(self):
        chance = -np.expm1(-np.array([0.3]))
        drawn = Uniform().drawn(np.array([[0]]), np.array([0.3]), np.nextafter(chance, 0)[:, None], 3)
        assert drawn.tolist() == [[2]]


def test_maths_the_largest_divergence_of_uniform_noise_is_that_of_its_kernel():
    matrix = RateMatrix(Uniform().rates(4).numpy())
    for amount in (1e-9, 0.7, 9.0):
        expected = matrix.largest_divergence(amount, 4)
        np.testing.assert_allclose(Uniform().largest_divergence(amount, 4), expected, rtol=1e-6)
    many = Uniform().largest_divergence(6.9, 50_000)  # whose kernel would take 20 GB
    np.testing.assert_allclose(many, 1e-3 * np.log1p(50.0), rtol=0.01)
