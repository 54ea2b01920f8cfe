"""Rate matrices: the contract of the closed forms, accurate tiny probabilities, and one sentence for each mistake."""

import mpmath
import numpy as np
import pytest
import torch
from scipy.linalg import expm

from estimators import Absorbing, InputError, RateMatrix, Uniform, marginal_score_entropy, score_entropy
from tests.support.noising import random_rates

AMOUNTS = torch.tensor([1e-15, 1e-6, 0.03, 0.7, 4.0, 36.0], dtype=torch.float64)
CLOSED = {"uniform": Uniform(), "absorbing": Absorbing()}


def precise_kernel(rates, amount):
    """The matrix exponential with 150 digits."""
    with mpmath.workdps(150):
        kernel = mpmath.expm(mpmath.matrix(rates.tolist()) * mpmath.mpf(amount), method="taylor")
        return np.array([[float(kernel[y, x]) for x in range(len(rates))] for y in range(len(rates))])


@pytest.mark.parametrize("states", [2, 5, 12])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_maths_the_kernel_is_the_exponential_of_the_rates(states, share):
    rates = random_rates(states, states, share=share)
    found = RateMatrix(rates).kernel(AMOUNTS, states).numpy()
    for amount, kernel in zip(AMOUNTS.tolist(), found, strict=True):
        np.testing.assert_allclose(kernel, expm(rates * amount), rtol=1e-10, atol=1e-13)
        assert not np.allclose(kernel, expm(rates.T * amount), rtol=1e-6, atol=0)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)  # every squaring doubles the rounding error
    narrow = RateMatrix(rates).kernel(AMOUNTS, 2).numpy()
    np.testing.assert_array_equal(narrow, found[:, :, :2])


@pytest.mark.parametrize("amount", [1e-15, 1e-6, 0.03, 0.7, 4.0])
def test_maths_tiny_probabilities_are_accurate_to_all_digits(amount):
    """On a ring, the preceding state is six jumps away: its probability is of the order of the sixth power."""
    rates = np.roll(np.eye(7), 1, axis=0) - np.eye(7)
    (found,) = RateMatrix(rates).kernel(torch.tensor([amount], dtype=torch.float64), 7).numpy()
    expected = precise_kernel(rates, amount)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert expected.min() > 0
    if amount < 0.01:  # control: cancellation loses these digits
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(expm(rates * 1.0) @ expm(rates * (amount - 1.0)), expected, rtol=1e-13)


@pytest.mark.parametrize("noise", CLOSED.values(), ids=CLOSED)
class TestMatricesOfClosedForms:
    """A rate matrix with the rates of a closed form is the same noise."""

    SYMBOLS = 3

    def test_kernels_and_inflow(self, noise):
        matrix = RateMatrix(noise.rates(self.SYMBOLS))
        states = noise.states(self.SYMBOLS)
        assert (matrix.states(self.SYMBOLS), matrix.joins_all) == (states, noise.joins_all)
        assert matrix.slowest_rate == pytest.approx(noise.slowest_rate)
        arguments = (AMOUNTS, self.SYMBOLS)
        torch.testing.assert_close(matrix.kernel(*arguments), noise.kernel(*arguments), rtol=1e-13, atol=0)
        tokens = torch.tensor([[0, 1, 2]]).expand(len(AMOUNTS), -1)
        found, expected = (one.log_kernel(tokens, *arguments) for one in (matrix, noise))
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
        noised = torch.arange(states)[None]
        found, expected = (one.inflow(noised, AMOUNTS[:1], self.SYMBOLS) for one in (matrix, noise))
        torch.testing.assert_close(found, expected)

    def test_score_entropies(self, noise):
        matrix = RateMatrix(noise.rates(self.SYMBOLS))
        generator = torch.Generator().manual_seed(0)
        tokens = torch.tensor([[0, 1, 2, 2]]).expand(len(AMOUNTS), -1)
        noised = torch.where(torch.rand(tokens.shape, generator=generator) < 0.5, noise.states(3) - 1, tokens)
        ratios = torch.randn(*tokens.shape, noise.states(3), generator=generator, dtype=torch.float64)
        found, expected = (
            score_entropy(ratios, tokens, noised, AMOUNTS, noise=one, symbols=3) for one in (matrix, noise)
        )
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
        if noise.joins_all:
            found, expected = (
                marginal_score_entropy(ratios, tokens, AMOUNTS, noise=one, symbols=3) for one in (matrix, noise)
            )
            torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("states", [2, 4, 5, 27])
