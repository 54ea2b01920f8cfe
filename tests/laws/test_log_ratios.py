"""Score ratios of a law, against the enumerated law of noised sequences, for every neighbour under the noise."""

import numpy as np
import pytest
import torch

from estimators import Absorbing, InputError, RateMatrix, TokenError, Uniform
from infodis_stats.laws import CodeLaw, HiddenMarkov, IndependentLaw, MarkovChain, TableLaw
from tests.support.noising import NOISES, enumerated_log_ratios, exact_kernel, random_rates
from tests.support.reference import enumerated, strings

LENGTH = 5
LAWS = {
    "table": TableLaw.random(count=9, length=LENGTH, alphabet="ACG", seed=3),
    **{f"order {order}": MarkovChain.random(order, "ACG", seed=order) for order in range(4)},
    "nearly deterministic": MarkovChain.random(2, "ACG", seed=4, concentration=0.05),
    "hidden": HiddenMarkov.random(3, "ACG", seed=5),
    "checksum": CodeLaw(LENGTH, LENGTH, "checksum", "ACG"),
    "copies": CodeLaw(LENGTH, LENGTH, "copies", "ACG"),
    "independent": IndependentLaw.random(LENGTH, "ACG", spread=1.0, seed=6),
}
NOISES_OF_THREE = {
    "absorbing": Absorbing(),
    "uniform": Uniform(),
    "dense": RateMatrix(random_rates(3, 1)),
    "extra states": RateMatrix(random_rates(5, 2, share=0.4)),
}
AMOUNTS = np.array([1e-7, 0.02, 0.3, 1.0, 3.0, 12.0])


def every_sequence(law):
    if isinstance(law, TableLaw):
        return law.sequences, law.probabilities
    if isinstance(law, CodeLaw | IndependentLaw):  # whose joint laws are tested by definition, in files of their own
        return strings(law.vocabulary_size, LENGTH), law.joint().ravel()
    return enumerated(law, LENGTH)


def noised_rows(law, noise, *, context):
    """Noised sequences of the law, several per amount of noise; with ``context``, some positions are given."""
    rng = np.random.default_rng(6)
    amounts = np.repeat(AMOUNTS, 6)
    tokens = law.sample(len(amounts), LENGTH, seed=7)
    acts = rng.random(tokens.shape) < 0.6 if context else np.ones(tokens.shape, dtype=bool)
    drawn = noise.drawn(tokens, np.maximum(amounts, 0.5), rng.random(tokens.shape), law.vocabulary_size)
    return np.where(acts, drawn, tokens), acts, amounts


def assert_ratios(law, noise, rows, model=None):
    """The ratios of ``model`` (default: ``law``) equal those of the enumerated ``law``."""
    sequences, probabilities = every_sequence(law)
    rates = noise.rates(law.vocabulary_size).numpy()
    expected = np.array(
        [
            enumerated_log_ratios(
                sequences,
                probabilities,
                noised,
                acts,
                kernel=exact_kernel(noise, amount, law.vocabulary_size),
                rates=rates,
            )
            for noised, acts, amount in zip(*rows, strict=True)
        ]
    )
    found = (model or law).log_ratios(*map(torch.from_numpy, rows), noise).numpy()
    assert (np.isfinite(expected) & (expected != 0)).sum() > 50
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("context", [False, True], ids=["", "context"])
@pytest.mark.parametrize("noise", NOISES_OF_THREE.values(), ids=NOISES_OF_THREE)
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_maths_ratios_equal_those_of_the_enumerated_law_of_noised_sequences(law, noise, context):
    assert_ratios(law, noise, noised_rows(law, noise, context=context))


@pytest.mark.parametrize("noise", NOISES_OF_THREE.values(), ids=NOISES_OF_THREE)
@pytest.mark.parametrize("law", [LAWS["order 2"], LAWS["order 3"]], ids=str)
def test_control_the_check_fails_for_a_law_with_reversed_contexts(law, noise):
    axes = (*reversed(range(law.order)), law.order)
    misread = MarkovChain(law.initial.T, law.transition.transpose(axes), law.alphabet)
    with pytest.raises(AssertionError, match="Not equal"):
        assert_ratios(law, noise, noised_rows(law, noise, context=True), misread)


@pytest.mark.parametrize("noise", [Uniform(), RateMatrix(random_rates(3, 1))], ids=["uniform", "dense"])
def test_control_the_check_fails_for_another_amount_of_noise(noise):
    law = LAWS["order 1"]
    noised, acts, amounts = noised_rows(law, noise, context=False)

    class Later:
        def log_ratios(self, noised, acts, amounts, noise):
            return law.log_ratios(noised, acts, 1.1 * amounts, noise)

    with pytest.raises(AssertionError, match="Not equal"):
        assert_ratios(law, noise, (noised, acts, amounts), Later())


