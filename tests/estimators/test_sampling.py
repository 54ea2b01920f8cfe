"""Sampling: estimates depend only on the seed, the target, the estimator and its number of passes."""

import numpy as np
import pytest

from estimators import Cell, Coupled, Decoupled, InputError, draw, estimator, estimator_names, make_pairs, make_targets
from tests.support.toys import ArbitraryLosses, ArbitraryModel, slow_nll

TOKENS = np.random.default_rng(1).integers(0, 4, size=(6, 5))


@pytest.mark.parametrize("name", estimator_names())
def test_contract_no_number_depends_on_batches_order_or_other_targets(name):
    model, sampler = ArbitraryModel(5), estimator(name)
    arguments = {"passes": 32, "replicates": 3, "rng": 4}
    reference = sampler.sample(model, TOKENS, **arguments)
    assert reference.shape == (6, 3)
    np.testing.assert_array_equal(sampler.sample(model, TOKENS, batch_size=7, **arguments), reference)
    np.testing.assert_array_equal(sampler.sample(model, TOKENS[::-1], **arguments), reference[::-1])
    np.testing.assert_array_equal(sampler.sample(model, TOKENS[2:4], **arguments), reference[2:4])
    more = sampler.sample(model, TOKENS, **(arguments | {"replicates": 5}))
    np.testing.assert_array_equal(more[:, :3], reference)


def continued(sampler, item, passes, parts):
    """Draw ``parts`` replicates at a time, each part continuing where the previous one stopped."""
    starts = np.cumsum([0, *parts[:-1]])
    cells = [Cell(sampler, item, passes, count, int(first)) for count, first in zip(parts, starts, strict=True)]
    return np.concatenate([one.estimates for one in draw(ArbitraryModel(5), cells, 4)])


@pytest.mark.parametrize("name", estimator_names())
def test_contract_a_cell_continues_where_another_stopped(name):
    (target,) = make_targets(TOKENS[:1])
    equal, unequal = make_pairs([TOKENS[0]] * 2, [TOKENS[1], TOKENS[2][:3]])
    kinds = [(estimator(name), target)]
    kinds += [(contrast(estimator(name)), pair) for contrast in (Coupled, Decoupled) for pair in (equal, unequal)]
    for sampler, item in kinds:
        whole = continued(sampler, item, 32, [8])
        np.testing.assert_array_equal(continued(sampler, item, 32, [4, 4]), whole)
        np.testing.assert_array_equal(continued(sampler, item, 32, [5, 1, 2]), whole)


def test_control_cells_with_the_same_first_replicate_repeat_each_other():
    (target,) = make_targets(TOKENS[:1])
    twice = [Cell(estimator("time-free"), target, 4, 4)] * 2
    one, two = (drawn.estimates for drawn in draw(ArbitraryLosses(5), twice, 4))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(continued(estimator("time-free"), target, 4, [8])[4:], two)


def test_contract_a_cell_does_not_depend_on_the_other_cells():
    model = ArbitraryLosses(5)
    (target,) = make_targets(TOKENS[:1])
    cells = [Cell(estimator(name), target, passes, 3) for name in ("time-free", "uniform-count") for passes in (4, 8)]
    together = [one.estimates for one in draw(model, cells, 9)]
    for cell, expected in zip(cells, together, strict=True):
        (alone,) = draw(model, [cell], 9)
        np.testing.assert_array_equal(alone.estimates, expected)
    assert len({tuple(estimates) for estimates in together}) == 4


