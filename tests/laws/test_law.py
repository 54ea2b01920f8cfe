"""The contract that every law fulfils, whatever its kind."""

import hashlib

import numpy as np
import pytest
import torch
from scipy import stats

import infodis_stats.laws.law as law_module
from estimators import ConditionalModel
from estimators.errors import InputError, TokenError
from infodis_stats.laws import CodeLaw, HiddenMarkov, IndependentLaw, Law, MarkovChain, TableLaw
from tests.support.reference import enumerated, random_evidence

CYCLE = MarkovChain([0.5, 0.5, 0.0], [[0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]], alphabet="ABC")
HIDDEN_CYCLE = HiddenMarkov(CYCLE.initial, CYCLE.transition, np.eye(3), alphabet="ABC")
LAWS = [
    MarkovChain.random(0, seed=0),
    MarkovChain.random(1, "A", seed=0),
    MarkovChain.random(1, "AB", seed=0),
    MarkovChain.random(2, seed=0),
    MarkovChain.random(4, seed=0),
    MarkovChain.random(3, "ABC", seed=0, concentration=0.05),
    CYCLE,
    HiddenMarkov([1.0], [[1.0]], [[0.3, 0.7]], "AB"),
    HiddenMarkov.random(seed=0),
    HiddenMarkov.random(7, "ABC", seed=0, concentration=0.05),
    HIDDEN_CYCLE,
    TableLaw.random(seed=0),
    TableLaw(["AAB", "ABA", "BBB"], [0.5, 0.5, 0.0]),
    CodeLaw(9, 9),
    CodeLaw(12, 3, "checksum", "ACGT"),
    CodeLaw(14, 2, "copies", "ABC"),
    CodeLaw(12, 4, "copies", "AB"),
    IndependentLaw.random(9, seed=0),
    IndependentLaw.random(7, "ABC", spread=1.0, seed=0),
]
every_law = pytest.mark.parametrize("law", LAWS, ids=[f"{law}-{i}" for i, law in enumerate(LAWS)])


def batch_of(law, size, length=9):
    length = law.length or length
    tokens = torch.from_numpy(np.random.default_rng(0).integers(law.vocabulary_size, size=(size, length)))
    tokens[::2] = torch.from_numpy(law.sample(len(tokens[::2]), length, seed=1))
    generator = torch.Generator().manual_seed(0)
    masked = torch.rand(tokens.shape, generator=generator) < torch.rand(size, 1, generator=generator)
    return tokens, masked


# ---- results do not depend on the batch, bit by bit


def assert_batch_does_not_matter(law, size):
    tokens, masked = batch_of(law, size)
    whole = law.token_nll(tokens, masked)
    for piece in (1, 7, 64):
        stop = 30 * piece if piece > 1 else 15
        for start in range(0, min(stop, size), piece):
            rows = slice(start, start + piece)
            assert torch.equal(law.token_nll(tokens[rows], masked[rows]), whole[rows]), (piece, start)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(1))
    assert torch.equal(law.token_nll(tokens[order], masked[order]), whole[order])


@every_law
def test_a_row_has_the_same_bits_in_every_batch(law):
    assert_batch_does_not_matter(law, 1000)


def test_control_the_check_fails_for_a_law_that_depends_on_the_batch():
    class Pooled(MarkovChain):
        def _posterior(self, evidence):
            log_evidence, marginals = super()._posterior(evidence)
            return log_evidence, marginals * (1 + 1e-15 * evidence.mean())

    chain = LAWS[3]
    with pytest.raises(AssertionError):
        assert_batch_does_not_matter(Pooled(chain.initial, chain.transition, chain.alphabet), 1000)


@every_law
def test_soft_posteriors_have_the_same_bits_in_every_batch(law):
    length = law.length or 9
    evidence = torch.from_numpy(random_evidence((130, length, law.vocabulary_size), seed=0))
    log_evidence, marginals = law.posterior(evidence)
    for rows in (slice(0, 1), slice(3, 10), slice(5, 69), slice(129, 130)):
        log_part, part = law.posterior(evidence[rows])
        assert torch.equal(log_part, log_evidence[rows])
        assert torch.equal(part, marginals[rows])


