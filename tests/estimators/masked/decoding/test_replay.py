"""Likelihoods of deterministic decoders, against their definition and by enumeration."""

import itertools

import numpy as np
import pytest
import torch

from estimators import Blocks, InputError, ModelError, make_targets
from estimators.masked.decoding.decoder import Decoder
from estimators.masked.decoding.replay import replay
from infodis_stats.laws import CodeLaw, HiddenMarkov, MarkovChain
from tests.support.replays import SCORES, slow_replay, true_token_probability
from tests.support.toys import ArbitraryDistributions

SYMBOLS, LENGTH = 2, 5
SEQUENCES = np.array(list(itertools.product(range(SYMBOLS), repeat=LENGTH)))
RULES = [*SCORES, "right-to-left", (2, 0, 4, 1, 3)]
LOOKING = ["confidence", "entropy", "margin"]


def nlls(model, decoder, tokens, context=None, **execution):
    return np.array([done.nll for done in replay(model, decoder, make_targets(tokens, context), **execution)])


def parts(size, length=LENGTH, start=0):
    """Return the positions of each block."""
    numbers = Blocks(size, start).numbers(np.arange(length))
    return [np.flatnonzero(numbers == number).tolist() for number in np.unique(numbers)]


@pytest.mark.parametrize("block", [None, 2, 3])
@pytest.mark.parametrize("tokens_per_step", [1, 2])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_likelihoods_of_all_sequences_sum_to_1(rule, tokens_per_step, block):
    decoder = Decoder(rule, tokens_per_step, block if isinstance(rule, str) else None)
    total = np.exp(-nlls(ArbitraryDistributions(SYMBOLS), decoder, SEQUENCES)).sum()
    assert total == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("tokens_per_step", [1, 2])
def test_control_the_probability_of_the_true_token_is_no_confidence(tokens_per_step):
    model = ArbitraryDistributions(SYMBOLS)

    def total(score):
        found = [
            slow_replay(model, tokens, range(LENGTH), score, tokens_per_step=tokens_per_step)
            for tokens in SEQUENCES.tolist()
        ]
        return np.exp(-np.array(found)).sum()

    assert total(SCORES["confidence"]) == pytest.approx(1.0, abs=1e-10)
    assert abs(total(true_token_probability) - 1.0) > 0.1


@pytest.mark.parametrize("block", [None, 2, 3])
@pytest.mark.parametrize("tokens_per_step", [1, 2, 3])
@pytest.mark.parametrize("rule", SCORES)
def test_likelihoods_are_those_of_a_replay_step_by_step(rule, tokens_per_step, block):
    model = ArbitraryDistributions(SYMBOLS, seed=1)
    blocks = None if block is None else parts(block)
    expected = [
        slow_replay(model, tokens, range(LENGTH), SCORES[rule], tokens_per_step=tokens_per_step, blocks=blocks)
        for tokens in SEQUENCES[::3].tolist()
    ]
    found = nlls(model, Decoder(rule, tokens_per_step, block), SEQUENCES[::3])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("tokens_per_step", [1, 2])
@pytest.mark.parametrize("rule", ["confidence", "margin", "left-to-right", "right-to-left"])
def test_the_blocks_of_a_model_are_decoded_from_left_to_right(rule, tokens_per_step):
    model = ArbitraryDistributions(SYMBOLS, seed=2, block_size=2, block_start=1)
    decoder = Decoder(rule, tokens_per_step)
    found = nlls(model, decoder, SEQUENCES)
    assert np.exp(-found).sum() == pytest.approx(1.0, abs=1e-10)
    if rule in SCORES:
        blocks = parts(2, start=1)
        expected = [
            slow_replay(model, tokens, range(LENGTH), SCORES[rule], tokens_per_step=tokens_per_step, blocks=blocks)
            for tokens in SEQUENCES.tolist()
        ]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    done = replay(model, decoder, make_targets(SEQUENCES[:1]))[0]
    assert done.forward_passes == (2 if tokens_per_step == 1 else 1)  # side by side
    np.testing.assert_array_equal(nlls(model, Decoder(rule, tokens_per_step, 2), SEQUENCES), found)


