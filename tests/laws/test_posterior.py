"""Posteriors and likelihoods of the laws agree with sums over all strings."""

import numpy as np
import pytest
import torch

from infodis_stats.laws import CodeLaw, HiddenMarkov, IndependentLaw, MarkovChain, TableLaw
from infodis_stats.laws.probabilities import dirichlet
from tests.support.reference import (
    enumerated,
    enumerated_log_probability,
    enumerated_posterior,
    plain_token_nll,
    random_evidence,
)

CASES = [
    (order, alphabet, length)
    for order, alphabet, length in [
        (0, "A", 3),
        (0, "AB", 4),
        (0, "ACGT", 3),
        (1, "A", 1),
        (1, "ACGT", 1),
        (1, "AB", 7),
        (2, "ACGT", 1),
        (2, "ACGT", 2),
        (2, "ACGT", 5),
        (3, "AB", 2),
        (3, "AB", 8),
        (3, "ABC", 5),
        (4, "A", 6),
        (4, "AB", 3),
        (4, "AB", 9),
        (4, "ACGT", 3),
        (4, "ACGT", 4),
        (4, "ACGT", 6),
    ]
]
HIDDEN_CASES = [(1, "AB", 4), (2, "A", 3), (2, "AB", 1), (2, "AB", 9), (3, "ACGT", 5), (4, "AB", 6), (4, "ACGT", 4)]
KINDS = {"random": 1.0, "nearly deterministic": 0.05}


def chain_of(order, alphabet, kind):
    return MarkovChain.random(order, alphabet, seed=order, concentration=KINDS[kind])


def hidden_of(states, alphabet, kind):
    """A law with a nonuniform start whose states change fast enough for errors to show in short strings."""
    rng = np.random.default_rng(states)
    initial, transition, emission = (
        dirichlet(rng, KINDS[kind], shape) for shape in [(1, states), (states, states), (states, len(alphabet))]
    )
    return HiddenMarkov(initial[0], transition, emission, alphabet)


def misread(law):
    """Common mistakes: a chain whose contexts are read newest first, hidden states that run backwards."""
    if isinstance(law, HiddenMarkov):
        backwards = law.transition.T / law.transition.sum(axis=0)[:, None]
        return HiddenMarkov(law.initial, backwards, law.emission, law.alphabet)
    axes = (*reversed(range(law.order)), law.order)
    return MarkovChain(law.initial.T, law.transition.transpose(axes), law.alphabet)


def assert_posterior(law, sequences, probabilities, evidence):
    log_evidence, marginals = law.posterior(torch.from_numpy(evidence))
    expected_log, expected = enumerated_posterior(sequences, probabilities, evidence)
    np.testing.assert_allclose(log_evidence.numpy(), expected_log, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(marginals.numpy(), expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("order", "alphabet", "length"), CASES)
def test_posterior_of_a_chain(order, alphabet, length, kind):
    chain = chain_of(order, alphabet, kind)
    evidence = random_evidence((12, length, len(alphabet)), seed=length)
    evidence[0] = 1.0
    assert_posterior(chain, *enumerated(chain, length), evidence)


@pytest.mark.parametrize(("order", "alphabet", "length"), [(2, "ACGT", 5), (3, "AB", 8), (4, "ACGT", 6)])
def test_control_the_check_fails_for_a_chain_with_reversed_contexts(order, alphabet, length):
    chain = chain_of(order, alphabet, "random")
    evidence = random_evidence((12, length, len(alphabet)), seed=length)
    with pytest.raises(AssertionError):
        assert_posterior(misread(chain), *enumerated(chain, length), evidence)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("states", "alphabet", "length"), HIDDEN_CASES)
def test_posterior_of_a_hidden_markov_law(states, alphabet, length, kind):
    law = hidden_of(states, alphabet, kind)
    evidence = random_evidence((12, length, len(alphabet)), seed=length)
    evidence[0] = 1.0
    assert_posterior(law, *enumerated(law, length), evidence)


def permuted(law):
    return HiddenMarkov(law.initial, law.transition, np.roll(law.emission, 1, axis=0), law.alphabet)


