"""Orders: the recursion over sets, chains as plans, the surrogate, and proposals with exact weights."""

import itertools

import numpy as np
import pytest

from estimators.errors import InputError
from estimators.masked.masks import all_masks
from estimators.masked.orders.chains import chain_plan, ranks_of
from estimators.masked.orders.marginal import order_marginal
from estimators.masked.orders.proposal import propose_orders, random_orders
from estimators.masked.orders.surrogate import FAR_OFFSETS, OrderSurrogate

LENGTH = 5


def arbitrary_losses(length=LENGTH, seed=0):
    """Losses (masks, length) of all masks, which no law has."""
    masks = all_masks(length)
    return masks, masks * np.random.default_rng(seed).gamma(1.5, size=masks.shape)


def log_likelihood(losses, order):
    """The chain rule in one order, step by step."""
    hidden, total = set(range(losses.shape[1])), 0.0
    for position in order:
        total -= losses[sum(1 << place for place in hidden) - 1, position]
        hidden.remove(position)
    return total


def every_log_likelihood(losses):
    return np.array([log_likelihood(losses, order) for order in itertools.permutations(range(losses.shape[1]))])


def test_maths_the_recursion_is_the_mean_over_all_orders():
    _, losses = arbitrary_losses()
    values = every_log_likelihood(losses)
    assert order_marginal(losses) == pytest.approx(-np.log(np.exp(values).mean()), abs=1e-12)
    assert order_marginal(losses) < -values.mean(), "the any-order value is larger"
    assert order_marginal(losses[:, ::-1]) != pytest.approx(-np.log(np.exp(values).mean()), abs=1e-3), "control"


def test_maths_equal_orders_have_the_value_of_each():
    masks = all_masks(4)
    steps = masks * np.array([0.3, 2.0, 0.7, 1.1])  # independent positions
    assert order_marginal(steps) == pytest.approx(4.1, abs=1e-12)


def test_maths_likelihoods_below_the_smallest_float_do_not_underflow():
    assert order_marginal(all_masks(3) * 1000.0) == pytest.approx(3000.0)


def test_contract_the_recursion_needs_all_masks():
    with pytest.raises(InputError, match="all masks of 3 positions need losses"):
        order_marginal(np.zeros((6, 3)))


def test_maths_a_chain_plan_sums_the_steps_of_its_order():
    _, losses = arbitrary_losses()
    ranks = ranks_of(np.random.default_rng(1).random((7, LENGTH)))
    plan = chain_plan([ranks])
    of_passes = losses[plan.masks @ (1 << np.arange(LENGTH)) - 1]
    expected = [-log_likelihood(losses, np.argsort(row)) for row in ranks]
    np.testing.assert_allclose((plan.weights * of_passes).sum(axis=(1, 2)), expected, atol=1e-12)


def test_contract_blocks_of_a_chain_plan_have_orders_of_their_own():
    plan = chain_plan([np.array([[1, 0]]), np.array([[0, 2, 1]])])
    assert plan.block_lengths == (2, 3)
    assert plan.masks[0].astype(int).tolist() == [[1, 1, 1, 1, 1], [1, 0, 0, 1, 1], [0, 0, 0, 1, 0]]
    assert plan.weights[0].sum(axis=0).tolist() == [1.0] * 5


@pytest.mark.parametrize("length", [1, 2, 5, 17, 60])
def test_maths_the_surrogate_of_an_order_is_the_sum_of_its_predictions(length):
    """Slowly: each step's pattern of neighbours looked up by hand, and what each masked far position adds."""
    rng = np.random.default_rng(2)
    masks = rng.random((300, length)) < rng.random((300, 1))
    surrogate = OrderSurrogate.fit(masks, masks * rng.gamma(2.0, size=masks.shape))
    ranks = random_orders(length, 20, rng).ranks
    for row, found in zip(ranks, surrogate.log_likelihoods(ranks), strict=True):
        total = 0.0
        for i in range(length):
            masked = row > row[i]
            pattern = sum(
                1 << bit
                for bit, offset in enumerate(o for o in range(-6, 7) if o)
                if 0 <= i + offset < length and masked[i + offset]
            )
            far = sum(
                surrogate.far[i, place]
                for place, offset in enumerate(FAR_OFFSETS)
                if 0 <= i + offset < length and masked[i + offset]
            )
            total -= max(0.0, surrogate.tables[i, pattern] + far)
        assert found == pytest.approx(total, abs=1e-9)


def neighbours_losses(masks):
    """A loss of 1 for a masked token; 1 more if its left neighbour is masked, and 0.5 more if two to the right are."""
    left = np.pad(masks, ((0, 0), (1, 0)))[:, :-1]
    right = np.pad(masks, ((0, 0), (0, 2)))
    return masks * (1.0 + left + 0.5 * (right[:, 1:-1] & right[:, 2:]))


def test_maths_the_surrogate_learns_what_neighbours_reveal():
    rng = np.random.default_rng(3)
    masks = rng.random((1500, 20)) < rng.random((1500, 1))
    surrogate = OrderSurrogate.fit(masks, neighbours_losses(masks))
    ranks = random_orders(20, 200, rng).ranks
    plan = chain_plan([ranks])
    losses = neighbours_losses(plan.masks.reshape(-1, 20)).reshape(plan.masks.shape)
    exact = -(plan.weights * losses).sum(axis=(1, 2))
    assert (exact - surrogate.log_likelihoods(ranks)).std() < 0.1 * exact.std()


def mean_of_weighted(surrogate, losses, orders, *, weighted, seed=0):
    proposed = propose_orders(surrogate, orders, np.random.default_rng(seed))
    values = np.array([log_likelihood(losses, np.argsort(row)) for row in proposed.ranks])
    return np.exp(values + (proposed.log_weights if weighted else 0.0))


@pytest.mark.parametrize("fitted", ["well", "to other losses"])
def test_maths_weighted_orders_have_the_mean_over_all_orders_whatever_the_surrogate(fitted):
    """1,000 orders; without their weights the mean is off by more than four standard errors."""
    masks, losses = arbitrary_losses()
    surrogate = OrderSurrogate.fit(masks, losses if fitted == "well" else arbitrary_losses(seed=9)[1])
    truth = np.exp(-order_marginal(losses))
    draws = mean_of_weighted(surrogate, losses, 1000, weighted=True)
    assert abs(draws.mean() - truth) < 4 * draws.std() / np.sqrt(1000)
    if fitted == "well":
        draws = mean_of_weighted(surrogate, losses, 1000, weighted=False)
        assert abs(draws.mean() - truth) > 4 * draws.std() / np.sqrt(1000), "control"


def test_maths_a_good_surrogate_makes_the_weighted_likelihoods_nearly_equal():
    masks, losses = arbitrary_losses()
    surrogate = OrderSurrogate.fit(np.repeat(masks, 20, axis=0), np.repeat(losses, 20, axis=0))
    weighted = mean_of_weighted(surrogate, losses, 400, weighted=True)
    uniform = np.exp(every_log_likelihood(losses))
    assert weighted.std() / weighted.mean() < 0.5 * uniform.std() / uniform.mean()


def test_contract_no_weight_exceeds_ten_and_the_mean_weight_is_one():
    masks, losses = arbitrary_losses(6)
    proposed = propose_orders(OrderSurrogate.fit(masks, 5 * losses), 500, np.random.default_rng(5))
    weights = np.exp(proposed.log_weights)
    assert weights.max() <= 10 * (1 + 1e-9)
    assert abs(weights.mean() - 1.0) < 4 * weights.std() / np.sqrt(500)
