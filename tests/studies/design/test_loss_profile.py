"""Loss profiles: a pilot estimate and one fully masked pass."""

import numpy as np
import torch

import infodis_stats as ids
from estimators import Cell, draw, make_targets
from infodis_stats.studies.design.reference_values import LossProfiler

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)


def test_it_has_the_pilot_estimate_and_the_fully_masked_pass():
    (target,) = make_targets(LAW.sample(1, 6, seed=0), context=2)
    (one,) = draw(LAW, [Cell(LossProfiler(), target, 64, 3)], 0)
    pilot, full = one.evaluations
    weighted = (pilot.plan.weights * pilot.losses).sum(axis=(-2, -1))
    np.testing.assert_allclose(one.estimates, weighted, rtol=1e-12)
    assert full.plan.masks.all()
    assert full.losses.shape == (3, 1, 4)
    masked = torch.tensor([[False] * 2 + [True] * 4])
    expected = LAW.token_nll(torch.as_tensor(target.tokens[None]), masked).numpy()
    np.testing.assert_allclose(full.losses[0, 0], expected[0, 2:], rtol=1e-12)


def test_replicates_have_independent_masks():
    (target,) = make_targets(LAW.sample(1, 6, seed=0))
    (one,) = draw(LAW, [Cell(LossProfiler(), target, 8, 2)], 0)
    assert one.estimates[0] != one.estimates[1]