@pytest.mark.parametrize("wrong", [misread, permuted])
@pytest.mark.parametrize(("states", "alphabet", "length"), [(2, "AB", 9), (3, "ACGT", 5), (4, "AB", 6)])
def test_control_the_check_fails_for_a_wrong_hidden_markov_law(states, alphabet, length, wrong):
    law = hidden_of(states, alphabet, "random")
    evidence = random_evidence((12, length, len(alphabet)), seed=length)
    with pytest.raises(AssertionError):
        assert_posterior(wrong(law), *enumerated(law, length), evidence)


@pytest.mark.parametrize("length", [1, 3, 8])
def test_posterior_of_a_table(length):
    law = TableLaw.random(count=4, length=length, seed=length)
    evidence = random_evidence((30, length, 4), seed=length)
    assert_posterior(law, law.sequences, law.probabilities, evidence)
    if length > 1:  # control: a wrong pairing of sequences and probabilities
        wrong = TableLaw(law.sequences[::-1], law.probabilities, "ACGT")
        with pytest.raises(AssertionError):
            assert_posterior(wrong, law.sequences, law.probabilities, evidence)


@pytest.mark.parametrize(
    ("law", "length"),
    [
        (chain_of(0, "ACGT", "random"), 3),
        (chain_of(1, "AB", "random"), 7),
        (chain_of(2, "ACGT", "random"), 4),
        (chain_of(4, "AB", "random"), 3),
        (hidden_of(3, "AB", "random"), 6),
    ],
    ids=str,
)
def test_a_law_and_its_table_are_the_same_law(law, length):
    table = TableLaw(*enumerated(law, length), law.alphabet)
    evidence = torch.from_numpy(random_evidence((20, length, law.vocabulary_size), seed=0))
    for one, other in zip(law.posterior(evidence), table.posterior(evidence), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)
    tokens = law.sample(20, length, seed=1)
    np.testing.assert_allclose(law.nll(tokens), table.nll(tokens), rtol=1e-11)
    np.testing.assert_allclose(law.nll(tokens, 1), table.nll(tokens, 1), rtol=1e-11)


def contexts(shape, seed=0):
    rng = np.random.default_rng(seed)
    scattered = rng.random(shape) < 0.5
    scattered[:, -1] = False
    prefix = np.arange(shape[1]) < rng.integers(shape[1], size=shape[0])[:, None]
    return {"none": None, "zero": 0, "int": 2, "prefix": prefix, "scattered": scattered, "shared": scattered[0]}


@pytest.mark.parametrize("kind", ["none", "zero", "int", "prefix", "scattered", "shared"])
@pytest.mark.parametrize(
    "law", [*(chain_of(order, "ACG", "random") for order in range(5)), hidden_of(3, "ACG", "random")], ids=str
)
def test_nll_given_every_kind_of_context(law, kind):
    sequences, probabilities = enumerated(law, 6)
    tokens = law.sample(15, 6, seed=2)
    context = contexts(tokens.shape)[kind]
    given = np.arange(6) < (context or 0) if not isinstance(context, np.ndarray) else context
    given = np.broadcast_to(given, tokens.shape)
    every = np.ones_like(given)
    expected = enumerated_log_probability(sequences, probabilities, tokens, given) - enumerated_log_probability(
        sequences, probabilities, tokens, every
    )
    np.testing.assert_allclose(law.nll(tokens, context), expected, rtol=1e-11, atol=1e-12)
    if not given.any():
        assert np.array_equal(law.nll(tokens, context), law.nll(tokens))
    if isinstance(law, HiddenMarkov) or law.order > 1:
        assert np.abs(misread(law).nll(tokens, context) - expected).max() > 1e-3


