"""Chains: exact for the conditionals of one law, unbiased for all others (contract tests), each position once."""

import itertools

import numpy as np
import pytest

import infodis_stats as ids
from estimators import BlockChain, Chain, PassesError, estimator
from tests.support.toys import ArbitraryLosses

LAWS = [
    ids.MarkovChain.random(order=2, alphabet="ACGT", seed=3),
    ids.TableLaw.random(count=40, length=6, alphabet="ABC", seed=4),
]
CHAINS = [Chain(), Chain(antithetic=True), BlockChain(), BlockChain(antithetic=True)]


def draws(sampler, model, tokens, passes, replicates=16):
    return sampler.sample(model, tokens, passes=passes, replicates=replicates, rng=0)


@pytest.mark.parametrize("law", LAWS, ids=repr)
@pytest.mark.parametrize(
    ("name", "passes"),
    [("chain", 6), ("chain", 17), ("chain+antithetic", 12), ("block-chain", 6), ("block-chain+antithetic", 12)],
)
def test_maths_whole_chains_are_exact_for_the_conditionals_of_one_law(law, name, passes):
    tokens = law.sample(4, length=6, seed=5)
    estimates = draws(estimator(name), law, tokens, passes)
    np.testing.assert_allclose(estimates, np.repeat(law.nll(tokens)[:, None], 16, axis=1), rtol=1e-10)


def test_maths_control_they_vary_for_inconsistent_models_and_with_fewer_passes():
    law = LAWS[0]
    tokens = law.sample(4, length=6, seed=5)
    assert (draws(Chain(), ArbitraryLosses(6), tokens, 6).std(axis=1) > 0.1).all()
    assert (draws(BlockChain(), law, tokens, 5).std(axis=1) > 0.01).all()


@pytest.mark.parametrize("sampler", CHAINS, ids=lambda one: one.name)
@pytest.mark.parametrize("length", [1, 2, 5, 7, 12])
@pytest.mark.parametrize("passes", [2, 3, 5, 12, 24, 31])
def test_maths_the_weights_of_a_plan_sum_to_the_length(sampler, length, passes):
    """Each chain is a quadrature of the sum over L steps: a constant loss is estimated without error."""
    try:
        plan = sampler.plan(length, passes, 20, np.random.default_rng(0))
    except PassesError:
        assert isinstance(sampler, Chain)
        assert passes < 2 * length
        return
    np.testing.assert_allclose(plan.weights.sum(axis=(1, 2)), length, rtol=1e-12)
    assert 0 < plan.passes <= passes


def test_a_chain_reveals_and_scores_one_position_per_pass():
    plan = Chain().plan(5, 5, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(plan.masks.sum(axis=-1), np.tile([5, 4, 3, 2, 1], (3, 1)))
    scored = plan.weights > 0
    np.testing.assert_array_equal(plan.weights[scored], 1.0)
    np.testing.assert_array_equal(plan.masks[:, 1:], (plan.masks & ~scored)[:, :-1])


def test_a_block_chain_counts_every_position_between_its_cuts_once():
    plan = BlockChain().plan(7, 3, 50, np.random.default_rng(0))
    scored = plan.weights > 0
    assert (scored.sum(axis=1) <= 1).all()
    np.testing.assert_array_equal(plan.masks[:, 1:], (plan.masks & ~scored)[:, :-1])
    np.testing.assert_array_equal(plan.weights[:, :-1][scored[:, :-1]], 1.0)


def test_with_as_many_passes_as_positions_a_block_chain_is_a_chain():
    for passes in (5, 10, 15):
        one, two = (sampler.plan(5, passes, 4, np.random.default_rng(1)) for sampler in (Chain(), BlockChain()))
        assert one == two


@pytest.mark.parametrize("sampler", [Chain(antithetic=True), BlockChain(antithetic=True)], ids=lambda one: one.name)
def test_antithetic_partners_reveal_in_reverse(sampler):
    plan = sampler.plan(6, 12, 3, np.random.default_rng(0))
    first, partner = plan.masks[:, :6], plan.masks[:, 6:]
    np.testing.assert_array_equal(~first[:, 1:], partner[:, :0:-1])


def test_chains_state_how_many_passes_they_need():
    with pytest.raises(PassesError, match="chain needs at least 8 passes for 8 scored positions, got 7; block-chain"):
        Chain().plan(8, 7, 1, np.random.default_rng(0))
    with pytest.raises(PassesError, match=r"chain\+antithetic needs at least 16 passes .*, got 15; block-chain\+anti"):
        Chain(antithetic=True).plan(8, 15, 1, np.random.default_rng(0))
    with pytest.raises(PassesError, match=r"block-chain\+antithetic needs at least 2 passes, got 1"):
        BlockChain(antithetic=True).plan(8, 1, 1, np.random.default_rng(0))


def test_passes_beyond_whole_chains_stay_unused():
    assert Chain().plan(5, 14, 1, np.random.default_rng(0)).passes == 10
    assert BlockChain().plan(5, 14, 1, np.random.default_rng(0)).passes == 12


def test_targets_of_unequal_length_with_equally_many_chains_share_one_order():
    long, short = (Chain().plan(length, 5, 20, np.random.default_rng(3)) for length in (5, 3))
    order_of_long = long.masks.sum(axis=1)[:, :3].argsort(axis=1)  # how long each position stays masked
    np.testing.assert_array_equal(order_of_long, short.masks.sum(axis=1).argsort(axis=1))


@pytest.mark.parametrize("antithetic", [False, True])
def test_parts_are_whole_chains_for_any_number_of_passes(antithetic):
    # If each masked token costs 1, a whole chain costs the length of the sequence.
    sampler = BlockChain(antithetic)
    for length, passes in itertools.product(range(1, 9), range(2, 66)):
        plan = sampler.plan(length, passes, 3, np.random.default_rng(passes))
        parts = sampler.parts(plan, plan.masks.astype(float))
        assert sampler.part_count(length, passes) == (1 if parts is None else parts.shape[1])
        if parts is not None:
            np.testing.assert_allclose(parts, length)
