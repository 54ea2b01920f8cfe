"""The adjusted sum: unbiased by enumeration of all plans, and equal to what refitting without each pass gives."""

import itertools
import math

import numpy as np
import pytest

from estimators import all_masks, estimand_weights
from estimators.regression import leave_one_out, prior
from estimators.regression.leave_one_out import adjusted_sum
from estimators.regression.strata import size_strata


def arbitrary_losses(length, seed=3):
    """A loss for each mask and position, of no law: (2**L - 1, L)."""
    masks = all_masks(length)
    return masks * np.random.default_rng(seed).gamma(1.0, 1.0, masks.shape)


def likelihood(losses):
    masks = all_masks(losses.shape[1])
    return (estimand_weights(losses.shape[1])[masks.sum(axis=1)][:, None] * losses).sum()


def with_full_mask(length, passes):
    """Strata as from 16 passes on, for fewer: the last pass is the full mask."""
    strata = np.zeros((passes, length))
    strata[:-1, :-1] = size_strata(length - 1, passes - 1)
    strata[-1, -1] = 1.0
    return strata


def expectation(losses, strata, copies=1):
    """Mean of the adjusted sum over all plans: every mask in every pass, times its probability.

    With ``copies``, each pass stands that often in the plan.
    """
    masks = all_masks(losses.shape[1])
    sizes = masks.sum(axis=1)
    ways = np.array([math.comb(losses.shape[1], size) for size in sizes])
    repeated = np.repeat(strata, copies, axis=0)
    weight = 1.0 / (sizes * repeated.sum(axis=0)[sizes - 1])
    total = 0.0
    for rows in itertools.product(range(len(masks)), repeat=len(strata)):
        chosen = list(rows)
        probability = np.prod(strata[np.arange(len(strata)), sizes[chosen] - 1] / ways[chosen])
        if probability:
            chosen = np.repeat(chosen, copies)
            total += probability * adjusted_sum(
                masks[chosen], masks[chosen] * weight[chosen, None], losses[chosen], repeated
            )
    return total


CASES = [(1, 3), (2, 1), (2, 4), (3, 1), (3, 2), (3, 3), (4, 2)]


@pytest.mark.parametrize(("length", "passes"), CASES)
def test_maths_unbiased_over_all_plans_for_arbitrary_losses(length, passes):
    """Equal masks in several passes are among the plans: they need no care, being drawn independently."""
    losses = arbitrary_losses(length)
    assert expectation(losses, size_strata(length, passes)) == pytest.approx(likelihood(losses), rel=1e-12)


def test_maths_unbiased_with_the_full_mask_as_a_stratum():
    losses = arbitrary_losses(3)
    assert expectation(losses, with_full_mask(3, 3)) == pytest.approx(likelihood(losses), rel=1e-12)


@pytest.mark.parametrize(("group", "positions", "halo"), [(1, 16, 0), (2, 16, 0), (256, 2, 0), (256, 1, 1), (2, 2, 1)])
def test_maths_unbiased_in_groups_of_passes_and_blocks_of_positions(monkeypatch, group, positions, halo):
    monkeypatch.setattr(leave_one_out, "LARGEST_GROUP", group)
    monkeypatch.setattr(leave_one_out, "BLOCK", 1)
    monkeypatch.setattr(leave_one_out, "FEWEST_POSITIONS", positions)
    monkeypatch.setattr(leave_one_out, "HALO", halo)
    losses = arbitrary_losses(3)
    assert expectation(losses, size_strata(3, 3)) == pytest.approx(likelihood(losses), rel=1e-12)


def test_maths_control_a_surrogate_that_has_seen_its_pass_is_biased():
    """Every pass twice: the copy that stays in tells the surrogate what was left out. Both are of the right law."""
    losses = arbitrary_losses(3)
    assert abs(expectation(losses, size_strata(3, 2), copies=2) / likelihood(losses) - 1) > 0.01