def test_a_row_of_the_kernel_is_the_same_in_every_batch(states):
    noise = RateMatrix(random_rates(states, 3))
    amounts = torch.from_numpy(np.random.default_rng(0).gamma(0.3, 8.0, size=257))
    together = noise.kernel(amounts, states)
    for rows in (slice(0, 1), slice(7, 9), slice(200, 257)):
        assert torch.equal(noise.kernel(amounts[rows], states), together[rows])
    assert noise.kernel(amounts[:0], states).shape == (0, states, states)


def test_rate_matrices_are_values():
    rates = random_rates(3)
    one, other = RateMatrix(rates), RateMatrix(rates.tolist(), title="another name")
    assert one == other
    assert hash(one) == hash(other)
    assert one != RateMatrix(random_rates(3, 1))
    assert one != Uniform()
    assert (one.name, other.name) == ("rate-matrix", "another name")
    assert one.summary
    rates[0, 0] = 7.0  # the caller's own array
    assert one == other
    with pytest.raises(ValueError, match="read-only"):
        one.matrix[0, 0] = 1.0
    one.rates(3)[0, 0] = 1.0
    assert one == other


def test_its_properties_are_derived_from_the_rates():
    assert RateMatrix([[-1.0, 0.5], [1.0, -0.5]]).slowest_rate == pytest.approx(1.5)
    assert RateMatrix(random_rates(4)).joins_all
    assert not RateMatrix([[-1.0, 0.0, 1.0], [1.0, -1.0, 0.0], [0.0, 1.0, -1.0]]).joins_all
    assert RateMatrix(random_rates(5)).states(4) == 5


def changed(place, value, size=3):
    rates = random_rates(size)
    rates[place] = value
    return rates


BLOCKS = [[-1.0, 1.0, 0.0, 0.0], [1.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 1.0], [0.0, 0.0, 1.0, -1.0]]


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        ([[-1.0, 0.5, 0.0], [1.0, -0.5, 0.0]], r"needs shape \(states, states\), 2 to 256 states; got \(2, 3\)"),
        ([1.0, -1.0], r"needs shape \(states, states\), 2 to 256 states; got \(2,\)"),
        (np.zeros((0, 0)), r"2 to 256 states; got \(0, 0\)"),
        (np.zeros((1, 1)), r"2 to 256 states; got \(1, 1\)"),
        (np.zeros((257, 257)), r"2 to 256 states; got \(257, 257\)"),
        ([[0.0], [1.0, 2.0]], "must be an array of numbers"),
        ("fast", "must be an array of numbers"),
        (changed((1, 2), np.nan), "needs finite rates"),
        (changed((1, 2), np.inf), "needs finite rates"),
        (changed((1, 2), -0.25), "the rate from state 2 to state 1 is -0.25; it is at least 0"),
        (changed((1, 1), -0.125), r"column 1 of the rate matrix sums to [\d.]+, not 0: matrix\[y, x\] is the rate"),
        (random_rates(3).T, "column 0 of the rate matrix sums to"),
        (BLOCKS, "never forgets where it started: its rate matrix has more than one stationary law"),
        (np.zeros((2, 2)), "never forgets where it started"),
    ],
)
def test_invalid_rate_matrices_are_refused(matrix, sentence):
    with pytest.raises(InputError, match=sentence):
        RateMatrix(matrix)


def test_more_symbols_than_states_are_refused():
    noise = RateMatrix(random_rates(3))
    for call in (lambda: noise.states(4), lambda: noise.kernel(AMOUNTS, 4), lambda: noise.rates(4)):
        with pytest.raises(InputError, match="has 3 states, fewer than the 4 symbols of the model"):
            call()