@every_law
def test_results_depend_neither_on_chunks_nor_on_threads(law, monkeypatch):
    tokens, masked = batch_of(law, 150)
    whole, likelihoods = law.token_nll(tokens, masked), law.nll(tokens)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert torch.equal(law.token_nll(tokens, masked), whole)
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setattr(law_module, "WORKING_BYTES", 23 * law._bytes_per_row(tokens.shape[1]))
    assert torch.equal(law.token_nll(tokens, masked), whole)
    assert np.array_equal(law.nll(tokens), likelihoods)
    monkeypatch.setattr(law_module, "WORKING_BYTES", 0)
    assert torch.equal(law.token_nll(tokens[:3], masked[:3]), whole[:3])


@every_law
def test_results_do_not_depend_on_the_memory_layout_of_the_input(law):
    tokens, masked = batch_of(law, 40)
    whole = law.token_nll(tokens, masked)
    assert torch.equal(law.token_nll(tokens.T.contiguous().T, masked.T.contiguous().T), whole)
    assert torch.equal(law.token_nll(tokens.repeat_interleave(2, 0)[::2], masked), whole)
    evidence = torch.from_numpy(random_evidence((40, tokens.shape[1], law.vocabulary_size), seed=0))
    for one, other in zip(
        law.posterior(evidence), law.posterior(evidence.permute(2, 1, 0).contiguous().permute(2, 1, 0)), strict=True
    ):
        assert torch.equal(one, other)


# ---- conditionals


@every_law
def test_token_nll_satisfies_the_contract_of_the_estimators(law):
    model: ConditionalModel = law
    tokens, masked = batch_of(law, 50)
    losses = model.token_nll(tokens, masked)
    assert losses.dtype == torch.float64
    assert losses.shape == tokens.shape
    assert not losses[~masked].any()
    assert (losses >= 0).all()
    assert not torch.signbit(losses).any()


@every_law
def test_the_loss_is_zero_without_masks_and_empty_batches_are_valid(law):
    tokens, masked = batch_of(law, 10)
    assert not law.token_nll(tokens, torch.zeros_like(masked)).any()
    assert law.token_nll(tokens[:0], masked[:0]).shape == (0, tokens.shape[1])
    assert law.nll(tokens[:0]).shape == (0,)


@every_law
def test_all_integer_types_are_equivalent_and_the_input_is_not_modified(law):
    tokens, masked = batch_of(law, 20)
    before = tokens.clone(), masked.clone()
    losses = law.token_nll(tokens, masked)
    for dtype in (torch.int32, torch.int16, torch.int8, torch.uint8):
        assert torch.equal(law.token_nll(tokens.to(dtype), masked), losses)
    assert torch.equal(tokens, before[0])
    assert torch.equal(masked, before[1])
    for like in (tokens.tolist(), tokens.numpy().astype(np.uint8), tokens):
        assert np.array_equal(law.nll(like), law.nll(tokens.numpy()))


@every_law
def test_marginals_sum_to_one_and_agree_with_the_evidence(law):
    length = law.length or 9
    evidence = torch.from_numpy(random_evidence((60, length, law.vocabulary_size), seed=2))
    log_evidence, marginals = law.posterior(evidence)
    possible = ~log_evidence.isneginf()
    assert possible.any()
    ones = torch.ones(int(possible.sum()), length, dtype=torch.float64)
    torch.testing.assert_close(marginals[possible].sum(dim=2), ones)
    assert not marginals[~possible].any()
    assert not marginals[evidence == 0].any()


# ---- impossible evidence


def test_an_impossible_token_costs_inf_and_the_others_do_not():
    tokens = torch.tensor([[0, 1, 2], [0, 0, 2], [0, 2, 2]])
    masked = torch.tensor([[False, True, False]] * 3)
    losses = CYCLE.token_nll(tokens, masked)
    assert losses[:, 1].tolist() == [0.0, np.inf, np.inf]  # A?C must be ABC
    assert not losses[:, [0, 2]].any()


