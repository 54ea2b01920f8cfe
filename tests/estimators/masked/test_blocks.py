"""Plans of blocks: each block has a plan of its own, and a pass scores all of them."""

import itertools
import math

import numpy as np
import pytest
import torch

from estimators import (
    Blocks,
    Cell,
    Coupled,
    Decoupled,
    InputError,
    PointEstimator,
    draw,
    estimator,
    make_pairs,
    make_targets,
)
from estimators.designs import spread
from estimators.masked.blocks import plan_blocks
from estimators.masked.regression.damping import adjusted
from estimators.masked.regression.strata import size_strata
from estimators.masked.substitutions import evaluate_substitutions
from estimators.model import blocks_of, in_blocks
from tests.estimators.test_unbiased import ENUMERATED, SIMULATED, MeanOverMasked
from tests.support.enumeration import OnePoint, Points, estimand_by_mask, key_points, level_pieces, weight_by_mask
from tests.support.toys import ArbitraryBlocks, ArbitraryLosses, fitting_passes


class BlockPoints(OnePoint):
    """A generator of one replicate whose blocks all get one point, of which the quantile is the jitter, too."""

    def random(self, shape):
        return np.full(shape, self.point[0])

    def spawn(self, count):
        return [OnePoint(self.point) for _ in range(count)]


class BlockReplicates(Points):
    def spawn(self, count):
        return map(BlockPoints, self.points)


def expected_in_blocks(sampler, length, passes, cells=1, blocks=2):
    """The expected weight of each mask of a block and position, averaged over blocks: all points of the cube.

    Quantiles that are spread have equal ranks here in each block, so that their mean over blocks is that over ranks.
    """
    pieces = {parts: level_pieces(length, parts)[0] for parts in (passes, passes * blocks, blocks)}
    ends = {
        round(float(end), 13)
        for parts in pieces
        for middles, widths in [level_pieces(length, parts)]
        for end in np.concatenate([middles - widths / 2, middles + widths / 2])
    }
    jumps = np.array(sorted(ends))
    stretched = np.concatenate([jumps, *(jumps * parts % 1 for parts in pieces)])
    ends = np.unique(np.round(np.concatenate([stretched, 1 - stretched]), 12))
    levels, widths = (ends[1:] + ends[:-1]) / 2, np.diff(ends)
    keys = key_points(length, cells)
    points = np.concatenate([np.repeat(levels, len(keys))[:, None], np.tile(keys, (len(levels), 1))], axis=1)
    plan = plan_blocks(sampler, (length,) * blocks, passes, len(points), BlockReplicates(points))
    (alike,) = plan.alike()
    weights = alike.by_block(weight_by_mask(alike.plan(plan))).mean(axis=1)
    return np.tensordot(np.repeat(widths, len(keys)) / len(keys), weights, axes=1)


@pytest.mark.parametrize("passes", [1, 3, 6])
@pytest.mark.parametrize("name", [name for name in ENUMERATED if not name.endswith(("+latin-hypercube", "+sobol"))])
def test_maths_each_block_is_unbiased_by_enumeration(name, passes):
    """With few passes the quantiles are spread over the blocks."""
    length = 3
    try:
        estimator(name).plan(length, passes, 1, np.random.default_rng(0))
    except InputError:
        passes = fitting_passes(name, length)
    expected = expected_in_blocks(estimator(name), length, passes)
    np.testing.assert_allclose(expected, estimand_by_mask(length), rtol=1e-9, atol=1e-11)


def test_maths_control_wrong_weights_and_unequal_strata_fail_the_enumeration(monkeypatch):
    wrong = expected_in_blocks(PointEstimator(MeanOverMasked()), 3, 2)
    assert not np.allclose(wrong, estimand_by_mask(3), rtol=1e-2)
    stratified = estimator("uniform-count+stratified")
    np.testing.assert_allclose(expected_in_blocks(stratified, 3, 2), estimand_by_mask(3), rtol=1e-9, atol=1e-11)

    def without_ranks(points, dependence, rng):
        squeezed = points.copy()
        squeezed[..., 0] /= 2
        return squeezed

    monkeypatch.setattr("estimators.pointwise.spread", without_ranks)
    assert not np.allclose(expected_in_blocks(stratified, 3, 2), estimand_by_mask(3), rtol=1e-2)


def exact(model, tokens, context=0):
    """The estimand, from all masks of each block."""
    return estimator("exhaustive").sample(
        model, tokens, passes=2**model.block_size - 1, replicates=1, rng=0, context=context
    )[:, 0]


