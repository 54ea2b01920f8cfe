"""Swap defects match their definition; laws have none, and inconsistent models are detected."""

from itertools import combinations

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.estimates.order_swaps import OrderSwap
from tests.support.stat_asserts import assert_mean
from tests.support.toys import ArbitraryLosses

LENGTH = 4
TOKENS = np.zeros((1, LENGTH), dtype=np.int64)


def losses(model, masked):
    rows = torch.zeros(1, LENGTH, dtype=torch.bool)
    rows[0, sorted(masked)] = True
    return model.token_nll(torch.from_numpy(TOKENS), rows)[0]


def defect(model, masked, one, two):
    """Return the loss of revealing ``one`` before ``two`` minus that of the other order."""
    both, first, second = (losses(model, part) for part in (masked, masked - {one}, masked - {two}))
    return float(both[one] + first[two] - both[two] - second[one])


def mean_square(model):
    """Return the exact mean of the squared defect: uniform over sizes 2..L, then sets, then ordered pairs."""
    by_size = []
    for size in range(2, LENGTH + 1):
        squares = [
            defect(model, set(masked), one, two) ** 2
            for masked in combinations(range(LENGTH), size)
            for one in masked
            for two in masked
            if one != two
        ]
        by_size.append(np.mean(squares))
    return np.mean(by_size)


def test_the_mean_square_is_unbiased():
    model = ArbitraryLosses(LENGTH, seed=5)
    found = ids.order_swaps(model, TOKENS, swaps=5000, seed=2)
    squares = found["swap_defect"].values[0] ** 2
    assert_mean(squares, mean_square(model))
    assert_mean(found["swap_defect"].values[0], 0.0)  # each pair occurs in both orders
    with pytest.raises(AssertionError):
        assert_mean(squares, 1.2 * mean_square(model))
    assert found["swap_rms"].item() == pytest.approx(np.sqrt(squares.mean()))
    assert found["one_law"].item() == 0
    assert found["swaps_beyond"].item() == 1


def test_a_plan_is_three_masks_with_signed_weights():
    (target,) = ids.make_targets(TOKENS)
    (job,) = OrderSwap().jobs(target, 3, 50, np.random.default_rng(0))
    for masks, weights in zip(job.plan.masks, job.plan.weights, strict=True):
        one, two = int(weights[0].argmax()), int(weights[0].argmin())
        whole = set(np.flatnonzero(masks[0]).tolist())
        assert [set(np.flatnonzero(mask).tolist()) for mask in masks[1:]] == [whole - {one}, whole - {two}]
        assert weights[1, two] == 1
        assert weights[2, one] == -1
        assert np.abs(weights).sum() == 4


def test_a_law_has_no_defects_and_the_interval_bounds_undetected_ones():
    law = ids.HiddenMarkov.random(states=3, alphabet="ACGT", seed=1)
    found = ids.order_swaps(law, law.sample(2, length=60, seed=1), swaps=40, context=4)
    assert np.abs(found["swap_defect"]).max() < 1e-10
    assert found["one_law"].values.all()
    np.testing.assert_allclose(found["swaps_beyond_ci"].values[:, 1], 1 - 0.025 ** (1 / 40))


def test_defects_of_the_bundled_network_are_detected_in_few_passes():
    model = ids.load_model("austen")
    text = "that a single man in possession of a good fortune, must be in want of a wife."
    found = ids.order_swaps(model, model.encode(text)[None], swaps=16)
    assert found["one_law"].item() == 0
    assert found["swap_rms"].item() > 100 * found.attrs["tolerance"]
    assert found["forward_passes"].item() <= 48


@pytest.mark.parametrize(
    ("tokens", "asked", "words"),
    [
        ([[0]], {}, "two"),
        ([[0, 1]], {"swaps": 0}, "swap"),
        ([[0, 1]], {"tolerance": 2.0}, "tolerance"),
        ([[0, 1]], {"level": 0}, "level"),
    ],
)
def test_bad_input_is_rejected(tokens, asked, words):
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    with pytest.raises(ids.InputError, match=words):
        ids.order_swaps(law, tokens, **asked)
