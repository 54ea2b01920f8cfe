"""The adjusted sum: unbiased by enumeration of all plans, and hardly worse than the plain sum if predictions fail."""

import itertools
import math

import numpy as np
import pytest

from estimators import all_masks, estimand_weights
from estimators.masked.regression import cross_fitting, damping, lags
from estimators.masked.regression.damping import adjusted
from estimators.masked.regression.strata import size_strata


def arbitrary_losses(length, seed=3):
    """A loss for each mask and position, consistent with no law: (2**L - 1, L)."""
    masks = all_masks(length)
    return masks * np.random.default_rng(seed).gamma(1.0, 1.0, masks.shape)


def likelihood(losses):
    masks = all_masks(losses.shape[1])
    return (estimand_weights(losses.shape[1])[masks.sum(axis=1)][:, None] * losses).sum()


def estimate_of(masks, weights, losses, strata):
    """The adjusted sum of a single vector of losses."""
    length = masks.shape[-1]
    return adjusted(masks[None], weights[None], losses[None, None], (length,), {length: strata}).estimates[0, 0]


def with_full_mask(length, passes):
    """The strata used from 16 passes on, for any number of passes: the last pass is the full mask."""
    strata = np.zeros((passes, length))
    strata[:-1, :-1] = size_strata(length - 1, passes - 1)
    strata[-1, -1] = 1.0
    return strata


