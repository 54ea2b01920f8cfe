"""Skewness by construction: exact moments, intervals that account for it, and the caution where few losses decide."""

import itertools

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import Cell, Coupled, Decoupled, Evaluation, MaskPlan, draw, estimator, make_pairs, make_targets
from estimators.masked.blocks import BlockPlan
from infodis_stats.results.error_bars import interval_kind
from infodis_stats.results.sample import Sample
from infodis_stats.results.skewness import effective_losses, effective_passes, position_moments, position_skewness
from tests.support.stat_asserts import assert_rate


class Static:
    """Each position has its own loss, whatever is masked."""

    def __init__(self, losses) -> None:
        self.losses = torch.tensor(np.asarray(losses, dtype=np.float64))

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        return masked * self.losses


def sample_of(model, name, length, *, passes, size, count=1):
    (target,) = make_targets([[0] * length], names=["0"])
    (one,) = draw(model, [Cell(estimator(name), target, passes, size * count)], rng=0)
    return Sample(one, size)


@pytest.mark.parametrize("losses", [[1.0, 2.0, 4.0, 0.5, 9.0], [1.0, -3.0], [5.0]])
def test_maths_moments_equal_those_of_all_masks_of_a_size(losses):
    """Passes are independent: their moments add up. One pass masks all, so that every mean loss is known."""
    length = len(losses)
    sizes = [*range(1, length + 1), 1]
    weights = 0.5 + np.arange(len(sizes)) / 3
    masks = np.arange(length) < np.array(sizes)[:, None]
    side = Evaluation(
        make_targets([[0] * length])[0],
        MaskPlan(masks[None], (masks * weights[:, None])[None]),
        (masks * np.array(losses))[None],
        len(sizes),
    )
    second = third = 0.0
    for size, weight in zip(sizes, weights, strict=True):
        sums = [weight * sum(chosen) for chosen in itertools.combinations(losses, size)]
        second += np.var(sums)
        third += np.mean((np.array(sums) - np.mean(sums)) ** 3)
    np.testing.assert_allclose(position_moments(side, 1), [[second], [third]], atol=1e-12)


def test_maths_moments_of_blocks_are_those_of_all_masks_of_each_block():
    """Two passes, of which the second masks all; the blocks are independent. Control: masks of the whole."""
    losses, lengths, weights = np.array([1.0, 2.0, 4.0, 0.5, 9.0]), (3, 2), np.array([0.7, 1.1, 1.1, 2.0, 0.4])
    masks = np.array([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1]], dtype=bool)
    token_weights = masks * np.stack([np.repeat([0.7, 1.9], lengths), weights.mean() * np.ones(5)])
    plan = BlockPlan(masks[None], token_weights[None], lengths, (2, 2))
    side = Evaluation(make_targets([[0] * 5])[0], plan, (masks * losses)[None], 2)
    sums = [
        0.7 * sum(first) + 1.9 * sum(second)
        for first in itertools.combinations(losses[:3], 2)
        for second in itertools.combinations(losses[3:], 1)
    ]
    expected = [[np.var(sums)], [np.mean((np.array(sums) - np.mean(sums)) ** 3)]]
    np.testing.assert_allclose(position_moments(side, 1), expected, atol=1e-12)
    whole = Evaluation(side.target, MaskPlan(masks[None], token_weights[None]), side.losses, 2)
    assert not np.allclose(position_moments(whole, 1), expected, rtol=0.1)


def test_maths_the_mean_of_replicates_is_less_skewed_by_the_root_of_their_number():
    losses = np.exp(np.random.default_rng(0).normal(size=12))
    sample = sample_of(Static(losses), "uniform-count", 12, passes=64, size=16)
    (side,) = sample.draw.evaluations
    (second, third), (each_second, each_third) = position_moments(side, 16), position_moments(side, 1)
    np.testing.assert_allclose(second, each_second.sum() / 16**2)
    np.testing.assert_allclose(third, each_third.sum() / 16**3)


def test_maths_the_first_side_of_a_pair_is_subtracted():
    class ByToken:
        def token_nll(self, tokens, masked):
            return masked * torch.where(tokens == 1, 5.0, 1.0).double()

    rare, plain = [0, 0, 0, 1, 0, 0, 0, 0], [0] * 8
    for contrast in (Coupled, Decoupled):
        skewness = []
        for pair in (make_pairs([plain], [rare], names=["x"]), make_pairs([rare], [plain], names=["x"])):
            (one,) = draw(ByToken(), [Cell(contrast(estimator("uniform-count")), pair[0], 32, 4)], rng=0)
            skewness.append(position_skewness(Sample(one, 4), np.zeros(1))[0])
        assert skewness[0] > 0.1
        assert skewness[1] == pytest.approx(-skewness[0], rel=0.5)


