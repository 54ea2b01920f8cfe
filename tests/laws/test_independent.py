"""Independent tokens, against products of their probabilities."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from estimators.errors import InputError
from infodis_stats.laws import IndependentLaw, MarkovChain
from infodis_stats.laws.probabilities import dirichlet
from tests.support.reference import enumerated_posterior, random_evidence, strings

CASES = [(1, "AB"), (4, "A"), (6, "AB"), (5, "ACGT")]


def table(length, alphabet):
    return dirichlet(np.random.default_rng(length), 1.0, (length, len(alphabet)))


def every_string(probabilities):
    """Every string and its probability, position by position."""
    sequences = strings(probabilities.shape[1], len(probabilities))
    return sequences, np.array(
        [math.prod(row[symbol] for row, symbol in zip(probabilities, word, strict=True)) for word in sequences]
    )


def assert_posterior(law, probabilities):
    evidence = random_evidence((40, law.length, law.vocabulary_size), seed=1)
    log_evidence, marginals = law.posterior(torch.from_numpy(evidence))
    expected_log, expected = enumerated_posterior(*every_string(probabilities), evidence)
    np.testing.assert_allclose(log_evidence.numpy(), expected_log, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(marginals.numpy(), expected, rtol=1e-12, atol=1e-12)


class TestMaths:
    @pytest.mark.parametrize(("length", "alphabet"), CASES)
    def test_the_posterior_equals_that_of_the_enumerated_strings(self, length, alphabet):
        probabilities = table(length, alphabet)
        assert_posterior(IndependentLaw(probabilities, alphabet), probabilities)

    @pytest.mark.parametrize(("length", "alphabet"), [(6, "AB"), (5, "ACGT")])
    def test_control_the_check_fails_for_positions_in_reverse(self, length, alphabet):
        probabilities = table(length, alphabet)
        with pytest.raises(AssertionError, match="Not equal"):
            assert_posterior(IndependentLaw(probabilities[::-1], alphabet), probabilities)

    @pytest.mark.parametrize(("length", "alphabet"), CASES)
    def test_joint_nll_and_entropy_equal_the_enumeration(self, length, alphabet):
        law = IndependentLaw(table(length, alphabet), alphabet)
        sequences, probabilities = every_string(law.probabilities)
        np.testing.assert_allclose(law.joint().ravel(), probabilities, rtol=1e-12)
        np.testing.assert_allclose(law.nll(sequences), -np.log(probabilities), rtol=1e-12, atol=1e-15)
        expected = -(probabilities * np.log(probabilities)).sum()
        assert law.entropy() == pytest.approx(expected, rel=1e-12, abs=1e-15)

    def test_equal_positions_are_a_chain_of_order_zero(self):
        chain, law = MarkovChain(1.0, [0.1, 0.2, 0.7], "ABC"), IndependentLaw([[0.1, 0.2, 0.7]] * 7, "ABC")
        evidence = torch.from_numpy(random_evidence((20, 7, 3), seed=2))
        for one, other in zip(law.posterior(evidence), chain.posterior(evidence), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)

    def test_the_loss_of_a_token_does_not_depend_on_the_mask(self):
        law = IndependentLaw.random(1024, "ABC", seed=1)
        tokens = torch.zeros(10, 1024, dtype=torch.int64)
        masked = torch.rand(10, 1024, generator=torch.Generator().manual_seed(3)) < 0.5
        cost = torch.from_numpy(-np.log(law.probabilities[:, 0]))
        expected = torch.where(masked, cost, 0.0)
        torch.testing.assert_close(law.token_nll(tokens, masked), expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(law.nll(tokens), cost.sum(), rtol=1e-12)

    def test_an_impossible_token_makes_the_other_masked_ones_infinite(self):
        law = IndependentLaw([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]], "AB")
        masked = torch.tensor([[False, True, False], [True, True, False]])
        losses = law.token_nll(torch.tensor([[1, 0, 0], [1, 0, 0]]), masked)
        assert losses.tolist() == [[0.0, math.inf, 0.0], [math.inf, pytest.approx(math.log(2)), 0.0]]


class TestRandom:
    def test_the_costs_of_first_symbols_are_lognormal(self):
        law = IndependentLaw.random(20_000, "ABC", spread=0.5, seed=4)
        scores = np.log(-np.log(law.probabilities[:, 0])) / 0.5
        # The seed is fixed, so a p-value above 1e-3 stays there; that of another spread is far below 1e-6.
        assert stats.kstest(scores, "norm").pvalue > 1e-3
        assert stats.kstest(1.1 * scores, "norm").pvalue < 1e-6
        assert np.array_equal(law.probabilities[:, 1], law.probabilities[:, 2])

    def test_laws_are_reproducible_and_differ(self):
        assert IndependentLaw.random(9, seed=5) == IndependentLaw.random(9, seed=5)
        assert IndependentLaw.random(9, seed=5) != IndependentLaw.random(9, seed=6)
        assert IndependentLaw.random(9, spread=1.0) != IndependentLaw.random(9)
        np.testing.assert_allclose(IndependentLaw.random(9, spread=0).nll([[0] * 9]), [9.0], rtol=1e-12)

    def test_costs_whose_probability_underflows_are_capped(self):
        law = IndependentLaw.random(1000, spread=1e300)
        costs = -np.log(law.probabilities[:, 0])
        assert costs.max() == pytest.approx(690)
        assert np.isfinite(law.nll([[0] * 1000])).all()


class TestSamples:
    def test_frequencies_are_the_probabilities(self):
        law, wrong = (IndependentLaw(table(8, "ACG")[::step], "ACG") for step in (1, -1))
        draws = law.sample(20_000, seed=6)
        frequencies = np.stack([(draws == symbol).mean(axis=0) for symbol in range(3)], axis=1)

        def largest_deviation(probabilities):
            errors = np.sqrt(probabilities * (1 - probabilities) / 20_000)
            return (np.abs(frequencies - probabilities) / errors).max()

        assert largest_deviation(law.probabilities) < 4  # standard errors, of 24 frequencies
        assert largest_deviation(wrong.probabilities) > 10
        correlations = np.corrcoef((draws == 0).T)[np.triu_indices(8, 1)]
        assert np.abs(correlations).max() < 4 / math.sqrt(20_000)


class TestErrors:
    @pytest.mark.parametrize(
        ("probabilities", "message"),
        [
            ([[0.5, 0.5], [0.5, 0.4]], r"the sum of probabilities\[1\] is 0\.9, not 1"),
            ([[0.5, 0.5], [1.5, -0.5]], r"probabilities\[1, 1\] is -0\.5; probabilities must be at least 0"),
            ([0.5, 0.5], r"must have shape \(length, 2\) over AB with at least 1 position, got shape \(2,\)"),
            ([[0.2, 0.3, 0.5]], r"must have shape \(length, 2\) over AB .*, got shape \(1, 3\)"),
            (np.zeros((0, 2)), r"at least 1 position, got shape \(0, 2\)"),
            ([[0.5, 0.5], [1.0]], "probabilities must be an array of numbers"),
        ],
    )
    def test_wrong_tables_are_named(self, probabilities, message):
        with pytest.raises(InputError, match=message):
            IndependentLaw(probabilities, "AB")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"length": 0}, "length must be at least 1, got 0"),
            ({"length": 3, "alphabet": "A"}, "alphabet must have at least 2 symbols, got 'A'"),
            ({"length": 3, "spread": -1.0}, r"spread must be at least 0 and finite, got -1\.0"),
            ({"length": 3, "spread": math.nan}, "spread must be at least 0 and finite, got nan"),
            ({"length": 10**12}, "at most 1048576 entries, but 1000000000000 positions x 2 symbols have more"),
        ],
    )
    def test_wrong_arguments_of_random_are_named(self, arguments, message):
        with pytest.raises(InputError, match=message):
            IndependentLaw.random(**arguments)
