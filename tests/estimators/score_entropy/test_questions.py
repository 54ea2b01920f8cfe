"""Questions about noised tokens: which models can answer them, invalid answers, and batching."""

import math

import numpy as np
import pytest
import torch

from estimators import (
    Absorbing,
    InputError,
    Job,
    ModelError,
    RateMatrix,
    ScoreEntropy,
    Uniform,
    estimator,
    evaluate,
    make_targets,
)
from estimators.score_entropy import states
from infodis_stats.laws import HiddenMarkov, MarkovChain, TableLaw
from tests.support.noising import NOISES, random_rates
from tests.support.toys import ArbitraryLosses, ArbitraryModel, ArbitraryRatios

TOKENS = [[0, 1, 2], [0, 1, 3], [2, 2, 2]]
DENSE = RateMatrix(random_rates(4, 1))


def jobs_for(tokens, sampler, passes=8, replicates=4, context=None):
    sampler = estimator(sampler) if isinstance(sampler, str) else sampler
    for index, target in enumerate(make_targets(tokens, context)):
        yield Job(target, sampler.plan(target.length, passes, replicates, np.random.default_rng(index)))


def run(model, sampler="score-entropy(uniform)", tokens=TOKENS, **options):
    return list(evaluate(model, jobs_for(tokens, sampler), **options))


class TestWhoCanAnswer:
    def test_a_mask_model_has_no_score_ratios(self):
        sentence = r"^ArbitraryLosses has no score ratios under uniform noise \(log_ratios\), it prices masked tokens; "
        with pytest.raises(InputError, match=sentence):
            run(ArbitraryLosses(3))

    def test_a_score_ratio_model_does_not_price_masks(self):
        sentence = "^ArbitraryRatios does not price masked tokens: it has no token_nll; .*score-entropy"
        with pytest.raises(InputError, match=sentence):
            run(ArbitraryRatios(), "uniform-count")

    @pytest.mark.parametrize(
        ("own", "asked", "names"),
        [
            (Absorbing(), Uniform(), ("absorbing", "uniform")),
            (Uniform(), DENSE, ("uniform", "rate-matrix")),
            (DENSE, RateMatrix(random_rates(4, 2), title="other"), ("rate-matrix", "other")),
        ],
    )
    def test_a_model_trained_for_another_noise(self, own, asked, names):
        class Trained(ArbitraryRatios):
            noise = own

        sentence = "^Trained was made for {} noise, the estimator asks for {} noise$".format(*names)
        with pytest.raises(InputError, match=sentence):
            run(Trained(), ScoreEntropy(asked))
        run(Trained(), ScoreEntropy(own))

    def test_more_symbols_than_the_noise_has_states(self):
        with pytest.raises(InputError, match="has 3 states, fewer than the 4 symbols of the model"):
            run(ArbitraryRatios(), ScoreEntropy(RateMatrix(random_rates(3))))

    @pytest.mark.parametrize("batch_size", [1, 5, None])
    def test_an_unknown_token_error_names_the_sequence_and_the_position(self, batch_size):
        for model in (ArbitraryRatios(), MarkovChain.random(1)):
            with pytest.raises(InputError, match=r"^sequence 1, position 2: token 7 is not one of 4 symbols$"):
                run(model, tokens=[[0, 1, 2], [0, 1, 7]], batch_size=batch_size)
        context = np.array([[False, False, True]])
        with pytest.raises(InputError, match=r"^sequence 0, position 2: token 7 is not one of 4 symbols$"):
            list(evaluate(ArbitraryRatios(), jobs_for([[0, 1, 7]], "score-entropy(uniform)", context=context)))

    def test_an_unavailable_device(self):
        with pytest.raises(InputError, match="device 'cuda:77' is not available"):
            run(ArbitraryRatios(), device="cuda:77")