def slow_value(model, tokens, context=0):
    """The estimand by its definition, one block and one mask a call."""
    length, total = len(tokens), 0.0
    for block in np.unique(model.block[context:length]):
        scored = np.flatnonzero((model.block[:length].numpy() == block) & (np.arange(length) >= context))
        by_size = {}
        for pattern in itertools.product([False, True], repeat=len(scored)):
            if any(pattern):
                masked = torch.zeros(1, length, dtype=torch.bool)
                masked[0, scored] = torch.tensor(pattern)
                loss = model.token_nll(torch.tensor(tokens)[None], masked).sum()
                by_size.setdefault(sum(pattern), []).append(float(loss) / sum(pattern))
        total += sum(np.mean(values) for values in by_size.values())
    return total


TOKENS = np.random.default_rng(1).integers(0, 5, (2, 32))


@pytest.mark.parametrize(("start", "context", "length"), [(0, 0, 32), (2, 0, 32), (-5, 6, 31), (1, 30, 32)])
def test_maths_exact_in_15_passes_whatever_the_length(start, context, length):
    """Partial first and last blocks, and a context that ends inside a block."""
    model = ArbitraryBlocks(32, 4, start)
    values = exact(model, TOKENS[:, :length], context)
    assert model.rows <= 2 * 15
    expected = [slow_value(model, row[:length], context) for row in TOKENS]
    np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_maths_control_without_the_declaration_every_block_must_be_enumerated_together():
    model = ArbitraryBlocks(32, 4)
    model.block_size = None
    with pytest.raises(InputError, match="needs 4294967295 passes"):
        estimator("exhaustive").sample(model, TOKENS, passes=15, replicates=1, rng=0)


BLOCK_NAMES = (
    "uniform-count",
    "time-free+antithetic",
    "uniform-count+stratified",
    "regression",
    "block-chain+antithetic",
)


@pytest.mark.parametrize("name", [*BLOCK_NAMES, *(name for name in SIMULATED if "published" not in name)])
def test_maths_unbiased_by_simulation(name):
    """4.5 standard errors; block lengths 3, 4, 4 and 2. Cutting the integral, or one block too long, shows."""
    model, tokens = ArbitraryBlocks(13, 4, 3), TOKENS[:1, :13]
    passes = 8 if name.endswith("+sobol") else 6
    replicates = 200 if name == "regression" else 2000
    values = estimator(name).sample(model, tokens, passes=passes, replicates=replicates, rng=5)[0]
    error = values.mean() - slow_value(model, tokens[0])
    assert abs(error) < 4.5 * values.std() / math.sqrt(len(values))
    wrong = slow_value(ArbitraryBlocks(13, 5, 3), tokens[0])
    assert abs(values.mean() - wrong) > 4.5 * values.std() / math.sqrt(len(values)), "control"


def arbitrary(lengths, seed=3):
    """Losses of each mask of each block: by block, (2**n - 1, n)."""
    rng = np.random.default_rng(seed)
    masks = [np.array(list(itertools.product([False, True], repeat=length)))[1:] for length in lengths]
    return masks, [each * rng.gamma(1.0, 1.0, each.shape) for each in masks]


def regression_mean(lengths, passes, shared=1):
    """The mean of the adjusted sum over all plans of some blocks; each pass occurs ``shared`` times."""
    masks, losses = arbitrary(lengths)
    strata = {length: np.repeat(size_strata(length, passes), shared, axis=0) for length in lengths}
    outcomes = list(itertools.product(*(range(len(each)) for each in masks)))
    total = 0.0
    for rows in itertools.product(outcomes, repeat=passes):
        probability, plan = 1.0, []
        for number, length in enumerate(lengths):
            drawn = [row[number] for row in rows]
            sizes = masks[number][drawn].sum(axis=1)
            law = size_strata(length, passes)[np.arange(passes), sizes - 1]
            probability *= np.prod(law / [math.comb(length, size) for size in sizes])
            chosen = np.repeat(drawn, shared)
            weight = 1.0 / (strata[length].sum(axis=0)[np.repeat(sizes, shared) - 1] * np.repeat(sizes, shared))
            plan.append((masks[number][chosen], masks[number][chosen] * weight[:, None], losses[number][chosen]))
        if probability:
            whole = [np.concatenate(parts, axis=1)[None] for parts in zip(*plan, strict=True)]
            result = adjusted(whole[0], whole[1], whole[2][None], lengths, strata)
            total += probability * result.estimates[0, 0]
    return total


def likelihood_of(lengths):
    return sum(
        (np.array([1 / (len(row) * math.comb(len(row) - 1, int(row.sum()) - 1)) for row in masks]) @ losses).sum()
        for masks, losses in zip(*arbitrary(lengths), strict=True)
    )


@pytest.mark.parametrize(("lengths", "passes"), [((2, 2), 2), ((2, 2), 3), ((1, 2, 2), 2), ((3, 2), 2)])
def test_maths_blocks_regressed_together_are_unbiased_over_all_plans(lengths, passes):
    assert regression_mean(lengths, passes) == pytest.approx(likelihood_of(lengths), rel=1e-12)


