"""Accelerated networks: how much their losses differ from the plain ones, and what does not change."""

import copy
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig, MaskedLanguageModel, acceleration
from tests.support import tiny_networks

# The compiler of torch calls deprecated parts of torch.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")

ROUNDOFF = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11, torch.float32: 2.0**-24}
CONFIG = DenoiserConfig("abcd", length=12, layers=2, width=16, heads=2)


def denoiser():
    torch.manual_seed(1)
    one = Denoiser(CONFIG)
    for parameter in one.parameters():
        nn.init.normal_(parameter, std=0.4)
    return one.eval()


def batch(rows=64, length=10, tokens=4):
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(tokens, (rows, length), generator=generator)
    return drawn, torch.rand(rows, length, generator=generator) < 0.5


class Blocks(nn.Module):
    """Token logits from a list of two blocks and a head outside or inside that list."""

    def __init__(self, *, inside: bool = False) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.embedding = nn.Embedding(11, 12)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(12, 12), nn.Tanh()) for _ in range(2))
        self.inside = inside
        if inside:
            self.blocks.append(nn.Linear(12, 11))
        else:
            self.head = nn.Linear(12, 11)

    def forward(self, tokens):
        hidden = self.embedding(tokens).cumsum(dim=1)
        for block in self.blocks:
            hidden = block(hidden)
        return SimpleNamespace(logits=hidden if self.inside else self.head(hidden))


def wrapped(network):
    return MaskedLanguageModel(network, "llada", mask_id=10, length=16)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_error_of_half_precision_is_that_of_its_rounding(dtype):
    """Worst case to first order: a loss moves by at most twice what a logit does.

    A residual stream is rounded six times per block (normed input, products of queries and keys, of values, of the
    output, two of the MLP) and twice at the head, each time by at most the unit roundoff of the largest logit's scale.
    Control: the error far exceeds the same bound for float32, so half precision was used.
    """
    model = denoiser()
    tokens, masked = batch()
    with torch.no_grad():
        largest = model.head(model.hidden(tokens, masked)).abs().max().item()
        plain = model.token_nll(tokens, masked)
        half = ids.accelerated(model, autocast=dtype).token_nll(tokens, masked)
    error = (half - plain).abs().max().item()
    bound = 2 * (6 * CONFIG.layers + 2) * largest
    assert bound * ROUNDOFF[torch.float32] < error < bound * ROUNDOFF[dtype]
    assert half.dtype == torch.float32
    assert next(model.parameters()).dtype == torch.float32


def test_the_relative_error_of_a_text_likelihood_is_below_one_roundoff():
    """Errors of single tokens have both signs and partly cancel in the sum: here it is within 2^-8."""
    model = ids.load_model("austen")
    records = [
        ids.Record("text", "", "She was not to be prevailed upon by her mother."),
        ids.Record("odd", "", "zq xk!"),
    ]
    plain = ids.estimate_texts(model, records, passes=16, replicates=4)
    half = ids.estimate_texts(ids.accelerated(model, autocast=torch.bfloat16), records, passes=16, replicates=4)
    error = np.abs(half["nll"] / plain["nll"] - 1).values
    assert (error < ROUNDOFF[torch.bfloat16]).all()
    assert (error > 0).all()
    assert plain.attrs["model"].startswith("denoiser austen 816,353 parameters 1760d351")
    assert half.attrs["model"].startswith("denoiser austen 816,353 parameters in bfloat16 ")
    assert half.attrs["model"].split()[-1] != plain.attrs["model"].split()[-1]


def test_fingerprints_differ_where_numbers_do(monkeypatch):
    monkeypatch.setattr(acceleration, "COMPILER", "eager")
    prints = {
        dtype: ids.accelerated(denoiser(), autocast=dtype).fingerprint() for dtype in (torch.bfloat16, torch.float16)
    }
    assert len({denoiser().fingerprint(), *prints.values()}) == 3
    assert ids.accelerated(denoiser(), compile=True).fingerprint() == denoiser().fingerprint()


@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_compiled_blocks_give_the_same_numbers_at_any_shape(autocast, monkeypatch):
    monkeypatch.setattr(acceleration, "COMPILER", "aot_eager")
    model = denoiser()
    expected = [
        ids.accelerated(model, autocast=autocast).token_nll(*batch(rows, length)) for rows, length in [(6, 10), (3, 7)]
    ]
    fast = ids.accelerated(model, autocast=autocast, compile=True)
    assert all(block._compiled_call_impl is not None for block in model.blocks)
    for (rows, length), losses in zip([(6, 10), (3, 7)], expected, strict=True):
        with torch.no_grad():
            torch.testing.assert_close(fast.token_nll(*batch(rows, length)), losses, atol=1e-5, rtol=0)


def test_the_head_is_separated_with_compiled_blocks(monkeypatch):
    """Only masked positions pass through the head; if it is in the list of blocks itself, it is not compiled."""
    monkeypatch.setattr(acceleration, "COMPILER", "aot_eager")
    tokens, masked = batch(5, 9, tokens=10)
    for inside in (False, True):
        plain = wrapped(Blocks(inside=inside)).token_nll(tokens, masked)
        model = wrapped(Blocks(inside=inside))
        fast = ids.accelerated(model, compile=True)
        assert [one._compiled_call_impl is not None for one in model.network.blocks] == [True, True, False][
            : 2 + inside
        ]
        seen = []
        compute = model.head.forward
        monkeypatch.setattr(model.head, "forward", lambda hidden, f=compute, s=seen: s.append(len(hidden)) or f(hidden))
        torch.testing.assert_close(fast.token_nll(tokens, masked), plain, atol=1e-6, rtol=0)
        assert seen == [masked.sum()]


