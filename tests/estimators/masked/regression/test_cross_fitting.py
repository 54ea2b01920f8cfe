"""Held-out predictions equal those of ridge regression on the other passes, term by term."""

import itertools

import numpy as np
import pytest

from estimators import all_masks
from estimators.masked.regression import cross_fitting
from estimators.masked.regression.cross_fitting import Passes, Run, held_out
from estimators.masked.regression.lags import lag_terms
from estimators.masked.regression.prior import make_prior
from estimators.masked.regression.strata import size_strata


class Ridge:
    """The definition: a design matrix of all terms of all tokens of the passes, and of all masks, and the variances."""

    def __init__(self, masks, prior, lags):
        self.masks, length = masks, masks.shape[1]
        self.every = all_masks(length)
        signs = np.where(np.concatenate([masks, self.every]), 1.0, -1.0)
        self.token = np.arange(signs.size).reshape(signs.shape)
        columns, variances = [], []

        def add(values, variance):
            columns.append(values.ravel())
            variances.append(variance)

        shared = {}
        for term, offsets in enumerate(prior.offsets):
            for position in range(length):
                if any(not 0 <= position + offset < length for offset in offsets):
                    continue
                values = np.zeros(signs.shape)
                values[:, position] = signs[:, [position + offset for offset in offsets]].prod(axis=1)
                add(values, prior.alone[term])
                if 1 <= term <= len(prior.shape):
                    cluster = prior.shape[term - 1], position - prior.start[term - 1]
                    shared[cluster] = shared.get(cluster, 0.0) + values
        for (shape, _), values in shared.items():
            add(values, prior.shared[shape])
        if lags:
            for values in np.moveaxis(lag_terms(signs.T, lags), -1, 0):
                add(values.T, 1.0)
        self.design, self.variances, self.noise = np.stack(columns, axis=1), np.array(variances), prior.noise

    def held_out(self, held, weights, losses, shares):
        kept = np.flatnonzero(~held)
        seen = self.design[self.token[kept][self.masks[kept]]]
        precision = seen.T @ seen / self.noise + np.diag(1.0 / self.variances)
        fitted = np.linalg.solve(precision, seen.T @ losses[kept][self.masks[kept]] / self.noise)
        surrogate = (self.design @ fitted).reshape(self.token.shape)
        count, sizes = len(held), self.every.sum(axis=1)
        results = np.zeros((3, count))
        for k in np.flatnonzero(held):
            left = self.masks[k] * (losses[k] - surrogate[k])
            results[:, k] = weights[k] @ surrogate[k], weights[k] @ left, left @ left
            for size, position in itertools.product(range(1, len(left) + 1), range(len(left))):
                possible = count + np.flatnonzero((sizes == size) & self.every[:, position])
                results[0, k] -= shares[k, size - 1] * surrogate[possible, position].mean()
        return results


def random_passes(length, count, vectors=1, seed=0):
    """Masks of which one occurs twice, weights, losses that depend on the neighbours, and shares."""
    rng = np.random.default_rng(seed)
    masks = rng.random((count, length)) < 0.5
    masks[-1] = masks[0]
    losses = masks * (1.0 + 0.5 * np.roll(masks, 1, axis=1) + rng.random((vectors, count, length)))
    run = Run(length, 1, size_strata(length, count) * rng.random(length))
    return Passes(masks, masks * rng.random(masks.shape), losses, (run,))


@pytest.mark.parametrize(
    ("length", "count", "thresholds", "lags"),
    [
        (1, 3, (0.003, 0.003), ()),
        (4, 1, (0.003, 0.003), ()),
        (5, 16, (0.001, 0.0003), ()),
        (6, 20, (0.01, 0.001), ()),
        (6, 20, (0.001, 0.001), (2, -3, 3)),
    ],
)
def test_maths_closed_forms_equal_ridge_regression_without_the_split(length, count, thresholds, lags):
    """Splits of several sizes that overlap, and two vectors of losses."""
    passes, prior = random_passes(length, count, vectors=2), make_prior(*thresholds)
    numbers = np.arange(count)
    splits = np.array([*(numbers % 3 == fold for fold in range(min(3, count))), numbers % 4 < 2, numbers < 0])
    computed = np.stack(held_out(passes, splits, prior, lags))[..., 0]
    ridge = Ridge(passes.masks, prior, lags)
    for (row, held), vector in itertools.product(enumerate(splits), range(2)):
        expected = ridge.held_out(held, passes.weights, passes.losses[vector], passes.runs[0].shares)
        np.testing.assert_allclose(computed[:, row, vector], expected, rtol=1e-9, atol=1e-11)


def one_split(count):
    return np.arange(count)[None] % 4 == 0


def test_maths_blocks_of_positions_differ_at_their_borders_alone(monkeypatch):
    """A loss that depends on the position before: two blocks of 30 positions predict nearly what one of 60 does."""
    passes, prior = random_passes(60, 70), make_prior(0.001, 0.0003)
    whole = held_out(passes, one_split(70), prior)
    monkeypatch.setattr(cross_fitting, "POSITIONS", 30)
    halves = held_out(passes, one_split(70), prior)
    monkeypatch.setattr(cross_fitting, "POSITIONS", 1)
    single = held_out(passes, one_split(70), prior)
    far = np.abs(single.residual - whole.residual).max()
    assert 0.0 < np.abs(halves.residual - whole.residual).max() < 0.3 * far


@pytest.mark.parametrize("lags", [(), (5,)])
def test_contract_linear_in_the_losses(lags):
    one, two = (random_passes(10, 40, seed=seed).losses for seed in (0, 0))
    passes, prior = random_passes(10, 40), make_prior(0.003, 0.0003)
    two = passes.masks * np.random.default_rng(1).random(one.shape)
    stacked = Passes(passes.masks, passes.weights, np.concatenate([one, two, 1e6 * one - 3.0 * two]), passes.runs)
    first, second, both = np.stack(held_out(stacked, one_split(40), prior, lags)[:2])[..., 0].transpose(2, 0, 1, 3)
    np.testing.assert_allclose(both, 1e6 * first - 3.0 * second, rtol=1e-9, atol=1e-6)
    nothing = Passes(passes.masks, passes.weights, 0.0 * one, passes.runs)
    assert not np.stack(held_out(nothing, one_split(40), prior, lags)).any()


def test_contract_nothing_held_out_predicts_nothing():
    passes = random_passes(6, 12)
    assert not np.stack(held_out(passes, np.zeros((1, 12), dtype=bool), make_prior(0.003, 0.003))).any()
