"""Distributions over the vocabulary at masked positions, for every kind of model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import InputError, ModelError, make_targets
from estimators.masked.decoding.decoder import Decoder
from estimators.masked.decoding.replay import replay
from estimators.model import gives_distributions
from infodis_stats.laws import CodeLaw, HiddenMarkov, IndependentLaw, MarkovChain
from infodis_stats.models import Denoiser, DenoiserConfig, MaskedLanguageModel, losses
from infodis_stats.models.huggingface import masked_model
from infodis_stats.models.without_blocks import WithoutBlocks
from tests.support.direct import randomised
from tests.support.distributions import check_distributions
from tests.support.tiny_networks import LLaDA
from tests.support.toys import ArbitraryLosses

LAWS = [
    MarkovChain.random(order=2, alphabet="ABC", seed=0),
    HiddenMarkov.random(states=3, alphabet="ABC", seed=1),
    IndependentLaw.random(length=6, alphabet="ABC", seed=0),
    CodeLaw(length=6, group=3, alphabet="ABC"),
    CodeLaw(length=6, group=2, rule="copies", alphabet="ABC"),
]


def masks(rows, length, seed=0):
    masked = torch.rand(rows, length, generator=torch.Generator().manual_seed(seed)) < 0.5
    masked[0] = True
    masked[-1] = False
    return masked


def denoiser(block_size=None):
    torch.manual_seed(1)
    model = Denoiser(DenoiserConfig("abcd", length=12, layers=2, width=16, heads=2, block_size=block_size))
    return randomised(model).eval()


def network(**options):
    torch.manual_seed(2)
    net = randomised(LLaDA(SimpleNamespace(vocab_size=9)))
    return MaskedLanguageModel(net, "llada", mask_id=8, length=16, **options)


def inputs(symbols=4, rows=5, length=10):
    tokens = torch.randint(symbols, (rows, length), generator=torch.Generator().manual_seed(0))
    tokens[1] = tokens[2]
    return tokens, masks(rows, length)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_laws(law, monkeypatch):
    tokens, masked = torch.from_numpy(law.sample(8, length=6, seed=0)), masks(8, 6)
    found = check_distributions(law, tokens, masked, tolerance=1e-12)
    monkeypatch.setattr("infodis_stats.laws.law.WORKING_BYTES", 1)
    assert torch.equal(law.token_log_probs(tokens, masked), found)  # in chunks, bit for bit
    assert law.token_log_probs(tokens, masked & False).shape == (0, 3)


def test_an_impossible_context_leaves_nothing_possible():
    law = CodeLaw(length=4, group=2, rule="copies")
    found = law.token_log_probs(torch.tensor([[0, 1, 1, 1]]), torch.tensor([[False, True, False, True]]))
    assert torch.isneginf(found).all()


@pytest.mark.parametrize("block_size", [None, 4])
def test_denoisers_whole_and_in_blocks_padded_or_not(block_size, monkeypatch):
    model = denoiser(block_size)
    tokens, masked = inputs()
    found = check_distributions(model, tokens, masked)
    lengths = torch.tensor([10, 9, 8, 10, 8])
    present = torch.arange(10) < lengths[:, None]
    padded, kept = torch.where(present, tokens, 0), masked & present
    some = check_distributions(model, padded, kept, lengths=lengths)
    alone = [model.token_log_probs(tokens[[row], :n], kept[[row], :n]) for row, n in enumerate(lengths.tolist())]
    torch.testing.assert_close(some, torch.cat(alone), atol=1e-5, rtol=0)
    monkeypatch.setattr(losses, "LOGITS_PER_CHUNK", 12)
    torch.testing.assert_close(model.token_log_probs(tokens, masked), found, atol=1e-6, rtol=0)


@pytest.mark.parametrize("exclude_mask", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
def test_networks_lean_and_with_full_logits(exclude_mask, shifted, monkeypatch):
    model = network(exclude_mask=exclude_mask, shifted=shifted, before=(7,))
    tokens, masked = inputs()
    found = check_distributions(model, tokens, masked)
    assert found.shape == (int(masked.sum()), 9)
    assert torch.isneginf(found[:, 8]).all() == exclude_mask
    monkeypatch.setattr(model, "head", None)
    monkeypatch.setattr(masked_model, "FULL_LOGITS", 200)  # two rows in a call
    torch.testing.assert_close(check_distributions(model, tokens, masked), found, atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="sequence 0, position 0"):
        model.token_log_probs(torch.full_like(tokens, 8), masked)


def test_control_another_convention_gives_other_distributions():
    tokens, masked = inputs()
    first, second = (network(before=before).token_log_probs(tokens, masked) for before in ((7,), (6,)))
    assert (first - second).abs().max() > 1e-3


def test_guidance_is_refused():
    model = network(guidance=1.0)
    with pytest.raises(InputError, match="load the model with guidance=0"):
        model.token_log_probs(*inputs())
    with pytest.raises(InputError, match="load the model with guidance=0"):
        replay(model, Decoder(), make_targets([[0, 1]]))
    (done,) = replay(model, Decoder("left-to-right"), make_targets([[0, 1, 2]], context=1))  # needs no distribution
    assert (done.forward_passes, done.problem) == (4, None)


@pytest.mark.parametrize("make", [denoiser, network])
def test_accelerated_models_compute_in_half_precision_and_normalise_in_float32(make):
    model, (tokens, masked) = make(), inputs()
    fast = ids.accelerated(model, autocast=torch.bfloat16)
    found = check_distributions(fast, tokens, masked, tolerance=1e-2)
    assert found.dtype == torch.float32
    difference = (found - model.token_log_probs(tokens, masked)).abs()
    assert 0 < difference[torch.isfinite(difference)].max() < 0.3


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_weights(half):
    model = network()
    halved = MaskedLanguageModel(model.network.to(half), "llada", mask_id=8, length=16)
    check_distributions(halved, *inputs(), tolerance=1e-2)
    halved.network.ff_out.weight.data.fill_(torch.inf)
    with pytest.raises(ModelError, match=r"overflowed in b?float16; use dtype=torch.float32"):
        halved.token_log_probs(*inputs())


def test_only_models_with_the_method_give_distributions():
    assert gives_distributions(denoiser())
    assert gives_distributions(LAWS[0])
    assert not gives_distributions(ArbitraryLosses(4))
    # A decoder of whole sequences would look at distributions that know masked tokens of earlier blocks.
    assert not gives_distributions(WithoutBlocks(denoiser(4)))


def test_the_numbers_of_a_network_depend_on_the_batch_by_rounding_alone():
    model = denoiser()
    rows = [row[:length].numpy() for row, length in zip(inputs(rows=6)[0], (10, 9, 10, 8, 4, 10), strict=True)]
    for decoder in (Decoder(), Decoder("entropy", 2), Decoder("margin", block=4)):
        together = replay(model, decoder, make_targets(rows))
        for batch_size in (1, 4):
            for first, second in zip(
                together, replay(model, decoder, make_targets(rows), batch_size=batch_size), strict=True
            ):
                assert second.nll == pytest.approx(first.nll, abs=1e-4)
                np.testing.assert_array_equal(first.steps, second.steps)