def test_an_order_within_blocks_is_an_order_of_a_block_model():
    model = ArbitraryDistributions(SYMBOLS, seed=2, block_size=2, block_start=1)
    backwards = nlls(model, Decoder("right-to-left"), SEQUENCES)
    np.testing.assert_allclose(nlls(model, Decoder((0, 2, 1, 4, 3)), SEQUENCES), backwards, rtol=0, atol=1e-12)
    with pytest.raises(InputError, match="the order needs the positions of earlier blocks first"):
        nlls(model, Decoder((2, 0, 1, 4, 3)), SEQUENCES)
    with pytest.raises(InputError, match="block must be that of the model, 2, or be left out, got 4"):
        nlls(model, Decoder(block=4), SEQUENCES)


LAWS = {
    "markov": MarkovChain.random(order=2, alphabet="ABC", seed=0),
    "hidden": HiddenMarkov.random(states=3, alphabet="AB", seed=1),
    "checksum": CodeLaw(length=6, group=3),
    "copies": CodeLaw(length=6, group=3, rule="copies"),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("rule", [*LOOKING, "left-to-right", (5, 3, 1, 0, 2, 4)], ids=str)
def test_all_decoders_agree_on_a_law_at_one_token_per_step(name, rule):
    law = LAWS[name]
    tokens = law.sample(20, length=6, seed=3)
    context = np.zeros(tokens.shape, dtype=bool)
    context[:, [1, 2]] = True
    for given in (None, context):
        np.testing.assert_allclose(
            nlls(law, Decoder(rule), tokens, given), law.nll(tokens, context=given), rtol=0, atol=1e-10
        )
    if isinstance(rule, str):
        np.testing.assert_allclose(nlls(law, Decoder(rule, block=4), tokens), law.nll(tokens), rtol=0, atol=1e-10)


def test_control_several_tokens_per_step_are_not_the_law():
    law = LAWS["markov"]
    tokens = law.sample(20, length=6, seed=3)
    assert np.abs(nlls(law, Decoder(tokens_per_step=3), tokens) - law.nll(tokens)).max() > 0.1


@pytest.mark.parametrize("decoder", [Decoder(), Decoder("entropy", 2, 3), Decoder("left-to-right", 2)], ids=str)
def test_context_in_the_middle_is_never_scored(decoder):
    model = ArbitraryDistributions(SYMBOLS, seed=4)
    context = np.tile(np.isin(np.arange(LENGTH), [0, 2]), (len(SEQUENCES), 1))
    found = nlls(model, decoder, SEQUENCES, context)
    given = SEQUENCES[:, 0] * 2 + SEQUENCES[:, 2]
    np.testing.assert_allclose(np.bincount(given, np.exp(-found)), 1.0, rtol=0, atol=1e-10)
    scored = [1, 3, 4]
    blocks = None if decoder.block is None else [[1, 3], [4]]  # blocks begin at the first scored position
    expected = [
        slow_replay(model, tokens, scored, SCORES[decoder.rule], tokens_per_step=decoder.tokens_per_step, blocks=blocks)
        for tokens in SEQUENCES.tolist()
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_numbers_do_not_depend_on_the_batch_size_or_on_other_sequences():
    law = MarkovChain.random(order=1, alphabet="ABCD", seed=5)
    rows = [law.sample(1, length=length, seed=length)[0] for length in (3, 9, 5, 9, 7, 3)]
    for decoder in (Decoder(tokens_per_step=2), Decoder("entropy", block=4), Decoder("margin")):
        together = nlls(law, decoder, rows)
        for batch_size in (1, 2, 100):
            np.testing.assert_array_equal(nlls(law, decoder, rows, batch_size=batch_size), together)
        np.testing.assert_array_equal(nlls(law, decoder, rows[::-1])[::-1], together)
        np.testing.assert_array_equal([nlls(law, decoder, [row])[0] for row in rows], together)


def test_sequences_share_calls_and_leave_when_they_are_done():
    model, reported = ArbitraryDistributions(SYMBOLS), []
    targets = make_targets(SEQUENCES[:4], np.arange(LENGTH) >= np.array([[5], [2], [4], [5]]))
    done = replay(model, Decoder(), targets, progress=reported.append)
    assert [one.forward_passes for one in done] == [5, 2, 4, 5]
    assert sum(model.calls) == sum(reported) == 16
    assert model.calls == [1, 3, 4, 3, 3, 2]  # the first call shows how large the vocabulary is


class Padded(ArbitraryDistributions):
    """Takes padding, in which it must not find anything masked."""

    takes_padding = True

    def token_log_probs(self, tokens, masked, *, lengths=None):
        if lengths is None:
            return super().token_log_probs(tokens, masked)
        assert not masked[torch.arange(tokens.shape[1]) >= lengths[:, None]].any()
        self.padded = True
        rows = zip(tokens, masked, lengths.tolist(), strict=True)
        return torch.cat([super(Padded, self).token_log_probs(t[None, :n], m[None, :n]) for t, m, n in rows])


def test_rows_of_similar_lengths_share_calls_if_the_model_takes_padding():
    rows = [SEQUENCES[7], SEQUENCES[9][:4], SEQUENCES[30]]
    model = Padded(SYMBOLS)
    expected = nlls(ArbitraryDistributions(SYMBOLS), Decoder(), rows)
    np.testing.assert_allclose(nlls(model, Decoder(), rows), expected, rtol=0, atol=1e-10)
    assert model.padded


class Equal:
    """All positions have the same distribution up to noise that a float32 network could add."""

    def __init__(self, noise):
        self.rng, self.noise = np.random.default_rng(0), noise

    def token_log_probs(self, tokens, masked):
        noise = self.noise * self.rng.uniform(-1, 1, size=(int(masked.sum()), 1))
        logits = torch.from_numpy(np.array([[1.0, 0.0]]) + np.hstack([noise, -noise]))
        return logits.log_softmax(dim=1)


def test_rounding_does_not_decide_between_equal_scores():
    for rule in LOOKING:
        (done,) = replay(Equal(1e-5), Decoder(rule), make_targets([[0, 1, 0, 1, 1, 0]]))
        assert done.steps.tolist() == [0, 1, 2, 3, 4, 5]
        assert 1e-5 < done.closest_choice < 1e-4
    (done,) = replay(Equal(1e-2), Decoder(), make_targets([[0, 1, 0, 1, 1, 0]]))  # control: larger noise does
    assert done.steps.tolist() != [0, 1, 2, 3, 4, 5]


class Spoiled(ArbitraryDistributions):
    """Breaks its contract at the last position of sequences that begin with a 1."""

    def __init__(self, spoil):
        super().__init__(SYMBOLS)
        self.spoil = spoil

    def log_probs(self, tokens, masked):
        found = super().log_probs(tokens, masked)
        for row in tokens[:, 0].nonzero()[:, 0]:
            found[row, -1] = self.spoil(found[row, -1])
        return found


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda own: own * torch.nan, "position 4 (token 1): the model returned NaN as a loss"),
        (lambda own: own + 2.0, "position 4 (token 1): the model's probabilities sum to 7.389, not to 1"),
        (lambda own: torch.tensor([0.0, -torch.inf]).double(), "position 4 (token 1): the model gives this token prob"),
        (lambda own: own - torch.inf, "position 4 (token 1): the model gives this token probability 0"),
    ],
)
@pytest.mark.parametrize("rule", LOOKING)
def test_a_model_that_breaks_its_contract_fails_on_that_sequence_alone(rule, spoil, words):
    tokens = [[0, 1, 0, 1, 1], [1, 1, 0, 1, 1], [0, 0, 0, 0, 1]]
    first, broken, last = replay(Spoiled(spoil), Decoder(rule), make_targets(tokens))
    assert broken.problem.startswith(words)
    assert np.isnan(broken.nll)
    fine = nlls(ArbitraryDistributions(SYMBOLS), Decoder(rule), [tokens[0], tokens[2]])
    np.testing.assert_allclose([first.nll, last.nll], fine, rtol=0, atol=1e-10)
    assert first.problem is last.problem is None