class Spoiled(ArbitraryRatios):
    """Ratios are replaced at the middle position of sequences that begin with 3."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def log_ratios(self, noised, acts, total_noise, noise):
        logs = super().log_ratios(noised, acts, total_noise, noise)
        logs[noised[:, 0] == 3, 1] = self.value
        return logs.scatter(2, noised[..., None], 0.0)


class TestInvalidAnswers:
    @pytest.mark.parametrize("kind", ["score-entropy(uniform)", "marginal-score-entropy(uniform)"])
    @pytest.mark.parametrize(
        ("value", "problem"),
        [
            (math.nan, "the model returned NaN as a log score ratio"),
            (-math.inf, "the model's score ratios have an infinite score entropy here, .* positive and finite"),
        ],
    )
    @pytest.mark.parametrize("batch_size", [1, 7, None])
    def test_the_error_names_the_sequence_and_the_position(self, kind, value, problem, batch_size):
        given = np.array([[True, False, False]] * 3)
        jobs = jobs_for([[0, 1, 2], [3, 1, 2], [2, 2, 2]], kind, context=given)
        with pytest.raises(ModelError, match=rf"^sequence 1, position 1 \(token 1\): {problem}"):
            list(evaluate(Spoiled(value), jobs, batch_size=batch_size))

    def test_an_infinite_ratio_is_distinguished_from_nan(self):
        with pytest.raises(ModelError, match=r"^sequence 0, position 1 \(token 1\): .* infinite score entropy here"):
            run(Spoiled(math.inf), tokens=[[3, 1, 2]])

    def test_ratios_that_are_not_read_do_not_matter(self):
        class Unread(ArbitraryRatios):
            def log_ratios(self, noised, acts, total_noise, noise):
                logs = super().log_ratios(noised, acts, total_noise, noise)
                return torch.where(noise.inflow(noised, total_noise, self.vocabulary_size) > 0, logs, torch.nan)

        for noise in NOISES.values():
            pairs = zip(run(Unread(), ScoreEntropy(noise)), run(ArbitraryRatios(), ScoreEntropy(noise)), strict=True)
            for one, other in pairs:
                np.testing.assert_array_equal(one.losses, other.losses)

    @pytest.mark.parametrize(
        ("change", "got"),
        [
            (lambda logs: logs[..., 0], r"shape \(\d+, 3\)"),
            (lambda logs: logs[..., :3], r"shape \(\d+, 3, 3\)"),
            (lambda logs: logs.numpy(), "ndarray"),
            (lambda logs: None, "NoneType"),
        ],
    )
    def test_a_wrong_shape_is_refused(self, change, got):
        class Returns(ArbitraryRatios):
            def log_ratios(self, *arguments):
                return change(super().log_ratios(*arguments))

        with pytest.raises(ModelError, match=rf"must return a tensor of shape \(\d+, 3, 4\), it returned {got}"):
            run(Returns())

    def test_single_precision_and_gradients_are_accepted(self):
        class Network(ArbitraryRatios):
            def log_ratios(self, *arguments):
                assert not torch.is_grad_enabled()
                return super().log_ratios(*arguments).float().requires_grad_()

        for one, other in zip(run(Network()), run(ArbitraryRatios()), strict=True):
            assert one.losses.dtype == np.float64
            np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4, atol=1e-5)


class TestBatches:
    LAWS = (TableLaw.random(20, 6, seed=1), MarkovChain.random(2, seed=2), HiddenMarkov.random(seed=3))

    @pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
    @pytest.mark.parametrize("law", LAWS, ids=["table", "chain", "hidden"])
    def test_no_bit_depends_on_the_batch(self, law, noise):
        tokens = law.sample(2, 6, seed=1)
        for marginal in {False, noise.joins_all}:
            sampler = ScoreEntropy(noise, marginal=marginal)
            reference = run(law, sampler, tokens, device="cpu")
            for size in (1, 3, 64):
                for one, other in zip(run(law, sampler, tokens, batch_size=size), reference, strict=True):
                    np.testing.assert_array_equal(one.losses, other.losses)

    @pytest.mark.parametrize("limit", ["PER_CALL", "AT_ONCE"])
    def test_large_vocabularies_are_asked_for_and_reduced_in_parts(self, limit, monkeypatch):
        """Rows are split, and where one row is still too large, its positions; no number changes."""
        law = self.LAWS[1]
        tokens = law.sample(2, 6, seed=1)
        whole = run(law, tokens=tokens)
        for largest in (1, 60):
            monkeypatch.setattr(states, limit, largest)
            for one, other in zip(run(law, tokens=tokens), whole, strict=True):
                np.testing.assert_array_equal(one.losses, other.losses)

    def test_the_losses_are_score_entropies_where_noise_acts_and_zero_in_the_context(self):
        law, given = self.LAWS[1], np.array([[True, False, False, True, False, False]])
        tokens = law.sample(1, 6, seed=1)
        (found,) = evaluate(law, jobs_for(tokens, "score-entropy(absorbing)", context=given))
        assert found.losses.shape == (4, 8, 4)
        below = found.plan.keys < found.plan.hidden_fractions[..., None]
        np.testing.assert_array_equal(found.losses > 0, below)
        assert (found.losses >= 0).all()

    def test_masks_and_noise_share_one_evaluate_call_but_no_batch(self):
        """A stream of jobs may mix questions: results come in order, and no number changes."""
        names = ["uniform-count", "score-entropy(uniform)", "score-entropy(absorbing)", "time-integral", "time-free"]
        names += ["marginal-score-entropy(uniform)", "score-entropy(uniform,polynomial)"]
        jobs = [job for name in names for job in jobs_for([[0, 1, 2], [1, 1, 1, 3, 2]], name)]
        for model in (ArbitraryModel(5), MarkovChain.random(1)):
            alone = [next(evaluate(model, [job])) for job in jobs]
            progress = []
            for size in (4, None):
                together = list(evaluate(model, jobs, batch_size=size, progress=progress.append))
                for one, other in zip(together, alone, strict=True):
                    assert (one.target, one.plan) == (other.target, other.plan)
                    np.testing.assert_array_equal(one.losses, other.losses)
                    assert one.forward_passes == other.forward_passes
            assert sum(progress) == 2 * len(jobs) * 8 * 4

    def test_equal_questions_share_batches(self):
        """Times and schedules are columns of a row, so two jobs with different schedules share one call."""
        calls = []

        class Counting(ArbitraryRatios):
            def log_ratios(self, noised, *arguments):
                calls.append(len(noised))
                return super().log_ratios(noised, *arguments)

        jobs = [
            job
            for name in ("score-entropy(uniform)", "score-entropy(uniform,polynomial)")
            for job in jobs_for(TOKENS, name)
        ]
        list(evaluate(Counting(), jobs, batch_size=10_000))
        assert calls == [2 * 3 * 32]
