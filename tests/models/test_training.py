"""Training: the loss estimates the likelihood bound, the model learns, and interruptions change nothing."""

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig, training
from infodis_stats.models.training import TrainingPlan, law_windows, masked_loss, text_windows, train

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=3, concentration=0.3)
PLAN = TrainingPlan(steps=60, batch=16, rate=5e-3, warmup=5, seed=2)


def fresh(seed=0, block_size=None):
    torch.manual_seed(seed)
    return Denoiser(DenoiserConfig("ACGT", length=6, layers=1, width=16, heads=2, block_size=block_size))


@pytest.mark.parametrize("block_size", [None, 4])
def test_the_loss_estimates_the_likelihood_bound_per_character(block_size):
    """The mean of 400 losses is within 4 standard errors of the enumeration; control: a loss without 1/m is not."""
    model = fresh(block_size=block_size).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    tokens = torch.from_numpy(LAW.sample(8, length=6, seed=1))
    exact = ids.estimator("exhaustive").sample(model, tokens.numpy(), passes=63, replicates=1, rng=0).mean() / 6
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        losses = np.array([masked_loss(model, tokens, generator).item() for _ in range(400)])
        masks = torch.rand(400, 8, 6, generator=generator) < 0.5
        flat = np.mean([model.losses(tokens, masked).mean().item() for masked in masks])
    error = losses.std() / 20
    assert abs(losses.mean() - exact) < 4 * error
    assert abs(flat - exact) > 4 * error


def test_training_learns_the_law():
    tokens = LAW.sample(200, length=6, seed=9)
    model, truth = fresh(), LAW.nll(tokens).mean()
    before = ids.estimate_nll(model.eval(), tokens, passes=4, replicates=2)["nll"].mean().item()
    train(model, law_windows(LAW, 6), TrainingPlan(steps=400, batch=64, rate=5e-3, warmup=20))
    after = ids.estimate_nll(model, tokens, passes=4, replicates=2)["nll"].mean().item()
    assert after - truth < 0.25 * (before - truth)
    assert after > truth - 0.3


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "STEPS_BETWEEN_CHECKPOINTS", 10)
    undisturbed = train(fresh(), law_windows(LAW, 6), PLAN)
    checkpoint = tmp_path / "model.partial"

    class KilledError(Exception):
        pass

    def kill(done, loss):
        if done == 37:
            raise KilledError

    with pytest.raises(KilledError):
        train(fresh(), law_windows(LAW, 6), PLAN, checkpoint=checkpoint, progress=kill)
    steps = []
    resumed = train(
        fresh(5), law_windows(LAW, 6), PLAN, checkpoint=checkpoint, progress=lambda done, _: steps.append(done)
    )
    assert steps == list(range(31, 61))
    assert resumed.fingerprint() == undisturbed.fingerprint()
    assert not checkpoint.exists()


def test_checkpoints_that_are_damaged_or_of_another_plan_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "STEPS_BETWEEN_CHECKPOINTS", 10)
    checkpoint = tmp_path / "model.partial"

    def kill(done, loss):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(fresh(), law_windows(LAW, 6), PLAN, checkpoint=checkpoint, progress=kill)
    with pytest.raises(ids.StoreError, match="another model or plan"):
        train(fresh(), law_windows(LAW, 6), TrainingPlan(steps=61), checkpoint=checkpoint)
    checkpoint.write_bytes(b"half")
    with pytest.raises(ids.StoreError, match="is damaged"):
        train(fresh(), law_windows(LAW, 6), PLAN, checkpoint=checkpoint)


def test_windows_are_substrings_of_the_text():
    text = torch.arange(20)
    drawn = text_windows(text, 6)(50, torch.Generator().manual_seed(0))
    assert (drawn.diff(dim=1) == 1).all()
    assert drawn.min() == 0
    assert drawn.max() == 19
    with pytest.raises(ids.InputError, match="5 characters is shorter than the length of the model, 6"):
        text_windows(text[:5], 6)


def test_invalid_plans_are_refused():
    for wrong in ({"steps": 0}, {"rate": 0.0}, {"rate": float("inf")}, {"seed": -1}):
        with pytest.raises(ids.InputError, match="training needs"):
            TrainingPlan(**wrong)
