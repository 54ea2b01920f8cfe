"""Provenance: what a result records about its model, its code and its processor."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig, MaskedLanguageModel
from infodis_stats.results.provenance import arithmetic_digest, model_conventions, model_fingerprint
from tests.support import tiny_networks


class Plain:
    def token_nll(self, tokens, masked):
        return masked.double()


class Fingerprinted(Plain):
    def fingerprint(self):
        return "0123abcd"


def test_models_are_identified_by_type_and_digest(tmp_path):
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


def test_other_models_are_identified_by_their_type():
    assert model_fingerprint(Plain()) == "Plain"
    assert model_fingerprint(Fingerprinted()) == "Fingerprinted 0123abcd"


@pytest.mark.parametrize("model", [Plain(), Fingerprinted()])
def test_results_record_the_model(model):
    result = ids.estimate_nll(model, [[0, 1, 0]], passes=2, replicates=2)
    assert result.attrs["model"] == model_fingerprint(model)


def wrapped(**options):
    torch.manual_seed(0)
    network = tiny_networks.LLaDA(SimpleNamespace(vocab_size=11))
    return MaskedLanguageModel(network, "llada", mask_id=10, length=8, **options)


def test_results_record_the_conventions_of_the_model():
    stated = {
        "family": "llada",
        "mask_id": 10,
        "before": [9],
        "after": [],
        "shifted": False,
        "exclude_mask": True,
        "guidance": 0.0,
        "dtype": "float32",
    }
    model = wrapped(before=(9,), exclude_mask=True, revision="0123abcd")
    result = ids.estimate_nll(model, [[0, 1, 0]], passes=2, replicates=2)
    assert json.loads(result.attrs["model_conventions"]) == stated | {"revision": "0123abcd"}
    fast = ids.accelerated(model, autocast=torch.bfloat16)
    assert json.loads(model_conventions(fast)) == stated | {"autocast": "bfloat16", "revision": "0123abcd"}
    assert json.loads(model_conventions(wrapped())) == stated | {"before": [], "exclude_mask": False}


@pytest.mark.parametrize("model", [Plain(), ids.MarkovChain.random(order=1, alphabet="AB", seed=0)])
def test_models_without_conventions_record_none(model):
    assert ids.estimate_nll(model, [[0, 1, 0]], passes=2, replicates=2).attrs["model_conventions"] == "{}"


def test_conventions_of_other_models_are_recorded_too():
    class Own(Plain):
        def conventions(self):
            return {"temperature": np.float64(0.5), "device": torch.device("cpu")}

    result = ids.estimate_nll(Own(), [[0, 1, 0]], passes=2, replicates=2)
    assert json.loads(result.attrs["model_conventions"]) == {"temperature": 0.5, "device": "cpu"}


def test_both_models_of_a_ratio_are_recorded():
    first, second = wrapped(before=(9,)), wrapped()
    result = ids.estimate_model_log_ratio(first, second, [[0, 1, 0]], passes=2, replicates=2)
    for name, model in (("model", first), ("second_model", second)):
        assert result.attrs[name] == model_fingerprint(model)
        assert result.attrs[f"{name}_conventions"] == model_conventions(model)


def test_all_estimates_record_conventions():
    model = wrapped()
    rows, (first, second) = [[0, 1, 0], [1, 1, 2]], ([[0, 1, 0]], [[1, 1, 0]])
    results = [
        ids.estimate_log_ratio(model, first, second, passes=4, replicates=2),
        ids.estimate_sizes(model, rows, passes=4, replicates=2),
        ids.order_gap(model, rows, orders=3),
        ids.order_swaps(model, rows, swaps=3),
        ids.rank_candidates(model, rows, passes=4),
    ]
    assert all(result.attrs["model_conventions"] == model_conventions(model) for result in results)


arithmetic = arithmetic_digest.__wrapped__  # without the cache


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "expm1"])
def test_one_number_rounded_differently_changes_the_digest(monkeypatch, name):
    expected, plain = arithmetic(), getattr(np, name)

    def otherwise(some):
        found = plain(some)
        found[100] = np.nextafter(found[100], np.inf)
        return found

    monkeypatch.setattr(np, name, otherwise)
    assert arithmetic() != expected


def test_the_number_of_threads_does_not_change_the_digest():
    expected, before = arithmetic(), torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            assert arithmetic() == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_the_digest_is_that_of_processes_with_other_numbers_of_threads():
    expected = arithmetic()
    code = "from infodis_stats.results.provenance import arithmetic_digest; print(arithmetic_digest())"
    for threads in ("1", "4"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        found = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
        assert found.strip() == expected
