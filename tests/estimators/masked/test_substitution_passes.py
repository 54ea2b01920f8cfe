"""Single substitutions: the losses of one plan for every mutant, with fewer passes."""

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import InputError, Job, MaskPlan, evaluate, evaluate_substitutions, make_targets
from estimators.estimator import Estimator
from estimators.target import Target

LAW = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=3)
TOKENS = LAW.sample(1, length=6, seed=4)[0]
(TARGET,) = make_targets([TOKENS], [np.array([False, True, False, False, False, False])])


class Peeking:
    """A model that breaks its contract: the loss of a masked token depends on the other masked tokens."""

    def token_nll(self, tokens, masked):
        return masked * tokens.double().sum(dim=1, keepdim=True)


class Learned:
    """Conditionals that are consistent with no law and depend on every visible token."""

    def __init__(self):
        self.rows = 0
        self.table = torch.rand(6, 6, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def token_nll(self, tokens, masked):
        self.rows += len(tokens)
        seen = torch.where(masked, 4, tokens)  # (batch, position)
        logits = sum(self.table[:, j][:, seen[:, j]] for j in range(tokens.shape[1])).transpose(0, 1)
        logs = (3 * logits).log_softmax(dim=-1).gather(2, tokens[..., None])[..., 0]
        return torch.where(masked, -logs, 0.0)


def mutants(target: Target) -> tuple[list[int], list[int]]:
    pairs = [(i, a) for i in target.scored.tolist() for a in range(4) if a != target.tokens[i]]
    return [i for i, _ in pairs], [a for _, a in pairs]


def one_by_one(model, target: Target, plan: MaskPlan, positions, symbols):
    """The definition: a job for the original and a job for every mutant."""
    targets = [target]
    for position, symbol in zip(positions, symbols, strict=True):
        tokens = target.tokens.copy()
        tokens[position] = symbol
        targets.append(Target(tokens, target.scored, "mutant", "mutant"))
    return list(evaluate(model, [Job(one, plan) for one in targets]))


def plan_of(estimator: Estimator, passes: int = 64, replicates: int = 3) -> MaskPlan:
    return estimator.plan(TARGET.length, passes, replicates, np.random.default_rng(1))


@pytest.mark.parametrize("name", ids.estimator_names("masked"))
@pytest.mark.parametrize("model", [LAW, Learned()], ids=["law", "learned"])
def test_losses_equal_those_of_every_mutant_on_its_own(model, name):
    plan, places = plan_of(ids.estimator(name)), mutants(TARGET)
    found = list(evaluate_substitutions(model, TARGET, plan, *places, batch_size=50))
    expected = one_by_one(model, TARGET, plan, *places)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.target.tokens, other.target.tokens)
        assert one.plan == plan
        np.testing.assert_allclose(one.losses, other.losses, atol=1e-12)


def test_control_a_model_that_peeks_under_the_masks_fails_the_check():
    """The saving relies on the contract that a model does not see masked tokens."""
    plan, places = plan_of(ids.estimator("uniform-count")), mutants(TARGET)
    pairs = zip(
        evaluate_substitutions(Peeking(), TARGET, plan, *places),
        one_by_one(Peeking(), TARGET, plan, *places),
        strict=True,
    )
    assert any(not np.allclose(one.losses, other.losses) for one, other in pairs)


def test_only_the_necessary_passes_are_run():
    """All 31 masks of 5 positions: 31 for the original, 3 x 31 for masked symbols, and the 15 that show a position."""
    model, plan, places = Learned(), plan_of(ids.estimator("exhaustive"), passes=31), mutants(TARGET)
    found = list(evaluate_substitutions(model, TARGET, plan, *places))
    assert [one.forward_passes for one in found] == [31 + 3 * 31, *[15] * 15]
    assert model.rows == sum(one.forward_passes for one in found)


def test_only_masks_that_hide_a_substitution_are_rerun_with_its_symbol():
    model, plan = Learned(), plan_of(ids.estimator("exhaustive"), passes=31)
    original, mutant = evaluate_substitutions(model, TARGET, plan, [3], [(TOKENS[3] + 1) % 4])
    assert (original.forward_passes, mutant.forward_passes) == (31 + 16, 15)


def test_masks_that_always_hide_the_substitution_need_no_pass_of_the_mutant():
    everything = np.ones((2, 1, TARGET.length))
    plan = MaskPlan(everything.astype(bool), everything)
    original, mutant = evaluate_substitutions(LAW, TARGET, plan, [3], [(TOKENS[3] + 1) % 4])
    assert (original.forward_passes, mutant.forward_passes) == (2, 0)
    same = np.arange(TARGET.length) != np.searchsorted(TARGET.scored, 3)
    np.testing.assert_array_equal(original.losses[..., same], mutant.losses[..., same])
    assert not np.isclose(original.losses[..., ~same], mutant.losses[..., ~same]).any()


def test_no_substitution_leaves_the_original():
    plan = plan_of(ids.estimator("time-free"))
    (original,) = evaluate_substitutions(LAW, TARGET, plan, [], [])
    np.testing.assert_array_equal(original.losses, next(evaluate(LAW, [Job(TARGET, plan)])).losses)


@pytest.mark.parametrize(
    ("positions", "symbols", "sentence"),
    [
        ([1], [0], "position 1 of sequence 0 is not scored"),
        ([6], [0], "position 6 of sequence 0 is not scored"),
        ([3], [-1], "token -1 is no substitution at position 3 of sequence 0"),
        ([3], [TOKENS[3]], "is no substitution at position 3 of sequence 0"),
        ([3, 4], [0], "a symbol for each position, got 2 and 1"),
        ([3], [4], "sequence 0 with substitutions, position 3: token 4 is outside the alphabet ACGT"),
    ],
)
def test_bad_input_is_one_sentence(positions, symbols, sentence):
    with pytest.raises(InputError, match=sentence):
        list(evaluate_substitutions(LAW, TARGET, plan_of(ids.estimator("time-free")), positions, symbols))