@pytest.mark.parametrize("law", [CYCLE, HIDDEN_CYCLE, TableLaw(["AAB", "ABC", "BCA"], [0.5, 0.5, 0.0])], ids=str)
def test_impossible_revealed_tokens_make_every_masked_one_inf(law):
    tokens = torch.tensor([[1, 1, 2]])  # BB is impossible under all three laws
    losses = law.token_nll(tokens, torch.tensor([[False, False, True]]))
    assert losses.tolist() == [[0.0, 0.0, np.inf]]
    evidence = torch.ones(2, 3, 3, dtype=torch.float64)
    evidence[0, 0] = evidence[0, 1] = torch.tensor([0.0, 1.0, 0.0])
    log_evidence, marginals = law.posterior(evidence)
    assert log_evidence[0] == -np.inf
    assert not marginals[0].any()
    assert log_evidence[1].abs() < 1e-12
    torch.testing.assert_close(marginals[1].sum(dim=1), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize(
    "law",
    [
        CYCLE,
        HIDDEN_CYCLE,
        TableLaw(["AAB", "ABC", "BCA"], [0.5, 0.5, 0.0]),
        CodeLaw(3, 3, "checksum", "ABC"),
        CodeLaw(3, 3, "copies", "ABC"),
        IndependentLaw.random(3, "ABC"),
    ],
    ids=str,
)
def test_evidence_against_every_symbol_is_impossible(law):
    for position in range(3):
        evidence = torch.ones(1, 3, 3, dtype=torch.float64)
        evidence[0, position] = 0.0
        log_evidence, marginals = law.posterior(evidence)
        assert log_evidence.item() == -np.inf
        assert not marginals.any()


def test_impossible_sequences_have_infinite_nll_and_impossible_contexts_are_refused():
    tokens = [[0, 1, 2], [0, 1, 1]]
    assert CYCLE.nll(tokens).tolist() == [pytest.approx(np.log(2)), np.inf]
    assert CYCLE.nll(tokens, context=2).tolist() == [0.0, np.inf]
    with pytest.raises(InputError, match="sequence 1: the context has probability 0"):
        CYCLE.nll([[0, 1, 2], [1, 1, 2]], context=2)


def test_a_possible_context_within_an_impossible_sequence_is_not_an_error():
    context = np.array([[True, True, False], [False, True, False]])
    assert np.isinf(CYCLE.nll([[0, 1, 1], [1, 1, 2]], context)).all()


# ---- samples


def chi_square(law, probabilities, sequences, draws):
    """The p-value of the draws' frequencies; cells that expect fewer than 5 are pooled."""
    size = law.vocabulary_size ** np.arange(draws.shape[1])
    codes, drawn = sequences @ size, draws @ size
    counts = np.bincount(drawn, minlength=codes.max() + 1)[codes]
    expected = probabilities * len(draws)
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 5:
        counts, expected = counts[:-1], expected[:-1]
    return stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1)


@pytest.mark.parametrize(
    ("law", "wrong"),
    [
        (MarkovChain.random(order, alphabet, seed=0), MarkovChain.random(order, alphabet, seed=1))
        for order, alphabet in [(0, "ACGT"), (1, "AB"), (2, "ABC"), (3, "AB"), (4, "AB")]
    ]
    + [(HiddenMarkov.random(3, "ABC", seed=0, stay=0.8), HiddenMarkov.random(3, "ABC", seed=1, stay=0.8))],
    ids=str,
)
@pytest.mark.parametrize("length", [1, 3, 5])
def test_samples_have_the_probabilities_of_their_law(law, wrong, length):
    sequences, probabilities = enumerated(law, length)
    # The seed is fixed, so a p-value above 1e-3 stays there; that of the wrong law is far below 1e-6.
    assert chi_square(law, probabilities, sequences, law.sample(20_000, length, seed=7)) > 1e-3
    assert chi_square(law, probabilities, sequences, wrong.sample(20_000, length, seed=7)) < 1e-6


def test_samples_have_the_probabilities_of_a_table():
    law = TableLaw.random(count=40, length=6, seed=0)
    wrong = TableLaw(law.sequences, law.probabilities[::-1], law.alphabet)
    assert chi_square(law, law.probabilities, law.sequences, law.sample(20_000, seed=7)) > 1e-3
    assert chi_square(law, law.probabilities, law.sequences, wrong.sample(20_000, seed=7)) < 1e-6


@every_law
def test_samples_are_possible_and_reproducible(law):
    length = law.length or 12
    draws = law.sample(200, length, seed=3)
    assert draws.shape == (200, length)
    assert draws.dtype == np.int64
    assert np.isfinite(law.nll(draws)).all()
    assert np.array_equal(draws, law.sample(200, length, seed=np.random.SeedSequence(3)))
    assert np.array_equal(draws, law.sample(200, length, seed=np.random.default_rng(3)))
    assert np.array_equal(draws[:50], law.sample(50, length, seed=3))
    if law.vocabulary_size > 1:
        assert not np.array_equal(draws, law.sample(200, length, seed=4))
    assert law.sample(0, length, seed=3).shape == (0, length)


