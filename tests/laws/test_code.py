"""Codes: checksums and copies, against an enumeration of their words."""

import math

import numpy as np
import pytest
import torch

from estimators.errors import InputError
from infodis_stats.laws import CodeLaw
from tests.support.reference import enumerated_log_probability, enumerated_posterior, random_evidence, strings

CASES = [
    (length, group, rule, alphabet)
    for rule in ("checksum", "copies")
    for length, group, alphabet in [
        (1, 1, "AB"),
        (4, 1, "ABC"),
        (5, 5, "AB"),
        (6, 2, "ABC"),
        (6, 3, "ACGT"),
        (7, 7, "ABC"),
        (8, 4, "AB"),
        (10, 2, "AB"),
        (12, 6, "AB"),
        (5, 5, "A"),
    ]
]


def words(length, group, rule, alphabet):
    """Every word, by the definition in plain loops, and its probability."""
    distance = length // group
    found = []
    for word in strings(len(alphabet), length).tolist():
        groups = [[word[start + step * distance] for step in range(group)] for start in range(distance)]
        if rule == "checksum":
            inside = all(sum(tokens) % len(alphabet) == 0 for tokens in groups)
        else:
            inside = all(len(set(tokens)) == 1 for tokens in groups)
        if inside:
            found.append(word)
    return np.array(found), np.full(len(found), 1 / len(found))