def test_maths_control_blocks_fitted_to_their_own_pass_are_biased():
    assert abs(regression_mean((2, 2), 2, shared=3) / likelihood_of((2, 2)) - 1) > 0.01


def test_maths_few_passes_are_spread_over_blocks_and_many_are_independent():
    """One pass, 16 blocks: a size in each of 16 strata. From 4 passes on, the variances of the blocks are known."""
    stratified = estimator("uniform-count+stratified")
    plan = plan_blocks(stratified, (16,) * 16, 1, 3, np.random.default_rng(0))
    assert (np.sort(plan.block_sizes[:, 0], axis=-1) == np.arange(1, 17)).all()
    sizes = plan_blocks(stratified, (16,) * 16, 4, 3, np.random.default_rng(0)).block_sizes
    assert (np.sort(sizes[:, 0], axis=-1) != np.repeat(np.arange(1, 5), 4)).any()
    iid = plan_blocks(estimator("uniform-count"), (16,) * 16, 1, 3, np.random.default_rng(0)).block_sizes
    assert (np.sort(iid[:, 0], axis=-1) != np.arange(1, 17)).any(), "independent points stay independent"


def test_contract_spread_quantiles_keep_pairs_and_strata():
    rng = np.random.default_rng(0)
    points = rng.random((6, 4, 3))
    points[:, 1::2] = 1 - points[:, ::2]
    pairs = spread(points, "pairs", rng)
    np.testing.assert_allclose(pairs[:, 0, 0] + pairs[:, 1, 0], 1.0)
    np.testing.assert_array_equal(pairs[..., 1:], points[..., 1:])
    points[..., 0] = (np.arange(4) + rng.random((6, 4))) / 4
    strata = spread(points, "strata", rng)
    assert ((strata[..., 0] * 4).astype(int) == np.arange(4)).all()


def test_maths_variances_of_blocks_add_up():
    """The within-replicate variance is that over replicates: 1000 of them, relative error of both below 10 %."""
    model, tokens = ArbitraryBlocks(32, 4), TOKENS[:1]
    (target,) = make_targets(tokens)
    for name in ("uniform-count", "uniform-count+stratified", "triangular"):
        (drawn,) = draw(model, [Cell(estimator(name), target, 16, 1000)], 3)
        ratio = drawn.within_variance.variance.mean() / drawn.estimates.var(ddof=1)
        assert 0.85 < ratio < 1.6, name  # on purpose a little too large where strata have one pass each
        whole = ArbitraryBlocks(32, 4)
        whole.block_size = None
        (other,) = draw(whole, [Cell(estimator(name), target, 16, 1000)], 3)
        assert other.estimates.var() > 1.5 * drawn.estimates.var(), "control: without the block structure"


class ConvexLosses:
    """Losses that bend in the masked share of their block, with noise; 8 positions a block."""

    block_size = 8

    def __init__(self, length):
        self.noise = ArbitraryBlocks(length, 8)

    def token_nll(self, tokens, masked):
        share = masked.unflatten(1, (-1, 8)).double().mean(dim=2).repeat_interleave(8, dim=1)
        return masked * (0.5 + 3 * share**6 + 0.3 * self.noise.token_nll(tokens, masked))


@pytest.mark.parametrize("blocks", [1, pytest.param(12, marks=pytest.mark.slow)])
def test_maths_the_variance_of_a_regression_is_the_sum_over_blocks(blocks):
    """A bend between the strata costs nothing, in one block or in twelve: 80 draws, 16 passes (8 % accuracy)."""
    tokens = np.random.default_rng(0).integers(0, 5, (1, 8 * blocks))
    (target,) = make_targets(tokens)
    (drawn,) = draw(ConvexLosses(8 * blocks), [Cell(estimator("regression"), target, 16, 80)], 3)
    ratio = drawn.within_variance.variance.mean() / drawn.estimates.var(ddof=1)
    assert 0.8 < ratio < 4.0
    assert drawn.within_variance.degrees.mean() > 10 * blocks


def test_contract_more_replicates_and_chunks_continue_the_stream():
    model, (target,) = ArbitraryBlocks(32, 4), make_targets(TOKENS[:1])
    for name in ("regression", "block-chain", "uniform-count+stratified"):
        (all_at_once,) = draw(model, [Cell(estimator(name), target, 3, 5)], 3)
        (later,) = draw(model, [Cell(estimator(name), target, 3, 2, first=3)], 3)
        np.testing.assert_array_equal(later.estimates, all_at_once.estimates[3:])


