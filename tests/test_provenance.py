"""What a result says about the model that made it."""

from types import SimpleNamespace

import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig, MaskedLanguageModel
from infodis_stats.provenance import model_fingerprint
from models import tiny_networks


class Plain:
    def token_nll(self, tokens, masked):
        return masked.double()


class Fingerprinted(Plain):
    def fingerprint(self):
        return "0123abcd"


def test_models_are_named_by_what_they_are_and_by_their_digest(tmp_path):
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    assert model_fingerprint(law) == f"Markov chain of order 1 over ACGT {law.fingerprint()}"
    torch.manual_seed(0)
    denoiser = Denoiser(DenoiserConfig("ab", length=4, layers=1, width=4, heads=1))
    assert model_fingerprint(denoiser) == f"denoiser 258 parameters {denoiser.fingerprint()}"
    denoiser.save(tmp_path / "mine.safetensors")
    loaded = ids.load_model(tmp_path / "mine.safetensors")
    assert model_fingerprint(loaded) == f"denoiser mine 258 parameters {denoiser.fingerprint()}"
    network = tiny_networks.LLaDA(SimpleNamespace(vocab_size=11))
    size = sum(weights.numel() for weights in network.parameters())
    wrapped = MaskedLanguageModel(network, "llada", mask_id=10, length=8, name="LLaDA-tiny")
    assert model_fingerprint(wrapped) == f"llada LLaDA-tiny {size:,} parameters {wrapped.fingerprint()}"


def test_other_models_are_named_by_their_type():
    assert model_fingerprint(Plain()) == "Plain"
    assert model_fingerprint(Fingerprinted()) == "Fingerprinted 0123abcd"


@pytest.mark.parametrize("model", [Plain(), Fingerprinted()])
def test_results_say_it(model):
    result = ids.estimate_nll(model, [[0, 1, 0]], passes=2, replicates=2)
    assert result.attrs["model"] == model_fingerprint(model)
