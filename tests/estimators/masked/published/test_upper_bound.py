"""SPG's plug-in: its exact mean by brute force, its reduction token by token, and what few passes do to it."""

import itertools
import math

import numpy as np
import pytest

from estimators import Cell, Coupled, MaskPlan, all_masks, draw, estimator, make_pairs, make_targets
from estimators.masked.published import PublishedSPG, expected_value
from tests.support.toys import ArbitraryLosses, slow_nll

LENGTH = 3
ROW = [[0, 1, 2]]
MODEL = ArbitraryLosses(LENGTH, seed=2)
LOSSES = MODEL.table.numpy()[1:] * all_masks(LENGTH)


def slowly(masks, losses, beta):
    """The value of some masks and the losses under each, with plain loops and plain probabilities."""
    values = []
    for position in range(LENGTH):
        terms = [
            LENGTH / mask.sum() * math.exp(-each[position]) ** beta
            for mask, each in zip(masks, losses, strict=True)
            if mask[position]
        ]
        if terms:
            values.append(-math.log(sum(terms) / len(masks)) / beta)
    return LENGTH * sum(values) / len(values)


def brute(passes, beta):
    """The mean over all sequences of masks: sizes are uniform, and masks of a size."""
    masks, mean = all_masks(LENGTH), 0.0
    law = [1 / LENGTH / math.comb(LENGTH, int(mask.sum())) for mask in masks]
    for outcome in itertools.product(range(len(masks)), repeat=passes):
        chosen = list(outcome)
        mean += math.prod(law[each] for each in chosen) * slowly(masks[chosen], LOSSES[chosen], beta)
    return mean


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("passes", [1, 2, 3])
def test_maths_the_exact_mean_is_that_of_all_outcomes(passes, beta):
    value = expected_value(PublishedSPG(beta), MODEL, ROW, passes=passes)[0]
    assert value == pytest.approx(brute(passes, beta), rel=1e-10)
    assert value != pytest.approx(brute(passes, beta + 0.5), rel=1e-3)


def test_maths_replicates_have_that_mean():
    """4 standard errors; the mean at another number of passes is outside."""
    values = PublishedSPG().sample(MODEL, ROW, passes=2, replicates=20_000, rng=1)[0]
    error = values.std() / len(values) ** 0.5
    assert abs(values.mean() - brute(2, 1.5)) < 4 * error
    assert abs(values.mean() - brute(1, 1.5)) > 4 * error


def test_maths_the_reduction_is_the_formula():
    plan = PublishedSPG(2.0).plan(LENGTH, 4, 20, np.random.default_rng(0))
    losses = np.random.default_rng(1).gamma(1.0, 1.0, plan.weights.shape) * plan.masks
    expected = [slowly(masks, each, 2.0) for masks, each in zip(plan.masks, losses, strict=True)]
    np.testing.assert_allclose(PublishedSPG(2.0).reduce(plan, losses), expected, rtol=1e-12)


@pytest.mark.slow
def test_maths_more_passes_come_closer_to_the_bound_which_is_below_the_any_order_value():
    """The bound has the mean over all masks inside the logarithm."""
    beta, sizes = 1.5, all_masks(LENGTH).sum(axis=1)
    law = np.array([1 / LENGTH / math.comb(LENGTH, size) * LENGTH / size for size in sizes.tolist()])
    inside = (law[:, None] * all_masks(LENGTH) * np.exp(-beta * LOSSES)).sum(axis=0)
    bound = (-np.log(inside) / beta).sum()
    (target,) = make_targets(ROW)
    assert bound < slow_nll(MODEL, target)
    many = [PublishedSPG(beta).sample(MODEL, ROW, passes=passes, replicates=4000, rng=0)[0] for passes in (8, 64, 512)]
    gaps = [values.mean() - bound for values in many]
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] * 512 == pytest.approx(gaps[1] * 64, rel=0.5)  # as the variance of a mean


def test_maths_a_certain_sequence_does_not_cost_0():
    """All losses are 0, and the mean is that of the logarithms of L/m: negative for one pass, near 0 for many."""
    zero = np.zeros((1, *LOSSES.shape))
    one, three = (PublishedSPG().expectations(zero, passes)[0] for passes in (1, 3))
    assert one == pytest.approx(-LENGTH / 1.5 * np.mean([np.log(LENGTH / size) for size in (1, 2, 3)]), rel=1e-12)
    assert one < -0.5
    assert abs(three) > 1e-3


def test_losses_far_from_zero_neither_underflow_nor_drop_tokens():
    plan = MaskPlan(np.ones((1, 1, 2), dtype=bool), np.ones((1, 1, 2)))
    assert estimator("published-spg").reduce(plan, np.array([[[1e4, 2e4]]]))[0] == pytest.approx(3e4)


def test_contract_a_coupled_ratio_is_the_difference_of_its_sides():
    """The value is not linear in the losses: reducing their difference would be something else."""
    model, other = ArbitraryLosses(LENGTH, seed=2), [[2, 1, 0]]
    (pair,) = make_pairs(ROW, other)
    spg = PublishedSPG()
    sides = []

    class Shifted:
        def token_nll(self, tokens, masked):
            return model.token_nll(tokens, masked) * (1.0 + (tokens[:, :1] == 2))

    for drawn in draw(Shifted(), [Cell(Coupled(spg), pair, passes=4, replicates=3)], rng=0):
        sides = [spg.reduce(side.plan, side.losses) for side in drawn.evaluations]
        np.testing.assert_allclose(drawn.estimates, sides[1] - sides[0])
        merged = spg.reduce(drawn.evaluations[0].plan, drawn.evaluations[1].losses - drawn.evaluations[0].losses)
        assert not np.allclose(drawn.estimates, merged), "control"
    assert len(sides) == 2
