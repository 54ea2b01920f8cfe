"""Score ratios from predictions of clean tokens, against exact laws; the formula of the other prediction fails."""

import numpy as np
import pytest
import torch

from estimators import Absorbing, InputError, Mixed, RateMatrix, Uniform, estimator
from infodis_stats.laws import MarkovChain
from infodis_stats.models.score_ratios import leave_one_out_ratios, posterior_ratios
from tests.support.noised_laws import NoisedLaw
from tests.support.noising import random_rates

LAW = MarkovChain.random(1, "ABC", seed=3)
NOISED = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1], [1, 0, 0, 2]])
AMOUNTS = torch.tensor([1e-9, 0.4, 5.0], dtype=torch.float64)
NOISES = {"uniform": Uniform(), "rates": RateMatrix(random_rates(4, 1)), "absorbing": Absorbing(), "mixed": Mixed(0.2)}


def seen(noise):
    """The states, some of them no symbols where there are others, and their evidence by symbol."""
    noised = NOISED.clone()
    noised[0, 1] = noised[2, 2] = noise.states(3) - 1
    kernel = noise.kernel(AMOUNTS, 3)
    return noised, kernel[torch.arange(3)[:, None], noised]


def posterior(noise):
    noised, evidence = seen(noise)
    return noised, LAW.posterior(evidence)[1].log()


def leave_one_out(noise):
    noised, evidence = seen(noise)
    logs = []
    for position in range(noised.shape[1]):
        without = evidence.clone()
        without[:, position] = 1.0
        logs.append(LAW.posterior(without)[1][:, position].log())
    return noised, torch.stack(logs, dim=1)


def difference(ratios, predicted, noise):
    noised, logs = predicted(noise)
    expected = LAW.log_ratios(noised, torch.ones_like(noised, dtype=torch.bool), AMOUNTS, noise)
    asked = noise.inflow(noised, AMOUNTS, 3) > 0
    assert asked.any()
    return (ratios(logs, noised, AMOUNTS, noise) - expected)[asked].abs().max().item()


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_maths_both_predictions_of_a_law_give_its_ratios(noise):
    assert difference(leave_one_out_ratios, leave_one_out, noise) < 1e-11
    assert difference(posterior_ratios, posterior, noise) < 1e-11


@pytest.mark.parametrize("noise", [NOISES["uniform"], NOISES["rates"]], ids=["uniform", "rates"])
def test_control_a_prediction_under_the_formula_of_the_other_gives_other_ratios(noise):
    assert difference(leave_one_out_ratios, posterior, noise) > 0.5
    assert difference(posterior_ratios, leave_one_out, noise) > 0.5


@pytest.mark.parametrize("ratios", [leave_one_out_ratios, posterior_ratios])
def test_maths_the_closed_form_of_uniform_noise_equals_the_sum_over_its_kernel(ratios):
    logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4
    by_kernel = RateMatrix(Uniform().rates(5).numpy())
    closed, summed = (ratios(logits, NOISED, AMOUNTS, noise) for noise in (Uniform(), by_kernel))
    torch.testing.assert_close(closed, summed, rtol=0, atol=1e-9)
    assert torch.equal(closed.gather(2, NOISED[..., None]), torch.zeros(3, 4, 1, dtype=torch.float64))


@pytest.mark.parametrize("ratios", [leave_one_out_ratios, posterior_ratios])
def test_single_precision_suffices_at_tiny_noise_and_for_sure_predictions(ratios):
    logits = 40 * torch.randn(3, 4, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    single = ratios(logits.float(), NOISED, AMOUNTS, Uniform())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), ratios(logits, NOISED, AMOUNTS, Uniform()), rtol=1e-5, atol=1e-4)


class SeesItself:
    """The leave-one-out ratios of a network that predicts the posterior: it uses the state of each position twice."""

    vocabulary_size = 3

    def log_ratios(self, noised, acts, total_noise, noise):
        evidence = noise.kernel(total_noise, 3)[torch.arange(len(noised))[:, None], noised]
        return leave_one_out_ratios(UNEVEN.posterior(evidence)[1].log(), noised, total_noise, noise)


UNEVEN = MarkovChain([0.6, 0.3, 0.1], [[0.5, 0.3, 0.2]] * 3, "ABC")


def test_maths_an_average_over_own_noise_is_no_bound_for_ratios_that_depend_on_the_own_state():
    """At one position the likelihood enters twice, once for each look at the clean token: half of it is left.

    The plain score entropy bounds the likelihood on average over the law.
    """
    law = NoisedLaw(UNEVEN, 1, Uniform())
    plain, marginal = (integral(law, marginal=one) for one in (False, True))
    assert (plain - law.nll)[:2].min() > 0.3
    assert plain @ np.exp(-law.nll) > law.nll @ np.exp(-law.nll)
    np.testing.assert_allclose(marginal, law.nll / 2, rtol=1e-5)
    with pytest.raises(InputError, match=r"^SeesItself does not declare that its ratios come from one law"):
        estimator("marginal-score-entropy(uniform)").sample(SeesItself(), [[0]], passes=2, replicates=1, rng=0)


def integral(law, *, marginal):
    amounts, widths = np.exp(np.arange(-30.0, 5.0, 0.1)), 0.1
    return (amounts * widths) @ law.expected_score_entropy(SeesItself(), amounts, marginal=marginal)
