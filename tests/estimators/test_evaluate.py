"""Evaluation: each distinct mask runs once, batches are full, and invalid losses are rejected."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from estimators import InputError, Job, MaskPlan, ModelError, TokenError, estimator, evaluate, make_targets
from tests.support.toys import ArbitraryLosses


def jobs_for(tokens, name="uniform-count", passes=8, replicates=4, context=None):
    sampler = estimator(name)
    for index, target in enumerate(make_targets(tokens, context)):
        yield Job(target, sampler.plan(target.length, passes, replicates, np.random.default_rng(index)))


def test_losses_equal_those_of_one_mask_at_a_time():
    model = ArbitraryLosses(6)
    context = np.array([[False, True, False, False, False, True]])
    (job,) = jobs_for([[0, 1, 2, 3, 2, 1]], "time-integral", context=context)
    (evaluation,) = evaluate(model, [job])
    for masks, losses in zip(job.plan.masks.reshape(-1, 4), evaluation.losses.reshape(-1, 4), strict=True):
        masked = torch.zeros(1, 6, dtype=torch.bool)
        masked[0, job.target.scored] = torch.from_numpy(masks.copy())
        expected = model.token_nll(torch.zeros(1, 6, dtype=torch.int64), masked)[0, job.target.scored]
        np.testing.assert_array_equal(losses, expected.numpy())


def test_each_distinct_mask_runs_once_and_the_empty_mask_never():
    model = ArbitraryLosses(3)
    jobs = list(jobs_for([[0, 1, 2]] * 2, "time-integral", passes=50, replicates=10))
    progress: list[int] = []
    evaluations = list(evaluate(model, jobs, progress=progress.append))
    assert not jobs[0].plan.masks.any(axis=-1).all()  # some mask is empty
    assert [one.forward_passes for one in evaluations] == [7, 7]
    assert model.rows == 14
    assert sum(progress) == 2 * 50 * 10


def test_a_plan_of_empty_masks_costs_nothing():
    empty = MaskPlan(np.zeros((1, 2, 3), dtype=bool), np.zeros((1, 2, 3)))
    model = ArbitraryLosses(3)
    (evaluation,) = evaluate(model, [Job(make_targets([[0, 1, 2]])[0], empty)])
    assert evaluation.forward_passes == model.rows == 0
    assert not evaluation.losses.any()


@pytest.mark.parametrize("length", [3, 64, 65, 130])
def test_repeats_are_found_at_any_length(length):
    masks = np.random.default_rng(0).random((1, 6, length)) < 0.5
    masks = np.concatenate([masks, masks[:, ::-1]], axis=1)
    (target,) = make_targets([[0] * length])

    class Sums:
        def token_nll(self, tokens, masked):
            return masked * masked.sum(dim=1, keepdim=True).double()

    (evaluation,) = evaluate(Sums(), [Job(target, MaskPlan(masks, masks.astype(float)))])
    distinct = np.unique(masks[0], axis=0)
    assert evaluation.forward_passes == distinct.any(axis=1).sum() < 12
    np.testing.assert_array_equal(evaluation.losses, masks * masks.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("batch_size", [1, 3, 16, 512])
def test_batches_are_full_and_mix_jobs_without_changing_any_number(batch_size):
    tokens = [[0, 1, 2, 3, 1], [1, 1, 1], [2, 2, 2, 2, 2], [0, 1, 0], [3, 3, 3, 3, 3]]
    model = ArbitraryLosses(5)
    reference = [one.losses for one in evaluate(model, jobs_for(tokens), batch_size=10_000)]
    model.calls.clear()
    evaluations = list(evaluate(model, jobs_for(tokens), batch_size=batch_size))
    for one, expected in zip(evaluations, reference, strict=True):
        np.testing.assert_array_equal(one.losses, expected)
    assert max(model.calls) <= batch_size
    rows = sum(one.forward_passes for one in evaluations)
    assert len(model.calls) <= rows / batch_size + 2  # one partial batch for each of the two lengths


def test_jobs_are_consumed_lazily():
    taken = []

    def jobs():
        for job in jobs_for([[0, 1, 2, 3]] * 1000, passes=16, replicates=1):
            taken.append(job)
            yield job

    evaluations = evaluate(ArbitraryLosses(4), jobs(), batch_size=8)
    next(evaluations)
    assert len(taken) < 5


def test_jobs_of_many_lengths_do_not_accumulate():
    taken = []

    def jobs():
        for job in jobs_for([[0] * (2 + index % 9) for index in range(1000)], passes=4, replicates=1):
            taken.append(job)
            yield job

    next(evaluate(ArbitraryLosses(10), jobs(), batch_size=4))
    assert len(taken) < 40


def test_a_rare_length_does_not_hold_back_what_is_evaluated():
    """The first text waits for another of its length, which never comes, while all others fill calls of their own."""
    taken = []

    def jobs():
        for job in jobs_for([[0] * 5, *[[0] * 4] * 1000], passes=4, replicates=1):
            taken.append(job)
            yield job

    next(evaluate(ArbitraryLosses(5), jobs(), batch_size=8))
    assert len(taken) < 100


def test_jobs_of_one_row_before_longer_ones():
    """More is held than fits, even after the first job has run."""
    one_row, rows = (
        [job for length in lengths for job in jobs_for([[0] * length], passes=passes, replicates=1)]
        for lengths, passes in ((range(5, 8), 1), (range(20, 60), 7))
    )
    evaluations = list(evaluate(Broken(1.0), [*one_row, *rows], batch_size=8))
    assert [one.losses.shape[2] for one in evaluations] == [*range(5, 8), *range(20, 60)]


@pytest.mark.parametrize("lengths", [[4] * 40, [3, 4, 5, 6] * 10, [6, *[4] * 39]], ids=["equal", "mixed", "first"])
def test_progress_is_reported_between_any_two_reductions_and_calls(lengths):
    """All jobs fit into the window, and yet they are not all evaluated before the first one is reduced."""
    events = []

    class Model(ArbitraryLosses):
        def token_nll(self, tokens, masked):
            events.append("call")
            return super().token_nll(tokens, masked)

    def progress(passes):
        events.extend(["passes"] * passes)

    jobs = list(jobs_for([[0] * length for length in lengths], passes=4, replicates=1))
    evaluations = evaluate(Model(6), jobs, batch_size=16, progress=progress)
    events.extend("reduction" for _ in evaluations)
    assert events.count("passes") == 4 * 40
    assert not {("call", "call"), ("reduction", "reduction")} & set(pairwise(events))
    last_call = len(events) - 1 - events[::-1].index("call")
    assert events.index("reduction") < last_call


class Padded(ArbitraryLosses):
    """Takes padding, and records the rows of each call and the share of its positions that are padding."""

    takes_padding = True

    def __init__(self, length):
        super().__init__(length)
        self.shares = []

    def token_nll(self, tokens, masked, *, lengths=None):
        if lengths is not None:
            assert tokens.shape[1] == lengths.max() > lengths.min()
            beyond = torch.arange(tokens.shape[1]) >= lengths[:, None]
            assert not tokens[beyond].any()
            assert not masked[beyond].any()
            self.shares.append(beyond.double().mean().item())
        return super().token_nll(tokens, masked)


def test_contract_jobs_that_do_not_count_report_no_progress():
    """Neither forwards nor back, also where one of their passes is the last or needs no input."""

    class Fair:
        def token_nll(self, tokens, masked):
            return masked.double()

    targets, counts = make_targets([[0] * 4, [1] * 4]), estimator("uniform-count")
    plans = [counts.plan(4, 6, 1, np.random.default_rng(seed)) for seed in range(2)]
    empty = MaskPlan(np.zeros((1, 3, 4), dtype=bool), np.zeros((1, 3, 4)))
    planned = [
        Job(targets[0], plans[0]),
        Job(targets[1], plans[1], counted=False),
        Job(targets[1], empty, counted=False),
    ]
    for batch_size in (1, 64):
        reports = []
        assert len(list(evaluate(Fair(), planned, batch_size=batch_size, progress=reports.append))) == 3
        assert min(reports) >= 0
        assert sum(reports) == 6


def test_a_model_that_declares_padding_needs_the_argument():
    class Unaware:
        takes_padding = True

        def token_nll(self, tokens, masked):
            return masked.double()

    targets = make_targets([[0] * 9, [0] * 10])
    planned = [
        Job(target, estimator("uniform-count").plan(target.length, 4, 1, np.random.default_rng(0)))
        for target in targets
    ]
    with pytest.raises(InputError, match="Unaware declares takes_padding, but its token_nll has no argument lengths"):
        list(evaluate(Unaware(), planned))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_rows_of_similar_lengths_share_calls_if_the_model_takes_padding(batch_size):
    rng = np.random.default_rng(0)
    tokens = [rng.integers(1, 4, length) for length in rng.integers(4, 13, 60)]
    plain, padded = ArbitraryLosses(12), Padded(12)
    expected = list(evaluate(plain, jobs_for(tokens, passes=4, replicates=1), batch_size=batch_size))
    evaluations = evaluate(padded, jobs_for(tokens, passes=4, replicates=1), batch_size=batch_size)
    for one, other in zip(evaluations, expected, strict=True):
        assert one.target.key == other.target.key
        np.testing.assert_array_equal(one.losses, other.losses)
    assert padded.rows == plain.rows
    assert max(padded.calls) <= batch_size
    assert max(padded.shares, default=0.0) <= 0.25
    assert bool(padded.shares) == (batch_size > 1)
    assert len(padded.calls) <= 1.2 * plain.rows / batch_size + 4  # one partial call for each factor 3/4 in length


class Broken:
    def __init__(self, value):
        self.value = value

    def token_nll(self, tokens, masked):
        losses = torch.ones(masked.shape, dtype=torch.float64)
        losses[(tokens == 9) & masked] = self.value
        losses[~masked] = math.nan  # values at unmasked positions are ignored
        return losses


@pytest.mark.parametrize(
    ("value", "problem"), [(math.nan, "NaN"), (-0.5, "positive log-probability"), (math.inf, "probability 0")]
)
@pytest.mark.parametrize("batch_size", [1, 5, 512])
def test_an_invalid_loss_is_reported_with_its_sequence_and_position(value, problem, batch_size):
    jobs = jobs_for([[0, 1, 2], [0, 1, 9], [0, 1, 3]])
    with pytest.raises(ModelError, match=rf"sequence 1, position 2 \(token 9\): .*{problem}"):
        list(evaluate(Broken(value), jobs, batch_size=batch_size))


def test_a_loss_below_zero_by_rounding_is_accepted():
    (evaluation,) = evaluate(Broken(-1e-7), jobs_for([[9]]))
    assert evaluation.losses.min() == -1e-7


class Returns:
    def __init__(self, function):
        self.token_nll = function


@pytest.mark.parametrize(
    ("function", "got"),
    [
        (lambda tokens, masked: masked.double().sum(dim=1), r"shape \(\d+,\)"),
        (lambda tokens, masked: masked.double()[..., None], r"shape \(\d+, 3, 1\)"),
        (lambda tokens, masked: masked.numpy(), "ndarray"),
    ],
)
def test_a_wrong_shape_is_refused(function, got):
    with pytest.raises(ModelError, match=f"tensor of shape .* it returned {got}"):
        list(evaluate(Returns(function), jobs_for([[0, 1, 2]])))


def test_an_unknown_token_error_names_the_sequence_not_the_row():
    def refuse(tokens, masked):
        row, position = torch.nonzero(tokens == 9)[0].tolist()
        raise TokenError(row, position, "token 9 is outside the alphabet")

    with pytest.raises(InputError, match="sequence 1, position 0: token 9 is outside"):
        list(evaluate(Returns(refuse), jobs_for([[0, 1, 2], [9, 1, 2]])))


def test_plans_that_do_not_fit_and_empty_batches_are_refused():
    (target,) = make_targets([[0, 1, 2]], context=1)
    plan = estimator("time-free").plan(3, 2, 1, np.random.default_rng(0))
    with pytest.raises(InputError, match="2 scored positions, its plan has 3"):
        list(evaluate(ArbitraryLosses(3), [Job(target, plan)]))
    with pytest.raises(InputError, match="batch_size"):
        list(evaluate(ArbitraryLosses(3), [], batch_size=0))
    for device in ("nonsense", "cuda:77"):
        with pytest.raises(InputError, match=f"device '{device}' is not available"):
            list(evaluate(ArbitraryLosses(3), [], device=device))


def test_integer_and_half_precision_losses_become_float64():
    def half(tokens, masked):
        return masked.to(torch.float16)

    (evaluation,) = evaluate(Returns(half), jobs_for([[0, 1, 2]]))
    assert evaluation.losses.dtype == np.float64


def test_terms_average_to_the_estimate_and_position_losses_are_weighted_means():
    model = ArbitraryLosses(5)
    (job,) = jobs_for([[0, 1, 2, 3, 0]], passes=6, replicates=3)
    (evaluation,) = evaluate(model, [job])
    sampler = estimator("uniform-count")
    np.testing.assert_allclose(evaluation.terms.mean(axis=1), sampler.reduce(job.plan, evaluation.losses))
    weights = job.plan.weights.reshape(-1, 5)
    expected = (weights * evaluation.losses.reshape(-1, 5)).sum(axis=0) / weights.sum(axis=0)
    np.testing.assert_allclose(evaluation.position_losses, expected)


def test_a_loss_below_rounding_is_refused():
    with pytest.raises(ModelError, match="positive log-probability"):
        list(evaluate(Broken(-1e-5), jobs_for([[9]])))
