"""Leave-one-out predictions equal those from refitting without each pass."""

import itertools

import numpy as np
import pytest

from estimators import all_masks
from estimators.masked.regression import leave_one_out, prior
from estimators.masked.regression.lags import lag_terms
from estimators.masked.regression.leave_one_out import Regressed, held_out
from estimators.masked.regression.strata import size_strata


def refitted(masks, weights, losses, shares, regressed):
    """The definition: for each pass, fit the others, predict the pass, and average the prediction over all masks."""
    (subset, lags), (passes, length) = regressed, masks.shape
    every = all_masks(length)
    signs = np.where(np.concatenate([masks, every]).T, 1.0, -1.0)
    covariance = prior.covariance(signs, slice(0, length))
    flat = covariance.reshape(length * signs.shape[1], -1)
    flat = np.where(np.tri(len(flat), dtype=bool), flat, flat.T)  # not filled in above the diagonal blocks
    if lags:
        terms = lag_terms(signs, lags).reshape(len(flat), -1)
        flat = flat + terms @ terms.T
    token = np.arange(len(flat)).reshape(length, -1).T  # pass or mask, position
    centred, residual = np.zeros((2, passes))
    squares = 0.0
    for k in subset:
        kept = subset[subset != k]
        seen, told = token[:passes][kept][masks[kept]], losses[kept][masks[kept]]
        fit = np.linalg.solve(flat[np.ix_(seen, seen)] + leave_one_out.NOISE * np.eye(len(seen)), told)
        predicted = (flat[np.ix_(token[k], seen)] @ fit) * masks[k]
        residual[k] = weights[k] @ (losses[k] - predicted)
        squares += ((losses[k] - predicted)[masks[k]] ** 2).sum()
        centred[k] = weights[k] @ predicted
        sizes = every.sum(axis=1)
        for size, position in itertools.product(range(1, length + 1), range(length)):
            possible = passes + np.flatnonzero((sizes == size) & every[:, position])
            centred[k] -= shares[k, size - 1] * (flat[np.ix_(token[possible, position], seen)] @ fit).mean()
    return centred, residual, squares


@pytest.mark.parametrize(("length", "passes"), [(4, 1), (4, 7), (5, 16), (6, 20)])
def test_maths_closed_forms_equal_refitting_without_each_pass(length, passes):
    rng = np.random.default_rng(0)
    masks = all_masks(length)[rng.integers(0, 2**length - 1, passes)]  # the identity holds for any masks
    masks[-1] = masks[0]
    weights, losses = masks * rng.random((passes, length)), masks * rng.gamma(1.0, 1.0, (passes, length))
    shares = size_strata(length, passes) * rng.random(length)
    some = np.flatnonzero(np.arange(passes) % 3 != 1)
    subsets = [Regressed(np.arange(passes), ()), Regressed(some, ()), Regressed(some, (2, -3, 3))]
    predicted, residual, squares = held_out(masks, weights, losses, shares, subsets)
    for row, subset in enumerate(subsets):
        expected = refitted(masks, weights, losses, shares, subset)
        np.testing.assert_allclose(predicted[row], expected[0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(residual[row], expected[1], rtol=1e-9, atol=1e-12)
        assert squares[row] == pytest.approx(expected[2], rel=1e-9)


def random_plan(length, passes, seed=0):
    """Masks, weights, losses that depend on the neighbours as a model's do, and shares."""
    rng = np.random.default_rng(seed)
    masks = rng.random((passes, length)) < 0.5
    losses = masks * (1.0 + 0.5 * np.roll(masks, 1, axis=1) + 0.1 * rng.random(masks.shape))
    return masks, masks / (1.0 + masks.sum(axis=0)), losses, size_strata(length, passes) / passes


def test_maths_the_halo_of_a_block_suffices(monkeypatch):
    """Blocks of 16 positions with a halo of 8 on either side predict nearly what they do from the whole mask."""
    plan = *random_plan(60, 70), [Regressed(np.arange(70), ())]
    near, _, _ = held_out(*plan)
    monkeypatch.setattr(leave_one_out, "HALO", 60)
    whole, _, _ = held_out(*plan)
    monkeypatch.setattr(leave_one_out, "HALO", 0)
    blind, _, _ = held_out(*plan)
    assert np.abs(near - whole).max() < 0.02 * np.abs(blind - whole).max()


def test_contract_linear_in_the_losses():
    masks, weights, one, shares = random_plan(10, 40)
    two = masks * np.random.default_rng(1).random(masks.shape)
    subsets = [Regressed(np.arange(40), ()), Regressed(np.arange(40), (5,))]
    alone = [np.stack(held_out(masks, weights, losses, shares, subsets)[:2]) for losses in (one, two)]
    both = np.stack(held_out(masks, weights, 1e6 * one - 3.0 * two, shares, subsets)[:2])
    np.testing.assert_allclose(both, 1e6 * alone[0] - 3.0 * alone[1], rtol=1e-9, atol=1e-6)
    assert not np.stack(held_out(masks, weights, 0.0 * one, shares, subsets)[:2]).any()
