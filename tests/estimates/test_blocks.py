"""Every estimate knows the blocks of a block-diffusion model: values agree with all masks of each block."""

import itertools
import json

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators.model import in_blocks
from infodis_stats.analysis import jensen_gap
from tests.support.toys import ArbitraryBlocks

TOKENS = np.random.default_rng(2).integers(0, 5, (3, 14))
LENGTH = 14


def model(start=0):
    return ArbitraryBlocks(LENGTH, 4, start)


def exact(tokens, context=0, start=0):
    return ids.estimate_nll(model(start), tokens, "exhaustive", passes=15, replicates=1, context=context)["nll"].values


def test_auto_is_exact_and_its_rows_are_distinct_masks():
    """The full mask of the partial last block is in another pass than those of the others; nothing more is run."""
    scored = model()
    result = ids.estimate_nll(scored, TOKENS, passes=16)
    assert scored.rows == result.attrs["forward_passes"] == 3 * 15
    assert "exhaustive" in result.attrs["choices"]
    assert (result.attrs["block_size"], result.attrs["block_start"]) == (4, 0)
    assert not result["cautions"].any()
    np.testing.assert_array_equal(result["nll_ci"][:, 0], result["nll"])


@pytest.mark.parametrize("passes", [pytest.param(1, marks=pytest.mark.slow), 3, 8])
@pytest.mark.parametrize("context", [0, 3])
def test_estimates_with_few_and_with_many_passes_agree_with_all_masks(passes, context):
    """Three sequences x 2048 passes and more: within 5 standard errors; the values of blocks of 7 are not."""
    replicates = 256 if passes > 1 else 4096
    result = ids.estimate_nll(
        model(2), TOKENS, passes=passes, replicates=replicates, context=context, interval="student-t"
    )
    error = np.maximum(result["nll_se"].values, 1e-9)
    assert np.abs((result["nll"].values - exact(TOKENS, context, 2)) / error).max() < 5
    other = ArbitraryBlocks(LENGTH, 7, 2)
    wrong = ids.estimate_nll(other, TOKENS, "exhaustive", passes=127, replicates=1, context=context)["nll"].values
    assert np.abs((result["nll"].values - wrong) / error).max() > 5, "control"


def test_precision_ranking_and_ratios():
    values = exact(TOKENS)
    precise = ids.estimate_nll(model(), TOKENS, "uniform-count+stratified", passes=8, precision="5%", seed=1)
    assert precise["reached"].all()
    assert (np.abs(precise["nll"].values - values) < 4 * precise["nll_se"].values).all()
    ranking = ids.rank_candidates(model(), list(TOKENS), passes=16)
    assert ranking["leader"].item() == values.argmin()
    ratio = ids.estimate_log_ratio(model(), TOKENS[:1], TOKENS[1:2, :13], passes=15, replicates=2)
    expected = exact(TOKENS[1:2, :13])[0] - values[0]
    np.testing.assert_allclose(ratio["log_ratio"].values, expected, rtol=1e-10)


def test_the_intervals_of_coupled_ratios_cover():
    """Near copies that differ in one block, 8 passes: 60 intervals at 95 %; fewer than 50 is improbable (1e-4)."""
    second = TOKENS[:1].copy()
    second[0, 5] = (second[0, 5] + 1) % 5
    truth = exact(second)[0] - exact(TOKENS[:1])[0]
    hits = 0
    for seed in range(60):
        result = ids.estimate_log_ratio(
            model(), TOKENS[:1], second, "uniform-count+stratified", passes=8, replicates=2, seed=seed
        )
        low, high = result["log_ratio_ci"].values[0]
        hits += low <= truth <= high
    assert hits >= 50


def test_a_scan_agrees_with_separate_values():
    scan = ids.scan_substitutions(model(), TOKENS[0], "exhaustive", passes=15, positions=[1, 6, 13], symbols=[4, 0])
    for position in (1, 6, 13):
        for symbol in (4, 0):
            if TOKENS[0, position] != symbol:
                mutant = TOKENS[:1].copy()
                mutant[0, position] = symbol
                found = scan["log_ratio"].sel(position=position).values[scan["token"].values == symbol]
                np.testing.assert_allclose(found, exact(TOKENS[:1]) - exact(mutant), atol=1e-10)


def test_sizes_are_those_of_blocks():
    """Blocks of 4, 4, 4 and 2: contributions add up, and agree with all masks."""
    sizes = ids.estimate_sizes(model(), TOKENS, "uniform-count+stratified", bins=4, passes=16, replicates=64)
    assert sizes["most_masked"].values[0].tolist() == [1, 2, 3, 4]
    every = ids.estimate_sizes(model(), TOKENS, "exhaustive", bins=4, passes=15, replicates=2)
    np.testing.assert_allclose(every["size_nll"].sum("bin").values, exact(TOKENS), rtol=1e-10)
    z = (sizes["size_nll"] - every["size_nll"]).values / np.maximum(sizes["size_nll_se"].values, 1e-9)
    assert np.abs(z).max() < 4.5
    np.testing.assert_allclose(
        every["size_loss"].values * [4, 4, 3, 3], every["size_nll"].values, rtol=1e-10
    )  # two blocks have no masks of 3 or 4