@pytest.mark.parametrize(
    ("order", "alphabet", "length"), [(0, "ACGT", 6), (1, "A", 4), (2, "ACGT", 12), (4, "ACGT", 10)]
)
def test_token_nll_agrees_with_the_plain_loop(order, alphabet, length):
    chain = chain_of(order, alphabet, "random")
    generator = torch.Generator().manual_seed(order)
    tokens = torch.from_numpy(chain.sample(6, length, seed=3))
    masked = torch.rand(tokens.shape, generator=generator) < 0.5
    expected = plain_token_nll(chain, tokens, masked)
    losses = chain.token_nll(tokens, masked)
    torch.testing.assert_close(losses, expected, rtol=1e-11, atol=1e-11)
    assert not losses[~masked].any()
    if order > 1:
        assert (misread(chain).token_nll(tokens, masked) - expected).abs().max() > 1e-3


@pytest.mark.parametrize(
    "law",
    [
        TableLaw.random(seed=1),
        MarkovChain.random(0, seed=1),
        MarkovChain.random(2, seed=1),
        MarkovChain.random(4, seed=1),
        MarkovChain.random(2, seed=1, concentration=0.05),
        HiddenMarkov.random(seed=1),
        HiddenMarkov.random(seed=1, concentration=0.05),
        CodeLaw(20, 20),
        CodeLaw(21, 3, "checksum", "ABC"),
        CodeLaw(20, 4, "copies", "ACGT"),
        IndependentLaw.random(20, spread=1.0, seed=1),
    ],
    ids=str,
)
def test_a_law_is_consistent_losses_sum_to_the_nll_in_any_order(law):
    assert law.consistent
    length = law.length or 20
    tokens = law.sample(30, length, seed=4)
    ranks = torch.from_numpy(np.random.default_rng(5).permuted(np.tile(np.arange(length), (30, 1)), axis=1))
    rows = torch.from_numpy(tokens)
    total, other = torch.zeros(30, dtype=torch.float64), torch.zeros(30, dtype=torch.float64)
    for step in range(length):
        losses = law.token_nll(rows, ranks >= step)
        total += losses[ranks == step]
        # Control: with everything masked at every step, the losses sum to those of the independent marginals.
        other += law.token_nll(rows, ranks >= 0)[ranks == step]
    np.testing.assert_allclose(total.numpy(), law.nll(tokens), rtol=0, atol=1e-10)
    if not (isinstance(law, IndependentLaw) or (isinstance(law, MarkovChain) and law.order == 0)):
        assert np.abs(other.numpy() - law.nll(tokens)).max() > 1e-3


def test_the_scale_of_the_evidence_does_not_change_the_marginals():
    length = 40
    scale = 10.0 ** np.random.default_rng(0).uniform(-290, 290, size=(5, length, 1))
    evidence = random_evidence((5, length, 4), seed=1)
    for law in (
        MarkovChain.random(2),
        HiddenMarkov.random(),
        TableLaw.random(20, length),
        CodeLaw(length, 20, "checksum", "ACGT"),
        CodeLaw(length, 4, "copies", "ACGT"),
        IndependentLaw.random(length, "ACGT"),
    ):
        log_evidence, marginals = law.posterior(torch.from_numpy(evidence))
        scaled_log, scaled = law.posterior(torch.from_numpy(evidence * scale))
        torch.testing.assert_close(scaled, marginals, rtol=1e-9, atol=1e-13)
        expected = log_evidence + torch.from_numpy(np.log(scale).sum(axis=(1, 2)))
        torch.testing.assert_close(scaled_log, expected, rtol=1e-12, atol=1e-9)


def test_soft_evidence_over_a_long_table_does_not_underflow():
    law = TableLaw.random(count=50, length=2000, alphabet="ACGT", seed=0)
    noise = np.random.default_rng(1).uniform(1e-4, 1e-3, size=(1, 2000, 4))
    log_evidence, marginals = law.posterior(torch.from_numpy(noise))
    terms = np.log(law.probabilities) + np.log(noise[0][np.arange(2000), law.sequences]).sum(axis=1)
    expected = np.logaddexp.reduce(terms)
    assert expected < np.log(np.finfo(float).tiny)  # a plain product would underflow
    np.testing.assert_allclose(log_evidence.numpy(), [expected], rtol=1e-12)
    torch.testing.assert_close(marginals.sum(dim=2), torch.ones(1, 2000, dtype=torch.float64))