def test_contract_coupled_sides_share_the_masks_of_their_common_blocks():
    (pair,) = make_pairs([TOKENS[0]], [TOKENS[1, :29]])
    pair = Blocks(4).of(pair)
    for name in ("uniform-count+stratified", "chain"):
        first, second = Coupled(estimator(name)).jobs(pair, 8, 2, np.random.default_rng(0))
        np.testing.assert_array_equal(first.plan.masks[..., :28], second.plan.masks[..., :28])


@pytest.mark.parametrize("name", ["uniform-count+stratified", "regression", "chain"])
def test_contract_coupled_sides_share_a_single_block(name):
    """Of 8 and 9 tokens, and of 4 and 5: the common blocks cancel; without coupling they do not."""
    for first, second in ((8, 9), (4, 5)):
        (pair,) = make_pairs([TOKENS[0, :first]], [TOKENS[0, :second]])
        (coupled,) = draw(ArbitraryBlocks(32, 4), [Cell(Coupled(estimator(name)), pair, 4, 40)], 1)
        (apart,) = draw(ArbitraryBlocks(32, 4), [Cell(Decoupled(estimator(name)), pair, 4, 40)], 1)
        assert coupled.estimates.std() < (0.1 if name != "regression" else 0.9) * apart.estimates.std()


@pytest.mark.parametrize(
    "name",
    [
        "exhaustive",
        pytest.param("regression", marks=pytest.mark.slow),
        "uniform-count+stratified",
        "without-replacement",
    ],
)
def test_maths_coupled_ratios_of_blocks(name):
    """Equal first blocks cancel exactly; the difference is that of the exact values, within 4.5 standard errors."""
    model = ArbitraryBlocks(32, 4)
    second = TOKENS[:1].copy()
    second[0, 20:] = TOKENS[1, 20:]
    passes = 15 if name == "exhaustive" else 8
    (pair,) = make_pairs(TOKENS[:1], second)
    (drawn,) = draw(model, [Cell(Coupled(estimator(name)), pair, passes, 100)], 2)
    first_value, second_value = exact(model, TOKENS[:1]), exact(model, second)
    error = drawn.estimates.mean() - (second_value - first_value)[0]
    assert abs(error) <= 4.5 * drawn.estimates.std() / 10 + 1e-9
    if name != "exhaustive":
        (apart,) = draw(model, [Cell(estimator(name), pair.first, passes, 100)], 2)
        assert drawn.estimates.var() < 1.5 * apart.estimates.var(), "the first 20 tokens add no variance"


def test_maths_a_scan_of_a_block_model_sees_substitutions_in_later_blocks():
    """A substitution that is masked in its own block changes the losses of later blocks; that of the last one does
    not, and is priced together with others there."""
    model, (target,) = ArbitraryBlocks(10, 4), make_targets(TOKENS[:1, :10])
    target = in_blocks(target, model)
    plan = estimator("exhaustive").plan_target(target, 15, 1, np.random.default_rng(0))
    scanned = evaluate_substitutions(model, target, plan, [1, 5, 9], [4, 4, 4])
    _, *mutants = scanned
    for place, mutant in zip([1, 5, 9], mutants, strict=True):
        tokens = target.tokens.copy()
        tokens[place] = 4
        assert tokens[place] != target.tokens[place]
        value = estimator("exhaustive").reduce(plan, mutant.losses)[0]
        np.testing.assert_allclose(value, slow_value(model, tokens), rtol=1e-12)
    assert mutants[2].forward_passes < mutants[0].forward_passes


def test_errors_blocks():
    model = ArbitraryBlocks(8, 4)
    for size, message in (
        (0, "block_size must be a positive integer, got 0"),
        (2.5, "got 2.5"),
        (True, "got True"),
    ):
        model.block_size = size
        with pytest.raises(InputError, match=message):
            blocks_of(model)
    model.block_size, model.block_start = 4, 0.5
    with pytest.raises(InputError, match=r"block_start must be an integer, got 0\.5"):
        blocks_of(model)
    given = np.array([[False, True, False, False, True, False]])
    (target,) = make_targets([[0, 1, 2, 3, 4, 0]], given)
    with pytest.raises(
        InputError, match="position 4 is context, but a block-diffusion model with blocks of 2 does not"
    ):
        Blocks(2).of(target)
    assert Blocks(6).of(target).blocks == (4,)
    assert blocks_of(ArbitraryLosses(3)) is None
    with pytest.raises(InputError, match="at most 2147483648"):
        Blocks(10**30)
    with pytest.raises(InputError, match="in blocks of 4 scored positions, chain needs at least 4 passes"):
        estimator("chain").sample(ArbitraryBlocks(8, 4), TOKENS[:, :8], passes=3, replicates=1, rng=0)


def test_contract_equal_blocks_are_equal_values():
    assert Blocks(4, 4) == Blocks(4) == Blocks(4, -8) != Blocks(4, 1)
    assert str(Blocks(4, 5)) == "blocks of 4 that begin at position 1"