def expectation(losses, strata, copies=1):
    """Mean of the adjusted sum over all plans: every mask in every pass, times its probability.

    Each pass occurs ``copies`` times in the plan.
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
            weights = masks[chosen] * weight[chosen, None]
            total += probability * estimate_of(masks[chosen], weights, losses[chosen], repeated)
    return total


CASES = [(1, 3), (2, 1), (2, 4), (3, 1), (3, 2), (3, 3), (4, 2)]


@pytest.mark.parametrize(("length", "passes"), CASES)
def test_maths_unbiased_over_all_plans_for_arbitrary_losses(length, passes):
    """Plans include equal masks in several passes: passes are independent, so these need no special treatment."""
    losses = arbitrary_losses(length)
    assert expectation(losses, size_strata(length, passes)) == pytest.approx(likelihood(losses), rel=1e-12)


def test_maths_unbiased_with_the_full_mask_as_a_stratum():
    losses = arbitrary_losses(3)
    assert expectation(losses, with_full_mask(3, 3)) == pytest.approx(likelihood(losses), rel=1e-12)


@pytest.mark.parametrize(
    ("group", "positions", "folds"), [(1, 64, 16), (2, 64, 16), (256, 2, 16), (2, 1, 2), (256, 64, 2)]
)
def test_maths_unbiased_in_groups_of_passes_blocks_of_positions_and_few_folds(monkeypatch, group, positions, folds):
    monkeypatch.setattr(damping, "LARGEST_GROUP", group)
    monkeypatch.setattr(cross_fitting, "POSITIONS", positions)
    monkeypatch.setattr(damping, "FOLDS", folds)
    losses = arbitrary_losses(3)
    assert expectation(losses, size_strata(3, 3)) == pytest.approx(likelihood(losses), rel=1e-12)


@pytest.mark.parametrize("passes", [25, 64])
def test_maths_unbiased_with_the_settings_of_more_passes(monkeypatch, passes):
    """Priors and groups that few passes do not have."""
    more = damping.settings_for(passes)
    monkeypatch.setattr(damping, "settings_for", lambda count: more)
    losses = arbitrary_losses(3)
    assert expectation(losses, size_strata(3, 3)) == pytest.approx(likelihood(losses), rel=1e-12)


def test_maths_control_a_surrogate_fitted_to_its_own_pass_is_biased():
    """Every pass occurs 3 times: leaving out one leaves its copies in the fit. Each has the right distribution."""
    losses = arbitrary_losses(3)
    assert abs(expectation(losses, size_strata(3, 2), copies=3) / likelihood(losses) - 1) > 0.01


def test_maths_control_a_factor_fitted_to_its_own_pass_is_biased(monkeypatch):
    """The same factors, raised by the losses of the first group of passes."""
    losses = arbitrary_losses(3)
    fair = damping._factors

    def leaking(passes, of_pairs, partners, group):
        return np.maximum(fair(passes, of_pairs, partners, group), passes.losses[:, group == 0].mean(axis=(1, 2)))

    monkeypatch.setattr(damping, "_factors", leaking)
    assert abs(expectation(losses, size_strata(3, 3)) / likelihood(losses) - 1) > 1e-4


def weak_lags(monkeypatch):
    """Have lags chosen that are near and not significant, so that the choice depends on the passes."""
    monkeypatch.setattr(lags, "NEAREST", 1)
    monkeypatch.setattr(lags, "SIGNIFICANT", 1.2)


def test_maths_unbiased_with_lags_chosen_by_other_passes(monkeypatch):
    weak_lags(monkeypatch)
    losses = arbitrary_losses(3)
    assert expectation(losses, size_strata(3, 3)) == pytest.approx(likelihood(losses), rel=1e-12)


def test_maths_control_lags_chosen_by_the_pass_itself_are_biased(monkeypatch):
    weak_lags(monkeypatch)
    losses = arbitrary_losses(3)

    def leaking(passes, losses, group):
        groups = len(np.unique(group))
        return lags.distant_lags(np.stack([passes.masks] * groups), np.stack([losses] * groups))

    monkeypatch.setattr(damping, "_lags_of_groups", leaking)
    assert abs(expectation(losses, size_strata(3, 3)) / likelihood(losses) - 1) > 1e-4


def test_maths_the_slope_is_that_of_held_out_least_squares():
    """Shrunk as if four more passes had slope 1, and clipped to [0, 1]."""
    predicted = np.random.default_rng(0).normal(size=12)
    for slope, factor in ((0.25, (12 * 0.25 + 4) / 16), (-1.0, 0.0), (3.0, 1.0), (1.0, 1.0)):
        assert damping._slope(predicted, (slope - 1.0) * predicted) == pytest.approx(factor)
    assert damping._slope(0.0 * predicted, predicted) == 1.0


def test_maths_predictions_count_by_their_held_out_errors():
    """Against a line in the masked share: fully if they are no worse, not at all if they are 40 % worse or more."""
    rng = np.random.default_rng(0)
    masks = rng.random((400, 6)) < 0.5
    losses = masks * (1.0 + masks.sum(axis=1, keepdims=True) + rng.normal(size=masks.shape))
    passes, positions = np.nonzero(masks)
    design = np.stack([np.ones(len(passes)), masks.sum(axis=1)[passes]], axis=1)
    line = np.linalg.lstsq(design, losses[passes, positions], rcond=None)[1][0]
    few = (damping.LEARNING / 400) ** 2
    share = np.broadcast_to(masks.mean(axis=1, keepdims=True), masks.shape)
    for ratio, factor in ((0.0, 1.0), (1.0, 1.0), (1.2, 0.5), (1.3, 0.25), (1.5, 0.0)):
        assert damping._reliability(masks, share, losses, (ratio + few) * line) == pytest.approx(factor)
    assert damping._reliability(masks, share, 0.0 * losses, 0.0) == 0.0
    assert damping._reliability(np.zeros((2, 3), dtype=bool), np.zeros((2, 3)), np.zeros((2, 3)), 0.0) == 1.0


@pytest.mark.parametrize("passes", [1, 2, 40, 300])
def test_contract_the_estimate_scales_with_the_losses(passes):
    """300 passes form two groups."""
    rng = np.random.default_rng(0)
    masks = rng.random((passes, 10)) < 0.5
    weights, losses, strata = (
        masks / (1.0 + masks.sum(axis=0)),
        masks * rng.random(masks.shape),
        size_strata(10, passes),
    )
    once = estimate_of(masks, weights, losses, strata)
    assert estimate_of(masks, weights, -1e6 * losses, strata) == pytest.approx(-1e6 * once, rel=1e-9)
    assert estimate_of(masks, weights, 0.0 * losses, strata) == 0.0


@pytest.mark.parametrize("exponent", [-900, -500, 500, 900])
def test_contract_huge_and_tiny_losses_have_the_same_estimates(exponent):
    """Their squares overflow; powers of two change no other bit."""
    rng = np.random.default_rng(0)
    masks = rng.random((1, 20, 8)) < 0.5
    weights, losses, strata = masks / 10.0, masks[:, None] * rng.random((1, 2, 20, 8)), size_strata(8, 20)
    plain, scaled = (
        adjusted(masks, weights, values, masks.shape[-1:], {masks.shape[-1]: strata})
        for values in (losses, np.ldexp(losses, exponent))
    )
    np.testing.assert_array_equal(scaled.estimates, np.ldexp(plain.estimates, exponent))
    np.testing.assert_array_equal(scaled.residuals, np.ldexp(plain.residuals, exponent))


def test_contract_empty_masks_contribute_nothing():
    masks = np.zeros((4, 3), dtype=bool)
    assert estimate_of(masks, 1.0 * masks, 1.0 * masks, size_strata(3, 4)) == 0.0


def variances(table, passes, undamped, monkeypatch, replicates=300):
    """Variances over random plans of the weighted sum and of the adjusted sum."""
    length = table.shape[1]
    if undamped:
        monkeypatch.setattr(damping, "_slope", lambda predicted, residual: np.ones(len(predicted)))
        monkeypatch.setattr(damping, "_reliability", lambda masks, shares, losses, squares: np.ones(len(losses)))
    strata, every, rng = size_strata(length, passes), all_masks(length), np.random.default_rng(0)
    probability = strata / np.array([math.comb(length, size) for size in range(1, length + 1)])
    sizes = every.sum(axis=1)
    before, after = [], []
    for _ in range(replicates):
        rows = [rng.choice(len(every), p=probability[k, sizes - 1]) for k in range(passes)]
        masks = every[rows]
        weights = masks / (strata.sum(axis=0)[sizes[rows] - 1] * sizes[rows])[:, None]
        before.append((weights * table[rows]).sum())
        after.append(estimate_of(masks, weights, table[rows], strata))
    return np.var(before), np.var(after)


@pytest.mark.slow
def test_worthless_predictions_do_no_harm(monkeypatch):
    """The second half copies the first. Measured: 1.02 times the variance of the weighted sum, and 1.23 undamped."""
    every = all_masks(10)
    table = np.log(2.0) * (every & np.roll(every, 5, axis=1))
    before, after = variances(table, 12, False, monkeypatch)
    assert after < 1.1 * before
    monkeypatch.setattr(damping, "_reliability", lambda masks, shares, losses, squares: np.ones(len(losses)))
    before, after = variances(table, 12, False, monkeypatch)
    assert after > 1.15 * before, "control: the slope of whole passes alone"


@pytest.mark.slow
@pytest.mark.parametrize("undamped", [False, True])
def test_unpredictable_losses_do_little_harm(undamped, monkeypatch):
    """The losses are noise. Variances are accurate to 10 %; without the factor they would be 50 % larger."""
    table = arbitrary_losses(6, seed=1)
    before, after = variances(table, 12, undamped, monkeypatch)
    assert (after > 1.35 * before) == undamped