def test_a_generator_advances():
    rng = np.random.default_rng(0)
    law = MarkovChain.random(1)
    assert not np.array_equal(law.sample(10, 10, rng), law.sample(10, 10, rng))


# ---- values


def copied(law, alphabet=None):
    """A law made anew from its parameters."""
    if isinstance(law, CodeLaw):
        return CodeLaw(law.length, law.group, law.rule, alphabet or law.alphabet)
    return type(law)(*law._arrays(), alphabet or law.alphabet)


@every_law
def test_a_law_is_a_value(law):
    parts = law._arrays()
    again = copied(law)
    assert again == law
    assert hash(again) == hash(law)
    assert again.fingerprint() == law.fingerprint()
    assert len(law.fingerprint()) == len(hashlib.sha256().hexdigest())
    for array in parts:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    lower = copied(law, law.alphabet.lower())
    assert lower != law
    assert repr(law) == f"<{law.describe()}>"
    assert law != law.fingerprint()


def test_fingerprints_differ_between_laws():
    laws = [*LAWS, MarkovChain.random(2, seed=1), TableLaw.random(seed=1), CodeLaw(9, 3), CodeLaw(9, 9, "copies")]
    assert len({law.fingerprint() for law in laws}) == len(laws)
    arrays = CYCLE.initial.copy(), CYCLE.transition.copy()
    arrays[1][2] = [0.5 - 1e-12, 0.5 + 1e-12, 0]
    assert MarkovChain(*arrays, "ABC") != CYCLE


def test_given_arrays_are_copied():
    transition = np.full((2, 2), 0.5)
    law = MarkovChain([0.5, 0.5], transition, "AB")
    transition[0] = [1, 0]
    assert law.transition[0, 0] == 0.5


@every_law
def test_encode_and_decode_are_inverse(law):
    draws = law.sample(20, law.length or 7, seed=0)
    texts = law.decode(draws)
    assert np.array_equal(law.encode(texts), draws)
    assert all(set(text) <= set(law.alphabet) for text in texts)


def test_encode_follows_the_alphabet_not_the_alphabetical_order():
    law = MarkovChain.random(1, "TAé")
    assert law.encode(["éAT"]).tolist() == [[2, 1, 0]]
    assert law.decode([[2, 1, 0]]) == ["éAT"]


# ---- errors


@every_law
def test_a_token_outside_the_alphabet_is_named(law):
    tokens, masked = batch_of(law, 5)
    last = law.vocabulary_size - 1
    for token in (-1, law.vocabulary_size, 70):
        bad = tokens.clone()
        bad[3, 1] = token
        bad[4, 0] = token
        message = f"token {token} is outside the alphabet {law.alphabet} (0 to {last})"
        for call in (lambda rows: law.token_nll(rows, masked), law.nll, law.decode):
            with pytest.raises(TokenError) as caught:
                call(bad)
            assert (caught.value.row, caught.value.position) == (3, 1)
            assert caught.value.problem == message


@every_law
def test_token_nll_requires_integers_and_booleans(law):
    tokens, masked = batch_of(law, 5)
    with pytest.raises(InputError, match=r"tokens must be integers of shape \(batch, length\), got torch.float32"):
        law.token_nll(tokens.float(), masked)
    with pytest.raises(InputError, match=r"got torch.bool"):
        law.token_nll(tokens.bool(), masked)
    with pytest.raises(InputError, match=r"tokens must be integers of shape \(batch, length\)"):
        law.token_nll(tokens[0], masked[0])
    with pytest.raises(InputError, match=r"masked must be torch.bool .* got torch.int64"):
        law.token_nll(tokens, masked.long())
    with pytest.raises(InputError, match=r"masked must be torch.bool of shape \(5, \d+\) on cpu, got .*\(4, "):
        law.token_nll(tokens, masked[:4])
    with pytest.raises(InputError, match=r"on cpu, got torch.bool of shape .* on meta"):
        law.token_nll(tokens, masked.to("meta"))


