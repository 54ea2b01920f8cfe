"""Markov chains: construction and the stationary distribution."""

import numpy as np
import pytest
import torch

from estimators.errors import InputError
from infodis_stats.laws import MarkovChain


def assert_homogeneous(chain):
    """The contexts at the second position have the distribution of those at the first, to a relative 1e-12."""
    after = (chain.initial[..., None] * chain.transition).sum(axis=0)
    np.testing.assert_allclose(after, chain.initial, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("concentration", [0.01, 0.05, 1.0, 100.0])
@pytest.mark.parametrize(("order", "alphabet"), [(1, "A"), (1, "AB"), (2, "ACGT"), (3, "ABC"), (4, "ACGT")])
def test_a_random_chain_starts_stationary(order, alphabet, concentration):
    chain = MarkovChain.random(order, alphabet, seed=2, concentration=concentration)
    assert (chain.transition > 0).all()
    assert chain.initial.sum() == pytest.approx(1, abs=1e-14)
    assert_homogeneous(chain)


def test_the_check_fails_on_another_start():
    chain = MarkovChain.random(2, seed=2)
    wrong = MarkovChain(np.full((4, 4), 1 / 16), chain.transition, "ACGT")
    with pytest.raises(AssertionError):
        assert_homogeneous(wrong)


def test_a_nearly_reducible_chain_has_a_stationary_start():
    chain = MarkovChain.random(2, seed=0, concentration=1e-4)
    assert (chain.transition == 0).any()
    assert np.isfinite(chain.initial).all()
    assert_homogeneous(chain)
    assert np.isfinite(chain.nll(chain.sample(50, 20, seed=1))).all()


def test_random_chains_are_reproducible_and_differ():
    assert MarkovChain.random(2, seed=5) == MarkovChain.random(2, seed=5)
    assert MarkovChain.random(2, seed=5) != MarkovChain.random(2, seed=6)


def test_an_order_zero_chain_is_independent():
    chain = MarkovChain(1.0, [0.1, 0.2, 0.7], "ABC")
    assert chain.order == 0
    np.testing.assert_allclose(chain.nll([[0, 1, 2, 2]]), -np.log([0.1 * 0.2 * 0.7 * 0.7]))
    masked = torch.tensor([[True, False, True, True]])
    losses = chain.token_nll(torch.tensor([[0, 1, 2, 2]]), masked)
    np.testing.assert_allclose(losses[0], -np.log([0.1, 1.0, 0.7, 0.7]), atol=1e-15)


def test_a_nonuniform_start_is_used_as_given():
    initial = np.array([[0.1, 0.0], [0.5, 0.4]])
    chain = MarkovChain(initial, np.full((2, 2, 2), 0.5), "AB")
    np.testing.assert_allclose(chain.nll([[0], [1]]), -np.log([0.1, 0.9]))
    np.testing.assert_allclose(chain.nll([[0, 0], [1, 0]]), -np.log([0.1, 0.5]))
    assert chain.nll([[0, 1]]).item() == np.inf
    assert not (chain.sample(500, 2, seed=0) == [0, 1]).all(axis=1).any()


def test_the_memory_order_of_the_arrays_does_not_matter():
    chain = MarkovChain.random(3, "AB", seed=0)
    other = MarkovChain(np.asfortranarray(chain.initial), np.asfortranarray(chain.transition), "AB")
    assert other == chain
    tokens = torch.from_numpy(chain.sample(20, 10, seed=0))
    masked = torch.rand(20, 10, generator=torch.Generator().manual_seed(0)) < 0.5
    assert torch.equal(other.token_nll(tokens, masked), chain.token_nll(tokens, masked))


def test_long_sequences_do_not_underflow():
    chain = MarkovChain.random(3, seed=0, concentration=0.05)
    tokens = chain.sample(3, 5000, seed=1)
    contexts = tuple(tokens[:, i : i + 4997] for i in range(3))
    steps = -np.log(chain.transition[(*contexts, tokens[:, 3:])]).sum(axis=1)
    expected = steps - np.log(chain.initial[tuple(tokens[:, :3].T)])
    np.testing.assert_allclose(chain.nll(tokens), expected, rtol=1e-12)


def test_improbable_evidence_is_not_impossible():
    tiny = 1e-200
    chain = MarkovChain([1.0, 0.0], [[1 - tiny, tiny], [tiny, 1 - tiny]], "AB")
    tokens = [[0, 1, 0, 1, 0]]
    np.testing.assert_allclose(chain.nll(tokens), [-4 * np.log(tiny)], rtol=1e-12)
    losses = chain.token_nll(torch.tensor(tokens), torch.tensor([[False, True, False, True, True]]))
    np.testing.assert_allclose(losses[0, 3:], -np.log([tiny, 1.0]) - [0, 0], rtol=1e-12, atol=1e-12)


def test_probabilities_that_nearly_sum_to_one_are_scaled():
    chain = MarkovChain([0.5, 0.5 + 5e-10], [[0.5, 0.5], [0.25, 0.75 - 5e-10]], "AB")
    assert chain.initial.sum() == pytest.approx(1, abs=1e-15)
    assert chain.transition.sum(axis=1) == pytest.approx([1, 1], abs=1e-15)
    assert chain.transition[0].tolist() == [0.5, 0.5]


def test_the_largest_random_chains_are_refused():
    with pytest.raises(InputError, match=r"must have at most 4096 contexts, but order 7 over ACGT has 4\^7"):
        MarkovChain.random(7)


@pytest.mark.parametrize(
    ("initial", "transition", "message"),
    [
        ([0.5, 0.5], [[0.5, 0.4], [0.5, 0.5]], r"the sum of transition\[0\] is 0\.9, not 1"),
        ([0.5, 0.5], [[0.5, 0.5], [1.5, -0.5]], r"transition\[1, 1\] is -0.5; probabilities must be at least 0"),
        ([0.5, 0.5], [[0.5, 0.5], [np.nan, 1]], r"transition\[1, 0\] is nan"),
        ([0.5, 0.6], [[0.5, 0.5], [0.5, 0.5]], r"the sum of initial is 1\.1, not 1"),
        ([1.5, -0.5], [[0.5, 0.5], [0.5, 0.5]], r"initial\[1\] is -0.5"),
        ([1.0], [[0.5, 0.5], [0.5, 0.5]], r"initial must have shape \(2,\) for order 1, got \(1,\)"),
        (
            [0.5, 0.5],
            [[0.5, 0.3, 0.2]] * 2,
            r"transition must have one axis of length 2 .* AB; got shape \(2, 3\)",
        ),
        (1.0, 1.0, r"got shape \(\)"),
        (0.9, [0.5, 0.5], r"the sum of initial is 0\.9"),
        ([0.5, 0.5], [[0.5, 0.5], [1.0]], "transition must be an array of numbers"),
        ("half", [[0.5, 0.5]] * 2, "initial must be an array of numbers"),
    ],
)
def test_wrong_arrays_are_named(initial, transition, message):
    with pytest.raises(InputError, match=message):
        MarkovChain(initial, transition, "AB")


def test_a_wrong_entry_of_initial_is_named_by_its_context():
    with pytest.raises(InputError, match=r"initial\[1, 0\] is -0.5"):
        MarkovChain([[0.5, 0.5], [-0.5, 0.5]], np.full((2, 2, 2), 0.5), "AB")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": -1}, "order must be at least 0, got -1"),
        ({"concentration": 0.0}, "concentration must be from 1e-300 to 1e300, got 0.0"),
        ({"concentration": np.nan}, "concentration must be from 1e-300 to 1e300, got nan"),
        ({"concentration": np.inf}, "concentration must be from 1e-300 to 1e300, got inf"),
    ],
)
def test_wrong_arguments_of_random_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        MarkovChain.random(**arguments)