class InPlace(ArbitraryDistributions):
    """Masks the tokens that it was given, and forgets that nobody will differentiate."""

    def token_log_probs(self, tokens, masked):
        tokens[masked] = 0
        found = super().token_log_probs(tokens, masked).requires_grad_()
        masked[:] = False
        return found


@pytest.mark.parametrize("rule", LOOKING)
def test_a_model_may_change_its_arguments(rule):
    tokens = [[0, 1, 0, 1, 1], [1, 1, 0, 0, 1]]
    expected = nlls(ArbitraryDistributions(SYMBOLS), Decoder(rule), tokens)
    np.testing.assert_array_equal(nlls(InPlace(SYMBOLS), Decoder(rule), tokens), expected)


class Without:
    def token_nll(self, tokens, masked):
        return masked * np.log(2.0)


class Returns(Without):
    def __init__(self, value):
        self.value = value

    def token_log_probs(self, tokens, masked):
        return self.value


class Guided(ArbitraryDistributions):
    needs_context = True


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Decoder("confident"), InputError, "rule must be one of confidence, entropy, margin, left-to-right"),
        (lambda: Decoder(None), InputError, "rule must be one of confidence, .* or an order, .* got NoneType"),
        (lambda: Decoder([0.5, 1.0]), InputError, "rule must be one of .* or an order"),
        (lambda: Decoder([0, 2]), InputError, "an order must have each of the positions 0 to 1 once"),
        (lambda: Decoder([0, 0]), InputError, "an order must have each of the positions 0 to 1 once"),
        (lambda: Decoder([1, 0], block=2), InputError, "block= is for rules"),
        (lambda: Decoder(tokens_per_step=0), InputError, "tokens_per_step must be a positive integer, got 0"),
        (lambda: Decoder(tokens_per_step=1.0), InputError, "tokens_per_step must be a positive integer"),
        (lambda: Decoder(block="2"), InputError, "block must be a positive integer"),
        (lambda: nlls(Without(), Decoder((1, 0)), [[0, 1, 1]]), InputError, "has 3 positions, the order has 2"),
        (lambda: nlls(Without(), Decoder(), [[0, 1]]), InputError, "Without has no method token_log_probs"),
        (lambda: nlls(Guided(), Decoder(), [[0, 1]]), InputError, "under guidance depend on the context"),
        (lambda: nlls(Returns(3), Decoder(), [[0, 1]]), ModelError, r"shape \(2, vocabulary\).* returned int"),
        (lambda: nlls(Returns(torch.zeros(1, 2)), Decoder(), [[0, 1]]), ModelError, r"it returned shape \(1, 2\)"),
        (
            lambda: nlls(Returns(torch.zeros(2, 2).cfloat()), Decoder(), [[0, 1]]),
            ModelError,
            "floating point, .*complex",
        ),
        (lambda: nlls(Returns(torch.zeros(2, 2).long()), Decoder(), [[0, 1]]), ModelError, "floating point, .*int64"),
        (lambda: nlls(Returns(torch.zeros(2, 1)), Decoder(), [[0, 1]]), ModelError, "none for token 1"),
        (lambda: nlls(LAWS["markov"], Decoder(), [[0, 9]]), InputError, "sequence 0, position 1: token 9"),
    ],
)
def test_each_mistake_is_one_sentence(make, error, words):
    with pytest.raises(error, match=words) as raised:
        make()
    assert len(str(raised.value).splitlines()) == 1


def test_fixed_orders_need_losses_alone():
    assert nlls(Without(), Decoder("left-to-right"), [[0, 1]]) == pytest.approx(2 * np.log(2))