@every_law
def test_posterior_requires_finite_nonnegative_float64(law):
    size = law.vocabulary_size
    good = torch.ones(2, law.length or 4, size, dtype=torch.float64)
    for bad in (good.float(), good[0], torch.ones(2, law.length or 4, size + 1, dtype=torch.float64)):
        with pytest.raises(InputError, match=rf"evidence must be float64 of shape \(batch, length, {size}\), got"):
            law.posterior(bad)
    for value in (-0.1, np.nan, np.inf):
        bad = good.clone()
        bad[1, 0, 0] = value
        with pytest.raises(InputError, match="evidence must be finite and nonnegative"):
            law.posterior(bad)


@every_law
def test_nll_errors_state_what_is_wrong(law):
    tokens = law.sample(3, law.length or 4, seed=0)
    length = tokens.shape[1]
    with pytest.raises(InputError, match=r"tokens must be integers of shape \(sequence, length\), got float64"):
        law.nll(tokens.astype(float))
    with pytest.raises(InputError, match=r"tokens must be integers"):
        law.nll(tokens[0])
    with pytest.raises(InputError, match=r"tokens must be integers .* all sequences of equal length"):
        law.nll([[0, 0], [0]])
    with pytest.raises(InputError, match=f"sequence 0: all {length} tokens are context, nothing is left to score"):
        law.nll(tokens, context=length)
    with pytest.raises(InputError, match="leading tokens >= 0, got -1"):
        law.nll(tokens, context=-1)
    given = np.zeros(tokens.shape, dtype=bool)
    given[2] = True
    with pytest.raises(InputError, match=r"sequence 2: all .* nothing is left to score"):
        law.nll(tokens, given)
    with pytest.raises(InputError, match="context has 2 rows for 3 sequences"):
        law.nll(tokens, given[:2])
    with pytest.raises(InputError, match=f"context of sequence 0 needs {length} booleans"):
        law.nll(tokens, given[:, :-1])
    with pytest.raises(InputError, match=r"needs .* booleans, got int64"):
        law.nll(tokens, given.astype(int))
    with pytest.raises(InputError, match="context must be an int or an array of bool"):
        law.nll(tokens, 1.5)


def test_sequences_need_at_least_one_position():
    law = MarkovChain.random(1)
    with pytest.raises(InputError, match="length of at least 1, got 0"):
        law.token_nll(torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool))
    with pytest.raises(InputError, match="length of at least 1, got 0"):
        law.sample(2, 0)
    with pytest.raises(InputError, match="sample needs a length"):
        law.sample(2)
    with pytest.raises(InputError, match="size must be at least 0, got -1"):
        law.sample(-1, 3)


def test_a_table_has_one_length():
    law = TableLaw(["AC", "CA"], [0.5, 0.5])
    message = "sequences must have length 2 under this law, got length 3"
    with pytest.raises(InputError, match=message):
        law.nll([[0, 1, 0]])
    with pytest.raises(InputError, match=message):
        law.token_nll(torch.zeros(1, 3, dtype=torch.int64), torch.ones(1, 3, dtype=torch.bool))
    with pytest.raises(InputError, match=message):
        law.posterior(torch.ones(1, 3, 2, dtype=torch.float64))
    with pytest.raises(InputError, match=message):
        law.sample(1, length=3)


def test_encode_errors_state_what_is_wrong():
    law = MarkovChain.random(1)
    with pytest.raises(InputError, match=r"^string 1, position 2: symbol 'N' is outside the alphabet ACGT$"):
        law.encode(["ACG", "ACN"])
    with pytest.raises(InputError, match="string 0 has 3 symbols and string 1 has 2"):
        law.encode(["ACG", "AC"])
    with pytest.raises(InputError, match="got a single string 'ACG'"):
        law.encode("ACG")
    with pytest.raises(InputError, match="at least one string"):
        law.encode([])
    with pytest.raises(InputError, match="at least one string of at least one symbol"):
        law.encode([""])


@pytest.mark.parametrize(
    ("alphabet", "message"),
    [("", "at least one symbol"), ("ACA", "'ACA' repeats 'A'"), (["A", "C"], "must be a string")],
)
def test_alphabets_must_consist_of_distinct_symbols(alphabet, message):
    with pytest.raises(InputError, match=message):
        MarkovChain([0.5, 0.5], [[0.5, 0.5]] * 2, alphabet)
    with pytest.raises(InputError, match=message):
        TableLaw([[0, 1]], [1.0], alphabet)
    with pytest.raises(InputError, match=message):
        MarkovChain.random(1, alphabet)
    with pytest.raises(InputError, match=message):
        TableLaw.random(1, 1, alphabet)


def test_a_law_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Law("ACGT")