def test_orders_and_swaps_stay_within_blocks():
    gaps = ids.order_gap(model(), TOKENS[:1], orders=400)
    assert gaps.attrs["passes"] == 4
    z = (gaps["order_nll"].values.mean() - exact(TOKENS[:1])[0]) / (gaps["order_nll"].values.std() / 20)
    assert abs(z) < 4.5
    assert ids.order_swaps(model(), TOKENS[:1], swaps=50)["swaps_beyond"].item() > 0.9
    whole = model()
    whole.block_size = None
    assert ids.order_swaps(whole, TOKENS[:1], swaps=50)["swaps_beyond"].item() < 0.6, "control: most blocks differ"
    with pytest.raises(ids.InputError, match="has 1 scored position in each block; a swap needs two"):
        ids.order_swaps(ArbitraryBlocks(LENGTH, 1), TOKENS[:1])


def exact_gap(scored, tokens):
    """The sum over blocks of the mean over all orders, minus minus the log of the mean probability."""
    total = 0.0
    for block in range(-(-len(tokens) // scored.block_size)):
        places = range(block * scored.block_size, min((block + 1) * scored.block_size, len(tokens)))
        costs = []
        for order in itertools.permutations(places):
            masks = torch.zeros(len(order), len(tokens), dtype=torch.bool)
            for step in range(len(order)):
                masks[step, list(order[step:])] = True
            losses = scored.token_nll(torch.tensor(tokens).expand(len(order), -1), masks)
            costs.append(sum(float(losses[step, place]) for step, place in enumerate(order)))
        total += np.mean(costs) + np.log(np.mean(np.exp(-np.array(costs))))
    return total


def test_the_order_gap_is_the_sum_over_blocks():
    """Within 4.5 standard errors of all orders of each block, with a finite interval; of whole orders it has none."""
    truth = exact_gap(model(), TOKENS[0])
    gaps = ids.order_gap(model(), TOKENS[:1], orders=300)
    assert abs(gaps["order_gap"].item() - truth) < 4.5 * gaps["order_gap_se"].item()
    assert np.isfinite(gaps["order_gap_ci"].values).all()
    assert gaps["order_gap_se"].item() < 0.2 * truth
    assert not np.isfinite(jensen_gap(gaps["order_nll"].values).upper).all(), "control"


def test_two_models_with_other_blocks_are_compared_under_masks_of_whole_sequences():
    first, second = model(), ArbitraryBlocks(LENGTH, 2, seed=1)
    tokens = TOKENS[:1, :8]
    result = ids.estimate_model_log_ratio(first, second, tokens, passes=16, replicates=200)
    expected = (
        ids.estimate_nll(second, tokens, "exhaustive", passes=3, replicates=1)["nll"].item()
        - ids.estimate_nll(first, tokens, "exhaustive", passes=15, replicates=1)["nll"].item()
    )
    assert abs(result["log_ratio"].item() - expected) < 4.5 * result["log_ratio_se"].item()
    same = ids.estimate_model_log_ratio(first, model(), tokens, passes=15, replicates=1)
    assert same["log_ratio"].item() == 0.0
    assert same.attrs["forward_passes"] == 30


def test_choices_are_those_of_what_was_planned():
    """Models of other blocks are compared under whole masks; the longest block of a short target may be partial."""
    whole = ids.estimate_model_log_ratio(model(), ArbitraryBlocks(LENGTH, 2), TOKENS, passes=16, replicates=2)
    assert list(json.loads(whole.attrs["choices"])) == ["regression"]
    assert "block_size" not in whole.attrs
    partial = ids.estimate_nll(model(2), TOKENS[:1, :4], passes=3, replicates=2)
    assert list(json.loads(partial.attrs["choices"])) == ["exhaustive"]
    assert (partial["nll_se"] == 0).all()
    costly = ids.estimate_nll(model(), TOKENS, "auto(pass_cost=0.00001)", passes=12, replicates=2)
    assert "without-replacement" in costly.attrs["choices"]


def test_auto_weighs_the_cost_of_a_regression_of_all_blocks():
    (target,) = ids.make_targets([[0] * 512])
    cheap = ids.estimator("auto(pass_cost=0.001)")
    one = in_blocks(target, ArbitraryBlocks(512, 512)), in_blocks(target, ArbitraryBlocks(512, 16))
    names = {cheap.choice(each, 32, model()).estimator.name for each in one}
    assert names == {"block-chain+antithetic"}
    assert cheap.choose(16, 32).estimator.name == "regression", "control: one block alone"


def test_an_exact_ratio_needs_one_replicate_whatever_the_lengths():
    ratio = ids.estimate_log_ratio(model(), TOKENS[:1], TOKENS[1:2, :13], "exhaustive", passes=15, replicates=1)
    assert (ratio["log_ratio_ci"].values == ratio["log_ratio"].values).all()
    with pytest.raises(ids.InputError, match="needs at least 2 replicates"):
        ids.estimate_log_ratio(model(), TOKENS[:1], TOKENS[1:2, :13], "block-chain", passes=4, replicates=1)


def test_errors_context_in_a_later_block():
    given = np.zeros((3, LENGTH), dtype=bool)
    given[:, 9] = True
    for call in (
        lambda: ids.estimate_nll(model(), TOKENS, context=given),
        lambda: ids.estimate_model_log_ratio(model(), ArbitraryBlocks(LENGTH, 2), TOKENS, context=given),
    ):
        with pytest.raises(ids.InputError, match="position 9 is context, but a block-diffusion model with blocks of"):
            call()
