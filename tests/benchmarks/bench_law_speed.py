"""How many masked sequences per second an exact law scores."""

import time

import pytest
import torch

from infodis_stats.laws import CodeLaw, HiddenMarkov, MarkovChain, TableLaw
from tests.support.reference import plain_token_nll


def masked_batch(law, size, length):
    """Sequences of the law, each with its own share of random positions masked."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.from_numpy(law.sample(size, length, seed=0))
    masked = torch.rand(tokens.shape, generator=generator) < torch.rand(size, 1, generator=generator)
    return tokens, masked


def test_markov_chain_against_the_plain_loop(benchmark):
    """Order 4 over ACGT, 32 tokens, 512 rows; the plain loop runs for some of the same rows."""
    chain, plain_rows = MarkovChain.random(order=4, alphabet="ACGT", seed=0), 16
    tokens, masked = masked_batch(chain, 512, 32)
    losses = benchmark(chain.token_nll, tokens, masked)

    start = time.perf_counter()
    expected = plain_token_nll(chain, tokens[:plain_rows], masked[:plain_rows])
    plain_rate = plain_rows / (time.perf_counter() - start)
    torch.testing.assert_close(losses[:plain_rows], expected, rtol=1e-9, atol=1e-9)
    rate = len(tokens) / benchmark.stats["median"]
    benchmark.extra_info.update(
        rows_per_second=round(rate), plain_rows_per_second=round(plain_rate, 1), ratio=round(rate / plain_rate)
    )


@pytest.mark.parametrize("size", [1, 64, 512, 4096])
def test_markov_chain_by_batch_size(benchmark, size):
    chain = MarkovChain.random(order=4, alphabet="ACGT", seed=0)
    run_and_rate(benchmark, chain, size, 32)


@pytest.mark.parametrize(("order", "length"), [(0, 128), (1, 128), (2, 128), (5, 32)])
def test_markov_chain_by_order(benchmark, order, length):
    run_and_rate(benchmark, MarkovChain.random(order=order, alphabet="ACGT", seed=0), 512, length)


@pytest.mark.parametrize("states", [4, 16])
def test_hidden_markov(benchmark, states):
    run_and_rate(benchmark, HiddenMarkov.random(states, "ACGT", seed=0), 512, 128)


def test_table(benchmark):
    """The DNA example: 128 sequences of 8 tokens."""
    run_and_rate(benchmark, TableLaw.random(), 512, 8)


@pytest.mark.parametrize("rule", ["checksum", "copies"])
@pytest.mark.parametrize("group", [2, 64])
def test_code(benchmark, group, rule):
    run_and_rate(benchmark, CodeLaw(128, group, rule, "ACGT"), 512, 128)


def run_and_rate(benchmark, law, size, length):
    benchmark(law.token_nll, *masked_batch(law, size, length))
    benchmark.extra_info["rows_per_second"] = round(size / benchmark.stats["median"])
