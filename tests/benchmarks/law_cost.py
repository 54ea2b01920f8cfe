"""Processor time of exact laws, per row."""

from collections.abc import Iterable

import numpy as np
import torch

from estimators import Uniform
from infodis_stats.laws import CodeLaw, HiddenMarkov, MarkovChain, TableLaw
from tests.benchmarks.measure import Row, cost, once
from tests.support.reference import plain_token_nll

SECTION = "Exact laws, per row"


def masked_batch(law, size, length):
    """Sequences of the law, each with its own share of random positions masked."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.from_numpy(law.sample(size, length, seed=0))
    masked = torch.rand(tokens.shape, generator=generator) < torch.rand(size, 1, generator=generator)
    return tokens, masked


def conditionals() -> Iterable[Row]:
    fourth = MarkovChain.random(order=4, alphabet="ACGT", seed=0)
    cells = [(f"Markov chain of order 4, {size:,} rows of 32", fourth, size, 32) for size in (1, 64, 512, 4096)]
    for order, length in ((0, 128), (1, 128), (2, 128), (5, 32)):
        chain = MarkovChain.random(order=order, alphabet="ACGT", seed=0)
        cells.append((f"Markov chain of order {order}, 512 rows of {length}", chain, 512, length))
    for states in (4, 16):
        law = HiddenMarkov.random(states, "ACGT", seed=0)
        cells.append((f"hidden Markov chain of {states} states, 512 rows of 128", law, 512, 128))
    cells.append(("table of 128 sequences, 512 rows of 8", TableLaw.random(), 512, 8))
    for rule in ("checksum", "copies"):
        for group in (2, 64):
            law = CodeLaw(128, group, rule, "ACGT")
            cells.append((f"code, {rule} of groups of {group}, 512 rows of 128", law, 512, 128))
    for cell, law, size, length in cells:
        tokens, masked = masked_batch(law, size, length)
        yield Row(SECTION, cell, cost(lambda: law.token_nll(tokens, masked)) / size)


def against_plain_loops() -> Iterable[Row]:
    """The plain computations run for some of the same rows, and agree."""
    chain = MarkovChain.random(order=4, alphabet="ACGT", seed=0)
    tokens, masked = masked_batch(chain, 512, 32)
    losses, fast = chain.token_nll(tokens, masked), cost(lambda: chain.token_nll(tokens, masked)) / 512
    plain = []
    slow = once(lambda: plain.append(plain_token_nll(chain, tokens[:16], masked[:16]))) / 16
    torch.testing.assert_close(losses[:16], plain[0], rtol=1e-9, atol=1e-9)
    yield Row(SECTION, "speed of a Markov chain of order 4, plain loop = 1", slow / fast, "ratio")

    rng = np.random.default_rng(0)
    clean, amounts = chain.sample(256, 32, seed=0), rng.exponential(size=256)
    noised = torch.from_numpy(Uniform().drawn(clean, amounts, rng.random(clean.shape), 4))
    asked, levels = torch.ones(256, 32, dtype=torch.bool), torch.from_numpy(amounts)
    ratios = chain.log_ratios(noised, asked, levels, Uniform())
    fast = cost(lambda: chain.log_ratios(noised, asked, levels, Uniform())) / 256
    plain.clear()
    slow = once(lambda: plain.append(ratios_by_neighbour(chain, noised[:8], levels[:8]))) / 8
    torch.testing.assert_close(ratios[:8], plain[0], rtol=1e-8, atol=1e-8)
    yield Row(SECTION, "score ratios of all neighbours, Markov chain of order 4, 256 rows of 32", fast)
    yield Row(SECTION, "speed of these, a pass for each neighbour = 1", slow / fast, "ratio")


def ratios_by_neighbour(law, noised, amounts):
    """Score ratios by one forward-backward pass for each neighbour: differences of log evidence.

    All neighbours of a row form one batch, so the comparison is of passes, not of calls.
    """
    rows, length = noised.shape
    symbols, places = law.vocabulary_size, torch.arange(length)
    kernel, ratios = Uniform().kernel(amounts, symbols), torch.empty(rows, length, symbols, dtype=torch.float64)
    for row in range(rows):
        neighbours = noised[row].expand(length, symbols, length).clone()
        neighbours[places, :, places] = torch.arange(symbols)
        log_evidence, _ = law.posterior(kernel[row][neighbours.reshape(-1, length)])
        own, _ = law.posterior(kernel[row][noised[[row]]])
        ratios[row] = log_evidence.reshape(length, symbols) - own
    return ratios
