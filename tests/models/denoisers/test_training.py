"""Training: the loss estimates the likelihood bound, the model learns, and interruptions change nothing."""

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig, UniformDenoiser
from infodis_stats.models.denoisers import training
from infodis_stats.models.denoisers.training import (
    Batch,
    TrainingPlan,
    law_windows,
    masked_loss,
    sequence_windows,
    text_windows,
    train,
)

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
        losses = np.array([masked_loss(model, Batch(tokens), generator).item() for _ in range(400)])
        masks = torch.rand(400, 8, 6, generator=generator) < 0.5
        flat = np.mean([model.losses(tokens, masked).mean().item() for masked in masks])
    error = losses.std() / 20
    assert abs(losses.mean() - exact) < 4 * error
    assert abs(flat - exact) > 4 * error


@pytest.mark.slow
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
    with pytest.raises(ids.StoreError, match="another model, plan or corpus"):
        train(fresh(), law_windows(LAW, 6), TrainingPlan(steps=61), checkpoint=checkpoint)
    with pytest.raises(ids.StoreError, match="another model, plan or corpus"):
        train(fresh(), law_windows(LAW, 6), PLAN, checkpoint=checkpoint, corpus="another")
    checkpoint.write_bytes(b"half")
    with pytest.raises(ids.StoreError, match="is damaged"):
        train(fresh(), law_windows(LAW, 6), PLAN, checkpoint=checkpoint)


def test_windows_are_substrings_of_the_text():
    text = torch.arange(20)
    drawn = text_windows(text, 6)(50, torch.Generator().manual_seed(0)).tokens
    assert (drawn.diff(dim=1) == 1).all()
    assert drawn.min() == 0
    assert drawn.max() == 19
    with pytest.raises(ids.InputError, match="5 tokens is shorter than the length of the model, 6"):
        text_windows(text[:5], 6)


def test_invalid_plans_are_refused():
    for wrong in ({"steps": 0}, {"rate": 0.0}, {"rate": float("inf")}, {"seed": -1}):
        with pytest.raises(ids.InputError, match="training needs"):
            TrainingPlan(**wrong)


def test_the_loss_of_padded_sequences_estimates_their_bound():
    """The mean of 400 losses is within 4 standard errors of the enumeration; control: without lengths it is not."""
    model = fresh().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    lengths = torch.tensor([6, 2, 5, 1])
    tokens = torch.from_numpy(LAW.sample(4, length=6, seed=1)) * (torch.arange(6) < lengths[:, None])
    rows = [row[:length] for row, length in zip(tokens.numpy(), lengths.tolist(), strict=True)]
    exact = ids.estimate_nll(model, rows, "exhaustive", passes=63, replicates=2)["nll"].sum().item() / 14
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        orders = [torch.randperm(4, generator=generator) for _ in range(400)]
        losses = np.array([masked_loss(model, Batch(tokens[o], lengths[o]), generator).item() for o in orders])
        wrong = np.array([masked_loss(model, Batch(tokens[o]), generator).item() for o in orders])
    assert abs(losses.mean() - exact) < 4 * losses.std() / 20
    assert abs(wrong.mean() - exact) > 4 * wrong.std() / 20


def test_sequences_are_whole_and_padded():
    sequences = [torch.arange(count) for count in (1, 4, 2)]
    batch = sequence_windows(sequences, 4)(40, torch.Generator().manual_seed(0))
    assert set(batch.lengths.tolist()) == {1, 2, 4}
    for row, length in zip(batch.tokens, batch.ends, strict=True):
        assert row[:length].tolist() == list(range(length))
        assert not row[length:].any()
    with pytest.raises(ids.InputError, match="sequence 2 of the corpus has 4 tokens; the model takes 1 to 3"):
        sequence_windows(sequences, 3)
    with pytest.raises(ids.InputError, match="the corpus has no sequences"):
        sequence_windows([], 3)


@pytest.mark.slow
@pytest.mark.parametrize("time", [True, False])
def test_uniform_noise_is_learned_with_and_without_time_and_context(time):
    """An estimate under the trained network is near the law's entropy rate; control: before training it is far."""
    torch.manual_seed(0)
    config = DenoiserConfig("ACGT", length=6, layers=1, width=16, heads=2, noise="uniform", time=time)
    model, tokens = UniformDenoiser(config), LAW.sample(100, length=6, seed=9)
    truth, after_three = LAW.nll(tokens).mean(), (LAW.nll(tokens) - LAW.nll(tokens[:, :3])).mean()

    def loss(context):
        return ids.estimate_nll(model.eval(), tokens, context=context, passes=16, replicates=2)["nll"].mean().item()

    before, before_three = loss(0), loss(3)
    train(model, law_windows(LAW, 6), TrainingPlan(steps=300, batch=64, rate=5e-3, warmup=20))
    assert loss(0) - truth < 0.4 * (before - truth)
    assert loss(0) > truth - 0.3
    assert loss(3) - after_three < 0.4 * (before_three - after_three)
    assert loss(3) > after_three - 0.2


def test_the_minimum_of_the_uniform_loss_is_the_leave_one_out_posterior():
    """On all noised versions of two tokens, weighted by their law, no change of the prediction lowers the loss.

    Control: at the posterior it is not at its minimum.
    """
    law = ids.TableLaw(np.array([[0, 0], [1, 1], [0, 1]]), np.array([0.5, 0.3, 0.2]), alphabet="ab")
    amount = torch.tensor([0.7], dtype=torch.float64)
    noise, pairs = ids.Uniform(), torch.cartesian_prod(torch.arange(2), torch.arange(2))
    kernel = noise.kernel(amount, 2)[0]
    clean = torch.from_numpy(np.exp(-law.nll(pairs.numpy()))).reshape(2, 2)
    joint = torch.einsum("ab,xa,yb->abxy", clean, kernel, kernel)  # clean pair, noised pair
    leave_one_out = torch.einsum("abxy->ay", joint) / joint.sum(dim=(0, 1, 2))
    posterior = torch.einsum("abxy->axy", joint) / joint.sum(dim=(0, 1))

    class Given(UniformDenoiser):
        def log_predictions(self, noised, acts, total_noise, lengths=None):
            return self.predicted.expand(len(noised), 2, 2)

    model = Given(DenoiserConfig("ab", length=2, layers=1, width=4, heads=1, noise="uniform"))

    def slope(predictions):
        logits = predictions.log().clone().requires_grad_()  # (x, y, a): of the first token
        total = 0.0
        for x in range(2):
            for y in range(2):
                for a in range(2):
                    model.predicted = logits[x, y].log_softmax(dim=0)
                    tokens, noised = torch.tensor([[a, 0]]), torch.tensor([[x, y]])
                    acts = torch.tensor([[True, False]])
                    total = total + joint[a, :, x, y].sum() * model.losses(tokens, noised, acts, amount, None).sum()
        return torch.autograd.grad(total, logits)[0].abs().max()

    assert slope(leave_one_out.T[None].expand(2, 2, 2)) < 1e-9
    assert slope(posterior.permute(1, 2, 0)) > 1e-3
