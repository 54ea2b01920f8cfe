"""Hidden Markov laws: construction, closed forms, memory order and tiny probabilities."""

import numpy as np
import pytest
import torch

from estimators.errors import InputError
from infodis_stats.laws import HiddenMarkov, MarkovChain
from tests.support.reference import random_evidence

START, MOVE, SHOW = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.1, 0.9]]


def assert_starts_stationary(law):
    np.testing.assert_allclose(law.initial @ law.transition, law.initial, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("concentration", [1e-4, 0.05, 1.0, 100.0])
@pytest.mark.parametrize(("states", "alphabet"), [(2, "A"), (2, "ACGT"), (5, "AB"), (30, "ACGT")])
def test_a_random_law_starts_stationary_and_its_states_persist(states, alphabet, concentration):
    law = HiddenMarkov.random(states, alphabet, seed=2, concentration=concentration, stay=0.7)
    assert law.transition.shape == (states, states)
    assert law.emission.shape == (states, len(alphabet))
    np.testing.assert_allclose(law.transition.diagonal(), 0.7)
    assert_starts_stationary(law)
    assert np.isfinite(law.nll(law.sample(50, 20, seed=1))).all()


def test_the_check_fails_on_another_start():
    law = HiddenMarkov.random(3, seed=2)
    with pytest.raises(AssertionError):
        assert_starts_stationary(HiddenMarkov([0.5, 0.25, 0.25], law.transition, law.emission, "ACGT"))


def test_random_laws_are_reproducible_and_differ():
    assert HiddenMarkov.random(seed=5) == HiddenMarkov.random(seed=5)
    assert HiddenMarkov.random(seed=5) != HiddenMarkov.random(seed=6)


# ---- closed forms


def test_directly_observed_states_are_a_markov_chain():
    chain = MarkovChain.random(1, seed=3)
    law = HiddenMarkov(chain.initial, chain.transition, np.eye(4), "ACGT")
    evidence = torch.from_numpy(random_evidence((100, 30, 4), seed=0))
    log_evidence, marginals = law.posterior(evidence)
    expected_log, expected = chain.posterior(evidence)
    assert torch.equal(log_evidence, expected_log)
    torch.testing.assert_close(marginals, expected, rtol=1e-14, atol=0)  # one more division and product
    assert np.array_equal(law.nll(chain.sample(50, 30)), chain.nll(chain.sample(50, 30)))
    blurred = HiddenMarkov(chain.initial, chain.transition, 0.99 * np.eye(4) + 0.0025, "ACGT")
    assert (blurred.posterior(evidence)[1] - expected).abs().max() > 1e-3


def test_states_with_equal_emissions_do_not_matter():
    law = HiddenMarkov(START, MOVE, [[0.1, 0.2, 0.7]] * 2, "ABC")
    tokens = [[0, 1, 2, 2]]
    np.testing.assert_allclose(law.nll(tokens), -np.log([0.1 * 0.2 * 0.7 * 0.7]))
    losses = law.token_nll(torch.tensor(tokens), torch.tensor([[True, False, True, True]]))
    np.testing.assert_allclose(losses[0], -np.log([0.1, 1.0, 0.7, 0.7]), atol=1e-15)


@pytest.mark.parametrize("law", [HiddenMarkov(START, MOVE, SHOW, "AB"), HiddenMarkov.random(seed=4)], ids=str)
def test_the_joint_distribution_of_two_distant_symbols(law):
    """``P(x_1 = a, x_{1+d} = b)`` is ``emission' diag(initial) transition^d emission``."""
    size = law.vocabulary_size
    evidence = torch.ones(size, 61, size, dtype=torch.float64)
    evidence[:, 0] = torch.eye(size)
    log_evidence, marginals = law.posterior(evidence)
    for distance in (1, 2, 20, 60):
        later = np.linalg.matrix_power(law.transition, distance) @ law.emission
        expected = (law.emission * law.initial[:, None]).T @ later
        joint = log_evidence.exp()[:, None] * marginals[:, distance]
        np.testing.assert_allclose(joint, expected, rtol=1e-11)


def test_two_states_forget_geometrically():
    """If each of two states persists with probability s, information shrinks by a factor of ``2 s - 1`` per symbol."""
    evidence = torch.ones(2, 41, 2, dtype=torch.float64)
    evidence[1, 0, 0] = 0.0
    for stay in (0.95, 0.6):
        law = HiddenMarkov.random(2, "AB", seed=0, stay=stay)
        prior, given = law.posterior(evidence)[1]
        surprise = (given - prior)[:, 0].numpy()
        assert abs(surprise[1]) > 0.01
        np.testing.assert_allclose(surprise[1:], surprise[1] * (2 * stay - 1) ** np.arange(40), rtol=1e-9, atol=1e-14)


# ---- tiny numbers


def test_long_sequences_do_not_underflow():
    law = HiddenMarkov.random(seed=0)
    tokens = law.sample(3, 5000, seed=1)
    with np.errstate(divide="ignore"):
        transition, emission = np.log(law.transition), np.log(law.emission)
        message = np.log(law.initial) + emission[:, tokens[:, 0]].T
    for symbols in tokens[:, 1:].T:
        message = np.logaddexp.reduce(message[:, :, None] + transition, axis=1) + emission[:, symbols].T
    expected = -np.logaddexp.reduce(message, axis=1)
    assert (expected > 800).all()  # a plain product would underflow
    np.testing.assert_allclose(law.nll(tokens), expected, rtol=1e-11)


@pytest.mark.parametrize("tiny", [1e-200, 1e-310])
def test_improbable_evidence_is_not_impossible(tiny):
    law = HiddenMarkov(START, MOVE, [[1 - tiny, tiny]] * 2, "AB")
    tokens = torch.tensor([[1, 0, 1, 1, 0]])
    np.testing.assert_allclose(law.nll(tokens), [-3 * np.log(tiny)], rtol=1e-12)
    losses = law.token_nll(tokens, torch.tensor([[False, True, False, True, True]]))
    np.testing.assert_allclose(losses, [[0, 0, 0, -np.log(tiny), 0]], rtol=1e-12, atol=1e-12)
    log_evidence, marginals = law.posterior(torch.eye(2, dtype=torch.float64)[tokens])
    assert torch.equal(marginals, torch.eye(2, dtype=torch.float64)[tokens])
    np.testing.assert_allclose(log_evidence, [3 * np.log(tiny)], rtol=1e-12)


# ---- arrays


def test_the_memory_order_of_the_arrays_does_not_matter():
    law = HiddenMarkov.random(3, seed=0)
    other = HiddenMarkov(law.initial, np.asfortranarray(law.transition), np.asfortranarray(law.emission), "ACGT")
    assert other == law
    tokens = torch.from_numpy(law.sample(20, 10, seed=0))
    masked = torch.rand(20, 10, generator=torch.Generator().manual_seed(0)) < 0.5
    assert torch.equal(other.token_nll(tokens, masked), law.token_nll(tokens, masked))


def test_probabilities_that_nearly_sum_to_one_are_scaled():
    law = HiddenMarkov([0.5, 0.5 + 5e-10], [[0.5, 0.5], [0.25, 0.75 - 5e-10]], [[1, 5e-10], [0, 1]], "AB")
    for array in (law.initial, law.transition, law.emission):
        np.testing.assert_allclose(array.sum(axis=-1), 1, rtol=0, atol=1e-15)
    assert law.transition[0].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("initial", "transition", "emission", "message"),
    [
        ([0.5, 0.6], MOVE, SHOW, r"the sum of initial is 1\.1, not 1"),
        ([1.5, -0.5], MOVE, SHOW, r"initial\[1\] is -0\.5; probabilities must be at least 0"),
        (START, [[0.5, 0.4], [0.5, 0.5]], SHOW, r"the sum of transition\[0\] is 0\.9, not 1"),
        (START, MOVE, [[0.5, 0.5], [np.nan, 1]], r"emission\[1, 0\] is nan"),
        (START, MOVE, [[0.5, 0.5], [0.5, 0.6]], r"the sum of emission\[1\] is 1\.1, not 1"),
        (1.0, MOVE, SHOW, r"initial must have shape \(states,\) with at least 1 state, got shape \(\)"),
        ([], MOVE, SHOW, r"initial must have .* got shape \(0,\)"),
        ([1.0], MOVE, SHOW, r"transition must have shape \(1, 1\) for 1 states, got \(2, 2\)"),
        (START, MOVE, [[0.5, 0.3, 0.2]] * 2, r"emission must have shape \(2, 2\) for 2 states over AB, got \(2, 3\)"),
        (START, MOVE, [[1.0], [0.5, 0.5]], "emission must be an array of numbers"),
    ],
)
def test_wrong_arrays_are_named(initial, transition, emission, message):
    with pytest.raises(InputError, match=message):
        HiddenMarkov(initial, transition, emission, "AB")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"states": 1}, "states must be from 2 to 4096, got 1"),
        ({"states": 4097}, "states must be from 2 to 4096, got 4097"),
        ({"concentration": 0.0}, r"concentration must be from 1e-300 to 1e300, got 0\.0"),
        ({"stay": 1.0}, r"stay must be in \[0, 1\), got 1\.0"),
        ({"stay": -0.1}, r"stay must be in .* got -0\.1"),
        ({"stay": np.nan}, "stay must be in .* got nan"),
    ],
)
def test_wrong_arguments_of_random_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        HiddenMarkov.random(**arguments)
