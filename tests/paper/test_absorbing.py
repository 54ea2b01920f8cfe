"""Section 3.2: under absorbing noise the score entropy is a cross entropy of masked tokens."""

import numpy as np
import pytest

from estimators import Absorbing, Geometric, LogLinear, Polynomial, Schedule
from tests.support.masked_sums import cross_entropies, sum_over_masks, time_weights
from tests.support.noised_laws import CASES, MaskedModel, NoisedLaw

NOISED = {name: noised for name, (noised, _) in CASES.items() if noised.noise == Absorbing()}
EVERY_LAW = pytest.mark.parametrize("noised", NOISED.values(), ids=NOISED)
SCHEDULES = [LogLinear(), LogLinear(eps=0.01), Polynomial(), Geometric(smallest=0.1, largest=5.0)]
EVERY_SCHEDULE = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: one.name)


def inconsistent(noised: NoisedLaw, *, normalised: bool = True) -> MaskedModel:
    return MaskedModel(noised.length, noised.symbols, normalised=normalised)


def assert_losses_agree_pointwise(noised: NoisedLaw, model, schedule: Schedule):
    """For every x0, every state that it can reach, and times from almost no noise to strong noise."""
    times = np.array([1e-6, 0.1, 0.5, 0.9, 0.999])
    total_noise, rate = schedule.total_noise(times), schedule.rate(times)
    level = -np.expm1(-total_noise)
    reached = noised.transition([1.0])[0] > 0
    assert reached.sum() == 2**noised.length * len(noised.clean)
    scores = rate[:, None] * noised.score_entropies(model, total_noise)[:, reached]
    crosses = cross_entropies(model, noised.clean, noised.noised == noised.symbols)[reached]
    np.testing.assert_allclose(scores, (rate * (1 - level) / level)[:, None] * crosses, rtol=1e-9, atol=1e-12)


def assert_training_losses_agree(noised: NoisedLaw, model, schedule: Schedule, end: float):
    level = -np.expm1(-schedule.total_noise(end))
    crosses = sum_over_masks(model, noised.clean, time_weights(noised.length, level))
    np.testing.assert_allclose(noised.integrated_score_entropy(model, schedule, end), crosses, rtol=1e-9)


@EVERY_SCHEDULE
@EVERY_LAW
def test_lemma_3_3_exact_scores(noised, schedule):
    """``l_DSE(x0, x, t, s*) = sigma(t) (1 - lam)/lam DCE``, the sum of ``-log p(x0_i | unmasked)`` where masked."""
    assert_losses_agree_pointwise(noised, noised.law, schedule)


@EVERY_SCHEDULE
@EVERY_LAW
def test_lemma_3_3_any_normalised_conditionals(noised, schedule):
    """The same for ratios ``s(x)_y = (1 - lam)/lam q(y_i | unmasked)`` of any model with ``sum_a q(a | .) = 1``."""
    assert_losses_agree_pointwise(noised, inconsistent(noised), schedule)


@EVERY_LAW
def test_lemma_3_3_control_unnormalised_conditionals(noised):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_losses_agree_pointwise(noised, inconsistent(noised, normalised=False), LogLinear())


@pytest.mark.parametrize("end", [0.2, 0.7, 1.0])
@EVERY_SCHEDULE
@EVERY_LAW
def test_theorem_3_4_training_losses_agree(noised, schedule, end):
    """``int_0^T E[l_DSE] dt = int_0^{lam(T)} (1/lam) E[DCE] dlam`` at every T, for any conditionals."""
    for model in (noised.law, inconsistent(noised)):
        assert_training_losses_agree(noised, model, schedule, end)


@EVERY_LAW
def test_theorem_3_4_control_unnormalised_conditionals(noised):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_training_losses_agree(noised, inconsistent(noised, normalised=False), LogLinear(), 0.7)


@EVERY_LAW
def test_theorem_3_4_control_different_ends(noised):
    """Control: both integrals must run to the same noise, not to the same value of their variable."""
    found = noised.integrated_score_entropy(noised.law, Polynomial(), 0.7)
    other = sum_over_masks(noised.law, noised.clean, time_weights(noised.length, 0.7))
    assert (np.abs(found - other) > 1e-2).all()