def test_a_generator_advances_and_a_seed_does_not():
    model, sampler, rng = ArbitraryLosses(5), estimator("time-free"), np.random.default_rng(0)
    one, two = (sampler.sample(model, TOKENS, passes=4, replicates=2, rng=rng) for _ in range(2))
    assert not np.array_equal(one, two)
    one, two = (sampler.sample(model, TOKENS, passes=4, replicates=2, rng=0) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_equal_sequences_have_different_random_streams():
    estimates = estimator("time-free").sample(ArbitraryLosses(3), [[0, 1, 2]] * 2, passes=4, replicates=3, rng=0)
    assert not np.array_equal(estimates[0], estimates[1])


def test_exhaustive_is_exact_and_cheap():
    model = ArbitraryLosses(4, seed=2)
    (target,) = make_targets([[0, 1, 2, 3]])
    (one,) = draw(model, [Cell(estimator("exhaustive"), target, 15, 6)], 0)
    np.testing.assert_allclose(one.estimates, slow_nll(model, target), rtol=1e-12)
    assert one.forward_passes == 15


def test_contrasts_estimate_the_log_ratio():
    """The mean is within 4 standard errors of the enumerated difference, with unequal lengths and a context."""
    model = ArbitraryLosses(6, seed=5)
    (pair,) = make_pairs([[0, 1, 2, 3, 4, 5]], [[0, 1, 2, 3]], context=1)
    truth = slow_nll(model, pair.second) - slow_nll(model, pair.first)
    for contrast in (Coupled, Decoupled):
        for name in ("time-free+antithetic", "uniform-count+stratified"):
            estimates = contrast(estimator(name)).sample(
                model, [pair.first.tokens], [pair.second.tokens], passes=6, replicates=4000, rng=0, context=1
            )[0]
            assert abs(estimates.mean() - truth) < 4 * estimates.std() / np.sqrt(len(estimates))
            assert abs(estimates.mean() + truth) > 4 * estimates.std() / np.sqrt(len(estimates))  # the sign matters


@pytest.mark.parametrize("name", estimator_names())
def test_coupled_sides_share_their_plans_and_keep_their_marginals(name):
    """Coupling contract: equal lengths get equal plans; each side alone is an ordinary draw of the estimator."""
    (pair,) = make_pairs([[0, 1, 2]], [[2, 1, 0]])
    first, second = Coupled(estimator(name)).jobs(pair, 8, 3, np.random.default_rng(0))
    assert first.plan == second.plan
    child = np.random.default_rng(0).spawn(1)[0]
    assert first.plan == estimator(name).plan(3, 8, 3, child)
    if name not in (
        "auto",
        "exhaustive",
        "published-d1",
        "published-pll",
    ):  # these draw nothing: eight passes are all masks
        first, second = Decoupled(estimator(name)).jobs(pair, 8, 3, np.random.default_rng(0))
        assert first.plan != second.plan


def test_coupled_sides_of_unequal_length_share_their_uniforms():
    (pair,) = make_pairs([[0, 1, 2, 3]], [[2, 1]])
    first, second = Coupled(estimator("time-integral")).jobs(pair, 8, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(first.plan.masks[..., :2], second.plan.masks)


def test_coupling_a_sequence_with_itself_gives_exactly_zero():
    model = ArbitraryModel(5)
    for name in estimator_names():
        assert not Coupled(estimator(name)).sample(model, TOKENS, TOKENS, passes=32, replicates=2, rng=0).any()
    assert Decoupled(estimator("time-free")).sample(model, TOKENS, TOKENS, passes=4, replicates=2, rng=0).all()


def test_a_pair_counts_the_passes_of_both_sides():
    (pair,) = make_pairs([[0, 1, 2]], [[2, 1]])
    (one,) = draw(ArbitraryLosses(3), [Cell(Coupled(estimator("exhaustive")), pair, 7, 2)], 0)
    assert one.forward_passes == 7 + 3


def test_plans_that_exceed_memory_and_negative_seeds_are_refused():
    sampler = estimator("time-free")
    with pytest.raises(InputError, match="1000000000000 passes x 2 replicates over 5 positions does not fit"):
        sampler.sample(ArbitraryLosses(5), TOKENS, passes=10**12, replicates=2, rng=0)
    with pytest.raises(InputError, match="seed must be a non-negative integer, got -1"):
        sampler.sample(ArbitraryLosses(5), TOKENS, passes=4, replicates=2, rng=-1)


@pytest.mark.parametrize(("passes", "replicates", "word"), [(0, 2, "passes"), (4, 0, "replicates")])
def test_zero_passes_or_replicates_are_refused(passes, replicates, word):
    with pytest.raises(InputError, match=f"{word} must be at least 1, got 0"):
        estimator("time-free").sample(ArbitraryLosses(5), TOKENS, passes=passes, replicates=replicates, rng=0)


def test_a_negative_first_replicate_is_refused():
    (target,) = make_targets(TOKENS[:1])
    with pytest.raises(InputError, match="the first replicate needs a number of at least 0, got -1"):
        Cell(estimator("time-free"), target, 4, 4, first=-1)


def test_cells_that_differ_in_passes_or_estimator_are_drawn_independently():
    """The slope of the variance and the comparison of estimators assume independent cells."""
    model = ArbitraryLosses(5)
    (target,) = make_targets(TOKENS[:1])

    def masks(name, passes):
        (one,) = draw(model, [Cell(estimator(name), target, passes, 1)], 9)
        return one.evaluations[0].plan.masks[0, :4]

    assert not np.array_equal(masks("uniform-count", 4), masks("uniform-count", 8))
    # One pass of a stratified design is one uniform point: with a shared stream the masks would be equal.
    plain, stratified = (
        estimator(name).sample(model, TOKENS, passes=1, replicates=8, rng=9)
        for name in ("uniform-count", "uniform-count+stratified")
    )
    assert not np.array_equal(plain, stratified)