class TestConventions:
    LAW = TableLaw(["AC", "CA"], [0.25, 0.75], "ACG")
    AMOUNT = torch.tensor([1.0], dtype=torch.float64)

    def ratios(self, states, acts, noise):
        return self.LAW.log_ratios(torch.tensor([states]), torch.tensor([acts]), self.AMOUNT, noise)[0]

    def test_zero_for_the_current_state_and_nan_where_undefined(self):
        masked = self.ratios([3, 1], [True, True], Absorbing())
        assert masked[:, 3].isnan().tolist() == [False, True]  # the current state has 0, the mask is no predecessor
        assert (masked[0, 3], masked[1, 1]) == (0.0, 0.0)
        assert masked[1, [0, 2]].isnan().all()  # no symbol changes into another
        given = self.ratios([0, 1], [True, False], Uniform())
        assert given[1].isnan().tolist() == [True, False, True]

    def test_minus_infinity_for_impossible_states(self):
        """With C at the end, the first symbol must be A."""
        masked = self.ratios([3, 1], [True, False], Absorbing())
        left = torch.exp(-self.AMOUNT) / -torch.expm1(-self.AMOUNT)
        torch.testing.assert_close(masked[0, :3].exp(), torch.tensor([left.item(), 0.0, 0.0], dtype=torch.float64))
        assert torch.isneginf(masked[0, 1:3]).all()

    def test_all_states_are_possible_under_uniform_noise(self):
        assert self.ratios([2, 2], [True, True], Uniform()).isfinite().all()

    def test_tiny_noise_is_accurate_to_all_digits(self):
        """One substitution away from a sequence of the law, the ratio is ``3 p / noise`` to first order."""
        amount = torch.tensor([1e-14], dtype=torch.float64)
        seen, everywhere = torch.tensor([[2, 1]]), torch.tensor([[True, True]])
        ratio = self.LAW.log_ratios(seen, everywhere, amount, Uniform())[0, 0, 0].exp().item()
        assert ratio == pytest.approx(3e14, rel=1e-12)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
@pytest.mark.parametrize(
    "law",
    [TableLaw.random(20, 9, seed=0), MarkovChain.random(2, seed=1), HiddenMarkov.random(seed=2)],
    ids=["table", "chain", "hidden"],
)
def test_a_row_is_the_same_in_every_batch(law, noise):
    rng = np.random.default_rng(0)
    tokens, amounts = law.sample(67, 9, seed=1), rng.exponential(size=67)
    noised = torch.from_numpy(noise.drawn(tokens, amounts, rng.random(tokens.shape), 4))
    acts, amounts = torch.ones_like(noised, dtype=torch.bool), torch.from_numpy(amounts)
    together = law.log_ratios(noised, acts, amounts, noise)
    for rows in (slice(0, 1), slice(13, 30), slice(66, 67)):
        alone = law.log_ratios(noised[rows], acts[rows], amounts[rows], noise)
        assert torch.equal(alone.nan_to_num(7.0), together[rows].nan_to_num(7.0))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"noised": torch.zeros(1, 3)},
            r"noised must be int64 of shape \(batch, length\), got torch.float32",
        ),
        ({"noised": torch.zeros(3, dtype=torch.int64)}, "noised must be int64"),
        ({"acts": torch.ones(1, 2, dtype=torch.bool)}, r"acts must be torch.bool of the same shape"),
        ({"acts": torch.ones(1, 3)}, r"acts must be torch.bool of the same shape .* got torch.float32"),
        ({"total_noise": torch.ones(2, dtype=torch.float64)}, r"total_noise must have shape \(1,\)"),
        ({"total_noise": torch.ones(1)}, "total_noise must be float64, positive and finite"),
        ({"total_noise": torch.zeros(1, dtype=torch.float64)}, "total_noise must be float64, positive and finite"),
        ({"total_noise": torch.tensor([np.inf])}, "total_noise must be float64, positive and finite"),
        ({"noised": torch.tensor([[0, 1, 4]])}, "sequence 0, position 2: state 4 is not one of 4 states"),
        ({"noised": torch.tensor([[0, -1, 1]])}, "sequence 0, position 1: state -1 is not one of 4 states"),
        ({"noise": RateMatrix(random_rates(3))}, "has 3 states, fewer than the 4 symbols of the model"),
    ],
)
def test_ill_formed_questions_are_refused(change, sentence):
    good = {
        "noised": torch.tensor([[0, 1, 2]]),
        "acts": torch.ones(1, 3, dtype=torch.bool),
        "total_noise": torch.ones(1, dtype=torch.float64),
        "noise": Uniform(),
    }
    law = MarkovChain.random(1)
    law.log_ratios(**good)
    with pytest.raises(InputError, match=sentence):
        law.log_ratios(**(good | change))


def test_a_given_position_must_hold_a_symbol():
    """The mask is a valid state only where noise acts."""
    law, amount = MarkovChain.random(1), torch.ones(1, dtype=torch.float64)
    masked, acts = torch.tensor([[0, 4]]), torch.tensor([[True, True]])
    law.log_ratios(masked, acts, amount, Absorbing())
    with pytest.raises(TokenError, match="position 1: state 4 is not one of 4 symbols, and no noise acts at this"):
        law.log_ratios(masked, torch.tensor([[True, False]]), amount, Absorbing())


def test_lengths_must_match_the_law():
    law = TableLaw.random(4, 3)
    states, acts = torch.zeros(1, 2, dtype=torch.int64), torch.ones(1, 2, dtype=torch.bool)
    with pytest.raises(InputError, match="sequences must have length 3 under this law, got length 2"):
        law.log_ratios(states, acts, torch.ones(1, dtype=torch.float64), Uniform())
