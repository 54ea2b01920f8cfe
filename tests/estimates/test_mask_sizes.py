"""Contributions by mask size: each is unbiased, they sum to the estimate, and the band covers simultaneously."""

from itertools import combinations

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import Job, evaluate
from infodis_stats.estimates.mask_sizes import size_nll
from tests.support.stat_asserts import assert_mean, assert_rate
from tests.support.toys import ArbitraryLosses, slow_nll

LENGTH = 5
TOKENS = np.zeros((1, LENGTH), dtype=np.int64)
NAMES = [
    "uniform-count",
    "time-free",
    "uniform-count+stratified",
    "systematic",
    "block-chain",
    "triangular",
    "regression",
]


def exact_curve(model):
    """Return g(m) by its definition: the mean loss over all sets of size m and their members."""
    curve = []
    for size in range(1, LENGTH + 1):
        losses = []
        for members in combinations(range(LENGTH), size):
            masked = torch.zeros(1, LENGTH, dtype=torch.bool)
            masked[0, list(members)] = True
            losses += model.token_nll(torch.from_numpy(TOKENS), masked)[0, list(members)].tolist()
        curve.append(np.mean(losses))
    return np.array(curve)


def by_bin(curve, edges):
    return np.add.reduceat(curve, edges[:-1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edges", [[0, 1, 2, 3, 4, 5], [0, 2, 5]])
def test_each_bin_is_unbiased_for_any_model(name, edges):
    """Means over 1,500 groups of 2 replicates are within 4 standard errors; a curve 10 % off in one bin is not."""
    model, edges = ArbitraryLosses(LENGTH, seed=2, skew=2.0), np.array(edges)
    (target,) = ids.make_targets(TOKENS)
    plan = ids.estimator(name).plan(LENGTH, 8, 3000, np.random.default_rng(5))
    (every,) = evaluate(model, [Job(target, plan)])
    found = []
    for start in range(0, 3000, 2):
        part = slice(start, start + 2)
        one = ids.Evaluation(target, ids.MaskPlan(plan.masks[part], plan.weights[part]), every.losses[part], 0)
        found.append(size_nll(one, edges).mean(axis=0))
    expected = by_bin(exact_curve(model), edges)
    assert_mean(np.array(found).T, expected)
    with pytest.raises(AssertionError):
        assert_mean(np.array(found).T, expected * np.linspace(1.1, 1.0, len(expected)))


def test_all_masks_give_the_exact_curve():
    model = ArbitraryLosses(LENGTH, seed=4)
    found = ids.estimate_sizes(model, TOKENS, "exhaustive", passes=31, replicates=2)
    (target,) = ids.make_targets(TOKENS)
    np.testing.assert_allclose(found["size_loss"].values[0], exact_curve(model))
    assert found["size_nll"].sum().item() == pytest.approx(slow_nll(model, target))
    assert found["size_share"].sum().item() == pytest.approx(1)
    assert found["most_masked"].values.tolist() == [[1, 2, 3, 4, 5]]


def test_bands_have_simultaneous_coverage():
    """400 bands of a law with exact values; pointwise intervals of the same draws miss some bin more often."""
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    tokens = np.repeat(law.sample(1, length=LENGTH, seed=1), 400, axis=0)
    truth = ids.estimate_sizes(law, tokens[:1], "exhaustive", passes=31, replicates=2)["size_nll"].values
    found = ids.estimate_sizes(law, tokens, "uniform-count", passes=16, replicates=16)

    def hold(half):
        return int((np.abs(found["size_nll"].values - truth) <= half + 1e-9).all(axis=1).sum())

    band = hold((found["size_nll_ci"].sel(ci_bound="upper") - found["size_nll"]).values)
    # Skewed terms lower coverage a little: 92 % is required, minus four binomial standard deviations.
    if band < 0.92 * 400:
        assert_rate(band, 400, 0.92)
    assert hold(2.13 * found["size_nll_se"].values) < 0.9 * 400  # t with 15 degrees of freedom


def test_redundant_tokens_contribute_at_the_largest_sizes():
    law = ids.TableLaw(["AAAAAAAAAAAA", "BBBBBBBBBBBB"], [0.5, 0.5])
    found = ids.estimate_sizes(law, law.encode(["AAAAAAAAAAAA"]), bins=4, passes=12)
    np.testing.assert_allclose(found["size_share"].values, [[0, 0, 0, 1]], atol=1e-12)
    assert found["size_nll"].sum().item() == pytest.approx(np.log(2))


def test_lengths_may_differ_and_names_and_attributes_are_kept():
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    tokens = [law.sample(1, length=length, seed=1)[0] for length in (6, 40)]
    found = ids.estimate_sizes(law, tokens, names=["short", "long"], context=2)
    assert found.sizes["bin"] == 4
    assert found["most_masked"].values[:, -1].tolist() == [4, 38]
    assert found["sequence"].values.tolist() == ["short", "long"]
    assert found["size_nll_ci"].attrs["units"] == "nat"
    total = found["size_nll"].sum("bin").values
    assert (
        np.abs(total - law.nll(tokens[0][None], context=2)[0])[0]
        < 6 * np.sqrt((found["size_nll_se"] ** 2).sum("bin"))[0]
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"estimator": "time-integral(eps=0.01)"}, "biased"), ({"bins": 0}, "bin"), ({"replicates": 1}, "2")],
)
def test_bad_input_is_rejected(asked, words):
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    with pytest.raises(ids.InputError, match=words):
        ids.estimate_sizes(law, law.sample(1, length=5, seed=1), **asked)


class FailsOn:
    """A law that gives NaN for one sequence."""

    def __init__(self, law, row):
        self.law, self.row = law, torch.as_tensor(row)

    def token_nll(self, tokens, masked):
        failing = (tokens == self.row).all(dim=1, keepdim=True)
        return torch.where(failing, float("nan"), self.law.token_nll(tokens, masked))


def test_sequences_that_the_model_fails_on_are_named_and_the_others_kept():
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    tokens, names = law.sample(3, length=12, seed=1), ["a", "b", "c"]
    model = FailsOn(law, tokens[1])
    found = ids.estimate_sizes(model, tokens, bins=3, names=names)
    alone = ids.estimate_sizes(model, tokens[[0, 2]], bins=3, names=["a", "c"])
    for name in ("size_nll", "size_nll_ci", "size_share", "most_masked"):
        np.testing.assert_array_equal(found[name].sel(sequence=["a", "c"]), alone[name])
    assert found["size_nll"].sel(sequence="b").isnull().all()
    assert (found["failed"] != "").values.tolist() == [False, True, False]
    assert "the model returned NaN as a loss" in found["failed"].values[1]
    with pytest.raises(ids.ModelError, match="the model returned NaN as a loss"):
        ids.estimate_sizes(model, tokens[[1]], bins=3)