def assert_posterior(law, sequences, probabilities):
    evidence = random_evidence((60, law.length, law.vocabulary_size), seed=law.length)
    evidence[::2] = np.random.default_rng(0).gamma(0.5, size=evidence[::2].shape)  # always possible
    evidence[1] = 1.0
    log_evidence, marginals = law.posterior(torch.from_numpy(evidence))
    expected_log, expected = enumerated_posterior(sequences, probabilities, evidence)
    assert np.isfinite(expected_log).sum() > 30
    np.testing.assert_allclose(log_evidence.numpy(), expected_log, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(marginals.numpy(), expected, rtol=1e-12, atol=1e-12)


class TestMaths:
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_the_posterior_equals_that_of_the_enumerated_words(self, case):
        assert_posterior(CodeLaw(*case), *words(*case))

    @pytest.mark.parametrize(
        ("case", "wrong"),
        [
            ((6, 3, "checksum", "ACGT"), (6, 3, "copies", "ACGT")),
            ((6, 3, "checksum", "ACGT"), (6, 6, "checksum", "ACGT")),
            ((6, 2, "checksum", "ABC"), (6, 2, "copies", "ABC")),
            ((8, 4, "copies", "AB"), (8, 2, "copies", "AB")),
        ],
        ids=str,
    )
    def test_control_the_check_fails_for_another_rule_or_group(self, case, wrong):
        with pytest.raises(AssertionError, match="Not equal"):
            assert_posterior(CodeLaw(*wrong), *words(*case))

    @pytest.mark.parametrize(("rule", "alphabet"), [("checksum", "ABC"), ("copies", "AB")])
    def test_control_the_check_fails_for_groups_that_are_not_interleaved(self, rule, alphabet):
        sequences, probabilities = words(6, 3, rule, alphabet)
        contiguous = sequences.reshape(-1, 3, 2).transpose(0, 2, 1).reshape(-1, 6)
        with pytest.raises(AssertionError, match="Not equal"):
            assert_posterior(CodeLaw(6, 3, rule, alphabet), contiguous, probabilities)

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_joint_nll_and_entropy_equal_the_enumeration(self, case):
        law = CodeLaw(*case)
        sequences, probabilities = words(*case)
        joint = np.zeros((law.vocabulary_size,) * law.length)
        joint[tuple(sequences.T)] = probabilities
        np.testing.assert_allclose(law.joint(), joint, rtol=1e-12, atol=0)
        np.testing.assert_allclose(law.nll(sequences), math.log(len(sequences)), rtol=1e-12, atol=1e-15)
        assert law.entropy() == pytest.approx(math.log(len(sequences)), rel=1e-12, abs=0)

    @pytest.mark.parametrize("case", [case for case in CASES if case[0] > 1], ids=str)
    def test_nll_given_a_context_equals_the_enumeration(self, case):
        law = CodeLaw(*case)
        sequences, probabilities = words(*case)
        tokens = law.sample(20, seed=1)
        given = np.random.default_rng(2).random(tokens.shape) < 0.5
        given[:, 0] = False
        every = np.ones_like(given)
        expected = enumerated_log_probability(sequences, probabilities, tokens, given) - enumerated_log_probability(
            sequences, probabilities, tokens, every
        )
        np.testing.assert_allclose(law.nll(tokens, given), expected, rtol=1e-12, atol=1e-12)

    def test_two_symbols_that_sum_to_zero_are_copies(self):
        evidence = torch.from_numpy(random_evidence((30, 12, 2), seed=3))
        first, second = CodeLaw(12, 2, "checksum").posterior(evidence), CodeLaw(12, 2, "copies").posterior(evidence)
        for one, other in zip(first, second, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


class TestLosses:
    """A token costs nothing where it is determined, and log q elsewhere."""

    @pytest.mark.parametrize(
        ("length", "group", "rule", "alphabet"),
        [
            (64, 64, "checksum", "AB"),
            (48, 48, "checksum", "ACGT"),
            (48, 3, "checksum", "AB"),
            (63, 7, "checksum", "ABC"),
            (1024, 1024, "checksum", "ABCDE"),
            (1024, 8, "checksum", "AB"),
            (32, 2, "copies", "AB"),
            (48, 4, "copies", "ACG"),
            (1024, 1024, "copies", "AB"),
        ],
    )
    def test_determined_tokens_are_free_and_the_others_cost_the_logarithm_of_the_symbols(
        self, length, group, rule, alphabet
    ):
        law = CodeLaw(length, group, rule, alphabet)
        tokens = torch.from_numpy(law.sample(60, seed=1))
        generator = torch.Generator().manual_seed(2)
        share = torch.rand(60, 1, generator=generator, dtype=torch.float64) ** 3
        masked = torch.rand(tokens.shape, generator=generator, dtype=torch.float64) < share
        masked[0], masked[1] = True, False
        masked[1, 5] = True
        in_group = masked.view(60, group, -1)
        hidden = in_group.sum(dim=1, keepdim=True)
        determined = hidden == 1 if rule == "checksum" else hidden < group
        cost = (~determined).double() * math.log(len(alphabet))
        expected = (in_group * cost).view(tokens.shape)
        assert (expected[masked] == 0).any()
        assert (expected[masked] > 0).any()
        torch.testing.assert_close(law.token_nll(tokens, masked), expected, rtol=0, atol=1e-12)
        assert not law.token_nll(tokens, masked)[expected == 0].any()  # exactly 0

    @pytest.mark.parametrize("rule", ["checksum", "copies"])
    def test_soft_evidence_over_a_long_word_does_not_underflow(self, rule):
        law = CodeLaw(1024, 512, rule, "ABC")
        noise = np.random.default_rng(1).uniform(1e-4, 1e-3, size=(1024, 3))
        log_evidence, marginals = law.posterior(torch.from_numpy(noise[None]))
        if rule == "copies":
            terms = np.log(noise).reshape(512, 2, 3).sum(axis=0)
            expected = (np.logaddexp.reduce(terms, axis=1) - math.log(3)).sum()
        else:
            # The probability of the sum of independent tokens, by the discrete Fourier transform: the terms of other
            # frequencies vanish over 512 noisy tokens.
            expected = np.log(noise.sum(axis=1) / 3).sum()
        assert expected < np.log(np.finfo(float).tiny)  # a plain product would underflow
        np.testing.assert_allclose(log_evidence.numpy(), [expected], rtol=1e-12)
        torch.testing.assert_close(marginals.sum(dim=2), torch.ones(1, 1024, dtype=torch.float64))

    @pytest.mark.parametrize("rule", ["checksum", "copies"])
    def test_one_impossible_group_makes_the_row_impossible(self, rule):
        law = CodeLaw(6, 3, rule, "AB")
        tokens = torch.tensor([[0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]])  # the first group of the first row: 0, 1, 0
        masked = torch.zeros(2, 6, dtype=torch.bool)
        masked[:, [1, 5]] = True
        cost = 0.0 if rule == "copies" else math.log(2)
        expected = torch.tensor([[math.inf] * 2, [cost] * 2], dtype=torch.float64)
        losses = law.token_nll(tokens, masked)
        torch.testing.assert_close(losses[:, [1, 5]], expected)
        assert not losses[~masked].any()
        evidence = torch.nn.functional.one_hot(tokens, 2).double()
        evidence[:, 1] = 1.0
        log_evidence, marginals = law.posterior(evidence)
        assert log_evidence.tolist() == [-math.inf, pytest.approx(-law.entropy())]
        assert not marginals[0].any()


class TestSamples:
    @pytest.mark.parametrize(
        "case",
        [(4, 4, "checksum", "AB"), (4, 2, "checksum", "ABC"), (6, 2, "copies", "ABC"), (3, 1, "checksum", "AB")],
        ids=str,
    )
    def test_words_are_equally_frequent_and_no_other_string_is_drawn(self, case):
        law, (sequences, _) = CodeLaw(*case), words(*case)
        place = law.vocabulary_size ** np.arange(law.length)
        draws, count = law.sample(20_000, seed=3) @ place, len(sequences)
        frequencies = np.array([(draws == word).sum() for word in sequences @ place])
        assert frequencies.sum() == 20_000
        # 4.5 binomial standard errors: at most 27 words, and the seed is fixed.
        error = math.sqrt(20_000 * (count - 1)) / count
        assert np.abs(frequencies - 20_000 / count).max() <= 4.5 * error

    def test_control_words_of_another_code_are_not_drawn(self):
        tokens = CodeLaw(6, 2, "copies", "ABC").sample(200, seed=3)
        assert np.isfinite(CodeLaw(6, 2, "copies", "ABC").nll(tokens)).all()
        assert np.isinf(CodeLaw(6, 3, "copies", "ABC").nll(tokens)).any()


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((6, 4), "length must be a multiple of group, got length 6 and group 4"),
            ((0, 1), "length must be a positive integer, got 0"),
            ((6, 0), "group must be a positive integer, got 0"),
            ((6.0, 3), r"length must be a positive integer, got 6\.0"),
            ((6, True), "group must be a positive integer, got True"),
            ((10**9, 1), "length must be at most 1048576, got 1000000000"),
            ((6, 3, "parity"), "rule must be 'checksum' or 'copies', got 'parity'"),
            ((6, 3, "copies", "AA"), "repeats 'A'"),
        ],
    )
    def test_wrong_arguments_are_named(self, arguments, message):
        with pytest.raises(InputError, match=message):
            CodeLaw(*arguments)

    def test_another_length_is_refused(self):
        with pytest.raises(InputError, match="length 6 under this law, got length 4"):
            CodeLaw(6, 3).nll([[0, 0, 0, 0]])