@pytest.mark.parametrize(
    ("name", "corrected"),
    [
        ("uniform-count", True),
        ("systematic", True),
        ("triangular", True),
        ("uniform-count+latin-hypercube", False),
        ("regression", False),
        ("block-chain", False),
    ],
)
def test_only_independent_masks_make_positions_matter(name, corrected):
    sample = sample_of(Static([1.0] * 15 + [20.0]), name, 16, passes=16, size=4)
    assert (position_skewness(sample, np.ones(1))[0] != 0) == corrected


HARD = np.exp(1.5 * np.random.default_rng(3).normal(size=32))


@pytest.mark.parametrize(("name", "budget"), [("uniform-count", (32, 1)), ("uniform-count+stratified", (16, 8))])
def test_intervals_cover_where_few_positions_carry_the_loss_and_students_t_does_not(name, budget):
    passes, replicates = budget
    sample = sample_of(Static(HARD), name, 32, passes=passes, size=replicates, count=1500)
    truth = HARD.sum()

    def covered(kind):
        bars = interval_kind(kind).error_bars(sample, 0.95)
        return int(((bars.lower <= truth) & (truth <= bars.upper)).sum())

    assert covered("auto") > 0.945 * 1500 - 3 * np.sqrt(0.05 * 0.95 * 1500)
    with pytest.raises(AssertionError):
        assert_rate(covered("design"), 1500, 0.95)


def test_control_regular_losses_are_not_corrected():
    sample = sample_of(Static(np.linspace(1.0, 2.0, 32)), "uniform-count+stratified", 32, passes=32, size=1, count=200)
    design, auto = (interval_kind(kind).error_bars(sample, 0.95) for kind in ("design", "auto"))
    assert np.median((auto.upper - auto.lower) / (design.upper - design.lower)) == pytest.approx(1.0, abs=0.03)
    assert not auto.flags["skewed"].any()


def test_maths_effective_losses_are_those_of_deviations_from_the_position():
    masks = np.ones((4, 2), dtype=bool)
    losses = np.array([[1.0, 5.0], [3.0, 5.0], [1.0, 5.0], [3.0, 9.0]])
    side = Evaluation(make_targets([[0, 0]])[0], MaskPlan(masks[None], masks[None] / 4), losses[None], 4)
    deviations = losses - losses.mean(axis=0)
    expected = (deviations**2).sum() ** 2 / (deviations**4).sum()
    effective, number = effective_losses(side, 1)
    assert effective[0] == pytest.approx(expected)
    assert number[0] == 8


def test_maths_effective_passes_are_those_of_weighted_deviations():
    masks = np.ones((4, 2), dtype=bool)
    losses = np.array([[1.0, 5.0], [3.0, 5.0], [1.0, 5.0], [3.0, 9.0]])
    side = Evaluation(make_targets([[0, 0]])[0], MaskPlan(masks[None], masks[None] / 4), losses[None], 4)
    (one,) = draw(Static([1.0, 1.0]), [Cell(estimator("uniform-count"), side.target, 4, 1)], rng=0)
    squares = (losses - losses.mean(axis=0)).sum(axis=1) ** 2
    replaced = type(one)(one.cell, one.reduction, (side,))
    assert effective_passes(Sample(replaced, 1))[0] == pytest.approx(squares.sum() ** 2 / (squares**2).sum())


class HeavyTails:
    """Every mask has losses of its own: lognormal with a standard deviation of ``spread`` in the logarithm."""

    def __init__(self, spread: float) -> None:
        rng = np.random.default_rng(0)
        self.table = torch.tensor(np.exp(spread * rng.normal(size=(2**10, 10))))

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        return masked * self.table[(masked * 2 ** torch.arange(10)).sum(dim=1)]


@pytest.mark.parametrize("name", ["uniform-count+stratified", pytest.param("regression", marks=pytest.mark.slow)])
def test_heavy_tails_have_a_caution_and_light_ones_do_not(name):
    flagged = []
    for spread in (2.0, 0.3):
        sample = sample_of(HeavyTails(spread), name, 10, passes=16, size=8, count=40)
        flagged.append(interval_kind("auto").error_bars(sample, 0.95).flags["skewed"].mean())
    assert flagged[0] > 0.95
    assert flagged[1] < 0.05


def test_the_data_set_has_the_skewness():
    result = ids.estimate_nll(Static(HARD), [[0] * 32], "uniform-count", passes=16, replicates=8)
    assert result["interval"].values.tolist() == ["design-hall"]
    assert result["skewness"].item() > 0.05
    assert result["skewness"].attrs["long_name"]
    lower, upper = result["nll_ci"].values[0]
    assert upper - result["nll"].item() > 1.1 * (result["nll"].item() - lower)