@pytest.mark.slow
def test_the_real_compiler_gives_the_same_numbers():
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("torch.compile needs a C++ compiler on a CPU, and there is none here")
    model = denoiser()
    tokens, masked = batch()
    with torch.no_grad():
        plain = model.token_nll(tokens, masked)
        torch.testing.assert_close(
            ids.accelerated(model, compile=True).token_nll(tokens, masked), plain, atol=1e-5, rtol=0
        )


def test_an_overflow_error_states_the_remedy():
    model = denoiser()
    with torch.no_grad():
        model.head.weight.mul_(1e5)
    tokens = batch(1)[0].numpy()
    message = r"the network overflowed in float16; use autocast=torch.bfloat16, or no autocast"
    with pytest.raises(ids.ModelError, match=message):
        ids.estimate_nll(ids.accelerated(model, autocast=torch.float16), tokens, passes=4, replicates=2)
    for mended in (model, ids.accelerated(model, autocast=torch.bfloat16)):
        ids.estimate_nll(mended, tokens, passes=4, replicates=2)


def test_a_compiler_failure_is_reported_in_one_sentence(monkeypatch):
    def fails(graph, inputs):
        raise OSError("no C++ compiler")

    monkeypatch.setattr(acceleration, "COMPILER", fails)
    fast = ids.accelerated(denoiser(), compile=True)
    with (
        torch.no_grad(),
        pytest.raises(ids.ModelError, match=r"the compiled network failed \(try compile=False\): .*no C.. compiler"),
    ):
        fast.token_nll(*batch())


def guided(scale=1.5):
    network = tiny_networks.LLaDA(SimpleNamespace(vocab_size=11))
    for weights in network.parameters():
        nn.init.normal_(weights, std=0.5, generator=torch.Generator().manual_seed(3))
    return MaskedLanguageModel(network, "llada", mask_id=10, length=16, guidance=scale, before=(9,), revision="abc")


def test_guidance_is_that_of_the_plain_model():
    """Both rows of a pass are computed in half precision, and count."""
    model = guided()
    fast = ids.accelerated(model, autocast=torch.bfloat16)
    tokens, masked = batch(8, 6, tokens=9)
    masked[:, :2], context = False, torch.arange(6).expand(8, 6) < 2
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = model.token_nll(tokens, masked, context)
    torch.testing.assert_close(fast.token_nll(tokens, masked, context), expected, atol=0, rtol=0)
    plain = ids.accelerated(guided(0.0), autocast=torch.bfloat16).token_nll(tokens, masked)
    assert (plain - expected).abs().max() > 0.1  # control
    with pytest.raises(ids.InputError, match="guidance masks the context"):
        fast.token_nll(tokens, masked)
    results = [ids.estimate_nll(one, tokens[:2], context=2, passes=4, replicates=2) for one in (model, fast)]
    assert results[0].attrs["forward_passes"] == results[1].attrs["forward_passes"]


def test_attributes_that_arithmetic_does_not_change_are_passed_through():
    model = guided()
    fast = ids.accelerated(model, autocast=torch.bfloat16)
    for name in acceleration.UNCHANGED:
        assert getattr(fast, name) == getattr(model, name)
    assert fast.conventions() == model.conventions() | {"autocast": "bfloat16"}
    assert copy.copy(fast) == fast
    for name in ("outputs", "network", "to", "consistent", "__len__"):
        assert not hasattr(fast, name)
    other = ids.accelerated(denoiser(), autocast=torch.float16)
    assert (other.vocabulary, other.conventions()) == (4, {"dtype": "float32", "autocast": "float16"})
    assert other.takes_padding
    assert not fast.takes_padding  # this network ignores the attention mask
    assert not hasattr(other, "mask_id")
    assert not hasattr(other, "needs_context")


def test_compiled_blocks_are_a_convention(monkeypatch):
    monkeypatch.setattr(acceleration, "COMPILER", "eager")
    fast = ids.accelerated(wrapped(Blocks()), compile=True)
    assert fast.conventions()["compile"] is True
    assert "compile" not in ids.accelerated(wrapped(Blocks())).conventions()


def test_other_models_are_refused():
    law = ids.MarkovChain.random(order=1, alphabet="AB", seed=0)
    for other in (law, ids.accelerated(denoiser())):
        with pytest.raises(ids.InputError, match="autocast and compile are for a Denoiser or a MaskedLanguageModel"):
            ids.accelerated(other, autocast=torch.bfloat16)


def test_text_methods_pass_through_and_errors_are_one_sentence():
    fast = ids.accelerated(denoiser(), autocast=torch.bfloat16)
    assert fast.decode(fast.encode("abca")) == "abca"
    assert fast.longest == 12
    with pytest.raises(ids.InputError, match="token 4 is outside the model's 4 characters"):
        ids.estimate_nll(fast, [[0, 4]])
    with pytest.raises(ids.InputError, match=r"must be torch.bfloat16 or torch.float16, got torch.float32"):
        ids.accelerated(denoiser(), autocast=torch.float32)
    plain = wrapped(tiny_networks.LLaDA(SimpleNamespace(vocab_size=11)))
    with pytest.raises(ids.InputError, match="the network cannot be compiled, because it has no list of blocks"):
        ids.accelerated(plain, compile=True)