def refitted_sum(masks, weights, losses, strata):
    """The definition: for each pass a fit to the others, its prediction there, and its mean over all masks."""
    passes, length = masks.shape
    every = all_masks(length)
    signs = np.where(np.concatenate([masks, every]).T, 1.0, -1.0)
    covariance = prior.covariance(signs, slice(0, length))
    flat = covariance.reshape(length * signs.shape[1], -1)
    flat = np.where(np.tri(len(flat), dtype=bool), flat, flat.T)  # above the diagonal blocks it is not filled in
    token = np.arange(len(flat)).reshape(length, -1).T  # pass or mask, position
    shares = strata / strata.sum(axis=0) / length
    total = 0.0
    for k in range(passes):
        kept = np.delete(np.arange(passes), k)
        seen, told = token[:passes][kept][masks[kept]], losses[kept][masks[kept]]
        fit = np.linalg.solve(flat[np.ix_(seen, seen)] + leave_one_out.NOISE * np.eye(len(seen)), told)
        predicted = flat[np.ix_(token[k], seen)] @ fit
        total += (weights[k] * (losses[k] - predicted * masks[k])).sum()
        sizes = every.sum(axis=1)
        for size, position in itertools.product(range(1, length + 1), range(length)):
            possible = passes + np.flatnonzero((sizes == size) & every[:, position])
            total += shares[k, size - 1] * (flat[np.ix_(token[possible, position], seen)] @ fit).mean()
    return total


@pytest.mark.parametrize(("length", "passes"), [(4, 1), (4, 7), (5, 16), (6, 20)])
def test_maths_closed_forms_equal_refitting_without_each_pass(length, passes):
    rng = np.random.default_rng(0)
    table, masks = arbitrary_losses(length), all_masks(length)
    rows = rng.integers(0, len(masks), passes)  # any masks will do for an identity
    rows[-1] = rows[0]
    weights = masks[rows] * rng.random((passes, length))
    arguments = masks[rows], weights, table[rows], size_strata(length, passes)
    assert adjusted_sum(*arguments) == pytest.approx(refitted_sum(*arguments), rel=1e-10)


def random_plan(length, passes, seed=0):
    """Masks, weights and losses that follow the neighbours, as those of a model do."""
    rng = np.random.default_rng(seed)
    masks = rng.random((passes, length)) < 0.5
    losses = masks * (1.0 + 0.5 * np.roll(masks, 1, axis=1) + 0.1 * rng.random(masks.shape))
    return masks, masks / (1.0 + masks.sum(axis=0)), losses, size_strata(length, passes)


def test_maths_blocks_see_their_surroundings(monkeypatch):
    """Blocks of 16 positions with 8 more on either side predict nearly what they do with the whole mask in sight."""
    plan = random_plan(60, 70)
    near = adjusted_sum(*plan)
    monkeypatch.setattr(leave_one_out, "HALO", 60)
    whole = adjusted_sum(*plan)
    monkeypatch.setattr(leave_one_out, "HALO", 0)
    blind = adjusted_sum(*plan)
    assert abs(near - whole) < 0.02 * abs(blind - whole)


@pytest.mark.parametrize("passes", [1, 2, 40, 300])
def test_contract_linear_in_the_losses(passes):
    """So a coupled contrast regresses the difference, and losses need no scaling; 300 passes are two groups."""
    masks, weights, one, strata = random_plan(10, passes)
    two = masks * np.random.default_rng(1).random(masks.shape)
    alone = [adjusted_sum(masks, weights, losses, strata) for losses in (one, two)]
    both = adjusted_sum(masks, weights, 1e6 * one - 3.0 * two, strata)
    assert both == pytest.approx(1e6 * alone[0] - 3.0 * alone[1], rel=1e-10)
    assert adjusted_sum(masks, weights, 0.0 * one, strata) == 0.0


def test_contract_empty_passes_contribute_nothing():
    masks = np.zeros((4, 3), dtype=bool)
    assert adjusted_sum(masks, 1.0 * masks, 1.0 * masks, size_strata(3, 4)) == 0.0
