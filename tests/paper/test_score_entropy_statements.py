"""Section 3.1: the score entropy is the rate at which noise destroys information (I-MDSE)."""

import numpy as np
import pytest

from estimators import Geometric, LogLinear, Polynomial, Schedule, ScoreModel, Uniform
from tests.support.noised_laws import CASES, TABLE, NoisedLaw, Tilted, derivative

TIMES = [0.2, 0.5, 0.8]
SCHEDULES = [LogLinear(), Polynomial(), Geometric(smallest=0.1, largest=5.0)]
EVERY_CASE = pytest.mark.parametrize(("noised", "wrong"), CASES.values(), ids=CASES)


def loss_at(noised: NoisedLaw, model: ScoreModel, schedule: Schedule, time: float):
    """``E[l_DSE(x0, x, t, s)]``, rate included: (clean,)."""
    return schedule.rate(time) * noised.expected_score_entropy(model, schedule.total_noise([time]))[0]


def assert_divergence_falls_by_the_loss(noised: NoisedLaw, model: ScoreModel, schedule: Schedule, time: float):
    """To 1e-8, the accuracy of the numerical derivatives."""
    slope = derivative(lambda times: noised.kl(schedule.total_noise(times)), time)
    np.testing.assert_allclose(-slope, loss_at(noised, model, schedule, time), rtol=1e-8)


def assert_information_falls_by_the_loss(noised: NoisedLaw, model: ScoreModel, schedule: Schedule, time: float):
    slope = derivative(lambda times: noised.mutual_information(schedule.total_noise(times)), time)
    mean = np.exp(-noised.nll) @ loss_at(noised, model, schedule, time)
    np.testing.assert_allclose(-slope, mean, rtol=1e-8)


def assert_integral_is_the_likelihood(noised: NoisedLaw, model: ScoreModel, schedule: Schedule, end: float):
    """The integral plus the remaining divergence at the end."""
    (left,) = noised.kl(schedule.total_noise([end]))
    integral = noised.integrated_score_entropy(model, schedule, end)
    np.testing.assert_allclose(integral + left, noised.nll, rtol=1e-10)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: one.name)
@EVERY_CASE
def test_theorem_3_1_pointwise(noised, wrong, schedule, time):
    """I-MDSE: ``d/dt KL(p_{t|0}(. | x0) || p_t) = -E_{x ~ p_{t|0}}[l_DSE(x0, x, t, s*)]`` for every x0."""
    assert_divergence_falls_by_the_loss(noised, noised.law, schedule, time)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: one.name)
@EVERY_CASE
def test_theorem_3_1_mutual_information(noised, wrong, schedule):
    """I-MDSE: ``d/dt I(x0; x_t) = -mdse(t)``, and ``mdse`` is a minimum: other scores have a larger loss."""
    for time in TIMES:
        assert_information_falls_by_the_loss(noised, noised.law, schedule, time)
        models = (noised.law, wrong, Tilted(noised))
        best, *others = (np.exp(-noised.nll) @ loss_at(noised, model, schedule, time) for model in models)
        assert min(others) > best * 1.001


@EVERY_CASE
def test_theorem_3_1_control_wrong_scores(noised, wrong):
    for model in (wrong, Tilted(noised)):
        for check in (assert_divergence_falls_by_the_loss, assert_information_falls_by_the_loss):
            with pytest.raises(AssertionError, match="Not equal to tolerance"):
                check(noised, model, LogLinear(), 0.5)


def test_theorem_3_1_control_a_wrong_schedule():
    """Control: the total noise of one schedule with the rate of another."""

    class Mixed(LogLinear):
        rate = Polynomial().rate

    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_divergence_falls_by_the_loss(NoisedLaw(TABLE, 3, Uniform()), TABLE, Mixed(), 0.5)


def ending_in(total_noise: float) -> list[tuple[Schedule, float]]:
    """Schedules, each with the time at which it reaches ``total_noise``."""
    left = np.exp(-total_noise)
    return [
        (LogLinear(eps=left), 1.0),
        (Geometric(smallest=0.1, largest=total_noise), 1.0),
        (Polynomial(), np.sqrt(1 - left)),
    ]


@pytest.mark.parametrize("total_noise", [0.3, 3.0])
@EVERY_CASE
def test_theorem_3_2_with_the_remaining_divergence(noised, wrong, total_noise):
    """``-log p(x0) = int_0^T E[l_DSE(x0, x_t, t, s*)] dt + KL(p_{T|0}(. | x0) || p_T)`` for every schedule."""
    for schedule, end in ending_in(total_noise):
        assert_integral_is_the_likelihood(noised, noised.law, schedule, end)


@EVERY_CASE
def test_theorem_3_2_the_remaining_divergence_vanishes(noised, wrong):
    """``-log p(x0) = int_0^inf E[l_DSE(x0, x_t, t, s*)] dt``: the remaining divergence falls to 0."""
    left = noised.kl([0.5, 1.0, 2.0, 5.0, 10.0, 35.0]).max(axis=1)
    assert (np.diff(left) < 0).all()
    assert left[-1] < 1e-12
    for schedule in (LogLinear(), Polynomial()):
        np.testing.assert_allclose(noised.integrated_score_entropy(noised.law, schedule), noised.nll, rtol=1e-9)


@EVERY_CASE
def test_theorem_3_2_control_wrong_scores(noised, wrong):
    """A wrong law's scores give that law's likelihood, as the theorem implies; all lose more on average."""
    end = 1 - np.exp(-6.0)
    best = noised.integrated_score_entropy(noised.law, LogLinear(), end)
    for model in (wrong, Tilted(noised)):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_integral_is_the_likelihood(noised, model, LogLinear(), end)
        more = noised.integrated_score_entropy(model, LogLinear(), end) - best
        assert np.exp(-noised.nll) @ more > 1e-2
    found = noised.integrated_score_entropy(wrong, LogLinear())
    np.testing.assert_allclose(found, wrong.nll(noised.clean), rtol=1e-9)


@EVERY_CASE
def test_theorem_3_2_control_without_the_remaining_divergence(noised, wrong):
    short = noised.integrated_score_entropy(noised.law, LogLinear(), end=1 - np.exp(-0.3))
    assert (short < noised.nll - 1e-3).all()
